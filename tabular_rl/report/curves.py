"""Learning curves: errors on the way and at the end, a line a learner, beside what theory says of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tabular_rl.analysis.comparison import Comparison
from tabular_rl.analysis.regret import Regret, middle
from tabular_rl.methods.learning._errors import root_mean_square
from tabular_rl.methods.lookup import METHODS
from tabular_rl.model.numbers import general
from tabular_rl.report.blocks import Block, Curve, Lines, Series, Table, under
from tabular_rl.report.words import cut_short, rate_text, seconds_text
from tabular_rl.solving.learned import Curve as LearningCurve
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.solution import Floats


def curves_blocks(found: Comparison) -> list[Block]:
    """A line a learner: its largest error on the way, and at the end errors, regret and speed."""
    columns = shown_steps(max(curves.learned.steps for curves in found.curves))
    runs = {curves.learned.runs for curves in found.curves}
    several, control = max(runs) > 1, any(curves.regret is not None for curves in found.curves)
    rows = []
    for curves in found.curves:
        learned = curves.learned
        errors = ["" if k > learned.steps else general(error_at(learned, k), 3) for k in columns]
        ends = spread(learned.sup_error)[1:] if learned.runs > 1 else ["", ""]
        rows.append(
            [curves.label, *errors]
            + ends * several
            + [general(middle(learned.rms_error), 3)]
            + [("none" if curves.regret is None else spread(curves.regret.regret)[0])] * control
            + [seconds_text(learned.seconds), rate_text(learned.steps_a_second)]
        )
    headers = ["method", *(f"{k:,}" for k in columns), *["least", "most"] * several, "rms"]
    headers += ["regret"] * control + ["time", "steps a second"]
    of = ""
    if several:
        of = f", median of {max(runs):,} runs" if len(runs) == 1 else ", medians over the runs"
    blocks: list[Block] = [
        Lines([f"largest error after so many steps{of}"]),
        Table(headers, rows, left="method", wrap="method", fold=1),
    ]
    climbers = [c.label for c in found.curves if METHODS[c.learned.method].family == "gradient"]
    if climbers:
        said = "errors are the regret of the policy, as preferences are no values"
        blocks.append(Lines([f"{', '.join(climbers)}: {said}"]))
    blocks += _laws_blocks(found)
    cut = [f"{c.label}: {cut_short(c.learned)}" for c in found.curves if cut_short(c.learned)]
    return [*blocks[:-1], under(blocks[-1], cut)]


def _laws_blocks(found: Comparison) -> list[Block]:
    """The sampled root mean square error beside the expected one, which is exact."""
    known = [(c.label, c.learned.curve, c.law) for c in found.curves if c.law is not None]
    if not known:
        return []
    columns = shown_steps(max(int(law.steps[-1]) for _, _, law in known))
    rows = []
    for label, curve, law in known:
        assert curve is not None
        runs = curve.rms.shape[1]
        sampled = root_mean_square(curve.rms, np.full(runs, 1 / runs))
        for *names, steps, errors in (
            (label, "sampled", curve.steps, sampled),
            ("", "expected", law.steps, law.rms()),
        ):
            at = dict(zip(steps.tolist(), errors.tolist(), strict=True))
            rows.append([*names, *(general(at[k], 3) if k in at else "" for k in columns)])
    headers = ["method", "", *(f"{k:,}" for k in columns)]
    return [
        Lines(["root mean square error, over entries and runs, and what theory says it is"]),
        Table(headers, rows, left="method,", wrap="method", fold=2),
    ]


def shown_steps(last: int, most: int = 4) -> list[int]:
    """The last few powers of ten, and the last step.

    >>> shown_steps(100_000), shown_steps(500), shown_steps(1)
    ([100, 1000, 10000, 100000], [10, 100, 500], [1])
    """
    tens = [10**k for k in range(1, len(str(last))) if 10**k < last]
    return [*tens[1 - most :], last]


def error_at(learned: Learned, step: int) -> float:
    """The median largest error at the last recorded step up to this one."""
    curve = learned.curve
    at = -1 if curve is None else int(np.searchsorted(curve.steps, step, side="right")) - 1
    return math.nan if curve is None or at < 0 else middle(curve.sup[at])


def spread(numbers: Sequence[float] | Floats, digits: int = 3) -> list[str]:
    """Median, least and most of the runs; one number where there is one run; infinite where a policy never ends.

    >>> spread([3.0, 1.0, 2.0]), spread([0.5]), spread([math.nan])
    (['2', '1', '3'], ['0.5'], ['?'])
    """
    values = np.asarray(numbers, dtype=np.float64)
    known = values[~np.isnan(values)]
    count = 1 if len(values) == 1 else 3
    if not len(known):
        return ["?"] * count
    shown = [middle(known), float(known.min()), float(known.max())][:count]
    return [general(x, digits) if math.isfinite(x) else "never ends" for x in shown]


def over_runs(numbers: Floats) -> dict[str, Any]:
    """Median, least, most, and the number of each run."""
    known = numbers[~np.isnan(numbers)]
    return {
        "median": middle(numbers),
        "least": float(known.min()) if len(known) else math.nan,
        "most": float(known.max()) if len(known) else math.nan,
        "runs": numbers.tolist(),
    }


def regret_entries(regret: Regret | None) -> dict[str, Any]:
    """What the greedy policies earn and lose, over the runs."""
    return {
        name: None if regret is None else over_runs(getattr(regret, name)) for name in ("earned", "regret")
    }


def curve_entry(curve: LearningCurve) -> dict[str, Any]:
    """A learning curve: medians over the runs."""
    return {
        "steps": curve.steps.tolist(),
        "sup_error": [middle(row) for row in curve.sup],
        "rms_error": [middle(row) for row in curve.rms],
        "start_value": [middle(row) for row in curve.start],
    }


def runs_curves(found: Comparison) -> dict[str, Curve]:
    """What was measured of the runs of each learner on the way, by its name in a sheet."""

    def curve(quantity: str, y: str, title: str, look: str, logarithmic: str) -> Curve:
        series = [
            Series(c.label, c.learned.curve.steps, getattr(c.learned.curve, quantity), at, look)
            for at, c in enumerate(found.curves)
            if c.learned.curve is not None
        ]
        return Curve(title, "steps", y, series, logarithmic)

    spread = "median, least and most of the runs"
    return {
        "sup": curve("sup", "largest error", spread, "spread", "xy"),
        "rms": curve("rms", "root mean square error", spread, "spread", "xy"),
        "start": curve("start", "value of the start", "runs", "runs", "x"),
    }


def learning_picture(found: Comparison) -> list[Block]:
    """Left the largest error; right the value of the start beside the exact one, in front of what is expected of it.

    That is its mean ± 2 standard deviations, where a law gives it.
    """
    curves = runs_curves(found)
    start = curves["start"]
    laws = []
    for at, c in enumerate(found.curves):
        if c.law is not None:
            mean, off = c.law.start_mean, 2 * c.law.start_sd
            band = np.stack([mean - off, mean, mean + off], axis=1)
            laws.append(Series(f"{c.label}: expected ± 2 sd", c.law.steps, band, at, "expected"))
    exact = Series("exact", np.zeros(1), np.array([found.reference.value_of_start()]), look="level")
    title = "runs, and behind them what is expected" if laws else "runs"
    return [curves["sup"], replace(start, title=title, series=[*laws, *start.series, exact])]


def residuals_picture(found: Comparison) -> list[Block]:
    """How the residual of each method that repeats backups falls."""
    series = []
    for at, row in enumerate(found.rows):
        work, residuals = np.array(row.solution.history, dtype=np.float64).reshape(-1, 2).T
        label = row.method + ("" if (residuals > 0).any() else " (no residuals)")
        series.append(Series(label, work, residuals, at))
    return [Curve("largest change of a value in a sweep", "sweeps", "residual", series, "y")]
