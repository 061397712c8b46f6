"""Reading CSV: what files mean, and what is said of those that are wrong."""

# ruff: noqa: E501  (tables of cases: one a line)

from __future__ import annotations

from fractions import Fraction as F

import pytest

from tabular_rl.errors import ModelError, OptionError
from tabular_rl.formats import csv, load, save

HEAD = "state,action,next_state,probability,reward\n"
ROBOT = f"""# discount = 0.9
# start = "high"
{HEAD}high,search,high,2/3,5
low,search,low,0.6,5
high,search,low,1/3,5
high,wait,high,1,0.1
low,search,high,0.4,-3
low,recharge,high,1,0
"""


@pytest.fixture
def read(tmp_path):
    def read(text, **options):
        path = tmp_path / "m.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(path, **options)

    return read


@pytest.fixture
def said(read, tmp_path):
    def said(text, **options):
        with pytest.raises(ModelError) as caught:
            read(text, **options)
        return str(caught.value).replace(f"{tmp_path}/", "").split("\n")

    return said


@pytest.fixture(params=["columns", "lines"])
def way(request, monkeypatch):
    """Both ways of reading: they must not differ."""
    if request.param == "lines":

        def faulty(*_):
            raise csv.Faulty

        monkeypatch.setattr(csv, "_by_columns", faulty)


def test_numbers_are_what_they_spell(read, way):
    mdp = read(ROBOT)
    assert list(mdp.states) == ["high", "low"]
    assert list(mdp.actions) == ["search", "wait", "recharge"]
    assert [mdp.rational(i) for i in range(mdp.L)] == [
        ([(0, F(2, 3)), (1, F(1, 3))], F(5)),
        ([(0, F(1))], F(1, 10)),
        ([(1, F(3, 5)), (0, F(2, 5))], F(9, 5)),
        ([(0, F(1))], F(0)),
    ]
    assert mdp.gamma_exact == F(9, 10)
    assert mdp.start.tolist() == [1, 0]
    assert list(mdp.exact.reward) == [5, 5, F(1, 10), 5, -3, 0]


def test_outcomes_of_mixed_lines_keep_the_order_of_the_file(read, way):
    """60 lines, three pairs in turn: the 20 outcomes of each stand as in the file, as the digest counts them."""
    order = [(7 * i + 3) % 20 for i in range(20)]
    lines = [f"{s},go,{s if i == 0 else s + str(i)},0.05,{i}\n" for i in order for s in "cab"]
    ends = ", ".join(f'"{s}{i}"' for s in "abc" for i in range(1, 20))
    head = f"# discount = 0.9\n# terminal = [{ends}]\n{HEAD}"
    mdp = read(head + "".join(lines))
    for s in "abc":
        i = mdp.row(s, "go")
        part = slice(int(mdp.row_ptr[i]), int(mdp.row_ptr[i + 1]))
        assert mdp.reward[part].tolist() == order
        assert [mdp.states[k] for k in mdp.next_state[part]] == [f"{s}{k}" if k else s for k in order]
    apart = read(head + "".join(sorted(lines, key=lambda line: "cab".index(line[0]))))
    named = {s: [apart.reward[k] for k in range(apart.row_ptr[i], apart.row_ptr[i + 1])]
             for s in "abc" for i in [apart.row(s, "go")]}  # fmt: skip
    assert all(values == order for values in named.values())


def test_columns_stand_in_any_order_and_reward_may_lack(read, way):
    mdp = read("# discount = 1\n# terminal = ['end']\nprobability,next_state,state,action\n1,end,a,go\n")
    assert list(mdp.states) == ["a", "end"]
    assert mdp.reward is None
    assert mdp.r.tolist() == [0]


def test_reward_of_the_pair(read, way):
    text = f'# discount = 1\n# reward_on = "pair"\n{HEAD}a,go,a,0.5,1.50\na,go,b,0.5,1.5\nb,go,b,1,-1\n'
    mdp = read(text)
    assert mdp.reward is None
    assert list(mdp.exact.r) == [F(3, 2), F(-1)]


