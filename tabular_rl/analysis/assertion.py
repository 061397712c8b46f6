"""Assertions on a comparison: METHOD[.QUANTITY] < NUMBER."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from tabular_rl.analysis.comparison import Comparison
from tabular_rl.errors import OptionError, closest, quoted
from tabular_rl.methods.lookup import canonical
from tabular_rl.model.rationals import fraction

QUANTITIES = ("error", "rms", "loss", "bound", "seconds")
ASSERTION = re.compile(
    rf"\s*([A-Za-z][\w-]*(?:,[^\s<>]*?)?)(?:\.({'|'.join(QUANTITIES)}))?\s*(<=|<|>=|>)\s*([^\s<>=]+)\s*"
)


@dataclass(frozen=True)
class Assertion:
    """METHOD[.QUANTITY] < NUMBER, with quantity error (if none is named), rms, loss, bound or seconds.

    Of a learner error, rms and loss are medians over its runs.
    """

    text: str
    method: str
    quantity: str
    relation: str
    limit: Fraction

    @classmethod
    def of(cls, text: str) -> Assertion:
        """Read METHOD[.QUANTITY] < NUMBER.

        >>> Assertion.of("value-iteration < 0.05").limit
        Fraction(1, 20)
        """
        match = ASSERTION.fullmatch(text)
        try:
            if match is None:
                raise ValueError
            return cls(text, canonical(match[1]), match[2] or "error", match[3], fraction(match[4]))
        except ValueError:
            raise OptionError(
                f"--assert: found {quoted(text)}, expected such as 'value-iteration < 0.05' or 'auto.seconds < 10' "
                f"(quantities: {', '.join(QUANTITIES)})"
            ) from None

    def holds(self, comparison: Comparison) -> bool:
        """Whether it is proven to hold."""
        row = next((row for row in comparison.rows if row.method == self.method), None)
        curves = next((x for x in comparison.curves if x.label == self.method), None)
        if row is not None:
            x = row.of(self.quantity, self.relation.startswith(">"))
        elif curves is not None:
            x = curves.of(self.quantity)
        else:
            known = [row.method for row in comparison.rows] + [x.label for x in comparison.curves]
            raise OptionError(
                f"--assert: method {quoted(self.method)} was not compared{closest(self.method, known)}"
            )
        if not math.isfinite(x):
            return self.relation.startswith(">") and x > 0 and self.quantity == "bound"
        exact = Fraction(x)
        return {
            "<": exact < self.limit, "<=": exact <= self.limit, ">": exact > self.limit, ">=": exact >= self.limit
        }[self.relation]  # fmt: skip
