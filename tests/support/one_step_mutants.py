"""The kernels of a learner's step, and the mistakes in them that change nothing which can be seen."""

RULES = "sarsa", "expected_sarsa", "q_learning"
KERNELS = {
    "walk": (
        "accumulate", "scan", "search", "rate", "greedy", "tied", "other_choice", "explore", "outcome", "line",
        "transition", "action", "next_state", "next_pair", "next_row",
    ),
    "one_step": (
        "begin", "tally", "follow", "update", "td0", "expectation", "own_value", "expected", "taken", "sarsa",
        "expected_sarsa", "q_learning",
    ),
}  # fmt: skip
GREEDY = "action: if walk.explore == 0 or (walk.explore == 1 and u < x):"
AGAIN = "q_learning: if walk.target > 0 or model.pair_state[i] == s2:"
ALIKE = {
    # what is left of a uniform stays below 1
    "tied: skip = min(int(u * ties), ties - 1) -> skip = min(int(u * ties), ties + 1)",
    "explore: return first + min(int(u / x * (last - first)), last - first - 1) -> "
    "return first + min(int(u / x * (last - first)), last - first + 1)",
    "explore: return first + min(int(u / x * (last - first)), last - first - 1) -> "
    "return first + min(int(u / x * (last - first)), last + first - 1)",
    # quick ways to what comes out the slow way, too
    "explore: if ties == 1: -> if False:",
    *(f"{GREEDY} -> if {x}:" for x in (
        "False", "walk.explore == 0 and (walk.explore == 1 and u < x)",
        "walk.explore == 0 or (walk.explore != 1 and u < x)",
        "walk.explore == 0 or (walk.explore == 2 and u < x)",
    )),
    "action: if best < 0: -> if True:",
    "next_row: chosen = action(model, walk, x, s, u[walk.again], -1 if again else best, e, visits, q) -> "
    "chosen = action(model, walk, x, s, u[walk.again], -1, e, visits, q)",
    "action: if best < 0: -> if best < 1:",
    "begin: best = greedy(q, e, first, last) if kind > 0 else first -> best = greedy(q, e, first, last)",
    "expected_sarsa: if walk.explore > 0: -> if True:",
    "expected_sarsa: if model.pair_state[i] == s2: -> if True:",
    f"{AGAIN} -> if True:",
    # nobody asks: a maximum of more than -inf, a greedy row where nothing is explored, what comes after the end
    "other_choice: chosen = first -> chosen = last",
    "own_value: return bar[e, explore(kind, x, first, last, cum, q, visits, e, best, 0.0)] -> "
    "return bar[e, explore(kind, x, first, last, cum, q, visits, e, best, 1.0)]",
    "action: best = first -> best = last",
    "begin: best = greedy(q, e, first, last) if kind > 0 else first -> "
    "best = greedy(q, e, first, last) if kind > 0 else last",
    "td0: next_row(model, walk, 0.0, u, s2, -1, -1, e, clock, row, None, None) -> "
    "next_row(model, walk, 1.0, u, s2, -1, -1, e, clock, row, None, None)",
    "td0: next_row(model, walk, 0.0, u, s2, -1, -1, e, clock, row, None, None) -> "
    "next_row(model, walk, 0.0, u, s2, 0, -1, e, clock, row, None, None)",
    "taken: return action(model, walk, x, s2, u[2], -1, e, visits, q) if s2 >= 0 else -1 -> "
    "return action(model, walk, x, s2, u[2], -1, e, visits, q) if s2 >= 0 else 0",
    "sarsa: next_row(model, walk, x, u, s2, -1, i2, e, clock, row, visits, q) -> "
    "next_row(model, walk, x, u, s2, 0, i2, e, clock, row, visits, q)",
    "expected_sarsa: best = -1 -> best = 0",
    "q_learning: best = -1 -> best = 0",
    # tables of at least two entries, as many in a target table, whose kernel looks itself whether there is one
    "outcome: return (model.reward[out] if len(model.reward) > 0 else model.r[i], -1 if model.terminal[s2] else s2) -> "
    "return (model.reward[out] if len(model.reward) > 1 else model.r[i], -1 if model.terminal[s2] else s2)",
    "update: if total.shape[1] > 0: -> if total.shape[1] > 1:",
    "expected: if len(walk.pi) > 0: -> if len(walk.pi) > 1:",
    "follow: for j in range(table.shape[1]): -> for j in range(bar.shape[1]):",
    "follow: for j in range(table.shape[1]): -> for j in range(bar.shape[1]): (2)",
    "follow: if kind == 2: -> if True:",
    "td0: for e in range(len(v)): -> for e in range(len(bar)):",
    *(f"{rule}: for e in range(len(q)): -> for e in range(len(bar)):" for rule in RULES),
    *(f"{rule}: if walk.target > 0: -> if True:" for rule in ("td0", *RULES)),
}  # fmt: skip
