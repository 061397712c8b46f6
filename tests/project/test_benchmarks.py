"""The models and the program that the benchmarks are made of."""

from __future__ import annotations

import importlib
import re
import sys
import types
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

import benchmarks
import benchmarks.race as racing
import tabular_rl
from benchmarks.__main__ import chosen_models, main, page_for, parser
from benchmarks.families import FAMILIES, model, parse, size_text
from benchmarks.goals import goal_text, goals_of, goals_table, links
from benchmarks.growth import AUTO, panels_of, power
from benchmarks.page import RESULTS, read_parts, replace_part, seconds_text
from benchmarks.picture import Line, Panel, draw
from benchmarks.race import RIVALS, Entry, Options, Race, Times, read_model, write_model
from benchmarks.report import Row, rivals_table
from benchmarks.truth import Truth
from tabular_rl.kernels import _notice

ENTRY = {e.name: e for e in (AUTO, *(e for entries in RIVALS.values() for e in entries))}


def small(name: str, gamma: float | None = None, seed: int = 0):
    chosen = FAMILIES[name]
    return chosen.make(size=chosen.small, gamma=chosen.gammas[0] if gamma is None else gamma, seed=seed)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_builds_valid_models(name):
    mdp = small(name)
    mdp.validate()
    assert mdp.gamma == FAMILIES[name].gammas[0]
    assert np.all(np.diff(mdp.pair_ptr)[~mdp.terminal] >= 1)
    assert np.all(mdp.prob > 0)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_same_seed_gives_the_same_model(name):
    assert small(name, seed=3) == small(name, seed=3)


@pytest.mark.parametrize("name", [name for name, family in FAMILIES.items() if family.random])
def test_another_seed_gives_another_model(name):
    assert small(name, seed=3) != small(name, seed=4)


@pytest.mark.parametrize("name", [name for name, family in FAMILIES.items() if not family.random])
def test_a_family_without_chance_has_one_model(name):
    assert small(name, seed=3) == small(name, seed=4)


def test_a_name_says_family_and_size():
    assert parse("garnet-1e4") == ("garnet", 10**4)
    assert parse("two-queues-20") == ("two-queues", 20)
    assert parse("tree") == ("tree", FAMILIES["tree"].sizes[0])
    assert model("grid-5", gamma=0.5, seed=1).S == 25
    assert [size_text(x) for x in (300, 1000, 10**4, 10**6, 22500)] == ["300", "1000", "1e4", "1e6", "22500"]


def test_the_default_has_every_family_and_the_large_models_are_others():
    default, large = (
        {n for n, _ in chosen_models(parser().parse_args(["--size", s]))} for s in ("default", "large")
    )
    assert {parse(name)[0] for name in default} == set(FAMILIES)
    assert "garnet-1e6" in large - default and "garnet-1e5" in default - large


@pytest.mark.parametrize("name", ["nothing", "nothing-5", "grid-", "grid-0", "grid-x"])
def test_a_name_that_says_nothing_is_refused(name):
    with pytest.raises(SystemExit, match="expected FAMILY or FAMILY-SIZE"):
        parse(name)


def test_mazes_have_pockets():
    # From some cells the goal cannot be reached at all: walking there costs 1 a step without end.
    mdp = model("maze-10", gamma=0.5)
    to = {s: set() for s in range(mdp.S)}
    for i in range(mdp.L):
        to[int(mdp.pair_state[i])] |= set(mdp.next_state[mdp.row_ptr[i] : mdp.row_ptr[i + 1]].tolist())
    goal = int(np.flatnonzero(mdp.terminal)[0])
    reached = {goal}
    while more := {s for s in to if to[s] & reached} - reached:
        reached |= more
    assert 10 < len(reached) < mdp.S


def test_rows_of_garnets_hold_5_to_10_distinct_states():
    mdp = model("garnet-50")
    lengths = np.diff(mdp.row_ptr)
    assert lengths.min() == 5 and lengths.max() == 10
    for i in range(mdp.L):
        assert len(set(mdp.next_state[mdp.row_ptr[i] : mdp.row_ptr[i + 1]].tolist())) == lengths[i]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """What a run on small models without rivals writes; an option leaves the learners' part as it is."""
    path = tmp_path_factory.mktemp("benchmarks") / "results.md"
    path.write_text("# Benchmarks\n\nstale\n\n# Benchmarks of learners\n\nkept\n", encoding="utf-8")
    names = ["three-3", "garnet-60", "grid-5", "queue-30", "lake-4", "horizon-20"]
    main(
        [
            "--families",
            ",".join(names),
            "--rivals",
            "none",
            "--methods",
            "auto",
            "--calls",
            "1",
            "--output",
            str(path),
        ]
    )
    return path


