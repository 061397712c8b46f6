"""Graphs: the states and actions of a model, with values and policy."""

from __future__ import annotations

import numpy as np

from tabular_rl.errors import OptionError
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import general
from tabular_rl.report.blocks import NOTHING, TERMINAL, VALUE, Edge, Graph
from tabular_rl.report.maps import bar_of, short
from tabular_rl.report.page.placement import placed
from tabular_rl.report.subject import Subject
from tabular_rl.report.words import action_of
from tabular_rl.solving.solution import Floats

FEW_NODES = 24  # states up to which an answer is drawn as a graph by itself
MOST_NODES = 500  # states of a graph
LABELLED = 60  # pairs up to which edges have texts
APART, NEAR, DENSE = (
    2.6,
    1.7,
    1.2,
)  # the least distance of two states: with dots, with texts alone, without either
OUT = 0.9  # how far an action stands from its state
ASIDE = 0.32  # how far it is turned from where it leads: who comes the other way passes on the other side


def answer_graph(subject: Subject, title: str) -> Graph:
    """Return the graph of an answer: values as colours and numbers, the actions that are taken thick.

    Parameters
    ----------
    subject : what is drawn
    title : what it is called

    Raises
    ------
    OptionError : too many states
    """
    mdp = subject.mdp
    _check_size(mdp)
    v = np.full(mdp.S, np.nan) if subject.v is None else subject.v
    v = np.where(mdp.terminal, np.nan, v)
    texts = subject.texts(v)
    title = f"{title}; several thick: {subject.said}" if subject.said else title
    return _graph(mdp, title, v, texts, subject.weights, rewards=False)


def model_graph(mdp: MDP) -> Graph:
    """Return the graph of a model: states, actions as dots, and outcomes with their probabilities and rewards.

    Raises
    ------
    OptionError : too many states
    """
    _check_size(mdp)
    word = "cost" if mdp.sense == "min" else "reward"
    title = f"action, {word}; behind a dot probabilities" if mdp.L <= LABELLED else "transitions"
    return _graph(mdp, title, np.full(mdp.S, np.nan), [""] * mdp.S, np.zeros(mdp.L), rewards=True)


def _check_size(mdp: MDP) -> None:
    if mdp.S > MOST_NODES:
        raise OptionError(f"--draw: found {mdp.S} states, expected at most {MOST_NODES} for a graph")


def _graph(mdp: MDP, title: str, v: Floats, texts: list[str], weights: Floats, rewards: bool) -> Graph:
    """States where they are placed, and edges between them: through a dot an action where these are few."""
    fine = mdp.L <= LABELLED
    chance = fine and int(np.diff(mdp.row_ptr).max(initial=0)) > 1
    places = placed(mdp)
    places = places / _nearest(places) * (APART if chance else NEAR if fine else DENSE)
    kinds = np.where(mdp.terminal, TERMINAL, VALUE)
    names = [short(name, 12) for name in mdp.states]
    dots, said, edges = (_fine_edges if fine else _coarse_edges)(mdp, places, weights, rewards)
    count = len(said)
    return Graph(
        title, np.vstack([places, dots.reshape(-1, 2)]), names + said, texts + [""] * count,
        np.concatenate([v, np.full(count, np.nan)]), np.concatenate([kinds, np.full(count, NOTHING)]), edges,
        bar_of(mdp) if np.isfinite(v).any() else "", mdp.sense == "min",
    )  # fmt: skip


def _nearest(places: Floats) -> float:
    """The distance of the nearest two places; 1 where there is one."""
    gaps = np.linalg.norm(places[:, None] - places[None], axis=2) + np.diag(np.full(len(places), np.inf))
    least = float(gaps.min(initial=np.inf))
    return least if np.isfinite(least) and least > 0 else 1.0


