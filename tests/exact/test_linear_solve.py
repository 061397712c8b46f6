"""The value of a policy by a linear solve: hand calculations, fractions, and systems that are hard on floats."""

from __future__ import annotations

import threading
from fractions import Fraction

import numpy as np
import pytest
from reference import exact_policy_value
from sized_models import far_ends, garnet, goal_of_many, gridworld

from tabular_rl.errors import NoFiniteAnswer, NotAnswerable, OptionError
from tabular_rl.methods.ask import evaluate, solve
from tabular_rl.methods.exact import linear_solve as module
from tabular_rl.methods.exact.linear_solve import (
    chosen_solver,
    linear_solve,
    policy_values,
    solve_chain,
)
from tabular_rl.methods.planning.policy_iteration import policy_iteration
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving.solution import Status
from tabular_rl.solving.sweeps import Sweeper

HOW = ("auto", "dense", "sparse", "elimination", "iterative")


def random_walk(n=5):
    moves = [(s, "go", s2, "1/2", int(s2 == n + 1)) for s in range(1, n + 1) for s2 in (s - 1, s + 1)]
    return MDP.from_outcomes(moves, 1, terminal=[0, n + 1])


def encloses(answer, exact):
    return all(low <= x <= high for low, x, high in zip(answer.lower, exact, answer.upper, strict=True))


@pytest.mark.parametrize("how", HOW)
def test_random_walk_has_sixths(how):
    answer = linear_solve(random_walk(), Policy.uniform(random_walk()), linear_solver=how)
    assert answer.status is Status.CERTIFIED
    assert [answer[str(s)] for s in range(7)] == pytest.approx(
        [0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 0], abs=1e-12
    )


def test_gridworld_of_sutton_and_barto():
    mdp = gridworld()
    answer = linear_solve(mdp, Policy.uniform(mdp))
    figure = {
        1: -14,
        2: -20,
        3: -22,
        4: -14,
        5: -18,
        6: -20,
        7: -20,
        8: -20,
        9: -20,
        10: -18,
        11: -14,
        12: -22,
    }
    assert {s: round(answer[str(s)], 9) for s in figure} == figure
    assert answer.bound < 1e-9


@pytest.mark.parametrize("how", HOW)
def test_recycling_robot_in_closed_form(how):
    """Search when high, recharge when low: h = r + γ (α h + (1 - α) l), l = γ h."""
    alpha, beta, r, gamma = 0.7, 0.6, 2.0, 0.9
    mdp = MDP.from_outcomes(
        [("high", "search", "high", alpha, r), ("high", "search", "low", 1 - alpha, r),
         ("high", "wait", "high", 1.0, 1.0), ("low", "wait", "low", 1.0, 1.0), ("low", "recharge", "high", 1.0, 0.0),
         ("low", "search", "low", beta, r), ("low", "search", "high", 1 - beta, -3.0)],
        gamma,
    )  # fmt: skip
    answer = linear_solve(
        mdp, Policy.of_actions(mdp, {"high": "search", "low": "recharge"}), linear_solver=how
    )
    high = r / (1 - gamma * alpha - gamma**2 * (1 - alpha))
    assert [answer["high"], answer["low"]] == pytest.approx([high, gamma * high], abs=1e-12)
    assert answer.q[mdp.row("low", "search")] == pytest.approx(
        beta * (r + gamma * gamma * high) + (1 - beta) * (-3 + gamma * high)
    )


@pytest.mark.parametrize("sense", ["max", "min"])
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("gamma", [0, "1/2", "99/100"])
def test_interval_holds_the_fraction(how, sense, gamma):
    mdp = garnet(1, gamma, S=12, actions=2, sense=sense)
    policies = [
        Policy.uniform(mdp),
        Policy.of_actions(mdp, np.arange(12) % 2),
        Policy.of_table(mdp, np.tile([0.1, 0.9], (12, 1))),
    ]
    for policy in policies:
        answer = linear_solve(mdp, policy, linear_solver=how)
        assert answer.status is Status.CERTIFIED
        assert answer.bound < 1e-10
        assert encloses(answer, exact_policy_value(mdp, policy))


def test_both_ways_to_build_a_chain_agree():
    mdp = random_walk(4)
    for policy in (Policy.uniform(mdp), Policy.of_actions(mdp, np.where(mdp.terminal, -1, 0))):
        P, r = Sweeper(mdp).policy_system(policy)
        dense, dense_r = Sweeper(mdp).policy_system(policy, dense=True)
        assert np.array_equal(P.toarray(), dense)
        assert np.array_equal(r, dense_r)
        assert P.sum(axis=1).tolist() == (~mdp.terminal).tolist()


