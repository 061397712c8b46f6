"""What tests of formats ask of what is read: that it is the same model, or an error that a user can read."""

from __future__ import annotations

import numpy as np
from random_models import ARRAYS

from tabular_rl import MDP
from tabular_rl.errors import ModelError, TabularError
from tabular_rl.formats import load


def same(a: MDP, b: MDP) -> None:
    assert a == b
    assert a.digest == b.digest
    assert (a.gamma_exact, a.states, a.actions, a.horizon, a.sense) == (
        b.gamma_exact, b.states, b.actions, b.horizon, b.sense,
    )  # fmt: skip
    for field in ARRAYS:
        x, y = getattr(a, field), getattr(b, field)
        assert (x is None) == (y is None), field
        assert x is None or np.array_equal(x, y), field
        assert x is None or x.dtype == y.dtype, field
        assert x is None or not y.flags.writeable, field


def try_to_read(path, source, **asked):
    try:
        load(path, **asked).validate()
    except ModelError as error:
        lines = str(error).split("\n")
        assert all(line.startswith((str(source), "... and ")) for line in lines)
        assert all(line.isprintable() for line in lines)
    except TabularError:
        raise AssertionError("not an error of the model") from None
