"""The page as a whole: from a file, without network, by keyboard, on a phone, on paper, in both themes."""

import numpy as np
import pytest
import screenshots
from lesson_page import SHOWN, choose, first, press
from plots import PLOTS
from selenium.webdriver.common.keys import Keys

import tabular_rl
from tabular_rl import MDP, Layout, lesson

SMALL = """
const controls = [...document.querySelectorAll('button, input, select, [role=gridcell][tabindex]')];
return controls.filter((x) => x.offsetParent !== null)
  .map((x) => [x.getBoundingClientRect(), x.outerHTML.slice(0, 90)])
  .filter(([box]) => box.width > 0 && (box.width < 24 || box.height < 24) && !(box.width <= 20 && box.height <= 20))
  .map(([box, text]) => `${box.width} x ${box.height}: ${text}`)
"""


@pytest.mark.parametrize("name", ["gridworld_4x4", "romania"])
def test_it_opens_from_a_file_without_any_request_or_fault(open_lesson, name):
    page = open_lesson(name)
    assert [url for url in page.requests() if not url.startswith(("file:", "data:"))] == []
    assert page.console() == []


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["gridworld_4x4", "student"])
def test_axe_finds_no_serious_fault(open_lesson, browser, name, theme):
    browser.media(theme=theme)
    page = open_lesson(name)
    press(page, "forward", 2)
    assert page.run("return document.documentElement.dataset.theme") == theme
    assert page.faults() == []


def test_the_switch_changes_the_theme(open_lesson):
    page = open_lesson("forest")
    ground = page.run("return getComputedStyle(document.body).backgroundColor")
    press(page, "theme")
    assert page.run("return document.documentElement.dataset.theme") == "dark"
    assert page.run("return getComputedStyle(document.body).backgroundColor") != ground


@pytest.mark.parametrize(
    "name", first(["gridworld_4x4", "romania", "cliff_walking", "machine_replacement"], 2)
)
def test_a_phone_shows_it_without_scrolling_aside(open_lesson, browser, name):
    browser.shape(360, 640, touch=True)
    page = open_lesson(name)
    press(page, "forward")
    assert page.run("return document.documentElement.scrollWidth") == 360
    assert page.run(SMALL) == []


def test_a_finger_chooses_a_state(open_lesson, browser):
    browser.shape(360, 640, touch=True)
    page = open_lesson("gridworld_4x4")
    where = page.run(
        "const x = document.querySelector('.cell[data-state=\"6\"]'); x.scrollIntoView({block: 'center'});"
        "const b = x.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]"
    )
    point = {"x": where[0], "y": where[1]}
    page.command("Input.dispatchTouchEvent", type="touchStart", touchPoints=[point])
    page.command("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    page.run("return new Promise((done) => setTimeout(done, 50))")
    assert page.run("return lesson.store.state.selected") == 6


KEYS = (Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ARROW_UP, Keys.ARROW_LEFT, Keys.END, Keys.HOME)


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("gridworld_4x4", [*zip(KEYS, (5, 6, 2, 1, 15, 0), strict=True)]),
        ("river_swim", [(Keys.ARROW_RIGHT, 2), (Keys.ARROW_RIGHT, 3), (Keys.ARROW_LEFT, 2)]),
    ],
)  # fmt: skip
def test_arrow_keys_go_from_state_to_state(open_lesson, name, keys):
    page = open_lesson(name)
    page.run("lesson.store.set({ selected: 1 })")
    page.one("[data-panel='picture'] [data-state='1']").send_keys(keys[0][0])
    for (_, expected), (key, _) in zip(keys, [*keys[1:], (None, None)], strict=True):
        assert page.run("return lesson.store.state.selected") == expected
        assert page.run("return document.activeElement.dataset.state") == str(expected)
        if key:
            page.driver.switch_to.active_element.send_keys(key)


def test_every_control_is_reached_and_used_by_the_keyboard(open_lesson):
    page = open_lesson("recycling_robot")
    press(page, "forward")  # at the start there is no way back
    page.run("document.activeElement.blur()")
    reached = []
    for _ in range(60):
        page.driver.switch_to.active_element.send_keys(Keys.TAB)
        control = page.run(
            "return document.activeElement.dataset.control || document.activeElement.dataset.state || ''"
        )
        if reached and control == reached[0]:
            break
        reached.append(control)
    expected = [
        "theme",
        "gamma",
        "noise",
        "tab-sweeps",
        "method",
        "order",
        "first",
        "back",
        "play",
        "forward",
        "last",
        "sweep",
        "picture",
        "action",
        "all-digits",
    ]
    assert [name for name in expected if name not in reached] == []
    page.one("[data-control='forward']").send_keys(Keys.ENTER)
    assert page.run(SHOWN)["name"] == "V_2"
    page.one("[data-control='sweep']").send_keys(Keys.ARROW_RIGHT)
    assert page.run(SHOWN)["name"] == "V_3"
    box = page.one("[data-control='sweep-number']")
    box.clear()
    box.send_keys("5", Keys.ENTER)
    assert page.run(SHOWN)["name"] == "V_5"
    page.one("[data-control='tab-sweeps']").send_keys(Keys.ARROW_RIGHT)
    assert page.run("return lesson.store.state.panel") != "sweeps"


