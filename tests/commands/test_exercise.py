"""The command exercise: sheets in three forms, keys for a class, and grades with their exit codes."""

from __future__ import annotations

import json

import pytest
from program import inside, one_line

from tabular_rl import exercise, load

MODEL = ("example:recycling_robot", "--kind", "sweeps", "--seed", "2")
# By hand, with γ = 0.9 from 0: V_1 = (2, 1), V_2 = (2 + 0.9 (0.8 · 2 + 0.2 · 1), 1 + 0.9 · 1).
RIGHT = "V_1(high) = 2\nV_1(low) = 1\nV_2(high) = 3.62\nV_2(low) = 19/10\n"


@pytest.fixture
def answers(tmp_path):
    path = tmp_path / "answers.txt"
    path.write_text("name: Ada\nexercise: sweeps, seed 2\n" + RIGHT)
    return path


def test_a_sheet_and_its_solution(capsys):
    sheet = inside(capsys, "exercise", *MODEL)
    assert (sheet.code, sheet.err) == (0, "")
    assert sheet.out.startswith("Two sweeps of value iteration (recycling robot)\n====")
    assert "V_{k+1}(s) = max_a Σ_s' p(s'|s,a) [r(s,a,s') + γ V_k(s')]" in sheet.out
    assert "exercise: sweeps, seed 2, code " in sheet.out
    assert "3.62" not in sheet.out
    solved = inside(capsys, "exercise", *MODEL, "--solution").out
    assert solved.startswith(sheet.out.rstrip("\n"))
    assert "V_2(high) = max(0.8 [2 + 0.9 · 2] + 0.2 [2 + 0.9 · 1], 1 + 0.9 · 2)" in solved
    assert "max(3.62, 2.8) = 3.62" in solved


def test_answers_are_graded(capsys, answers):
    done = inside(capsys, "exercise", "example:recycling_robot", "--check", answers)
    assert done.code == 0
    assert done.out.startswith("Ada: 4 of 4 answers right (sweeps, seed 2, code ")
    answers.write_text(RIGHT.replace("3.62", "3.80").replace("19/10", "2.00"))
    done = inside(capsys, "exercise", *MODEL, "--check", answers)
    assert done.code == 1
    assert "You left out γ. What comes one step later counts γ times." in done.out
    assert "3.62" not in done.out, "a grade keeps the right answers to itself"
    grade = json.loads(inside(capsys, "exercise", *MODEL, "--check", answers, "--json").out)
    assert (grade["right"], grade["of"], list(grade["mistakes"])) == (2, 4, ["no-gamma"])
    assert grade["items"][2] == {"label": "V_2(high)", "given": "3.80", "verdict": "wrong", "expected": "181/50",
                                 "mistakes": ["no-gamma"], "note": None}  # fmt: skip


def test_answers_that_are_malformed(capsys, answers, tmp_path):
    answers.write_text("V_1(high) = 2\n\nV_2(high) = a lot\n")
    done = inside(capsys, "exercise", *MODEL, "--check", answers)
    assert (done.code, done.err) == (1, "")
    assert done.out.startswith("1 of 4 answers right")
    assert "V_2(high): found 'a lot', expected a fraction such as 11/4" in " ".join(done.out.split())
    answers.write_text("V_1(high) = 2\n\nV_2(hihg) = 3\n")
    done = inside(capsys, "exercise", *MODEL, "--check", answers)
    assert (done.code, done.out) == (2, "")
    assert one_line(done.err).startswith(f"{answers}:3: no blank 'V_2(hihg)', expected one of V_1(high)")
    answers.write_text("exercise: td, seed 2\nV_1(high) = 2\n")
    done = inside(capsys, "exercise", *MODEL, "--check", answers)
    assert done.code == 2
    assert "found the answers to an exercise with kind td, expected sweeps" in one_line(done.err)
    answers.write_text("")
    assert "empty, expected answers" in one_line(inside(capsys, "exercise", *MODEL, "--check", answers).err)
    done = inside(capsys, "exercise", *MODEL, "--check", tmp_path / "none.txt")
    assert (done.code, "no such file" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--check", "a.txt", "--solution"], "--solution: found --check too"),
        (["--check", "a.txt", "--students", "3"], "--students: found --check too"),
        (["--students", "3"], "--students: found no folder, expected one: -o DIR"),
        (["--students", "3", "-o", "x", "--solution"], "expected one of them: keys are written too"),
        (["--students", "3", "-o", "x", "--student", "3"], "--student: found --students too"),
        (["--students", "0", "-o", "x"], "--students: found '0', expected a whole number from 1 to 1000"),
        (["--to", "latex", "--json"], "--to: found --json too"),
        (["-o", "sheet.pdf"], "found the suffix '.pdf', expected .txt or .md or .tex or .json"),
        (["--numbers", "mine"], "--numbers: found 'mine', expected one of model, drawn"),
    ],
)
def test_options_that_do_not_fit(capsys, more, said):
    done = inside(capsys, "exercise", *MODEL, *more)
    assert (done.code, done.out) == (2, "")
    assert said in one_line(done.err)


