"""What theory says of a run before it starts: whether it can converge, and to what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tabular_rl.errors import NumericalError, quoted
from tabular_rl.model.rationals import spell_short
from tabular_rl.model.unroll import state_name

if TYPE_CHECKING:
    from tabular_rl.methods.learning._learning import Learning


def verdicts(run: Learning) -> list[str]:
    """Return a sentence for each reason why the run will not converge to the exact values, or takes forever to."""
    said = [*_step_size(run), *_exploration(run), *_importance(run), *_loops(run)]
    if run.data is None and run.option.get("source") != "sweeps" and "features" not in run.option:
        said += _reach(run)
    return said


def _step_size(run: Learning) -> list[str]:
    """Robbins & Monro: Σ α = ∞, Σ α² < ∞; and the rate of 1/n."""
    step_size = run.option.get("step_size")
    if step_size is None:
        return []
    if not step_size.sum_diverges:
        return [
            f"step size {step_size}: its sum is finite, so the estimates can stop before they arrive (Robbins & "
            "Monro); that of n^-0.7 is not"
        ]
    if not step_size.squares_converge:
        if run.option.get("average"):
            biased = run.policy is None or run.option.get("source", "trajectory") == "trajectory"
            if step_size.limit == 0 or not biased or not _noisy(run):
                return []
            return [
                f"step size {step_size} does not fall to 0: the noise is averaged out, and a bias in proportion to the "
                "step size is left; n^-0.7 has none"
            ]
        if _noisy(run):
            return [
                f"step size {step_size}: the sum of its squares is infinite, so the estimates keep their noise and do "
                "not settle (Robbins & Monro); n^-0.7 settles"
            ]
    rate = _harmonic_rate(run)
    if 0 < rate < 0.5:
        return [
            f"step size {step_size}: at γ = {spell_short(run.mdp.gamma_exact)} errors fall only like n^-{rate:.2g} "
            "(Even-Dar & Mansour 2003); n^-0.7 is faster"
        ]
    return []


def _harmonic_rate(run: Learning) -> float:
    """Errors fall like n^-rate with steps a/n: a times the least eigenvalue of D (I - γP), inf where that is unknown.

    D is the identity where n counts visits, else the share of the updates of each entry.
    """
    step_size, (target, _) = run.option["step_size"], run.option.get("target", ("none", 0.0))
    if step_size.kind != "harmonic" or not run.method.one_step or target != "none" or run.data is not None:
        return np.inf
    small = run.entries <= 300 and run.mdp is run.whole and run.policy is not None
    if not small:
        # Without an end some error is the same in all states, and each update takes 1 - γ of it.
        return np.inf if run.mdp.terminal.any() else float(step_size.a * (1 - run.mdp.gamma))
    from tabular_rl.methods.exact.projected import q_fixed_point, td_fixed_point

    assert run.policy is not None
    states = run.table_kind == "states"
    fixed_point, keep = (
        (td_fixed_point, ~run.mdp.terminal) if states else (q_fixed_point, np.ones(run.entries, bool))
    )
    shares = {"d": keep.astype(float)} if run.option["per"] == "visit" else {"source": run.option["source"]}
    try:
        found = fixed_point(
            run.mdp, run.policy, np.eye(run.entries)[:, keep], behavior=run.behavior, **shares
        )
    except NumericalError:
        return np.inf
    return float(step_size.a * found.rates[0])


def _noisy(run: Learning) -> bool:
    """Whether a target depends on chance: on the outcome, or on the next action where the method samples it."""
    if (np.diff(run.mdp.row_ptr) > 1).any():
        return True
    if not run.method.samples_action:
        return False
    assert run.behavior is not None
    return run.option.get("explore") is not None or bool((run.behavior.weights % 1 > 0).any())


def _exploration(run: Learning) -> list[str]:
    """Whether every action is tried forever, and whose values are learned."""
    if run.policy is not None or not (np.diff(run.mdp.pair_ptr) > 1).any():
        return []
    explore, name = run.option.get("explore"), run.method.name
    said = []
    if run.method.on_policy and run.data is not None:
        return [
            f"{name} learns the values of the policy that made the log, not the optimal ones; q-learning does"
        ]
    if run.method.on_policy and explore is None:
        return [
            f"{name} learns the values of the policy of --behavior, not the optimal ones; q-learning does"
        ]
    if explore is None or run.data is not None:
        return []
    if run.option.get("source", "trajectory") == "trajectory" and not run.option.get("exploring_starts"):
        cold = explore.kind == "boltzmann" and explore.rate.limit == 0
        if cold or not explore.rate.sum_diverges:
            said.append(
                f"exploration {explore}: actions that do not look best are tried only finitely often, so some may be "
                "given up before their value is known; epsilon-greedy:0.1 goes on"
            )
        elif explore.kind == "epsilon-greedy" and explore.rate.limit == 0:
            enough = 1.0 if explore.rate.kind == "harmonic" else 1 / explore.rate.b
            said.append(
                f"exploration {explore} falls to 0: what takes more than {int(enough + 1e-9)} exploratory actions in a "
                "row to reach is met only finitely often, so it may never be known; epsilon-greedy:0.1 goes on"
            )
    if run.method.on_policy and explore.kind not in ("ucb", "epsilon-visits") and explore.rate.limit > 0:
        said.append(
            f"exploration {explore} never ends, and {name} learns the values of a policy that explores so, not the "
            "optimal ones; q-learning learns those, or a rate that falls to 0 where exploring is easy"
        )
    return said


def _loops(run: Learning) -> list[str]:
    """At γ = 1, places to stay forever at no reward: worth 0, but every value there is a fixed point of the update."""
    if not run.whole.problem.must_end or run.policy is not None:
        return []
    from tabular_rl.model.graph.total import total_reward
    from tabular_rl.solving.sweeps import Sweeper

    loops = total_reward(Sweeper(run.whole))
    if not loops.merged:
        return []
    return [
        "at γ = 1 one can stay forever at no reward, in a loop that is worth 0; in such a loop any value above agrees "
        "with the update, so estimates may stay where they began; a discount below 1 has one answer alone"
    ]


def _importance(run: Learning) -> list[str]:
    """Importance ratios that are too large: for the step size, or for the returns to have a variance."""
    if (
        run.policy is None
        or run.behavior is run.policy
        or run.table_kind != "states"
        or "features" in run.option
    ):
        return []
    if "step_size" not in run.option:
        return []
    decay, kind = None, run.option.get("importance")
    if "trace" in run.option:
        decay = run.mdp.gamma * run.option["trace"]
    elif "visit" not in run.option:
        return _long_steps(run)
    elif kind != "weighted":
        decay = 1.0 if kind == "ordinary" else run.mdp.gamma
    if not decay or run.mdp is not run.whole or run.behavior is None:
        return []
    from tabular_rl.methods.exact.ratio_moments import weights_are_finite

    if weights_are_finite(run.mdp, run.policy, run.behavior, decay) is not False:
        return []
    other = "a smaller --trace" if "trace" in run.option else "--importance weighted"
    return [
        "the importance weights have an infinite variance: now and then an episode outweighs all others, and estimates "
        f"settle slowly, if at all; {other}, or a behaviour nearer to the policy, has a finite one"
    ]


def _long_steps(run: Learning) -> list[str]:
    """Ratios that multiply a step: their product over the rewards of a return, for that of a step size."""
    assert run.policy is not None
    b = run.behavior.weights if run.behavior is not None else run.policy.weights
    largest = float(np.max(np.divide(run.policy.weights, b, out=np.zeros(len(b)), where=b > 0), initial=0.0))
    factors = run.option.get("n", 1)
    if factors > 1:
        # A product of n ratios multiplies a step: even one that falls to 0 is too long for long.
        most, alpha = largest**factors, run.option["step_size"].at(1)
        cure = "a smaller --n, or tree-backup, which has no ratios, is safe"
    else:
        most, alpha = largest, run.option["step_size"].limit
        cure = "a step size that falls to 0 is safe"
    if alpha * most <= 2:
        return []
    return [
        f"importance ratios are up to {most:.3g}: times a step size of {alpha:g} that is above 2, so an update can "
        f"leave an estimate further off than it was; {cure}"
    ]


def _reach(run: Learning) -> list[str]:
    """Entries that are never updated, or only finitely often."""
    from tabular_rl.model.graph.search import reachable, recurring

    mdp, behavior = run.mdp, run.behavior
    assert behavior is not None
    # What can be drawn: floats decide, not the exact numbers that they are near to.
    use = np.ones(mdp.L, dtype=bool) if run.option.get("explore") is not None else behavior.weights > 0
    there, trajectory = ~mdp.terminal, run.option.get("source", "trajectory") == "trajectory"
    if trajectory and not run.option.get("exploring_starts"):
        there = reachable(mdp, mdp.start > 0, use, mdp.prob) & ~mdp.terminal
    tried = use & there[mdp.pair_state]
    missing, what = (~tried, "pairs") if run.table_kind == "pairs" else (~there & ~mdp.terminal, "states")
    said = []
    if missing.any():
        first, total = int(np.argmax(missing)), mdp.L if what == "pairs" else int((~mdp.terminal).sum())
        s = mdp.state_of_row(first) if what == "pairs" else first
        place = run.pair_text(first) if what == "pairs" else f"state {quoted(state_name(run.whole, mdp, s))}"
        if there[s]:
            why = "the behaviour never takes it"
            other = "q-evaluation with " if run.method.on_policy else ""
            cure = f"{other}--behavior epsilon-greedy:0.1:POLICY takes every action"
        else:
            why = "it cannot be reached from the start"
            begins = (
                "--source independent" if "source" in run.option else "a start distribution over all states"
            )
            cure = f"{begins} begins everywhere"
        said.append(
            f"{missing.sum():,} of {total:,} {what} are never updated, such as {place}: {why}; {cure}"
        )
    if trajectory and run.option.get("episode_steps", 0) is None:
        recurs, label = recurring(mdp, use, mdp.prob)
        recurrent = recurs & there
        if recurrent.any():
            cure = "--episode-steps 1000 begins again now and then"
            left, whole = there & ~recurrent, int(there.sum())
            if left.any():
                s = quoted(state_name(run.whole, mdp, int(np.argmax(left))))
                said.append(
                    f"{left.sum():,} of {whole:,} states, such as {s}, are updated only finitely often: a trajectory "
                    f"leaves them forever, for others that do not lead back or to an end; {cure}"
                )
            elif len(parts := np.unique(label[recurrent])) > 1:
                said.append(
                    f"the states fall into {len(parts):,} parts that no trajectory leaves, so that a run learns of one "
                    f"of them; {cure}"
                )
    return said