def test_a_run_writes_its_part_of_the_page(page):
    text = page.read_text(encoding="utf-8")
    assert "stale" not in text and text.endswith("# Benchmarks of learners\n\nkept\n")
    assert text.count("# Benchmarks\n") == 1
    for name in ("three-3", "garnet-60", "grid-5", "queue-30", "lake-4", "horizon-20"):
        assert f"\n| {name}, γ " in text


@pytest.mark.parametrize(
    ("words", "rewritten"),
    [
        ("", True),
        ("--methods all --remark quiet", True),
        ("--size large", True),
        ("--growth", True),
        ("--growth --largest 1e7 --memory 20", True),
        ("--families three-3", False),
        ("--size small --rivals none", False),
        ("--rivals none", False),
        ("--rivals quantecon,storm", False),
        ("--methods auto", False),
        ("--gamma .9", False),
        ("--growth --largest 1e4", False),
        ("--growth --rivals none", False),
    ],
)
def test_only_a_whole_run_rewrites_the_page_unasked(words, rewritten):
    assert page_for(parser().parse_args(words.split())) == (RESULTS if rewritten else None)
    assert page_for(parser().parse_args([*words.split(), "--output", "some.md"])) == Path("some.md")


def test_a_run_of_a_part_shows_its_page_and_leaves_the_whole_one(capsys):
    before = RESULTS.read_bytes()
    main(["--families", "three-3", "--rivals", "none", "--methods", "auto", "--calls", "1"])
    done = capsys.readouterr()
    assert RESULTS.read_bytes() == before
    assert done.out.startswith("# Benchmarks\n") and "\n| three-3, γ " in done.out
    assert "a part of the benchmarks: nothing is written without --output" in done.err


def test_true_errors_are_within_the_bounds(page):
    lines = page.read_text(encoding="utf-8").partition("## Ours")[2].partition("## ")[0].splitlines()
    head, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")
    ]
    assert len(rows) == 6
    for row in rows:
        cells = dict(zip(head, row, strict=True))
        error, bound = float(cells["error"].removeprefix("≤ ")), float(cells["bound"])
        # Both are rounded to one digit, and half the width of the truth is in the error.
        assert error <= 2.5 * bound + 1e-15
        assert bound <= 1e-6


def test_a_model_reads_back_with_rows_in_order(tmp_path):
    # A grid's corner slides into its wall twice: those outcomes become one.
    mdp = model("grid-4")
    write_model(tmp_path / "m.npz", mdp)
    back = read_model(tmp_path / "m.npz")
    assert back.K < mdp.K and back.gamma == mdp.gamma
    assert (back.P != mdp.P).nnz == 0
    assert np.array_equal(back.terminal, mdp.terminal) and np.array_equal(back.r, mdp.r)


@pytest.fixture
def entrants(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(benchmarks.__path__[0]) / "entrants"))
    return importlib.import_module


def test_terminal_states_become_loops(entrants, tmp_path):
    # 0 -> 1 (terminal) and 0 -> 0: one row, then one for the loop.
    mdp = tabular_rl.MDP([[[0.5, 0.5], [0.0, 0.0]]], [[3.0], [0.0]], 0.5, axes="ass", terminal=[1])
    write_model(tmp_path / "m.npz", mdp)
    protocol = entrants("protocol")
    m = protocol.with_loops(protocol.load(tmp_path / "m.npz"))
    assert m.pair_ptr.tolist() == [0, 1, 2] and m.row_ptr.tolist() == [0, 2, 3]
    assert m.next_state.tolist() == [0, 1, 1] and m.prob.tolist() == [0.5, 0.5, 1.0]
    assert m.gain.tolist() == [3.0, 0.0]


