"""Run the blocks of a page and compare them with what the page shows.

How a page is written (README.md and docs/**/*.md):

- ```console: a line that starts with `$ ` is a command, what follows up to the next one is what the screen shows,
  standard error included. `$ command  # exit 4` states an exit code other than 0. A line `...` stands for any lines.
  Times such as `0.12 s`, and rates such as `26.5 million`, are not compared. Numbers with a point or an exponent agree
  within one unit of the last digit that the page shows, or where both are below 1e-9: machines round differently.
- ```python: runs in the page's one namespace. With `>>>` it is a doctest; without, what it prints stands in
  the ```text block that follows.
- ```toml tiny.toml (any language but these two, then a file name): the block is written to that file first, so that
  the commands after it can use it.
- ```console no-run: shown, not run. There is a limit on how many there are, see test_documents.py.

The blocks of a page run in order, in one folder of their own that holds mdps/.
`python tests/support/documents.py --write [PAGE ...]` writes what the blocks print into the pages.
"""

from __future__ import annotations

import contextlib
import difflib
import doctest
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = {"console", "python", "text", "toml", "csv", "json", "make", "ini"}
FENCE = re.compile(r"^( *)(`{3,}|~{3,})[ ]*(.*?)\s*$")
PROGRESS = re.compile(r"[\w-]+: .*, \d+ s")  # a line that shows on a busy machine
TIME = re.compile(r" *(?<![\w.])\d+(?:\.\d+)? ?(?:ns|µs|us|ms|s|min|h|million)(?!\w)")
FLOAT = re.compile(r"(?<![\w.])-?\d+(?:\.\d+(?:e[+-]?\d+)?|e[+-]?\d+)(?![\w.])")
TINY = Decimal("1e-9")  # what is below is rounding
# Pages that need what not every installation has.
NEEDS = {
    "docs/frames.md": "pandas",
    "docs/gymnasium.md": "gymnasium",
    "docs/how-to.md": "gymnasium",
    "docs/tutorial-reinforcement-learning.md": "gymnasium",
}
EXIT = re.compile(r"\s+# exit (\d+)\s*$")
PROGRAMS = {"tabular-rl": "-m tabular_rl", "python": "", "python3": ""}


@dataclass
class Block:
    """One fenced block: its language, the rest of its info string, its lines and where the first one stands."""

    language: str
    info: str
    lines: list[str]
    line: int
    indent: str = ""

    @property
    def text(self) -> str:
        return "".join(line + "\n" for line in self.lines)

    @property
    def runs(self) -> bool:
        return self.language in ("console", "python") and "no-run" not in self.info.split()


@dataclass
class Command:
    """One command of a console block and the lines the page shows below it."""

    text: str
    shown: list[str]
    line: int
    exit_code: int = 0


@dataclass
class Session:
    """One page while it runs: its folder, its Python namespace, and what went wrong so far."""

    page: Path
    folder: Path
    namespace: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    faults: list[str] = field(default_factory=list)
    shown: dict[int, list[str]] = field(default_factory=dict)  # line of a block -> what it should show

    def fault(self, line: int, what: str) -> None:
        self.faults.append(f"{self.page.name}:{line}: {what}")


