"""Reading TOML: what files mean, and what is said of those that are wrong."""

# ruff: noqa: E501  (tables of cases: one a line)

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest

from tabular_rl.errors import ModelError
from tabular_rl.formats import load, save

ROBOT = """
discount = 0.9
start = "high"
[state.high]
search = { to = { high = "2/3", low = "1/3" }, reward = 5 }
wait = { to = "high", reward = 0.1 }
[state.low]
search = { to = [
  { state = "low", p = 0.6, reward = 5 },
  { state = "high", p = 0.4, reward = -3 },
] }
recharge = { to = "high" }
"""
OK = '[state.a]\ngo = { to = "a" }\n'


@pytest.fixture
def read(tmp_path):
    def read(text, **options):
        path = tmp_path / "m.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(path, **options)

    return read


@pytest.fixture
def said(read, tmp_path):
    """The lines of the error that a text gives, without the folder."""

    def said(text, **options):
        with pytest.raises(ModelError) as caught:
            read(text, **options)
        return str(caught.value).replace(f"{tmp_path}/", "").split("\n")

    return said


def rows(mdp):
    return {
        (mdp.states[s], mdp.actions[int(mdp.pair_action[i])]): (
            {mdp.states[s2]: p for s2, p in mdp.rational(i)[0]},
            mdp.rational(i)[1],
        )
        for s in range(mdp.S)
        for i in mdp.rows(s)
    }


def test_numbers_are_what_they_spell(read):
    mdp = read(ROBOT)
    assert rows(mdp) == {
        ("high", "search"): ({"high": F(2, 3), "low": F(1, 3)}, F(5)),
        ("high", "wait"): ({"high": F(1)}, F(1, 10)),
        ("low", "search"): ({"low": F(3, 5), "high": F(2, 5)}, F(9, 5)),  # 0.6 * 5 - 0.4 * 3
        ("low", "recharge"): ({"high": F(1)}, F(0)),
    }
    assert mdp.gamma_exact == F(9, 10)
    assert list(mdp.states) == ["high", "low"]
    assert list(mdp.actions) == ["search", "wait", "recharge"]
    assert mdp.start.tolist() == [1.0, 0.0]
    assert mdp.start_given


def test_lists_give_the_order(read):
    mdp = read('states = ["low", "high"]\nactions = ["wait", "recharge", "search", "sleep"]\n' + ROBOT)
    assert list(mdp.states) == ["low", "high"]
    assert list(mdp.actions) == ["wait", "recharge", "search", "sleep"]
    assert rows(mdp) == rows(read(ROBOT))


def test_terminal_states_come_last(read):
    mdp = read('discount = 1\nterminal = ["end", "other"]\n[state.a]\ngo = { to = "end" }\n')
    assert list(mdp.states) == ["a", "end", "other"]
    assert mdp.terminal.tolist() == [False, True, True]


def test_finite_horizon(read):
    mdp = read(
        'discount = 1\nhorizon = 3\nfinal_reward = { b = "1/3" }\n' + OK + '[state.b]\ngo = { to = "a" }\n'
    )
    assert mdp.horizon == 3
    assert list(mdp.exact.final_reward) == [F(0), F(1, 3)]


def test_numbers_as_doubles(read):
    mdp = read('numbers = "float64"\ndiscount = 0.9\n[state.a]\ngo = { to = { a = 0.1, b = 0.9 }, reward = "1/3" }\n'
               '[state.b]\ngo = { to = "a" }\n')  # fmt: skip
    assert mdp.exact is None
    assert mdp.prob.tolist() == [0.1, 0.9, 1.0]
    assert mdp.r.tolist() == [1 / 3, 0.0]
    assert mdp.gamma_exact == F(0.9) != F(9, 10)
    assert read('numbers = "float64"\ndiscount = "9/10"\n' + OK).gamma_exact == F(9, 10)


def test_thirds_of_a_program_are_doubles(read):
    text = '[state.a]\ngo = { to = [ { state = "a", p = 0.33333333333333337 }, { state = "a", p = 0.33333333333333337 }, { state = "a", p = 0.3333333333333333 } ] }\n'
    assert read('numbers = "float64"\ndiscount = 1\n' + text).exact is None