@pytest.mark.parametrize("method", ["value_iteration", "policy_iteration"])
@pytest.mark.parametrize("name", ["grid", "two-queues", "garnet-absorbing"])
def test_the_ten_lines_of_scipy_are_right(entrants, tmp_path, monkeypatch, method, name):
    mdp = small(name)
    write_model(tmp_path / "m.npz", mdp)
    m = entrants("protocol").load(tmp_path / "m.npz")
    rival = entrants("with_scipy")
    monkeypatch.setattr(rival, "METHOD", method)
    assert not rival.unfit(m)
    v = rival.solve(rival.build(m), m, 1e-8)
    answer = tabular_rl.solve(mdp)
    assert np.all(v >= answer.lower - 1e-6) and np.all(v <= answer.upper + 1e-6)


def test_states_with_fewer_actions_repeat_their_first(monkeypatch, tmp_path):
    # pymdptoolbox wants a matrix an action. State 0 has one row, 1 two, 2 is terminal.
    mdp = tabular_rl.MDP.from_rows(
        pair_ptr=[0, 1, 3, 3],
        pair_action=[0, 0, 1],
        row_ptr=[0, 1, 2, 3],
        next_state=[1, 0, 2],
        prob=[1.0, 1.0, 1.0],
        r=[5.0, 6.0, 7.0],
        terminal=[False, False, True],
        gamma=0.5,
    )
    write_model(tmp_path / "m.npz", mdp)
    monkeypatch.syspath_prepend(str(Path(benchmarks.__path__[0]) / "entrants"))
    for name in ("mdptoolbox", "mdptoolbox.mdp"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    P, R = importlib.import_module("with_mdptoolbox").build(
        importlib.import_module("protocol").load(tmp_path / "m.npz")
    )
    assert R.tolist() == [[5.0, 5.0], [6.0, 7.0], [0.0, 0.0]]
    assert [p.indices.tolist() for p in P] == [[1, 0, 2], [1, 2, 2]]


@pytest.mark.parametrize("name", ["grid", "inventory"])
def test_highs_is_right(entrants, tmp_path, name):
    mdp = small(name)
    write_model(tmp_path / "m.npz", mdp)
    m = entrants("protocol").load(tmp_path / "m.npz")
    rival = entrants("with_highs")
    v = rival.solve(rival.build(m), m, 1e-6)
    # Its own tolerance is 1e-7 for each inequality, and values add up 1 / (1 - γ) = 100 of them.
    assert np.allclose(v, tabular_rl.solve(mdp).v, atol=1e-3)


ENDS = """
import os, sys
for line in sys.stdin:
    if line.startswith(%r):
        print("out of luck", file=sys.stderr)
        os._exit(3)
    said = '{"seconds": 0.1, "keeps": false}'
    print('{"pid": %%d}\\n' %% os.getpid() + said if line.startswith("load") else said, flush=True)
"""


@pytest.mark.parametrize("command", ["warm", "load", "build", "solve"])
def test_an_entrant_whose_process_ends_says_so_and_is_not_asked_again(monkeypatch, tmp_path, command):
    (tmp_path / "fake.py").write_text(ENDS % command, encoding="utf-8")
    monkeypatch.setattr(racing, "HERE", tmp_path)
    monkeypatch.setattr(racing, "python_for", lambda _: sys.executable)
    write_model(tmp_path / "m.npz", model("garnet-60"))
    monkeypatch.setattr(racing.Racer, "kill_child", lambda racer: setattr(racer, "child", None))
    racer = racing.Racer(Entry("fake", "any", "Fake"), tmp_path, Options())
    paths = tmp_path / "m.npz", tmp_path / "m.npz", tmp_path / "m.npz"
    for _ in range(2):  # the next model finds a process that is started again
        found = racing.race("garnet-60", paths, [racer], Options(calls=1)).times["Fake"]
        assert found.said == "ended with 3: out of luck" and not found.solves
        assert not racer.running and racer.ask("solve", 1.0)["failed"] == found.said


def test_a_warm_up_that_does_not_end_is_said(monkeypatch, tmp_path):
    (tmp_path / "fake.py").write_text("while True:\n    pass\n", encoding="utf-8")
    monkeypatch.setattr(racing, "HERE", tmp_path)
    monkeypatch.setattr(racing, "python_for", lambda _: sys.executable)
    monkeypatch.setattr(racing, "COMPILING", 0.01)
    write_model(tmp_path / "m.npz", model("garnet-60"))
    racer = racing.Racer(Entry("fake", "any", "Fake"), tmp_path, Options())
    racer.meet(tmp_path / "m.npz", tmp_path / "m.npz", tmp_path / "m.npz")
    assert racer.times.said == "none in 0.08 s" and racer.process is None


def test_a_rival_is_shown_as_what_it_is():
    truth = Truth(np.array([1.0, 2.0]), np.array([1.0, 2.0]))
    ours = Times(ENTRY["auto"], 0.1, [9.0, 1.0, 2.0, 1.0], v=np.array([1.0, 2.0]))
    right = Times(ENTRY["QuantEcon MPI"], 0.1, [9.9, 3.0, 4.0, 5.0], v=np.array([1.0, 2.0 + 1e-7]))
    early = Times(ENTRY["Storm"], 0.1, [0.5], v=np.array([1.03, 2.0]))
    late = Times(ENTRY["scipy VI"], 0.1, said="none in 3 s", limit=3.0)
    unfit = Times(ENTRY["HiGHS"], said="needs gamma < 1")
    times = {t.entry.name: t for t in (ours, right, early, late, unfit)}
    row = Row("grid", Race("grid-2", 0.99, {"states": 2, "pairs": 2, "outcomes": 2}, times, {}, 100), truth)
    lines = rivals_table([row], Options())
    assert lines[-3] == "| grid-2, γ .99 | 3 (2 to 5) | 0.5, error 3e-02 | > 3 | (1) |"
    assert lines[-1] == "1. needs gamma < 1"


def test_programs_keep_each_others_parts(tmp_path):
    path = tmp_path / "results.md"
    replace_part(path, "# Benchmarks of learners", "# Benchmarks of learners\n\nrates")
    replace_part(path, "# Benchmarks", "# Benchmarks\n\n## Ours\n\none")
    replace_part(path, "# Benchmarks", "# Benchmarks\n\ntwo")
    assert path.read_text(encoding="utf-8") == "# Benchmarks\n\ntwo\n\n# Benchmarks of learners\n\nrates\n"
    assert list(read_parts(path)) == ["# Benchmarks", "# Benchmarks of learners"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(25.4, "25"), (1.44, "1.4"), (0.0234, ".023"), (0.00003, ".000030"), (0.0, "0"), (float("inf"), "-")],
)
def test_seconds_have_two_digits(seconds, text):
    assert seconds_text(seconds) == text


