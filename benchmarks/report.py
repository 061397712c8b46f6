"""The pages that a run writes: tables of races."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.goals import against, best_of_ours, goal_text, goals_table, speed
from benchmarks.page import RACES, RESULTS, machine, range_text, seconds_text, table, times_text
from benchmarks.race import Options, Race, Times
from benchmarks.truth import Truth

STOPPED_EARLY = 3.0  # times the tolerance: an error above this is shown


@dataclass
class Row:
    """A race, where it stands in the tables, and what is true of it."""

    family: str
    race: Race
    truth: Truth | None

    @property
    def name(self) -> str:
        gamma = f"{self.race.gamma:g}".replace("0.", ".", 1)
        return f"{self.race.name}, γ {gamma}"

    @property
    def auto(self) -> Times:
        return next(iter(self.race.times.values()))

    @property
    def ours(self) -> list[Times]:
        return [times for times in self.race.times.values() if times.entry.ours]

    @property
    def rivals(self) -> list[Times]:
        return [times for times in self.race.times.values() if not times.entry.ours]

    def error(self, times: Times) -> float:
        """Return a bound on the error; NaN where there is nothing to compare."""
        return float("nan") if self.truth is None or times.v is None else self.truth.error(times.v)

    def fails(self, times: Times, tolerance: float) -> bool:
        """Whether an answer is proven to be further off than was asked, by more than STOPPED_EARLY."""
        if self.truth is None or times.v is None or times.v.shape != self.truth.lower.shape:
            return False
        return self.truth.distance(times.v) > STOPPED_EARLY * tolerance


def races_page(
    rows: list[Row],
    options: Options,
    command: str,
    remarks: list[str],
    title: str = RACES,
    folder: Path = RESULTS.parent,
) -> str:
    """Return the part of results.md about races.

    Parameters
    ----------
    rows : what came of each model
    options : those of the races
    command : that made them
    remarks : about this run
    title : of the part
    folder : in which the page stands, from which its links lead
    """
    lines = [
        title,
        "",
        f"`{command}`; {machine()}. {' '.join(remarks)}",
        "",
        "CPU seconds, one thread, everything compiled; the median of up to "
        f"{options.calls} calls without the first, the entrants called in turn, each in a process of its own. "
        f"Tolerance {options.tolerance:g}. A rival's call ends after {options.factor:g} times the time of `auto`, but "
        f"not before {options.least:g} s, nor after {options.limit:g} s unless that is less than twice its time. Other "
        f"methods of ours have {options.own:g} times its time. Only ratios within a run mean something.",
        "",
        *ours_table(rows, options),
        "",
        *goals_table(rows, options.tolerance, folder),
        "",
        *rivals_table(rows, options),
        "",
        *methods_table(rows),
        "",
        *building_table(rows),
    ]
    return "\n".join(lines)


def ours_table(rows: list[Row], options: Options) -> list[str]:
    """What `auto` does: its answers, their proofs, and how far it is from the floor and from the goals."""
    head = [
        "model", "states", "outcomes", "by", "build, s", "solve, s", "proof, s", "floor, s", "floors", "sweep", "error",
        "bound", "regret", "work space", "best rival", "goal",
    ]  # fmt: skip
    body = []
    for row in rows:
        times, race = row.auto, row.race
        floor, proof, sweep = (race.extra.get(what) for what in ("floor", "certificate", "sweep"))
        rival, ratio, late = against(row, row.rivals, options.tolerance)
        body.append(
            [
                row.name,
                f"{race.size['states']:,}",
                f"{race.size['outcomes']:,}",
                times.facts.get("method", times.said or "-"),
                seconds_text(times.build) if times.build is not None else "-",
                seconds_text(times.seconds) if times.solves else times.said,
                seconds_text(proof) if proof is not None else "-",
                seconds_text(floor) if floor else "-",
                f"{times.seconds / floor:.0f}" if floor and times.solves else "-",
                f"{sweep / floor:.1f}" if floor and sweep else "-",
                error_text(row, times),
                f"{times.facts['bound']:.0e}" if times.solves and "bound" in times.facts else "-",
                regret(row),
                f"{times.facts['work'] / race.bytes:.1f}" if times.solves else "-",
                f"none: > {times_text(ratio)}" if late else f"{rival}: {times_text(ratio)}" if rival else "-",
                goal_text(speed(row, options.tolerance)),
            ]
        )
    return [
        "## Ours",
        "",
        "`solve` without a method; its first call is not counted, as kernels are loaded in it. **By**: the method "
        "that it chose. **Proof**: the part of the solve that proves the interval and decides on actions. "
        "**Floor**: to read 12 bytes an outcome once, in the same run. **Floors**: the solve in this unit. "
        "**Sweep**: one sweep over all rows, in the same unit. **Error**: proven, against a tighter "
        "interval. **Bound**: half the proven width. **Regret**: its time over that of our best method. **Work "
        "space**: peak memory during the solve as a share of the arrays. **Best rival**: its time over ours, "
        "among those right to the tolerance; where none finishes, how many times our time they had.",
        "",
        *table(head, body),
    ]


def error_text(row: Row, times: Times) -> str:
    """An error; ≤ where the truth is not known much better."""
    error = row.error(times)
    if np.isnan(error) or row.truth is None:
        return "-"
    return f"{'≤ ' if row.truth.width > error / 2 else ''}{error:.0e}"


def regret(row: Row) -> str:
    """How many times as long `auto` takes as the fastest of our methods that reaches the tolerance."""
    best = best_of_ours(row)
    if best is None:
        return "-"
    if not row.auto.solves:
        return f"only {best.entry.name} {seconds_text(best.seconds)}"
    return f"{row.auto.seconds / max(best.seconds, 1e-9):.2f}"


def rivals_table(rows: list[Row], options: Options) -> list[str]:
    """Each rival's time over ours, with its spread over the turns, or what came of it instead."""
    names = list(dict.fromkeys(t.entry.name for row in rows for t in row.rivals))
    if not names:
        return ["No rival was asked for."]
    reasons: dict[str, int] = {}
    body = []
    for row in rows:
        cells = [row.name]
        for name in names:
            times = row.race.times.get(name)
            cells.append("-" if times is None else rival_cell(row, times, options.tolerance, reasons))
        body.append(cells)
    notes = [f"{number}. {reason}" for reason, number in reasons.items()]
    return [
        "## Rivals",
        "",
        "Time of the rival over ours in the same turns: median (least to most); > 20: no answer in 20 times our time. "
        f"An error is shown where it is above {STOPPED_EARLY:g} times the tolerance."
        + (" In brackets stands the number of a reason below." if notes else ""),
        "",
        *table(["model", *names], body),
        *(["", *notes] if notes else []),
    ]


