"""The click options that commands share, and those of methods, as the catalogue has them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tabular_rl.errors import OptionError, quoted
from tabular_rl.formats.registry import ANSWERS, MODELS
from tabular_rl.methods.lookup import METHODS, PLANNERS
from tabular_rl.model.calls import Option
from tabular_rl.model.rationals import calculated, nearest
from tabular_rl.model.settings import checked_gamma, checked_horizon
from tabular_rl.report.screen import be_quiet
from tabular_rl.solving.method import Method
from tabular_rl.solving.options import OPTIONS, SEED

if TYPE_CHECKING:
    Kind = click.ParamType[Any]
else:
    Kind = click.ParamType  # which Click 8.1 has as no generic class

C = TypeVar("C", bound=Callable[..., Any])
SHORT = 4  # names in a help text
REPEAT = "Can be repeated."
PICTURES = ("values", "policy", "q", "graph", "map", "gamma", "residual", "errors", "start")


class Value(Kind):
    """The value of an option: a strict number, or a text of the option's own grammar, checked."""

    def __init__(self, option: Option) -> None:
        self.option = option
        kind = "number" if option.kind is float else "n" if option.kind is int else "text"
        self.name = "|".join(option.choices) or kind

    def get_metavar(self, *_: Any, **__: Any) -> str | None:
        """Return choices as they are to be typed; None, for a name in capitals, where there are none."""
        return self.name if self.option.choices else None

    def convert(self, value: Any, *_: Any) -> Any:
        option = self.option
        if isinstance(value, str):  # .9 is how a number is often typed
            value = re.sub(r"^(-?)\.(?=[0-9])", r"\g<1>0.", value)
        if not isinstance(value, str) or option.choices or option.parse is not None:
            return option.check(value)
        try:
            exact = calculated(value)
            return option.check(
                int(exact) if option.kind is int and exact.denominator == 1 else nearest(exact)
            )
        except (
            ValueError,
            OverflowError,
        ):  # an OptionError too, which does not show the number as it is spelled
            raise OptionError(f"{option.flag}: found {quoted(value)}, expected {option.expected}") from None


def _decisions(text: Any) -> int:
    """Return a horizon, which is written with digits alone."""
    if isinstance(text, str) and not re.fullmatch("[1-9][0-9]{0,9}", text):
        raise ValueError(text)
    return int(checked_horizon(int(text)) or 0)


ITERATES = Option("iterates", int, "number of steps", low=0, high=1_000_000)
GAMMA = Option(
    "gamma", float, "", parse=checked_gamma, grammar="a number from 0 to 1, such as 0.9, 9/10 or 1/1.02"
)
HORIZON = Option(
    "horizon", int, "", parse=_decisions, grammar=f"a whole number of decisions, 1 to {2**31 - 1}"
)


def together(*decorators: Callable[[Any], Any]) -> Callable[[C], C]:
    """Return several decorators as one, in the order that they are shown in."""

    def decorate(function: C) -> C:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def value_option(option: Option, help: str, **settings: Any) -> Callable[[C], C]:
    """Return the click option of an option that Python has too: its value is checked in the same way."""
    return click.option(
        option.flag,
        option.name,
        type=Value(option),
        help=help,
        show_default="default" in settings,
        **settings,
    )


def state_option(name: str, what: str) -> Callable[[C], C]:
    """Return an option that names some states."""
    return click.option(f"--{name}", name, multiple=True, metavar="STATE", help=f"{what} {REPEAT}")


def log_options(log: str = "the log") -> Callable[[C], C]:
    """Return the options that say which column of a log is which."""
    return together(
        click.option(
            "--columns",
            multiple=True,
            metavar="ROLE=COLUMN",
            help=f"Columns of {log} with names of their own: state=patient_state,action=dose. {REPEAT}",
        ),
        click.option(
            "--episode-column",
            metavar="COLUMN",
            help="The column that says which episode a line belongs to: --columns episode=COLUMN.",
        ),
    )


def output_option(help: str, **settings: Any) -> Callable[[C], C]:
    """Return the option that says which file is written."""
    return click.option("-o", "--output", metavar="FILE", help=help, **settings)


def to_option(name: str) -> Callable[[C], C]:
    """Return the option that says in which format a model is written."""
    return click.option(
        "--to",
        type=click.Choice([format.name for format in MODELS.written]),
        help=f"Format to write, if the name of {name} does not say it.",
    )


def _set_quiet(_ctx: click.Context, _parameter: click.Parameter, level: int) -> int:
    be_quiet(level)
    return level


