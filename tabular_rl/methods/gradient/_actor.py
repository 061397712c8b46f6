"""What the learners of softmax policies share: preferences instead of a table, and what their policies truly earn."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import NoFiniteAnswer, NumericalError, OptionError
from tabular_rl.methods.learning._answer import folded
from tabular_rl.methods.learning._errors import record_points
from tabular_rl.methods.learning._learning import Learning
from tabular_rl.methods.learning._linear import read_features, times
from tabular_rl.methods.learning._walk import learn_by, rates, walk_of
from tabular_rl.methods.learning.monte_carlo import rewards_needed
from tabular_rl.model.graph.search import reachable, starts
from tabular_rl.model.policy import Policy
from tabular_rl.model.rationals import spell_short
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import Method
from tabular_rl.solving.sampling import Floats

LONGEST = 10_000  # steps of an episode where the discount asks for no number and the user for none
QUICK = 1e7  # multiplications of a record that may be made at each point of a curve
CELLS = 2**22  # numbers of a block of dense systems


class Actor(Learning):
    """A learner of a softmax policy: π(a|s) ∝ exp(x(s,a)·θ); preferences θ `theta` (runs, d) are what is learned.

    `estimates` (runs, L) is where kernels keep probabilities. The error of a run is its regret: what its policy loses.
    """

    def __init__(self, method: Method[..., Learned], given: dict[str, Any]) -> None:
        super().__init__(method, given, table="pairs")
        mdp, whole = self.mdp, self.whole
        x = self.option["features"]
        if not isinstance(x, str):
            self.run.options["features"] = f"matrix {np.shape(x)}"
            if mdp is not whole and len(x) == whole.L:  # the same at all times
                x = np.tile(x, (whole.horizon or 1, 1))
        self.features = read_features(x, mdp.L, "pairs")
        d = self.features.d
        self.theta = self.add("theta", 0.0, d)
        if given["start_preferences"] is not None:
            begin = np.asarray(given["start_preferences"], dtype=np.float64)
            if begin.shape != (d,) or not np.isfinite(begin).all():
                raise OptionError(
                    f"start_preferences: found shape {begin.shape}, expected {d} finite numbers"
                )
            self.theta[:] = begin
        self.estimates[:] = 0.0
        self.within["estimates"] = (0.0, 1.0)
        self.longest: int = self.option["episode_steps"] or whole.horizon or self._needed()
        self.starts = mdp.pair_ptr[:-1][np.diff(mdp.pair_ptr) > 0].astype(np.intp)
        self.there = reachable(mdp, starts(mdp)) & ~mdp.terminal
        self.zero = self._zero()
        self.verdicts = self._warnings()

    def _needed(self) -> int:
        return int(min(rewards_needed(self.mdp.gamma), LONGEST))

    def _zero(self) -> NDArray[np.bool_]:
        """The states that are worth 0 whatever is done in them; NoFiniteAnswer where reward never ends (γ = 1)."""
        from tabular_rl.methods.exact.linear_solve import policy_zero

        found = policy_zero(self.mdp, Policy.uniform(self.mdp)) if self.mdp is self.whole else None
        return self.mdp.terminal if found is None else found | self.mdp.terminal

    def _warnings(self) -> list[str]:
        """Why the run will not come to the best policy."""
        said, step_size, mdp = [], self.option["step_size"], self.mdp
        if not step_size.sum_diverges:
            said.append(
                f"step size {step_size}: its sum is finite, so the preferences can stop before they arrive (Robbins & "
                "Monro); a constant one goes on"
            )
        moved = step_size.largest * mdp.facts.largest_reward
        if moved > 1:
            said.append(
                f"step size {step_size}: one reward of {mdp.facts.largest_reward:g} can move preferences by "
                f"{moved:.2g}, and a policy freezes before it is any good; a smaller step size is slower and safer"
            )
        whole_return = self.option.get("estimator", "").startswith("return")
        if self.option["undiscounted"] and mdp.gamma < 1 and not whole_return:
            said.append(
                f"undiscounted: at γ = {spell_short(mdp.gamma_exact)} without the weight γ^t the mean update is the "
                "gradient of no objective (Nota & Thomas 2020)"
            )
        if self.option.get("entropy"):
            said.append(
                f"entropy {self.option['entropy']:g} is never given up, so the policy goes on exploring and its regret "
                "does not fall to 0"
            )
        missing = ~self.there[mdp.pair_state]
        if missing.any():
            said.append(
                f"{missing.sum():,} of {mdp.L:,} pairs are never updated, such as "
                f"{self.pair_text(int(np.argmax(missing)))}: it cannot be reached from the start; a start distribution "
                "over all states begins everywhere"
            )
        return said

    def critic(self, kept: bool) -> Floats:
        """Values v (runs, S) at their start, NaN at terminal states; without columns where none are kept."""
        v = self.add("critic", 0.0, self.mdp.S if kept else 0)
        if kept:
            v[:] = np.where(self.mdp.terminal, math.nan, self.start_values)
        elif self.starts_from:
            raise OptionError(
                f"--start-from: {self.method.name} keeps no values of states with --estimator "
                f"{self.option['estimator']}, expected reward-to-go-value"
            )
        return v

    # -- policies and what they earn --------------------------------------------------------------------------------

    def truth(self) -> Floats | None:
        return None  # preferences have no true values

    def current(self) -> Floats:
        return times(self.features, self.theta)

    def policies(self, theta: Floats) -> Floats:
        """The softmax policies (n, L) of preferences (n, d)."""
        z = times(self.features, theta)
        counts = np.diff(self.mdp.pair_ptr)
        counts = counts[counts > 0]
        z = np.exp(z - np.repeat(np.maximum.reduceat(z, self.starts, axis=1), counts, axis=1))
        return np.asarray(z / np.repeat(np.add.reduceat(z, self.starts, axis=1), counts, axis=1))

    def values(self, pi: Floats) -> Floats:
        """The exact values (n, S) of policies (n, L), in the sign of maximisation, of states that can be reached.

            v = r_π + γ P_π v

        -inf where a policy hardly ever ends, so that floating point cannot give its values.
        """
        from tabular_rl.methods.exact.linear_solve import DENSE_STATES, policy_values

        if self.whole.problem.timed:
            return self._values_backward(pi)
        mdp = self.mdp
        v = np.zeros((len(pi), mdp.S))
        live = np.flatnonzero(self.there & ~self.zero)
        if live.size <= DENSE_STATES:
            rows = np.flatnonzero(np.isin(mdp.pair_state, live))
            starts = np.searchsorted(mdp.pair_state[rows], live)
            P, r = mdp.P[rows][:, live].toarray(), mdp.sign * mdp.r[rows]
            most = max(1, int(CELLS // max(1, len(rows) * live.size)))
            for first in range(0, len(pi) if live.size else 0, most):
                w = pi[first : first + most, rows]
                A = np.eye(live.size) - mdp.gamma * np.add.reduceat(w[:, :, None] * P, starts, axis=1)
                b = np.add.reduceat(w * r, starts, axis=1)[:, :, None]
                with np.errstate(all="ignore"):
                    try:
                        v[first : first + most, live] = np.linalg.solve(A, b)[:, :, 0]
                    except np.linalg.LinAlgError:
                        v[first : first + most, live] = math.nan
        else:
            for e, w in enumerate(pi):
                try:
                    v[e] = policy_values(mdp, Policy(mdp, probs=w), "auto", None, self.zero | ~self.there)
                except NumericalError:
                    v[e, live] = math.nan
        return self._checked(v, pi)

    def _checked(self, v: Floats, pi: Floats) -> Floats:
        """Ask for a proof of values that are not finite, or better than the best there are."""
        from tabular_rl.methods.planning.auto import auto_evaluation

        mdp = self.mdp
        if mdp.gamma < 1:
            return v
        best = math.inf
        if self.reference is not None:
            best = mdp.sign * self.reference.value_of_start()
            best += 1e-6 * abs(best) + self.reference.bound
        wrong = ~np.isfinite(v).all(axis=1) | (v @ mdp.start > best)
        for e in np.flatnonzero(wrong):
            try:
                found = auto_evaluation(mdp, Policy(mdp, probs=pi[e]), tolerance=1e-6, relative=True)
                v[e] = mdp.sign * found.v if math.isfinite(found.bound) else -math.inf
            except NoFiniteAnswer:
                v[e] = -math.inf
            v[e, mdp.terminal] = 0.0
        return v

    def _values_backward(self, pi: Floats) -> Floats:
        whole, S, L = self.whole, self.whole.S, self.whole.L
        T = whole.horizon or 0
        v = np.zeros((len(pi), T + 1, S))
        if whole.final_reward is not None:
            v[:, T] = whole.sign * whole.final_reward
        live = np.diff(whole.pair_ptr) > 0
        starts, r = whole.pair_ptr[:-1][live].astype(np.intp), whole.sign * whole.r
        for t in reversed(range(T)):
            q = r + whole.gamma * (whole.P @ v[:, t + 1].T).T
            v[:, t, live] = np.add.reduceat(pi[:, t * L : (t + 1) * L] * q, starts, axis=1)
        return v.reshape(len(pi), -1)

    def earned(self, theta: Floats) -> Floats:
        """J (n,), what policies of preferences (n, d) earn from the start, in the sign of maximisation."""
        live = self.mdp.start > 0
        return np.asarray(self.values(self.policies(theta))[:, live] @ self.mdp.start[live])

    def regret(self, earned: Floats) -> Floats:
        """J* - J (n,), NaN without a reference; 0 where it is less than is proven of J*."""
        if self.reference is None:
            return np.full(len(earned), math.nan)
        best = self.mdp.sign * self.reference.value_of_start()
        lost = best - earned
        doubt = 1e-12 * abs(best) + (self.reference.bound if math.isfinite(self.reference.bound) else 0.0)
        return np.where(np.abs(lost) <= doubt, 0.0, lost)

    # -- records and the answer -------------------------------------------------------------------------------------

    def _thinned(self) -> bool:
        """Whether this point of the curve is left out: on large models all but powers of ten, and the last."""
        n = float(self.there.sum())
        work = self.runs * (10.0 * self.mdp.K if self.whole.problem.timed else n**3 + n * self.mdp.L)
        if work <= QUICK or self.done == self.steps or self.done not in record_points(self.steps):
            return False
        return int(10 ** (len(str(self.done)) - 1)) != self.done

    def _record(self) -> None:
        for table, what in ((self.theta, "preferences"), (self.arrays.get("critic"), "critic")):
            if table is None:
                continue
            wrong = np.isinf(table) | (np.isnan(table) if what == "preferences" else False)
            if wrong.any():
                e = int(np.argwhere(wrong)[0][0])
                raise NumericalError(
                    f"{self.method.name}: the {what} of run {e} are not finite after {self.done} steps: it diverges. "
                    "A smaller --step-size may help."
                )
        if self._thinned():
            return
        J = self.earned(self.theta)
        lost = self.regret(J)
        self.curve.append((self.done, lost, lost, self.mdp.sign * J))
        self.run.history.append((self.done, float(np.median(lost))))

    def learned(self, answer: Learned, critic: bool) -> Learned:
        """The answer with the policy of the mean preferences, its values or the critic's, and what each run earns."""
        mdp, whole, sign = self.mdp, self.whole, self.mdp.sign
        mean = self.theta.mean(axis=0, keepdims=True)
        pi = self.policies(mean)
        tried = self.visits > 0
        used = np.zeros((self.runs, mdp.S), dtype=bool)
        e, i = np.nonzero(tried)
        used[e, mdp.pair_state[i]] = True
        if critic:
            v = np.where(used, self.arrays["critic"], 0.0).sum(axis=0) / np.maximum(used.sum(axis=0), 1)
        else:
            v = self.values(pi)[0]
        v = np.where(mdp.terminal, 0.0, np.where(used.any(axis=0), sign * v, math.nan))
        q = np.where(tried.any(axis=0), mdp.r + mdp.gamma * (mdp.P @ v), math.nan)
        policy = Policy(mdp, probs=pi[0])
        extra = {**answer.extra, "preferences": self.theta.copy(), "features": self.features}
        T = whole.horizon
        if critic:
            extra["critic"] = np.where(mdp.terminal, 0.0, sign * self.arrays["critic"])
            if T is not None:
                extra["critic"] = extra["critic"].reshape(self.runs, T + 1, whole.S)
        if T is not None:
            v = v.reshape(T + 1, whole.S)
            if whole.final_reward is not None:
                v[T] = whole.final_reward
            q, policy = q.reshape(T, whole.L), folded(policy, whole)
        return replace(
            answer, v=v, policy=policy, learned_q=q, extra=extra, earned=sign * self.earned(self.theta)
        )


