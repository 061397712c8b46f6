"""The models that come along, as parameters of tests: the large ones on demand."""

from __future__ import annotations

from typing import Any

import pytest

from tabular_rl import examples

LARGE = {"gambler_25", "gambler_40", "jacks_car_rental", "optimal_growth", "taxi"}


def shipped() -> list[Any]:
    """Return their names."""
    return [pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name for name in examples()]
