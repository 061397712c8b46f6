"""Values and policy against one state variable: curves for models that are no map."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tabular_rl.analysis.discounts import Discounts
from tabular_rl.model.graph.search import starts
from tabular_rl.report.blocks import Curve, Series
from tabular_rl.report.maps import bar_of, short, states_named
from tabular_rl.report.subject import CLOSE, TIES, Subject, as_numbers
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.solution import Floats, Solution

FEW = 40  # points that have markers
MOST_POINTS = 20_000  # of a curve
FEW_STATES, MOST_STATES = 6, 16  # whose values, and whose actions, are drawn against the discount
SEEN = 2e-3  # of the spread of the values: a narrower interval is thinner than the line


def variable_of(subject: Subject) -> tuple[Floats, str, list[str]]:
    """The place of each state on an axis, what the axis is called, and the names of states along it.

    Where the names of the states are numbers, they are the places, and a terminal state that has another name has none;
    else states stand in the order of the model.
    """
    mdp = subject.mdp
    for states in (range(mdp.S), np.flatnonzero(~mdp.terminal).tolist()):
        numbers = as_numbers([mdp.states[s] for s in states])
        if numbers is not None:
            places = np.full(mdp.S, np.nan)
            places[states] = numbers
            return places, "state", []
    return np.arange(mdp.S, dtype=np.float64), "state", states_named(mdp, range(mdp.S))


def value_curve(answer: Solution, subject: Subject) -> Curve:
    """The values against the states: of a learner beside the exact ones, else within their interval if it is seen."""
    x, name, names = variable_of(subject)
    mdp, v = answer.mdp, np.asarray(subject.v)
    placed = np.isfinite(x)
    order = np.flatnonzero(placed & ~mdp.terminal)
    order = order[np.argsort(x[order], kind="stable")]
    every = _every(len(order))
    order = order[::every]
    ends = np.flatnonzero(placed & mdp.terminal)
    look = "marks" if names and len(x) > FEW else "dot" if len(x) <= FEW else "line"
    series = []
    if isinstance(answer, Learned):
        if answer.reference is not None:
            series.append(Series("exact", x[order], np.atleast_2d(answer.reference.v)[0][order], 1, "line"))
        series.append(Series("learned, the mean of the runs", x[order], v[order], 0, look))
    else:
        if answer.lower is not None and answer.upper is not None:
            lower, upper = np.atleast_2d(answer.lower)[0], np.atleast_2d(answer.upper)[0]
            seen = np.isfinite(lower + upper).all() and (upper - lower).max() > SEEN * float(np.ptp(v))
            if seen:
                band = np.stack([lower, v, upper], axis=1)[order]
                series.append(Series("proven interval", x[order], band, 0, "expected"))
        series.append(Series("value" if series or len(ends) else "", x[order], v[order], 0, look))
    if len(ends):
        series.append(Series("terminal", x[ends], v[ends], 1, "hollow"))
    return Curve("values" + _left_out(every), name, bar_of(mdp), series, x_names=names)


def _every(states: int) -> int:
    """Which states are drawn: all, or of very many each second, third ... one."""
    return max(1, -(-states // MOST_POINTS))


def _left_out(every: int) -> str:
    return f", one in {every} states" if every > 1 else ""


def policy_curve(subject: Subject) -> Curve:
    """The actions against the states: filled where they are taken, hollow where they are tied or one of several."""
    mdp = subject.mdp
    x, name, names = variable_of(subject)
    used = np.unique(mdp.pair_action).tolist()
    numbers = as_numbers([mdp.actions[a] for a in used])
    y = np.zeros(mdp.A)
    y[used] = np.arange(len(used)) if numbers is None else numbers
    every = _every(mdp.S)
    taken = subject.chosen[::every]
    taken = taken[taken >= 0]
    drawn = np.flatnonzero(subject.weights > 0)
    drawn = drawn[mdp.pair_state[drawn] % every == 0]
    others = np.setdiff1d(drawn, taken)
    series = []
    if len(others):
        label = {TIES: "as good", CLOSE: CLOSE}.get(subject.said, "taken at times")
        series.append(Series(label, x[mdp.pair_state[others]], y[mdp.pair_action[others]], 5, "hollow"))
    if len(taken):
        label = "taken" if len(others) else ""
        series.append(Series(label, x[mdp.pair_state[taken]], y[mdp.pair_action[taken]], 0, "marks"))
    y_names = [] if numbers is not None else [short(mdp.actions[a]) for a in used]
    return Curve("policy" + _left_out(every), name, "action", series, x_names=names, y_names=y_names)


def discount_curves(found: Discounts, control: bool) -> list[Curve]:
    """The values of some states against the discount, and the best actions where they change, for a best policy."""
    mdp, gamma = found.mdp, found.gamma
    live = np.flatnonzero(~mdp.terminal)
    first = (
        [s for s in np.flatnonzero(starts(mdp)).tolist() if not mdp.terminal[s]] if mdp.start_given else []
    )
    chosen = list(dict.fromkeys([*first, *live.tolist()]))[:FEW_STATES]
    series = [Series(short(mdp.states[s]), gamma, found.v[:, s], at, "line") for at, s in enumerate(chosen)]
    if len(found.changes):
        places = np.array(found.changes)
        series.append(Series("the best policy changes", places, np.zeros(len(places)), None, "upright"))
    left = f" of {len(chosen)} states" if len(live) > len(chosen) else ""
    curves = [Curve(f"values{left} against the discount", "γ", bar_of(mdp), series)]
    always = np.asarray(found.best.all(axis=0))
    listed = [s for s in live.tolist() if not always[list(mdp.rows(s))].any()][:MOST_STATES]
    if not control or not listed:
        said = "; one policy is best at each" if control and mdp.A > 1 else ""
        return [replace(curves[0], title=curves[0].title + said)]
    series = []
    used = np.unique(mdp.pair_action).tolist()
    for at, a in enumerate(used):
        aside = 0.3 * (at / max(len(used) - 1, 1) - 0.5)  # so that ties are seen
        points = [
            (gamma[k], y + aside)
            for y, s in enumerate(listed)
            for i in mdp.rows(s)
            if mdp.pair_action[i] == a
            for k in np.flatnonzero(found.best[:, i])
        ]
        if points:
            x, y = np.array(points).T
            series.append(Series(short(mdp.actions[a]), x, y, at, "marks"))
    series += [Series("", np.array(found.changes), np.zeros(len(found.changes)), None, "upright")]
    names = [short(mdp.states[s]) for s in listed]
    return [*curves, Curve("best actions where they change", "γ", "state", series, y_names=names)]


def q_curve(subject: Subject) -> Curve:
    """q of each action against the states."""
    mdp, q = subject.mdp, subject.q
    x, name, names = variable_of(subject)
    assert q is not None
    series = []
    for at, a in enumerate(np.unique(mdp.pair_action).tolist()):
        rows = np.flatnonzero(mdp.pair_action == a)
        places = x[mdp.pair_state[rows]]
        order = np.argsort(places, kind="stable")
        series.append(Series(short(mdp.actions[a]), places[order], q[rows][order], at, "dot"))
    return Curve("value of each action", name, "q", series, x_names=names)
