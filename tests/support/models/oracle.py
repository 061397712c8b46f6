"""Solve the files in mdps/ in exact rational arithmetic, independently of the package.

    python tests/support/models/oracle.py            writes mdps/answers.json and the table of mdps/README.md
    python tests/support/models/oracle.py FILE ...   prints the answers of these files

The readers below are written from the grammar alone and share no line with tabular_rl.formats, so that the two
check each other.  They assume a valid file.  The solver is policy iteration on fractions: slow and plain.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from flint import fmpq, fmpq_mat

MDPS = Path(__file__).resolve().parents[3] / "mdps"

State = str
Outcomes = list[tuple[State, Fraction, Fraction]]  # next state, probability, reward
Rows = dict[State, dict[str, Outcomes]]


@dataclass
class Model:
    """A model as read: exact numbers, names, nothing computed."""

    gamma: Fraction
    rows: Rows
    terminal: list[State]
    states: list[State]
    actions: list[str]
    name: str = ""
    source: str = ""
    sense: str = "max"
    numbers: str = "exact"
    start: dict[State, Fraction] = field(default_factory=dict)
    horizon: int | None = None
    final_reward: dict[State, Fraction] = field(default_factory=dict)

    @property
    def outcomes(self) -> int:
        return sum(len(row) for acts in self.rows.values() for row in acts.values())


# ---------------------------------------------------------------- reading


def number(x: Any) -> Fraction:
    """Return the rational that a TOML value or a CSV field spells."""
    if isinstance(x, str):
        if not re.fullmatch(r"-?\d+/\d+", x):
            raise ValueError(f"not a number: {x!r}")
        return Fraction(x)
    if isinstance(x, bool) or not isinstance(x, int | Fraction):
        raise ValueError(f"not a number: {x!r}")
    return Fraction(x)


def read(path: Path) -> Model:
    """Read a .toml or .csv model."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".toml":
        head = tomllib.loads(text, parse_float=Fraction)
        rows = body(head)
    else:
        head, rows = read_csv(text)
    return build(head, rows)


def read_csv(text: str) -> tuple[dict[str, Any], Rows]:
    lines = text.splitlines(keepends=True)
    n = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    head = tomllib.loads("".join(line[1:].lstrip() for line in lines[:n]), parse_float=Fraction)
    rows: Rows = {}
    for row in csv.DictReader(io.StringIO("".join(lines[n:]))):
        p, r = (Fraction(row[key]) for key in ("probability", "reward"))
        rows.setdefault(row["state"], {}).setdefault(row["action"], []).append((row["next_state"], p, r))
    return head, rows


def body(head: dict[str, Any]) -> Rows:
    if "grid" in head:
        return read_grid(head)
    if "tensors" in head:
        return read_tensors(head)
    return read_named(head)


def read_named(head: dict[str, Any]) -> Rows:
    rows: Rows = {}
    for s, acts in head["state"].items():
        for a, spec in acts.items():
            r, to = number(spec.get("reward", 0)), spec["to"]
            if isinstance(to, str):
                row = [(to, Fraction(1), r)]
            elif isinstance(to, dict):
                row = [(s2, number(p), r) for s2, p in to.items()]
            else:
                row = [(o["state"], number(o["p"]), number(o.get("reward", 0)) + r) for o in to]
            rows.setdefault(s, {})[a] = row
    return rows


