"""What every planning loop shares: when to ask for a certificate, when to stop, and what to return.

A sweep gives the least and the largest change for nothing; from it follows a guess at the width of the interval. Only
where the guess is good enough is a certificate asked for, and only the certificate decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tabular_rl.certificates import certifier
from tabular_rl.certificates.certificate import Certificate, lifted
from tabular_rl.certificates.conclusion import conclude
from tabular_rl.errors import NumericalError
from tabular_rl.model.graph.reduction import reduced, unreduced, zero_states
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rounding import shared_error
from tabular_rl.model.rows import Floats, Ints, lowest_rows
from tabular_rl.solving.run import Run, Stop
from tabular_rl.solving.solution import Solution, checked_values
from tabular_rl.solving.sweeps import Sweeper

TIDY = 100_000  # rows up to which ties are tidied: it costs two more sweeps
CHAINS = (
    10_000  # rows from which, at γ = 1, the chains of a proof take longer than sweeps: then few are asked for
)
QUICK = (
    2000  # rows from which an interval at γ = 1 need not be narrower than what is wanted: that takes chains
)
NEAR = 64  # times E: changes below are near to rounding
STALLED = 8  # sweeps without a smaller change, all of them rounding errors
WIDER = 1000  # than what ended the work on an interval early: it was on its way, and sweeps cost less than to ask again
FAR = 1e9  # values to start from are not larger: their rounding would stay


class Goal:
    """The question of one run: v* of a model (policy None) or v_π, to a tolerance.

    `model` is what the loop sweeps over: the model itself, or for total reward its quotient, in which no policy can
    stay without losing.
    """

    def __init__(self, run: Run, mdp: MDP, threads: int = 1, policy: Policy | None = None) -> None:
        self.run, self.mdp, self.policy = run, mdp, policy
        self.tolerance, self.relative = run.options["tolerance"], run.options["relative"]
        self.sweeper = Sweeper(mdp, run, threads)
        self.total = reduced(self.sweeper, later=True) if policy is None else unreduced(mdp)
        self.model = self.total.quotient
        if self.model is not mdp:
            self.sweeper = self.sweeper.of(self.model)
        # What is proven of the quotient holds in the model: `solution` lifts it.
        self.certifier = certifier(self.model, policy, sweeper=self.sweeper, total=self.total.of_quotient())
        self.ends = bool(self.model.terminal.any())
        self.factor = mdp.problem.factor(mdp.gamma)
        self.reached, self.tidy = False, False  # tidy: the lowest of tying rows were tried
        self.proof: Certificate | None = None
        # The narrowest so far, and what it is of.
        self.best: tuple[Certificate, Any, Any, Floats] | None = None
        self.beyond = False  # the tolerance is finer than floats can prove: go on to the best that they can
        self.least, self.shrunk, self.asked, self.seen = math.inf, 0, math.inf, math.inf
        self.vmax, self.look, self.wanted = 0.0, 0, self.tolerance

    def start(self, start_from: Any = None) -> Floats:
        """The first values: from below, so that they rise and good news travels; or a warm start.

        v(s) = min r / (1 - γ) everywhere but at terminals: no policy is worse, and T v ≥ v. Where penalties make that
        absurd, v(s) = min_s max_a r / (1 - γ), for which T v ≥ v holds as well. A policy that is given earns exactly 0
        in some states.
        """
        v, g = np.zeros(self.model.S), self.mdp.gamma
        if start_from is not None:
            v = self._tamed(self.total.lower_values(checked_values(self.mdp, start_from)))
        elif self.ends and g < 1:
            worst = min(self.sweeper.rewards()[0], 0.0) / (1 - g)
            if worst < -FAR and self.policy is None:
                worst = min(self.sweeper.optimal(v, np.empty_like(v), self.rows())[0], 0.0) / (1 - g)
            v[~self.model.terminal] = max(worst, -FAR)
        if self.policy is not None:
            v[zero_states(self.mdp, self.policy)] = 0.0
        return v

    def _tamed(self, v: Floats) -> Floats:
        """The values of a warm start, cut to what is proven without them: far from it they cost sweeps and digits."""
        try:
            cut = np.clip(v, *self.certifier.limits())
        except Stop:
            return v
        return np.where(self.model.terminal, 0.0, cut)

    def rows(self) -> Ints:
        """A policy to start from, should the run stop before its first sweep is over: one that ends, at γ = 1.

        Raises
        ------
        NoFiniteAnswer : at γ = 1, where there is none
        """
        return np.array(self.total.proper_rows)

    def met(self, low: float, high: float, v: Floats, rows: Ints | Callable[[], Ints], sweep: int) -> bool:
        """Return True when the loop can stop: the tolerance is proven, or floats can prove nothing narrower.

        A tolerance that is finer than floats can prove does not end the loop, so that to ask for less width never
        brings more of it: it goes on until the changes are rounding errors.
        """
        if math.isnan(low) or math.isnan(high) or math.isinf(low) or math.isinf(high):
            self.sweeper.check_finite(v, f"in sweep {sweep}")
            raise NumericalError(f"overflow in sweep {sweep}. Scale the rewards down.")
        spread = self.spread(low, high)
        if sweep >= self.look:
            # Now and then: the size of the values, for the rounding error and a relative tolerance.
            self.see_size(self.sweeper.norm(v))
            self.look = sweep + 1 + sweep // 4
        wanted = self.certifier.wanted = self.wanted
        self.run.record(sweep, spread, wanted / self.factor if self.factor else 0.0)
        noise = self._only_rounding(spread, v, sweep)
        if noise or self._worth_asking(spread):
            near = spread <= NEAR * self.certifier.noise(self.model, self.vmax)
            self.certifier.quick, self.certifier.early = self.model.L > QUICK, not (noise or near)
            self.certifier.hurried = not noise and self.model.L > CHAINS
            self.certifier.wide = 0.0
            rows = rows() if callable(rows) else rows
            # A policy that must end takes a proof of its own: that of the one to be answered is asked for first.
            self.tidy = self.mdp.problem.must_end and near
            certificate = (self.tidy and self._of_lowest(v, rows)) or self.certificate(v, rows)
            self.certifier.quick = self.certifier.hurried = self.certifier.early = False
            if certificate.width <= wanted:
                self.reached = True
                self.proof = certificate
                return True
            self.asked, self.beyond = spread, certificate.smallest > wanted
            if certificate.width < (math.inf if self.best is None else self.best[0].width):
                self.best = certificate, self.certifier.rows, self.certifier.last, v.copy()
            if spread > 0 and not self.beyond:
                # The guess was too good: ask again when the change has shrunk as far as this width must.
                width = certificate.width
                if not math.isfinite(width):
                    width = max(16 * wanted, WIDER * self.certifier.wide)
                self.factor = max(1.1 * self.factor, width / spread)
        return noise

    def _worth_asking(self, spread: float) -> bool:
        """Return True where a certificate may be narrow enough, or narrower than the last.

        Where changes come near to rounding, when to ask does not depend on the tolerance: a stricter one sees all that
        a looser one has seen.
        """
        if spread > NEAR * self.certifier.noise(self.model, self.vmax):
            return spread * self.factor <= self.wanted and (not self.beyond or spread <= self.asked / 16)
        if spread > self.seen / 2:
            return False
        self.seen = spread
        return True

    def _only_rounding(self, spread: float, v: Floats, sweep: int) -> bool:
        """Return True where more sweeps change nothing but the last digits.

        The changes are no larger than E, and shrink no more.
        """
        if spread < self.least:
            self.least, self.shrunk = spread, sweep
        if spread > self.certifier.noise(self.model, self.vmax):
            return self.beyond and sweep - self.shrunk > 1000 + self.shrunk // 4
        self.vmax = self.sweeper.norm(v)  # as it is now, whatever the start was
        error = self.certifier.noise(self.model, self.vmax)
        return spread == 0 or (spread <= error and sweep - self.shrunk > STALLED)

    def _of_lowest(self, v: Floats, rows: Ints | None) -> Certificate | None:
        """The certificate of the lowest of rows that rounding cannot tell apart, where it is narrow enough; or None.

        Parameters
        ----------
        v : (S') the values
        rows : (S') those that are, or would be, proven else; None for none
        """
        model, judge = self.model, self.certifier
        most = CHAINS if model.problem.must_end else TIDY
        if self.policy is not None or rows is None or not 0 < model.L <= most:
            return None
        # The values that the certificate sweeps from: nothing is swept again.
        swept = judge.checked(v)
        swept, _, best, chosen, low, high, _ = self.sweeper.backup(swept)
        margin = 2 * shared_error(model, self.sweeper.norm(swept)) + 2 * self.spread(low, high)
        near = self.sweeper.not_worse(swept, best - min(margin, 1e-3 * self.wanted))
        if np.count_nonzero(near) == np.count_nonzero(chosen >= 0) and np.array_equal(chosen, rows):
            return None  # no state has another row that is near
        lowest = lowest_rows(model, near)
        if np.array_equal(lowest, rows):
            return None
        before = judge.rows, judge.last
        tidy = judge.certificate(v, lowest)
        used = judge.rows
        if tidy.width <= self.wanted and used is not None and np.array_equal(used, lowest):
            return tidy
        judge.rows, judge.last = before
        return None

    def spread(self, low: float, high: float) -> float:
        """What a sweep's changes say of the width of the interval, up to `factor`."""
        return self.mdp.problem.spread(low, high, self.ends)

    def see_size(self, vmax: float) -> None:
        """Take note of the largest |v(s)|: of it depend the rounding error, and a relative tolerance."""
        self.vmax = vmax
        if self.relative:
            self.wanted = self.tolerance * vmax

    def enough(self, low: float, high: float, share: float = 0.25) -> bool:
        """True where changes are so small a share of those that are wanted that more sweeps would be finer.

        Parameters
        ----------
        low, high : the least and the largest change
        share : of the changes with which a certificate is asked for
        """
        return self.spread(low, high) <= self.least_change(share)

    def least_change(self, share: float = 0.25) -> float:
        """Changes up to which more sweeps would be finer: a share of those with which a certificate is asked for."""
        near = NEAR / 2 * self.certifier.noise(self.model, self.vmax)
        return max(share * self.wanted / self.factor if self.factor else 0.0, near)

    def certificate(self, v: Floats, rows: Ints) -> Certificate:
        """What is proven from values and, where a policy must end, from its rows."""
        return self.certifier.certificate(v, rows if self.mdp.problem.must_end else None)

    def swept(self, sweeps: int, in_place: bool = False, start_from: Any = None) -> Solution:
        """The answer after sweeps of T, or of T_π, forward and backward in turn, until one is enough."""
        v, rows = self.start(start_from), self.rows()
        spare = v if in_place else np.empty_like(v)
        self.run.stopped = "budget"
        with self.run.until_stopped():
            for sweep in range(1, sweeps + 1):
                forward = sweep % 2 == 1
                if self.policy is None:
                    low, high = self.sweeper.optimal(v, spare, rows, forward)
                else:
                    low, high = self.sweeper.policy(self.policy, v, spare, forward)
                v, spare = spare, v
                self.run.did("sweeps")
                if self.met(low, high, v, rows, sweep):
                    self.run.stopped = None
                    break
        return self.solution(v, rows)

    def solution(self, v: Floats, rows: Ints) -> Solution:
        """The answer from the last values: their certificate, with its decisions on actions."""
        # The clock may be over: the last sweep is still made.
        self.certifier.sweeper.run = self.sweeper.run = None
        if self.run.stopped in ("time", "signal"):
            self.certifier.use_what_is_known()
        known = self.best is not None and np.array_equal(self.best[3], v)
        try:
            certificate = self.proof or (self.best[0] if known and self.best else self.certificate(v, rows))
        except Stop as stop:
            self.run.stopped = stop.why
            self.certifier.use_what_is_known()
            certificate = self.certificate(v, rows)
        if self.best is not None and self.best[0].width <= certificate.width:
            certificate, self.certifier.rows, self.certifier.last, v = self.best
        certificate = self.certifier.decided(certificate)
        sole = certificate.proven_optimal is not None and certificate.proven_optimal.all()
        if self.reached and not self.tidy and not sole:
            own = rows if self.mdp.problem.must_end else self.certifier.rows
            self.certifier.quick = self.model.L > QUICK
            tidy = self._of_lowest(v, own)
            self.certifier.quick = False
            certificate = certificate if tidy is None else self.certifier.decided(tidy)
        found = self.certifier.rows
        self.certifier.last = self.best = None  # with what was backed up they take more than the answer
        self.certifier.sweeper.close()
        if self.model is not self.mdp and found is not None:
            certificate, found = lifted(self.total, certificate), self.total.lift_rows(found)
        policy = self.policy or _found(self.mdp, found)
        task = "control" if self.policy is None else "prediction"
        return conclude(
            self.run, self.mdp, certificate, task=task, policy=policy, v=self.total.lift_values(v)
        )


def _found(mdp: MDP, rows: Ints | None) -> Policy:
    """The policy of rows that a sweep has found, which need not be checked; those of a quotient are."""
    if rows is None or mdp.problem.must_end:
        return Policy(mdp, rows=rows)
    rows.setflags(write=False)
    return Policy.partial(mdp, rows=rows)


def backward(run: Run, mdp: MDP, policy: Policy | None = None, threads: int = 1) -> Solution:
    """The answer of a finite horizon: one sweep of T, or of T_π, a time step, from the last one to the first.

    Parameters
    ----------
    run : the call of the method
    mdp : a model with a horizon T
    policy : π, which may depend on time; None for the best one
    threads : that the sweeps share

    Returns
    -------
    Solution with v, lower and upper (T + 1, S); without `policy` also the best one (T, S), and optimal_actions (T, L).
    """
    judge = certifier(mdp, policy, sweeper=Sweeper(mdp, run, threads))
    v = np.zeros(mdp.problem.shape(mdp))
    if mdp.final_reward is not None:
        v[-1] = mdp.sign * mdp.final_reward
    rows = np.empty((len(v) - 1, mdp.S), dtype=mdp.pair_ptr.dtype)
    certificate, task = None, "control" if policy is None else "prediction"
    with run.until_stopped():
        certificate = judge.induction(v, rows)
    judge.sweeper.close()
    if policy is None and certificate is not None:
        policy = _found(mdp, rows)
    return conclude(run, mdp, certificate, task=task, policy=policy, v=v)
