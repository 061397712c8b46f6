"""The command line: `main` is the program `tabular-rl`. One file a command; a command is imported when it is called."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from tabular_rl.commands._memory import refuse_more_than_there_is
from tabular_rl.commands._program import COMMANDS as COMMANDS
from tabular_rl.commands._program import PROGRAM, program, version_text
from tabular_rl.commands._signals import Interrupted, State, handle, raise_again
from tabular_rl.errors import OptionError, OutputError, TabularError, closest, escape, on_command_line, quoted
from tabular_rl.report.screen import be_quiet, note, spelled, warn
from tabular_rl.solving.run import interrupt

INTERRUPTED = {
    "learn": "nothing was learned yet",
    "convert": "nothing was written",
    "make": "nothing was written",
    "lesson": "nothing was written",
    "exercise": "nothing was written",
    "estimate": "nothing was written",
}
BUG = 70


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code."""
    with on_command_line():
        return _run(arguments)


def _run(arguments: Sequence[str]) -> int:  # noqa: C901  (a case for each way in which a command ends)
    be_quiet(0)
    State.known = INTERRUPTED.get(arguments[0] if arguments else "", "nothing is proven yet")
    try:
        if instruction := os.environ.get("_TABULAR_RL_COMPLETE"):
            from tabular_rl.commands._completion import completion

            return completion(instruction)
        code = program.main(list(arguments), prog_name=PROGRAM, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        note(error.format_message() + "\n")
        return 2
    except click.UsageError as error:
        note(spelled(_usage_line(error, arguments)) + "\n")
        return 2
    except click.ClickException as error:
        note(f"{PROGRAM}: {error.format_message()}\n")
        return 2
    except TabularError as error:
        note(f"{error}\n")
        stopped = getattr(error, "why", None) == "signal" and interrupt.signum is not None
        return 128 + interrupt.signum if stopped else error.exit_code  # type: ignore[operator]
    except Interrupted as stop:
        note(f"interrupted: {State.known}\n")
        return 128 + stop.signum
    except (KeyboardInterrupt, click.Abort) as stop:
        if isinstance(stop.__cause__, EOFError):  # which Click takes for Ctrl-D
            return _bug()
        note(f"interrupted: {State.known}\n")
        return 130
    except SystemExit:  # Click, when nobody reads what it writes
        return 0
    except MemoryError as error:
        what = str(error).partition(" for an array")[0].rstrip(".")
        found = f": {escape(what)}" if what else ""
        note(f"not enough memory{found}. A directory of arrays needs least; see convert.\n")
        return OptionError.exit_code
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EIO, errno.EDQUOT) and error.filename is None:
            note(f"standard output: {error.strerror}\n")
            return OutputError.exit_code
        return _bug()
    except Exception:
        return _bug()


def _bug() -> int:
    bug = f"This is a bug of tabular-rl ({version_text()}); please report the lines above."
    note(f"{traceback.format_exc()}\n{bug}\n")
    return BUG


def _usage_line(error: click.UsageError, arguments: Sequence[str]) -> str:
    """Return what is wrong with the usage, and the usage, in one line."""
    ctx = error.ctx
    command = arguments[0] if arguments and arguments[0] in COMMANDS else "COMMAND"
    name = ctx.command_path if ctx else f"{PROGRAM} {command}".removesuffix(" COMMAND")
    usage = " ".join(ctx.get_usage().split()).removeprefix("Usage: ") if ctx else f"{PROGRAM} {command}"
    message = error.format_message().rstrip(".")
    if isinstance(error, click.NoSuchOption):
        flags = [flag for parameter in (ctx.command.params if ctx else ()) for flag in parameter.opts]
        message = f"no option {quoted(error.option_name)}{closest(error.option_name, flags)}"
    message = "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)
    return f"{name}: {message}{'' if message.endswith('?') else '.'} Usage: {usage} (see {name} --help)"


def leave(code: int) -> NoReturn:
    """Exit; threads that are still in native code do not keep the process."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    if threading.active_count() > 1 or code >= 128:
        os._exit(code)
    sys.exit(code)


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    """Write a warning as one line, without the place in our code."""
    warn(str(message))


def main() -> NoReturn:
    """Run the program `tabular-rl`."""
    refuse_more_than_there_is()
    # Numba colours its messages by colorama, which then writes a reset code to standard output at the end.
    os.environ["NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING"] = "1"
    warnings.showwarning = _warn
    sys.unraisablehook = raise_again
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    for signum in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(ValueError):  # not in the main thread
            signal.signal(signum, handle)
    try:
        code = run(sys.argv[1:])
    except Interrupted as stop:  # before or after everything
        with contextlib.suppress(OSError, AttributeError, ValueError):
            sys.stderr.write(f"interrupted: {State.known}\n")
        code = 128 + stop.signum
    leave(code)
