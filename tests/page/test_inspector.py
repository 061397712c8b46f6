"""A state's backup three ways, recomputed from what stands on the screen; and the sliders that solve again."""

import numpy as np
import pytest
from lesson_page import choose, first, press, values_of

import tabular_rl
from tabular_rl import MDP, explain, iterates

MADE = first(["student", "machine_replacement", "frozen_lake_4x4", "gridworld_4x4", "romania", "taxicab"], 3)
SOLVED = first(
    ["machine_replacement", "student", "ties", "gridworld_4x4", "recycling_robot", "frozen_lake_4x4"], 3
)
OUTCOMES = """
const { q, rows } = { q: null, rows: [...document.querySelectorAll('[data-panel=inspector] ul.actions > li')] };
return rows.map((row) => ({
  row: Number(row.dataset.row), best: row.classList.contains('best'),
  q: Number(row.querySelector('[data-fact=q]').dataset.value),
  outcomes: [...row.querySelectorAll('.outcomes p[data-next]')].map((line) => ({
    next: Number(line.dataset.next),
    numbers: [...line.querySelectorAll('[data-value]')].map((x) => Number(x.dataset.value)),
  })),
}));
"""


def select(page, s):
    page.run("lesson.store.set({ selected: arguments[0] })", s)


@pytest.mark.parametrize("name", MADE)
def test_the_numbers_make_the_value(open_lesson, name):
    mdp = tabular_rl.load(f"example:{name}")
    page = open_lesson(mdp)
    press(page, "forward", 2)
    steps = iterates(mdp, count=2)
    for s in [s for s in range(mdp.S) if not mdp.terminal[s]][:2]:
        select(page, s)
        expected = explain(mdp, mdp.states[s], sweep=2)
        value = float(
            page.one("[data-panel='inspector'] p.result [data-fact='value']").get_attribute("data-value")
        )
        assert value == steps[2].v[s]
        found = page.run(OUTCOMES)
        assert [x["row"] for x in found if x["best"]] == list(expected.best)
        for shown, backup in zip(found, expected.actions, strict=True):
            assert shown["q"] == pytest.approx(float(backup.q), rel=1e-12, abs=1e-12)
        for shown in [x for x in found if x["outcomes"]]:
            total = sum(p * (r + gamma * v) for p, r, gamma, v in (x["numbers"] for x in shown["outcomes"]))
            assert total == pytest.approx(shown["q"], rel=1e-12, abs=1e-12)
            backup = next(x for x in expected.actions if x.row == shown["row"])
            for outcome, term in zip(shown["outcomes"], backup.terms, strict=True):
                p, r, gamma, v = outcome["numbers"]
                assert (outcome["next"], gamma, v) == (
                    term.next_state,
                    mdp.gamma,
                    steps[1].v[term.next_state],
                )
                assert (p, r) == pytest.approx((float(term.probability), float(term.reward)))


def test_an_opened_action_shows_its_outcomes(open_lesson):
    page = open_lesson("recycling_robot")
    press(page, "forward")
    for name in ("search", "wait"):
        button = next(x for x in page.all("[data-control='action']") if name in x.text)
        if button.get_attribute("aria-expanded") == "false":
            button.click()
        rows = [x for x in page.run(OUTCOMES) if x["outcomes"]]
        assert len(rows) == 1
        i = rows[0]["row"]
        mdp = tabular_rl.load("example:recycling_robot")
        assert mdp.actions[int(mdp.pair_action[i])] == name


def test_in_place_the_states_before_have_their_new_values(open_lesson):
    moves = [("a", "go", "end", 1, 1), ("b", "go", "a", 1, 0)]
    page = open_lesson(MDP.from_outcomes(moves, "1/2", states=["a", "b", "end"], terminal=["end"]))
    choose(page, "order", "forward")
    press(page, "forward")
    select(page, 1)
    (row,) = page.run(OUTCOMES)
    assert row["outcomes"][0]["numbers"] == [1, 0, 0.5, 1]  # V_1(a), not V_0(a)
    assert "in place" in page.one("[data-panel='inspector']").text


def test_what_comes_next_is_the_next_sweep(open_lesson):
    mdp = tabular_rl.load("example:taxicab")
    page = open_lesson(mdp)
    press(page, "forward", 3)
    select(page, 1)
    press(page, "view-next")
    value = page.one("[data-panel='inspector'] p.result [data-fact='value']").get_attribute("data-value")
    assert float(value) == iterates(mdp, count=4)[4].v[1]


def test_a_terminal_state_says_so(open_lesson):
    page = open_lesson("gridworld_4x4")
    press(page, "forward")
    select(page, 0)
    assert "the state is terminal, nothing follows" in page.one("[data-panel='inspector']").text


POINT = """
const number = document.querySelector('.outcomes [data-link^="p:"]');
number.dispatchEvent(new PointerEvent('pointerover', { bubbles: true }));
"""
LIT = "return [...document.querySelectorAll('.linked')].map(x => [x.dataset.link, x.closest('svg') !== null])"


