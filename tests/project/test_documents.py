"""Every console and Python block of the documents prints what its page shows; every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import documents
import pytest
from documents import anchors, links

ROOT = documents.ROOT
PAGES = documents.pages()
MARKDOWN = sorted({*ROOT.glob("*.md"), *PAGES, *(ROOT / "mdps").glob("*.md")})

# Blocks that are shown and not run, each with the reason. Raising the number needs a reason in this list.
NO_RUN = {
    "docs/tutorial-operations-research.md": 1,  # these three make an environment, as the README does
    "docs/tutorial-reinforcement-learning.md": 1,
    "docs/tutorial-teaching.md": 1,
    "README.md": 2,  # the two commands that make an environment: .ci/run runs the second, and solves with the wheel
    "CONTRIBUTING.md": 1,  # `make`, which would run this test
    "docs/gymnasium.md": 1,  # a network, which brings gigabytes: tests/environments/test_stable_baselines3.py
    "docs/command-line.md": 1,  # shell completion: it changes the reader's shell
}


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", PAGES, ids=name)
def test_blocks_print_what_the_page_shows(page):
    if name(page) in documents.NEEDS:
        pytest.importorskip(documents.NEEDS[name(page)])
    faults = documents.run(page).faults
    assert not faults, (
        "\n\n".join(faults) + "\n\n`make documents-write` writes what is printed into the pages"
    )


@pytest.mark.parametrize("page", MARKDOWN, ids=name)
def test_every_block_has_a_known_language(page):
    for block in documents.blocks(page.read_text(encoding="utf-8")):
        assert block.language in documents.LANGUAGES, f"{name(page)}:{block.line - 1}: a block of what?"


def test_few_blocks_are_not_run():
    counts = {}
    for page in MARKDOWN:
        idle = [b for b in documents.blocks(page.read_text(encoding="utf-8")) if "no-run" in b.info.split()]
        if idle:
            counts[name(page)] = len(idle)
    assert all(count <= NO_RUN.get(page, 0) for page, count in counts.items()), counts


def test_readme_runs_something():
    assert sum(b.runs for b in documents.blocks((ROOT / "README.md").read_text(encoding="utf-8"))) >= 2


@pytest.mark.parametrize("page", MARKDOWN, ids=name)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for link in links(text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{name(page)}: {link} leads nowhere"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{name(page)}: no heading {link}"


def test_every_page_can_be_reached_from_the_readme():
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in seen and page.suffix == ".md":
            seen.add(page)
            paths = [link.partition("#")[0] for link in links(page.read_text(encoding="utf-8"))]
            waiting += [
                t for p in paths if p and ":" not in p and (t := (page.parent / p).resolve()).is_file()
            ]
    lost = [name(page) for page in (ROOT / "docs").rglob("*.md") if page.resolve() not in seen]
    assert not lost, f"no link leads to {lost}"


def written_by_us() -> list[Path]:
    """Return every text file of the project."""
    tops = ["tabular_rl", "tests", "docs", "benchmarks", "mdps", "website", ".ci"]
    endings = {".py", ".md", ".toml", ".csv", ".json", ".cfg", ""}
    found = [
        path for top in tops for path in (ROOT / top).rglob("*") if path.suffix in endings and path.is_file()
    ]
    found += [path for path in ROOT.iterdir() if path.is_file() and path.suffix in endings]
    # Folders that begin with a point, other than .ci, are made by tools.
    made = {"__pycache__", ".environments"}
    return [path for path in found if not made & set(path.parts)]


MACHINE = re.compile(r"(?<![\w.>}])/(?:home|root|tmp|work|Users|var/folders)(?:/|\b)")


def test_nothing_names_a_path_of_a_machine():
    for path in written_by_us():
        if path == Path(__file__).resolve() or path.name == ".git":
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            assert not MACHINE.search(line), f"{name(path)}:{number}: {line.strip()}"


# The checker itself.


@pytest.fixture
def check(tmp_path):
    def run(text: str) -> list[str]:
        page = tmp_path / "page.md"
        page.write_text(text, encoding="utf-8")
        return documents.run(page).faults

    return run


@pytest.mark.parametrize(
    "text",
    [
        "```console\n$ echo a\na\n$ echo b\nb\n```\n",
        "```console\n$ printf 'a\\nb\\nc\\n'\na\n...\n```\n",
        "```console\n$ echo took 1.25 s\ntook 0.01 s\n```\n",
        "```console\n$ echo out; echo story >&2; exit 4  # exit 4\nout\nstory\n```\n",
        "```console\n$ echo a \\\n>     b\na b\n```\n",
        "```console\n$ test -f mdps/recycling_robot.toml\n```\n",
        "```console\n$ python -c 'print(1)'\n1\n```\n",
        "```python\nx = 2\n```\nand\n```python\nprint(x)\n```\n```text\n2\n```\n",
        "```python\nx = 2\n```\n```python\n>>> x\n2\n>>> y = 3\n```\n```python\nassert y == 3\n```\n",
        "```toml tiny.toml\ngamma = 1\n```\n```console\n$ cat tiny.toml\ngamma = 1\n```\n",
        "```console no-run\n$ exit 1\n```\n",
        "- item\n\n  ```console\n  $ echo a\n  a\n  ```\n",
    ],
)
def test_true_page_passes(check, text):
    assert not check(text)


@pytest.mark.parametrize(
    "text",
    [
        "```console\n$ echo a\nb\n```\n",
        "```console\n$ echo a\n```\n",
        "```console\n$ true\na\n```\n",
        "```console\n$ printf 'a\\nb\\nc\\n'\na\n...\nd\n```\n",
        "```console\n$ false\n```\n",
        "```console\n$ true  # exit 4\n```\n",
        "```console\necho a\n```\n",
        "```python\nprint(1)\n```\n",
        "```python\nprint(1)\n```\n```text\n2\n```\n",
        "```python\n>>> 1 + 1\n3\n```\n",
        "```python\nassert 1 == 2\n```\n",
        "```python\nimport sys\nsys.exit(1)\n```\n",
    ],
)
def test_false_page_fails(check, text):
    assert check(text)


def test_fault_names_page_and_line(check):
    assert check("# Title\n\n```console\n$ true\n$ echo a\nb\n```\n")[0].startswith("page.md:5: `$ echo a`")


def test_write_mends_the_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "```console\n$ echo a\nb\n\n$ echo c\n...\n```\n```python\nprint(1)\n```\n```text\n2\n```\n"
    )
    assert documents.rewrite(page)
    assert page.read_text() == (
        "```console\n$ echo a\na\n\n$ echo c\n...\n```\n```python\nprint(1)\n```\n```text\n1\n```\n"
    )


def test_links_in_code_are_not_links():
    assert links("[a](b.md) `[c](d.md)`\n```text\n[e](f.md)\n```\n![g](h.png 'title')") == ["b.md", "h.png"]


def test_paths_of_a_machine_are_seen():
    assert MACHINE.search("see /home/someone/x") and MACHINE.search("in `/tmp/x`")
    assert not MACHINE.search("docs/home/x") and not MACHINE.search("--home /dev/full")
