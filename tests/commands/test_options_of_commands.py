"""Options reach what they are for: each changes the answer, and as the same thing said in another place does."""

from __future__ import annotations

import json

import pytest
from program import inside

from tabular_rl.formats import load
from tabular_rl.model import families

# Rows that sum to 9/10, rewards that are costs, an end that is not declared, a discount of 9/10; and without a suffix.
LOOSE = """
discount = 0.9
[state.a]
go = { to = { b = 0.45, end = 0.45 }, reward = 1 }
stay = { to = "a", reward = 4 }
[state.b]
go = { to = "end", reward = 2 }
"""
# The same with what the options say.
SAID = """
discount = "1/2"
sense = "min"
terminal = ["end"]
[state.a]
go = { to = { b = "1/2", end = "1/2" }, reward = 1 }
stay = { to = "a", reward = 4 }
[state.b]
go = { to = "end", reward = 2 }
"""
OPTIONS = ("--format", "toml", "--gamma", "1/2", "--terminal", "end", "--minimize", "--normalize")


@pytest.fixture
def models(tmp_path, monkeypatch):
    """The folder, and the digests of what is meant, without and with a horizon."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loose").write_text(LOOSE)
    (tmp_path / "said.toml").write_text(SAID)
    (tmp_path / "answer.csv").write_text("state,value\na,1.5\nb,2\nend,0\n")
    return load(tmp_path / "said.toml").digest, load(tmp_path / "said.toml", horizon=2).digest


@pytest.mark.parametrize(
    "words",
    [
        ("solve", "loose"),
        ("evaluate", "loose"),
        ("learn", "loose", "--steps", "10"),
        ("gradient", "loose", "--episodes", "5"),
        ("compare", "loose", "--method", "rational"),
        ("simulate", "loose", "--episodes", "5"),
        ("check", "loose"),
    ],
    ids=lambda words: words[0],
)
def test_options_of_the_model_stand_for_what_a_file_says(capsys, models, words):
    for more, digest in (((), models[0]), (("--horizon", "2"), models[1])):
        done = inside(capsys, *words, *OPTIONS, *more, "--json", "-q")
        assert done.code == 0
        assert json.loads(done.out)["digest"] == digest


def test_options_of_the_model_in_commands_without_json(capsys, models):
    """v(b) = 2, v(a) = 1 + 1/2 · 2 / 2 = 1.5 < 4 + 1/2 v(a); with two decisions left at most the same."""
    assert inside(capsys, "verify", "loose", "answer.csv", *OPTIONS).code == 0
    times = "".join(
        f"{t},{s},{v}\n" for t in (0, 1, 2) for s, v in zip("ab", ((1.5, 2), (1, 2), (0, 0))[t], strict=True)
    )
    with open("timed.csv", "w") as file:
        file.write("time,state,value\n" + times + "".join(f"{t},end,0\n" for t in (0, 1, 2)))
    assert inside(capsys, "verify", "loose", "timed.csv", *OPTIONS, "--horizon", "2").code == 0
    for more, digest in (((), models[0]), (("--horizon", "2"), models[1])):
        assert inside(capsys, "convert", "loose", "new.npz", *OPTIONS, *more, "-q").code == 0
        assert load("new.npz").digest == digest
        own, same = (
            inside(capsys, "show", *words, *more, "--quiet")
            for words in (("loose", *OPTIONS), ("said.toml",))
        )
        assert own.code == 0
        assert own.err == ""
        assert own.out.splitlines()[1:] == same.out.splitlines()[1:]


@pytest.mark.parametrize(
    "words",
    [
        ("solve",), ("evaluate",), ("learn",), ("gradient",), ("compare",), ("simulate",), ("check",), ("show",),
        ("convert", "new.toml"), ("verify", "answer.csv"), ("lesson", "-o", "new.html"), ("explain", "--state", "a"),
        ("exercise",),
    ],
    ids=lambda words: words[0],
)  # fmt: skip
def test_a_reward_model_is_chosen_only_where_there_are_some(capsys, models, words):
    done = inside(capsys, words[0], "said.toml", *words[1:], "--reward", "fuel")
    assert done.code == 2
    assert "--reward: said.toml has no reward models to choose from, only .drn" in done.err


def test_a_tolerance_may_be_a_share_of_the_values(capsys, tmp_path):
    """One state, reward 100, γ = 9/10: worth 1000. 1000.5 is off by more than .001 and by less than a thousandth."""
    model, answer = tmp_path / "m.toml", tmp_path / "answer.csv"
    model.write_text('discount = 0.9\n[state.s]\nstay = { to = "s", reward = 100 }\n')
    answer.write_text("state,value\ns,1000.5\n")
    for relative, code in (((), 1), (("--relative",), 0)):
        assert inside(capsys, "verify", model, answer, "--tolerance", "0.001", *relative).code == code
    # Two states whose values differ: v(u) = 50 / (1 - 0.9), v(s) = (100 + 0.09 v(u)) / (1 - 0.81), about 763.
    model.write_text(
        "discount = 0.9\n[state.s]\nstay = { to = { s = 0.9, u = 0.1 }, reward = 100 }\n"
        '[state.u]\nstay = { to = "u", reward = 50 }\n'
    )
    for words in (("solve", "--method", "value-iteration"), ("evaluate", "--method", "policy-evaluation")):
        sweeps = {}
        for relative in ((), ("--relative",)):
            done = inside(
                capsys, words[0], model, *words[1:], "--tolerance", "0.001", *relative, "--json", "-q"
            )
            found = json.loads(done.out)
            width = found["upper"][0] - found["lower"][0]
            most = 0.764 if relative else 0.001
            assert done.code == 0
            assert abs(found["values"][0] - 145 / 0.19) <= width <= most
            sweeps[relative] = found["work"]["sweeps"]
        assert sweeps[("--relative",)] < sweeps[()]


def chain(n: int) -> str:
    """State i leads to i + 1 (listed before it) and pays 1; n sweeps are needed unless values are used at once."""
    rows = "".join(f'[state.s{i}]\ngo = {{ to = "s{i - 1}", reward = 1 }}\n' for i in range(1, n))
    return f'discount = 1\nterminal = ["s0"]\nstates = {[f"s{i}" for i in range(n)]}\n{rows}'


def test_options_of_solve_and_evaluate(capsys, tmp_path):
    model = tmp_path / "chain.toml"
    model.write_text(chain(30))

    def answer(*words):
        done = inside(capsys, *words[:1], model, *words[1:], "--json", "-q")
        return done.code, json.loads(done.out)

    for words in (("solve", "--method", "value-iteration"), ("evaluate", "--method", "policy-evaluation")):
        code, usual = answer(*words)
        assert code == 0
        assert usual["values"] == pytest.approx(range(30), abs=1e-6)
        code, quick = answer(*words, "--in-place")
        assert code == 0
        assert quick["values"] == pytest.approx(range(30), abs=1e-6)
        assert quick["work"]["sweeps"] < usual["work"]["sweeps"]
        code, short = answer(*words, "--sweeps", "3")
        assert code == 3
        assert short["status"] == "BUDGET_SPENT"
        code, two = answer(*words, "--threads", "2")
        assert code == 0
        assert two["lower"] == usual["lower"]
        (tmp_path / "answer.json").write_text(json.dumps(usual))
        code, begun = answer(*words, "--start-from", tmp_path / "answer.json")
        assert code == 0
        assert begun["work"]["sweeps"] < usual["work"]["sweeps"]
    for solver in ("dense", "sparse", "elimination"):
        code, found = answer("evaluate", "--linear-solver", solver, "--method", "linear-solve")
        assert code == 0
        assert found["options"]["linear_solver"] == solver
    assert "s15" not in inside(capsys, "evaluate", model, "-q").out
    assert "s15" in inside(capsys, "evaluate", model, "-q", "--all").out
    learn = ("learn", model, "--method", "td0", "--steps", "50", "-q")
    assert "s15" not in inside(capsys, *learn).out
    assert "s15" in inside(capsys, *learn, "--all").out
    gradient = ("gradient", model, "-q", "--episodes", "2")
    assert "s15" not in inside(capsys, *gradient).out
    assert "s15" in inside(capsys, *gradient, "--all").out


# An option of a learner, with what it needs beside it: without the option the learned values are others.
LEARNED = [
    ("td0", "--per", "step"),
    ("td0", "--episode-steps", "2"),
    ("td0", "--average", None),
    ("td0", "--source", "independent"),
    ("td0", "--target", "copy:20"),
    ("td0", "--seed", "5"),
    ("q-learning", "--explore", "epsilon-greedy:1"),
    ("q-learning", "--replay", "uniform"),
    ("q-learning --replay uniform", "--capacity", "3"),
    ("q-learning --replay uniform", "--batch", "2"),
    ("dyna-q", "--planning", "1"),
    ("prioritized-sweeping", "--threshold", "1"),
    ("td-lambda", "--trace", "0.1"),
    ("td-lambda", "--traces", "replacing"),
    ("monte-carlo --behavior POLICY", "--importance", "ordinary"),
    ("monte-carlo", "--visit", "every"),
    ("n-step-td", "--n", "1"),
    ("actor-critic", "--critic-step-size", "0.5"),
    ("reinforce", "--estimator", "return"),
    ("advantage-actor-critic", "--entropy", "0.5"),
    ("reinforce", "--undiscounted", None),
    ("linear-td", "--features", "aggregate:2"),
    ("batch-td", "--sweeps", "1"),
]
WALK = """
discount = 0.9
start = "b"
terminal = ["left", "right"]
[state.a]
back = { to = { left = 0.5, a = 0.5 } }
on = { to = { a = 0.25, b = 0.75 } }
[state.b]
back = { to = "a" }
on = { to = { b = 0.25, c = 0.75 } }
[state.c]
back = { to = "b" }
on = { to = { right = 0.75, b = 0.25 }, reward = 1 }
"""


@pytest.mark.parametrize(("method", "flag", "value"), LEARNED, ids=lambda x: None if x is None else str(x))
def test_an_option_of_a_learner_changes_what_is_learned(capsys, tmp_path, method, flag, value):
    """`learn METHOD --flag value`, `compare METHOD --flag value` and `compare METHOD,flag=value` are one thing."""
    model, policy = tmp_path / "walk.toml", tmp_path / "policy.csv"
    model.write_text(WALK)
    policy.write_text("state,action,probability\n" + "".join(f"{s},back,1/3\n{s},on,2/3\n" for s in "abc"))
    name, *more = [str(policy) if word == "POLICY" else word for word in method.split()]
    more += ["--steps", "80", "--json", "-q"]
    given = [flag] if value is None else [flag, value]

    def learned(*words):
        done = inside(capsys, "learn", model, "--method", name, *more, "--no-reference", *words)
        assert done.code in (0, 3)
        assert done.err.count("Traceback") == 0
        found = json.loads(done.out)
        return found["values"], found.get("q"), found["policy"]

    assert learned(*given) != learned()

    def compared(label, *words):
        done = inside(capsys, "compare", model, label, *more, *words)
        assert done.code == 0
        (entry,) = json.loads(done.out)["learners"]
        return {key: x for key, x in entry.items() if key not in ("method", "seconds", "steps_a_second")}

    own = f"{name},{flag.removeprefix('--')}" + (f"={value}" if value is not None else "")
    if "," not in str(value):
        assert compared(name, *given) == compared(own) != compared(name)


def test_options_of_compare(capsys, tmp_path):
    model = tmp_path / "walk.toml"
    model.write_text(WALK)

    def compared(*words):
        done = inside(capsys, "compare", model, *words, "--json", "-q")
        return done.code, json.loads(done.out)

    usual = compared("td0", "--steps", "50")[1]["learners"]
    for words in (("--behavior", "epsilon-greedy:1/2:action:on"), ("--threads", "2")):
        code, found = compared("td0", "--steps", "50", *words)
        assert code == 0
        same = [x["sup_error"] == y["sup_error"] for x, y in zip(found["learners"], usual, strict=True)]
        assert all(same) == (words[0] == "--threads")  # the same bits for any number of threads
    code, found = compared("value-iteration", "--sweeps", "2")
    assert code == 0
    assert found["methods"][0]["status"] == "BUDGET_SPENT"
    code, found = compared("value-iteration", "--time-limit", "0")
    assert found["methods"][0]["status"] != "CERTIFIED"


# Sizes and numbers of each family that are not the usual ones, small.
SIZES = {
    "gridworld": "--rows 3 --columns 4 --walls 0.2 --slip 1/4 --step-reward -2 --gamma 0.8 --seed 3",
    "maze": "--rows 3 --columns 4 --slip 1/4 --step-reward -2 --gamma 0.8 --seed 3",
    "random-walk": "--states 6 --left -2 --right 3 --gamma 0.8",
    "queue": "--capacity 4 --speeds 2 --arrival 0.25 --service 0.5 --holding 2 --effort 3 --gamma 0.8",
    "forest": "--states 5 --fire 0.25 --wait-reward 5 --cut-reward 3 --gamma 0.8",
    "inventory": "--capacity 4 --demand 3 --price 7 --unit 1 --fixed 3 --holding 2 --gamma 0.8",
    "car-rental": "--capacity 3 --moves 1 --move-cost 3 --price 9 --gamma 0.8",
    "garnet": "--states 6 --actions 2 --branching 3 --gamma 0.8 --seed 3",
}


@pytest.mark.parametrize("family", SIZES)
def test_every_size_of_a_family_reaches_its_function(capsys, tmp_path, family):
    words = SIZES[family].split()
    pairs = dict(zip(words[::2], words[1::2], strict=True))

    def made(given):
        path = tmp_path / "model"
        asked = [word for pair in given.items() for word in pair]
        done = inside(capsys, "make", family, *asked, "-o", path, "--to", "npz", "-q")
        assert (done.code, done.err) == (0, "")
        assert path.is_file()
        return load(path, format="npz").digest

    whole = made(pairs)
    numbers = {flag[2:].replace("-", "_"): value for flag, value in pairs.items()}
    numbers = {key: eval(value) for key, value in numbers.items()}
    assert whole == getattr(families, family.replace("-", "_"))(**numbers).digest
    for flag in pairs:  # each alone makes another model than all the others do
        rest = {other: value for other, value in pairs.items() if other != flag}
        if flag not in ("--rows", "--columns", "--states", "--capacity"):  # large without
            assert made(rest) != whole, flag


def test_examples_are_listed_quietly_too(capsys):
    done = inside(capsys, "examples", "--quiet")
    assert (done.code, done.err) == (0, "")
    assert "example:forest" in done.out


def test_a_number_may_begin_with_its_point(capsys):
    typed = inside(capsys, "solve", "example:forest", "--gamma", ".9", "--tolerance", ".001", "-q").out
    assert (
        typed == inside(capsys, "solve", "example:forest", "--gamma", "0.9", "--tolerance", "0.001", "-q").out
    )
    assert inside(capsys, "solve", "example:forest", "--gamma", ".", "-q").code == 2
