"""Check the properties of models of probabilistic model checking beside Storm: its own part of results.md.

    python -m benchmarks.checking prism-benchmarks/models/mdps                 # as the public suite is laid out
    python -m benchmarks.checking models --models 'consensus/*' --largest 1e4
    python -m benchmarks.checking models --models '*zeroconf*N=20*' --calls 9 --output some.md

A folder holds models in PRISM's language or as .drn, and files of properties (.pctl, .props) beside them. Where there
is a models.csv, as in the PRISM benchmark suite (github.com/prismmodelchecker/prism-benchmarks), it says which
constants each model is built with. Storm builds each model and writes it as .drn; both read that file.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import tabular_rl
from benchmarks.entrants.ours import checked_model
from benchmarks.environments import NotInstalled, python_for
from benchmarks.page import A_PART, CHECKING, RESULTS, count_text, machine, replace_part, seconds_text, table
from benchmarks.race import HERE, ONE_THREAD, RIVALS, Entry, Options, Racer, Times, take_turn
from benchmarks.truth import Truth
from tabular_rl import MDP
from tabular_rl.errors import TabularError

MODELS, PROPERTIES = (".nm", ".pm", ".prism", ".drn"), (".pctl", ".props")
AUTO, FAST, SOUND = Entry("ours", "auto", "auto"), *RIVALS["storm"]
BUILDING = 600.0  # seconds for Storm to build a model and write it
EXACT = 300  # states up to which fractions say what is true
CERTIFIED = ("CERTIFIED", "EXACT")

WARM = """@type: MDP
@parameters

