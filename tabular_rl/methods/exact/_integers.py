"""Exact linear algebra on integers: the rows of a model as integers, and A x = b solved without rounding.

A row is kept as integers over one denominator, and the values of a block of states as integers over one denominator:
products and comparisons are then those of integers, without a greatest common divisor in each of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import OptionError
from tabular_rl.methods.exact._lifting import has_flint, lifted, remainder_by, whole_kind
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving.run import Run

OWN_STATES = 100  # up to which fractions take a second or two in all
QUICK_STATES = 150  # and with python-flint
FLINT_STATES = 150  # largest block that python-flint solves
QUICK = 3e8  # n² (bits of the solution): below it that takes less than a fifth of a second
LONG = 2000  # bits from which a greatest common divisor takes long
ANY = 500  # states of a block of any structure up to which fractions are worth advising
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
        found = [Fraction(0)] * len(self.num)
        blocks: dict[int, list[int]] = {}
        for s, d in enumerate(self.den):
            if self.num[s]:
                blocks.setdefault(d, []).append(s)
        for den, states in blocks.items():
            own = lowest_terms([self.num[s] for s in states], den, run)
            for s, x in zip(states, own, strict=True):
                found[s] = x
        return found


def lowest_terms(num: list[int], den: int, run: Run) -> list[Fraction]:
    """Return numbers other than 0 over a positive denominator as fractions in lowest terms.

    What long numbers have in common with the denominator is looked for in the part of it whose primes are met in their
    product: most of them have little in common, and that part is short.

    Parameters
    ----------
    num : the numerators, none of which is 0
    den : the denominator, positive
    run : whose clock is looked at

    Returns
    -------
    A Fraction for each numerator.

    Examples
    --------
    >>> lowest_terms([2, -3], 12, Run("", {}))
    [Fraction(1, 6), Fraction(-1, 4)]
    """
    shared: Any = den
    divisor: Callable[[Any, Any], Any] = math.gcd
    if den.bit_length() >= LONG:
        whole = whole_kind()
        divisor = math.gcd if whole is int else lambda x, y: int(whole(x).gcd(whole(y)))
        shared, rest = 1, den
        common = divisor(rest, _product(num, den, run))
        while common != 1:
            shared, rest = shared * common, rest // common
            common = divisor(common, rest)
    found = []
    for x in num:
        run.check_stop()
        common = divisor(x, shared)
        # Fraction(x, den) would look for it again.
        fraction: Any = object.__new__(Fraction)
        fraction._numerator, fraction._denominator = (x, den) if common == 1 else (x // common, den // common)
        found.append(fraction)
    return found


def _product(values: list[int], m: int, run: Run) -> int:
    """Π |values| mod m."""
    whole = whole_kind()
    product, modulus = whole(1), whole(m)
    remainder = remainder_by(modulus)
    for x in values:
        run.check_stop()
        factor = whole(abs(x))
        product = remainder(product * (factor if factor < modulus else factor % modulus))
    return int(product)


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
    OptionError : a block takes too much work, or the values have more than 1 GB of digits
    """
    x = Values(len(chain))
    free = np.flatnonzero(~zero)
    order = free[np.argsort(labels[free], kind="stable")]
    cuts = np.flatnonzero(np.diff(labels[order])) + 1
    blocks = [block.tolist() for block in np.split(order, cuts)] if len(order) else []
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


def quick_states() -> int:
    """Up to how many states fractions take a second or two: more with python-flint."""
    return QUICK_STATES if has_flint() else OWN_STATES


def solvable(mdp: MDP) -> bool:
    """Return whether fractions are worth advising: blocks of states that lead to each other are small, or thin."""
    if mdp.problem.timed:
        return True
    from tabular_rl.model.graph.search import components
    from tabular_rl.solving.elimination import first_rows_are_thin

    _, labels = components(mdp)
    return int(np.bincount(labels).max()) <= ANY or first_rows_are_thin(mdp)


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
    OptionError : that takes too much work or memory

    Examples
    --------
    >>> solve_integers([{0: 2, 1: 1}, {1: 3}], [1, 1], Run("", {}))
    ([1, 1], 3)
    """
    n = len(b)
    if n == 1:
        sign = -1 if A[0][0] < 0 else 1
        return [sign * b[0]], sign * A[0][0]
    if n <= FLINT_STATES and has_flint():
        longest = max(a.bit_length() for row in A for a in row.values())
        if n * n * (n * longest + max(map(int.bit_length, b))) < QUICK:
            return _by_flint(A, b)
    return lifted(A, b, run)


def _by_flint(A: list[dict[int, int]], b: list[int]) -> tuple[list[int], int]:
    from flint import fmpz_mat

    n = len(b)
    full = [0] * (n * n)
    for i, row in enumerate(A):
        for j, a in row.items():
            full[i * n + j] = a
    num, den = fmpz_mat(n, n, full).solve(fmpz_mat(n, 1, b)).numer_denom()
    return [int(x) for x in num.entries()], int(den)
