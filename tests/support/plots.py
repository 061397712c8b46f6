"""The pictures of the README that commands draw: `make screenshots` makes them again."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from tabular_rl.commands import run

PLOTS = {
    "plot-cliff.svg": ("solve", "example:cliff_walking"),
    "plot-gambler.svg": ("solve", "example:gambler_40", "--exact"),
}


def draw(folder: Path) -> None:
    """Write them to a folder."""
    for name, arguments in PLOTS.items():
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            code = run([*arguments, "--plot", str(folder / name), "--json", "-qq"])
        assert code == 0, name
