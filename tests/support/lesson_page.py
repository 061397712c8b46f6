"""The controls and the numbers of an open lesson page, as tests use them."""

import pytest

SHOWN = """
const { shown } = lesson.store.state;
return { name: shown.name, values: [...shown.values], greedy: shown.greedy };
"""
# Goes on step by step with the button, and reads what stands in the table and beside the scrubber each time.
STEPS = """
const fact = (name) => {
  const found = document.querySelector(`[data-panel=sweeps] [data-fact=${name}]`);
  return found === null ? null : Number(found.dataset.value);
};
const found = [];
for (let k = 0; k <= arguments[0]; k += 1) {
  const { shown } = lesson.store.state;
  const cells = [...document.querySelectorAll('[data-panel=table] tbody [data-fact=value]')];
  found.push({
    name: shown.name, greedy: shown.greedy, error: fact('error'), bound: fact('bound'),
    values: cells.map((x) => Number(x.dataset.value)), texts: cells.map((x) => x.textContent),
  });
  if (k < arguments[0]) document.querySelector('[data-panel=sweeps] [data-control=forward]').click();
}
return found;
"""


def steps_of(page, n):
    """The step that is shown and the next n: name, values in full, greedy rows, error and bound.

    The numbers that a reader sees are the same in fewer digits.
    """
    found = page.run(STEPS, n)
    for step in found:
        read = [float(text.replace("−", "-")) for text in step["texts"]]
        assert read == pytest.approx(step["values"], rel=1e-5, abs=1e-12)
    return found


def first(names, count=1):
    """Return names for parametrize; those after the first `count` are slow."""
    return [*names[:count], *(pytest.param(name, marks=pytest.mark.slow) for name in names[count:])]


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
    """The values in the table, in full."""
    return steps_of(page, 0)[0]["values"]
