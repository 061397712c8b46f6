"""The command line: `main` is the program `tabular-rl`. One file a command; a command is imported when it is called."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import click

from tabular_rl.errors import OptionError, OutputError, TabularError, closest, escape, on_command_line, quoted
from tabular_rl.formats.registry import MODELS

# Name -> what `tabular-rl --help` says of it, so that listing the commands imports none of them.
COMMANDS = {
    "solve": "Find the best policy of a model, with a proven interval around every value.",
    "evaluate": "Find the values of a policy, with a proven interval around each.",
    "learn": "Learn from sampled transitions, beside the exact answer.",
    "gradient": "Find the exact policy gradient, with bias and variance of its estimators.",
    "compare": "Compare methods on a model with the exact answer.",
    "verify": "Check an answer from anywhere, without trusting whoever made it.",
    "simulate": "Estimate what a policy earns by playing it, beside the exact value.",
    "estimate": "Estimate a model from a log of transitions, with its counts.",
    "check": "Check that a model file is valid, and count what is in it.",
    "show": "Show a model as tables of states, actions and outcomes.",
    "convert": "Write a model in another format.",
    "make": "Make a model of a family, of any size.",
    "methods": "List the methods, or describe one with its equation and options.",
    "examples": "List the models that come with the program.",
    "help": "Show the help of a command, a method, or a page of the documents.",
}
PROGRAM = "tabular-rl"
WIDEST = 110  # characters of a line of help
INTERRUPTED = {
    "learn": "nothing was learned yet",
    "convert": "nothing was written",
    "make": "nothing was written",
    "estimate": "nothing was written",
}
BUG = 70
PATIENCE = 5.0  # seconds of work that a method is given to return its interval after a signal
LONGEST = 30.0  # and seconds of the clock: on a loaded machine work takes longer


class Interrupted(BaseException):
    """A signal came where there is no interval to save: while reading, compiling or writing."""

    def __init__(self, signum: int) -> None:
        self.signum = signum
        super().__init__(signum)


class Program(click.Group):
    """A group whose commands are imported on demand."""

    def get_help(self, ctx: click.Context) -> str:
        from tabular_rl.commands._help import HYPHEN

        return super().get_help(ctx).replace(HYPHEN, "-")

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return importlib.import_module(f"tabular_rl.commands.{cmd_name}").command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"no command {quoted(args[0])}{closest(args[0], COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from tabular_rl.commands._help import whole
        from tabular_rl.formats.bundled import documents, documents_folder

        super().format_epilog(ctx, formatter)
        with formatter.section("Documents"):
            formatter.write_text(whole(f"{PROGRAM} help PAGE shows a page: {', '.join(documents())}."))
            formatter.write(f"  They lie in {documents_folder()}\n")


def version_text() -> str:
    from tabular_rl import __version__

    return f"{PROGRAM} {__version__}"


def _show_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from tabular_rl.report.screen import out

        out(version_text() + "\n")
        ctx.exit()


HELP = f"""Solve finite Markov decision processes, with a proven interval around every value.

MODEL is a file ({MODELS.titles}), a directory of arrays, - for standard input, or example:NAME.
"""


@click.group(
    PROGRAM,
    help=HELP,
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDEST},
    epilog="Start with `tabular-rl solve example:recycling_robot`. Exit codes: 0 answered, 1 the answer is no, 2 wrong "
    "usage or input, 3 not reached within the limits, 4 no finite answer exists, 5 the output could not be written, "
    "70 a bug, 130 and 143 interrupted.",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version and exit.",
)
def program() -> None:
    """Solve a model."""


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code."""
    with on_command_line():
        return _run(arguments)


def _run(arguments: Sequence[str]) -> int:
    from tabular_rl.report.screen import be_quiet, note, spelled

    be_quiet(0)
    _State.known = INTERRUPTED.get(arguments[0] if arguments else "", "nothing is proven yet")
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
        note(spelled(usage_line(error)) + "\n")
        return 2
    except click.ClickException as error:
        note(f"{PROGRAM}: {error.format_message()}\n")
        return 2
    except TabularError as error:
        from tabular_rl.solving.run import interrupt

        note(f"{error}\n")
        stopped = getattr(error, "why", None) == "signal" and interrupt.signum is not None
        return 128 + interrupt.signum if stopped else error.exit_code  # type: ignore[operator]
    except Interrupted as stop:
        note(f"interrupted: {_State.known}\n")
        return 128 + stop.signum
    except (KeyboardInterrupt, click.Abort) as stop:
        if isinstance(stop.__cause__, EOFError):  # which Click takes for Ctrl-D
            return _bug()
        note(f"interrupted: {_State.known}\n")
        return 130
    except SystemExit:  # Click, when nobody reads what it writes
        return 0
    except MemoryError as error:
        what = str(error).partition(" for an array")[0].rstrip(".")
        note(
            f"not enough memory{': ' + escape(what) if what else ''}. A directory of arrays needs least; see convert.\n"
        )
        return OptionError.exit_code
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EIO, errno.EDQUOT) and error.filename is None:
            note(f"standard output: {error.strerror}\n")
            return OutputError.exit_code
        return _bug()
    except Exception:
        return _bug()


