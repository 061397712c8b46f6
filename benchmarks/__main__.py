"""Race `tabular_rl.solve` against rivals on seeded families: the first two parts of results.md.

    python -m benchmarks                                            # the default models, all rivals
    python -m benchmarks --families garnet-1e4,grid-300@.9999 --rivals quantecon --methods auto,policy-iteration
    python -m benchmarks --size small --rivals none
    python -m benchmarks --growth                                   # cost against size, and its picture

A run of a part shows its tables, and writes them only with --output.
A rival that pip cannot install, that fails, stops early or does not finish is recorded as such.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.families import FAMILIES, model, parse, size_text
from benchmarks.page import A_PART, LARGE, RACES, RESULTS, replace_part
from benchmarks.race import RIVALS, Entry, Options, Racer, race, write_model
from benchmarks.report import Row, races_page
from benchmarks.truth import truth_of
from tabular_rl import MDP
from tabular_rl.errors import TabularError
from tabular_rl.methods.lookup import PLANNERS, planner_of

# Every family once; what is near to one of these at another size or discount is large.
DEFAULT = """
    three garnet-1e4 garnet-1e5 power-law layered dense car-rental
    grid-300@.9999 maze-300@.9999 lake@.999 pendulum two-queues
    queue inventory ring tree tree-up multichain decomposable
    paths-300@1 lake@1 reach consensus horizon
    garnet-absorbing grid-hub queue-shortcut
