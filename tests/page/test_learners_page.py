"""The learners of the lesson page against Python's: the same random numbers, the same tables, the same laws.

A page runs its learners in the browser: each is asked for its table by `window.lesson.learn.learnedTable`, which takes
the steps that the panel takes.
"""

import math
from pathlib import Path

import numpy as np
import pytest
from lesson_page import first
from mistaken_learners import learn_with_mistakes

import tabular_rl
from tabular_rl import MDP, Policy, lesson
from tabular_rl.errors import NoFiniteAnswer, OptionError
from tabular_rl.laws import expected
from tabular_rl.solving.sampling import streams
from tabular_rl.testing import MISTAKES

LEARNERS = ("td0", "monte-carlo", "sarsa", "q-evaluation", "q-learning", "double-q-learning")
EVALUATING = ("td0", "monte-carlo", "q-evaluation")
# A grid, ragged actions, terminal states that pay, costs, and a finite horizon.
MODELS = first(["frozen_lake_4x4", "commute", "forest_horizon", "gridworld_5x5", "recycling_robot"], 3)
BUNDLED = Path(__file__).resolve().parents[2] / "mdps"
STEP_SIZES = {
    0.1: {"kind": "constant", "a": 0.1},
    "1/n": {"kind": "harmonic", "a": 1},
    "n^-0.7": {"kind": "power", "a": 1, "b": 0.7},
}


@pytest.fixture
def opened(browser, tmp_path):
    def open_page(mdp):
        lesson(mdp).save(tmp_path / "page.html")
        page = browser.open(tmp_path / "page.html")
        page.run("window.asked = (o, n) => window.lesson.learn.learnedTable(window.lesson.base, o, n)")
        return page

    return open_page


def learned(mdp, method, *, steps, **options):
    """The table of Python's learner, flat."""
    if method in EVALUATING:
        options.setdefault("policy", Policy.uniform(mdp))
        options.pop("explore", None)
    return np.ravel(tabular_rl.learn(mdp, method, steps=steps, reference=False, **options).estimates).tolist()


def asked(page, method, *, steps, step_size=0.1, **options):
    given = {"method": method, "stepSize": STEP_SIZES[step_size], "epsilon": 0.2, **options}
    if method in EVALUATING:
        given.setdefault("policy", "uniform")
    return page.run("return window.asked(arguments[0], arguments[1])", given, steps)


# -- the same numbers ----------------------------------------------------------------------------------------


def test_uniforms_are_those_of_numpy(opened):
    page = opened(tabular_rl.load("example:student"))
    for seed, run in ((0, 0), (1, 199), (2**32 - 1, 3), (2**32, 0), (2**53 - 1, 12345)):
        draws = page.run(
            "const next = window.lesson.uniforms.uniformStream(arguments[0], arguments[1]);"
            "return Array.from({ length: 500 }, next)",
            seed,
            run,
        )
        assert draws == streams(seed, run + 1)[run].random(500).tolist(), (seed, run)


@pytest.mark.parametrize("name", MODELS)
def test_tables_are_those_of_python(name, opened):
    mdp = tabular_rl.load(f"example:{name}")
    page = opened(mdp)
    for method in LEARNERS:
        for step_size, seed in ((0.1, 0), (0.1, 7), ("1/n", 1), ("n^-0.7", 2)):
            options = {"step_size": step_size, "seed": seed, "steps": 300}
            found = asked(page, method, startValue=0.5, **options)
            exact = learned(mdp, method, start_value=0.5, explore="epsilon-greedy:0.2", **options)
            if step_size == "n^-0.7":  # a power, which browsers round as they like
                scale = max(map(abs, exact))
                assert found == pytest.approx(exact, rel=1e-12, abs=1e-12 * scale), (method, options)
            else:
                assert found == exact, (method, options)
                assert set(found) != {0.5}


@pytest.mark.slow
@pytest.mark.parametrize("name", [x.name for x in sorted(BUNDLED.iterdir()) if x.suffix in (".toml", ".csv")])
def test_tables_of_every_model_are_those_of_python(name, opened):
    mdp = tabular_rl.load(BUNDLED / name)
    try:
        page = opened(mdp)
    except (OptionError, NoFiniteAnswer):  # too large, or without an answer
        return
    for method in LEARNERS:
        options = {"step_size": 0.1, "seed": 3, "steps": 500}
        exact = learned(mdp, method, explore="epsilon-greedy:0.2", **options)
        assert asked(page, method, **options) == exact, method


def test_off_policy_and_at_the_ends_of_epsilon(opened):
    mdp = tabular_rl.load("example:frozen_lake_4x4")
    page, best = opened(mdp), tabular_rl.solve(mdp).policy
    given = {"policy": best.weights.tolist(), "behavior": "uniform"}
    exact = learned(mdp, "q-evaluation", policy=best, behavior=Policy.uniform(mdp), steps=500, step_size=0.1)
    assert asked(page, "q-evaluation", steps=500, seed=0, **given) == exact
    for epsilon in (0, 1):
        exact = learned(mdp, "q-learning", explore=f"epsilon-greedy:{epsilon}", steps=300, step_size=0.1)
        assert asked(page, "q-learning", steps=300, seed=0, epsilon=epsilon) == exact


def test_episodes_that_never_end_are_cut_as_in_python(opened):
    mdp = tabular_rl.load("example:gridworld_5x5", gamma=0.3)
    assert asked(opened(mdp), "monte-carlo", steps=300, seed=3) == learned(
        mdp, "monte-carlo", steps=300, seed=3, step_size=0.1
    )


