"""A backup with its numbers: Bellman's equation, the same with the numbers of a state, and what wins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tabular_rl.analysis.explain import Backup, Explanation, Term
from tabular_rl.errors import escape
from tabular_rl.model.numbers import aligned
from tabular_rl.model.rationals import nearest, spell
from tabular_rl.report.blocks import Block, Lines, Report, Sheet, Table
from tabular_rl.report.words import action_of, header

LONGEST = 16  # characters of a fraction; of a longer one the decimal is shown
DIGITS = 12  # of decimals
FEW = 4  # outcomes that are written in a line


@dataclass(frozen=True)
class ExplanationReport(Report):
    """The equation, the outcomes of each action in a table, their sums in a line each, and which action wins."""

    found: Explanation
    mathematical = True

    def blocks(self) -> list[Block]:
        found, mdp = self.found, self.found.mdp
        name = escape(mdp.states[found.state])
        blocks: list[Block] = [Lines([f"{header(mdp)}; state {name}", f"values: {found.source}"])]
        if not found.actions:
            return [*blocks, Lines([f"{found.made}({name}) = 0: the state is terminal, nothing follows"])]
        blocks.append(Lines(_equations(found)))
        rows: list[list[str]] = []
        for backup in found.actions:
            action = action_of(mdp, backup.row)
            rows += [[action if at == 0 else "", *cells] for at, cells in enumerate(_cells(found, backup))]
        headers = ["action", "next state", "p", "r", f"{found.used}(s')", f"p [r + γ {found.used}(s')]"]
        for c in range(2, 6):
            for row, text in zip(rows, aligned(row[c] for row in rows), strict=True):
                row[c] = text
        blocks.append(Table(headers, rows, left="action,next state"))
        return [
            *blocks,
            Lines([_sum_text(found, backup) for backup in found.actions]),
            Lines(_verdict(found)),
        ]

    def entries(self) -> dict[str, Any]:
        found, mdp = self.found, self.found.mdp
        return {
            "schema": "tabular-rl explanation", "version": 1, "model": mdp.name, "digest": mdp.digest,
            "state": mdp.states[found.state], "gamma": float(mdp.gamma), "made": found.made, "used": found.used,
            "source": found.source, **_both("value", found.value),
            "best": [action_of(mdp, i) for i in found.best], **_both("gap", found.gap),
            "actions": [_action_entry(found, backup) for backup in found.actions],
        }  # fmt: skip

    def sheet(self) -> Sheet:
        """action,next_state,probability,reward,value,product: a line an outcome."""
        found, mdp = self.found, self.found.mdp

        def blocks() -> Iterator[list[list[Any]]]:
            for backup in found.actions:
                action = action_of(mdp, backup.row)
                yield [
                    [
                        action,
                        mdp.states[t.next_state],
                        *map(_plain, (t.probability, t.reward, t.value, t.product)),
                    ]
                    for t in backup.terms
                ]

        return Sheet(["action", "next_state", "probability", "reward", "value", "product"], blocks())


def _equations(found: Explanation) -> list[str]:
    """Bellman's equation of what is made, and of q."""
    made, used, mdp = found.made, found.used, found.mdp
    best = "max" if mdp.sense == "max" else "min"
    q = f"q(s,a) = Σ_s' p(s'|s,a) [ r(s,a,s') + γ {used}(s') ]"
    if found.value is None:
        return [q]
    choice = f"{best}_a q(s,a)" if found.policy is None else "Σ_a π(a|s) q(s,a)"
    return [f"{made}(s) = {choice}", q]


def _cells(found: Explanation, backup: Backup) -> list[list[str]]:
    """A line of the table for each outcome: next state, p, r, v and the product."""
    names = found.mdp.states
    return [
        [escape(names[t.next_state]), *(number(x) for x in (t.probability, t.reward, t.value, t.product))]
        for t in backup.terms
    ]