# The page hears of paper when it is drawn next.
FRAMES = "return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def test_paper_shows_the_state_of_things_and_no_controls(open_lesson, browser):
    browser.media(theme="dark")
    page = open_lesson("gridworld_4x4")
    press(page, "forward", 3)
    browser.media(theme="dark", kind="print")
    page.run(FRAMES)
    assert page.run("return document.documentElement.dataset.theme") == "light"
    visible = "return [...document.querySelectorAll(arguments[0])].filter(x => x.checkVisibility()).length"
    assert page.run(visible, "button:not(.plain):not(.actions *), input, select, [data-tabs]") == 0
    assert page.run(visible, ".cell[data-state]") == 16
    assert page.run(visible, "[data-panel='table'] tbody tr") == 16
    assert (
        page.run("const x = document.querySelector('.scroll.table'); return x.scrollHeight - x.clientHeight")
        <= 1
    )
    assert page.one("#picture-title").text.startswith("V\n3") or "3" in page.one("#picture-title").text


# More than 500 states, or no finite answer.
REFUSED = ("jacks_car_rental", "taxi", "no_proper_policy", "walled_goal")
NAMES = [
    "<script>window.planted = 1</script>",
    "\"double\" & 'single'",
    "Zürich → 東京 🚀",
    "tab\there\x1b[31m",
    "</script><b>x</b>",
    "@data@",
]
CLEAN = "return window.planted === undefined && document.images.length === 0"
VALUES = """
const stateOf = (x) => Number(x.closest('[data-state]').dataset.state);
const found = [...document.querySelectorAll('[data-panel=picture] .value')];
return found.sort((a, b) => stateOf(a) - stateOf(b)).map((x) => Number(x.dataset.value));
"""


@pytest.mark.parametrize("layout", [None, Layout(2, 3)])
def test_names_are_shown_as_text(open_lesson, layout):
    moves = [
        (s, "<img src=x onerror=window.planted=1>", t, 1, 1)
        for s, t in zip(NAMES, NAMES[1:] + NAMES[:1], strict=True)
    ]
    page = open_lesson(
        MDP.from_outcomes(moves, "1/2", name=NAMES[0], source=NAMES[4], states=NAMES, layout=layout)
    )
    press(page, "forward")
    shown = page.run(
        "return [...document.querySelectorAll('[data-panel=table] tbody th')].map((x) => x.textContent)"
    )
    assert shown == [*NAMES[:3], "tab\\there\\x1b[31m", *NAMES[4:]]
    for s in range(len(NAMES)):
        page.run("lesson.store.set({ selected: arguments[0] })", s)
        assert page.one("[data-panel='inspector'] h2 b").text == shown[s]
    assert page.one("h1").text == NAMES[0]
    assert NAMES[4] in page.one("footer").text
    assert page.run(CLEAN)
    assert page.console() == []


@pytest.mark.parametrize("kind", first(["grid", "graph", "tiles", "none"], 2))
def test_each_picture_shows_the_same_values(open_lesson, kind):
    page = open_lesson("gridworld_4x4")
    press(page, "forward", 2)
    choose(page, "picture", kind)
    shown = page.run(VALUES)
    assert shown == ([] if kind == "none" else page.run(SHOWN)["values"])
    assert page.console() == []


COVERED = """
const boxes = [...document.querySelectorAll('.labels text')].map((x) => [x.textContent, x.getBoundingClientRect()]);
return boxes.flatMap(([one, a], i) => boxes.slice(i + 1).filter(([, b]) => a.left < b.right - 1 && b.left < a.right - 1
  && a.top < b.bottom - 4 && b.top < a.bottom - 4).map(([two]) => `${one} on ${two}`));
"""


def test_no_label_of_a_graph_covers_another(open_lesson):
    demand = [("1/4", 0), ("1/2", 1), ("1/4", 2)]
    moves = [
        (f"stock{s}", f"order{a}", f"stock{max(s + a - d, 0)}", p, 2 * a)
        for s in range(3)
        for a in range(3 - s)
        for p, d in demand
    ]
    page = open_lesson(MDP.from_outcomes(moves, "9/10", sense="min"))
    press(page, "forward", 2)
    assert page.run(COVERED) == []
    choose(page, "picture", "tiles")  # which has none
    assert page.console() == []


def test_a_page_of_a_small_model_is_small(open_lesson):
    page = open_lesson("gridworld_4x4")
    assert page.run("return document.documentElement.outerHTML.length") < 1_000_000


def test_the_readme_has_its_screenshots():
    folder = screenshots.FOLDER
    names = {f"lesson-{name}-{theme}.webp" for name in screenshots.SHOTS for theme in ("light", "dark")}
    names |= set(PLOTS)
    assert {path.name for path in folder.iterdir()} == names
    readme = (folder.parent / "README.md").read_text("utf-8")
    assert all(f"pictures/{name}" in readme for name in names)


def test_a_notebook_shows_the_page_that_works(browser, tmp_path):
    frame = lesson(tabular_rl.load("example:forest"))._repr_html_()
    (tmp_path / "notebook.html").write_text(f"<!DOCTYPE html><meta charset=utf-8>{frame}", encoding="utf-8")
    page = browser.open(tmp_path / "notebook.html")
    page.driver.switch_to.frame(0)
    press(page, "forward")
    assert page.run(SHOWN)["values"] == [0, 1, 4]  # the rewards of the best actions


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in tabular_rl.examples() if name not in REFUSED])
def test_the_page_of_each_model_finds_the_same_answer(open_lesson, name):
    mdp = tabular_rl.load(f"example:{name}")
    page = open_lesson(mdp)
    v = np.atleast_2d(tabular_rl.solve(mdp).v)[0]
    found = page.run("return [...lesson.solve.bestAnswer(lesson.base).v]")
    assert found == pytest.approx(v.tolist(), rel=1e-9, abs=1e-9)
    assert page.run("return document.documentElement.scrollWidth") == 1200
    assert page.console() == []
