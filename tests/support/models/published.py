"""What is known about the files of mdps/ from outside: figures of books, closed forms, and what each file shows.

`accuracy` is how exactly the figure is printed (half a unit of its last digit); 0 is exact.  oracle.py compares each
figure with the exact value and writes both into mdps/answers.json.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any


def grid(rows: str) -> dict[str, str]:
    """Name the entries of a printed grid by row and column; "-" is no entry."""
    lines = [line.split() for line in rows.strip().splitlines()]
    return {f"{i},{j}": x for i, line in enumerate(lines) for j, x in enumerate(line) if x != "-"}


def figure(v: dict[str, Any], accuracy: float | str, source: str, **more: Any) -> dict[str, Any]:
    return {"v": {s: str(x) for s, x in v.items()}, "accuracy": accuracy, "source": source, **more}


def corridor(right: str) -> dict[str, dict[str, Fraction]]:
    p = Fraction(right)
    return {s: {"left": 1 - p, "right": p} for s in ("first", "switched", "last")}


def basic_strategy() -> dict[str, list[str]]:
    """The policy of Sutton & Barto, Figure 5.2."""
    stick = {"hard": {1: 17, 2: 13, 3: 13, 4: 12, 5: 12, 6: 12, 7: 17, 8: 17, 9: 17, 10: 17},
             "soft": {1: 19, 2: 18, 3: 18, 4: 18, 5: 18, 6: 18, 7: 18, 8: 18, 9: 19, 10: 19}}  # fmt: skip
    return {
        f"{kind} {t} v {d}": ["stick" if t >= stick[kind][d] else "hit"]
        for kind in stick
        for t in range(12, 22)
        for d in range(1, 11)
    }


UNIFORM_5X5 = grid("""
 3.3  8.8  4.4  5.3  1.5
 1.5  3.0  2.3  1.9  0.5
 0.1  0.7  0.7  0.4 -0.4
-1.0 -0.4 -0.4 -0.6 -1.2
-1.9 -1.3 -1.2 -1.4 -2.0""")
OPTIMAL_5X5 = grid("""
22.0 24.4 22.0 19.4 17.5
19.8 22.0 19.8 17.8 16.0
17.8 19.8 17.8 16.0 14.4
16.0 17.8 16.0 14.4 13.0
14.4 16.0 14.4 13.0 11.7""")
UNIFORM_4X4 = grid("""
  0 -14 -20 -22