def test_numbers_as_doubles(read, way):
    third = "0.3333333333333333"
    mdp = read(f'# discount = 0.9\n# numbers = "float64"\n{HEAD}a,go,a,{third},1/3\na,go,b,{third},0\na,go,c,0.33333333333333337,0\n'
               "b,go,b,1,0\nc,go,c,1,0\n")  # fmt: skip
    assert mdp.exact is None
    assert mdp.prob.tolist()[:3] == [1 / 3, 1 / 3, 0.33333333333333337]
    assert mdp.reward.tolist()[0] == 1 / 3


def test_duplicated_outcomes_are_both_kept(read, way):
    mdp = read(f"# discount = 1\n{HEAD}a,go,a,0.5,1\na,go,a,0.5,3\n")
    assert mdp.K == 2
    assert mdp.r.tolist() == [2]


def test_names_are_texts(read, way):
    mdp = read(
        f'# discount = 1\n{HEAD}01,"a,b",1e0,1,0\n1e0,"say ""x""",#x,1,0\n#x,"two\nlines",nan,1,0\nnan,-,01,1,0\n'
    )
    assert list(mdp.states) == ["01", "1e0", "#x", "nan"]
    assert list(mdp.actions) == ["a,b", 'say "x"', "two\nlines", "-"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_byte_order_mark_change_nothing(read, end):
    text = ROBOT.strip().replace("\n", end)
    for data in (text, text + end, "\ufeff" + text, text + end + end):
        assert read(data.encode()) == read(ROBOT)


def test_remarks_and_lists_over_lines_in_the_header(read, way):
    mdp = read(
        '## from a spreadsheet\n\n# discount = 1  # no discount\n# terminal = [\n#   "end",\n# ]\n'
        + HEAD
        + "a,go,end,1,0\n"
    )
    assert mdp.terminal.tolist() == [False, True]


def test_command_line_replaces_the_header(read, way):
    mdp = read(HEAD + "a,go,end,1,1\n", gamma="1/3", terminal=["end"], horizon=3, sense="min")
    assert (mdp.gamma_exact, mdp.terminal.tolist(), mdp.horizon, mdp.sense) == (
        F(1, 3),
        [False, True],
        3,
        "min",
    )


def test_normalize(read, way):
    mdp = read(f"# discount = 1\n{HEAD}a,go,a,0.333,0\na,go,b,0.333,0\nb,go,b,1,0\n", normalize=True)
    assert list(mdp.exact.prob) == [F(1, 2), F(1, 2), 1]


def test_what_is_written_is_for_spreadsheets(read, tmp_path):
    save(read('# terminal = ["the end"]\n' + ROBOT), tmp_path / "out.csv")
    assert (
        (tmp_path / "out.csv").read_text()
        == f"""\
# format = 1
# discount = 0.9
# terminal = ["the end"]
# start = "high"
# outcomes = 6
{HEAD}high,search,high,2/3,5
high,search,low,1/3,5
high,wait,high,1,0.1
low,search,low,0.6,5
low,search,high,0.4,-3
low,recharge,high,1,0
"""
    )


COLUMNS = "expected the columns state,action,next_state,probability,reward"
NUMBER = "expected a number such as 1, 0.5 or 2/3"
GAMMA = "# discount = 1\n"
ONE = GAMMA + HEAD


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "m.csv: empty, expected a model"),
        (" \n", f"m.csv: no states: found no line of column names, {COLUMNS}"),
        (GAMMA, f"m.csv: no states: found no line of column names, {COLUMNS}"),
        (ONE, "m.csv: no states: found no transitions, expected at least 1"),
        (HEAD + "a,go,a,1,0\n", "m.csv: discount: found none, expected a number from 0 to 1"),
        ("# discount = 2\n" + HEAD + "a,go,a,1,0\n", "m.csv:1: discount: found 2, expected a number from 0 to 1"),
        ("# discuont = 1\n# discount = 1\n" + HEAD + "a,go,a,1,0\n", "m.csv:1: unknown key 'discuont'; did you mean 'discount'?"),
        (GAMMA + "state;action;next_state;probability;reward\n", "m.csv:2: found columns divided by semicolons, expected commas"),
        (GAMMA + "state\taction\tnext_state\tprobability\n", "m.csv:2: found columns divided by tabs, expected commas"),
        (GAMMA + "state,action,next,probability,reward\n", f"m.csv:2: found the column 'next', {COLUMNS}"),
        (
            "Patient,Day,State,Dose,Reward,Terminal\n",
            f"m.csv:1: found the column 'Patient', {COLUMNS}. This looks like a log: the command estimate makes a model of it, "
            "and learn takes it as data=",
        ),
        (GAMMA + "state,action,next_state\n", f"m.csv:2: found no column 'probability', {COLUMNS}"),
        (GAMMA + "state,state,action,next_state,probability\n", f"m.csv:2: found the column 'state' twice, {COLUMNS}"),
        (ONE + "a,go,a,1\n", "m.csv:3: found 4 fields, expected 5 as in the line of column names"),
        (ONE + "a,go,a,1,0\n\n\na,go,a,1,0,x\n", "m.csv:6: found 6 fields, expected 5 as in the line of column names"),
        (ONE + 'a,"two\nlines",a,1,0\nb,go,a,x,0\n', f"m.csv:5: state 'b', action 'go', next state 'a': found probability 'x', {NUMBER}"),
        (ONE + 'a,"go"x,a,1,0\n', "m.csv:3: not valid CSV: ',' expected after '\"'"),
        (ONE.replace("reward", '"reward'), "m.csv:2: not valid CSV: unexpected end of data"),
        (ONE + "a,go,a,1,1 000\n", f"m.csv:3: state 'a', action 'go', next state 'a': found reward '1 000', {NUMBER}"),
        (ONE + 'a,go,a,"1,5",0\n', f"m.csv:3: state 'a', action 'go', next state 'a': found probability '1,5', {NUMBER}"),
        (ONE + "a,go,a,1,1e400\n", "m.csv:3: state 'a', action 'go', next state 'a': found reward '1e400', expected a number up to 1e+300"),
        (ONE + "a,go,a,-1,0\n", "m.csv:3: state 'a', action 'go', next state 'a': found probability -1, expected a number from 0 to 1"),
        (
            ONE + "young,go,yuong,1,0\n",
            "m.csv:3: state 'young', action 'go', next state 'yuong': no such state; did you mean 'young'?",
        ),
        (
            ONE + "a,go,end,1,0\n",
            "m.csv:3: state 'a', action 'go', next state 'end': no such state, expected one with transitions, or declared terminal",
        ),
        (
            ONE + "a,go,a,0.5,0\nb,go,b,1,0\na,go,b,0.4,0\n",
            "m.csv:3: state 'a', action 'go': probabilities sum to 9/10, expected 1 (1/10 missing). "
            "Fix the row, or load with normalize=True to rescale it.",
        ),
        (
            GAMMA + "# terminal = ['a']\n" + HEAD + "a,go,a,1,0\n",
            "m.csv:4: state 'a', action 'go': found an action of a terminal state, expected none. "
            "Remove it, or the state from `terminal`.",
        ),
        (
            GAMMA + "# reward_on = 'pair'\n" + HEAD + "a,go,a,0.5,1\na,go,a,0.5,2\n",
            "m.csv:5: state 'a', action 'go', next state 'a': found a second reward, expected one for the pair (reward_on = \"pair\")",
        ),
        (GAMMA + "# outcomes = 2\n" + HEAD + "a,go,a,1,0\n", "m.csv:2: outcomes: found 1 transitions, expected 2 as stated. Is the file cut off?"),
        (GAMMA + "# states = ['a']\n" + HEAD + "b,go,a,1,0\n", "m.csv:4: state 'b', action 'go': no such state"),
        (GAMMA + "# format = 2\n" + HEAD, "m.csv:2: format: found version 2, expected 1"),
        (ONE + "a,go\x00,a,1,0\n", "m.csv:3: found a NUL byte, expected UTF-8 text"),
    ],
)  # fmt: skip
def test_fault(said, text, expected):
    assert expected in said(text)