def test_repeated_successors_are_added_and_costs_are_negative_rewards():
    mdp = MDP.from_outcomes(
        [("s", "a", "s", "1/4", 8), ("s", "a", "s", "1/4", 0), ("s", "a", "end", "1/2", 2)], "1/2",
        terminal=["end"], sense="min",
    )  # fmt: skip
    P, r = Sweeper(mdp).policy_system(Policy.uniform(mdp))
    assert P.toarray().tolist() == [[0.5, 0.5], [0.0, 0.0]]
    assert r.tolist() == [-3.0, 0.0]
    assert linear_solve(mdp, Policy.uniform(mdp))["s"] == pytest.approx(4.0, abs=1e-14)  # v = 3 + v/4


def test_improper_policy_has_no_finite_value():
    mdp = gridworld()
    with pytest.raises(NoFiniteAnswer) as found:
        linear_solve(mdp, Policy.of_actions(mdp, {str(s): "0" for s in range(1, 15)}))
    assert "1" in found.value.states
    assert found.value.exit_code == 4


def test_loop_without_reward_is_worth_nothing():
    mdp = MDP.from_outcomes([("a", "go", "b", 1, 5), ("b", "go", "c", 1, 0), ("c", "go", "b", 1, 0)], 1)
    answer = linear_solve(mdp, Policy.uniform(mdp))
    assert answer.v.tolist() == [5.0, 0.0, 0.0]
    assert answer.bound < 1e-12


@pytest.mark.parametrize("how", HOW)
def test_hard_chain_is_reported_honestly(how):
    """79 states, ends 2**40 steps away: the middle is worth exactly 1/2, and floats lose digits (condition 1e12)."""
    mdp = far_ends(40)
    answer = linear_solve(mdp, Policy.uniform(mdp), linear_solver=how)
    exact = exact_policy_value(mdp, Policy.uniform(mdp))
    assert exact[0] == Fraction(1, 2)
    if answer.lower is not None:
        assert encloses(answer, exact)
    off = max(abs(Fraction(float(x)) - y) for x, y in zip(answer.v, exact, strict=True))
    assert off <= answer.bound
    assert answer.status.reached == (answer.bound <= 5e-7)


def test_discount_that_rounds_to_one_proves_nothing():
    mdp = MDP.from_outcomes([("s", "a", "s", 1, 1)], Fraction(10**20 - 1, 10**20))
    answer = linear_solve(mdp, Policy.uniform(mdp))
    assert mdp.gamma == 1.0
    assert not answer.status.reached
    assert answer.bound == np.inf


def line(n):
    """A walk on a line that is lost at both ends."""
    from scipy.sparse import diags_array

    return diags_array([np.full(n - 1, 0.5), np.full(n - 1, 0.5)], offsets=[1, -1]).tocsr()


def scattered(n, b=5, seed=0):
    from scipy.sparse import csr_array

    rng = np.random.default_rng(seed)
    to = rng.integers(0, n, n * b)
    made = csr_array((np.full(n * b, 1 / b), (np.repeat(np.arange(n), b), to)), shape=(n, n))
    made.sum_duplicates()
    return made


def grid(m):
    from scipy.sparse import eye_array, kron

    made = (kron(line(m), eye_array(m)) + kron(eye_array(m), line(m))).tocsr() * 0.5
    return made


def with_hub(P):
    """Any state goes to state 0 with probability 1/10."""
    from scipy.sparse import csr_array

    n = P.shape[0]
    return (
        0.9 * P + csr_array((np.full(n, 0.1), (np.arange(n), np.zeros(n, dtype=int))), shape=(n, n))
    ).tocsr()


@pytest.mark.parametrize(
    ("P", "how"),
    [(line(200), "dense"), (line(50_000), "sparse"), (grid(100), "sparse"), (scattered(500), "sparse"),
     (with_hub(line(50_000)), "sparse"), (scattered(10_000), "iterative"), (scattered(400, 200), "dense")],
    ids=["short line", "line", "grid", "few scattered", "hub", "scattered", "full"],
)  # fmt: skip
def test_solver_follows_the_structure(P, how):
    assert chosen_solver(P)[0] == how
    r = np.random.default_rng(1).random(P.shape[0])
    v = solve_chain(P, r, 0.99)
    assert np.max(np.abs(v - 0.99 * (P @ v) - r)) < 1e-11  # ten roundings of values up to 100


@pytest.mark.parametrize("P", [line(2000), grid(40), with_hub(line(2000)), scattered(2000)])
def test_all_solvers_agree(P):
    r = np.random.default_rng(2).normal(size=P.shape[0])
    ways = [solve_chain(P, r, 0.999, how) for how in ("dense", "sparse", "iterative")]
    for v in ways:
        assert np.max(np.abs(v - ways[0])) < 1e-10


