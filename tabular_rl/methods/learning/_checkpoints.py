"""The state of a learner between two steps: what is saved of it, and how a run goes on with the same bits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tabular_rl.errors import OptionError, escape, option_name, path_text
from tabular_rl.methods.learning._errors import record_points
from tabular_rl.solving.learned import Learned

if TYPE_CHECKING:
    from tabular_rl.methods.learning._learning import Learning


def state_of(run: Learning) -> dict[str, Any]:
    """All that is needed to go on with the same bits."""
    return {
        "method": run.method.name,
        "digest": run.whole.digest,
        "options": {k: v for k, v in run.run.options.items() if k != "steps"},
        "inputs": digest(run),
        "steps": run.steps,
        "done": run.done,
        "arrays": {name: array.copy() for name, array in run.arrays.items()},
        "streams": [rng.bit_generator.state for rng in run.rngs],
        "curve": list(run.curve),
    }


def digest(run: Learning) -> str:
    """A digest of the policies, the data and the start values, which no option says."""
    data = list(run.data.arrays()) if run.data is not None else []
    data += [run.start_values] if run.starts_from else []
    policies = [p.weights for p in (run.policy, run.behavior) if p is not None]
    found = hashlib.sha256()
    for array in (*policies, *data):
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def restore(run: Learning, resume: Learned | dict[str, Any]) -> None:
    """Go on from a state; OptionError where it is of another call, or damaged."""
    state = resume if isinstance(resume, dict) else resume.state
    mine = state_of(run)
    missing = [name for name in mine if name not in state]
    if missing:
        raise OptionError(f"resume: found no {missing[0]}, expected the state of a learner")
    where = path_text(state["path"]) if "path" in state else "resume"
    for key, what in (
        ("method", "method"), ("digest", "model (digest)"), ("inputs", "policies, data or start values (digest)"),
        ("options", "options"),
    ):  # fmt: skip
        found, expected = state[key], mine[key]
        if found == expected:
            continue
        if key == "options":
            names = sorted(n for n in {*found, *expected} if found.get(n) != expected.get(n))
            found, expected = (
                ", ".join(f"{option_name(n)} {x.get(n)}" for n in names) for x in (found, expected)
            )
        raise OptionError(
            f"{where}: found a checkpoint of the {what} {escape(found)}, expected {escape(expected)}"
        )
    if state["done"] > run.steps:
        raise OptionError(
            f"{where}: found a checkpoint after {state['done']} steps, expected --steps of more than that"
        )
    wrong = fault_of(run, state)
    if wrong is not None:
        raise OptionError(
            f"{where}: {wrong}. The checkpoint is damaged, or of another version of the program: start afresh, "
            "without --resume."
        )
    run.done, run.curve = state["done"], list(state["curve"])
    # A run that was stopped recorded where; one that was not has no such point.
    if run.curve and run.curve[-1][0] not in record_points(run.steps):
        run.curve.pop()
    run.run.did("steps", run.done)
    run.run.history = [(step, float(np.median(sup))) for step, sup, *_ in run.curve]


def fault_of(run: Learning, state: Mapping[str, Any]) -> str | None:
    """Take over arrays and streams: what does not fit, or None."""
    wrong = run.take_over(state["arrays"], state["done"] * run.updates)
    if wrong is not None:
        return wrong
    if len(state["streams"]) != run.runs:
        return f"found {len(state['streams'])} random streams, expected {run.runs}"
    for rng, saved in zip(run.rngs, state["streams"], strict=True):
        rng.bit_generator.state = saved
    steps = [row[0] for row in state["curve"]]
    if steps != sorted(set(steps)) or not all(0 < step <= state["done"] for step in steps):
        return f"curve: found other steps than rising ones up to {state['done']}"
    if any(column.shape != (run.runs,) for _, *columns in state["curve"] for column in columns):
        return f"curve: found other columns than those of {run.runs} runs"
    return None
