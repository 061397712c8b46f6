"""The screenshots of the README: `make screenshots` makes them again, in a headless Chromium."""

import base64
import tempfile
from pathlib import Path

from browser import Browser
from plots import draw

import tabular_rl

FOLDER = Path(__file__).resolve().parents[2] / "pictures"
# What is done on the page before it is photographed.
SHOTS = {
    "grid": (
        "aima_4x3",
        "for (let k = 0; k < 6; k += 1) press('forward'); lesson.store.set({ selected: 8 });",
    ),
    "graph": ("student", "for (let k = 0; k < 3; k += 1) press('forward');"),
}
PRESS = "const press = (name) => document.querySelector(`[data-control=${name}]`).click();"


def main() -> None:
    """Write the pictures of a grid and a graph, light and dark, and those that commands draw."""
    FOLDER.mkdir(exist_ok=True)
    draw(FOLDER)
    with tempfile.TemporaryDirectory() as folder:
        browser = Browser(Path(folder))
        try:
            for name, (model, done) in SHOTS.items():
                page = Path(folder) / "page.html"
                tabular_rl.lesson(tabular_rl.load(f"example:{model}")).save(page)
                for theme in ("light", "dark"):
                    browser.fresh().media(theme=theme, motion="reduce").open(page)
                    browser.wait("document.querySelector('[data-panel=challenges]').dataset.ready")
                    browser.run(PRESS + done)
                    browser.run("document.activeElement.blur(); window.scrollTo(0, 0)")
                    shot = browser.command("Page.captureScreenshot", format="webp", quality=90)
                    (FOLDER / f"lesson-{name}-{theme}.webp").write_bytes(base64.b64decode(shot["data"]))
        finally:
            browser.quit()


if __name__ == "__main__":
    main()
