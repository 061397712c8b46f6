"""Answers as maps: values with arrows, q as triangles, values by state and time, q by state and action."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tabular_rl.errors import escape
from tabular_rl.model.graph.search import starts
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import general
from tabular_rl.report.blocks import ELSEWHERE, TERMINAL, VALUE, WALL, Arrow, Map
from tabular_rl.report.subject import SIDES, Subject, layout_of, number_texts, subject_of, ways_of
from tabular_rl.solving.solution import Floats, Solution

MOST_ARROWS = 10_000  # states of a map with arrows
MOST_TIMES = 14  # columns with texts of two lines
NAME = 12  # letters of an action that stands in a cell


def value_map(subject: Subject, title: str, numbers: bool = True) -> Map | None:
    """Return values in the places of their cells, with arrows or names for the actions.

    Parameters
    ----------
    subject : what is drawn
    title : what it is called
    numbers : whether values stand in the cells

    Returns
    -------
    The map; None where there is no layout.
    """
    mdp = subject.mdp
    layout = layout_of(mdp)
    if layout is None:
        return None
    cells, shape = layout.cells(mdp.S), (layout.rows, layout.columns)
    v = np.full(mdp.S, np.nan) if subject.v is None else subject.v
    numbers &= mdp.S <= MOST_ARROWS
    texts = subject.texts(v) if numbers else [""] * mdp.S
    texts = [
        ""
        if mdp.terminal[s]
        else "?"
        if numbers and subject.v is not None and not np.isfinite(v[s])
        else texts[s]
        for s in range(mdp.S)
    ]
    arrows, named = _arrows(subject, cells, layout.columns) if mdp.S <= MOST_ARROWS else ([], {})
    for s, text in named.items():
        texts[s] = "\n".join(filter(None, (texts[s], text)))
    values = np.full(layout.rows * layout.columns, np.nan)
    values[cells] = np.where(mdp.terminal, np.nan, v)
    filled = np.full(layout.rows * layout.columns, "", dtype=object)
    filled[cells] = texts
    title = title if mdp.S <= MOST_ARROWS else "values"
    said = f"{title}; several arrows: {subject.said}" if subject.said and (arrows or named) else title
    return Map(
        said, values.reshape(shape), filled.reshape(shape).tolist(), bar_of(mdp), _kinds(mdp), arrows,
        notes=_notes(mdp), down=mdp.sense == "min",
    )  # fmt: skip


def bar_of(mdp: MDP) -> str:
    """What the colours of values mean."""
    return "expected cost" if mdp.sense == "min" else mdp.problem.value


def _kinds(mdp: MDP) -> np.ndarray:
    """What each cell of a layout is."""
    layout = mdp.layout
    assert layout is not None
    kinds = np.full(layout.rows * layout.columns, WALL)
    kinds[list(layout.elsewhere)] = ELSEWHERE
    kinds[layout.cells(mdp.S)] = np.where(mdp.terminal, TERMINAL, VALUE)
    return kinds.reshape(layout.rows, layout.columns)


def _notes(mdp: MDP) -> dict[tuple[int, int], str]:
    """Where a model starts, if it says so and the states are few."""
    layout, used = mdp.layout, np.flatnonzero(starts(mdp))
    if layout is None or not mdp.start_given or len(used) > 4:
        return {}
    cells = layout.cells(mdp.S)
    return {divmod(int(cells[s]), layout.columns): "start" for s in used}


def _arrows(subject: Subject, cells: np.ndarray, columns: int) -> tuple[list[Arrow], dict[int, str]]:
    """The arrows of all states, and the names of actions where one of the model's has no direction."""
    mdp, ways = subject.mdp, ways_of(subject.mdp)
    drawn = np.flatnonzero(subject.weights > 0)
    if any(ways[int(mdp.pair_action[i])] is None for i in drawn):
        texts = {s: subject.action_text(s) for s in range(mdp.S) if not mdp.terminal[s]}
        return [], {
            s: text if len(text) <= NAME else text[: NAME - 1] + "…" for s, text in texts.items() if text
        }
    most = np.zeros(mdp.S)
    np.maximum.at(most, mdp.pair_state, subject.weights)
    arrows = []
    for i in drawn.tolist():
        s = int(mdp.pair_state[i])
        row, column = divmod(int(cells[s]), columns)
        dx, dy = ways[int(mdp.pair_action[i])] or (0.0, 0.0)
        arrows.append(Arrow(row, column, dx, dy, float(subject.weights[i] / most[s])))
    return arrows, {}


def q_map(subject: Subject, title: str) -> Map | None:
    """Return q as triangles of cells, the best of each state framed; None where actions are not the four directions."""
    mdp = subject.mdp
    layout, ways = layout_of(mdp), ways_of(mdp)
    if layout is None or subject.q is None or not set(ways) <= set(SIDES) or len(set(ways)) != len(ways):
        return None
    shape = (layout.rows, layout.columns, 4)
    cells = layout.cells(mdp.S)
    values, framed = (
        np.full((layout.rows * layout.columns, 4), np.nan),
        np.zeros(shape, dtype=bool).reshape(-1, 4),
    )
    texts = np.full(values.shape, "", dtype=object)
    side = np.array([SIDES.index(way) for way in ways])[mdp.pair_action]
    at = cells[mdp.pair_state], side
    values[at], framed[at], texts[at] = subject.q, _best(subject), subject.texts(subject.q)
    return Map(
        title, values.reshape(shape), texts.reshape(shape).tolist(), bar_of(mdp), _kinds(mdp),
        framed=framed.reshape(shape), down=mdp.sense == "min",
    )  # fmt: skip


