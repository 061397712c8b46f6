"""The moments of a learner's table: against all paths in rational arithmetic, and against the learner itself.

Statistical tests here draw a fresh seed and print it. Their share of the false-alarm budget is 2e-8 each.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
from random_models import random_model, random_policy
from scipy.special import ndtri

from tabular_rl import MDP, OptionError, Policy
from tabular_rl.laws.expected import expected
from tabular_rl.methods.lookup import LEARNERS

F = Fraction
ALPHA = F(1, 4)


def two_states(sense="max"):
    """Two states and an end; rewards that are random given (s, s'), a row that meets a successor twice."""
    outcomes = [
        ("a", "x", "a", "1/4", 2), ("a", "x", "b", "1/4", -1), ("a", "x", "b", "1/2", 3),
        ("a", "y", "end", "1/2", 1), ("a", "y", "end", "1/4", 5), ("a", "y", "a", "1/4", 0),
        ("b", "x", "a", "1/3", 4), ("b", "x", "end", "2/3", -2),
    ]  # fmt: skip
    return MDP.from_outcomes(outcomes, "3/4", terminal=["end"], start={"a": "1/3", "b": "2/3"}, sense=sense)


PI, B = [F(1, 3), F(2, 3), F(1)], [F(3, 4), F(1, 4), F(1)]


def paid(mdp):
    """The reward of each outcome."""
    if mdp.exact.reward is not None:
        return list(mdp.exact.reward)
    return [mdp.exact.r[i] for i in range(mdp.L) for _ in range(mdp.row_ptr[i], mdp.row_ptr[i + 1])]


def paths(mdp, method, pi, b, steps, *, source, target="none", by=0, start_value=0, alpha=lambda k: ALPHA):  # noqa: C901
    """Yield {(table, sum of tables): probability} after each step: every path, by the words of the docstrings alone.

    Tables hold all states, or all pairs; nothing is shared with the code under test but the arrays of the model.
    """
    L, S = mdp.L, mdp.S
    p, gamma = list(mdp.exact.prob), mdp.gamma_exact
    rewards = paid(mdp)
    rows_of = [[i for i in range(L) if mdp.pair_state[i] == s] for s in range(S)]
    ends = [not rows for rows in rows_of]
    n = S if method == "td0" else L
    start = (
        list(mdp.exact.start) if mdp.exact.start is not None else [F(not e, ends.count(False)) for e in ends]
    )
    if source == "sweeps":
        target, by = "copy", L

    def first_rows():
        if source == "trajectory":
            return {i: start[s] * b[i] for s in range(S) for i in rows_of[s]}
        if source == "independent":
            return {i: F(b[i], ends.count(False)) for i in range(L)}
        return {0: F(1)}

    x0 = tuple(F(start_value) for _ in range(n))
    now = {(x0, x0, (F(0),) * n, i): q for i, q in first_rows().items() if q}
    for k in range(steps):
        after = defaultdict(F)
        for (x, bar, total, i), chance in now.items():
            read = x if target == "none" else bar
            for o in range(mdp.row_ptr[i], mdp.row_ptr[i + 1]):
                s2 = int(mdp.next_state[o])
                done = ends[s2]
                coming = (
                    {None: F(1)} if method != "sarsa-evaluation" or done else {j: b[j] for j in rows_of[s2]}
                )
                for i2, taken in coming.items():
                    aim = rewards[o]
                    if not done and method == "td0":
                        aim += gamma * read[s2]
                    elif not done and method == "q-evaluation":
                        aim += gamma * sum(pi[j] * read[j] for j in rows_of[s2])
                    elif not done:
                        aim += gamma * read[i2]
                    at = int(mdp.pair_state[i]) if method == "td0" else i
                    rho = F(1)
                    if method == "td0" and source == "sweeps":
                        rho = pi[i] * len(rows_of[mdp.pair_state[i]])
                    elif method == "td0":
                        rho = pi[i] / b[i]
                    new = list(x)
                    new[at] += alpha(k + 1) * rho * (aim - x[at])
                    new = tuple(new)
                    moved = bar
                    if target == "copy" and (k + 1) % by == 0:
                        moved = new
                    elif target == "average":
                        moved = tuple(u + by * (w - u) for u, w in zip(bar, new, strict=True))
                    sums = tuple(u + w for u, w in zip(total, new, strict=True))
                    if source == "sweeps":
                        to = {(i + 1) % L: F(1)}
                    elif source == "independent" or done:
                        to = first_rows()
                    else:
                        to = {j: b[j] for j in rows_of[s2]} if i2 is None else {i2: F(1)}
                    for j, q in to.items():
                        if q * taken:
                            after[new, moved, sums, j] += chance * p[o] * taken * q
        now = dict(after)
        assert sum(now.values()) == 1
        found = defaultdict(F)
        for (x, _, total, _), q in now.items():
            found[x, total] += q
        yield found


def moments(found, which, divide, ends):
    """Exact mean and covariance, as floats; terminal entries 0."""
    tables = [(key[which], q) for key, q in found.items()]
    n = len(tables[0][0])
    live = [j for j in range(n) if j not in ends]
    m = [sum(q * x[j] for x, q in tables) / divide for j in range(n)]
    mean, cov = np.zeros(n), np.zeros((n, n))
    for i in live:
        mean[i] = float(m[i])
        for j in live:
            cov[i, j] = float(sum(q * x[i] * x[j] for x, q in tables) / divide**2 - m[i] * m[j])
    return mean, cov


@pytest.mark.parametrize("source", ["independent", "trajectory", "sweeps"])
@pytest.mark.parametrize("method", ["td0", "sarsa-evaluation", "q-evaluation"])
@pytest.mark.parametrize(
    "more",
    [{}, {"target": "copy", "by": 2}, {"target": "average", "by": F(1, 3)}],
    ids=["none", "copy", "average"],
)
def test_moments_are_those_of_all_paths(method, source, more):
    steps = 5 if source == "sweeps" else 3
    mdp = two_states()
    off = method != "sarsa-evaluation"
    pi, b = (PI, B) if off else (PI, PI)
    options = {"source": source, "start_value": 2, "step_size": float(ALPHA)}
    if off:
        options["behavior"] = Policy.of_probs(mdp, [float(x) for x in B])
    if more:
        options["target"] = f"{more['target']}:{float(more['by'])!r}"
    policy = Policy.of_probs(mdp, [float(x) for x in PI])
    points = range(1, steps + 1)
    plain = expected(method, mdp, policy, points=points, **options)
    averaged = expected(method, mdp, policy, points=points, average=True, **options)
    every = paths(mdp, method, pi, b, steps, source=source, start_value=2, **more)
    ends = [mdp.S - 1] if method == "td0" else []
    for k, found in enumerate(every):
        for law, which, divide in ((plain, 0, 1), (averaged, 1, k + 1)):
            mean, covariance = moments(found, which, divide, ends)
            assert law.mean[k] == pytest.approx(mean, rel=1e-12, abs=1e-12)
            assert law.covariance[k] == pytest.approx(covariance, rel=1e-11, abs=1e-12)


def test_schedule_over_steps_and_costs():
    mdp, policy = two_states("min"), None
    law = expected("td0", mdp, policy, points=[1, 2, 3], step_size="0.5/n", per="step")
    uniform = [F(1, 2), F(1, 2), F(1)]
    for k, found in enumerate(
        paths(mdp, "td0", uniform, uniform, 3, source="trajectory", alpha=lambda n: F(1, 2) / n)
    ):
        mean, covariance = moments(found, 0, 1, [2])
        assert law.mean[k] == pytest.approx(mean, rel=1e-12)
        assert law.covariance[k] == pytest.approx(covariance, rel=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_moments_on_random_models(seed):
    mdp = random_model(seed, S=3, A=2, N=2, sense="min" if seed % 2 else "max", by_pair=seed < 2)
    pi = random_policy(mdp, seed)
    exact = pi.rationals()
    for method in ("td0", "sarsa-evaluation", "q-evaluation"):
        law = expected(method, mdp, pi, points=[1, 2], step_size=float(ALPHA))
        for k, found in enumerate(paths(mdp, method, exact, exact, 2, source="trajectory")):
            ends = np.flatnonzero(mdp.terminal) if method == "td0" else []
            mean, covariance = moments(found, 0, 1, ends)
            assert law.mean[k] == pytest.approx(mean, rel=1e-10, abs=1e-12)
            assert law.covariance[k] == pytest.approx(covariance, rel=1e-9, abs=1e-11)


# -- what follows from them -----------------------------------------------------------------------------------------


def test_error_and_start_are_those_of_all_paths():
    mdp = two_states()
    uniform = [F(1, 2), F(1, 2), F(1)]
    law = expected("td0", mdp, points=[3], step_size=0.25, start_value=1)
    *_, found = paths(mdp, "td0", uniform, uniform, 3, source="trajectory", start_value=1)
    # v(a) = 9/8 + 3/16 v(a) + 9/32 v(a) ... by hand: uniform over x and y, γ = 3/4
    a, b = np.linalg.solve(
        [[1 - 3 / 4 * (1 / 8 + 1 / 8), -3 / 4 * 3 / 8], [-3 / 4 / 3, 1]],
        [(0.5 - 0.25 + 1.5) / 2 + (0.5 + 1.25) / 2, 0.0],
    )
    assert law.truth == pytest.approx([a, b, 0])
    assert law.fixed_point == pytest.approx([a, b, 0])
    square = sum(
        float(q) * ((float(x[0]) - a) ** 2 + (float(x[1]) - b) ** 2) / 2 for (x, _), q in found.items()
    )
    assert law.rms() == pytest.approx([square**0.5])
    assert expected("td0", mdp, points=3, step_size=0.25, start_value=1).rms() == pytest.approx([square**0.5])
    starts = [(x[0] / 3 + 2 * x[1] / 3, q) for (x, _), q in found.items()]
    mean = sum(q * y for y, q in starts)
    assert law.start_mean == pytest.approx([float(mean)])
    assert law.start_sd == pytest.approx([float(sum(q * (y - mean) ** 2 for y, q in starts)) ** 0.5])


@pytest.mark.parametrize("method", ["td0", "sarsa-evaluation", "q-evaluation"])
def test_curve_of_a_run_that_nothing_is_random_in_is_the_law(method):
    outcomes = [("a", "go", "b", 1, 1), ("b", "go", "a", 1, -3), ("b", "stop", "end", 1, 2)]
    mdp = MDP.from_outcomes(outcomes, "3/4", terminal=["end"], start="a", sense="min")
    policy = Policy.of_actions(mdp, {"a": "go", "b": "go"})
    options = {"step_size": "1/n", "per": "step", "start_value": 2.0, "average": True}
    curve = LEARNERS[method](mdp, policy, steps=12, **options).curve
    law = expected(method, mdp, policy, points=curve.steps.tolist(), **options)
    assert law.sd.max() == pytest.approx(0, abs=1e-6)
    assert law.rms() == pytest.approx(curve.rms[:, 0], rel=1e-6)
    assert law.start_mean == pytest.approx(curve.start[:, 0], rel=1e-12)


def test_copied_target_with_inner_problem_solved_is_one_backup():
    """Between copies m = x̄ + (1 - (1 - α d)^M)(T x̄ - x̄), d = 1/2 of independent states."""
    mdp = two_states()
    T = np.array([[1 / 4, 3 / 8], [1 / 3, 0]]) * 0.75
    r = np.array([1.75, 0.0])
    for M in (3, 400):
        law = expected("td0", mdp, points=[M, 2 * M], source="independent", target=f"copy:{M}", step_size=0.3)
        x = np.zeros(2)
        for k in range(2):
            x = x + (1 - (1 - 0.15) ** M) * (r + T @ x - x)
            assert law.mean[k, :2] == pytest.approx(x, rel=1e-12)
    assert law.mean[0, :2] == pytest.approx(r, rel=1e-12)  # one backup of 0, by M = 400


def test_sweeps_make_no_difference_between_behaviours():
    mdp = two_states()
    laws = [
        expected("q-evaluation", mdp, points=[8], source="sweeps", step_size=0.5, behavior=b)
        for b in (None, Policy.of_probs(mdp, POLICIES[1]))
    ]
    assert np.array_equal(laws[0].mean, laws[1].mean)


def test_finite_horizon_has_a_table_a_time():
    # One state, two decisions, reward 1, α = 1/2. Times 0 and 1 take turns: after four steps 1/2 + 1/2 (1 - 1/2) = 3/4
    # at time 1; at time 0: 1/2, then 1/2 + 1/2 (1 + 1/2 - 1/2) = 1.
    law = expected("td0", MDP([[[1.0]]], [[1.0]], 1, horizon=2), points=[4], step_size=0.5)
    assert law.mean.tolist() == [[1.0, 0.75, 0.0]]
    assert law.sd.max() == 0.0
    assert law.truth.tolist() == [2.0, 1.0, 0.0]


def test_without_covariance():
    mdp = two_states()
    law = expected("td0", mdp, points=[5], step_size=0.1, covariance=False)
    assert np.array_equal(law.mean, expected("td0", mdp, points=[5], step_size=0.1).mean)
    with pytest.raises(OptionError, match="covariance: found False, expected True"):
        law.rms()


@pytest.mark.parametrize(
    ("method", "options", "text"),
    [
        ("q-learning", {}, "'q-learning': found no closed recursion"),
        ("td0", {"step_size": "1/n"}, "found 1/n of the visits"),
        ("td0", {"step_sze": 1}, "step_sze: td0 has no such option; did you mean 'step_size'"),
        ("td0", {"step_size": 0.1, "episode_steps": 9}, "episode_steps: found 9, expected none"),
        ("td0", {"step_size": 0.1, "data": [("a", "x", 0.0, "a")]}, "data: found transitions"),
        ("td0", {"step_size": 0.1, "points": [0]}, "points: found"),
    ],
)
def test_what_has_no_law_is_refused(method, options, text):
    with pytest.raises(OptionError, match=text):
        expected(method, two_states(), **{"points": [1], **options})


def test_too_large_a_table_is_refused_before_it_is_made():
    mdp = MDP.from_outcomes([(str(s), "go", str((s + 1) % 600), 1, 0) for s in range(600)], "1/2")
    with pytest.raises(OptionError, match=r"moments of 600 entries \(trajectory\): found tables of 1.7 GB"):
        expected("td0", mdp, points=[1], step_size=0.1)
    assert expected("td0", mdp, points=[1], step_size=0.1, covariance=False).mean.shape == (1, 600)


# -- against the learners themselves --------------------------------------------------------------------------------

RUNS, STEPS = 20_000, 24
ALARM = 2e-8  # that any of the statistical tests of this file fails although all is well
CASES = [
    ("td0", {"source": "trajectory"}),
    ("td0", {"source": "trajectory", "average": True, "target": "average:0.2"}),
    ("td0", {"source": "independent", "per": "step", "step_size": "0.9*n^-0.6"}),
    ("td0", {"source": "sweeps"}),
    ("sarsa-evaluation", {"source": "trajectory", "target": "copy:7"}),
    ("sarsa-evaluation", {"source": "independent", "average": True}),
    ("q-evaluation", {"source": "trajectory"}),
    ("q-evaluation", {"source": "independent", "target": "copy:4"}),
]
EACH = ALARM / len(CASES)
POLICIES = [[float(x) for x in PI], [float(x) for x in B]]


def law_and_tables(mdp, method, seed, options, model=None, **mistake):
    """The law of a learner, and the tables of RUNS runs, with a mistake or on another model."""
    pi, b = (Policy.of_probs(mdp, x) for x in POLICIES)
    off = {} if method == "sarsa-evaluation" else {"behavior": b}
    options = {"step_size": 0.1, "start_value": 9.0, **off, **options}
    law = expected(method, mdp, pi, points=STEPS, **options)
    options = {**options, **mistake, "steps": STEPS, "runs": RUNS, "seed": seed, "reference": False}
    return LEARNERS[method](model or mdp, pi, **options).estimates, law


def alarms(x, law, largest):
    """How far samples (runs, n) of tables in [-largest, largest] are from their law, in units of what is allowed.

    Means by Bernstein's inequality, with the variance of the law: no approximation. Covariances by the self-normalised
    sum of (x_i - m_i)(x_j - m_j) - C_ij, normal up to a factor near 1 out there (Jing, Shao & Wang 2003); 1 is added
    to the quantile for it.
    """
    live = np.flatnonzero(law.sd[0] > 0)
    n, m, C = len(live), law.mean[0][live], law.covariance[0][np.ix_(live, live)]
    share = EACH / (n + n * (n + 1) / 2)
    log = np.log(2 / share)
    off = x[:, live] - m
    b = largest + np.abs(m)
    # R t² = 2 log (σ² + b t / 3), solved for t
    t = b * log / (3 * RUNS) + np.sqrt((b * log / (3 * RUNS)) ** 2 + 2 * log * np.diag(C) / RUNS)
    of_mean = np.abs(off.mean(axis=0)) / t
    product = off[:, :, None] * off[:, None, :] - C
    z = np.abs(product.mean(axis=0)) / (product.std(axis=0) / np.sqrt(RUNS))
    z[product.std(axis=0) < 1e-9 * np.abs(C).max()] = 0.0  # always the same: held against the law by the mean
    quantile = 1 - ndtri(share / 2)
    print(f"means at {of_mean.max():.2f}, covariances at {(z / quantile).max():.2f} of what is allowed")
    print(f"found are means off by {(t / np.sqrt(np.diag(C))).max():.3f} sd, variances off by "
          f"{100 * quantile * (product.std(axis=0) / np.abs(C)).diagonal().max() / np.sqrt(RUNS):.1f} %")  # fmt: skip
    return of_mean.max(), (z / quantile).max()


LARGEST = 20.0  # |r| / (1 - γ) = 5 / (1/4), above the start value: no table can leave this range


# Two of them always, the others on demand.
@pytest.mark.parametrize(
    ("method", "options"),
    [case if at in (1, 7) else pytest.param(*case, marks=pytest.mark.slow) for at, case in enumerate(CASES)],
)
def test_sampled_moments_are_those_of_the_law(method, options):
    seed = secrets.randbits(50)
    print("seed", seed)
    assert max(alarms(*law_and_tables(two_states("min"), method, seed, options), LARGEST)) <= 1


def test_planted_mistakes_are_found():
    """A step size off by 1 %, and a missing γ: at z = 17 and 900 of a mean, where 8 is allowed."""
    seed = secrets.randbits(50)
    print("seed", seed)
    mdp = two_states()
    planned = {"source": "sweeps", "start_value": -20.0}
    for model, mistake in ((mdp, {"step_size": 0.101}), (mdp.replace(gamma=1), {})):
        x, law = law_and_tables(mdp, "q-evaluation", seed, planned, model, **mistake)
        print("z", (np.abs(x.mean(axis=0) - law.mean) / law.sd).max() * np.sqrt(RUNS))
        assert alarms(x, law, LARGEST)[0] > 1
