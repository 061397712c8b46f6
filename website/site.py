"""What is generated beside the pages of the project, by its name in navigation.toml."""

from __future__ import annotations

from collections.abc import Callable

from website.commands import command_pages
from website.notebooks import notebook_pages
from website.reference import method_pages, reference_pages

GENERATED: dict[str, Callable[[], dict[str, str]]] = {
    "notebooks": notebook_pages,
    "commands": command_pages,
    "reference": reference_pages,
    "methods": method_pages,
}
