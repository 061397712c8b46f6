"""Docstrings as reStructuredText, which is what the generator takes them for.

Ours are plain text for `help()` and the terminal: equations are indented, an entry of a list of parameters is
`name : meaning`, and a star or a bar means itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable

HEADING = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.MULTILINE)
MARKS = re.compile(r"([\\*|`]|_(?!\w)|(?<=\w)_\b)")
ENTRY = re.compile(r"^([\w.*]+(?:, [\w.*]+)*) : (.*)$", re.DOTALL)
LISTS = ("Parameters", "Raises", "Attributes", "Yields")


def rest(text: str, known: Callable[[str], str | None]) -> str:
    """Return a docstring as reStructuredText.

    Parameters
    ----------
    text : the docstring, without indentation
    known : the full name of what a word in backticks means, or None

    Returns
    -------
    The same with literal blocks, definition lists and escaped signs.

    Examples
    --------
    >>> text = "Return v*.\\n\\n    v = r + γ P v\\n\\nParameters\\n----------\\nmdp : the `model`"
    >>> print(rest(text, lambda word: None))
    Return v\\*.
    <BLANKLINE>
    .. code-block:: text
    <BLANKLINE>
        v = r + γ P v
    <BLANKLINE>
    .. rubric:: Parameters
    <BLANKLINE>
    ``mdp``
        the ``model``
    """
    parts = HEADING.split(text)
    found = [_paragraphs(parts[0], known)]
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        first = re.match(r"[A-Z]\w+", body)
        if title == "Returns" and first and known(first[0]):  # the class of what is returned
            body = f"`{first[0]}`{body[first.end() :]}"
        shown = _entries(body, known) if title in LISTS else _paragraphs(body, known)
        found.append(f".. rubric:: {title}\n\n{shown}")
    return "\n\n".join(part for part in found if part)


def inline(text: str, known: Callable[[str], str | None]) -> str:
    """Return a text with its code marked and all else escaped."""
    parts = re.split(r"`+([^`]+)`+", text)
    for at, part in enumerate(parts):
        if at % 2 == 0:
            parts[at] = MARKS.sub(r"\\\1", part)
        else:
            target = known(part)
            # An empty comment between code and a letter: reStructuredText wants a space there.
            parts[at] = f"\\ :py:obj:`{part} <{target}>`\\ " if target else f"\\ ``{part}``\\ "
    joined = "".join(parts)
    joined = re.sub(r"(^|(?<=[\s(\[]))\\ (?=:py|``)", "", joined)
    return re.sub(r"(?<=`)\\ ($|(?=[\s.,;:)\]?!]))", "", joined)


def _paragraphs(text: str, known: Callable[[str], str | None]) -> str:
    found = []
    for part in re.split(r"\n\s*\n", text.strip("\n")):
        if not part.strip():
            continue
        if part.startswith(">>>"):
            found.append(_code(part, "pycon"))
        elif all(line.startswith(" ") for line in part.splitlines()):
            found.append(_code(_dedented(part), "python" if "import " in part or "def " in part else "text"))
        elif part.startswith("- "):
            found.append(inline(part, known))
        else:
            lines = part.splitlines()
            text_lines = [line for line in lines if not line.startswith("    ")]
            rest_of = lines[len(text_lines) :]
            found.append(inline("\n".join(text_lines), known))
            if rest_of:
                found.append(_code(_dedented("\n".join(rest_of)), "text"))
    return "\n\n".join(found)


def _dedented(text: str) -> str:
    lines = text.splitlines()
    margin = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "\n".join(line[margin:] for line in lines)


def _code(text: str, language: str) -> str:
    return f".. code-block:: {language}\n\n" + "\n".join(
        f"    {line}" if line else "" for line in text.splitlines()
    )


def _entries(text: str, known: Callable[[str], str | None]) -> str:
    """Return `name : meaning` lines as a definition list; what is no entry stays a paragraph."""
    items = re.split(r"\n(?=\S)", text.strip("\n"))
    found = []
    for item in items:
        match = ENTRY.match(item)
        if match is None:
            found.append(inline(item, known))
            continue
        names = ", ".join(_name(name, known) for name in match[1].split(", "))
        meaning = " ".join(line.strip() for line in match[2].splitlines())
        found.append(f"{names}\n    {inline(meaning, known)}")
    return "\n\n".join(found)


def _name(name: str, known: Callable[[str], str | None]) -> str:
    target = known(name)
    return f":py:obj:`{name} <{target}>`" if target and name[0].isupper() else f"``{name}``"