seed_option = value_option(SEED, "Seed of the random numbers.", default=0)
minimize_option = click.option("--minimize", is_flag=True, help="Treat rewards as costs: less is better.")


def _model_options(*others: str) -> Callable[[C], C]:
    """Return the options that say which model is read; `others` are formats of -o that --format takes too."""
    too = f"; {', '.join(others)}: that of -o" if others else ""
    return together(
        click.argument("model", metavar="MODEL"),
        click.option(
            "--format",
            type=click.Choice([*MODELS.names, *others]),
            help=f"Format of MODEL, if its name does not say it{too}.",
        ),
        value_option(
            GAMMA, "Discount, instead of the one in the file. 0.9, 9/10 and 1/1.02 are exact fractions."
        ),
        value_option(
            HORIZON, "Number of decisions, instead of the one in the file: the problem ends after them."
        ),
        state_option("terminal", "A terminal state, instead of those in the file."),
        click.option(
            "--reward",
            metavar="NAME",
            help="Reward model, where the file of a model checker has several. label:NAME pays 1 for reaching that "
            "label.",
        ),
        minimize_option,
        click.option(
            "--normalize",
            is_flag=True,
            help="Divide each row that does not sum to 1 by its sum, and report the largest change.",
        ),
        click.option(
            "--arrays",
            multiple=True,
            metavar="KEY=VALUE",
            help=f"How P and R of a .mat, .npz or .json file are read: axes=ssa, P=NAME and others. {REPEAT}",
        ),
    )


