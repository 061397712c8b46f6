"""What the learners that look n rewards ahead share: how their kernels are called."""

from __future__ import annotations

from typing import Any

from tabular_rl.methods.learning._learning import Learning
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import Method
from tabular_rl.solving.sampling import Floats

PRODUCT, PER_DECISION, TREE = range(3)


def learn_n_step(method: Method[..., Learned], given: dict[str, Any], kind: int) -> Learned:
    """Learn the values of a policy from returns of n rewards, from one trajectory or from given transitions."""
    from tabular_rl.kernels.n_step import n_step_given, n_step_walk
    from tabular_rl.kernels.one_step import begin

    run = Learning(method, given, table="pairs" if kind == TREE else "states")
    assert run.policy is not None
    code, per_step = run.option["step_size"].code, run.option["per"] == "step"
    ratio = run.policy.weights if kind == TREE else run.rho()
    limit = (run.option["episode_steps"] or 0) if run.data is None else 0
    clock, row = run.add_walk(limit)
    held, earned = run.add_index("held", run.mdp.L, run.option["n"]), run.add("earned", 0.0, run.option["n"])
    kept = (clock, held, earned, run.visits, run.total, run.since, run.estimates)
    if run.data is not None:
        run.uniforms = 0
        transitions, mdp = run.data.given(), run.mdp

        def replay(first: int, last: int, uniforms: Floats, step: int) -> None:
            n_step_given(
                transitions, kind, ratio, mdp.gamma, mdp.pair_ptr, mdp.pair_state, code, per_step, uniforms.shape[1],
                step, *(x[first:last] for x in kept),
            )  # fmt: skip

        return run.learn(replay)
    model, cum = run.model(), run.cum()

    def walk(first: int, last: int, uniforms: Floats, step: int) -> None:
        tables = (x[first:last] for x in (clock, row, *kept[1:]))
        n_step_walk(model, kind, ratio, cum, code, per_step, limit, uniforms, step, *tables)

    return run.learn(
        walk, lambda u: begin(model, 0, 0.0, cum, 0, run.pairs(), run.visits, run.estimates, u, row)
    )
