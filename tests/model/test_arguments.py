"""Policies in every usual form, words for one idea, and one line for a call that does not fit. Models by hand."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import tabular_rl as t
from tabular_rl import laws
from tabular_rl.errors import FORMS, IDEAS, PHRASES, OptionError, closest, in_python, on_command_line, spoken
from tabular_rl.methods.lookup import METHODS
from tabular_rl.model import families
from tabular_rl.model.names import Names
from tabular_rl.model.policy import policy_of
from tabular_rl.solving.options import OPTIONS

PACKAGE = Path(t.__file__).parent
# a: left stays for 0, right leads to b for 1; b: back to a for 0 only; the end is out of reach. L = 3, S = 3, A = 2.
MODEL = t.MDP.from_outcomes(
    [("a", "left", "a", 1, 0), ("a", "right", "b", 1, 1), ("b", "left", "a", 1, 0), ("b", "left", "end", 0, 0)],
    "1/2", states=["a", "b", "end"], actions=["left", "right"], terminal=["end"],
)  # fmt: skip
RIGHT = t.Policy.of_actions(MODEL, {"a": "right", "b": "left"})
V = [4 / 3, 2 / 3, 0]  # v(a) = 1 + v(b)/2, v(b) = v(a)/2


@pytest.mark.parametrize(
    "given",
    [
        RIGHT,
        t.solve(MODEL),
        {"a": "right", "b": "left"},
        {"a": "right", "b": "left", "end": None},
        {0: 1, np.int64(1): np.int32(0)},
        {"a": {"right": 1}, "b": {"left": "1"}},
        ["right", "left", None],
        ("right", 0, None),
        [1, 0, -1],
        np.array([1, 0, -1]),
        np.array([1.0, 0.0, -1.0]),
        [[0, 1], [1, 0], [0, 0]],
        np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]]),
        np.array([0.0, 1.0, 1.0]),  # (L,); as actions it would have the terminal state act
        np.array([[False, True], [True, False], [False, False]]),
        "epsilon-greedy:0:action:right",  # b has no right, and takes what it has
        "optimal",
    ],
)
def test_a_policy_is_taken_in_every_form(given):
    assert t.evaluate(MODEL, given).v == pytest.approx(V, abs=1e-6)


def test_a_policy_is_taken_as_the_command_line_takes_it(tmp_path):
    half = t.evaluate(MODEL, "uniform")  # v(a) = 1/2 (v(a)/2) + 1/2 (1 + v(b)/2), v(b) = v(a)/2: v(a) = 4/5
    assert half["a"] == pytest.approx(0.8, abs=1e-6)
    path = tmp_path / "a.json"
    t.solve(MODEL).save(path)
    assert t.evaluate(MODEL, str(path)).v == pytest.approx(V, abs=1e-6)
    assert t.evaluate(MODEL, f"greedy:{path}").v == pytest.approx(V, abs=1e-6)


TAKERS = {
    "evaluate": lambda p: t.evaluate(MODEL, p).v,
    "policy_evaluation": lambda p: t.policy_evaluation(MODEL, p).v,
    "linear_solve": lambda p: t.linear_solve(MODEL, p).v,
    "rational_evaluation": lambda p: t.rational_evaluation(MODEL, p).v,
    "learn": lambda p: t.learn(MODEL, "td0", p, steps=9).v,
    "behavior": lambda p: t.learn(MODEL, "td0", RIGHT, behavior=p, steps=9).v,
    "q_learning": lambda p: t.q_learning(MODEL, behavior=p, steps=9).q,
    "simulate": lambda p: t.simulate(MODEL, p, episodes=9).mean,
    "sample_transitions": lambda p: t.sample_transitions(MODEL, p, 9).row,
    "compare": lambda p: t.compare(MODEL, ["policy-evaluation"], p).rows[0].solution.v,
    "verify": lambda p: t.verify(MODEL, V, policy=p, tolerance=1e9).upper,
    "occupancy": lambda p: t.occupancy(MODEL, p),
    "visit_distribution": lambda p: t.visit_distribution(MODEL, p),
    "stationary_distribution": lambda p: t.stationary_distribution(MODEL, p).limit,
    "exact_gradient": lambda p: t.exact_gradient(MODEL, p).gradient,
    "enumerated_moments": lambda p: t.enumerated_moments(MODEL.replace(horizon=2), p, "return").mean,
    "estimator_moments": lambda p: t.estimator_moments(MODEL, p, "return").mean,
    "sample_gradient": lambda p: t.sample_gradient(MODEL, p, episodes=9)[0].mean,
    "gradient_ascent": lambda p: t.gradient_ascent(MODEL, policy=p, steps=1).J,
    "expected": lambda p: laws.expected("td0", MODEL, p, points=[2], step_size=0.1).mean,
    "importance_law": lambda p: laws.importance_law(MODEL.replace(horizon=2), p, p).mean,
    "epsilon_greedy": lambda p: t.Policy.epsilon_greedy(MODEL, p, "1/2").weights,
}


@pytest.mark.parametrize("name", TAKERS)
def test_every_function_takes_the_same_forms(name):
    """One policy, written in four ways: the same answer each time, bit for bit."""
    policy = t.Policy.of_table(MODEL, [[0.25, 0.75], [1, 0], [0, 0]])
    forms = [policy, {"a": {"left": 0.25, "right": 0.75}, "b": {"left": 1.0}}, [[0.25, 0.75], [1, 0], [0, 0]],
             np.array([0.25, 0.75, 1.0])]  # fmt: skip
    first, *others = [np.asarray(TAKERS[name](form), dtype=float) for form in forms]
    assert all(np.array_equal(first, other, equal_nan=True) for other in others)


def test_a_policy_of_each_time_step_is_taken():
    mdp = MODEL.replace(horizon=2)
    best = t.solve(mdp)
    values = t.evaluate(mdp, best).v
    again = (
        [["right", "left", None], ["right", "left", None]],
        [[1, 0, -1]] * 2,
        dict(best.policy),
        best.policy.table,
    )
    for given in (*again, [{"a": "right", "b": "left"}] * 2):
        assert np.array_equal(t.evaluate(mdp, given).v, values)


# Two states, one action each in the second: S = L = 2 has an array (2,) with two readings.
AMBIGUOUS = t.MDP.from_outcomes(
    [("s", "x", "s", 1, 1), ("u", "y", "u", 1, 0)], "1/2", states=["s", "u"], actions=["x", "y"]
)
TWO = t.MDP([[[1.0, 0], [0, 1.0]], [[1.0, 0], [0, 1.0]]], [[0, 1], [0, 1]], "1/2", axes="sas")


def test_an_array_that_could_be_two_policies_is_refused_with_both():
    one = t.MDP.from_outcomes(
        [("s", "x", "s", 1, 1), ("s", "y", "s", 1, 0), ("u", "x", "u", 1, 0), ("u", "y", "u", 1, 0)], "1/2",
        horizon=2, states=["s", "u"], actions=["x", "y"],
    )  # fmt: skip
    # (2, 2): actions at two times, or a table (S, A).
    with pytest.raises(
        OptionError,
        match=r"an action a state \(Policy.of_actions\) or a table \(S, A\).*\(Policy.of_table\), expected",
    ):
        policy_of(one, [[0, 1], [1, 0]])
    assert policy_of(one, [[0, 0], [1, 1]]) == t.Policy.of_actions(
        one, [[0, 0], [1, 1]]
    )  # no table sums to 0
    assert policy_of(one, [[0.5, 0.5], [1, 0]])["s"] == {"x": 0.5, "y": 0.5}


def test_the_reading_that_makes_a_policy_is_taken_where_the_shape_has_two():
    assert policy_of(AMBIGUOUS, [0, 1])["u"] == "y"  # as probabilities s would have none
    assert policy_of(AMBIGUOUS, [1.0, 1.0])["s"] == {"x": 1.0}
    with pytest.raises(OptionError, match=r"neither an action a state .* nor a probability for each pair"):
        policy_of(AMBIGUOUS, [0, 0])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (None, "policy: found NoneType, expected a Policy, 'uniform', an action a state"),
        (3, "policy: found int, expected"),
        ({"left"}, "policy: found set, expected"),
        (t.solve, "policy: found function, expected"),
        (t.evaluate, "policy: found function, expected"),
        ([1, [0]], "policy: found lists of different lengths, expected"),
        ([1, 2], r"policy: found int64 of shape \(2,\), expected an action a state \(3,\), a probability"),
        ([0.5, 0.2, 0.3], "policy: state 'a': probabilities sum to 0.7"),
        ([1j, 0, 0], "policy: found list of complex128, expected"),
        ({"a": "up"}, "policy: action 'up': no such action"),
        ({"a": 7}, "policy: action 7: no such action, expected a name, or an index from 0 to 1"),
        ({"x": "left"}, "policy: state 'x': no such state"),
        ({"a": object()}, r"policy: action \(object\)"),
        (["left", "left", "left"], "policy: state 'end', action 'left': a terminal state has none"),
        ("action:up", "policy: no action 'up'"),
        ("random.csv", "random.csv: no such file"),
        (t.Policy.uniform(TWO), "policy: found one of another model"),
        (t.evaluate(MODEL, RIGHT).v, r"policy: found float64 of shape|policy: state"),
    ],
)
def test_what_is_no_policy_is_refused_in_one_line(given, says):
    with pytest.raises((t.OptionError, t.ModelError), match=says) as error:
        t.evaluate(MODEL, given)
    assert "\n" not in str(error.value)
    assert "--" not in str(error.value)


def test_a_behavior_is_named_so():
    with pytest.raises(OptionError, match=r"^behavior: action 'up': no such action"):
        t.q_learning(MODEL, behavior=["up", "left", None], steps=1)


def test_q_tables_make_policies():
    answer = t.solve(MODEL)
    for made in (t.Policy.greedy(MODEL, answer.q_table), t.Policy.greedy(MODEL, answer.q)):
        assert made == RIGHT
    timed = t.solve(MODEL.replace(horizon=2))
    assert t.Policy.greedy(timed.mdp, timed.q_table) == timed.policy
    table = np.log([[0.25, 0.75], [1.0, 1.0], [1.0, 1.0]])
    assert t.Policy.softmax(MODEL, table).weights == pytest.approx([0.25, 0.75, 1.0])
    assert t.Policy.of_probs(MODEL, [[0.25, 0.75], [1, 0], [0, 0]]).weights.tolist() == [0.25, 0.75, 1.0]
    for make in (t.Policy.greedy, t.Policy.softmax, t.Policy.of_probs):
        with pytest.raises(OptionError, match=r"found shape \(2, 2\), expected \(3,\).*\(3, 2\)"):
            make(MODEL, [[0, 1], [1, 0]])


# -- names and indices ---------------------------------------------------------------------------------------------


def test_a_state_is_asked_for_by_name_or_index():
    answer = t.solve(MODEL)
    assert answer["b"] == answer[1] == answer[np.int64(1)]
    assert answer.policy[0] == "right"
    with pytest.raises(KeyError, match="state 3: no such state, expected a name, or an index from 0 to 2"):
        answer[3]
    with pytest.raises(KeyError, match=r"state \(float\) '1.0': no such state"):
        answer[1.0]


def test_a_number_that_names_one_and_counts_another_is_refused():
    names = Names(["1", "0"])
    assert names.at("1", "state") == 0
    says = r"state 1: found the index of '0' and the name of another.*Write '1' for the name"
    with pytest.raises(OptionError, match=says):
        names.at(1, "state")


# -- calls that do not fit -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: t.q_learning(MODEL, alpha=0.1), r"^alpha: q-learning has no such option; did you mean 'step_size'\?"),
        (lambda: t.learn(MODEL, "q-learning", lr=0.1), r"^lr: q-learning .* did you mean 'step_size'\?"),
        (lambda: t.learn(MODEL, "q-learning", epsilon=0.1), r"did you mean 'explore' \(epsilon-greedy:0.1\)\?"),
        (lambda: t.learn(MODEL, "td-lambda", lambda_=0.1), r"did you mean 'trace'\?"),
        (lambda: t.learn(MODEL, "n-step-td", n_steps=4), r"did you mean 'steps' or 'n'\?"),
        (lambda: t.solve(MODEL, tol=1e-3), r"^tol: auto has no such option; did you mean 'tolerance'\?"),
        (lambda: t.solve(MODEL, epsilon=1e-3), r"did you mean 'tolerance'\?"),
        (lambda: t.value_iteration(MODEL, max_iter=3), r"did you mean 'sweeps'\?"),
        (lambda: t.solve(MODEL, beta=0.9), r"; the discount is part of the model: mdp.replace\(gamma=...\)"),
        (lambda: t.solve(MODEL, gamma=0.9), r"; the discount is part of the model: mdp.replace\(gamma=...\)"),
        (lambda: t.value_iteration(MODEL, nonsense=1), "^nonsense: value-iteration has no such option. It has"),
        (lambda: t.value_iteration(MODEL, 1e-6), "value-iteration: found 2 arguments by position, expected 1"),
        (lambda: t.value_iteration(), "value-iteration: found no mdp, expected mdp"),
        (lambda: t.value_iteration(MODEL, mdp=MODEL), "value-iteration: found 'mdp' twice"),
        (lambda: t.evaluate(MODEL), "evaluate: found no policy, expected mdp, policy"),
        (lambda: t.evaluate(MODEL, pi=RIGHT), "^pi: evaluate has no such option; did you mean .policy.[?]"),
        (lambda: t.evaluate(RIGHT, MODEL), "mdp: found Policy, expected a model"),
        (lambda: t.solve("a.toml"), r"mdp: found str, expected a model: tabular_rl.load\('a.toml'\)"),
        (lambda: t.solve(None), "mdp: found NoneType, expected a model: tabular_rl.load"),
        (lambda: t.td0([1], RIGHT), "mdp: found list, expected a model"),
        (lambda: t.solve(MODEL, 3), "method: found int, expected a name such as"),
        (lambda: t.solve(MODEL, max), "method: found max, expected a name such as"),
        (lambda: t.learn(MODEL, None), "method: found NoneType, expected"),
        (lambda: t.solve(MODEL, t.td0), "method 'td0' learns from samples"),
        (lambda: t.simulate(MODEL, RIGHT, n_episodes=3), r"did you mean 'episodes'\?"),
        (lambda: t.exact_gradient(3), "policy: found int, expected a SoftmaxPolicy or a Policy"),
        (lambda: t.exact_gradient("uniform"), "policy: found str, expected a SoftmaxPolicy or a Policy"),
    ],
)  # fmt: skip
def test_a_call_that_does_not_fit_is_one_line(call, says):
    with pytest.raises(OptionError, match=says) as error:
        call()
    assert "\n" not in str(error.value)
    assert "--" not in str(error.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda: t.load("example:forest", normalize="no"),
        lambda: t.MDP([[[1.0]]], [[1.0]], 0.5, normalize="no"),
        lambda: t.MDP.from_outcomes([("a", "go", "a", 1, 1)], "1/2", normalize="no"),
        lambda: t.MDP.from_dictionary({0: {0: [(1, 0, 1, False)]}}, 0.5, normalize="no"),
    ],
)
def test_no_text_is_silently_true(call):
    with pytest.raises(OptionError, match=r"^normalize: found 'no', expected True or False$"):
        call()


LOG = t.sample_transitions(MODEL, "uniform", 5)


@pytest.mark.parametrize(
    "call",
    [
        lambda: t.load(3),
        lambda: t.save(MODEL, 3),
        lambda: t.save(3, "a.toml"),
        lambda: t.examples(3),
        lambda: families.garnet(n_states=3),
        lambda: t.MDP([[[1.0]]], [[1.0]], discount=0.5),
        lambda: t.MDP([[[1.0]]], [[1.0]], 0.5, state_names=["s"]),
        lambda: t.MDP.from_tensors([[[1.0]]], [[1.0]], 0.5, action_names=["x"]),
        lambda: t.td0(MODEL, RIGHT, weights="x", steps=1),
        lambda: t.td0(MODEL, RIGHT, resume=3, steps=1),
        lambda: t.td0(MODEL, RIGHT, resume={}, steps=1),
        lambda: t.td0(MODEL, RIGHT, checkpoint=3, steps=1),
        lambda: t.td0(MODEL, RIGHT, reference=3, steps=1),
        lambda: t.td0(MODEL, RIGHT, data=3, steps=1),
        lambda: t.td0(MODEL, RIGHT, data=[1], steps=1),
        lambda: t.q_learning(MODEL, behavior="log", steps=1),
        lambda: t.solve(MODEL, start_from="x"),
        lambda: t.compare(MODEL, 3),
        lambda: t.gradient_ascent(MODEL, steps="x"),
        lambda: t.SoftmaxPolicy(3),
        lambda: t.SoftmaxPolicy(MODEL, theta="x"),
        lambda: t.SoftmaxPolicy(MODEL, features="x"),
        lambda: t.estimator_moments(MODEL, "uniform", "return", values="x"),
        lambda: t.Policy.uniform(3),
        lambda: t.Policy.greedy(3, [1]),
        lambda: t.Policy.greedy(MODEL, "x"),
        lambda: t.Policy.of_actions(None, [1]),
        lambda: t.Policy.of_probs(MODEL, {"a": {"left": None}}),
        lambda: t.Transitions.of(MODEL, 3),
        lambda: t.Log.of(3),
        lambda: t.write_log(3, "a.csv"),
        lambda: t.write_log(LOG, 3),
        lambda: t.estimate(LOG, None),
        lambda: t.estimate(LOG, 0.5, terminal=3),
        lambda: t.verify(MODEL, V, tol=1),
    ],
)
def test_a_wrong_kind_of_argument_is_one_line(call):
    with pytest.raises((t.OptionError, t.ModelError)) as error:
        call()
    assert "\n" not in str(error.value)
    assert re.search("found|no such option", str(error.value))


@pytest.mark.parametrize("name", ["a.toml", "a.csv"])
def test_a_file_that_says_gamma_is_told_discount(tmp_path, name):
    texts = {
        "a.toml": 'gamma = 0.9\n[state.a]\ngo = { to = "a", reward = 1 }\n',
        "a.csv": "# gamma = 0.9\nstate,action,next_state,probability,reward\na,go,a,1,1\n",
    }
    (tmp_path / name).write_text(texts[name])
    with pytest.raises(t.ModelError, match="unknown key 'gamma'; did you mean 'discount'"):
        t.load(tmp_path / name)


def test_a_method_is_taken_as_its_function():
    assert t.solve(MODEL, t.value_iteration).method == "value-iteration"
    assert t.evaluate(MODEL, RIGHT, t.linear_solve).method == "linear-solve"
    assert t.learn(MODEL, t.q_learning, steps=1).method == "q-learning"


@pytest.mark.parametrize("name", METHODS)
def test_a_method_looks_like_its_function(name):
    """The wrapping shows nowhere: signature, defaults, documentation and doctests are those of the function."""
    made = METHODS[name]
    inner = inspect.unwrap(made)
    assert inner is not made
    assert inspect.signature(made) == inspect.signature(inner)
    assert made.__doc__ == inner.__doc__
    assert made.__globals__ is inner.__globals__


# -- words ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "known", "says"),
    [
        ("--alpha", ["--all", "--step-size"], "'--step-size'"),
        ("--epsilon", ["--json", "--explore"], "'--explore' (epsilon-greedy:0.1)"),
        ("--epsilon", ["--json", "--tolerance"], "'--tolerance'"),
        ("--lambda", ["--gamma", "--trace"], "'--trace'"),
        ("gamma", ["discount", "horizon"], "'discount'"),
        ("discount", ["gamma", "terminal"], "'gamma'"),
        ("state_names", ["states", "actions"], "'states'"),
        ("tolernce", ["tolerance"], "'tolerance'"),
    ],
)
def test_the_right_word_is_named(word, known, says):
    assert closest(word, known) == f"; did you mean {says}?"


@pytest.mark.parametrize(
    ("word", "known"), [("--alpha", ["--all"]), ("--lambda", ["--gamma"]), ("tol", ["steps"])]
)
def test_a_word_of_another_idea_is_no_slip_of_the_pen(word, known):
    assert closest(word, known) == ""


def test_every_idea_has_a_word_that_is_used_here():
    used = set(OPTIONS)
    for function in [*METHODS.values(), *(getattr(t, n) for n in t.__all__), *families.FAMILIES.values()]:
        if callable(function) and not inspect.isclass(function):
            used |= set(inspect.signature(function).parameters)
    used |= {
        "gamma",
        "P",
        "states",
        "actions",
        "final_reward",
        "horizon",
        "reward",
        "start",
        "terminal",
        "sense",
    }
    assert [idea[0] for idea in IDEAS if idea[0] not in used] == []
    assert {name for _, name in FORMS} <= used


# -- one voice -----------------------------------------------------------------------------------------------------


def texts() -> list[tuple[str, str]]:
    """The texts of the package that name options, but for docstrings: those of commands are for the command line."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if "commands" in path.parts:
            continue
        source = path.read_text(encoding="utf-8")
        if "--" not in source:
            continue
        tree = ast.parse(source)
        documents = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
            and node.body and isinstance(node.body[0], ast.Expr)
        }  # fmt: skip
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents:
                found += [(str(path), node.value)] if re.search(r"(?<![\w-])--[a-z]", node.value) else []
    return found


