"""Policy gradient on the page: Python's numbers to 1e-12, and what the buttons do."""

import numpy as np
import pytest

import tabular_rl
from tabular_rl.methods.gradient.exact import exact_gradient
from tabular_rl.methods.gradient.moments import all_moments
from tabular_rl.methods.gradient.softmax import SoftmaxPolicy

COMPUTE = """
const [theta, pairs] = [Float64Array.from(arguments[0]), arguments[1]];
const { base, gradient, moments } = window.lesson;
const found = gradient.exactGradient(base, theta);
const natural = gradient.naturalDirection(base, found);
return {
  J: found.J, gradient: [...found.gradient], natural: [...natural],
  moments: moments.estimatorMoments(base, theta, found.gradient).map((one) => ({
    name: one.name, mean: [...one.mean], trace: one.trace, episodes: one.episodes,
    covariance: pairs.map(([j, k]) => one.covariance(j, k)),
  })),
};
"""
# endless and discounted, a grid, a horizon with a final reward, costs, ragged actions and terminals without discount
MODELS = ("recycling_robot", "aima_4x3", "forest_horizon", "machine_replacement", "student", "ties")


def near(found, expected, scale=None):
    expected = np.asarray(expected, float)
    scale = np.abs(expected).max(initial=0.0) if scale is None else scale
    return np.abs(np.asarray(found, float) - expected).max(initial=0.0) <= 1e-12 * max(1.0, scale)


@pytest.mark.parametrize("name", MODELS)
def test_gradient_and_covariances_are_those_of_python(open_lesson, name):
    mdp = tabular_rl.load(f"example:{name}")
    if name == "forest_horizon":
        mdp = mdp.replace(final_reward=[0.5, -1.0, 2.0])
    rng = np.random.default_rng(5)
    theta, pairs = rng.normal(size=mdp.L), rng.integers(0, mdp.L, (8, 2))
    page = open_lesson(mdp).run(COMPUTE, theta.tolist(), pairs.tolist())
    policy = SoftmaxPolicy(mdp, theta)
    expected = exact_gradient(policy)
    assert near(page["J"], expected.J) and near(page["gradient"], expected.gradient)
    assert near(page["natural"], expected.natural)
    alone = mdp.pair_ptr[:-1][np.diff(mdp.pair_ptr) == 1]
    assert all(page["gradient"][i] == 0 for i in alone), (
        "a single action has no derivative, not even by rounding"
    )
    for found, one in zip(page["moments"], all_moments(policy), strict=True):
        assert found["name"] == one.estimator
        size = np.abs(one.covariance).max()
        assert near(found["mean"], one.mean, max(size**0.5, np.abs(one.mean).max())), one.estimator
        assert near(found["trace"], one.trace, size)
        assert near(found["covariance"], [one.covariance[j, k] for j, k in pairs], size), one.estimator
        if expected.norm > 1e-9:
            assert found["episodes"] == pytest.approx(one.samples_needed, rel=1e-10)


def shown(page, what):
    return [
        float(x.get_attribute("data-value")) for x in page.all(f"[data-panel=gradient] [data-number={what}]")
    ]


def choose(page, size):
    page.run(
        "const s = document.querySelector('[data-control=gradient-step-size]'); s.value = arguments[0];"
        "s.dispatchEvent(new Event('change'))",
        size,
    )


@pytest.mark.parametrize("name", ["recycling_robot", "machine_replacement"])  # costs go down
def test_a_step_moves_theta_along_the_gradient(open_lesson, name):
    mdp = tabular_rl.load(f"example:{name}")
    page = open_lesson(mdp)
    page.one("[data-control=tab-gradient]").click()
    choose(page, "0.01")
    start = exact_gradient(SoftmaxPolicy(mdp))
    assert near(shown(page, "J"), [start.J])
    page.one("[data-control=gradient-step]").click()
    sign = -1 if mdp.sense == "min" else 1
    after = exact_gradient(SoftmaxPolicy(mdp, sign * 0.01 * start.gradient))
    assert near(shown(page, "J"), [after.J]) and sign * (after.J - start.J) > 0
    assert near(sorted(shown(page, "derivative")), sorted(after.gradient))
    assert near(shown(page, "best"), [mdp.start @ tabular_rl.solve(mdp, "rational").v])
    page.one("[data-control=gradient-natural]").click()
    page.one("[data-control=gradient-step]").click()
    last = exact_gradient(after.policy.moved(sign * 0.01 * after.natural))
    assert near(shown(page, "J"), [last.J])
    traces = [
        m.trace
        for m in all_moments(last.policy, ["return", "reward-to-go", "reward-to-go-value", "advantage"])
    ]
    assert near(shown(page, "trace"), traces)
    page.one("[data-control=gradient-restart]").click()
    assert page.run("return document.querySelector('[data-control=gradient-step-size]').value") == "0.01"
    assert near(shown(page, "J"), [start.J])
    assert page.console() == []


