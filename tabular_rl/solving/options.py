"""Options of the solvers: meaning, range and default stand here once, for Python and for the command line.

A solver annotates its keyword arguments with these types; `check` is its first line.
"""

from __future__ import annotations

from typing import Annotated, Any, get_args

from tabular_rl.model.calls import Option
from tabular_rl.solving import exploration, schedules
from tabular_rl.solving.schedules import checked_schedule


def parse_target(given: Any) -> tuple[str, float]:
    """
    >>> parse_target("copy:100"), parse_target("average:0.01"), parse_target("none")
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


def parse_features(given: Any) -> Any:
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


def parse_replay(given: Any) -> tuple[str, float, float]:
    """
    >>> parse_replay("uniform"), parse_replay("prioritized:0.5"), parse_replay("prioritized:1:0.4")
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


def _option(name: str, kind: Any, help: str, **more: Any) -> Option:
    return Option(name, kind, help, **more)


Tolerance = Annotated[
    float,
    _option(
        "tolerance", float, "largest width of the proven interval, in units of reward", low=1e-300, high=1e300
    ),
]
Relative = Annotated[bool, _option("relative", bool, "the tolerance is a share of the largest |value|")]
Sweeps = Annotated[
    int, _option("sweeps", int, "give up after so many sweeps over the model", low=1, high=2**53)
]
InnerSweeps = Annotated[
    int | None,
    _option(
        "inner_sweeps",
        int,
        "evaluation sweeps between two improvements (default: chosen adaptively)",
        low=0,
        high=1e6,
        optional=True,
    ),
]
Improvements = Annotated[
    int, _option("improvements", int, "give up after so many policy improvements", low=1, high=2**53)
]
InPlace = Annotated[
    bool, _option("in_place", bool, "use each new value at once (Gauss-Seidel) instead of after the sweep")
]
Threads = Annotated[
    int,
    _option(
        "threads", int, "threads to sweep with; the answer has the same bits for any number", low=1, high=1024
    ),
]
TimeLimit = Annotated[
    float | None,
    _option(
        "time_limit",
        float,
        "seconds after which the best proven interval so far is the answer",
        low=0,
        high=1e9,
        optional=True,
    ),
]
LinearSolver = Annotated[
    str,
    _option(
        "linear_solver",
        str,
        "how linear systems are solved",
        choices=("auto", "dense", "sparse", "iterative"),
    ),
]

