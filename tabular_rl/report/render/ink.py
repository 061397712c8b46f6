"""What all pictures share: the colours of values, the ink that can be read on them, and texts as they are drawn."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import escape

# Fonts with the letters of many scripts, as systems have them.
WIDE_FONTS = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Source Han Sans", "Droid Sans Fallback", "WenQuanYi Zen Hei",
    "PingFang SC", "Hiragino Sans", "Microsoft YaHei", "Arial Unicode MS", "Noto Sans", "Unifont",
)  # fmt: skip
LONGEST = 1000  # letters of a line
COLOURS_OF_VALUES = "viridis"  # its lightness rises evenly: in grey, and for every eye, more stays brighter

ANCHORS = (
    0x440154, 0x48186A, 0x472D7B, 0x424086, 0x3B528B, 0x33638D, 0x2C728E, 0x26828E, 0x21918C, 0x1FA088, 0x28AE80,
    0x3FBC73, 0x5EC962, 0x84D44B, 0xADDC30, 0xD8E219, 0xFDE725,
)  # fmt: skip


def face(share: float) -> NDArray[np.float64]:
    """Return the colour (red, green, blue) of a value that lies so far between the least, 0, and the largest, 1.

    >>> face(0.0).round(2).tolist(), face(1.0).round(2).tolist()
    ([0.27, 0.0, 0.33], [0.99, 0.91, 0.15])
    """
    steps = np.linspace(0.0, 1.0, len(ANCHORS))
    parts = [np.array([anchor >> shift & 255 for anchor in ANCHORS]) / 255 for shift in (16, 8, 0)]
    return np.array([np.interp(share, steps, part) for part in parts])


def scale(values: NDArray[Any], down: bool) -> tuple[Any, Any]:
    """Return the range of values and the colours of it; `down` where less is better: then less is bright."""
    import matplotlib
    from matplotlib.colors import Normalize

    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return Normalize(low, high), matplotlib.colormaps[COLOURS_OF_VALUES + "_r" * down]


def fonts() -> list[str]:
    """Return the fonts that texts are drawn with: matplotlib's own, and behind it those at hand with other letters."""
    from matplotlib import font_manager

    there = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in WIDE_FONTS if name in there)]


def inks(face: NDArray[Any]) -> str:
    """Return black or white, whichever can be read on a colour: their contrast is 4.5 at least.

    >>> inks(np.array([1.0, 1.0, 0.9])), inks(np.array([0.2, 0.0, 0.3]))
    ('black', 'white')
    """
    light = luminance(face)
    return "black" if (light + 0.05) / 0.05 >= 1.05 / (light + 0.05) else "white"


def luminance(face: NDArray[Any]) -> float:
    """Return how bright a colour (red, green, blue) is, from 0 to 1, as the rules of contrast of the web measure it."""
    c = np.asarray(face, dtype=np.float64)[:3]
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def fitted(text: str, inches: float, points: float = 10.0) -> str:
    """Return a text as it is drawn, broken at spaces.

    Parameters
    ----------
    text : what is drawn
    inches : how wide a line may be
    points : the size of the letters

    Returns
    -------
    Lines.
    """
    most = max(int(72 * inches / (0.55 * points)), 16)
    whole = text.replace(" = ", "\u00a0=\u00a0")  # at which no line is broken
    lines = [part for line in whole.split("\n") for part in textwrap.wrap(line, most) or [""]]
    return drawn("\n".join(lines).replace("\u00a0", " "))


def drawn(text: str) -> str:
    """Return a text that is drawn as it stands: `$` would begin mathematics."""
    return "\n".join(escape(line, LONGEST) for line in text.split("\n")).replace("$", r"\$")
