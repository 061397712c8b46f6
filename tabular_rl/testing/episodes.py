"""Rules that learn from whole episodes, in plain Python: Monte Carlo, n-step TD, TD(λ); and the mistakes in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tabular_rl.testing.rules import Rule, StepSizes, Transition, bootstraps, left_out


def _episodes_of(transitions: Sequence[Transition]) -> list[list[Transition]]:
    """Cut transitions where an episode is done; what stands behind the last end is left out."""
    made: list[list[Transition]] = [[]]
    for t in transitions:
        made[-1].append(t)
        if t.done:
            made.append([])
    return made[:-1]


def learned_from_episodes(
    rule: Rule, transitions: Sequence[Transition], table: Any, gamma: float, mistake: str | None = None
) -> list[float]:
    """Return v (S,) after all whole episodes, learned by the rule, or by one with a mistake in it.

    Parameters
    ----------
    rule : monte-carlo, n-step-td or td-lambda, with its numbers
    transitions : one episode after the other
    table : v (S,) at the start, which is not changed
    gamma : γ
    mistake : a key of `MISTAKES`; None for the rule itself; "in order" for Monte Carlo visits from first to last

    Returns
    -------
    v (S,)

    Examples
    --------
    a, then b, then the end, rewards 1 and 2, γ = 1/2, α = 1/2: v(b) = 1/2 · 2, v(a) = 1/2 (1 + 1/2 · 2).

    >>> from tabular_rl.solving.schedules import Schedule
    >>> episode = [Transition(0, 0, 1.0, 1, False), Transition(1, 0, 2.0, 2, True)]
    >>> learned_from_episodes(Rule("monte-carlo", Schedule.of(0.5)), episode, [0.0, 0.0, 99.0], 0.5)
    [1.0, 1.0, 99.0]
    """
    learning = _Learning(rule, [float(x) for x in table], 1.0 if mistake == "no discount" else gamma, mistake)
    learn = {
        "monte-carlo": learning.monte_carlo,
        "n-step-td": learning.n_step,
        "td-lambda": learning.td_lambda,
    }
    learn[rule.name](_episodes_of(transitions))
    return learning.v


class _Learning:
    """The table of a rule while it learns, and its step sizes."""

    def __init__(self, rule: Rule, v: list[float], gamma: float, mistake: str | None) -> None:
        self.rule, self.v, self.gamma, self.mistake = rule, v, gamma, mistake
        self.alpha = StepSizes(rule, mistake).next

    def monte_carlo(self, episodes: list[list[Transition]]) -> None:
        """Learn by G ← r + γ G from the end of an episode; v(s) ← v(s) + α [ G - v(s) ] at the visits that count."""
        v, mistake = self.v, self.mistake
        visit = self.rule.visit
        if mistake in ("every visit", "first visit", "last visit"):
            visit = mistake.removesuffix(" visit")
        G = 0.0
        for number, episode in enumerate(episodes):
            if left_out(number, len(episodes), mistake):
                continue
            returns = self.returns(episode, G if mistake == "returns run on" else 0.0)
            G = returns[0]
            first = {t.s: k for k, t in reversed(list(enumerate(episode)))}
            last = {t.s: k for k, t in enumerate(episode)}
            order = range(len(episode)) if mistake == "in order" else range(len(episode) - 1, -1, -1)
            for k in order:
                s = episode[k].s
                if visit == "every" or (first if visit == "first" else last)[s] == k:
                    v[s] += self.alpha(s) * (returns[k] - v[s])

    def returns(self, episode: list[Transition], G: float) -> list[float]:
        """The return of each step of an episode; G is what stands behind its end, 0 but for a mistake."""
        made = [G]
        for t in reversed(episode):
            later = made[-1]
            first_too = self.mistake == "discounted at once"
            made.append(self.gamma * (t.r + later) if first_too else t.r + self.gamma * later)
        if self.mistake == "return of the start":
            return made[-1:] * len(episode)
        return made[-2::-1] if self.mistake == "reward before" else made[:0:-1]

    def n_step(self, episodes: list[list[Transition]]) -> None:
        """The state left n - 1 steps ago is updated when its n rewards are there; at the end, all that still wait."""
        v, gamma, mistake = self.v, self.gamma, self.mistake
        n = self.rule.n + {"n + 1": 1, "n - 1": -1}.get(mistake or "", 0)
        for episode in episodes:
            last = len(episode)
            for k in range(last if mistake != "tail left out" else last - n + 1):
                rewards = [t.r for t in episode[k : k + n]]
                fade = 1.0 if mistake == "rewards undiscounted" else gamma
                G = sum(fade**i * r for i, r in enumerate(rewards))
                ends = k + n >= last
                if bootstraps(ends, mistake):
                    after = v[episode[min(k + n, last) - 1].s2]
                    G += (gamma if mistake == "one discount" else gamma ** len(rewards)) * after
                s = episode[k].s
                v[s] += self.alpha(s) * (G - v[s])

    def td_lambda(self, episodes: list[list[Transition]]) -> None:
        """Learn by z ← γλ z + α e_s, or z(s) ← α for replacing traces; v ← v + δ z."""
        v, gamma, mistake = self.v, self.gamma, self.mistake
        fade = {"no γ in the trace": self.rule.trace, "no λ in the trace": gamma, "no trace": 0.0}.get(
            mistake or "", gamma * self.rule.trace
        )
        replacing = (self.rule.traces == "replacing") != (mistake in ("accumulating", "replacing"))
        z = [0.0] * len(v)
        for episode in episodes:
            if mistake != "traces kept":
                z = [0.0] * len(v)
            for t in episode:
                after = 0.0
                if bootstraps(t.done, mistake):
                    after = v[t.s2]
                delta = t.r + gamma * after - v[t.s]
                alpha = self.alpha(t.s)
                now, kept = (alpha, 1.0) if mistake == "step size of now" else (1.0, alpha)
                z = [fade * x for x in z]
                z[t.s] = kept if replacing else z[t.s] + kept
                if mistake == "fades at once":
                    z[t.s] -= kept * (1 - fade)
                for s, x in enumerate(z):
                    v[s] += now * delta * x