StepSize = Annotated[
    Any,
    _option(
        "step_size",
        str,
        "step size α, a number or a schedule over the count of `per`",
        parse=checked_schedule(0.0, 1.0, open_low=True),
        begins=("1/n", "n^-0.7", "linear:", "exponential:"),
        grammar=f"{schedules.GRAMMAR}, above 0 and up to 1",
    ),
]
Per = Annotated[
    str,
    _option(
        "per",
        str,
        "what the n of a step size counts: updates of the same entry, or steps",
        choices=("visit", "step"),
    ),
]
Explore = Annotated[
    Any,
    _option(
        "explore",
        str,
        "how actions are chosen while learning; --behavior chooses by a policy instead",
        parse=exploration.Exploration.of,
        begins=("greedy", "epsilon-greedy:", "boltzmann:", "ucb:"),
        grammar=exploration.GRAMMAR,
    ),
]
Steps = Annotated[int, _option("steps", int, "transitions to learn from, in each run", low=1, high=2**53)]
Runs = Annotated[
    int, _option("runs", int, "independent runs, each with a random stream of its own", low=1, high=2**20)
]
Seed = Annotated[
    int,
    _option(
        "seed", int, "start of the random numbers; the same seed gives the same answer", low=0, high=2**53
    ),
]
Source = Annotated[
    str,
    _option(
        "source",
        str,
        "where transitions come from: one trajectory with restarts, independent pairs, or sweeps over all pairs",
        choices=("trajectory", "independent", "sweeps"),
    ),
]
EpisodeSteps = Annotated[
    int | None,
    _option(
        "episode_steps",
        int,
        "cut an episode off after so many steps and start anew (a cut is no end: values go on behind it)",
        low=1,
        high=2**31,
        optional=True,
    ),
]
StartValue = Annotated[
    float,
    _option(
        "start_value",
        float,
        "value of every entry at the start; a high one is optimistic",
        low=-1e300,
        high=1e300,
    ),
]
Target = Annotated[
    Any,
    _option(
        "target",
        str,
        "table that targets are read from: none (the estimate itself), copy:M (a copy made every M steps) or "
        "average:T (an exponential moving average with weight T)",
        parse=parse_target,
        begins=("none", "copy:", "average:"),
        grammar="none, copy:M or average:T",
    ),
]
Features = Annotated[
    Any,
    _option(
        "features",
        str,
        "what a linear learner sees of a state (or pair): one-hot, aggregate:N (N in a row share a weight), "
        "or a file of a matrix, .csv or .npy, a line each",
        parse=parse_features,
        begins=("one-hot", "aggregate:"),
        grammar="one-hot, aggregate:N, a file .csv or .npy, or a matrix of finite numbers",
    ),
]
Average = Annotated[
    bool,
    _option(
        "average", bool, "report the average of all estimates so far (Polyak-Ruppert) instead of the last"
    ),
]
Replay = Annotated[
    Any,
    _option(
        "replay",
        str,
        "learn from transitions drawn from a buffer of earlier ones, all alike or by (|delta| + 0.01)^OMEGA with "
        "weights (smallest p / p)^BETA",
        parse=parse_replay,
        begins=("none", "uniform", "prioritized"),
        grammar="none, uniform or prioritized[:OMEGA[:BETA]] with OMEGA from 0 to 10 and BETA from 0 to 1",
    ),
]
Capacity = Annotated[
    int, _option("capacity", int, "transitions that the buffer of --replay holds", low=1, high=2**24)
]
Batch = Annotated[
    int,
    _option(
        "batch",
        int,
        "draws from the buffer of --replay a step; of gradient learners, episodes (reinforce) or steps an update",
        low=1,
        high=10_000,
    ),
]
Planning = Annotated[
    int, _option("planning", int, "updates from the learned model after each real step", low=0, high=10_000)
]
Threshold = Annotated[
    float, _option("threshold", float, "errors up to this are not worth an update", low=0, high=1e300)
]
Trace = Annotated[float, _option("trace", float, "trace decay λ", low=0, high=1)]
Traces = Annotated[
    str,
    _option(
        "traces",
        str,
        "how a visit adds to the trace of its entry",
        choices=("accumulating", "replacing", "true-online"),
    ),
]
Importance = Annotated[
    str,
    _option(
        "importance",
        str,
        "how ratios π / b weigh a return: ordinary (their product), weighted, or per-decision",
        choices=("ordinary", "weighted", "per-decision"),
    ),
]
Visit = Annotated[
    str,
    _option(
        "visit",
        str,
        "which visits of a state in an episode are learned from",
        choices=("first", "every"),
    ),
]
Lookahead = Annotated[int, _option("n", int, "rewards in a return before it is cut off", low=1, high=10_000)]

CriticStepSize = Annotated[
    Any,
    _option(
        "critic_step_size",
        str,
        "step size of the baseline or critic that a gradient learner keeps; n counts its updates of the same entry",
        parse=checked_schedule(0.0, 1.0, open_low=True),
        begins=("1/n", "n^-0.7", "linear:", "exponential:"),
        grammar=f"{schedules.GRAMMAR}, above 0 and up to 1",
    ),
]
Estimator = Annotated[
    str,
    _option(
        "estimator",
        str,
        "what the score of an action is multiplied by: the whole return, that less its mean, the return from there on, "
        "or that less the value of the state",
        choices=("return", "return-mean", "reward-to-go", "reward-to-go-value"),
    ),
]
Entropy = Annotated[
    float,
    _option("entropy", float, "weight of the entropy of the policy in what is climbed", low=0, high=1e300),
]
Undiscounted = Annotated[
    bool, _option("undiscounted", bool, "leave out the weight γ^t of step t of an episode, as handouts do")
]

OPTIONS: dict[str, Option] = {
    option.name: option
    for option in (
        get_args(hint)[1]
        for hint in (
            Tolerance,
            Relative,
            Sweeps,
            InnerSweeps,
            Improvements,
            InPlace,
            Threads,
            TimeLimit,
            LinearSolver,
            Steps,
            Runs,
            Seed,
            StepSize,
            Per,
            Average,
            Explore,
            Source,
            EpisodeSteps,
            StartValue,
            Target,
            Replay,
            Capacity,
            Batch,
            Planning,
            Threshold,
            Features,
            Trace,
            Traces,
            Importance,
            Visit,
            Lookahead,
            CriticStepSize,
            Estimator,
            Entropy,
            Undiscounted,
        )
    )
}


def check(**values: Any) -> Any:
    """Return the checked values, in order; OptionError names the option, what was found and what was expected.

    >>> check(tolerance=1e-6, sweeps=10)
    (1e-06, 10)
    """
    return tuple(OPTIONS[name].check(value) for name, value in values.items())