def test_every_option_that_a_message_names_is_an_argument_in_python():
    """What a message calls --sweeps is called sweeps= by whoever reads it in Python, and exists there."""
    known = set(OPTIONS) | {
        "behavior",
        "episodes",
        "method",
        "data",
        "horizon",
        "policy",
        "format",
        "start",
        "terminal",
        "reference",
        "plot",
        "assert",
        "all",
        "resume",
        "iterates",
        "show",
        "draw",
        "start_from",
        "kind",
        "numbers",
        "reward_range",
        "prior",
        "least",
        "json",
        "logs",
        "reward",
        "sense",
        "arrays",
        "columns",
        "confidence",
        "state",
        "sweep",
        "step",
        "transition",
        "estimator",
        "log",
    }
    for function in families.FAMILIES.values():
        known |= set(inspect.signature(function).parameters)
    known |= {phrase.lstrip("-").rstrip(":") for phrase in PHRASES}
    found = texts()
    assert len(found) > 20, "the walk found next to nothing"
    for path, text in found:
        text = re.sub(
            r"'storm [^']*'?|--(jani|prism|build|export)\w*", "", text
        )  # options of another program, in quotes
        for name in re.findall(r"(?<![\w-])--([a-z][a-z-]*)", text):
            assert name.replace("-", "_") in known or name in known, (path, text)
        assert not re.search(r"(?<![\w'-])--[a-z]", in_python(text)), (path, text)


def test_the_voice_is_that_of_the_reader():
    error = OptionError("--steps: found 0, expected more; raise --steps, or load with --normalize")
    assert str(error) == "steps: found 0, expected more; raise steps=, or load with normalize=True"
    with on_command_line():
        assert str(error).startswith("--steps: ")
        assert spoken("--a") == "--a"
    assert spoken("--a") == "a="


def test_what_has_a_model_is_told_where_it_is():
    """A Solution or an Estimate in the place of a model."""
    with pytest.raises(OptionError, match=r"^mdp: found Solution, expected a model: its \.mdp$"):
        t.solve(t.solve(t.load("example:forest")))


def test_an_array_that_is_a_table_or_time_steps_of_pairs_is_refused_with_both():
    """Two states, one of them the end, two actions, two decisions: (S, A) = (T, L) = (2, 2)."""
    P = [[[1, 0], [0, 1]], [[0, 0], [0, 0]]]
    mdp = t.MDP(P, [[1, 3], [0, 0]], 1, axes="sas", terminal=[1], horizon=2)
    with pytest.raises(OptionError, match="a table of 2 states and 2 actions, and 2 time steps of 2 pairs"):
        t.evaluate(mdp, [[0.25, 0.75], [0.5, 0.5]])
