"""The goals of a race: what was wanted, what was found, and which decisions say what was tried."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.page import RESULTS, count_text, range_text, seconds_text, table, times_text

if TYPE_CHECKING:
    from benchmarks.race import Times
    from benchmarks.report import Row

DECISIONS = Path(__file__).parents[1] / "docs" / "decisions"
FIRST_OF_SPEED = 16  # decisions before it say nothing of what solving costs
ABOUT_SPEED = re.compile(r"\b(sweeps|solves)\b")
REACHED = ("CERTIFIED", "EXACT")

# How many times faster than the best rival `auto` is meant to be, by family; elsewhere ahead of each.
AHEAD = {
    "garnet": 3.0, "power-law": 3.0, "layered": 3.0, "dense": 3.0, "car-rental": 3.0, "inventory": 3.0,
    "two-queues": 3.0, "pendulum": 3.0, "grid": 15.0, "lake": 15.0, "paths": 15.0,
}  # fmt: skip
QUEUES = ("queue", "tree", "tree-up")  # 10 times QuantEcon's policy iteration
SWEEPS = ("maze", "ring", "multichain", "decomposable")  # the time of 100 sweeps
REGRET, FLOORS, HUNDRED = 1.3, 1.5, 100.0

# What decisions call a family, or the work of a goal.
WORDS = {
    "garnet": "Garnets?|random (models|rows)", "power-law": "power-law", "layered": "layers|layered", "dense": "dense",
    "car-rental": "car rental", "inventory": "inventor(y|ies)", "two-queues": "two queues", "pendulum": "pendulum",
    "grid": "grids?", "lake": "lake", "paths": "paths", "maze": "mazes?", "queue": "queues?", "ring": "rings?",
    "tree": "trees?", "tree-up": "trees?", "multichain": "multichain", "decomposable": "decomposable",
    "three": "three states", "reach": "reachability", "consensus": "shared coin|consensus", "horizon": "horizon",
    "a sweep": "GB/s|memory", "to build": "built|to build",
}  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """A goal on a model. Reached where the share of it is 1 or more; open where only that much is known of it."""

    kind: str  # of goals: "speed", "regret", "sweep", "build"
    model: str
    family: str
    wanted: str
    found: str
    share: float
    open: bool = False

    @property
    def reached(self) -> bool:
        return self.share >= 1


def goals_of(row: Row, tolerance: float) -> list[Judged]:
    """Return what can be said of the goals on a model: its speed, what was chosen, a sweep, building."""
    found = [speed(row, tolerance)]
    seconds = row.auto.seconds
    if not row.auto.solves:
        return found

    def judged(kind: str, wanted: str, text: str, share: float) -> None:
        found.append(Judged(kind, row.name, row.family, wanted, text, share))

    best = best_of_ours(row)
    if best is not None:
        regret = seconds / max(best.seconds, 1e-9)
        judged(
            "regret", f"{REGRET} times our best method", f"{regret:.2f} ({best.entry.name})", REGRET / regret
        )
    floor, sweep = row.race.extra.get("floor"), row.race.extra.get("sweep")
    if floor and sweep:
        judged("sweep", f"a sweep in {FLOORS} floors", f"{sweep / floor:.1f}", FLOORS * floor / sweep)
    if row.auto.build is not None and row.family != "three":  # which is built in each call
        texts = seconds_text(row.auto.build), seconds_text(seconds)
        judged("build", "to build below to solve", " and ".join(texts), seconds / max(row.auto.build, 1e-9))
    return found


def speed(row: Row, tolerance: float) -> Judged:
    """Return what came of the goal of a family: against rivals, or in sweeps."""
    if row.family in SWEEPS:
        sweep = row.race.extra.get("sweep")
        if not sweep or not row.auto.solves:
            return Judged("speed", row.name, row.family, "100 sweeps", row.auto.said or "-", 0.0)
        sweeps = row.auto.seconds / sweep
        return Judged(
            "speed", row.name, row.family, "100 sweeps", f"{sweeps:.0f}", HUNDRED / max(sweeps, 1e-9)
        )
    wanted, rivals, whom = AHEAD.get(row.family, 1.0), row.rivals, "the best rival"
    if row.family in QUEUES:
        wanted, whom = 10.0, "QuantEcon's policy iteration"
        rivals = [times for times in rivals if times.entry.name == "QuantEcon PI"]
    elif row.family == "three":
        wanted, whom = 1 / 3, "QuantEcon"
        rivals = [times for times in rivals if times.entry.name.startswith("QuantEcon")]
    name, ratio, late = against(row, rivals, tolerance)
    text = f"{wanted:.2g} times {whom}" if wanted != 1 else f"ahead of {whom}"
    if not row.auto.solves:
        return Judged("speed", row.name, row.family, text, row.auto.said, 0.0)
    if not name:  # nobody takes part
        return Judged("speed", row.name, row.family, text, "none takes part", float("nan"), open=True)
    found = f"more than {times_text(ratio)} (none finishes)" if late else f"{times_text(ratio, 3)} ({name})"
    return Judged("speed", row.name, row.family, text, found, ratio / wanted, open=late and ratio < wanted)


def against(row: Row, rivals: list[Times], tolerance: float) -> tuple[str, float, bool]:
    """Return the fastest of some rivals whose answer is right, its time over ours, and whether that is a limit only."""
    if not row.auto.solves:
        return "", float("nan"), False
    right = [times for times in rivals if times.solves and not row.fails(times, tolerance)]
    if right:
        best = min(right, key=lambda times: times.seconds)
        return best.entry.name, best.seconds / max(row.auto.seconds, 1e-9), False
    late = [times for times in rivals if not times.solves and np.isfinite(times.limit)]
    if not late:
        return "", float("nan"), False
    first = min(late, key=lambda times: times.limit)
    return first.entry.name, first.limit / max(row.auto.seconds, 1e-9), True


def best_of_ours(row: Row) -> Times | None:
    """Return the fastest of our methods that reaches the tolerance."""
    reach = [times for times in row.ours if times.solves and times.facts.get("status") in REACHED]
    return min(reach, key=lambda times: times.seconds, default=None)


def goal_text(goal: Judged) -> str:
    """Say shortly whether a goal is reached."""
    wanted = goal.wanted.partition(" the ")[0].partition(" Quant")[0].removesuffix(" of")
    if goal.open:
        return f"{wanted}: {'no rival' if np.isnan(goal.share) else 'open'}"
    return f"{wanted}: {'yes' if goal.reached else 'no'}"


def goals_table(rows: Iterable[Row], tolerance: float, folder: Path = RESULTS.parent) -> list[str]:
    """Which goals are missed, by how much, and where what was tried is told; the page stands in `folder`."""
    goals = [goal for row in rows for goal in goals_of(row, tolerance)]
    kinds = {"speed": "speed", "regret": "regret", "sweep": "a sweep", "build": "building"}
    counts = []
    for kind, name in kinds.items():
        some = [goal for goal in goals if goal.kind == kind and not np.isnan(goal.share)]
        if not some:
            continue
        reached = sum(goal.reached for goal in some)
        unknown = sum(goal.open for goal in some)
        counts.append(f"{name} {reached} of {len(some)}" + (f" ({unknown} open)" if unknown else ""))
    body = []
    for goal in goals:
        if goal.reached or (goal.open and np.isnan(goal.share)) or goal.kind == "sweep":
            continue
        by = "open" if goal.open else f"{times_text(1 / goal.share, 3)} times" if goal.share else "no answer"
        about = goal.family if goal.kind in ("speed", "regret") else "to build"
        body.append([goal.model, goal.wanted, goal.found, by, links(about, folder)])
    slow = [goal for goal in goals if goal.kind == "sweep" and not goal.reached]
    if slow:
        found = sorted(float(goal.found) for goal in slow)
        by = range_text(*(f"{x / FLOORS:.2g}" for x in (found[0], found[-1])))
        text = range_text(*(str(x) for x in (found[0], found[-1])))
        about = count_text(len(slow), "model")
        body.append([about, slow[0].wanted, text, f"{by} times", links("a sweep", folder)])
    unknown = any(goal.open and not np.isnan(goal.share) for goal in goals)
    return [
        "## Goals",
        "",
        f"Reached: {', '.join(counts) or 'none is judged'}."
        + (" What is missed, by how much, and the decisions that say what was tried." if body else "")
        + (" Open: no rival finishes within its limit, which is less than the goal." if unknown else ""),
        "",
        *(table(["model", "goal", "found", "missed by", "tried"], body) if body else ["None is missed."]),
    ]


def links(about: str, folder: Path = RESULTS.parent) -> str:
    """Return links, from a folder, to the decisions on speed that speak of a family, or of a kind of work."""
    words = re.compile(rf"\b({WORDS.get(about, about)})\b", re.IGNORECASE)
    found = []
    for path in sorted(DECISIONS.glob("[0-9][0-9][0-9].md")):
        text = path.read_text(encoding="utf-8")
        if int(path.stem) >= FIRST_OF_SPEED and ABOUT_SPEED.search(text) and words.search(text):
            found.append(f"[{int(path.stem)}]({link_from(folder, path)})")
    return ", ".join(found) or "-"


def link_from(folder: Path, path: Path) -> str:
    """Return the way from a folder to a file, as links of pages have it."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # on another drive
        return path.as_uri()
