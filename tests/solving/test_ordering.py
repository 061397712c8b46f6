"""Orders of elimination: which models have one, what its factors hold, and that little is read where none is."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from chain_models import model, queue, ring, shuffled, tree
from sized_models import garnet, gridworld

from tabular_rl import MDP
from tabular_rl.kernels import ordering as kernels
from tabular_rl.solving import ordering
from tabular_rl.solving.ordering import FEW, elimination_patterns


def holds_all_moves(mdp, pattern):
    """Whether the factors have room for every row, and for what eliminating makes of them."""
    later = [
        set(pattern.column[a:b].tolist())
        for a, b in zip(pattern.upper_ptr, pattern.upper_ptr[1:], strict=False)
    ]
    earlier = [
        set(pattern.earlier[a:b].tolist())
        for a, b in zip(pattern.lower_ptr, pattern.lower_ptr[1:], strict=False)
    ]
    for t, s in enumerate(pattern.order):
        row = {
            int(x)
            for x in pattern.place[
                mdp.next_state[mdp.row_ptr[mdp.pair_ptr[s]] : mdp.row_ptr[mdp.pair_ptr[s + 1]]]
            ]
        } - {-1, t}
        for t2 in sorted(x for x in earlier[t] if x < t):
            if t2 in row:
                row |= later[t2] - {t}
        if not row <= later[t] | earlier[t]:
            return False
    return True


@pytest.mark.small
@pytest.mark.parametrize(
    ("mdp", "ways", "entries"),
    [
        (queue(60), 2, 1), (queue(60, hub=30), 2, 2), (queue(60, shortcuts=3), 2, 4), (ring(60), 2, 2),
        (tree(127), 1, 2), (shuffled(queue(60)), 1, 1), (shuffled(ring(60)), 1, 2), (shuffled(tree(127)), 1, 2),
        (tree(400, children=19), 1, 2),
    ],
)  # fmt: skip
def test_short_moves_and_few_neighbours_have_an_order(mdp, ways, entries):
    """A queue has one later neighbour a state; a ring is a queue with one hub; a hub is one more for each state."""
    patterns = [made() for made in elimination_patterns(mdp)]
    assert len(patterns) == ways
    for pattern in patterns:
        assert sorted(pattern.order) == list(range(mdp.S))
        assert np.array_equal(pattern.place[pattern.order], np.arange(mdp.S))
        assert pattern.entries <= entries
        assert holds_all_moves(mdp, pattern)


@pytest.mark.small
def test_terminal_states_stand_outside_of_the_order():
    to = [[s - 1, min(s + 1, 29)] if 0 < s else [] for s in range(30)]
    for made in elimination_patterns(model(to)):
        pattern = made()
        assert sorted(pattern.order) == list(range(1, 30))
        assert pattern.place[0] == -1


@pytest.mark.small
@pytest.mark.parametrize("mdp", [garnet(0, S=600), gridworld(40), garnet(0, S=600, actions=1, branching=2)])
def test_what_fills_in_has_none(mdp):
    assert elimination_patterns(mdp) == []


@pytest.mark.small
def test_a_model_with_many_successors_is_given_up_after_a_sample(monkeypatch):
    """Of 20,000 states with nine successors each 500 are looked at: nothing is ordered."""
    asked = []
    found = kernels.successors
    monkeypatch.setattr(kernels, "successors", lambda *a: asked.append(len(a[3])) or found(*a))
    monkeypatch.setattr(kernels, "neighbours", None)
    rng = np.random.default_rng(0)
    S = 20_000
    to = np.sort((np.arange(S)[:, None] + np.cumsum(rng.integers(1, S // 9, (S, 9)), axis=1)) % S, axis=1)
    mdp = MDP.from_rows(
        pair_ptr=np.arange(S + 1), pair_action=np.zeros(S, dtype=int), row_ptr=np.arange(S + 1) * 9,
        next_state=to.ravel(), prob=np.tile([*[1 / 8] * 7, 1 / 16, 1 / 16], S), r=np.ones(S), gamma=0.9,
    )  # fmt: skip
    assert elimination_patterns(mdp) == []
    assert asked == [500]


@pytest.mark.small
def test_a_grid_is_given_up_before_it_is_ordered(monkeypatch):
    """Two pairs of neighbours a state are too many: grids fill in."""
    monkeypatch.setattr(kernels, "least_degree", None)
    assert elimination_patterns(gridworld(40)) == []


@pytest.mark.small
def test_a_large_grid_is_given_up_after_a_sample(monkeypatch):
    """A state leads to four others: pairs of neighbours are no fewer than two a state."""
    asked = []
    found = kernels.successors
    monkeypatch.setattr(kernels, "successors", lambda *a: asked.append(len(a[3])) or found(*a))
    assert elimination_patterns(gridworld(50)) == []
    assert asked == [500]


@pytest.mark.small
def test_hubs_and_terminal_states_are_no_neighbours_in_a_sample():
    """From 5,000 states in a random line to the next one, to three hubs and to one of two ends: no crowd."""
    S, rng = 5000, np.random.default_rng(0)
    line = rng.permutation(S)
    place = np.argsort(line)
    others = np.stack(
        [line[place[:-5] - 1], np.full(S - 5, S - 5), np.full(S - 5, S - 4), np.full(S - 5, S - 3)], axis=1
    )
    to = np.sort(np.column_stack([others, S - 2 + rng.integers(0, 2, S - 5)]), axis=1)
    rows = [np.unique(one) for one in to]
    sizes = np.array([len(one) for one in rows])
    live = np.append(np.arange(S - 5), [S - 5, S - 4, S - 3])
    next_state = np.concatenate([*rows, live[:3]])
    sizes = np.append(sizes, [1, 1, 1])
    mdp = MDP.from_rows(
        pair_ptr=np.append(np.arange(S - 1), [S - 2, S - 2]), pair_action=np.zeros(S - 2, dtype=int),
        row_ptr=np.append(0, np.cumsum(sizes)), next_state=next_state, prob=np.repeat(1 / sizes, sizes),
        r=np.ones(S - 2), gamma=0.9, terminal=np.arange(S) >= S - 2,
    )  # fmt: skip
    assert len(np.unique(sizes)) > 1 and sizes.max() == 5
    assert len(elimination_patterns(mdp)) == 1


@pytest.mark.small
def test_entries_that_are_allowed_by_name_may_be_many():
    mdp = gridworld(20)
    assert elimination_patterns(mdp) == []
    (made,) = elimination_patterns(mdp, 100_000)
    assert made().entries > FEW
    assert holds_all_moves(mdp, made())
    assert elimination_patterns(mdp, 1000) == []


@pytest.mark.small
def test_an_order_is_found_once_and_forgotten_with_its_model(monkeypatch):
    found, natural = [], ordering._natural
    monkeypatch.setattr(ordering, "_natural", lambda mdp: found.append(1) or natural(mdp))
    mdp = queue(50)
    first, second = elimination_patterns(mdp), elimination_patterns(mdp)
    assert len(found) == 1
    assert first[0]() is second[0]()
    assert elimination_patterns(queue(50))[0]() is not first[0]()
    assert len(found) == 2
    elimination_patterns(mdp)
    assert ordering._last
    del mdp
    gc.collect()
    assert not ordering._last


@pytest.mark.small
def test_the_clock_is_looked_at_while_states_are_ordered():
    looks = []
    elimination_patterns(gridworld(20), 100_000, lambda: looks.append(1))
    assert len(looks) >= 2
