"""The panel of learners as it is used: buttons, boxes, sliders and switches, by mouse, by keyboard and by touch."""

import json
import re
import shlex

import numpy as np
import pytest
from lesson_page import first
from mistaken_learners import learn_with_mistakes
from program import inside
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

import tabular_rl
from tabular_rl import MDP, Policy, lesson
from tabular_rl.laws import expected

EVALUATING = ("td0", "monte-carlo", "q-evaluation")
LEARNERS = (*EVALUATING, "sarsa", "q-learning", "double-q-learning")
SOME = first(LEARNERS)
PLACES = ('[data-panel="learners"]', "[data-learning-curve]", "[data-learning-run]")
PARTS = ("before", "target", "delta", "alpha", "made")


class Panel:
    """The panel of learners of a page, open."""

    def __init__(self, page, mdp):
        self.page, self.mdp = page, mdp
        self.click("tab-learners")

    def control(self, name):
        own = ", ".join(f'{place} [data-control="{name}"]' for place in PLACES)
        return self.page.one(own if self.page.all(own) else f'[data-control="{name}"]')

    def click(self, *names):
        for name in names:
            self.control(name).click()

    def choose(self, name, value):
        Select(self.control(name)).select_by_value(value)

    def type(self, name, value):
        box = self.control(name)
        box.clear()
        box.send_keys(str(value), Keys.TAB)

    def table(self):
        """The table of the learner, flat: values of states, or of pairs."""
        shown = "const { values, q } = window.lesson.store.state.shown; return Array.from(q || values)"
        return self.page.run(shown)

    def parts(self):
        """The numbers of the last update, as they are on the screen."""
        found = {x.get_attribute("data-part"): x for x in self.page.all(".update [data-part]")}
        return [float(found[part].get_attribute("data-value")) for part in PARTS]

    def status(self):
        return self.page.one("[data-learning-run] .status").text

    def steps(self):
        found = re.match(r"Step (\d+)", self.status())
        return int(found.group(1)) if found else 0

    def learned(self, method, steps, **options):
        """The table of Python's learner."""
        if method in EVALUATING:
            options.setdefault("policy", Policy.uniform(self.mdp))
        if method == "q-evaluation":
            options.setdefault("behavior", Policy.uniform(self.mdp))
        options = {"step_size": 0.1, "reference": False, **options}
        return np.ravel(tabular_rl.learn(self.mdp, method, steps=steps, **options).estimates).tolist()


@pytest.fixture
def opened(browser, tmp_path):
    def open_panel(mdp):
        mdp = tabular_rl.load(f"example:{mdp}") if isinstance(mdp, str) else mdp
        lesson(mdp).save(tmp_path / "page.html")
        return Panel(browser.open(tmp_path / "page.html"), mdp)

    return open_panel


@pytest.mark.parametrize("name", first(["frozen_lake_4x4", "commute", "student"]))
def test_buttons_run_the_learner_that_python_runs(name, opened):
    panel = opened(name)
    assert panel.status() == "No step was made yet."
    for method in LEARNERS:
        panel.choose("learner", method)
        panel.click("step", "restart", "hundred", "step", "step", "back")
        assert panel.steps() == 101
        assert panel.table() == panel.learned(method, 101)
    assert panel.page.console() == []


def test_settings_make_the_same_run_again_at_once(opened):
    panel = opened("frozen_lake_4x4")
    panel.choose("learner", "q-learning")
    panel.click("hundred")
    panel.type("step-size-number", 0.37)
    panel.type("epsilon-number", 0.45)
    panel.type("seed", 12)
    panel.type("start-value", 0.25)
    options = {"seed": 12, "explore": "epsilon-greedy:0.45", "start_value": 0.25}
    assert panel.table() == panel.learned("q-learning", 100, step_size=0.37, **options)
    panel.choose("step-size-kind", "harmonic")
    assert panel.table() == panel.learned("q-learning", 100, step_size="1/n", **options)
    panel.click("new-seed")
    assert panel.table() == panel.learned("q-learning", 100, step_size="1/n", **options | {"seed": 13})
    panel.type("gamma-number", 0.5)
    panel.mdp = tabular_rl.load("example:frozen_lake_4x4", gamma="1/2")
    assert panel.table() == panel.learned("q-learning", 100, step_size="1/n", **options | {"seed": 13})


