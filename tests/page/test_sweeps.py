"""The sweeps of the page are those of Python, bit for bit, and what is on the screen is what was computed."""

import numpy as np
import pytest
from lesson_page import SHOWN, choose, first, press, steps_of, values_of

import tabular_rl
from tabular_rl import MDP, Policy, iterates

# A grid, a graph with costs, ragged actions with a terminal state, costs with a discount, chance, and three horizons.
SWEPT = first(
    ["gridworld_4x4", "student", "machine_replacement", "frozen_lake_4x4", "romania", "taxicab", "ties"], 4
)
LAST = "return document.querySelector('[data-control=sweep]').max"
TIMED = ("forest_horizon", "die_rolls", "inventory_horizon")


def greedy_of(mdp, v):
    """All greedy rows of each state, ties to 1e-9."""
    q = mdp.backup(v) * mdp.sign
    width = 1e-9 * max(1.0, np.abs(q).max())
    return [[i for i in mdp.rows(s) if q[i] >= q[list(mdp.rows(s))].max() - width] for s in range(mdp.S)]


@pytest.mark.parametrize("name", SWEPT)
def test_each_sweep_has_the_bits_of_python(open_lesson, name):
    mdp = tabular_rl.load(f"example:{name}")
    page = open_lesson(mdp)
    for in_place, order in [(False, "synchronous"), (True, "forward")]:
        choose(page, "order", order)
        choose(page, "sweep", 0)
        last = int(page.run(LAST))  # which changes nothing
        for step, shown in zip(iterates(mdp, count=4, in_place=in_place), steps_of(page, 4), strict=True):
            assert shown["values"] == step.v.tolist(), (order, step.k)
            assert shown["name"] == f"V_{min(step.k, last)}"
            assert shown["greedy"] == greedy_of(mdp, step.v), (order, step.k)
    choose(page, "method", "policy-evaluation")
    choose(page, "order", "synchronous")
    steps = iterates(mdp, "policy-evaluation", 3, policy=Policy.uniform(mdp))
    for step, shown in zip(steps, steps_of(page, 3), strict=True):
        assert shown["values"] == step.v.tolist(), step.k


def test_sweeps_from_last_to_first_are_those_of_the_model_turned_round(open_lesson):
    moves = [("a", "go", "b", 1, 1), ("b", "go", "c", 1, 1), ("c", "go", "end", 1, 1)]
    page = open_lesson(MDP.from_outcomes(moves, "1/2", states=["a", "b", "c", "end"], terminal=["end"]))
    choose(page, "order", "backward")  # one sweep is enough: 1, 1 + 1/2, 1 + 3/4
    press(page, "forward")
    assert values_of(page) == [1.75, 1.5, 1.0, 0.0]
    choose(page, "order", "forward")
    assert values_of(page) == [1.0, 1.0, 1.0, 0.0]
    choose(page, "order", "ends")
    assert values_of(page) == [1.75, 1.5, 1.0, 0.0]


@pytest.mark.parametrize(
    "name", first(["machine_replacement", "frozen_lake_4x4", "recycling_robot", "taxicab"], 2)
)
def test_policy_iteration_goes_the_way_of_python(open_lesson, name):
    mdp = tabular_rl.load(f"example:{name}")
    page = open_lesson(mdp)
    choose(page, "method", "policy-iteration")
    steps = iterates(mdp, "policy-iteration", 50, exact=True)  # where a tie is one, whatever the rounding
    assert page.run(LAST) == str(len(steps) - 1)
    for step, shown in zip(steps, steps_of(page, len(steps) - 1), strict=True):
        assert shown["values"] == pytest.approx(step.v.tolist(), rel=1e-9, abs=1e-9)
        assert [rows[0] if rows else -1 for rows in shown["greedy"]] == step.policy.rows.tolist()


def test_policy_iteration_without_discount_starts_from_a_policy_that_ends(open_lesson):
    """The first actions walk against a wall without end; the page takes others. Sutton & Barto (2018), Example 4.1."""
    mdp = tabular_rl.load("example:gridworld_4x4")
    page = open_lesson(mdp)
    choose(page, "method", "policy-iteration")
    assert page.run("return document.querySelector('[data-control=start-policy]').value") == "uniform"
    first, second = steps_of(page, 1)
    assert first["values"][:4] == pytest.approx([0, -14, -20, -22], abs=1e-9)
    assert first["greedy"] == [list(mdp.rows(s)) for s in range(mdp.S)]
    greedy = greedy_of(mdp, tabular_rl.evaluate(mdp, "uniform").v)
    assert second["greedy"] == [rows[:1] for rows in greedy]
    assert second["values"] == pytest.approx(tabular_rl.solve(mdp).v.tolist(), abs=1e-9)


