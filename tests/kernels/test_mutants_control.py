"""Mutants of the kernels of replay, double Q-learning, Dyna-Q and prioritized sweeping: each differs from the twin.

A mutant is the kernel's own source with one piece replaced, run as plain Python.
"""

from __future__ import annotations

import importlib
import inspect

import pytest
from random_models import random_model
from reference_control import swapped_in

from tabular_rl import learn

REPLAY = {"replay": "uniform", "capacity": 8, "batch": 3}
QL, SWEEPING = "q-learning", "prioritized-sweeping"
PRIORITIZED = {"replay": "prioritized:0.7:0.5", "capacity": 8, "batch": 3}
# module, kernel, method, options, what is replaced, by what
MUTANTS = [
    ("replay", "q_replay", "q-learning", REPLAY, "aim += gamma *", "aim +="),
    ("replay", "q_replay", "q-learning", REPLAY, "if not terminal[s2]:", "if True:"),
    ("replay", "q_replay", "q-learning", REPLAY, "stored[e] % capacity", "min(stored[e], capacity - 1)"),
    ("replay", "q_replay", "q-learning", REPLAY, "int(u * size)", "slot"),
    ("replay", "q_replay", "q-learning", REPLAY, "uniforms[e, k, 3 + b]", "uniforms[e, k, 3]"),
    ("replay", "q_replay", "q-learning", REPLAY, "s2 = next_state[newest]", "pass"),
    ("replay", "worth", "q-learning", REPLAY, "greedy(bar", "first if True else greedy(bar"),
    ("replay", "worth", "expected-sarsa", REPLAY, "greedy(q, e, first, last) if kind > 0 else first", "first"),
    ("replay", "worth", "q-evaluation", REPLAY, "rule == 2", "rule > 0"),
    ("replay", "q_replay", QL, PRIORITIZED, "put(sums, least, e, slot, top[e])", "put(sums, least, e, slot, 1.0)"),
    ("replay", "reweigh", "q-learning", PRIORITIZED, "least[e, 1] / sums", "sums"),
    ("replay", "reweigh", "q-learning", PRIORITIZED, "abs(delta)", "delta * delta"),
    ("replay", "reweigh", "q-learning", PRIORITIZED, "+ MARGIN, omega", "+ MARGIN, 1.0"),
    ("replay", "reweigh", "q-learning", PRIORITIZED, "top[e] = max(top[e], priority)", "top[e] = priority"),
    ("replay", "put", "q-learning", PRIORITIZED, "n //= 2\n", "n //= 2\n        if n == 1:\n            break\n"),
    ("replay", "take", "q-learning", PRIORITIZED, "rest -= sums[e, n]", "pass"),
    ("double_q", "double_update", "double-q-learning", {}, "qb[e, greedy(qa", "qa[e, greedy(qa"),
    ("double_q", "double_update", "double-q-learning", {}, "qb[e, greedy(qa", "qb[e, greedy(qb"),
    ("double_q", "double_update", "double-q-learning", {}, "coin < 0.5", "coin < 0.6"),
    ("double_q", "double_update", "double-q-learning", {}, "visits[e, i] - heads[e, i]", "visits[e, i]"),
    ("double_q", "double_update", "double-q-learning", {}, "else heads[e, i]", "else visits[e, i]"),
    ("double_q", "double_update", "double-q-learning", {}, "gamma * qa", "qa"),
    ("double_q", "double_update", "double-q-learning", {}, "0.5 * (qa[e, i] + qb[e, i])", "qa[e, i]"),
    ("double_q", "double_q_walk", "double-q-learning", {}, "terminal[s2], pair", "False, pair"),
    ("dyna", "dyna_walk", "dyna-q", {"planning": 2}, "aim += gamma *", "aim +="),
    ("dyna", "dyna_walk", "dyna-q", {"planning": 2}, "if not terminal[s2]:", "if True:"),
    ("dyna", "dyna_walk", "dyna-q", {"planning": 2}, "s2 = next_state[real]", "pass"),
    ("dyna", "dyna_walk", "dyna-q", {"planning": 2}, "counts[e, real] += 1", "counts[e, real] = 1"),
    ("dyna", "dyna_walk", "dyna-q", {"planning": 2}, "if tried[e, i] == 0:", "if True and size[e] < known.shape[1]:"),
    ("dyna", "dyna_walk", "dyna-q", {"start_value": 99.0}, "kind, x, cum, epi", "kind, 0.9, cum, epi"),
    ("dyna", "drawn", "dyna-q", {"planning": 2}, "rest >= 0.0", "rest > 0.9"),
    ("dyna", "sweeping_walk", SWEEPING, {}, "range(planning + 1)", "range(planning)"),
    ("dyna", "sweeping_walk", SWEEPING, {}, "v[e, s] = best", "pass"),
    ("dyna", "sweeping_walk", SWEEPING, {}, "if counts[e, in_outcome[n]] > 0:", "if counts[e, in_outcome[n]] > 1:"),
    ("dyna", "sweeping_walk", SWEEPING, {}, "abs(new - q[e, j])", "new - q[e, j]"),
    ("dyna", "learned_backup", "prioritized-sweeping", {}, "gamma *", ""),
    ("dyna", "learned_backup", "prioritized-sweeping", {}, "/ tried[e, i]", "/ 2"),
    ("dyna", "before", SWEEPING, {}, "priority[e, i] > priority[e, j]", "priority[e, i] < priority[e, j]"),
    ("dyna", "push", "prioritized-sweeping", {"threshold": 1.0}, "if not new > threshold:", "if False:"),
]  # fmt: skip
WALK = {"q-evaluation": "q_replay", "expected-sarsa": "q_replay", "q-learning": "q_replay", "dyna-q": "dyna_walk",
        "double-q-learning": "double_q_walk", "prioritized-sweeping": "sweeping_walk"}  # fmt: skip