def pages() -> list[Path]:
    """Return README.md and every page below docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    found: list[Block] = []
    open_block: Block | None = None
    fence = ""
    for number, line in enumerate(text.splitlines(), 1):
        match = FENCE.match(line)
        if open_block is None:
            if match:
                fence = match[2]
                language, _, info = match[3].partition(" ")
                open_block = Block(language, info.strip(), [], number + 1, match[1])
        elif match and match[2].startswith(fence) and not match[3]:
            found.append(open_block)
            open_block = None
        else:
            open_block.lines.append(line.removeprefix(open_block.indent))
    if open_block is not None:
        raise ValueError(f"line {open_block.line - 1}: a block that never ends")
    return found


def links(text: str) -> list[str]:
    """Return the targets of the links and pictures of a page, those in code left out."""
    text = re.sub(r"^ *(```|~~~).*?^ *\1", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`\n]*`", "", text)
    return re.findall(r"\]\(([^)\s]+)[^)]*\)", text) + re.findall(r"^\[[^\]]+\]:\s*(\S+)", text, re.MULTILINE)


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as a forge makes them."""
    titles = re.findall(r"^#+ +(.*?)\s*$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def commands(block: Block) -> list[Command]:
    """Return the commands of a console block, each with the lines it shows."""
    found: list[Command] = []
    for number, line in enumerate(block.lines, block.line):
        if line.startswith("$ "):
            match = EXIT.search(line)
            text = line[2 : match.start() if match else None]
            found.append(Command(text, [], number, int(match[1]) if match else 0))
        elif found and line.startswith("> ") and found[-1].text.endswith("\\") and not found[-1].shown:
            found[-1].text += "\n" + line[2:]
        elif found:
            found[-1].shown.append(line)
        elif line.strip():
            raise ValueError("a console block starts with '$ '")
    for command in found:
        while command.shown and not command.shown[-1].strip():
            command.shown.pop()
    return found


def normal(lines: list[str]) -> list[str]:
    """Return lines with what may differ from run to run taken out: progress, times, spaces at the end, empty lines
    there."""
    lines = [line for line in lines if not PROGRESS.fullmatch(line)]
    lines = [TIME.sub(" TIME", line).rstrip() for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def same(expected: list[str], actual: list[str]) -> bool:
    """Tell whether lines are the same but for the rounding of their floats.

    >>> same(["v = 0.3333 at 2"], ["v = 0.3334 at 2"]), same(["0.3333"], ["0.3335"]), same(["n = 12"], ["n = 13"])
    (True, False, False)
    >>> same(["± 3e-13"], ["± 0.0"]), same(["± 3e-13"], ["± 3e-08"])
    (True, False)
    """
    if expected == actual:
        return True
    one, two = "\n".join(expected), "\n".join(actual)
    if FLOAT.sub("", one) != FLOAT.sub("", two):
        return False
    return all(close(a, b) for a, b in zip(FLOAT.findall(one), FLOAT.findall(two), strict=True))


def close(shown: str, printed: str) -> bool:
    """Tell whether two floats agree to within one unit of the last digit of the first, or are both below 1e-9."""
    a, b = Decimal(shown), Decimal(printed)
    unit = Decimal((0, (1,), int(a.as_tuple().exponent)))
    return abs(a - b) <= unit or max(abs(a), abs(b)) < TINY


def agrees(expected: list[str], actual: list[str]) -> bool:
    """Tell whether what is shown matches what was printed; a line `...` stands for any lines, also none.

    >>> agrees(["a", "...", "d"], ["a", "b", "c", "d"]), agrees(["a", "..."], ["b"]), agrees(["0.1 s"], ["12 s"])
    (True, False, True)
    """
    parts: list[list[str]] = [[]]
    for line in normal(expected):
        if line.strip() == "...":
            parts.append([])
        else:
            parts[-1].append(line)
    found = normal(actual)
    if len(parts) == 1:
        return same(parts[0], found)
    first, *middle, last = parts
    if not same(first, found[: len(first)]) or len(found) < len(first) + len(last):
        return False
    if last and not same(last, found[-len(last) :]):
        return False
    at, end = len(first), len(found) - len(last)
    for part in middle:
        while at + len(part) <= end and not same(part, found[at : at + len(part)]):
            at += 1
        if at + len(part) > end:
            return False
        at += len(part)
    return True


def difference(expected: list[str], actual: list[str]) -> str:
    """Return the difference between what the page shows and what was printed, for people."""
    return "\n".join(difflib.unified_diff(normal(expected), normal(actual), "shown", "printed", lineterm=""))


@contextlib.contextmanager
def folder_of(page: Path) -> Iterator[Path]:
    """Make the folder in which the blocks of a page run, with mdps/ and the programs they call, and go there."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve() / "here"
        shutil.copytree(ROOT / "mdps", folder / "mdps")
        shutil.copy(ROOT / "cli.py", folder)
        programs = folder.parent / "bin"
        programs.mkdir()
        for program, arguments in PROGRAMS.items():
            path = programs / program
            path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {arguments} "$@"\n')
            path.chmod(0o755)
        before = Path.cwd()
        os.chdir(folder)
        try:
            yield folder
        finally:
            os.chdir(before)


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a reader: a plain terminal of 100 columns, this checkout's package first."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "CLICOLOR", "FORCE_COLOR"))}
    return kept | {
        "PATH": f"{folder.parent / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": str(ROOT),
        "PYTHONUTF8": "1",
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "TERM": "dumb",
    }


def output_of(line: str, folder: Path) -> tuple[int, str]:
    """Run a command line; return its exit code and what it prints, standard error included.

    A command of the program alone runs in this process, which is quick; what needs a shell, or Python, gets one.
    """
    words = shlex.split(line, comments=True)
    plain = re.sub(r'"[^"$`\\\n]*"', "", line)  # what is quoted means nothing to a shell
    if words[:1] == ["tabular-rl"] and not set(plain) & set("|&;<>$`*?~(){}\n"):
        from unittest import mock

        from tabular_rl.commands import _warn, run

        printed = io.StringIO()
        with (
            warnings.catch_warnings(),
            mock.patch.dict(os.environ, environment(folder), clear=True),
            mock.patch("sys.stdin", io.StringIO()),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
        ):
            warnings.resetwarnings()
            for kind in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
                warnings.simplefilter("ignore", kind)  # as Python does by itself
            warnings.showwarning = _warn
            return run(words[1:]), printed.getvalue()
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return done.returncode, done.stdout.decode("utf-8", "replace")


def run_console(block: Block, session: Session) -> None:
    """Run the commands of a block and note where the screen differs from the page."""
    shown: list[str] = []
    for command in commands(block):
        code, printed = output_of(command.text, session.folder)
        actual = printed.splitlines()
        first = block.lines[command.line - block.line]
        if code != command.exit_code:
            session.fault(command.line, f"`{first}` exits {code}, not {command.exit_code}\n{printed}")
            return
        fits = agrees(command.shown, actual)
        if not fits:
            session.fault(command.line, f"`{first}`\n{difference(command.shown, actual)}")
        at = command.line - block.line
        typed = block.lines[at : at + 1 + command.text.count("\n")]
        space = [""] if at and not block.lines[at - 1].strip() else []
        shown += [*space, *typed, *(command.shown if fits else actual)]
    if shown != block.lines:
        session.shown[block.line] = shown


def run_python(block: Block, answer: Block | None, session: Session) -> None:
    """Run a Python block in the page's namespace and compare what it prints with the block that follows."""
    if ">>> " in block.text:
        run_doctest(block, session)
        return
    printed = io.StringIO()
    try:
        source = "\n" * (block.line - 1) + block.text
        with contextlib.redirect_stdout(printed):
            exec(compile(source, str(session.page), "exec"), session.namespace)
    except (Exception, SystemExit):
        session.fault(block.line, traceback.format_exc().rstrip())
    actual = printed.getvalue().splitlines()
    expected = answer.lines if answer else []
    if not agrees(expected, actual):
        session.fault(block.line, f"a Python block\n{difference(expected, actual)}")
        if answer:
            session.shown[answer.line] = actual


class Checker(doctest.OutputChecker):
    """Compares what a doctest prints as the other blocks are compared."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return super().check_output(want, got, optionflags) or same(want.split(), got.split())


def run_doctest(block: Block, session: Session) -> None:
    """Run a Python block that is written as a session with `>>>`."""
    test = doctest.DocTestParser().get_doctest(
        block.text, session.namespace, session.page.name, str(session.page), block.line - 1
    )
    test.globs = session.namespace
    report: list[str] = []
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    runner = doctest.DocTestRunner(Checker(), optionflags=flags, verbose=False)
    runner.run(test, out=report.append, clear_globs=False)
    if report:
        session.fault(block.line, "".join(report).rstrip())


def run(page: Path) -> Session:
    """Run every block of a page, in order, and return what was found."""
    found = blocks(page.read_text(encoding="utf-8"))
    with folder_of(page) as folder:
        session = Session(page, folder)
        for i, block in enumerate(found):
            following = found[i + 1] if i + 1 < len(found) else None
            answer = following if following and following.language == "text" and not following.info else None
            try:
                if block.runs and block.language == "console":
                    run_console(block, session)
                elif block.runs:
                    run_python(block, answer, session)
                elif block.language != "console" and re.fullmatch(r"[\w-]+\.\w+", block.info):
                    (folder / block.info).write_text(block.text, encoding="utf-8")
            except ValueError as error:
                session.fault(block.line, str(error))
    return session


def rewrite(page: Path) -> bool:
    """Write what the blocks of a page print into the page; return whether that changed it."""
    session = run(page)
    for fault in session.faults:
        print(fault, file=sys.stderr)
    text = page.read_text(encoding="utf-8")
    lines = text.splitlines()
    for block in reversed(blocks(text)):
        if block.line in session.shown:
            new = [(block.indent + line).rstrip() for line in session.shown[block.line]]
            lines[block.line - 1 : block.line - 1 + len(block.lines)] = new
    if session.shown:
        page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return bool(session.shown)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    asked = [word for word in sys.argv[1:] if word != "--write"]
    if "--write" not in sys.argv:
        sys.exit(__doc__)
    for path in [Path(word).resolve() for word in asked] or pages():
        need = NEEDS.get(path.relative_to(ROOT).as_posix())
        if need is not None and find_spec(need) is None:
            print(f"left {path.relative_to(ROOT)}: it needs {need}", file=sys.stderr)
        elif rewrite(path):
            print(f"wrote {path.relative_to(ROOT)}")
