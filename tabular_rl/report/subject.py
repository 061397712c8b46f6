"""What pictures show of any answer: values, q, and the actions that are drawn, at one time step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tabular_rl.model.layout import Layout
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import general, places, sampled_places, shown
from tabular_rl.model.policy import Policy
from tabular_rl.report.screen import ARROWS
from tabular_rl.report.words import action_of
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.solution import Floats, Solution, Status

DIGITS = 4  # significant digits that the largest value and the spread of the values keep in a picture
LETTERS = 7  # of a number
WAYS = {
    "↑": (0.0, -1.0), "↓": (0.0, 1.0), "←": (-1.0, 0.0), "→": (1.0, 0.0), "•": (0.0, 0.0),
    "↖": (-1.0, -1.0), "↗": (1.0, -1.0), "↙": (-1.0, 1.0), "↘": (1.0, 1.0),
}  # fmt: skip
TIES, CLOSE = "ties", "too close to tell apart"  # what several actions in a state mean
SIDES = ((0.0, -1.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0))  # of a cell, in the order of its triangles


@dataclass(frozen=True)
class Subject:
    """What is drawn of an answer at one time step.

    Parameters
    ----------
    mdp : its model
    v, q : (S,) and (L,), NaN where they are not known; None where there are none
    weights : (L,) how strongly each action is drawn, 0 for not at all: all actions that are tied alike
    chosen : (S,) the row that a deterministic policy takes, -1 where there is none
    bound : what values can be off by; inf where nothing is proven
    decimals : of learned values; None where the bound says how many
    said : what several actions in a state mean; "" where each state has one
    """

    mdp: MDP
    v: Floats | None
    q: Floats | None
    weights: Floats
    chosen: NDArray[np.int64]
    bound: float = math.inf
    decimals: int | None = None
    said: str = ""

    def texts(self, values: Floats) -> list[str]:
        """Numbers as texts of few letters, alike in their decimals; "" where there is none."""
        return number_texts(values, self.bound, self.decimals)

    def action_text(self, s: int) -> str:
        """The actions that are drawn in a state, the chosen one first."""
        rows = sorted((i for i in self.mdp.rows(s) if self.weights[i] > 0), key=lambda i: i != self.chosen[s])
        names = [action_of(self.mdp, i) for i in rows]
        return " = ".join(names[:3]) + (f" + {len(names) - 3} more" if len(names) > 3 else "")


def subject_of(answer: Solution, t: int = 0) -> Subject:
    """Return what is drawn of an answer at a time step, which is not looked at where there is no horizon."""
    mdp, timed = answer.mdp, answer.v.ndim == 2
    v, q = np.atleast_2d(answer.v)[t if timed else 0], np.atleast_2d(answer.q)
    q = q[min(t, len(q) - 1) if timed else 0]
    weights, chosen = _policy_parts(mdp, answer.policy, t)
    said = ""
    keep = answer.optimal_actions
    if answer.task == "control" and keep is not None and (chosen >= 0).any():
        weights = (keep[t] if keep.ndim == 2 else keep).astype(np.float64)
        said = TIES if answer.status is Status.EXACT else CLOSE
    elif answer.policy is not None and not answer.policy.deterministic:
        said = "the policy is random"
    if isinstance(answer, Learned):
        never = np.atleast_2d(answer.never_visited)[t if timed else 0]
        weights = np.where(never[mdp.pair_state], 0.0, weights)
    decimals = decimals_of(answer) if isinstance(answer, Learned) else None
    several = np.bincount(mdp.pair_state[weights > 0], minlength=mdp.S).max(initial=0) > 1
    return Subject(mdp, v, q, weights, chosen, answer.bound, decimals, said if several else "")


def subject_of_policy(policy: Policy, t: int = 0) -> Subject:
    """Return what is drawn of a policy alone."""
    weights, chosen = _policy_parts(policy.mdp, policy, t)
    said = "" if policy.deterministic else "the policy is random"
    return Subject(policy.mdp, None, None, weights, chosen, said=said)


def _policy_parts(mdp: MDP, policy: Policy | None, t: int) -> tuple[Floats, NDArray[np.int64]]:
    """The probability of each row at a time step (L,), and the row that each state takes (S,), -1 for none."""
    if policy is None:
        return np.zeros(mdp.L), np.full(mdp.S, -1, dtype=np.int64)
    now = policy.at(min(t, len(policy.weights) - 1)) if policy.timed else policy
    chosen = np.full(mdp.S, -1) if now.rows is None else now.rows
    return np.asarray(now.weights, dtype=np.float64), np.asarray(chosen, dtype=np.int64)


def number_texts(values: Floats, bound: float = math.inf, decimals: int | None = None) -> list[str]:
    """Return numbers as short texts.

    Parameters
    ----------
    values : the numbers (n,)
    bound : what they can be off by, inf where nothing is proven
    decimals : how many they may have, in place of what the bound says

    Returns
    -------
    Texts that are alike in their decimals and have none that is not proven; "" for NaN.

    Examples
    --------
    >>> number_texts(np.array([-13.0, 0.5, np.nan]), 1e-9), number_texts(np.array([21.97749, 3.0]), 1e-9)
    (['-13.0', '0.5', ''], ['21.98', '3.00'])
    """
    known = values[np.isfinite(values)]
    sizes = [float(np.abs(known).max(initial=0.0)), float(np.ptp(known)) if known.size else 0.0]
    most = places(bound, 1e-6, sizes[0] or 1.0) if decimals is None else decimals
    if not math.isfinite(bound) and decimals is None:
        most = 12
    wanted = [DIGITS - 1 - math.floor(math.log10(x)) for x in sizes if x > 0]
    kept = min(most, max(0, *wanted)) if wanted else 0

    def texts_with(places: int) -> list[str]:
        texts = [shown(float(x), places) if math.isfinite(x) else "" for x in values]
        while places > 0 and all(text.endswith("0") for text in texts if text):
            texts, places = [text[:-1].removesuffix(".") for text in texts], places - 1
        return texts

    while kept > 0 and max(map(len, texts_with(kept)), default=0) > LETTERS:
        kept -= 1
    texts = texts_with(kept)
    lost = sizes[0] > 0 and not any(float(text) for text in texts if text not in ("", "?"))
    if lost or max(map(len, texts), default=0) > LETTERS + 1:
        texts = [general(float(x), 3) if math.isfinite(x) else "" for x in values]
    return texts


def decimals_of(learned: Learned) -> int:
    """As many decimals as show with two digits how far the values shown are from the exact ones."""
    values = [learned.v] if learned.reference is None else [learned.v, learned.reference.v]
    known = np.logical_and.reduce([np.isfinite(x) for x in values])
    error = float(np.max(np.abs(values[0] - values[-1])[known], initial=0.0))
    return sampled_places(error, max(float(np.max(np.abs(x[known]), initial=0.0)) for x in values))


# -- where states stand --------------------------------------------------------------------------------------------


def layout_of(mdp: MDP) -> Layout | None:
    """Return the layout of a model where it is a map with a cell for each state, and more than a line of cells."""
    layout = mdp.layout
    if layout is None or min(layout.rows, layout.columns) < 2 or len(np.unique(layout.cells(mdp.S))) != mdp.S:
        return None
    return layout


def ways_of(mdp: MDP) -> list[tuple[float, float] | None]:
    """Return where each action leads, to the right and down, by its name; None for one without a direction."""
    return [WAYS.get(ARROWS.get(name.lower(), "")) for name in mdp.actions]


def as_numbers(names: Sequence[str]) -> Floats | None:
    """Return names as numbers where each is one, and no two are the same.

    >>> as_numbers(["1", "2.5"]), as_numbers(["1", "one"]), as_numbers(["1", "1.0"])
    (array([1. , 2.5]), None, None)
    """
    try:
        numbers = np.array([float(name) for name in names])
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() and len(np.unique(numbers)) == len(numbers) else None