def rival_cell(row: Row, times: Times, tolerance: float, reasons: dict[str, int]) -> str:
    """What came of a rival: ratio and spread, "none in 3 s", or the number of a reason."""
    if not times.solves:
        if times.said.startswith("none in") and row.auto.solves:
            return f"> {times_text(times.limit / max(row.auto.seconds, 1e-9))}"
        if times.said.startswith(("none in", "not ")):
            return times.said
        return f"({reasons.setdefault(times.said, len(reasons) + 1)})"
    if not row.auto.solves:
        text = f"{seconds_text(times.seconds)} s"
    else:
        pairs = list(zip(times.counted, row.auto.counted, strict=False))
        ratios = sorted(a / max(b, 1e-9) for a, b in pairs)
        text = times_text(float(np.median(ratios)))
        spread = range_text(times_text(ratios[0]), times_text(ratios[-1]))
        if spread != text:
            text += f" ({spread})"
    if row.fails(times, tolerance):
        assert row.truth is not None and times.v is not None
        text += f", error {row.truth.distance(times.v):.0e}"
    return text


def methods_table(rows: list[Row]) -> list[str]:
    """Our methods beside each other, and why `auto` took the one that it took."""
    names = list(dict.fromkeys(t.entry.name for row in rows for t in row.ours))
    body = []
    for row in rows:
        cells = [row.name]
        for name in names:
            times = row.race.times.get(name)
            cells.append("-" if times is None else method_cell(times))
        body.append([*cells, row.auto.facts.get("why", "") or row.auto.said or "-"])
    return [
        "## Our methods",
        "",
        "CPU seconds. A star: the tolerance was not reached; the bound stands beside.",
        "",
        *table(["model", *names, "why"], body),
    ]


def method_cell(times: Times) -> str:
    if not times.solves:
        return times.said or "-"
    reached = times.facts.get("status") in ("CERTIFIED", "EXACT")
    return seconds_text(times.seconds) + (
        "" if reached else f"* {times.facts.get('bound', float('inf')):.0e}"
    )


def building_table(rows: list[Row]) -> list[str]:
    """What it takes to build, and the memory of it all."""
    names = [name for name in dict.fromkeys(t.entry.name for row in rows for t in row.rivals)]
    cell: Callable[[Times | None], str] = lambda t: (  # noqa: E731
        "-" if t is None or t.build is None else seconds_text(t.build)
    )
    peak: Callable[[Times | None], str] = lambda t: (  # noqa: E731
        "-" if t is None or not t.solves else f"{t.facts.get('peak', 0) / 1e6:.0f}"
    )
    body = []
    for row in rows:
        tensors = row.race.extra.get("tensors")
        build = [cell(row.race.times.get(name)) for name in names]
        memory = [peak(row.race.times.get(name)) for name in names]
        both = [f"{a} / {b}" for a, b in zip(build, memory, strict=True)]
        body.append(
            [
                row.name,
                f"{row.race.bytes / 1e6:.0f}",
                f"{cell(row.auto)} / {peak(row.auto)}",
                seconds_text(tensors) if tensors is not None else "-",
                *both,
            ]
        )
    return [
        "## Building, and memory",
        "",
        "CPU seconds to build from row arrays (ours: `MDP.from_rows`, with every check) / peak MB of building and "
        "solving above what the process held after reading the arrays.",
        "",
        *table(["model", "arrays, MB", "ours", "ours, from_tensors, s", *names], body),
    ]
