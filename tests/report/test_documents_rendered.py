"""Blocks as Markdown and as LaTeX: nothing that a name holds means anything there."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from tabular_rl import MDP, OptionError, exercise
from tabular_rl.analysis.exercises.catalogue import KINDS
from tabular_rl.analysis.exercises.prose import Name, line_of
from tabular_rl.report.blocks import Grid, Heading, Lines, Prose, Table, Typed
from tabular_rl.report.exercise import SheetReport
from tabular_rl.report.render.latex import latex, maths
from tabular_rl.report.render.markdown import markdown

ODD = "a$_b%& #{}\\^~`<|>'\"[x] = :"
FOREIGN = "状态 é γ"
MOVES = [(ODD, FOREIGN, ODD, "1/2", 1), (ODD, FOREIGN, FOREIGN, "1/2", -3), (ODD, "``", FOREIGN, 1, 2),
         (FOREIGN, FOREIGN, ODD, 1, 2), (FOREIGN, "\x07y", "end--", "1", 4)]  # fmt: skip
STRANGE = MDP.from_outcomes(MOVES, "9/10", terminal=["end--"], name="odd_%\\")
LINE = line_of("State {s}: $V_1({s}) = {x}$.", s=Name("a_b"), x="1/2")
BLOCKS = [
    Heading("A_1"), Heading("Part", part=True), Prose(LINE), Prose(LINE, display=True), Lines(["x < y", "2"]),
    Table(["s", "p"], [["a|b", "1"]], left="s", above=["up_"], below=["down"]), Grid([["1", "2"], ["3", "4"]]),
    Typed(["V_1(a) ="]),
]  # fmt: skip


def test_blocks_as_markdown():
    assert markdown(BLOCKS) == (
        "# A\\_1\n\n## Part\n\nState `a_b`: `V_1(a_b) = 1/2`.\n\n```text\nState a_b: V_1(a_b) = 1/2.\n```\n\n"
        "x \\< y  \n2\n\nup\\_\n\n| s | p |\n|:--|--:|\n| a\\|b | 1 |\n\ndown\n\n```text\n1  2\n3  4\n```\n\n"
        "```text\nV_1(a) =\n```\n"
    )


def test_blocks_as_latex():
    made = latex(BLOCKS)
    assert made.startswith("\\documentclass")
    body = made.split("\\begin{document}\n")[1]
    assert body.startswith("\\section*{A\\_1}\n\n\\subsection*{Part}\n\n")
    assert "State \\textit{a\\_b}: $V_{1}(\\text{a\\_b}) = \\tfrac{1}{2}$." in body
    assert "x \\textless{} y\\\\\n2" in body
    assert "\\begin{tabular}{lr}\n{}s & {}p \\\\\n\\hline\n{}a\\textbar{}b & {}1 \\\\\n\\end{tabular}" in body
    assert body.endswith("V\\_1(a)\\ =\\par}\n\\end{document}\n")


@pytest.mark.parametrize(
    ("text", "tex"),
    [
        ("V_2(s) = max_a Σ_s' p(s'|s,a)", r"V_{2}(s) = \max_{a} \sum_{s'} p(s'\mid s,a)"),
        ("[1/2 + γ V_1(s')]", r"[\tfrac{1}{2} + \gamma V_{1}(s')]"),
        ("v*(s) ← 2 · 3", r"v^{*}(s) \leftarrow 2 \cdot 3"),
        ("γ^t ∂log π(a_t|s_t)", r"\gamma ^{t} \partial \log \pi(a_{t}\mid s_{t})"),
        ("target = r", r"\text{target} = r"),
        ("V_{k+1}", "V_{k+1}"),
        ("0.25", "0.25"),
    ],
)  # fmt: skip
def test_formulas(text, tex):
    assert re.sub(r"\s+", "", maths(text)) == re.sub(r"\s+", "", tex)


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_only_names(kind):
    """Braces balance and no sign stands bare in LaTeX; in Markdown tables keep their columns."""
    found = SheetReport(exercise(STRANGE, kind, seed=2), solution=True)
    tex = latex(found.blocks())
    bare = re.sub(r"\\.", "", tex)  # without commands of one sign
    assert bare.count("{") == bare.count("}")
    body = bare.split("document}")[1]
    assert body.count("$") % 2 == 0
    assert not re.search(r"[%#~^](?!\{)", body)
    assert "\\DeclareUnicodeCharacter{72B6}" in tex
    assert "\x07" not in tex
    lines = [*markdown(found.blocks()).splitlines(), ""]
    for at, line in enumerate(lines):
        if line.startswith("|:--"):
            width = line.count("|")
            table = lines[at - 1 :]
            rows = table[: next(i for i, row in enumerate(table) if not row.startswith("|"))]
            assert all(len(re.findall(r"(?<!\\)\|", row)) == width for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_pdflatex_sets_them(kind, tmp_path):
    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex on this machine")
    for at, mdp in enumerate((STRANGE, STRANGE.replace(sense="min", name=""))):
        path = tmp_path / f"{at}.tex"
        path.write_text(
            latex(SheetReport(exercise(mdp, kind, seed=at), solution=True).blocks()), encoding="utf-8"
        )
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", path.name]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]


def test_a_notebook_shows_sheets_and_grades():
    """Names are only names there too."""
    for kind in KINDS:
        found = exercise(STRANGE, kind, seed=2)
        shown = found._repr_html_()
        assert shown.startswith("<div><p><b>")
        assert "<|" not in shown and "&lt;|&gt;" in shown
        assert "\x07" not in shown
    assert "answers right" in found.check({})._repr_html_()


@pytest.mark.parametrize("kind", KINDS)
def test_a_label_may_hold_any_sign(kind):
    """What is typed behind a label that has signs of equality, colons and # in it is read all the same."""
    found = exercise(STRANGE, kind, seed=2)
    lines = [
        f"{label} = {min(x) if isinstance(x, frozenset) else x}  # = :" for label, x in found.answers.items()
    ]
    assert found.check("\n".join(lines))
    assert found.check(found.answers)


def test_sheets_in_python():
    found = exercise(STRANGE, "td", seed=2)
    assert found.sheet().startswith("# One update of TD(0)")
    assert found.sheet("latex", solution=True).startswith("\\documentclass")
    assert found.sheet("text") == found.text + "\n"
    with pytest.raises(OptionError, match="format: found 'html', expected one of text, markdown, latex"):
        found.sheet("html")
