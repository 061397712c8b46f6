"""The reference of the package: a page for each group of names that users import, and the table of methods."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from types import ModuleType
from typing import Any

import tabular_rl
from tabular_rl.methods.lookup import METHODS
from tabular_rl.report.methods import QUESTIONS
from tabular_rl.solving.method import Method
from website.markdown import code, escaped, table
from website.pages import toctree

# The groups, and the folders or files of the package that their names come from: the first that fits.
GROUPS = {
    "Models and policies": ("model",),
    "Files": ("formats",),
    "Solving and learning": ("methods.ask", "solving"),
    "Proofs": ("certificates", "analysis.verify"),
    "Questions about a model": ("analysis", "report", "methods.exact"),
    "Policy gradients": ("methods.gradient",),
    "Errors": ("errors",),
    "More": ("",),
}


def modules() -> list[ModuleType]:
    """Return the modules beside the package itself that users import: those with an __all__ of their own.

    >>> [module.__name__ for module in modules()][1:3]
    ['tabular_rl.graph', 'tabular_rl.laws']
    """
    names = [info.name for info in pkgutil.iter_modules(tabular_rl.__path__) if not info.name.startswith("_")]
    found = [importlib.import_module(f"tabular_rl.{name}") for name in names]
    return [module for module in found if hasattr(module, "__all__")]


def origin(thing: Any) -> str:
    """Return where in the package a thing is defined, such as "model.mdp"."""
    module = getattr(thing, "__module__", "") or ""
    return str(module).removeprefix("tabular_rl").removeprefix(".")


def group_of(thing: Any) -> str:
    """Return the group in which a thing stands.

    >>> group_of(tabular_rl.MDP), group_of(tabular_rl.verify)
    ('Models and policies', 'Proofs')
    """
    where = origin(thing) + "."
    return next(
        title for title, folders in GROUPS.items() if any(not f or where.startswith(f + ".") for f in folders)
    )


def public_names() -> dict[str, Any]:
    """Return everything that users import, by its full name; methods too."""
    found = {f"tabular_rl.{name}": getattr(tabular_rl, name) for name in tabular_rl.__all__}
    for module in modules():
        found |= {f"{module.__name__}.{name}": getattr(module, name) for name in module.__all__}
    return found


def entry(name: str, thing: Any) -> str:
    """Return the directive that shows a name with its docstring.

    >>> print(entry("tabular_rl.load", tabular_rl.load))
    ```{eval-rst}
    .. autofunction:: tabular_rl.load
    ```
    """
    if inspect.isclass(thing):
        lines = [f".. autoclass:: {name}", "   :members:", "   :member-order: bysource"]
    elif callable(thing):
        lines = [f".. autofunction:: {name}"]
    else:
        lines = [f".. autodata:: {name}", "   :no-value:"]
    return "\n".join(["```{eval-rst}", *lines, "```"])


def summary(thing: Any) -> str:
    """Return the first sentence of a docstring."""
    if not (inspect.isclass(thing) or callable(thing)):
        return f"`{thing}`" if isinstance(thing, str) else f"{len(thing)} entries"
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def _page(title: str, intro: str, names: dict[str, Any]) -> str:
    rows = [
        [f"{{py:obj}}`{name.rpartition('.')[2]} <{name}>`", escaped(summary(thing))]
        for name, thing in names.items()
    ]
    shown = "\n\n".join(
        f"## {name.rpartition('.')[2]}\n\n{entry(name, thing)}" for name, thing in names.items()
    )
    return f"# {title}\n\n{intro}{table(['name', 'what it is'], rows)}\n\n{shown}\n"


def reference_pages() -> dict[str, str]:
    """Return the page that lists all names, and a page for each group and each module."""
    groups: dict[str, dict[str, Any]] = {title: {} for title in GROUPS}
    for name in tabular_rl.__all__:
        thing = getattr(tabular_rl, name)
        if not isinstance(thing, Method):
            groups[group_of(thing)][f"tabular_rl.{name}"] = thing
    pages, links = {}, []
    for title, names in groups.items():
        if names:
            place = f"reference/{title.lower().replace(' ', '-')}"
            pages[place] = _page(title, "", dict(sorted(names.items(), key=lambda item: _order(item[1]))))
            links.append(
                [f"[{title}]({place}.md)", ", ".join(code(name.rpartition(".")[2]) for name in names)]
            )
    for module in modules():
        place = f"reference/{module.__name__.rpartition('.')[2]}"
        names = {f"{module.__name__}.{name}": getattr(module, name) for name in module.__all__}
        said = escaped((inspect.getdoc(module) or "").partition("\n\n")[0])
        pages[place] = _page(code(module.__name__), f"{said}\n\n", names)
        links.append([f"[`{module.__name__}`]({place}.md)", ", ".join(code(name) for name in module.__all__)])
    first = (
        "# The package\n\nAll that `import tabular_rl` has, from the docstrings. [In Python](python.md) shows it "
        f"at work, and each [method](methods.md) is a function too.\n\n{table(['page', 'names'], links)}\n"
    )
    return {"reference": first + toctree([f"/{place}" for place in pages]), **pages}


def _order(thing: Any) -> tuple[str, int]:
    """Classes behind the functions that return them, in the order of the package's files."""
    return origin(thing), inspect.isclass(thing)


def method_pages() -> dict[str, str]:
    """Return the table of methods, from the catalogue, and a page for each question that methods answer."""
    parts, pages = [], {}
    for methods, task, title in QUESTIONS:
        found = {name: method for name, method in methods.items() if method.task == task}
        command, _, rest = title.partition(": ")
        place = f"methods/{command}" + ("-samples" if command == "learn" else "") * (task == "prediction")
        place = {"methods/learn-samples": "methods/learn-values"}.get(place, place)
        rows = [
            [
                f"{{py:obj}}`{name} <tabular_rl.{method.function.__name__}>`",
                escaped(method.summary),
                ", ".join(method.problems),
            ]
            for name, method in found.items()
        ]
        heading = f"{rest[0].upper()}{rest[1:]}"
        parts.append(
            f"## {heading}\n\n`tabular-rl {command}`\n\n{table(['method', 'what it does', 'problems'], rows)}"
        )
        shown = [
            f"## {name}\n\n{entry(f'tabular_rl.{method.function.__name__}', method)}"
            for name, method in found.items()
        ]
        pages[place] = f"# {heading}\n\n" + "\n\n".join(shown) + "\n"
    assert sum(page.count("```{eval-rst}") for page in pages.values()) == len(METHODS)
    first = (
        "# Methods\n\nThe table is made from the catalogue: a method that is added there stands here. "
        "[Choosing a method](choosing-a-method.md) says which one to take.\n\n" + "\n\n".join(parts) + "\n"
    )
    return {"methods": first + toctree([f"/{place}" for place in pages]), **pages}
