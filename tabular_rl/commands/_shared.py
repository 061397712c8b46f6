"""What several commands share: their options, reading the model, checking where output goes."""

from __future__ import annotations

import math
import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, TypeVar

import click

from tabular_rl.commands._help import Command as Command
from tabular_rl.commands._memory import check_states
from tabular_rl.errors import OptionError, OutputError, closest, path_text, quoted
from tabular_rl.formats.registry import MODELS
from tabular_rl.methods.lookup import METHODS, PLANNERS, canonical, exact_method, planner_of
from tabular_rl.model.calls import Option
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import rounded_up
from tabular_rl.model.rationals import calculated, nearest
from tabular_rl.report.screen import be_quiet, note
from tabular_rl.solving import run as running
from tabular_rl.solving.method import Method
from tabular_rl.solving.options import OPTIONS

C = TypeVar("C", bound=Callable[..., Any])
WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")
SHORT = 4  # names in a help text
SHORTEST = 1.0  # seconds that reading a model may always take
SEVERAL = "Repeat the option for several."


class Value(click.ParamType):
    """The value of an option of a method: a strict number, or a text of the option's own grammar, checked."""

    def __init__(self, option: Option) -> None:
        self.option = option
        self.name = "|".join(option.choices) or (
            "text" if option.parse is not None else "number" if option.kind is float else "n"
        )

    def get_metavar(self, *_: Any, **__: Any) -> str | None:
        """Choices as they are to be typed; what stands for a number in capitals."""
        return self.name if self.option.choices else None

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not isinstance(value, str) or self.option.choices or self.option.parse is not None:
            return self.option.check(value)
        try:
            exact = calculated(value)
            number: Any = nearest(exact)
            if self.option.kind is int and exact.denominator == 1:
                number = int(exact)
        except (ValueError, OverflowError):
            raise OptionError(
                f"{self.option.flag}: found {quoted(value)}, expected {self.option.expected}"
            ) from None
        try:
            return self.option.check(number)
        except OptionError:
            raise OptionError(
                f"{self.option.flag}: found {quoted(value)}, expected {self.option.expected}"
            ) from None


class Gamma(click.ParamType):
    """A discount: the exact rational that a text spells."""

    name = "number"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        try:
            gamma = calculated(value) if isinstance(value, str) else Fraction(value)
            if 0 <= gamma <= 1:
                return gamma
        except (ValueError, OverflowError):
            pass
        raise OptionError(
            f"--gamma: found {quoted(value)}, expected a number from 0 to 1, such as 0.9, 9/10 or 1/1.02"
        )


class Horizon(click.ParamType):
    """A number of decisions."""

    name = "n"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if isinstance(value, int) or (len(value) < 12 and WHOLE.fullmatch(value) and 0 < int(value) < 2**31):
            return int(value)
        raise OptionError(
            f"--horizon: found {quoted(value)}, expected a whole number of decisions, 1 or more"
        )


def together(*decorators: Callable[[Any], Any]) -> Callable[[C], C]:
    """Several decorators as one, in the order that they are shown in."""

    def decorate(function: C) -> C:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


model_options = together(
    click.argument("model", metavar="MODEL"),
    click.option(
        "--format",
        "format",
        type=click.Choice(MODELS.names),
        help="Format of MODEL, where its name does not say it.",
    ),
    click.option(
        "--gamma", type=Gamma(), help="Discount, in place of the file's; 0.9, 9/10 and 1/1.02 are exact."
    ),
    click.option("--horizon", type=Horizon(), help="Number of decisions: solve a finite-horizon problem."),
    click.option(
        "--terminal",
        multiple=True,
        metavar="STATE",
        help=f"Terminal states, in place of the file's. {SEVERAL}",
    ),
    click.option("--minimize", is_flag=True, help="Rewards are costs: find the least."),
    click.option(
        "--normalize",
        is_flag=True,
        help="Rescale rows that do not sum to 1, and tell the largest correction.",
    ),
)


def _be_quiet(_ctx: click.Context, _parameter: click.Parameter, level: int) -> int:
    be_quiet(level)
    return level


