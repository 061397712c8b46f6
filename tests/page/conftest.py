"""One headless Chromium for the tests of a worker, started by the first that needs it."""

import pytest
from browser import Browser, NoBrowser, skip_or_fail

import tabular_rl


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """Return the browser; where none can be had, its tests are skipped with a sentence."""
    try:
        browser = Browser(tmp_path_factory.mktemp("chromium"))
    except NoBrowser as missing:
        skip_or_fail(missing)
    yield browser
    browser.quit()


@pytest.fixture
def browser(chromium):
    """Return it with an empty page of 1200 x 900 pixels in the light theme, and empty logs."""
    return chromium.fresh()


@pytest.fixture
def open_lesson(browser, tmp_path):
    """Open the page of a model: open_lesson(mdp) or open_lesson("forest"), of mdps/."""

    def opened(mdp):
        mdp = tabular_rl.load(f"example:{mdp}") if isinstance(mdp, str) else mdp
        path = tmp_path / "page.html"
        tabular_rl.lesson(mdp).save(path)
        return browser.open(path)

    return opened