@pytest.mark.parametrize(
    "spelled",
    [
        "nan",
        "inf",
        "1_000",
        "0x10",
        "1e",
        ".5",
        "5.",
        "+0.5",
        "0.9 ",
        "1/0",
        "1/-3",
        "1 / 3",
        "1/3/1",
        "",
        "٣",
    ],
)
def test_not_a_number(said, spelled):
    (found,) = said(f"{ONE}a,go,a,{spelled},0\n")
    assert (
        found == f"m.csv:3: state 'a', action 'go', next state 'a': found probability '{spelled}', {NUMBER}"
    )


def test_number_that_underflows_is_refused(said, read, way):
    head = '# numbers = "float64"\n# terminal = ["end"]\n'
    (found,) = said(f"{head}{ONE}a,go,a,1,0\na,go,end,1e-400,0\n")
    what = "found probability '1e-400', which underflows: its nearest float64 is 0. Say numbers = \"exact\""
    assert found == f"m.csv:6: state 'a', action 'go', next state 'end': {what}"
    (found,) = said(f"{head}{ONE}a,go,end,1,-1e-400\n")
    assert "found reward '-1e-400', which underflows" in found


def test_terminal_state_that_is_asked_for_must_be_there(said, read, way):
    rows = "a,go,b,1,0\nb,go,a,1,0\n"
    assert said(ONE + rows, terminal=["zz"]) == ["m.csv: terminal: no such state 'zz'"]
    mdp = read(ONE + rows[: rows.index("b,go")], terminal=["b"])
    assert list(mdp.states) == ["a", "b"]
    assert mdp.terminal.tolist() == [False, True]
    assert read(ONE + rows[: rows.index("b,go")].replace("b", "end"), terminal="end").terminal.tolist() == [
        False,
        True,
    ]
    with pytest.raises(OptionError, match="terminal: found 5, expected a list of names of states"):
        read(ONE + rows, terminal=5)