def mutated(module, name, old, new):
    """The kernels of a module as plain Python functions, one of them changed."""
    source = inspect.getsource(importlib.import_module(f"tabular_rl.kernels.{module}"))
    head, mark, body = source.partition(f"def {name}(")
    body, rest = (body.split("\n@kernel", 1) + [""])[:2]
    assert old in body, f"{name} no longer says {old!r}"
    source = head + mark + body.replace(old, new, 1) + ("\n@kernel" + rest if rest else "")
    space = {"__name__": "mutant"}
    exec(source.replace("import kernel\n", "import kernel as _\n").replace("@kernel\n", ""), space)
    return space


def answers(method, options):
    found = []
    for seed in (1, 2, 6):
        mdp = random_model(seed, "discounted", exact=False, ends=1, N=4, gamma=0.75)
        options = {
            "steps": 80,
            "runs": 1,
            "seed": seed,
            "reference": False,
            "explore": "epsilon-greedy:0.5",
            **options,
        }
        if method == "q-evaluation":
            del options["explore"]
        answer = learn(mdp, method, **options)
        found.append((answer.estimates.tobytes(), answer.visits.tobytes()))
    return found


@pytest.mark.parametrize(("module", "name", "method", "options", "old", "new"), MUTANTS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_mutant_differs_from_the_twin(monkeypatch, module, name, method, options, old, new):
    walk = WALK[method]
    with monkeypatch.context() as patch:
        swapped_in(patch, module, walk)
        expected = answers(method, options)
    with monkeypatch.context() as patch:
        patch.setattr(f"tabular_rl.kernels.{module}.{walk}", mutated(module, name, old, new)[walk])
        try:
            found = answers(method, options)
        except (Exception, SystemError) as error:
            found = repr(error)
    assert found != expected


@pytest.mark.parametrize("method", sorted(WALK))
def test_the_kernel_unchanged_is_the_twin(monkeypatch, method):
    """What is left of a mutant that changes nothing: the check above can fail."""
    options = PRIORITIZED if WALK[method] == "q_replay" else {}
    module = next(m[0] for m in MUTANTS if m[2] == method)
    with monkeypatch.context() as patch:
        swapped_in(patch, module, WALK[method])
        expected = answers(method, options)
    unchanged = mutated(module, WALK[method], "e", "e")[WALK[method]]
    with monkeypatch.context() as patch:
        patch.setattr(f"tabular_rl.kernels.{module}.{WALK[method]}", unchanged)
        assert answers(method, options) == expected
