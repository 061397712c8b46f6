"""`verify`: is an answer from anywhere right? What judges it is in certificates/verdict.py."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from tabular_rl.certificates.verdict import Elsewhere, Verdict, verdict_on
from tabular_rl.errors import MissingExtra, NotAnswerable, NumericalError, OptionError, escape, path_text
from tabular_rl.formats.answer_entries import CLAIMS, Answer
from tabular_rl.formats.answers import answer_of, read_answer, read_frame
from tabular_rl.formats.frames import is_frame
from tabular_rl.methods.ask import RATIONAL_STATES, evaluate, solve
from tabular_rl.methods.exact._truth import where_unsolved
from tabular_rl.model.calls import public
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving.options import check
from tabular_rl.solving.solution import Floats, Solution

RATIONAL_VALUES = 10_000  # over all time steps, that are found as fractions where floats decide nothing


@public
def verify(
    mdp: MDP,
    answer: Any,
    *,
    policy: Any = None,
    tolerance: float = 1e-6,
    relative: bool = False,
) -> Verdict:
    """Check an answer from anywhere, without trusting whoever made it.

    One rigorous sweep from the values proves how far they can be from the truth, and what the policy of the answer
    loses at most. Exact values are put into the equation in fractions, and up to 100 states fractions decide where
    floats are too coarse. Checked are values, policy, lower, upper, exact and bound, and no other claims of a file.

        max_s |v(s) - v*(s)| ≤ tolerance,    max_s v*(s) - v_π(s) ≤ tolerance

    Parameters
    ----------
    mdp : the model
    answer : a Solution, the path of an answer file, a data frame with its columns, values by state
        {name: number}, or an array (S,), (T + 1, S) for a finite horizon
    policy : take the values as those of this policy, not as the best ones
    tolerance : how far a value may be from the truth, in units of reward
    relative : the tolerance is a share of the largest |value|

    Returns
    -------
    Verdict: true where everything is proven. `print` shows what the command `verify` shows.

    Raises
    ------
    OptionError, ModelError : an answer without values, to another model, or with states that the model does not have

    Examples
    --------
    One state that pays 1 a step, γ = 1/2: its value is 2.

    >>> mdp = MDP([[[1.0]]], [[1.0]], "1/2")
    >>> bool(verify(mdp, [2.0])), bool(verify(mdp, {"0": 2.1})), verify(mdp, [2.1]).wrong
    (True, False, ('0',))
    """
    tolerance, relative = check(tolerance=tolerance, relative=relative)
    found, source = _answer(mdp, answer)
    if found.values is None:
        raise OptionError(f"{source}: found no values, expected a value for each state")
    if found.digest is not None and found.digest != mdp.digest:
        raise OptionError(
            f"{source}: found an answer to another model: its digest is {escape(found.digest[:16])}, that of "
            f"{path_text(mdp.origin or 'the model')} is {mdp.digest[:16]}. Give the options it was solved with "
            "(--gamma ...)."
        )
    judged_policy, evaluation = found.policy, found.task == "prediction"
    if policy is not None:
        judged_policy, evaluation = policy, True
    elif evaluation and judged_policy is None:
        raise OptionError(f"{source}: found the values of a policy and no policy. Give it with --policy.")
    if relative:
        tolerance *= float(np.max(np.abs(found.values), initial=0.0))
    return verdict_on(mdp, found, judged_policy, evaluation, tolerance, _elsewhere(mdp))


def _elsewhere(mdp: MDP) -> Elsewhere:
    """What other solves of the model say, and fractions where it is small."""

    def values(policy: Policy | None) -> Floats:
        return (solve(mdp) if policy is None else evaluate(mdp, policy)).v

    def fractions(policy: Policy | None) -> Sequence[Fraction] | None:
        if mdp.S > RATIONAL_STATES or mdp.S * ((mdp.horizon or 0) + 1) > RATIONAL_VALUES:
            return None
        try:
            if policy is None:
                return solve(mdp, method="rational").exact
            return evaluate(mdp, policy, method="rational-evaluation").exact
        except (MissingExtra, NotAnswerable, OptionError, NumericalError):
            return None

    return Elsewhere(values, fractions, lambda exact, policy: where_unsolved(mdp, exact, policy))


def _answer(mdp: MDP, answer: Any) -> tuple[Answer, str]:
    """An answer in any form, and what messages call it."""
    if isinstance(answer, (str, os.PathLike)):
        path = os.fspath(answer)
        return read_answer(path, mdp), "<stdin>" if path == "-" else path_text(path)
    if isinstance(answer, Answer):
        return answer, "answer"
    if isinstance(answer, Solution):
        has = {"status": True, "start_value": True, "optimal_actions": answer.optimal_actions is not None,
               "proven_optimal": answer.proven_optimal is not None}  # fmt: skip
        found = Answer(
            answer.v, answer.lower, answer.upper, answer.policy, answer.task, answer.mdp.digest, answer.exact,
            answer.bound if math.isfinite(answer.bound) else None, tuple(name for name in CLAIMS if has[name]),
            answer.extra,
        )  # fmt: skip
        return found, "answer"
    if is_frame(answer):
        return read_frame(answer, mdp), type(answer).__name__
    if isinstance(answer, Mapping) or not callable(answer):
        return answer_of(mdp, answer), "answer"
    raise OptionError(
        f"answer: found {type(answer).__name__}, expected a Solution, the path of an answer file, or values"
    )
