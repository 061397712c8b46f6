"""The value of a policy by one linear solve: v_π = r_π + γ P_π v_π."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import numpy as np

from tabular_rl.certificates import certifier
from tabular_rl.certificates.base import Certifier
from tabular_rl.certificates.conclusion import conclude
from tabular_rl.errors import NumericalError, OptionError
from tabular_rl.formats.memory import free_memory
from tabular_rl.model.graph.reduction import zero_states
from tabular_rl.model.graph.search import Mask, repaired
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import size_text
from tabular_rl.model.policy import Policy
from tabular_rl.model.rounding import shared_error
from tabular_rl.model.rows import Floats, Ints
from tabular_rl.solving import options as o
from tabular_rl.solving.cost import Cost, Facts
from tabular_rl.solving.elimination import NO_PIVOTS, envelope
from tabular_rl.solving.method import DISCOUNTED, TOTAL, method
from tabular_rl.solving.run import Run
from tabular_rl.solving.solution import Solution
from tabular_rl.solving.sweeps import Sweeper

DENSE_STATES = 300  # up to here a dense solve takes no time, and needs no import
USUAL = 1e-6  # the width of an interval that is asked for at least
INVERTED = 16  # up to here all that LAPACK takes is the call, which is then made once
AT_ONCE = 300  # up to here it ends well within a tenth of a second: no other thread need hear signals
DENSE_LARGEST = 20_000  # a dense matrix beyond it is 3.2 GB, twice
FILL = 2e7  # most entries of the factors of a sparse LU
FLOPS = 2e10  # and most operations
KRYLOV = 2000  # iterations of BiCGStab before it counts as stuck
SWEEPS = 32  # before each of its runs
MOST_SWEEPS = 1_000_000  # where nothing else solves the system
CARRIED = 4  # sweeps that carry better values back, at most
LU_LARGEST = 5000  # states up to which a sparse LU of any structure fits, and takes seconds

Step = Callable[[Floats], Floats]  # from x to a better one


def cost(facts: Facts) -> Cost:
    """One system, whose solver follows the structure; where moves lead anywhere it takes many products with P."""
    return Cost(100 if facts.scattered else 1, "one linear solve is the answer, up to rounding")


@method(
    equation="(I - γ P_π) v = r_π",
    source="Puterman (1994), Theorem 6.1.1; Sutton & Barto (2018), equation 4.4",
    problems=(DISCOUNTED, TOTAL),
    cost=cost,
)
def linear_solve(
    mdp: MDP,
    policy: Policy,
    *,
    tolerance: o.Tolerance = 1e-6,
    relative: o.Relative = False,
    linear_solver: o.LinearSolver = "auto",
    time_limit: o.TimeLimit = None,
) -> Solution:
    """Evaluate a policy by solving one linear system.

    The values of a policy obey one linear equation a state,

        v(s) = r_π(s) + γ Σ_s' P_π(s, s') v(s')        that is        (I - γ P_π) v = r_π

    with P_π(s, s') = Σ_a π(a|s) P(s, a, s') and r_π(s) = Σ_a π(a|s) r(s, a). At γ = 1 it is solved where the policy
    is sure to leave; where it never leaves and earns nothing, v = 0. The system is solved dense (LAPACK), by sparse LU
    (SuperLU), or by BiCGStab where the factors of LU would fill in, and refined once; `auto` decides from the number
    of states and the structure.

    Parameters
    ----------
    tolerance : largest width of the proven interval
    relative : the tolerance is a share of the largest |v|
    linear_solver : "auto", "dense", "sparse", "elimination" or "iterative"
    time_limit : seconds

    Returns
    -------
    Solution with v (S,) = v_π and its interval; q (L,) by `Solution.q`

    Raises
    ------
    NoFiniteAnswer : γ = 1 and the policy collects reward without end; the states are named
    NotAnswerable : the model has a finite horizon
    OptionError : the policy belongs to another model, or depends on time

    Sources
    -------
    Puterman (1994), Theorem 6.1.1. Sutton & Barto (2018), equation 4.4.

    Examples
    --------
    Heads (1/2) ends with reward 1, tails tries again for half the value: v = 1/2 + v/4 = 2/3.

    >>> from tabular_rl.model.mdp import MDP
    >>> from tabular_rl.model.policy import Policy
    >>> outcomes = [("toss", "go", "end", "1/2", 1), ("toss", "go", "toss", "1/2", 0)]
    >>> coin = MDP.from_outcomes(outcomes, "1/2", terminal=["end"])
    >>> round(linear_solve(coin, Policy.uniform(coin))["toss"], 12)
    0.666666666667
    """
    run = linear_solve.run(locals())
    judge, v = certifier(mdp, policy), np.zeros(mdp.S)
    ends, known = judge.known() or (None, None)
    try:
        with run.until_stopped():
            v = policy_values(mdp, policy, linear_solver, run, ends, known)
            run.did("linear solves")
    except NumericalError as error:
        run.remark(str(error))  # what can be proven without a solution is the answer
    return concluded(run, judge, v)


def concluded(run: Run, judge: Certifier, v: Floats) -> Solution:
    """The answer of a linear solve with what is proven of its values.

    Parameters
    ----------
    run : with the tolerance that is asked for
    judge : of the policy
    v : (S,) its values, in the sign of maximisation

    Returns
    -------
    Solution
    """
    certificate = None
    if run.stopped is None or judge.mdp.problem.contracts:
        scale = float(np.max(np.abs(v), initial=0.0)) if run.options["relative"] else 1.0
        judge.wanted = min(run.options["tolerance"] * scale, USUAL)
        certificate = judge.certificate(v)
    return conclude(run, judge.mdp, certificate, task="prediction", policy=judge.policy, v=v)


class Singular(NumericalError):
    """A system that floats cannot solve, though its solution may well be within their range."""


def policy_zero(mdp: MDP, policy: Policy) -> Mask | None:
    """The states that are worth 0 without solving (γ = 1): terminal, or left never and without reward."""
    return zero_states(mdp, policy) if mdp.problem.must_end else None


def policy_values(
    mdp: MDP,
    policy: Policy,
    how: str = "auto",
    run: Run | None = None,
    zero: Mask | None = None,
    known: Floats | None = None,
) -> Floats:
    """Return v_π (S,) in the sign of maximisation, 0 where `zero`.

    Parameters
    ----------
    mdp, policy : the model, and π, which does not depend on time
    how : "dense", "sparse", "elimination" or "iterative"; "auto" follows size and structure
    run : whose clock is looked at, and which keeps remarks; None for none
    zero : (S,) the states that are worth 0 and are not solved for, at γ = 1 those of `policy_zero`
    known : (S,) what these are worth where that is not 0, and 0 in all others

    Returns
    -------
    v_π (S,), in the sign of maximisation.

    Raises
    ------
    OptionError : "dense" for more than 20,000 states, or a factorization that does not fit in memory
    NumericalError : the system cannot be solved in floating point
    """
    return chain_values(Sweeper(mdp, run), policy, how, run, zero, known)


def chain_values(
    sweeper: Sweeper,
    policy: Policy,
    how: str = "auto",
    run: Run | None = None,
    zero: Mask | None = None,
    known: Floats | None = None,
) -> Floats:
    """Return v_π (S,), as `policy_values`, over the rows of a sweeper.

    Under "auto" states are taken out one by one where that fills in little, at γ = 1 also where it fills in: nothing
    cancels there, however rarely the chain ends.

    Parameters
    ----------
    sweeper : of the model
    policy, how, run, zero, known : as in `policy_values`

    Returns
    -------
    v_π (S,), in the sign of maximisation.
    """
    S, gamma, b = sweeper.mdp.S, float(sweeper.rows[4]), None
    at: Floats | float = 0.0
    if known is not None and known.any():
        at, b = known, np.empty(S)
        sweeper.policy(policy, known, b)
    if how == "elimination" or (how == "auto" and (gamma == 1 or S > DENSE_STATES)):
        from tabular_rl.solving.elimination import chain_solution

        v = chain_solution(sweeper, policy, sweeper.mdp.terminal if zero is None else zero, b, sweeps=0)
        if v is not None:
            return v + at
        if how == "elimination":
            how = "auto"
            if run is not None:
                run.remark("elimination fills in: another linear solver took over")
    if how == "auto" and S <= DENSE_STATES:
        how = "dense"
    if how == "dense":
        _dense_fits(S)
    P_pi, r_pi = sweeper.policy_system(policy, how == "dense")
    return solve_chain(P_pi, r_pi if b is None else b, gamma, how, run, zero) + at


def improve(sweeper: Sweeper, v: Floats, rows: Ints, ahead: bool = False) -> tuple[bool, float, float]:
    """Exchange in place the rows (S,) that are worse by more than rounding.

    Parameters
    ----------
    sweeper : of the model
    v : (S,) the values of the policy that takes `rows`, in the sign of maximisation
    rows : (S,) the row of each state, -1 at terminal states; changed in place
    ahead : look beyond the next step: better values are carried back along paths by sweeps in place in the order in
        which value flows, and the rows that gain by them are exchanged too

    Returns
    -------
    Whether any row was exchanged, and the least and the largest T v - v of states with actions.
    """
    _, q, best, greedy, low, high, _ = sweeper.backup(v)
    live = rows >= 0
    noise = 2 * shared_error(sweeper.mdp, sweeper.norm(v))
    better = np.zeros(len(v), dtype=bool)
    better[live] = best[live] - q[rows[live]] > noise
    rows[better] = greedy[better]
    if ahead and better.any():
        sweeper.carry_back(v.copy(), rows, noise, CARRIED)
    return bool(better.any()), low, high


class Seen:
    """The policies that improvement came to. Rounding can lead it round in a circle, which exact arithmetic cannot."""

    def __init__(self) -> None:
        self._keys: set[bytes] = set()
        self._exchanged: float = math.inf

    def again(self, rows: Ints, exchanged: int = True) -> bool:
        """Return whether rows (S,) were seen before, and remember them where no fewer were exchanged than last time.

        In a circle there are such, and what tells policies apart takes as long as a sweep.
        """
        fewer, self._exchanged = exchanged < self._exchanged, exchanged
        if fewer:
            return False
        key, before = blake2b(rows.tobytes(), digest_size=16).digest(), len(self._keys)
        self._keys.add(key)
        return len(self._keys) == before


def polish(sweeper: Sweeper, run: Run, rows: Ints, proper: Ints) -> tuple[Floats, Ints]:
    """Improve rows (S,) by policy iteration in floating point: the values and the policy. Nothing is claimed of them.

    Parameters
    ----------
    sweeper : of the model; at γ = 1 of one where never to leave is worth -∞
    run : whose clock is looked at, and which counts the work
    rows : (S,) the policy to start from, -1 at terminal states; left as it is
    proper : (S,) rows that surely end, taken at γ = 1 where improvement leads to some that may not

    Returns
    -------
    The values (S,) in the sign of maximisation, and the rows (S,).
    """
    mdp, v, rows, seen = sweeper.mdp, np.zeros(sweeper.mdp.S), rows.copy(), Seen()
    for _ in range(1000):
        run.check_stop()
        try:
            v = chain_values(sweeper, Policy.partial(mdp, rows=rows), "auto", run)
        except NumericalError:
            break
        run.did("linear solves")
        if not improve(sweeper, v, rows)[0] or seen.again(rows):
            break
        run.did("improvements")
        if mdp.problem.must_end:
            rows, lost = repaired(mdp, rows, mdp.terminal, proper)
            if lost.any():  # rounding took a policy that never ends for a better one
                break
    return v, rows


def _dense_fits(n: int) -> None:
    if n > DENSE_LARGEST:
        raise OptionError(
            f"--linear-solver: found dense for {n} states, a matrix of {size_text(8.0 * n * n)}; "
            f"expected at most {DENSE_LARGEST} states. Use sparse, iterative or auto."
        )


def solve_chain(
    P_pi: Any,
    r_pi: Floats,
    gamma: float,
    how: str = "auto",
    run: Run | None = None,
    zero: Mask | None = None,
) -> Floats:
    """Solve (I - γ P_π) v = r_π with one step of refinement; v = 0 is given where `zero`.

    Parameters
    ----------
    P_pi : (S, S) the chain, as a csr_array; for "dense" and "auto" also as a plain array
    r_pi : (S,) the right-hand side
    gamma : γ
    how : "dense", "sparse" or "iterative"; "auto" follows size and structure
    run : whose clock is looked at, and which keeps remarks; None for none
    zero : (S,) the states that are left out of the system; None for none

    Returns
    -------
    v (S,), in the sign of r_π.

    Raises
    ------
    OptionError : "dense" for more than 20,000 states, or a factorization that does not fit in memory
    NumericalError : the matrix is singular in floating point (`Singular`), or the values leave the range of floats
    """
    if zero is not None and zero.any():
        v, free = np.zeros(len(r_pi)), np.flatnonzero(~zero)
        if free.size:
            v[free] = solve_chain(P_pi[free][:, free], r_pi[free], gamma, how, run)
        return v
    asked, shape = how, None
    if how == "auto":
        how, shape = ("dense", None) if isinstance(P_pi, np.ndarray) else chosen_solver(P_pi)
    run = run or Run(how, {})
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            if how == "dense":
                v = _dense_solve(P_pi, r_pi, gamma, run)
            else:
                v = (sparse_solve if how == "sparse" else _iterative_solve)(P_pi, r_pi, gamma, run, shape)
    except (np.linalg.LinAlgError, RuntimeError) as error:  # SuperLU says singular by RuntimeError
        if "MALLOC" in str(error):  # and so does it say that memory ends
            raise _no_memory(len(r_pi), error) from None
        raise Singular(f"the linear system cannot be solved in floating point ({error})") from None
    except MemoryError as error:
        if how == "sparse" and asked == "auto":
            return solve_chain(P_pi, r_pi, gamma, "iterative", run)
        raise _no_memory(len(r_pi), error) from None
    if not np.isfinite(v).all():
        kind = NumericalError if gamma < 1 else Singular
        raise kind("the linear system cannot be solved in floating point (overflow)")
    return v


def chosen_solver(P_pi: Any) -> tuple[str, Shape | None]:
    """Return "dense", "sparse" or "iterative" from counts and the structure of a chain, never from a clock.

    With it comes what a sparse LU would cost, where that was asked.
    """
    n = P_pi.shape[0]
    if n <= DENSE_STATES or (P_pi.nnz > 0.1 * n * n and n <= DENSE_LARGEST // 4):
        return "dense", None
    shape = Shape(P_pi)
    return ("sparse" if shape.fits else "iterative"), shape


class Shape:
    """What a sparse LU of I - γ P_π would cost, and an order of states that keeps neighbours together.

    After reverse Cuthill-McKee a graph of bandwidth w has separators of about w states; the factors of an ordering by
    minimum degree then have about 2.5 (n + w²) log₂ w entries (measured on grids), and never many more than the
    envelope. Hubs, states that very many lead to or from, stand outside of this: a full row and column each.
    """

    def __init__(self, P_pi: Any) -> None:
        n = P_pi.shape[0]
        many = 10 * np.sqrt(n) + 10
        hub = (np.bincount(P_pi.indices, minlength=n) > many) | (np.diff(P_pi.indptr) > many)
        plain, hubs = np.flatnonzero(~hub), np.flatnonzero(hub)
        self.hubs = len(hubs)
        inner = P_pi[plain][:, plain] if self.hubs else P_pi
        order, reach = envelope(inner)
        self.order = np.concatenate([plain[order], hubs])
        w = float(np.max(reach, initial=0.0))
        self.width = int(w)
        full = 2.0 * self.hubs * n
        self.entries = min(2 * float(reach.sum()) + n, 2.5 * (n + w * w) * float(np.log2(w + 2))) + full
        self.operations = min(2 * float((reach**2).sum()) + n, 20 * w**3 + n) + full * self.hubs
        self.fits = self.entries <= FILL and self.operations <= FLOPS  # else it fills in too much to be tried


def _dense_solve(P_pi: Any, r_pi: Floats, gamma: float, run: Run) -> Floats:
    _dense_fits(len(r_pi))
    A = -gamma * (P_pi if isinstance(P_pi, np.ndarray) else P_pi.toarray())
    diagonal = np.arange(len(r_pi))
    A[diagonal, diagonal] += 1.0

    def solved(b: Floats) -> Floats:
        return np.asarray(np.linalg.solve(A, b) if len(b) <= AT_ONCE else run.call(np.linalg.solve, A, b))

    run.check_stop()
    if len(r_pi) <= INVERTED:
        inverse = np.linalg.inv(A)
        v = inverse @ r_pi
        return np.asarray(v + inverse @ (r_pi - A @ v))
    v = solved(r_pi)
    return v + solved(r_pi - A @ v)


def sparse_solve(P_pi: Any, r_pi: Floats, gamma: float, run: Run, shape: Shape | None = None) -> Floats:
    """Solve (I - γ P_π) v = r_π by a sparse factorization.

    Parameters
    ----------
    P_pi : (S, S) the chain, as a csr_array
    r_pi : (S,) the right-hand side
    gamma : γ
    run : whose clock is looked at while the solver works
    shape : of the chain, where it is known

    Returns
    -------
    v (S,), refined once, in the sign of r_π.

    Raises
    ------
    MemoryError : the factors would not fit in the memory that is free
    """
    from scipy.sparse.linalg import splu

    A = system(P_pi, gamma).tocsc()
    # I - γP is diagonally dominant: no pivoting is needed, and the order may be that of a symmetric matrix. Minimum
    # degree takes long where there are hubs or much fill-in, and it holds the interpreter's lock: no signal is heard.
    shape = shape or Shape(P_pi)
    _check_factors_fit(shape)
    how = NO_PIVOTS
    if shape.hubs or shape.operations > FLOPS:
        how = {"permc_spec": "COLAMD"}

    # scipy gives memory back in the thread alone that has taken it, so all is done in one.
    def solve() -> Floats:
        factors = splu(A, diag_pivot_thresh=0.0, **how)
        v: Floats = factors.solve(r_pi)
        return v + factors.solve(r_pi - A @ v)

    return run.call(solve)


class _FactorsTooLarge(MemoryError):
    """What a sparse LU needs and what there is."""


def _check_factors_fit(shape: Shape) -> None:
    """_FactorsTooLarge where a sparse LU would not fit: an entry is a number and its row, and grows by a copy."""
    needed, free = int(2 * 12 * shape.entries), free_memory()
    if free is not None and needed > free:
        raise _FactorsTooLarge(
            f"about {size_text(needed)} of memory, expected at most the {size_text(free)} that are free"
        )


def _no_memory(n: int, error: Exception) -> OptionError:
    needs = str(error) if isinstance(error, _FactorsTooLarge) else "more memory than is free"
    return OptionError(
        f"a factorization of {n} equations needs {needs}. A method that sweeps needs least: value-iteration, or "
        "policy-evaluation of a policy."
    )


def _iterative_solve(P_pi: Any, r_pi: Floats, gamma: float, run: Run, shape: Shape | None = None) -> Floats:
    """BiCGStab on the residual, again and again until that is a rounding error, with sweeps v ← r + γ P v in between.

    An incomplete LU goes before it where the graph has small separators (as grids have); where it has none, the chain
    mixes fast and needs no preconditioner. BiCGStab may break down, and says so in a number that is no residual: each
    step is taken only where it lessens |r - (I - γ P) v|. Where none does, an incomplete LU with an order of its own
    is tried, then a sparse LU, then sweeps alone, which come to the solution always; `run.remarks` says so.
    """
    solve = _Iteration(P_pi, r_pi, gamma, run, shape or Shape(P_pi))
    for name, make in (
        ("BiCGStab", solve.narrow),
        ("an incomplete LU", solve.wide),
        ("a sparse LU", solve.full),
    ):
        step = None
        with contextlib.suppress(RuntimeError, MemoryError):
            step = make()
        if step is not None:
            solve.refine(step)
        if solve.settled:
            break
        if step is not None:
            run.remark(f"{name} stopped at a residual of {solve.worst:.1e}")
    else:
        run.remark("sweeps took over")
        solve.sweep()
    v = np.empty(len(r_pi))
    v[solve.shape.order] = solve.x
    return v


class _Iteration:
    """The best x so far of A x = b, in an order of states that keeps neighbours together, and steps that better it."""

    def __init__(self, P_pi: Any, r_pi: Floats, gamma: float, run: Run, shape: Shape) -> None:
        self.shape, self.gamma, self.run = shape, gamma, run
        order = self.shape.order
        self.P = P_pi[order][:, order]
        self.A, self.b = system(self.P, gamma), r_pi[order]
        self.x = np.zeros(len(r_pi))
        self.worst = self.residual(self.x)

    def residual(self, x: Floats) -> float:
        return float(np.max(np.abs(self.b - self.A @ x), initial=0.0))

    @property
    def settled(self) -> bool:
        """Whether the residual is the rounding error of its own computation."""
        most = int(np.max(np.diff(self.A.indptr), initial=0))
        scale = float(np.max(np.abs(self.b), initial=0.0)) + 2 * float(np.max(np.abs(self.x), initial=0.0))
        return self.worst <= (most + 2) * 2.0**-53 * scale

    def refine(self, step: Step) -> None:
        """Take steps while each of them halves the residual."""
        while not self.settled:
            nearer = step(self.x)
            left = self.residual(nearer)
            if not left < self.worst / 2:
                return
            self.x, self.worst = nearer, left

    def sweep(self) -> None:
        """Sweep until the residual is a rounding error, or shrinks no more."""
        x, since, done = self.x, 0, 0
        while done < MOST_SWEEPS and not self.settled:
            x = self._swept(x)
            done += SWEEPS
            left = self.residual(x)
            if left < self.worst:
                self.x, self.worst, since = x, left, done
            elif done - since > 2000 + since:
                break

    def narrow(self) -> Step:
        """BiCGStab, after an incomplete LU where the graph has small separators."""
        with contextlib.suppress(RuntimeError):  # a zero pivot: do without
            if self.shape.width**2 <= 16 * len(self.b):
                return self._krylov(
                    incomplete_lu(self.A, self.run, drop_tol=1e-3, fill_factor=5, permc_spec="NATURAL")
                )
        return self._krylov(None)

    def wide(self) -> Step:
        """BiCGStab after an incomplete LU with an order of its own."""
        return self._krylov(
            incomplete_lu(self.A, self.run, drop_tol=1e-4, fill_factor=10, permc_spec="COLAMD")
        )

    def full(self) -> Step | None:
        """A sparse LU, where one of any structure fits."""
        if len(self.b) > LU_LARGEST:
            return None
        from scipy.sparse.linalg import splu

        factors = self.run.call(splu, self.A.tocsc(), permc_spec="COLAMD", diag_pivot_thresh=0.0)
        self.run.did("sparse LU")
        return lambda x: x + factors.solve(self.b - self.A @ x)

    def _swept(self, x: Floats) -> Floats:
        for _ in range(SWEEPS):
            x = self.b + self.gamma * (self.P @ x)
            self.run.did("sweeps")
            self.run.check_stop()
        return x

    def _krylov(self, M: Any) -> Step:
        from scipy.sparse.linalg import bicgstab

        def count(_: Any) -> None:
            self.run.did("Krylov iterations")
            self.run.check_stop()

        def step(x: Floats) -> Floats:
            # Rewards that are 0 almost everywhere make it break down; sweeps spread them.
            x, A = self._swept(x), self.A
            change: Floats = bicgstab(A, self.b - A @ x, rtol=1e-10, maxiter=KRYLOV, M=M, callback=count)[0]
            return x + change

        return step


def incomplete_lu(A: Any, run: Run, **options: Any) -> Any:
    """Return an incomplete factorization as an operator."""
    from scipy.sparse.linalg import LinearOperator, spilu

    factors = run.call(spilu, A.tocsc(), diag_pivot_thresh=0.0, **options)
    return LinearOperator(A.shape, factors.solve, dtype=np.float64)


def system(P_pi: Any, gamma: float) -> Any:
    """I - γ P_π, sparse."""
    from scipy.sparse import csr_array, eye_array

    return csr_array(eye_array(P_pi.shape[0], format="csr") - gamma * P_pi)