def _sum_text(found: Explanation, backup: Backup) -> str:
    """q(s,a) with its numbers: in one line where these are few."""
    mdp = found.mdp
    name = f"q({escape(mdp.states[found.state])}, {escape(action_of(mdp, backup.row))})"
    gamma = spell(mdp.gamma_exact) if isinstance(backup.q, Fraction) else number(mdp.gamma)
    parts = [_part(t, gamma) for t in backup.terms] if len(backup.terms) <= FEW else []
    middle = f"{' + '.join(parts)} = " if parts else ""
    return f"{name} = {middle}{number(backup.q)}{_rounded(backup.q)}"


def _part(term: Term, gamma: str) -> str:
    p, r, v = (number(x) for x in (term.probability, term.reward, term.value))
    r, v = (f"({x})" if x.startswith("-") else x for x in (r, v))
    return f"{p} [{r} + {gamma} · {v}]"


def _verdict(found: Explanation) -> list[str]:
    """The value of the state, which action has it, ties, and how much worse the next one is."""
    mdp = found.mdp
    if found.value is None:
        return []
    name = f"{found.made}({escape(mdp.states[found.state])})"
    value = f"{number(found.value)}{_rounded(found.value)}"
    qs = [number(b.q) for b in found.actions]
    if found.policy is not None:
        shares = [(number(b.share), q) for b, q in zip(found.actions, qs, strict=True) if b.share]
        mean = " + ".join(f"{p} · {f'({q})' if q.startswith('-') else q}" for p, q in shares)
        return [f"{name} = {mean} = {value}"]
    best = "max" if mdp.sense == "max" else "min"
    actions = " = ".join(escape(action_of(mdp, i)) for i in found.best)
    all_q = f"{best}({', '.join(qs)}) = " if len(qs) > 1 else ""
    lines = [f"{name} = {all_q}{value}, by {actions}"]
    if len(found.best) > 1:
        lines.append("a tie: these actions are equally good")
    elif found.gap is not None:
        lines.append(f"the next best action is worse by {number(found.gap)}{_rounded(found.gap)}")
    return lines


def number(x: Any) -> str:
    """A number as it is where that is short: a decimal, or a fraction; else a decimal of some digits.

    >>> number(Fraction(81, 100)), number(Fraction(2, 3)), number(0.1), number(Fraction(10**30, 7))
    ('0.81', '2/3', '0.1', '1.42857142857e+29')
    """
    if isinstance(x, Fraction):
        text = spell(x) if max(x.numerator.bit_length(), x.denominator.bit_length()) < 200 else ""
        if text and len(text) <= LONGEST:
            return text
        x = nearest(x)
    return f"{float(x) + 0.0:.{DIGITS}g}"


def _rounded(x: Any) -> str:
    """The decimal of a fraction that is shown as one; "" of any other number.

    >>> _rounded(Fraction(2, 3)), _rounded(Fraction(1, 2))
    (' ≈ 0.666667', '')
    """
    return f" ≈ {nearest(x):.6g}" if isinstance(x, Fraction) and "/" in number(x) else ""


def _plain(x: Any) -> Any:
    return spell(x) if isinstance(x, Fraction) else float(x)


def _both(name: str, x: Any) -> dict[str, Any]:
    """A number as a float, and as a fraction where it is one."""
    if x is None:
        return {name: None}
    exact = {f"{name}_exact": spell(x)} if isinstance(x, Fraction) else {}
    return {name: nearest(x) if isinstance(x, Fraction) else float(x), **exact}


def _action_entry(found: Explanation, backup: Backup) -> dict[str, Any]:
    names = found.mdp.states
    outcomes: Sequence[dict[str, Any]] = [
        {
            "next_state": names[t.next_state], **_both("probability", t.probability), **_both("reward", t.reward),
            **_both("value", t.value), **_both("product", t.product),
        }
        for t in backup.terms
    ]  # fmt: skip
    share = {} if backup.share is None else _both("share", backup.share)
    return {"action": action_of(found.mdp, backup.row), **share, **_both("q", backup.q), "outcomes": outcomes}
