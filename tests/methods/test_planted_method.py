"""A method is one file and one line: speedy Q-learning is planted, and is there everywhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINE = "from tabular_rl.methods.learning.speedy_q_learning import speedy_q_learning as speedy_q_learning\n"
FILE = '''"""Speedy Q-learning: Q-learning that takes the change of its estimates along in full."""

from __future__ import annotations

from typing import Any, Unpack

from tabular_rl.methods.learning._learning import Learning
from tabular_rl.methods.learning._walk import learn_by, walk_of
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving import options as o
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import method


def speedy(model, log, walk, uniforms, step, clock, row, visits, total, since, before, q):
    """q(s,a) <- q(s,a) + a [ T q'(s,a) - q(s,a) ] + (1 - a) [ T q(s,a) - T q'(s,a) ],  q' the table before"""
    from tabular_rl.kernels.one_step import tally
    from tabular_rl.kernels.walk import greedy, next_row, rate, transition

    for k in range(uniforms.shape[1]):
        x = rate(walk.explore_rate, step + k + 1)
        for e in range(len(q)):
            u = uniforms[e, k]
            i, r, s2 = transition(model, log, step + k, e, u, row)
            aim = aim_before = r
            if s2 >= 0:
                first, last = model.pair_ptr[s2], model.pair_ptr[s2 + 1]
                aim += model.gamma * q[e, greedy(q, e, first, last)]
                aim_before += model.gamma * before[e, greedy(before, e, first, last)]
            visits[e, i] += 1
            if total.shape[1] > 0:
                tally(q, e, i, step + k, total, since)
            a = rate(walk.step_size, step + k + 1 if walk.per_step else visits[e, i])
            now = q[e, i]
            q[e, i] += a * (aim_before - now) + (1 - a) * (aim - aim_before)
            before[e, i] = now
            next_row(model, walk, x, u, s2, -1, e, clock, row, visits, q)


@method(
    family="learning",
    equation="q(s,a) <- q(s,a) + a [ T q'(s,a) - q(s,a) ] + (1 - a) [ T q(s,a) - T q'(s,a) ]",
    source="Azar, Munos, Ghavamzadeh & Kappen (2011)",
    one_step=True,
)
def speedy_q_learning(
    mdp: MDP,
    *,
    behavior: Policy | None = None,
    data: Any = None,
    steps: o.Steps = 1_000_000,
    step_size: o.StepSize = "1/n",
    explore: o.Explore = "epsilon-greedy:0.1",
    source: o.Source = "trajectory",
    **shared: Unpack[o.RatedLearner],
) -> Learned:
    """Learn the optimal action values, with the change of the estimates taken along in full.

    Examples
    --------
    >>> from tabular_rl import MDP
    >>> [speedy_q_learning(MDP([[[1.0]]], [[1.0]], "1/2"), steps=n)["0"] for n in (1, 2)]     # 1; 1 + 1/2 (1 - 1)
    [1.0, 1.25]
    """
    run = Learning(speedy_q_learning, locals(), table="pairs")
    walk, _ = walk_of(run)
    before = run.add("before", 0.0)
    before[:] = run.estimates
    return learn_by(run, speedy, walk, run.visits, run.total, run.since, before, run.estimates)
'''


# Read when Python starts: two modules come from this folder, so that compiled kernels are found where they are cached.
SITE = """
import sys
from importlib.machinery import PathFinder
from importlib.util import spec_from_file_location
from pathlib import Path

PLANTED = {"tabular_rl.methods.catalogue", "tabular_rl.methods.learning.speedy_q_learning"}


class Planted(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name in PLANTED:
            return spec_from_file_location(name, Path(__file__).with_name(name.rpartition(".")[2] + ".py"))


sys.meta_path.insert(0, Planted)
"""


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A folder with the file of the method, and the catalogue with a line more, in place of that of the package."""
    folder = tmp_path_factory.mktemp("planted")
    (folder / "sitecustomize.py").write_text(SITE, encoding="utf-8")
    (folder / "speedy_q_learning.py").write_text(FILE, encoding="utf-8")
    lines = (ROOT / "tabular_rl" / "methods" / "catalogue.py").read_text(encoding="utf-8")
    (folder / "catalogue.py").write_text(lines + LINE, encoding="utf-8")
    return folder


def run(folder, *words):
    """What Python prints with the method planted."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_it_is_a_name_of_the_package(planted):
    code = (
        "import tabular_rl as t; from tabular_rl.methods.lookup import LEARNERS, METHODS; "
        "assert t.speedy_q_learning is METHODS['speedy-q-learning'] is list(LEARNERS.values())[-1]; "
        "assert 'speedy_q_learning' in t.__all__; "
        "mdp = t.MDP([[[1.0]]], [[1.0]], '1/2'); "
        "assert t.learn(mdp, 'Speedy_Q_Learning', steps=2)['0'] == 1.25; help(t.speedy_q_learning)"
    )
    assert "speedy_q_learning(mdp: 'MDP', *, behavior" in run(planted, "-c", code)


def test_it_is_on_every_screen(planted):
    commands = (
        "methods", "methods speedy-q-learning", "learn --help", "compare --help",
        "learn example:recycling_robot --method speedy-q-learning --steps 200",
        "compare example:forest VI speedy-q-learning,step-size=0.5 --steps 50",
    )  # fmt: skip
    code = (
        "import sys; from click.testing import CliRunner; from tabular_rl.commands import program; "
        "print(*(CliRunner().invoke(program, line.split()).output for line in sys.argv[1:]), sep='=====')"
    )
    methods, page, *others, learned, compared = run(planted, "-c", code, *commands).split("=====")
    assert re.search("speedy-q-learning +all ", methods)
    assert "Azar" in page and "--step-size" in page and "--trace" not in page
    assert all("speedy-q-learning" in text for text in (*others, learned))
    assert (
        "errors fall only like n^-" in learned
    )  # its trait: the verdict on steps of 1/n of a one-step method
    assert "speedy-q-learning,step-size=0.5" in compared


def test_the_contract_of_all_learners_is_asked_of_it(planted):
    """All but the parts that learn long: a rule that is not compiled would take a minute."""
    words = ("-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-k", "speedy and not shrinks")
    asked = run(planted, *words, "tests/methods/test_contract_learners.py")
    assert int(re.search(r"(\d+) passed", asked)[1]) >= 15 and "failed" not in asked
