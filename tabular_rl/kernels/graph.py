"""Graph searches over the rows of a model: an outcome of positive weight is an edge, a row that is not in use is none.

`use` (L,) says which rows count, `row_state` (L,) whose they are. Work arrays come from the caller.
"""

from __future__ import annotations

from tabular_rl.kernels._jit import kernel


@kernel
def strong_components(  # noqa: C901  (Tarjan's loop, unrolled)
    pair_ptr, row_ptr, next_state, weight, use, number, low, stack, path, row_at, outcome_at, label
):
    """label(s) ← its strongly connected component (Tarjan, without recursion), successors first; returns the count.

    `number` and `label` must be -1 at first. number(s) ← how many states were left for good before s: its successors
    were, but for those on a way that leads back to it.
    """
    count = 0
    clock = 0
    gone = 0
    top = 0
    for root in range(len(label)):
        if number[root] >= 0:
            continue
        depth = 0
        new = root
        while depth >= 0:
            if new >= 0:
                number[new] = low[new] = clock
                clock += 1
                stack[top] = new
                top += 1
                path[depth] = new
                row_at[new] = pair_ptr[new]
                outcome_at[new] = row_ptr[pair_ptr[new]]
                new = -1
            s = path[depth]
            i = row_at[s]
            k = outcome_at[s]
            while i < pair_ptr[s + 1] and new < 0:
                if use[i]:
                    while k < row_ptr[i + 1]:
                        if weight[k] > 0.0:
                            s2 = next_state[k]
                            if number[s2] < 0:
                                new = s2  # and this outcome is looked at once more on the way back
                                break
                            if label[s2] < 0 and low[s2] < low[s]:
                                low[s] = low[s2]
                        k += 1
                if new < 0:
                    i += 1
                    k = row_ptr[i]
            row_at[s] = i
            outcome_at[s] = k
            if new >= 0:
                depth += 1
                continue
            if low[s] == number[s]:
                while True:
                    top -= 1
                    label[stack[top]] = count
                    if stack[top] == s:
                        break
                count += 1
            number[s] = gone
            gone += 1
            depth -= 1
    return count


@kernel
def count_incoming(row_ptr, next_state, weight, use, in_ptr):
    """in_ptr ← where the edges into each state will begin (in_ptr[0] = 0, all 0 at first)."""
    for i in range(len(use)):
        if use[i]:
            for k in range(row_ptr[i], row_ptr[i + 1]):
                if weight[k] > 0.0:
                    in_ptr[next_state[k] + 1] += 1
    for s in range(len(in_ptr) - 1):
        in_ptr[s + 1] += in_ptr[s]


@kernel
def fill_incoming(row_ptr, next_state, weight, use, at, in_row):
    """in_row ← the rows with an edge into each state; `at` is a copy of in_ptr that moves on."""
    for i in range(len(use)):
        if use[i]:
            for k in range(row_ptr[i], row_ptr[i + 1]):
                if weight[k] > 0.0:
                    s2 = next_state[k]
                    in_row[at[s2]] = i
                    at[s2] += 1


@kernel
def search_forward(pair_ptr, row_ptr, next_state, weight, use, queue, found):
    """found(s) ← s can be reached from a state found at first."""
    size = 0
    for s in range(len(found)):
        if found[s]:
            queue[size] = s
            size += 1
    head = 0
    while head < size:
        s = queue[head]
        head += 1
        for i in range(pair_ptr[s], pair_ptr[s + 1]):
            if use[i]:
                for k in range(row_ptr[i], row_ptr[i + 1]):
                    s2 = next_state[k]
                    if weight[k] > 0.0 and not found[s2]:
                        found[s2] = True
                        queue[size] = s2
                        size += 1


@kernel
def pass_back(row_ptr, next_state, weight, rows, first, last, step, found):
    """found(s) ← the row of s has an edge into a state found, for s = first, first + step ... up to last.

    Returns True where a state is found that was not.
    """
    more = False
    for s in range(first, last, step):
        if rows[s] >= 0 and not found[s]:
            for k in range(row_ptr[rows[s]], row_ptr[rows[s] + 1]):
                if weight[k] > 0.0 and found[next_state[k]]:
                    found[s] = True
                    more = True
                    break
    return more


@kernel
def pass_back_all(pair_ptr, row_ptr, next_state, weight, first, last, step, found):
    """found(s) ← every row of s has an edge into a state found, for s = first, first + step ... up to last.

    Returns how many states are found that were not.
    """
    more = 0
    for s in range(first, last, step):
        if not found[s]:
            met = True
            i = pair_ptr[s]
            while met and i < pair_ptr[s + 1]:
                met = False
                for k in range(row_ptr[i], row_ptr[i + 1]):
                    if weight[k] > 0.0 and found[next_state[k]]:
                        met = True
                        break
                i += 1
            if met:
                found[s] = True
                more += 1
    return more


@kernel
def search_backward(in_ptr, in_row, row_state, use, queue, via, found):
    """found(s) ← s can reach a state found at first; via(s) ← a row of s that begins a shortest way."""
    size = 0
    for s in range(len(found)):
        if found[s]:
            queue[size] = s
            size += 1
    head = 0
    while head < size:
        s2 = queue[head]
        head += 1
        for j in range(in_ptr[s2], in_ptr[s2 + 1]):
            i = in_row[j]
            s = row_state[i]
            if use[i] and not found[s]:
                found[s] = True
                via[s] = i
                queue[size] = s
                size += 1


