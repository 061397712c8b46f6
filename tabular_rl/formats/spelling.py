"""How the text formats spell the parts of a model, so that reading them back gives the same model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

from tabular_rl.errors import ModelError
from tabular_rl.model.mdp import MDP
from tabular_rl.model.rationals import LONGEST, spell

BARE = re.compile(r"[A-Za-z0-9_-]+")
ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}


class Speller:
    """Spells the names and numbers of one model."""

    def __init__(self, mdp: MDP) -> None:
        self.mdp = mdp
        self.known: dict[str, str] = {}

    def text(self, value: str) -> str:
        """Return a TOML text in quotes; what does not print is escaped."""
        made = self.known.get(value)
        if made is None:
            made = self.known[value] = f'"{"".join(map(_escaped, value))}"'
        return made

    def key(self, name: str) -> str:
        """Return a name as a key, in quotes where it needs them."""
        return name if BARE.fullmatch(name) else self.text(name)

    def number(self, value: Any) -> str:
        """Return an exact number as a decimal or a quoted fraction, a float as its shortest decimal."""
        if not isinstance(value, Fraction):
            return repr(float(value))
        made = plain(value)
        return f'"{made}"' if "/" in made else made

    def numbers(self, field: str) -> Any:
        """Return the numbers of a field, exact where the model has them so; None where it has none."""
        exact = getattr(self.mdp.exact, field, None)
        return getattr(self.mdp, field) if exact is None else exact

    def entry(self, field: str, i: int) -> str:
        """Return number i of a field."""
        return self.number(self.numbers(field)[i])

    def gamma(self) -> str:
        """Return the discount, in quotes where it is not the double that a plain number would be read as."""
        mdp = self.mdp
        if mdp.exact is not None:
            return self.number(mdp.gamma_exact)
        if mdp.gamma_exact == Fraction(mdp.gamma):
            return repr(mdp.gamma)
        return f'"{mdp.gamma_exact.numerator}/{mdp.gamma_exact.denominator}"'

    def head(self) -> Iterator[str]:
        """Return the keys at the top, one a line; the count of outcomes shows a reader that the file is complete."""
        mdp = self.mdp
        yield from (
            f"{key} = {self.text(getattr(mdp, key))}\n" for key in ("name", "source") if getattr(mdp, key)
        )
        yield f"discount = {self.gamma()}\n"
        if mdp.sense != "max":
            yield f'sense = "{mdp.sense}"\n'
        if mdp.exact is None:
            yield 'numbers = "float64"\n'
        counts = (mdp.pair_ptr[1:] - mdp.pair_ptr[:-1]).tolist()
        ends = [s for s, end in enumerate(mdp.terminal.tolist()) if end]
        if [s for s, n in enumerate(counts) if n] + ends != list(range(mdp.S)):
            yield self.names("states", mdp.states)
        if list(dict.fromkeys(mdp.pair_action.tolist())) != list(range(mdp.A)):
            yield self.names("actions", mdp.actions)
        if ends:
            yield self.names("terminal", (mdp.states[s] for s in ends))
        if mdp.start_given:
            yield self.table("start")
        if mdp.horizon is not None:
            yield f"horizon = {mdp.horizon}\n"
        if mdp.final_reward is not None:
            yield self.table("final_reward")
        if mdp.layout is not None:
            cell = "" if mdp.layout.cell is None else f", cell = {mdp.layout.cell.tolist()}"
            yield f"layout = {{ rows = {mdp.layout.rows}, columns = {mdp.layout.columns}{cell} }}\n"
        yield f"outcomes = {mdp.K}\n"

    def names(self, key: str, names: Iterable[str]) -> str:
        """Return the line of a list of names."""
        return f"{key} = [{', '.join(map(self.text, names))}]\n"

    def table(self, field: str) -> str:
        """Return the numbers of a field that are not 0, by state; the name alone of a state that is the start."""
        entries = [(self.mdp.states[s], x) for s, x in enumerate(self.numbers(field)) if x]
        if field == "start" and len(entries) == 1 and entries[0][1] == 1:
            return f"start = {self.text(entries[0][0])}\n"
        inside = ", ".join(f"{self.key(name)} = {self.number(x)}" for name, x in entries)
        return f"{field} = {{ {inside} }}\n" if inside else f"{field} = {{}}\n"


def plain(value: Fraction) -> str:
    """Return an exact number as the text that `fraction` reads back; ModelError where that is too long."""
    try:
        made = spell(value)
    except ValueError:  # thousands of digits
        made = " " * (LONGEST + 1)
    if len(made) > LONGEST:
        raise ModelError(
            f"found a number of more than {LONGEST} characters, which text formats do not hold. Write it as .npz."
        )
    return made


def _escaped(c: str) -> str:
    if c in ESCAPES:
        return ESCAPES[c]
    if c.isprintable() or "\ud800" <= c <= "\udfff":
        return c
    return f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"