def _best(subject: Subject) -> np.ndarray:
    """(L,) the actions that are drawn as best: those that a policy takes with the largest weight of their state."""
    mdp, most = subject.mdp, np.zeros(subject.mdp.S)
    np.maximum.at(most, mdp.pair_state, subject.weights)
    return np.asarray((subject.weights > 0) & (subject.weights == most[mdp.pair_state]))


def q_table_map(subject: Subject, title: str) -> Map:
    """Return q as a table of states and actions, the best of each state framed."""
    mdp = subject.mdp
    assert subject.q is not None
    live = np.flatnonzero(~mdp.terminal)
    used = np.unique(mdp.pair_action)
    values = mdp.table(subject.q, np.nan)[np.ix_(live, used)]
    framed = mdp.table(_best(subject), False)[np.ix_(live, used)]
    texts = np.array(subject.texts(values.ravel()), dtype=object).reshape(values.shape).tolist()
    names = [short(mdp.states[int(s)]) for s in live]
    return Map(
        title, values, texts, bar_of(mdp).replace("value", "q"), framed=framed, rows=names,
        columns=[short(mdp.actions[int(a)]) for a in used], down=mdp.sense == "min",
    )  # fmt: skip


def short(name: str, most: int = 20) -> str:
    """A name for a picture, cut where it is long."""
    name = escape(name)
    return name if len(name) <= most else name[: most - 1] + "…"


def times_maps(answer: Solution, few: int = 400) -> list[Map]:
    """Return the values and actions of a finite horizon by state and time; of many, the actions in a map of their own.

    Parameters
    ----------
    answer : for a finite horizon
    few : cells up to which values and actions share one map, where times are not too many
    """
    mdp, T = answer.mdp, answer.mdp.horizon or 0
    subjects = [subject_of(answer, t) for t in range(T)]
    v = answer.v.T
    texts = np.array(number_texts(v.ravel(), answer.bound, subjects[0].decimals), dtype=object).reshape(
        v.shape
    )
    names, columns = [short(name) for name in mdp.states], [f"t = {t}" for t in range(T + 1)]
    shared = v.size <= few and T < MOST_TIMES
    if shared:
        for t, subject in enumerate(subjects):
            for s in range(mdp.S):
                texts[s, t] = "\n".join(filter(None, (texts[s, t], short(subject.action_text(s), NAME + 8))))
    what = "values, and the actions that are taken" if shared else "values"
    down = mdp.sense == "min"
    maps = [Map(what, v, texts.tolist(), bar_of(mdp), rows=names, columns=columns, down=down)]
    if not shared and any((x.chosen >= 0).any() for x in subjects):
        maps.append(actions_map(mdp, [x.chosen for x in subjects]))
    return maps


def actions_map(mdp: MDP, chosen: Sequence[Any]) -> Map:
    """Return the actions of a policy by state and time, coloured by their number; `chosen` has rows (S,) by time."""
    rows = np.stack(chosen, axis=1)
    action = np.where(rows >= 0, mdp.pair_action[rows], -1)
    named = [["" if a < 0 else short(mdp.actions[a]) for a in line] for line in action.tolist()]
    names, columns = [short(name) for name in mdp.states], [f"t = {t}" for t in range(len(chosen))]
    values = np.where(rows >= 0, action, np.nan)
    return Map(
        "the actions that are taken", values, named, "number of the action", rows=names, columns=columns
    )


def model_map(mdp: MDP) -> Map | None:
    """Return the map of a model: its walls, ends and start, and what it pays to enter a cell, where that is one number.

    None where there is no layout.
    """
    layout = layout_of(mdp)
    if layout is None:
        return None
    reward, usual = _entry_rewards(mdp)
    cells, size = layout.cells(mdp.S), layout.rows * layout.columns
    values, texts = np.full(size, np.nan), np.full(size, "", dtype=object)
    known = np.isfinite(reward)
    values[cells] = np.where(mdp.terminal, np.nan, reward)
    texts[cells] = [
        f"{general(x, 3)}" if k and x != usual else "" for x, k in zip(reward, known, strict=True)
    ]
    word = "cost" if mdp.sense == "min" else "reward"
    title = f"numbers: the {word} of entering a cell" if any(texts) else "cells"
    if usual is not None:
        number = general(usual, 3)
        title += f"; {number} where there is none" if any(texts) else f"; every move: {word} {number}"
    shape = (layout.rows, layout.columns)
    colour = np.unique(values[np.isfinite(values)]).size > 1
    shown = values if colour else np.full(size, np.nan)
    return Map(
        title, shown.reshape(shape), texts.reshape(shape).tolist(), f"{word} of entering" if colour else "",
        _kinds(mdp), notes=_notes(mdp), down=mdp.sense == "min",
    )  # fmt: skip


def _entry_rewards(mdp: MDP) -> tuple[Floats, float | None]:
    """What each state pays whoever enters it from another one, NaN where that varies; and the usual number."""
    row = np.repeat(np.arange(mdp.L), np.diff(mdp.row_ptr).astype(np.int64))
    reward = mdp.r[row] if mdp.reward is None else mdp.reward
    counts = (mdp.prob > 0) & (mdp.pair_state[row] != mdp.next_state)
    low, high = np.full(mdp.S, np.inf), np.full(mdp.S, -np.inf)
    np.minimum.at(low, mdp.next_state[counts], reward[counts])
    np.maximum.at(high, mdp.next_state[counts], reward[counts])
    one = np.where(low == high, low, np.nan)
    numbers, how_often = np.unique(one[np.isfinite(one)], return_counts=True)
    usual = float(numbers[how_often.argmax()]) if len(numbers) and how_often.max() > 1 else None
    return one, usual


def states_named(mdp: MDP, states: Sequence[int]) -> list[str]:
    """Names of states for the axis of a picture."""
    return [short(mdp.states[s]) for s in states]
