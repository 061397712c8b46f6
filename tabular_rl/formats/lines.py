"""The lines of a TOML text.

tomllib reads values and tells no lines. Here the text is scanned a second time, for places and spellings only; both
results are laid over each other, and if they ever disagreed that would be an error of ours, not a wrong line.
"""

from __future__ import annotations

import re
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tabular_rl.errors import Fault, ModelError, quoted

BLANK = re.compile(r"[ \t]*")
SKIP = re.compile(r"(?:[ \t\n]++|#[^\n]*+)*+")
KEY = re.compile(r"""[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+'""")
SCALAR = re.compile(
    r'''"""(?:[^"\\]++|\\.|"{1,2}(?!"))*+"{3,5}'''
    r"""|\'\'\'(?:[^']++|'{1,2}(?!'))*+'{3,5}"""
    r"""|"(?:[^"\\\n]++|\\.)*+"|'[^'\n]*+\'"""
    r"""|\d{4}-\d\d-\d\d[Tt ]\d\d:[\d:.]++(?:[Zz]|[+-]\d\d:\d\d)?"""
    r"""|[^\s,\]}#"'{\[]++""",
    re.DOTALL,
)
WHERE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
QUOTED = re.compile(r""""(?:[^"\\]|\\.)*+"|'[^']*+'|#.*""")
BARE_FRACTION = re.compile(r"(?<![\w./-])-?\d++/\d++(?![\w./-])")
# What nests, and what hides it: texts and comments, brackets, keys of three parts and more.
NESTING = re.compile(
    r'''"""(?:[^"\\]++|\\.|"{1,2}(?!"))*+(?:"{3,5}|\Z)'''
    r"""|\'\'\'(?:[^']++|'{1,2}(?!'))*+(?:'{3,5}|\Z)"""
    r"""|(?P<key>(?<![A-Za-z0-9_-])(?:PART[ \t]*+\.[ \t]*+){2,}+(?:PART)?)"""
    r"""|"(?:[^"\\\n]++|\\.)*+"?|'[^'\n]*+'?|#[^\n]*+|(?P<open>[\[{])|(?P<close>[\]}])""".replace(
        "PART", "(?:" + KEY.pattern + ")"
    ),
    re.DOTALL,
)
OPEN_TABLE = ("Invalid initial character for a key part", "Unclosed inline table")
DEEPEST = 100


@dataclass(slots=True)
class Spot:
    """A value with its line (that of its key, where it has one) and its spelling.

    `value` is a dict or list of Spots, or the scalar that tomllib read; a decimal is left as it is spelled.
    """

    line: int
    spelled: str = ""
    value: Any = None

    def __str__(self) -> str:
        if isinstance(self.value, dict):
            return "a table"
        return "an array" if isinstance(self.value, list) else self.spelled


class Decimal(str):
    """A decimal as it is spelled."""

    __slots__ = ()


def locate(text: str) -> Spot:
    """Return the values of a TOML text (line ends are newlines) with their lines.

    >>> root = locate('discount = 0.90\\n[state.a]\\ngo = { to = "b" }')
    >>> root.value["state"].value["a"].value["go"].line, root.value["discount"].value
    (3, '0.90')
    """
    _check_nesting(text)
    try:
        plain = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ModelError(_syntax_fault(text, str(error))) from None
    except ValueError:  # int() refuses to read thousands of digits
        longest = max(re.finditer(r"[0-9_]+", text), key=lambda m: len(m[0]))
        line = text.count("\n", 0, longest.start()) + 1
        raise ModelError(
            Fault(f"found a number of {len(longest[0])} digits, expected at most 4000", line=line)
        ) from None
    spot = _Scan(text).document()
    _join(spot, plain)
    return spot


def _check_nesting(text: str) -> None:
    """Raise where tables, arrays and dotted keys nest deeper than any model does, before a parser goes down there."""
    levels, waiting = [0], 0  # how deep each open bracket is, and the parts of the key before the next
    for match in NESTING.finditer(text):
        kind = match.lastgroup
        if kind == "close":
            if len(levels) > 1:
                levels.pop()
            waiting = 0
            continue
        if kind == "key":
            waiting = match[0].count(".") + 1
        elif kind == "open":
            levels.append(levels[-1] + waiting + 1)
            waiting = 0
        if levels[-1] + waiting > DEEPEST:
            what = f"found arrays or tables nested too deep, expected at most {DEEPEST} levels"
            raise ModelError(Fault(what, line=text.count("\n", 0, match.start()) + 1))


def _syntax_fault(text: str, said: str) -> Fault:
    match = WHERE.search(said)
    what = said[: match.start()] if match else said
    if match is None or match[1] is None:
        line, place = text.rstrip("\n").count("\n") + 1, "at the end"
    else:
        line, place = int(match[1]), f"column {match[2]}"
    scan = _Scan(text)
    with suppress(_Lost, RecursionError):
        scan.document()
    for path, first, second in scan.twice:
        if second == line:
            return _twice(path, first, second)
    here = text.split("\n")[line - 1]
    fraction = BARE_FRACTION.search(QUOTED.sub(" ", here))
    hint = ""
    if fraction:
        hint = f'. Write "{fraction[0]}" in quotes.'
    elif what in OPEN_TABLE and match and match[2] and _trails(here, int(match[2]) - 1):
        hint = ". A table in braces ends without a comma."
    elif what in OPEN_TABLE and match and match[2] and not QUOTED.sub("", here[int(match[2]) - 1 :]).strip():
        hint = ". A table in braces stands on one line; a long action is written [state.NAME.ACTION]."
    return Fault(f"not valid TOML: {what} ({place}){hint}", line=line)


