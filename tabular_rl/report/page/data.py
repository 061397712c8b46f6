"""A model as the page reads it: its arrays, its names, where its states stand, and its exact answer."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from tabular_rl.errors import escape
from tabular_rl.model.layout import Layout
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rationals import spell_short
from tabular_rl.report.page.placement import placed
from tabular_rl.report.screen import ARROWS
from tabular_rl.solving.solution import Solution


def lesson_data(mdp: MDP, answer: Solution, policy: Policy | None = None) -> dict[str, Any]:
    """Return what the page knows of a model, in lists and numbers.

    Names are escaped: control characters stand as text. Floats are written with all their digits.

    Parameters
    ----------
    mdp : the model
    answer : the values of its best policy
    policy : one more that the page can evaluate

    Returns
    -------
    A dictionary that is written as JSON.
    """
    return {
        "name": escape(mdp.name),
        "states": [escape(name) for name in mdp.states],
        "actions": [escape(name) for name in mdp.actions],
        "pairPtr": mdp.pair_ptr.tolist(),
        "pairAction": mdp.pair_action.tolist(),
        "rowPtr": mdp.row_ptr.tolist(),
        "next": mdp.next_state.tolist(),
        "prob": mdp.prob.tolist(),
        "reward": None if mdp.reward is None else mdp.reward.tolist(),
        "r": mdp.r.tolist(),
        "gamma": mdp.gamma,
        "gammaText": spell_short(mdp.gamma_exact),
        "terminal": np.flatnonzero(mdp.terminal).tolist(),
        "start": mdp.start.tolist(),
        "startGiven": bool(mdp.start_given),
        "sense": mdp.sense,
        "horizon": mdp.horizon,
        "finalReward": None if mdp.final_reward is None else mdp.final_reward.tolist(),
        "places": placed(mdp).round(6).tolist(),
        "arrows": [ARROWS.get(name.lower()) for name in mdp.actions],
        "layout": None if mdp.layout is None else _layout(mdp.layout, mdp.S),
        "onEntry": mdp.on_entry,
        "answer": _answer(answer),
        "policy": None if policy is None else policy.weights.tolist(),
    }


def _layout(layout: Layout, S: int) -> dict[str, Any]:
    """Rows, columns, the cell of each state, and the cells that lead to another at once."""
    return {
        "rows": layout.rows,
        "columns": layout.columns,
        "cells": layout.cells(S).tolist(),
        "elsewhere": list(layout.elsewhere),
    }


def _answer(answer: Solution) -> dict[str, Any]:
    """The values of the exact answer, their intervals, and the method."""
    proven = answer.lower is not None and answer.upper is not None
    return {
        "method": answer.method,
        "v": answer.v.tolist(),
        "lower": answer.lower.tolist() if proven else None,  # type: ignore[union-attr]
        "upper": answer.upper.tolist() if proven else None,  # type: ignore[union-attr]
        "exact": answer.exact is not None,
        "bound": answer.bound if np.isfinite(answer.bound) else None,
    }


def data_text(data: dict[str, Any]) -> str:
    """Return the data as JSON that may stand in a <script>: no name can end it.

    >>> data_text({"a": "</script>"})
    '{"a":"\\\\u003c/script>"}'
    """
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
