"""The pages of the project as pages of the site: where each one stands, and where its links lead.

A link to a page leads to its place on the site. A link to another file of the project leads to a page that shows the
file, a link to a folder becomes text, and a picture comes along.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAVIGATION = ROOT / "website" / "navigation.toml"
PICTURES = {".svg", ".png", ".webp"}
# Pages whose place on the site is not that of their file below docs/.
PLACES = {
    "README.md": "index",
    "CONTRIBUTING.md": "contributing",
    "CHANGELOG.md": "changelog",
    "mdps/README.md": "models",
    "benchmarks/README.md": "benchmarks",
    "docs/decisions/README.md": "decisions/index",
    "docs/notebooks": "notebooks/index",
}
UNSEARCHED = {"changelog"}  # a word is sought on the page about it, and not where it was news
FENCED = r"^ *(?P<fence>`{3,}|~{3,})[^\n]*\n.*?^ *(?P=fence)[`~]*[ ]*$"
SPAN = r"(?<!`)(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`)"
LINK = r"(?P<picture>!?)\[(?P<shown>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?P<target>[^)\s]+)(?P<title>(?:\s+\"[^\"]*\")?)\)"
CODE = re.compile(f"{FENCED}|{SPAN}", re.MULTILINE | re.DOTALL)
CODE_OR_LINK = re.compile(f"{FENCED}|{LINK}|{SPAN}", re.MULTILINE | re.DOTALL)
SECTION = re.compile(r"^<!-- from (\S+): (.*?) -->$", re.MULTILINE)
THEMED = re.compile(
    r'<picture>\s*<source media="\(prefers-color-scheme: dark\)" srcset="([^"]+)">\s*'
    r'<img src="([^"]+)" alt="([^"]*)">\s*</picture>'
)


@dataclass
class Site:
    """The pages of the site by name, each as Markdown; the files that come along; the sections of the navigation."""

    pages: dict[str, str] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    sections: dict[str, dict[str, str]] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write the pages and files into a folder, for the generator."""
        for name, text in self.pages.items():
            path = folder / f"{name}.md"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        for name, source in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source.read_bytes())


def sections() -> dict[str, dict[str, str]]:
    """Return the entries of each section of navigation.toml, with the titles that they are given there, else ""."""
    read = tomllib.loads(NAVIGATION.read_text(encoding="utf-8"))
    return {
        section["title"]: dict(
            (page, "") if isinstance(page, str) else (page["page"], page["title"])
            for page in section["pages"]
        )
        for section in read["section"]
    }


def documents() -> list[str]:
    """Return the pages of docs/, as paths from the root; a page for each decision stands below its list."""
    found = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))
    return [path for path in found if not fnmatch(path, "docs/decisions/[0-9]*.md")]


def entries_of(pattern: str) -> list[str]:
    """Return the files that an entry of the navigation stands for."""
    if "*" not in pattern:
        return [pattern]
    return [path for path in documents() if fnmatch(path, pattern)]


def place(path: str) -> str | None:
    """Return the name on the site of a page of the project, or None where it is no page of the site.

    >>> place("docs/decisions/001.md"), place("CONTRIBUTING.md"), place("docs/notebooks/01_x.ipynb"), place("cli.py")
    ('decisions/001', 'contributing', 'notebooks/01_x', None)
    """
    if path in PLACES:
        return PLACES[path]
    top, _, rest = path.partition("/")
    if top in ("docs", "website") and rest.endswith((".md", ".ipynb")):
        return rest.rpartition(".")[0]
    return None


def assemble(generate: dict[str, Callable[[], dict[str, str]]]) -> Site:
    """Return the site, made of the files of the project and of what is generated.

    Parameters
    ----------
    generate : for each `generated:NAME` of the navigation what makes its pages, by their names; the first one stands
        in the navigation and leads to the others

    Returns
    -------
    Site. Where a page, a section or a file is missing, FileNotFoundError or KeyError.
    """
    site = Site()
    for section, entries in sections().items():
        names = site.sections[section] = {}
        for entry, title in entries.items():
            if entry.startswith("generated:"):
                made = generate[entry.removeprefix("generated:")]()
                site.pages |= made
                names[next(iter(made))] = title
                continue
            for path in entries_of(entry):
                name = place(path)
                if name is not None and name not in site.pages:
                    site.pages[name] = converted(ROOT / path, name, site)
                    names[name] = title
    for document in documents():  # one that nobody gave a place
        name = document.removeprefix("docs/").removesuffix(".md")
        if name not in site.pages and document not in PLACES:
            site.pages[name] = converted(ROOT / document, name, site)
            site.sections.setdefault("More", {})[name] = ""
    decisions = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    for decision in decisions:
        name = f"decisions/{decision.stem}"
        site.pages[name] = converted(decision, name, site)
    site.pages["decisions/index"] += toctree([f"/decisions/{decision.stem}" for decision in decisions])
    for name in UNSEARCHED:
        site.pages[name] = f"---\nnosearch: true\n---\n\n{site.pages[name]}"
    index = converted(ROOT / "website" / "index.md", "index", site)
    trees = [
        toctree(
            [f"{title} </{name}>" if title else f"/{name}" for name, title in names.items()], caption=section
        )
        for section, names in site.sections.items()
    ]
    site.pages["index"] = index + "".join(trees)
    return site


