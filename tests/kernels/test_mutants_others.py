"""Mistakes planted in the kernels of n-step, trace, Monte Carlo, batch and linear learners: their twins find every one.

As in test_mutants.py: a text in one function is replaced, and the kernels run as plain Python. Each mutant must leave
something else behind than the twin (reference_traces, reference_returns, reference_linear) on some small input.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
import reference
import reference_linear
import reference_returns
import reference_traces
from learners import SCHEDULES, Case
from mutants import KERNELS
from random_models import random_policy

from tabular_rl.methods.learning._linear import read_features
from tabular_rl.solving.schedules import Schedule

PIECES = (4, 26)  # a walk of 30 steps, in two calls


def source(module):
    """The kernels of a module, and those that they call, as one text without imports of their own."""
    texts = [(KERNELS / f"{name}.py").read_text(encoding="utf-8") for name in ("walk", "one_step", module)]
    return re.sub(r"^from (tabular_rl|__future__).*\n", "", "\n".join(texts), flags=re.MULTILINE)


@dataclass(frozen=True)
class Mutant:
    """In a function, `old` becomes `new`; it must be there `times` times."""

    function: str
    old: str
    new: str
    times: int = 1
    moments: bool = False  # seen in the means over 1,500 runs alone

    def __str__(self):
        return f"{self.function}: {' '.join(self.old.split())} -> {' '.join(self.new.split())}"

    def apply(self, text):
        start = text.index(f"def {self.function}(")
        end = text.find("@kernel", start)
        body = text[start:end] if end > 0 else text[start:]
        assert body.count(self.old) == self.times, f"the mutant no longer applies: {self}"
        return text[:start] + body.replace(self.old, self.new) + text[start + len(body) :]


def compiled(text, kernel=lambda function: function):
    made = {"kernel": kernel}
    exec(compile(text, "mutant", "exec"), made)
    return made


M = Mutant
BEHIND = "dot(ptr, col, value, s2, bar, e)"
EXPECTED = "expectation(ratio, pair_ptr[s2], pair_ptr[s2 + 1], table, e)"
BEST = "greedy(q, e, pair_ptr[s2], pair_ptr[s2 + 1])"
WORTH = "worth = 0.0 if done{at} else v[e, {s2}]\n            if not done{at}:"
OVER = "                clock[e] = 0\n                forget(e, count, active, traces)"

MUTANTS = {
    "n_step": [
        M("update", "rate(step_size, n) *", "1.01 * rate(step_size, n) *"),
        M("update", "table[e, j] += rate", "table[e, j] -= rate"),
        M("update", "rho * (aim - table[e, j])", "(rho * aim - table[e, j])"),
        M("tally", "(k - since[e, j])", "(k + 1 - since[e, j])"),
        M("expectation", "pi[i] * bar", "bar"),
        M("mixed", "pi[i] * (", "("),
        M("mixed", "if i == chosen", "if i != chosen"),
        M("mixed", "aim if i == chosen else q[e, i]", "aim"),
        M("mixed", "aim if i == chosen else q[e, i]", "q[e, i]"),
        M("look_back", "at = last % n", "at = (last + 1) % n"),
        M("look_back", "aim = earned[e, at]\n", "aim = -earned[e, at]\n"),
        M("look_back", "if s2 >= 0:", "if True:"),
        M("look_back", f"gamma * {EXPECTED}", EXPECTED),
        M("look_back", EXPECTED, "max(table[e, pair_ptr[s2] : pair_ptr[s2 + 1]])"),
        M("look_back", EXPECTED,
          "expectation(ratio, pair_ptr[pair_state[i]], pair_ptr[pair_state[i] + 1], table, e)"),
        M("look_back", "gamma * table[e, s2]", "table[e, s2]"),
        M("look_back", "gamma * table[e, s2]", "gamma * table[e, pair_state[i]]"),
        M("look_back", "aim += gamma * table", "aim -= gamma * table"),
        M("look_back", "range(last - t)", "range(last - t - 1)"),
        M("look_back", "range(last - t)", "range(last - t + 1)"),
        M("look_back", "ratio[i] * aim + (1.0 - ratio[i]) * table[e, s]", "ratio[i] * aim"),
        M("look_back", "ratio[i] * aim + (1.0 - ratio[i]) * table[e, s]", "aim"),
        M("look_back", "ratio[i] * aim + (1.0", "aim / ratio[i] + (1.0"),
        M("look_back", "(1.0 - ratio[i]) * table", "(1.0 + ratio[i]) * table"),
        M("look_back", "aim = mixed(ratio, pair_ptr[s], pair_ptr[s + 1], i, aim, table, e)", "pass"),
        M("look_back", "pair_ptr[s + 1], i, aim, table", "pair_ptr[s], i, aim, table"),
        M("look_back", "if at > 0 else n - 1", "if at > 1 else n - 1"),
        M("look_back", "at = at - 1 if at > 0 else n - 1", "at = at + 1 if at < n - 1 else 0"),
        M("look_back", "at = at - 1 if at > 0 else n - 1", "pass"),
        M("look_back", "+ gamma * aim", "+ aim"),
        M("look_back", "+ gamma * aim", "- gamma * aim"),
        M("look_back", "weight = weight * ratio[i] if kind == 0 else ratio[i]", "weight = ratio[i]"),
        M("look_back", "weight = weight * ratio[i] if kind == 0 else ratio[i]", "weight = weight * ratio[i]"),
        M("look_back", "weight * ratio[i]", "weight / ratio[i]"),
        M("look_back", "aim, weight, step_size", "aim, 1.0, step_size"),
        M("look_back", "aim, weight, step_size", "aim, 1.0 / weight, step_size"),
        M("look_back", "aim, 1.0, step_size", "aim, weight, step_size"),
        M("look_back", "update(table, e, pair_state[i], aim", "update(table, e, s2, aim"),
        M("n_step", "held[e, t % n] = i", "held[e, (t + 1) % n] = i"),
        M("n_step", "earned[e, t % n] = r", "earned[e, (t + 1) % n] = r"),
        M("n_step", "clock[e] = 0 if over else t + 1", "clock[e] = t + 1"),
        M("n_step", "max(t - n + 1, 0)", "t - n + 1"),
        M("n_step", "max(t - n + 1, 0)", "max(t - n + 2, 0)"),
        M("n_step", "max(t - n + 1, 0)", "max(t - n, 0)"),
        M("n_step", "t + 1 if over else t - n + 2", "t if over else t - n + 2"),
        M("n_step", "else t - n + 2", "else t - n + 1"),
        M("n_step", "if over else t - n + 2", "if s2 < 0 else t - n + 2"),
        M("n_step_walk", "clock[e] + 1 == episode_steps", "clock[e] == episode_steps"),
        M("n_step_walk", "reward[out] if len(reward) > 0 else r[i]", "r[i]"),
        M("n_step_walk", "-1 if done else s2", "s2"),
        M("n_step_walk", "-1 if done else s2", "-1 if over else s2"),
        M("n_step_walk", "if over:", "if done:"),
        M("n_step_walk", "s2 = search(start, uniforms[e, k, 1])", "pass"),
        M("n_step_walk", "uniforms[e, k, 1]", "uniforms[e, k, 0]"),
        M("n_step_walk", "uniforms[e, k, 2]", "uniforms[e, k, 0]"),
        M("n_step_walk", "scan(cum, pair_ptr[s2]", "scan(cum, pair_ptr[pair_state[i]]"),
        M("n_step_walk", "per_step, step + k,", "per_step, k,"),
        M("n_step_given", "-1 if done[at] else next_state[at]", "next_state[at]"),
        M("n_step_given", "next_row[at] < 0", "done[at]"),
        M("n_step_given", "next_row[at] < 0", "False"),
        M("n_step_given", "reward[at]", "-reward[at]"),
        M("n_step_given", "(step + k) %", "(step + k + 1) %"),
        M("n_step_given", "per_step, step + k,", "per_step, k,"),
    ],
    "traces": [
        M("forget", "traces[e, active[e, at]] = 0.0", "pass"),
        M("forget", "count[e] = 0", "pass"),
        M("forget", "range(count[e])", "range(count[e] - 1)"),
        M("trace_step", "visits[e, j] += 1", "visits[e, j] += 2"),
        M("trace_step", "alpha = rate(", "alpha = 1.01 * rate("),
        M("trace_step", "k + 1 if per_step", "k + 2 if per_step"),
        M("trace_step", "delta = aim - table[e, j]", "delta = aim + table[e, j]"),
        M("trace_step", "table[e, j] - before[e]", "0.0"),
        M("trace_step", "table[e, j] - before[e]", "table[e, j] + before[e]"),
        M("trace_step", "own = decay * traces[e, j]", "own = traces[e, j]"),
        M("trace_step", "own += alpha\n", "own = alpha\n"),
        M("trace_step", "own = alpha\n", "own += alpha\n"),
        M("trace_step", "alpha * (1.0 - own)", "alpha * (1.0 + own)"),
        M("trace_step", "alpha * (1.0 - own)", "alpha"),
        M("trace_step", "rho * (own if", "(own if"),
        M("trace_step", "rho * (own if", "1.0 / rho * (own if"),
        M("trace_step", "rho * (own if i == j else decay * traces[e, i])",
          "(rho * own if i == j else decay * traces[e, i])"),
        M("trace_step", "else decay * traces[e, i]", "else traces[e, i]"),
        M("trace_step", "z < 1e-300", "z < 1e-3"),
        M("trace_step", "traces[e, i] = 0.0", "pass"),
        M("trace_step", "traces[e, i] = z", "pass"),
        M("trace_step", "active[e, kept] = i", "pass"),
        M("trace_step", "kept += 1", "pass"),
        M("trace_step", "count[e] = kept", "pass"),
        M("trace_step", "count[e] += 1", "pass"),
        M("trace_step", "if total.shape[1] > 0:", "if False:"),
        M("trace_step", "tally(table, e, i, k,", "tally(table, e, i, k + 1,"),
        M("trace_step", "tally(table, e, i, k,", "tally(table, e, j, k,"),
        M("trace_step", "table[e, i] += delta * z", "table[e, i] -= delta * z"),
        M("trace_step", "d * (z - alpha if i == j else z)", "d * z"),
        M("trace_step", "d * (z - alpha if i == j else z)", "d * (z - alpha)"),
        M("trace_step", "if kind == 2:", "if kind >= 0:"),
        M("td_lambda_walk", "gamma * worth", "worth"),
        M("td_lambda_walk", "aim += gamma", "aim -= gamma"),
        M("td_lambda_walk", "gamma * worth", "gamma * v[e, pair_state[i]]"),
        M("td_lambda_walk", WORTH.format(at="", s2="s2"), "worth = v[e, s2]\n            if True:"),
        M("td_lambda_walk", "reward[out] if len(reward) > 0 else r[i]", "r[i]"),
        M("td_lambda_walk", "rho[i], step_size", "1.0, step_size"),
        M("td_lambda_walk", "rho[i], step_size", "1.0 / rho[i], step_size"),
        M("td_lambda_walk", "decay, pair_state[i]", "decay, s2"),
        M("td_lambda_walk", "before[e] = worth", "pass"),
        M("td_lambda_walk", "before[e] = worth", "before[e] = gamma * worth"),
        M("td_lambda_walk", "forget(e, count, active, traces)", "pass"),
        M("td_lambda_walk", "if done or clock[e] == episode_steps:", "if done:"),
        M("td_lambda_walk", "clock[e] == episode_steps", "clock[e] > episode_steps"),
        M("td_lambda_walk", "clock[e] = 0", "pass"),
        M("td_lambda_walk", "done = terminal[s2]", "done = terminal[s2] or clock[e] + 1 == episode_steps"),
        M("td_lambda_walk", "s2 = search(start, uniforms[e, k, 1])", "pass"),
        M("td_lambda_walk", "uniforms[e, k, 2]", "uniforms[e, k, 0]"),
        M("td_lambda_walk", "scan(cum, pair_ptr[s2]", "scan(cum, pair_ptr[pair_state[i]]"),
        M("td_lambda_walk", "per_step, step + k,", "per_step, k,"),
        M("td_lambda_given", WORTH.format(at="[at]", s2="next_state[at]"),
          "worth = v[e, next_state[at]]\n            if True:"),
        M("td_lambda_given", "gamma * worth", "worth"),
        M("td_lambda_given", "rho[i], step_size", "1.0, step_size"),
        M("td_lambda_given", "before[e] = worth", "pass"),
        M("td_lambda_given", "next_row[at] < 0", "done[at]"),
        M("td_lambda_given", "next_row[at] < 0", "False"),
        M("td_lambda_given", "(step + k) %", "(step + k + 1) %"),
        M("td_lambda_given", "per_step, step + k,", "per_step, k,"),
        M("td_lambda_given", "aim = reward[at]", "aim = -reward[at]"),
        M("q_lambda_walk", f"gamma * q[e, {BEST}]", f"q[e, {BEST}]"),
        M("q_lambda_walk", f"q[e, {BEST}]", "q[e, pair_ptr[s2]]"),
        M("q_lambda_walk", f"q[e, {BEST}]", "np.mean(q[e, pair_ptr[s2] : pair_ptr[s2 + 1]])"),
        M("q_lambda_walk", BEST, "greedy(q, e, pair_ptr[model.pair_state[i]], pair_ptr[model.pair_state[i] + 1])"),
        M("q_lambda_walk", "if not done:", "if True:"),
        M("q_lambda_walk", "aim += gamma", "aim -= gamma"),
        M("q_lambda_walk", "reward[out] if len(reward) > 0 else r[i]", "r[i]"),
        M("q_lambda_walk", "decay, i, aim", "decay, pair_ptr[s2], aim"),
        M("q_lambda_walk", OVER, "                clock[e] = 0"),
        M("q_lambda_walk", "clock[e] == episode_steps", "clock[e] > episode_steps"),
        M("q_lambda_walk", "clock[e] = 0", "pass"),
        M("q_lambda_walk", "if q[e, row[e]] < q[e, best]:", "if False:"),
        M("q_lambda_walk", "if q[e, row[e]] < q[e, best]:", "if True:"),
        M("q_lambda_walk", "if q[e, row[e]] < q[e, best]:", "if row[e] != best:"),
        M("q_lambda_walk", "rate(explore_rate, step + k + 1)", "rate(explore_rate, k + 1)"),
        M("q_lambda_walk", "rate(explore_rate, step + k + 1)", "rate(explore_rate, step + k)"),
        M("q_lambda_walk", "per_step, step + k,", "per_step, k,"),
        M("q_lambda_walk", "s2 = search(start, uniforms[e, k, 1])", "pass"),
        M("q_lambda_given", "gamma * q[e, greedy", "q[e, greedy"),
        M("q_lambda_given", "if not done[at]:", "if True:"),
        M("q_lambda_given", "gamma * q[e, greedy(q, e, first, last)]", "gamma * q[e, next_row[at]]"),
        M("q_lambda_given", "next_row[at] < 0 or ", ""),
        M("q_lambda_given", " or q[e, next_row[at]] < q[e, greedy(q, e, first, last)]", ""),
        M("q_lambda_given", "q[e, next_row[at]] < q[e", "q[e, next_row[at]] <= q[e"),
        M("q_lambda_given", "next_row[at] < 0", "done[at]"),
        M("q_lambda_given", "(step + k) %", "(step + k + 1) %"),
        M("q_lambda_given", "per_step, step + k,", "per_step, k,"),
    ],
    "monte_carlo": [
        M("learn_returns", "+ gamma * G", "+ G"),
        M("learn_returns", "+ gamma * G", "- gamma * G"),
        M("learn_returns", "rewards[b, t] +", "rewards[b, max(t - 1, first)] +"),
        M("learn_returns", "range(last - 1, first - 1, -1)", "range(last - 2, first - 1, -1)"),
        M("learn_returns", "range(last - 1, first - 1, -1)", "range(last - 1, first, -1)"),
        M("learn_returns", "range(last - 1, first - 1, -1)", "range(keep - 1, first - 1, -1)"),
        M("learn_returns", "G *= rho[i]", "pass"),
        M("learn_returns", "G *= rho[i]", "G /= rho[i]"),
        M("learn_returns", "W *= rho[i]", "pass"),
        M("learn_returns", "W *= rho[i]", "W /= rho[i]"),
        M("learn_returns", "W *= rho[i]", "W = rho[i]"),
        M("learn_returns", "i = -i - 1", "i = -i"),
        M("learn_returns", "if again or t >= keep", "if t >= keep"),
        M("learn_returns", "t >= keep", "t > keep"),
        M("learn_returns", "t >= keep", "t >= last"),
        M("learn_returns", "(importance == 1 and W == 0.0)", "False"),
        M("learn_returns", "visits[e, s] += 1", "visits[e, s] += 2"),
        M("learn_returns", "mass[e, s] += W", "mass[e, s] += 1.0"),
        M("learn_returns", "n = mass[e, s]", "pass"),
        M("learn_returns", "n = k + 1.0", "n = k + 2.0"),
        M("learn_returns", "if per_step:", "if False:"),
        M("learn_returns", "if total.shape[1] > 0:", "if False:"),
        M("learn_returns", "tally(v, e, s, k,", "tally(v, e, s, k + 1,"),
        M("learn_returns", "(W * G - v[e, s])", "W * (G - v[e, s])"),
        M("learn_returns", "(W * G - v[e, s])", "(G - v[e, s])"),
        M("learn_returns", "(W * G - v[e, s])", "(W * G + v[e, s])"),
        M("learn_returns", "rate(step_size, n) * W * (G - v[e, s])", "rate(step_size, n) * (W * G - v[e, s])"),
        M("learn_returns", "rate(step_size, n) * W * (G", "rate(step_size, n) * (G"),
        M("learn_returns", "rate(step_size, n) * W * (G", "1.01 * rate(step_size, n) * W * (G"),
        M("learn_returns", "rate(step_size, n) * (W", "1.01 * rate(step_size, n) * (W"),
        M("learn_returns", "rate(step_size, n) * (G", "1.01 * rate(step_size, n) * (G"),
        M("learn_returns", "if importance == 2:", "if importance == 0:"),
        M("returns_walk", "rows[e, t] = i", "rows[e, t] = row[0]"),
        M("returns_walk", "reward[out] if len(reward) > 0 else r[i]", "r[i]"),
        M("returns_walk", "if first_visit:", "if True:"),
        M("returns_walk", "if first_visit:", "if False:"),
        M("returns_walk", "seen[e, s] == episode[e]", "seen[e, s] >= 0"),
        M("returns_walk", "seen[e, s] == episode[e]", "seen[e, s2] == episode[e]"),
        M("returns_walk", "rows[e, t] = -i - 1", "rows[e, t] = -i"),
        M("returns_walk", "t == rows.shape[1]", "t == rows.shape[1] - 1"),
        M("returns_walk", "keep = t if done else t - missing", "keep = t"),
        M("returns_walk", "keep = t if done else t - missing", "keep = t - missing"),
        M("returns_walk", "t - missing", "t - missing - 1"),
        M("returns_walk", "e, 0, keep, t,", "e, 1, keep, t,"),
        M("returns_walk", "e, 0, keep, t,", "0, 0, keep, t,"),
        M("returns_walk", "if not done:", "if True:"),
        M("returns_walk", "if done or restart:", "if done:"),
        M("returns_walk", "if done or restart:", "if True:"),
        M("returns_walk", "episode[e] += 1", "pass"),
        M("returns_walk", "t = 0", "pass"),
        M("returns_walk", "step + k,", "k,"),
        M("returns_walk", "search(start, uniforms[e, k, 1])", "search(start, uniforms[e, k, 0])"),
        M("returns_walk", "uniforms[e, k, 2]", "uniforms[e, k, 0]"),
        M("returns_given", "(step + k) % N", "(step + k + 1) % N"),
        M("returns_given", "begun[at] < 0", "begun[at] <= 0"),
        M("returns_given", "begun[at], keep", "begun[at] + 1, keep"),
        M("returns_given", "keep[at], at + 1", "at + 1, at + 1"),
        M("returns_given", "keep[at], at + 1", "keep[at], at"),
        M("returns_given", "step + k, e", "k, e"),
        M("returns_given", "episode[e] += 1", "pass"),
    ],
    "batch": [
        M("count_walk", "count[e, out] += 1", "count[e, out] = 1"),
        M("count_walk", "count[e, out] += 1", "count[e, i] += 1"),
        M("count_walk", "scan(outcome, row_ptr[i]", "scan(outcome, 0"),
        M("count_walk", "terminal[s2] or clock", "clock"),
        M("count_walk", "clock[e] == episode_steps", "clock[e] > episode_steps"),
        M("count_walk", "clock[e] = 0", "pass"),
        M("count_walk", "search(start, uniforms[e, k, 1])", "search(start, uniforms[e, k, 0])"),
        M("count_walk", "scan(cum, pair_ptr[s2]", "scan(cum, pair_ptr[model.pair_state[i]]"),
        M("count_walk", "search(pairs, uniforms[e, k, 1])", "search(pairs, uniforms[e, k, 0])"),
        M("count_walk", "i + 1 < len(row_ptr) - 1", "i + 2 < len(row_ptr) - 1"),
        M("find_ways_out", "weight[j] > 0.0", "weight[j] >= 0.0"),
        M("find_ways_out", "over[j] or ", ""),
        M("find_ways_out", "mass[s2] == 0.0 or ", ""),
        M("find_ways_out", " or found[s2]", ""),
        M("find_ways_out", "found[state[j]] = True\n                    grew = True", "found[state[j]] = True"),
        M("present", "aim += gamma * v", "aim += v"),
        M("present", "aim += gamma * v", "aim -= gamma * v"),
        M("present", "gamma * v[next_state[j]]", "gamma * v[s]"),
        M("present", "if not over[j]:", "if True:"),
        M("present", "weight[j] * (aim", "(aim"),
        M("present", "aim - v[s]", "aim + v[s]"),
        M("present", "error[s] / mass[s]", "error[s]"),
        M("present", "error[s] / mass[s]", "1.01 * error[s] / mass[s]"),
        M("present", "error[s] += weight", "error[s] = weight"),
        M("present", "error[s] = 0.0", "pass"),
        M("present", "v[s] += step", "v[s] -= step"),
        M("present", "            if mass[s] > 0.0:", "            if True:"),
        M("present", "max(change, abs(step))", "abs(step)"),
        M("present", "max(change, abs(step))", "max(change, step)"),
        M("present", "2.0**-50", "2.0**-30"),
        M("present", "2.0**-50", "0.0"),
        M("present", "range(sweeps)", "range(sweeps - 1)"),
    ],
    "linear": [
        M("dot", "value[m] * w[e, col[m]]", "w[e, col[m]]"),
        M("dot", "ptr[j + 1]", "ptr[j + 1] - 1"),
        M("dot", "w[e, col[m]]", "w[0, col[m]]"),
        M("climb", "change * value[m]", "change"),
        M("climb", "+= change", "-= change"),
        M("climb", "if total.shape[1] > 0:", "if False:"),
        M("climb", "tally(w, e, col[m], k,", "tally(w, e, col[m], k + 1,"),
        M("climb", "ptr[j + 1]", "ptr[j + 1] - 1"),
        M("follow", "(k + 1) %", "k %"),
        M("follow", "by * (table", "(1.0 - by) * (table"),
        M("linear_td_walk", f"gamma * {BEHIND}", BEHIND),
        M("linear_td_walk", f"aim += gamma * {BEHIND}", f"aim -= gamma * {BEHIND}"),
        M("linear_td_walk", "s2, bar, e", "s, bar, e"),
        M("linear_td_walk", "s2, bar, e", "s2, w, e"),
        M("linear_td_walk", "if not done:", "if True:"),
        M("linear_td_walk", "value, s, alpha", "value, s2, alpha"),
        M("linear_td_walk", "aim - dot", "aim + dot"),
        M("linear_td_walk", "value, s, w, e)\n", "value, s, bar, e)\n"),
        M("linear_td_walk", "alpha * rho[i] * delta", "alpha * delta"),
        M("linear_td_walk", "alpha * rho[i] * delta", "alpha / rho[i] * delta"),
        M("linear_td_walk", "alpha * rho[i] * delta", "1.01 * alpha * rho[i] * delta"),
        M("linear_td_walk", "step + k + 1 if per_step", "k + 1 if per_step"),
        M("linear_td_walk", "else visits[e, s]", "else visits[e, s] + 1"),
        M("linear_td_walk", "if target > 0:", "if False:"),
        M("linear_td_walk", "follow(w, e, step + k,", "follow(w, e, k,"),
        M("linear_td_walk", "delta, step + k,", "delta, k,"),
        M("linear_td_walk", "reward[out] if len(reward) > 0 else r[i]", "r[i]"),
        M("linear_td_walk", "clock[e] == episode_steps", "clock[e] > episode_steps"),
        M("linear_td_walk", "clock[e] = 0", "pass"),
        M("linear_td_walk", "s2 = search(start, uniforms[e, k, 1])", "pass"),
        M("linear_td_walk", "scan(cum, pair_ptr[s2]", "scan(cum, pair_ptr[s]"),
        M("linear_td_walk", "search(pairs, uniforms[e, k, 1])", "search(pairs, uniforms[e, k, 0])"),
        M("linear_td_walk", "i + 1 < len(pair_state)", "i + 2 < len(pair_state)"),
        M("linear_q_walk", "aim += gamma * after", "aim += after"),
        M("linear_q_walk", "aim += gamma * after", "aim -= gamma * after"),
        # "if not done" is for clearness: a terminal state has no rows, and a sum over none is 0.
        M("linear_q_walk", "range(pair_ptr[s2], pair_ptr[s2 + 1])",
          "range(pair_ptr[model.pair_state[i]], pair_ptr[model.pair_state[i] + 1])"),
        M("linear_q_walk", "one = dot(ptr, col, value, j, bar, e)", "one = dot(ptr, col, value, j, w, e)"),
        M("linear_q_walk", "one = dot(ptr, col, value, j, bar, e)", "one = dot(ptr, col, value, i, bar, e)"),
        M("linear_q_walk", "if rule == 1:", "if False:"),
        M("linear_q_walk", "if rule == 1:", "if True:"),
        M("linear_q_walk", "pi[j] * one", "one"),
        M("linear_q_walk", "one > after", "one < after"),
        M("linear_q_walk", "j == pair_ptr[s2] or one", "one"),
        M("linear_q_walk", "value, i, alpha", "value, row[0], alpha"),
        M("linear_q_walk", "value, i, alpha", "value, pair_ptr[s2], alpha"),
        M("linear_q_walk", "alpha * delta", "1.01 * alpha * delta"),
        M("linear_q_walk", "alpha * delta", "-alpha * delta"),
        M("linear_q_walk", "aim - dot", "aim + dot"),
        M("linear_q_walk", "if target > 0:", "if False:"),
        M("linear_q_walk", "follow(w, e, step + k,", "follow(w, e, k,"),
        M("linear_q_walk", "delta, step + k,", "delta, k,"),
        M("linear_q_walk", "step + k + 1 if per_step", "k + 1 if per_step"),
        M("linear_q_walk", "visits[e, i] += 1", "visits[e, i] += 2"),
        M("linear_q_walk", "rate(explore_rate, step + k + 1)", "rate(explore_rate, k + 1)"),
        M("linear_q_walk", "if kind > 0:", "if False:"),
        M("linear_q_walk", "q[e, j] = dot(ptr, col, value, j, w, e)", "q[e, j] = dot(ptr, col, value, j, bar, e)"),
        M("linear_q_walk", "best = greedy(q, e, first, last)", "pass"),
        M("linear_q_walk", "clock[e] == episode_steps", "clock[e] > episode_steps"),
        M("linear_q_walk", "clock[e] = 0", "pass"),
        M("linear_q_walk", "s2 = search(start, uniforms[e, k, 1])", "pass"),
        M("linear_q_walk", "search(pairs, uniforms[e, k, 1])", "search(pairs, uniforms[e, k, 0])"),
        M("linear_q_walk", "i + 1 < q.shape[1]", "i + 2 < q.shape[1]"),
    ],
}  # fmt: skip


# -- the checks: each is what the twin leaves behind, and a call of the kernels that leaves the same ------------------

STEPS = sum(PIECES)


class Told:
    """Steps for a twin: it knows how many there were, and what the table was after each."""

    def __init__(self, steps, table, code, per_step):
        self.steps, self.table, self.history, self.k = steps, table, [], 0
        self.step_size = lambda n: reference_returns.rate_at(code, self.k if per_step else n)

    def __iter__(self):
        for step in self.steps:
            self.k += 1
            yield step
            self.history.append(list(self.table))


def by_twin(case, per_step, run):
    """Table, visits and sum of all tables of each run; `run` takes the run e, a way to tell it steps, and tables."""
    left = []
    for e, start in enumerate(case.tables["table"].tolist()):
        visits, made = [0] * len(start), []

        def tell(steps, table=start, made=made):
            made.append(Told(steps, table, case.step_size, per_step))
            return made[0]

        run(e, tell, visits, start)
        left.append((start, visits, np.sum(made[0].history, axis=0)))
    return [np.array(x, dtype=float) for x in zip(*left, strict=True)]


def by_kernel(case, average, own, run):
    """The same of a kernel; `run` takes a number of steps (or their uniforms), the step, and all that changes."""
    tables, own = case.copied(), {name: x.copy() for name, x in own.items()}
    kept = [tables[name] for name in ("visits", "total", "since", "table")]
    done = 0
    for n in PIECES:
        run(np.ascontiguousarray(case.uniforms[:, done : done + n, :3]), done, *own.values(), *kept)
        done += n
    total = tables["total"] + tables["table"] * (done - tables["since"]) if average else None
    return tables["table"], tables["visits"], total


def equal(expected, left):
    """Equal bits; sums over all steps but for their rounding, where they are kept."""
    return all(
        b is None or np.array_equal(a, b, equal_nan=True) for a, b in zip(expected[:2], left[:2], strict=True)
    ) and (left[2] is None or np.allclose(expected[2], left[2], rtol=1e-10, atol=1e-10, equal_nan=True))


def log_of(case):
    """Seven transitions as kernels take them, and (row, r, s', done, next row) of 30 steps, over and over again."""
    given = case.given()
    lines = list(zip(*(x.tolist() for x in given), strict=True))
    return given, [lines[k % len(lines)] for k in range(STEPS)]


def walking(case):
    return {"clock": np.zeros(2, dtype=np.int64), "row": case.tables["row"]}


def n_step_check(seed, kind, n, cut, given):
    average, per_step = seed % 3 == 0, seed % 5 == 1
    case = Case(5000 + seed, states=kind != 2, step_size=seed % 5, average=average)
    model, ratio = case.model, case.pi if kind == 2 else case.rho
    own = walking(case) | {"held": np.zeros((2, n), dtype=np.int64), "earned": np.full((2, n), math.nan)}
    pairs = model.gamma, model.pair_ptr, model.pair_state
    transitions, log = log_of(case)
    if given:
        del own["row"]

    def twin(e, tell, visits, table):
        if given:
            told = tell([(*line[:4], line[4] < 0) for line in log])
            reference_traces.n_step_given(told, kind, ratio, n, *pairs, told.step_size, visits, table)
        else:
            told = tell(case.uniforms[e, :, :3].tolist())
            reference_traces.n_step_walk(
                model, kind, ratio, case.cum, n, told.step_size, cut, int(case.tables["row"][e]), told, visits, table
            )  # fmt: skip

    def call(made):
        def run(uniforms, step, *tables):
            if given:
                made["n_step_given"](
                    transitions, kind, ratio, *pairs, case.step_size, per_step, uniforms.shape[1], step, *tables
                )  # fmt: skip
            else:
                made["n_step_walk"](
                    model, kind, ratio, case.cum, case.step_size, per_step, cut, uniforms, step, *tables
                )

        return by_kernel(case, average, own, run)

    return by_twin(case, per_step, twin), call, equal


def traces_check(seed, learner, kind, trace, cut, given):
    average, per_step = seed % 3 == 0, seed % 5 == 1
    case = Case(6000 + seed, states=learner == "td", step_size=seed % 5, average=average)
    model, entries = case.model, case.tables["table"].shape[1]
    decay, rho = model.gamma * trace, np.ones(len(case.rho)) if kind == 2 else case.rho
    epsilon = Schedule.of("0.3").code
    own = walking(case) | {
        "before": np.zeros(2), "count": np.zeros(2, dtype=np.int64), "active": np.zeros((2, entries), dtype=np.int64),
        "traces": np.zeros((2, entries)),
    }  # fmt: skip
    transitions, log = log_of(case)
    if given:
        del own["clock"], own["row"]

    def twin(e, tell, visits, table):
        told = tell(case.uniforms[e, :, :3].tolist())
        row = int(case.tables["row"][e])
        if given and learner == "td":
            told.steps = [(*line[:4], line[4] < 0) for line in log]
            for _ in reference_traces.td_lambda_given(
                told, kind, decay, rho, model.gamma, model.pair_state, told.step_size, visits, table
            ):
                pass
        elif given:
            told.steps = log
            reference_traces.q_lambda_given(
                told, kind, decay, model.gamma, model.pair_ptr, told.step_size, visits, table
            )
        elif learner == "td":
            reference_traces.td_lambda_walk(
                model, kind, decay, rho, case.cum, told.step_size, cut, row, told, visits, table
            )
        else:
            reference_traces.q_lambda_walk(
                model, kind, decay, 0.3, told.step_size, cut, row, told, visits, table
            )

    def call(made):
        def run(uniforms, step, *tables):
            size, steps = (case.step_size, per_step), uniforms.shape[1]
            if given and learner == "td":
                made["td_lambda_given"](
                    transitions, kind, decay, rho, model.gamma, model.pair_state, *size, steps, step, *tables
                )
            elif given:
                made["q_lambda_given"](
                    transitions, kind, decay, model.gamma, model.pair_ptr, *size, steps, step, *tables
                )
            elif learner == "td":
                made["td_lambda_walk"](model, kind, decay, rho, case.cum, *size, cut, uniforms, step, *tables)
            else:
                made["q_lambda_walk"](
                    model, kind, decay, 1, epsilon, case.cum, *size, cut, uniforms, step, *tables
                )

        return by_kernel(case, average, own, run)

    return by_twin(case, per_step, twin), call, equal


def no_trace_check(seed, kind):
    """Q(λ) at λ = 0 is Q-learning, with every way of exploring and its schedule."""
    case = Case(6500 + seed, kind=kind)
    tables = case.q(reference, 2, episode_steps=4)
    entries = case.tables["table"].shape[1]
    own = walking(case) | {
        "before": np.zeros(2), "count": np.zeros(2, dtype=np.int64), "active": np.zeros((2, entries), dtype=np.int64),
        "traces": np.zeros((2, entries)),
    }  # fmt: skip

    def call(made):
        def run(uniforms, step, *tables):
            made["q_lambda_walk"](
                case.model, 0, 0.0, kind, case.rate, case.cum, case.step_size, False, 4, uniforms, step, *tables
            )  # fmt: skip

        return by_kernel(case, False, own, run)

    return (tables["table"], tables["visits"], None), call, equal


def same_arguments(name, *arguments):
    """A check where the twin in reference_returns takes what the kernel takes."""

    def call(function):
        own = [x.copy() if isinstance(x, np.ndarray) else x for x in arguments]
        return [function(*own), *(x for x in own if isinstance(x, np.ndarray))]

    def equal(a, b):
        return a[0] == b[0] and all(x.tobytes() == y.tobytes() for x, y in zip(a[1:], b[1:], strict=True))

    return call(getattr(reference_returns, name)), lambda made: call(made[name]), equal


def monte_carlo_checks(seed, importance, first, restart):
    average, per_step, rng = seed % 2 == 0, seed % 5 == 1, np.random.default_rng(seed)
    case = Case(7000 + seed, states=True, step_size=seed % 5, average=average)
    mdp, S, longest = case.mdp, case.mdp.S, (2, 4, 20)[seed % 3]
    missing = (1, 2, 0)[seed % 3]
    rho = np.where(rng.random(mdp.L) < 0.2, 0.0, case.rho) if seed % 4 == 3 else case.rho
    tables = case.copied()
    episode, mass = np.zeros(2, dtype=np.int64), np.zeros((2, S))
    kept = mass, tables["visits"], tables["total"], tables["since"], tables["table"]
    yield same_arguments(
        "returns_walk", case.model, case.cum, rho, importance, first, case.step_size, per_step, missing, restart,
        np.ascontiguousarray(case.uniforms[:, :, :3]), 7, tables["clock"], tables["row"],
        rng.integers(0, mdp.L, (2, longest)), rng.normal(size=(2, longest)), np.full((2, S), -1), episode,
        episode.copy(), *kept,
    )  # fmt: skip
    ends = np.array([2, 5, 6, 11])
    begun = np.full(12, -1)
    begun[ends] = [0, 3, 6, 7]
    keep = np.arange(12) + (rng.random(12) < 0.5)
    rows = rng.integers(0, mdp.L, 12)
    yield same_arguments(
        "returns_given", np.where(rng.random(12) < 0.2, -rows - 1, rows)[None], rng.normal(size=(1, 12)), begun, keep,
        mdp.pair_state, mdp.gamma, rho, importance, case.step_size, per_step, 30, 7, episode, *kept,
    )  # fmt: skip


def batch_checks(seed):
    rng = np.random.default_rng(seed)
    case = Case(8000 + seed, states=True)
    mdp, S = case.mdp, case.mdp.S
    for source_, cut in itertools.product(range(3), (0, 4)):
        yield same_arguments(
            "count_walk", case.model, case.cum, source_, case.pairs, cut,
            np.ascontiguousarray(case.uniforms[:, :, :3]), np.zeros(2, dtype=np.int64), case.tables["row"],
            rng.integers(0, 3, (2, mdp.K)),
        )  # fmt: skip
    n = 15
    weight = rng.random(n) * (rng.random(n) < 0.7)
    state, to = rng.integers(0, S - 1, n), rng.integers(0, S, n)
    over = (rng.random(n) < 0.2) | (to == S - 1)
    mass = np.bincount(state, weight, S)
    mass[seed % S] = 0.0
    v = np.append(rng.normal(size=S - 1), math.nan)
    for sweeps, reward in itertools.product((1, 3, 300), (rng.normal(size=n), -np.ones(n))):
        yield same_arguments(
            "present", weight, state, reward, to, over, 0.8, mass, sweeps, rng.normal(size=S), v,
        )  # fmt: skip
    line, no = np.arange(6), np.zeros(6, dtype=bool)
    for weights, ends, masses in (
        (np.ones(6), line == 5, np.ones(7)),  # a chain told from its far end: many rounds
        (np.ones(6), no, np.ones(7)),  # no way out
        (np.zeros(6), line == 5, np.ones(7)),  # nothing was seen
        (np.ones(6), no, np.where(np.arange(7) == 2, 0.0, 1.0)),  # 1 leads to 2, of which nothing is known
    ):
        yield same_arguments("find_ways_out", weights, line, line + 1, ends, masses, np.zeros(7, dtype=bool))


TARGETS = ("none", "copy", "average")


def linear_check(seed, learner, source_, target, limit):
    """One of linear_td_walk ("td") and linear_q_walk ("expected", "max", "ε": greedy but for ε = .3)."""
    per_step, average = seed % 4 == 1, seed % 3 == 0
    case = Case(9000 + seed, states=learner == "td", step_size=seed % 5, target=target)
    mdp, rng, d = case.mdp, np.random.default_rng(seed), 3
    behavior, policy = random_policy(mdp, case.seed), random_policy(mdp, case.seed + 1)
    entries = mdp.S if learner == "td" else mdp.L
    X = rng.normal(size=(entries, d)) * (rng.random((entries, d)) < 0.7)
    if learner == "td":
        X[mdp.terminal] = math.nan
    x = read_features(X, entries, "entries")
    rows = x.ptr, x.col, x.value
    start, first = rng.normal(size=(2, d)), rng.random((2, 2))
    schedule = Schedule.of(SCHEDULES[seed % 5])
    code, kind = schedule.code, int(learner == "ε")
    epsilon = Schedule.of("0.3").code
    common = ("trajectory", "independent", "sweeps")[source_], (TARGETS[target], case.by), limit or None
    histories = []
    for e in range(2):
        uniforms = case.uniforms[e, :, :3].tolist()
        per, more = "step" if per_step else "visit", (start[e].tolist(), first[e].tolist(), uniforms)
        if learner == "td":
            history = reference_linear.linear_td_walk(
                mdp, X.tolist(), policy, behavior, schedule, per, *common, *more
            )
        else:
            history = reference_linear.linear_q_walk(
                mdp, X.tolist(), policy if learner == "expected" else None, behavior, 0.3 if kind else None, schedule,
                per, *common, *more,
            )  # fmt: skip
        histories.append(history)
    expected = np.array([h[-1] for h in histories]), np.sum(histories, axis=1)

    def call(made):
        w, kept = start.copy(), d if average else 0
        bar = w.copy() if target else w
        total, since = np.zeros((2, kept)), np.zeros((2, kept), dtype=np.int64)
        visits, clock, row = (
            np.zeros((2, entries), dtype=np.int64), np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int64),
        )  # fmt: skip
        scratch = x.times(w)
        made["begin"](case.model, kind, 0.3, case.cum, source_, case.pairs, visits, scratch, first, row)
        scratch[:] = math.nan
        done = 0
        for n in PIECES:
            uniforms = np.ascontiguousarray(case.uniforms[:, done : done + n, :3])
            how = (
                code,
                per_step,
                source_,
                case.pairs,
                target,
                case.by,
                limit,
                uniforms,
                done,
                clock,
                row,
                visits,
            )
            if learner == "td":
                made["linear_td_walk"](case.model, *rows, case.cum, case.rho, *how, total, since, bar, w)
            else:
                made["linear_q_walk"](
                    case.model, *rows, 1 if learner == "expected" else 2, case.pi, kind, epsilon, case.cum, *how, total,
                    since, scratch, bar, w,
                )  # fmt: skip
            done += n
        return w, total + w * (done - since) if average else None

    def equal(a, b):
        return np.array_equal(a[0], b[0]) and (
            b[1] is None or np.allclose(a[1], b[1], rtol=1e-10, atol=1e-10)
        )

    return expected, call, equal