def _coarse_edges(
    mdp: MDP, _places: Floats, weights: Floats, _rewards: bool
) -> tuple[Floats, list[str], list[Edge]]:
    """An edge for each two states of which one leads to the other; strong where an action that is drawn does."""
    row = np.repeat(np.arange(mdp.L), np.diff(mdp.row_ptr).astype(np.int64))
    live = mdp.prob > 0
    found: dict[tuple[int, int], tuple[float, bool]] = {}
    for i, s2, p in zip(
        row[live].tolist(), mdp.next_state[live].tolist(), mdp.prob[live].tolist(), strict=True
    ):
        key = (int(mdp.pair_state[i]), int(s2))
        strong = bool(weights[i] > 0)
        before = found.get(key, (0.0, False))
        found[key] = (max(before[0], p if strong or not before[1] else 0.0), before[1] or strong)
    return (
        np.zeros((0, 2)),
        [],
        [Edge(a, b, "", weight, strong) for (a, b), (weight, strong) in found.items()],
    )


def _fine_edges(
    mdp: MDP, places: Floats, weights: Floats, rewards: bool
) -> tuple[Floats, list[str], list[Edge]]:
    """A dot for each action of several outcomes; one of a single outcome is an edge that bears its name."""
    dots: list[Floats] = []
    said: list[str] = []
    edges: list[Edge] = []
    for s in range(mdp.S):
        rows = list(mdp.rows(s))
        merged = [_outcomes(mdp, i) for i in rows]
        angles = _angles([_middle(places, outcomes) - places[s] for outcomes in merged])
        for i, outcomes, angle in zip(rows, merged, angles, strict=True):
            strong = bool(weights[i] > 0)
            name = action_of(mdp, i)
            if rewards and mdp.r[i] != 0 and len({r for _, _, r in outcomes}) == 1:
                name += f", {general(outcomes[0][2], 3)}"
            if len(outcomes) == 1:
                edges.append(Edge(s, outcomes[0][0], name, 1.0, strong))
                continue
            dot = mdp.S + len(dots)
            dots.append(places[s] + OUT * np.array([np.cos(angle), np.sin(angle)]))
            said.append(name)
            edges.append(Edge(s, dot, "", 1.0, strong))
            various = rewards and len({r for _, _, r in outcomes}) > 1
            for s2, p, r in outcomes:
                text = general(p, 3) + (f", {general(r, 3)}" if various and r else "")
                edges.append(Edge(dot, s2, text, p, strong))
    return np.array(dots), said, edges


def _outcomes(mdp: MDP, row: int) -> list[tuple[int, float, float]]:
    """(next state, probability, reward) of a row, those of the same next state together."""
    found: dict[int, tuple[float, float]] = {}
    for k in range(int(mdp.row_ptr[row]), int(mdp.row_ptr[row + 1])):
        p = float(mdp.prob[k])
        if p > 0:
            s2 = int(mdp.next_state[k])
            reward = float(mdp.r[row] if mdp.reward is None else mdp.reward[k])
            before, paid = found.get(s2, (0.0, 0.0))
            found[s2] = (before + p, paid + p * reward)
    return [(s2, p, paid / p) for s2, (p, paid) in found.items()]


def _middle(places: Floats, outcomes: list[tuple[int, float, float]]) -> Floats:
    """The place that an action leads to in the mean."""
    return np.asarray(sum((p * places[s2] for s2, p, _ in outcomes), np.zeros(2)))


def _angles(ways: list[Floats]) -> list[float]:
    """The directions in which the actions of a state stand: where they lead, but never two in one direction."""
    least = min(0.7, 2 * np.pi / max(len(ways), 1))
    angles = [
        float(np.arctan2(way[1], way[0])) + ASIDE if np.linalg.norm(way) > 1e-9 else np.pi / 2 for way in ways
    ]
    order = sorted(range(len(ways)), key=lambda i: angles[i])
    for _ in range(20):
        for a, b in zip(order, order[1:] + order[:1], strict=True):
            gap = (angles[b] - angles[a]) % (2 * np.pi) if len(order) > 1 else np.pi
            gap = 0.0 if gap > 2 * np.pi - 1e-9 else gap
            if gap < least - 1e-9:
                angles[a] -= (least - gap) / 2
                angles[b] += (least - gap) / 2
    return angles
