"""What theory says of a run before it starts: whether it can converge, and to what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tabular_rl.errors import NumericalError, OptionError, quoted
from tabular_rl.model.mdp import spell_gamma
from tabular_rl.model.unroll import state_name

if TYPE_CHECKING:
    from tabular_rl.methods.learning._learning import Learning


ON_POLICY = ("sarsa", "expected-sarsa")  # control that learns the value of the policy that explores
NO_CHANCE = (
    "q-learning",
    "double-q-learning",
    "q-evaluation",
    "expected-sarsa",
    "dyna-q",
    "tree-backup",
    "q-lambda",
    "linear-q-learning",
    "linear-q-evaluation",
)  # in which action is next
ONE_STEP = (*NO_CHANCE[:4], "td0", "sarsa", "sarsa-evaluation")  # whose targets are one reward and estimates


def check_coverage(run: Learning) -> None:
    """Raise OptionError where the behaviour never takes an action that has to be learned of.

    These are the actions of the policy, and in control all of them.
    """
    assert run.behavior is not None
    if run.policy is None and run.option.get("source") == "sweeps":
        return
    wanted = np.ones(run.mdp.L, dtype=bool) if run.policy is None else run.policy.takes
    lacking = wanted & ~(run.behavior.weights > 0)  # as floats: so are actions drawn, and ratios formed
    if lacking.any() and run.behavior is not run.policy:
        first = int(np.argmax(lacking))
        why = "as its value is to be learned" if run.policy is None else "as the policy takes it"
        small = " as a float" if run.behavior.takes[first] else ""
        raise OptionError(
            f"--behavior: {_pair(run, first)}: found probability 0{small}, expected more, {why}. "
            "epsilon-greedy:0.1:POLICY takes every action."
        )


def verdicts(run: Learning) -> list[str]:
    """Return a sentence for each reason why the run will not converge to the exact values, or takes for ever to."""
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
            f"step size {step_size}: at γ = {spell_gamma(run.mdp)} errors fall only like n^-{rate:.2g} (Even-Dar & "
            "Mansour 2003); n^-0.7 is faster"
        ]
    return []


def _harmonic_rate(run: Learning) -> float:
    """Errors fall like n^-rate with steps a/n: a times the least eigenvalue of D (I - γP), inf where that is unknown.

    D is the identity where n counts visits, else the share of the updates of each entry.
    """
    step_size, (target, _) = run.option["step_size"], run.option.get("target", ("none", 0.0))
    if (
        step_size.kind != "harmonic"
        or run.method.name not in ONE_STEP
        or target != "none"
        or run.data is not None
    ):
        return np.inf
    small = run.entries <= 300 and run.mdp is run.whole and run.policy is not None
    if not small:
        # Without an end some error is the same in all states, and each update takes 1 - γ of it.
        return np.inf if run.mdp.terminal.any() else float(step_size.a * (1 - run.mdp.gamma))
    from tabular_rl.methods.exact.projected import q_fixed_point, td_fixed_point

    assert run.policy is not None
    states = run.table_kind == "states"
    solved, keep = (
        (td_fixed_point, ~run.mdp.terminal) if states else (q_fixed_point, np.ones(run.entries, bool))
    )
    apart = run.option["source"] if run.option["source"] != "sweeps" else "independent"
    shares = {"d": keep.astype(float)} if run.option["per"] == "visit" else {"source": apart}
    try:
        found = solved(run.mdp, run.policy, np.eye(run.entries)[:, keep], behavior=run.behavior, **shares)
    except NumericalError:
        return np.inf
    return float(step_size.a * found.rates[0])


def _noisy(run: Learning) -> bool:
    """Whether a target depends on chance: on the outcome, or on the next action where the method samples it."""
    if (np.diff(run.mdp.row_ptr) > 1).any():
        return True
    if run.method.name in NO_CHANCE:
        return False
    assert run.behavior is not None
    return run.option.get("explore") is not None or bool((run.behavior.weights % 1 > 0).any())


def _exploration(run: Learning) -> list[str]:
    """Whether every action is tried for ever, and whose values are learned."""
    if run.policy is not None or not (np.diff(run.mdp.pair_ptr) > 1).any():
        return []
    explore, name = run.option.get("explore"), run.method.name
    said = []
    if name in ON_POLICY and run.data is not None:
        return [
            f"{name} learns the values of the policy that made the log, not the optimal ones; q-learning does"
        ]
    if name in ON_POLICY and explore is None:
        return [
            f"{name} learns the values of the policy of --behavior, not the optimal ones; q-learning does"
        ]
    if explore is None or run.data is not None:
        return []
    if run.option.get("source", "trajectory") == "trajectory":
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
    if name in ON_POLICY and explore.kind != "ucb" and explore.rate.limit > 0:
        said.append(
            f"exploration {explore} never ends, and {name} learns the values of a policy that explores so, not the "
            "optimal ones; q-learning learns those, or a rate that falls to 0 where exploring is easy"
        )
    return said


def _loops(run: Learning) -> list[str]:
    """At γ = 1, places to stay for ever at no reward: worth 0, but every value there is a fixed point of the update."""
    if not run.whole.problem.must_end or run.policy is not None:
        return []
    from tabular_rl.model.graph.total import total_reward
    from tabular_rl.solving.sweeps import Sweeper

    loops = total_reward(Sweeper(run.whole))
    if not loops.merged:
        return []
    return [
        "at γ = 1 one can stay for ever at no reward, in a loop that is worth 0; in such a loop any value above agrees "
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
    name, kind = run.method.name, run.option.get("importance")
    if name in ("td0", "n-step-td"):
        b = run.behavior.weights if run.behavior is not None else run.policy.weights
        largest = float(
            np.max(np.divide(run.policy.weights, b, out=np.zeros(len(b)), where=b > 0), initial=0.0)
        )
        factors = run.option["n"] if name == "n-step-td" else 1
        if factors > 1:
            # A product of n ratios multiplies a step: even one that falls to 0 is too long for long.
            most, alpha = largest**factors, run.option["step_size"].at(1)
            cure = "a smaller --n, or tree-backup, which has no ratios, is safe"
        else:
            most, alpha = largest, run.option["step_size"].limit
            cure = "a step size that falls to 0 is safe"
        if alpha * most > 2:
            return [
                f"importance ratios are up to {most:.3g}: times a step size of {alpha:g} that is above 2, so an "
                f"update can leave an estimate further off than it was; {cure}"
            ]
        return []
    decay = None
    if name == "monte-carlo" and kind in ("ordinary", "per-decision"):
        decay = 1.0 if kind == "ordinary" else run.mdp.gamma
    elif name == "td-lambda":
        decay = run.mdp.gamma * run.option["trace"]
    if not decay or run.mdp is not run.whole or run.behavior is None:
        return []
    from tabular_rl.laws.importance import weights_are_finite

    if weights_are_finite(run.mdp, run.policy, run.behavior, decay) is not False:
        return []
    other = "a smaller --trace" if name == "td-lambda" else "--importance weighted"
    return [
        "the importance weights have an infinite variance: now and then an episode outweighs all others, and estimates "
        f"settle slowly, if at all; {other}, or a behaviour nearer to the policy, has a finite one"
    ]


def _reach(run: Learning) -> list[str]:
    """Entries that are never updated, or only finitely often."""
    from tabular_rl.model.graph.search import reachable, recurring

    mdp, behavior = run.mdp, run.behavior
    assert behavior is not None
    # What can be drawn: floats decide, not the exact numbers that they are near to.
    use = np.ones(mdp.L, dtype=bool) if run.option.get("explore") is not None else behavior.weights > 0
    there, trajectory = ~mdp.terminal, run.option.get("source", "trajectory") == "trajectory"
    if trajectory:
        there = reachable(mdp, mdp.start > 0, use, mdp.prob) & ~mdp.terminal
    tried = use & there[mdp.pair_state]
    missing, what = (~tried, "pairs") if run.table_kind == "pairs" else (~there & ~mdp.terminal, "states")
    said = []
    if missing.any():
        first, total = int(np.argmax(missing)), mdp.L if what == "pairs" else int((~mdp.terminal).sum())
        s = mdp.state_of_row(first) if what == "pairs" else first
        place = _pair(run, first) if what == "pairs" else f"state {quoted(state_name(run.whole, mdp, s))}"
        if there[s]:
            why = "the behaviour never takes it"
            other = "q-evaluation with " if run.method.name.startswith("sarsa") else ""
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
            cure = "--episode-steps 1000 begins anew now and then"
            left, whole = there & ~recurrent, int(there.sum())
            if left.any():
                s = quoted(state_name(run.whole, mdp, int(np.argmax(left))))
                said.append(
                    f"{left.sum():,} of {whole:,} states, such as {s}, are updated only finitely often: a trajectory "
                    f"leaves them for ever, for others that do not lead back or to an end; {cure}"
                )
            elif len(parts := np.unique(label[recurrent])) > 1:
                said.append(
                    f"the states fall into {len(parts):,} parts that no trajectory leaves, so that a run learns of one "
                    f"of them; {cure}"
                )
    return said


def _pair(run: Learning, row: int) -> str:
    s, a = run.mdp.state_of_row(row), int(run.mdp.pair_action[row])
    return f"state {quoted(state_name(run.whole, run.mdp, s))}, action {quoted(run.mdp.actions[a])}"


def check_log_coverage(run: Learning) -> list[str]:
    """Look for the pairs that a run needs and its log lacks: OptionError for a policy, a sentence for control.

    Needed are the actions of the policy, for values of pairs in each state that the log is in or leads to, for values
    of states off policy in each that it leaves. A learner that follows the log itself (SARSA, or on policy) needs no
    more than there is.
    """
    assert run.data is not None
    mdp, log = run.mdp, run.data
    tried = np.bincount(log.row, minlength=mdp.L) > 0
    there = np.zeros(mdp.S, dtype=bool)
    there[mdp.pair_state[log.row]] = True
    if run.table_kind == "pairs":
        there[log.next_state[~log.done]] = True
    wanted = there[mdp.pair_state] & ~tried
    if run.policy is not None:
        follows = (
            run.method.name.startswith("sarsa") if run.table_kind == "pairs" else run.behavior is run.policy
        )
        wanted &= run.policy.takes & (not follows)
    if run.policy is not None and run.table_kind == "states" and run.behavior is run.policy:
        _check_on_policy(run)
    if not wanted.any():
        return []
    # Ratios put the expectation right where the behaviour takes all that the policy takes: a log may lack it by chance.
    by_chance = (
        run.table_kind == "states" and run.behavior is not None and (run.behavior.weights[wanted] > 0).all()
    )
    i = int(np.flatnonzero(wanted)[0])
    state, action = mdp.states[mdp.state_of_row(i)], mdp.actions[int(mdp.pair_action[i])]
    place, n = f"state {quoted(state)}, action {quoted(action)}", int(wanted.sum())
    more = f" (and {n - 1} more pairs)" if n > 1 else ""
    if by_chance:
        return [
            f"the log never has {place}{more}, which the policy takes: it is too short to say much of such states"
        ]
    if run.policy is not None:
        raise OptionError(
            f"--data: {place}: found no transition in the log{more}, expected one, as the policy takes it. Evaluate a "
            "policy that takes what was logged, or estimate a model and use that."
        )
    return [f"the log never has {place}{more}: such values stay at the start value, and may look best"]


def _check_on_policy(run: Learning) -> None:
    """Raise OptionError where a log without --behavior cannot be one of the policy.

    It takes an action that the policy never takes, or lacks one that the policy would have taken, but for a chance
    below 1e-9.
    """
    assert run.data is not None and run.policy is not None
    mdp = run.mdp
    times = np.bincount(run.data.row, minlength=mdp.L)
    visits = np.add.reduceat(np.append(times, 0), mdp.pair_ptr[:-1].astype(np.intp))
    visits = visits * (np.diff(mdp.pair_ptr) > 0)
    p = run.policy.weights
    with np.errstate(divide="ignore", invalid="ignore"):  # never visited: 0 · log 0
        never = visits[mdp.pair_state] * np.log1p(-np.minimum(p, 1.0))
    wrong = ((times > 0) & (p == 0)) | ((times == 0) & (p > 0) & (never < np.log(1e-9)))
    if wrong.any():
        i = int(np.argmax(wrong))
        n = int(visits[mdp.pair_state[i]])
        raise OptionError(
            f"--data: {_pair(run, i)}: taken {times[i]:,} times of {n:,} in the log, and the policy takes it with "
            f"probability {p[i]:.3g}, so the log is not one of the policy. Say with --behavior what made it; "
            "--behavior log estimates that."
        )