quiet_option = click.option(
    "-q",
    "--quiet",
    count=True,
    callback=_be_quiet,
    help="No progress and no remarks; with -o nothing on standard output. -qq: no warnings either.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
all_option = click.option("--all", "everything", is_flag=True, help="Print every state, as a table.")
shown_options = together(
    click.option(
        "--show", type=click.Choice(["q"]), help="Show q(s,a) of every action beside v(s), in JSON and CSV too."
    ),
    click.option(
        "--state", "only", multiple=True, metavar="STATE",
        help=f"Show this state only; JSON and files hold all. {SEVERAL}",
    ),
)  # fmt: skip
answer_options = together(
    click.option(
        "-o",
        "--output",
        metavar="FILE",
        help="Write the answer to FILE too: CSV where it ends in .csv; JSON in .json or no suffix.",
    ),
    shown_options,
    json_option,
    all_option,
    quiet_option,
)
policy_option = click.option(
    "--policy",
    default="uniform",
    show_default=True,
    metavar="POLICY",
    help="uniform, optimal, a policy or answer FILE, greedy:FILE, epsilon-greedy:0.1:POLICY or action:NAME.",
)


def method_options(task: str) -> Callable[[C], C]:
    """--method, --exact, --start-from and the options of every method of a task, as the catalogue has them."""
    names = [name for name, f in PLANNERS.items() if f.task == task]
    shown = [METHODS[name].word for name in names]
    return together(
        click.option(
            "--method", default="auto", show_default=True, metavar="METHOD",
            help=f"One of {', '.join(shown)}.",
        ),
        click.option("--exact", is_flag=True, help="Solve in rational arithmetic: values as fractions, ties proven."),
        *option_flags(names),
        click.option("--start-from", metavar="ANSWER", help="Begin with the values of an answer file."),
    )  # fmt: skip


def option_flags(
    names: list[str],
    helps: Mapping[str, str] | None = None,
    but: tuple[str, ...] = (),
    last: tuple[str, ...] = (),
) -> list[Callable[[Any], Any]]:
    """A click option for each option that one of the methods has; it says which have it, where not all do.

    `helps` are texts in place of the options' own, `but` options that are left out, `last` those that come last.
    """
    having: dict[str, list[str]] = {}
    options: dict[str, Option] = {}
    defaults: dict[str, list[Any]] = {}
    for name in names:
        for key, (option, default) in METHODS[name].options.items():
            options[key] = option
            defaults.setdefault(key, []).append(default)
            having.setdefault(key, []).append(name)
    order = {name: at for at, name in enumerate(OPTIONS)}
    flags = []
    for key in sorted(options.keys() - set(but), key=lambda k: (k in last, order.get(k, len(order)))):
        option, methods = options[key], having[key]
        text = (helps or {}).get(key, option.help)
        text = text[0].upper() + text[1:]
        if len(methods) < len(names) and not any(METHODS[name].chooses for name in methods):
            text += f" [{having_text(methods, names)}]"
        if option.kind is not bool and "default" not in text:
            text += f"  [default: {usual_text(defaults[key], methods)}]"
        if option.kind is bool:
            flags.append(click.option(option.flag, key, is_flag=True, default=None, help=text))
        else:
            flags.append(click.option(option.flag, key, type=Value(option), help=text))
    return flags


def having_text(methods: list[str], names: list[str]) -> str:
    """Which methods have an option, short.

    >>> [having_text(list("abcde"), list(names)) for names in ("abcdef", "abcdefghij")], having_text(["a"], ["a", "b"])
    (['all but f', 'some: see methods METHOD'], 'a')
    """
    missing = [name for name in names if name not in methods]
    if len(methods) <= SHORT:
        return ", ".join(methods)
    return f"all but {', '.join(missing)}" if len(missing) <= SHORT else "some: see methods METHOD"


def usual_text(defaults: list[Any], methods: list[str]) -> str:
    """The default of an option: of all methods, of most of them, or of each.

    >>> usual_text([0.5, 0.5], ["a", "b"]), usual_text([1, 1, None], ["a", "b", "c"]), usual_text([1, 2], ["a", "b"])
    ('0.5', '1 (most methods)', '1 (a), 2 (b)')
    """
    usual, count = Counter(defaults).most_common(1)[0]
    if count == len(defaults):
        return default_text(usual)
    if 2 * count > len(defaults):
        return f"{default_text(usual)} (most methods)"
    return ", ".join(f"{default_text(x)} ({name})" for x, name in zip(defaults, methods, strict=True))


def default_text(value: Any) -> str:
    """
    >>> default_text(1e-6), default_text(1000000), default_text("auto"), default_text(None)
    ('1e-06', '1000000', 'auto', 'none')
    """
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


# -- what commands do ----------------------------------------------------------------------------------------------


@contextmanager
def limited(seconds: float | None) -> Iterator[None]:
    """Raise Stop where reading takes longer than a time limit, or than a second if that is longer."""
    main = threading.current_thread() is threading.main_thread()
    if not seconds or not math.isfinite(seconds) or not main or not hasattr(signal, "setitimer"):
        yield
        return

    def over(_signum: int, _frame: Any) -> None:
        raise running.Stop("time")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, SHORTEST))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def read_model(given: Mapping[str, Any]) -> MDP:
    """Load the model that a command was given, with what stands in place of the file's."""
    from tabular_rl.formats import load

    with limited(given.get("time_limit")):
        mdp = load(
            given["model"],
            format=given["format"],
            gamma=given["gamma"],
            horizon=given["horizon"],
            terminal=given["terminal"] or None,
            sense="min" if given["minimize"] else None,
            normalize=given["normalize"],
        )
        check_states(mdp)
        mdp.validate()  # the contents of a mapped directory are looked at here, whatever the command does
    if given["normalize"] and not given.get("quiet"):
        largest = mdp.facts.correction
        note(
            f"{path_text(mdp.origin)}: --normalize changed probabilities by {rounded_up(largest)} at most\n"
            if largest
            else f"{path_text(mdp.origin)}: every row sums to 1, --normalize changed nothing\n"
        )
    return mdp


