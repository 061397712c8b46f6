"""A model as a Gymnasium environment. The truth is the model, arithmetic, and Gymnasium's own checker."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest

import tabular_rl as t
from tabular_rl import MDP, MissingExtra, OptionError

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.utils.env_checker import check_env  # noqa: E402

from tabular_rl.environments import ID, ModelEnv  # noqa: E402

LARGE = ("jacks_car_rental",)  # 23,000 outcomes
NAMES = [pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name for name in t.examples()]
TWO = MDP.from_outcomes(
    [
        ("a", "go", "b", 1, 5),
        ("a", "wait", "a", "1/2", 1),
        ("a", "wait", "c", "1/2", 2),
        ("b", "go", "c", 1, 7),  # in b one cannot wait
    ],
    "1/2",
    terminal=["c"],
    start="a",
)


ENDED = MDP.from_rows(
    pair_ptr=[0, 0],
    pair_action=[],
    row_ptr=[0],
    next_state=[],
    prob=[],
    r=[],
    gamma=1,
    terminal=[True],
    actions=1,
)


def episode(env, seed=None):
    """The transitions of an episode whose actions are drawn from the masks."""
    state, info = env.reset(seed=seed)
    dice, rows, over = np.random.default_rng(0), [], False
    while not over and len(rows) < 100:
        action = int(dice.choice(np.flatnonzero(info["action_mask"])))
        after, reward, terminated, truncated, info = env.step(action)
        rows.append((state, action, reward, after, terminated, truncated))
        state, over = after, terminated or truncated
    return rows


def begun(state="a"):
    env = ModelEnv(TWO)
    env.reset(seed=0, options={"state": state})
    return env


@pytest.mark.parametrize("name", NAMES)
def test_gymnasiums_checker_passes(name):
    mdp = t.load(f"example:{name}")
    whole = all(len(mdp.rows(s)) in (mdp.A, 0) for s in range(mdp.S))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*alternative render modes")  # it has no spec
        for unavailable in ("stay", "raise") if whole else ("stay",):
            check_env(ModelEnv(mdp, unavailable))


@pytest.mark.parametrize("name", ["frozen_lake_4x4", "recycling_robot"])
def test_gymnasiums_checker_passes_with_its_pictures(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(ID, model=f"example:{name}", unavailable="stay").unwrapped)


def test_it_is_registered_without_an_import_by_the_name_of_its_module(tmp_path):
    t.save(TWO, tmp_path / "two.toml")
    code = (
        "import gymnasium\n"
        f"env = gymnasium.make('tabular_rl.environments:{ID}', model={str(tmp_path / 'two.toml')!r})\n"
        "print(env.reset(seed=0)[0], env.spec.id, env.unwrapped.mdp.S)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, f"0 {ID} 3\n"), done.stderr


@pytest.mark.parametrize("maker", ["make", "make_vec"])
def test_without_a_model_it_is_one_line(maker):
    with pytest.raises(
        OptionError, match=r'model: found None, expected an MDP.*make\(ID, model="lake\.toml"\)$'
    ):
        getattr(gymnasium, maker)("tabular_rl.environments:tabular-rl/Model-v0")


def test_steps_are_those_of_the_model():
    env = ModelEnv(TWO)
    assert env.reset(seed=0)[0] == 0
    state, reward, terminated, truncated, info = env.step(0)
    assert (state, reward, terminated, truncated) == (1, 5.0, False, False)
    assert (info["prob"], info["action_mask"].tolist()) == (1.0, [1, 0])
    assert env.step(0)[:4] == (2, 7.0, True, False)
    env.reset()
    state, reward, *_, info = env.step(1)
    assert (state, reward, info["prob"]) in [(0, 1.0, 0.5), (2, 2.0, 0.5)]


def test_outcomes_have_the_shares_of_the_model():
    """By Hoeffding's inequality one of seven shares is off by .035 or more at most once in a million runs."""
    seed = int(np.random.SeedSequence().entropy % 2**32)
    env, seen, n = ModelEnv("example:random_walk_5"), np.zeros(7), 8_000
    middle = env.mdp.states.at("C", "state")
    for k in range(n):
        env.reset(seed=seed if k == 0 else None, options={"state": middle})
        seen[env.step(0)[0]] += 1
    expected = np.zeros(7)
    expected[[middle - 1, middle + 1]] = 0.5
    assert np.abs(seen / n - expected).max() < 0.035, seed


def test_the_same_seed_gives_the_same_episode():
    env = ModelEnv("example:frozen_lake_8x8")
    first, again, other = episode(env, 7), episode(env, 7), episode(env, 8)
    assert first == again != other
    assert episode(ModelEnv(env.mdp), 7) == first


