"""Plain text as Markdown: what is no mark-up must not be read as such."""

from __future__ import annotations

import re

MARKS = re.compile(r"([\\*_\[\]<>|#~{}$])")


def escaped(text: str) -> str:
    """Return plain text as Markdown; what stands between backticks is code.

    >>> print(escaped("E[v*] of `a_b`, x_1"))
    E\\[v\\*\\] of `a_b`, x\\_1
    """
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(part if at % 2 else MARKS.sub(r"\\\1", part) for at, part in enumerate(parts))


def code(text: str) -> str:
    """Return a text as code.

    >>> code("a"), code("`a`")
    ('`a`', '`` `a` ``')
    """
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def block(text: str, language: str = "text") -> str:
    """Return lines as a block of code."""
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall(r"`{3,}", text))])
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table whose cells are Markdown.

    >>> print(table(["a", "b"], [["x|y", "z"]]))
    | a | b |
    |---|---|
    | x\\|y | z |
    """
    lines = [head, *([re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in row] for row in rows)]
    shown = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([shown[0], "|" + "---|" * len(head), *shown[1:]])
