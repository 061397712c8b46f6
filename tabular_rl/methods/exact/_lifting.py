"""A x = b for a regular matrix of integers, by p-adic lifting along a sparse factorization modulo p (Dixon 1982).

The matrix is factored modulo a prime p, along the order of least degree. Each step then takes one digit of every x(i)
in base p from the factors. One mixture of all x(i) tells when there are enough digits: when it is a fraction of far
fewer bits than they hold. With its denominator the numerators of all x(i) are read off the lower digits, and A x = b is
checked on whole numbers. Nothing but that check is relied on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import OptionError
from tabular_rl.kernels import _plain
from tabular_rl.model.numbers import size_text
from tabular_rl.solving.ordering import Pattern, least_degree_pattern
from tabular_rl.solving.run import Run

DIGIT = 28  # bits of a prime
SPARE = 40  # bits by which a fraction must be smaller than what its digits can hold
SMALL = 100  # equations up to which all entries are taken to be there
BLOCK = 1 << 24  # products of one call of a kernel
CHUNK = 64  # digits that a kernel joins
GROUP = 64  # values whose digits are joined together
FIRST = 8  # digits that are tried
WINDOW = 120  # bits by which quotients are found
MOST = 1e12  # products of a solution: some twenty minutes
LONGEST = 1_000_000_000  # digits of a solution: 4 GB

Row = dict[int, int]
Ints = NDArray[Any]


def lifted(A: list[Row], b: list[int], run: Run) -> tuple[list[int], int]:
    """Solve A x = b: x = numerators / one positive denominator.

    Parameters
    ----------
    A : (n,) the rows of a regular matrix, each as {column: entry}
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
    >>> lifted([{0: 2, 1: 1}, {1: 3}], [1, 1], Run("", {}))
    ([1, 1], 3)
    """
    if not any(b):
        return [0] * len(b), 1
    lifting, wanted = Lifting(A, b, run), FIRST
    while True:
        lifting.lift(wanted)
        for num, den in lifting.candidates():
            if _solves(A, b, num, den, run):
                return [int(x) for x in num], int(den)
        if lifting.done == lifting.most:
            raise AssertionError("digits beyond Hadamard's bound")
        wanted += wanted // 2


class Lifting:
    """The digits of the solution so far."""

    def __init__(self, A: list[Row], b: list[int], run: Run) -> None:
        self.n, self.run, self.most = len(b), run, _most_digits(A, b)
        self.whole = whole_kind()
        self.kernels = _plain.kernels("modular", self.n**2 if self.n <= SMALL else _plain.SMALL + 1)
        pattern = self._pattern(A)
        self.order, self.place = pattern.order, pattern.place
        self.pattern = tuple(pattern)[2:]
        self.ptr = np.concatenate([[0], np.cumsum([len(A[i]) for i in self.order.tolist()])])
        at = self.place.tolist()
        self.column = np.array([at[j] for i in self.order.tolist() for j in A[i]], dtype=np.int32)
        entries = [a for i in self.order.tolist() for a in A[i].values()]
        self.p, self.factors = self._factors(entries)
        width = _digits_of(max(map(int.bit_length, entries)))
        self.limbs = np.array(_digits(entries, self.p, width), dtype=np.int64).reshape(-1)
        self.right = self._right(b)
        self.rest = np.zeros(self.n * width, dtype=np.int64)
        # Memory is taken as digits are written.
        self.x, self.done = np.zeros(self.n * self.most, dtype=np.int32), 0
        # Not all 1: what is odd in the numerators must not cancel.
        self.weights = np.random.default_rng(1).integers(1, 1 << 16, self.n)
        self.mixture = np.zeros(self.most, dtype=np.int64)

    def _pattern(self, A: list[Row]) -> Pattern:
        n, entries = self.n, sum(map(len, A))
        if self.most * n > LONGEST:
            raise self._refusal(f"{size_text(4.0 * self.most * n)}", f"at most {size_text(4.0 * LONGEST)}")
        if n <= SMALL:
            every = np.arange(n, dtype=np.int32)
            later = every > every[:, None]
            columns, counts = np.broadcast_to(every, (n, n)), np.arange(n)
            ends = np.concatenate([[0], np.cumsum(counts[::-1])]), np.concatenate([[0], np.cumsum(counts)])
            return Pattern(every, every, ends[0], columns[later], ends[1], columns[later.T])
        ptr = np.concatenate([[0], np.cumsum([len(row) - (i in row) for i, row in enumerate(A)])])
        out = np.array([j for i, row in enumerate(A) for j in row if j != i], dtype=np.int32)
        room = int(max(min(2 * n * n, MOST / self.most - entries), 0))
        pattern = least_degree_pattern(ptr, out, np.zeros(n, dtype=bool), room, self.run.check_stop)
        if pattern is None or (2 * len(pattern.column) + entries) * self.most > MOST:
            raise self._refusal("too many products", f"at most {MOST:.0e}")
        return pattern

    def _refusal(self, found: str, expected: str) -> OptionError:
        return OptionError(
            f"--exact: found {self.n} states that lead to each other, whose values may have "
            f"{int(0.15 * DIGIT * self.most)} digits each: to find them takes {found}, expected {expected}. "
            "Solve it without --exact."
        )

    def _factors(self, entries: list[int]) -> tuple[int, tuple[Ints, Ints, Ints]]:
        """A prime modulo which the matrix is regular, and its factors."""
        n, pattern = self.n, self.pattern
        work, pivot = np.zeros(n, dtype=np.int64), np.empty(n, dtype=np.int64)
        lower, upper = np.empty(len(pattern[3]), dtype=np.int64), np.empty(len(pattern[1]), dtype=np.int64)
        step = 1 + BLOCK * n // (1 + len(lower) * (1 + len(upper) // n))
        p = 1 << DIGIT
        while True:
            p = _prime_below(p)
            matrix = self.ptr, self.column, np.array([a % p for a in entries], dtype=np.int64)
            first, last = 0, 0
            while first == last < n:
                self.run.check_stop()
                last = min(first + step, n)
                first = self.kernels.factor(matrix, pattern, p, first, last, work, pivot, lower, upper)
            if first == last:
                return p, (pivot, lower, upper)

    def _right(self, b: list[int]) -> Ints:
        """The digits of b, as many as there are."""
        most = _digits_of(max(map(int.bit_length, b)))
        return np.array(_digits([b[i] for i in self.order.tolist()], self.p, most), dtype=np.int64).reshape(
            -1
        )

    def lift(self, wanted: int) -> None:
        """Take more digits, so many in all, but no more than surely suffice."""
        wanted = min(wanted, self.most)
        products = len(self.limbs) + len(self.pattern[1]) + len(self.pattern[3])
        step, matrix = 1 + BLOCK // products, (self.ptr, self.column, self.limbs)
        for first in range(self.done, wanted, step):
            self.run.check_stop()
            last = min(first + step, wanted)
            self.kernels.lift(
                matrix,
                self.pattern,
                self.factors,
                self.p,
                self.right,
                self.weights,
                first,
                last,
                self.rest,
                self.x,
                self.mixture,
            )
        self.done = wanted

    def candidates(self) -> Iterator[tuple[list[Any], Any]]:
        """Yield numerators and the denominator that they share, where there are enough digits for them to be right."""
        M = self.whole(self.p) ** self.done
        half = 1 << (M.bit_length() - 2) // 2
        digits = [self.whole(x) for x in self.mixture[: self.done].tolist()]
        u, den = small_fraction(joined(digits, powers(self.whole(self.p), self.done)) % M, M, half)
        if den and (abs(u) * den) << SPARE < M:
            # The numerators are hardly longer than u: fewer digits hold them.
            few = min(_digits_of(abs(u).bit_length() + 2 * SPARE), self.done)
            yield from self._numerators(den, few, self.p**few >> SPARE)
            yield from self._numerators(den, self.done, M >> SPARE)
        if self.done == self.most:  # much of the denominator cancels in the mixture
            yield from self._numerators(1, self.done, half)

    def _numerators(self, den: int, digits: int, most: int) -> Iterator[tuple[list[Any], Any]]:
        """The same from a part of the denominator; what it lacks is found where a numerator is more than `most`."""
        M, shared = self.whole(self.p) ** digits, self.whole(den)
        remainder = remainder_by(M)
        num, dens, rest, bar = [], [], shared % M, M >> SPARE
        for residue in self._values(digits):
            self.run.check_stop()
            y = remainder(residue * rest)
            y -= M if 2 * y > M else 0
            if abs(y) >= bar:
                y, more = small_fraction(y % M, M, most)
                if not more or more.bit_length() + y.bit_length() + SPARE // 2 > M.bit_length():
                    return
                shared, rest = shared * more, rest * more % M
            num.append(y)
            dens.append(shared)
        found = [y * (shared // d) for y, d in zip(num, dens, strict=True)]
        yield [found[at] for at in self.place.tolist()], shared

    def _values(self, digits: int) -> Iterator[Any]:
        """Each x(i) modulo p^digits, in the order of elimination."""
        n, size, chunks = self.n, CHUNK * DIGIT // 32, -(-digits // CHUNK)
        table = self.x[: n * digits].reshape(digits, n)
        bases = powers(self.whole(self.p) ** CHUNK, chunks)
        for first in range(0, n, GROUP):
            own = table[:, first : first + GROUP]
            padded = np.zeros((chunks * CHUNK, own.shape[1]), dtype=np.int32)
            padded[:digits] = own
            # one column for CHUNK digits of a value, those of the same value one beside the other
            columns = padded.reshape(chunks, CHUNK, -1).transpose(1, 2, 0).reshape(-1)
            count = len(columns) // CHUNK
            limbs = np.zeros(count * size, dtype=np.int64)
            self.kernels.join(columns, count, 0, CHUNK, self.p, size, limbs)
            data, width = limbs.astype("<u4").tobytes(), 4 * size
            for start in range(0, len(data), chunks * width):
                ends = range(start, start + chunks * width, width)
                yield joined([self.whole(int.from_bytes(data[i : i + width], "little")) for i in ends], bases)


def has_flint() -> bool:
    """Whether python-flint is there."""
    return find_spec("flint") is not None


def whole_kind() -> Callable[[int], Any]:
    """The whole numbers of python-flint where that is there: long ones are multiplied in less time."""
    if not has_flint():
        return int
    from flint import fmpz

    return fmpz  # type: ignore[no-any-return]


def _digits_of(bits: float) -> int:
    """How many digits surely hold so many bits."""
    return int(bits / (DIGIT - 0.001)) + 1


def powers(base: Any, count: int) -> list[Any]:
    """base, base², base⁴ ...: what `joined` needs for so many digits."""
    found = [base]
    while 2 ** len(found) < count:
        found.append(found[-1] * found[-1])
    return found


def joined(digits: Sequence[Any], bases: list[Any]) -> Any:
    """Σ digits(k) base^k, in pairs; `bases` are powers(base, how many digits there are)."""
    level = list(digits)
    for base in bases:
        if len(level) == 1:
            break
        if len(level) % 2:
            level.append(0)
        level = [low + high * base for low, high in zip(level[::2], level[1::2], strict=True)]
    return level[0]


def remainder_by(m: Any) -> Callable[[Any], Any]:
    """Return the function x → x mod m for 0 ≤ x < m²: two products, not a division, which takes longer (Barrett 1986).

    >>> remainder_by(10**30)(7 * 10**45 + 3)
    3
    """
    bits = m.bit_length()
    inverse = ((m * 0 + 1) << 2 * bits) // m

    def remainder(x: Any) -> Any:
        left = x - ((x >> bits - 1) * inverse >> bits + 1) * m
        while left >= m:
            left -= m
        return left

    return remainder


def _digits(values: list[int], base: int, count: int) -> list[list[int]]:
    """The digits of numbers, each with the sign of its number: digit k of all of them, for each k < count."""
    if count == 1:
        return [values]
    half = (count + 1) // 2
    power = base**half
    pairs = [divmod(abs(x), power) for x in values]
    low = [r if x >= 0 else -r for x, (_, r) in zip(values, pairs, strict=True)]
    high = [q if x >= 0 else -q for x, (q, _) in zip(values, pairs, strict=True)]
    return _digits(low, base, half) + _digits(high, base, count - half)


def _prime_below(p: int) -> int:
    while True:
        p -= 1
        if all(p % q for q in range(2, math.isqrt(p) + 1)):
            return p


def small_fraction(y: Any, M: Any, limit: Any) -> tuple[Any, Any]:
    """u and v ≥ 0 with u ≡ v y (mod M) and |u| ≤ limit, v as small as Euclid's algorithm meets it.

    Parameters
    ----------
    y : 0 ≤ y < M
    M : the modulus
    limit : of |u|

    Returns
    -------
    u, v.

    Examples
    --------
    >>> small_fraction(pow(7, -1, 1009) * 3 % 1009, 1009, 22)
    (3, 7)
    """
    u, u2, v, v2 = M, y, 0, 1
    while u2 > limit:
        shift = u.bit_length() - WINDOW
        if shift > 0 and u2.bit_length() - limit.bit_length() > WINDOW:
            a, b, c, d = _quotients(int(u >> shift), int(u2 >> shift))
            if b:
                u, u2, v, v2 = a * u + b * u2, c * u + d * u2, a * v + b * v2, c * v + d * v2
                continue
        q = u // u2
        u, u2, v, v2 = u2, u - q * u2, v2, v - q * v2
    return (u2, v2) if v2 > 0 else (-u2, -v2)


def _quotients(u: int, u2: int) -> tuple[int, int, int, int]:
    """The steps of Euclid's algorithm that the leading bits of two numbers settle, as a matrix (Lehmer 1938)."""
    a, b, c, d = 1, 0, 0, 1
    while u2 + c and u2 + d:
        q = (u + a) // (u2 + c)
        if q != (u + b) // (u2 + d):
            break
        a, b, c, d = c, d, a - q * c, b - q * d
        u, u2 = u2, u - q * u2
    return a, b, c, d


def _most_digits(A: list[Row], b: list[int]) -> int:
    """How many digits surely suffice (Hadamard): twice for a determinant, and for what b adds to it."""
    bits = sum(math.log2(sum(map(abs, row.values()))) for row in A)
    more = max(map(int.bit_length, b)) + len(b).bit_length() + SPARE
    return _digits_of(2 * (bits + more))


def _solves(A: list[Row], b: list[int], num: list[int], den: int, run: Run) -> bool:
    """Whether A num = den b."""
    for row, right in zip(A, b, strict=True):
        run.check_stop()
        if sum(a * num[j] for j, a in row.items()) != den * right:
            return False
    return True