def toctree(names: list[str], caption: str = "") -> str:
    """Return the list of the pages below a page, which the navigation is made of and the page does not show.

    >>> print(toctree(["/a"], "First"))
    <BLANKLINE>
    ```{toctree}
    :hidden:
    :caption: First
    <BLANKLINE>
    /a
    ```
    <BLANKLINE>
    """
    options = [":hidden:"] + [f":caption: {caption}"] * bool(caption)
    return "\n".join(["", "```{toctree}", *options, "", *names, "```", ""])


def converted(path: Path, name: str, site: Site) -> str:
    """Return a page of the project as the page `name` of the site; files that it shows are added to the site."""
    return convert(path.read_text(encoding="utf-8"), path, name, site)


def convert(text: str, source: Path, name: str, site: Site) -> str:
    """Return Markdown that stands in a file as it stands on the page `name`, with sections of other pages put in."""

    def section(match: re.Match[str]) -> str:
        other = ROOT / match[1]
        return convert(section_of(other.read_text(encoding="utf-8"), match[2]), other, name, site)

    text = THEMED.sub(lambda match: _themed(match, source, name, site), text)
    text = CODE_OR_LINK.sub(
        lambda match: _link(match, source, name, site) if match["target"] else match[0], text
    )
    return SECTION.sub(section, text)


def section_of(text: str, title: str) -> str:
    """Return a section of a page without its heading; "the beginning" is what stands below the title.

    >>> text = "# A\\n\\nfirst\\n\\n## B\\n\\nsecond\\n"
    >>> section_of(text, "the beginning"), section_of(text, "B")
    ('first', 'second')
    """
    bare = CODE.sub(lambda match: re.sub(r"^#", "\0", match[0], flags=re.MULTILINE), text)
    heading = r"\A# .*$" if title == "the beginning" else rf"^## {re.escape(title)}$"
    start = re.search(heading, bare, re.MULTILINE)
    if start is None:
        raise KeyError(f"no section {title!r}")
    end = re.search(r"^##? ", bare[start.end() :], re.MULTILINE)
    found = bare[start.end() : start.end() + end.start() if end else None]
    return found.replace("\0", "#").strip()


def _themed(match: re.Match[str], source: Path, name: str, site: Site) -> str:
    """A picture for light and one for dark pages."""
    shown = []
    for target, theme in ((match[2], "light"), (match[1], "dark")):
        picture = _coming_along((source.parent / target).resolve(), name, site)
        shown.append(f":::{{image}} {picture}\n:class: only-{theme}\n:alt: {match[3]}\n:::")
    return "\n".join(shown)


def _link(match: re.Match[str], source: Path, name: str, site: Site) -> str:
    picture, shown, target, title = match.group("picture", "shown", "target", "title")
    if re.match(r"[a-z]+:|#", target):
        return match[0]
    path, _, anchor = target.partition("#")
    found = (source.parent / path).resolve()
    inside = found.relative_to(ROOT).as_posix()
    if picture:
        return f"![{shown}]({_coming_along(found, name, site)}{title})"
    page = place(inside)
    if found.is_dir():
        page = page or place(f"{inside}/README.md")
        if page is None:
            return shown
    elif page is None:
        page = f"files/{inside}"
        site.pages.setdefault(page, file_page(found))
    return f"[{shown}]({relative(f'{page}.md', name)}{'#' * bool(anchor)}{anchor}{title})"


def relative(target: str, page: str) -> str:
    """Return the path from a page of the site to a file there.

    >>> relative("certificates.md", "decisions/001"), relative("pictures/a.svg", "index")
    ('../certificates.md', 'pictures/a.svg')
    """
    return os.path.relpath(target, os.path.dirname(page) or ".").replace(os.sep, "/")


def _coming_along(path: Path, name: str, site: Site) -> str:
    inside = path.relative_to(ROOT).as_posix()
    if path.suffix not in PICTURES or not path.is_file():
        raise FileNotFoundError(f"{name}: {inside} is no picture")
    site.files[inside] = path
    return relative(inside, name)


LANGUAGES = {".py": "python", ".toml": "toml", ".js": "javascript", ".json": "json"}


def file_page(path: Path) -> str:
    """Return the page that shows a file of the project."""
    text = path.read_text(encoding="utf-8")
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall(r"`{3,}", text))])
    language = LANGUAGES.get(path.suffix, "text")
    title = f"# `{path.relative_to(ROOT).as_posix()}`"
    return f"---\norphan: true\n---\n\n{title}\n\n{fence}{language}\n{text.rstrip()}\n{fence}\n"
