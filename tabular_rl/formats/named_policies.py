"""The policies that `--policy` understands.

    uniform                       each available action equally often
    optimal, greedy               a best policy of the model: greedy by its optimal values
    FILE                          the policy of a policy or answer file; greedy by its values if it names no actions
    greedy:FILE                   greedy by the values of an answer file, whatever actions it names
    epsilon-greedy:E:POLICY       POLICY with probability 1 - E, else any action (E such as 0.1 or 1/3)
    action:NAME                   this action wherever it is available, elsewhere each action equally often

POLICY is again any of these. A file whose name begins like a keyword is written with its folder: ./uniform
"""

from __future__ import annotations

import os
from fractions import Fraction

import numpy as np

from tabular_rl.errors import OptionError, closest, path_text, quoted
from tabular_rl.formats.answers import read_answer
from tabular_rl.formats.input import near
from tabular_rl.formats.registry import ANSWERS
from tabular_rl.model import hooks
from tabular_rl.model.mdp import MDP
from tabular_rl.model.names import few_text
from tabular_rl.model.policy import Policy
from tabular_rl.model.rationals import RationalArray, fraction
from tabular_rl.solving.solution import Floats

KEYWORDS = ("uniform", "optimal", "greedy", "greedy:FILE", "epsilon-greedy:E:POLICY", "action:NAME")


def read_policy(text: str, mdp: MDP) -> Policy:
    """Return the policy that a text asks for.

    Parameters
    ----------
    text : see above
    mdp : the model that the policy is for

    Raises
    ------
    OptionError, ModelError : what was found and what was expected, with the file and line where it is in a file

    Examples
    --------
    >>> mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.9, actions=["left", "right"])
    >>> read_policy("epsilon-greedy:1/2:action:right", mdp)["0"]
    {'left': 0.25, 'right': 0.75}
    """
    keyword, colon, rest = text.partition(":")
    if text == "uniform":
        return Policy.uniform(mdp)
    if text in ("optimal", "greedy"):
        best: Policy = hooks.best_policy(mdp)
        return best
    if text in ("epsilon-greedy", "action", "") or (colon and not rest):
        raise OptionError(f"--policy: found {quoted(text)}, expected {', '.join(KEYWORDS)} or a FILE")
    made_of = {"greedy": _greedy, "epsilon-greedy": _epsilon_greedy, "action": _same_action}
    if colon and keyword in made_of:
        return made_of[keyword](mdp, rest)
    return _policy_of_file(mdp, text)


def _policy_of_file(mdp: MDP, text: str) -> Policy:
    """Return the policy of a policy or answer file."""
    if text != "-" and not os.path.exists(text):
        keyword, words = text.partition(":")[0], [known.partition(":")[0] for known in KEYWORDS]
        meant = "" if set(keyword) & set("./\\") else closest(keyword.lower(), words)
        if text in mdp.actions:
            meant = f"; did you mean {quoted('action:' + text)}?"
        way_out = meant or near(text, ANSWERS.suffixes) or "."
        raise OptionError(
            f"{path_text(text)}: no such file{way_out} Expected {', '.join(KEYWORDS)} or a FILE"
        )
    answer = read_answer(text, mdp, policy_only=True)
    if answer.policy is not None:
        return answer.policy
    assert answer.values is not None
    return _greedy_by(mdp, answer.values)


def _epsilon_greedy(mdp: MDP, text: str) -> Policy:
    """Return a policy that takes any action with probability epsilon: E:POLICY."""
    epsilon, _, policy = text.partition(":")
    try:
        share = fraction(epsilon)
    except ValueError:
        share = Fraction(-1)
    if not policy or not 0 <= share <= 1:
        raise OptionError(
            f"--policy: found {quoted(f'epsilon-greedy:{text}')}, expected epsilon-greedy:E:POLICY, with E from 0 to 1 "
            "and a policy that is followed otherwise, as in epsilon-greedy:0.1:optimal"
        )
    return Policy.epsilon_greedy(mdp, read_policy(policy, mdp), epsilon)


def _greedy(mdp: MDP, path: str) -> Policy:
    """Return the greedy policy by the values of an answer file."""
    answer = read_answer(path, mdp)
    if answer.values is None:
        raise OptionError(
            f"{path_text(path)}: found no values, expected an answer file. "
            f"--policy {path_text(path)} takes its actions."
        )
    return _greedy_by(mdp, answer.values)


def _greedy_by(mdp: MDP, values: Floats) -> Policy:
    """Return argmax_a [ r(s,a) + γ Σ p v(s') ]: one row a state for (S,) values, and a time step for (T + 1, S)."""
    if values.ndim == 1:
        return mdp.greedy(values)
    rows = [mdp.greedy(v).rows for v in values[1:]]
    return Policy(mdp, rows=np.stack([row for row in rows if row is not None]))


def _same_action(mdp: MDP, name: str) -> Policy:
    """Return one action wherever it is available, elsewhere each available one equally often."""
    a = mdp.actions.find(name)
    if a is None:
        way_out = closest(name, mdp.actions[:1000]) or f", expected one such as {few_text(mdp.actions)}"
        raise OptionError(f"--policy: no action {quoted(name)}{way_out}")
    hits = mdp.pair_action == a
    has = np.bincount(mdp.pair_state[hits], minlength=mdp.S) > 0
    if has[~mdp.terminal].all():
        return Policy.of_actions(mdp, np.where(mdp.terminal, -1, a))
    one = has[mdp.pair_state]
    counts = np.where(one, 1, np.diff(mdp.pair_ptr)[mdp.pair_state]).astype(np.int64)
    exact = RationalArray((hits | ~one).astype(np.int64), counts)
    return Policy(mdp, probs=exact.floats(), exact=exact)