def test_noise_makes_another_model_that_python_learns_too(opened):
    panel = opened("gridworld_5x5")
    panel.click("hundred")
    panel.type("noise-number", 0.25)
    arrays = panel.page.run(
        "const m = window.lesson.store.state.model; const list = (x) => Array.from(x);"
        "return { row_ptr: list(m.rowPtr), next_state: list(m.next), prob: list(m.prob), reward: list(m.reward) }"
    )
    mdp = panel.mdp
    panel.mdp = MDP.from_rows(
        pair_ptr=mdp.pair_ptr, pair_action=mdp.pair_action, gamma=mdp.gamma_exact, start=mdp.start, actions=mdp.actions,
        **{key: np.array(value) for key, value in arrays.items()},
    )  # fmt: skip
    assert panel.mdp.K > mdp.K
    assert panel.table() == panel.learned("td0", 100)


def test_the_inspector_shows_the_numbers_of_each_update(opened):
    panel = opened("student")
    uniform = Policy.uniform(panel.mdp).weights.tolist()
    for method in LEARNERS:
        panel.choose("learner", method)
        panel.click("step", "restart", "hundred")
        while not panel.page.all(".update [data-part=made]"):  # Monte Carlo learns at the end of an episode
            panel.click("episode")
        before, target, delta, alpha, made = panel.parts()
        assert (delta, made) == (target - before, before + alpha * (target - before)), method
        steps = panel.steps()
        pi = uniform if method in EVALUATING else None
        tables = [
            learn_with_mistakes(panel.mdp, method, steps=n, alpha=0.1, pi=pi) for n in (steps - 1, steps)
        ]
        if method != "double-q-learning":  # its tables are two
            assert before in tables[0] and made in tables[1], method
        assert alpha == 0.1


@pytest.mark.parametrize("method", SOME)
def test_switches_plant_mistakes_that_can_be_watched(method, opened):
    panel = opened("frozen_lake_4x4")
    panel.choose("learner", method)
    panel.click("hundred")
    pi = Policy.uniform(panel.mdp).weights.tolist() if method in EVALUATING else None
    own = {"steps": 100, "alpha": 0.1, "pi": pi, "terminal_value": 2.5, "start_value": 1.0}
    panel.type("start-value", 1)
    rule = panel.page.one(".update .rule").text
    for mistake in panel.page.run("return window.lesson.learn.LEARNERS[arguments[0]].mistakes", method):
        switch = f"mistake-{mistake.replace(' ', '-')}"
        panel.click(switch)
        if mistake == "no mask":
            panel.type("terminal-value", 2.5)
        assert panel.table() == learn_with_mistakes(panel.mdp, method, mistakes=[mistake], **own), mistake
        assert panel.page.all(".rule mark") and panel.page.one(".update .rule").text != rule
        assert len(panel.page.all(".planted-notes li")) == 1
        panel.click(switch)
        assert panel.page.one(".update .rule").text == rule
    assert panel.table() == learn_with_mistakes(panel.mdp, method, **own)


def test_a_table_that_is_not_finite_any_more_is_named_and_ends_the_run(opened):
    panel = opened("student")
    panel.type("step-size-number", 1)
    panel.click("mistake-minus")
    for _ in range(25):
        panel.click("hundred")
    assert panel.status() == "Step 2500: the table is not finite any more: it diverges."
    panel.click("play")
    WebDriverWait(panel.page.driver, 20).until(lambda _: panel.control("play").text == "play")
    assert panel.page.console() == []


def test_what_was_learned_of_the_selected_state_stands_beside_the_exact_answer(opened):
    panel = opened("commute")  # costs
    panel.choose("learner", "q-learning")
    panel.click("hundred")
    made = tabular_rl.learn(panel.mdp, "q-learning", steps=100, step_size=0.1)
    s = int(np.flatnonzero(np.diff(panel.mdp.pair_ptr) > 1)[0])
    panel.page.run("window.lesson.store.set({ selected: arguments[0] })", s)
    assert [x.text for x in panel.page.all(".known thead th")] == [
        "action",
        "learned q",
        "exact q*",
        "visits",
    ]
    rows = panel.page.all(".known tbody tr")
    assert len(rows) == panel.mdp.pair_ptr[s + 1] - panel.mdp.pair_ptr[s]
    for row, i in zip(rows, panel.mdp.rows(s), strict=True):
        learned, exact = (
            float(x.get_attribute("data-value")) for x in row.find_elements("css selector", "span")
        )
        name, visits = (
            row.find_element("css selector", "th").text,
            row.find_elements("css selector", "td")[-1].text,
        )
        assert learned == made.estimates[0, i] and exact == pytest.approx(made.truth[i], rel=1e-12)
        assert (name, visits) == (panel.mdp.actions[panel.mdp.pair_action[i]], str(made.visits[0, i]))


