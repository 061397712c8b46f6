"""Help fits 80 columns, its examples can be typed as they stand, and it leads on to the documents."""

from __future__ import annotations

import re
import shlex

import click
import option_table
import pytest
from program import inside, one_line

from tabular_rl.commands import COMMANDS, _help, program
from tabular_rl.formats import bundled
from tabular_rl.formats.bundled import documents, documents_folder, examples
from tabular_rl.formats.registry import MODELS
from tabular_rl.methods.lookup import LEARNERS, METHODS
from tabular_rl.model.families import FAMILIES

FAMILY_NAMES = [name.replace("_", "-") for name in FAMILIES]
EVERY = [(name,) for name in COMMANDS] + [("make", name) for name in FAMILY_NAMES]


def command_of(*words: str) -> click.Command:
    command: click.Command = program
    for word in words:
        assert isinstance(command, click.Group)
        below = command.get_command(click.Context(command), word)
        assert below is not None
        command = below
    return command


@pytest.fixture
def eighty(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("words", [(), *EVERY], ids=" ".join)
def test_help_fits_the_screen(capsys, eighty, words):
    done = inside(capsys, *words, "--help")
    own = str(documents_folder())
    assert done.code == 0
    assert done.out.startswith(f"Usage: {' '.join(['tabular-rl', *words])} ")
    assert [line for line in done.out.splitlines() if len(line) > 80 and own not in line] == []


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_help_of_a_command_is_its_help_option(capsys, eighty, words):
    done = inside(capsys, "help", *words)
    assert (done.code, done.err) == (0, "")
    assert done.out == inside(capsys, *words, "--help").out


def test_help_alone_lists_commands_and_pages(capsys, eighty):
    done = inside(capsys, "help")
    assert done.out == inside(capsys, "--help").out
    words = set(re.findall(r"[\w-]+", done.out))
    assert {*COMMANDS, *documents()} <= words
    assert str(documents_folder()) in done.out


def test_help_shows_a_method_or_a_page(capsys):
    assert inside(capsys, "help", "VI").out == inside(capsys, "methods", "value-iteration").out
    page = inside(capsys, "help", "certificates").out
    assert page == (documents_folder() / "certificates.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["slove"], "no command, method or page 'slove'; did you mean 'solve'?"),
        (["certificats"], "did you mean 'certificates'?"),
        (["make", "garnett"], "'garnett'; did you mean 'garnet'?"),
        (["solve", "more"], "'more'. `tabular-rl help` lists"),
        (["../README"], "no command, method or page '../README'."),
    ],
)
def test_help_of_what_there_is_not(capsys, words, says):
    done = inside(capsys, "help", *words)
    assert (done.code, done.out) == (2, "")
    assert says in one_line(done.err)


@pytest.mark.parametrize(
    ("words", "pages"),
    [
        (["prism"], {"importers-model-checkers"}),
        (["Storm"], {"importers-model-checkers"}),
        (["drn"], {"importers-model-checkers"}),
        (["jani"], {"importers-model-checkers"}),
        (["pymdptoolbox"], {"importers"}),
        (["QuantEcon"], {"importers"}),
        (["matlab"], {"importers", "importers-arrays"}),
        (["julia"], {"importers-arrays"}),
        (["cassandra"], {"importers", "importers-cassandra"}),
        (["blackjack"], {"gymnasium"}),
        (["pandas"], {"frames", "logs"}),
        (["minari"], {"logs"}),
        (["thousands", "of", "copies"], {"gymnasium"}),
    ],
    ids=lambda words: "-".join(sorted(words)),
)
def test_a_word_leads_to_the_pages_about_it(capsys, eighty, words, pages):
    done = inside(capsys, "help", *words)
    assert (done.code, done.err) == (0, "")
    first, *lines = done.out.splitlines()
    if first.startswith("# "):  # the one page
        found = {
            page for page in documents() if done.out == (documents_folder() / f"{page}.md").read_text("utf-8")
        }
        assert found == pages
    else:
        assert first.startswith("Pages about ") and max(map(len, lines)) <= 80
        found = set(re.findall(r"^  ([\w-]+)", done.out, re.MULTILINE))
        assert pages <= found <= set(documents())


