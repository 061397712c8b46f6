"""What the theory says of any model: laws that relate the answers to two models, for every method that takes both.

Two proven intervals of one number must meet; both are at most the tolerance wide, so that the law holds to within it.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_models import TOTAL, assemble, random_model, random_policy, take_apart

from tabular_rl import Policy, Status
from tabular_rl.methods.lookup import PLANNERS
from tabular_rl.model.rounding import backup_error
from tabular_rl.solving.sweeps import Sweeper

settings.register_profile(
    "fixed", derandomize=True, deadline=None, max_examples=12, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)  # fmt: skip
FIXED = settings.get_profile("fixed")
TOLERANCE = 1e-6
# Their inner loops are HiGHS's: its tolerances are absolute, so it promises the certificate and not the bits.
NOT_OUR_BITS = {"linear-programming"}

planners = pytest.mark.parametrize("name", PLANNERS)


@st.composite
def models(draw, problems=("discounted", "finite-horizon", "total-reward"), **fixed):
    """Random models of several problems, sizes, number types, senses and discounts."""
    problem = draw(st.sampled_from(problems))
    options = {
        "exact": draw(st.booleans()),
        "sense": draw(st.sampled_from(["max", "min"])),
        "S": draw(st.integers(2, 6)),
        "N": draw(st.integers(1, 4)),
        "kind": draw(st.sampled_from(TOTAL)),
    }
    return random_model(draw(st.integers(0, 10**6)), problem, **(options | fixed))


def accepts(name, mdp):
    """True where the method takes the model and there is a finite answer to what is asked of it."""
    spec = PLANNERS[name]
    if spec.refuses(mdp):
        return False
    return spec.task == "control" or mdp.problem != "total-reward" or " proper " in mdp.name


def ask(name, mdp, **options):
    function = PLANNERS[name]
    options = {k: x for k, x in options.items() if k in function.defaults}
    return (
        function(mdp, **options)
        if function.task == "control"
        else function(mdp, Policy.uniform(mdp), **options)
    )


def changed(mdp, **changes):
    """The model with other rows, discount or the like."""
    return assemble(**(take_apart(mdp) | changes), name=mdp.name)


def outcomes(mdp, change):
    """The rows with every outcome (s, next state, probability, reward) replaced by a list of such."""
    parts = take_apart(mdp)
    return [
        (s, a, [(t, p, x) for o in row for t, p, x in change(s, *o)], own) for s, a, row, own in parts["rows"]
    ]


def fractions(values):
    return [[Fraction(x) for x in row] for row in np.atleast_2d(values).tolist()]


def check_meet(first, second, law=lambda x, s, t: x, where=slice(None)):
    """The intervals of `first`, moved by the law x -> law(x, state, time), meet those of `second`."""
    for answer in (first, second):
        assert answer.status.reached, (answer.method, answer.status)
    mine = zip(fractions(first.lower), fractions(first.upper), strict=True)
    other = zip(fractions(second.lower[..., where]), fractions(second.upper[..., where]), strict=True)
    for t, ((a, b), (c, d)) in enumerate(zip(mine, other, strict=True)):
        for s in range(len(a)):
            low, high = law(a[s], s, t), law(b[s], s, t)
            assert low <= d[s], (first.method, s, t, float(low), float(d[s]))
            assert c[s] <= high, (first.method, s, t, float(high), float(c[s]))


# -- the operator -------------------------------------------------------------------------------------------------


@st.composite
def models_and_values(draw):
    mdp = draw(models(problems=("discounted",)))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    scale = 10.0 ** draw(st.integers(-3, 6))
    u, w = rng.normal(scale=scale, size=(2, mdp.S))
    u[mdp.terminal] = w[mdp.terminal] = 0
    return mdp, u, w


def backups(mdp, v):
    """T v, and T_π v for the uniform policy and for a fixed one."""
    sweeper, out = Sweeper(mdp), []
    out.append(np.empty(mdp.S))
    sweeper.optimal(v, out[0], np.empty(mdp.S, dtype=mdp.pair_ptr.dtype))
    for policy in (Policy.uniform(mdp), random_policy(mdp, 1, stochastic=False)):
        out.append(np.empty(mdp.S))
        sweeper.policy(policy, v, out[-1])
    return out


@settings(FIXED, max_examples=100)
@given(models_and_values())
def test_backups_contract_by_the_discount(drawn):
    """|T u - T w| ≤ γ |u - w| in the largest entry, up to the rounding error that is claimed."""
    mdp, u, w = drawn
    distance = max(abs(Fraction(a) - Fraction(b)) for a, b in zip(u.tolist(), w.tolist(), strict=True))
    error = sum(Fraction(backup_error(mdp, float(np.max(np.abs(v))), Policy.uniform(mdp))) for v in (u, w))
    for first, second in zip(backups(mdp, u), backups(mdp, w), strict=True):
        pairs = zip(first.tolist(), second.tolist(), strict=True)
        assert max(abs(Fraction(a) - Fraction(b)) for a, b in pairs) <= mdp.gamma_exact * distance + error


@settings(FIXED, max_examples=100)
@given(models_and_values())
def test_backups_are_monotone_in_every_bit(drawn):
    """u ≤ w makes T u ≤ T w without any slack: every rounding is monotone."""
    mdp, u, w = drawn
    for first, second in zip(backups(mdp, np.minimum(u, w)), backups(mdp, np.maximum(u, w)), strict=True):
        assert (first <= second).all()


# -- rewards ------------------------------------------------------------------------------------------------------


@planners
@FIXED
@given(mdp=models(), k=st.sampled_from([-30, -3, 1, 20]))  # no start is below -1e9, which does not scale
def test_rewards_times_a_power_of_two_scale_every_bit(name, mdp, k):
    if not accepts(name, mdp):
        return
    factor = Fraction(2) ** k
    factor = factor if mdp.exact else float(factor)
    parts = take_apart(mdp)
    rows = [(s, a, [(t, p, factor * x) for t, p, x in row], factor * own) for s, a, row, own in parts["rows"]]
    final = None if parts["final"] is None else [factor * x for x in parts["final"]]
    scaled = changed(mdp, rows=rows, final=final)
    first, second = ask(name, mdp, tolerance=TOLERANCE), ask(name, scaled, tolerance=TOLERANCE * 2.0**k)
    if name in NOT_OUR_BITS:
        check_meet(first, second, lambda x, s, t: x * Fraction(2) ** k)
        return
    assert first.work == second.work
    for field in ("v", "lower", "upper"):
        mine, other = getattr(first, field) * 2.0**k, getattr(second, field)
        # Without any reward all that is left is the smallest number, which does not scale.
        assert np.array_equal(mine, other) or max(abs(mine).max(), abs(other).max()) < 1e-290, field
    assert first.policy == second.policy


@planners
@FIXED
@given(mdp=models(problems=("discounted",), ends=0), c=st.fractions(-5, 5, max_denominator=7))
def test_constant_reward_shifts_values_by_c_over_one_minus_gamma(name, mdp, c):
    if not accepts(name, mdp):
        return
    c = c if mdp.exact else Fraction(round(c * 4), 4)
    add = c if mdp.exact else float(c)
    rows = [
        (s, a, [(t, p, x + add) for t, p, x in row], own + add) for s, a, row, own in take_apart(mdp)["rows"]
    ]
    # A float reward plus c is rounded: that moves values by a rounding over 1 - γ, far below the tolerance.
    slack = 0 if mdp.exact else Fraction(1, 10**9)
    shift = c / (1 - mdp.gamma_exact)
    first, second = ask(name, mdp), ask(name, changed(mdp, rows=rows))
    if slack == 0:
        check_meet(first, second, lambda x, s, t: x + shift)
    else:
        gap = np.abs(first.v + float(shift) - second.v)
        assert (gap <= first.bound + second.bound + float(slack)).all()


@planners
@FIXED
@given(
    mdp=models(problems=("discounted", "total-reward"), exact=True, by_pair=False, kind="proper"),
    seed=st.integers(0, 99),
)
def test_potential_based_shaping_moves_values_by_the_potential(name, mdp, seed):
    """Ng, Harada & Russell (1999): r + γ Φ(s') - Φ(s) with Φ(terminal) = 0 gives v - Φ."""
    if not accepts(name, mdp):
        return
    drawn = np.random.default_rng(seed).integers(-20, 20, size=mdp.S)
    potential = [Fraction(0) if mdp.terminal[s] else Fraction(int(x), 4) for s, x in enumerate(drawn)]
    shaped = outcomes(mdp, lambda s, t, p, x: [(t, p, x + mdp.gamma_exact * potential[t] - potential[s])])
    first, second = ask(name, mdp), ask(name, changed(mdp, rows=shaped))
    check_meet(first, second, lambda x, s, t: x - potential[s])


@planners
@FIXED
@given(mdp=models())
def test_costs_are_rewards_with_the_other_sign_in_every_bit(name, mdp):
    if not accepts(name, mdp):
        return
    parts = take_apart(mdp)
    rows = [(s, a, [(t, p, -x) for t, p, x in row], -own) for s, a, row, own in parts["rows"]]
    final = None if parts["final"] is None else [-x for x in parts["final"]]
    turned = changed(mdp, rows=rows, final=final, sense="min" if mdp.sense == "max" else "max")
    first, second = ask(name, mdp), ask(name, turned)
    assert np.array_equal(first.v, -second.v)
    assert np.array_equal(first.lower, -second.upper)
    assert np.array_equal(first.upper, -second.lower)
    assert first.bound == second.bound
    assert first.policy == second.policy
    assert np.array_equal(first.optimal_actions, second.optimal_actions)
    if first.exact is not None:
        assert list(first.exact) == [-x for x in second.exact]


@planners
@FIXED
@given(mdp=models(problems=("discounted", "finite-horizon"), gamma="0"))
def test_without_a_future_the_value_is_the_reward(name, mdp):
    if not accepts(name, mdp) or mdp.horizon == 1:
        return
    if PLANNERS[name].task == "control":
        pick = max if mdp.sense == "max" else min
    else:

        def pick(values):
            return sum(values) / len(values)

    answer = ask(name, mdp)
    lower, upper = np.atleast_2d(answer.lower)[0], np.atleast_2d(answer.upper)[0]
    for s in range(mdp.S):
        truth = pick([mdp.rational(i)[1] for i in mdp.rows(s)]) if mdp.rows(s) else 0
        assert lower[s].item() <= truth <= upper[s].item()
        assert (upper[s] - lower[s]).item() <= TOLERANCE
    assert answer.work.get("sweeps", 0) <= (mdp.horizon or 2)


# -- the same model, written otherwise ----------------------------------------------------------------------------


@planners
@FIXED
@given(mdp=models())
def test_doubled_actions_change_nothing(name, mdp):
    if not accepts(name, mdp):
        return
    parts = take_apart(mdp)
    twins = [(s, a + mdp.A, row, own) for s, a, row, own in parts["rows"]]
    doubled = changed(mdp, rows=parts["rows"] + twins, A=2 * mdp.A)
    first, second = ask(name, mdp), ask(name, doubled)
    check_meet(first, second)
    if second.optimal_actions is not None:
        masks = np.atleast_2d(second.optimal_actions)
        for mask in masks:
            table = doubled.table(mask, fill=False)
            assert np.array_equal(table[:, : mdp.A], table[:, mdp.A :]), "twins are kept or dropped together"
        if (
            second.status is Status.CERTIFIED
            and mdp.problem != "total-reward"
            and second.proven_optimal is not None
        ):
            assert not np.atleast_2d(second.proven_optimal)[:, ~mdp.terminal].any(), "there is always a tie"


@planners
@FIXED
@given(mdp=models())
def test_split_outcomes_change_nothing(name, mdp):
    if not accepts(name, mdp):
        return
    split = changed(mdp, rows=outcomes(mdp, lambda s, t, p, x: [(t, p / 2, x), (t, p / 2, x)]))
    assert split.K == 2 * mdp.K
    check_meet(ask(name, mdp), ask(name, split))


@planners
@FIXED
@given(mdp=models(), data=st.data())
def test_order_of_states_changes_nothing(name, mdp, data):
    if not accepts(name, mdp):
        return
    to = data.draw(st.permutations(range(mdp.S)))
    parts = take_apart(mdp)
    rows = [(to[s], a, [(to[t], p, x) for t, p, x in row], own) for s, a, row, own in parts["rows"]]
    back = np.argsort(to)
    final = None if parts["final"] is None else [parts["final"][s] for s in back]
    moved = changed(mdp, rows=rows, terminal=parts["terminal"][back], final=final)
    check_meet(ask(name, mdp), ask(name, moved), where=np.array(to))


@planners
@FIXED
@given(mdp=models(problems=("discounted",), exact=True, by_pair=True, gamma="9/10"))
def test_discount_is_the_same_as_ending_with_the_rest_of_it(name, mdp):
    """γ < 1, and γ = 1 with a way out of probability 1 - γ in every row, in exact numbers."""
    spec, g = PLANNERS[name], mdp.gamma_exact
    if not accepts(name, mdp) or "total-reward" not in spec.problems:
        return
    end, parts = mdp.S, take_apart(mdp)
    rows = [
        (s, a, [(t, g * p, x) for t, p, x in row] + [(end, 1 - g, 0)], own)
        for s, a, row, own in parts["rows"]
    ]
    ending = changed(mdp, rows=rows, S=mdp.S + 1, gamma=1, terminal=np.append(parts["terminal"], True))
    assert ending.problem == "total-reward"
    check_meet(ask(name, mdp), ask(name, ending), where=np.arange(mdp.S))
