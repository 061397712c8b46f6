"""Every control of every tab, by mouse, keyboard and finger; all tabs on a phone, on paper, with hostile names."""

import base64
import re

import controls
import pytest
from lesson_page import first

import tabular_rl
from tabular_rl.errors import NoFiniteAnswer, OptionError, escape

TABS = "return [...document.querySelectorAll('[role=tab]')].map((x) => x.dataset.control)"
# a grid, a graph, a horizon, costs, ragged actions, one state space without an end
KINDS = (
    "frozen_lake_4x4",
    "student",
    "forest_horizon",
    "machine_replacement",
    "inventory",
    "recycling_robot",
)
BOTH = ("frozen_lake_4x4", "student")  # a grid and a graph


def tabs(page):
    return page.run(TABS)


def settle(page):
    """Wait until nothing is left to do: the page looks for marks and challenges in slices of time."""
    page.wait("document.querySelector('[data-panel=challenges]').dataset.ready")
    return page


@pytest.mark.parametrize("name", first(KINDS[2:], 2))
def test_it_opens_from_a_file_asks_for_nothing_and_logs_no_error(open_lesson, name):
    page = open_lesson(name)
    for tab in tabs(page):
        page.one(f"[data-control={tab}]").click()
    settle(page)
    assert {url.split(":")[0] for url in page.requests()} <= {"file", "data"}
    assert page.console() == []
    assert tabular_rl.load(f"example:{name}").name in page.one("h1").text


@pytest.mark.slow
@pytest.mark.parametrize("name", tabular_rl.examples())
def test_every_bundled_model_has_a_page_that_works(open_lesson, name):
    mdp = tabular_rl.load(f"example:{name}")
    try:
        page = settle(open_lesson(mdp))
    except (NoFiniteAnswer, OptionError):
        assert mdp.S > 500 or name in ("no_proper_policy", "walled_goal")  # without an answer to show
        return
    for tab in tabs(page):
        page.one(f"[data-control={tab}]").click()
        page.run("lesson.store.setModel({ gamma: 0.5, noise: 0.1 })")
        for control in ("hundred", "gradient-ten", "last"):
            for button in page.all(f"[data-control={control}]"):
                if button.is_displayed() and button.is_enabled():
                    button.click()
    assert page.console() == []


@pytest.mark.parametrize("name", first(["two_dice", "gambler_40"]))
def test_it_is_small(name):
    size = len(tabular_rl.lesson(tabular_rl.load(f"example:{name}")).html.encode())
    assert size < (1_000_000 if name == "gambler_40" else 300_000)  # 2500 pairs and 4 of them


def operated(page, tab, use):
    """Use each control of a tab (of the first: of the page); return the names of those with which nothing happens."""
    own = f"[data-tab={tab.removeprefix('tab-')}], [data-learning-curve], [data-learning-run]"
    where = "body" if tab == tabs(page)[0] else own
    page.one(f"[data-control={tab}]").click()
    idle, done = [], [tab]
    while names := [name for name in controls.named(page, where) if name not in done]:
        name = names[0]
        done.append(name)
        before = page.run(controls.LOOK)
        for place in (0, -1):  # the first of its name, and another one
            if not (found := controls.find(page, name)):
                break
            pressed = found[place].get_attribute("aria-pressed") == "true"
            use(page, found[place])
            changed = pressed or page.run(controls.LOOK) != before
            if name == "play":
                use(page, controls.find(page, name)[place])  # pause
            if changed:
                break
        else:
            idle.append(name)
        if page.run("return document.querySelector('[aria-selected=true]').dataset.control") != tab:
            page.one(f"[data-control={tab}]").click()
    return idle


@pytest.mark.parametrize("name", first(BOTH))
def test_every_control_works_by_mouse(open_lesson, name):
    page = settle(open_lesson(name))
    for tab in tabs(page):
        assert operated(page, tab, controls.use_by_pointer) == [], tab
    assert page.console() == []


@pytest.mark.slow
@pytest.mark.parametrize("name", BOTH)
def test_every_control_is_reached_and_works_by_keyboard(open_lesson, name):
    def use(page, element):
        page.run("arguments[0].focus()", element)
        controls.use_by_keyboard(page, element)

    page = settle(open_lesson(name))
    for tab in tabs(page):
        page.one(f"[data-control={tab}]").click()
        settle(page)
        reached, without_ring = controls.tab_order(page)
        # one stop a group whose arrow keys go on: tabs, and the states of a picture
        usable = [x for x in controls.controls(page) if x.get_attribute("tabindex") != "-1"]
        assert [x.get_attribute("outerHTML")[:100] for x in usable if x not in reached] == [], tab
        assert without_ring == [], tab
        assert operated(page, tab, use) == [], tab
    assert page.console() == []


TARGETS = """
return [...document.querySelectorAll("button, select, input, summary")].filter((x) => x.checkVisibility()).map((x) => {
  const label = x.labels && (x.type === "checkbox" || x.type === "radio") ? x.labels[0] : null;
  const box = (label ?? x).getBoundingClientRect();
  const own = x.getBoundingClientRect();
  return [x.outerHTML.slice(0, 90), Math.max(box.width, own.width), Math.max(box.height, own.height)];
}).filter(([, width, height]) => width < 23.9 || height < 23.9);
"""

