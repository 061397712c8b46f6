"""Write the files of mdps/ that come from a program. The same bytes each time.

    python tests/support/models/make_models.py

Plain Python: fractions where the model is rational, `math` where it is not (those numbers are rounded to 12 decimals
before they are written, so that no difference between mathematical libraries can be seen).
"""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import product
from pathlib import Path

MDPS = Path(__file__).resolve().parents[3] / "mdps"
HALF = Fraction(1, 2)


def text(x: Fraction | int | str) -> str:
    """Spell a number in TOML: a decimal where it ends within 13 places, a fraction otherwise."""
    x = Fraction(x)
    if x.denominator == 1:
        return str(x.numerator)
    if 10**13 % x.denominator == 0:
        digits = f"{abs(x) * 10**13 // 1:014d}"
        return f"{'-' if x < 0 else ''}{digits[:-13]}.{digits[-13:].rstrip('0')}"
    return f'"{x.numerator}/{x.denominator}"'


def to_toml(outcomes: Iterable[tuple[str, Fraction | int, Fraction | int]]) -> str:
    """Spell outcomes in the shortest of the three ways of the grammar."""
    outcomes = [o for o in outcomes if o[1]]
    rewards = {r for _, _, r in outcomes}
    distinct = len({s2 for s2, _, _ in outcomes}) == len(outcomes)
    if len(rewards) > 1 or not distinct:
        rows = (
            f"{{ state = {quoted(s2)}, p = {text(p)}{f', reward = {text(r)}' if r else ''} }}"
            for s2, p, r in outcomes
        )
        return f"{{ to = [{', '.join(rows)}] }}"
    (r,) = rewards
    if len(outcomes) == 1:
        to = quoted(outcomes[0][0])
    else:
        to = f"{{ {', '.join(f'{key(s2)} = {text(p)}' for s2, p, _ in outcomes)} }}"
    return f"{{ to = {to}{f', reward = {text(r)}' if r else ''} }}"


def quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def key(name: str) -> str:
    bare = all(c.isascii() and (c.isalnum() or c in "-_") for c in name)
    return name if bare else quoted(name)


def random_walk_19() -> str:
    lines = """\
# Start in the middle of 19 states and step left or right with equal chance; -1 for leaving on the left, 1 on the right.
# Sutton & Barto (2018), Example 7.1.  State i is worth (i - 10) / 10.
name = "random walk, 19 states"
source = "Sutton & Barto (2018), Example 7.1"
discount = 1
terminal = ["left", "right"]
start = "10"
""".splitlines()
    for i in range(1, 20):
        left = ("left", HALF, -1) if i == 1 else (str(i - 1), HALF, 0)
        right = ("right", HALF, 1) if i == 19 else (str(i + 1), HALF, 0)
        lines += [f"\n[state.{i}]", f"step = {to_toml([left, right])}"]
    return "\n".join(lines) + "\n"


def gambler(p: Fraction, note: str) -> Callable[[], str]:
    def write() -> str:
        lines = f"""\
# A gambler with 1 to 99 stakes any part of it on a coin that falls his way with chance {float(p)}; at 100 he has won.
# Sutton & Barto (2018), Example 4.3 and Figure 4.3.  {note}
#   state = capital, action = stake, reward 1 on reaching 100: a value is the chance of getting there.
# The book also lists stake 0, which changes nothing; without it every play ends.
name = "gambler's problem, p = {float(p)}"
source = "Sutton & Barto (2018), Example 4.3, Figure 4.3"
discount = 1
terminal = ["0", "100"]
""".splitlines()
        for s in range(1, 100):
            lines.append(f"\n[state.{s}]")
            for stake in range(1, min(s, 100 - s) + 1):
                won = (str(s + stake), p, int(s + stake == 100))
                lines.append(f"{stake} = {to_toml([won, (str(s - stake), 1 - p, 0)])}")
        return "\n".join(lines) + "\n"

    return write