def test_ten_tenths_are_one(read):
    ten = ", ".join('{ state = "a", p = 0.1 }' for _ in range(10))
    assert read(f"discount = 1\n[state.a]\ngo = {{ to = [{ten}] }}\n").prob.tolist() == [0.1] * 10


def test_normalize_rescales_in_rationals(read):
    mdp = read("discount = 1\n[state.a]\ngo = { to = { a = 0.333, b = 0.333, c = 0.333 } }\n"
               "[state.b]\ngo = { to = 'a' }\n[state.c]\ngo = { to = 'a' }\n", normalize=True)  # fmt: skip
    assert list(mdp.exact.prob)[:3] == [F(1, 3)] * 3
    assert mdp.facts.correction == float(F(1, 3) - F(333, 1000))


@pytest.mark.parametrize("name", ["0", "01", "1e0", "nan", "true", "-"])
def test_names_are_never_numbers(read, name):
    mdp = read(f'discount = 1\n[state.{name}]\n{name} = {{ to = "{name}" }}\n')
    assert (mdp.states[0], mdp.actions[0]) == (name, name)


def test_minus_zero_is_zero(read):
    assert (
        read('discount = 1\n[state.a]\ngo = { to = { a = 1, b = -0.0 } }\n[state.b]\ngo = { to = "a" }\n').K
        == 3
    )


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_byte_order_mark_change_nothing(read, end):
    text = ROBOT.strip().replace("\n", end)
    for data in (text, text + end, "\ufeff" + text):
        mdp = read(data.encode())
        assert mdp == read(ROBOT)


def test_overrides_take_the_place_of_what_the_file_says(read):
    mdp = read('sense = "max"\nhorizon = 2\n' + ROBOT, gamma="1/3", horizon=5, sense="min")
    assert (mdp.gamma_exact, mdp.horizon, mdp.sense) == (F(1, 3), 5, "min")
    mdp = read('discount = 1\n[state.a]\ngo = { to = "a" }\n[state.b]\n', terminal=["b"])
    assert mdp.terminal.tolist() == [False, True]


def test_tensors_both_ways(read):
    body = "[tensors]\naxes = {}\nP = {}\nR = {}\n"
    a = read(
        "discount = 1\n"
        + body.format('"sas"', '[[[0.9, 0.1], ["1/3", "2/3"]], [[0, 1], [0, 0]]]', "[[1, 2], [3, 9]]")
    )
    b = read(
        "discount = 1\n"
        + body.format('"ass"', '[[[0.9, 0.1], [0, 1]], [["1/3", "2/3"], [0, 0]]]', "[[1, 2], [3, 9]]")
    )
    assert a == b
    assert rows(a) == {
        ("0", "0"): ({"0": F(9, 10), "1": F(1, 10)}, F(1)),
        ("0", "1"): ({"0": F(1, 3), "1": F(2, 3)}, F(2)),
        ("1", "0"): ({"1": F(1)}, F(3)),
    }


@pytest.mark.parametrize(
    ("axes", "R", "expected"),
    [
        (None, "[1, 2]", [1, 1, 2, 2]),
        ('"s"', "[1, 2]", [1, 1, 2, 2]),
        ('"sa"', "[[1, 2], [3, 4]]", [1, 2, 3, 4]),
        ('"as"', "[[1, 3], [2, 4]]", [1, 2, 3, 4]),
        (None, "[[[1, 9], [9, 2]], [[9, 3], [4, 9]]]", [1, 2, 3, 4]),  # as P: s, a, s2
        ('"ass"', "[[[1, 9], [9, 3]], [[9, 2], [4, 9]]]", [1, 2, 3, 4]),
    ],
)
def test_reward_axes(read, axes, R, expected):
    named = f"reward_axes = {axes}\n" if axes else ""
    mdp = read(
        f'discount = 1\n[tensors]\naxes = "sas"\nP = [[[1, 0], [0, 1]], [[0, 1], [1, 0]]]\nR = {R}\n{named}'
    )
    assert mdp.r.tolist() == expected


