"""Learners in plain Python, right or with planted mistakes: the twin of those in the lesson page.

All is in the sign of the model (costs are costs, and the best is then the least), in lists and loops. Without a mistake
they make the tables of `tabular_rl.learn`, which tests/page/test_learners_page.py checks too.
"""

from itertools import accumulate

import numpy as np

STATES = ("td0", "monte-carlo")
DRAWS = {"sarsa": 4, "double-q-learning": 4}


def first_above(weights, u):
    """The first entry whose running sum is above u; the last positive one where rounding leaves none."""
    last = max(j for j, w in enumerate(weights) if w > 0)
    sums = list(accumulate(weights))
    return next((j for j in range(last) if u < sums[j]), last)


class Walk:
    """A model, the uniforms of a seed, and how actions are chosen: by weights (L,), or ε-greedily by a table."""

    def __init__(self, mdp, seed, acts, epsilon):
        self.mdp, self.acts, self.epsilon = mdp, acts, epsilon
        child = np.random.SeedSequence(seed).spawn(1)[0]
        self.draw = np.random.Generator(np.random.PCG64(child)).random
        self.best = min if mdp.sense == "min" else max
        self.reward = mdp.outcome_reward.tolist()

    def rows(self, s):
        return range(int(self.mdp.pair_ptr[s]), int(self.mdp.pair_ptr[s + 1]))

    def begin(self, u):
        return first_above(self.mdp.start.tolist(), u)

    def action(self, table, s, u):
        rows = list(self.rows(s))
        if self.acts is not None:
            return rows[first_above([self.acts[i] for i in rows], u)]
        if u < self.epsilon:
            return rows[min(int(u / self.epsilon * len(rows)), len(rows) - 1)]
        tied = self.tied(table, rows)
        return tied[min(int((u - self.epsilon) / (1 - self.epsilon) * len(tied)), len(tied) - 1)]

    def tied(self, table, rows):
        top = self.best(table[i] for i in rows)
        return [i for i in rows if table[i] == top]

    def outcome(self, i, u):
        first, last = int(self.mdp.row_ptr[i]), int(self.mdp.row_ptr[i + 1])
        k = first + first_above(self.mdp.prob[first:last].tolist(), u)
        return self.reward[k], int(self.mdp.next_state[k])


def learn_with_mistakes(
    mdp, method, *, steps, alpha, epsilon=0.1, seed=0, pi=None, b=None, start_value=0.0, mistakes=(), terminal_value=1.0
):  # fmt: skip
    """Return the table after a number of steps: v (S,), 0 at terminal states, or q (L,)."""
    walk = Walk(mdp, seed, b if b is not None else pi, epsilon)
    rule = Rule(walk, method, alpha, pi, mistakes, terminal_value, start_value)
    s = walk.begin(walk.draw())
    row = walk.action(rule.shown(), s, walk.draw())
    for _ in range(steps):
        u = [walk.draw() for _ in range(DRAWS.get(method, 3))]
        r, s2 = walk.outcome(row, u[0])
        done = bool(mdp.terminal[s2])
        row2 = walk.action(rule.shown(), s2, u[2]) if method == "sarsa" and not done else None
        rule.learn(row, r, s2, done, row2, u[-1])
        if done:
            row = walk.action(rule.shown(), walk.begin(u[1]), u[3] if method == "sarsa" else u[2])
        else:
            row = walk.action(rule.shown(), s2, u[2]) if row2 is None else row2
    table = rule.shown()
    return [0.0 if method in STATES and mdp.terminal[j] else x for j, x in enumerate(table)]


class Rule:
    """The tables of a learner, and its update."""

    def __init__(self, walk, method, alpha, pi, mistakes, terminal_value, start_value):
        self.walk, self.method, self.pi, self.mistakes = walk, method, pi, mistakes
        self.alpha = -alpha if "minus" in mistakes else alpha
        self.gamma = 1.0 if "no discount" in mistakes else walk.mdp.gamma
        self.terminal_value = terminal_value
        entries = walk.mdp.S if method in STATES else walk.mdp.L
        self.tables = [[float(start_value)] * entries for _ in range(1 + (method == "double-q-learning"))]
        self.episode, self.behind = [], 0.0

    def shown(self):
        if len(self.tables) == 1:
            return self.tables[0]
        return [0.5 * (x + y) for x, y in zip(*self.tables, strict=True)]

    def learn(self, row, r, s2, done, row2, coin):
        s = self.walk.mdp.state_of_row(row)
        if self.method == "monte-carlo":
            self.episode.append((s, r))
            if done:
                self.learn_returns()
            return
        own = 0 if len(self.tables) == 1 or coin < 0.5 else 1
        after = self.terminal_value if "no mask" in self.mistakes else 0.0
        if not done:
            after = self.worth(own, s if "values at s" in self.mistakes else s2, row, row2)
        table, j = self.tables[own], s if self.method in STATES else row
        table[j] = table[j] + self.alpha * (r + self.gamma * after - table[j])

    def worth(self, own, at, row, row2):
        """What the state that is read is taken to be worth."""
        table, other, best = self.tables[own], self.tables[own - 1], self.walk.best
        if self.method == "td0":
            return table[at]
        rows = self.walk.rows(at)
        if self.method == "double-q-learning":
            return (table if "own values" in self.mistakes else other)[self.walk.tied(table, rows)[0]]
        if "maximum" in self.mistakes:
            return best(table[i] for i in rows)
        if self.method == "sarsa":
            return table[row if "values at s" in self.mistakes else row2]
        if self.method == "q-evaluation":
            return sum(self.pi[i] * table[i] for i in rows)
        if "expectation" in self.mistakes:
            tied, x = self.walk.tied(table, rows), self.walk.epsilon
            mean = sum(table[i] for i in rows) / len(rows)
            return x * mean + (1 - x) * (sum(table[i] for i in tied) / len(tied))
        return best(table[i] for i in rows)

    def learn_returns(self):
        """Every first visit of the episode, the last one first."""
        v, G = self.tables[0], self.behind if "returns run on" in self.mistakes else 0.0
        for k in reversed(range(len(self.episode))):
            s, r = self.episode[k]
            G = r + self.gamma * G
            if s not in [state for state, _ in self.episode[:k]]:
                v[s] = v[s] + self.alpha * (G - v[s])
        self.behind, self.episode = G, []