def rust_bus() -> str:
    replace, slope, p0, p1 = (Fraction(x) for x in ("10.0750", "2.2930", "0.3919", "0.5953"))
    lines = """\
# Each month Harold Zurcher keeps a bus engine or replaces it.  Rust (1987), Table IX, group 4, 90 mileage states of
# 5000 miles; the decision problem without Rust's unobserved shocks.  Costs are minimised.
#   state x      mileage in units of 5000 miles; grows by 0, 1 or 2 with chance 0.3919, 0.5953, 0.0128
#   keep         costs 0.001 * 2.2930 x
#   replace      costs 10.0750, and the new engine runs the same month
name = "Rust's bus engine"
source = "Rust (1987), Table IX, group 4"
discount = 0.9999
sense = "min"
numbers = "float64"
actions = ["keep", "replace"]
""".splitlines()
    growth = (p0, p1, 1 - p0 - p1)
    for x in range(90):
        lines.append(f"\n[state.{x}]")
        for a, mileage, cost in (("keep", x, slope / 1000 * x), ("replace", 0, replace)):
            to: dict[str, Fraction] = {}
            for step, p in enumerate(growth):
                s2 = str(min(mileage + step, 89))
                to[s2] = to.get(s2, Fraction(0)) + p
            lines.append(f"{a} = {to_toml((s2, p, cost) for s2, p in to.items())}")
    return "\n".join(lines) + "\n"


def queue_admission() -> str:
    lines = """\
# A queue with room for 10: in each slot the gate is open or shut; a customer comes with chance 0.4 (and is let in,
# for 12, where the gate is open), else the server finishes one with chance 0.5.  Each customer inside costs 1 a slot.
# Control of admission (Naor 1969; Puterman 1994, section 3.7.1): shut from some number of customers on.
name = "admission to a queue"
source = "after Naor (1969); Puterman (1994), section 3.7.1"
discount = 0.95
actions = ["open", "shut"]
""".splitlines()
    arrival, service = Fraction(4, 10), Fraction(5, 10)
    for n in range(11):
        lines.append(f"\n[state.{n}]")
        down = (str(n - 1), service, -n) if n else ("0", service, 0)
        if n < 10:
            rest = (str(n), 1 - arrival - service, -n)
            ways = (
                [(str(n + 1), arrival, 12 - n), rest, down]
                if n
                else [("1", arrival, 12), ("0", 1 - arrival, 0)]
            )
            lines.append(f"open = {to_toml(ways)}")
        lines.append(f"shut = {to_toml([(str(n), 1 - service, -n), down] if n else [('0', 1, 0)])}")
    return "\n".join(lines) + "\n"


def secretary() -> str:
    lines = """\
# Ten candidates come one by one in random order; stop at one, and win if it is the best of all ten.
# Best-choice problem (Lindley 1961; Bertsekas 2005; Ferguson 1989).  State i: candidate i is the best so far.
#   accept   wins with chance i / 10
#   reject   the next best-so-far is candidate j with chance i / (j (j - 1)); none comes with chance i / 10
# Reject the first three: the chance of winning is 3349/8400 = 0.3987.
name = "secretary problem, 10 candidates"
source = "Lindley (1961); Ferguson (1989)"
discount = 1
terminal = ["over"]
start = "1"
""".splitlines()
    for i in range(1, 11):
        later = [(str(j), Fraction(i, j * (j - 1)), 0) for j in range(i + 1, 11)]
        lines += [
            f"\n[state.{i}]",
            f"accept = {to_toml([('over', 1, Fraction(i, 10))])}",
            f"reject = {to_toml([*later, ('over', Fraction(i, 10), 0)])}",
        ]
    return "\n".join(lines) + "\n"


def two_dice() -> str:
    lines = """\
# Roll two dice as often as you like: their sum is added to your total, but a double loses everything.
#   state = total; bank ends the game and pays the total
# One more roll turns a total t into 5/6 t + 35/6 on average: roll below 35, bank above, and 35 is an exact tie.
# (Above 35 rolling only loses, and is left out, which keeps the game finite.)
name = "two dice"
source = "made for this collection, after the game of Pig"
discount = 1
terminal = ["over"]
start = "0"
""".splitlines()
    ways: dict[int, int] = {}
    for i, j in product(range(1, 7), repeat=2):
        if i != j:
            ways[i + j] = ways.get(i + j, 0) + 1
    totals = {0}
    for t in range(36):
        totals |= {t + k for k in ways} if t in totals else set()
    for t in sorted(totals):
        lines += [f"\n[state.{t}]", f"bank = {to_toml([('over', 1, t)])}"]
        if t <= 35:
            rolls = [(str(t + k), Fraction(n, 36), 0) for k, n in sorted(ways.items())]
            lines.append(f"roll = {to_toml([*rolls, ('over', Fraction(1, 6), 0)])}")
    return "\n".join(lines) + "\n"


