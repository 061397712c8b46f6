"""The pictures of an answer by name, and the one that is drawn where none is named."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tabular_rl.analysis.comparison import Comparison, Curves, law_of
from tabular_rl.analysis.discounts import by_discount
from tabular_rl.analysis.iterates import Iterates
from tabular_rl.errors import OptionError, quoted
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.report.against import discount_curves, policy_curve, q_curve, value_curve, variable_of
from tabular_rl.report.blocks import Block, Curve, Lines, Series
from tabular_rl.report.curves import learning_picture, residuals_picture
from tabular_rl.report.maps import actions_map, model_map, q_map, q_table_map, short, times_maps, value_map
from tabular_rl.report.network import FEW_NODES, answer_graph, model_graph
from tabular_rl.report.subject import Subject, layout_of, subject_of, subject_of_policy
from tabular_rl.report.words import problem_text, title
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.solution import Solution

Views = Mapping[str, Callable[[], list[Block]]]
ROWS, COLUMNS = 40, 10  # states of a table of q, and actions of curves
BOTH = "values, and the actions that are taken"
MOST_CELLS = 400  # of a map in a notebook
MOST_CURVES = 12  # states whose iterates are drawn


def picture_of(mdp: MDP, views: Views, what: str, said: str = "") -> list[Block]:
    """Return the picture of this name, or the first, under a line with the model.

    Parameters
    ----------
    mdp : the model
    views : the pictures by name
    what : the one that is drawn, "" for the first
    said : what else the line says

    Returns
    -------
    The line, and the blocks that are drawn side by side.

    Raises
    ------
    OptionError : there is no such picture
    """
    if what and what not in views:
        raise OptionError(f"--draw: found {quoted(what)}, expected one of {', '.join(views)} for this answer")
    found = views[what or next(iter(views))]()
    return [Lines([f"{title(mdp)}: {problem_text(mdp)}{said}"]), *found]


def solution_picture(answer: Solution, what: str = "") -> list[Block]:
    """The picture of a solution: a map where it has a layout, curves against a state variable, or a graph."""
    views: dict[str, Callable[[], list[Block]]] = {
        "values": lambda: _values(answer),
        "policy": lambda: _policy(subject_of(answer), answer),
        "q": lambda: _q(answer),
        "graph": lambda: [answer_graph(subject_of(answer), BOTH)],
        "gamma": lambda: _against_discount(answer),
        "residual": lambda: [residual_curve(answer)],
    }
    if answer.policy is None:
        del views["policy"]
    of = "" if answer.task == "control" else ", value of a policy"
    return picture_of(answer.mdp, views, what, f"; {answer.method}{of}")


def learned_picture(learned: Learned, what: str = "") -> list[Block]:
    """The picture of what was learned: curves with what is expected of them, or values beside the exact ones."""
    views: dict[str, Callable[[], list[Block]]] = {}
    if learned.reference is not None and learned.curve is not None:
        views["errors"] = lambda: learning_picture(_compared(learned))
        views["start"] = lambda: learning_picture(_compared(learned))[1:]
    views |= {
        "values": lambda: _values(learned),
        "policy": lambda: _policy(subject_of(learned), learned),
        "q": lambda: _q(learned),
        "graph": lambda: [
            answer_graph(subject_of(learned), "learned values, and the actions that are taken")
        ],
    }
    if learned.policy is None:
        del views["policy"]
    return picture_of(learned.mdp, views, what, f"; {learned.method}")


def comparison_picture(found: Comparison, what: str = "") -> list[Block]:
    """The picture of a comparison: the curves of learners; of methods that plan, how their residuals fall."""
    views: dict[str, Callable[[], list[Block]]] = {}
    if found.curves:
        views |= {"errors": lambda: learning_picture(found), "start": lambda: learning_picture(found)[1:]}
    if found.rows:
        views["residual"] = lambda: residuals_picture(found)
    return picture_of(found.reference.mdp, views, what)


def iterates_picture(found: Iterates, states: Sequence[int] | None = None, what: str = "") -> list[Block]:
    """Return the picture of iterates: values step by step, or the largest change of each step.

    Parameters
    ----------
    found : the iterates
    states : those that are drawn, by index; the first ones without
    what : "values" or "residual"

    Returns
    -------
    A line with the model, and the curve.
    """
    by_time = found.method == "backward-induction"
    name = "time" if by_time else "improvements" if found.method == "policy-iteration" else "sweeps"
    steps = np.array([step.k for step in found])
    values = np.stack([step.v for step in found])

    def curves() -> list[Block]:
        live = np.flatnonzero(~found.mdp.terminal)
        chosen = live[:MOST_CURVES].tolist() if states is None else states
        series = [
            Series(short(found.mdp.states[s]), steps, values[:, s], at, "steps")
            for at, s in enumerate(chosen)
        ]
        left = f", of the first {len(chosen)} states" if states is None and len(live) > len(chosen) else ""
        return [Curve(f"values step by step{left}", name, found.mdp.problem.value, series)]

    def changes() -> list[Block]:
        change = np.abs(np.diff(values, axis=0)).max(axis=1)
        return [
            Curve(
                "largest change of a value", name, "change", [Series("", steps[1:], change, 0, "steps")], "y"
            )
        ]

    return picture_of(found.mdp, {"values": curves, "residual": changes}, what, f"; {found.method}")


def _compared(learned: Learned) -> Comparison:
    """One learner as a comparison: its curves, with what is expected of them where that is known."""
    assert learned.reference is not None
    return Comparison(learned.reference, (), (Curves(learned.method, learned, None, law_of(learned)),))


def model_picture(mdp: MDP, what: str = "") -> list[Block]:
    """The picture of a model itself: its map, or its graph."""
    views: dict[str, Callable[[], list[Block]]] = {"graph": lambda: [model_graph(mdp)]}
    found = model_map(mdp)
    if found is not None:
        views = {"map": lambda: [found], **views}
    return picture_of(mdp, views, what)


def policy_picture(policy: Policy, what: str = "") -> list[Block]:
    """The picture of a policy alone."""

    def drawn() -> list[Block]:
        if policy.timed and policy.deterministic:
            return [actions_map(policy.mdp, [policy.at(t).rows for t in range(len(policy.weights))])]
        return _policy(subject_of_policy(policy), None)

    at = " at the first decision" if policy.timed and not policy.deterministic else ""
    return picture_of(policy.mdp, {"policy": drawn}, what, f"; a policy{at}")


def _values(answer: Solution) -> list[Block]:
    """Values, with the policy where there is one."""
    subject, mdp = subject_of(answer), answer.mdp
    if answer.v.ndim == 2:
        return list(times_maps(answer))
    drawn = value_map(subject, BOTH if answer.policy is not None else "values")
    if drawn is not None:
        return [drawn]
    named = variable_of(subject)[2]
    if named and mdp.S <= FEW_NODES:
        return [answer_graph(subject, BOTH)]
    curves: list[Block] = [value_curve(answer, subject)]
    return [*curves, policy_curve(subject)] if answer.policy is not None and mdp.A > 1 else curves


def _policy(subject: Subject, answer: Solution | None) -> list[Block]:
    """The policy alone: arrows, the actions of each time step, or actions against a state variable."""
    if answer is not None and answer.v.ndim == 2:
        return list(times_maps(answer, few=0)[1:]) or list(times_maps(answer))
    drawn = value_map(subject, "the actions that are taken", numbers=False)
    return [policy_curve(subject) if drawn is None else drawn]


def _q(answer: Solution) -> list[Block]:
    """q as triangles, as a table, or as curves."""
    subject = subject_of(answer)
    at = " at the first decision" if answer.v.ndim == 2 else ""
    triangles = q_map(subject, f"value of each action{at}; framed: the best")
    if triangles is not None:
        return [triangles]
    used = len(np.unique(answer.mdp.pair_action))
    if int((~answer.mdp.terminal).sum()) <= ROWS or used > COLUMNS:
        return [q_table_map(subject, f"value of each action{at}; framed: the best")]
    return [q_curve(subject)]


def shown_maps(answer: Solution) -> list[Block]:
    """The maps that a notebook shows in place of a table: of a layout, or of states and times, where these are few."""
    layout = layout_of(answer.mdp)
    if answer.v.ndim == 2:
        return list(times_maps(answer)) if answer.v.size <= MOST_CELLS else []
    if layout is None or layout.rows * layout.columns > MOST_CELLS:
        return []
    found = value_map(subject_of(answer), BOTH if answer.policy is not None else "values")
    return [] if found is None else [found]


def _against_discount(answer: Solution) -> list[Block]:
    """Values against the discount, and the best actions."""
    control = answer.task == "control"
    return list(discount_curves(by_discount(answer.mdp, None if control else answer.policy), control))


def residual_curve(answer: Solution) -> Curve:
    """How the largest change of a value falls from sweep to sweep.

    Raises
    ------
    OptionError : the method has no sweeps that it counts
    """
    if not answer.history:
        raise OptionError(f"--draw: {answer.method} has no residuals, expected --method value-iteration, say")
    work, residuals = np.array(answer.history, dtype=np.float64).reshape(-1, 2).T
    unit = "sweeps" if "sweeps" in answer.work else list(answer.work)[-1]
    name = f"largest change of a value in {'a sweep' if unit == 'sweeps' else 'a step'}"
    return Curve(name, unit, "residual", [Series("", work, residuals, 0, "dot")], "y")
