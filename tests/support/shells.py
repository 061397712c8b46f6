"""A shell on a pseudo-terminal of its own, and what stands on its line after the Tab key: events, no waiting."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

from program import environment

SHOW = "\x18\x0c"  # Ctrl-X Ctrl-L, bound to a command that writes the line between << and >> and clears it
BASH = r"""
bind 'set bell-style none'; bind 'set show-all-if-ambiguous on'; bind 'set completion-query-items 0'
bind 'set page-completions off'; bind 'set enable-bracketed-paste off'
bind -x '"\C-x\C-l": printf "<<%s>>\n" "$READLINE_LINE"; READLINE_LINE='
eval "$(_TABULAR_RL_COMPLETE=bash_source tabular-rl)"
"""
ZSH = r"""
bindkey -e; unsetopt promptsp beep listbeep; autoload -Uz compinit; compinit -u -D
show() { zle -M "<<$BUFFER>>"; BUFFER="" }; zle -N show; bindkey '^X^L' show
eval "$(_TABULAR_RL_COMPLETE=zsh_source tabular-rl)"
"""


def program_in(folder: Path) -> dict[str, str]:
    """Put a program `tabular-rl` into a folder, and return an environment that finds it first."""
    folder.mkdir(exist_ok=True)
    program = folder / "tabular-rl"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tabular_rl "$@"\n')
    program.chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return environment({"PATH": path, "HOME": str(folder), "TERM": "dumb", "LC_ALL": "C.UTF-8"})


class Shell:
    """An interactive bash or zsh in a folder, with completion of tabular-rl loaded."""

    def __init__(self, name: str, where: Path, bin: Path) -> None:
        arguments = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}[name]
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 200, 500, 0, 0))
        self.process = subprocess.Popen(
            arguments,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=where,
            env=program_in(bin) | {"PS1": "> ", "HISTFILE": "/dev/null"},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        script = bin / "setup"
        script.write_text({"bash": BASH, "zsh": ZSH}[name])
        self.send(f". {script}; echo re''ady\n")
        self.until("ready\r")

    def send(self, text: str) -> None:
        os.write(self.master, text.encode())

    def until(self, pattern: str) -> str:
        """What the shell writes up to a pattern."""
        text = ""
        while not re.search(pattern, text):
            text += os.read(self.master, 1 << 16).decode("utf-8", "replace")
        return text

    def tab(self, line: str) -> tuple[str, str]:
        """What stands on the line after the Tab key, and all that was written meanwhile."""
        self.send(line + "\t" + SHOW)
        text = self.until("<<.*>>[^>]*> $")  # the prompt after it: the terminal is as it was
        return re.findall("<<(.*)>>", text)[-1], text

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)
