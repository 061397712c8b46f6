"""The pages of the site: each has its place, each link leads somewhere, and nothing that users call is missing.

The generator is not needed here; `.ci/run` builds the site with it, and takes every warning for an error.
"""

from __future__ import annotations

import doctest
import importlib
import os
import re
from collections import Counter

import click
import pytest
from documents import anchors, links

import tabular_rl
from tabular_rl.commands._program import COMMANDS, PROGRAM, program
from tabular_rl.methods.lookup import METHODS
from website import notebooks
from website.__main__ import fetched, replaceable
from website.pages import ROOT, Site, assemble, convert, documents, entries_of, place, section_of, sections
from website.reference import modules, public_names
from website.site import GENERATED


@pytest.fixture(scope="module")
def site():
    return assemble({**GENERATED, "notebooks": lambda: notebooks.notebook_pages(run=False)})


def test_every_page_has_a_place_in_the_navigation():
    placed = {path for entries in sections().values() for entry in entries for path in entries_of(entry)}
    lost = [path for path in documents() if path not in placed]
    assert not lost, (
        f"{', '.join(lost)}: in no section of the site. Add a line to website/navigation.toml, under one of: "
        f"{', '.join(sections())}"
    )


def test_every_entry_of_the_navigation_is_there():
    for entries in sections().values():
        for entry in entries:
            if not entry.startswith("generated:") and "*" not in entry:
                assert (ROOT / entry).is_file(), f"website/navigation.toml: {entry} is no file"


def test_every_link_leads_to_a_page_and_a_heading(site):
    for name, text in site.pages.items():
        for link in links(text):
            path, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", link):
                continue
            target = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else f"{name}.md"
            if target not in site.files:
                assert target.endswith(".md") and target[:-3] in site.pages, f"{name}: {link} leads nowhere"
                assert not anchor or anchor in anchors(site.pages[target[:-3]]), f"{name}: no heading {link}"


def test_a_page_stands_in_one_place(site):
    counts = Counter(name for names in site.sections.values() for name in names)
    assert set(counts.values()) == {1}
    below = set(re.findall(r"^(?:.* <)?/([^\s>]+)>?$", "\n".join(site.pages.values()), re.MULTILINE))
    unseen = [name for name in site.pages if name not in below | {"index"} and not name.startswith("files/")]
    assert not unseen


def test_every_public_name_is_in_the_reference_once(site):
    shown = Counter(re.findall(r"^\.\. auto\w+:: (\S+)$", "\n".join(site.pages.values()), re.MULTILINE))
    assert set(shown) == set(public_names()) and set(shown.values()) == {1}
    assert len(shown) > 100 and {"tabular_rl.graph", "tabular_rl.laws", "tabular_rl.testing"} <= {
        module.__name__ for module in modules()
    }


def test_every_method_is_in_the_table(site):
    rows = re.findall(r"^\| \{py:obj\}`([\w-]+) <tabular_rl\.(\w+)>`", site.pages["methods"], re.MULTILINE)
    assert sorted(name for name, _ in rows) == sorted(METHODS)
    assert all(callable(getattr(tabular_rl, function)) for _, function in rows)


def options_of(command: click.Command, context: click.Context) -> list[str]:
    """The options of a command and of those below it, as its help spells them."""
    found = [
        option
        for parameter in command.get_params(context)
        if isinstance(parameter, click.Option) and not parameter.hidden
        for option in (*parameter.opts, *parameter.secondary_opts)
    ]
    if isinstance(command, click.Group):
        found = []
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            found += options_of(below, click.Context(below, info_name=name, parent=context))
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_on_the_page_of_its_command(site, name):
    context = click.Context(program, info_name=PROGRAM, **program.context_settings)
    command = program.get_command(context, name)
    options = options_of(command, click.Context(command, info_name=name, parent=context))
    shown = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", site.pages[f"commands/{name}"]))
    assert options and set(options) <= shown


def test_the_changelog_is_not_searched(site):
    hidden = {name for name, text in site.pages.items() if text.startswith("---\nnosearch: true\n---\n")}
    assert hidden == {"changelog"}


def test_a_page_that_is_new_is_named(monkeypatch):
    monkeypatch.setattr(f"{__name__}.documents", lambda: ["docs/new-page.md"])
    with pytest.raises(AssertionError, match=r"docs/new-page\.md: in no section of the site\. Add a line"):
        test_every_page_has_a_place_in_the_navigation()


# How a page is converted.

SOURCE = ROOT / "docs" / "x.md"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a](certificates.md#rounding)", "[a](certificates.md#rounding)"),
        ("[a](../README.md)", "[a](index.md)"),
        ("[a](../mdps/README.md#x)", "[a](models.md#x)"),
        ("[`b`](../cli.py) c", "[`b`](files/cli.py.md) c"),
        ("[a](../tests)", "a"),
        ("[a](https://toml.io/en) [b](#c)", "[a](https://toml.io/en) [b](#c)"),
        ("`[a](../cli.py)`", "`[a](../cli.py)`"),
        ("```text\n[a](../cli.py)\n```", "```text\n[a](../cli.py)\n```"),
        ("![a](../pictures/plot-cliff.svg)", "![a](pictures/plot-cliff.svg)"),
    ],
)
def test_links_are_turned_to_the_site(text, expected):
    assert convert(text, SOURCE, "x", Site()) == expected


def test_what_a_link_shows_comes_along():
    found = Site()
    convert("[a](../cli.py) ![b](../pictures/plot-cliff.svg)", SOURCE, "x", found)
    assert found.files == {"pictures/plot-cliff.svg": ROOT / "pictures" / "plot-cliff.svg"}
    assert (ROOT / "cli.py").read_text(encoding="utf-8").rstrip() in found.pages["files/cli.py"]


def test_what_is_missing_is_an_error():
    with pytest.raises(FileNotFoundError, match="no-such"):
        convert("![a](no-such.svg)", SOURCE, "x", Site())
    with pytest.raises(FileNotFoundError, match="no-such"):
        convert("[a](no-such.txt)", SOURCE, "x", Site())
    with pytest.raises(KeyError, match="No such heading"):
        section_of("# A\n\n```text\n## No such heading\n```\n", "No such heading")
    assert place("tabular_rl/errors.py") is None


def test_pages_that_fetch_from_a_host_are_found(tmp_path):
    (tmp_path / "good.html").write_text('<a href="https://toml.io">t</a><script src="_static/a.js"></script>')
    assert fetched(tmp_path) == []
    (tmp_path / "bad.html").write_text(
        '<script src="https://cdn.example/a.js"></script><link href="//x/y.css">'
    )
    assert len(fetched(tmp_path)) == 2


def test_only_a_site_is_replaced(tmp_path):
    assert replaceable(tmp_path) and replaceable(tmp_path / "new")
    (tmp_path / "thesis.tex").touch()
    assert not replaceable(tmp_path) and not replaceable(tmp_path / "thesis.tex")
    (tmp_path / "objects.inv").touch()
    assert replaceable(tmp_path)


@pytest.mark.parametrize("name", ["pages", "markdown", "docstrings", "reference", "commands"])
def test_examples_of_the_site_are_right(name):
    failed, tried = doctest.testmod(
        importlib.import_module(f"website.{name}"), optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert tried and not failed