@pytest.mark.parametrize(("axes", "order"), [("sas", (0, 1, 2)), ("ass", (1, 0, 2)), ("ssa", (0, 2, 1))])
def test_axes_are_told_by_the_shape_or_said(read, axes, order):
    """P[s, a, s2] of one action: stay with 3/4, and the three orders in which it may stand."""
    P, R = np.array([[[0.75, 0.25]], [[0.25, 0.75]]]), np.array([[[1, 9]], [[9, 3]]])
    text = f"[tensors]\nP = {P.transpose(order).tolist()}\nR = {R.transpose(order).tolist()}\n"
    for said in ("", f'axes = "{axes}"\n'):
        mdp = read(f"discount = 1\n{text}{said}")
        assert rows(mdp) == {
            ("0", "0"): ({"0": F(3, 4), "1": F(1, 4)}, F(3)),
            ("1", "0"): ({"0": F(1, 4), "1": F(3, 4)}, F(9, 2)),
        }


def test_axes_are_needed_where_readings_differ(read):
    text = "discount = 1\n[tensors]\nP = {}\nR = {}\n"
    wide = "[[[0.9, 0.2], [0.1, 0.8]], [[0.5, 0.7], [0.5, 0.3]]]"  # P[s, s2, a]
    with pytest.raises(ModelError, match=r'3: axes: found none, .* Rows sum to 1 under "ssa" only\.'):
        read(text.format(wide, "[1, 2]"))
    assert rows(read(text.format(wide, "[1, 2]") + 'axes = "ssa"'))["0", "1"] == (
        {"0": F(1, 5), "1": F(4, 5)},
        F(1),
    )
    same = str([[[0.5] * 2] * 2] * 2)
    assert read(text.format(same, "[1, 2]")).r.tolist() == [1, 1, 2, 2], "all readings are one model"
    with pytest.raises(ModelError, match="axes: found none, and with as many actions as states"):
        read(text.format(same, "[[[1, 2], [3, 4]], [[1, 2], [3, 4]]]"))


CHAIN = """
discount = {}
states = ["a", "b", "goal"]
terminal = ["goal"]
[tensors]
P = [[[0, 1, 0]], [[0, 0, 1]], [[0, 0, 0]]]
R = {}
"""


@pytest.mark.parametrize(
    ("reward", "expected"),
    [
        ("[-3, -3, 100]", ', or say terminal_rewards = "on entry" in [tensors]'),
        ("[[-3], [-3],\n[100]]", ', or say terminal_rewards = "on entry" in [tensors]'),
        ("[[[0, 0, 0]], [[0, 0, 0]], [[0, 0, 100]]]", ""),
    ],
)
def test_reward_of_a_terminal_state_is_refused_with_its_line(read, reward, expected):
    line = 7 + reward.count("\n")
    text = "terminal state 'goal' has reward 100, which is never collected: put it on the transitions into it"
    for more in ("", 'numbers = "float64"'):
        with pytest.raises(ModelError) as caught:
            read(more + CHAIN.format(1, reward))
        fault = caught.value.faults[0]
        assert (fault.line, str(fault)) == (line, text + expected)


def test_nan_of_a_terminal_state_is_one_fault(read):
    with pytest.raises(ModelError) as caught:
        read(CHAIN.format(1, "[-3, -3, nan]"))
    assert [fault.what for fault in caught.value.faults] == [f"found reward nan, {NUMBER}"]


def test_rewards_of_terminal_states_are_paid_on_entry(read):
    """r(b, goal) = -3 + γ 100, as the fraction that it is; the discount asked for takes the place of the file's."""
    for reward in ("[-3, -3, 100]", "[[-3], [-3], [100]]"):
        text = CHAIN.format('"1/3"', reward) + 'terminal_rewards = "on entry"\n'
        assert rows(read(text))["b", "0"] == ({"goal": F(1)}, F(-3) + F(100, 3))
        assert rows(read(text, gamma="9/10"))["b", "0"] == ({"goal": F(1)}, F(87))
        assert read('numbers = "float64"\n' + text).r.tolist() == [-3, 91 / 3]
    own = CHAIN.format(1, "[[[0, 0, 0]], [[0, 0, 0]], [[0, 0, 100]]]") + 'terminal_rewards = "on entry"\n'
    with pytest.raises(ModelError, match="has reward 100 on a transition of its own, which it never takes"):
        read(own)
    with pytest.raises(ModelError, match=r"unknown key 'terminal_rewards', expected it in \[tensors\]"):
        read('terminal_rewards = "on entry"' + CHAIN.format(1, "[0, 0, 0]"))
    with pytest.raises(ModelError, match='terminal_rewards: found "on exit", expected "on entry"'):
        read(CHAIN.format(1, "[0, 0, 0]") + 'terminal_rewards = "on exit"\n')


