"""A small model out of a large one, and fresh numbers in the shape of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from tabular_rl.analysis.exercises.dice import Dice
from tabular_rl.analysis.exercises.small import Outcome, Policy, Row, Small, proper, uniform
from tabular_rl.errors import NotAnswerable
from tabular_rl.model.mdp import MDP

LARGEST = 100  # denominator of a number that is reckoned with by hand
ACTIONS = 4  # of a state, in a model that is taken as it is
PART_ACTIONS = 2  # in a part of a large model
OUTCOMES = 3  # of an action, in a part of a large model
WIDE = 4  # of an action, in a model that is taken as it is
LONG = 20  # outcomes of such a model
UNDISCOUNTED = 10  # steps at the worst reward that leaving a part costs at γ = 1
TERMINALS = 2  # that keep their names
TRIES = 30  # parts of a large model that are looked at
ELSEWHERE = "elsewhere"
GAMMAS = tuple(Fraction(n, d) for n, d in ((1, 2), (2, 3), (3, 4), (4, 5), (9, 10)))
MIXES = {  # probabilities of the outcomes of an action, and of the actions of a policy
    1: ("1",),
    2: ("1/2 1/2", "1/4 3/4", "3/4 1/4", "1/3 2/3", "2/3 1/3", "1/5 4/5", "2/5 3/5", "3/5 2/5", "4/5 1/5"),
    3: (
        "1/2 1/4 1/4",
        "1/4 1/2 1/4",
        "1/4 1/4 1/2",
        "1/3 1/3 1/3",
        "1/2 1/3 1/6",
        "3/5 1/5 1/5",
        "1/5 2/5 2/5",
    ),
    4: ("1/4 1/4 1/4 1/4", "2/5 1/5 1/5 1/5", "1/5 1/5 1/5 2/5"),
}


def mixed(dice: Dice, count: int) -> tuple[Fraction, ...]:
    """Positive probabilities with small denominators; of simple dice 2 or 4."""
    known = [tuple(map(Fraction, text.split())) for text in MIXES[count]]
    if dice.simple:
        known = [mix for mix in known if all(p.denominator in (1, 2, 4) for p in mix)]
    return dice.one_of(known)


def drawn_policy(small: Small, dice: Dice) -> Policy:
    """A policy that takes every action of a state with a positive probability."""
    return tuple(mixed(dice, len(rows)) for rows in small.rows)


@dataclass(frozen=True)
class Level:
    """How numbers are drawn.

    `own` are those of the model; `loose` has another reward for each row, and for those that are 0 too; `simple` has no
    denominators but 2 and 4.
    """

    own: bool = False
    loose: bool = False
    simple: bool = False


def drawn(small: Small, level: Level, dice: Dice) -> Small:
    """Return a model of the same shape with other numbers: states, actions, and what leads where are the same.

    Equal rewards stay equal, and each keeps its sign, unless the level is loose.

    Parameters
    ----------
    small, level : the model, and how its numbers are drawn
    dice : what is drawn

    Returns
    -------
    The model itself where its own numbers are wanted; leaving a part of a model is made dear in both.
    """
    if level.own:
        return _dear(small)
    known: dict[object, Fraction] = {}

    def reward(s: int, row: Row, r: Fraction) -> Fraction:
        key: object = (s, row.action, r) if level.loose else r
        if key not in known:
            sign = (r > 0) - (r < 0)
            if level.loose:
                size = dice.between(0, 9)
                known[key] = Fraction(size * (sign or dice.one_of((-1, 1, 1))))
            else:
                taken = set(known.values())
                left = [n for n in range(1, 10) if Fraction(n * sign) not in taken] or [9]
                known[key] = Fraction(sign * dice.one_of(left))
        return known[key]

    rows = []
    for s, actions in enumerate(small.rows):
        made = []
        for row in actions:
            probabilities = mixed(dice, len(row.outcomes))
            outcomes = tuple(
                (to, p, reward(s, row, r)) for p, (to, _, r) in zip(probabilities, row.outcomes, strict=True)
            )
            made.append(Row(row.action, outcomes))
        rows.append(tuple(made))
    gamma = small.gamma
    if 0 < gamma < 1 and (level.loose or gamma.denominator > 10):
        gamma = GAMMAS[0] if level.simple else dice.one_of(GAMMAS)
    return _dear(replace(small, rows=tuple(rows), gamma=gamma, final=None))


def _dear(small: Small) -> Small:
    """The model, where every step costs something and leaving would be the cheapest, with a price on that.

    Whoever leaves pays as if every later step were the worst one: γ r + γ² r + ... = γ r / (1 - γ).
    """
    if small.elsewhere is None or (small.loses() if small.costs else small.gains()):
        return small
    worst = max(abs(r) for rows in small.rows for row in rows for _, _, r in row.outcomes)
    price = worst * (UNDISCOUNTED if small.gamma == 1 else small.gamma / (1 - small.gamma))
    more = price if small.costs else -price
    rows = tuple(
        tuple(
            replace(
                row,
                outcomes=tuple(
                    (to, p, r + more if to == small.elsewhere else r) for to, p, r in row.outcomes
                ),
            )
            for row in actions
        )
        for actions in small.rows
    )
    return replace(small, rows=rows, leaving=price)


# -- a part of a model -------------------------------------------------------------------------------------------------


def small_of(mdp: MDP, whole: int, part: int, dice: Dice) -> Small:
    """Return a model as it is where it is small, else a part of it that can be reckoned by hand.

    Of a large model some states are chosen that lead to each other, with some of their actions. Whoever leaves them
    comes to a terminal state that stands for all the rest.

    Parameters
    ----------
    mdp : the model
    whole : how many states that are not terminal it may have to be taken as it is
    part : how many are taken of a larger one
    dice : what is drawn

    Returns
    -------
    Small, in fractions.

    Raises
    ------
    NotAnswerable : no state has an action
    """
    if mdp.L == 0:
        raise NotAnswerable(
            "exercise: found no state with an action, expected one: there is nothing to reckon"
        )
    live = np.flatnonzero(~mdp.terminal)
    if len(live) <= whole and _is_small(mdp):
        states = [int(s) for s in live]
        return _part(mdp, states, {s: list(mdp.rows(s)) for s in states}, WIDE, whole=True)
    best: tuple[int, Small] | None = None
    for _ in range(TRIES):
        states = sorted(_connected(mdp, int(live[dice.below(len(live))]), part, dice))
        rows = {s: dice.some(list(mdp.rows(s)), PART_ACTIONS) for s in states}
        small = _part(mdp, states, rows, OUTCOMES, whole=False)
        score = _score(small)
        if best is None or score > best[0]:
            best = score, small
    assert best is not None
    return best[1]


def _is_small(mdp: MDP) -> bool:
    """Whether actions, outcomes and terminal states are few."""
    return (
        mdp.K <= LONG
        and int(np.diff(mdp.pair_ptr).max()) <= ACTIONS
        and int(np.diff(mdp.row_ptr).max()) <= WIDE
        and int(np.count_nonzero(mdp.terminal)) <= TERMINALS
    )


def _successors(mdp: MDP, s: int) -> list[int]:
    """The states that a state may lead to, by any action."""
    rows = mdp.rows(s)
    return sorted({int(t) for t in mdp.next_state[mdp.row_ptr[rows.start] : mdp.row_ptr[rows.stop]]})


def _connected(mdp: MDP, first: int, most: int, dice: Dice) -> list[int]:
    """A state and some others, each of which one before leads to."""
    chosen = [first]
    while len(chosen) < most:
        open_to = [
            t for s in chosen for t in _successors(mdp, s)[:64] if not mdp.terminal[t] and t not in chosen
        ]
        if not open_to:
            break
        chosen.append(dice.one_of(open_to))
    return chosen


def _score(small: Small) -> int:
    """How well a part makes an exercise: many states, with choices, that lead to each other or to an end."""
    score = 100 * small.live + 10 * sum(map(len, small.rows))
    for rows in small.rows:
        for row in rows:
            score += sum(
                -1 if to == small.elsewhere else 2 if to >= small.live else 1 for to, _, _ in row.outcomes
            )
    if small.gamma == 1 and not proper(small, uniform(small)):
        score -= 1000
    return score


def _part(mdp: MDP, states: list[int], rows: dict[int, list[int]], widest: int, whole: bool) -> Small:
    """Some rows of some states of a model."""
    place = {s: at for at, s in enumerate(states)}
    reached = {to for s in states for i in rows[s] for to, p, _ in mdp.rational_outcomes(i) if p}
    ends = sorted(t for t in reached if mdp.terminal[t])
    if whole:
        ends = [int(s) for s in np.flatnonzero(mdp.terminal)]
    place |= {t: len(states) + at for at, t in enumerate(ends[:TERMINALS])}
    names = [mdp.states[s] for s in place]
    rest = len(place)
    faithful = True
    made = []
    for s in states:
        actions = []
        for i in rows[s]:
            merged: dict[tuple[int, Fraction], Fraction] = {}
            for to, p, r in mdp.rational_outcomes(i):
                if p:
                    key = place.get(to, rest), r
                    merged[key] = merged.get(key, Fraction(0)) + p
            outcomes: list[Outcome] = [(to, p, r) for (to, r), p in merged.items()]
            if len(outcomes) > widest:
                outcomes = sorted(sorted(outcomes, key=lambda x: -x[1])[:widest])
                faithful = False
            total = sum(p for _, p, _ in outcomes)
            actions.append(
                Row(mdp.actions[int(mdp.pair_action[i])], tuple((to, p / total, r) for to, p, r in outcomes))
            )
        made.append(tuple(actions))
    leaves = any(to == rest for actions in made for row in actions for to, _, _ in row.outcomes)
    if leaves:
        names.append(_free(ELSEWHERE, names))
    final = None
    if mdp.final_reward is not None and whole:
        final = tuple(_final(mdp, s) for s in states)
        faithful = faithful and not any(_final(mdp, t) for t in ends)
    return Small(
        tuple(names), tuple(made), mdp.gamma_exact, mdp.sense == "min", mdp.horizon, mdp.name or mdp.origin,
        None if whole else mdp.S, rest if leaves else None, faithful, final,
    )  # fmt: skip


def _final(mdp: MDP, s: int) -> Fraction:
    """The reward after the last decision."""
    assert mdp.final_reward is not None
    known = mdp.exact.final_reward if mdp.exact is not None else None
    return Fraction(float(mdp.final_reward[s])) if known is None else Fraction(known[s])


def _free(name: str, taken: Sequence[str]) -> str:
    """A name that is not taken."""
    while name in taken:
        name += "'"
    return name


# -- what happens in it ------------------------------------------------------------------------------------------------

Step = tuple[int, int, int]  # a state, the place of an action among its rows, the place of an outcome


def walk(small: Small, length: int, dice: Dice, choices: bool = False, moves: bool = False) -> list[Step]:
    """Return some steps from a state on, fewer where they end in a terminal state.

    Of many walks the first is taken that has the length, does not leave the part of the model and, where asked for,
    has a choice in every state.

    Parameters
    ----------
    small, dice : the model, and what is drawn
    length : how many steps
    choices : states with two or more actions are wanted
    moves : the first step should lead to another state

    Returns
    -------
    The steps.
    """
    best: tuple[int, list[Step]] = (-100, [])
    for _ in range(200):
        steps: list[Step] = []
        s, score = dice.below(small.live), 0
        while len(steps) < length and s < small.live:
            a = dice.below(len(small.rows[s]))
            outcomes = small.rows[s][a].outcomes
            k = dice.below(len(outcomes))
            steps.append((s, a, k))
            s = outcomes[k][0]
            score += 1 - 4 * (s == small.elsewhere) + (len(small.rows[steps[-1][0]]) > 1) * 3 * choices
        score += 2 * len({(s, a) for s, a, _ in steps})
        score -= 5 * (moves and after(small, steps[0])[0] == steps[0][0])
        if score > best[0]:
            best = score, steps
        if score >= length * (3 + 3 * choices):
            break
    return best[1]


def after(small: Small, step: Step) -> tuple[int, Fraction]:
    """The next state and the reward of a step."""
    s, a, k = step
    to, _, r = small.rows[s][a].outcomes[k]
    return to, r
