"""Options: one meaning, one range, for Python and the command line alike."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tabular_rl import OptionError
from tabular_rl.methods.lookup import PLANNERS, planner_of
from tabular_rl.solving.options import OPTIONS, check


@pytest.mark.parametrize(
    ("name", "given", "meant"),
    [
        ("tolerance", "1e-3", 1e-3), ("tolerance", 1, 1.0), ("tolerance", np.float64(0.5), 0.5),
        ("tolerance", 1e-300, 1e-300),
        ("sweeps", 10, 10), ("sweeps", 1e3, 1000), ("sweeps", "7", 7), ("sweeps", 2**53, 2**53),
        ("inner_sweeps", 0, 0), ("inner_sweeps", None, None), ("time_limit", 0, 0.0), ("time_limit", None, None),
        ("relative", True, True), ("linear_solver", "dense", "dense"), ("threads", 4, 4),
    ],
)  # fmt: skip
def test_values_in_range_become_python_scalars(name, given, meant):
    found = OPTIONS[name].check(given)
    assert found == meant
    assert type(found) is type(meant)


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("tolerance", 0, "a number from 1e-300 to 1e+300"), ("tolerance", -1, "a number from 1e-300 to 1e+300"),
        ("tolerance", math.nan, "a number from"), ("tolerance", "1e-400", "a number from"),
        ("tolerance", True, "a number"),
        ("tolerance", "small", "a number from"), ("tolerance", [1], "a number from"),
        ("tolerance", math.inf, "a number from"),
        ("sweeps", 0, "a whole number from 1 to 9007199254740992"), ("sweeps", 1.5, "a whole number from 1"),
        ("sweeps", 10**18, "a whole number from 1"), ("sweeps", "1.5", "a whole number"),
        ("sweeps", math.inf, "a whole number"),
        ("threads", 0, "a whole number from 1 to 1024"), ("threads", 1025, "a whole number from 1 to 1024"),
        ("inner_sweeps", -1, "a whole number from 0"), ("time_limit", -1, "a number from 0 to 1e+09"),
        ("relative", 1, "true or false"), ("relative", "yes", "true or false"),
        ("linear_solver", "fast", "one of auto, dense, sparse, elimination, iterative"),
        ("linear_solver", 3, "one of auto"),
    ],
)  # fmt: skip
def test_values_out_of_range_are_named(name, given, expected):
    with pytest.raises(OptionError) as caught:
        OPTIONS[name].check(given)
    assert str(caught.value).startswith(f"{name}: found '{given}', expected {expected}")
    assert caught.value.exit_code == 2


def test_several_are_checked_in_order():
    assert check(tolerance=1e-6, sweeps=10.0) == (1e-6, 10)
    assert check() == ()


def test_every_option_of_a_method_is_in_the_table_and_its_default_in_range():
    for name, function in PLANNERS.items():
        for key, (option, default) in function.options.items():
            assert OPTIONS[key] is option
            assert option.help
            assert option.flag == "--" + key.replace("_", "-")
            assert option.check(default) == default, (name, key)


def test_unknown_method_names_the_nearest_and_lists_the_rest():
    with pytest.raises(
        OptionError, match="'value-iterations': no such method; did you mean 'value-iteration'"
    ) as caught:
        planner_of("value-iterations", "control")
    assert "policy-iteration" in str(caught.value)
    assert "policy-evaluation" not in str(caught.value)
    with pytest.raises(OptionError, match="'policy-evaluation' evaluates a policy, expected one of auto, "):
        planner_of("policy-evaluation", "control")
    with pytest.raises(
        OptionError, match="'value-iteration' finds the best policy, expected one of auto-evaluation"
    ):
        planner_of("value-iteration", "prediction")
    assert planner_of("auto", "prediction") is PLANNERS["auto-evaluation"]


def test_unknown_option_names_the_nearest():
    with pytest.raises(
        OptionError, match="tolerence: value-iteration has no such option; did you mean 'tolerance'"
    ):
        PLANNERS["value-iteration"].check_options({"tolerence": 1})
    PLANNERS["value-iteration"].check_options({"sweeps": 1, "start_from": None})
