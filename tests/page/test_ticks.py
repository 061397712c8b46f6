"""The marks under the slider of γ: where the best policy changes, and one policy is best between two of them."""

from fractions import Fraction

import pytest

import tabular_rl

RUN = """
const { ticks, base } = window.lesson;
let intervals = [];
for (const step of ticks.changing(base)) intervals = step;
return { intervals, changes: ticks.changesOf(intervals, base.S) };
"""


def changes(page):
    return {x["gamma"]: x["states"] for x in page.run(RUN)["changes"]}


def test_changes_are_those_worked_out_by_hand(open_lesson):
    """Puterman (1994), Example 6.2.1: the first action of s1 is the best for γ > 10/11."""
    assert changes(open_lesson("puterman_two_state")) == {10 / 11: [0]}


def test_two_changes_in_one_step_of_the_grid_are_both_found(open_lesson):
    """Now 1, or d/γ after one step: equal at γ = d. Two states, d = 0.5013 and 0.5017."""
    later = {"a": ("5013/10000"), "b": ("5017/10000")}
    rows = [(s, "now", "end", 1, d) for s, d in later.items()]
    rows += [(s, "later", f"{s}2", 1, 0) for s in later] + [(f"{s}2", "on", "end", 1, 1) for s in later]
    mdp = tabular_rl.MDP.from_outcomes(rows, "9/10", terminal=["end"])
    found = changes(open_lesson(mdp))
    assert list(found) == pytest.approx([0.5013, 0.5017], abs=2e-9)
    assert [mdp.states[s] for states in found.values() for s in states] == ["a", "b"]


@pytest.mark.parametrize("name", ["forest_horizon", "taxicab", "machine_replacement", "student"])
def test_between_changes_one_policy_is_best_and_beyond_them_it_is_not(open_lesson, name):
    mdp = tabular_rl.load(f"example:{name}")
    found = open_lesson(mdp).run(RUN)
    assert found["changes"]

    def best(gamma):
        method = "rational" if mdp.horizon is None else "backward-induction"
        optimal = tabular_rl.solve(mdp.replace(gamma=Fraction(gamma)), method).optimal_actions
        return [
            {i for i in mdp.rows(s) if now[i]} for now in optimal.reshape(-1, mdp.L) for s in range(mdp.S)
        ]

    for one in found["intervals"]:
        at = [one["from"] + share * (one["to"] - one["from"]) for share in (0.003, 0.41, 0.997)]
        for gamma in at:
            here = best(gamma)
            for s, rows in enumerate(one["sets"]):
                assert set(rows) <= here[s], (gamma, s)
    for change in found["changes"]:
        before, after = best(change["gamma"] - 1e-6), best(change["gamma"] + 1e-6)
        moved = {s % mdp.S for s, rows in enumerate(before) if rows and not rows & after[s]}
        assert sorted(moved) == change["states"]


def test_the_search_ends_after_so_many_changes(open_lesson):
    page = open_lesson("taxicab")
    every = page.run(RUN)["changes"]
    some = page.run(RUN.replace("changing(base)", "changing(base, 2)"))["changes"]
    assert len(every) == 3 and some == every[:2]


def test_the_buttons_jump_from_change_to_change(open_lesson):
    page = open_lesson("taxicab")
    at = sorted(changes(page))
    page.wait("window.lesson.store.state.ticks")
    for control, expected in [("tick-back", at[2]), ("tick-back", at[1]), ("tick-onward", at[2])]:
        page.one(f"[data-control={control}]").click()
        assert page.run("return window.lesson.store.state.gamma") == expected
    assert "Here it changes" in page.one("[data-ticks-text]").text
    assert len(page.all("[data-ticks] .marks i")) == 3
    assert page.console() == []
