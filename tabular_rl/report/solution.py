"""A proven answer: its values with what is proven of each, its policy, and the sentences about both."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.certificates.intervals import start_bounds
from tabular_rl.errors import escape, spoken
from tabular_rl.model.numbers import (
    TINY,
    aligned,
    fraction_text,
    general,
    interval_text,
    places,
    plural,
    plus_minus,
    rounded_up,
    shown,
    shown_exact,
)
from tabular_rl.model.rationals import spell_float
from tabular_rl.report.blocks import Block, Lines, Report, Sheet, Table
from tabular_rl.report.columns import answer_entries, answer_sheet, q_column
from tabular_rl.report.dual import dual_blocks, dual_entries, dual_sheet
from tabular_rl.report.frames import answer_arrays, answer_columns, given_names
from tabular_rl.report.grid import grid_blocks, policy_grid
from tabular_rl.report.layout import LONGEST, Rows, columns, rows_shown
from tabular_rl.report.policy import action_changes, action_text, tie_sign, tied_states
from tabular_rl.report.profile import ProfileReport
from tabular_rl.report.q import q_blocks
from tabular_rl.report.render.text import fits
from tabular_rl.report.screen import signs
from tabular_rl.report.views import shown_maps, solution_picture
from tabular_rl.report.words import header, listed, start_fractions, start_where
from tabular_rl.solving.solution import Solution, Status

LEAST_TIMES = 4  # columns of a finite horizon: the first, a gap, and the last two


@dataclass(frozen=True)
class SolutionReport(Report):
    """An answer: a header, the values (drawn as a grid where it is one), what is proven.

    `everything` shows every state, `only` some states; `show_q` the value of every action beside that of its state.
    `dual` shows the visits of the dual instead. `profile` stands in JSON, where it was asked for.
    """

    solution: Solution
    everything: bool = False
    only: Sequence[int] | None = None
    show_q: bool = False
    profile: ProfileReport | None = None
    dual: bool = False

    def blocks(self) -> list[Block]:
        return self._around(self._body())

    def shown(self) -> list[Block]:
        return self._around(shown_maps(self.solution) or self._body())

    def _body(self) -> list[Block]:
        """The values, and the policy where it is drawn."""
        solution = self.solution
        as_table = self.everything or self.only is not None or self.show_q or self.dual
        body = [] if as_table else grid_blocks(solution)
        if self.dual:
            body = dual_blocks(solution, _chosen(solution, self.everything, self.only))
        elif not body:
            body = values_blocks(solution, self.everything, self.only, self.show_q)
            # Where too few digits of the values fit into the cells, the policy may.
            body += policy_grid(solution) if not as_table and solution.mdp.S > LONGEST else []
        return body

    def _around(self, body: Sequence[Block]) -> list[Block]:
        """The header above, and what is proven below."""
        solution = self.solution
        sentences = [
            f"start: {start_where(solution.mdp)}; value {start_value(solution)}",
            status_text(solution),
            *_shown_lines(solution),
            _bound_text(solution),
            *_policy_lines(solution),
        ]
        what = "" if solution.task == "control" else ", value of a policy"
        return [Lines([f"{header(solution.mdp)}; {solution.method}{what}"]), *body, Lines(sentences)]

    def entries(self) -> dict[str, Any]:
        more: dict[str, Any] = {} if self.profile is None else {"profile": self.profile.entries()}
        if self.show_q:
            more["q"] = q_column(self.solution.mdp, self.solution.q)
        if self.dual:
            more |= dual_entries(self.solution)
        return answer_entries(self.solution, **more)

    def sheet(self) -> Sheet:
        return dual_sheet(self.solution) if self.dual else answer_sheet(self.solution, self.show_q)

    def columns(self, what: str = "") -> Mapping[str, Any]:
        as_sheet = self.dual or (self.show_q and not what)
        return super().columns() if as_sheet else answer_columns(self.solution, what)

    def arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Sequence[str] | None]]:
        return answer_arrays(self.solution, self.solution.q if self.show_q else None), given_names(
            self.solution.mdp
        )

    def picture(self, what: str = "") -> list[Block]:
        return solution_picture(self.solution, what or "q" * self.show_q)


# -- the values ----------------------------------------------------------------------------------------------------


def _decimals_of(solution: Solution) -> int:
    """The decimals that every value of the answer is shown with."""
    v = solution.v[np.isfinite(solution.v)]
    largest = float(np.max(np.abs(v), initial=0.0))
    tolerance = float(solution.options.get("tolerance") or 1e-6)
    if solution.options.get("relative") and largest:
        tolerance = max(tolerance * largest, 5e-324)
    return places(solution.bound, min(tolerance, 1.0), largest or 1.0)


def _value_cells(solution: Solution, states: Sequence[int]) -> tuple[list[str], list[str], list[str]]:
    """The texts of values, their ±, and the exact fractions ([] where there are none) of some states at t = 0."""
    v, lower, upper = np.atleast_2d(solution.v)[0], solution.lower, solution.upper
    if lower is None or upper is None:
        return aligned([general(float(v[s])) for s in states]), ["?"] * len(states), []
    lower, upper = np.atleast_2d(lower)[0], np.atleast_2d(upper)[0]
    if not math.isfinite(solution.bound):
        sides = [interval_text(float(lower[s]), float(upper[s])) for s in states]
        return aligned([general(float(v[s])) for s in states]), sides, []
    decimals, exact = _decimals_of(solution), solution.exact
    if exact is not None:
        rounded = [shown_exact(exact[s], decimals) for s in states]
        return rounded, ["0"] * len(rounded), [fraction_text(exact[s]) for s in states]
    values = [shown(float(v[s]), decimals) for s in states]
    errors = [plus_minus(x, float(lower[s]), float(upper[s])) for x, s in zip(values, states, strict=True)]
    return values, errors, []


def values_blocks(
    solution: Solution, everything: bool = False, only: Sequence[int] | None = None, show_q: bool = False
) -> list[Block]:
    """Return state / value / ± / action, or one column a time step for a finite horizon.

    Parameters
    ----------
    solution : an answer
    everything : all states, and all times of a horizon
    only : these states, by index
    show_q : a line for each action instead of one for each state

    Returns
    -------
    The table, and what is said below it. Values are in the sign of the model.
    """
    mdp = solution.mdp
    chosen = _chosen(solution, everything, only)
    if show_q:
        return q_blocks(solution, chosen, _decimals_of(solution))
    states = chosen.rows
    names = [escape(mdp.states[s]) for s in states]
    if solution.v.ndim == 2:
        return _timed_blocks(solution, names, chosen, everything)
    values, errors, fractions = _value_cells(solution, states)
    proven = math.isfinite(solution.bound)
    headers = (
        ["state", mdp.problem.value, signs().plus_minus] if proven else ["state", "not proven", "proven"]
    )
    cells = [names, values, errors]
    if fractions:
        headers, cells = ["state", "exact", "rounded"], [names, fractions, values]
    for name in mdp.problem.beside:
        headers.append(name)
        cells.append(aligned([general(float(solution.extra[name][s])) for s in states]))
    if solution.policy is not None:
        headers.append("policy" if solution.task == "prediction" else "action")
        cells.append([action_text(solution, s) for s in states])
    rows = list(zip(*cells, strict=True))
    wrap = "action,policy,proven"
    shades = {headers[1]: mdp.sign * np.where(mdp.terminal, np.nan, solution.v)[states]}
    return [Table(headers, rows, left=f"state,{wrap}", wrap=wrap, gaps=chosen.gaps, shades=shades)]


def _chosen(solution: Solution, everything: bool, only: Sequence[int] | None) -> Rows:
    """The states that are shown."""
    if only is not None:
        return Rows(list(only))
    return rows_shown(solution.mdp.S, everything, changes=action_changes(solution))


def _timed_blocks(solution: Solution, names: list[str], chosen: Rows, everything: bool) -> list[Block]:
    """Values, then actions, with a column for each time step; of many those that fit, the first ones and the last ones.

    Steps in which every state shown does the same share a column.
    """
    states, T = chosen.rows, solution.mdp.horizon or 0
    decimals = _decimals_of(solution)
    proven = math.isfinite(solution.bound)

    def value(s: int, t: int) -> str:
        x = float(solution.v[t, s])
        return shown(x, decimals) if proven else general(x)

    def timed(
        spans: list[tuple[int, int]], cell: Callable[[int, int], str], left: bool
    ) -> tuple[Table, bool]:
        """The table, and whether columns were left out."""
        counts = [len(spans)]
        if not everything and len(spans) > LEAST_TIMES:
            counts = list(range(min(len(spans), max(columns() // 4, LEAST_TIMES)), LEAST_TIMES - 1, -1))
        for most in counts:
            kept = spans if most == len(spans) else [*spans[: most - 3], None, *spans[-2:]]
            headers = ["state", *(signs().dots if span is None else _span_text(*span) for span in kept)]
            rows = [
                [name, *(signs().dots if span is None else cell(s, span[0]) for span in kept)]
                for name, s in zip(names, states, strict=True)
            ]
            flush = ",".join(headers) if left else "state"
            last = most == counts[-1]
            table = Table(headers, rows, left=flush, wrap=flush, fold=int(last), gaps=chosen.gaps)
            if last or fits(table):
                break
        return table, None in kept

    table, cut = timed([(t, t) for t in range(T + 1)], value, False)
    blocks: list[Block] = [table]
    if proven and solution.lower is not None and solution.upper is not None:
        # One ± for all: what the digits shown can be off by at most.
        error = rounded_up(solution.bound + 0.5 * 10.0**-decimals)
        blocks.append(Lines([f"all {signs().plus_minus} {error} at most"]))
    if solution.policy is not None:
        spans = _time_spans(solution, states)
        table, more = timed(spans, lambda s, t: action_text(solution, s, t), True)
        blocks.append(table)
        cut |= more
    if cut:
        blocks.append(Lines([spoken(f"{T + 1} times; --all shows them all")]))
    return blocks


def _span_text(first: int, last: int) -> str:
    """Return the name of a span of time steps.

    >>> _span_text(3, 3), _span_text(0, 8)
    ('t = 3', 't = 0 to 8')
    """
    return f"t = {first}" + (f" to {last}" if last > first else "")


def _time_spans(solution: Solution, states: Sequence[int]) -> list[tuple[int, int]]:
    """The longest spans of time steps (first, last) in which each of some states has the same policy and ties."""
    mdp, policy = solution.mdp, solution.policy
    T = mdp.horizon or 0
    if policy is None:
        return []
    rows = [i for s in states for i in mdp.rows(s)]
    changes = np.zeros(T, dtype=np.bool_)
    changes[0] = True
    if policy.timed:
        parts = policy.weights[:, rows] if policy.rows is None else policy.rows[:, states]
        changes[1:] |= (parts[1:] != parts[:-1]).any(axis=1)
    if solution.task == "control" and solution.optimal_actions is not None:
        keep = solution.optimal_actions[:, rows]
        changes[1:] |= (keep[1:] != keep[:-1]).any(axis=1)
    firsts = np.flatnonzero(changes).tolist()
    return [(first, after - 1) for first, after in zip(firsts, [*firsts[1:], T], strict=True)]


# -- the sentences -------------------------------------------------------------------------------------------------


def start_value(solution: Solution) -> str:
    """Σ start(s) v(s) with its ±, or as a fraction."""
    mdp = solution.mdp
    if solution.exact is not None:
        exact = sum((p * solution.exact[s] for s, p in start_fractions(mdp)), Fraction(0))
        decimal = shown_exact(exact, _decimals_of(solution))
        return decimal if Fraction(decimal) == exact else f"{fraction_text(exact)}, rounded {decimal}"
    if solution.lower is None or solution.upper is None or not math.isfinite(solution.bound):
        return f"{general(solution.value_of_start())} (not proven)"
    low, high = start_bounds(solution)
    text = shown((low + high) / 2, _decimals_of(solution))
    return f"{text} {signs().plus_minus} {plus_minus(text, low, high)}"


def _bound_text(solution: Solution) -> str:
    """What is proven, in one line."""
    tolerance = solution.options.get("tolerance")
    asked = ""
    if tolerance is not None:
        relative = " of the largest value" if solution.options.get("relative") else ""
        wide = interval_width(solution)
        # Below, it would repeat the bound.
        size = f"interval {rounded_up(wide)} wide, " if wide >= TINY else ""
        asked = f" ({size}tolerance {spell_float(tolerance)}{relative})"
    if not math.isfinite(solution.bound):
        sides = [x for x in (solution.lower, solution.upper) if x is not None]
        one = any(bool(np.isfinite(x[..., ~solution.mdp.terminal]).any()) for x in sides)
        return f"bound: none, {'as intervals are open on a side' if one else 'nothing is proven of these values'}"
    if solution.exact is not None:
        shown_too = not solution.mdp.problem.timed  # beside their decimals
        return f"bound: 0{'' if shown_too else ' before rounding to the digits shown'}, the fractions are the values"
    if solution.bound == 0:
        return "bound: 0, the values are exact" + asked
    return f"bound: {rounded_up(solution.bound)} before rounding to the digits shown{asked}"


def proven_text(best: Solution) -> str:
    """How near to the truth a reference is proven to be."""
    if best.exact is not None:
        return "exact, in rational arithmetic"
    return f"proven to within {rounded_up(best.bound)}" if math.isfinite(best.bound) else "not proven"


def interval_width(solution: Solution) -> float:
    """The largest upper - lower; inf where nothing is proven."""
    if solution.lower is None or solution.upper is None:
        return math.inf
    return float(np.max(solution.upper - solution.lower, initial=0.0))


def _policy_lines(solution: Solution) -> list[str]:
    """From which states the policy is proven optimal, what it loses at most, and which actions are undecided."""
    mdp, proven, keep = solution.mdp, solution.proven_optimal, solution.optimal_actions
    if solution.task != "control":
        return ["values of the given policy"]
    width = interval_width(solution)
    loses = f"loses at most {rounded_up(width)}" if math.isfinite(width) else "not proven optimal"
    if proven is None or keep is None:
        return [f"policy: {loses}"]
    timed = proven.ndim == 2
    if proven.all():
        tied = np.zeros(0) if timed else tied_states(mdp, keep)
        text = "policy: proven optimal in every state" + (" at every time" if timed else "")
        return [
            text + (f"; {plural(len(tied), 'state')} with ties ({tie_sign(solution)})" if len(tied) else "")
        ]
    live = np.flatnonzero(~mdp.terminal)
    count, all_of_them = int(proven[..., live].sum()), len(live) * (len(proven) if timed else 1)
    what = "states and times" if timed else "states"
    lines = [f"policy: {loses}; proven optimal from {count} of {all_of_them} {what}"]
    tied = tied_states(mdp, np.asarray(np.atleast_2d(keep).any(axis=0)))
    if solution.status is not Status.EXACT and len(tied):
        lines.append(
            f"undecided actions are joined by {signs().close}"
            if timed
            else f"undecided actions: {plural(len(tied), 'state')} ({listed(mdp, tied)})"
        )
    return lines


def work_text(solution: Solution) -> str:
    """The work done, without the seconds: the same on every run."""
    return ", ".join(
        plural(count, unit[:-1]) if unit.endswith("s") else f"{unit}: {count}"
        for unit, count in solution.work.items()
    )


def status_text(solution: Solution) -> str:
    """Why the method stopped, with its note."""
    note = f" ({spoken(solution.note)})" if solution.note else ""
    return f"{solution.status.value}{note}"


def _shown_lines(solution: Solution) -> list[str]:
    """What the values shown are, where the method stopped on the way: nobody should take them for an iterate."""
    if solution.status.reached or not solution.work:
        return []
    after = f"after {work_text(solution)}"
    if not math.isfinite(solution.bound):
        return [f"values: as they were {after}"]
    what = f"values: the middle of the proven interval {after}, not an iterate of the method"
    return [f"{what} ({spoken('--iterates shows')} those)"]
