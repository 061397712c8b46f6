"""Beside Storm: what it builds and writes is read with its values, and what is written here it reads with ours."""

from __future__ import annotations

import warnings
from fractions import Fraction

import pytest
from reading import same

from tabular_rl import MDP, MissingExtra, evaluate, load, save, solve
from tabular_rl.formats.remarks import heard

WALK = """mdp
module walk
  x : [1..4] init 2;
  done : bool init false;
  [left] x > 1 & !done -> 1/3 : (x' = x - 1) + 2/3 : true;
  [right] x < 4 & !done -> 0.9 : (x' = x + 1) + 0.1 : (x' = max(1, x - 1));
  [stop] x = 4 | x = 1 -> (done' = true);
endmodule
label "goal" = x = 4 & done;
label "ended" = done;
rewards "steps"
  [left] true : 1;
  [right] true : 1;
endrewards
rewards "fuel"
  x = 2 : 0.5;
  [right] true : 3;
endrewards
"""
DIE = """dtmc
module die
  s : [0..7] init 0;
  d : [0..6] init 0;
  [] s=0 -> 0.5 : (s'=1) + 0.5 : (s'=2);
  [] s=1 -> 0.5 : (s'=3) + 0.5 : (s'=4);
  [] s=2 -> 0.5 : (s'=5) + 0.5 : (s'=6);
  [] s=3 -> 0.5 : (s'=1) + 0.5 : (s'=7) & (d'=1);
  [] s=4 -> 0.5 : (s'=7) & (d'=2) + 0.5 : (s'=7) & (d'=3);
  [] s=5 -> 0.5 : (s'=7) & (d'=4) + 0.5 : (s'=7) & (d'=5);
  [] s=6 -> 0.5 : (s'=2) + 0.5 : (s'=7) & (d'=6);
  [] s=7 -> (s'=7);
endmodule
rewards "coin_flips"
  [] s<7 : 1;
endrewards
label "six" = s=7 & d=6;
label "done" = s=7;
"""
# A language, a property, what it is here, and the value by hand where there is one.
QUESTIONS = [
    (WALK, 'R{"steps"}min=? [F "ended"]', {"reward": "steps", "sense": "min", "terminal": ["ended"]}, None),
    (WALK, 'R{"fuel"}max=? [C<=7]', {"reward": "fuel", "sense": "max", "horizon": 7}, None),
    (WALK, 'R{"fuel"}max=? [Cdiscount=0.9]', {"reward": "fuel", "sense": "max", "gamma": "9/10"}, None),
    (WALK, 'Pmax=? [F "goal"]', {"reward": "label:goal", "sense": "max"}, None),
    (WALK, 'Pmin=? [F "goal"]', {"reward": "label:goal", "sense": "min"}, 0),
    (DIE, 'R=? [F "done"]', {"sense": "max", "terminal": ["done"]}, Fraction(11, 3)),
    (DIE, 'P=? [F "six"]', {"reward": "label:six", "sense": "max"}, Fraction(1, 6)),
]


@pytest.fixture
def built(tmp_path):
    """Write a model of a language as Storm does, in doubles or exactly."""
    import stormpy
    from stormpy import io

    def build(language, suffix, exact):
        (tmp_path / "m.nm").write_text(language)
        program = stormpy.parse_prism_program(tmp_path / "m.nm")
        options = stormpy.BuilderOptions(build_full=True)
        build = stormpy.build_model[stormpy.Rational] if exact else stormpy.build_model
        model, path = build(program, options=options), tmp_path / f"m{suffix}"
        if suffix == ".drn":
            digits = io.DirectEncodingExporterOptions()
            digits.output_precision = 17
            io.export_to_drn(model, path, options=digits)
        else:
            io.export_to_umb(model, path)
        return stormpy.build_model(program, options=options), program, path

    return build


def value_of(model, text, program=None):
    import stormpy

    result = stormpy.model_checking(model, stormpy.parse_property(text, program))
    return float(result.get_value(model.initial_states[0]))


