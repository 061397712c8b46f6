"""Every deliberate error. Anything else that escapes is a bug of ours and keeps its traceback.

An error is one line a fault: where it is, what was found, what was expected, and the way out. `exit_code` is what
the command line returns for it.
"""

from __future__ import annotations

import contextlib
import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

SHOWN_FAULTS = 10
LONGEST_PATH = 1000


def escape(name: object, longest: int = 80) -> str:
    """Return a name in a form that cannot move the cursor or colour the screen.

    >>> escape("young"), escape("a\\nb"), escape("\\x1b[31mred")
    ('young', 'a\\\\nb', '\\\\x1b[31mred')
    """
    text = str(name)
    if len(text) > longest:
        text = text[: longest - 3] + "..."
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c == " " or unicodedata.category(c)[0] not in "CZ" else repr(c)[1:-1] for c in text)


def path_text(path: object) -> str:
    """Return an escaped path whole: its end says which file it is."""
    return escape(path, LONGEST_PATH)


def quoted(name: object) -> str:
    """Return an escaped name in single quotes, as error lines show it."""
    return f"'{escape(name)}'"


def closest(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the known words of the same idea, else for one that is a slip away, or nothing.

    >>> closest("yuong", ["young", "old"]), closest("alpha", ["all", "step_size"]), closest("--lambda", ["--gamma"])
    ("; did you mean 'young'?", "; did you mean 'step_size'?", '')
    >>> closest("bb", ["aa", "bc"]), closest("bb", ["cc"])
    ("; did you mean 'bc'?", '')
    """
    listed = list(islice(known, 10_000))
    same = meant(word, listed) if len(word) <= 200 else None
    if same:
        return "; did you mean " + " or ".join(quoted(name) + _form_of(word, name) for name in same[:3]) + "?"
    found = closest_word(word, listed)
    return f"; did you mean {quoted(found)}?" if found is not None else ""


def closest_word(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that `word` may be a slip of, or None."""
    if len(word) > 200:
        return None
    asked = _plain(word)
    plain = {_plain(other): other for other in reversed(list(islice(known, 10_000)))}
    near = difflib.get_close_matches(asked, plain, n=3)
    if not near and 1 < len(asked) < 4:  # a letter of two is half of them: below the cutoff of difflib
        near = [other for other in plain if _one_off(asked, other)]
    return next((plain[other] for other in near if _slipped(asked, other)), None)


def _plain(word: str) -> str:
    """Return a word without what people mix up: capitals, and which sign stands between two parts.

    >>> _plain("--Step_size")
    'step-size'
    """
    return re.sub(r"[\W_]+", "-", word.lower()).strip("-") or word


def _slipped(a: str, b: str) -> bool:
    """Whether one of two words may be a slip of the other: a letter in three is wrong at most, and not a number."""
    numbers = [re.findall(r"[0-9]+", text) for text in (a, b)]
    if len(numbers[0]) == len(numbers[1]) and numbers[0] != numbers[1]:
        return False  # another number is another thing
    if min(len(a), len(b)) >= 3 and (a.startswith(b) or b.startswith(a)):
        return True
    return _slips(a, b) <= max(1, max(len(a), len(b)) // 3)


def _slips(a: str, b: str) -> int:
    """How many letters are missing, too many, wrong, or changed places.

    >>> _slips("yuong", "young"), _slips("lambda", "gamma")
    (1, 3)
    """
    before, row = [0] * (len(b) + 1), list(range(len(b) + 1))
    for i, x in enumerate(a):
        last, before, row = before, row, [i + 1]
        for j, y in enumerate(b):
            best = min(before[j] + (x != y), before[j + 1] + 1, row[j] + 1)
            swapped = i > 0 and j > 0 and x == b[j - 1] and a[i - 1] == y
            row.append(min(best, last[j - 1] + 1) if swapped else best)
    return row[-1]


def kind_text(value: object) -> str:
    """Return what a value is, for an error line: its kind where it has many parts, the value where it is one.

    >>> kind_text({1: 2}), kind_text(None), kind_text({1}), kind_text("abc"), kind_text(5), kind_text([[None, 1]])
    ('a dictionary', 'None', 'a set', "'abc'", '5', 'a list with None in it')
    """
    if isinstance(value, str):
        return quoted(value)
    if value is None or isinstance(value, (int, float)):
        return escape(value)
    if isinstance(value, Mapping):
        return "a dictionary"
    if isinstance(value, (list, tuple)):
        inside: object = value
        while isinstance(inside, (list, tuple)) and inside:
            odd = [x for x in inside if not isinstance(x, (int, float))]
            inside = odd[0] if odd else inside[0]
        plain = isinstance(inside, (int, float, list, tuple))
        return f"a {type(value).__name__}" + ("" if plain else f" with {kind_text(inside)} in it")
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIO' else 'a'} {name}"


def _one_off(a: str, b: str) -> bool:
    """Return whether one letter is another, and the first or the last is the same.

    >>> _one_off("bb", "bc"), _one_off("bb", "cc"), _one_off("bb", "bbc")
    (True, False, False)
    """
    return len(a) == len(b) and sum(x != y for x, y in zip(a, b, strict=True)) == 1


class _Voice:
    command_line = False


@contextlib.contextmanager
def on_command_line() -> Iterator[None]:
    """While this holds, messages speak of `--sweeps`; otherwise of `sweeps=`."""
    before, _Voice.command_line = _Voice.command_line, True
    try:
        yield
    finally:
        _Voice.command_line = before


def option_name(name: str) -> str:
    """Return an option as its reader writes it.

    >>> option_name("step_size")
    'step_size'
    """
    return "--" + name.replace("_", "-") if _Voice.command_line else name


def spoken(message: str) -> str:
    """Return a message that speaks of options as its reader writes them: on the command line, or in Python."""
    return message if _Voice.command_line else in_python(message)


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a model: `what` was found and expected, and where.

    >>> str(Fault("probabilities sum to 9/10, expected 1", state="young", action="wait", line=14))
    "state 'young', action 'wait': probabilities sum to 9/10, expected 1"
    """

    what: str
    state: str | None = None
    action: str | None = None
    next_state: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        places = {"state": self.state, "action": self.action, "next state": self.next_state}
        place = [f"{word} {quoted(name)}" for word, name in places.items() if name is not None]
        return f"{', '.join(place)}: {self.what}" if place else self.what


class TabularError(Exception):
    """A mistake that the user can mend; its text is for the screen as it stands."""

    exit_code = 2

    def __str__(self) -> str:
        return spoken(Exception.__str__(self))  # that of KeyError is a repr


class ModelError(TabularError, ValueError):
    """A model that is malformed. `faults` holds each fault with its place."""

    def __init__(self, faults: Fault | str | Sequence[Fault], source: str | None = None) -> None:
        if isinstance(faults, str):
            faults = Fault(faults)
        self.faults: tuple[Fault, ...] = (faults,) if isinstance(faults, Fault) else tuple(faults)
        self.source = source
        super().__init__(self.faults, source)

    def __str__(self) -> str:
        lines = []
        for fault in self.faults[:SHOWN_FAULTS]:
            place = path_text(self.source) if self.source else ""
            if fault.line is not None:
                place += f":{fault.line}"
            lines.append(f"{place}: {fault}" if place else str(fault))
        more = len(self.faults) - SHOWN_FAULTS
        if more > 0:
            lines.append(f"... and {more} more faults")
        return spoken("\n".join(lines))

    def at(self, source: str) -> ModelError:
        """Return the same error with the name of the file it came from."""
        return ModelError(self.faults, source)


class OptionError(TabularError, ValueError):
    """An option, argument or policy that does not fit."""


class NoSuchName(OptionError, KeyError):
    """A state or an action that the model does not have."""


class NotAnswerable(TabularError, ValueError):
    """A method that does not fit this model; the text says what it needs and which methods fit."""


class NoFiniteAnswer(TabularError, ArithmeticError):
    """The total reward is not finite; `states` are those that make it so, and `way_out` says what to do next."""

    exit_code = 4

    def __init__(
        self,
        what: str,
        states: Sequence[str] = (),
        way_out: str = "A discount below 1 (--gamma 0.99) or a horizon (--horizon 100) gives a finite one",
    ) -> None:
        self.what = what
        self.states = tuple(states)
        self.way_out = way_out
        super().__init__(what, self.states, way_out)

    def __str__(self) -> str:
        shown = ", ".join(quoted(s) for s in self.states[:SHOWN_FAULTS])
        more = len(self.states) - SHOWN_FAULTS
        if more > 0:
            shown += f" and {more} more"
        text = spoken(f"no finite answer: {self.what}") + (f": {shown}" if shown else "")
        return text + (f". {spoken(self.way_out)}" if self.way_out else "")


class NumericalError(TabularError, ArithmeticError):
    """A computation that left the range of floating-point numbers."""

    exit_code = 3


class OutputError(TabularError, OSError):
    """The output could not be written; what stood there before is intact."""

    exit_code = 5

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class MissingExtra(TabularError, ImportError):
    """Something that an optional extra brings; the text names it."""


# -- one idea has many names -------------------------------------------------------------------------------------------

# Words for one idea. Which of them is the right one depends on who is asked: a file knows `discount`, Python `gamma`.
IDEAS: tuple[tuple[str, ...], ...] = (
    ("gamma", "discount", "discount_factor", "discount_rate", "beta"),
    ("tolerance", "tol", "atol", "eps", "epsilon", "theta", "precision"),
    ("step_size", "alpha", "lr", "learning_rate", "eta"),
    ("explore", "epsilon", "eps", "exploration", "exploration_rate"),
    ("trace", "lambda", "lambda_", "lam", "lambd", "lmbda", "trace_decay"),
    ("critic_step_size", "critic_lr", "lr_critic", "alpha_w", "alpha_critic"),
    ("entropy", "ent_coef", "entropy_coef", "entropy_beta"),
    ("states", "state_names", "state_labels", "n_states", "num_states"),
    ("actions", "action_names", "action_labels", "n_actions", "num_actions"),
    ("steps", "n_steps", "num_steps", "timesteps", "total_timesteps", "max_steps", "iterations", "n_iter"),
    ("n", "n_steps", "lookahead"),
    ("episodes", "n_episodes", "num_episodes"),
    ("episode_steps", "max_episode_steps", "episode_length", "max_episode_length"),
    ("runs", "n_runs", "num_runs", "n_seeds", "repeats"),
    ("sweeps", "max_iter", "max_iterations", "maxiter", "iterations", "n_iter", "num_iterations"),
    ("inner_sweeps", "m", "evaluation_sweeps"),
    ("improvements", "max_iter", "max_iterations", "maxiter", "iterations"),
    ("horizon", "T", "n_periods", "periods", "stages"),
    ("seed", "random_state", "random_seed", "rng"),
    ("threads", "n_jobs", "workers", "num_threads"),
    ("time_limit", "timeout", "max_time"),
    ("start", "initial", "initial_state", "initial_distribution", "start_state", "s0", "isd", "mu"),
    ("start_value", "initial_value", "q_init", "v_init", "init"),
    ("start_from", "v0", "v_init", "initial_values", "warm_start"),
    ("behavior", "behaviour", "behavior_policy", "behaviour_policy", "mu", "b"),
    ("policy", "pi", "target_policy"),
    ("terminal", "terminals", "terminal_states", "absorbing", "goal", "goals", "goal_states"),
    ("final_reward", "terminal_reward", "salvage"),
    ("reward", "rewards", "R", "r"),
    ("P", "transitions", "transition_probabilities", "T"),
    ("sense", "minimize", "minimise", "objective"),
    ("normalize", "normalise", "rescale"),
    ("data", "log", "transitions", "dataset"),
    ("planning", "planning_steps", "n_planning"),
    ("capacity", "buffer_size", "memory_size"),
    ("batch", "batch_size"),
    ("target", "target_update", "tau"),
)
# How an idea is given, where a bare number is not enough.
FORMS = {("epsilon", "explore"): "epsilon-greedy:0.1", ("eps", "explore"): "epsilon-greedy:0.1"}


def plain(word: str) -> str:
    """Return a word as Python spells it.

    >>> plain("--step-size"), plain("tol")
    ('step_size', 'tol')
    """
    return word.lstrip("-").replace("-", "_")


def meant(word: str, known: Iterable[str]) -> list[str] | None:
    """Return the known words for the idea of another word; None where the word is in no table.

    >>> meant("alpha", ["step_size", "steps"]), meant("--lambda", ["--gamma", "--trace"]), meant("young", ["old"])
    (['step_size'], ['--trace'], None)
    """
    asked = plain(word)
    ideas = [idea for idea in IDEAS if asked in idea]
    if not ideas:
        return None
    of = {plain(name): name for name in known}
    found = (name for idea in ideas for name in idea if name != asked and name in of)
    return [of[name] for name in dict.fromkeys(found)]


def _form_of(word: str, name: str) -> str:
    """Return what stands behind a suggestion: how the idea is given, or nothing.

    >>> _form_of("--epsilon", "--explore")
    ' (epsilon-greedy:0.1)'
    """
    form = FORMS.get((plain(word), plain(name)))
    return f" ({form})" if form else ""


# -- two ways to write an option --------------------------------------------------------------------------------------

# Options that Python asks for in another way. Longer phrases come first.
PHRASES = {
    "go on with --resume": "go on with resume=learned",
    "--iterates shows": "iterates(mdp) shows",
    "--all shows": "save(path) writes",
    "--all names": "optimal_actions names",
    "--json has": "the object has",
    "--estimator of": "estimators of",
    "--exact:": "rational:",
    "--exact": 'method="rational"',
    "--normalize": "normalize=True",
    "--minimize": 'sense="min"',
    "--relative": "relative=True",
    "--average": "average=True",
}
VALUES = (
    r"\d[\w./]*|independent|iterative|weighted|log|epsilon-greedy:\S+|model|drawn|td|q-learning|sweeps|"
    r"policy-(?:sweeps|values)|optimal-policy|gradient|importance|\w+=[^\s,;)]+"
)
OPTION = re.compile(
    r"(?P<text>(?<!\w)'[^'\n]*')|(?P<phrase>" + "|".join(map(re.escape, PHRASES)) + r")(?![\w:-])"
    r"|(?<![\w-])--(?P<name>[a-z][a-z-]*)(?:(?P<colon>:)|(?P<value> (?:" + VALUES + r"))(?![\w-]))?"
)


def in_python(message: str) -> str:
    """Return a message that speaks of options as one that speaks of arguments. What stands in quotes is the user's.

    >>> in_python("--sweeps: found '--x', expected more; raise --sweeps, or use --exact")
    'sweeps: found \\'--x\\', expected more; raise sweeps=, or use method="rational"'
    >>> in_python("--source independent or --episode-steps 1000 may help. Load it with --normalize.")
    'source="independent" or episode_steps=1000 may help. Load it with normalize=True.'
    """

    def written(found: re.Match[str]) -> str:
        if found["text"]:
            return found["text"]
        if found["phrase"]:
            return PHRASES[found["phrase"]]
        name = found["name"].replace("-", "_")
        if found["colon"]:
            return f"{name}:"
        if found["value"] is None:
            return f"{name}="
        value = found["value"][1:]
        return f"{name}={value}" if value.replace(".", "").isdigit() else f'{name}="{value}"'

    return OPTION.sub(written, message) if "--" in message else message