def test_a_picture_places_points_between_powers_of_ten(tmp_path):
    path = tmp_path / "p.svg"
    line = Line("a < b", [(1e3, 0.01), (1e5, 1.0), (1e4, 0.1)])
    draw(path, [Panel("one", [line]), Panel("two", [])], "size", "cost", "title")
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    dots = [(float(c.get("cx")), float(c.get("cy"))) for c in root.iter("{http://www.w3.org/2000/svg}circle")]
    (x1, y1), (x3, y3), (x2, y2) = dots
    # The middle point is halfway on both logarithmic axes; costs grow upwards.
    assert x2 == pytest.approx((x1 + x3) / 2, abs=0.2) and y2 == pytest.approx((y1 + y3) / 2, abs=0.2)
    assert x1 < x3 and y1 > y3
    words = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a < b", "one", "two", "1e3", "1e5", "0.01", "1", "title"} <= set(words)
    assert words.count("1e3") == 2 and words.count("0.01") == 1  # panels beside each other share an axis


TEN_QE = "10 times QuantEcon's policy iteration"


def raced(family, seconds, outcomes=2, said="", **extra):
    """A row: `auto` takes 1 s, or what is said, and rivals take some seconds, or have not ended in 8."""
    times = [Times(ENTRY["auto"], 0.5, [1.0] if not said else [], {"status": "CERTIFIED"}, said=said)]
    for name, took in seconds.items():
        times.append(
            Times(ENTRY[name], 0.1, [took] if took else [], said="" if took else "none in 8 s", limit=8.0)
        )
    size = {"states": 2, "pairs": 2, "outcomes": outcomes}
    return Row(family, Race(f"{family}-2", 0.99, size, {t.entry.name: t for t in times}, extra, 100), None)