def test_with_a_horizon_there_is_a_table_for_each_time(opened):
    panel = opened("forest_horizon")
    panel.choose("learner", "q-learning")
    panel.click("hundred")
    tables = np.reshape(panel.learned("q-learning", 100), (panel.mdp.horizon, -1))
    for t, table in enumerate(tables.tolist()):
        panel.type("learner-time", t)
        assert panel.table() == table
        assert f"at time {t}" in panel.page.one("#picture-title").text


def test_play_goes_on_until_pause_and_back_makes_steps_undone(opened):
    panel = opened("gridworld_5x5")
    panel.choose("speed", "1000")
    panel.click("play")
    assert panel.control("play").text == "pause"
    WebDriverWait(panel.page.driver, 30).until(lambda _: panel.steps() > 120)
    panel.click("play")
    steps = panel.steps()
    assert panel.table() == panel.learned("td0", steps)
    panel.click("back")
    assert panel.table() == panel.learned("td0", steps - 1)
    panel.click("restart")
    assert panel.steps() == 0
    assert not panel.control("back").is_enabled() and not panel.control("restart").is_enabled()


def test_the_end_of_the_episode(opened):
    panel = opened("random_walk_5")
    panel.choose("learner", "monte-carlo")
    panel.click("episode")
    steps = panel.steps()
    assert "where the episode ends" in panel.status()
    assert panel.table() == panel.learned("monte-carlo", steps)


def test_a_model_without_an_end_has_episodes_where_monte_carlo_cuts_them_off(opened):
    panel = opened("recycling_robot")
    assert not panel.control("episode").is_enabled()
    panel.type("gamma-number", 0.1)
    panel.choose("learner", "monte-carlo")
    panel.click("episode")
    panel.mdp = tabular_rl.load("example:recycling_robot", gamma="1/10")
    answer = tabular_rl.learn(
        panel.mdp, "monte-carlo", Policy.uniform(panel.mdp), steps=panel.steps(), step_size=0.1
    )
    assert (answer.extra["episodes"], answer.extra["cut"]) == (1, 1)
    assert panel.table() == answer.estimates[0].tolist()


def test_everything_works_by_keyboard(opened):
    panel = opened("recycling_robot")
    panel.page.run("arguments[0].focus()", panel.control("tab-learners"))
    everything = panel.page.all(", ".join(f"{place} [data-control]" for place in PLACES))
    wanted = {x.get_attribute("data-control") for x in everything if x.is_displayed() and x.is_enabled()}
    reached = set()
    for _ in range(len(wanted) + 6):  # the handles of the page before and behind it
        active = panel.page.driver.switch_to.active_element
        reached.add(active.get_attribute("data-control"))
        active.send_keys(Keys.TAB)
    assert wanted <= reached
    for key, steps in ((Keys.ENTER, 1), (Keys.SPACE, 2)):
        panel.control("step").send_keys(key)
        assert panel.steps() == steps
    panel.control("learner").send_keys("q")
    assert panel.control("learner").get_attribute("value") == "q-learning"
    panel.control("step-size").send_keys(Keys.ARROW_RIGHT)
    assert panel.table() == panel.learned("q-learning", 2, step_size=0.11)
    panel.control("mistake-minus").send_keys(Keys.SPACE)
    assert panel.page.driver.switch_to.active_element.get_attribute("data-control") == "mistake-minus"
    assert panel.control("mistake-minus").is_selected()


# A box to tick has its label too.
SMALL = """
const shown = [...document.querySelectorAll(arguments[0].join())].filter((control) => control.offsetParent);
return shown.filter((control) => {
  const box = (control.type === "checkbox" ? control.parentElement : control).getBoundingClientRect();
  return Math.min(box.width, box.height) < 24;
}).map((control) => control.dataset.control);
"""


@pytest.mark.slow
def test_a_phone_has_room_for_everything_and_targets_for_fingers(opened):
    panel = opened("gridworld_5x5")
    panel.page.shape(360, 740, touch=True)
    for method in LEARNERS:
        panel.choose("learner", method)
        assert panel.page.run("return document.documentElement.scrollWidth") <= 360, method
        small = panel.page.run(SMALL, [f"{place} [data-control]" for place in PLACES])
        assert small == [], method
        panel.click("step")
    assert panel.steps() == len(LEARNERS)