def test_headings_come_before_text_and_code_has_none(tmp_path, monkeypatch):
    (tmp_path / "a.md").write_text("# A\n\nof storms\n\n## The `storm` comes\n\n```\n# rain\n```\n")
    (tmp_path / "b.md").write_text("# B\n\na storm\n\n## rain\n\nsnow\n\n## C\n\nSnow.\n")
    (tmp_path / "c.md").write_text("snow\n# D\n\nsnowing\n")
    monkeypatch.setattr(bundled, "documents_folder", lambda: tmp_path)
    assert bundled.pages_about("STORM") == {"a": ["The storm comes"]}
    assert bundled.pages_about("rain") == {"b": ["rain"]}
    assert list(bundled.pages_about("snow").items()) == [("b", ["rain", "C"]), ("c", [""])]
    assert bundled.pages_about("hail") == {}


def test_every_option_of_a_long_help_has_its_group():
    for name in COMMANDS:
        found = [p.name for p in command_of(name).params if isinstance(p, click.Option)]
        if len(found) > _help.FEW:
            assert set(found) <= set(_help.GROUP), name


def test_options_are_grouped_and_none_is_lost(capsys, eighty):
    for words in EVERY:
        text = inside(capsys, *words, "--help").out
        flags = [p.opts[-1] for p in command_of(*words).params if isinstance(p, click.Option)]
        for flag in flags:
            assert len(re.findall(rf"^  (?:-\w, )?{flag}\b(?!-)", text, re.MULTILINE)) == 1, (words, flag)
    titles = re.findall(r"^(\S.*):$", inside(capsys, "learn", "--help").out, re.MULTILINE)
    assert titles == ["Methods", *({"What to find": "What to learn"}.get(t, t) for t in _help.GROUPS)]


def test_learn_and_compare_list_each_method_by_its_purpose(capsys, eighty):
    for command, methods in (("learn", LEARNERS), ("compare", METHODS)):
        found = _help.by_purpose(methods)
        assert sorted(name for names in found.values() for name in names) == sorted(methods)
        text = inside(capsys, command, "--help").out
        listed = text.partition("Methods:\n")[2].partition("\n\n")[0]
        for name in methods:
            assert len(re.findall(rf"(?<![\w-]){name}(?![\w-])", listed)) >= 1, name


def test_every_option_stands_in_the_page_of_the_command_line():
    text = option_table.PAGE.read_text(encoding="utf-8")
    shown = text[text.index(option_table.TITLE) :]
    assert {
        option for words in EVERY for p in command_of(*words).params for option in p.opts if "--" in option
    } <= {*re.findall(r"`(--[a-z-]+)`", shown)}
    assert option_table.with_table(text) == text, (
        "docs/command-line.md: its table of all options is not what the commands have; "
        "`python tests/support/option_table.py --write` writes it"
    )


def test_every_format_stands_in_the_page_of_the_command_line():
    text = option_table.PAGE.read_text(encoding="utf-8")
    read = text.partition("\n## The model\n")[2].partition("\n## ")[0]
    written = text.partition("\n## convert and make\n")[2].partition("\n## ")[0]
    for format in MODELS.formats:
        for suffix in format.suffixes or ("directory",):
            assert suffix in read, f"docs/command-line.md, The model: no word of {suffix}"
            assert suffix in written or format not in MODELS.written, (
                f"docs/command-line.md, convert: {suffix}"
            )
    assert all(f"`{format.name}`" in written for format in MODELS.written)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_a_page_that_there_is(name):
    assert _help.PAGES.get(name, _help.PAGE) in documents()


def test_make_without_a_family_is_one_line(capsys):
    done = inside(capsys, "make")
    assert (done.code, done.out) == (2, "")
    assert "found no family, expected one of gridworld, maze" in one_line(done.err)


def lines_of(name: str) -> list[list[str]]:
    """The command lines that a help shows, as words."""
    shown = re.findall(r"^ *tabular-rl (.*)$", command_of(name).help or "", re.MULTILINE)
    return [shlex.split(line, comments=True) for line in shown]


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "help"])
def test_examples_of_help_can_be_typed_as_they_stand(name):
    """Each is a command line that is understood, and names no file that no line before it has written."""
    assert lines_of(name)
    written = set()
    for words in lines_of(name):
        command = command_of(*words[: 2 if words[0] == "make" and len(words) > 1 else 1])
        path = words[1:] if words[0] != "make" else words[2:]
        given = command.make_context(words[0], path, resilient_parsing=False).params
        read = [given.get(key) for key in ("model", "answer", "log", "data", "start_from", "resume")]
        read = [] if words[0] == "simulate" else [x for x in read if x is not None]
        read += [given["model"]] if words[0] == "simulate" else []
        policy = str(given.get("policy") or "uniform").rpartition(":")[2]
        assert policy in ("uniform", "optimal") or policy in written
        for source in map(str, read):
            assert source.removeprefix("example:") in examples() or source in written, words
        written |= {given.get("output"), given.get("log") if words[0] == "simulate" else None}