def test_a_plain_remark_is_explained(said):
    (found,) = said("# from a spreadsheet\n" + ONE)
    assert found.startswith("m.csv:1: not valid TOML: ")
    assert found.endswith("Lines above the columns are # key = value; a remark begins with ##")


def test_one_fault_brings_no_others(said):
    found = said(ONE + "a,go,b,0.5,0\na,go,a,half,0\n")
    assert [line.split(":")[1] for line in found] == ["3", "4"]


@pytest.mark.parametrize(
    "text",
    [
        "# discount = 0.9,,,,\n# terminal = ['b'],,,,\n" + HEAD,
        '"# discount = 0.9",,,,\n"# terminal = [""b""]",,,,\n' + HEAD,
        "## a remark, with commas,,,\n,,,,\n# discount = 0.9,,,,\n# terminal = ['b'],\n,,,,\n" + HEAD,
        "# discount = 0.9\n# terminal = ['b']\nState, Action ,NEXT_STATE,Probability,Reward,,\n",
    ],
)
def test_what_a_spreadsheet_adds_is_no_fault(read, text):
    mdp = read(text + "a,go,a,1/3,3\n,,,,\n,,,,,,\na,go,b,2/3,0,,\n\n")
    assert (list(mdp.states), mdp.gamma_exact, mdp.terminal.tolist()) == (["a", "b"], F(9, 10), [False, True])
    assert mdp.rational(0) == ([(0, F(1, 3)), (1, F(2, 3))], F(1))


def test_an_array_above_the_columns_may_take_several_lines(read):
    mdp = read("# discount = 1\n# states = ['b',\n# 'a']\n# terminal = ['b']\n" + HEAD + "a,go,b,1,0\n")
    assert list(mdp.states) == ["b", "a"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("discount,0.9,,,", "found 'discount,0.9', expected it as: # discount = 0.9"),
        ("Discount = 0.9", "found 'Discount = 0.9', expected it as: # discount = 0.9"),
        ("discount,9/10,,,", "found 'discount,9/10', expected it as: # discount = \"9/10\""),
        ("terminal,Sold,,,", "found 'terminal,Sold', expected it as: # terminal = [\"Sold\"]"),
        ("state,,action,,next_state", "found a column without a name, expected the columns"),
    ],
)  # fmt: skip
def test_a_key_without_its_mark_is_told_how_it_is_written(said, line, expected):
    (found,) = said(f"{line}\n{HEAD}a,go,a,1,0\n")
    assert found.startswith(f"m.csv:1: {expected}")


def test_faults_past_empty_cells_keep_their_lines(said):
    text = "# discount = 0.9,,,,\n,,,,\n" + HEAD + ",,,,\na,go,a,0.5,0,,\na,go,a,half,0,\na,run,a,1,0,,x\n"
    assert [line.split(":")[1] for line in said(text)] == ["6", "7"]
