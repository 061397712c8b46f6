"""The options that methods share: help text and range of each stand here once, for Python and the command line.

A method's file says `from tabular_rl.solving import options as o` and annotates its keyword arguments with these types:
`tolerance: o.Tolerance = 1e-6`. OPTIONS lists them by name, in the order of the help texts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypedDict

from tabular_rl.model.calls import Option
from tabular_rl.solving import exploration, schedules

MOST = 2**53  # beyond it not every whole number is a float


def _parse_target(given: Any) -> tuple[str, float]:
    """Return the kind of a target, and its number.

    >>> _parse_target("copy:100"), _parse_target("average:0.01"), _parse_target("none")
    (('copy', 100.0), ('average', 0.01), ('none', 0.0))
    """
    if isinstance(given, tuple) and len(given) == 2:
        given = f"{given[0]}:{given[1]}" if given[0] != "none" else "none"
    if not isinstance(given, str):
        raise ValueError(given)
    kind, _, number = given.partition(":")
    if kind == "none" and not number:
        return "none", 0.0
    x = float(number)
    if (kind == "copy" and x >= 1 and x == int(x) and x < 2**53) or (kind == "average" and 0 < x <= 1):
        return kind, x
    raise ValueError(given)


def _parse_features(given: Any) -> Any:
    """Return a text as it is, anything else as a matrix; ValueError where it is neither."""
    if isinstance(given, str):
        kind, _, number = given.partition(":")
        grouped = kind == "aggregate" and number.isascii() and number.isdigit() and int(number) > 0
        if given == "one-hot" or grouped or given.endswith((".csv", ".npy")):
            return given
        raise ValueError(given)
    import numpy as np

    matrix = np.array(given, dtype=np.float64)
    if matrix.ndim != 2 or not matrix.size or not np.isfinite(matrix).all():
        raise ValueError("features")
    return matrix


def _parse_replay(given: Any) -> tuple[str, float, float]:
    """Return the kind of replay, ω and β.

    >>> _parse_replay("uniform"), _parse_replay("prioritized:0.5"), _parse_replay("prioritized:1:0.4")
    (('uniform', 0.0, 0.0), ('prioritized', 0.5, 1.0), ('prioritized', 1.0, 0.4))
    """
    if isinstance(given, tuple) and len(given) == 3:
        given = "{}:{}:{}".format(*given) if given[0] == "prioritized" else given[0]
    if not isinstance(given, str):
        raise ValueError(given)
    kind, *numbers = given.split(":")
    if kind in ("none", "uniform") and not numbers:
        return kind, 0.0, 0.0
    if kind != "prioritized" or len(numbers) > 2:
        raise ValueError(given)
    omega, beta = map(float, numbers + ["0.6", "1"][len(numbers) :])
    if not (0 <= omega <= 10 and 0 <= beta <= 1):
        raise ValueError(given)
    return kind, omega, beta


def _whole(name: str, low: float, high: float, help: str, optional: bool = False) -> Option:
    return Option(name, int, help, low, high, optional=optional)


def _real(name: str, low: float, high: float, help: str, optional: bool = False) -> Option:
    return Option(name, float, help, low, high, optional=optional)


def _switch(name: str, help: str) -> Option:
    return Option(name, bool, help)


def _choice(name: str, choices: tuple[str, ...], help: str) -> Option:
    return Option(name, str, help, choices=choices)


def _text(name: str, parse: Callable[[Any], Any], grammar: str, begins: tuple[str, ...], help: str) -> Option:
    return Option(name, str, help, parse=parse, grammar=grammar, begins=begins)


def _rate(name: str, help: str) -> Option:
    parse = schedules.checked_schedule(0.0, 1.0, open_low=True)
    grammar = f"{schedules.GRAMMAR}, above 0 and up to 1"
    return _text(name, parse, grammar, ("1/n", "n^-0.7", "linear:", "exponential:"), help)


# A table: type, name, range or choices, and what the option is.
# fmt: off
Tolerance = Annotated[float, _real("tolerance", 1e-300, 1e300,
    "stop when the proven interval around each value is at most this wide, in units of reward")]
Relative = Annotated[bool, _switch("relative", "take the tolerance as a share of the largest |value|")]
Sweeps = Annotated[int, _whole("sweeps", 1, MOST,
    "stop after this number of sweeps, even if the tolerance is not reached")]
InnerSweeps = Annotated[int | None, _whole("inner_sweeps", 0, 1e6, optional=True, help=
    "number of evaluation sweeps between two policy improvements (default: chosen during the run)")]
Improvements = Annotated[int, _whole("improvements", 1, MOST,
    "stop after this number of policy improvements, even if the tolerance is not reached")]
InPlace = Annotated[bool, _switch("in_place", "use each new value at once (Gauss-Seidel), not only after the sweep")]
LinearSolver = Annotated[str, _choice("linear_solver", ("auto", "dense", "sparse", "elimination", "iterative"),
    "how linear systems of equations are solved")]
Features = Annotated[Any, _text("features", _parse_features,
    "one-hot, aggregate:N, a file .csv or .npy, or a matrix of finite numbers", ("one-hot", "aggregate:"),
    "features of a linear learner: one-hot, aggregate:N (N successive states or pairs share a weight), or the file "
    "of a matrix, .csv or .npy, with a line for each state or pair")]
Estimator = Annotated[str, _choice("estimator", ("return", "return-mean", "reward-to-go", "reward-to-go-value"),
    "what the score of an action is multiplied by: the whole return, the return minus its mean, the return from "
    "this step on, or the return from this step on minus the value of the state")]
Steps = Annotated[int, _whole("steps", 1, MOST, "number of transitions that each run learns from")]
Runs = Annotated[int, _whole("runs", 1, 2**20, "number of independent runs, each with its own random numbers")]
Seed = Annotated[int, _whole("seed", 0, MOST, "seed of the random numbers. The same seed gives the same answer")]
Visit = Annotated[str, _choice("visit", ("first", "every"), "which visits to a state in an episode are learned from")]
ExploringStarts = Annotated[bool, _switch("exploring_starts",
    "begin each episode with a pair of a state and an action, all equally likely")]
Importance = Annotated[str, _choice("importance", ("ordinary", "weighted", "per-decision"),
    "how ratios π / b weigh a return: ordinary (their product), weighted, or per-decision")]
Lookahead = Annotated[int, _whole("n", 1, 10_000,
    "number of rewards in a return before the estimated value takes over")]
Trace = Annotated[float, _real("trace", 0, 1, "trace decay λ: 0 looks one step ahead, 1 uses whole returns")]
Traces = Annotated[str, _choice("traces", ("accumulating", "replacing", "true-online"),
    "how a visit adds to the trace of its entry")]
StepSize = Annotated[Any, _rate("step_size",
    "step size α: a number, or a schedule in n such as 1/n. --per says what n counts")]
Per = Annotated[str, _choice("per", ("visit", "step"),
    "what n counts in a step size: updates of the same entry of the table (visit), or steps of the run (step)")]
Average = Annotated[bool, _switch("average",
    "report the average of all estimates so far (Polyak-Ruppert), not the last ones")]
CriticStepSize = Annotated[Any, _rate("critic_step_size",
    "step size of the baseline or critic of a gradient learner. Its n counts updates of the same entry")]
Undiscounted = Annotated[bool, _switch("undiscounted",
    "leave out the weight γ^t of step t of an episode, as many courses do")]
Planning = Annotated[int, _whole("planning", 0, 10_000,
    "number of updates from the learned model after each real step")]
Threshold = Annotated[float, _real("threshold", 0, 1e300, "skip the update of an entry whose error is at most this")]
Explore = Annotated[Any, _text("explore", exploration.Exploration.of,
    exploration.GRAMMAR, ("greedy", "epsilon-greedy:", "epsilon-visits:", "boltzmann:", "ucb:"),
    "how actions are chosen while learning, unless --behavior gives a policy")]
Ties = Annotated[str, _choice("ties", ("random", "first"),
    "which greedy action is taken where several are as good: any of them, or the first. With the first a step takes "
    "one uniform less")]
Source = Annotated[str, _choice("source", ("trajectory", "independent", "sweeps"),
    "where transitions come from: one trajectory with restarts, independent pairs, or sweeps over all pairs")]
EpisodeSteps = Annotated[int | None, _whole("episode_steps", 1, 2**31, optional=True, help=
    "cut each episode off after this number of steps and start a new one. A cut is not an end: the state that it "
    "stops in keeps its value")]
StartValue = Annotated[float, _real("start_value", -1e300, 1e300,
    "value of every entry of the table at the start. A high one makes the learner try everything")]
Target = Annotated[Any, _text("target", _parse_target, "none, copy:M or average:T", ("none", "copy:", "average:"),
    "table that targets are computed from: none (the estimate itself), copy:M (a copy made every M steps) or "
    "average:T (an exponential moving average with weight T)")]
Replay = Annotated[Any, _text("replay", _parse_replay,
    "none, uniform or prioritized[:OMEGA[:BETA]] with OMEGA from 0 to 10 and BETA from 0 to 1",
    ("none", "uniform", "prioritized"),
    "learn from transitions drawn from a buffer of earlier ones: uniform, or prioritized, with a probability p in "
    "proportion to (|delta| + 0.01)^OMEGA and the weight (smallest p / p)^BETA")]
Capacity = Annotated[int, _whole("capacity", 1, 2**24, "number of transitions that the buffer of --replay holds")]
Batch = Annotated[int, _whole("batch", 1, 10_000,
    "number of draws from the buffer of --replay in each step; of a gradient learner, number of episodes "
    "(reinforce) or steps in each update")]
Entropy = Annotated[float, _real("entropy", 0, 1e300, "weight of the entropy of the policy in the objective")]
Threads = Annotated[int, _whole("threads", 1, 1024,
    "number of threads that share a sweep. The answer has the same bits with any number")]
TimeLimit = Annotated[float | None, _real("time_limit", 0, 1e9, optional=True, help=
    "stop after this many seconds and answer with the best proven interval so far")]
# fmt: on

# Of what is played, not learned.
EPISODES = Option("episodes", int, "number of episodes to play", low=1, high=1e9)
SEED = Option(
    "seed", int, "seed of the random numbers. The same seed gives the same episodes", low=0, high=2**53
)

OPTIONS: dict[str, Option] = {
    option.name: option for hint in tuple(globals().values()) for option in getattr(hint, "__metadata__", ())
}


class Learner(TypedDict, total=False):
    """What every learner takes: its signature ends in `**shared: Unpack[o.Learner]`, with the defaults of USUAL."""

    runs: Runs
    seed: Seed
    episode_steps: EpisodeSteps
    start_value: StartValue
    threads: Threads
    time_limit: TimeLimit
    start_from: Any
    reference: Any
    resume: Any
    checkpoint: Any


class ValueLearner(Learner, total=False):
    """What every learner of values takes."""

    weights: Any


class RatedLearner(ValueLearner, total=False):
    """What every learner takes that moves each value by a step size."""

    per: Per
    average: Average


USUAL = {
    "runs": 1,
    "seed": 0,
    "start_value": 0.0,
    "threads": 1,
    "per": "visit",
    "average": False,
}  # others None


def check(**values: Any) -> Any:
    """Return the checked values, in order; OptionError names the option, what was found and what was expected.

    >>> check(tolerance=1e-6, sweeps=10)
    (1e-06, 10)
    """
    return tuple(OPTIONS[name].check(value) for name, value in values.items())
