"""The kernels of a learner's step, and the mistakes in them that change nothing which can be seen."""

RULES = "sarsa", "expected_sarsa", "q_learning"
KERNELS = {
    "walk": (
        "accumulate", "bisect", "scan", "search", "leftover", "rate", "tabulate", "highest", "best_and_ties", "greedy",
        "tied", "other_choice", "fading", "explore", "outcome", "draw", "sample", "fetch_row", "look_ahead", "line",
        "transition", "way", "action", "next_state", "next_pair", "next_row",
    ),
    "lines": ("fill_lines", "place_in_line"),
    "one_step": (
        "begin", "tally", "follow", "update", "td0", "expectation", "own_value", "expected", "taken", "sarsa",
        "expected_sarsa", "q_learning",
    ),
}  # fmt: skip
ALIKE = {
    # what is left of a uniform stays below 1
    "tied: skip = min(int(u * ties), ties - 1) -> skip = min(int(u * ties), ties + 1)",
    "explore: some = first + min(int(u / max(x, TINY) * (last - first)), last - first - 1) -> "
    "some = first + min(int(u / max(x, TINY) * (last - first)), last - first + 1)",
    "explore: some = first + min(int(u / max(x, TINY) * (last - first)), last - first - 1) -> "
    "some = first + min(int(u / max(x, TINY) * (last - first)), last + first - 1)",
    # quick ways to what comes out the slow way, too
    *(f"scan: if last - first > FEW: -> if {x}:" for x in (
        "True", "False", "last - first <= FEW", "last + first > FEW", "first - first > FEW", "last - last > FEW",
    )),
    "scan: return bisect(cum, first, last - 1, u) -> return bisect(cum, first, last + 1, u)",
    *(f"scan: if not together: -> if {x}:" for x in ("True", "False", "together")),
    "explore: return scan(cum, first, last, u, False) -> return scan(cum, first, first, u, False)",
    "explore: return scan(cum, first, last, u, False) -> return scan(cum, first, last, u, True)",
    "action: if q is None or way(walk) == 0: -> if q is None and way(walk) == 0:",
    # nobody asks: a maximum of more than -inf, a rate where nothing is explored, what comes after the end
    "other_choice: chosen = first -> chosen = last",
    "own_value: return bar[e, explore(kind, x, first, last, cum, q, visits, e, 0.0)] -> "
    "return bar[e, explore(kind, x, first, last, cum, q, visits, e, 1.0)]",
    "td0: next_row(model, walk, 0.0, u, s2, -1, e, clock, row, None, None) -> "
    "next_row(model, walk, 1.0, u, s2, -1, e, clock, row, None, None)",
    "taken: return action(model, walk, x, s2, u[walk.act], e, visits, q) if s2 >= 0 else -1 -> "
    "return action(model, walk, x, s2, u[walk.act], e, visits, q) if s2 >= 0 else 0",
    # tables of at least two entries, as many in a target table, whose kernel looks itself whether there is one
    "outcome: r = model.reward[at(out)] if len(model.reward) > 0 else model.r[at(i)] -> "
    "r = model.reward[at(out)] if len(model.reward) > 1 else model.r[at(i)]",
    "fetch_row: if len(model.reward) > 0: -> if len(model.reward) > 1:",
    "fill_lines: if len(reward) > 0: -> if len(reward) > 1:",
    "sample: paid = place + model.width if len(model.reward) > 0 else 2 * model.width - 1 -> "
    "paid = place + model.width if len(model.reward) > 1 else 2 * model.width - 1",
    *(f"{rule}: fetch_row(model, log, walk, e, row, visits, q) -> fetch_row(model, log, walk, e, row, visits, bar)"
      for rule in RULES),
    "update: if total is not None and total.shape[1] > 0: -> if total is not None and total.shape[1] > 1:",
    "expected: if len(walk.pi) > 0: -> if len(walk.pi) > 1:",
    "follow: for j in range(table.shape[1]): -> for j in range(bar.shape[1]):",
    "follow: for j in range(table.shape[1]): -> for j in range(bar.shape[1]): (2)",
    "follow: if kind == 2: -> if True:",
    "td0: for e in range(len(v)): -> for e in range(len(bar)):",
    *(f"{rule}: for e in range(len(q)): -> for e in range(len(bar)):" for rule in RULES),
    *(f"{rule}: if walk.target > 0: -> if True:" for rule in ("td0", *RULES[:2])),
    "q_learning: if walk.usual is None and walk.target > 0: -> if walk.usual is None or walk.target > 0:",
}  # fmt: skip
