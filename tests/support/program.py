"""The program as tests call it: in this process, which is quick, or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabular_rl.commands import run
from tabular_rl.solving import run as running

ROOT = Path(__file__).resolve().parents[2]
CLEAN = {
    k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM", "LC_ALL", "LANG", "PYTHONWARNINGS")
}


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


def inside(capsys: Any, *arguments: object) -> Done:
    """Run a command line in this process."""
    capsys.readouterr()
    running.interrupt.signum = None
    code = run([str(a) for a in arguments])
    running.interrupt.signum = None  # a signal of this test is none of the next
    shown = capsys.readouterr()
    return Done(code, shown.out, shown.err)


def command_of(*arguments: object, flags: tuple[str, ...] = ()) -> list[str]:
    return [sys.executable, *flags, "-m", "tabular_rl", *map(str, arguments)]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    return CLEAN | {"PYTHONPATH": str(ROOT)} | dict(more or {})


def outside(
    *arguments: object,
    env: Mapping[str, str] | None = None,
    flags: tuple[str, ...] = (),
    input: bytes = b"",
    **more: Any,
) -> Done:
    """Run a command line in a process of its own."""
    done = subprocess.run(
        command_of(*arguments, flags=flags),
        env=environment(env), input=input, capture_output=True, timeout=120, **more,
    )  # fmt: skip
    return Done(
        done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    )


def one_line(text: str) -> str:
    """The only line of a text, which holds no control characters."""
    assert text.endswith("\n") and text.count("\n") == 1, text
    assert "Traceback" not in text and text[:-1].isprintable(), text
    return text[:-1]