@reward_models
r
@nr_states
3
@nr_choices
4
@model
state 0 [0] init
\taction a [1]
\t\t1 : 0.5
\t\t2 : 0.5
\taction b [2]
\t\t2 : 1
state 1 [0]
\taction a [1]
\t\t0 : 0.5
\t\t2 : 0.5
state 2 [0] goal
\taction a [0]
\t\t2 : 1
"""


class Instance(NamedTuple):
    """A model with its constants, and the properties beside it."""

    name: str
    model: Path
    constants: str
    properties: tuple[Path, ...]


@dataclass
class Row:
    """What came of a property: whose times they are, by name, and what is true."""

    model: str
    name: str
    times: dict[str, Times]
    mdp: MDP
    truth: Truth | None
    exact: bool
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.seconds = {name: times.seconds for name, times in self.times.items()}

    def error(self, name: str) -> float:
        """How far values are from what is proven, in states that do not end; NaN where one of the two is missing."""
        v, inside = self.times[name].v, ~self.mdp.terminal
        if v is None or self.truth is None:
            return float("nan")
        truth = Truth(self.truth.lower[inside], self.truth.upper[inside])
        return truth.distance(v[inside]) if inside.any() else 0.0

    @property
    def certified(self) -> bool:
        times = self.times[AUTO.name]
        return bool(times.solves) and times.facts.get("status") in CERTIFIED

    @property
    def ratio(self) -> float:
        return self.seconds[AUTO.name] / max(self.seconds.get(FAST.name, float("nan")), 1e-9)


# -- what there is ---------------------------------------------------------------------------------------------------


def instances(folder: Path, patterns: list[str], largest: float) -> Iterator[Instance]:
    """Yield the models of a folder and of those below it, by name, up to a number of states where that is known."""
    for place in sorted({path.parent for path in folder.rglob("*") if path.suffix in MODELS}):
        properties = tuple(sorted(path for path in place.iterdir() if path.suffix in PROPERTIES))
        for model, constants, states in listed(place):
            name = f"{model.relative_to(folder)} {constants}".strip()
            if properties and states <= largest and any(fnmatch(name, pattern) for pattern in patterns):
                yield Instance(name, model, constants, properties)


def listed(place: Path) -> list[tuple[Path, str, float]]:
    """Return the models of one folder, their constants, and their states (0 where nothing says it)."""
    table_of = place / "models.csv"
    if not table_of.exists():
        return [(path, "", 0.0) for path in sorted(place.iterdir()) if path.suffix in MODELS]
    with open(table_of, encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    found = [
        (place / line["model_file"], line["model_consts"], float(line.get("states") or 0)) for line in lines
    ]
    return sorted(((m, c, s) for m, c, s in found if m.exists()), key=lambda one: (str(one[0]), one[2]))


def exported(one: Instance, out: Path) -> list[dict[str, Any]]:
    """Have Storm build a model and write it; return what can be asked of it, and why the rest cannot.

    Raises
    ------
    NotInstalled : Storm cannot be installed, or it fails
    """
    command = [python_for(HERE / "with_storm.py"), str(HERE / "export_with_storm.py"), str(one.model)]
    try:
        done = subprocess.run(
            [*command, one.constants, str(out), *map(str, one.properties)],
            capture_output=True, text=True, timeout=BUILDING, env=os.environ | ONE_THREAD,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"not built in {BUILDING:.0f} s") from None
    answer = json.loads(done.stdout) if done.stdout else {"failed": done.stderr.strip()[-160:]}
    if "failed" in answer:
        raise NotInstalled(answer["failed"])
    questions: list[dict[str, Any]] = answer["properties"]
    return questions


# -- who answers -----------------------------------------------------------------------------------------------------


class Checker:
    """The processes of those who answer, for a run."""

    def __init__(self, folder: Path, options: Options) -> None:
        self.folder, self.options = folder, options
        self.racers = [Racer(entry, folder, options) for entry in (AUTO, FAST, SOUND)]
        (folder / "warm.drn").write_text(WARM, encoding="utf-8")
        self.warm = self.written(
            "warm", folder / "warm.drn",
            {"goal": "goal", "avoid": None, "sense": "min", "reward": "r", "formula": 'R{"r"}min=? [F "goal"]'},
        )  # fmt: skip

    def written(self, name: str, drn: Path, question: dict[str, Any]) -> Path:
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(question | {"drn": str(drn)}), encoding="utf-8")
        return path

    def row(self, one: Instance, drn: Path, question: dict[str, Any]) -> Row:
        """Ask all of them in turn."""
        path = self.written("question", drn, question)
        for racer in self.racers:
            racer.meet(path, self.warm)
        for _ in range(self.options.calls):
            for racer in self.racers:
                take_turn(racer, "solve", self.options.limit, self.options.enough)
        times = {racer.entry.name: racer.leave() for racer in self.racers}
        mdp = checked_model(argparse.Namespace(**question, drn=str(drn)))
        truth, exact = true_values(mdp, times[AUTO.name], self.options)
        return Row(one.name, question["name"], times, mdp, truth, exact)

    def stop(self) -> None:
        for racer in self.racers:
            racer.stop()


def true_values(mdp: MDP, ours: Times, options: Options) -> tuple[Truth | None, bool]:
    """Return what is true, and whether fractions say so: else an interval proven a hundred times as tight as asked."""
    try:
        if mdp.S <= EXACT:
            found = tabular_rl.solve(mdp, method="rational", time_limit=options.limit)
            if found.lower is not None and found.upper is not None and found.status.name == "EXACT":
                return Truth(found.lower, found.upper), True
        found = tabular_rl.solve(mdp, tolerance=options.tolerance / 100, time_limit=2 * options.limit)
    except TabularError:
        return None, False
    lower, upper = found.lower, found.upper
    if lower is None or upper is None:
        return None, False
    if ours.lower is not None and ours.upper is not None:
        lower, upper = np.maximum(lower, ours.lower), np.minimum(upper, ours.upper)
    return Truth(lower, upper), False


# -- the page --------------------------------------------------------------------------------------------------------


def page(rows: list[Row], unasked: dict[str, list[str]], options: Options, command: str) -> str:
    """Return the part of results.md about model checking."""
    counted, models = answered_by_all(rows), len({row.model for row in rows})
    lines = [
        CHECKING,
        "",
        f"`{command}`; {machine()}.",
        "",
        f"{len(rows)} properties of {count_text(models, 'model')} of the public PRISM benchmark suite or "
        "of another folder; values of all states. Storm builds each model and writes it as .drn, with a label for the "
        "goal of each property; both read that file. CPU seconds of an answer, one thread, everything compiled and the "
        f"model in memory: the median of up to {options.calls} calls without the first, in turn. Tolerance "
        f"{options.tolerance:g}, absolute. \"Storm\" is its float engine as C++ is set, which proves nothing; "
        "\"sound\" is stormpy's default. **Error**: distance from exact fractions (=), or from an interval "
        "that is proven a hundred times as tight where floats can. *: not certified.",
        "",
        *sums(counted, len(rows)),
        "",
        *table(
            ["property", "states", "outcomes", "by", "ours, s", "Storm, s", "sound, s", "ours / Storm", "our bound",
             "our error", "Storm's", "sound's"],
            [cells(row) for row in sorted(rows, key=lambda row: -row.ratio)],
        ),
    ]  # fmt: skip
    if unasked:
        lines += ["", "Not asked:", ""]
        lines += [f"- {reason}: {', '.join(names)}" for reason, names in unasked.items()]
    return "\n".join(lines)


def answered_by_all(rows: list[Row]) -> list[Row]:
    return [row for row in rows if all(times.solves for times in row.times.values())]


def sums(rows: list[Row], asked: int) -> list[str]:
    """Sums over the properties that all answer, and how many of ours are certified."""
    if not rows:
        return ["No property was answered by all."]
    ours, fast, sound = (sum(row.seconds[e.name] for row in rows) for e in (AUTO, FAST, SOUND))
    over = sum(row.ratio > 2 for row in rows)
    return [
        f"In sum over the {len(rows)} of {asked} that all answer: ours {seconds_text(ours)}, "
        f"Storm {seconds_text(fast)}, sound {seconds_text(sound)} s; ours takes {ours / fast:.2f} times as long as "
        f"Storm and {ours / sound:.2f} times as long as sound. Certified: {sum(row.certified for row in rows)}. "
        f"More than twice Storm's time: {over}. Median ratio: {np.median([row.ratio for row in rows]):.2g}."
    ]


def cells(row: Row) -> list[str]:
    ours = row.times[AUTO.name]

    def time_of(name: str) -> str:
        return seconds_text(row.seconds[name]) if row.times[name].solves else row.times[name].said or "-"

    def error_of(name: str) -> str:
        error = row.error(name)
        return "-" if np.isnan(error) else f"{'=' * row.exact}{error:.0e}"

    bound = f"{ours.facts['bound']:.0e}" if ours.solves else "-"
    return [
        f"{row.model}: {row.name}",
        f"{row.mdp.S:,}",
        f"{row.mdp.K:,}",
        ours.facts.get("method", "-"),
        *map(time_of, row.times),
        f"{row.ratio:.2g}",
        bound + "*" * (not row.certified),
        *map(error_of, row.times),
    ]


# -- the command -----------------------------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    known = argparse.ArgumentParser(
        prog="python -m benchmarks.checking", description=(__doc__ or "").partition("\n")[0]
    )
    add = known.add_argument
    add("folder", type=Path, help="models in PRISM's language or as .drn, and properties beside them")
    add("--models", default="*", help="names or patterns, by commas: 'consensus/*,*K=2*'")
    add("--properties", default="*", help="names or patterns, by commas")
    add("--largest", type=float, default=3e5, help="states of the largest model, where models.csv says it")
    add("--tolerance", type=float, default=1e-6)
    add("--calls", type=int, default=5, help="most calls of an entrant on a property")
    add("--limit", type=float, default=20.0, help="CPU seconds of a call")
    add("--output", type=Path, help="the page whose part is rewritten: results.md, of a whole run")
    return known


def main(arguments: list[str] | None = None) -> None:
    asked = parser().parse_args(arguments)
    if not asked.folder.is_dir():
        raise SystemExit(f"folder: found {str(asked.folder)!r}, expected a folder with models and properties")
    found = list(instances(asked.folder, asked.models.split(","), asked.largest))
    if not found:
        raise SystemExit(
            f"{asked.folder}: found no model with properties beside it, expected files {', '.join(MODELS)} with "
            f"{' or '.join(PROPERTIES)}"
        )
    given = arguments if arguments is not None else sys.argv[1:]
    command = "python -m benchmarks.checking " + " ".join([asked.folder.name, *given[1:]])
    options = Options(asked.tolerance, asked.calls, asked.limit)
    whole = (asked.models, asked.properties) == ("*", "*")
    output = asked.output or (RESULTS if whole else None)
    if output is None:
        print(A_PART, file=sys.stderr)
    rows: list[Row] = []
    unasked: dict[str, list[str]] = {}
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        checker = Checker(Path(folder), options)
        try:
            for one in found:
                for row in answered(checker, one, asked.properties.split(","), unasked):
                    rows.append(row)
                    print(f"{time.monotonic() - start:5.0f} s  {progress(row)}", file=sys.stderr, flush=True)
                if output is not None:
                    replace_part(output, CHECKING, page(rows, unasked, options, command))
        finally:
            checker.stop()
            # In the middle of a model too: a run that is ended has its table all the same.
            if rows and output is not None:
                replace_part(output, CHECKING, page(rows, unasked, options, command))
            elif rows:
                print(page(rows, unasked, options, command).strip())
    print(*sums(answered_by_all(rows), len(rows)), file=sys.stderr)


def answered(
    checker: Checker, one: Instance, patterns: list[str], unasked: dict[str, list[str]]
) -> Iterator[Row]:
    """Yield the properties of a model with their answers; take note of those that are not asked."""
    drn = checker.folder / "model.drn"
    try:
        questions = exported(one, drn)
    except NotInstalled as reason:
        unasked.setdefault(str(reason), []).append(one.name)
        return
    for question in questions:
        name = question["name"]
        if "unfit" in question:
            unasked.setdefault(question["unfit"], []).append(f"{one.name}: {name}")
        elif any(fnmatch(name, pattern) for pattern in patterns):
            try:
                yield checker.row(one, drn, question)
            except TabularError as error:
                unasked.setdefault(str(error).splitlines()[0], []).append(f"{one.name}: {name}")


def progress(row: Row) -> str:
    told = (
        f"{name} {times.seconds:.3g}" if times.solves else f"{name}: {times.said}"
        for name, times in row.times.items()
    )
    return f"{row.model}: {row.name}: {'; '.join(told)}{'' if row.certified else ' NOT CERTIFIED'}"


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the entrants' processes end too
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    main()
