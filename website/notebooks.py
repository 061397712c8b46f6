"""The notebooks as pages, with what their cells show: they are run while the site is built."""

from __future__ import annotations

import ast
import base64
import contextlib
import html
import io
import json
from pathlib import Path
from typing import Any

from website.markdown import block
from website.pages import ROOT, toctree

PICTURE = "what the code above draws"
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def notebook_pages(run: bool = True) -> dict[str, str]:
    """Return the page that lists the notebooks, and a page for each; without `run` its cells show nothing."""
    pages = {f"notebooks/{path.stem}": notebook_page(path, run) for path in NOTEBOOKS}
    text = (
        "# Notebooks\n\nThree for students, with every number checked. They come with the package, in the folder "
        "that `tabular-rl --help` names, and open in Jupyter with the extra `notebook`. "
        "Here they are with what they show.\n\n"
    )
    lines = [f"- [{_title(path)}]({path.stem}.md)" for path in NOTEBOOKS]
    return {
        "notebooks/index": text + "\n".join(lines) + "\n" + toctree([f"/{name}" for name in pages]),
        **pages,
    }


def _cells(path: Path) -> list[tuple[str, str]]:
    book = json.loads(path.read_text(encoding="utf-8"))
    return [(cell["cell_type"], "".join(cell["source"])) for cell in book["cells"]]


def _title(path: Path) -> str:
    return (
        next(source for kind, source in _cells(path) if kind == "markdown")
        .partition("\n")[0]
        .removeprefix("# ")
    )


def notebook_page(path: Path, run: bool) -> str:
    """Return a notebook as Markdown, with what its cells show as HTML."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    parts = []
    for number, (kind, source) in enumerate(_cells(path), start=1):
        if kind != "code":
            parts.append(source)
            continue
        parts.append(block(source, "python"))
        if run:
            parts += [
                f"```{{raw}} html\n{shown}\n```"
                for shown in _shown(source, f"{path.name}, cell {number}", namespace)
            ]
    return "\n\n".join(parts) + "\n"


def _shown(source: str, name: str, namespace: dict[str, Any]) -> list[str]:
    """Run a cell; return what it prints, the pictures that it draws, and the value of its last line."""
    body = ast.parse(source, name)
    end = body.body[-1] if body.body else None
    last = end.value if isinstance(end, ast.Expr) else None
    if last is not None:
        body.body.pop()
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(body, name, "exec"), namespace)
        if last is not None:
            value = eval(compile(ast.Expression(last), name, "eval"), namespace)
    found = [f"<pre>{html.escape(printed.getvalue())}</pre>"] if printed.getvalue() else []
    found += [f'<p class="picture"><img alt="{PICTURE}" src="{picture}"></p>' for picture in _pictures()]
    if value is not None and not source.rstrip().endswith(";"):
        shown = getattr(value, "_repr_html_", None)
        found.append(
            f'<div class="shown">{shown()}</div>'
            if shown is not None
            else f"<pre>{html.escape(repr(value))}</pre>"
        )
    return found


def _pictures() -> list[str]:
    """Return the pictures that are open in pyplot, as addresses that hold an SVG, and close them."""
    from matplotlib import pyplot

    found = []
    for number in pyplot.get_fignums():
        drawn = io.BytesIO()
        pyplot.figure(number).savefig(drawn, format="svg", bbox_inches="tight")
        found.append(f"data:image/svg+xml;base64,{base64.b64encode(drawn.getvalue()).decode()}")
    pyplot.close("all")
    return found