-14 -18 -20 -20
-20 -20 -18 -14
-22 -20 -14   0""")
AIMA = grid("""
0.812 0.868 0.918 -
0.762 - 0.660 -
0.705 0.655 0.611 0.388""")

CLOSED = "closed form"

PUBLISHED: dict[str, dict[str, Any]] = {
    "aima_4x3.toml": {
        "shows": "rewards of both signs and discount 1; v = U + 0.04",
        "optimal": [
            figure(
                {s: Fraction(u) + Fraction("0.04") for s, u in AIMA.items()},
                0.0005,
                "Russell & Norvig (2010), Figure 17.3: utilities U, with v = U + 0.04",
            )
        ],
    },
    "baird_star.toml": {
        "shows": "every action is optimal everywhere",
        "optimal": [figure({str(s): 0 for s in range(1, 8)}, 0, "all rewards are 0")],
    },
    "blackjack.toml": {
        "shows": "a card game worked out to exact fractions",
        "optimal": [{"actions": basic_strategy(), "source": "Sutton & Barto (2018), Figure 5.2"}],
    },
    "cliff_walking.toml": {
        "shows": "a jump back to the start; the safe way is not the best",
        "optimal": [figure({"3,0": -13}, 0, "Sutton & Barto (2018), Example 6.6: 13 moves along the edge")],
    },
    "commute.toml": {
        "shows": "a stochastic shortest path; costs, discount 1",
        "optimal": [
            figure({"home": 33}, 0, "Randour, Raskin & Sankur (2015), section 3: by car, 33 minutes")
        ],
    },
    "dice_game.toml": {
        "shows": "two lines of algebra: v = 4 + 2/3 v",
        "optimal": [figure({"in": 12}, 0, CLOSED)],
    },
    "die_rolls.toml": {
        "shows": "a finite horizon with a final reward; the first roll averaged: 14/3",
        "optimal": [
            figure(
                {"1": "17/4", "2": "17/4", "3": "17/4", "4": "17/4", "5": 5, "6": 6},
                0,
                "by hand: (3·3.5 + 4+5+6)/6",
            )
        ],
    },
    "dyna_maze.toml": {
        "shows": "a maze; the reward is far away",
        "optimal": [
            figure(
                {"2,0": Fraction(95, 100) ** 13}, 0, "Sutton & Barto (2018), Example 8.1: 14 moves, 0.95^13"
            )
        ],
    },
    "forest.toml": {
        "shows": "arrays in the order of the MDP toolboxes",
        "optimal": [
            figure(
                {"young": "26.244", "middle": "29.484", "old": "33.484"},
                0,
                "pymdptoolbox, PolicyIteration(P, R, 0.9)",
            )
        ],
    },
    "forest_horizon.toml": {
        "shows": "a finite horizon",
        "optimal": [
            figure(
                {"young": "2.6973", "middle": "5.9373", "old": "9.9373"},
                0,
                "pymdptoolbox, FiniteHorizon(P, R, 0.9, 3)",
            )
        ],
    },
    "frozen_lake_4x4.toml": {
        "shows": "slipping; the best policy often walks into the wall",
        "optimal": [
            figure({"0,0": "0.5420"}, 0.00005, "value iteration on Gymnasium's env.P, widely printed")
        ],
    },
    "frozen_lake_8x8.toml": {
        "shows": "the same, larger",
        "optimal": [
            figure({"0,0": "0.4146"}, 0.00005, "value iteration on Gymnasium's env.P, widely printed")
        ],
    },
    "gambler_25.toml": {
        "shows": "bold play; many exact ties",
        "optimal": [figure({"25": "1/16", "50": "1/4", "75": "7/16"}, 0, "bold play: p², p, p + (1-p)p")],
    },
    "gambler_40.toml": {
        "shows": "the book's figure; many exact ties",
        "optimal": [figure({"25": "4/25", "50": "2/5", "75": "16/25"}, 0, "bold play: p², p, p + (1-p)p")],
    },
    "gambler_55.toml": {
        "shows": "timid play; action gaps down to 1e-10",
        "optimal": [
            figure(
                {str(s): (1 - Fraction(9, 11) ** s) / (1 - Fraction(9, 11) ** 100) for s in range(1, 100)},
                0,
                "gambler's ruin, stake 1: (1 - (q/p)^s) / (1 - (q/p)^100)",
            )
        ],
    },
    "gridworld_4x4.toml": {
        "shows": "discount 1, and a policy that never ends",
        "policies": {
            "uniform": {
                "policy": "uniform",
                "published": [figure(UNIFORM_4X4, 0, "Sutton & Barto (2018), Figure 4.1, k = infinity")],
            }
        },
    },
    "gridworld_5x5.toml": {
        "shows": "a linear system and its optimum, both printed in the book",
        "optimal": [figure(OPTIMAL_5X5, 0.05, "Sutton & Barto (2018), Figure 3.5")],
        "policies": {
            "uniform": {
                "policy": "uniform",
                "published": [figure(UNIFORM_5X5, 0.05, "Sutton & Barto (2018), Figure 3.2")],
            }
        },
    },
    "haddad_monmege.toml": {
        "shows": "a small residual is not a small error",
        "optimal": [
            figure(
                {str(i): Fraction(1, 2) - (Fraction(1, 2 ** (i + 1)) if i < 20 else 0) for i in range(1, 21)}
                | {str(40 - i): Fraction(1, 2) + Fraction(1, 2 ** (i + 1)) for i in range(1, 20)},
                0,
                CLOSED,
            )
        ],
    },
    "inventory.toml": {"shows": "ragged actions; the order-up-to policy"},
    "inventory_horizon.toml": {
        "shows": "a finite horizon, printed as fractions in the book",
        "optimal": [
            figure(
                {"0": "67/16", "1": "129/16", "2": "194/16", "3": "227/16"},
                0,
                "Puterman (1994), section 4.6.1",
            )
        ],
    },
    "jacks_car_rental.toml": {
        "shows": "all of the Poisson tail; a day in three steps instead of 1.8 million outcomes",
        "optimal": [
            figure(
                {"0-0": 420, "20-20": 612}, 2, "Sutton & Barto (2018), Figure 4.2, ends of the vertical axis"
            )
        ],
    },
    "machine_replacement.toml": {
        "shows": 'costs: sense = "min"',
        "optimal": [
            figure(
                {"good": 14949, "minor": 16262, "major": 18636},
                1,
                "Hillier & Lieberman; rounded along the way",
            )
        ],
    },
    "maximization_bias.toml": {
        "shows": "Q-learning overestimates; double Q-learning does not",
        "optimal": [figure({"A": 0, "B": "-1/10"}, 0, "Sutton & Barto (2018), Example 6.7")],
    },
    "no_proper_policy.toml": {
        "shows": "no finite answer: infinite reward",
        "why": "at discount 1 the ring pays 1 a step forever: here -> there -> here",
    },
    "optimal_growth.csv": {
        "shows": "a deterministic model in CSV, float64 numbers, a closed form at the steady state",
        "optimal": [
            figure(
                {"1.00": math.log(1 / 0.285 - 1) / 0.05},
                1e-9,
                "closed form at the steady state: ln(A - 1)/(1 - β)",
            )
        ],
    },
    "puterman_two_state.toml": {
        "shows": "an optimum that changes at discount 10/11",
        "optimal": [figure({"s1": "-60/7", "s2": -20}, 0, "Puterman (1994), Example 6.2.1, closed form")],
    },
    "queue_admission.toml": {"shows": "a threshold policy"},
    "random_walk_19.toml": {
        "shows": "the test bed of n-step TD and TD(λ)",
        "optimal": [figure({str(i): Fraction(i - 10, 10) for i in range(1, 20)}, 0, CLOSED)],
    },
    "random_walk_5.toml": {
        "shows": "the test bed of TD(0) and Monte Carlo",
        "optimal": [
            figure(
                {s: Fraction(i, 6) for i, s in enumerate("ABCDE", 1)}, 0, "Sutton & Barto (2018), Example 6.2"
            )
        ],
    },
    "recycling_robot.toml": {"shows": "the first example: states, actions, rewards on outcomes"},
    "river_swim.toml": {"shows": "exploration is hard, planning is not"},
    "romania.toml": {
        "shows": "a deterministic shortest path; as many actions as neighbours",
        "optimal": [figure({"Arad": 418}, 0, "Russell & Norvig (2010), section 3.5")],
    },
    "rust_bus.toml": {"shows": "discount 0.9999; rows that miss 1 by a rounding; replace from 74 on"},
    "secretary.toml": {
        "shows": "optimal stopping; tiny action gaps",
        "optimal": [
            figure({"1": "3349/8400"}, 0, "3/10 (1/3 + 1/4 + ... + 1/9)"),
            figure({"1": "0.3987"}, 0.00005, "tables of the secretary problem, n = 10"),
        ],
    },
    "short_corridor.toml": {
        "shows": "the best policy of a learner that cannot see is random",
        "optimal": [figure({"first": -3}, 0, "by counting moves")],
        "policies": {
            "right with 0.59": {
                "policy": corridor("0.59"),
                "published": [figure({"first": "-11.6"}, 0.1, "Sutton & Barto (2018), Example 13.1")],
            },
            "right with 0.95": {
                "policy": corridor("0.95"),
                "published": [
                    figure({"first": -44}, 0.5, "Sutton & Barto (2018), Example 13.1: ε-greedy right")
                ],
            },
            "right with 0.05": {
                "policy": corridor("0.05"),
                "published": [
                    figure({"first": -82}, 0.5, "Sutton & Barto (2018), Example 13.1: ε-greedy left")
                ],
            },
        },
    },
    "student.toml": {
        "shows": "a teaching example at discount 1, with a loop that pays and costs",
        "optimal": [
            figure({"facebook": 6, "class1": 6, "class2": 8, "class3": 10}, 0, "Silver (2015), lecture 2")
        ],
        "policies": {
            "uniform": {
                "policy": "uniform",
                "published": [
                    figure(
                        {"facebook": "-2.3", "class1": "-1.3", "class2": "2.7", "class3": "7.4"},
                        0.05,
                        "Silver (2015), lecture 2",
                    )
                ],
            }
        },
    },
    "taxi.csv": {
        "shows": "an episode that ends on an action, not in a cell; largest value 20",
        "optimal": [
            figure({"0:0 taxi to R": 20, "4:3 taxi to B": 20}, 0, "the reward of dropping off at the goal")
        ],
    },
    "taxicab.toml": {
        "shows": "arrays, and an action that one town lacks",
        "optimal": [figure({"A": "121.65", "B": "135.31", "C": "122.84"}, 0.005, "Howard (1960), chapter 7")],
    },
    "ties.toml": {"shows": "ties that floating point breaks, and a near tie that is none"},
    "tiny_rewards.toml": {
        "shows": "the meaning of discount 1: staying forever is worth 0",
        "optimal": [figure({"here": 0}, 0, "definition of the total reward")],
    },
    "toolbox_small.toml": {
        "shows": "a value iteration that stops too early",
        "optimal": [
            figure(
                {"0": "40.048625392716815", "1": "33.65371175967546"},
                0.01,
                "pymdptoolbox, ValueIteration(P, R, 0.9)",
            )
        ],
    },
    "toymaker.toml": {
        "shows": "rewards on outcomes",
        "optimal": [figure({"successful": "22.2", "unsuccessful": "12.3"}, 0.05, "Howard (1960), chapter 7")],
    },
    "two_dice.toml": {
        "shows": "optimal stopping with an exact tie at 35",
        "optimal": [
            figure({"35": 35}, 0, "5/6 · 35 + 35/6 = 35"),
            {"actions": {"35": ["bank", "roll"]}, "source": CLOSED},
        ],
    },
    "walled_goal.toml": {
        "shows": "no finite answer: a goal out of reach",
        "why": "at discount 1 a move costs 1 and no policy ever ends from the cells left of the wall",
    },
    "windy_gridworld.toml": {
        "shows": "wind",
        "optimal": [figure({"3,0": -15}, 0, "Sutton & Barto (2018), Example 6.5: 15 moves")],
    },
}