def test_order_of_states_does_not_matter_to_the_iterative_solver():
    P, p = grid(60), np.random.default_rng(3).permutation(3600)
    r = np.random.default_rng(4).random(3600)
    mixed = solve_chain(P[p][:, p], r[p], 0.999, "iterative")
    assert np.max(np.abs(mixed - solve_chain(P, r, 0.999, "iterative")[p])) < 1e-9


def test_known_zeros_are_left_out():
    """State 1 keeps itself at γ = 1: the whole system is singular, the rest of it is not."""
    P = np.array([[0.5, 0.5], [0.0, 1.0]])
    assert solve_chain(P, np.array([1.0, 0.0]), 1.0, "dense", None, np.array([False, True])).tolist() == [
        2.0,
        0.0,
    ]


def test_time_limit_leaves_a_proven_interval(monkeypatch):
    """LAPACK does not come back: that it is not waited for is seen by the answer."""
    mdp, over = garnet(1, "1/2", S=12), threading.Event()
    monkeypatch.setattr(module, "INVERTED", 0)
    monkeypatch.setattr(module, "AT_ONCE", 0)
    monkeypatch.setattr(module.np.linalg, "solve", lambda *_: over.wait())
    answer = linear_solve(mdp, Policy.uniform(mdp), time_limit=0.1)
    over.set()
    assert answer.status is Status.TIME_SPENT
    assert encloses(answer, exact_policy_value(mdp, Policy.uniform(mdp)))


@pytest.mark.parametrize("S", [1, 5, module.INVERTED])
def test_an_inverse_gives_the_digits_of_a_solve(monkeypatch, S):
    P, r = np.random.default_rng(S).dirichlet(np.ones(S), size=S), np.random.default_rng(S).normal(size=S)
    found = solve_chain(P, r, 0.999, "dense")
    monkeypatch.setattr(module, "INVERTED", 0)
    assert found == pytest.approx(solve_chain(P, r, 0.999, "dense"), rel=1e-13)


def test_a_small_system_is_solved_at_once(monkeypatch):
    """Without a thread, which would take longer to start than the system to solve."""
    monkeypatch.setattr(threading.Thread, "start", lambda self: pytest.fail("a thread was started"))
    for S in (3, module.AT_ONCE):
        mdp = garnet(1, "1/2", S=S)
        answer = linear_solve(mdp, Policy.uniform(mdp))
        assert answer.status is Status.CERTIFIED and solve(mdp).status is Status.CERTIFIED


def test_bad_arguments_are_named():
    mdp = garnet(1, "1/2", S=12)
    uniform = Policy.uniform(mdp)
    with pytest.raises(OptionError, match="linear_solver: found 'lu', expected one of"):
        linear_solve(mdp, uniform, linear_solver="lu")
    with pytest.raises(OptionError, match="another model"):
        linear_solve(mdp, Policy.uniform(random_walk()))
    with pytest.raises(OptionError, match="time steps"):
        linear_solve(mdp, Policy(mdp, rows=np.stack([mdp.pair_ptr[:-1]] * 3)))
    with pytest.raises(NotAnswerable):
        linear_solve(mdp.replace(horizon=3), uniform)
    with pytest.raises(OptionError, match="dense for 30000 states"):
        policy_values(MDP.from_outcomes([(s, "a", s, 1, 1) for s in range(30_000)], 0), None, "dense")


def test_model_is_untouched_and_bits_repeat():
    mdp = garnet(7, "99/100", S=12)
    arrays = (mdp.pair_ptr, mdp.row_ptr, mdp.next_state, mdp.prob, mdp.r)
    before = [a.tobytes() for a in arrays]
    first, second = (linear_solve(mdp, Policy.uniform(mdp)) for _ in range(2))
    assert first.v.tobytes() == second.v.tobytes()
    assert [a.tobytes() for a in arrays] == before


# -- systems on which BiCGStab breaks down -------------------------------------------------------------------------


def back_to_the_start(n):
    """Forward with 9/10, else back to state 0; 1 at the end."""
    moves = [(s, "go", s + 1, "9/10", int(s == n - 1)) for s in range(n)]
    return MDP.from_outcomes([*moves, *((s, "go", 0, "1/10", 0) for s in range(n))], 1, terminal=[n])