def test_on_paper_are_the_curve_and_the_numbers_without_the_controls(opened):
    panel = opened("student")
    panel.click("hundred")
    shown = "return [...document.querySelectorAll(arguments[0])].map((x) => x.checkVisibility())"
    WebDriverWait(panel.page.driver, 30).until(lambda _: panel.page.run(shown, ".curve .band"))
    panel.page.media(kind="print")
    for selector in (
        ".curve .axis-label",
        ".curve .band",
        ".curve .path",
        ".update [data-part]",
        ".known td",
    ):
        seen = panel.page.run(shown, selector)  # at once: the curve is drawn again as its band grows
        assert seen and all(seen), selector
    for place in PLACES:
        assert not any(panel.page.run(shown, f"{place} [data-control]")), place


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_fault(theme, opened):
    panel = opened("student")
    panel.page.media(theme=theme)
    for method in ("double-q-learning", "monte-carlo"):
        panel.choose("learner", method)
        panel.click("hundred", "episode", "mistake-minus")
        assert panel.page.faults() == [], method


def test_the_command_makes_the_same_table(opened, capsys):
    panel = opened("frozen_lake_4x4")
    for method, policy in (("td0", "optimal"), ("q-evaluation", "uniform"), ("q-learning", None)):
        panel.choose("learner", method)
        if policy:
            panel.choose("learner-policy", policy)
        panel.click("step", "restart", "hundred")
        words = shlex.split(panel.page.one(".command code").text)
        assert words[:3] == ["tabular-rl", "learn", "FILE"]
        done = inside(capsys, "learn", "example:frozen_lake_4x4", *words[3:], "--json", "-qq")
        assert done.code == 0, done.err
        # A state that was never visited has no value there.
        values = {s: v for s, v in enumerate(json.loads(done.out)["values"]) if v is not None}
        shown = panel.page.run("return Array.from(window.lesson.store.state.shown.values)")
        assert len(values) > 4
        assert {s: shown[s] for s in values} == values, method
    panel.click("mistake-minus")
    assert panel.page.all(".command code") == []


BAND = """
const { experiment, store } = window.lesson;
const own = {
  policy: "uniform", behavior: "uniform", kind: "constant", alpha: 0.1, epsilon: 0.1, startValue: 0, seed: 4,
  mistakes: [], terminalValue: 1, simulated: true, ...arguments[0],
};
const made = experiment.createExperiment(store.state.model, store.state.answer, own);
experiment.widenBand(made, Infinity);
return [made.source.kind, ...made.band.filter((p) => arguments[1].includes(p.step))
  .map((p) => [Array.from(p.values), Array.from(p.sd), p.rms, p.rmsSd])];
"""


def test_the_band_is_the_law_where_there_is_one(opened):
    panel = opened("student")
    kind, *band = panel.page.run(BAND, {"method": "td0"}, [1, 60])
    law = expected("td0", panel.mdp, points=[1, 60], step_size=0.1)
    assert kind == "law"
    for at, (values, sd, rms, _) in enumerate(band):
        assert values == pytest.approx(law.mean[at], abs=1e-11) and sd == pytest.approx(law.sd[at], abs=1e-7)
        assert rms == pytest.approx(law.rms()[at], rel=1e-9)
    assert "exact" in panel.page.one(".band-note").text


@pytest.mark.parametrize("method", ["monte-carlo", "q-learning"])
def test_the_band_of_simulated_runs_is_that_of_200_runs_of_python(method, opened):
    panel = opened("student")
    panel.choose("learner", method)
    kind, (values, sd, *_) = panel.page.run(BAND, {"method": method}, [40])
    options = {"policy": Policy.uniform(panel.mdp)} if method == "monte-carlo" else {}
    runs = tabular_rl.learn(
        panel.mdp, method, steps=40, runs=200, seed=4, step_size=0.1, reference=False, **options
    ).estimates
    if method == "q-learning":
        first, last = panel.mdp.pair_ptr[:-1], panel.mdp.pair_ptr[1:]
        runs = np.array(
            [[q[a:b].max() if a < b else 0 for a, b in zip(first, last, strict=True)] for q in runs]
        )
    assert kind == "simulated"
    assert values == pytest.approx(runs.mean(axis=0), abs=1e-12)
    assert sd == pytest.approx(runs.std(axis=0, ddof=1), abs=1e-12)
    note = panel.page.one(".band-note").text
    assert "no exact band" in note and "200 simulated runs" in note
