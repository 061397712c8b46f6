"""Which question a model asks: discounted, total reward, finite horizon. One object answers for each.

The others ask it in place of comparing names: what values look like, whether one sweep bounds them, whether the graph
must be asked first, and what screens say. Who proves its answers is in certificates/, at its name in a table there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tabular_rl.model.mdp import MDP


class Problem(str):
    """A question that a model can ask. It is its own name, so that `mdp.problem == "discounted"` is true.

    Parameters
    ----------
    name : the text that it is
    asked_by : says of a model whether it asks this question
    short, long : what screens and `print(mdp)` say of it; {gamma}, {horizon} and {s} (of a plural) are filled in
    timed : values and policy have one entry for each time step: (T + 1, S) and (T, S)
    contracts : one sweep brings any values nearer to the answer, by a share known before, whatever the policy: so one
        sweep bounds them
    must_end : a policy may earn without end. The graph says first which states are worth 0 and which policies end
    value : what screens call the number of a state
    beside : entries (S,) of `Solution.extra` that stand beside it, by name
    """

    def __new__(cls, name: str, **_: Any) -> Problem:
        """Make the text."""
        return super().__new__(cls, name)

    def __init__(
        self,
        _name: str,
        *,
        asked_by: Callable[[MDP], bool],
        short: str,
        long: str,
        timed: bool = False,
        contracts: bool = False,
        must_end: bool = False,
        value: str = "value",
        beside: tuple[str, ...] = (),
    ) -> None:
        self.asked_by, self.short, self.long = asked_by, short, long
        self.timed, self.contracts, self.must_end = timed, contracts, must_end
        self.value, self.beside = value, beside

    def shape(self, mdp: MDP) -> tuple[int, ...]:
        """Return the shape of the values of a model: (S,), or (T + 1, S)."""
        return ((mdp.horizon or 0) + 1, mdp.S) if self.timed else (mdp.S,)

    def factor(self, gamma: float) -> float:
        """Return how many times as wide as the spread of its changes the interval of a sweep is, before rounding."""
        return gamma / (1 - gamma) if gamma < 1 else 1.0

    def spread(self, low: float, high: float, ends: bool) -> float:
        """Return what the least and the largest change of a sweep say of the width of an interval, up to `factor`.

        Where a state has a value that is known (it `ends`), to change all values alike is a change too.
        """
        if ends or self.must_end:
            low, high = min(low, 0.0), max(high, 0.0)
        return high - low

    def text(self, mdp: MDP, gamma: str, form: str) -> str:
        """Return `short` or `long` with the numbers of a model; `gamma` is its discount in words."""
        horizon = mdp.horizon or 0
        return form.format(gamma=gamma, horizon=horizon, s="s" * (horizon != 1))


FINITE = Problem(
    "finite-horizon",
    asked_by=lambda mdp: mdp.horizon is not None,
    short="{horizon} decision{s}, {gamma}",
    long="finite horizon, {horizon} decisions, {gamma}",
    timed=True,
)
DISCOUNTED = Problem(
    "discounted",
    asked_by=lambda mdp: mdp.discounted,
    short="discounted, {gamma}",
    long="discounted, {gamma}",
    contracts=True,
)
TOTAL = Problem(
    "total-reward",
    asked_by=lambda _: True,
    short="total reward, {gamma}",
    long="total reward ({gamma})",
    must_end=True,
)

PROBLEMS = [FINITE, DISCOUNTED, TOTAL]  # the first that a model asks is its own


def problem_of(mdp: MDP) -> Problem:
    """Return which question a model asks.

    >>> from tabular_rl import MDP
    >>> mdp = MDP([[[1.0]]], [[1.0]], 0.5)
    >>> problem_of(mdp), problem_of(mdp) == "discounted", mdp.problem.shape(mdp)
    ('discounted', True, (1,))
    """
    for problem in PROBLEMS:
        if problem.asked_by(mdp):
            return problem
    raise AssertionError("the last is asked by every model")
