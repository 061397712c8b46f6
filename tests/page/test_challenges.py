"""Challenges: none is solved at the start or impossible, and the page notices when one is solved."""

import pytest

import tabular_rl

# Every challenge with what its test says at the start and at the state that is said to pass it.
RUN = """
const { ticks, challenges, store } = lesson;
const start = { ...store.state, climb: null, experiment: null };
const found = [...challenges.challengesOf(start, store.state.ticks.intervals)].filter((x) => x);
return found.map((one) => ({ kind: one.kind, before: one.solved(start), after: one.solved(one.witness()) }));
"""


def ready(page):
    page.wait("document.querySelector('[data-panel=challenges]').dataset.ready")
    return page


def choose(page, control, value):
    page.run(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))",
        page.one(f"[data-control={control}]"),
        value,
    )


@pytest.mark.parametrize(
    "name", ["aima_4x3", "cliff_walking", "forest_horizon", "machine_replacement", "commute"]
)
def test_no_challenge_is_solved_at_the_start_and_none_is_impossible(open_lesson, name):
    page = ready(open_lesson(name))
    found = page.run(RUN)
    assert len(found) >= 3
    assert [(one["before"], one["after"]) for one in found] == [(False, True)] * len(found)
    shown = [x.get_attribute("data-challenge") for x in page.all("[data-challenge]")]
    assert shown == [one["kind"] for one in found] and len(set(shown)) == len(shown)
    assert page.all("[data-solved=yes]") == []


def test_the_long_way_round_is_solved_by_the_slider(open_lesson):
    """Safe: three cells of cost 1 round the hill. Bold: one step over it, that pays -2. At γ = 1 bold is best, -2 > -3;
    for small γ the costs that come later count less: -1 - γ - γ² > -2 where γ + γ² < 1, γ < 0.618."""
    rows = [("start", "over", "end", 1, -2), ("start", "round", "a", 1, -1)]
    rows += [("a", "on", "b", 1, -1), ("b", "on", "end", 1, -1)]
    mdp = tabular_rl.MDP.from_outcomes(rows, 1, terminal=["end"], start={"start": 1})
    page = ready(open_lesson(mdp))
    assert page.run("return lesson.store.state.ticks.changes.map((x) => x.gamma)") == pytest.approx(
        [(5**0.5 - 1) / 2]
    )
    path = page.one("[data-challenge=path]")
    assert "at least 2 steps" in path.text and "it takes 1." in path.text
    choose(page, "gamma-number", "0.62")
    assert path.get_attribute("data-solved") == "no"
    choose(page, "gamma-number", "0.61")
    assert path.get_attribute("data-solved") == "yes" and "solved" in path.text
    assert (
        "Solved: The long way round, A change of mind."
        in page.one("[data-panel=challenges] [role=status]").text
    )
    choose(page, "gamma-number", "1")
    assert path.get_attribute("data-solved") == "yes"  # what is solved stays so


@pytest.mark.parametrize(
    ("mistake", "kind", "other"), [("minus", "broken", "harmless"), ("no-mask", "harmless", "broken")]
)
def test_a_switch_that_is_planted_is_judged_after_2000_steps(open_lesson, mistake, kind, other):
    """The robot never ends, so that the value of a terminal state does no harm; a minus sign does."""
    page = ready(open_lesson("recycling_robot"))
    page.one("[data-control=tab-learners]").click()
    choose(page, "learner", "q-learning")
    page.one(f"[data-control=mistake-{mistake}]").click()
    solved = lambda what: page.one(f"[data-challenge={what}]").get_attribute("data-solved")  # noqa: E731
    hundred = page.one("[data-learning-run] [data-control=hundred]")
    page.run("for (let k = 0; k < 19; k += 1) arguments[0].click()", hundred)
    assert solved(kind) == "no"
    hundred.click()
    assert (solved(kind), solved(other)) == ("yes", "no")
    assert page.console() == []


def test_the_top_is_reached_by_natural_steps(open_lesson):
    page = ready(open_lesson("recycling_robot"))
    page.one("[data-control=tab-gradient]").click()
    page.one("[data-control=gradient-natural]").click()
    choose(page, "gradient-step-size", "1")
    page.one("[data-control=gradient-ten]").click()
    assert page.one("[data-challenge=climb]").get_attribute("data-solved") == "yes"


STEPS = "return lesson.paths.expectedSteps(lesson.base, arguments[0].map((rows) => rows))"


def test_expected_steps_are_those_of_arithmetic(open_lesson):
    """On with probability 1/2: 2 steps. A tie of that with a way of 1 step: 1 + (1/2)(1/2) E, so 4/3. A loop: never."""
    rows = [
        ("s", "try", "end", 0.5, 0),
        ("s", "try", "s", 0.5, 0),
        ("s", "sure", "end", 1, 0),
        ("s", "stay", "s", 1, -1),
    ]
    mdp = tabular_rl.MDP.from_outcomes(rows, "9/10", terminal=["end"], start={"s": 1})
    page = open_lesson(mdp)
    attempt, sure, stay = (mdp.row("s", a) for a in ("try", "sure", "stay"))
    for greedy, expected in [([attempt], 2), ([sure], 1), ([attempt, sure], 4 / 3)]:
        assert page.run(STEPS, [greedy, []]) == pytest.approx(expected)
    assert page.run(STEPS.replace("return ", "return Infinity === "), [[stay], []])
