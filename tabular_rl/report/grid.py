"""A gridworld drawn as a grid: values, and arrows for the policy."""

from __future__ import annotations

import math

import numpy as np

from tabular_rl.report.numbers import general, places, plus_minus, rounded_up, shown
from tabular_rl.report.screen import signs
from tabular_rl.solution import Solution, Status

WIDEST = 120  # characters
TALLEST = 50  # rows
CELL_DIGITS = 7  # characters that a value may take before digits are dropped


def grid_text(solution: Solution) -> str | None:
    """Return values and arrows in the places of their cells, "#" for walls; None where it is no small grid."""
    mdp, layout = solution.mdp, solution.mdp.layout
    if layout is None or solution.v.ndim != 1 or solution.lower is None or solution.upper is None:
        return None
    if layout.rows > TALLEST or layout.columns * 4 > WIDEST or (solution.exact is not None and mdp.S <= 24):
        return None
    cells = layout.cells(mdp.S)
    if len(np.unique(cells)) != mdp.S:
        return None
    proven = math.isfinite(solution.bound)
    largest = float(np.max(np.abs(solution.v), initial=0.0))
    decimals = places(solution.bound, 1e-6, largest or 1.0) if proven else 0
    fits = decimals
    texts: list[str] = []
    for fits in range(decimals, min(decimals, 0) - 1, -1):
        texts = [shown(float(x), fits) if proven else general(float(x), 4) for x in solution.v]
        if max(map(len, texts)) <= CELL_DIGITS and (max(map(len, texts)) + 2) * layout.columns <= WIDEST:
            break
    if (max(map(len, texts)) + 2) * layout.columns > WIDEST:
        return None
    if proven and fits > 0 and all(float(x) == round(float(x)) and "." in x for x in texts):
        texts = [x.split(".")[0] for x in texts]
    values = _draw(texts, cells.tolist(), layout.rows, layout.columns)
    if proven:
        worst = max(
            (
                plus_minus(x, float(lo), float(hi))
                for x, lo, hi in zip(texts, solution.lower, solution.upper, strict=True)
            ),
            key=float,
        )
        values += (
            f"\n\nall {signs().plus_minus} {rounded_up(float(worst)) if worst == '?' else worst} at most"
        )
    else:
        values += "\n\nnot proven"
    arrows = _arrows(solution)
    if arrows is None:
        return values
    drawn = _draw(arrows, cells.tolist(), layout.rows, layout.columns)
    return f"{values}\n\n{drawn}\n\n{_legend(solution, arrows, mdp.S < layout.rows * layout.columns)}"


def _draw(texts: list[str], cells: list[int], rows: int, columns: int) -> str:
    wide = max(map(len, texts))
    grid = [["#".rjust(wide) for _ in range(columns)] for _ in range(rows)]
    for text, cell in zip(texts, cells, strict=True):
        grid[cell // columns][cell % columns] = text.rjust(wide)
    return "\n".join("  ".join(line).rstrip() for line in grid)


def _arrows(solution: Solution) -> list[str] | None:
    """One text a state: the arrows of all actions not proven worse; None where an action has no arrow."""
    mdp, policy, known = solution.mdp, solution.policy, signs().arrows
    if policy is None or policy.timed:
        return None
    names = [known.get(name.lower()) for name in mdp.actions]
    if any(name is None for name in names):
        return None
    if policy.rows is None:
        keep = policy.weights > 0
    elif solution.optimal_actions is not None and solution.task == "control":
        keep = solution.optimal_actions
    else:
        keep = policy.weights > 0
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


def _legend(solution: Solution, arrows: list[str], walls: bool) -> str:
    parts = ["# wall"] if walls else []
    if solution.mdp.terminal.any():
        parts.append(f"{signs().terminal} terminal")
    if any(len(x) > 1 for x in arrows):
        if solution.task == "prediction":
            parts.append("several arrows: the policy is random")
        elif solution.status is Status.EXACT:
            parts.append("several arrows: ties")
        else:
            parts.append("several arrows: too close to tell apart, the first one is taken")
    return "; ".join(parts)