def learn_by_climbing(
    run: Actor,
    kernel: Callable[..., None],
    *tables: Any,
    grad: Floats,
    form: int = 0,
    place: tuple[NDArray[Any], NDArray[Any]],
) -> Learned:
    """Learn a softmax policy by a kernel of kernels.actor.

    Parameters
    ----------
    run : the call of the learner
    kernel : the rule
    tables : (runs, ...) what it changes besides the preferences
    grad : (runs, d) what they climb next; (runs, 0) where they climb at each step
    form : of the estimator
    place : the clocks and rows of the runs

    Returns
    -------
    Learned, after the last step of the run.
    """
    from tabular_rl.kernels.actor import Ascent, Preferences, actor_begin

    option, x, prob, theta = run.option, run.features, run.estimates, run.theta
    walk = walk_of(run)[0]._replace(episode_steps=run.longest)
    how = Ascent(
        form,
        weighted=not option["undiscounted"],
        batch=option.get("batch", 1),
        entropy=option.get("entropy", 0.0),
        critic_step_size=rates(option["critic_step_size"], run.steps),
    )
    return learn_by(
        run,
        kernel,
        walk,
        *tables,
        Preferences(run.visits, grad, prob, theta),
        settings=(x, how),
        place=place,
        first_rows=lambda uniforms, row: actor_begin(run.model(), x, uniforms, row, prob, theta),
    )
