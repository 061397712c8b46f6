"""The models and documents that come with the package, by name.

In a checkout and in an editable installation they lie in mdps/ and docs/ beside the package; a wheel carries the same
files inside it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

from tabular_rl.errors import OptionError, closest, quoted
from tabular_rl.formats.registry import MODELS
from tabular_rl.model.calls import public

NOT_MODELS = {"answers"}
ALIASES = {"gambler": "gambler_40"}  # the one of the book's figure


def examples_folder() -> Path:
    """Return the folder of the models that come with the package.

    Returns
    -------
    The folder as it lies on disk, whichever way the package was installed.

    Raises
    ------
    OptionError, where an installation has lost its models.
    """
    return _folder("mdps", "models")


def documents_folder() -> Path:
    """Return the folder of the documents, which come with the package as the models do.

    Raises
    ------
    OptionError, where an installation has lost its documents.
    """
    return _folder("docs", "documents")


def documents() -> list[str]:
    """Return the names of the pages that `tabular-rl help PAGE` shows, sorted.

    >>> "certificates" in documents()
    True
    """
    return sorted(path.stem for path in documents_folder().glob("*.md"))


def pages_about(words: str) -> dict[str, list[str]]:
    """Return the headings of the documents that have these words, by the names of their pages.

    Where no heading has them, they are those of the sections whose text does, the pages with the most of them first.

    >>> pages_about("QuantEcon")["importers"]
    ['QuantEcon']
    """
    whole = re.compile(rf"(?<!\w){re.escape(words)}(?!\w)", re.IGNORECASE)
    named: dict[str, list[str]] = {}
    told: dict[str, list[str]] = {}
    for page in documents():
        text = (documents_folder() / f"{page}.md").read_text(encoding="utf-8")
        for heading, below in _sections(text):
            if whole.search(heading):
                named.setdefault(page, []).append(heading)
            elif whole.search(below):
                told.setdefault(page, []).append(heading)
    return named or dict(sorted(told.items(), key=lambda found: -len(found[1])))


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """Yield each heading of a page, without its marks, and what stands below it up to the next one."""
    heading, below, inside = "", [""], False
    for line in re.sub(r"\]\([^)\s]+\)", "]", text).splitlines():  # where links lead is no text
        if line.lstrip().startswith("```"):
            inside = not inside
        if line.startswith("#") and not inside:
            yield heading, "\n".join(below)
            heading, below = line.lstrip("#").strip().replace("`", ""), []
        else:
            below.append(line)
    yield heading, "\n".join(below)


def _folder(name: str, what: str) -> Path:
    package = Path(__file__).resolve().parents[1]
    for folder in (package / name, package.parent / name):
        if folder.is_dir():
            return folder
    raise OptionError(f"{package / name}: no such folder; the {what} are missing. Install tabular-rl again.")


@public
def examples() -> list[str]:
    """Return the names of the models that come with the package, sorted.

    Returns
    -------
    Names that `tabular_rl.load("example:NAME")` and `tabular-rl solve example:NAME` understand.

    Examples
    --------
    >>> "recycling_robot" in examples()
    True
    """
    found = {path.stem for path in examples_folder().iterdir() if path.suffix in MODELS.suffixes}
    return sorted(found - NOT_MODELS)


def example_path(name: str) -> Path:
    """Return the file of a model that comes with the package.

    Parameters
    ----------
    name : a name from `examples()`.

    Returns
    -------
    The path of the file, TOML where the same model lies there in several formats.

    Raises
    ------
    OptionError, with the closest name, where there is no such model.

    Examples
    --------
    >>> example_path("recycling_robot").name
    'recycling_robot.toml'
    >>> example_path("recycling-robot")
    Traceback (most recent call last):
    tabular_rl.errors.OptionError: no example 'recycling-robot'; did you mean 'recycling_robot'?
    """
    known = examples()
    name = ALIASES.get(name, name)
    if name not in known:
        near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.4)
        some = f"; the nearest {'is' if len(near) == 1 else 'are'} {', '.join(near)}" if near else ""
        way_out = closest(name, known) or f"{some}. `tabular-rl examples` lists all {len(known)}."
        raise OptionError(f"no example {quoted(name)}{way_out}")
    return next(path for s in MODELS.suffixes if (path := examples_folder() / f"{name}{s}").is_file())
