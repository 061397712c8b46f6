"""A headless Chromium that opens pages from files: what it asked for, what it logged, how it can be used.

Debian's packages are chromium and chromium-driver; elsewhere TABULAR_RL_CHROMIUM and TABULAR_RL_CHROMEDRIVER name the
two programs. Nothing is downloaded and no name is resolved.
"""

import json
import os
import shutil
from importlib import resources
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SWITCHES = (
    "--headless=new",
    "--no-sandbox",  # as root and in containers there is none
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--force-device-scale-factor=1",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


class NoBrowser(Exception):
    """No browser can be driven here; the sentence says what is missing."""


def skip_or_fail(missing: NoBrowser):
    """Skip the test, or fail it if TABULAR_RL_BROWSER=required, as .ci/run asks."""
    if os.environ.get("TABULAR_RL_BROWSER") == "required":
        pytest.fail(f"TABULAR_RL_BROWSER=required, but {missing}", pytrace=False)
    pytest.skip(f"the lesson page is not opened: {missing}")


def programs() -> tuple[str, str]:
    """Return the paths of Chromium and of its driver, or say which of them is missing."""
    browser = os.environ.get("TABULAR_RL_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    driver = os.environ.get("TABULAR_RL_CHROMEDRIVER") or shutil.which("chromedriver")
    if not browser or not driver:
        missing = "chromium" if not browser else "chromedriver"
        raise NoBrowser(f"no {missing} found; on Debian: apt-get install chromium chromium-driver")
    return browser, driver


class Browser:
    """One Chromium with a profile of its own, in `folder`."""

    def __init__(self, folder: Path):
        chromium, chromedriver = programs()
        try:
            from selenium import webdriver
            from selenium.common.exceptions import WebDriverException
        except ImportError as error:
            raise NoBrowser("selenium is not installed; pip install 'tabular-rl[test]'") from error
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for switch in (*SWITCHES, f"--user-data-dir={folder / 'profile'}"):
            options.add_argument(switch)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = webdriver.ChromeService(chromedriver, log_output=str(folder / "chromedriver.log"))
        try:
            self.driver = webdriver.Chrome(options=options, service=service)
        except WebDriverException as error:
            raise NoBrowser(f"{chromium} does not start: {str(error.msg).splitlines()[0]}") from error
        self.driver.set_script_timeout(60)

    def quit(self):
        self.driver.quit()

    def fresh(self):
        """Forget the last page: an empty page, 1200 x 900, light, with empty logs."""
        self.driver.get("about:blank")
        self.shape(1200, 900)
        self.media()
        self.requests(), self.console()
        return self

    def open(self, path: Path):
        """Open a file, as a double click does."""
        self.driver.get(Path(path).resolve().as_uri())
        return self

    def shape(self, width: int, height: int, *, touch: bool = False):
        """Give the page this many CSS pixels (a window of Chromium has at least 500) and, if so, a finger."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=touch,
        )
        self.command("Emulation.setTouchEmulationEnabled", enabled=touch)
        return self

    def media(self, *, theme: str = "light", motion: str = "no-preference", kind: str = ""):
        """Say what the reader's system prefers; `kind` is "print" for paper."""
        features = [
            {"name": "prefers-color-scheme", "value": theme},
            {"name": "prefers-reduced-motion", "value": motion},
        ]
        self.command("Emulation.setEmulatedMedia", media=kind, features=features)
        return self

    def command(self, name: str, **parameters):
        """Give a command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, parameters)

    def run(self, script: str, *arguments):
        """Run JavaScript in the page; `return` gives a value back, arguments are `arguments[0]` and on."""
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition: str, seconds: float = 60):
        """Go on once a JavaScript expression is true: the page works in slices, between which it answers."""
        self.driver.set_script_timeout(seconds)
        self.driver.execute_async_script(
            f"const done = arguments[0], look = () => ({condition}) ? done() : setTimeout(look, 5); look()"
        )

    def all(self, selector: str) -> list:
        """Return the elements that a CSS selector finds."""
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str):
        """Return the only element that a CSS selector finds."""
        found = self.all(selector)
        assert len(found) == 1, f"{len(found)} elements are {selector}, expected one"
        return found[0]

    def requests(self) -> list[str]:
        """Return the addresses asked for since the last call."""
        messages = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]

    def console(self) -> list[str]:
        """Return what the page logged since the last call, exceptions that nobody caught among it."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def faults(self, impacts: tuple[str, ...] = ("serious", "critical")) -> list[str]:
        """Return what axe-core finds of these impacts: rule, where, and why."""
        axe = resources.files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
        if not self.run("return 'axe' in window"):
            self.run(axe)
        found = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run(document).then(r => done(r.violations), e => done(String(e)))"
        )
        assert isinstance(found, list), found
        return [
            f"{fault['id']} ({fault['impact']}): {node['html'][:120]}: {node['failureSummary']}"
            for fault in found
            if fault["impact"] in impacts
            for node in fault["nodes"]
        ]