@pytest.mark.parametrize(
    ("spelled", "expected"),
    [('"1"', 1), ('"0"', 0), ('"0.9"', F(9, 10)), ('"9/10"', F(9, 10)), ('"1/1.02"', F(50, 51)), ("1", 1)],
)
def test_discount_is_a_number_with_or_without_quotes(read, spelled, expected):
    for more in ("", 'numbers = "float64"\n'):
        assert read(f"discount = {spelled}\n{more}{OK}").gamma_exact == expected


UNDERFLOWS = 'which underflows: its nearest float64 is 0. Say numbers = "exact"'


@pytest.mark.parametrize(
    ("top", "body", "expected"),
    [
        ("", "go = { to = { a = 1, end = 1e-400 } }", "probability"),
        ("", 'go = { to = [{ state = "a", p = 1 }, { state = "end", p = 1e-400 }] }', "probability"),
        ("", 'go = { to = "end", reward = 1e-400 }', "reward"),
        ("start = { a = 1, b = 1e-400 }\n", 'go = { to = "end" }', "start probability"),
        ("horizon = 1\nfinal_reward = { a = 1e-400 }\n", 'go = { to = "end" }', "final reward"),
    ],
)
def test_number_that_underflows_is_refused(read, top, body, expected):
    text = f'discount = 1\n{top}terminal = ["end"]\n[state.a]\n{body}\n[state.b]\ngo = {{ to = "end" }}\n'
    with pytest.raises(ModelError) as caught:
        read('numbers = "float64"\n' + text)
    assert [fault.what for fault in caught.value.faults] == [f"found {expected} 1e-400, {UNDERFLOWS}"]


def test_arrays_slips_and_discounts_that_underflow_are_refused(read):
    float64 = 'numbers = "float64"\n'
    for text, found in (
        ("discount = 1e-400\n" + OK, "found discount 1e-400, " + UNDERFLOWS),
        (
            "discount = 1\n[tensors]\nP = [[[1, 1e-400]], [[1, 0]]]\nR = [1, 0]\n",
            "found probability 1e-400, " + UNDERFLOWS,
        ),
        ('discount = 1\n[grid]\nmap = ".."\nslip = 1e-400\n', "found slip 1e-400, " + UNDERFLOWS),
        ('discount = 1\n[grid]\nmap = ".."\nslip = 5e-324\n', "slip: found 5e-324: half of it underflows"),
    ):
        with pytest.raises(ModelError) as caught:
            read(float64 + text)
        assert caught.value.faults[0].what.startswith(found)
    exact = 'discount = 1\nterminal = ["end"]\n[state.a]\ngo = { to = { a = "%s/%s", end = 1e-400 } }\n'
    assert read(exact % (10**400 - 1, 10**400)).exact.prob[1] == F(1, 10**400)


SUM = "Fix the row, or load with normalize=True to rescale it."
NUMBER = 'expected a number such as 1, 0.5 or "2/3"'
QUOTES = "Write it without the quotes"


