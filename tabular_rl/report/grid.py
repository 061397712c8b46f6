"""A gridworld drawn as a grid: values, and arrows for the policy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import escape, spoken
from tabular_rl.model.layout import Layout
from tabular_rl.model.numbers import general, places, plus_minus, shown
from tabular_rl.report.blocks import Block, Grid, Lines
from tabular_rl.report.layout import columns as widest
from tabular_rl.report.policy import tie_sign, tied_states
from tabular_rl.report.screen import signs
from tabular_rl.solving.solution import Solution, Status

WALL, ELSEWHERE = "#", "@"
TALLEST = 50  # rows
CELL_DIGITS = 7  # characters that a value may take before digits are dropped
DIGITS = 4  # significant digits that the largest value and the spread of the values keep
NAME = 8  # characters of an action that is named in a cell


def grid_blocks(solution: Solution) -> list[Block]:
    """Return values and policy in the places of their cells, "#" for walls; nothing where it is no small grid.

    A policy is drawn by arrows, or by the names of the actions where these have no arrows and are short. There is no
    grid either where it could not show the policy, or too few digits of the values.
    """
    values = _values_grid(solution)
    if not values or solution.policy is None:
        return values
    policy = policy_grid(solution)
    return [*values, *policy] if policy else []


def _places(solution: Solution, sampled: bool = False) -> NDArray[Any] | None:
    """The cell of each state; None for what is no grid, or has no interval and is not sampled."""
    mdp, layout = solution.mdp, solution.mdp.layout
    if layout is None or solution.v.ndim != 1:
        return None
    if not sampled and (solution.lower is None or solution.upper is None):
        return None
    if not 1 < layout.rows <= TALLEST or layout.columns < 2 or layout.columns * 3 > widest():
        return None
    if solution.exact is not None and mdp.S <= 24:
        return None
    cells = layout.cells(mdp.S)
    return cells if len(np.unique(cells)) == mdp.S else None


def _values_grid(solution: Solution) -> list[Block]:
    """The values in their cells and what the digits shown can be off by; nothing where too few digits fit."""
    cells, lower, upper, layout = _places(solution), solution.lower, solution.upper, solution.mdp.layout
    if cells is None or layout is None or lower is None or upper is None:
        return []
    if not math.isfinite(solution.bound):
        texts = [general(float(x), DIGITS) for x in solution.v]
        return [_drawn(texts, cells, layout), Lines(["not proven"])] if _fits(texts, layout) else []
    sizes = [float(np.max(np.abs(solution.v), initial=0.0)), float(np.ptp(solution.v))]
    most = places(solution.bound, 1e-6, sizes[0] or 1.0)
    wanted = [DIGITS - 1 - math.floor(math.log10(x)) for x in sizes if x > 0]
    least = min(most, max(0, *wanted)) if wanted else most

    def texts_with(decimals: int) -> list[str]:
        texts = [shown(float(x), decimals) for x in solution.v]
        whole = decimals > 0 and all(float(x).is_integer() for x in texts)
        return [x.split(".")[0] for x in texts] if whole else texts

    texts, decimals = _longest(texts_with, most, least, layout)
    if not _fits(texts, layout):
        return []
    ends = zip(texts, lower.tolist(), upper.tolist(), strict=True)
    error = max((plus_minus(x, low, high) for x, low, high in ends), key=float)
    cut = spoken("; --all shows every digit") if decimals < most and any("." in x for x in texts) else ""
    return [_drawn(texts, cells, layout), Lines([f"all {signs().plus_minus} {error} at most{cut}"])]


def learned_grid(solution: Solution, decimals: int) -> list[Block]:
    """Learned values in their cells, with no more decimals than fit; "?" where nothing was learned."""
    cells, layout = _places(solution, sampled=True), solution.mdp.layout
    if cells is None or layout is None or decimals < 0:
        return []
    texts, fitting = _longest(
        lambda decimals: ["?" if math.isnan(x) else shown(float(x), decimals) for x in solution.v],
        decimals,
        0,
        layout,
    )
    if not _fits(texts, layout):
        return []
    cut = spoken("; --all shows every digit") if fitting < decimals else ""
    return [Lines([f"learned values{cut}"]), _drawn(texts, cells, layout)]


def _longest(
    texts_with: Callable[[int], list[str]], most: int, least: int, layout: Layout
) -> tuple[list[str], int]:
    """The texts of cells with the most decimals that fit, and how many these are; `least` where none fit."""
    for decimals in range(most, least - 1, -1):
        texts = texts_with(decimals)
        if max(map(len, texts)) <= CELL_DIGITS and _fits(texts, layout):
            break
    return texts, decimals


def _fits(texts: list[str], layout: Layout) -> bool:
    """Whether a line of cells that are as wide as the longest text fits the screen."""
    return (max(map(len, texts)) + 2) * layout.columns - 2 <= widest()


def policy_grid(solution: Solution, unknown: NDArray[np.bool_] | None = None) -> list[Block]:
    """The policy in its cells, and what the signs mean; nothing where there is none, or its actions do not fit.

    `unknown` (S,) marks the states where what was learned from samples is not known; they are drawn as "?".
    """
    cells, mdp, layout = _places(solution, unknown is not None), solution.mdp, solution.mdp.layout
    if cells is None or layout is None:
        return []
    arrows = _arrows(solution)
    drawn = _names(solution) if arrows is None else arrows
    if drawn is not None and unknown is not None:
        drawn = ["?" if never else text for text, never in zip(drawn, unknown.tolist(), strict=True)]
    if drawn is None or not _fits(drawn, layout):
        return []
    walls = mdp.S + len(layout.elsewhere) < layout.rows * layout.columns
    legend = _legend(solution, drawn, walls, named=arrows is None)
    grid = _drawn(drawn, cells, layout)
    return [grid, Lines([legend])] if legend else [grid]


def _names(solution: Solution) -> list[str] | None:
    """One action a state, by its name, with a mark where others are not proven worse; None where names are long."""
    mdp, policy = solution.mdp, solution.policy
    if policy is None or policy.timed or policy.rows is None:
        return None
    names = [escape(name) for name in mdp.actions]
    if not all(name.isascii() and len(name) <= NAME for name in names):
        return None
    tied = np.zeros(mdp.S, dtype=np.bool_)
    if solution.optimal_actions is not None and solution.task == "control":
        tied[tied_states(mdp, solution.optimal_actions)] = True
    space = " " if tied.any() else ""
    marks = np.where(tied, tie_sign(solution), space).tolist()
    return [
        signs().terminal + space
        if mdp.terminal[s]
        else names[int(mdp.pair_action[policy.rows[s]])] + marks[s]
        for s in range(mdp.S)
    ]


def _drawn(texts: list[str], cells: NDArray[Any], layout: Layout) -> Grid:
    """Texts in their cells; a wall where no state is."""
    drawn = np.full(layout.rows * layout.columns, WALL, dtype=object)
    drawn[list(layout.elsewhere)] = ELSEWHERE
    drawn[cells] = texts
    return Grid(drawn.reshape(layout.rows, layout.columns).tolist())


def _arrows(solution: Solution) -> list[str] | None:
    """One text a state: the arrows of all actions not proven worse; None where an action has no arrow."""
    mdp, policy, known = solution.mdp, solution.policy, signs().arrows
    if policy is None or policy.timed:
        return None
    names = [known.get(name.lower()) for name in mdp.actions]
    if any(name is None for name in names):
        return None
    keep = policy.takes
    if policy.rows is not None and solution.optimal_actions is not None and solution.task == "control":
        keep = solution.optimal_actions
    out = []
    for s in range(mdp.S):
        if mdp.terminal[s]:
            out.append(signs().terminal)
            continue
        shown_rows = [i for i in mdp.rows(s) if keep[i]]
        chosen = -1 if policy.rows is None else int(policy.rows[s])
        shown_rows.sort(key=lambda i: i != chosen)
        out.append("".join(names[int(mdp.pair_action[i])] or "" for i in shown_rows))
    return out


def _legend(solution: Solution, drawn: list[str], walls: bool, named: bool) -> str:
    layout = solution.mdp.layout
    parts = [f"{WALL} wall"] if walls else []
    if layout is not None and layout.elsewhere:
        parts.append(f"{ELSEWHERE} leads to another cell at once")
    if "?" in drawn:
        parts.append("? never visited")
    if solution.mdp.terminal.any():
        parts.append(f"{signs().terminal} terminal")
    if named:
        if any(x.endswith("=") for x in drawn):
            parts.append("= ties with other actions")
        if any(x.endswith(signs().close) for x in drawn):
            parts.append(
                spoken(f"{signs().close} other actions are too close to tell apart; --all names them")
            )
    elif any(len(x) > 1 for x in drawn):
        if solution.task == "prediction":
            parts.append("several arrows: the policy is random")
        elif solution.status is Status.EXACT:
            parts.append("several arrows: ties")
        else:
            parts.append("several arrows: too close to tell apart, the first one is taken")
    return "; ".join(parts)