def test_a_sheet_in_a_file_and_in_other_forms(capsys, tmp_path):
    for suffix, begin in (
        (".md", "# Two sweeps"),
        (".tex", r"\documentclass"),
        (".txt", "Two sweeps"),
        (".json", "{"),
    ):
        path = tmp_path / f"sheet{suffix}"
        done = inside(capsys, "exercise", *MODEL, "-o", path)
        assert (done.code, done.out, done.err) == (0, "", f"{path}: written\n")
        assert path.read_text().startswith(begin)
    shown = inside(capsys, "exercise", *MODEL, "--to", "latex", "--numbers", "drawn", "--student", "7").out
    assert r"V_{k+1}(s) = \max_{a} \sum _{s'} p(s'\mid s,a) [r(s,a,s')" in shown.replace("  ", " ")
    entries = json.loads(inside(capsys, "exercise", *MODEL, "--json", "--solution").out)
    assert entries["answers"] == {
        "V_1(high)": "2",
        "V_1(low)": "1",
        "V_2(high)": "181/50",
        "V_2(low)": "19/10",
    }
    assert entries["mistakes"]["no-gamma"]["answers"]["V_2(low)"] == "2"
    assert entries["blanks"][0] == {"label": "V_1(high)", "actions": None}


def test_a_class(capsys, tmp_path):
    folder = tmp_path / "sheets"
    done = inside(
        capsys, "exercise", "example:recycling_robot", "--kind", "td", "--students", "3", "-o", folder
    )
    assert (done.code, done.out) == (0, "")
    assert one_line(done.err) == (
        f"{folder}: 3 sheets (sheet-*.md), with keys (key-*), files to fill in (answers-*.txt) and models "
        "(model-*.toml)"
    )
    names = sorted(path.name for path in folder.iterdir())
    files = {"answers": ".txt", "key": ".md", "model": ".toml", "sheet": ".md"}
    assert names == [f"{what}-0{n}{end}" for what, end in files.items() for n in (1, 2, 3)]
    sheets = [(folder / f"sheet-0{n}.md").read_text() for n in (1, 2, 3)]
    assert len(set(sheets)) == 3
    assert all(line in sheets[0] for line in (folder / "answers-01.txt").read_text().splitlines()[1:])
    first = exercise(load("example:recycling_robot"), "td", student=1)
    assert load(folder / "model-01.toml").digest == first.mdp.digest
    again = inside(capsys, "exercise", "example:recycling_robot", "--students", "3", "-o", folder)
    assert again.code == 5
    assert "something stands there, expected a new or an empty folder" in one_line(again.err)

    key = (folder / "key-02.md").read_text().replace("\\", "")
    right = dict(
        line.strip("| ").split(" | ")
        for line in key.splitlines()
        if line.startswith("| ") and "answer" not in line
    )
    returned = tmp_path / "returned"
    returned.mkdir()
    blank = (folder / "answers-02.txt").read_text().replace("name:", "name: Bo")
    filled = [
        line + " " + right[line[:-2]].split(" ≈ ")[0] if line.endswith("=") else line
        for line in blank.splitlines()
    ]
    (returned / "bo.txt").write_text("\n".join(filled))
    (returned / "cy.txt").write_text("name: Cy\nexercise: td, seed 0, student 3\ntarget = x\n")
    (returned / "cz.txt").write_text("name: Cz\nexercise: td, seed 0, student 3\nno answer\n")
    (returned / "di.txt").write_text("name: Di\nexercise: td, seed 0, student 3\ntarget = 1000\n")
    sheet = tmp_path / "grades.csv"
    done = inside(capsys, "exercise", "example:recycling_robot", "--check", returned, "-o", sheet)
    assert done.code == 2, "one of them cannot be read"
    rows = [line.split() for line in done.out.splitlines()]
    assert rows[1][:5] == ["bo.txt", "Bo", "3", "of", "3"]
    assert rows[2] == ["cy.txt", "Cy", "0", "of", "3", "not", "read"]
    assert rows[3] == ["cz.txt", "not", "read"]
    assert rows[4] == ["di.txt", "Di", "0", "of", "3", "other"]
    assert "cz.txt:3: found 'no answer', expected LABEL = ANSWER" in done.out
    assert sheet.read_text().splitlines()[:2] == ["file,name,student,right,of,mistakes", "bo.txt,Bo,2,3,3,"]
    grades = json.loads(
        inside(capsys, "exercise", "example:recycling_robot", "--check", returned, "--json").out
    )
    assert [x.get("right") for x in grades["grades"]] == [3, 0, None, 0]
    (returned / "cz.txt").unlink()
    assert inside(capsys, "exercise", "example:recycling_robot", "--check", returned).code == 1
    empty = tmp_path / "empty"
    empty.mkdir()
    done = inside(capsys, "exercise", "example:recycling_robot", "--check", empty)
    assert (done.code, "found no .txt file" in one_line(done.err)) == (2, True)


def test_the_options_of_the_model(capsys):
    """They stand in place of what the file says, and the sheet follows them."""
    done = inside(capsys, "exercise", *MODEL, "--gamma", "1/2", "--minimize", "--format", "toml", "--quiet")
    assert "γ = 0.5; costs are minimised." in done.out
    assert "V_{k+1}(s) = min_a" in done.out
    done = inside(capsys, "exercise", *MODEL, "--horizon", "5", "--normalize", "--quiet")
    assert done.out.startswith("Two steps backward from the horizon")
    done = inside(capsys, "exercise", "example:walled_goal", "--kind", "sweeps", "--terminal", "nowhere")
    assert (done.code, "nowhere" in done.err) == (2, True)


def test_nothing_is_left_where_a_sheet_cannot_be_made(capsys, tmp_path):
    folder = tmp_path / "sheets"
    done = inside(
        capsys, "exercise", "example:random_walk_5", "--kind", "gradient", "--students", "2", "-o", folder
    )
    assert done.code == 2
    assert "found one action in every state, expected a choice. Ask for --kind td" in one_line(done.err)
    assert list(tmp_path.iterdir()) == []