OUTSIDE = """
const scrolls = (x) => { for (let y = x.parentElement; y; y = y.parentElement)
  if (["auto", "scroll", "hidden", "clip"].includes(getComputedStyle(y).overflowX)) return true; return false; };
return [...document.querySelectorAll("main *")].filter((x) => x.checkVisibility() && !scrolls(x)
  && x.getBoundingClientRect().right > innerWidth + 1).map((x) => x.outerHTML.slice(0, 90));
"""


@pytest.mark.parametrize("name", first(KINDS[1:], 2))
def test_a_phone_shows_it_without_scrolling_sideways_and_fingers_find_their_targets(
    open_lesson, browser, name
):
    page = open_lesson(name).shape(360, 740, touch=True)
    for tab in tabs(page):
        page.one(f"[data-control={tab}]").click()
        settle(page)
        assert page.run(OUTSIDE) == [], tab
        assert page.run("return document.documentElement.scrollWidth") <= 360, tab
        assert page.run(TARGETS) == [], tab


@pytest.mark.slow
def test_every_control_works_with_a_finger(open_lesson, browser):
    def use(page, element):
        kind = element.get_attribute("type") if element.tag_name == "input" else element.tag_name
        if kind in ("select", "number", "text"):
            controls.use_by_pointer(page, element)
            return
        page.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
        share = 0.5 if kind != "range" else 0.25 if controls.far_from(page, element) else 0.75
        x, y = page.run(
            "const b = arguments[0].getBoundingClientRect(); return [b.x + arguments[1] * b.width, b.y + b.height / 2]",
            element,
            share,
        )
        page.command("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        page.command("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    page = settle(open_lesson("frozen_lake_4x4").shape(360, 740, touch=True))
    for tab in tabs(page):
        assert operated(page, tab, use) == [], tab
    assert page.console() == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_fault_in_any_tab(open_lesson, browser, theme):
    browser.media(theme=theme)
    page = settle(open_lesson(BOTH[0]))
    for tab in tabs(page)[1:]:  # test_page.py has the first
        page.one(f"[data-control={tab}]").click()
        assert page.faults() == [], tab


HOSTILE = [
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    '"><svg onload="window.hacked = 1">',
    "' onclick='window.hacked = 1'",
    "</script><script>window.hacked = 1</script>",
    "<!-- --> ]]> &lt; &amp;",
    "tab\tbell\x07escape\x1b[31mred",
    "right\u202eto left\u202c, zero\u200bwidth, 東京, é, 🚕",
    "${window.hacked = 1} `\\n` @script@ __proto__",
    "constructor",
    "a name " + "without an end " * 12 + ".",
]


@pytest.fixture
def hostile():
    n = len(HOSTILE)
    rows = [(HOSTILE[s], HOSTILE[-1 - s], HOSTILE[(s + 1) % n], 1, s) for s in range(n - 1)]
    rows += [(HOSTILE[s], "__proto__", HOSTILE[s], 1, 1) for s in range(n - 1)]
    return tabular_rl.MDP.from_outcomes(rows, "9/10", terminal=[HOSTILE[-1]], name=HOSTILE[4])


def test_names_are_text_whatever_they_hold(open_lesson, hostile):
    page = open_lesson(hostile)
    settle(page)
    for tab in tabs(page):
        page.one(f"[data-control={tab}]").click()
        for s in range(hostile.S):
            page.run("lesson.store.set({selected: arguments[0]})", s)
    assert page.run(
        "return window.hacked === undefined && document.querySelectorAll('svg[onload], img').length === 0"
    )
    assert page.console() == []
    whole = page.run("return document.body.textContent")
    for name in HOSTILE:
        if not re.search(r"[\x00-\x1f\x7f\u202e\u202c\u200b]", name):
            assert escape(name) in whole, name
    assert not re.search(r"[\x07\x1b]", whole)
    assert page.one("h1").text == HOSTILE[4]


def test_long_names_do_not_push_the_page_wider_than_a_phone(open_lesson, hostile):
    page = open_lesson(hostile).shape(360, 740)
    for tab in tabs(page):
        page.one(f"[data-control={tab}]").click()
        assert page.run("return document.documentElement.scrollWidth") <= 360, tab


@pytest.mark.parametrize("name", first(BOTH))
def test_paper_holds_the_state_and_the_table_and_no_controls(open_lesson, browser, name):
    page = open_lesson(name).media(kind="print", theme="dark").shape(718, 1000)
    for tab in tabs(page):
        page.run("document.querySelector(arguments[0]).click()", f"[data-control={tab}]")
        seen = page.run(
            "return [...document.querySelectorAll('input, select, button[data-control]')].filter((x) =>"
            "x.checkVisibility() && getComputedStyle(x).borderTopWidth !== '0px').map((x) => x.outerHTML.slice(0, 80))"
        )
        assert seen == [], tab
        assert page.run("return document.querySelector('[data-panel=table] table').checkVisibility()")
        assert page.run("return document.documentElement.scrollWidth") <= 718, tab
        ground = page.run("return getComputedStyle(document.body).backgroundColor")
        assert ground in ("rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"), "paper is white in the dark theme too"
    page.media(kind="")
    pdf = base64.b64decode(page.command("Page.printToPDF", printBackground=True)["data"])
    assert pdf.startswith(b"%PDF") and 1 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 12
