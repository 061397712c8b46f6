"""What was learned, beside the exact answer, with what was never visited said to be so."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.analysis.regret import Regret
from tabular_rl.errors import escape
from tabular_rl.methods.lookup import METHODS
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import general, plural, rounded_up, shown
from tabular_rl.model.rationals import spell_float
from tabular_rl.report.blocks import Block, Column, Lines, Report, Sheet, Table, under
from tabular_rl.report.columns import answer_entries, answer_sheet, q_column
from tabular_rl.report.curves import curve_entry, over_runs, regret_entries, spread
from tabular_rl.report.frames import answer_arrays, answer_columns, given_names
from tabular_rl.report.grid import learned_grid, policy_grid
from tabular_rl.report.layout import LONGEST, rows_shown
from tabular_rl.report.policy import action_changes, action_text
from tabular_rl.report.q import learned_q_blocks
from tabular_rl.report.screen import signs
from tabular_rl.report.solution import proven_text, start_value
from tabular_rl.report.subject import decimals_of
from tabular_rl.report.views import learned_picture, shown_maps
from tabular_rl.report.words import cut_short, header, listed, names_of, rate_text, seconds_text
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.options import OPTIONS
from tabular_rl.solving.solution import Status

NEVER = "never visited"
UNUSED = "not learned"  # visited, but in no visit that could be learned from
UNTRIED = "not all tried"  # actions of the policy: without them its value here is not known
SURE = 1e-6  # of the largest |v|: exact values known no better than that are shown with what they may be off


@dataclass(frozen=True)
class LearnedReport(Report):
    """The values beside the exact ones, the errors over the runs, what the greedy policies earn, and the status.

    `everything` shows every state, `only` some states; `show_q` the value of every action too. `policy` is what the
    policy is called whose values were learned, `regret` what the greedy policies lose, `warned` whether what theory
    says of the run is at the end.
    """

    learned: Learned
    regret: Callable[[], Regret | None] = lambda: None
    everything: bool = False
    only: Sequence[int] | None = None
    show_q: bool = False
    policy: str | None = None
    warned: bool = False

    def blocks(self) -> list[Block]:
        return self._around(_grids(self.learned) if not self.everything and self.only is None else [])

    def shown(self) -> list[Block]:
        return self._around(shown_maps(self.learned))

    def _around(self, grids: Sequence[Block]) -> list[Block]:
        """The table, the grids below it, and what there is to say."""
        learned, mdp, regret = self.learned, self.learned.mdp, self.regret()
        named = "a policy" if self.policy is None else f"policy {escape(self.policy)}"
        what = "" if learned.task == "control" else f", value of {named}"
        runs = f"{learned.runs:,} runs of " if learned.runs > 1 else ""
        how = [f"{runs}{_steps_text(learned)}, seed {learned.seed}", options_text(learned)]
        sentences: list[Block] = [_summary(learned, regret)]
        if worst := _worst_text(learned):
            sentences.append(Lines(worst))
        if never := never_lines(learned):
            sentences.append(Lines(never))
        if regret is not None and regret.left_out:
            of = f"{learned.runs - regret.left_out} of {learned.runs} runs were evaluated"
            sentences[-1] = under(sentences[-1], [f"policies: those of {of}"])
        note = [learned.note] if learned.note and learned.status is Status.SAMPLED else []
        warnings = [f"{learned.method}: {verdict}" for verdict in learned.verdicts] if self.warned else []
        return [
            Lines([f"{header(mdp)}; {learned.method}{what}", "; ".join(filter(None, how))]),
            *states_blocks(learned, self.everything, self.only, self.show_q),
            *grids,
            *sentences,
            Lines([*_status_lines(learned), *note]),
            Lines(warnings),
        ]

    def entries(self) -> dict[str, Any]:
        """Those of an answer, and what is known of the runs."""
        learned, regret = self.learned, self.regret()
        best, curve = learned.reference, learned.curve
        more: dict[str, Any] = {
            "message": "; ".join(_status_lines(learned)),
            "runs": learned.runs,
            "steps": learned.steps,
            "steps_a_second": learned.steps_a_second,
            "verdicts": list(learned.verdicts),
            "reference": None if best is None else {
                "method": best.method, "bound": best.bound, "status": best.status.name,
                "start_value": best.value_of_start(),
            },
            "sup_error": over_runs(learned.sup_error),
            "sup_error_at": _worst_entry(learned),
            "rms_error": over_runs(learned.rms_error),
            **regret_entries(regret),
            "curve": None if curve is None else curve_entry(curve),
            "visits": learned.state_visits,
            "never_visited": _named(learned.mdp, _never_met(learned)),
            "not_learned": {reason: _named(learned.mdp, mask) for reason, mask in learned.unused.items()},
            "exact_values": None if best is None else best.v,
            "q": q_column(learned.mdp, learned.q) if self.show_q or learned.learned_q is not None else None,
        }  # fmt: skip
        return answer_entries(learned, **more)

    def sheet(self) -> Sheet:
        visits = Column.numbers(self.learned.state_visits, after=0)
        return answer_sheet(self.learned, self.show_q, visits)

    def columns(self, what: str = "") -> Mapping[str, Any]:
        if self.show_q and not what:
            return super().columns()
        return answer_columns(self.learned, what, self.learned.state_visits)

    def arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Sequence[str] | None]]:
        learned, best = self.learned, self.learned.reference
        q = learned.q if self.show_q or learned.learned_q is not None else None
        more = {} if best is None else {"exact_values": best.v}
        found = {**answer_arrays(learned, q), "visits": learned.state_visits, **more}
        return found, given_names(learned.mdp)

    def picture(self, what: str = "") -> list[Block]:
        return learned_picture(self.learned, what or "q" * self.show_q)


def _steps_text(learned: Learned) -> str:
    """How much was learned from: steps of a walk, or transitions of a log."""
    return plural(learned.steps, learned.unit, ",")


def _grids(learned: Learned) -> list[Block]:
    """The policy of a gridworld as a picture; the values too, where the table is cut or there is no policy to draw."""
    blocks: list[Block] = []
    if learned.mdp.S > LONGEST or learned.task != "control":
        blocks += learned_grid(learned, decimals_of(learned))
    if learned.task == "control":
        blocks += policy_grid(learned, learned.never_visited)
    return blocks


def options_text(learned: Learned) -> str:
    """The step size, the exploration, and the options that are not as they are by default."""
    defaults = {name: default for name, (_, default) in METHODS[learned.method].options.items()}
    texts = []
    for name, value in learned.options.items():
        if name in ("steps", "runs", "seed") or value is None:
            continue
        usual = OPTIONS[name].check(defaults[name])
        usual = option_text(getattr(usual, "text", usual))
        if name in ("step_size", "explore") or option_text(value) != usual:
            texts.append(name.replace("_", " ") + ("" if value is True else f" {option_text(value)}"))
    return ", ".join(texts)


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


def states_blocks(
    learned: Learned, everything: bool = False, only: Sequence[int] | None = None, show_q: bool = False
) -> list[Block]:
    """Return state / learned / exact / visits / action; of a finite horizon the states and times that were visited.

    Parameters
    ----------
    learned : what was learned
    everything : all states, and all times, those never visited too
    only : these states, by index, at all times
    show_q : a line for each action instead of one for each state

    Returns
    -------
    One table; with `show_q` perhaps a line on where q comes from. Values are in the sign of the model.
    """
    mdp, timed = learned.mdp, learned.mdp.problem.timed
    v, visits = np.atleast_2d(learned.v), np.atleast_2d(learned.state_visits)
    exact = None if learned.reference is None else np.atleast_2d(learned.reference.v)
    met = visits >= (0 if everything or not timed else 1)
    places = [(int(t), int(s)) for t, s in np.argwhere(met)]
    if only is not None:
        places = [(t, s) for t in range(len(visits)) for s in only]
    chosen = rows_shown(
        len(places),
        everything or only is not None,
        "states and times" if timed else "states",
        action_changes(learned),
    )
    decimals, never = decimals_of(learned), np.atleast_2d(_never_met(learned))
    pairs = [places[i] for i in chosen.rows]
    if show_q:
        return learned_q_blocks(learned, pairs, decimals, chosen.gaps)
    shown_with, true = (
        _own_decimals([float(x[p]) for p in pairs], decimals) for x in (v, v if exact is None else exact)
    )
    control, rows = learned.task == "control", []
    for t, s in pairs:
        unknown = (
            "" if not math.isnan(v[t, s]) else UNTRIED if visits[t, s] else NEVER if never[t, s] else UNUSED
        )
        row = [str(t)] * timed + [escape(mdp.states[s]), unknown or shown(float(v[t, s]), shown_with)]
        if exact is not None:
            row.append(shown(float(exact[t, s]), true))
        row.append("" if mdp.terminal[s] else f"{int(visits[t, s]):,}")
        if control:
            row.append("" if unknown else action_text(learned, s, t if timed else None))
        rows.append(row)
    headers = ["time"] * timed + ["state", "learned"] + ["exact"] * (exact is not None) + ["visits"]
    headers += ["action"] * control
    known = np.where(mdp.terminal, np.nan, mdp.sign * v)
    shades = {"learned": np.array([known[p] for p in pairs])}
    return [Table(headers, rows, left="state,action", wrap="action", gaps=chosen.gaps, shades=shades)]


def _own_decimals(values: Sequence[float], decimals: int, more: int = 4) -> int:
    """The decimals that write all values exactly, where a few more than `decimals` do: 0.625 is not 0.63.

    >>> _own_decimals([0.625, 0.5], 2), _own_decimals([2 / 3, 0.5], 2), _own_decimals([0.5, math.nan], 2)
    (3, 2, 2)
    """
    known = [x for x in values if math.isfinite(x)]
    for places in range(decimals, decimals + more + 1):
        if all(abs(x - round(x, places)) <= 1e-14 * abs(x) for x in known):
            return places
    return decimals


def _summary(learned: Learned, regret: Regret | None) -> Table:
    """Errors, values of the start and regret: median, least and most over the runs."""
    rows = []
    if learned.truth is not None:
        rows.append(["largest error" + _sure_to(learned), *spread(learned.sup_error)])
        rows.append(["root mean square error" + _sure_to(learned), *spread(learned.rms_error)])
    start = learned.curve.start[-1] if learned.curve is not None else np.full(learned.runs, math.nan)
    if learned.earned is None:  # of a policy gradient it is that of the policy, below
        rows.append(["start value, learned", *spread(start, 6)])
    if regret is not None:
        rows.append(["start value, of the policy", *spread(regret.earned, 6)])
        rows.append(["regret of the policy", *spread(regret.regret)])
    if learned.reference is not None:
        exact = general(learned.reference.value_of_start(), 6)
        if _sure_to(learned):
            exact = start_value(learned.reference)
        rows.append(["start value, exact", exact, *["", ""] * (learned.runs > 1)])
    headers = ["", "median", "least", "most"] if learned.runs > 1 else ["", ""]
    return Table(headers, rows, left=",")


def _sure_to(learned: Learned) -> str:
    """How far the errors may be off, where the exact values are not known to more digits than are shown; else ""."""
    bound, truth = learned.truth_bound, np.zeros(0) if learned.truth is None else learned.truth
    if not bound > SURE * float(np.max(np.abs(truth), initial=0.0)):
        return ""
    return f", {signs().plus_minus} {rounded_up(bound)} as the exact values are known"


def _worst_entry(learned: Learned) -> dict[str, Any] | None:
    """Where the largest error of all runs is: its table ("v" or "q"), its entry, and its run.

    None where the errors are not those of a table.

    >>> mdp = MDP([[[1.0], [1.0]]], [[1.0, 1.0]], 0.5)
    >>> _worst_entry(METHODS["q-learning"].ask(mdp, steps=1, explore="greedy"))
    {'table': 'q', 'state': '0', 'action': '1', 'time': None, 'run': 0}
    """
    mdp, truth, table = learned.mdp, learned.truth, learned.estimates
    if truth is None or learned.curve is None or table.shape[1:] != truth.shape or learned.earned is not None:
        return None
    off = np.abs(table - truth).reshape(learned.runs, -1, truth.shape[-1])
    pairs = learned.learned_q is not None
    if not pairs:
        off[..., mdp.terminal] = 0.0
        off = off[:, : mdp.horizon or 1]
    largest = off >= off.max(initial=0.0) * (1 - 1e-9)  # the first of those that only rounding sets apart
    run, time, at = map(int, np.unravel_index(int(np.argmax(largest)), off.shape))
    error = off[run, time, at]
    if not error > 0 or not math.isclose(error, learned.sup_error.max(), rel_tol=1e-9):
        return None
    state, action = names_of(mdp, at) if pairs else (mdp.states[at], None)
    return {
        "table": "q" if pairs else "v",
        "state": state,
        "action": action,
        "time": time if mdp.problem.timed else None,
        "run": run,
    }


def _worst_text(learned: Learned) -> list[str]:
    """The table that errors are measured in, and where the largest one is; nothing where that is not known."""
    worst = _worst_entry(learned)
    if worst is None:
        return []
    text = f"errors are those of {worst['table']}; the largest is that of state {escape(worst['state'])}"
    text += "" if worst["action"] is None else f", action {escape(worst['action'])}"
    text += "" if worst["time"] is None else f", time {worst['time']}"
    return [text + (f" in run {worst['run']}" if learned.runs > 1 else "")]


def _never_met(learned: Learned) -> NDArray[np.bool_]:
    """(S,) True at the states where no run has ever been; (T, S) for a finite horizon."""
    never = learned.never_visited
    for mask in learned.unused.values():
        never = never & ~mask
    return np.asarray(never)


def never_lines(learned: Learned) -> list[str]:
    """Which states were never visited, and how many state-action pairs."""
    mdp, never, lines = learned.mdp, _never_met(learned), []
    for reason, mask in {**learned.unused, NEVER: never}.items():
        if mask.ndim == 1 and (mask.any() or reason != NEVER):
            states = np.flatnonzero(mask)
            lines.append(f"{reason}: {plural(len(states), 'state', ',')} ({listed(mdp, states)})")
        elif mask.ndim == 2 and (mask.any() or reason != NEVER):
            live = int((~mdp.terminal).sum()) * len(mask)
            of = f" of {live:,}" if reason == NEVER else ""
            lines.append(f"{reason}: {int(mask.sum()):,}{of} states and times")
    if learned.learned_q is not None:
        visited = ~np.atleast_2d(learned.never_visited)[..., mdp.pair_state]
        missing = int((np.isnan(learned.learned_q) & visited.reshape(learned.learned_q.shape)).sum())
        if missing:
            lines.append(f"never tried in states that were visited: {plural(missing, 'action', ',')}")
    if lines and learned.truth is not None:
        lines.append("the errors count what was never visited or tried by its start value")
    return lines


def _status_lines(learned: Learned) -> list[str]:
    """That there is no certificate, what the errors are measured against, and whether the run was cut short."""
    of = ""
    if learned.reference is not None:
        best = learned.reference
        of = f"; the exact values are those of {best.method}, {proven_text(best)}"
    sampled = f"no certificate: what is learned comes from samples{of}"
    return [sampled] if learned.status is Status.SAMPLED else [cut_short(learned), sampled]


def work_line(learned: Learned) -> str:
    """What was done, for standard error: it differs from run to run."""
    rate = learned.steps_a_second
    fast = f", {rate_text(rate)} a second once compiled" if math.isfinite(rate) else ""
    total = learned.steps * learned.runs
    what = plural(total, learned.unit, ",")
    return f"{learned.method}: {what} in {seconds_text(learned.seconds)}{fast}"


def _named(mdp: MDP, mask: NDArray[np.bool_]) -> list[Any]:
    """The names of the states of a mask (S,); a list for each time of (T, S)."""
    if mask.ndim == 2:
        return [_named(mdp, row) for row in mask]
    return [mdp.states[int(s)] for s in np.flatnonzero(mask)]