"""
LARGER = "garnet-1e6 grid-300@.99 grid-1000@.9999 maze-300@.999 horizon-1e5 paths-500@1"
METHODS = "policy-iteration,ordered-gauss-seidel,action-elimination,modified-policy-iteration"
LARGEST = 1e6
WARM_UP = 0.9  # the discount of a warm-up, which compiles the same and ends sooner
MODEL, FIRST, WARM = "model.npz", "first.npz", "warm.npz"


def named(text: str) -> tuple[str, float | None]:
    """Return the name and the discount of "grid-300@.9999"."""
    name, _, gamma = text.partition("@")
    which, size = parse(name)
    return f"{which}-{size_text(size)}", float(gamma) if gamma else None


def chosen_models(options: argparse.Namespace) -> list[tuple[str, float | None]]:
    if options.families:
        names = options.families.split(",")
    elif options.size == "small":
        names = [f"{name}-{family.small}" for name, family in FAMILIES.items()]
    else:
        names = (LARGER if options.size == "large" else DEFAULT).split()
    found = [named(name) for name in names]
    if options.gamma:
        found = [(name, float(gamma)) for name, _ in found for gamma in options.gamma.split(",")]
    return found


def chosen_rivals(text: str) -> list[Entry]:
    if text in ("all", "none"):
        return [entry for entries in RIVALS.values() for entry in entries] if text == "all" else []
    entries = []
    for name in text.split(","):
        if name not in RIVALS:
            raise SystemExit(f"--rivals: found {name!r}, expected all, none, or some of {', '.join(RIVALS)}")
        entries += RIVALS[name]
    return entries


def chosen_methods(text: str, mdp: MDP) -> list[Entry]:
    """Return ours: `auto`, and the methods asked for that solve this problem at this size."""
    asked = [m.name for m in PLANNERS.values() if m.task == "control"] if text == "all" else text.split(",")
    names = []
    for name in asked:
        method = planner_of(name, "control")
        slow = text == "all" and (method.exact or method.name == "linear-programming")
        large = method.largest is not None and method.largest < mdp.S
        if not slow and not large and mdp.problem in method.problems:
            names.append(method.name)
    return [Entry("ours", name, name) for name in dict.fromkeys(["auto", *names])]


def parser() -> argparse.ArgumentParser:
    known = argparse.ArgumentParser(
        prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0]
    )
    add = known.add_argument
    add("--families", help="models by family and size, with a discount: garnet-1e4,grid-300@.9999")
    add(
        "--size",
        choices=("small", "default", "large"),
        default="default",
        help="which models, without --families",
    )
    add("--gamma", help="discounts, instead of those of the families")
    add("--seed", type=int, default=0, help="of the models")
    add("--rivals", default="all", help=f"all, none, or some of {','.join(RIVALS)}")
    add(
        "--methods",
        default=METHODS,
        help="ours, beside auto: all, or names; without it those that `auto` takes",
    )
    add("--tolerance", type=float, default=1e-6)
    add("--calls", type=int, default=3, help="most calls of an entrant on a model")
    add("--limit", type=float, help="CPU seconds of a call: 2, of large models and --growth 60")
    add("--memory", type=float, default=12.0, help="GB that an entrant may ask for")
    add("--remark", default="", help="a sentence about the run, for the page")
    add("--output", type=Path, help="the page whose part is rewritten: results.md, of a whole run")
    add("--growth", action="store_true", help="cost against size instead, and its picture")
    add("--largest", type=float, default=LARGEST, help="most states of --growth")
    return known


class Runner:
    """The racers of a run, by their entries, and the folder of their files."""

    def __init__(self, asked: argparse.Namespace, folder: Path) -> None:
        self.asked, self.folder = asked, folder
        limit = asked.limit or (60.0 if asked.growth or asked.size == "large" else 2.0)
        self.options = Options(asked.tolerance, asked.calls, limit, memory=1e9 * asked.memory)
        write_model(folder / FIRST, FAMILIES["garnet"].make(size=200, gamma=0.99, seed=0))
        self.racers: dict[Entry, Racer] = {}

    def row(self, name: str, gamma: float | None) -> Row:
        """Make a model, race on it, and find out what is true."""
        family = parse(name)[0]
        mdp = model(name, gamma, self.asked.seed)
        entries = chosen_methods(self.asked.methods, mdp) + chosen_rivals(self.asked.rivals)
        self.write(family, mdp)
        del mdp
        row = self.race(family, name, entries)
        seconds = min(max(5 * row.auto.seconds, self.options.least), 2 * self.options.limit)
        row.truth = truth_of(row.race, self.folder / MODEL, self.options.tolerance, seconds)
        return row

    def write(self, family: str, mdp: MDP) -> None:
        """Write the model of the next race, and a small one of its family."""
        gamma = min(mdp.gamma, WARM_UP) if mdp.gamma < 1 else 1.0
        small = FAMILIES[family].make(size=FAMILIES[family].small, gamma=gamma, seed=self.asked.seed)
        write_model(self.folder / MODEL, mdp)
        write_model(self.folder / WARM, small)

    def race(self, family: str, name: str, entries: list[Entry]) -> Row:
        """Race on the model that was written."""
        for entry in entries:
            if entry not in self.racers:
                self.racers[entry] = Racer(entry, self.folder, self.options)
        paths = self.folder / MODEL, self.folder / FIRST, self.folder / WARM
        return Row(family, race(name, paths, [self.racers[entry] for entry in entries], self.options), None)

    def used(self) -> float:
        """CPU seconds so far, in all processes."""
        return sum(os.times()[:4]) + sum(racer.used for racer in self.racers.values())

    def stop(self) -> None:
        for racer in self.racers.values():
            racer.stop()


def main(arguments: list[str] | None = None) -> None:
    asked = parser().parse_args(arguments)
    try:
        check(asked)
        run(asked, arguments)
    except TabularError as error:  # of a discount, a method
        raise SystemExit(str(error)) from None


def check(asked: argparse.Namespace) -> None:
    """Refuse numbers that no run can have."""
    for name, least in (("calls", 1), ("limit", 0), ("tolerance", 0), ("memory", 0), ("largest", 1)):
        found = getattr(asked, name)
        if found is not None and not (found >= least and found > 0):
            raise SystemExit(
                f"--{name}: found {found}, expected a number {'of 1 or more' if least else 'above 0'}"
            )
    if asked.families is not None and not asked.families:
        raise SystemExit("--families: found nothing, expected models, as garnet-1e4,grid-300@.9999")
    for name in asked.methods.split(",") if asked.methods != "all" else ():
        planner_of(name, "control")


def page_for(asked: argparse.Namespace) -> Path | None:
    """Return the page that a run rewrites; None where it is a part of the benchmarks, and no page is given."""
    whole = asked.rivals == "all" and (
        asked.largest >= LARGEST
        if asked.growth
        else not asked.families
        and not asked.gamma
        and asked.size != "small"
        and asked.methods in (METHODS, "all")
    )
    return asked.output or (RESULTS if whole else None)


def run(asked: argparse.Namespace, arguments: list[str] | None) -> None:
    """Make the run that is asked for."""
    given = arguments if arguments is not None else sys.argv[1:]
    asked.command = shlex.join(["python", "-m", "benchmarks", *given])
    asked.output = page_for(asked)
    if asked.output is None:
        print(A_PART, file=sys.stderr)
    if asked.growth:
        from benchmarks.growth import grow

        grow(asked)
        return
    remarks = [f"Seed {asked.seed}.", *([asked.remark] if asked.remark else [])]
    title = LARGE if asked.size == "large" and not asked.families else RACES
    rows: list[Row] = []
    page = ""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(asked, Path(folder))
        try:
            for name, gamma in chosen_models(asked):
                rows.append(runner.row(name, gamma))
                print(f"{runner.used():5.0f} s  {progress(rows[-1])}", file=sys.stderr, flush=True)
                # After each model: a run that is ended has its tables all the same.
                at = (asked.output or RESULTS).resolve().parent
                page = races_page(rows, runner.options, asked.command, remarks, title, at)
                if asked.output is not None:
                    replace_part(asked.output, title, page)
        finally:
            runner.stop()
            if asked.output is None and page:
                print(page.strip())
    used = sum(os.times()[:4])
    print(f"{time.monotonic() - start:.0f} s, of which {used:.0f} s of CPU in all processes", file=sys.stderr)


def progress(row: Row) -> str:
    cells = []
    for times in row.race.times.values():
        cells.append(
            f"{times.entry.name} {times.seconds:.3g}" if times.solves else f"{times.entry.name}: {times.said}"
        )
    return f"{row.name}: " + "; ".join(cells)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the entrants' processes end too
    main()
