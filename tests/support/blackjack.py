"""The rules of Gymnasium's Blackjack-v1 as a model, in exact rationals, from its documentation.

Cards are drawn with replacement: 2 to 9 and an ace once in 13, ten 4 times in 13. An observation (sum, dealer's card,
usable ace) is a state; with `natural` or `sab` a first hand of an ace and a ten is one of its own, "21,d,1 natural",
since it is paid otherwise and looks the same. A hand ends where it sticks or busts.
"""

from __future__ import annotations

import functools
import itertools
from fractions import Fraction

from tabular_rl import MDP

CARDS = [(card, Fraction(4 if card == 10 else 1, 13)) for card in range(1, 11)]
NATURAL = (1, 10)


def hand(total: int, ace: bool) -> tuple[int, int]:
    """(sum, usable ace) of cards that count `total` with every ace as 1."""
    return (total + 10, 1) if ace and total + 10 <= 21 else (total, 0)


@functools.cache
def dealer(total: int, ace: bool, cards: tuple[int, ...]) -> dict[tuple[int, bool], Fraction]:
    """The chances of (score, whether it is a natural) of a dealer who sticks at 17 or more; a bust scores 0."""
    points = hand(total, ace)[0]
    if len(cards) >= 2 and points >= 17:
        return {(0 if points > 21 else points, tuple(sorted(cards)) == NATURAL): Fraction(1)}
    found: dict[tuple[int, bool], Fraction] = {}
    for card, p in CARDS:
        kept = (*cards, card) if len(cards) < 2 else (0, 0, 0)
        for end, q in dealer(total + card, ace or card == 1, kept).items():
            found[end] = found.get(end, Fraction(0)) + p * q
    return found


def stick(points: int, card: int, is_natural: bool, natural: bool, sab: bool) -> dict[Fraction, Fraction]:
    """The chances of each reward of sticking."""
    found: dict[Fraction, Fraction] = {}
    for (score, theirs), p in dealer(card, card == 1, (card,)).items():
        reward = Fraction((points > score) - (points < score))
        if sab and is_natural and not theirs:
            reward = Fraction(1)
        elif natural and not sab and is_natural and reward == 1:
            reward = Fraction(3, 2)
        found[reward] = found.get(reward, Fraction(0)) + p
    return found


def blackjack(natural: bool = False, sab: bool = False) -> MDP:
    """The model; actions are named as those of Gymnasium's environment are."""
    start: dict[str, Fraction] = {}
    outcomes = []
    apart = natural or sab
    for (first, p), (second, q), (card, r) in itertools.product(CARDS, CARDS, CARDS):
        points, ace = hand(first + second, 1 in (first, second))
        own = " natural" if apart and tuple(sorted((first, second))) == NATURAL else ""
        name = f"{points},{card},{ace}{own}"
        start[name] = start.get(name, Fraction(0)) + p * q * r
    for points, card, ace in itertools.product(range(4, 22), range(1, 11), (0, 1)):
        if ace and points < 12:
            continue
        total = points - 10 * ace
        kinds = ["", " natural"] if apart and (points, ace) == (21, 1) else [""]
        for own in kinds:
            name = f"{points},{card},{ace}{own}"
            # Without the option a first hand of 21 with an ace is as any other.
            for reward, p in stick(points, card, own != "", natural, sab).items():
                outcomes.append((name, "stick", "over", p, reward))
            for drawn, p in CARDS:
                after, soft = hand(total + drawn, bool(ace) or drawn == 1)
                if after > 21:
                    outcomes.append((name, "hit", "over", p, -1))
                else:
                    outcomes.append((name, "hit", f"{after},{card},{soft}", p, 0))
    return MDP.from_outcomes(outcomes, 1, terminal=["over"], start=start, actions=["stick", "hit"])
