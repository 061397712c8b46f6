"""Hypothesis strategies: small models of every kind."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from tabular_rl import MDP
from tabular_rl.model.build import Row, arrays_of_rows
from tabular_rl.model.layout import Layout
from tabular_rl.model.names import Names, name_fault, without_zero_width

ODD_NAMES = [
    "0", "01", "1e0", "nan", "true", "-", "", " ", "#a", "a,b", 'say "x"', "it's", '"', "a\nb", "a\r\nb", "\r",
    "\t", "\x1b[31m", "\u202eright", "é", "状態", "😀", "\\", "\\n", "a.b", "[x]", "state", "to", "'''", '"""',
    "\x7f", "\ufeff",
]  # fmt: skip


def names(size: int) -> st.SearchStrategy[list[str]]:
    """Names that can be told apart: plain ones, odd ones, or the indices."""
    text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
    odd = st.sampled_from([name for name in ODD_NAMES if not name_fault(name)])
    one = odd | text.filter(lambda name: not name_fault(name)) | st.sampled_from("abcdefgh")
    named = st.lists(one, min_size=size, max_size=size, unique_by=without_zero_width)
    return named | st.just([str(i) for i in range(size)])


fractions = st.fractions(-100, 100, max_denominator=40) | st.fractions(-3, 3, max_denominator=10**25)
# 9e299: where rows miss 1, an expected reward is still below 1e300
floats = st.floats(-1e6, 1e6) | st.sampled_from([-0.0, 9e299, 5e-324, 0.1])


@st.composite
def distributions(draw, size: int, exact: bool):
    """Numbers that sum to 1: exactly, or as floats with no more error than is allowed."""
    largest = draw(st.sampled_from([1, 9, 10**24]))
    weights = draw(st.lists(st.integers(0, largest), min_size=size, max_size=size))
    if not sum(weights):
        weights[0] = 1
    shares = [Fraction(w, sum(weights)) for w in weights]
    return shares if exact else [float(p) for p in shares]


@st.composite
def models(draw, *, exact=None, gamma=None, horizon=True):
    """A model of up to four states: ragged, with terminal states, repeated successors, odd names, any option.

    `exact` and `gamma` fix these; `horizon=False` leaves finite horizons out.
    """
    exact = draw(st.booleans()) if exact is None else exact
    number = fractions if exact else floats
    S, A = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    ends = draw(st.sets(st.integers(0, S - 1), max_size=S))
    live = [s for s in range(S) if s not in ends]
    by_pair = draw(st.booleans())
    rows = []
    for s in live:
        for a in sorted(draw(st.sets(st.integers(0, A - 1), min_size=1, max_size=A))):
            to = draw(st.lists(st.integers(0, S - 1), min_size=1, max_size=3))
            p = draw(distributions(len(to), exact))
            worth = [None if by_pair else draw(number) for _ in to]
            rows.append(Row(s, a, list(zip(to, p, worth, strict=True)), draw(number) if by_pair else None))
    options = {"sense": draw(st.sampled_from(["max", "min"]))}
    if draw(st.booleans()):
        options |= {"name": draw(st.sampled_from(ODD_NAMES)), "source": draw(st.sampled_from(ODD_NAMES))}
    if draw(st.booleans()):
        cell = draw(st.none() | st.permutations(range(S + 1)).map(lambda order: np.array(order[:S])))
        options["layout"] = Layout(1, S if cell is None else S + 1, cell)
    start = final = None
    if live and draw(st.booleans()):
        start = dict(zip(live, draw(distributions(len(live), exact)), strict=True))
    if horizon and draw(st.booleans()):
        options["horizon"] = draw(st.integers(1, 5))
        if draw(st.booleans()):
            final = {s: draw(number) for s in live if draw(st.booleans())}
    if gamma is None:
        gamma = draw(
            st.sampled_from([Fraction(9, 10), Fraction(1), Fraction(0), Fraction(1, 3), 0.9, 1.0, 0.0])
        )
    arrays = arrays_of_rows(
        rows,
        gamma,
        Names(draw(names(S))),
        Names(draw(names(A))),
        terminal=ends,
        start=start,
        final_reward=final,
        exact=exact,
        **options,
    )
    return MDP.from_rows(**arrays)
