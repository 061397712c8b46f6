"""pymdptoolbox 4.0b3 solves its own examples; what is read of them has its answers, and goes back to it."""

import numpy as np
import pytest

from tabular_rl import MDP, load, save, solve

pytestmark = pytest.mark.peers("mdptoolbox")
FOREST = [{}, {"S": 20, "r1": 10, "r2": 3, "p": 0.05}, {"S": 7, "is_sparse": True}]


def answer_of(P, R, discount):
    """Return values and policy of the toolbox."""
    from mdptoolbox.mdp import PolicyIteration

    found = PolicyIteration(P, R, discount)
    found.run()
    return np.array(found.V), list(found.policy)


def check(P, R, discount=0.9):
    """Both have one answer, and the arrays that we give back are those of the same model."""
    v, policy = answer_of(P, R, discount)
    mdp = MDP.from_toolbox(P, R, discount)
    answer = solve(mdp, tolerance=1e-9)
    assert answer.v == pytest.approx(v, abs=1e-8)
    assert answer.policy.actions.tolist() == policy
    for sparse in (False, True):
        back = mdp.to_toolbox(sparse=sparse)
        assert MDP.from_toolbox(*back) == mdp
        assert answer_of(*back)[0] == pytest.approx(v, abs=1e-8)
    return mdp


@pytest.mark.parametrize("given", FOREST)
@pytest.mark.parametrize("discount", [0.5, 0.96])
def test_forest(given, discount):
    from mdptoolbox.example import forest

    check(*forest(**given), discount)


def test_small():
    from mdptoolbox.example import small

    P, R = small()
    check(P, R)
    assert solve(MDP.from_toolbox(P, R, 0.9)).v == pytest.approx([42.44186046511628, 36.04651162790698])


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_rand(seed, sparse):
    """Rewards depend on the next state. Rows are drawn and divided by their sums, as float64."""
    from mdptoolbox.example import rand

    np.random.seed(seed)
    P, R = rand(6, 3, is_sparse=sparse)
    check(P, R)


def test_matrices_as_objects():
    from mdptoolbox.example import rand

    np.random.seed(5)
    P, R = rand(5, 2, is_sparse=True)
    objects = [np.empty(2, dtype=object) for _ in range(2)]
    for made, given in zip(objects, (P, R), strict=True):
        made[:] = given
    assert MDP.from_toolbox(*objects, 0.9) == check(P, R)


def test_an_episode_that_ends_has_the_same_values_there():
    """A terminal state leads to itself for nothing there."""
    mdp = load("example:cliff_walking").replace(gamma="9/10", r=load("example:cliff_walking").r)
    v, _ = answer_of(*mdp.to_toolbox())
    assert solve(mdp).v == pytest.approx(v, abs=1e-6)


@pytest.mark.parametrize("name", ["m.mat", "m.json", "m.mdp", "m.toml"])
def test_files_of_its_forest_are_the_same_model(name, tmp_path):
    from mdptoolbox.example import forest

    mdp = MDP.from_toolbox(*forest(), 0.9)
    save(mdp, tmp_path / name)
    assert load(tmp_path / name) == mdp