@pytest.mark.parametrize(
    ("row", "wanted", "found", "share"),
    [
        (raced("garnet", {"QuantEcon MPI": 2.0, "Storm": 5.0}), "3 times the best rival", "2 (QuantEcon MPI)", 2 / 3),
        (raced("reach", {"Storm": 2.0}), "ahead of the best rival", "2 (Storm)", 2.0),
        (raced("grid", {"Storm": None}), "15 times the best rival", "more than 8 (none finishes)", 8 / 15),
        (raced("tree", {"scipy PI": 2.0, "QuantEcon PI": 20.0}), TEN_QE, "20 (QuantEcon PI)", 2.0),
        (raced("three", {"QuantEcon PI": 0.5, "Storm": 0.1}), "0.33 times QuantEcon", "0.5 (QuantEcon PI)", 1.5),
        (raced("ring", {}, sweep=0.005), "100 sweeps", "200", 0.5),
        (raced("maze", {}, said="none in 8 s"), "100 sweeps", "none in 8 s", 0.0),
    ],
)  # fmt: skip
def test_a_goal_says_what_was_wanted_and_found(row, wanted, found, share):
    goal = goals_of(row, 1e-6)[0]
    assert (goal.wanted, goal.found, goal.share) == (wanted, found, pytest.approx(share))
    assert goal.reached == (share >= 1)
    assert goal.open == (row.family == "grid")


def test_goals_that_are_missed_stand_in_a_table_with_what_was_tried():
    rows = [raced("pendulum", {"Storm": 2.0}, floor=0.1, sweep=0.3), raced("grid", {"Storm": None})]
    text = "\n".join(goals_table(rows, 1e-6))
    # Each builds in .5 s, solves in 1 s and takes as long as its best method.
    assert "Reached: speed 0 of 2 (1 open), regret 2 of 2, a sweep 0 of 1, building 2 of 2." in text
    assert "| pendulum-2, γ .99 | 3 times the best rival | 2 (Storm) | 1.5 times | " in text
    assert "| grid-2, γ .99 | 15 times the best rival | more than 8 (none finishes) | open | " in text
    assert "| 1 model | a sweep in 1.5 floors | 3.0 | 2 times | " in text
    assert "Open: no rival finishes" in text
    rows.append(raced("pendulum", {"Storm": 2.0}, floor=0.1, sweep=0.6))
    assert "| 2 models | a sweep in 1.5 floors | 3.0 to 6.0 | 2 to 4 times | " in "\n".join(
        goals_table(rows, 1e-6)
    )


def test_without_rivals_no_goal_on_them_is_judged():
    text = "\n".join(goals_table([raced("grid", {})], 1e-6))
    assert "Reached: regret 1 of 1, building 1 of 1." in text
    assert "speed" not in text and "pen" not in text and "None is missed." in text
    assert goal_text(goals_of(raced("grid", {}), 1e-6)[0]) == "15 times: no rival"


def test_links_lead_to_the_decisions_from_where_the_page_stands(tmp_path):
    way = re.findall(r"\]\((.*?)\)", links("maze", tmp_path))
    assert way and all((tmp_path / path).is_file() for path in way)


def test_every_family_with_a_goal_of_its_own_has_a_decision():
    for family in FAMILIES:
        found = links(family)
        assert found != "-" or family in ("garnet-absorbing", "grid-hub", "queue-shortcut"), family
    assert "[17](../docs/decisions/017.md)" in links("maze") and "[20]" in links("ring")


def test_growth_is_a_power_of_the_outcomes():
    rows = [raced("queue", {"QuantEcon PI": 4.0}, outcomes, floor=0.01) for outcomes in (10, 1000)]
    rows[1].auto.solves[:] = [10.0]
    assert power(rows, "queue") == "queue 0.50" and power(rows[:1], "queue") == ""
    (panel,) = panels_of(rows, ["auto", "QuantEcon MPI", "QuantEcon PI"])
    assert [line.name for line in panel.lines[:2]] == ["auto", "QuantEcon PI"]
    assert panel.lines[0].points == [(10, 1.0), (1000, 10.0)]