def _bug() -> int:
    from tabular_rl.report.screen import note

    note(
        f"{traceback.format_exc()}\nThis is a bug of tabular-rl ({version_text()}); please report the lines above.\n"
    )
    return BUG


def usage_line(error: click.UsageError) -> str:
    """What is wrong with the usage, and the usage, in one line."""
    ctx = error.ctx
    name = ctx.command_path if ctx else PROGRAM
    usage = " ".join(ctx.get_usage().split()).removeprefix("Usage: ") if ctx else f"{PROGRAM} COMMAND"
    message = error.format_message().rstrip(".")
    if isinstance(error, click.NoSuchOption):
        hint = closest(error.option_name, _flags(ctx))
        message = f"no option {quoted(error.option_name)}{hint}"
    message = "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)
    return f"{name}: {message}{'' if message.endswith('?') else '.'} Usage: {usage} (see {name} --help)"


def _flags(ctx: click.Context | None) -> list[str]:
    return [] if ctx is None else [opt for p in ctx.command.params for opt in p.opts]


# -- signals and leaving -------------------------------------------------------------------------------------------


class _State:
    solving = False
    leaving = False
    known = "nothing is proven yet"


def handle(signum: int, frame: Any) -> None:
    """Stop a method between two kernels, anything else at once; a second signal does not wait for a method."""
    from tabular_rl.solving.run import interrupt

    if interrupt.signum is not None and (_State.solving or _State.leaving):
        os._exit(128 + signum)
    _State.leaving = interrupt.signum is not None  # a file that is being written is removed first
    interrupt.signum = signum
    if not _State.solving or _compiling(frame):
        raise Interrupted(signum)
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, _patience(signum))
        signal.setitimer(signal.ITIMER_REAL, PATIENCE / 10, PATIENCE / 10)


def _patience(signum: int) -> Callable[[int, Any], None]:
    """The handler of a timer: it ends a method that does not come back with its interval."""
    worked, begun = time.thread_time(), time.monotonic()

    def look(_signum: int, _frame: Any) -> None:
        late = time.thread_time() - worked > PATIENCE or time.monotonic() - begun > LONGEST
        if _State.solving and late:
            raise Interrupted(signum)

    return look


def _compiling(frame: Any) -> bool:
    """Whether a frame stands in the compiler, which asks nobody whether it may go on."""
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] in ("numba", "llvmlite"):
            return True
        frame = frame.f_back
    return False


@contextlib.contextmanager
def solving() -> Any:
    """While this holds, a signal is left to the method, which returns its best interval."""
    _State.solving = True
    try:
        yield
    finally:
        _State.solving = False
        if hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread():
            signal.setitimer(signal.ITIMER_REAL, 0)


@contextlib.contextmanager
def writing(output: object | None) -> Iterator[None]:
    """While this holds, an answer is there: a signal says so, and where it was going."""
    from tabular_rl.errors import path_text

    place = "standard output" if output is None else path_text(output)
    rest = "is not complete" if output is None else "is the old file or the complete new one"
    before, _State.known = _State.known, f"the answer was found, and was being written: {place} {rest}"
    try:
        yield
    finally:
        if not isinstance(sys.exception(), Interrupted):
            _State.known = before


def _once_more(unraisable: Any) -> None:
    """Raise an Interrupted again that came where Python lets nothing through, such as a `__del__`."""
    if not isinstance(unraisable.exc_value, Interrupted):
        sys.__unraisablehook__(unraisable)
    elif hasattr(signal, "setitimer"):
        signum = unraisable.exc_value.signum

        def again(_signum: int, _frame: Any) -> None:
            raise Interrupted(signum)

        signal.signal(signal.SIGALRM, again)
        signal.setitimer(signal.ITIMER_REAL, 0.01)


def leave(code: int) -> NoReturn:
    """Exit; threads that are still in native code do not keep the process."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    if threading.active_count() > 1 or code >= 128:
        os._exit(code)
    sys.exit(code)


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning as one line, without the place in our code."""
    from tabular_rl.report.screen import warn

    warn(str(message))


def main() -> NoReturn:
    """The program `tabular-rl`."""
    from tabular_rl.commands._memory import refuse_more_than_there_is

    refuse_more_than_there_is()
    # Numba colours its messages by colorama, which then writes a reset code to standard output at the end.
    os.environ["NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING"] = "1"
    warnings.showwarning = _warn
    sys.unraisablehook = _once_more
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
            sys.stderr.write(f"interrupted: {_State.known}\n")
        code = 128 + stop.signum
    leave(code)
