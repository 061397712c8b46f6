"""Names of states and actions: any text, or none at all (an index counts as a name, and costs no memory)."""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from numbers import Integral
from operator import eq
from typing import Any, overload

from tabular_rl.errors import ModelError, NoSuchName, OptionError, closest, escape, kind_text, quoted

INDEX = re.compile(r"0|[1-9][0-9]*")
LONGEST_NAME = 10_000
SHOWN = 8  # characters of which the code points are shown
WHOLE = re.compile(r"(-?[0-9]+)(\.0+)?")


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

    def index(self, name: object, start: int = 0, stop: int | None = None) -> int:  # noqa: ARG002  (as a list)
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

    def readings(self, given: object) -> tuple[int | None, int | None]:
        """Return the index that something names, and the index that it is as a whole number; None for what it is not.

        >>> Names(["1", "0"]).readings(1), Names(["a", "b"]).readings("b"), Names(["a", "b"]).readings(7)
        ((0, 1), (1, None), (None, None))
        """
        counted = int(given) if isinstance(given, Integral) and not isinstance(given, bool) else -1
        return self.find(str(given)), counted if 0 <= counted < self._size else None

    def at(self, given: object, what: str) -> int:
        """Return the index of what is given as a name or as an index; `what` it is, for messages.

        Raises
        ------
        NoSuchName : no such name or index
        OptionError : the name of one and the index of another

        >>> Names(["high", "low"]).at("low", "state"), Names(["high", "low"]).at(0, "state")
        (1, 0)
        """
        whole = isinstance(given, Integral) and not isinstance(given, bool)
        named, counted = self.readings(given) if whole or isinstance(given, str) else (None, None)
        if named is not None and counted is not None and named != counted:
            raise OptionError(
                f"{what} {given}: found the index of {quoted(self[counted])} and the name of another, expected one of "
                f"them. Write '{given}' for the name."
            )
        at = counted if named is None else named
        if at is not None:
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


def few_text(names: Sequence[str], most: int = 5) -> str:
    """Return the first names of a list for a message.

    Parameters
    ----------
    names : those that there are
    most : how many are named

    Returns
    -------
    The names, escaped, and three points where there are more.

    Examples
    --------
    >>> few_text(["low", "high"]), few_text(Names(100), 2)
    ('low, high', '0, 1, ...')
    """
    return ", ".join(map(escape, names[:most])) + ", ..." * (len(names) > most)


def state_at(names: Names, state: Any, what: str, *, by_name: bool = False) -> int:
    """Return the index of a state that is given by name or by index; ModelError where there is none.

    Parameters
    ----------
    names : those of the states
    state : a name or an index
    what : the field that it stands in, for messages
    by_name : take a whole number that is one state's name and another's index as the name; otherwise it is refused

    Returns
    -------
    The index, from 0.

    Raises
    ------
    ModelError : no such name or index, or a number that could be either

    Examples
    --------
    >>> state_at(Names(["high", "low"]), "low", "start"), state_at(Names(["high", "low"]), 1, "start")
    (1, 1)
    """
    named, counted = names.readings(state)
    if named is not None and counted is not None and counted != named and not by_name:
        one, other = quoted(names[named]), quoted(names[counted])
        raise ModelError(
            f"{what}: found {state}, the name of state number {named} and the number of state {other}. "
            f"Give the name as a text: {one} or {other}"
        )
    at = counted if named is None else named
    if at is None:
        whole = isinstance(state, Integral) and not isinstance(state, bool)
        near = "" if whole else closest(str(state), names)
        raise ModelError(f"{what}: found {quoted(state)}, expected the name or index of a state{near}")
    return at


