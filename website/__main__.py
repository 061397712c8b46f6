"""Build the site: `python -m website [FOLDER]`. Every warning of the generator is an error."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

from website.pages import ROOT, assemble
from website.site import GENERATED

HOSTS = re.compile(
    r"""<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href|srcset)=["'](?:https?:)?//[^"']*["'][^>]*>"""
)


def build(folder: Path) -> int:
    """Build the site in a folder; return 0, or what the generator returns."""
    try:
        import furo  # noqa: F401
        import matplotlib
        import myst_parser  # noqa: F401
        from sphinx.cmd.build import main
    except ImportError as error:
        print(
            f"{error.name}: not installed; the extra docs brings it: pip install -e '.[docs]'",
            file=sys.stderr,
        )
        return 2
    from tabular_rl import lesson, load

    if not replaceable(folder):
        print(
            f"{folder}: holds something else than a site, and would be replaced. Name another folder.",
            file=sys.stderr,
        )
        return 2
    matplotlib.use("svg")
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        source, trees, made = (Path(name) / part for part in ("source", "trees", "made"))
        assemble(GENERATED).write(source)
        options = ["-b", "html", "-W", "--keep-going", "-q", "-c", str(ROOT / "website"), "-d", str(trees)]
        if code := main([*options, str(source), str(made)]):
            return int(code)
        lesson(load("example:gridworld_4x4")).save(made / "lesson-gridworld.html")
        if faults := fetched(made):
            print("\n".join(faults), file=sys.stderr)
            return 1
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made, folder)
    pages = len(list(folder.rglob("*.html")))
    print(f"{folder}/index.html: {pages} pages in {time.monotonic() - started:.0f} s")
    return 0


def replaceable(folder: Path) -> bool:
    """Tell whether a folder is missing, empty, or an earlier site."""
    if not folder.is_dir():
        return not folder.exists()
    return not any(folder.iterdir()) or (folder / "objects.inv").is_file()


def fetched(folder: Path) -> list[str]:
    """Return what the pages of a folder would fetch from other hosts; the site is to work without a network."""
    found = []
    for path in sorted(folder.rglob("*.html")):
        found += [
            f"{path.name}: fetches {tag}"
            for tag in HOSTS.findall(path.read_text(encoding="utf-8"))
            if 'rel="canonical"' not in tag
        ]
    return found


if __name__ == "__main__":
    sys.exit(build(Path(sys.argv[1] if len(sys.argv) > 1 else "build/site").resolve()))
