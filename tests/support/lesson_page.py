"""The controls and the numbers of an open lesson page, as tests use them."""

import pytest

TABLE = """
return [...document.querySelectorAll('[data-panel=table] tbody tr')].map(
  (row) => [...row.querySelectorAll('[data-fact]')].map((x) => [x.dataset.value, x.textContent]))
"""
SHOWN = """
const { shown } = lesson.store.state;
return { name: shown.name, values: [...shown.values], greedy: shown.greedy };
"""


def press(page, control, times=1):
    for _ in range(times):
        (button,) = [x for x in page.all(f"[data-control='{control}']") if x.is_displayed()]
        button.click()


def choose(page, control, value):
    page.run(
        "const x = document.querySelector(`[data-control='${arguments[0]}']`); x.value = arguments[1];"
        "x.dispatchEvent(new Event(x.tagName === 'SELECT' ? 'change' : 'input', { bubbles: true }));",
        control,
        value,
    )


def values_of(page):
    """The values in the table, in full; those that are read there are the same in fewer digits."""
    found = []
    for (value, text), *_ in page.run(TABLE):
        found.append(float(value))
        assert float(text.replace("−", "-")) == pytest.approx(float(value), rel=1e-5, abs=1e-12)
    return found