# -- what is expected ----------------------------------------------------------------------------------------

LAW = """
const { sampling, expected, base } = window.lesson;
const model = sampling.samplingModel(base);
const uniform = sampling.uniformPolicy(model);
const [method, points, alpha, startValue, weights] = arguments;
const policy = weights ? Float64Array.from(weights) : uniform;
const law = expected.createLaw(model, { method, policy, behavior: weights ? uniform : null, alpha, startValue });
return points.map((point) => {
  while (law.step < point) expected.lawStep(law);
  const { mean, covariance } = expected.lawMoments(law);
  return [Array.from(mean), Array.from(covariance), expected.lawValues(law).rms];
});
"""


@pytest.mark.parametrize(
    "name", first(["student", "toymaker", "forest_horizon", "gridworld_5x5", "recycling_robot"], 3)
)
def test_the_law_is_that_of_python(name, opened):
    mdp = tabular_rl.load(f"example:{name}")
    page, points = opened(mdp), [1, 2, 50]
    for method in ("td0", "q-evaluation"):
        law = expected(method, mdp, points=points, step_size=0.2, start_value=0.5)
        live = np.flatnonzero(law.weights > 0)
        scale = max(1.0, float(np.nanmax(np.abs(law.truth))))
        for at, (mean, covariance, rms) in enumerate(page.run(LAW, method, points, 0.2, 0.5)):
            sign = -1 if mdp.sense == "min" else 1
            assert sign * np.array(mean) == pytest.approx(law.mean[at][live], rel=0, abs=1e-12 * scale)
            exact = law.covariance[at][np.ix_(live, live)].ravel()
            assert np.array(covariance) == pytest.approx(exact, rel=0, abs=1e-12 * scale**2)
            assert rms == pytest.approx(law.rms()[at], rel=1e-9)


def test_the_law_off_policy_is_that_of_python(opened):
    mdp = tabular_rl.load("example:frozen_lake_4x4")
    best, uniform = tabular_rl.solve(mdp).policy, Policy.uniform(mdp)
    law = expected("q-evaluation", mdp, best, behavior=uniform, points=[30], step_size=0.5, start_value=0.25)
    ((mean, covariance, _),) = opened(mdp).run(LAW, "q-evaluation", [30], 0.5, 0.25, best.weights.tolist())
    assert mean == pytest.approx(law.mean[0], rel=0, abs=1e-12)
    assert covariance == pytest.approx(law.covariance[0].ravel(), rel=0, abs=1e-12)
    assert max(covariance) > 1e-3


# -- mistakes ------------------------------------------------------------------------------------------------

PLANTED = {
    "td0": ["minus", "no discount", "no mask", "values at s"],
    "monte-carlo": ["minus", "no discount", "returns run on"],
    "sarsa": ["minus", "no discount", "no mask", "maximum", "values at s"],
    "q-evaluation": ["minus", "no discount", "no mask", "maximum", "values at s"],
    "q-learning": ["minus", "no discount", "no mask", "expectation", "values at s"],
    "double-q-learning": ["minus", "no discount", "no mask", "own values", "values at s"],
}


def ragged(sense="max"):
    """Three states with 1 to 3 actions and two ends; γ = 3/4."""
    outcomes = [
        ("a", "stay", "a", "1/2", -1), ("a", "stay", "b", "1/2", 2), ("a", "go", "b", 1, 1),
        ("b", "back", "a", "1/4", 0), ("b", "back", "win", "3/4", 4), ("b", "go", "c", 1, -2),
        ("b", "jump", "lose", "1/2", -3), ("b", "jump", "c", "1/2", 5),
        ("c", "go", "a", "1/3", 1), ("c", "go", "win", "2/3", 2),
    ]  # fmt: skip
    return MDP.from_outcomes(outcomes, "3/4", terminal=["win", "lose"], start="a", sense=sense)


@pytest.mark.parametrize("sense", first(["max", "min"]))
@pytest.mark.parametrize("method", LEARNERS)
def test_each_mistake_changes_the_table_as_its_rule_says(method, sense, opened):
    mdp = ragged(sense)
    page = opened(mdp)
    pi = Policy.uniform(mdp).weights.tolist() if method in EVALUATING else None
    own = {"steps": 200, "seed": 5, "pi": pi, "epsilon": 0.2, "start_value": 0.5}
    right = learn_with_mistakes(mdp, method, alpha=0.1, **own)
    assert right == learned(
        mdp, method, steps=200, seed=5, step_size=0.1, start_value=0.5, explore="epsilon-greedy:0.2"
    )
    assert page.run("return window.lesson.learn.LEARNERS[arguments[0]].mistakes", method) == PLANTED[method]
    tables = [right]
    for mistakes in [[m] for m in PLANTED[method]] + [PLANTED[method][:2]]:
        exact = learn_with_mistakes(mdp, method, alpha=0.1, mistakes=mistakes, terminal_value=-1.5, **own)
        found = asked(page, method, steps=200, seed=5, startValue=0.5, mistakes=mistakes, terminalValue=-1.5)
        assert found == exact, mistakes
        assert all(map(math.isfinite, exact))
        tables.append(exact)
    assert len({tuple(table) for table in tables}) == len(tables)


def test_mistakes_have_the_names_that_check_learner_knows():
    assert {m for planted in PLANTED.values() for m in planted} <= set(MISTAKES)
