"""What was learned, as text, JSON and CSV: beside the exact answer, with what was never visited said to be so."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.analysis.comparison import Comparison, Curves
from tabular_rl.analysis.regret import Regret, middle
from tabular_rl.errors import escape, spoken
from tabular_rl.formats.answer_csv import q_csv
from tabular_rl.formats.answer_json import answer_document, q_entry
from tabular_rl.methods.learning._errors import root_mean_square
from tabular_rl.methods.lookup import METHODS
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import general, rounded_up, sampled_places, shown
from tabular_rl.model.rationals import spell_float
from tabular_rl.report.actions import learned_q_table
from tabular_rl.report.grid import learned_grid, policy_grid
from tabular_rl.report.layout import LONGEST, rows_shown, table
from tabular_rl.report.screen import signs
from tabular_rl.report.tables import (
    action_changes,
    action_text,
    listed,
    plural,
    problem_text,
    seconds_text,
    start_value,
    title,
)
from tabular_rl.solving.learned import Curve, Learned
from tabular_rl.solving.options import OPTIONS
from tabular_rl.solving.solution import Floats, Status

NEVER = "never visited"
UNUSED = "not learned"  # visited, but in no visit that could be learned from
UNTRIED = "not all tried"  # actions of the policy: without them its value here is not known
SURE = 1e-6  # of the largest |v|: exact values known no better than that are shown with what they may be off
BLOCK = 1 << 14  # states written together


def learned_text(
    learned: Learned,
    regret: Regret | None = None,
    everything: bool = False,
    policy: str | None = None,
    only: Sequence[int] | None = None,
    show_q: bool = False,
) -> str:
    """The values beside the exact ones, the errors over the runs, what the greedy policies earn, and the status.

    `only` are the states that are shown; `show_q` shows the value of every action too.
    """
    mdp = learned.mdp
    what = (
        ""
        if learned.task == "control"
        else f", value of {'a policy' if policy is None else 'policy ' + escape(policy)}"
    )
    runs = f"{learned.runs:,} runs of " if learned.runs > 1 else ""
    lines = [
        f"{title(mdp)}: {problem_text(mdp)}, {plural(mdp.S, 'state')}; {learned.method}{what}",
        "; ".join(filter(None, (f"{runs}{steps_text(learned)}, seed {learned.seed}", options_text(learned)))),
        "",
        states_table(learned, everything, only, show_q),
        *(grid_lines(learned) if not everything and only is None else []),
        "",
        summary(learned, regret),
    ]
    worst = worst_entry(learned)
    if worst is not None:
        lines.append("")
        lines.append(f"errors are those of {worst.table}; the largest is that of {worst.name(learned)}")
    never = never_text(learned)
    if never:
        lines += ["", never]
    if regret is not None and regret.left_out:
        lines.append(
            f"policies: those of {learned.runs - regret.left_out} of {learned.runs} runs were evaluated"
        )
    lines += ["", status_line(learned)]
    if learned.note and learned.status is Status.SAMPLED:
        lines.append(learned.note)
    return "\n".join(lines)


def steps_text(learned: Learned) -> str:
    """How much was learned from: steps of a walk, or transitions of a log."""
    return count(learned.steps, learned.extra.get("unit", "step"))


def grid_lines(learned: Learned) -> list[str]:
    """The policy of a gridworld as a picture; the values too, where the table is cut or there is no policy to draw."""
    parts = []
    if learned.mdp.S > LONGEST or learned.task != "control":
        parts.append(learned_grid(learned, decimals_of(learned)))
    if learned.task == "control":
        parts.append(policy_grid(learned, learned.never_visited))
    return [line for part in parts if part for line in ("", part)]


def options_text(learned: Learned) -> str:
    """The step size, the exploration, and the options that are not as they are by default."""
    defaults = {name: default for name, (_, default) in METHODS[learned.method].options.items()}
    told = []
    for name, value in learned.options.items():
        if name in ("steps", "runs", "seed") or value is None:
            continue
        if name in ("step_size", "explore") or option_text(value) != option_text(
            _checked(name, defaults[name])
        ):
            told.append(name.replace("_", " ") + ("" if value is True else f" {option_text(value)}"))
    return ", ".join(told)


def _checked(name: str, default: Any) -> Any:
    made = OPTIONS[name].check(default)
    return getattr(made, "text", made)


def option_text(value: Any) -> str:
    """An option as it is written on the command line.

    >>> option_text(("copy", 100.0)), option_text(True), option_text("1/n"), option_text(0.5)
    ('copy:100', 'true', '1/n', '0.5')
    """
    if isinstance(value, tuple):
        return ":".join(map(option_text, value))
    if isinstance(value, bool):
        return str(value).lower()
    return spell_float(value) if isinstance(value, float) else str(value)


def exact_values(learned: Learned) -> Floats | None:
    """The exact values of the states (S,) or (T + 1, S); None without a reference."""
    return None if learned.reference is None else learned.reference.v


def states_table(
    learned: Learned, everything: bool = False, only: Sequence[int] | None = None, show_q: bool = False
) -> str:
    """state / learned / exact / visits / action; of a finite horizon the states and times that were visited."""
    mdp, timed = learned.mdp, learned.mdp.horizon is not None
    v, visits = np.atleast_2d(learned.v), np.atleast_2d(learned.state_visits)
    truth = exact_values(learned)
    exact = None if truth is None else np.atleast_2d(truth)
    places = [(t, s) for t in range(len(visits)) for s in range(mdp.S)] if everything or not timed else [
        (int(t), int(s)) for t, s in np.argwhere(visits > 0)
    ]  # fmt: skip
    if only is not None:
        places = [(t, s) for t in range(len(visits)) for s in only]
    chosen = rows_shown(
        len(places),
        everything or only is not None,
        "states and times" if timed else "states",
        action_changes(learned),
    )
    decimals, never = decimals_of(learned), np.atleast_2d(never_met(learned))
    if show_q:
        return learned_q_table(learned, [places[i] for i in chosen.rows], decimals, chosen)
    rows = []
    pairs = [places[i] for i in chosen.rows]
    told, true = (
        own_decimals([float(x[p]) for p in pairs], decimals) for x in (v, v if exact is None else exact)
    )
    for t, s in pairs:
        unknown = (
            "" if not math.isnan(v[t, s]) else UNTRIED if visits[t, s] else NEVER if never[t, s] else UNUSED
        )
        acts = learned.task == "control" and not unknown
        rows.append(
            [str(t)] * timed
            + [escape(mdp.states[s]), unknown or shown(float(v[t, s]), told)]
            + ([shown(float(exact[t, s]), true)] if exact is not None else [])
            + ["" if mdp.terminal[s] else f"{int(visits[t, s]):,}"]
            + (
                [action_text(learned, s, t if timed else None) if acts else ""]
                if learned.task == "control"
                else []
            )
        )
    headers = ["time"] * timed + ["state", "learned"] + ["exact"] * (exact is not None) + ["visits"]
    headers += ["action"] * (learned.task == "control")
    return table(headers, rows, left="state,action", wrap="action", gaps=chosen.gaps)


def decimals_of(learned: Learned) -> int:
    """As many decimals as show with two digits how far the values shown are from the exact ones."""
    truth = exact_values(learned)
    known = np.isfinite(learned.v)
    if truth is not None:
        known &= np.isfinite(truth)
    error = 0.0 if truth is None else float(np.max(np.abs(learned.v - truth)[known], initial=0.0))
    largest = float(np.max(np.abs(learned.v[known]), initial=0.0))
    if truth is not None:
        largest = max(largest, float(np.max(np.abs(truth[known]), initial=0.0)))
    return sampled_places(error, largest)


def own_decimals(values: Sequence[float], decimals: int, more: int = 4) -> int:
    """The decimals that all values are exact with, where a few more than so many are enough: 0.625 is no 0.63.

    >>> own_decimals([0.625, 0.5], 2), own_decimals([2 / 3, 0.5], 2), own_decimals([0.5, math.nan], 2)
    (3, 2, 2)
    """
    known = [x for x in values if math.isfinite(x)]
    for places in range(decimals, decimals + more + 1):
        if all(abs(x - round(x, places)) <= 1e-14 * abs(x) for x in known):
            return places
    return decimals


def spread(numbers: Sequence[float] | Floats, digits: int = 3) -> list[str]:
    """Median, least and most of the runs; one number where there is one run; infinite where a policy never ends.

    >>> spread([3.0, 1.0, 2.0]), spread([0.5]), spread([math.nan])
    (['2', '1', '3'], ['0.5'], ['?'])
    """
    known = np.asarray(numbers, dtype=np.float64)
    count = len(known)
    known = known[~np.isnan(known)]
    if not len(known):
        return ["?"] if count == 1 else ["?", "?", "?"]
    shown_numbers = (
        [float(known[0])] if count == 1 else [middle(known), float(known.min()), float(known.max())]
    )
    return [general(x, digits) if math.isfinite(x) else "never ends" for x in shown_numbers]


def summary(learned: Learned, regret: Regret | None) -> str:
    """Errors, values of the start and regret: median, least and most over the runs."""
    rows = []
    if learned.truth is not None:
        rows.append(["largest error" + sure_to(learned), *spread(learned.sup_error)])
        rows.append(["root mean square error" + sure_to(learned), *spread(learned.rms_error)])
    start = learned.curve.start[-1] if learned.curve is not None else np.full(learned.runs, math.nan)
    if "preferences" not in learned.extra:  # of a policy gradient it is that of the policy, below
        rows.append(["start value, learned", *spread(start, 6)])
    if regret is not None:
        rows.append(["start value, of the policy", *spread(regret.earned, 6)])
        rows.append(["regret of the policy", *spread(regret.regret)])
    if learned.reference is not None:
        exact = general(learned.reference.value_of_start(), 6)
        if sure_to(learned):
            exact = start_value(learned.reference)
        rows.append(["start value, exact", exact, *["", ""] * (learned.runs > 1)])
    headers = ["", "median", "least", "most"] if learned.runs > 1 else ["", ""]
    return table(headers, rows, left=",").lstrip("\n")


def sure_to(learned: Learned) -> str:
    """How far the errors may be off, where the exact values are not known to more digits than are shown; else ""."""
    bound = learned.truth_bound
    if not bound > SURE * float(
        np.max(np.abs(learned.truth), initial=0.0) if learned.truth is not None else 0.0
    ):
        return ""
    return f", {signs().plus_minus} {rounded_up(bound)} as the exact values are known"


@dataclass(frozen=True)
class Worst:
    """The entry of a table whose error is the largest: of which table and run, and where."""

    table: str  # "v" or "q"
    run: int
    state: int
    action: int | None
    time: int | None

    def name(self, learned: Learned) -> str:
        """
        >>> Worst("q", 0, 0, 1, None).entry(MDP([[[1.0], [1.0]]], [[1.0, 1.0]], 0.5))
        {'table': 'q', 'state': '0', 'action': '1', 'time': None, 'run': 0}
        """
        found = self.entry(learned.mdp)
        text = f"state {escape(found['state'])}"
        text += "" if self.action is None else f", action {escape(found['action'])}"
        text += "" if self.time is None else f", time {self.time}"
        return text + (f" in run {self.run}" if learned.runs > 1 else "")

    def entry(self, mdp: MDP) -> dict[str, Any]:
        """As an entry of the JSON object."""
        action = None if self.action is None else mdp.actions[self.action]
        return {
            "table": self.table, "state": mdp.states[self.state], "action": action, "time": self.time,
            "run": self.run,
        }  # fmt: skip


def worst_entry(learned: Learned) -> Worst | None:
    """Where the largest error of all runs is; None where the errors are not those of a table."""
    mdp, truth, table = learned.mdp, learned.truth, learned.estimates
    if (
        truth is None
        or learned.curve is None
        or table.shape[1:] != truth.shape
        or "preferences" in learned.extra
    ):
        return None
    off = np.abs(table - truth).reshape(learned.runs, -1, truth.shape[-1])
    pairs = learned.learned_q is not None
    if not pairs:
        off[..., mdp.terminal] = 0.0
        off = off[:, : mdp.horizon or 1]
    largest = off >= off.max(initial=0.0) * (1 - 1e-9)  # of those that rounding sets apart the first
    run, time, at = map(int, np.unravel_index(int(np.argmax(largest)), off.shape))
    if not off[run, time, at] > 0 or not math.isclose(
        off[run, time, at], learned.sup_error.max(), rel_tol=1e-9
    ):
        return None
    state, action = (mdp.state_of_row(at), int(mdp.pair_action[at])) if pairs else (at, None)
    return Worst("q" if pairs else "v", run, state, action, time if mdp.horizon is not None else None)


def unused(learned: Learned) -> dict[str, NDArray[np.bool_]]:
    """The states that were met and never learned from, by the reason: masks (S,), or (T, S) for a finite horizon."""
    return dict(learned.extra.get("unused", {}))


def never_met(learned: Learned) -> NDArray[np.bool_]:
    """(S,) True at the states where no run has ever been; (T, S) for a finite horizon."""
    never = learned.never_visited
    for mask in unused(learned).values():
        never = never & ~mask
    return np.asarray(never)


def never_text(learned: Learned) -> str:
    """Which states were never visited, and how many state-action pairs."""
    mdp, never = learned.mdp, never_met(learned)
    lines = []
    for reason, mask in unused(learned).items():
        if mask.ndim == 2:
            lines.append(f"{reason}: {int(mask.sum()):,} states and times")
        else:
            states = np.flatnonzero(mask)
            lines.append(f"{reason}: {count(len(states), 'state')} ({listed(mdp, states)})")
    if never.ndim == 2:
        if never.any():
            live = int((~mdp.terminal).sum()) * len(never)
            lines.append(f"{NEVER}: {int(never.sum()):,} of {live:,} states and times")
    elif never.any():
        states = np.flatnonzero(never)
        lines.append(f"{NEVER}: {count(len(states), 'state')} ({listed(mdp, states)})")
    if learned.learned_q is not None:
        missing = np.isnan(learned.learned_q) & ~np.atleast_2d(learned.never_visited)[
            ..., mdp.pair_state
        ].reshape(learned.learned_q.shape)
        if missing.any():
            lines.append(f"never tried in states that were visited: {count(int(missing.sum()), 'action')}")
    if lines and learned.truth is not None:
        lines.append("the errors count what was never visited or tried by its start value")
    return "\n".join(lines)


def status_line(learned: Learned) -> str:
    """That there is no certificate, what the errors are measured against, and whether the run was cut short."""
    of = ""
    if learned.reference is not None:
        best = learned.reference
        known = (
            "exact, in rational arithmetic" if best.exact is not None
            else f"proven to within {rounded_up(best.bound)}" if math.isfinite(best.bound) else "not proven"
        )  # fmt: skip
        of = f"; the exact values are those of {best.method}, {known}"
    sampled = f"no certificate: what is learned comes from samples{of}"
    if learned.status is Status.SAMPLED:
        return sampled
    return f"{cut_short(learned)}\n{sampled}"


def cut_short(learned: Learned) -> str:
    """Why a run stopped before its last step, and the way on; nothing where it did not."""
    done = f"after {learned.steps:,} of {count(learned.options.get('steps', learned.steps), 'step')}"
    if learned.status is Status.TIME_SPENT:
        return spoken(
            f"not reached: the time limit is over {done}; raise --time-limit, or go on with --resume"
        )
    if learned.status is Status.INTERRUPTED:
        return f"interrupted {done}: what was learned is kept"
    return ""


def work_line(learned: Learned) -> str:
    """What was done, for standard error: it differs from run to run."""
    rate = learned.steps_a_second
    fast = f", {rate_text(rate)} a second" if math.isfinite(rate) else ""
    total = learned.steps * learned.runs
    what = count(total, learned.extra.get("unit", "step"))
    return f"{learned.method}: {what} in {seconds_text(learned.seconds)}{fast}"


def rate_text(rate: float) -> str:
    """
    >>> rate_text(26_543_000.0), rate_text(191.2), rate_text(math.nan)
    ('26.5 million', '191', '?')
    """
    if not math.isfinite(rate):
        return "?"
    return f"{rate / 1e6:.3g} million" if rate >= 1e5 else f"{rate:.0f}"


def count(number: int, what: str) -> str:
    """
    >>> count(1, "step"), count(1200, "step")
    ('1 step', '1,200 steps')
    """
    return f"{number:,} {what}{'s' * (number != 1)}"


# -- learning curves -----------------------------------------------------------------------------------------------


def curves_table(found: Comparison) -> str:
    """A line a learner: its largest error on the way, and at the end errors, regret and speed."""
    last = max(curves.learned.steps for curves in found.curves)
    columns = shown_steps(last)
    several = any(curves.learned.runs > 1 for curves in found.curves)
    control = any(curves.regret is not None for curves in found.curves)
    rows = []
    for curves in found.curves:
        learned = curves.learned
        errors = ["" if k > learned.steps else general(error_at(learned, k), 3) for k in columns]
        ends = spread(learned.sup_error)[1:] if learned.runs > 1 else ["", ""]
        rows.append(
            [curves.label, *errors]
            + ends * several
            + [general(middle(learned.rms_error), 3)]
            + [("none" if curves.regret is None else spread(curves.regret.regret)[0])] * control
            + [seconds_text(learned.seconds), rate_text(learned.steps_a_second)]
        )
    headers = ["method", *(f"{k:,}" for k in columns), *["least", "most"] * several, "rms"]
    headers += ["regret"] * control + ["time", "steps a second"]
    runs = {curves.learned.runs for curves in found.curves}
    of = (
        f", median of {max(runs):,} runs"
        if several and len(runs) == 1
        else ", medians over the runs"
        if several
        else ""
    )
    lines = [
        f"largest error after so many steps{of}",
        "",
        table(headers, rows, left="method", wrap="method", fold=1),
    ]
    climbers = [c.label for c in found.curves if METHODS[c.learned.method].family == "gradient"]
    if climbers:
        said = "errors are the regret of the policy, as preferences are no values"
        lines += ["", f"{', '.join(climbers)}: {said}"]
    lines += laws_lines(found)
    lines += [f"{c.label}: {cut_short(c.learned)}" for c in found.curves if cut_short(c.learned)]
    return "\n".join(lines)


def laws_lines(found: Comparison) -> list[str]:
    """The sampled root mean square error beside the expected one, which is exact."""
    known = [curves for curves in found.curves if curves.law is not None]
    if not known:
        return []
    last = max(int(curves.law.steps[-1]) for curves in known if curves.law is not None)
    columns = shown_steps(last)
    rows = []
    for curves in known:
        curve, law = curves.learned.curve, curves.law
        assert curve is not None and law is not None
        mean = np.full(curves.learned.runs, 1 / curves.learned.runs)
        for name, steps, errors in (
            ("sampled", curve.steps, root_mean_square(curve.rms, mean)),
            ("expected", law.steps, law.rms()),
        ):
            at = [int(np.searchsorted(steps, k, side="right")) - 1 for k in columns]
            texts = [
                "" if i < 0 or steps[i] != k else general(float(errors[i]), 3)
                for i, k in zip(at, columns, strict=True)
            ]
            rows.append([curves.label if name == "sampled" else "", name, *texts])
    headers = ["method", "", *(f"{k:,}" for k in columns)]
    return [
        "",
        "root mean square error, over entries and runs, and what theory says it is",
        "",
        table(headers, rows, left="method,", wrap="method", fold=2),
    ]


def shown_steps(last: int, most: int = 4) -> list[int]:
    """The last few powers of ten, and the last step.

    >>> shown_steps(100_000), shown_steps(500), shown_steps(1)
    ([100, 1000, 10000, 100000], [10, 100, 500], [1])
    """
    tens = [10**k for k in range(1, len(str(last))) if 10**k < last]
    return [*tens[1 - most :], last]


def error_at(learned: Learned, step: int) -> float:
    """The median largest error at the last recorded step up to this one."""
    curve = learned.curve
    at = -1 if curve is None else int(np.searchsorted(curve.steps, step, side="right")) - 1
    return math.nan if curve is None or at < 0 else middle(curve.sup[at])


def curves_entry(curves: Curves) -> dict[str, Any]:
    """One learner of a comparison as an entry of its JSON object."""
    learned, curve = curves.learned, curves.learned.curve
    return {
        "method": curves.label,
        "name": learned.method,
        "options": dict(learned.options),
        "status": learned.status.name,
        "verdicts": list(learned.verdicts),
        "runs": learned.runs,
        "steps": learned.steps,
        "sup_error": over_runs(learned.sup_error),
        "rms_error": over_runs(learned.rms_error),
        "earned": None if curves.regret is None else over_runs(curves.regret.earned),
        "regret": None if curves.regret is None else over_runs(curves.regret.regret),
        "seconds": learned.seconds,
        "steps_a_second": learned.steps_a_second,
        "curve": None if curve is None else curve_entry(curve),
        "expected": None
        if curves.law is None
        else {
            "steps": curves.law.steps.tolist(),
            "rms_error": curves.law.rms().tolist(),
            "start_value": curves.law.start_mean.tolist(),
            "start_sd": curves.law.start_sd.tolist(),
        },
    }


def curve_entry(curve: Curve) -> dict[str, Any]:
    """A learning curve: medians over the runs."""
    return {
        "steps": curve.steps.tolist(),
        "sup_error": [middle(row) for row in curve.sup],
        "rms_error": [middle(row) for row in curve.rms],
        "start_value": [middle(row) for row in curve.start],
    }


def curves_csv(found: Comparison) -> Iterator[str]:
    """Yield method,run,step,sup,rms,start: a line for each run and recorded step."""
    yield "method,run,step,sup,rms,start\n"
    for curves in found.curves:
        curve = curves.learned.curve
        if curve is None:
            continue
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for e in range(curves.learned.runs):
            for i, step in enumerate(curve.steps.tolist()):
                numbers = (float(x[i, e]) for x in (curve.sup, curve.rms, curve.start))
                writer.writerow(
                    [curves.label, e, step, *(repr(x) if math.isfinite(x) else "" for x in numbers)]
                )
            yield text.getvalue()
            text.seek(0)
            text.truncate()


# -- files ---------------------------------------------------------------------------------------------------------


def over_runs(numbers: Floats) -> dict[str, Any]:
    """Median, least, most, and the number of each run."""
    known = numbers[~np.isnan(numbers)]
    return {
        "median": middle(numbers),
        "least": float(known.min()) if len(known) else math.nan,
        "most": float(known.max()) if len(known) else math.nan,
        "runs": numbers.tolist(),
    }


def learned_document(learned: Learned, regret: Regret | None = None, show_q: bool = False) -> dict[str, Any]:
    """The entries of the JSON object: an answer, and what is known of the runs. NaN and infinities become null."""
    never, worst = never_met(learned), worst_entry(learned)
    curve = learned.curve
    more: dict[str, Any] = {
        "message": status_line(learned).replace("\n", "; "),
        "runs": learned.runs,
        "steps": learned.steps,
        "steps_a_second": learned.steps_a_second,
        "verdicts": list(learned.verdicts),
        "reference": None
        if learned.reference is None
        else {
            "method": learned.reference.method,
            "bound": learned.reference.bound,
            "status": learned.reference.status.name,
            "start_value": learned.reference.value_of_start(),
        },
        "sup_error": over_runs(learned.sup_error),
        "sup_error_at": None if worst is None else worst.entry(learned.mdp),
        "rms_error": over_runs(learned.rms_error),
        "earned": None if regret is None else over_runs(regret.earned),
        "regret": None if regret is None else over_runs(regret.regret),
        "curve": None if curve is None else curve_entry(curve),
        "visits": learned.state_visits,
        "never_visited": _named(learned.mdp, never),
        "not_learned": {reason: _named(learned.mdp, mask) for reason, mask in unused(learned).items()},
        "exact_values": exact_values(learned),
        "q": q_entry(learned.mdp, learned.q) if show_q or learned.learned_q is not None else None,
    }
    return answer_document(learned, **more)


def _named(mdp: MDP, mask: NDArray[np.bool_]) -> list[Any]:
    """The names of the states of a mask (S,); a list for each time of (T, S)."""
    if mask.ndim == 2:
        return [_named(mdp, row) for row in mask]
    return [mdp.states[int(s)] for s in np.flatnonzero(mask)]


def learned_csv(learned: Learned, show_q: bool = False) -> Iterator[str]:
    """Yield [time,]state,value,visits[,action]; the value of a state that was never visited is empty."""
    mdp, timed = learned.mdp, learned.mdp.horizon is not None
    if show_q:
        yield from q_csv(learned, {"visits": learned.state_visits})
        return
    v, visits = np.atleast_2d(learned.v), np.atleast_2d(learned.state_visits)
    policy = learned.policy if learned.policy is not None and learned.policy.rows is not None else None
    yield ",".join(["time"] * timed + ["state", "value", "visits"] + ["action"] * (policy is not None)) + "\n"
    for t in range(len(v)):
        rows = None
        if policy is not None and t < (mdp.horizon or 1):
            rows = policy.at(t).rows if timed else policy.rows
        for first in range(0, mdp.S, BLOCK):
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            for s in range(first, min(first + BLOCK, mdp.S)):
                x, never = float(v[t, s]), math.isnan(v[t, s])
                row = -1 if rows is None else int(rows[s])
                writer.writerow(
                    [t] * timed
                    + [mdp.states[s], "" if never else repr(x), int(visits[t, s]) if t < len(visits) else 0]
                    + (
                        [mdp.actions[int(mdp.pair_action[row])] if row >= 0 else ""]
                        if policy is not None
                        else []
                    )
                )
            yield text.getvalue()
