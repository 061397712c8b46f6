"""Exercises: the sheet, its solution, and the grade of some answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tabular_rl.analysis.exercise import Exercise, Grade
from tabular_rl.analysis.exercises.grading import MISSING, RIGHT, UNREAD, Graded
from tabular_rl.analysis.exercises.posed import MISTAKES, Value
from tabular_rl.analysis.exercises.prose import Formula, Given, Part, Say, shown, span_line
from tabular_rl.errors import escape
from tabular_rl.model.numbers import plural
from tabular_rl.model.rationals import nearest
from tabular_rl.report.blocks import Block, Heading, Lines, Prose, Report, Sheet, Table, Typed
from tabular_rl.report.words import heading

DRAWN = "The numbers are made up. What leads where is as in the model."


@dataclass(frozen=True)
class SheetReport(Report):
    """What a student gets; with `solution` also the way to the answers, without `sheet` that alone."""

    found: Exercise
    solution: bool = False
    sheet_too: bool = True

    def blocks(self) -> list[Block]:
        found = self.found
        blocks: list[Block] = []
        if self.sheet_too:
            blocks += _sheet(found)
        if self.solution:
            blocks += [
                Heading(f"Solution: {_title(found)}" if not self.sheet_too else "Solution", self.sheet_too)
            ]
            blocks += _blocks(found.posed.solution())
            blocks.append(Table(["answer", ""], [[label, _answer_text(x)] for label, x in found.answers.items()],
                                left="answer,"))  # fmt: skip
        return blocks

    def entries(self) -> dict[str, Any]:
        found, mdp = self.found, self.found.mdp
        small = found.posed.small
        return {
            **heading("exercise", mdp), "kind": found.kind, "seed": found.seed, "student": found.student,
            "numbers": found.numbers, "code": found.code, "title": found.posed.title, "gamma": small.gamma,
            "sense": mdp.sense,
            "outcomes": [
                {"state": small.states[s], "action": row.action, "next_state": small.states[to], "probability": p,
                 "reward": r}
                for s, rows in enumerate(small.rows) for row in rows for to, p, r in row.outcomes
            ],
            "terminal": [small.states[s] for s in small.ends],
            "text": [block.text for block in _sheet(found) if isinstance(block, Prose)],
            "digits": found.digits,
            "blanks": [{"label": item.label, "actions": list(item.actions) or None} for item in found.posed.items],
            **(self._solved() if self.solution else {}),
        }  # fmt: skip

    def _solved(self) -> dict[str, Any]:
        """The right answers, and what each mistake makes of them."""
        found = self.found
        return {
            "answers": {label: _plain(x) for label, x in found.answers.items()},
            "mistakes": {
                mistake: {
                    "text": MISTAKES[mistake],
                    "answers": {label: _plain(x) for label, x in found.mistaken(mistake).items()},
                }
                for mistake in found.mistakes
            },
        }


def _title(found: Exercise) -> str:
    name = escape(found.mdp.name)
    return found.posed.title + (f" ({name})" if name else "")


def _sheet(found: Exercise) -> list[Block]:
    """The problem, and how it is answered."""
    digits = f"Give numbers as fractions (11/4), or as decimals with {found.digits} or more digits after the point."
    actions = " Give actions by their names." if any(item.actions for item in found.posed.items) else ""
    return [
        Heading(_title(found)),
        *([Prose(span_line(DRAWN))] if found.numbers == "drawn" else []),
        *_blocks(found.posed.task()),
        Prose(span_line(f"{digits}{actions} Type them into a file like this:")),
        Typed(["name:", f"exercise: {found.header}", *(f"{label} =" for label in found.blanks)]),
    ]


def blank_text(found: Exercise) -> str:
    """A file of answers that is still to be filled in."""
    lines = ["name:", f"exercise: {found.header}", *(f"{label} =" for label in found.blanks)]
    return "\n".join(lines) + "\n"


def _blocks(parts: Sequence[Part]) -> list[Block]:
    """What a kind of exercise says, as blocks."""
    blocks: list[Block] = []
    for part in parts:
        if isinstance(part, Say):
            blocks.append(Prose(part.line))
        elif isinstance(part, Formula):
            blocks.append(Prose(part.line, display=True))
        elif isinstance(part, Given):
            blocks.append(Table(part.headers, part.rows, left=_left(part)))
    return blocks


def _left(given: Given) -> str:
    """The headers of the columns that hold names."""
    return ",".join(given.headers[: given.left] if given.left else ["state", "action", "next state"])


def _answer_text(x: Value) -> str:
    """A right answer: a fraction with its decimal, or the actions that are right."""
    if isinstance(x, Fraction):
        text = shown(x)
        return f"{text} ≈ {nearest(x):.4f}" if "/" in text else text
    return " or ".join(escape(name) for name in sorted(x)) if x else ""


def _plain(x: Value) -> Any:
    return str(x) if isinstance(x, Fraction) else sorted(x) if x is not None else None


# -- a grade -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GradeReport(Report):
    """Which blanks are right, and in words what went wrong in the others; the right answers are left out."""

    grade: Grade

    def blocks(self) -> list[Block]:
        grade = self.grade
        whose = f"{escape(grade.name)}: " if grade.name else ""
        found = grade.exercise
        blocks: list[Block] = [
            Lines([f"{whose}{grade.score} of {plural(len(grade.items), 'answer')} right ({found.header})"]),
            Table(["blank", "yours", ""], [[item.label, escape(item.given), item.verdict] for item in grade.items],
                  left="blank,yours,"),
        ]  # fmt: skip
        for where, text in self._remarks():
            blocks.append(Prose(span_line(f"{where}: {text}" if where else text)))
        return blocks

    def _remarks(self) -> list[tuple[str, str]]:
        """(where, what is said there): one mistake that explains everything, or what there is to say of each blank."""
        grade = self.grade
        unread = [(x.label, x.note) for x in grade.items if x.verdict == UNREAD]
        if grade.mistakes:
            notes = dict.fromkeys(
                f"{x.note[0].upper()}{x.note[1:]}." for x in grade.items if x.mistakes and x.note
            )
            return [*unread, ("", " Or: ".join([*notes, *(MISTAKES[mistake] for mistake in grade.mistakes)]))]
        said: dict[str, list[str]] = {}
        for item in grade.items:
            if item.verdict not in (RIGHT, MISSING) and (text := _remark(item)):
                said.setdefault(text, []).append(item.label)
        unknown = [x.label for x in grade.items if x.verdict == "wrong" and not _remark(x)]
        rest = [
            (
                ", ".join(unknown),
                "this is none of the usual mistakes. Compare with the solution, step by step.",
            )
        ]
        return [(", ".join(labels), text) for text, labels in said.items()] + (rest if unknown else [])

    def sheet(self) -> Sheet:
        """label,given,verdict,mistakes: a line a blank."""
        lines = [[x.label, x.given, x.verdict, ", ".join(x.mistakes)] for x in self.grade.items]
        return Sheet(["label", "given", "verdict", "mistakes"], [lines])

    def entries(self) -> dict[str, Any]:
        grade = self.grade
        found = grade.exercise
        return {
            **heading("grade", found.mdp), "kind": found.kind, "seed": found.seed, "student": found.student,
            "code": found.code, "name": grade.name, "right": grade.score, "of": len(grade.items),
            "items": [
                {"label": x.label, "given": x.given or None, "verdict": x.verdict, "expected": _plain(x.right),
                 "mistakes": list(x.mistakes), "note": x.note or None}
                for x in grade.items
            ],
            "mistakes": grade.words,
        }  # fmt: skip


def _remark(item: Graded) -> str:
    return " Or: ".join(MISTAKES[mistake] for mistake in item.mistakes) or item.note


@dataclass(frozen=True)
class FolderReport(Report):
    """The grades of a class: a line for each file of a folder, or why it has none."""

    folder: str
    grades: Sequence[tuple[str, Grade | str]]

    def blocks(self) -> list[Block]:
        rows, faults = [], []
        for name, grade in self.grades:
            if isinstance(grade, str):
                faults.append(grade)
                rows.append([escape(name), "", "not read", ""])
            else:
                right = f"{grade.score} of {len(grade.items)}"
                rows.append([escape(name), escape(grade.name or ""), right, _mistakes_text(grade)])
        table = Table(["file", "name", "right", "mistakes"], rows, left="file,name,mistakes", wrap="mistakes")
        return [table, *([Lines(faults)] if faults else [])]

    def entries(self) -> dict[str, Any]:
        return {
            "schema": "tabular-rl grades", "version": 1,
            "grades": [
                {"file": name, "error": grade} if isinstance(grade, str)
                else {"file": name, **GradeReport(grade).entries()}
                for name, grade in self.grades
            ],
        }  # fmt: skip

    def sheet(self) -> Sheet:
        """file,name,student,right,of,mistakes: a line a file."""
        lines = [
            [name, None, None, None, None, grade] if isinstance(grade, str)
            else [name, grade.name, grade.exercise.student, grade.score, len(grade.items), _mistakes_text(grade)]
            for name, grade in self.grades
        ]  # fmt: skip
        return Sheet(["file", "name", "student", "right", "of", "mistakes"], [lines])


def _mistakes_text(grade: Grade) -> str:
    """The names of the mistakes; "other" where there is none for a wrong answer."""
    known = list(grade.words) + ["not read"] * any(item.verdict == UNREAD for item in grade.items)
    wrong = any(item.verdict == "wrong" for item in grade.items)
    return ", ".join(known) or ("other" if wrong else "")
