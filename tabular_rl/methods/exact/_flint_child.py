"""A process of its own for python-flint, which holds the interpreter's lock while it solves.

Run as a script: a pickled system (n, [(i, j, a)], b) on standard input, (numerators, denominator) on standard output.
"""

from __future__ import annotations

import pickle
import sys


def solve(n: int, entries: list[tuple[int, int, int]], b: list[int]) -> tuple[list[int], int]:
    """Solve A x = b with A[i, j] = a: numerators over one denominator.

    Parameters
    ----------
    n : how many equations
    entries : (i, j, a) of the regular matrix A (n, n); entries that are not listed are 0
    b : (n,) the right-hand side

    Returns
    -------
    The numerators (n,), and the denominator that they share.
    """
    from flint import fmpz_mat

    full = [0] * (n * n)
    for i, j, a in entries:
        full[i * n + j] = a
    num, den = fmpz_mat(n, n, full).solve(fmpz_mat(n, 1, b)).numer_denom()
    return [int(x) for x in num.entries()], int(den)


if __name__ == "__main__":
    pickle.dump(solve(*pickle.load(sys.stdin.buffer)), sys.stdout.buffer)
