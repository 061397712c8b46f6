"""One backup with its numbers: how the value of a state arises from those of its successors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from tabular_rl.analysis.iterates import iterates
from tabular_rl.analysis.update import ONE_STEP, Update, explain_update
from tabular_rl.errors import NoSuchName, NotAnswerable, OptionError, escape, quoted
from tabular_rl.methods.ask import RATIONAL_STATES, reference
from tabular_rl.methods.lookup import canonical
from tabular_rl.model import hooks
from tabular_rl.model.calls import public
from tabular_rl.model.mdp import MDP
from tabular_rl.model.names import few_text
from tabular_rl.model.policy import Policy

METHODS = ("value-iteration", "policy-iteration", "policy-evaluation")
Number = Any  # a Fraction where the model is small, else a float


@dataclass(frozen=True)
class Term:
    """One outcome of an action: p [ r + γ v(s') ] is its `product`."""

    next_state: int
    probability: Number
    reward: Number
    value: Number
    product: Number


@dataclass(frozen=True)
class Backup:
    """One action: its row, π(a|s) where a policy is evaluated, its outcomes, and their sum q(s,a)."""

    row: int
    share: Number | None
    terms: tuple[Term, ...]
    q: Number


@dataclass(frozen=True, eq=False)
class Explanation(hooks.Shown):
    """The backup of a state with its numbers, in the sign of the model.

    Parameters
    ----------
    mdp, state : the model, and the index of the state
    made, used : what is computed and what from, such as "V_2" and "V_1", or "v*" and "v*"
    source : what those values are, in words
    policy : the policy whose values they are, None for the best one
    actions : the backups of all its actions, or of the one that was asked for
    value : the value of the state that they make: the best, or the policy's mean; None where one action was asked for
    best : the rows that have it
    gap : how much better the best action is than the next one; None where there is no other
    """

    mdp: MDP
    state: int
    made: str
    used: str
    source: str
    policy: Policy | None
    actions: tuple[Backup, ...]
    value: Number | None
    best: tuple[int, ...]
    gap: Number | None

    def __str__(self) -> str:
        return str(hooks.text_of(self))

    def __repr__(self) -> str:
        value = "" if self.value is None else f" = {self.value}"
        return f"Explanation({self.made}({escape(self.mdp.states[self.state])}){value}, {len(self.actions)} actions)"


@public
def explain(
    mdp: MDP,
    state: Any = None,
    action: Any = None,
    *,
    sweep: int | None = None,
    time: int | None = None,
    policy: Any = None,
    method: Any = None,
    in_place: bool = False,
    start_from: Any = None,
    start_policy: Any = None,
    transition: Any = None,
    step: int | None = None,
    **learner: Any,
) -> Explanation | Update:
    """Return how the value of a state arises from its actions, their outcomes, and the values of the next states.

        v(s) = max_a q(s,a),  or with a policy  Σ_a π(a|s) q(s,a),      q(s,a) = Σ_s' p(s'|s,a) [ r(s,a,s') + γ v(s') ]

    Without a sweep the values are the solution, so that both sides are the same. Models of up to 100 states are
    reckoned in fractions. With a transition or a step it is one update of a learner, with the numbers that it made.

    Parameters
    ----------
    mdp : the model
    state, action : by name or index; without an action all of the state's
    sweep : k, to explain how V_k arises from V_{k-1}; of policy iteration, how π_k is found from the values of π_{k-1}
    time : t, of a model with a horizon, to explain how V_t arises from V_{t+1}; 0 without
    policy : explain its values; without, those of the best policy
    method : whose sweep it is: "value-iteration", "policy-iteration" or "policy-evaluation"
    in_place : of sweeps, whether each new value is used at once, states in the order of the model
    start_from, start_policy : where the sweeps begin, as in `iterates`, and the values that a learner starts with
    transition : (s, a, r, s'), with a' for SARSA, that the learner `method` (q-learning) learns from first of all
    step : n, to explain update n of a run of the learner
    learner : options of the learner, such as seed and step_size

    Returns
    -------
    Explanation, or of a learner Update, whose text is what the command `explain` prints.

    Raises
    ------
    OptionError : no such state or action, or options that do not belong together
    NotAnswerable : a time without a horizon, or a sweep with one

    Examples
    --------
    >>> from tabular_rl import MDP
    >>> moves = [("cool", "slow", "cool", 1, 1), ("cool", "fast", "cool", "1/2", 2), ("cool", "fast", "end", "1/2", 0)]
    >>> found = explain(MDP.from_outcomes(moves, "1/2", terminal=["end"]), "cool", sweep=2)      # V_1(cool) = 1
    >>> [str(a.q) for a in found.actions], str(found.value), found.best, str(found.gap)
    (['3/2', '5/4'], '3/2', (0,), '1/4')
    >>> model = found.mdp                                                          # Q-learning: 0 + 1/2 (1 + 0 - 0)
    >>> explain(model, transition=("cool", "slow", 1, "cool"), step_size=0.5).new
    0.5
    """
    if transition is not None or step is not None:
        of_values = {
            "state": state,
            "action": action,
            "sweep": sweep,
            "time": time,
            "start_policy": start_policy,
        }
        for name, x in {**of_values, "in_place": in_place or None}.items():
            if x is not None:
                raise OptionError(
                    f"explain: found {name} of values with an update of a learner, expected one of them"
                )
        learner |= {} if start_from is None else {"start_from": start_from}
        return explain_update(mdp, method or "q-learning", policy, transition, step, learner)
    if learner:
        raise OptionError(
            f"explain: found {next(iter(learner))} without a transition or a step, expected both"
        )
    if state is None:
        raise OptionError(
            f"explain: found no state, expected --state with one such as {few_text(mdp.states)}, or --transition or "
            "--step of a learner"
        )
    s = mdp.states.at(state, "state")
    pi = None if policy is None else Policy.of(mdp, policy)
    swept = {
        "method": method,
        "in_place": in_place or None,
        "start_from": start_from,
        "start_policy": start_policy,
    }
    if sweep is None:
        _check_without_sweep(swept)
    if time is not None and not mdp.problem.timed:
        raise NotAnswerable("explain: found a time, and the model has no horizon")
    if sweep is not None:
        if mdp.problem.timed:
            raise NotAnswerable("explain: found a sweep of a model with a horizon. Say a time instead")
        made, used, source, v = _of_sweep(mdp, s, sweep, pi, swept)
    else:
        made, used, source, v = _of_answer(mdp, time, pi)
        pi = pi.at(time or 0) if pi is not None and pi.timed else pi
    return _explained(mdp, s, action, pi, (made, used, source), v)


def _check_without_sweep(swept: dict[str, Any]) -> None:
    """Raise where options of sweeps are given without one: for a learner, an unknown method, or any other."""
    given = [name for name, x in swept.items() if x is not None]
    if not given:
        return
    if swept["method"] is not None and _name_of(swept["method"]) in ONE_STEP:
        learner = _name_of(swept["method"])
        raise OptionError(f"explain: {learner} learns, expected --step 1 or --transition, an update of it")
    if swept["method"] is not None:
        _checked(swept["method"])
    first = given[0]
    raise OptionError(
        f"explain: found {first} without a sweep, expected both: add --sweep 1, or leave {first} out for the solution"
    )


def _name_of(method: Any) -> str:
    return canonical(str(getattr(method, "name", method)))


def _checked(given: Any) -> str:
    """Return the name of a method that has sweeps; OptionError with those that there are."""
    method = _name_of(given)
    if method not in METHODS:
        raise OptionError(
            f"explain: found method {quoted(method)}, expected one of {', '.join(METHODS)} with --sweep, or one of "
            f"{', '.join(ONE_STEP)} with --step or --transition"
        )
    return method


def _of_sweep(
    mdp: MDP, s: int, sweep: Any, pi: Policy | None, options: dict[str, Any]
) -> tuple[str, str, str, Sequence[Number]]:
    """What sweep k makes of what, and the values that it backs up s from."""
    if isinstance(sweep, bool) or not isinstance(sweep, (int, np.integer)) or sweep < 1:
        raise OptionError(f"sweep: found {quoted(sweep)}, expected a whole number from 1")
    sweep = int(sweep)
    usual = "value-iteration" if pi is None else "policy-evaluation"
    method = _checked(options["method"] or usual)
    in_place, exact = bool(options["in_place"]), mdp.S <= RATIONAL_STATES
    steps = iterates(
        mdp, method, sweep if in_place else sweep - 1, policy=pi, exact=exact, in_place=in_place,
        start_from=options["start_from"], start_policy=options["start_policy"],
    )  # fmt: skip

    def values(k: int) -> Sequence[Number]:
        found: Sequence[Number] = steps[k].exact if exact else steps[k].v.tolist()
        return found

    if method == "policy-iteration":
        last = min(sweep - 1, len(steps) - 1)
        return f"T v_π{last}", f"v_π{last}", f"those of policy {last} of policy-iteration", values(last)
    if in_place:
        new, old = values(sweep), values(sweep - 1)
        source = f"{method} in place: new values of the states before, V_{sweep - 1} of the others"
        return f"V_{sweep}", "V", source, [*new[:s], *old[s:]]
    return f"V_{sweep}", f"V_{sweep - 1}", f"sweep {sweep} of {method}", values(sweep - 1)


def _of_answer(mdp: MDP, time: Any, pi: Policy | None) -> tuple[str, str, str, Sequence[Number]]:
    """What the solution makes of what: v of v, or V_t of V_{t+1}, and those values."""
    answer = reference(mdp, pi)
    name = "v*" if pi is None else "v_π"
    values = answer.exact if answer.exact is not None else answer.v.ravel().tolist()
    source = f"the solution, by {answer.method}"
    if not mdp.problem.timed:
        return name, name, source, values
    t, T = time or 0, mdp.horizon or 0
    if isinstance(t, bool) or not isinstance(t, (int, np.integer)) or not 0 <= t < T:
        raise OptionError(f"time: found {quoted(time)}, expected 0 to {T - 1}")
    return f"V_{t}", f"V_{t + 1}", source, values[(t + 1) * mdp.S : (t + 2) * mdp.S]


def _explained(
    mdp: MDP, s: int, action: Any, pi: Policy | None, words: tuple[str, str, str], v: Sequence[Number]
) -> Explanation:
    """The backups of a state from values v (S,), and what they make."""
    exact = bool(len(v)) and isinstance(v[0], Fraction)
    rows = list(mdp.rows(s))
    backups = [_backup(mdp, i, pi, v, exact) for i in rows]
    if action is not None:
        i = _row_of(mdp, s, action)
        return Explanation(mdp, s, *words, pi, (backups[rows.index(i)],), None, (), None)
    if not rows:
        return Explanation(mdp, s, *words, pi, (), Fraction(0) if exact else 0.0, (), None)
    qs = [b.q for b in backups]
    if pi is not None:
        shares = [b.share * b.q for b in backups if b.share]
        return Explanation(mdp, s, *words, pi, tuple(backups), sum(shares), (), None)
    best = max(qs) if mdp.sign > 0 else min(qs)
    tied = tuple(i for i, q in zip(rows, qs, strict=True) if q == best)
    others = [abs(best - q) for q in qs if q != best]
    gap = Fraction(0) if exact and len(tied) > 1 else 0.0 if len(tied) > 1 else min(others, default=None)
    return Explanation(mdp, s, *words, pi, tuple(backups), best, tied, gap)


def _row_of(mdp: MDP, s: int, action: Any) -> int:
    """The row of an action of a state; OptionError where it has none."""
    own = {int(mdp.pair_action[i]): int(i) for i in mdp.rows(s)}
    state, has = quoted(mdp.states[s]), few_text([mdp.actions[a] for a in own], 9) or "none"
    try:
        a = mdp.actions.at(action, "action")
    except NoSuchName as error:
        dot = "" if str(error).endswith("?") else "."
        raise NoSuchName(f"{error}{dot} State {state} has {has}.") from None
    if a not in own:
        raise OptionError(
            f"action: {quoted(mdp.actions[a])} is not available in state {state}, which has {has}"
        )
    return own[a]


def _backup(mdp: MDP, i: int, pi: Policy | None, v: Sequence[Number], exact: bool) -> Backup:
    """The outcomes of a row with their products, in fractions or in floats."""
    gamma = mdp.gamma_exact if exact else mdp.gamma
    if exact:
        outcomes: list[tuple[int, Number, Number]] = list(mdp.rational_outcomes(i))
    else:
        ks = slice(int(mdp.row_ptr[i]), int(mdp.row_ptr[i + 1]))
        p = mdp.prob[ks].tolist()
        reward = [float(mdp.r[i])] * len(p) if mdp.reward is None else mdp.reward[ks].tolist()
        outcomes = list(zip(mdp.next_state[ks].tolist(), p, reward, strict=True))
    terms = tuple(Term(to, p, r, v[to], p * (r + gamma * v[to])) for to, p, r in outcomes if p != 0)
    share = None if pi is None else (pi.rationals()[i] if exact else float(pi.weights[i]))
    return Backup(i, share, terms, sum(term.product for term in terms))