def test_what_is_not_available_raises_or_stays():
    env = begun("b")
    with pytest.raises(OptionError, match=r"state 'b': found action 1, 'wait', expected one of 'go'\. info"):
        env.step(1)
    assert env.step(0)[0] == 2
    env = ModelEnv(TWO, unavailable="stay")
    env.reset(seed=0, options={"state": 1})
    assert env.step(1)[:4] == (1, 0.0, False, False)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ModelEnv(TWO, "skip"), "unavailable: found 'skip', expected 'raise' or 'stay'"),
        (lambda: ModelEnv(3), "model: found 3, expected an MDP, or the name of a file"),
        (lambda: ModelEnv(TWO, render_mode="human"), "render_mode: found 'human', expected None, 'ansi'"),
        (lambda: ModelEnv(TWO).step(0), "step: found no episode, or one that has ended, expected reset"),
        (lambda: begun().step(2), "action: found 2, expected 0 to 1"),
        (lambda: begun().step(-1), "action: found -1, expected 0 to 1"),
        (lambda: begun().step("go"), "action: found 'go', expected 0 to 1"),
        (lambda: begun().reset(options={"stat": 0}), "options: found 'stat'; did you mean 'state'"),
        (lambda: begun().reset(options=3), "options: found 3, expected {'state': name or index}"),
        (lambda: begun("z"), "state 'z': no such state"),
        (lambda: begun("c"), "state 'c': found a terminal state, expected one with actions"),
        (lambda: ModelEnv(ENDED), "model: found no state with actions, expected one to start from"),
    ],
)
def test_what_is_asked_wrongly_is_told(call, message):
    with pytest.raises(OptionError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_after_the_end_one_must_reset():
    env = begun("b")
    env.step(0)
    with pytest.raises(OptionError, match=r"expected reset\(\)"):
        env.step(0)
    env.reset()
    env.step(0)


def test_the_horizon_truncates_and_pays_what_comes_after_it():
    mdp = TWO.replace(horizon=2, final_reward={"a": 8, "b": 100})
    env = ModelEnv(mdp)
    env.reset(seed=0)
    assert [env.step(0)[:4] for _ in range(2)] == [(1, 5.0, False, False), (2, 7.0, True, False)]
    mdp = MDP.from_outcomes([("a", "go", "a", 1, 1)], "1/2", horizon=2, final_reward={"a": 8})
    env = ModelEnv(mdp)
    env.reset(seed=0)
    assert [env.step(0)[:4] for _ in range(2)] == [(0, 1.0, False, False), (0, 1.0 + 8 / 2, False, True)]


def test_costs_are_paid():
    mdp = MDP.from_outcomes([("a", "go", "b", 1, 5)], 1, terminal=["b"], sense="min")
    env = ModelEnv(mdp)
    env.reset(seed=0)
    assert env.step(0)[1] == -5.0
    assert env.P[0][0] == [(1.0, 1, -5.0, True)]
    assert MDP.from_gymnasium(env) == mdp


@pytest.mark.parametrize("name", NAMES)
def test_the_model_comes_back(name):
    """As it is; and from P, which is all that other programs read: every backup is the same."""
    mdp = t.load(f"example:{name}")
    env = ModelEnv(mdp)
    assert MDP.from_gymnasium(env) == mdp
    if mdp.K > 3000:
        return  # one loop over outcomes is as the other
    P, v = env.P, np.random.default_rng(0).normal(size=mdp.S)
    for s in range(mdp.S):
        rows = mdp.rows(s)
        if mdp.terminal[s]:
            assert P[s] == {a: [(1.0, s, 0.0, True)] for a in range(mdp.A)}
            continue
        assert list(P[s]) == [int(mdp.pair_action[i]) for i in rows]
        for i, outcomes in zip(rows, P[s].values(), strict=True):
            ours = sum(p * (r + mdp.gamma * v[s2] * (not done)) for p, s2, r, done in outcomes)
            k = slice(int(mdp.row_ptr[i]), int(mdp.row_ptr[i + 1]))
            after = np.where(mdp.terminal, 0.0, v)[mdp.next_state[k]]
            assert ours == pytest.approx(mdp.sign * mdp.r[i] + mdp.gamma * mdp.prob[k] @ after, abs=1e-9)


@pytest.mark.parametrize("name", ["frozen_lake_4x4", "student", "random_walk_5"])
def test_P_alone_is_the_model_too(name):
    mdp = t.load(f"example:{name}")
    back = MDP.from_dictionary(ModelEnv(mdp).P, mdp.gamma_exact)
    assert (back.S, back.A, back.L) == (mdp.S, mdp.A, mdp.L)
    assert back.terminal.tolist() == mdp.terminal.tolist()
    order, v = [int(a) for a in back.actions], np.arange(mdp.S)
    assert back.table(back.backup(v)) == pytest.approx(mdp.table(mdp.backup(v))[:, order])


def test_another_discount_of_the_model_that_comes_back():
    assert MDP.from_gymnasium(ModelEnv(TWO), gamma="9/10", start="b") == TWO.replace(gamma="9/10", start="b")
    assert list(MDP.from_gymnasium(ModelEnv(TWO), states=["x", "y", "z"]).states) == ["x", "y", "z"]
    assert MDP.from_gymnasium(gymnasium.make(ID, model=TWO)) == TWO


def test_without_gymnasium_the_extra_is_named(monkeypatch):
    from tabular_rl import environments

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"ModelEnv: found no gymnasium, .*pip install 'tabular-rl\[gym"):
        _ = environments.ModelEnv
    with pytest.raises(AttributeError, match="no attribute 'ModelEnvironment'"):
        _ = environments.ModelEnvironment
