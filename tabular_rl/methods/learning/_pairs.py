"""What the one-step learners of action values share: how s' is valued, and how their kernels are called."""

from __future__ import annotations

from typing import Any

from tabular_rl.methods.learning._learning import Learning
from tabular_rl.methods.learning._replay import learn_replayed
from tabular_rl.model.transitions import behavior_of
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import Method
from tabular_rl.solving.sampling import Floats

SARSA, EXPECTED, MAX, OWN = range(4)


def learn_pairs(method: Method[..., Learned], given: dict[str, Any], rule: int) -> Learned:
    """Learn action values (L,) by one of the rules, from samples of the model or from given transitions."""
    from tabular_rl.kernels.one_step import begin, q_given, q_walk

    run = Learning(method, given, table="pairs")
    if run.data is not None and rule == OWN:
        # The policy that explored is the one that made the log.
        if given["behavior"] is None:
            run.behavior = behavior_of(run.data)
        rule = EXPECTED
    if run.option.get("replay", ("none",))[0] != "none":
        return learn_replayed(run, rule)
    target, by, bar = run.target()
    code, per_step = run.option["step_size"].code, run.option["per"] == "step"
    assert run.behavior is not None
    pi = (run.policy or run.behavior).weights
    if run.data is not None:
        run.uniforms = 0
        transitions, pair_ptr = run.data.given(), run.mdp.pair_ptr

        def replay(first: int, last: int, uniforms: Floats, step: int) -> None:
            tables = (x[first:last] for x in (run.visits, run.total, run.since, bar, run.estimates))
            q_given(
                transitions, pair_ptr, run.mdp.gamma, rule, pi, code, per_step, target, by, uniforms.shape[1], step,
                *tables,
            )  # fmt: skip

        return run.learn(replay)
    kind, rate, first_rate = run.exploring()
    run.uniforms = 4 if rule == SARSA else 3
    model, cum, pairs, where = run.model(), run.cum(), run.pairs(), run.source()
    limit = run.option["episode_steps"] or 0
    clock, row = run.add_walk(limit)

    def walk(first: int, last: int, uniforms: Floats, step: int) -> None:
        tables = (x[first:last] for x in (clock, row, run.visits, run.total, run.since, bar, run.estimates))
        q_walk(
            model,
            rule,
            pi,
            kind,
            rate,
            cum,
            code,
            per_step,
            where,
            pairs,
            target,
            by,
            limit,
            uniforms,
            step,
            *tables,
        )

    return run.learn(
        walk, lambda u: begin(model, kind, first_rate, cum, where, pairs, run.visits, run.estimates, u, row)
    )
