"""An update of a learner with its numbers: the rule, what s' is worth, and each number of the rule in a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tabular_rl.analysis.update import Update
from tabular_rl.errors import escape
from tabular_rl.methods.lookup import METHODS
from tabular_rl.model.numbers import aligned
from tabular_rl.report.blocks import Block, Lines, Report, Sheet, Table
from tabular_rl.report.words import header, heading

FEW = 6  # actions whose values are written in a line


@dataclass(frozen=True)
class UpdateReport(Report):
    """The rule and the transition, the actions of s' in a table, and the numbers of the rule one after the other.

    Numbers are shown as they are, with all of their digits: what is reckoned again from them is the same.
    """

    found: Update
    mathematical = True

    def blocks(self) -> list[Block]:
        found = self.found
        blocks: list[Block] = [
            Lines([f"{header(found.mdp)}; {found.method}", _transition(found), *_remarks(found)]),
            Lines([_equation(found)]),
        ]
        if found.successors and found.next_action is None:
            blocks.append(_table(found))
        return [*blocks, Lines(_numbers(found))]

    def entries(self) -> dict[str, Any]:
        found = self.found
        return {
            **heading("update", found.mdp), "method": found.method, "step": found.step, "seed": found.seed,
            "state": found.state, "action": found.action, "reward": found.reward, "next_state": found.next_state,
            "done": found.done, "next_action": found.next_action, "gamma": float(found.mdp.gamma),
            "table": found.table, "worth": found.worth, "target": found.target, "old": found.old,
            "error": found.error, "schedule": str(found.schedule), "n": found.count, "step_size": found.step_size,
            "ratio": found.ratio, "possible": found.possible, "new": found.new,
            "successors": [
                {"action": x.action, "probability": x.share, "value": x.value, "judged": x.judged}
                for x in found.successors
            ],
        }  # fmt: skip

    def sheet(self) -> Sheet:
        """quantity,value: a line for each number of the update."""
        names = ("reward", "worth", "target", "old", "error", "step_size", "ratio", "new")
        given = [(name, getattr(self.found, name)) for name in names]
        return Sheet(["quantity", "value"], [[[name, x] for name, x in given if x is not None]])


def plain(x: float) -> str:
    """A number with all of its digits, and no more.

    >>> plain(2.0), plain(-0.0), plain(0.1 + 0.2), plain(1e-7)
    ('2', '0', '0.30000000000000004', '1e-07')
    """
    text = repr(x + 0.0)
    return text.removesuffix(".0")


def bracketed(x: float) -> str:
    """A number in a sum: below 0 in brackets."""
    return f"({plain(x)})" if x < 0 else plain(x)


def _equation(found: Update) -> str:
    """The rule; of costs the best is the least."""
    equation = METHODS[found.method].equation
    if found.method == "td0" and found.ratio is None:  # the policy itself acts: ρ = 1
        equation = equation.partition(",  ρ")[0].replace(" ρ ", " ")
    return equation if found.mdp.sense == "max" else equation.replace("max_a'", "min_a'")


def _letter(found: Update) -> str:
    """What the policy of an expectation is called."""
    return "b" if found.method == "expected-sarsa" else "π"


def _transition(found: Update) -> str:
    names = escape(found.state), escape(found.action), plain(found.reward), escape(found.next_state)
    text = "in {}, {} was taken; the reward was {}, and the next state {}".format(*names)
    text += ", where the episode ends" if found.done else ""
    text += f", where {escape(found.next_action)} is next" if found.next_action is not None else ""
    if found.step is None:
        return text
    of = "the log" if found.seed is None else f"a run with seed {found.seed}"
    return f"step {found.step:,} of {of}: {text}"


def _remarks(found: Update) -> list[str]:
    """What is odd about a transition that was given."""
    if found.possible:
        return []
    names = escape(found.action), escape(found.state), escape(found.next_state)
    return ["remark: in the model {} never leads from {} to {}".format(*names)]


def _tables(found: Update) -> tuple[str, str]:
    """What the values of successors are called, and what chooses among them."""
    if found.method == "double-q-learning":
        return ("q₂", "q₁") if found.table == "q₁" else ("q₁", "q₂")
    return found.table, found.table


def _table(found: Update) -> Table:
    read, judge = _tables(found)
    columns = [("action a'", [escape(x.action) for x in found.successors])]
    if found.successors[0].share is not None:
        columns.append((f"{_letter(found)}(a'|s')", aligned(plain(x.share or 0.0) for x in found.successors)))
    if found.successors[0].judged is not None:
        columns.append((f"{judge}(s',a')", aligned(plain(x.judged or 0.0) for x in found.successors)))
    columns.append((f"{read}(s',a')", aligned(plain(x.value) for x in found.successors)))
    rows = [list(row) for row in zip(*(cells for _, cells in columns), strict=True)]
    return Table([name for name, _ in columns], rows, left="action a'")


def _worth(found: Update) -> tuple[str, str]:
    """What s' is worth, in letters with its names, and how that number arises."""
    s2, best = escape(found.next_state), "max" if found.mdp.sense == "max" else "min"
    read, judge = _tables(found)
    values = [plain(x.value) for x in found.successors]
    if found.method == "td0":
        return f"v({s2})", ""
    if found.next_action is not None:
        return f"q({s2}, {escape(found.next_action)})", ""
    if found.method in ("expected-sarsa", "q-evaluation"):
        parts = [f"{plain(x.share or 0.0)} · {bracketed(x.value)}" for x in found.successors if x.share]
        return f"Σ_a' {_letter(found)}(a'|{s2}) q({s2}, a')", " + ".join(parts) if len(parts) <= FEW else ""
    if found.method == "double-q-learning":
        chosen = escape(found.chosen or "")
        return f"{read}({s2}, {chosen})", f"which {judge} chooses"
    return f"{best}_a' q({s2}, a')", f"{best}({', '.join(values)})" if 1 < len(values) <= FEW else ""