def read_tensors(head: dict[str, Any]) -> Rows:
    t = head["tensors"]
    P, R, axes = t["P"], t.get("R"), t["axes"]
    deep = R is not None and isinstance(R[0], list) and isinstance(R[0][0], list)
    flat = R is not None and not isinstance(R[0], list)
    reward_axes = t.get("reward_axes", axes if deep else "s" if flat else "sa")
    S = len(P) if axes == "sas" else len(P[0])
    A = len(P[0]) if axes == "sas" else len(P)
    states = head.setdefault("states", [str(i) for i in range(S)])
    actions = head.setdefault("actions", [str(i) for i in range(A)])

    order = {"sas": (0, 1, 2), "ass": (1, 0, 2), "sa": (0, 1), "as": (1, 0), "s": (0,)}[reward_axes]

    def reward(*indices: int) -> Fraction:
        x: Any = 0 if R is None else R
        for axis in order if R is not None else ():
            x = x[indices[axis]]
        return number(x)

    rows: Rows = {}
    for s, a in itertools.product(range(S), range(A)):
        ps = [number(p) for p in (P[s][a] if axes == "sas" else P[a][s])]
        row = [(states[s2], p, reward(s, a, s2)) for s2, p in enumerate(ps) if p]
        if row:
            rows.setdefault(states[s], {})[actions[a]] = row
    return rows


MOVES = {
    "up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1),
    "up-left": (-1, -1), "up-right": (-1, 1), "down-left": (1, -1), "down-right": (1, 1), "stay": (0, 0),
}  # fmt: skip


def read_grid(head: dict[str, Any]) -> Rows:
    g = head["grid"]
    lines = g["map"].split("\n")
    while lines and not lines[0].strip():
        lines.pop(0)
    while lines and not lines[-1].strip():
        lines.pop()
    indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    lines = [line[indent:] for line in lines]
    H, W = len(lines), max(map(len, lines))
    lines = [line.ljust(W) for line in lines]
    legend = {".": {}, "S": {"start": True}} | g.get("legend", {})
    cells = {(i, j): lines[i][j] for i in range(H) for j in range(W) if lines[i][j] not in "# "}

    def name(cell: tuple[int, int]) -> str:
        return f"{cell[0]},{cell[1]}"

    def only(char: str) -> tuple[int, int]:
        (cell,) = (c for c, ch in cells.items() if ch == char)
        return cell

    step = number(g.get("step_reward", 0))
    bump = number(g["bump_reward"]) if "bump_reward" in g else step
    slip = number(g.get("slip", 0))
    wind = g.get("wind", [0] * W)
    acts = {"four": 4, "eight": 8, "nine": 9}[g.get("moves", "four")]

    def land(cell: tuple[int, int], a: str) -> tuple[str, Fraction]:
        i, j = cell[0] + MOVES[a][0] - wind[cell[1]], cell[1] + MOVES[a][1]
        clipped = min(max(i, 0), H - 1), min(max(j, 0), W - 1)
        to = clipped if "wind" in g else (i, j)
        if to not in cells:
            return name(cell), bump
        spec = legend[cells[to]]
        r = number(spec.get("reward", step if clipped == (i, j) else bump))
        return name(only(spec["goto"]) if "goto" in spec else to), r

    rows: Rows = {}
    head.setdefault("states", [name(c) for c, ch in cells.items() if "goto" not in legend[ch]])
    head.setdefault("terminal", [name(c) for c, ch in cells.items() if legend[ch].get("terminal")])
    head.setdefault("actions", list(MOVES)[:acts])
    starts = [name(c) for c, ch in cells.items() if legend[ch].get("start")]
    if starts:
        head.setdefault("start", {s: Fraction(1, len(starts)) for s in starts})
    for cell, ch in cells.items():
        spec = legend[ch]
        if "goto" in spec or spec.get("terminal"):
            continue
        for a in list(MOVES)[:acts]:
            if "jump" in spec:
                row = [(name(only(spec["jump"])), Fraction(1), number(spec.get("jump_reward", step)))]
            else:
                sides = ("left", "right") if a in ("up", "down") else ("up", "down")
                ways = [(a, 1 - slip), *((b, slip / 2) for b in sides)]
                row = [(s2, p, r) for b, p in ways if p for s2, r in [land(cell, b)]]
            rows.setdefault(name(cell), {})[a] = row
    return rows


