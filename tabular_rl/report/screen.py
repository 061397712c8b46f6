"""The two streams of the screen: what can be encoded is shown, what cannot is spelled out, and nothing ever crashes."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import Any, TextIO

from tabular_rl.errors import OutputError

ARROWS = {
    "up": "↑", "down": "↓", "left": "←", "right": "→",
    "north": "↑", "south": "↓", "west": "←", "east": "→",
    "up-left": "↖", "up-right": "↗", "down-left": "↙", "down-right": "↘", "stay": "•",
}  # fmt: skip
PLAIN_ARROWS = {
    "up": "^", "down": "v", "left": "<", "right": ">",
    "north": "^", "south": "v", "west": "<", "east": ">",
}  # fmt: skip


@dataclass(frozen=True)
class Signs:
    """The signs that not every terminal has."""

    gamma: str = "γ"
    plus_minus: str = "±"
    close: str = "≈"
    dots: str = "…"
    terminal: str = "■"
    at_most: str = "≤"
    arrows: dict[str, str] = field(default_factory=lambda: ARROWS)


UNICODE = Signs()
PLAIN = Signs("gamma", "+/-", "~", "...", "T", "<=", PLAIN_ARROWS)
SPELLED = str.maketrans(
    {"γ": "gamma", "±": "+/-", "≈": "~", "…": "...", "≤": "<=", "≥": ">=", "←": "<-", "→": "->", "′": "'",
     "Σ": "sum", "π": "pi", "α": "alpha", "β": "beta", "ε": "epsilon", "λ": "lambda", "·": "*", "−": "-", "–": "-",
     "∞": "inf", "τ": "tau", "θ": "theta", "δ": "delta", "Δ": "Delta", "×": "x", "≠": "!=", "∈": "in", "²": "^2"}
)  # fmt: skip


def encodes(text: str, stream: TextIO | None = None) -> bool:
    """Whether a stream (standard output) can show a text.

    >>> encodes("plain")
    True
    """
    stream = stream or sys.stdout
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
        return True
    except (UnicodeError, LookupError):
        return False


def signs() -> Signs:
    """The signs that standard output can show."""
    return UNICODE if encodes("γ±≈…■≤↑↓←→↖↗↙↘•") else PLAIN


def spelled(text: str) -> str:
    """Spell out the mathematical signs of a text of ours where standard output cannot show them."""
    return text if encodes(text) else text.translate(SPELLED)


def coloured(text: str, code: str, stream: TextIO | None = None) -> str:
    """Colour a text for a terminal that wants it; colour is never the only carrier of a meaning.

    Parameters
    ----------
    text : to be coloured
    code : of the colour, as terminals take it: "31" is red, "32" green
    stream : where it will be written, standard output by default

    Returns
    -------
    The text, with the codes around it where the stream is such a terminal.
    """
    stream = stream or sys.stdout
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM", "dumb") == "dumb" or not is_terminal(stream)
    return text if plain else f"\x1b[{code}m{text}\x1b[0m"


def is_terminal(stream: Any) -> bool:
    """Whether a stream is a terminal."""
    try:
        return bool(stream is not None and stream.isatty())
    except ValueError:
        return False


def out(text: str) -> None:
    """Write to standard output. A reader that has gone (`| head`) is no fault; a full disk is (OutputError)."""
    try:
        _write(sys.stdout, text)
    except BrokenPipeError:
        _silence(sys.stdout)
    except OSError as error:
        _silence(sys.stdout)
        raise OutputError(f"standard output: {error.strerror or error}") from None


class _Quiet:
    level = 0  # 1: no progress and no remarks (-q); 2: no warnings either (-qq)


def be_quiet(level: int) -> None:
    """Be as quiet from now on as -q asks, by the number of times that it is given."""
    _Quiet.level = level


def warn(text: str) -> None:
    """Say that the answer is not what was asked, or what else should be known of it; -q leaves it, -qq does not."""
    if _Quiet.level < 2:
        note(f"warning: {text}\n")


def note(text: str) -> None:
    """Write to standard error; where nobody can read it, that is no fault."""
    try:
        _write(sys.stderr, text)
    except OSError:
        _silence(sys.stderr)


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None or stream.closed:
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    for at in range(0, len(text), 1 << 20):
        part = text[at : at + (1 << 20)]
        stream.write(part.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def _silence(stream: TextIO) -> None:
    """Send what is left in a stream's buffer nowhere, so that the interpreter's last flush does not complain."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass
