"""The browser of the tests sees what it is there to see: planted faults of a page."""

import pytest
from browser import Browser, NoBrowser, programs, skip_or_fail

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>t</title></head>
<body><main><h1>t</h1>{}</main></body></html>"""


@pytest.fixture
def opened(browser, tmp_path):
    def open_page(body):
        (tmp_path / "page.html").write_text(PAGE.format(body), encoding="utf-8")
        return browser.open(tmp_path / "page.html")

    return open_page


def test_a_plain_page_has_no_fault(opened):
    page = opened("<p>v(s)</p>")
    assert [url.split(":")[0] for url in page.requests()] == ["file"]
    assert page.console() == page.faults() == []


def test_a_request_is_seen_and_does_not_leave(opened):
    page = opened('<p><img alt="" src="http://example.com/a.png">')
    assert "http://example.com/a.png" in page.requests()
    assert any("ERR_NAME_NOT_RESOLVED" in line for line in page.console())


def test_an_exception_that_nobody_caught_is_seen(opened):
    assert any("planted" in line for line in opened("<script>throw new Error('planted')</script>").console())


def test_a_button_without_a_name_is_seen(opened):
    assert any(fault.startswith("button-name (critical)") for fault in opened("<button></button>").faults())


def test_width_theme_and_paper_are_emulated(opened):
    page = opened("<p>v(s)</p>").shape(360, 640, touch=True).media(theme="dark", kind="print")
    matches = "return matchMedia(arguments[0]).matches"
    assert page.run("return innerWidth") <= 980  # no viewport is asked for: what a phone assumes
    for query in ("(prefers-color-scheme: dark)", "print", "(pointer: coarse)"):
        assert page.run(matches, query), query


@pytest.mark.parametrize(
    ("required", "outcome"), [("", pytest.skip.Exception), ("required", pytest.fail.Exception)]
)
def test_a_missing_browser_is_named_and_an_error_where_it_is_required(monkeypatch, required, outcome):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("TABULAR_RL_CHROMIUM", raising=False)
    monkeypatch.setenv("TABULAR_RL_BROWSER", required)
    with pytest.raises(NoBrowser, match="no chromium found") as missing:
        programs()
    with pytest.raises(outcome, match="apt-get install chromium"):
        skip_or_fail(missing.value)


def test_a_browser_that_does_not_start_is_named(monkeypatch, tmp_path):
    driver = programs_or_skip()[1]
    monkeypatch.setenv("TABULAR_RL_CHROMIUM", "/bin/false")
    monkeypatch.setenv("TABULAR_RL_CHROMEDRIVER", driver)
    with pytest.raises(NoBrowser, match="/bin/false does not start: "):
        Browser(tmp_path)


def programs_or_skip():
    try:
        return programs()
    except NoBrowser as missing:
        skip_or_fail(missing)
