"""Time our Q-learning against rivals in one run, and write them to benchmarks/results.md.

Each rival runs in an environment of its own, made under benchmarks/.environments from the pinned versions in the first
line of its script. One that cannot be installed, or fails, is recorded as such. CPU seconds; ours is the best of
some calls after one that compiles, and includes drawing the random numbers and recording the errors.
"""

from __future__ import annotations

import json
import platform
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import tabular_rl
from benchmarks.environments import NotInstalled, python_for, requirements
from benchmarks.page import LEARNERS, RESULTS, machine, replace_part
from tabular_rl.model import families

HERE = Path(__file__).parent
RIVALS = {
    "Gymnasium, numpy table": "gymnasium_loop",
    "mdptoolbox-hiive": "mdptoolbox_hiive",
    "MushroomRL": "mushroom",
    "bettermdptools": "bettermdptools_loop",
}
CALLS = 4
UPDATES = 16_000_000


def rival(script: str) -> tuple[float | None, str]:
    """Updates a second, or why there are none; and the versions."""
    path = HERE / "rivals" / f"{script}.py"
    pinned = " ".join(requirements(path))
    try:
        python = python_for(path)
    except NotInstalled as error:
        return None, str(error)
    try:
        done = subprocess.run([python, str(path)], check=True, capture_output=True, text=True, timeout=900)
        found = json.loads(done.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, ValueError, IndexError) as error:
        said = getattr(error, "stderr", "") or str(error)
        return None, f"failed: {said.strip().splitlines()[-1][:80] if said.strip() else error}"
    return found["updates"] / found["seconds"], pinned


def plain_python(mdp: tabular_rl.MDP, updates: int = 1_000_000) -> float:
    """Lists and random.random(): what a careful person writes without any package."""
    outcomes: list[list[tuple[float, int, float]]] = []
    for i in range(mdp.L):
        total, row = 0.0, []
        for k in range(int(mdp.row_ptr[i]), int(mdp.row_ptr[i + 1])):
            total += float(mdp.prob[k])
            reward = float(mdp.r[i]) if mdp.reward is None else float(mdp.reward[k])
            row.append((total, int(mdp.next_state[k]), reward))
        outcomes.append(row)
    rows = [list(mdp.rows(s)) for s in range(mdp.S)]
    terminal, gamma = mdp.terminal.tolist(), mdp.gamma
    starts = np.flatnonzero(mdp.start).tolist()
    q = [0.0] * mdp.L
    uniform = random.Random(0).random
    s = starts[0]
    start = time.process_time()
    for _ in range(updates):
        here = rows[s]
        i = here[int(uniform() * len(here))] if uniform() < 0.1 else max(here, key=q.__getitem__)
        u = uniform()
        for total, s2, reward in outcomes[i]:  # noqa: B007
            if u < total:
                break
        target = reward if terminal[s2] else reward + gamma * max([q[j] for j in rows[s2]])
        q[i] += 0.1 * (target - q[i])
        s = starts[int(uniform() * len(starts))] if terminal[s2] else s2
    return updates / (time.process_time() - start)


def ours(mdp: tabular_rl.MDP, runs: int) -> float:
    """Updates a second and core, all runs together."""
    reference = tabular_rl.solve(mdp)
    best = 0.0
    for _ in range(CALLS):
        options: dict[str, Any] = {"steps": UPDATES // runs, "runs": runs, "step_size": 0.1}
        tabular_rl.q_learning(mdp, steps=10, reference=reference)
        start = time.process_time()
        tabular_rl.q_learning(mdp, explore="epsilon-greedy:0.1", reference=reference, **options)
        best = max(best, UPDATES / (time.process_time() - start))
    return best


def main() -> None:
    lake, world = (tabular_rl.load(f"example:{name}") for name in ("frozen_lake_4x4", "gridworld_5x5"))
    large = families.garnet(states=10_000, actions=10, branching=7, gamma=0.99)
    own = {
        (name, runs): ours(mdp, runs)
        for name, mdp in (
            ("frozen lake", lake),
            ("gridworld, 25 states", world),
            ("garnet 10,000 x 10", large),
        )
        for runs in (1, 8, 32)
    }
    lines = [
        LEARNERS,
        "",
        f"`python -m benchmarks.learners`; {machine()}. CPU seconds, one core, everything compiled.",
        "Q-learning, α = .1, ε = .1, along a trajectory with restarts. Only ratios within a run mean something.",
        "",
        "| model | runs | million updates a second |",
        "|---|---:|---:|",
        *(f"| {name} | {runs} | {rate / 1e6:.1f} |" for (name, runs), rate in own.items()),
        "",
        "The goals are 20 million for one run on 25 states, 50 million for 8 or more, 10 million on the garnet. What a "
        "step costs, and what was tried, is in docs/decisions/018.md: ties broken at random (009) are a quarter of it "
        "on 25 states. A call records its errors some 100 times, over the tables of all runs.",
        "",
        "On the frozen lake (16 states, slippery), against one run of ours; the goals are 50 times plain Python and "
        "500 times Gymnasium, and are missed:",
        "",
        "| rival | million updates a second | ours is faster by | versions |",
        "|---|---:|---:|---|",
    ]
    base = own["frozen lake", 1]
    found: dict[str, tuple[float | None, str]] = {
        "plain Python": (plain_python(lake), platform.python_version())
    }
    for name, script in RIVALS.items():
        print(name, file=sys.stderr, flush=True)
        found[name] = rival(script)
    for name, (rate, said) in found.items():
        cells = f"{rate / 1e6:.3f} | {base / rate:.0f}" if rate else "- | -"
        lines.append(f"| {name} | {cells} | {said} |")
    text = "\n".join(lines) + "\n"
    print(text)
    replace_part(RESULTS, LEARNERS, text)


if __name__ == "__main__":
    main()