def row(text):
    return f'discount = 1\n[state.a]\ngo = {text}\n[state.b]\ngo = {{ to = "a" }}\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "m.toml: empty, expected a model"),
        ("\ufeff", "m.toml: empty, expected a model"),
        (" \n\t\n", "m.toml: no states: found 0, expected at least 1"),
        ("# nothing\n", "m.toml: no states: found 0, expected at least 1"),
        ("discount = 1\n", "m.toml: no states: found none of [state.NAME], [tensors] and [grid], expected one of them"),
        ("format = 2\ndiscont = 1\n", "m.toml:1: format: found version 2, expected 1"),
        (OK, "m.toml: discount: found none, expected a number from 0 to 1"),
        ("discount = 1\ndiscount = 0.9\n" + OK, "m.toml:2: 'discount': found twice, first on line 1, expected once"),
        ("discount = 1.5\n" + OK, "m.toml:1: discount: found 1.5, expected a number from 0 to 1"),
        ("discount = -1\n" + OK, "m.toml:1: discount: found -1, expected a number from 0 to 1"),
        ("discount = nan\n" + OK, "m.toml:1: discount: found nan, expected a number from 0 to 1"),
        ('discount = "0.9 "\n' + OK, 'm.toml:1: discount: found "0.9 ", expected a number from 0 to 1'),
        ("discount = 1\nhorizon = 0\n" + OK, "m.toml:2: horizon: found 0, expected a whole number, 1 or more"),
        ("discount = 1\nhorizon = 2.5\n" + OK, "m.toml:2: horizon: found 2.5, expected a whole number, 1 or more"),
        ("discount = 1\nhorizon = true\n" + OK, "m.toml:2: horizon: found true, expected a whole number, 1 or more"),
        ("discount = 1\nhorizon = 0x2\n" + OK, "m.toml:2: horizon: found 0x2, expected a whole number, 1 or more"),
        ("discount = 1\nhorizon = 3000000000\n" + OK, "m.toml:2: horizon: found 3000000000, expected at most 2147483647"),
        (
            "discount = 1\nfinal_reward = { a = 1 }\n" + OK,
            "m.toml:2: final_reward: found with no horizon, expected both. Add a horizon.",
        ),
        (
            "discount = 1\nhorizon = 1\nterminal = ['t']\nfinal_reward = { a = 1, t = 2 }\n" + OK,
            "m.toml:4: state 't': found a final reward of a terminal state, expected none: its value is 0",
        ),
        (
            "discount = 1\nsence = 'min'\n" + OK,
            "m.toml:2: unknown key 'sence'; did you mean 'sense'?",
        ),
        ("discount = 1\nsense = 'most'\n" + OK, "m.toml:2: sense: found 'most', expected \"max\" or \"min\""),
        (
            "discount = 1\nstates = ['a',\n'b',\n'a']\n" + OK + "[state.b]\ngo = { to = 'a' }\n",
            "m.toml:4: state 'a': found twice, first on line 2, expected distinct names",
        ),
        (
            "discount = 1\nstates = ['a', 'b']\n" + OK,
            "m.toml:2: state 'b': has no actions, expected some. Declare it terminal, or give it one.",
        ),
        ("discount = 1\nactions = ['goo']\n" + OK, "m.toml:4: state 'a', action 'go': no such action; did you mean 'goo'?"),
        (
            "discount = 1\nterminal = ['a']\n" + OK,
            "m.toml:4: state 'a', action 'go': found an action of a terminal state, expected none. "
            "Remove it, or the state from `terminal`.",
        ),
        ("discount = 1\nstart = 'b'\n" + OK, "m.toml:2: state 'b': start: no such state"),
        ("discount = 1\nstart = { a = 0.5 }\n" + OK, "m.toml:2: start: probabilities sum to 1/2, expected 1"),
        (
            "discount = 1\nterminal = ['t']\nstart = 't'\n" + OK,
            "m.toml:3: state 't': start: found a terminal state, expected one with actions",
        ),
        ("discount = 1\noutcomes = 2\n" + OK, "m.toml:2: outcomes: found 1 transitions, expected 2 as stated. Is the file cut off?"),
        (
            "discount = 1\nlayout = { rows = 2, columns = 2 }\n" + OK,
            "m.toml:2: layout: found 2 x 2 = 4 cells for 1 states, expected as many, or `cell`, which says where each "
            "state is drawn",
        ),
        (
            "discount = 1\nlayout = { rows = 2, columns = 1, cell = [2] }\n" + OK,
            "m.toml:2: layout: found cell 2, expected less than 2 x 1",
        ),
        ("discount = 1\n" + OK + OK, "m.toml:4: state 'a': found twice, first on line 2, expected once"),
        ("discount = 1\n" + OK + "go = { to = 'a' }\n", "m.toml:4: state 'a', action 'go': found twice, first on line 3, expected once"),
        ("discount = 1\n" + OK + "[tensors]\n", "m.toml:4: found [tensors] and [state] on line 2, expected one of them"),
        (row("3"), "m.toml:3: state 'a', action 'go': action: found 3, expected a table"),
        (
'discount = 1\n[state.a]\ngo = { to = "b" }\n[state.b]\nterminal = true\n',
            "m.toml:5: state 'b': found terminal = true, expected terminal = [\"b\"] at the top",
        ),
        (row("{}"), "m.toml:3: state 'a', action 'go': found no `to`, expected where the action leads"),
        (row("{ to = {} }"), "m.toml:3: state 'a', action 'go': has no outcomes, expected probabilities that sum to 1"),
        (
            row("{ to = 'a', rewrad = 1 }"),
            "m.toml:3: state 'a', action 'go': action: unknown key 'rewrad'; did you mean 'reward'?",
        ),
        (row("{ to = 'a', reward = '5' }"), f"m.toml:3: state 'a', action 'go': found reward '5', {NUMBER}. {QUOTES}"),
        (row("{ to = 'a', reward = inf }"), f"m.toml:3: state 'a', action 'go': found reward inf, {NUMBER}"),
        (
            row("{ to = 'a', reward = 1e308 }"),
            "m.toml:3: state 'a', action 'go': found reward 1e308, expected a number up to 1e+300",
        ),
        (
            row("{ to = [\n{ state = 'a', p = 1, reward = 1 } ], reward = 2 }"),
            "m.toml:4: state 'a', action 'go': found a reward on the outcome and one on the action on line 4, expected one of them",
        ),
        (
            row("{ to = { a = 0.5, bb = 0.5 } }"),
            "m.toml:3: state 'a', action 'go', next state 'bb': no such state; did you mean 'b'?",
        ),
        (
            row("{ to = { a = 0.9, b = 0.099 } }"),
            f"m.toml:3: state 'a', action 'go': probabilities sum to 999/1000, expected 1 (1/1000 missing). {SUM}",
        ),
        (
            row("{ to = { a = 0.9, b = 0.9 } }"),
            f"m.toml:3: state 'a', action 'go': probabilities sum to 9/5, expected 1 (4/5 too much). {SUM}",
        ),
        (
            row("{ to = { a = 0.99657 } }"),
            f"m.toml:3: state 'a', action 'go': probabilities sum to 99657/100000, expected 1 (343/100000 missing). {SUM}",
        ),
        (
            row("{ to = [ { state = 'a', p = 0.5 },\n{ state = 'b', p = 0.5, rward = 3 } ] }"),
            "m.toml:4: state 'a', action 'go': outcome: unknown key 'rward'; did you mean 'reward'?",
        ),
        (
            "discount = 1\n[state.\"\\u202e\\u001b[31m\"]\ngo = { to = 'x' }\n",
            "m.toml:3: state '\\u202e\\x1b[31m', action 'go', next state 'x': no such state; "
            'declare it terminal (terminal = ["x"]) or give it actions',
        ),
    ],
)  # fmt: skip
def test_fault(said, text, expected):
    assert said(text) == [expected]


