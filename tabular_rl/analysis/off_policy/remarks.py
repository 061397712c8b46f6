"""What a reader has to know before trusting a number of an off-policy evaluation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tabular_rl.analysis.off_policy.bounds import OVERFLOW, Known, contradiction, lacking
from tabular_rl.analysis.off_policy.episodes import Episodes, decided
from tabular_rl.analysis.off_policy.estimators import MODELLED
from tabular_rl.errors import escape

if TYPE_CHECKING:
    from tabular_rl.analysis.ope import OffPolicy

FEW = 20  # episodes that the weights should be worth, at least
ROUNDED = 1e-3  # how far above 1 propensities may sum that were written with few digits
FLOW = 1e-12  # probability of unknown actions that is but rounding


def warnings_of(made: OffPolicy, e: Episodes, known: Known, text: str) -> list[str]:
    """Return the warnings of an evaluation.

    Parameters
    ----------
    made : what was found
    e, known : the log, and what is known apart from it
    text : the policy as a text, "" where it is none or there is a model

    Returns
    -------
    Sentences.
    """
    found = _of_behavior(made, e, known)
    if made.unknown > FLOW or math.isnan(made.unknown):
        found += _of_support(made, e)
    if not made.effective:
        found.append("effective sample size 0: no episode of the log is one that the policy could have made")
    elif made.effective < min(FEW, made.episodes):
        found.append(
            f"effective sample size {made.effective:.3g}: the weights of whole episodes are nearly all on a few; trust "
            "estimates with weights of whole episodes little"
        )
    if made.cut:
        found.append(
            f"cut off before their end: {made.cut} of {made.episodes} episodes; what came after counts 0 in importance "
            "sampling"
        )
    if text.rpartition(":")[2] in ("optimal", "greedy"):
        found.append("the policy is the best in the model of this very log: estimates of it are too good")
    nothing = [one.name for one in made.estimates if not math.isfinite(one.value)]
    large = [
        one.name
        for one in made.estimates
        if one.name in nothing and (one.why == OVERFLOW or math.isinf(one.value))
    ]
    if large:
        found.append(f"no estimate by {', '.join(large)}: {OVERFLOW}")
    nothing = [name for name in nothing if name not in large]
    if nothing:
        ends = any(name in MODELLED for name in nothing)
        why = "the policy does not end in the estimated model" if ends else "all weights are 0"
        found.append(f"no estimate by {', '.join(nothing)}: {why}")
    return found


def _of_behavior(made: OffPolicy, e: Episodes, known: Known) -> list[str]:
    """Where the log, its behaviour and its model do not go together."""
    found, b = _impossible(e), known.behavior
    wrong = contradiction(e, known) if made.known else ""
    if wrong:
        found.append(
            f"the log is not one of this model, whose exact value, bias and deviation are shown: {wrong}"
        )
    if b is None or made.behavior != "given":
        return found
    missing = lacking(made.policy, b)
    if missing:
        found.append(f"{missing}: importance sampling is biased")
    if e.propensity is not None:
        apart = np.abs(decided(b, e.t, e.row) - e.propensity) > 1e-6 * e.propensity
        if apart.any():
            found.append(
                f"the behaviour differs from the propensities of the log in {apart.mean():.2g} of the transitions; "
                "the policy is taken"
            )
    return found


def _impossible(e: Episodes) -> list[str]:
    """Propensities that no behaviour has in one state, unless it changed: least ones of its actions sum to above 1."""
    if e.propensity is None:
        return []
    mdp = e.mdp
    # With a horizon a behaviour may depend on the time.
    place = e.t * np.int64(mdp.L) + e.row if e.horizon is not None else e.row
    places, at = np.unique(place, return_inverse=True)
    least = np.full(len(places), np.inf)
    np.minimum.at(least, at, e.propensity)
    states, of = np.unique(places // mdp.L * mdp.S + mdp.pair_state[places % mdp.L], return_inverse=True)
    total = np.bincount(of, weights=least)
    if not (total > 1 + ROUNDED).any():
        return []
    worst = int(np.argmax(total))
    state = escape(mdp.states[int(states[worst]) % mdp.S])
    return [
        f"propensities of state {state} sum to {total[worst]:.4g} over its actions, expected 1 at most: these are not "
        "b(a|s) of a behaviour that stays the same"
    ]


def _of_support(made: OffPolicy, e: Episodes) -> list[str]:
    """What the policy does that the log knows nothing of."""
    mdp = made.mdp
    tried = np.zeros(mdp.L, dtype=bool)
    tried[e.row] = True
    left = np.zeros(mdp.S, dtype=bool)
    left[e.s] = True
    untried = np.atleast_2d(made.policy.takes).any(axis=0) & ~tried & left[mdp.pair_state]
    parts = []
    if untried.any():
        i = int(np.argmax(untried))
        pair = f"{escape(mdp.actions[int(mdp.pair_action[i])])} in {escape(mdp.states[mdp.state_of_row(i)])}"
        parts.append(f"takes actions that the log never has, such as {pair}")
    if e.open.any():
        s = int(np.argmax(e.open))
        parts.append(f"comes to states that the log never leaves, such as {escape(mdp.states[s])}")
    if not parts or math.isnan(made.unknown):
        return []
    return [f"support: the policy {' and '.join(parts)}; what follows counts 0 (discounted probability "
            f"{made.unknown:.3g} in the estimated model)"]  # fmt: skip