def build(head: dict[str, Any], rows: Rows) -> Model:
    """Apply the top-level keys; check what a wrong reading would break."""
    gamma = number(head["discount"])
    if head.get("numbers") == "float64":
        gamma = Fraction(float(gamma))
        for acts in rows.values():
            for a, row in acts.items():
                ps = [Fraction(float(p)) for _, p, _ in row]
                total = sum(ps, Fraction(0))
                if abs(total - 1) > Fraction(len(ps), 2**52):
                    raise ValueError(f"action {a!r}: sums to {float(total)}")
                acts[a] = [(s2, p / total, Fraction(float(r))) for (s2, _, r), p in zip(row, ps, strict=True)]
    terminal = list(head.get("terminal", []))
    states = list(head.get("states", [*rows, *(s for s in terminal if s not in rows)]))
    actions = list(head.get("actions", dict.fromkeys(a for acts in rows.values() for a in acts)))
    for s, acts in rows.items():
        for a, row in acts.items():
            if sum(p for _, p, _ in row) != 1 or any(p < 0 for _, p, _ in row):
                raise ValueError(f"state {s!r}, action {a!r}: not a distribution")
            if a not in actions or any(s2 not in states for s2, _, _ in row):
                raise ValueError(f"state {s!r}, action {a!r}: unknown name")
    if set(rows) & set(terminal) or set(rows) | set(terminal) != set(states):
        raise ValueError(f"states without rows: {set(states) - set(rows) - set(terminal)}")
    if "outcomes" in head and head["outcomes"] != sum(
        len(o) for acts in rows.values() for o in acts.values()
    ):
        raise ValueError("outcomes: count differs")
    start = head.get("start", {})
    start = {start: Fraction(1)} if isinstance(start, str) else {s: number(p) for s, p in start.items()}
    if start and (sum(start.values()) != 1 or not set(start) <= set(rows)):
        raise ValueError("start: not a distribution over non-terminal states")
    final = {s: number(x) for s, x in head.get("final_reward", {}).items()}
    ordered = {s: rows[s] for s in states if s in rows}
    return Model(
        gamma, ordered, terminal, states, actions, head.get("name", ""), head.get("source", ""),
        head.get("sense", "max"), head.get("numbers", "exact"), start, head.get("horizon"), final,
    )  # fmt: skip


# ---------------------------------------------------------------- solving


@dataclass
class Answer:
    """v and q of the optimum, or the states without a finite value."""

    v: dict[State, Fraction] = field(default_factory=dict)
    actions: dict[State, list[str]] = field(default_factory=dict)
    by_time: list[dict[State, Fraction]] = field(default_factory=list)
    actions_by_time: list[dict[State, list[str]]] = field(default_factory=list)
    infinite: dict[State, str] = field(default_factory=dict)  # state: "+inf" or "-inf"
    gap: Fraction | None = None  # smallest q loss of an action that is not optimal


def fq(x: Fraction) -> fmpq:
    return fmpq(x.numerator, x.denominator)


def fraction(x: fmpq) -> Fraction:
    return Fraction(int(x.p), int(x.q))


def expected(row: Outcomes) -> Fraction:
    return sum((p * r for _, p, r in row), Fraction(0))


def evaluate(rows: dict[State, Outcomes], gamma: Fraction) -> dict[State, fmpq]:
    """Solve v = r + γ P v over the states of `rows`; every other state is worth 0.

    Raises ZeroDivisionError where γ = 1 and the chain never leaves.
    """
    index = {s: i for i, s in enumerate(rows)}
    n = len(index)
    A, b = fmpq_mat(n, n), fmpq_mat(n, 1)
    for s, row in rows.items():
        i = index[s]
        A[i, i] += 1
        b[i, 0] = fq(expected(row))
        for s2, p, _ in row:
            if s2 in index:
                A[i, index[s2]] -= fq(gamma * p)
    x = A.solve(b, algorithm="dixon")
    return {s: x[i, 0] for s, i in index.items()}


def backup(row: Outcomes, v: dict[State, fmpq], gamma: Fraction) -> fmpq:
    """q = Σ p (r + γ v(s'))."""
    total = fmpq(0)
    for s2, p, _ in row:
        if s2 in v:
            total += fq(p) * v[s2]
    return fq(expected(row)) + fq(gamma) * total


