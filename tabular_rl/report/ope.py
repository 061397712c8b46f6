"""An off-policy evaluation: a line for each estimator, and what each of its numbers means."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tabular_rl.analysis.off_policy.bounds import DIRECT, SPLIT
from tabular_rl.analysis.off_policy.ranges import Pair
from tabular_rl.analysis.off_policy.truth import ENUMERATED, LAW, SIMULATED
from tabular_rl.analysis.ope import Evaluated, OffPolicy
from tabular_rl.errors import escape, spoken
from tabular_rl.model.numbers import aligned, general, plural, sampled_places, shown
from tabular_rl.model.rationals import spell_float
from tabular_rl.report.blocks import Block, Lines, Report, Sheet, Table
from tabular_rl.report.screen import signs
from tabular_rl.report.simulation import policy_name
from tabular_rl.report.solution import start_value
from tabular_rl.report.words import heading, problem_text, start_where, title
from tabular_rl.solving.solution import good_enough

HOW = {
    "given": "behavior: {}",
    "propensities": "behavior: the propensities of the log",
    "estimated": "behavior: estimated from the log, the share of each action in a state",
}
WHERE = {
    LAW: "exact, by the law of importance sampling",
    ENUMERATED: "exact, over all {logs} that there can be",
    SIMULATED: "simulated, not exact: {logs}, seed {seed}, so that a bias is off by about deviation / √{count}; "
    "{option} sets how many",
}
SAME = 1e-7  # share of a number by which ends of an interval may differ without being shown apart
NUMBERS = ("episodes", "transitions", "longest", "level", "resamples", "seed", "effective", "heaviest", "unknown",
           "cut", "left_out", "possible", "longer", "seconds")  # fmt: skip


@dataclass(frozen=True)
class OffPolicyReport(Report):
    """A line for each estimator; `policy`, `behavior` and `log` are what they are called.

    `warned` says whether the warnings stand below, as where nobody hears them otherwise.
    """

    found: OffPolicy
    policy: str | None = None
    behavior: str = "a policy that was given"
    log: str = ""
    warned: bool = False
    mathematical = True

    def blocks(self) -> list[Block]:
        found = self.found
        blocks: list[Block] = [Lines(self._first()), self._table(), Lines(_meaning(found))]
        if self.warned and found.warnings:
            blocks.append(Lines([f"warning: {text}" for text in found.warnings]))
        return blocks

    def _first(self) -> list[str]:
        """What was evaluated, on which log."""
        found, mdp = self.found, self.found.mdp
        held = f"{plural(found.episodes, 'episode')}, {plural(found.transitions, 'transition')}"
        longer = f"; {found.longer} went on after the horizon" if found.longer else ""
        model = f"{title(mdp)}: " if found.known else ""
        called = policy_name(found.policy) if self.policy is None else f"policy {escape(self.policy)}"
        lines = [
            f"{escape(self.log) + ': ' if self.log else ''}{held}, the longest {plural(found.longest, 'step')}{longer}",
            f"{model}{problem_text(mdp)}; {called}",
            HOW[found.behavior].format(escape(self.behavior)),
        ]
        if found.known:
            lines.append(f"start: {start_where(mdp)}")
        if found.reference is not None and good_enough(found.reference):
            lines.append(f"exact value: {start_value(found.reference)}")
        return lines

    def _table(self) -> Table:
        found = self.found
        level = spell_float(found.level)
        headers = ["estimator", "estimate", f"bootstrap {level}", f"bound {level}"]
        truth = any(one.truth is not None for one in found.estimates)
        if truth:
            headers += ["bias", "deviation"]
        places = {one.name: _places(one) for one in found.estimates}
        rows = []
        for one in found.estimates:
            decimals = places[one.name]
            row = [
                one.name,
                shown(one.value, decimals) if math.isfinite(one.value) else "none",
                _pair(one.interval),
                _pair(one.bound),
            ]
            rows.append(row + (_moments(one) if truth else []))
        columns = [
            aligned(column) if at in (1, 4, 5) else column
            for at, column in enumerate(zip(*rows, strict=True))
        ]
        return Table(headers, [list(row) for row in zip(*columns, strict=True)], left="estimator")

    def entries(self) -> dict[str, Any]:
        found, mdp, exact = self.found, self.found.mdp, self.found.reference
        return {
            **heading("ope", mdp),
            "log": self.log or None, "policy": self.policy, "behavior": self.behavior,
            "behavior_known_as": found.behavior, **{name: getattr(found, name) for name in NUMBERS},
            "fewest_tries": found.tries[0], "most_tries": found.tries[1],
            "exact_value": None if exact is None or not good_enough(exact) else found.exact,
            "estimates": [_entry(one) for one in found.estimates], "warnings": list(found.warnings),
        }  # fmt: skip

    def sheet(self) -> Sheet:
        headers = [
            "estimator",
            "estimate",
            "lower",
            "upper",
            "bound_lower",
            "bound_upper",
            "bias",
            "deviation",
            "no_bound",
        ]
        rows = []
        for one in self.found.estimates:
            ends = (*(one.interval or (None, None)), *(one.bound or (None, None)))
            of_truth = (None, None) if one.truth is None else (one.bias, one.truth.deviation)
            numbers = (one.value, *ends, *of_truth)
            known = (float(x) if x is not None and math.isfinite(x) else None for x in numbers)
            rows.append((one.name, *known, (one.why or None) if one.bound is None else None))
        return Sheet(headers, [rows])


def _count(x: float) -> str:
    """How many episodes weights are worth.

    >>> _count(1.8), _count(23.96), _count(1016.2)
    ('1.8', '24', '1,016')
    """
    return f"{x:,.0f}" if x >= 100 else f"{x:.3g}"


def _places(one: Evaluated) -> int:
    """How many decimals are shown: three digits of the half width of the bootstrap."""
    half = math.nan if one.interval is None else (one.interval[1] - one.interval[0]) / 2
    value = one.value if math.isfinite(one.value) else 0.0
    return sampled_places(half / 10, abs(value)) if half > SAME * abs(value) else 4


def _pair(pair: Pair | None) -> str:
    """An interval; its ends are rounded away from each other."""
    if pair is None:
        return "none"
    if pair[1] - pair[0] <= SAME * max(map(abs, pair)):
        return f"{general(pair[0])} to {general(pair[1])}"
    decimals = sampled_places((pair[1] - pair[0]) / 2, max(map(abs, pair)))
    room = 0.5 * 10.0**-decimals
    low, high = (
        shown(x + way * room, decimals) if not _short(x, decimals) else shown(x, decimals)
        for x, way in ((pair[0], -1), (pair[1], 1))
    )
    return f"{low} to {high}"


def _short(x: float, decimals: int) -> bool:
    """Whether a number is written out in so many decimals, but for the rounding that bounds are widened by."""
    return abs(x - round(x, decimals)) <= 1e-7 * max(abs(x), 1.0)


def _moments(one: Evaluated) -> list[str]:
    """Bias and deviation as texts."""
    if one.truth is None:
        return ["none", "none"]
    deviation = one.truth.deviation
    scale = deviation if math.isfinite(deviation) else abs(one.value)
    small = abs(one.bias) <= 1e-9 * max(scale, abs(one.truth.mean), 1e-300)
    return [
        "0" if small else f"{one.bias:.2g}",
        "infinite"
        if math.isinf(deviation)
        else "0"
        if deviation <= 1e-12 * abs(one.truth.mean)
        else f"{deviation:.3g}",
    ]


def _entry(one: Evaluated) -> dict[str, Any]:
    """One estimate, for a program."""
    truth = one.truth
    lower, upper = one.interval or (None, None)
    least, most = one.bound or (None, None)
    return {
        "estimator": one.name, "estimate": _finite(one.value), "lower": lower, "upper": upper,
        "bound_lower": least, "bound_upper": most, "bound_of": one.bound_of or None,
        "no_bound": one.why or None, "dropped": one.dropped,
        "bias": None if truth is None else _finite(one.bias),
        "variance": None if truth is None else _finite(truth.deviation**2),
        "moments": None if truth is None else truth.how,
        "logs": None if truth is None or truth.how == LAW else truth.logs,
        "undefined": None if truth is None else truth.undefined,
    }  # fmt: skip


def _finite(x: float) -> float | None:
    return float(x) if math.isfinite(x) else None


def _meaning(found: OffPolicy) -> list[str]:
    """What each number is."""
    level = spell_float(found.level)
    lines = [
        f"estimate: of J, the expected return of the policy, discounted by {signs().gamma}, from where episodes begin",
        f"effective sample size {_count(found.effective)} of {plural(found.episodes, 'episode')}: what the weights of "
        f"whole episodes are worth; the heaviest is {found.heaviest:.2g} of all",
        f"pairs that the policy takes were tried {found.tries[0]} to {plural(found.tries[1], 'time')}",
    ]
    if any(one.interval is not None for one in found.estimates):
        lines.append(
            f"bootstrap: the middle {level} of {plural(found.resamples, 'log')} drawn from this one by episodes, seed "
            f"{found.seed}; too short where few episodes count"
        )
        dropped = [f"{one.name} {one.dropped}" for one in found.estimates if one.dropped]
        if dropped:
            lines.append(f"draws without an estimate, left out: {', '.join(dropped)}")
    if any(one.bound is not None for one in found.estimates):
        lines.append(
            f"bound: holds J with probability {level} or more, whatever the number of episodes, if they are independent"
        )
        if all(map(math.isfinite, found.possible)):
            lines.append(
                f"returns of the policy are {_pair(found.possible)} anyway: so wide a bound says no more"
            )
        if found.left_out > 0:
            lines.append(
                f"bounds of importance sampling hold {general(found.left_out, 3)} for what was cut off, doubly robust "
                "ones twice that"
            )
        lines += _owners(found)
    lines += [f"no bound for {', '.join(names)}: {why}" for why, names in _reasons(found).items()]
    return lines + _moments_lines(found)


def _owners(found: OffPolicy) -> list[str]:
    """Which bounds belong to another estimate than the one beside them."""
    half = found.episodes // 2
    what = {
        SPLIT: f"of the estimate from the last {plural(found.episodes - half, 'episode')}, with a model of the first "
        f"{half}; it holds J, not always the estimate beside it",
        DIRECT: "of the direct method; it holds J, not always the estimate beside it",
    }
    lines = []
    for of, text in what.items():
        names = [one.name for one in found.estimates if one.bound is not None and one.bound_of == of]
        if names:
            lines.append(f"bound beside {', '.join(names)}: that {text}")
    return lines


def _reasons(found: OffPolicy) -> dict[str, list[str]]:
    """Why there is no bound, and of which estimators."""
    reasons: dict[str, list[str]] = {}
    for one in found.estimates:
        if one.bound is None and one.why:
            reasons.setdefault(one.why, []).append(one.name)
    return reasons


def _moments_lines(found: OffPolicy) -> list[str]:
    """Where bias and deviation come from."""
    known = [(one.name, one.truth) for one in found.estimates if one.truth is not None]
    if not known and found.known and found.behavior == "propensities":
        return [
            f"bias and deviation are not known: they need the behaviour in all states, {spoken('--behavior')}"
        ]
    if not known:
        return []
    cut = found.limit is not None and found.limit != found.mdp.horizon
    ends = f", cut off after {plural(found.limit or 0, 'step')}" if cut else ""
    lines = [f"bias, deviation: of estimates from logs of {plural(found.episodes, 'episode')}{ends}"]
    for how, what in WHERE.items():
        names = [name for name, truth in known if truth.how == how]
        logs = next((truth.logs for _, truth in known if truth.how == how), 0)
        if names:
            said = what.format(
                logs=plural(logs, "log"),
                seed=found.seed,
                option=spoken("--logs"),
                count=logs,
            )
            lines.append(f"{said}: {', '.join(names)}")
    undefined = [f"{name} {truth.undefined:.2g}" for name, truth in known if truth.undefined]
    if undefined:
        lines.append(f"share of logs without an estimate, left out: {', '.join(undefined)}")
    return lines
