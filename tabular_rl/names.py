"""Names of states and actions: any text, or none at all (an index counts as a name, and costs no memory)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any, overload

from tabular_rl.errors import ModelError, NoSuchName, OptionError, closest, kind_text, quoted

INDEX = re.compile(r"0|[1-9][0-9]*")


class Names(Sequence[str]):
    """An immutable sequence of distinct names with the way back from a name to its index.

    >>> Names(["high", "low"]).index("low"), Names(3)[2], Names(3).index("2")
    (1, '2', 2)
    """

    __slots__ = ("_index", "_names", "_size")

    def __init__(self, names: Iterable[str] | int) -> None:
        if isinstance(names, (str, bytes, set, frozenset)) or not isinstance(names, (int, Iterable)):
            raise ModelError(f"names: found {kind_text(names)}, expected a list of texts in their order")
        self._names = None if isinstance(names, int) else tuple(map(str, names))
        self._size = names if isinstance(names, int) else len(self._names or ())
        self._index: dict[str, int] | None = None
        if self._names is not None and self._names == tuple(map(str, range(self._size))):
            self._names = None

    @property
    def given(self) -> bool:
        """True where the names say more than the index."""
        return self._names is not None

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, i: int) -> str: ...
    @overload
    def __getitem__(self, i: slice) -> tuple[str, ...]: ...
    def __getitem__(self, i: int | slice) -> str | tuple[str, ...]:
        if self._names is not None:
            return self._names[i]
        at = range(self._size)[i]
        return str(at) if isinstance(at, int) else tuple(map(str, at))

    def index(self, name: object, start: int = 0, stop: int | None = None) -> int:
        """Return the index of a name; ValueError if there is none."""
        at = self.find(str(name))
        if at is None:
            raise ValueError(name)
        return at

    def find(self, name: str) -> int | None:
        """Return the index of a name, or None."""
        if self._names is None:
            at = int(name) if len(name) <= 19 and name.isascii() and INDEX.fullmatch(name) else -1
            return at if 0 <= at < self._size else None
        if self._index is None:
            self._index = {name: i for i, name in enumerate(self._names)}
        return self._index.get(name)

    def at(self, given: object, what: str) -> int:
        """Return the index of what is given as a name or as an index; `what` it is, for messages.

        Raises
        ------
        NoSuchName : no such name or index
        OptionError : the name of one and the index of another

        >>> Names(["high", "low"]).at("low", "state"), Names(["high", "low"]).at(0, "state")
        (1, 0)
        """
        named = self.find(str(given)) if isinstance(given, (str, Integral)) else None
        whole = isinstance(given, Integral) and not isinstance(given, bool)
        counted = int(given) if whole and 0 <= int(given) < self._size else None  # type: ignore[call-overload]
        if named is not None and counted is not None and named != counted:
            raise OptionError(
                f"{what} {given}: found the index of {quoted(self[counted])} and the name of another, expected one of "
                f"them. Write '{given}' for the name."
            )
        at = named if named is not None else counted
        if at is not None and not isinstance(given, bool):
            return at
        if whole:
            last = f" to {self._size - 1}" if self._size else ", of which there is none"
            raise NoSuchName(f"{what} {given}: no such {what}, expected a name, or an index from 0{last}")
        found = quoted(given) if isinstance(given, str) else f"({type(given).__name__}) {quoted(given)}"
        raise NoSuchName(f"{what} {found}: no such {what}{closest(str(given), self[:1000])}")

    def __contains__(self, name: object) -> bool:
        return self.find(str(name)) is not None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Names) and self._size == other._size and self._names == other._names

    def __hash__(self) -> int:
        return hash((self._size, self._names))

    def __repr__(self) -> str:
        return f"Names({self._size if self._names is None else list(self[:6])!r})"


def state_at(names: Names, state: Any, what: str, *, by_name: bool = False) -> int:
    """Return the index of a state that is given by name or by index; ModelError where there is none.

    A whole number that is one state's name and another's index is refused, or taken as the name with `by_name`.

    >>> state_at(Names(["high", "low"]), "low", "start"), state_at(Names(["high", "low"]), 1, "start")
    (1, 1)
    """
    named = names.find(str(state))
    if not isinstance(state, Integral) or isinstance(state, bool):
        if named is None:
            near = closest(str(state), names)
            raise ModelError(f"{what}: found {quoted(state)}, expected the name or index of a state{near}")
        return named
    number = int(state)
    index = number if 0 <= number < len(names) else None
    if named is not None and index is not None and index != named and not by_name:
        one, other = quoted(names[named]), quoted(names[index])
        raise ModelError(
            f"{what}: found {state}, the name of state number {named} and the number of state {other}. "
            f"Give the name as a text: {one} or {other}"
        )
    at = index if named is None else named
    if at is None:
        raise ModelError(f"{what}: found {quoted(state)}, expected the name or index of a state")
    return at


def by_state(given: Mapping[Any, Any], names: Names, what: str, *, by_name: bool = False) -> dict[int, Any]:
    """Return {index: value} of a mapping from states, by name or index, to values; ModelError where one is given twice.

    >>> by_state({"low": 0.25, 0: 0.75}, Names(["high", "low"]), "start")
    {1: 0.25, 0: 0.75}
    """
    found: dict[int, Any] = {}
    for state, value in given.items():
        at = state_at(names, state, what, by_name=by_name)
        if at in found:
            raise ModelError(f"{what}: found state {quoted(names[at])} twice, expected once")
        found[at] = value
    return found