def policy_iteration(rows: Rows, gamma: Fraction, pi: dict[State, str]) -> tuple[dict[State, fmpq], dict]:
    """Howard's algorithm; an action changes only where it is strictly better, so ties cannot cycle."""
    while True:
        v = evaluate({s: rows[s][pi[s]] for s in rows}, gamma)
        q = {s: {a: backup(row, v, gamma) for a, row in acts.items()} for s, acts in rows.items()}
        better = {s: max(qs, key=lambda a: qs[a]) for s, qs in q.items() if max(qs.values()) > v[s]}
        if not better:
            return v, q
        pi = pi | better


def components(nodes: Iterable[State], edges: dict[State, set[State]]) -> list[list[State]]:
    """Strongly connected components (Kosaraju)."""
    nodes = list(nodes)
    order: list[State] = []
    seen: set[State] = set()
    for root in nodes:
        stack = [(root, iter(edges[root]))] if root not in seen else []
        seen.add(root)
        while stack:
            s, successors = stack[-1]
            for s2 in successors:
                if s2 not in seen:
                    seen.add(s2)
                    stack.append((s2, iter(edges[s2])))
                    break
            else:
                order.append(s)
                stack.pop()
    back: dict[State, set[State]] = {s: set() for s in nodes}
    for s in nodes:
        for s2 in edges[s]:
            back[s2].add(s)
    found, out = set(), []
    for root in reversed(order):
        if root in found:
            continue
        found.add(root)
        component, stack2 = [], [root]
        while stack2:
            s = stack2.pop()
            component.append(s)
            for s2 in back[s] - found:
                found.add(s2)
                stack2.append(s2)
        out.append(component)
    return out


def end_components(rows: Rows) -> list[Rows]:
    """Maximal end components: sets of rows in which one can stay forever, each state reaching each other."""
    rows = {s: dict(acts) for s, acts in rows.items()}
    while True:
        edges = {s: {o[0] for row in acts.values() for o in row if o[0] in rows} for s, acts in rows.items()}
        label = {s: i for i, component in enumerate(components(rows, edges)) for s in component}
        kept = {
            s: {a: row for a, row in acts.items() if all(label.get(o[0]) == label[s] for o in row)}
            for s, acts in rows.items()
        }
        kept = {s: acts for s, acts in kept.items() if acts}
        if kept == rows:
            groups: dict[int, Rows] = {}
            for s, acts in rows.items():
                groups.setdefault(label[s], {})[s] = acts
            return list(groups.values())
        rows = kept


def gains(component: Rows) -> Iterable[Fraction]:
    """Average reward of each recurrent class of each deterministic policy of an end component."""
    states = list(component)
    for choice in itertools.product(*(component[s] for s in states)):
        chain = {s: component[s][a] for s, a in zip(states, choice, strict=True)}
        for recurrent in end_components({s: {"": row} for s, row in chain.items()}):
            root, *others = recurrent
            # Renewal at `root`: reward and length of one tour.
            cut = {s: [o for o in chain[s] if o[0] != root] for s in recurrent}
            reward = {s: [(s2, p, Fraction(0)) for s2, p, _ in cut[s]] for s in others}
            visits = {s: evaluate_total(reward, others, s) for s in others}
            tour = [(s, p) for s, p, _ in cut[root]]
            total, length = expected(chain[root]), Fraction(1)
            for s in others:
                n = sum((p * visits[s][s2] for s2, p in tour), Fraction(0))
                total, length = total + n * expected(chain[s]), length + n
            yield total / length