@pytest.mark.peers("stormpy", "umbi")
@pytest.mark.parametrize(("suffix", "exact"), [(".drn", False), (".drn", True), (".umb", False)])
@pytest.mark.parametrize(("language", "text", "asked", "known"), QUESTIONS, ids=[row[1] for row in QUESTIONS])
def test_what_storm_writes_has_its_values(built, suffix, exact, language, text, asked, known):
    model, program, path = built(language, suffix, exact)
    with heard(lambda _: None):
        mdp = load(path, **{"gamma": 1, **asked})
    assert (mdp.exact is not None) == exact
    assert "=" in mdp.states[0], "states are named by their variables"
    found = solve(mdp, tolerance=1e-9)
    at = int(mdp.start.argmax())
    value = float(found.v[0][at] if mdp.horizon else found.v[at])
    assert value == pytest.approx(value_of(model, text, program), abs=1e-5)
    if known is not None:
        assert value == pytest.approx(float(known), abs=1e-8)


@pytest.mark.peers("stormpy")
@pytest.mark.parametrize(
    ("example", "text", "asked", "known"),
    [
        # The shared coin of two processes, K = 2, takes 48 to 75 steps.
        (
            "prism_mdp_coin_2_2",
            'R{"steps"}min=? [F "finished"]',
            {"sense": "min", "terminal": ["finished"]},
            48,
        ),
        (
            "prism_mdp_coin_2_2",
            'R{"steps"}max=? [F "finished"]',
            {"sense": "max", "terminal": ["finished"]},
            75,
        ),
        ("prism_mdp_slipgrid", 'Rmin=? [F "goal"]', {"sense": "min", "terminal": ["goal"]}, 10),
        ("prism_mdp_slipgrid", 'Pmax=? [F "pickup"]', {"sense": "max", "reward": "label:pickup"}, 1),
        ("prism_dtmc_die", 'P=? [F "two"]', {"sense": "max", "reward": "label:two"}, 1 / 6),
    ],
)
def test_standard_models(built, example, text, asked, known):
    from pathlib import Path

    from stormpy.examples import files

    model, program, path = built(Path(getattr(files, example)).read_text(), ".drn", False)
    with heard(lambda _: None):
        mdp = load(path, gamma=1, **asked)
    found = solve(mdp, tolerance=1e-9)
    assert found.v[int(mdp.start.argmax())] == pytest.approx(known, abs=1e-6)
    assert value_of(model, text, program) == pytest.approx(known, abs=1e-3)


@pytest.mark.peers("stormpy")
@pytest.mark.parametrize(
    "name",
    [
        "recycling_robot",
        "frozen_lake_4x4",
        "inventory_horizon",
        "two_dice",
        "romania",
        "taxicab",
    ],
)
def test_storm_reads_what_is_written(name, tmp_path):
    import stormpy

    mdp = load(f"example:{name}")
    save(mdp, tmp_path / "m.drn")
    model = stormpy.build_model_from_drn(tmp_path / "m.drn")
    assert model.nr_states == mdp.S
    assert model.nr_choices == mdp.L + mdp.terminal.sum()
    if mdp.horizon is not None:
        question = f"C<={mdp.horizon}"
    else:
        question = f"Cdiscount={mdp.gamma}" if mdp.gamma < 1 else 'F "terminal"'
    result = stormpy.model_checking(model, stormpy.parse_property(f"R{mdp.sense}=? [{question}]"))
    found = solve(mdp, tolerance=1e-9)
    values = found.v[0] if mdp.horizon else found.v
    theirs = [float(result.get_value(s)) for s in range(mdp.S)]
    assert values.tolist() == pytest.approx(theirs, abs=1e-3 * max(1, abs(values).max()))


@pytest.mark.peers("stormpy")
def test_storm_reads_fractions_and_rows_with_a_state_twice(tmp_path):
    import stormpy

    twice = [("a", "go", "a", "1/6", 3), ("a", "go", "b", "2/3", "1/7"), ("a", "go", "a", "1/6", 5)]
    mdp = MDP.from_outcomes(twice, 1, terminal=["b"], start="a")
    save(mdp, tmp_path / "m.drn")
    model = stormpy.build_model_from_drn[stormpy.Rational](tmp_path / "m.drn")
    result = stormpy.model_checking(model, stormpy.parse_property('R=? [F "terminal"]'))
    # v = 1/6 · 8 + 2/3 · 1/7 + 1/3 v
    assert Fraction(str(result.get_value(0))) == (Fraction(8, 6) + Fraction(2, 21)) * Fraction(3, 2)
    assert evaluate(mdp, "uniform").v[0] == pytest.approx(15 / 7)
    assert load(tmp_path / "m.drn") == mdp


