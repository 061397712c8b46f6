"""Draws that are the same on every machine and in every version of Python: sheets are graded years later."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """A stream of draws, made of what its key says and nothing else: the digits of SHA-256 of the key and a count.

    Whether they are `simple` is for those who make numbers of them.

    >>> dice = Dice("seed", 1)
    >>> [dice.below(6) for _ in range(8)]
    [5, 5, 5, 3, 3, 4, 0, 2]
    """

    def __init__(self, *key: object, simple: bool = False) -> None:
        self._key = repr(key).encode()
        self.simple = simple
        self._count = 0

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1; each as likely, to within 2⁻¹²⁸."""
        self._count += 1
        digest = hashlib.sha256(self._key + b"#%d" % self._count).digest()
        return int.from_bytes(digest, "big") % n

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both among them."""
        return low + self.below(high - low + 1)

    def one_of(self, things: Sequence[T]) -> T:
        """One of some things."""
        return things[self.below(len(things))]

    def shuffled(self, things: Sequence[T]) -> list[T]:
        """The things in another order."""
        left = list(things)
        return [left.pop(self.below(len(left))) for _ in things]

    def some(self, things: Sequence[T], count: int) -> list[T]:
        """Some of the things, in their order."""
        chosen = sorted(self.shuffled(range(len(things)))[:count])
        return [things[at] for at in chosen]