def evaluate_total(rows: dict[State, Outcomes], states: list[State], target: State) -> dict[State, Fraction]:
    """Expected visits to `target` from each state, before the chain leaves `states`."""
    n = len(states)
    A, b = fmpq_mat(n, n), fmpq_mat(n, 1)
    for i, s in enumerate(states):
        A[i, i] += 1
        for s2, p, _ in rows[s]:
            A[i, states.index(s2)] -= fq(p)
    b[states.index(target), 0] = fmpq(1)
    x = A.solve(b)
    return {s: fraction(x[i, 0]) for i, s in enumerate(states)}


STOP = "\0stop"


def undiscounted(rows: Rows) -> tuple[dict[State, fmpq], dict[State, str]]:
    """Solve γ = 1 (rewards to be maximised); return v, and the states whose value is infinite.

    1. Where one can stay forever for nothing, staying is worth 0: each zero-reward end component becomes one
       state with a further action that stops.
    2. An end component that is left has a non-zero reward.  All of one sign, or every gain below 0: no policy
       that stays in it forever is worth more than minus infinity, or one is worth plus infinity.
    3. Where a policy that ends surely exists and every other is worth minus infinity, T has one fixed point and
       it is v* (Bertsekas & Tsitsiklis 1991, Proposition 2), so policy iteration ends at v*.
    """
    zero = end_components(
        {s: z for s, acts in rows.items() if (z := {a: o for a, o in acts.items() if expected(o) == 0})}
    )
    home = {s: f"\0{i}" for i, component in enumerate(zero) for s in component}
    inner = {(s, a) for component in zero for s, acts in component.items() for a in acts}
    merged: Rows = {}
    for s, acts in rows.items():
        here = merged.setdefault(home.get(s, s), {})
        for a, row in acts.items():
            if (s, a) not in inner:
                here[f"{s}\0{a}"] = [(home.get(s2, s2), p, r) for s2, p, r in row]
        if s in home:
            here[STOP] = [(STOP, Fraction(1), Fraction(0))]

    infinite: dict[State, str] = {}
    for component in end_components(merged):
        r = [expected(row) for acts in component.values() for row in acts.values()]
        if min(r) >= 0:
            infinite |= {s: "+inf" for s in component}
        elif max(r) > 0 and not all(g < 0 for g in gains(component)):
            raise NotImplementedError("an end component with a gain >= 0 and mixed rewards")
    while more := {
        s
        for s, acts in merged.items()
        if s not in infinite
        for o in acts.values()
        for x in o
        if x[0] in infinite
    }:
        infinite |= {s: "+inf" for s in more}
    alive = {s for s in merged if s not in infinite}
    while True:  # the states from which some policy ends surely
        ends: dict[State, str] = {}
        safe = {s: {a: o for a, o in merged[s].items() if all(x[0] in alive or x[0] not in merged for x in o)}
                for s in alive}  # fmt: skip
        grew = True
        while grew:
            grew = False
            for s in [s for s in safe if s not in ends]:
                for a, o in safe[s].items():
                    if any(x[0] in ends or x[0] not in merged for x in o):
                        ends[s], grew = a, True
                        break
        if set(ends) == alive:
            break
        infinite |= {s: "-inf" for s in alive - set(ends)}
        alive = set(ends)
    v, _ = policy_iteration({s: safe[s] for s in ends}, Fraction(1), ends) if ends else ({}, {})
    whole = {s: home.get(s, s) for s in rows}
    return (
        {s: v[h] for s, h in whole.items() if h in v},
        {s: infinite[h] for s, h in whole.items() if h in infinite},
    )


