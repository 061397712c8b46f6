"""Which module of references holds the twins of a kernel file: each kernel has one there, by its own name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

HOMES = {
    "reference": ("bellman", "graph", "flow", "episodes"),
    "reference_learning": ("walk", "lines", "one_step", "recording", "uniforms"),
    "reference_kept_rows": ("kept_rows", "search_groups", "search_kept_rows"),
    "reference_control": ("double_q", "dyna", "replay"),
    "reference_traces": ("n_step", "traces"),
    "reference_returns": ("batch", "monte_carlo", "monte_carlo_control"),
    "reference_linear": ("linear",),
    "reference_actor": ("actor",),
    "reference_gradient": ("gradient",),
    "reference_elimination": ("elimination",),
    "reference_bounds": ("bounds",),
    "reference_flow": ("search_flow",),
    "reference_build": ("build",),
    "reference_environment": ("environment",),
    "reference_sharing": ("long_rows", "sharing"),
    "reference_modular": ("modular",),
    "reference_ordered": ("search_kinds", "search_ordered"),
    "reference_ordering": ("ordering", "search_elimination"),
}
# Parts of a kernel whose twin does the same in its own words: (file, kernel) -> the twin that does it.
INLINED = {
    ("double_q", "learn_half"): "double_q",
    ("n_step", "mixed"): "look_back",
    ("walk", "tied"): "explore",
    ("replay", "reweigh"): "learn_from",
    ("dyna", "remember"): "dyna_q",
    # the twin keeps rows as dicts
    **{
        ("elimination", part): "solve_part"
        for part in ("link", "clear_row", "add_row", "take_out", "fill_part", "is_crowded")
    },
    **{("elimination", part): "go_on" for part in ("take_out_more", "put_back", "list_rows")},
    # the twins keep lists of neighbours, and rows as dicts
    **{("ordering", part): "least_degree" for part in ("link", "unlink", "link_all", "join")},
    **{
        ("search_elimination", part): "eliminate"
        for part in ("reduced_row", "take_row", "put_row", "best_row", "is_due")
    },
    # the twin keeps its queue as a dict, and looks for the largest priority
    **{("dyna", part): "sweeping" for part in ("before", "swap", "sift", "push", "pop")},
}


def home(file: str) -> str:
    """The module that holds the twins of a kernel file."""
    (name,) = (name for name, files in HOMES.items() if file in files)
    return name


def twin(file: str, kernel: str) -> Callable[..., Any]:
    """The twin of a kernel, or of what it is a part of."""
    return vars(importlib.import_module(home(file)))[INLINED.get((file, kernel), kernel)]
