"""Walks through `learners.hand_model` as lists of uniforms, whose updates are worked out by hand in tests/learning.

Two uniforms to begin with: the start, the first action. Then those of each step: (outcome, restart, next action).
"""

TD0 = [
    0.2, 0.6,
    0.3, 0.9, 0.1,   # a right: 1, to b
    0.7, 0.9, 0.2,   # b left: 0, to a; next left
    0.2, 0.8, 0.5,   # a left: 2, to a; next right, as 0.5 is not below 1/2
    0.99, 0.9, 0.3,  # a right: 1, to b
    0.49, 0.0, 0.4,  # b left: 4, the end; restart in a, left
    0.5, 0.9, 0.9,   # a left: 0, to b
]  # fmt: skip
TD0_LOG = [
    ("a", 1, 1, "b"), ("b", 0, 0, "a"), ("a", 0, 2, "a"), ("a", 1, 1, "b"), ("b", 0, 4, "end"), ("a", 0, 0, "b"),
]  # fmt: skip
Q_LEARNING = [
    0.2, 0.3,        # start in a; explore: 0.3 / 0.5 · 2 = 1.2, right
    0.3, 0.9, 0.1,   # a right: 1, to b
    0.7, 0.9, 0.8,   # b left: 0, to a; greedy: right
    0.2, 0.9, 0.5,   # a right: 1, to b; greedy, as 0.5 is not below 1/2
    0.49, 0.0, 0.2,  # b left: 4, the end; restart in a, explore: left
    0.49, 0.9, 0.6,  # a left: 2, to a; greedy by the table after the update: left
    0.5, 0.9, 0.9,   # a left: 0, to b
]  # fmt: skip
# (outcome, restart, next action, action after a restart) of each step.
SARSA = [
    0.2, 0.3,             # start in a; explore: right
    0.3, 0.9, 0.1, 0.9,   # a right: 1, to b
    0.7, 0.9, 0.1, 0.9,   # b left: 0, to a; explore: 0.1 / 0.5 · 2 = 0.4, left, worth 0
    0.2, 0.9, 0.7, 0.9,   # a left: 2, to a; greedy BEFORE the update: right, worth 1/2; so be it
    0.99, 0.9, 0.1, 0.9,  # a right: 1, to b
    0.49, 0.1, 0.4, 0.9,  # b left: 4, the end; restart in a, greedy by the fourth: left (the third would say right)
    0.5, 0.9, 0.9, 0.9,   # a left: 0, to b
]  # fmt: skip
SARSA_TABLES = [
    [0.0, 0.5, 0.0],
    [0.0, 0.5, 0.0],
    [1.125, 0.5, 0.0],  # 1/2 (2 + 1/2 · 1/2)
    [1.125, 0.75, 0.0],
    [1.125, 0.75, 2.0],
    [1.0625, 0.75, 2.0],  # 1/2 (9/8 + 1/2 · 2)
]
EXPECTED_SARSA = [
    0.2, 0.3,        # start in a; explore: right
    0.3, 0.9, 0.1,   # a right: 1, to b
    0.7, 0.9, 0.8,   # b left: 0, to a, worth 1/2 · 1/4 + 1/2 · 1/2; greedy: right
    0.2, 0.9, 0.5,   # a right: 1, to b
    0.49, 0.0, 0.2,  # b left: 4, the end; restart in a, explore: left
    0.49, 0.9, 0.6,  # a left: 2, to a; greedy after the update: left
    0.5, 0.9, 0.9,   # a left: 0, to b
]  # fmt: skip
EXPECTED_SARSA_OF_POLICY = [
    0.2, 0.6,
    0.3, 0.9, 0.1,   # a right: 1, to b
    0.7, 0.9, 0.2,   # b left: 0, to a, worth 3/4 · 1/2; the behaviour goes left
    0.2, 0.8, 0.5,   # a left: 2, to a
    0.99, 0.9, 0.3,  # a right: 1, to b
    0.49, 0.0, 0.4,  # b left: 4, the end; restart in a, left
    0.5, 0.9, 0.9,   # a left: 0, to b
]  # fmt: skip