def solve(model: Model) -> Answer:
    """Return the exact optimum of a model and every action that attains it: q*(s, a) = v*(s)."""
    sign = 1 if model.sense == "max" else -1
    rows = {
        s: {a: [(s2, p, sign * r) for s2, p, r in o] for a, o in acts.items()}
        for s, acts in model.rows.items()
    }
    g = model.gamma
    if model.horizon is not None:
        return backward(model, rows, sign)
    if g < 1:
        v, q = policy_iteration(rows, g, {s: next(iter(acts)) for s, acts in rows.items()})
    else:
        v, infinite = undiscounted(rows)
        if infinite:
            flip = {"+inf": "-inf", "-inf": "+inf"}
            return Answer(infinite={s: x if sign == 1 else flip[x] for s, x in infinite.items()})
        q = {s: {a: backup(o, v, g) for a, o in acts.items()} for s, acts in rows.items()}
        if any(max(qs.values()) != v[s] for s, qs in q.items()):
            raise ArithmeticError("not a fixed point")
    answer = Answer()
    answer.v = {s: sign * fraction(v[s]) if s in v else Fraction(0) for s in model.states}
    answer.actions = {s: [a for a in qs if qs[a] == v[s]] for s, qs in q.items()}
    losses = [v[s] - x for s, qs in q.items() for x in qs.values() if x != v[s]]
    answer.gap = fraction(min(losses)) if losses else None
    return answer


def backward(model: Model, rows: Rows, sign: int) -> Answer:
    """v_t(s) = max_a Σ p (r + γ v_{t+1}(s')), from v_T = the final reward."""
    v = {s: fq(sign * model.final_reward.get(s, Fraction(0))) for s in model.states}
    answer = Answer(by_time=[{s: sign * fraction(x) for s, x in v.items()}])
    for _ in range(model.horizon or 0):
        q = {s: {a: backup(o, v, model.gamma) for a, o in acts.items()} for s, acts in rows.items()}
        best = {s: max(qs.values()) for s, qs in q.items()}
        v = {s: best.get(s, fmpq(0)) for s in model.states}
        answer.by_time.insert(0, {s: sign * fraction(x) for s, x in v.items()})
        answer.actions_by_time.insert(0, {s: [a for a in qs if qs[a] == best[s]] for s, qs in q.items()})
    answer.v, answer.actions = answer.by_time[0], answer.actions_by_time[0]
    return answer


def policy_value(model: Model, policy: dict[State, dict[str, Fraction]] | str) -> dict[State, Fraction]:
    """Return the exact value of a policy: "uniform", or the probability of each action in each state."""
    chain: dict[State, Outcomes] = {}
    for s, acts in model.rows.items():
        pi = {a: Fraction(1, len(acts)) for a in acts} if isinstance(policy, str) else policy[s]
        chain[s] = [(s2, w * p, r) for a, w in pi.items() for s2, p, r in acts[a]]
    v = evaluate(chain, model.gamma)
    return {s: fraction(v[s]) if s in v else Fraction(0) for s in model.states}


# ---------------------------------------------------------------- writing

PLACES = 20  # decimals of a value whose fraction is too long to print


def spell(values: Iterable[dict[State, Fraction]]) -> tuple[list[dict[State, str]], float]:
    """Write values as fractions, or all of them as decimals where one is longer than 30 digits."""
    values = list(values)
    if all(max(abs(x.numerator), x.denominator) < 10**30 for v in values for x in v.values()):
        return [{s: str(x) for s, x in v.items()} for v in values], 0
    return [{s: decimal(x) for s, x in v.items()} for v in values], float(f"1e-{PLACES}")


def decimal(x: Fraction, places: int = PLACES) -> str:
    n = round(x * 10**places)
    whole, part = divmod(abs(n), 10**places)
    return f"{'-' if n < 0 else ''}{whole}.{part:0{places}d}"


EXACT = "exact rational arithmetic (tests/support/models/oracle.py)"


