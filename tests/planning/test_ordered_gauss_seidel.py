"""Ordered Gauss-Seidel: states after those that they lead to, rows without their loops, packed in three ways."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import reference
from ordered_models import grid, route
from random_models import TOTAL, random_model

from tabular_rl import MDP, NoFiniteAnswer, Status
from tabular_rl.certificates.certificate import Certificate
from tabular_rl.methods.planning import _ordered
from tabular_rl.methods.planning._goal import Goal
from tabular_rl.methods.planning._ordered import Packed, Stored, in_line, line_up
from tabular_rl.methods.planning.modified_policy_iteration import modified_policy_iteration
from tabular_rl.methods.planning.ordered_gauss_seidel import cost, ordered_gauss_seidel
from tabular_rl.methods.planning.value_iteration import value_iteration
from tabular_rl.model.graph import total
from tabular_rl.solving.cost import Facts
from tabular_rl.solving.sweeps import Sweeper

pytestmark = pytest.mark.small


# -- the answer is right --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", ["numbers", "kinds", "stored"])
def test_interval_holds_the_exact_value_over_each_storage(storage, monkeypatch):
    used = route(monkeypatch, storage)
    models = [
        random_model(seed, S=8, ends=1 + seed % 2, sense=["max", "min"][seed % 2]) for seed in range(12)
    ]
    models += [random_model(seed, "total-reward", kind=kind, S=7) for seed in range(3) for kind in TOTAL]
    for mdp in models:
        answer = ordered_gauss_seidel(mdp)
        assert answer.status is Status.CERTIFIED, mdp.name
        for low, truth, high in zip(
            answer.lower.tolist(), reference.exact_optimal_value(mdp), answer.upper.tolist(), strict=True
        ):
            assert Fraction(low) <= truth <= Fraction(high), mdp.name
    cyclic = [x for x in used if not x.line.acyclic]
    kinds = {(type(x), isinstance(x, Packed) and len(x.packed) == 4) for x in cyclic}
    wanted = {"numbers": (Packed, False), "stored": (Stored, False)}.get(storage, (Packed, True))
    assert wanted in kinds and kinds <= {wanted, (Packed, False)}
    assert len(kinds) == 1 or storage == "kinds"  # some states lead to too many others


@pytest.mark.parametrize("storage", ["numbers", "kinds", "stored"])
@pytest.mark.parametrize("gamma", ["99/100", "1"])
def test_grid_with_walls_and_a_pocket(storage, gamma, monkeypatch):
    """The cell (0, 3) is walled in: whoever stands there pays 1 a step. At γ = 1 that has no finite value."""
    route(monkeypatch, storage)
    pocket = [(0, 2), (1, 3), (0, 4), (4, 1)]
    mdp = grid(6, gamma, pocket if gamma != "1" else ())
    answer = ordered_gauss_seidel(mdp)
    assert answer.status is Status.CERTIFIED
    other = modified_policy_iteration(mdp, tolerance=1e-9)
    assert np.abs(answer.v - other.v).max() <= answer.bound + other.bound
    if gamma != "1":
        assert answer.v[3] == pytest.approx(-100, abs=1e-6)


@pytest.mark.parametrize("storage", ["numbers", "kinds"])
def test_pockets_take_no_more_sweeps_at_a_discount_near_1(storage, monkeypatch):
    """Two pockets without an end: a and b pay 1 and 3 in turn, c earns 2 before d pays 1."""
    route(monkeypatch, storage)
    steps = [("x", "go", "end", "1/2", -1), ("x", "go", "y", "1/2", -1), ("y", "go", "x", 1, -1)]
    for s, t, r, back in (("a", "b", -1, -3), ("c", "d", 2, -1)):
        steps += [
            (s, "go", t, "2/3", r),
            (s, "go", s, "1/3", r),
            (t, "go", s, 1, back),
            (t, "wait", t, 1, back - 1),
        ]
    mdp = MDP.from_outcomes(steps, "9999/10000", terminal=["end"])
    answer = ordered_gauss_seidel(mdp)
    assert answer.status is Status.CERTIFIED and sum(answer.work.values()) < 100
    assert answer.work["linear solves"] >= 1
    for low, truth, high in zip(
        answer.lower.tolist(), reference.exact_optimal_value(mdp), answer.upper.tolist(), strict=True
    ):
        assert Fraction(low) <= truth <= Fraction(high)


def test_pockets_too_large_to_solve_are_swept(monkeypatch):
    from tabular_rl.methods.planning import _pockets

    monkeypatch.setattr(_pockets, "LARGEST", 1)
    steps = [("x", "go", "end", "1/2", -1), ("x", "go", "y", "1/2", -1), ("y", "go", "x", 1, -1)]
    mdp = MDP.from_outcomes(
        [*steps, ("a", "go", "b", 1, -1), ("b", "go", "a", 1, -3)], "9/10", terminal=["end"]
    )
    answer = ordered_gauss_seidel(mdp)
    assert answer.status is Status.CERTIFIED and "linear solves" not in answer.work
    # a = -1 - 9/10 (3 - 9/10 a): a = -3.7 / .19
    assert answer["a"] == pytest.approx(-3.7 / 0.19, abs=1e-6)


def test_states_that_are_left_seldom():
    """From a one leaves with probability 2^-53 a step, each costing 1: v(a) = -2^53, and 1 - p(a|a) would be off."""
    p = 2.0**-53
    steps = [("a", "go", "a", 1 - p, -1), ("a", "go", "b", p, -1), ("b", "go", "end", 1, -1)]
    mdp = MDP.from_outcomes(steps, 1, terminal=["end"])
    # Above it nothing is proven but the cost of a step, so that the middle is half of it.
    assert ordered_gauss_seidel(mdp).lower[mdp.states.index("a")] == pytest.approx(-(2.0**53), rel=1e-6)


def pairs_left_seldom(n, turns):
    """n pairs of states in a row, each left once in so many turns of two steps; a step costs 1."""
    steps = []
    for k in range(n):
        a, b, on = f"a{k}", f"b{k}", f"a{k + 1}"
        steps += [(a, "go", b, 1, -1), (b, "go", a, 1 - 1 / turns, -1), (b, "go", on, 1 / turns, -1)]
        steps += [(b, "round", a, 1, -1)]
    return MDP.from_outcomes(steps, 1, terminal=[f"a{n}"])


def test_pairs_that_are_left_seldom_are_eliminated():
    """Each pair takes 2 steps 1024 times: sweeps would take thousands of rounds, and elimination two steps a state."""
    mdp = pairs_left_seldom(40, 1024)
    answer = ordered_gauss_seidel(mdp)
    assert answer.status is Status.CERTIFIED
    assert answer["a0"] == pytest.approx(-40 * 2048, abs=1e-6)
    assert answer["b39"] == pytest.approx(-2047, abs=1e-6)
    assert answer.work["linear solves"] >= 1
    assert answer.work["sweeps"] + answer.work["evaluation sweeps"] < 1000


def test_rows_that_are_worth_less_than_any_float_are_not_taken():
    """Going by w costs 1e300 a step and ends with probability 1e-20: -1e320. The other way costs 1."""
    steps = [("a", "w", "a", 1 - 1e-20, -1e300), ("a", "w", "end", 1e-20, -1e300), ("a", "go", "end", 1, -1)]
    for start in (None, [-5.0, 0.0]):
        answer = ordered_gauss_seidel(MDP.from_outcomes(steps, 1, terminal=["end"]), start_from=start)
        assert answer["a"] == pytest.approx(-1, abs=1e-6)


def test_hub_and_unreachable_states():
    """All lead to a hub with probability 1/2, the hub to the end with 1/100; one state is reached from nowhere."""
    steps = [("hub", "go", "end", "1/100", -1), ("hub", "go", "hub", "99/100", -1)]
    for s in range(20):
        steps += [(str(s), "go", "hub", "1/2", -1), (str(s), "go", str((s + 1) % 20), "1/2", -1)]
    mdp = MDP.from_outcomes([*steps, ("lost", "go", "0", 1, 0)], 1, terminal=["end"])
    answer = ordered_gauss_seidel(mdp)
    # x = -1 + (hub + x) / 2, hub = -100
    assert [answer["hub"], answer["7"], answer["lost"]] == pytest.approx([-100, -102, -102], abs=1e-6)


# -- the order ------------------------------------------------------------------------------------------------------


def test_states_stand_after_what_they_most_likely_lead_to():
    """end <- a <- b, c leads to a seldom and to d often, d only to itself, e and f to each other."""
    steps = [
        ("a", "x", "end", 1, 0),
        ("b", "x", "a", "2/3", 0),
        ("b", "x", "c", "1/3", 0),
        ("c", "x", "a", "1/3", 0),
    ]
    steps += [("c", "x", "e", "2/3", 0), ("d", "x", "d", 1, 0), ("e", "x", "f", 1, 0), ("f", "x", "e", 1, 0)]
    mdp = MDP.from_outcomes(steps, 0.9, terminal=["end"])
    line = line_up(Sweeper(mdp))
    names = [mdp.states[s] for s in line.order.tolist()]
    assert names == ["end", "d", "a", "b", "c", "e", "f"]
    assert line.place[line.order].tolist() == list(range(7))
    assert (line.without_rows, line.ends, line.reached, line.acyclic) == (1, 2, 5, False)


def test_without_cycles_one_sweep_is_enough():
    """A walk of 50 steps forward, each of them staying with probability 1/2: v = -2 for each step to go."""
    steps = [
        o for s in range(50) for o in ((str(s), "x", str(s), "1/2", -1), (str(s), "x", str(s + 1), "1/2", -1))
    ]
    mdp = MDP.from_outcomes(steps, 1, terminal=["50"])
    answer = ordered_gauss_seidel(mdp)
    assert answer.status is Status.CERTIFIED and answer.work == {"sweeps": 1}
    assert answer["0"] == pytest.approx(-100, abs=1e-6)


def test_no_cycles_are_seen_whatever_the_numbers_of_the_states():
    rng = np.random.default_rng(5)
    name = rng.permutation(200)
    steps = []
    for s in range(199):
        to = rng.choice(np.arange(s + 1, 200), 2)
        steps += [
            (str(name[s]), a, str(name[t]), 1, float(rng.normal())) for a, t in zip("ab", to, strict=True)
        ]
    mdp = MDP.from_outcomes(steps, 0.95, terminal=[str(name[199])])
    line = line_up(Sweeper(mdp))
    assert line.acyclic
    assert all(line.place[mdp.next_state[k]] < line.place[mdp.pair_state[k]] for k in range(mdp.K))
    assert ordered_gauss_seidel(mdp).work == {"sweeps": 1}


def test_without_states_that_end_the_sweeps_are_those_of_value_iteration():
    mdp = random_model(3, gamma="19/20", S=7, ends=0)
    mine, other = ordered_gauss_seidel(mdp), value_iteration(mdp)
    assert np.array_equal(mine.v, other.v) and mine.work == other.work


def test_grid_takes_a_fifth_of_the_sweeps_of_value_iteration():
    mdp = grid(15, "999/1000")
    mine, other = ordered_gauss_seidel(mdp), value_iteration(mdp)
    assert mine.status is Status.CERTIFIED
    assert 5 * mine.work["sweeps"] <= other.work["sweeps"]


def test_warm_start_from_the_answer_takes_few_sweeps():
    mdp = grid(12, "99/100")
    first = ordered_gauss_seidel(mdp)
    again = ordered_gauss_seidel(mdp, start_from=first)
    assert again.status is Status.CERTIFIED
    assert again.work["sweeps"] <= 3 < first.work["sweeps"]


def test_budget_counts_sweeps_of_both_kinds():
    answer = ordered_gauss_seidel(grid(15, "9999/10000"), sweeps=12)
    assert answer.status is Status.BUDGET_SPENT and sum(answer.work.values()) == 12


# -- which storage --------------------------------------------------------------------------------------------------


def storage(mdp, room):
    sweeper = Sweeper(mdp)
    line = line_up(sweeper)
    return in_line(sweeper, line, np.zeros(mdp.S), np.where(mdp.terminal, -1, mdp.pair_ptr[:-1]), room)


def arrays_of(packed):
    own = [packed.ptr, packed.chosen, packed.changed, packed.to, packed.v]
    return own + [*packed.packed, *packed.own]


def test_work_space_keeps_within_its_room(monkeypatch):
    """In kinds or as numbers where they fit, else as stored."""
    mdp = grid(10, "9/10")
    for kinds in (20, 0):
        monkeypatch.setattr(_ordered, "KINDS", kinds)
        seen = []
        for room in range(0, 60_000, 500):
            used = storage(mdp, room)
            if isinstance(used, Packed):
                assert sum(x.nbytes for x in arrays_of(used)) <= room
            kind = "stored" if isinstance(used, Stored) else "kinds" if len(used.packed) == 4 else "numbers"
            if kind not in seen:
                seen.append(kind)
        assert seen == ["stored", "kinds" if kinds else "numbers"]


def test_rows_of_a_grid_find_room_at_any_size(monkeypatch):
    """What is there beside half of the model does not grow with it: without that they are still packed.

    A proof has no room then, and what can be made again goes before it: that would take .7 of the model.
    """
    mdp = grid(30, "9/10")
    mdp = MDP.from_rows(
        pair_ptr=mdp.pair_ptr, pair_action=mdp.pair_action, row_ptr=mdp.row_ptr, next_state=mdp.next_state,
        prob=mdp.prob, r=mdp.r, gamma=0.9, terminal=mdp.terminal,
    )  # fmt: skip
    assert not storage(mdp, None).crowded, "a small one keeps its rows"
    monkeypatch.setattr(_ordered, "ROOM", 0)
    used = storage(mdp, None)
    assert isinstance(used, Packed) and used.crowded
    before = sum(x.nbytes for x in arrays_of(used))
    used.make_room()
    assert used.packed is None and used.held.nbytes == 4 * mdp.S < before / 15


@pytest.mark.parametrize("kinds", [256, 0])
def test_rows_that_went_before_a_proof_are_packed_again_where_it_falls_short(kinds, monkeypatch):
    """The first proof is made to fall short. No bit of the answer is another, nor a sweep more."""
    monkeypatch.setattr(_ordered, "KINDS", kinds)
    proven, take_up, packed_again = Goal.certificate, Packed.take_up, []

    def noted(search):
        packed_again.append(search.held is not None)
        take_up(search)
        assert search.held is None and (len(search.packed) == 4) == (kinds > 0)

    monkeypatch.setattr(Packed, "take_up", noted)
    pocket = [(0, 2), (1, 3), (0, 4), (4, 1)]
    for mdp in (grid(6, "99/100", pocket), grid(7, "1")):
        answers = []
        for proof in (0, 10**9):
            monkeypatch.setattr(_ordered, "PROOF", proof)
            asked = []

            def first_in_vain(goal, v, rows, asked=asked):
                asked.append(v)
                certificate = proven(goal, v, rows)
                if len(asked) > 1:
                    return certificate
                return Certificate(np.full_like(v, -np.inf), np.full_like(v, np.inf))

            monkeypatch.setattr(Goal, "certificate", first_in_vain)
            packed_again.clear()
            answers.append(ordered_gauss_seidel(mdp))
            assert any(packed_again) == (proof > 0) and len(asked) > 1
        same = [
            (x.v.tolist(), x.lower.tolist(), x.upper.tolist(), x.policy.rows.tolist(), x.work)
            for x in answers
        ]
        assert same[0] == same[1] and answers[0].status is Status.CERTIFIED


def test_rows_of_a_grid_are_of_few_kinds():
    """The ways into up to four cells nearby, from the middle and beside walls: no more on a larger grid."""
    sizes = []
    for n in (6, 9):
        sweeper = Sweeper(grid(n, "9/10"))
        sizes.append(Packed(sweeper, line_up(sweeper), np.zeros(n * n)).pack_kinds(4))
    assert 4 <= sizes[0] == sizes[1] <= 40


def test_states_that_lead_to_too_many_others_take_wider_rows():
    """From each state to one of four others, a row each: rows are one long, states lead to four."""
    steps = [
        (str(s), a, str((s + j) % 9), 1, -1)
        for s in range(1, 9)
        for a, j in zip("wxyz", (1, 2, 4, 5), strict=True)
    ]
    mdp = MDP.from_outcomes(steps, "9/10", terminal=["0"])
    used = storage(mdp, np.inf)
    assert len(used.width) == 4 and len(used.packed) == 4
    assert Packed(Sweeper(mdp), used.line, np.zeros(mdp.S)).pack_kinds(3) == -2


def test_rows_that_are_all_unlike_have_no_kinds():
    rng = np.random.default_rng(1)
    steps = [
        (str(s), "x", str(t), 1, float(rng.random()))
        for s in range(300)
        for t in ((s + 1) % 300, 300)[: 1 + s % 2]
    ]
    steps = [(s, "x" if t != "300" else "y", t, p, r) for s, _, t, p, r in steps]
    mdp = MDP.from_outcomes(steps, 0.9, terminal=["300"])
    L, S = mdp.L, mdp.S
    assert isinstance(storage(mdp, 8 * L + 64 * S + 4 * 4 * S + 2 * (L + S)), Stored)
    used = storage(mdp, np.inf)
    assert isinstance(used, Packed) and len(used.packed) == 3


def test_long_rows_are_not_packed():
    n = 40
    steps = [(str(s), "x", str(t), Fraction(1, n), -1) for s in range(n - 1) for t in range(n)]
    mdp = MDP.from_outcomes(steps, 1, terminal=[str(n - 1)])
    assert isinstance(storage(mdp, np.inf), Stored)
    assert ordered_gauss_seidel(mdp)["0"] == pytest.approx(-n, abs=1e-6)


@pytest.mark.parametrize("storage", ["numbers", "kinds"])
def test_blocks_of_few_outcomes_give_the_same_bits(storage, monkeypatch):
    mdp = grid(9, "99/100", walls=[(2, 2), (2, 3)])
    route(monkeypatch, storage)
    whole = ordered_gauss_seidel(mdp)
    monkeypatch.setattr(_ordered, "OUTCOMES_OF_A_CALL", 40)
    cut = ordered_gauss_seidel(mdp)
    assert np.array_equal(whole.v, cut.v) and whole.work == cut.work


# -- when auto takes it ---------------------------------------------------------------------------------------------


def test_estimate_is_for_models_with_ends_and_few_successors():
    assert cost(Facts(grid(10, "9/10"))).capped
    garnet = random_model(1, S=200, A=5, N=8, exact=False, gamma=0.9, ends=2)
    assert cost(Facts(garnet)) is None
    assert cost(Facts(random_model(1, S=50, A=1, N=2, gamma="9/10", ends=0))) is None


def test_states_that_only_loop_are_ends():
    steps = [("a", "x", "b", 1, 0), ("b", "x", "b", 1, 1), ("b", "y", "b", 1, 2)]
    assert Facts(MDP.from_outcomes(steps, 0.9)).ends
    assert not Facts(MDP.from_outcomes([*steps, ("b", "z", "a", 1, 0)], 0.9)).ends


def test_first_values_are_not_too_high_where_one_can_wait():
    """Chances to reach a goal by short moves, with rows that may wait: no sweep lowers what begins above them."""
    rng, S = np.random.default_rng(1), 300
    to = np.clip(np.arange(S)[:, None, None] + rng.integers(-20, 21, (S, 3, 3)), 0, S - 1)
    kind, outcomes = np.asarray(rng.random(S)), []
    end = np.where(kind < 0.01, "goal", np.where(kind < 0.02, "trap", np.arange(S).astype(str)))
    end[:2] = "goal", "trap"
    for s in np.flatnonzero(end == np.arange(S).astype(str)).tolist():
        for a in range(3):
            p = rng.integers(1, 20, 4)
            moves = [(s, 1)] if a == 2 and kind[s] > 0.8 else [*zip(to[s, a], p[:3], strict=True), (s, p[3])]
            total = int(sum(x for _, x in moves))
            outcomes += [
                (str(s), a, end[t], Fraction(int(x), total), int(end[t] == "goal")) for t, x in moves
            ]
    answer = ordered_gauss_seidel(MDP.from_outcomes(outcomes, 1, terminal=["goal", "trap"]))
    assert answer.status.reached
    assert answer.v.max() <= 1 + 1e-9


# -- at γ = 1, which policies end -----------------------------------------------------------------------------------


def steps_to_an_end(*more):
    """Each step costs 1 and is tried three times on average; `more` states only lead to themselves or to each other."""
    outcomes = [(str(s), "go", str(s - 1), "1/3", -1) for s in range(1, 6)]
    outcomes += [(str(s), "go", str(s), "2/3", -1) for s in range(1, 6)]
    outcomes += [(str(s), "jump", str(min(s + 1, 5)), 1, -2) for s in range(1, 6)]
    return MDP.from_outcomes([*outcomes, *more], 1, terminal=["0"])


def test_where_each_step_costs_no_policy_that_ends_is_looked_for(monkeypatch):
    """The line says that all states lead to the end, and the lower bound that the policy gets there."""

    def searched(*_given):
        raise AssertionError("a policy that ends was looked for")

    monkeypatch.setattr(total, "almost_surely_reaching", searched)
    answer = ordered_gauss_seidel(steps_to_an_end())
    assert answer.status is Status.CERTIFIED
    assert [answer[str(s)] for s in range(6)] == pytest.approx([-3.0 * s for s in range(6)])


@pytest.mark.parametrize(
    "outcomes", [[("a", "stay", "a", 1, -1)], [("a", "x", "b", 1, -1), ("b", "y", "a", 1, -1)]]
)
def test_states_from_which_nothing_ends_are_refused(outcomes):
    with pytest.raises(NoFiniteAnswer, match="'a'"):
        ordered_gauss_seidel(steps_to_an_end(*outcomes))
    lonely = MDP.from_outcomes(
        [*outcomes, ("s", "end", "t", 1, -1)], 1, terminal=["t"]
    )  # no state leads back
    with pytest.raises(NoFiniteAnswer, match="'a'"):
        ordered_gauss_seidel(lonely)