def haddad_monmege() -> str:
    n = 20
    lines = f"""\
# A chain on which value iteration stops far too early.  Haddad & Monmege (2018), "Interval iteration algorithm for
# MDPs and IMDPs", section 3: from the middle state {n} one goes up or down, and each further step outward succeeds with
# chance 1/2, else one falls back to the middle.  1 for reaching "win".
# v(i) = 1/2 - 2^-(i+1) below the middle, 1/2 in it; leaving takes some 2^{n} steps, so that sweeps from v = 0 change
# the values by less than one in a million while they are still near 0.
name = "a chain that fools value iteration"
source = "Haddad & Monmege (2018), section 3"
discount = 1
terminal = ["lose", "win"]
start = "{n}"
""".splitlines()
    for i in range(1, 2 * n):
        down = ("lose", HALF, 0) if i == 1 else (str(i - 1), HALF, 0)
        up = ("win", HALF, 1) if i == 2 * n - 1 else (str(i + 1), HALF, 0)
        back = (str(n), HALF, 0)
        ways = [down, up] if i == n else [down, back] if i < n else [up, back]
        lines += [f"\n[state.{i}]", f"go = {to_toml(ways if ways[0][0] != ways[1][0] else [(str(n), 1, 0)])}"]
    return "\n".join(lines) + "\n"


ROADS = """Arad-Zerind 75, Arad-Sibiu 140, Arad-Timisoara 118, Zerind-Oradea 71, Oradea-Sibiu 151,
Timisoara-Lugoj 111, Lugoj-Mehadia 70, Mehadia-Drobeta 75, Drobeta-Craiova 120, Craiova-Rimnicu 146,
Craiova-Pitesti 138, Sibiu-Fagaras 99, Sibiu-Rimnicu 80, Rimnicu-Pitesti 97, Fagaras-Bucharest 211,
Pitesti-Bucharest 101, Bucharest-Giurgiu 90, Bucharest-Urziceni 85, Urziceni-Hirsova 98, Hirsova-Eforie 86,
Urziceni-Vaslui 142, Vaslui-Iasi 92, Iasi-Neamt 87"""


def romania() -> str:
    lines = """\
# The shortest way to Bucharest, in kilometres.  Russell & Norvig, Artificial Intelligence (3rd ed.), Figure 3.2.
# A deterministic model: an action is the next city.  From Arad: 418, through Sibiu, Rimnicu Vilcea and Pitesti.
name = "roads of Romania"
source = "Russell & Norvig (2010), Figure 3.2"
discount = 1
sense = "min"
terminal = ["Bucharest"]
start = "Arad"
""".splitlines()
    ways: dict[str, list[tuple[str, int]]] = {}
    for road in ROADS.replace("\n", " ").split(", "):
        cities, length = road.split(" ")
        a, b = cities.split("-")
        ways.setdefault(a, []).append((b, int(length)))
        ways.setdefault(b, []).append((a, int(length)))
    for city, out in sorted(ways.items()):
        if city != "Bucharest":
            lines += [f"\n[state.{city}]", *(f"{to} = {to_toml([(to, 1, km)])}" for to, km in sorted(out))]
    return "\n".join(lines) + "\n"


def blackjack() -> str:
    lines = """\
# Blackjack against a dealer who sticks on 17 or more, cards drawn with replacement; 1 won, 0 drawn, -1 lost.
# Sutton & Barto (2018), Example 5.1 and Figure 5.2.
#   state  "hard 13 v 10": the player's sum without a usable ace, and the dealer's card (1 is an ace);
#          "soft": an ace counts 11 without going bust
# Below 12 a card cannot hurt, so the sums begin there.  The chances of the dealer's sums are exact.
name = "blackjack"
source = "Sutton & Barto (2018), Example 5.1, Figure 5.2"
discount = 1
terminal = ["over"]
""".splitlines()
    cards = [(c, Fraction(4 if c == 10 else 1, 13)) for c in range(1, 11)]

    def draw(total: int, soft: bool, card: int) -> tuple[int, bool]:
        total, soft = (total + 11, True) if card == 1 and total <= 10 else (total + card, soft)
        return (total - 10, False) if soft and total > 21 else (total, soft)

    def dealer(total: int, soft: bool) -> dict[int, Fraction]:
        if total >= 17:
            return {min(total, 22): Fraction(1)}
        out: dict[int, Fraction] = {}
        for card, p in cards:
            for end, q in dealer(*draw(total, soft, card)).items():
                out[end] = out.get(end, Fraction(0)) + p * q
        return out

    ends = {card: dealer(*draw(0, False, card)) for card in range(1, 11)}
    for kind, total, shown in product(("hard", "soft"), range(12, 22), range(1, 11)):
        hit: dict[str, Fraction] = {}
        for card, p in cards:
            t, soft = draw(total, kind == "soft", card)
            s2 = "over" if t > 21 else f"{'soft' if soft else 'hard'} {t} v {shown}"
            hit[s2] = hit.get(s2, Fraction(0)) + p
        won = sum((p for end, p in ends[shown].items() if end > 21 or end < total), Fraction(0))
        drawn = ends[shown].get(total, Fraction(0))
        lines += [
            f'\n[state."{kind} {total} v {shown}"]',
            f"hit = {to_toml((s2, p, -1 if s2 == 'over' else 0) for s2, p in hit.items())}",
            f"stick = {to_toml([('over', won, 1), ('over', drawn, 0), ('over', 1 - won - drawn, -1)])}",
        ]
    return "\n".join(lines) + "\n"


