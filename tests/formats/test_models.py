"""Every model of mdps/ against its known answer, which was found without the package (mdps/answers.json)."""

from __future__ import annotations

import functools
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tabular_rl
from tabular_rl import MDP, NoFiniteAnswer, Policy, Status
from tabular_rl.certificates.verdict import proven_by_sweep as verify
from tabular_rl.commands import run

FOLDER = Path(__file__).parents[2] / "mdps"
ANSWERS: dict[str, Any] = json.loads((FOLDER / "answers.json").read_text())
FINITE = [name for name, answer in ANSWERS.items() if answer["exit"] == 0]
INFINITE = [name for name, answer in ANSWERS.items() if answer["exit"] == 4]


@functools.cache
def solved(name: str) -> tuple[MDP, tabular_rl.Solution]:
    """A model and its answer, which several tests look at."""
    mdp = tabular_rl.load(FOLDER / name)
    return mdp, tabular_rl.solve(mdp)


def known_values(mdp: MDP, known: dict[str, Any]) -> list[list[tuple[int, Fraction]]]:
    """(state, exact value) of each state the answer speaks of, by time step."""
    tables = known.get("by_time") or [known["v"]]
    return [[(mdp.states.index(s), Fraction(x)) for s, x in table.items()] for table in tables]


def assert_contains(solution: tabular_rl.Solution, known: dict[str, Any]) -> None:
    slack = Fraction(known["accuracy"])
    lower, upper = np.atleast_2d(solution.lower), np.atleast_2d(solution.upper)
    tables = known_values(solution.mdp, known)
    for low, high, table in zip(lower, upper, tables, strict=len(tables) > 1):
        for s, x in table:
            assert Fraction(float(low[s])) - slack <= x <= Fraction(float(high[s])) + slack


def test_there_are_at_least_30_models_and_each_has_an_answer() -> None:
    files = {p.name for p in FOLDER.iterdir() if p.suffix in (".toml", ".csv", ".npz")}
    assert files == set(ANSWERS)
    assert len(files) >= 30
    assert INFINITE


@pytest.mark.parametrize("name", FINITE)
def test_the_proven_interval_contains_the_known_answer(name: str) -> None:
    _, solution = solved(name)
    assert solution.status in (Status.CERTIFIED, Status.EXACT)
    assert solution.bound <= 1e-6
    assert_contains(solution, ANSWERS[name]["optimal"])


@pytest.mark.parametrize("name", FINITE)
def test_no_optimal_action_is_called_worse_and_the_chosen_one_is_optimal(name: str) -> None:
    mdp, solution = solved(name)
    known = ANSWERS[name]["optimal"]
    tables = known.get("actions_by_time") or [known["actions"]]
    keep = np.atleast_2d(solution.optimal_actions)
    assert solution.policy is not None
    assert solution.policy.rows is not None
    rows = np.atleast_2d(solution.policy.rows)
    for t, table in enumerate(tables):
        for state, actions in table.items():
            best = {mdp.row(state, action) for action in actions}
            assert all(keep[t, i] for i in best)
            assert int(rows[t, mdp.states.index(state)]) in best


@pytest.mark.parametrize("name", [n for n in FINITE if "policies" in ANSWERS[n]])
def test_the_uniform_policy_has_its_known_value(name: str) -> None:
    mdp = tabular_rl.load(FOLDER / name)
    known = ANSWERS[name]["policies"]["uniform"]
    solution = tabular_rl.evaluate(mdp, Policy.uniform(mdp))
    assert solution.status.reached
    assert solution.bound <= 1e-6
    assert_contains(solution, known)


@pytest.mark.parametrize("name", INFINITE)
def test_a_model_without_a_finite_answer_is_exit_4_and_names_its_states(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NoFiniteAnswer) as error:
        tabular_rl.solve(tabular_rl.load(FOLDER / name))
    assert set(error.value.states) <= set(ANSWERS[name]["states"])
    assert error.value.states
    assert run(["solve", str(FOLDER / name)]) == 4
    screen = capsys.readouterr()
    assert screen.out == ""
    assert any(state in screen.err for state in ANSWERS[name]["states"])


@pytest.mark.parametrize("name", FINITE)
def test_verify_accepts_the_answer_and_rejects_a_moved_value(name: str) -> None:
    mdp, solution = solved(name)
    v = np.array(solution.v)
    _, worst = verify(mdp, v, policy=solution.policy, lower=solution.lower, upper=solution.upper)
    assert worst <= 1e-6
    live = np.flatnonzero(~mdp.terminal)
    for s in live[[0, len(live) // 2, -1]]:
        for move in (1e-4, -1e-4):
            wrong = v.copy()
            wrong[..., s] += move
            _, worst = verify(mdp, wrong, policy=solution.policy, lower=solution.lower, upper=solution.upper)
            assert worst > 5e-5


@pytest.mark.parametrize(
    "name", ["gambler_40.toml", "taxicab.toml", "inventory_horizon.toml", "windy_gridworld.toml"]
)
def test_verify_on_the_command_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(FOLDER / name)
    answer = tmp_path / "answer.json"
    assert run(["solve", file, "-o", str(answer), "--quiet"]) == 0
    assert run(["verify", file, str(answer)]) == 0
    text = answer.read_text()
    data = json.loads(text)
    values = data["values"]
    first = values[0] if isinstance(values, list) and isinstance(values[0], list) else values
    key = next(iter(first)) if isinstance(first, dict) else 0
    first[key] += 1e-4
    answer.write_text(json.dumps(data))
    capsys.readouterr()
    assert run(["verify", file, str(answer)]) == 1