FAKE = """
import os, sys
import numpy as np
import protocol
METHOD = sys.argv[1]
KEEPS = METHOD == "keeps"
def unfit(m):
    return "not for it" if METHOD == "unfit" else ""
def build(m):
    built.append(m.S)
    return m
def solve(model, m, tolerance):
    while m.S < 3 and METHOD == "cold":
        pass
    if m.S < 3:  # the warm-up
        return np.zeros(m.S)
    if METHOD == "raises":
        raise ValueError("no\\nmore")
    if METHOD == "ends":
        print("out of luck", file=sys.stderr)
        os._exit(3)
    while METHOD == "late":
        pass
    print("what a rival prints is no answer")
    return np.full(m.S, 7.0 if METHOD != "keeps" else len(built))
built = []
protocol.run(globals())
"""


@pytest.fixture
def run_fake(monkeypatch, tmp_path):
    """A race between fake entrants, one a way to end."""
    from benchmarks import race

    monkeypatch.setenv("PYTHONPATH", str(race.HERE))
    monkeypatch.setattr(race, "WARM", 0.1)
    (tmp_path / "fake.py").write_text(FAKE, encoding="utf-8")
    monkeypatch.setattr(race, "HERE", tmp_path)
    models = tmp_path / "model.npz", tmp_path / "first.npz", tmp_path / "warm.npz"
    for path, states in zip(models, (20, 2, 2), strict=True):
        write_model(path, model(f"ring-{states}", gamma=0.5))
    racers = {}

    def run(*methods, limit=60.0):
        options = Options(calls=2, limit=limit, first=1.0)
        for m in methods:
            racers.setdefault(m, race.Racer(race.Entry("fake", m, m), tmp_path, options)).options = options
        return race.race("ring-20", models, [racers[m] for m in methods], options).times

    run.racers = racers
    yield run
    for racer in racers.values():
        racer.stop()


def test_what_comes_of_an_entrant_is_told(run_fake):
    times = run_fake("answers", "raises", "ends", "unfit")
    assert times["answers"].v.tolist() == [7.0] * 20 and len(times["answers"].solves) == 2
    assert times["answers"].build is not None and not times["answers"].said
    assert times["raises"].said == "ValueError: no" and not times["raises"].solves
    assert times["ends"].said == "ended with 3: out of luck"
    assert times["unfit"].said == "not for it" and times["unfit"].build is None


def test_a_call_that_takes_too_long_ends_and_its_process_goes_on(run_fake):
    run_fake("late", limit=0.0)
    process = run_fake.racers["late"].process
    times = run_fake("late", limit=0.0)
    assert times["late"].said == "none in 0 s" and times["late"].v is None
    assert run_fake.racers["late"].process is process


def test_who_cannot_be_warmed_up_has_its_call_all_the_same(run_fake):
    assert run_fake("cold")["cold"].v.tolist() == [7.0] * 20


def test_what_would_start_from_its_last_answer_is_built_again(run_fake):
    # Built for the warm-up, twice to be timed, and once before the second call.
    assert run_fake("keeps")["keeps"].v.tolist() == [4.0] * 20


def test_others_may_take_a_multiple_of_the_time_of_auto():
    from benchmarks.race import Racer, pace

    options = Options(limit=2.0, least=0.5, factor=20.0, own=5.0, first=5.0)
    auto, other, rival = (
        Racer(e, Path("."), options) for e in (AUTO, Entry("ours", "x", "x"), ENTRY["Storm"])
    )
    assert pace(auto, auto, options) == 10.0 and pace(rival, auto, options) == 2.0
    for seconds, limits in [(0.001, (0.5, 0.5)), (0.05, (0.5, 1.0)), (0.3, (1.5, 2.0)), (3.0, (6.0, 6.0))]:
        auto.times.solves = [seconds, 9 * seconds]
        assert (pace(other, auto, options), pace(rival, auto, options)) == limits


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("--calls 0", "--calls: found 0, expected a number of 1 or more"),
        ("--limit -1", "--limit: found -1.0, expected a number above 0"),
        ("--families=", "--families: found nothing, expected models"),
        ("--families lake-6 --methods foo", "method 'foo'"),
        ("--families lake-6@2 --rivals none", "expected a number from 0 to 1"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(given, says):
    with pytest.raises(SystemExit) as caught:
        main(given.split())
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_listens_to_the_compiler_in_the_process_of_the_tests():
    from benchmarks.entrants import ours

    assert _notice.listener is not ours.compiling
