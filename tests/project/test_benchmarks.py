"""The models and the program that the benchmarks are made of."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.families import FAMILIES, model, parse, size_text


def small(name: str, gamma: float | None = None, seed: int = 0):
    chosen = FAMILIES[name]
    return chosen.make(size=chosen.small, gamma=chosen.gammas[0] if gamma is None else gamma, seed=seed)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_builds_valid_models(name):
    mdp = small(name)
    mdp.validate()
    assert mdp.gamma == FAMILIES[name].gammas[0]
    assert np.all(np.diff(mdp.pair_ptr)[~mdp.terminal] >= 1)
    assert np.all(mdp.prob > 0)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_same_seed_gives_the_same_model(name):
    assert small(name, seed=3) == small(name, seed=3)


@pytest.mark.parametrize("name", [name for name, family in FAMILIES.items() if family.random])
def test_another_seed_gives_another_model(name):
    assert small(name, seed=3) != small(name, seed=4)


@pytest.mark.parametrize("name", [name for name, family in FAMILIES.items() if not family.random])
def test_a_family_without_chance_has_one_model(name):
    assert small(name, seed=3) == small(name, seed=4)


def test_a_name_says_family_and_size():
    assert parse("garnet-1e4") == ("garnet", 10**4)
    assert parse("two-queues-20") == ("two-queues", 20)
    assert parse("tree") == ("tree", FAMILIES["tree"].sizes[0])
    assert model("grid-5", gamma=0.5, seed=1).S == 25
    assert [size_text(x) for x in (300, 1000, 10**4, 10**6, 22500)] == ["300", "1000", "1e4", "1e6", "22500"]


@pytest.mark.parametrize("name", ["nothing", "nothing-5", "grid-", "grid-0", "grid-x"])
def test_a_name_that_says_nothing_is_refused(name):
    with pytest.raises(SystemExit, match="expected FAMILY or FAMILY-SIZE"):
        parse(name)


def test_mazes_have_pockets():
    # From some cells the goal cannot be reached at all: walking there costs 1 a step without end.
    mdp = model("maze-10", gamma=0.5)
    to = {s: set() for s in range(mdp.S)}
    for i in range(mdp.L):
        to[int(mdp.pair_state[i])] |= set(mdp.next_state[mdp.row_ptr[i] : mdp.row_ptr[i + 1]].tolist())
    goal = int(np.flatnonzero(mdp.terminal)[0])
    reached = {goal}
    while more := {s for s in to if to[s] & reached} - reached:
        reached |= more
    assert 10 < len(reached) < mdp.S


def test_rows_of_garnets_hold_5_to_10_distinct_states():
    mdp = model("garnet-50")
    lengths = np.diff(mdp.row_ptr)
    assert lengths.min() == 5 and lengths.max() == 10
    for i in range(mdp.L):
        assert len(set(mdp.next_state[mdp.row_ptr[i] : mdp.row_ptr[i + 1]].tolist())) == lengths[i]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """What a run on small models without rivals writes; an option leaves the learners' part as it is."""
    path = tmp_path_factory.mktemp("benchmarks") / "results.md"
    path.write_text("# Benchmarks\n\nold\n\n# Benchmarks of learners\n\nkept\n", encoding="utf-8")
    names = ["three-3", "garnet-60", "grid-5", "queue-30", "lake-4", "horizon-20"]
    main(
        [
            "--families",
            ",".join(names),
            "--rivals",
            "none",
            "--methods",
            "auto",
            "--calls",
            "1",
            "--output",
            str(path),
        ]
    )
    return path


def test_a_run_writes_its_part_of_the_page(page):
    text = page.read_text(encoding="utf-8")
    assert "old" not in text and text.endswith("# Benchmarks of learners\n\nkept\n")
    assert text.count("# Benchmarks\n") == 1
    for name in ("three-3", "garnet-60", "grid-5", "queue-30", "lake-4", "horizon-20"):
        assert f"\n| {name}, γ " in text


def test_true_errors_are_within_the_bounds(page):
    lines = page.read_text(encoding="utf-8").partition("## Ours")[2].partition("## ")[0].splitlines()
    head, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")
    ]
    assert len(rows) == 6
    for row in rows:
        cells = dict(zip(head, row, strict=True))
        error, bound = float(cells["error"].removeprefix("≤ ")), float(cells["bound"])
        # Both are rounded to one digit, and half the width of the truth is in the error.
        assert error <= 2.5 * bound + 1e-15
        assert bound <= 1e-6
