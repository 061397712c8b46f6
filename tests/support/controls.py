"""What a reader can do to a page: use each control by mouse, by keyboard, or with a finger, and see what happens."""

from browser import Browser
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

CONTROLS = "button, input, select, summary, textarea, [tabindex='0']"

# What a reader could notice, in a number: the whole page, and what stands in its fields.
LOOK = """
const fields = [...document.querySelectorAll("input, select, textarea, details")];
const text = document.documentElement.dataset.theme + document.querySelector("main").innerHTML
  + JSON.stringify(fields.map((x) => [x.value, x.checked, x.open]));
let sum = 0;
for (let k = 0; k < text.length; k += 1) sum = (Math.imul(sum, 31) + text.charCodeAt(k)) | 0;
return sum;
"""

VISIBLE = f"""
return [...document.querySelectorAll("{CONTROLS}")].filter((x) => x.checkVisibility() && !x.disabled);
"""

NAMES = VISIBLE.replace(
    ";", ".filter((x) => x.dataset.control && x.closest(arguments[0])).map((x) => x.dataset.control);"
)


def controls(page: Browser) -> list:
    """Return each element that can be seen and used."""
    return page.run(VISIBLE)


def named(page: Browser, where: str = "body") -> list[str]:
    """Return the names of those in a part of the page that have one, `data-control`, each once."""
    return list(dict.fromkeys(page.run(NAMES, where)))


def find(page: Browser, name: str) -> list:
    """Return those of a name: the first, and the last if it is another one."""
    found = page.run(VISIBLE.replace(";", ".filter((x) => x.dataset.control === arguments[0]);"), name)
    return [*found[:1], *found[1:][-1:]]


def use_by_pointer(page: Browser, element) -> None:
    """Press it with a mouse; take another option of a choice; press a slider at a quarter of its length."""
    kind = element.tag_name if element.tag_name != "input" else element.get_attribute("type")
    page.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
    if kind == "select":
        pick_other(page, element)
    elif kind == "range":
        width = element.size["width"]
        share = 0.25 if far_from(page, element) else 0.75
        ActionChains(page.driver, duration=0).move_to_element_with_offset(
            element, int((share - 0.5) * width), 0
        ).click().perform()
    elif kind in ("number", "text"):
        element.click()
        type_number(element)
    else:
        element.click()


def use_by_keyboard(page: Browser, element) -> None:
    """Do to the element that has the focus what its kind takes: arrows, the space bar, digits, Enter."""
    kind = element.tag_name if element.tag_name != "input" else element.get_attribute("type")
    if kind == "select":
        last = page.run("return arguments[0].selectedIndex === arguments[0].length - 1", element)
        press(page, Keys.ARROW_UP if last else Keys.ARROW_DOWN)
    elif kind == "range":
        press(
            page,
            Keys.ARROW_LEFT
            if page.run("return arguments[0].value === arguments[0].max", element)
            else Keys.ARROW_RIGHT,
        )
    elif kind in ("number", "text"):
        type_number(element)
    else:
        press(page, Keys.SPACE)


def type_number(element) -> None:
    """Type a number into a field: another one than stands there."""
    high = float(element.get_attribute("max") or 10)
    low = float(element.get_attribute("min") or 0)
    old = float(element.get_attribute("value") or 0)
    for share in (0.25, 0.5):
        new = low + share * (high - low)
        if element.get_attribute("step") == "1":
            new = round(new)
        if new != old:
            break
    element.send_keys(Keys.CONTROL, "a")
    element.send_keys(f"{new:g}", Keys.ENTER)


def pick_other(page: Browser, select) -> None:
    page.run(
        "const x = arguments[0]; x.selectedIndex = (x.selectedIndex + 1) % x.length;"
        "x.dispatchEvent(new Event('input', {bubbles: true})); x.dispatchEvent(new Event('change', {bubbles: true}))",
        select,
    )


def far_from(page: Browser, slider) -> bool:
    """Whether the thumb of a slider is away from its first quarter."""
    return page.run(
        "const x = arguments[0]; return Math.abs((x.value - x.min) / (x.max - x.min) - 0.25) > 0.1", slider
    )


def press(page: Browser, key: str) -> None:
    ActionChains(page.driver, duration=0).send_keys(key).perform()


ENDS = """
for (const place of ["prepend", "append"]) {
  const end = document.createElement("button");
  end.className = "end-of-order";
  document.body[place](end);
}
document.querySelector(".end-of-order").focus();
"""

HERE = """
const here = document.activeElement;
const look = getComputedStyle(here.querySelector(".disc") ?? here);
const ring = look.outlineStyle !== "none" && parseFloat(look.outlineWidth) >= 1 || parseFloat(look.strokeWidth) >= 3;
return [here, here.className === "end-of-order", ring];
"""


def tab_order(page: Browser, limit: int = 400) -> tuple[list, list[str]]:
    """Return the elements that the Tab key comes to, from the top of the page to its end, and those without a ring."""
    page.run(ENDS)
    found: list = []
    plain: list[str] = []
    for _ in range(limit):
        press(page, Keys.TAB)
        element, end, ring = page.run(HERE)
        if end:
            page.run("for (const x of document.querySelectorAll('.end-of-order')) x.remove()")
            return found, plain
        found.append(element)
        if not ring:
            plain.append(element.get_attribute("outerHTML")[:100])
    raise AssertionError(f"Tab comes to more than {limit} elements")