def test_parts_that_mean_the_same_light_up_together(open_lesson):
    page = open_lesson("frozen_lake_4x4")
    press(page, "forward")
    page.run(POINT)
    lit = page.run(LIT)
    key = page.run("return document.querySelector('.outcomes [data-link^=\"p:\"]').dataset.link")
    assert ["p", False] in lit, "the p of the equation"
    assert [key, False] in lit, "the number"
    assert [key, True] in lit, "the label in the tree"
    assert not [x for x in lit if x[0] in ("r", "v", "gamma")]
    following = page.run("return Number(document.querySelector('.outcomes [data-next]').dataset.next)")
    assert page.run("return Number(document.querySelector('.cell.hovered').dataset.state)") == following


# -- the sliders ---------------------------------------------------------------------------------------------------


def exact_of(page):
    return [
        float(x.get_attribute("data-value")) for x in page.all("[data-panel='table'] [data-fact='exact']")
    ]


SUMS = """
const { model } = lesson.store.state;
return [...model.rowPtr].slice(1).map((end, i) => [...model.prob].slice(model.rowPtr[i], end).reduce((x, y) => x + y));
"""


def noisy(mdp, x):
    """The model in which, with probability x, chance draws one of all actions of the state."""
    moves = []
    for s in range(mdp.S):
        rows = list(mdp.rows(s))
        for i in rows:
            for j in rows:
                weight = (1 - x) * (i == j) + x / len(rows)
                for k in range(int(mdp.row_ptr[j]), int(mdp.row_ptr[j + 1])):
                    paid = mdp.r[j] if mdp.reward is None else mdp.reward[k]
                    moves.append((s, str(i), int(mdp.next_state[k]), weight * mdp.prob[k], paid))
    ends = np.flatnonzero(mdp.terminal).tolist()
    return MDP.from_outcomes(
        moves,
        mdp.gamma,
        states=range(mdp.S),
        terminal=ends,
        sense=mdp.sense,
        horizon=mdp.horizon,
        normalize=True,
    )


@pytest.mark.parametrize("name", SOLVED)
def test_the_sliders_solve_again_at_once(open_lesson, name):
    """Noise mixes each row with the average over the actions of its state."""
    mdp = tabular_rl.load(f"example:{name}")
    page = open_lesson(mdp)
    choose(page, "gamma", "0.5")
    assert exact_of(page) == pytest.approx(tabular_rl.solve(mdp.replace(gamma=0.5)).v.tolist(), abs=1e-6)
    assert f"γ = 0.5 (the file has {float(mdp.gamma):g})" in page.one("header .facts").text
    choose(page, "sweep", 3)
    assert values_of(page) == iterates(mdp.replace(gamma=0.5), count=3)[3].v.tolist()
    press(page, "reset")
    assert "the file has" not in page.one("header .facts").text
    assert exact_of(page) == tabular_rl.solve(mdp, "rational").v.tolist()
    choose(page, "noise", "0.25")
    assert exact_of(page) == pytest.approx(tabular_rl.solve(noisy(mdp, 0.25)).v.tolist(), rel=1e-7, abs=1e-7)
    assert page.run(SUMS) == pytest.approx([1.0] * mdp.L)


def test_without_a_future_the_best_reward_counts(open_lesson):
    page = open_lesson("frozen_lake_4x4")
    choose(page, "gamma", "0")
    mdp = tabular_rl.load("example:frozen_lake_4x4")
    assert exact_of(page) == pytest.approx(mdp.bellman(np.zeros(mdp.S)).tolist(), rel=1e-15)
    choose(page, "method", "policy-iteration")
    assert values_of(page) == pytest.approx(
        [mdp.r[rows[0]] if rows else 0 for rows in map(mdp.rows, range(mdp.S))]
    )


@pytest.mark.parametrize("gamma", ["0.3", "0.99"])
def test_sweeps_and_elimination_find_the_same_values_of_a_policy(open_lesson, gamma):
    """A larger chain is solved by sweeps at 0.3 and by elimination at 0.99: neither differs from Python's."""
    mdp = tabular_rl.load("example:random_walk_19").replace(gamma=gamma)
    page = open_lesson(mdp)
    choose(page, "method", "policy-iteration")
    expected = tabular_rl.evaluate(mdp, "uniform").v
    assert values_of(page) == pytest.approx(expected.tolist(), rel=1e-9, abs=1e-9)


def test_without_a_finite_answer_the_page_says_so(open_lesson):
    page = open_lesson("recycling_robot")
    choose(page, "gamma", "1")
    assert "no finite answer" in page.one("[data-panel='controls'] [role='status']").text
    assert exact_of(page) == []
    choose(page, "gamma", "0.9")
    assert len(exact_of(page)) == 2
    assert page.console() == []


def test_the_table_shows_all_digits_when_asked(open_lesson):
    page = open_lesson("recycling_robot")
    press(page, "last")
    press(page, "all-digits")
    for cell in page.all("[data-panel='table'] [data-fact='value']"):
        assert float(cell.text.replace("−", "-")) == float(cell.get_attribute("data-value"))
