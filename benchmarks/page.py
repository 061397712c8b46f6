"""results.md: each program rewrites its own part, which begins with its title."""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).with_name("results.md")
RACES, LARGE, CHECKING = "# Benchmarks", "# Large models", "# Model checking"
GROWTH, LEARNERS = "# Cost against size", "# Benchmarks of learners"
A_PART = "a part of the benchmarks: nothing is written without --output, the tables follow on stdout"
TITLES = (RACES, LARGE, CHECKING, GROWTH, LEARNERS)


def replace_part(path: Path, title: str, text: str) -> None:
    """Put a part of the page in the place of what stood there; the parts stand in the order of TITLES."""
    parts = read_parts(path)
    parts[title] = text.strip()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(parts[t] for t in TITLES if t in parts) + "\n", encoding="utf-8")


def read_parts(path: Path) -> dict[str, str]:
    """Return the parts of a page by their titles."""
    parts: dict[str, list[str]] = {}
    title = ""
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        title = line if line in TITLES else title
        if title:
            parts.setdefault(title, []).append(line)
    return {title: "\n".join(lines).strip() for title, lines in parts.items()}


def machine() -> str:
    return f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Return a table, whose first `left` columns are words."""
    rule = ["---"] * left + ["---:"] * (len(head) - left)
    return ["| " + " | ".join(cells) + " |" for cells in (head, rule, *rows)]


def seconds_text(x: float) -> str:
    """Two digits, without the 0 before the point.

    >>> seconds_text(25.4), seconds_text(1.44), seconds_text(0.0234), seconds_text(0.00003), seconds_text(float("inf"))
    ('25', '1.4', '.023', '.000030', '-')
    """
    if not np.isfinite(x):
        return "-"
    if x >= 1 or x <= 0:
        return f"{x:.0f}" if x >= 10 or x <= 0 else f"{x:.1f}"
    places = min(1 - math.floor(math.log10(x)), 9)
    return f"{x:.{places}f}".removeprefix("0")


def range_text(first: str, last: str) -> str:
    """From one number to another, or the number where they look alike.

    >>> range_text("2.1", "2.2"), range_text("8.5", "8.5")
    ('2.1 to 2.2', '8.5')
    """
    return first if first == last else f"{first} to {last}"


def count_text(n: int, word: str) -> str:
    """How many of something whose plural ends in s.

    >>> count_text(1, "model"), count_text(25, "model")
    ('1 model', '25 models')
    """
    return f"{n} {word}{'' if n == 1 else 's'}"


def times_text(x: float, digits: int = 2) -> str:
    """How many times: so many digits, never as a power of ten.

    >>> times_text(2.345), times_text(2.345, 3), times_text(1234.5), times_text(20.0)
    ('2.3', '2.35', '1200', '20')
    """
    text = f"{x:.{digits}g}"
    return f"{float(text):.0f}" if "e+" in text else text
