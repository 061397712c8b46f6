"""Exact linear algebra on integers: the rows of a model as integers, and A x = b solved without rounding.

A row is kept as integers over one denominator, and the values of a block of states as integers over one denominator:
products and comparisons are then those of integers, without a greatest common divisor in each of them.
"""

from __future__ import annotations

import math
import sys
from fractions import Fraction
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import MissingExtra, NumericalError, OptionError
from tabular_rl.methods.exact import _flint_child
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving.run import Run

OWN_STATES = 100  # largest block of the arithmetic below
QUICK_STATES = 150  # states up to which it takes a second or two in all
FLINT_STATES = 500  # largest block with python-flint
QUICK = 3e8  # n² (bits of the solution): below it python-flint takes less than a fifth of a second
DIGIT = 28  # bits of a digit: n products of two digits fit in 63 bits for n up to 127
MEMORY = 8e9  # bits of the values, 1 GB

Row = tuple[dict[int, int], int, Fraction]  # {next state: numerator}, denominator, expected reward


class Rows:
    """The rows of a model as integers, in the sign of maximisation, made when first asked for."""

    def __init__(self, mdp: MDP) -> None:
        self.mdp = mdp
        self.made: dict[int, Row] = {}

    def __getitem__(self, i: int) -> Row:
        """({next state: n}, d, r): p(s') = n / d with Σ n = d, without successors of probability 0."""
        row = self.made.get(i)
        if row is None:
            row = self.made[i] = self.make(i)
        return row

    def make(self, i: int) -> Row:
        mdp, exact = self.mdp, self.mdp.exact
        part = slice(int(mdp.row_ptr[i]), int(mdp.row_ptr[i + 1]))
        n, _ = over_one(mdp.prob[part] if exact is None else exact.prob[part])
        d = sum(n)
        if exact is not None and exact.r is not None:
            r: Fraction = exact.r[i]
        elif mdp.reward is not None:
            given = exact.reward if exact is not None and exact.reward is not None else mdp.reward
            rewards, unit = over_one(given[part])
            r = Fraction(sum(map(int.__mul__, n, rewards)), d * unit)
        else:
            r = Fraction(float(mdp.r[i]))
        successors: dict[int, int] = {}
        for s2, x in zip(mdp.next_state[part].tolist(), n, strict=True):
            if x:
                successors[s2] = successors.get(s2, 0) + x
        common = math.gcd(*successors.values())
        if common > 1:
            successors, d = {s2: x // common for s2, x in successors.items()}, d // common
        return successors, d, r if mdp.sense == "max" else -r

    def mixed(self, rows: range, weights: list[Fraction]) -> Row:
        """The row of a state under a policy that takes `rows` with these probabilities."""
        used = [(self[i], w) for i, w in zip(rows, weights, strict=True) if w]
        d = math.lcm(*(row[1] * w.denominator for row, w in used))
        successors: dict[int, int] = {}
        r = Fraction(0)
        for (numerators, own, reward), w in used:
            scale = w.numerator * (d // (own * w.denominator))
            for s2, x in numerators.items():
                successors[s2] = successors.get(s2, 0) + scale * x
            r += w * reward
        return successors, d, r


def over_one(values: Any) -> tuple[list[int], int]:
    """Return floats or rationals as integers over one denominator.

    >>> over_one(np.array([0.5, 0.75]))
    ([2, 3], 4)
    """
    if isinstance(values, np.ndarray):
        pairs = [x.as_integer_ratio() for x in values.tolist()]
    else:
        pairs = list(zip(values.num.tolist(), values.den.tolist(), strict=True))
    common = math.lcm(*{d for _, d in pairs})
    return [n * (common // d) for n, d in pairs], common


class Values:
    """Exact values of states in the sign of maximisation: integers over the denominator of their block."""

    def __init__(self, S: int) -> None:
        self.num = [0] * S
        self.den = [1] * S
        self.bits = 0

    def put(self, states: list[int], num: list[int], den: int) -> None:
        common = math.gcd(den, *num)
        if common > 1:
            num, den = [x // common for x in num], den // common
        for s, x in zip(states, num, strict=True):
            self.num[s], self.den[s] = x, den
        self.bits += sum(x.bit_length() for x in num) + den.bit_length()
        if self.bits > MEMORY:
            raise OptionError("--exact: found values of more than 1 GB of digits. Solve it without --exact.")

    def expected(self, successors: dict[int, int], skip: NDArray[Any] | None = None) -> tuple[int, int]:
        """Σ n x(s') as an integer over a denominator, without the states in `skip` (S,)."""
        sums: dict[int, int] = {}
        num, den = self.num, self.den
        for s2, n in successors.items():
            if num[s2] and (skip is None or not skip[s2]):
                d = den[s2]
                sums[d] = sums.get(d, 0) + n * num[s2]
        if len(sums) <= 1:
            return next(((x, d) for d, x in sums.items()), (0, 1))
        common = math.lcm(*sums)
        return sum(x * (common // d) for d, x in sums.items()), common

    def fractions(self, run: Run) -> list[Fraction]:
        """The values in lowest terms."""
        found = []
        for n, d in zip(self.num, self.den, strict=True):
            run.check_stop()
            found.append(Fraction(n, d))
        return found


def chain_rows(rows: Rows, policy: Policy) -> list[Row | None]:
    """The row of each state under a policy, None at terminals."""
    mdp = rows.mdp
    if policy.rows is not None:
        return [rows[i] if i >= 0 else None for i in policy.rows.tolist()]
    weights = policy.rationals()
    spans = [mdp.rows(s) for s in range(mdp.S)]
    return [rows.mixed(span, weights[span.start : span.stop]) if len(span) else None for span in spans]


def solve_blocks(
    chain: list[Row | None], gamma: Fraction, zero: NDArray[np.bool_], labels: NDArray[Any], run: Run
) -> Values:
    """Solve x = r + γ P x of a chain exactly, one block of states after the other; x = 0 where `zero`.

    Parameters
    ----------
    chain : (S,) the row of each state under a policy, as integers; None at terminal states
    gamma : γ
    zero : (S,) the states that are worth 0 and are not solved for; terminal states are among them
    labels : (S,) the strongly connected components, successors first: each block meets values that are known
    run : whose clock is looked at between blocks

    Returns
    -------
    The values (S,) in the sign of maximisation.

    Raises
    ------
    MissingExtra, OptionError : a block is too large for the arithmetic at hand
    OptionError : the values have more than 1 GB of digits
    """
    x = Values(len(chain))
    free = np.flatnonzero(~zero)
    order = free[np.argsort(labels[free], kind="stable")]
    cuts = np.flatnonzero(np.diff(labels[order])) + 1
    blocks = [block.tolist() for block in np.split(order, cuts)] if len(order) else []
    block_fits(max(map(len, blocks), default=0))
    inside = np.zeros(len(chain), dtype=bool)
    for block in blocks:
        run.check_stop()
        place = {s: j for j, s in enumerate(block)}
        inside[block] = True
        A: list[dict[int, int]] = []
        b: list[tuple[int, int]] = []
        for s in block:
            row = chain[s]
            assert row is not None
            successors, d, r = row
            # (γd d) x(s) - γn Σ_inside n x(s') = γd d r + γn Σ_outside n x(s')
            scale = gamma.denominator * d
            coefficients = {place[s2]: -gamma.numerator * n for s2, n in successors.items() if inside[s2]}
            coefficients[place[s]] = coefficients.get(place[s], 0) + scale
            num, den = x.expected(successors, inside)
            A.append(coefficients)
            b.append((scale * r.numerator * den + gamma.numerator * num * r.denominator, r.denominator * den))
        inside[block] = False
        unit = math.lcm(*{den for _, den in b})
        right = [num * (unit // den) for num, den in b]
        solution, common = solve_integers(A, right, run)
        x.put(block, solution, common * unit)
    return x


def has_flint() -> bool:
    """Whether python-flint is there."""
    return find_spec("flint") is not None


def block_fits(n: int) -> None:
    """Raise where a block is larger than the arithmetic at hand takes."""
    if n <= OWN_STATES:
        return
    if n > FLINT_STATES:
        raise OptionError(
            f"--exact: found {n} states that lead to each other, expected at most {FLINT_STATES}. "
            "Solve it without --exact."
        )
    if not has_flint():
        raise MissingExtra(
            f"--exact: found {n} states that lead to each other, expected at most {OWN_STATES}, or up to "
            f"{FLINT_STATES} with python-flint: pip install 'tabular-rl[exact]'"
        )


def quick_states() -> int:
    """Up to how many states fractions take a second or two: more with python-flint."""
    return QUICK_STATES if has_flint() else OWN_STATES


def solvable(mdp: MDP) -> bool:
    """Return True where no block of states that lead to each other is too large for fractions."""
    if mdp.problem.timed:
        return True
    from tabular_rl.model.graph.search import components

    _, labels = components(mdp)
    largest = int(np.bincount(labels).max())
    return largest <= (FLINT_STATES if has_flint() else OWN_STATES)


def solve_integers(A: list[dict[int, int]], b: list[int], run: Run) -> tuple[list[int], int]:
    """Solve A x = b for a regular integer matrix: x = numerators / one positive denominator.

    Parameters
    ----------
    A : (n,) the rows of the matrix, each as {column: entry}
    b : (n,) the right-hand side
    run : whose clock is looked at on the way

    Returns
    -------
    The numerators (n,), and the denominator that they share.

    Raises
    ------
    MissingExtra, OptionError : more equations than are solved without python-flint
    NumericalError : python-flint ended without an answer

    Examples
    --------
    >>> solve_integers([{0: 2, 1: 1}, {1: 3}], [1, 1], Run("", {}))
    ([1, 1], 3)
    """
    n = len(b)
    if n == 1:
        sign = -1 if A[0][0] < 0 else 1
        return [sign * b[0]], sign * A[0][0]
    if not has_flint():
        block_fits(n)
        return dixon(A, b, run)
    system = n, [(i, j, a) for i, row in enumerate(A) for j, a in row.items()], b
    longest = max(a.bit_length() for _, _, a in system[1])
    if n * n * (n * longest + max(map(int.bit_length, b))) < QUICK:
        return _flint_child.solve(*system)
    return _in_child(system, run)


def _in_child(system: tuple[Any, ...], run: Run) -> tuple[list[int], int]:
    """Solve by python-flint in a child process, so that this one can still react; it is killed when the run ends."""
    import pickle
    import subprocess

    command = [sys.executable, "-P", _flint_child.__file__]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as child:
        try:
            answer, _ = run.call(child.communicate, pickle.dumps(system))
        finally:
            child.kill()
    if child.returncode:
        raise NumericalError(
            f"python-flint ended with code {child.returncode} on {system[0]} equations: not enough memory, perhaps. "
            "Solve it without --exact."
        )
    found: tuple[list[int], int] = pickle.loads(answer)
    return found


# -- our own solver: p-adic lifting (Dixon 1982) -----------------------------------------------------------------


def dixon(A: list[dict[int, int]], b: list[int], run: Run) -> tuple[list[int], int]:
    """Solve A x = b digit by digit in base p, then read fractions off the digits, and prove them by A x = b.

    With C = A⁻¹ mod p:  x_k = C r_k mod p,  r_{k+1} = (r_k - A x_k) / p,  x = Σ x_k p^k.

    Parameters
    ----------
    A : (n,) the rows of a regular matrix, each as {column: entry}; n up to 127
    b : (n,) the right-hand side
    run : whose clock is looked at after each digit

    Returns
    -------
    The numerators (n,), and the denominator that they share.
    """
    n = len(b)
    full: NDArray[Any] = np.zeros((n, n), dtype=object)
    for i, row in enumerate(A):
        for j, a in row.items():
            full[i, j] = a
    p, inverse = inverse_mod(full)
    limbs: list[NDArray[Any]] = []
    rest: Any = abs(full)
    signs = np.where(full < 0, -1, 1)
    while rest.any():
        limbs.append((rest & ((1 << DIGIT) - 1)).astype(np.int64) * signs)
        rest = rest >> DIGIT
    r = np.array(b, dtype=object)
    digits: list[NDArray[Any]] = []
    wanted = 8
    while True:
        while len(digits) < wanted:
            run.check_stop()
            x = inverse @ (r % p).astype(np.int64) % p
            digits.append(x)
            product = sum((limb @ x).astype(object) << (DIGIT * k) for k, limb in enumerate(limbs))
            r = (r - product) // p
        found = _rational_vector(joined(digits, p), p ** len(digits), run)
        if found is not None:
            num, den = found
            if all(sum(a * num[j] for j, a in A[i].items()) == den * b[i] for i in range(n)):
                return num, den
        wanted += wanted // 2


def inverse_mod(A: NDArray[Any]) -> tuple[int, NDArray[np.int64]]:
    """A prime below 2**28 and A⁻¹ modulo it (Gauss-Jordan)."""
    n = len(A)
    p = 1 << DIGIT
    while True:
        p -= 1
        if any(p % q == 0 for q in range(2, 1 << (DIGIT // 2))):
            continue
        work = np.concatenate([(A % p).astype(np.int64), np.eye(n, dtype=np.int64)], axis=1)
        for j in range(n):
            pivots = np.flatnonzero(work[j:, j])
            if not pivots.size:
                break
            work[[j, j + pivots[0]]] = work[[j + pivots[0], j]]
            work[j] = work[j] * pow(int(work[j, j]), -1, p) % p
            others = work[:, j].copy()
            others[j] = 0
            work = (work - others[:, None] * work[j]) % p
        else:
            return p, work[:, n:]


def joined(digits: list[NDArray[Any]], p: int) -> list[int]:
    """Σ x_k p^k of each component, in pairs."""
    level, base = [x.astype(object) for x in digits], p
    while len(level) > 1:
        if len(level) % 2:
            level.append(np.zeros_like(level[0]))
        level = [low + high * base for low, high in zip(level[::2], level[1::2], strict=True)]
        base *= base
    return list(level[0].tolist())


def _rational_vector(x: list[int], M: int, run: Run) -> tuple[list[int], int] | None:
    """Fractions with one denominator that are x modulo M and too small to be an accident, or None."""
    den, num = 1, []
    dens = []
    for residue in x:
        y = residue * den % M
        y -= M if 2 * y > M else 0
        if (abs(y) * den) << 40 >= M:
            run.check_stop()
            y, more = _small_fraction(y % M, M)
            den *= more
            if not more or (abs(y) * den) << 40 >= M:
                return None
        num.append(y)
        dens.append(den)
    return [y * (den // d) for y, d in zip(num, dens, strict=True)], den


def _small_fraction(y: int, M: int) -> tuple[int, int]:
    """u, v with u ≡ v y (mod M) and |u| ≤ √(M/2), by Euclid's algorithm stopped half way."""
    limit = math.isqrt(M // 2)
    u, u2, v, v2 = M, y, 0, 1
    while u2 > limit:
        q = u // u2
        u, u2, v, v2 = u2, u - q * u2, v2, v - q * v2
    return (u2, v2) if v2 > 0 else (-u2, -v2)