def _numbers(found: Update) -> list[str]:
    """Old value, what s' is worth, target, TD error, step size, new value: each with the numbers that it is made of."""
    state, action = escape(found.state), escape(found.action)
    entry = f"v({state})" if found.table == "v" else f"{found.table}({state}, {action})"
    lines = [f"old value: {entry} = {plain(found.old)}"]
    gamma, reward = plain(float(found.mdp.gamma)), plain(found.reward)
    if found.worth is None:
        lines.append(f"target: r = {reward}, as nothing follows an end")
    else:
        name, how = _worth(found)
        told = f"{how} = " if how and not how.startswith("which") else ""
        after = f", {how}" if how.startswith("which") else ""
        if found.method == "q-learning":
            best = [escape(x.action) for x in found.successors if x.value == found.worth]
            after = f", by {' = '.join(best[:FEW])}{' ...' if len(best) > FEW else ''}"
        lines.append(f"next: {name} = {told}{plain(found.worth)}{after}")
        lines.append(
            f"target: r + γ {name} = {reward} + {gamma} · {bracketed(found.worth)} = {plain(found.target)}"
        )
    lines.append(f"TD error: δ = {plain(found.target)} - {bracketed(found.old)} = {plain(found.error)}")
    n = "steps of the run" if found.per == "step" else "updates of this entry, this one among them"
    schedule = "" if found.schedule.kind == "constant" else f" = {found.schedule}, n = {found.count}: {n}"
    lines.append(f"step size: α = {plain(found.step_size)}{schedule}")
    factor = plain(found.step_size)
    if found.ratio is not None:
        lines.append(f"importance ratio: ρ = π(a|s) / b(a|s) = {plain(found.ratio)}")
        factor += f" · {plain(found.ratio)}"
    lines.append(
        f"new value: {entry} = {plain(found.old)} + {factor} · {bracketed(found.error)} = {plain(found.new)}"
    )
    return lines
