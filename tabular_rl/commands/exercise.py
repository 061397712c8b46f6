"""The command `tabular-rl exercise`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import click

from tabular_rl.analysis.exercise import MOST_SEED, NUMBERS, Exercise, exercise
from tabular_rl.analysis.exercises.catalogue import KINDS
from tabular_rl.commands import _options as o
from tabular_rl.commands._deliver import NO, at_work, deliver, note_written, show
from tabular_rl.commands._files import check_output, read_model
from tabular_rl.commands._help import Command
from tabular_rl.commands._signals import writing
from tabular_rl.errors import ModelError, OptionError, path_text
from tabular_rl.formats import save
from tabular_rl.formats.exercise_answers import TypedAnswers, read_typed
from tabular_rl.formats.output import new_folder, write_parts
from tabular_rl.formats.registry import ANSWERS, SHEETS
from tabular_rl.model.calls import Option
from tabular_rl.model.mdp import MDP
from tabular_rl.report.exercise import FolderReport, GradeReport, SheetReport, blank_text
from tabular_rl.report.render.files import rendered, write_report
from tabular_rl.report.screen import note, out

KIND = Option("kind", str, "what is asked for", choices=tuple(KINDS))
SEED = Option("seed", int, "seed of all that is drawn", low=0, high=MOST_SEED)
STUDENT = Option("student", int, "which student", low=1, high=MOST_SEED)
STUDENTS = Option("students", int, "how many students", low=1, high=1000)
NUMBERS_OPTION = Option("numbers", str, "whose numbers", choices=NUMBERS)
TO = Option("to", str, "form of the sheet", choices=tuple(SHEETS.names))
USAGE = 2


@click.command("exercise", cls=Command)
@o.model_options
@o.value_option(KIND, f"What is asked for: {', '.join(KINDS)}. Without, the seed chooses.", metavar="KIND")
@o.value_option(SEED, "Seed of all that is drawn: the same seed gives the same exercise.  [default: 0]")
@o.value_option(STUDENT, "Number of a student: the same problem with other numbers for each.", metavar="N")
@o.value_option(
    NUMBERS_OPTION,
    "The numbers of the model, or others in its shape. Without, those of the model where they can be reckoned by hand "
    "and tell mistakes apart; for students drawn ones.",
)
@click.option("--solution", is_flag=True, help="Show the solution too.")
@click.option(
    "--check",
    metavar="FILE",
    help="Grade the answers in FILE, - for standard input, or those in every .txt file of a folder.",
)
@o.value_option(
    STUDENTS, "Write a sheet, a key, a file to fill in and a model for each of N students.", metavar="N"
)
@o.value_option(TO, "Form of the sheet, if the name of FILE does not say it; in a folder markdown.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help=f"Write the sheet to FILE ({', '.join(SHEETS.suffixes)}), with --students to a new folder; with --check also "
    "write the grade to FILE (.json, .csv).",
)
@o.json_option
@o.quiet_option
def command(**given: Any) -> int:
    """Pose a problem from a model that is solved by hand, and grade the answers.

    Of a large model a few states are taken. A grade says which answers are right, and where one is wrong, which mistake
    leads to it. It shows no right answer; --solution does. Exit code 1 says that something is wrong.

    \b
    tabular-rl exercise example:recycling_robot --kind sweeps --seed 1
    tabular-rl exercise example:recycling_robot --check answers.txt
    tabular-rl exercise example:gridworld_4x4 --students 30 -o sheets --to latex
    """
    _check_together(given)
    if given["check"] is not None:
        return _grade(given)
    if given["students"] is not None:
        return _write_all(given)
    check_output(given["output"], given["model"], suffixes=[*SHEETS.suffixes, ".json"])
    mdp = read_model(given)
    with at_work(mdp, given["quiet"]):
        found = _made(mdp, given, given["student"])
    _deliver(found, given)
    return 0


def _made(mdp: MDP, given: Mapping[str, Any], student: int | None) -> Exercise:
    return exercise(mdp, given["kind"], seed=given["seed"] or 0, student=student, numbers=given["numbers"])


def _check_together(given: Mapping[str, Any]) -> None:
    """Raise OptionError where options do not belong together."""
    for one, others in (
        ("check", ("students", "solution", "to")),
        ("students", ("student", "as_json", "solution")),
    ):
        for other in others:
            if given[one] is not None and given[other]:
                found = o.flag(other.removeprefix("as_"))
                why = {"solution": ": keys are written too"}.get(other, "") if one == "students" else ""
                raise OptionError(f"{found}: found --{one} too, expected one of them{why}")
    if given["students"] is not None and (given["output"] is None or given["output"] == "-"):
        raise OptionError("--students: found no folder, expected one: -o DIR")
    if given["as_json"] and given["to"]:
        raise OptionError("--to: found --json too, expected one of them")


def _deliver(found: Exercise, given: Mapping[str, Any]) -> None:
    """Write the sheet to its file, or print it."""
    report, output, to = SheetReport(found, given["solution"]), given["output"], given["to"]
    if output is not None and output != "-":
        json = output.lower().endswith(".json") or given["as_json"]
        with writing(output):
            write_report(report, output, "json" if json else to, ANSWERS if json else SHEETS)
        note_written(given["quiet"], output)
    elif to is None or given["as_json"]:
        show(report, given)
    else:
        for part in rendered(report, SHEETS.named(to)):
            out(str(part))


# -- sheets for a class ------------------------------------------------------------------------------------------------


def _write_all(given: Mapping[str, Any]) -> int:
    """Write for each student a sheet, a key, a file to fill in, and the model with the numbers of the sheet."""
    count, folder = given["students"], given["output"]
    format = SHEETS.named(given["to"] or "markdown")
    suffix = format.suffixes[0]
    digits = max(2, len(str(count)))
    with new_folder(folder) as place:
        mdp = read_model(given)
        with at_work(mdp, given["quiet"]):
            for student in range(1, count + 1):
                found = _made(mdp, given, student)
                number = f"{student:0{digits}d}"
                files = {
                    f"sheet-{number}{suffix}": rendered(SheetReport(found), format),
                    f"key-{number}{suffix}": rendered(
                        SheetReport(found, solution=True, sheet_too=False), format
                    ),
                    f"answers-{number}.txt": [blank_text(found)],
                }
                for name, parts in files.items():
                    write_parts(parts, os.path.join(place, name))
                save(found.mdp, os.path.join(place, f"model-{number}.toml"))
    if not given["quiet"]:
        with_them = "with keys (key-*), files to fill in (answers-*.txt) and models (model-*.toml)"
        note(f"{path_text(folder)}: {count} sheets (sheet-*{suffix}), {with_them}\n")
    return 0


# -- grades ------------------------------------------------------------------------------------------------------------


def _grade(given: Mapping[str, Any]) -> int:
    """Grade a file, or every file of a folder."""
    path = given["check"]
    check_output(
        given["output"], given["model"], path if os.path.isfile(path) else None, suffixes=ANSWERS.suffixes
    )
    mdp = read_model(given)
    if os.path.isdir(path):
        return _grade_folder(mdp, given)
    with at_work(mdp, given["quiet"]):
        grade = _exercise_of(mdp, given, typed := read_typed(path)).check(typed)
    deliver(GradeReport(grade), given)
    note_written(given["quiet"], given["output"])
    return 0 if grade else NO


def _grade_folder(mdp: MDP, given: Mapping[str, Any]) -> int:
    """Grade the files of a folder, and say of those that cannot be read why."""
    folder = given["check"]
    names = sorted(name for name in os.listdir(folder) if name.endswith(".txt"))
    if not names:
        raise OptionError(f"--check: {path_text(folder)}: found no .txt file, expected answers")
    grades: list[Any] = []
    with at_work(mdp, given["quiet"]):
        for name in names:
            try:
                typed = read_typed(os.path.join(folder, name))
                grades.append((name, _exercise_of(mdp, given, typed).check(typed)))
            except (ModelError, OptionError) as error:
                grades.append((name, str(error)))
    deliver(FolderReport(folder, grades), given)
    note_written(given["quiet"], given["output"])
    if any(isinstance(grade, str) for _, grade in grades):
        return USAGE
    return 0 if all(grade for _, grade in grades) else NO


def _exercise_of(mdp: MDP, given: Mapping[str, Any], typed: TypedAnswers) -> Exercise:
    """The exercise that a file of answers is about: as its line says, or else the options."""
    asked = {key: given[key] if given[key] is not None else getattr(typed, key) for key in
             ("kind", "seed", "student", "numbers")}  # fmt: skip
    return _made(mdp, asked, asked["student"])
