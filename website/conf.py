"""The settings of the generator, Sphinx: docs/decisions/ says why this one. `python -m website` calls it."""

from __future__ import annotations

import inspect
import re
import sys
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tabular_rl
from tabular_rl.report.methods import page as method_page
from tabular_rl.report.render.text import text as text_of
from tabular_rl.solving.method import Method
from website.docstrings import rest
from website.reference import public_names

project = "tabular-rl"
author = copyright = "the tabular-rl authors"
version = release = tabular_rl.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = f"tabular-rl {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_copy_source = html_show_sourcelink = html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
nitpicky = True
smartquotes = False  # s' is no quotation
autodoc_typehints = "none"
add_module_names = False
pygments_dark_style = "a11y-dark"
toc_object_entries = False  # headings of the pages say the same
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
suppress_warnings = ["misc.highlighting_failure"]  # what a program prints need not be a program


NAMES: dict[str, str] = {}
for _name, _thing in public_names().items():
    NAMES.setdefault(_name.rpartition(".")[2], _name)
for _name in [name for name in tabular_rl.MDP.__dict__ if not name.startswith("_")]:
    NAMES[f"MDP.{_name}"] = f"tabular_rl.MDP.{_name}"


def known(word: str) -> str | None:
    """Return the full name of what a word means, where it is a name that the reference has."""
    bare = re.sub(r"\(.*\)$", "", word).removeprefix("tabular_rl.")
    found = NAMES.get(bare)
    # A name of one small word, such as `limit`, is more often a parameter.
    return found if found and (word != bare or bare[0].isupper() or "_" in bare) else None


def value_of(thing: Any) -> str:
    """Return a constant as a docstring; of a table each text, or the names where it holds something else."""
    if not isinstance(thing, dict):
        return f"`{thing}`"
    if not all(isinstance(said, str) for said in thing.values()):
        return ", ".join(f"`{name}`" for name in thing)
    return "\n".join(f"- `{name}`: {said}" for name, said in thing.items())


def _docstring(*given: Any) -> None:
    """Write the lines of a docstring as the generator reads them; of a method also how it is called."""
    _, what, _, thing, _, lines = given
    text = "\n".join(lines)
    if what == "data":  # the docstring is that of its type
        text = value_of(thing)
    if isinstance(thing, Method):
        called = text_of(method_page(thing.name)).partition("\n")[0]  # NAME (how it is called)
        text += f"\n\nOn the command line\n-------------------\n    {called.partition(' (')[2].rstrip(')')}"
    lines[:] = rest(text, known).splitlines()


def _signature(*given: Any) -> Any:
    """Leave out the fields of answers, which nobody makes by hand."""
    thing = given[3]
    if (
        inspect.isclass(thing)
        and is_dataclass(thing)
        and "Parameters\n---" not in (inspect.getdoc(thing) or "")
    ):
        return "", None
    return None


def setup(app: Any) -> None:
    """Tell Sphinx of the functions above."""
    app.connect("autodoc-process-docstring", _docstring)
    app.connect("autodoc-process-signature", _signature)