@pytest.mark.parametrize("name", ["gridworld_4x4", "student"])
def test_policy_iteration_goes_on_from_one_that_ends_as_python_does(open_lesson, name):
    mdp = tabular_rl.load(f"example:{name}")
    page = open_lesson(mdp)
    choose(page, "method", "policy-iteration")
    choose(page, "start-policy", "ends")
    rows = [rows[0] if rows else -1 for rows in page.run(SHOWN)["greedy"]]
    steps = iterates(mdp, "policy-iteration", 50, start_policy=Policy(mdp, rows=np.array(rows)), exact=True)
    assert page.run(LAST) == str(len(steps) - 1)
    for step, shown in zip(steps, steps_of(page, len(steps) - 1), strict=True):
        assert shown["values"] == pytest.approx(step.v.tolist(), abs=1e-12)
        assert [rows[0] if rows else -1 for rows in shown["greedy"]] == step.policy.rows.tolist()


def test_a_policy_of_my_own_is_improved(open_lesson):
    page = open_lesson("recycling_robot")
    choose(page, "method", "policy-iteration")
    choose(page, "start-policy", "own")
    page.run("lesson.store.set({ selected: lesson.base.states.indexOf('high') })")
    page.one("[aria-label='take wait in high']").click()
    mdp = tabular_rl.load("example:recycling_robot")
    first = {"high": "wait", "low": mdp.actions[int(mdp.pair_action[mdp.rows(1)[0]])]}
    steps = iterates(mdp, "policy-iteration", 9, start_policy=first)
    for step, shown in zip(steps, steps_of(page, len(steps) - 1), strict=True):
        assert shown["values"] == pytest.approx(step.v.tolist(), rel=1e-12)


@pytest.mark.parametrize("name", TIMED)
def test_backward_induction_has_the_bits_of_python(open_lesson, name):
    mdp = tabular_rl.load(f"example:{name}").replace(final_reward=None)
    page = open_lesson(mdp)
    steps = iterates(mdp, "backward-induction", mdp.horizon)
    for step, shown in zip(steps, steps_of(page, mdp.horizon), strict=True):
        assert shown["values"] == step.v.tolist() and shown["name"] == f"V_{step.k}"
        if step.policy is not None:
            assert all(
                row in shown["greedy"][s] for s, row in enumerate(step.policy.rows.tolist()) if row >= 0
            )


def test_a_final_reward_is_the_first_step(open_lesson):
    mdp = tabular_rl.load("example:forest_horizon").replace(final_reward=[0.5, -1.0, 2.0])
    page = open_lesson(mdp)
    assert values_of(page) == [0.5, -1.0, 2.0]
    press(page, "last")
    assert values_of(page) == tabular_rl.solve(mdp).v[0].tolist()


@pytest.mark.parametrize("name", first(["machine_replacement", "frozen_lake_4x4", "recycling_robot"], 2))
def test_the_error_stands_beside_its_bound(open_lesson, name):
    mdp = tabular_rl.load(f"example:{name}")
    page = open_lesson(mdp)
    exact = tabular_rl.solve(mdp, "rational").v
    before = None
    for step, shown in zip(iterates(mdp, count=5), steps_of(page, 5), strict=True):
        assert shown["error"] == pytest.approx(np.abs(step.v - exact).max(), rel=1e-12)
        if before is not None:
            change = np.abs(step.v - before).max()
            assert shown["bound"] == pytest.approx(mdp.gamma / (1 - mdp.gamma) * change, rel=1e-12)
            assert shown["error"] <= shown["bound"] * (1 + 1e-12)
        before = step.v
    legend = page.one(".legend").text
    assert legend.startswith("worse") and "better" in legend, "whether rewards or costs"


