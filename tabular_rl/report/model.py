"""A model as tables: what it is, every outcome, and what is odd but allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import Fault, escape
from tabular_rl.model.graph.search import edges, reachable, starts
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import aligned, exact_or_decimal, general, plural
from tabular_rl.report.blocks import Block, Lines, Report, Table
from tabular_rl.report.layout import rows_shown
from tabular_rl.report.maps import model_map
from tabular_rl.report.page.lesson import MOST_STATES as PAGE
from tabular_rl.report.screen import spelled
from tabular_rl.report.views import MOST_CELLS, model_picture
from tabular_rl.report.words import FEW, LISTED, listed, names_of, some, title


@dataclass(frozen=True)
class CheckReport(Report):
    """That a model is valid, what it holds, and remarks."""

    mdp: MDP

    def blocks(self) -> list[Block]:
        name, *lines = model_lines(self.mdp)
        return [Lines([f"{name}: valid", *lines, *(f"  remark: {x}" for x in remarks(self.mdp))])]

    def entries(self) -> dict[str, Any]:
        mdp = self.mdp
        return {
            "schema": "tabular-rl check", "version": 1, "valid": True, "model": mdp.name, "digest": mdp.digest,
            "problem": mdp.problem, "gamma": mdp.gamma, "horizon": mdp.horizon, "sense": mdp.sense,
            "states": mdp.S, "terminal": int(mdp.terminal.sum()), "actions": mdp.A, "pairs": mdp.L, "outcomes": mdp.K,
            "exact": mdp.exact is not None, "bytes": mdp.nbytes, "remarks": remarks(mdp),
        }  # fmt: skip


@dataclass(frozen=True)
class ModelReport(Report):
    """What a model is, and its outcomes: those of some `states`, by index, or of all."""

    mdp: MDP
    states: Sequence[int] | None = None
    everything: bool = False

    def blocks(self) -> list[Block]:
        return model_blocks(self.mdp, self.states, self.everything)

    def shown(self) -> list[Block]:
        found = model_map(self.mdp)
        drawn = [] if found is None or found.values.size > MOST_CELLS else [found]
        page = (
            [Lines(["tabular_rl.lesson(model) is a page on which sweeps and learners are seen at work"])]
            if self.mdp.S <= PAGE
            else []
        )
        first, *rest = self.blocks()
        return [first, *drawn, *rest, *page]

    def picture(self, what: str = "") -> list[Block]:
        return model_picture(self.mdp, what)


def remarks(mdp: MDP) -> list[str]:
    """What is allowed, and worth a second look."""
    found = []
    if mdp.start_given:
        lost = np.flatnonzero(~reachable(mdp, starts(mdp)))
        if len(lost):
            found.append(
                f"{plural(len(lost), 'state')} cannot be reached from the start: {listed(mdp, lost)}"
            )
    used = np.bincount(mdp.pair_action, minlength=mdp.A) if mdp.L else np.zeros(mdp.A, dtype=int)
    idle = [mdp.actions[int(a)] for a in np.flatnonzero(used == 0)[:5]]
    if idle:
        found.append(f"no state has the action {', '.join(map(escape, idle))}")
    never = edges(mdp) == 0
    if never.any():
        found.append(f"{plural(int(never.sum()), 'outcome')} with probability 0{_unpaid(mdp, never)}")
    if not mdp.start_given:
        entered = np.zeros(mdp.S, dtype=bool)
        entered[mdp.next_state[~never]] = True
        lost = np.flatnonzero(mdp.terminal & ~entered)
        if len(lost):
            found.append(f"no transition leads to {plural(len(lost), 'terminal state')}: {listed(mdp, lost)}")
    if mdp.problem.must_end and not mdp.terminal.any():
        found.append("the discount is 1 and no state is terminal")
    return found


def _unpaid(mdp: MDP, never: NDArray[np.bool_]) -> str:
    """Name the first outcome that has a reward and no probability; nothing where there is none."""
    paid = np.flatnonzero(never & (mdp.reward != 0)) if mdp.reward is not None else np.empty(0, dtype=int)
    if mdp.reward is None or not len(paid):
        return ""
    k = int(paid[0])
    what = f"reward {float(mdp.reward[k]):.12g}"
    first = Fault(what, *names_of(mdp, _row_of(mdp, k)), mdp.states[int(mdp.next_state[k])])
    return f"; rewards there are never collected: {first}"


def _row_of(mdp: MDP, outcome: int) -> int:
    """The row that an outcome belongs to."""
    return int(np.searchsorted(mdp.row_ptr, outcome, side="right")) - 1


def model_lines(mdp: MDP) -> list[str]:
    """What a model is, in a few lines; names from the file are escaped."""
    lines = [spelled(line) for line in str(mdp.replace(name="", source="")).split("\n")[1:]]
    source = [f"  source: {escape(mdp.source)}"] if mdp.source else []
    return [title(mdp), *lines, f"  start: {_start_names(mdp)}", *source]


def _start_names(mdp: MDP) -> str:
    used = np.flatnonzero(starts(mdp))
    if not mdp.start_given:
        return "uniform over non-terminal states (the model gives none)"
    if len(used) == 1:
        return escape(mdp.states[int(used[0])])
    exact = mdp.exact.start if mdp.exact is not None else None
    shares = [
        f"{escape(mdp.states[s])} {exact_or_decimal(exact[s] if exact is not None else None, float(mdp.start[s]))}"
        for s in used[:FEW].tolist()
    ]
    return some(shares, FEW, len(used))


def model_blocks(mdp: MDP, states: Sequence[int] | None = None, everything: bool = False) -> list[Block]:
    """What a model is, and its outcomes: those of some states, or of all.

    Parameters
    ----------
    mdp : the model
    states : those whose outcomes are shown, by index; None for all
    everything : all outcomes, instead of head and tail where they are many

    Returns
    -------
    Lines on the model, the table of outcomes, and lines with the terminal states and the final rewards, as far as there
    are some.
    """
    table = _outcomes_table(mdp, states, everything)
    ends = np.flatnonzero(mdp.terminal) if states is None else [s for s in states if mdp.terminal[s]]
    blocks: list[Block] = [Lines(model_lines(mdp)), *([table] if table.rows else [])]
    if len(ends):
        blocks.append(Lines([f"terminal: {listed(mdp, np.asarray(ends))}"]))
    if mdp.final_reward is not None:
        final = np.flatnonzero(mdp.final_reward)
        texts = [
            f"{escape(mdp.states[int(s)])} {general(float(mdp.final_reward[s]))}" for s in final[:LISTED]
        ]
        blocks.append(Lines([f"final reward: {some(texts, LISTED, len(final))}"]))
    return blocks


def _outcomes_table(mdp: MDP, states: Sequence[int] | None, everything: bool) -> Table:
    """Every outcome on a line: state, action, next state, probability, reward."""
    if states is None:
        chosen = rows_shown(mdp.K, everything, "outcomes")
        outcomes = [(_row_of(mdp, k), k) for k in chosen.rows]
    else:
        rows = [i for s in states for i in mdp.rows(s)]
        of_states = [(i, k) for i in rows for k in range(int(mdp.row_ptr[i]), int(mdp.row_ptr[i + 1]))]
        chosen = rows_shown(len(of_states), everything, "outcomes")
        outcomes = [of_states[j] for j in chosen.rows]
    exact, lines, before = mdp.exact, [], (-1, -1)
    rewards, fractions = (
        (mdp.r, exact and exact.r) if mdp.reward is None else (mdp.reward, exact and exact.reward)
    )
    for i, k in outcomes:
        s, a = mdp.state_of_row(i), int(mdp.pair_action[i])
        at = i if mdp.reward is None else k
        lines.append(
            [
                escape(mdp.states[s]) if s != before[0] else "",
                escape(mdp.actions[a]) if (s, a) != before else "",
                escape(mdp.states[int(mdp.next_state[k])]),
                exact_or_decimal(exact.prob[k] if exact else None, float(mdp.prob[k])),
                exact_or_decimal(fractions[at] if fractions else None, float(rewards[at])),
            ]
        )
        before = (s, a)
    for column in (3, 4):
        for line, padded in zip(lines, aligned(line[column] for line in lines), strict=True):
            line[column] = padded
    headers = ["state", "action", "next state", "probability", "cost" if mdp.sense == "min" else "reward"]
    return Table(headers, lines, left="state,action,next state", gaps=chosen.gaps)