@pytest.mark.parametrize(
    ("spelled", "line"),
    [
        ("nan", NUMBER), ("-inf", NUMBER), ("1_000", NUMBER), ("0x10", NUMBER), ("0o7", NUMBER), ("0b1", NUMBER),
        ("+0.5", NUMBER), ("true", NUMBER), ('"0.5"', f"{NUMBER}. {QUOTES}"), ('"1/0"', NUMBER), ('"1/-3"', NUMBER),
        ('"1 / 3"', NUMBER), ('"1/3/1"', NUMBER), ('"1,5"', NUMBER), ('""', NUMBER), ("1979-05-27", NUMBER),
        ("1e400", "expected a number up to 1e+300"), ("1e99999", "expected a number up to 1e+300"),
        ('"3/2"', "expected a number from 0 to 1"), ("-1e-17", "expected a number from 0 to 1"), ("-0.1", "expected a number from 0 to 1"),
    ],
)  # fmt: skip
def test_not_a_probability(said, spelled, line):
    (found,) = said(f'discount = 1\n[state.a]\ngo = {{ to = [\n  {{ state = "a", p = {spelled} }},\n] }}\n')
    where = "m.toml:4: state 'a', action 'go', next state 'a'"
    assert found == f"{where}: found probability {spelled}, {line}"


