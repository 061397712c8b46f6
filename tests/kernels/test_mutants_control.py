"""Every small mistake in the kernels of replay, double Q-learning, Dyna-Q and prioritized sweeping is found."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from mutants import Check, check_every_mistake_is_found, plain
from random_models import random_model
from reference_control import swapped_in

from tabular_rl import Policy, Transitions, learn

REPLAY = {"replay": "uniform", "capacity": 8, "batch": 3}
FALLING = "epsilon-greedy:0.9*n^-0.5"
PRIORITIZED = {"replay": "prioritized:0.7:0.5", "capacity": 8, "batch": 3}
# rule: its kernels, the one that is swapped for its twin, the learners that call it and their options
RULES = {
    "double_q": (
        ("learn_half", "double_q"),
        "double_q",
        [
            ("double-q-learning", {}),
            ("double-q-learning", {"average": True, "per": "step", "step_size": "1/n", "explore": FALLING}),
        ],
    ),
    "replay": (
        ("put", "take", "worth", "reweigh", "store", "replay"),
        "replay",
        [
            ("q-learning", REPLAY),
            ("q-learning", PRIORITIZED | {"target": "copy:5", "average": True}),
            ("expected-sarsa", REPLAY),
            ("expected-sarsa", PRIORITIZED | {"per": "step", "explore": FALLING}),
            ("expected-sarsa", REPLAY | {"target": "copy:5"}),
            ("expected-sarsa", REPLAY | {"target": "copy:5", "explore": "boltzmann:1"}),
            ("q-evaluation", REPLAY),
        ],
    ),
    "dyna": (
        ("drawn", "remember", "dyna_q"),
        "dyna_q",
        [
            ("dyna-q", {"planning": 2}),
            ("dyna-q", {"planning": 0, "per": "step", "explore": FALLING}),
            ("dyna-q", {"start_value": 99.0}),
        ],
    ),
    "sweeping": (
        ("before", "swap", "sift", "push", "pop", "learned_backup", "sweeping"),
        "sweeping",
        [
            ("prioritized-sweeping", {}),
            ("prioritized-sweeping", {"threshold": 1.0, "explore": FALLING}),
            (
                "prioritized-sweeping",
                {"planning": 2, "explore": "epsilon-greedy:linear:0:1:300", "steps": 300},
            ),
        ],
    ),
}
FILES = {"sweeping": "dyna"}


def on_a_model(seed, method, options):
    """What a learner leaves behind on a small model."""
    S = 9 if method == "prioritized-sweeping" else 4
    mdp = random_model(seed, "discounted", exact=False, ends=1, S=S, N=4, gamma=0.75, by_pair=seed == 2)
    how = {"steps": 80, "runs": 1, "seed": seed, "reference": False, **options}
    if method == "q-evaluation":
        how["policy"] = Policy.uniform(mdp)
    else:
        how = {"explore": "epsilon-greedy:0.5", **how}
    return arrays(learn(mdp, method, **how))


def on_a_log(method, options):
    rng = np.random.default_rng(3)
    mdp = random_model(3, "discounted", exact=False, ends=1, N=4, gamma=0.75)
    out = rng.permutation(np.repeat(np.arange(mdp.K), 2))
    row = np.searchsorted(mdp.row_ptr, out, side="right") - 1
    s2 = mdp.next_state[out]
    log = Transitions.of_arrays(mdp, row, np.arange(len(row)) % 5.0, s2, mdp.terminal[s2])
    return arrays(learn(mdp, method, data=log, steps=80, seed=3, reference=False, **options))


def arrays(answer):
    """All that a learner keeps; the queue of prioritized sweeping is another thing in its twin."""
    own = {"heap", "place", "priority", *(("size",) if answer.method == "prioritized-sweeping" else ())}
    return {name: x.tobytes() for name, x in answer.state["arrays"].items() if name not in own}


@functools.cache
def checks(rule):
    _, name, learners = RULES[rule]
    file = FILES.get(rule, rule)
    asks = [functools.partial(on_a_model, seed, *learner) for seed in (6, 1, 2) for learner in learners]
    if rule in ("double_q", "replay"):
        asks += [functools.partial(on_a_log, *learner) for learner in learners[:2]]
    made = []
    for ask in asks:
        with pytest.MonkeyPatch.context() as patch:
            swapped_in(patch, file, name)
            expected = ask()

        def call(kernels, ask=ask):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(f"tabular_rl.kernels.{file}.{name}", kernels[name])
                return ask()

        made.append(Check(expected, call, dict.__eq__))
    return made


ALIKE = {
    # trees and tables of at least two entries, as many in a target table; its kernel looks whether there is one
    "double_q: if total.shape[1] > 0: -> if total.shape[1] > 1:",
    "store: if buffer.sums.shape[1] > 0: -> if buffer.sums.shape[1] > 1:",
    "replay: j = take(sums, e, u[n]) if sums.shape[1] > 0 else int(u[n] * size) -> "
    "j = take(sums, e, u[n]) if sums.shape[1] > 1 else int(u[n] * size)",
    "replay: if sums.shape[1] > 0: -> if sums.shape[1] > 1:",
    "replay: for e in range(len(q)): -> for e in range(len(bar)):",
    "replay: if walk.target > 0: -> if True:",
    "sweeping: for e in range(len(q)): -> for e in range(len(v)):",
    # nobody asks: where a log goes on
    "replay: real = -1 -> real = 0",
    "dyna_q: if n > 1: -> if n > 2:",  # it is odd
    # quick ways past what changes nothing
    "pop: if size[e] > 0: -> if True:",
    "pop: if size[e] > 0: -> if size[e] > 1:",
    "learned_backup: if counts[e, out] > 0: -> if True:",
    "sweeping: if best == v[e, s]: -> if False:",
    "sweeping: for n in range(into.ptr[s], into.ptr[s + 1]): -> for n in range(into.ptr[s], into.ptr[s + 2]):",
    "sweeping: if counts[e, into.outcome[n]] > 0: -> if True:",
}


@pytest.mark.parametrize("rule", RULES)
def test_nothing_is_found_where_nothing_is_planted(rule):
    made = plain(FILES.get(rule, rule))
    assert all(check.equal(check.expected, check.call(made)) for check in checks(rule))


@pytest.mark.parametrize(
    ("file", "kernel"),
    [(FILES.get(rule, rule), kernel) for rule, (names, *_) in RULES.items() for kernel in names],
)
def test_every_mistake_is_found(file, kernel):
    rule = next(
        rule for rule, (names, *_) in RULES.items() if FILES.get(rule, rule) == file and kernel in names
    )
    check_every_mistake_is_found(file, kernel, checks(rule), ALIKE)