def check_output(
    output: str | None, *inputs: str | None, suffixes: Sequence[str] = (), name: str = "--output"
) -> None:
    """Raise before anything is solved where the output cannot be written, is an input, or has no known suffix."""
    from tabular_rl.formats.output import probe

    if output is None or output == "-":
        return
    if output == "":
        raise OptionError(f"{name}: found '', expected the name of a file")
    for source in inputs:
        path = input_path(source)
        if (
            path is not None
            and os.path.exists(output)
            and os.path.exists(path)
            and os.path.samefile(output, path)
        ):
            raise OptionError(f"{path_text(output)}: is also the input, expected another file")
    if os.path.isdir(output):
        raise OutputError(f"{path_text(output)}: cannot be written: is a directory")
    folder = os.path.dirname(output)
    if folder and not os.path.exists(folder):
        raise OutputError(f"{path_text(output)}: cannot be written: no such folder {path_text(folder)}")
    if not os.path.basename(output):
        raise OutputError(f"{path_text(output)}: cannot be written: ends like a folder, expected a file")
    suffix = os.path.splitext(output)[1].lower()
    if suffixes and suffix and suffix not in suffixes:
        raise OptionError(
            f"{name}: {path_text(output)}: found the suffix {quoted(suffix)}, expected "
            f"{' or '.join(suffixes)}{'; without one it is JSON' if '.json' in suffixes else ''}"
        )
    probe(output)


def model_format(output: str, to: str | None, *inputs: str | None) -> str:
    """Return the format of the model that is written; raise before anything is made where it cannot be written."""
    from tabular_rl.formats import format_of

    form = to or format_of(output)
    if MODELS.named(form).folder:
        check_new(output, *inputs)
    else:
        check_output(output, *inputs)
    return form


def check_new(output: str, source: str | None = None) -> None:
    """Raise where a directory of arrays cannot be made at this place, or is the input."""
    from tabular_rl.formats.output import place_of, reporting

    path = input_path(source)
    if (
        path is not None
        and os.path.exists(output)
        and os.path.exists(path)
        and os.path.samefile(output, path)
    ):
        raise OptionError(f"{path_text(output)}: is also the input, expected another directory")
    with reporting(output):
        place_of(output)
    parent = os.path.dirname(os.path.abspath(output))
    if not os.path.isdir(parent) or not os.access(parent, os.W_OK):
        reason = "Permission denied" if os.path.isdir(parent) else f"no such folder {path_text(parent)}"
        raise OutputError(f"{path_text(output)}: cannot be written: {reason}")
    if os.path.exists(output) and not os.path.isdir(output):
        raise OutputError(
            f"{path_text(output)}: cannot be written: is a file, expected a directory or nothing"
        )


def input_path(source: str | None) -> str | None:
    """The file that an input is read from."""
    if source is None or source == "-":
        return None
    if source.startswith("example:"):
        from tabular_rl.formats.bundled import example_path

        return str(example_path(source.removeprefix("example:")))
    return source


def policy_file(text: str | None) -> str | None:
    """The file that --policy may name: behind greedy: or epsilon-greedy:0.1:, say."""
    return text and text.rpartition(":")[2]


def chosen_method(given: Mapping[str, Any], task: str) -> tuple[str, dict[str, Any]]:
    """Return the method and the options that were given for it; OptionError where it has no such option."""
    method = canonical(given["method"])
    if given["exact"]:
        rational = exact_method(task).name
        if method not in ("auto", rational):
            raise OptionError(f"--exact: found --method {method} too, expected one of them")
        method = rational
    return method, asked_options(given, method, planner_of(method, task), "start_from")


def asked_options(
    given: Mapping[str, Any], name: str, method: Method[..., Any], *inputs: str
) -> dict[str, Any]:
    """Return the options that were given; OptionError where the method has not got one, or one of these inputs."""
    options = {key: given[key] for key in OPTIONS if given.get(key) is not None}
    for key in [*options, *(key for key in inputs if given.get(key) is not None)]:
        if key not in method.defaults:
            known = ", ".join(flag(k) for k in method.defaults if k in OPTIONS or k in inputs)
            raise OptionError(f"{flag(key)}: {name} has no such option, expected some of {known}")
    return options


def flag(key: str) -> str:
    return "--" + key.replace("_", "-")


def named_states(mdp: MDP, names: Sequence[str]) -> list[int] | None:
    """The states that --state names, in the order given; None where it names none."""
    found = []
    for name in names:
        at = mdp.states.find(name)
        if at is None:
            raise OptionError(f"--state: no state {quoted(name)}{closest(name, mdp.states[:10_000])}")
        found.append(at)
    return found or None