def _trails(line: str, at: int) -> bool:
    """Whether a closing brace follows a comma there."""
    return line[at : at + 1] == "}" and line[:at].rstrip().endswith(",")


def _twice(path: tuple[str, ...], first: int, line: int) -> Fault:
    what = f"found twice, first on line {first}, expected once"
    names = dict(zip(("state", "action"), path[1:], strict=False)) if path[0] == "state" else {}
    if len(path) == 5 and path[3] == "to":
        names["next_state"] = path[4]
    elif len(path) > 3 or not names:
        what = f"{quoted('.'.join(path))}: {what}"
    return Fault(what, line=line, **names)


def _join(spot: Spot, value: Any) -> None:
    """Put the values of tomllib into the places that were scanned."""
    found = spot.value
    if isinstance(value, dict) and isinstance(found, dict) and found.keys() == value.keys():
        for key, item in value.items():
            _join(found[key], item)
    elif isinstance(value, list) and isinstance(found, list) and len(found) == len(value):
        for inner, item in zip(found, value, strict=True):
            _join(inner, item)
    elif found is None and not isinstance(value, (dict, list)) and _spells(spot.spelled, value):
        spot.value = value
    else:
        raise RuntimeError(f"line {spot.line}: the scan for lines and tomllib disagree")


def _spells(text: str, value: Any) -> bool:
    """Whether a text spells a value of TOML; dates are not looked at."""
    if isinstance(value, Decimal):
        return text == value
    if isinstance(value, str):
        return text[:1] in ('"', "'")
    if isinstance(value, bool):
        return text == str(value).lower()
    return not isinstance(value, int) or int(text.replace("_", ""), 0) == value


class _Lost(Exception):
    """The text is not TOML from here on; tomllib says how."""


class _Scan:
    """One pass over a TOML text for lines and spellings. It trusts the text: tomllib judges it."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.line, self.counted = 1, 0
        self.twice: list[tuple[tuple[str, ...], int, int]] = []  # path of a key, its first and second line

    def here(self) -> int:
        self.line += self.text.count("\n", self.counted, self.at)
        self.counted = self.at
        return self.line

    def take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise _Lost
        self.at = match.end()
        return match[0]

    def next_is(self, mark: str) -> bool:
        if not self.text.startswith(mark, self.at):
            return False
        self.at += len(mark)
        return True

    def document(self) -> Spot:
        root = Spot(1, value={})
        table = root
        path: tuple[str, ...] = ()
        declared: dict[tuple[str, ...], int] = {}
        while True:
            self.take(SKIP)
            if self.at >= len(self.text):
                return root
            line = self.here()
            if self.next_is("[["):
                path = self.key()
                self.at += 2
                parent = self.descend(root, path[:-1], line)
                items = parent.value.setdefault(path[-1], Spot(line, value=[]))
                if not isinstance(items.value, list):
                    raise _Lost
                table = Spot(line, value={})
                items.value.append(table)
            elif self.next_is("["):
                path = self.key()
                self.at += 1
                if path in declared:
                    self.twice.append((path, declared[path], line))
                declared[path] = line
                parent = self.descend(root, path[:-1], line)
                if path[-1] in parent.value and not isinstance(parent.value[path[-1]].value, dict):
                    self.twice.append((path, parent.value[path[-1]].line, line))
                    raise _Lost
                table = parent.value.setdefault(path[-1], Spot(line, value={}))
                table.line = line
            else:
                self.pair(table, path)

    def descend(self, table: Spot, keys: tuple[str, ...], line: int) -> Spot:
        for key in keys:
            table = table.value.setdefault(key, Spot(line, value={}))
            if isinstance(table.value, list) and table.value:
                table = table.value[-1]
            if not isinstance(table.value, dict):
                raise _Lost
        return table

    def key(self) -> tuple[str, ...]:
        parts = []
        while True:
            self.take(BLANK)
            part = self.take(KEY)
            if part[0] in "\"'":
                try:
                    part = tomllib.loads(f"key = {part}")["key"] if "\\" in part else part[1:-1]
                except tomllib.TOMLDecodeError:
                    raise _Lost from None
            parts.append(part)
            self.take(BLANK)
            if not self.next_is("."):
                return tuple(parts)

    def pair(self, table: Spot, path: tuple[str, ...]) -> None:
        line = self.here()
        keys = self.key()
        if not self.next_is("="):
            raise _Lost
        self.take(BLANK)
        table = self.descend(table, keys[:-1], line)
        spot = self.value(path + keys)
        spot.line = line
        first = table.value.setdefault(keys[-1], spot)
        if first is not spot:
            self.twice.append((path + keys, first.line, line))

    def value(self, path: tuple[str, ...]) -> Spot:
        line = self.here()
        if self.next_is("["):
            items: list[Spot] = []
            while True:
                self.take(SKIP)
                if self.next_is("]"):
                    return Spot(line, value=items)
                items.append(self.value(path))
                self.take(SKIP)
                self.next_is(",")
        if self.next_is("{"):
            table = Spot(line, value={})
            while True:
                self.take(SKIP)
                if self.next_is("}"):
                    return table
                self.pair(table, path)
                self.take(SKIP)
                self.next_is(",")
        return Spot(line, self.take(SCALAR))