@pytest.mark.peers("stormpy")
def test_storm_s_own_explicit_files(tmp_path):
    """Its examples of the form that begins with a word: two dice, thrown with coins; done is certain."""
    from stormpy.examples import files

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mdp = load(files._path("mdp", "two_dice.tra"), gamma=1, reward="label:two")
    assert mdp.S == 169
    assert solve(mdp).v[0] == pytest.approx(1 / 36, abs=1e-9)


@pytest.mark.peers("umbi", "stormpy")
@pytest.mark.parametrize(
    "name", ["recycling_robot", "frozen_lake_4x4", "inventory_horizon", "romania", "two_dice"]
)
def test_umb_reads_back_and_is_read_by_storm(name, tmp_path):
    import stormpy

    mdp = load(f"example:{name}")
    save(mdp, tmp_path / "m.umb")
    same(mdp, load(tmp_path / "m.umb"))
    if name in ("romania", "frozen_lake_4x4"):
        model = stormpy.build_model_from_umb(tmp_path / "m.umb")
        assert (model.nr_states, model.nr_choices) == (mdp.S, mdp.L + mdp.terminal.sum())


@pytest.mark.peers("umbi")
def test_umb_holds_rewards_of_next_states(tmp_path):
    twice = [("a", "go to", "a", 0.25, 1), ("a", "go to", "end", 0.5, -2.5), ("a", "go to", "a", 0.25, 3)]
    for mdp in (
        MDP.from_outcomes(twice, "1/3", terminal=["end"], start="a", name="twice"),
        MDP.from_outcomes(
            [(*row[:3], Fraction(row[3]), Fraction(row[4])) for row in twice], "1/3", terminal=["end"]
        ),
    ):
        save(mdp, tmp_path / "m.umb")
        same(mdp, load(tmp_path / "m.umb"))


@pytest.mark.peers("umbi")
@pytest.mark.parametrize("trials", [200, pytest.param(2000, marks=pytest.mark.slow)])
def test_damaged_umb(tmp_path, trials):
    """No exception but ours, whatever umbi raises."""
    import random

    from damage import damage
    from reading import try_to_read
    from umbi import ats

    model = ats.ExplicitAts(num_players=1)
    for _ in range(2):
        model.add_state()
    model.num_choice_actions, model.choice_action_to_name = 2, ["go", "stay"]
    for s, targets in ((0, (0, 1)), (0, (1,)), (1, (1,))):
        choice = model.add_state_choice(s)
        choice.action = len(targets) % 2
        for to in targets:
            choice.add_branch(to, prob=Fraction(1, len(targets)))
    model.set_initial_states([0])
    model.add_reward_annotation("r").set_choice_values([Fraction(1, 3), 2, 0])
    ats.write(model, tmp_path / "m.umb")
    mdp = load(tmp_path / "m.umb", gamma="1/2", sense="max")
    assert list(mdp.exact.r) == [Fraction(1, 3), 2, 0]
    assert mdp.actions[:] == ("go", "stay")
    good, rng = (tmp_path / "m.umb").read_bytes(), random.Random("damage umb")
    for _ in range(trials):
        (tmp_path / "m.umb").write_bytes(damage(good, rng))
        with heard(lambda _: None):
            try_to_read(tmp_path / "m.umb", tmp_path / "m.umb", gamma=1, sense="max")


@pytest.mark.peers("pytest")
def test_without_umbi_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "umbi", None)
    (tmp_path / "m.umb").write_bytes(b"\x1f\x8b")
    with pytest.raises(
        MissingExtra, match=r"found no umbi, expected the extra: pip install 'tabular-rl\[umb\]'"
    ):
        load(tmp_path / "m.umb", gamma=1)