@pytest.mark.parametrize("spelled", [".5", "5.", "1e", "1,5", "01", "0.5.", "--1"])
def test_not_toml(said, spelled):
    (found,) = said(f'discount = 1\n[state.a]\ngo = {{ to = [\n  {{ state = "a", p = {spelled} }},\n] }}\n')
    assert found.startswith("m.toml:4: not valid TOML: ")


def test_a_number_that_is_too_long_is_told_its_limit(said):
    for spelled in ("0." + 5000 * "3", f'"1/{5000 * "7"}"'):
        (found,) = said(row(f"{{ to = {{ a = 1 }}, reward = {spelled} }}"))
        assert found.endswith(f", of {len(spelled.strip(chr(34))):,} characters, expected at most 4,000")


def test_sixteen_digits_of_a_third(said):
    third = "p = 0.3333333333333333"
    (found,) = said(row("{ to = [" + ", ".join(f"{{ state = 'a', {third} }}" for _ in range(3)) + "] }"))
    assert 'write "1/3" for one third' in found
    assert "normalize=True" in found


def test_many_faults_are_said_together(said):
    found = said('discount = 2\nstats = 1\n[state.a]\ngo = { to = "b" }\nrun = { to = { a = 0.5 } }\n')
    assert [line.split(":")[1] for line in found] == ["1", "2", "4", "5"]


def test_ten_faults_are_shown_and_the_rest_counted(said):
    found = said("discount = 1\n[state.a]\n" + "".join(f'a{i} = {{ to = "b" }}\n' for i in range(15)))
    assert len(found) == 11
    assert found[-1] == "... and 5 more faults"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("P = [[[1], [0]], [[0], [1]], [[0], [0]]]\nR = [[1]]", "3: P: found shape 3 x 2 x 1, expected as many next states as states"),
        ('axes = "sas"\nP = [[[1]]]', "2: R: found none, expected an array"),
        ('axes = "saa"\nP = [[[1]]]\nR = [1]', '3: axes: found "saa", expected "sas" or "ass" or "ssa"'),
        ('axes = "sas"\nP = [[[1, 0]]]\nR = [1]', '4: P: found 2 next states for 1 states under axes = "sas", expected as many'),
        ('axes = "sas"\nP = [[1]]\nR = [1]', "4: P: found 1, expected arrays nested 3 deep"),
        ('axes = "sas"\nP = [[[1]], []]\nR = [1]', "4: P: found an array of 0 entries, expected 1 as in the first"),
        ('axes = "sas"\nP = []\nR = [1]', "4: P: found an empty array, expected entries"),
        ('axes = "sas"\nP = [[[1]]]\nR = [[1, 2]]', '5: R: found shape (1, 2), expected (1, 1) under reward_axes = "sa"'),
        ('axes = "sas"\nP = [[[1]]]\nR = 1', "5: R: found 1, expected an array nested 1, 2 or 3 deep"),
        ('axes = "sas"\nP = [[["x"]]]\nR = [1]', f"4: state '0', action '0', next state '0': found probability \"x\", {NUMBER}"),
        ('axes = "sas"\nP = [[[0]]]\nR = [1]', "4: state '0': has no actions, expected some. Declare it terminal, or give it one."),
        ('axes = "sas"\nP = [[[0.9]]]\nR = [1]', f"4: state '0', action '0': probabilities sum to 9/10, expected 1 (1/10 missing). {SUM}"),
        ('axis = "sas"\naxes = "sas"\nP = [[[1]]]\nR = [1]', "3: tensors: unknown key 'axis'; did you mean 'axes'?"),
    ],
)  # fmt: skip
def test_fault_of_tensors(said, body, expected):
    assert said(f"discount = 1\n[tensors]\n{body}\n") == [f"m.toml:{expected}"]


def test_what_is_written_is_for_people(read, tmp_path):
    save(read('name = "robot"\nhorizon = 2\nterminal = ["the end"]\n' + ROBOT), tmp_path / "out.toml")
    assert (
        (tmp_path / "out.toml").read_text()
        == """\
format = 1
name = "robot"
discount = 0.9
terminal = ["the end"]
start = "high"
horizon = 2
outcomes = 6

[state.high]
search = { to = [{ state = "high", p = "2/3", reward = 5 }, { state = "low", p = "1/3", reward = 5 }] }
wait = { to = [{ state = "high", p = 1, reward = 0.1 }] }

[state.low]
search = { to = [{ state = "low", p = 0.6, reward = 5 }, { state = "high", p = 0.4, reward = -3 }] }
recharge = { to = [{ state = "high", p = 1, reward = 0 }] }
"""
    )


