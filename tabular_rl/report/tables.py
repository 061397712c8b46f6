"""Answers and models as tables of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.certificates.intervals import start_bounds
from tabular_rl.errors import escape, spoken
from tabular_rl.model.graph.search import starts
from tabular_rl.model.mdp import MDP, spell_gamma
from tabular_rl.model.numbers import (
    TINY,
    aligned,
    exact_or_decimal,
    fraction_text,
    general,
    interval_text,
    places,
    plus_minus,
    rounded_up,
    share_text,
    shown,
    shown_exact,
)
from tabular_rl.model.rationals import spell_float
from tabular_rl.report.actions import q_table
from tabular_rl.report.grid import grid_text, policy_grid
from tabular_rl.report.layout import LONGEST, Rows, columns, rows_shown, table, width
from tabular_rl.report.screen import signs, spelled
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.solution import Solution, Status

LISTED = 8  # states that are listed by name in a sentence
FEW = 4  # with a number each
LEAST_TIMES = 4  # columns of a finite horizon: the first, a gap, and the last two


def plural(count: int, what: str) -> str:
    """
    >>> plural(1, "state"), plural(1200, "sweep")
    ('1 state', '1200 sweeps')
    """
    return f"{count} {what}" + ("s" if count != 1 else "")


def listed(mdp: MDP, states: NDArray[Any]) -> str:
    """Names of some states, the first few."""
    names = ", ".join(escape(mdp.states[int(s)]) for s in states[:LISTED])
    return names + (f" and {len(states) - LISTED} more" if len(states) > LISTED else "")


# -- the parts of an answer ----------------------------------------------------------------------------------------


def problem_text(mdp: MDP) -> str:
    """
    >>> problem_text(MDP([[[1.0]]], [[1.0]], 0.5, sense="min"))
    'discounted, γ = 0.5, costs'
    """
    gamma = f"{signs().gamma} = {spell_gamma(mdp)}"
    return mdp.problem.text(mdp, gamma, mdp.problem.short) + (", costs" if mdp.sense == "min" else "")


def title(mdp: MDP) -> str:
    """The name of a model for the screen."""
    return escape(mdp.name or mdp.origin or "a model")


def action_text(solution: Solution, state: int, t: int | None = None) -> str:
    """The action of a state and those that may be as good: "=" for a proven tie, "≈" for one not proven worse."""
    mdp, policy = solution.mdp, solution.policy
    if policy is None or mdp.terminal[state]:
        return ""
    policy = policy.at(t) if t is not None else policy
    if policy.rows is None:
        parts = []
        for i in mdp.rows(state):
            p = policy.weights[i]
            if policy.takes[i]:
                exact = policy.exact[i] if policy.exact is not None else None
                share = exact_or_decimal(exact, float(p))
                if isinstance(solution, Learned):
                    share = share_text(float(p))
                parts.append(f"{escape(mdp.actions[int(mdp.pair_action[i])])} {share}")
        return ", ".join(parts)
    row = int(policy.rows[state])
    names = [escape(mdp.actions[int(mdp.pair_action[row])])]
    if solution.task == "control" and solution.optimal_actions is not None:
        keep = solution.optimal_actions if t is None else solution.optimal_actions[t]
        names += [
            escape(mdp.actions[int(mdp.pair_action[i])]) for i in mdp.rows(state) if keep[i] and i != row
        ]
    if len(names) > 6:
        names[5:] = [f"{len(names) - 5} more"]
    return (" = " if solution.status is Status.EXACT else f" {signs().close} ").join(names)


def decimals_of(solution: Solution) -> int:
    """The decimals that every value of the answer is shown with."""
    v = solution.v[np.isfinite(solution.v)]
    largest = float(np.max(np.abs(v), initial=0.0))
    tolerance = float(solution.options.get("tolerance") or 1e-6)
    if solution.options.get("relative") and largest:
        tolerance = max(tolerance * largest, 5e-324)
    return places(solution.bound, min(tolerance, 1.0), largest or 1.0)


def value_cells(solution: Solution, states: Sequence[int]) -> tuple[list[str], list[str], list[str]]:
    """The texts of values, their ±, and the exact fractions ("" where there are none) of some states at t = 0."""
    v = solution.v if solution.v.ndim == 1 else solution.v[0]
    if not math.isfinite(solution.bound) or solution.lower is None or solution.upper is None:
        lower, upper = solution.lower, solution.upper
        if lower is None or upper is None:
            return aligned([general(float(v[s])) for s in states]), ["?"] * len(states), []
        return (
            aligned([general(float(v[s])) for s in states]),
            [interval_text(float(lower[..., s].flat[0]), float(upper[..., s].flat[0])) for s in states],
            [],
        )
    lower, upper = np.atleast_2d(solution.lower)[0], np.atleast_2d(solution.upper)[0]
    decimals = decimals_of(solution)
    exact = solution.exact
    if exact is not None:
        rounded = [shown_exact(exact[s], decimals) for s in states]
        return rounded, ["0"] * len(rounded), [fraction_text(exact[s]) for s in states]
    values = [shown(float(v[s]), decimals) for s in states]
    errors = [plus_minus(x, float(lower[s]), float(upper[s])) for x, s in zip(values, states, strict=True)]
    return values, errors, []


def values_table(
    solution: Solution, everything: bool = False, only: Sequence[int] | None = None, show_q: bool = False
) -> str:
    """state / value / ± / action, or one column a time step for a finite horizon; of the states `only` where given."""
    mdp = solution.mdp
    chosen = rows_shown(mdp.S, everything, changes=action_changes(solution))
    if only is not None:
        chosen = Rows(list(only))
    if show_q:
        return q_table(solution, chosen, decimals_of(solution))
    states = chosen.rows
    names = [escape(mdp.states[s]) for s in states]
    if solution.v.ndim == 2:
        return _timed_tables(solution, names, chosen, everything)
    values, errors, fractions = value_cells(solution, states)
    open_ended = not math.isfinite(solution.bound)
    headers = [
        "state",
        "not proven" if open_ended else "value",
        "proven" if open_ended else signs().plus_minus,
    ]
    cells = [names, values, errors]
    if fractions:
        headers, cells = ["state", "exact", "rounded"], [names, fractions, values]
    if solution.policy is not None:
        headers.append("policy" if solution.task == "prediction" else "action")
        cells.append([action_text(solution, s) for s in states])
    rows = list(zip(*cells, strict=True))
    return table(
        headers, rows, left="state,action,policy,proven", wrap="action,policy,proven", gaps=chosen.gaps
    )


def action_changes(solution: Solution) -> NDArray[Any] | None:
    """The states whose action is another than that of the state before; None where there is nothing to choose."""
    policy, mdp = solution.policy, solution.mdp
    if policy is None or policy.rows is None or policy.timed or mdp.A < 2:
        return None
    action = np.where(policy.rows >= 0, mdp.pair_action[policy.rows], -1)
    return np.flatnonzero(np.diff(action)) + 1


def _timed_tables(solution: Solution, names: list[str], chosen: Rows, everything: bool) -> str:
    """Values, then actions, with a column for each time step; of many those that fit, the first ones and the last ones.

    Steps in which every state shown does the same share a column.
    """
    mdp, states = solution.mdp, chosen.rows
    T = mdp.horizon or 0
    decimals = decimals_of(solution)
    proven = math.isfinite(solution.bound)

    def value(s: int, t: int) -> str:
        x = float(solution.v[t, s])
        return shown(x, decimals) if proven else general(x)

    def block(spans: list[tuple[int, int]], cell: Any, left: bool) -> tuple[str, bool]:
        """The table, and whether columns were left out."""
        counts = [len(spans)]
        if not everything and len(spans) > LEAST_TIMES:
            counts = list(range(min(len(spans), max(columns() // 4, LEAST_TIMES)), LEAST_TIMES - 1, -1))
        for most in counts:
            kept = spans if most == len(spans) else [*spans[: most - 3], None, *spans[-2:]]
            headers = ["state", *(signs().dots if span is None else span_text(*span) for span in kept)]
            rows = [
                [name, *(signs().dots if span is None else cell(s, span[0]) for span in kept)]
                for name, s in zip(names, states, strict=True)
            ]
            last = most == counts[-1]
            flush = ",".join(headers) if left else "state"
            text = table(headers, rows, left=flush, wrap=flush, fold=int(last), gaps=chosen.gaps)
            if last or max(map(width, text.split("\n"))) <= columns():
                break
        return text, None in kept

    text, cut = block([(t, t) for t in range(T + 1)], value, False)
    parts = [text]
    if solution.policy is not None:
        spans = time_spans(solution, states)
        text, more = block(spans, lambda s, t: action_text(solution, s, t), True)
        parts.append(text)
        cut |= more
    if proven and solution.lower is not None and solution.upper is not None:
        # One ± for all: what the digits shown can be off by at most.
        rounding = 0.5 * 10.0**-decimals
        parts.insert(1, f"all {signs().plus_minus} {rounded_up(solution.bound + rounding)} at most")
    if cut:
        parts.append(spoken(f"{T + 1} times; --all shows them all"))
    return "\n\n".join(parts)


def span_text(first: int, last: int) -> str:
    """
    >>> span_text(3, 3), span_text(0, 8)
    ('t = 3', 't = 0 to 8')
    """
    return f"t = {first}" + (f" to {last}" if last > first else "")


def time_spans(solution: Solution, states: Sequence[int]) -> list[tuple[int, int]]:
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


def start_where(mdp: MDP) -> str:
    """The start distribution in words."""
    used = np.flatnonzero(starts(mdp))
    if len(used) == 1:
        return escape(mdp.states[int(used[0])])
    if not mdp.start_given:
        return "uniform over non-terminal states"
    if len(used) <= 4:
        given = mdp.exact.start if mdp.exact is not None else None

        def share(s: int) -> str:
            p = float(mdp.start[s])
            return share_text(p, 4) if p or given is None else exact_or_decimal(given[s], p)

        return ", ".join(f"{escape(mdp.states[s])} {share(s)}" for s in used.tolist())
    return f"{len(used)} states"


def start_fractions(mdp: MDP) -> list[tuple[int, Fraction]]:
    """The start distribution in exact numbers: floats are their dyadics over their sum."""
    used = np.flatnonzero(starts(mdp)).tolist()
    if not mdp.start_given:
        return [(s, Fraction(1, len(used))) for s in used]
    given = mdp.exact.start if mdp.exact is not None else None
    weights = [given[s] if given is not None else Fraction(float(mdp.start[s])) for s in used]
    total = sum(weights, Fraction(0))
    return [(s, p / total) for s, p in zip(used, weights, strict=True)]


def start_text(solution: Solution) -> str:
    """The value of the start distribution, and which one it is."""
    return f"start: {start_where(solution.mdp)}; value {start_value(solution)}"


def start_value(solution: Solution) -> str:
    """Σ start(s) v(s) with its ±, or as a fraction."""
    mdp = solution.mdp
    if solution.exact is not None:
        exact = sum((p * solution.exact[s] for s, p in start_fractions(mdp)), Fraction(0))
        decimal = shown_exact(exact, decimals_of(solution))
        return decimal if Fraction(decimal) == exact else f"{fraction_text(exact)}, rounded {decimal}"
    if solution.lower is None or solution.upper is None or not math.isfinite(solution.bound):
        return f"{general(solution.value_of_start())} (not proven)"
    low, high = start_bounds(solution)
    text = shown((low + high) / 2, decimals_of(solution))
    return f"{text} {signs().plus_minus} {plus_minus(text, low, high)}"


def bound_text(solution: Solution) -> str:
    """What is proven, in one line."""
    tolerance = solution.options.get("tolerance")
    asked = ""
    if tolerance is not None:
        relative = " of the largest value" if solution.options.get("relative") else ""
        wide = interval_width(solution)
        size = (
            f"interval {rounded_up(wide)} wide, " if wide >= TINY else ""
        )  # below, it would repeat the bound
        asked = f" ({size}tolerance {spell_float(tolerance)}{relative})"
    if not math.isfinite(solution.bound):
        sides = [x for x in (solution.lower, solution.upper) if x is not None]
        one = any(bool(np.isfinite(x[..., ~solution.mdp.terminal]).any()) for x in sides)
        return f"bound: none, {'as intervals are open on a side' if one else 'nothing is proven of these values'}"
    if solution.exact is not None:
        return "bound: 0, the fractions are the values"
    if solution.bound == 0:
        return "bound: 0, the values are exact" + asked
    return f"bound: {rounded_up(solution.bound)} before rounding to the digits shown{asked}"


def interval_width(solution: Solution) -> float:
    """The largest upper - lower; inf where nothing is proven."""
    if solution.lower is None or solution.upper is None:
        return math.inf
    return float(np.max(solution.upper - solution.lower, initial=0.0))


def policy_text(solution: Solution) -> str:
    """From which states the policy is proven optimal, what it loses at most, and which actions are undecided."""
    mdp, proven, keep = solution.mdp, solution.proven_optimal, solution.optimal_actions
    if solution.task != "control":
        return "values of the given policy"
    width = interval_width(solution)
    loses = f"loses at most {rounded_up(width)}" if math.isfinite(width) else "not proven optimal"
    if proven is None or keep is None:
        return f"policy: {loses}"
    if proven.all():
        tied = tied_states(mdp, keep) if keep.ndim == 1 else np.zeros(0)
        text = "policy: proven optimal in every state" + (" at every time" if proven.ndim == 2 else "")
        return text + (f"; {plural(len(tied), 'state')} with ties (=)" if len(tied) else "")
    live = np.flatnonzero(~mdp.terminal)
    count, all_of_them = int(proven[..., live].sum()), len(live) * (len(proven) if proven.ndim == 2 else 1)
    what = "states and times" if proven.ndim == 2 else "states"
    text = f"policy: {loses}; proven optimal from {count} of {all_of_them} {what}"
    tied = tied_states(mdp, np.asarray(np.atleast_2d(keep).any(axis=0)))
    if solution.status is Status.EXACT or not len(tied):
        return text
    if keep.ndim == 2:
        return f"{text}\nundecided actions are joined by {signs().close}"
    return f"{text}\nundecided actions: {plural(len(tied), 'state')} ({listed(mdp, tied)})"


def tied_states(mdp: MDP, keep: NDArray[np.bool_]) -> NDArray[Any]:
    """The states that have several actions not proven worse."""
    live = np.flatnonzero(np.diff(mdp.pair_ptr) > 0)
    return live[np.add.reduceat(keep, mdp.pair_ptr[live].astype(np.intp)) > 1] if live.size else live


def seconds_text(seconds: float) -> str:
    """
    >>> seconds_text(0.123), seconds_text(75.2)
    ('0.12 s', '75 s')
    """
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"


def work_text(solution: Solution) -> str:
    """The work done, without the seconds: the same on every run."""
    return ", ".join(
        plural(count, unit[:-1]) if unit.endswith("s") else f"{unit}: {count}"
        for unit, count in solution.work.items()
    )


def status_text(solution: Solution) -> str:
    note = f" ({spoken(solution.note)})" if solution.note else ""
    return f"{solution.status.value}{note}"


def shown_lines(solution: Solution) -> list[str]:
    """What the values shown are, where the method stopped on the way: nobody should take them for an iterate."""
    if solution.status.reached or not solution.work:
        return []
    after = f"after {work_text(solution)}"
    if not math.isfinite(solution.bound):
        return [f"values: as they were {after}"]
    return [f"values: the middle of the proven interval {after}, not an iterate of the method"]


def header_text(solution: Solution) -> str:
    mdp = solution.mdp
    what = "" if solution.task == "control" else ", value of a policy"
    return f"{title(mdp)}: {problem_text(mdp)}, {plural(mdp.S, 'state')}; {solution.method}{what}"


def answer_text(
    solution: Solution, everything: bool = False, only: Sequence[int] | None = None, show_q: bool = False
) -> str:
    """Return the answer as it is printed: a header, the values (drawn as a grid where it is one), what is proven.

    `only` are the states that are shown; `show_q` shows the value of every action beside that of its state.
    """
    as_table = everything or only is not None or show_q
    body = grid_text(solution) if not as_table else None
    if body is None:
        body = values_table(solution, everything, only, show_q)
        # Where too few digits of the values fit into the cells, the policy may.
        policy = policy_grid(solution) if not as_table and solution.mdp.S > LONGEST else None
        body += f"\n\n{policy}" if policy else ""
    lines = [
        header_text(solution),
        "",
        body,
        "",
        start_text(solution),
        status_text(solution),
        *shown_lines(solution),
        bound_text(solution),
        policy_text(solution),
    ]
    return "\n".join(lines)


# -- a model -------------------------------------------------------------------------------------------------------


def model_text(mdp: MDP) -> list[str]:
    """What a model is, in a few lines; names from the file are escaped."""
    lines = [spelled(line) for line in str(mdp.replace(name="", source="")).split("\n")[1:]]
    source = [f"  source: {escape(mdp.source)}"] if mdp.source else []
    start = [f"  start: {_start_names(mdp)}"]
    return [title(mdp), *lines, *start, *source]


def _start_names(mdp: MDP) -> str:
    used = np.flatnonzero(starts(mdp))
    if not mdp.start_given:
        return "uniform over non-terminal states (the model gives none)"
    if len(used) == 1:
        return escape(mdp.states[int(used[0])])
    exact = mdp.exact.start if mdp.exact is not None else None
    shares = [(s, exact[s] if exact is not None else None) for s in used[:FEW].tolist()]
    shown = ", ".join(
        f"{escape(mdp.states[s])} {exact_or_decimal(p, float(mdp.start[s]))}" for s, p in shares
    )
    return shown + (f" and {len(used) - FEW} more" if len(used) > FEW else "")


def model_table(mdp: MDP, states: Sequence[int] | None = None, everything: bool = False) -> str:
    """Every outcome on a line: state, action, next state, probability, reward; head and tail of a long model."""
    if states is None:
        outcomes = rows_shown(mdp.K, everything, "outcomes")
        places_of = [(mdp_row(mdp, k), k) for k in outcomes.rows]
    else:
        rows = [i for s in states for i in mdp.rows(s)]
        all_of_them = [(i, k) for i in rows for k in range(int(mdp.row_ptr[i]), int(mdp.row_ptr[i + 1]))]
        outcomes = rows_shown(len(all_of_them), everything, "outcomes")
        places_of = [all_of_them[j] for j in outcomes.rows]
    exact = mdp.exact
    lines, before = [], (-1, -1)
    for i, k in places_of:
        s, a = mdp.state_of_row(i), int(mdp.pair_action[i])
        p = exact_or_decimal(exact.prob[k] if exact else None, float(mdp.prob[k]))
        if mdp.reward is not None:
            reward = exact_or_decimal(
                exact.reward[k] if exact and exact.reward is not None else None, float(mdp.reward[k])
            )
        else:
            reward = exact_or_decimal(exact.r[i] if exact and exact.r is not None else None, float(mdp.r[i]))
        lines.append(
            [
                escape(mdp.states[s]) if s != before[0] else "",
                escape(mdp.actions[a]) if (s, a) != before else "",
                escape(mdp.states[int(mdp.next_state[k])]),
                p,
                reward,
            ]
        )
        before = (s, a)
    for column in (3, 4):
        for line, padded in zip(lines, aligned(line[column] for line in lines), strict=True):
            line[column] = padded
    ends = [s for s in (states if states is not None else []) if mdp.terminal[s]]
    headers = ["state", "action", "next state", "probability", "cost" if mdp.sense == "min" else "reward"]
    text = table(headers, lines, left="state,action,next state", gaps=outcomes.gaps)
    parts = [text] if lines else []
    shown_ends = np.flatnonzero(mdp.terminal) if states is None else np.array(ends)
    if len(shown_ends):
        parts.append(f"terminal: {listed(mdp, shown_ends)}")
    if mdp.final_reward is not None:
        final = np.flatnonzero(mdp.final_reward)
        text = ", ".join(
            f"{escape(mdp.states[int(s)])} {general(float(mdp.final_reward[s]))}" for s in final[:LISTED]
        )
        parts.append(
            f"final reward: {text}" + (f" and {len(final) - LISTED} more" if len(final) > LISTED else "")
        )
    return "\n\n".join(parts)


def mdp_row(mdp: MDP, outcome: int) -> int:
    """The row that an outcome belongs to."""
    return int(np.searchsorted(mdp.row_ptr, outcome, side="right")) - 1