def stepped(page, size):
    page.one("[data-control=tab-gradient]").click()
    choose(page, size)
    page.one("[data-control=gradient-step]").click()
    return page.one("[data-panel=gradient] .status").text


def test_a_step_that_is_too_long_is_called_so(open_lesson):
    """Two steps by the same policy: a pays 3/5 and stays, b goes where 3/2 is paid at the end. With a of probability p
    J = 3/2 + 3/5 p - 9/10 p², best at 1/3; from p = 1/2, where J = 1.575, a long step goes past it to p = 0."""
    mdp = tabular_rl.MDP(
        [[[1, 0], [0, 1]], [[0, 1], [0, 1]]],
        [[0.6, 0], [0, 0]],
        1,
        axes="sas",
        horizon=2,
        final_reward=[0, 1.5],
        start=[1, 0],
    )
    page = open_lesson(mdp)
    text = stepped(page, "1000")
    assert "too long" in text
    assert near(shown(page, "J"), [1.5])


def test_a_plateau_is_called_so(open_lesson):
    """Stop for 0.3, or go on to a coin that the uniform policy expects -0.05 of, and the best one 1."""
    rows = [("s", "stop", "end", 1, 0.3), ("s", "go", "coin", 1, 0)]
    rows += [("coin", "heads", "end", 1, 1), ("coin", "tails", "end", 1, -1.1)]
    mdp = tabular_rl.MDP.from_outcomes(rows, 1, terminal=["end"], start={"s": 1})
    page = open_lesson(mdp)
    assert "plateau" in stepped(page, "1000")
    assert shown(page, "J") == pytest.approx([0.3]) and shown(page, "best") == [1]


def test_an_ellipse_has_the_axes_of_its_covariance(open_lesson):
    """[[5, 3], [3, 5]] has the eigenvalues 8 along (1, 1) and 2 across it."""
    page = open_lesson("recycling_robot")
    found = page.run("return window.lesson.moments.ellipseOf(5, 3, 5)")
    assert (found["long"] ** 2, found["short"] ** 2) == pytest.approx((8, 2))
    assert found["angle"] == pytest.approx(np.pi / 4)
    page.one("[data-control=tab-gradient]").click()
    assert [x.get_attribute("data-estimator") for x in page.all("ellipse")] == [
        "return",
        "reward-to-go",
        "reward-to-go-value",
        "advantage",
    ]  # the largest first, so that none hides another
    page.one("[data-control=estimator-return]").click()
    assert len(page.all("ellipse")) == 3


def test_rewards_near_the_end_of_floats_put_no_nan_into_a_picture(open_lesson):
    moves = [("a", "go", "b", 1, 1e300), ("a", "stay", "a", 1, -1e300), ("b", "go", "end", 1, 1e300)]
    page = open_lesson(tabular_rl.MDP.from_outcomes(moves, "1/2", terminal=["end"]))
    for tab in ("learners", "gradient", "sweeps"):
        page.one(f"[data-control=tab-{tab}]").click()
        assert page.console() == [], tab


def test_without_a_limit_of_the_total_reward_the_panel_says_so(open_lesson):
    page = open_lesson("recycling_robot")
    page.one("[data-control=tab-gradient]").click()
    page.one("[data-control=gradient-step]").click()
    page.run("lesson.store.setModel({ gamma: 1 })")
    assert "has no limit" in page.one("[data-panel=gradient] [role=status]").text
    assert page.run("return lesson.store.state.shown") is None  # no values of another γ
    page.run("lesson.store.setModel({ gamma: 0.9 })")
    assert near(
        shown(page, "J"), [exact_gradient(SoftmaxPolicy(tabular_rl.load("example:recycling_robot"))).J]
    )
    assert page.console() == []