def to_csv(head: str, rows: Iterable[tuple[str, str, str, str, str]]) -> str:
    out = io.StringIO()
    out.write(head)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["state", "action", "next_state", "probability", "reward"])
    writer.writerows(rows)
    return out.getvalue()


def optimal_growth() -> str:
    # With A = 1/(αβ) the steady state is 1, a point of the grid, where v = ln(A - 1)/(1 - β) exactly.
    alpha, beta = 0.3, 0.95
    grid = [f"{0.05 * i:.2f}" for i in range(1, 41)]
    head = """\
# name = "optimal growth: v(k) = max ln(A k**0.3 - k') + 0.95 v(k'), A = 1/0.285; state k, action k'"
# source = "Brock & Mirman (1972); Stokey & Lucas (1989), section 2.2"
# discount = 0.95
# numbers = "float64"
"""
    rows = []
    for k in grid:
        output = math.pow(float(k), alpha) / (alpha * beta)
        rows += [
            (k, k2, k2, "1", repr(round(math.log(output - float(k2)), 12)))
            for k2 in grid
            if float(k2) < output
        ]
    return to_csv(head, rows)


TAXI = """\
|R: | : :G|
| : | : : |
| : : : : |
| | : | : |
|Y| : |B: |"""
STANDS = {"R": (0, 0), "G": (0, 4), "Y": (4, 0), "B": (4, 3)}


def taxi() -> str:
    walls = TAXI.split("\n")
    places = [*STANDS, "taxi"]

    def name(row: int, column: int, passenger: str, to: str) -> str:
        return f"{row}:{column} {passenger} to {to}"

    cells = list(product(range(5), range(5), places, STANDS))
    begin = [name(*s) for s in cells if s[2] not in ("taxi", s[3])]
    starts = ", ".join(f'"{s}" = "1/{len(begin)}"' for s in begin)
    head = f"""\
# name = "Taxi: ROW:COLUMN of the taxi, where the passenger is, and where to"
# source = "Gymnasium, Taxi-v3 (Dietterich 2000)"
# discount = 0.99
# actions = ["south", "north", "east", "west", "pickup", "dropoff"]
# terminal = ["done"]
# start = {{ {starts} }}
"""
    rows = []
    for row, column, passenger, to in cells:
        here = (row, column)
        for a in ("south", "north", "east", "west", "pickup", "dropoff"):
            r, c, who, reward, done = row, column, passenger, -1, False
            if a == "south":
                r = min(row + 1, 4)
            elif a == "north":
                r = max(row - 1, 0)
            elif a == "east" and column < 4 and walls[row][2 * column + 2] == ":":
                c = column + 1
            elif a == "west" and column > 0 and walls[row][2 * column] == ":":
                c = column - 1
            elif a == "pickup":
                if STANDS.get(passenger) == here:
                    who = "taxi"
                else:
                    reward = -10
            elif a == "dropoff":
                if passenger == "taxi" and here == STANDS[to]:
                    who, reward, done = to, 20, True
                elif passenger == "taxi" and here in STANDS.values():
                    who = next(s for s, at in STANDS.items() if at == here)
                else:
                    reward = -10
            s2 = "done" if done else name(r, c, who, to)
            rows.append((name(row, column, passenger, to), a, s2, "1", str(reward)))
    return to_csv(head, rows)


PLACES = 12