model_options = _model_options()
ANSWER_FOLDERS = tuple(format.name for format in ANSWERS.formats if format.folder)
answer_model_options = _model_options(*ANSWER_FOLDERS)
quiet_option = click.option(
    "-q",
    "--quiet",
    count=True,
    callback=_set_quiet,
    help="Hide progress and remarks, and with -o the answer too. -qq also hides warnings.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
all_option = click.option("--all", "everything", is_flag=True, help="Print every state, as a table.")


def _also(what: str) -> str:
    """Return what -o does, without a stop."""
    others = [
        format.title + f" ({format.suffixes[0]})" for format in ANSWERS.formats[1:] if not format.folder
    ]
    return f"Also write {what} to FILE: {', '.join(others)} or JSON (.json or no suffix)"


def report_options(what: str, dual: bool = False) -> Callable[[C], C]:
    """Return the options about the answer of a command: where it goes, and how much of it is shown."""
    more = " dual: how often each action is taken, by linear programming." if dual else ""
    show = click.option(
        "--show",
        type=click.Choice(["q", "dual"] if dual else ["q"]),
        help=f"q: q(s,a) of each action beside v(s), in JSON and CSV too.{more}",
    )
    state = state_option("state", "Show only this state. JSON and files still hold all states.")
    output = output_option(f"{_also(what)}; --to npy: to a folder.")
    to = click.option(
        "--to", type=click.Choice(ANSWERS.names), help="Format of -o, if the name of FILE does not say it."
    )
    drawn = plot_options(f"Draw {what}")
    return together(output, to, drawn, show, state, json_option, all_option, quiet_option)


def plot_options(what: str) -> Callable[[C], C]:
    """Return the options that draw an answer or a model."""
    return together(
        click.option(
            "--plot", metavar="FILE", help=f"{what} to FILE (.png, .svg or .pdf). Needs the extra plot."
        ),
        click.option(
            "--draw",
            type=click.Choice(PICTURES),
            help="What --plot draws. Without, what fits best: a map, a graph, or curves.",
        ),
    )


def start_option(others: str) -> Callable[[C], C]:
    """Return the option that says with which values a method starts; `others` says for which states it is given."""
    return click.option(
        "--start-from",
        metavar="ANSWER",
        multiple=True,
        callback=lambda _ctx, _parameter, texts: texts or None,
        help=f"Start with the values of this answer file, or with STATE=VALUE, once for each state {others}.",
    )


start_from_option = start_option("that is not 0")
start_policy_option = click.option(
    "--start-policy",
    metavar="POLICY",
    help="The first policy of policy iteration, where its steps are shown, as --policy of evaluate names one.",
)


def file_options(what: str) -> Callable[[C], C]:
    """Return the options about where a report goes that is no table of states."""
    output = output_option(f"{_also(what)}.")
    return together(output, json_option, quiet_option)


def policy_option(what: str) -> Callable[[C], C]:
    """Return the option that names the policy of a command."""
    return click.option(
        "--policy",
        default="uniform",
        show_default=True,
        metavar="POLICY",
        help=f"{what}: uniform, optimal, a policy or answer FILE, greedy:FILE, epsilon-greedy:0.1:POLICY or "
        "action:NAME.",
    )


def method_options(task: str) -> Callable[[C], C]:
    """Return --method, --exact, --start-from and the options of every method of a task."""
    names = [name for name, method in PLANNERS.items() if method.task == task]
    words = ", ".join(METHODS[name].word for name in names)
    return together(
        click.option(
            "--method", default="auto", show_default=True, metavar="METHOD", help=f"One of {words}."
        ),
        click.option(
            "--exact",
            is_flag=True,
            help="Compute in fractions: values, and ties of actions, are exact.",
        ),
        *option_flags(names),
        start_from_option,
        value_option(
            ITERATES, "Show the start and this many steps as textbooks define them: plain iterates."
        ),
        *([start_policy_option] if task == "control" else []),
        click.option(
            "--profile",
            is_flag=True,
            help="Say where the time went: reading, loading code, building, search, proof.",
        ),
    )


def option_flags(
    names: list[str],
    helps: Mapping[str, str] | None = None,
    but: tuple[str, ...] = (),
    last: tuple[str, ...] = (),
) -> list[Callable[[Any], Any]]:
    """Return a click option for each option that one of the methods has; it says which have it, where not all do.

    Parameters
    ----------
    names : the methods
    helps : texts in place of the options' own
    but : options that are left out
    last : options that come last

    Returns
    -------
    Decorators of a command, in the order of its help page.
    """
    found: dict[str, dict[str, tuple[Option, Any]]] = {}
    for name in names:
        for key, entry in METHODS[name].options.items():
            found.setdefault(key, {})[name] = entry
    flags = []
    for key in sorted((key for key in OPTIONS if key in found and key not in but), key=last.__contains__):
        having = found[key]
        option = next(option for option, _ in having.values())
        text = (helps or {}).get(key, option.help)
        text = text[0].upper() + text[1:]
        if len(having) < len(names) and not any(METHODS[name].chooses for name in having):
            text += f" [{_having_text(list(having), names)}]"
        if option.kind is bool:
            flags.append(click.option(option.flag, key, is_flag=True, default=None, help=text))
            continue
        if "default" not in text:
            text += f"  [default: {_usual_text({name: default for name, (_, default) in having.items()})}]"
        flags.append(value_option(option, text))
    return flags


def _having_text(methods: list[str], names: list[str]) -> str:
    """Return which methods have an option, in few words.

    >>> [_having_text(list("abcde"), list(names)) for names in ("abcdef", "abcdefghij")]
    ['all but f', 'some: see methods METHOD']
    >>> _having_text(["a"], ["a", "b"])
    'a'
    """
    missing = [name for name in names if name not in methods]
    if len(methods) <= SHORT:
        return ", ".join(methods)
    return f"all but {', '.join(missing)}" if len(missing) <= SHORT else "some: see methods METHOD"


def _usual_text(defaults: Mapping[str, Any]) -> str:
    """Return the default of an option: of all methods, of most of them, or of each.

    >>> _usual_text({"a": 1e-6, "b": 1e-6}), _usual_text({"a": 1, "b": 1, "c": None}), _usual_text({"a": 1, "b": None})
    ('1e-06', '1 (most methods)', '1 (a), none (b)')
    """

    def text(value: Any) -> str:
        return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)

    usual, count = Counter(defaults.values()).most_common(1)[0]
    if count == len(defaults):
        return text(usual)
    if 2 * count > len(defaults):
        return f"{text(usual)} (most methods)"
    return ", ".join(f"{text(value)} ({name})" for name, value in defaults.items())


def flag(key: str) -> str:
    """Return an option as it is typed.

    >>> flag("step_size")
    '--step-size'
    """
    return "--" + key.replace("_", "-")


def asked_options(
    given: Mapping[str, Any], name: str, method: Method[..., Any], *inputs: str
) -> dict[str, Any]:
    """Return the options that were given; OptionError where the method does not have one, or one of these inputs.

    Parameters
    ----------
    given : what the command line says, by key; None where it says nothing
    name : what messages call the method
    method : the solver or learner
    inputs : keys besides the options that the method may or may not take

    Returns
    -------
    The options alone, by key, without the inputs.

    Raises
    ------
    OptionError : the method does not have an option, or an input, that was given
    """
    options = {key: given[key] for key in OPTIONS if given.get(key) is not None}
    for key in [*options, *(key for key in inputs if given.get(key) is not None)]:
        if key not in method.defaults:
            known = ", ".join(flag(k) for k in method.defaults if k in OPTIONS or k in inputs)
            raise OptionError(f"{flag(key)}: {name} has no such option, expected some of {known}")
    return options