@pytest.mark.parametrize("name", first(["gridworld_4x4", "romania", "recycling_robot", "frozen_lake_4x4"], 2))
def test_the_sweep_is_named_from_which_the_greedy_policy_is_optimal(open_lesson, name):
    mdp = tabular_rl.load(f"example:{name}")
    page = open_lesson(mdp)
    best = greedy_of(mdp, tabular_rl.solve(mdp, "rational").v)
    good = [
        all(set(rows) <= set(best[s]) for s, rows in enumerate(greedy_of(mdp, step.v)))
        for step in iterates(mdp, count=60)
    ]
    first = max(k for k, fine in enumerate(good) if not fine) + 1
    assert f"sweep {first} on" in page.one("[data-fact='optimal-from']").text


def test_the_published_sweeps_of_the_gridworld(open_lesson):
    """Sutton & Barto (2018), Figure 4.1: the first row of v_k for k = 1, 2, 3, 10, uniform policy."""
    page = open_lesson("gridworld_4x4")
    choose(page, "method", "policy-evaluation")
    for k, row in {
        1: [0, -1, -1, -1],
        2: [0, -1.7, -2, -2],
        3: [0, -2.4, -2.9, -3],
        10: [0, -6.1, -8.4, -9],
    }.items():
        choose(page, "sweep", str(k))
        # The book cuts -1.75 and -2.4375 to -1.7 and -2.4.
        assert values_of(page)[:4] == pytest.approx(row, abs=0.051)
    assert "sweep 3 on" in page.one("[data-fact='optimal-from']").text


def test_the_racecar_by_hand(open_lesson):
    moves = [
        ("cool", "slow", "cool", 1, 1), ("warm", "slow", "cool", "1/2", 1), ("warm", "slow", "warm", "1/2", 1),
        ("cool", "fast", "cool", "1/2", 2), ("cool", "fast", "warm", "1/2", 2), ("warm", "fast", "end", 1, -10),
    ]  # fmt: skip
    page = open_lesson(MDP.from_outcomes(moves, "1/2", terminal=["end"]))
    for expected in [[0, 0, 0], [2, 1, 0], [2.75, 1.75, 0]]:
        assert values_of(page) == expected
        press(page, "forward")
    choose(page, "method", "policy-iteration")
    assert values_of(page) == pytest.approx([2, 2, 0], abs=1e-12)
    press(page, "forward")
    assert values_of(page) == pytest.approx([3.5, 2.5, 0], abs=1e-12)


def test_my_own_policy_is_chosen_in_the_inspector(open_lesson):
    page = open_lesson("recycling_robot")
    choose(page, "method", "policy-evaluation")
    choose(page, "policy", "own")
    press(page, "last")
    for state, name in [("high", "wait"), ("low", "wait")]:
        page.run(f"lesson.store.set({{ selected: lesson.base.states.indexOf('{state}') }})")
        take = page.one(f"[aria-label='take {name} in {state}']")
        if take.is_enabled():
            take.click()
    mdp = tabular_rl.load("example:recycling_robot")
    expected = tabular_rl.evaluate(mdp, Policy.of(mdp, {"high": "wait", "low": "wait"})).v
    press(page, "last")
    assert values_of(page) == pytest.approx(expected.tolist(), rel=1e-6)
    actions = [x.text for x in page.all("[data-panel=table] tbody td.words")]
    assert actions == ["wait", "wait"]  # the policy that is evaluated, not what is greedy by its values
    choose(page, "marked-actions", "greedy")
    assert page.run(SHOWN)["greedy"] == greedy_of(mdp, expected)
    numbers = [
        (22.27499999999999, 4),
        (22.27500000000001, 4),
        (6.51875, 5),
        (-2.51875, 5),
        (0, 3),
        (1.05e-7, 2),
    ]
    shown = page.run("return arguments[0].map(([x, digits]) => lesson.dom.number(x, digits))", numbers)
    assert shown == [
        "22.28",
        "22.28",
        "6.5188",
        "−2.5188",
        "0",
        "1.1e−7",
    ]  # halves away from zero, everywhere


def test_play_goes_on_by_itself_and_ends(open_lesson):
    page = open_lesson("gridworld_4x4")
    page.run("window.setInterval = (f) => { window.tick = f; return 1; }")
    press(page, "play")
    assert page.one("[data-panel='sweeps'] [data-control='play']").text == "pause"
    for k in range(1, 5):
        page.run("window.tick()")
        assert page.run(SHOWN)["name"] == f"V_{k}"
    page.run("window.tick()")
    assert page.one("[data-panel='sweeps'] [data-control='play']").text == "play"
