"""Cost against size: ours and QuantEcon on growing models of some families, as a table and as a picture."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.families import FAMILIES
from benchmarks.page import GROWTH, machine, replace_part, seconds_text, table
from benchmarks.picture import Line, draw
from benchmarks.race import RIVALS, Entry
from benchmarks.report import Row

if TYPE_CHECKING:
    from benchmarks.__main__ import Runner

# States, or sides, that give about 1e3 to 1e7 states; and the discount.
STATES = (10**3, 10**4, 10**5, 10**6, 10**7)
GROWING = {
    "garnet": (STATES, 0.99),
    "grid": ((32, 100, 316, 1000, 3162), 0.99),
    "queue": (STATES, 0.9999),
    "tree": (STATES, 0.999),
}
AUTO = Entry("ours", "auto", "auto")
DASHES = ("", "6 4", "2 3")


def grow(asked: argparse.Namespace) -> None:
    """Race on growing models of up to `--largest` states; write the table and the picture after each."""
    from benchmarks.__main__ import Runner

    rivals = [] if asked.rivals == "none" else list(RIVALS["quantecon"])
    names = [entry.name for entry in (AUTO, *rivals)]
    picture = asked.output.with_name("growth.svg")
    rows: list[Row] = []
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(asked, Path(folder))
        try:
            for family in GROWING:
                for row in growing(runner, family, rivals, asked):
                    rows.append(row)
                    line = " ".join(cells(row, names))
                    print(f"{time.monotonic() - start:5.0f} s  {line}", file=sys.stderr, flush=True)
                    replace_part(asked.output, GROWTH, growth_page(rows, names, asked, picture.name))
                    draw(
                        picture,
                        lines_of(rows, names),
                        "outcomes of the model",
                        "CPU seconds to solve",
                        GROWTH[2:],
                    )
        finally:
            runner.stop()


def growing(runner: Runner, family: str, rivals: list[Entry], asked: argparse.Namespace):
    """Yield what came of each size; whoever does not finish takes no part in the larger ones."""
    sizes, gamma = GROWING[family]
    still = [AUTO, *rivals]
    for size in sizes:
        if (size**2 if FAMILIES[family].unit == "side" else size) > asked.largest or AUTO not in still:
            return
        runner.write(family, FAMILIES[family].make(size=size, gamma=gamma, seed=asked.seed))
        row = runner.race(family, family, still)
        still = [entry for entry in still if row.race.times[entry.name].solves]
        yield row


def cells(row: Row, names: list[str]) -> list[str]:
    """A line of the table."""
    floor, build = row.race.extra.get("floor"), row.auto.build
    size = row.race.size
    seconds = [row.race.times[name].seconds if name in row.race.times else float("inf") for name in names]
    return [
        row.name,
        f"{size['states']:,}",
        f"{size['outcomes']:,}",
        seconds_text(floor) if floor else "-",
        seconds_text(build) if build is not None else "-",
        *map(seconds_text, seconds),
        f"{seconds[0] / size['outcomes'] * 1e9:.0f}" if row.auto.solves else "-",
    ]


def lines_of(rows: list[Row], names: list[str]) -> list[Line]:
    """One line a family and entrant, in the colour of the family."""
    families = list(dict.fromkeys(row.family for row in rows))
    found = []
    for number, family in enumerate(families):
        for name, dashes in zip(names, DASHES, strict=False):
            times = [
                (row.race.size["outcomes"], row.race.times.get(name)) for row in rows if row.family == family
            ]
            points = [(size, max(t.seconds, 1e-6)) for size, t in times if t is not None and t.solves]
            if points:
                found.append(Line(f"{family}, {name}", points, number, dashes))
    return found


def growth_page(rows: list[Row], names: list[str], asked: argparse.Namespace, picture: str) -> str:
    """The part of results.md about growth."""
    head = [
        "model",
        "states",
        "outcomes",
        "floor, s",
        "build, s",
        *(f"{name}, s" for name in names),
        "ns an outcome",
    ]
    lines = [
        GROWTH,
        "",
        f"`python -m benchmarks --growth`; {machine()}. Seed {asked.seed}. {asked.remark}".rstrip(),
        "",
        "CPU seconds, one thread. A dash: no answer within the limit of a call, or at a smaller size. Floor: reading "
        "12 bytes an outcome once. The last column is the solve of `auto` for each outcome of the model.",
        "",
        f"![Cost against size]({picture})",
        "",
        *table(head, [cells(row, names) for row in rows]),
    ]
    return "\n".join(lines)