@kernel
def discard(in_ptr, in_row, row_state, size, queue, left, use):
    """Drop every row into the `size` states queued; a state whose last row is dropped joins them.

    left(s) is the number of rows of s in use. Returns how many states are queued then.
    """
    head = 0
    while head < size:
        s2 = queue[head]
        head += 1
        for j in range(in_ptr[s2], in_ptr[s2 + 1]):
            i = in_row[j]
            if use[i]:
                use[i] = False
                s = row_state[i]
                left[s] -= 1
                if left[s] == 0:
                    queue[size] = s
                    size += 1
    return size


@kernel
def drop_leaving(row_ptr, next_state, weight, row_state, label, queue, left, use):
    """Drop the rows with an outcome in another component; returns how many states lost their last row (queued)."""
    size = 0
    for i in range(len(use)):
        if use[i]:
            s = row_state[i]
            for k in range(row_ptr[i], row_ptr[i + 1]):
                if weight[k] > 0.0 and label[next_state[k]] != label[s]:
                    use[i] = False
                    left[s] -= 1
                    if left[s] == 0:
                        queue[size] = s
                        size += 1
                    break
    return size


@kernel
def count_moves(row_ptr, next_state, weight, row_state, use, away, into):
    """away(s) ← the rows of s that may lead to another state; into(s) ← the outcomes of others that are s.

    Both are 0 at first.
    """
    for i in range(len(use)):
        if use[i]:
            s = row_state[i]
            moves = 0
            for k in range(row_ptr[i], row_ptr[i + 1]):
                if weight[k] > 0.0 and next_state[k] != s:
                    into[next_state[k]] += 1
                    moves = 1
            away[s] += moves


@kernel
def drop_move(edges, row_state, i, away, into, queue, size, left, use):
    """Drop row i if it may lead to another state, and queue states that are left alone by that.

    Returns the size of the queue.
    """
    row_ptr, next_state, weight = edges
    s = row_state[i]
    moves = 0
    if use[i]:
        for k in range(row_ptr[i], row_ptr[i + 1]):
            if weight[k] > 0.0 and next_state[k] != s:
                s2 = next_state[k]
                moves = 1
                into[s2] -= 1
                if into[s2] == 0 and away[s2] > 0:
                    queue[size] = s2
                    size += 1
    if moves > 0:
        use[i] = False
        left[s] -= 1
        away[s] -= 1
        if away[s] == 0 and into[s] > 0:
            queue[size] = s
            size += 1
    return size


@kernel
def isolate(pair_ptr, in_ptr, in_row, edges, row_state, away, into, queue, left, use):
    """Drop the rows between others and states that lead to no other, or that no other leads to, until none is left.

    No such row stays within an end component. Returns how many states are alone.
    """
    size = 0
    for s in range(len(away)):
        if away[s] == 0 or into[s] == 0:
            queue[size] = s
            size += 1
    head = 0
    while head < size:
        s = queue[head]
        head += 1
        for i in range(pair_ptr[s], pair_ptr[s + 1]):
            size = drop_move(edges, row_state, i, away, into, queue, size, left, use)
        for j in range(in_ptr[s], in_ptr[s + 1]):
            size = drop_move(edges, row_state, in_row[j], away, into, queue, size, left, use)
    return size


@kernel
def count_rows(pair_ptr, gone, of_state, count):
    """count(of_state(s)), 0 at first, ← how many rows of s, and of the states that are merged with it, are not gone."""
    for s in range(len(of_state)):
        for i in range(pair_ptr[s], pair_ptr[s + 1]):
            if not gone[i]:
                count[of_state[s]] += 1


@kernel
def list_rows(pair_ptr, gone, of_state, at, row_of):
    """row_of ← the rows that are not gone, in the order of storage, those of of_state(s) from at(of_state(s)) on."""
    for s in range(len(of_state)):
        for i in range(pair_ptr[s], pair_ptr[s + 1]):
            if not gone[i]:
                row_of[at[of_state[s]]] = i
                at[of_state[s]] += 1


@kernel
def take_rows(rows, given, of_state, last, ptr, to, chance, paid):
    """Copy rows side by side, each to its place ptr(j), with of_state(s') for s' and 0 where that is -1.

    `given` is (row_ptr, next_state, prob, reward), whose last is empty where outcomes have none. A row -1 leads to the
    state `last`, and earns 0.
    """
    row_ptr, next_state, prob, reward = given
    for j in range(len(rows)):
        i = rows[j]
        k2 = ptr[j]
        if i < 0:
            to[k2] = last
            chance[k2] = 1.0
            if len(reward) > 0:
                paid[k2] = 0.0
        else:
            for k in range(row_ptr[i], row_ptr[i + 1]):
                to[k2] = max(of_state[next_state[k]], 0)
                chance[k2] = prob[k]
                if len(reward) > 0:
                    paid[k2] = reward[k]
                k2 += 1