@pytest.mark.parametrize("S", [2000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_values_of_reachability_are_proven(S):
    mdp = goal_of_many(S)
    truth = np.where(mdp.terminal, 0.0, 1.0)
    policy = Policy.uniform(mdp)
    for answer in (
        evaluate(mdp, policy),
        linear_solve(mdp, policy, linear_solver="iterative"),
        policy_iteration(mdp, linear_solver="iterative"),
    ):
        assert answer.status is Status.CERTIFIED
        assert answer.bound < 1e-9
        assert (answer.lower <= truth).all()
        assert (truth <= answer.upper).all()


@pytest.mark.parametrize("n", [50, 60])
def test_rare_rewards_do_not_break_the_iterative_solver(n):
    mdp = back_to_the_start(n)
    answer = linear_solve(mdp, Policy.uniform(mdp), linear_solver="iterative")
    assert answer.status is Status.CERTIFIED
    assert answer.bound < 1e-9
    assert np.abs(answer.v[:-1] - 1).max() <= answer.bound


def test_no_answer_of_a_krylov_method_is_trusted_unseen(monkeypatch):
    import scipy.sparse.linalg as sparse

    mdp = goal_of_many(300, near=5)
    policy = Policy.uniform(mdp)
    for lie in (lambda A, b, **_: (np.full(len(b), 7.0), 0), lambda A, b, **_: (np.full(len(b), np.nan), 0)):
        monkeypatch.setattr(sparse, "bicgstab", lie)
        answer = linear_solve(mdp, policy, linear_solver="iterative")
        assert answer.status is Status.CERTIFIED
        assert np.abs(answer.v[:-1] - 1).max() <= answer.bound < 1e-9
        assert "BiCGStab stopped at a residual" in answer.note
        assert answer.work["sparse LU"] == 1
    # And where neither factorisation is to be had, sweeps come to the same.
    monkeypatch.setattr(module, "LU_LARGEST", 0)
    monkeypatch.setattr(
        module, "incomplete_lu", lambda *a, **k: (_ for _ in ()).throw(RuntimeError("singular"))
    )
    answer = linear_solve(mdp, policy, linear_solver="iterative")
    assert answer.status is Status.CERTIFIED
    assert np.abs(answer.v[:-1] - 1).max() <= answer.bound < 1e-9
    assert "sweeps took over" in answer.note
    assert "sparse LU" not in answer.work


def test_memory_that_ends_is_no_end_of_auto(monkeypatch):
    def full(*args, **more):
        raise MemoryError

    monkeypatch.setattr(module, "sparse_solve", full)
    mdp = goal_of_many(400, near=5)
    P_pi, r_pi = Sweeper(mdp).policy_system(Policy.uniform(mdp))
    monkeypatch.setattr(module, "chosen_solver", lambda P: ("sparse", None))
    v = solve_chain(P_pi, r_pi, 1.0, "auto", zero=mdp.terminal)
    assert np.abs(v[:-1] - 1).max() < 1e-12
    with pytest.raises(OptionError, match="of 400 equations needs more memory than is free"):
        solve_chain(P_pi, r_pi, 1.0, "sparse", zero=mdp.terminal)


def test_factors_that_do_not_fit_into_memory_are_refused_with_their_size(monkeypatch):
    """Asked for, a sparse LU is refused before it is begun; `auto` does without it."""
    mdp = MDP.from_outcomes([(s, "go", (s + 1) % 2000, 1, s % 3) for s in range(2000)], "9/10")
    policy = Policy.uniform(mdp)
    answer = linear_solve(mdp, policy)
    monkeypatch.setattr(module, "free_memory", lambda: 1000)
    with pytest.raises(
        OptionError, match=r"2000 equations needs about [\d.]+ kB of memory, expected at most the"
    ):
        linear_solve(mdp, policy, linear_solver="sparse")
    assert linear_solve(mdp, policy).v == pytest.approx(answer.v, rel=1e-6)


def test_factors_are_given_back_in_the_thread_that_made_them(monkeypatch):
    """scipy keeps account of SuperLU's memory by thread: what another one drops is never given back."""
    import weakref

    import scipy.sparse.linalg

    ends = []

    class Factors:
        def __init__(self, A, **_):
            self.made = threading.get_ident()
            self.A = A
            weakref.finalize(self, lambda made=self.made: ends.append((made, threading.get_ident())))

        def solve(self, b):
            return np.linalg.solve(self.A.toarray(), b)

    monkeypatch.setattr(scipy.sparse.linalg, "splu", Factors)
    mdp = MDP.from_outcomes([(s, "go", (s + 1) % 50, 1, s % 3) for s in range(50)], "9/10")
    linear_solve(mdp, Policy.uniform(mdp), linear_solver="sparse")
    assert ends
    assert all(made == ended != threading.get_ident() for made, ended in ends)