def by_state(given: Mapping[Any, Any], names: Names, what: str, *, by_name: bool = False) -> dict[int, Any]:
    """Return {index: value} of a mapping from states, by name or index, to values; ModelError where one is given twice.

    Parameters
    ----------
    given : {state: value}
    names : those of the states
    what : the field that it stands in, for messages
    by_name : as in `state_at`

    Returns
    -------
    {index: value}, in the order given; states that are not named are left out.

    Raises
    ------
    ModelError : a state that is given twice, by name and by index, or that does not exist

    Examples
    --------
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


# -- names that people cannot tell apart -------------------------------------------------------------------------


def name_fault(name: str) -> str:
    """Say what is wrong with a name by itself; nothing where it can be one.

    >>> name_fault("the end"), name_fault(" a"), name_fault("")
    ('', "found a space before or after the name, expected 'a'", 'found an empty name, expected a text')
    """
    bare = name.strip()
    if not bare:
        return "found an empty name, expected a text"
    if bare != name:
        return f"found a space before or after the name, expected {quoted(bare)}"
    if len(name) > LONGEST_NAME:
        return f"found a name of {len(name)} characters, expected at most {LONGEST_NAME}"
    return ""


def are_good(texts: Collection[str]) -> bool:
    """Whether each of many texts can be a name by itself, without a look at each."""
    return not texts or (
        "" not in texts
        and max(map(len, texts)) <= LONGEST_NAME
        and all(map(eq, texts, map(str.strip, texts)))
    )


def check_names(what: str, names: Names) -> None:
    """Raise where two names are the same, or differ in what has no width; warn where they look the same.

    Linear in the names; those in ASCII that differ in more than capitals cost no look at each.
    """
    if not names.given:
        return
    texts = names[:]
    if len(set(texts)) < len(texts):
        i, j = _first_pair(texts)
        raise ModelError(
            f"{what} {quoted(texts[j])}: found twice, as number {i} and {j}, expected distinct names"
        )
    if not are_good(texts):
        name = next(name for name in texts if name_fault(name))
        raise ModelError(f"{what} {quoted(name)}: {name_fault(name)}")
    if not all(map(str.isascii, texts)):
        shown = [text if text.isascii() else without_zero_width(text) for text in texts]
        if len(set(shown)) < len(shown):
            i, j = _first_pair(shown)
            raise ModelError(
                f"{what}s {_both(texts[i], texts[j])}, which has no width. Expected names that can be told apart."
            )
        alike = [text if text.isascii() else unicodedata.normalize("NFKC", text) for text in shown]
    else:
        alike = list(texts)
    folded = [text.casefold() if text.isascii() else _folded(text) for text in alike]
    if len(set(folded)) < len(folded):
        i, j = _first_pair(folded)
        warnings.warn(f"{what}s {_both(texts[i], texts[j])}: they look the same", stacklevel=2)
    _warn_of_sheets(what, texts)


def _warn_of_sheets(what: str, texts: Sequence[str]) -> None:
    """Warn of what a column of whole numbers becomes in a sheet or a frame where some of its cells are empty."""
    points = [name for name in texts if name.endswith(".0")]
    whole = {name for name in texts if name.isdigit()} if points else set()
    both = next((name for name in points if name[:-2] in whole), None)
    if both is not None:
        warnings.warn(
            f"{what}s {quoted(both[:-2])} and {quoted(both)}: two names for one number? A column with empty cells "
            "may have turned 1 into 1.0.",
            stacklevel=3,
        )
    missing = next((name for name in texts if name.lower() in ("nan", "none", "null", "na", "<na>")), None)
    if missing is not None and sum(WHOLE.fullmatch(name) is not None for name in texts) * 2 >= len(texts):
        warnings.warn(f"{what} {quoted(missing)}: a name among numbers. Is it an empty cell?", stacklevel=3)


def without_zero_width(text: str) -> str:
    """A text without marks that take no room: joiners, marks of direction, soft hyphens, choices of a variant."""
    return "".join(c for c in text if unicodedata.category(c) != "Cf" and not "\ufe00" <= c <= "\ufe0f")


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text.casefold())


def _first_pair(texts: Sequence[str]) -> tuple[int, int]:
    """The places of the first text that stands twice."""
    seen: dict[str, int] = {}
    for j, text in enumerate(texts):
        i = seen.setdefault(text, j)
        if i != j:
            return i, j
    raise ValueError("all are distinct")


def _both(a: str, b: str) -> str:
    """Two names with the code points in which they differ.

    >>> _both("caf\\u00e9", "cafe\\u0301"), _both("go", "Go")
    ("'caf\u00e9' with U+00E9 and 'cafe\u0301' with U+0065 U+0301", "'go' with U+0067 and 'Go' with U+0047")
    """
    first = next((k for k, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    last = 0
    while last < min(len(a), len(b)) - first and a[-1 - last] == b[-1 - last]:
        last += 1
    return " and ".join(f"{quoted(x)} with {_points(x[first : len(x) - last])}" for x in (a, b))


def _points(text: str) -> str:
    if not text:
        return "nothing there"
    return " ".join(f"U+{ord(c):04X}" for c in text[:SHOWN]) + " ..." * (len(text) > SHOWN)