def entry(model: Model, published: dict[str, Any]) -> dict[str, Any]:
    """Return the record of one file in answers.json."""
    answer = solve(model)
    if answer.infinite:
        record: dict[str, Any] = {"exit": 4, "states": answer.infinite, "why": published["why"]}
    else:
        optimal: dict[str, Any] = {}
        if answer.by_time:
            optimal["by_time"], accuracy = spell(answer.by_time)
            optimal = {"v": optimal["by_time"][0], "accuracy": accuracy, **optimal}
            optimal["actions"], optimal["actions_by_time"] = answer.actions, answer.actions_by_time
        else:
            (optimal["v"],), optimal["accuracy"] = spell([answer.v])
            optimal["actions"] = answer.actions
        record = {"exit": 0, "optimal": optimal | {"source": EXACT}}
        if "optimal" in published:
            record["published"] = [compare(p, answer.v, answer.actions) for p in published["optimal"]]
    policies = published.get("policies", {})
    if len(model.states) <= 100 and model.horizon is None and not answer.infinite:
        policies = {"uniform": {"policy": "uniform"}} | policies
    for name, spec in policies.items():
        v = policy_value(model, spec["policy"])
        (text,), accuracy = spell([v])
        policy = spec["policy"]
        if not isinstance(policy, str):
            policy = {s: {a: str(p) for a, p in pi.items()} for s, pi in policy.items()}
        record.setdefault("policies", {})[name] = {
            "policy": policy, "v": text, "accuracy": accuracy, "source": EXACT,
            "published": [compare(p, v, {}) for p in spec.get("published", [])],
        }  # fmt: skip
    return record


def compare(
    published: dict[str, Any], v: dict[State, Fraction], actions: dict[State, list[str]]
) -> dict[str, Any]:
    """Add to a published figure how far it is from the exact value, and whether that is within its accuracy."""
    if "actions" in published:
        return published | {"agrees": all(a == actions[s] for s, a in published["actions"].items())}
    off = max(abs(Fraction(x) - v[s]) for s, x in published["v"].items())
    agrees = off <= Fraction(str(published["accuracy"]))
    return published | {"largest_difference": float(off), "agrees": agrees}


def files() -> list[Path]:
    return sorted(p for p in MDPS.iterdir() if p.suffix in (".toml", ".csv"))


def shown(x: float) -> str:
    return f"{x:.6g}"


def table(models: dict[str, Model], answers: dict[str, Any], shows: dict[str, str]) -> str:
    """Return the table of mdps/README.md; it shows a state with a published value, the start if that is one."""
    lines = ["| file | states | actions | discount | source | known answer | what it shows |"]
    lines.append("|---|---:|---:|---|---|---|---|")
    for file, m in models.items():
        record = answers[file]
        if record["exit"] == 4:
            known = "exit 4: " + ", ".join(sorted(set(record["states"].values())))
        else:
            v = record["optimal"]["v"]
            printed = [s for p in record.get("published", []) for s in p.get("v", {}) if s in m.rows]
            begin = sorted(m.start, key=lambda s: -m.start[s])
            state = [*(s for s in begin if s in printed), *printed, *begin, *m.rows][0]
            x = Fraction(v[state])
            known = f"v({state}) = {x if len(str(x)) <= 9 else shown(float(x))}"
        gamma = shown(float(m.gamma))
        if m.horizon is not None:
            gamma += f", T = {m.horizon}"
        if m.sense == "min":
            gamma += ", min"
        lines.append(
            f"| `{file}` | {len(m.states)} | {len(m.actions)} | {gamma} | {m.source} | {known} | {shows[file]} |"
        )
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    from published import PUBLISHED

    if arguments:
        for name in arguments:
            path = Path(name)
            print(json.dumps(entry(read(path), PUBLISHED.get(path.name, {})), indent=1, ensure_ascii=False))
        return
    models, answers = {}, {}
    for path in files():
        print(path.name, file=sys.stderr)
        models[path.name] = read(path)
        answers[path.name] = entry(models[path.name], PUBLISHED[path.name])
    (MDPS / "answers.json").write_text(json.dumps(answers, indent=1, ensure_ascii=False) + "\n", "utf-8")
    readme = MDPS / "README.md"
    head, _, rest = readme.read_text("utf-8").partition("<!-- table -->\n")
    _, _, tail = rest.partition("<!-- end of table -->")
    shows = {file: published["shows"] for file, published in PUBLISHED.items()}
    body_ = table(models, answers, shows)
    readme.write_text(f"{head}<!-- table -->\n{body_}<!-- end of table -->{tail}", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