@pytest.mark.parametrize(
    ("text", "line", "fraction"),
    [
        ('[state.a]\ngo = { to = { a = "2/3", b = 1/3 } }\n', 2, "1/3"),
        ("discount = 9/10\n" + OK, 1, "9/10"),
        ('[tensors]\naxes = "sas"\nP = [[\n[1/2, 0.5]]]\n', 4, "1/2"),
    ],
)
def test_a_bare_fraction_is_told_to_be_put_in_quotes(said, text, line, fraction):
    (found,) = said(text)
    assert found.startswith(f"m.toml:{line}: not valid TOML: ")
    assert found.endswith(f'Write "{fraction}" in quotes.')


def test_a_fraction_in_quotes_or_in_a_remark_is_not_blamed(said):
    (found,) = said('[state.a]\ngo = { to = { a = "2/3", b = } } # 1/3\n')
    assert found.startswith("m.toml:2: not valid TOML: ")
    assert "quotes" not in found


@pytest.mark.parametrize(
    "action",
    [
        'go = { to = "a",\n  reward = 1 }',
        'go = {\n  to = "a" }',
        'go = { to = "a" # here\n}',
        'go = { to = { a = 1 },  # "there"\n reward = 1 }',
    ],
)
def test_a_table_over_two_lines_is_told_how_it_is_written(said, action):
    (found,) = said(f"discount = 1\n[state.a]\n{action}\n")
    assert found.startswith("m.toml:3: not valid TOML: ")
    assert found.endswith(
        "A table in braces stands on one line; a long action is written [state.NAME.ACTION]."
    )


def test_one_states_for_state_is_one_fault(said):
    text = 'discount = 1\n[state.new]\nuse = { to = "worn" }\n[states.worn]\nswap = { to = "new" }\n'
    assert said(text) == ["m.toml:4: found [states.worn], expected [state.worn]"]
    assert said(text.replace("state.new", "states.new")) == [
        "m.toml:2: found [states.new], expected [state.new]"
    ]
    assert said(text.replace("worn", '"a b"').replace('""a b""', '"a b"'))[0].endswith(
        'expected [state."a b"]'
    )


def test_a_forgotten_terminal_state_is_told_how_to_declare_it(said):
    text = 'discount = 1\n[state.new]\nsell = { to = "gone" }\n'
    place = "state 'new', action 'sell', next state 'gone': no such state"
    assert said(text) == [f'm.toml:3: {place}; declare it terminal (terminal = ["gone"]) or give it actions']
    assert said('states = ["new"]\n' + text) == [f"m.toml:4: {place}, expected one of `states`"]


@pytest.mark.parametrize(
    "to",
    ['"sold"', "{ sold = 1 }", '[{ state = "sold", p = 1 }]'],
)
def test_a_terminal_state_that_the_caller_names_is_a_state(read, said, to):
    text = f"discount = 1\n[state.new]\nsell = {{ to = {to}, reward = 7 }}\n"
    mdp = read(text, terminal=["sold"])
    assert (list(mdp.states), mdp.terminal.tolist()) == (["new", "sold"], [False, True])
    assert "m.toml: terminal: no such state 'elsewhere'" in said(text, terminal=["sold", "elsewhere"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "discount = 1\nhorizon = 4.5\nfinal_reward = { a = 1 }\n" + OK,
            "m.toml:2: horizon: found 4.5, expected a whole number, 1 or more",
        ),
        (
            'discount = 1\nstates = ["lo", "lo"]\n[tensors]\naxes = "sas"\nP = [[[1, 0]], [[0, 1]]]\nR = [0, 1]\n',
            "m.toml:2: state 'lo': found twice, first on line 2, expected distinct names",
        ),
    ],
)
def test_one_fault_is_said_once(said, text, expected):
    assert said(text) == [expected]