def one_hot_check(seed, rule, kind):
    """With one-hot features the weights are the table of Q-learning and expected SARSA, however one explores."""
    case = Case(9500 + seed, kind=kind, target=seed % 3)
    tables = case.q(reference, rule, episode_steps=4)
    x = read_features("one-hot", case.mdp.L, "pairs")

    def call(made):
        own, done = case.copied(), 0
        clock, row, visits, total, since, bar, w = own.values()
        for n in PIECES:
            made["linear_q_walk"](
                case.model, x.ptr, x.col, x.value, rule, case.pi, kind, case.rate, case.cum, case.step_size, False, 0,
                case.pairs, case.target, case.by, 4, np.ascontiguousarray(case.uniforms[:, done : done + n, :3]), done,
                clock, row, visits, total, since, np.full(w.shape, math.nan), bar, w,
            )  # fmt: skip
            done += n
        return w, visits

    return (tables["table"], tables["visits"]), call, lambda a, b: all(map(np.array_equal, a, b))


@functools.cache
def checks(module):
    """All checks of a module's kernels."""

    def over(check, *options):
        return [check(seed, *option) for seed, option in enumerate(itertools.product(*options))]

    if module == "n_step":
        return over(n_step_check, range(3), (1, 3), (0, 4), (False, True))
    if module == "traces":
        td = over(traces_check, ("td",), range(3), (0.0, 0.2, 0.9, 1.0), (0, 4), (False, True))
        q = over(traces_check, ("q",), range(2), (0.5, 0.9), (0, 4), (False, True))
        return td + q + over(no_trace_check, range(4))
    if module == "monte_carlo":
        made = over(lambda *options: [*monte_carlo_checks(*options)], range(3), (False, True), (False, True))
        return [check for pair in made for check in pair]
    if module == "batch":
        return [check for seed in range(3) for check in batch_checks(seed)]
    learners = over(linear_check, ("td", "expected", "max", "ε"), range(3), range(3), (0, 4))
    return learners + over(one_hot_check, (1, 2), range(4))


def differs(made, module):
    """Does any check leave something else behind than its twin, or fail? A name that is not there is no mistake."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return any(not equal(expected, call(made)) for expected, call, equal in checks(module))
    except NameError:
        raise
    except Exception:
        return True


@pytest.mark.parametrize("module", MUTANTS)
def test_nothing_is_found_where_nothing_is_planted(module):
    made = compiled(source(module))
    for expected, call, equal in checks(module):
        assert equal(expected, call(made))


@pytest.mark.parametrize(
    ("module", "mutant"),
    [(module, mutant) for module, listed in MUTANTS.items() for mutant in listed],
    ids=str,
)
def test_mutant_is_found(module, mutant):
    made = compiled(mutant.apply(source(module)))
    made["np"] = np  # for mutants that say so
    assert differs(made, module)
