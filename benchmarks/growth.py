"""Cost against size: ours and QuantEcon on growing models of some families, as a table and as a picture."""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.families import FAMILIES
from benchmarks.page import GROWTH, RESULTS, machine, replace_part, seconds_text, table
from benchmarks.picture import Line, Panel, draw
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
DASHES = ("", "7 4", "2 3")
FLOOR = "reading 12 bytes an outcome once"
CLOCK = 1e-4  # seconds below which a floor is not drawn


def grow(asked: argparse.Namespace) -> None:
    """Race on growing models of up to `--largest` states; write the table and the picture after each.

    Without a page to write, the table is printed at the end.
    """
    from benchmarks.__main__ import Runner

    rivals = [] if asked.rivals == "none" else list(RIVALS["quantecon"])
    names = [entry.name for entry in (AUTO, *rivals)]
    picture = (asked.output or RESULTS).with_name("growth.svg")
    page = ""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(asked, Path(folder))
        try:
            for family in GROWING:
                for row in growing(runner, family, rivals, asked):
                    rows.append(row)
                    line = " ".join(cells(row, names))
                    print(f"{runner.used():5.0f} s  {line}", file=sys.stderr, flush=True)
                    page = growth_page(rows, names, asked, picture.name)
                    if asked.output is None:
                        continue
                    replace_part(asked.output, GROWTH, page)
                    panels, title = panels_of(rows, names), "An answer within 1e-6, one thread"
                    draw(picture, panels, "outcomes of the model", "CPU seconds to solve", title)
        finally:
            runner.stop()
            if asked.output is None and page:
                print(page.strip())


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


def panels_of(rows: list[Row], names: list[str]) -> list[Panel]:
    """One panel a family, with a line an entrant, and the floor."""
    panels = []
    for family in dict.fromkeys(row.family for row in rows):
        some = [row for row in rows if row.family == family]
        lines = []
        for number, name in enumerate(names):
            times = [(row.race.size["outcomes"], row.race.times.get(name)) for row in some]
            points = [(size, max(t.seconds, 1e-6)) for size, t in times if t is not None and t.solves]
            if points:
                lines.append(Line(name, points, number, DASHES[number]))
        floors = [(row.race.size["outcomes"], row.race.extra.get("floor", 0.0)) for row in some]
        lines.append(Line(FLOOR, [(n, floor) for n, floor in floors if floor >= CLOCK], len(names)))
        panels.append(Panel(some[0].name, lines))
    return panels


def power(rows: list[Row], family: str) -> str:
    """Say with which power of the outcomes the cost of `auto` has grown over the last step."""
    solved = [row for row in rows if row.family == family and row.auto.solves][-2:]
    if len(solved) < 2:
        return ""
    cost = math.log(solved[1].auto.seconds / max(solved[0].auto.seconds, 1e-9))
    return (
        f"{family} {cost / math.log(solved[1].race.size['outcomes'] / solved[0].race.size['outcomes']):.2f}"
    )


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
    powers = ", ".join(filter(None, (power(rows, family) for family in GROWING)))
    lines = [
        GROWTH,
        "",
        f"`{asked.command}`; {machine()}. Seed {asked.seed}. {asked.remark}".rstrip(),
        "",
        "CPU seconds, one thread. A dash: no answer within the limit of a call, or at a smaller size. Floor: reading "
        "12 bytes an outcome once. The last column is the solve of `auto` for each outcome of the model. "
        f"Over the last step its cost grows with this power of the outcomes: {powers or '-'}. Linear is 1.",
        "",
        f"![Cost against size]({picture})",
        "",
        *table(head, [cells(row, names) for row in rows]),
    ]
    return "\n".join(lines)