def poisson_day(rented: int, returned: int) -> tuple[list[list[Fraction]], list[Fraction]]:
    """Return P[cars in the morning][cars in the evening] and the expected rentals, for one of Jack's locations.

    Rentals are min(X, cars) and the evening's cars min(rest + Y, 20): the tails of X and Y are in the last outcome.
    """

    def poisson(mean: int, last: int) -> list[float]:
        p = [math.exp(-mean) * mean**k / math.factorial(k) for k in range(last)]
        return [*p, 1 - math.fsum(p)]

    rows, rentals = [], []
    for cars in range(21):
        row = [0.0] * 21
        rent = poisson(rented, cars)
        for out, p in enumerate(rent):
            for back, q in enumerate(poisson(returned, 20 - cars + out)):
                row[cars - out + back] += p * q
        digits = [round(p * 10**PLACES) for p in row]
        digits[digits.index(max(digits))] += 10**PLACES - sum(digits)
        rows.append([Fraction(d, 10**PLACES) for d in digits])
        rentals.append(Fraction(round(10**PLACES * math.fsum(k * p for k, p in enumerate(rent))), 10**PLACES))
    return rows, rentals


def jacks_car_rental() -> str:
    lines = f"""\
# Jack rents cars at two locations, at most 20 in each, and may move up to 5 overnight, at 2 a car; a rental earns 10.
# Sutton & Barto (2018), Example 4.2 and Figure 4.2: requests Poisson(3) and Poisson(4), returns Poisson(3) and
# Poisson(2), discount 0.9.  The tails of the Poisson distributions are all in: they are the days when a location runs
# out of cars, or fills up.  Probabilities are rounded to {PLACES} decimals, and the largest of a row makes it sum to 1.
#
# Written out by day, the model has 1.8 million outcomes.  Here the day has three steps, so that it has 23 thousand,
# and the discount is the chance 0.9 that there is a next day; values of the evening states are those of the book.
#   10-4     evening: 10 cars at the first location, 4 at the second; an action is the number of cars to move from
#            the first to the second
#   10-4a    morning, after moving: business at the first location
#   10-4b    the first location has counted its cars for the evening: business at the second
name = "Jack's car rental"
source = "Sutton & Barto (2018), Example 4.2, Figure 4.2"
discount = 1
actions = [{", ".join(f'"{a}"' for a in range(-5, 6))}, "rent"]
terminal = ["closed"]
""".splitlines()
    first, earn1 = poisson_day(3, 3)
    second, earn2 = poisson_day(4, 2)
    last = Fraction(1, 10)
    cars = list(product(range(21), repeat=2))
    for i, j in cars:
        lines.append(f"\n[state.{i}-{j}]")
        for a in range(-min(j, 5), min(i, 5) + 1):
            to = f"{min(i - a, 20)}-{min(j + a, 20)}a"
            lines.append(f"{a} = {to_toml([(to, 1, -2 * abs(a))])}")
    for i, j in cars:
        day = [(f"{m}-{j}b", p, 10 * earn1[i]) for m, p in enumerate(first[i])]
        lines += [f"\n[state.{i}-{j}a]", f"rent = {to_toml(day)}"]
    for i, j in cars:
        day = [(f"{i}-{m}", (1 - last) * p, 10 * earn2[j]) for m, p in enumerate(second[j])]
        lines += [f"\n[state.{i}-{j}b]", f"rent = {to_toml([*day, ('closed', last, 10 * earn2[j])])}"]
    return "\n".join(lines) + "\n"


MODELS: dict[str, Callable[[], str]] = {
    "random_walk_19.toml": random_walk_19,
    "gambler_25.toml": gambler(Fraction(1, 4), "Bold play is optimal."),
    "gambler_40.toml": gambler(Fraction(2, 5), "Bold play is optimal; many stakes tie with it."),
    "gambler_55.toml": gambler(
        Fraction(11, 20), "The odds are good: stake 1, and v(s) = (1 - (9/11)^s) / (1 - (9/11)^100)."
    ),
    "rust_bus.toml": rust_bus,
    "queue_admission.toml": queue_admission,
    "secretary.toml": secretary,
    "two_dice.toml": two_dice,
    "haddad_monmege.toml": haddad_monmege,
    "romania.toml": romania,
    "blackjack.toml": blackjack,
    "optimal_growth.csv": optimal_growth,
    "taxi.csv": taxi,
    "jacks_car_rental.toml": jacks_car_rental,
}


def main(names: list[str]) -> None:
    for name in names or MODELS:
        (MDPS / name).write_text(MODELS[name](), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
