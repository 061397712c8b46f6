"""One run: its clock, its history, and that it ends when it must, with an honest interval, wherever it stops."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import reference
from random_models import random_model

from tabular_rl import Policy, Status
from tabular_rl.methods.lookup import PLANNERS
from tabular_rl.solving import run
from tabular_rl.solving.run import MEMORY_OF_HISTORY, Run, Stop


def test_clock_and_signal_stop_a_run(monkeypatch):
    Run("m", {}).check_stop()
    with pytest.raises(Stop) as caught:
        Run("m", {}, time_limit=0).check_stop()
    assert caught.value.why == "time"
    monkeypatch.setattr(run.interrupt, "signum", 2)
    with pytest.raises(Stop) as caught:
        Run("m", {}).check_stop()
    assert caught.value.why == "signal"


def test_clock_is_the_one_that_never_jumps(monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1e18)
    made = Run("m", {}, time_limit=1000)
    made.check_stop()
    assert 0 <= made.seconds < 100


def test_work_is_counted_by_its_unit():
    made = Run("m", {})
    made.did("sweeps")
    made.did("sweeps", 3)
    made.did("linear solves")
    assert made.work == {"sweeps": 4, "linear solves": 1}


def test_history_is_thinned_but_keeps_its_span():
    made = Run("m", {})
    for sweep in range(1, 100_001):
        made.record(sweep, 1.0 / sweep)
    sweeps = [k for k, _ in made.history]
    assert 100 < len(sweeps) < MEMORY_OF_HISTORY
    assert sweeps == sorted(sweeps)
    assert sweeps[0] < 1000
    assert sweeps[-1] > 99_000
    assert all(x == 1.0 / k for k, x in made.history)


def test_listener_hears_of_progress(monkeypatch):
    heard = []
    monkeypatch.setattr(run, "listener", lambda *args: heard.append(args))
    made = Run("m", {})
    made.record(1, 1.0, target=1e-4)
    assert heard == [], "not in the first tenth of a second"
    made._told -= 1
    made.record(2, 0.01, target=1e-4)
    assert heard == [("m", pytest.approx(0.5), "2 sweeps, residual 0.01")]
    made._told -= 1
    made.record(3, 0.0, target=0.0)
    assert heard[-1][1] is None


def test_native_calls_return_and_raise_what_they_do():
    assert Run("m", {}).call(max, 3, 4) == 4
    with pytest.raises(ZeroDivisionError):
        Run("m", {}).call(lambda: 1 / 0)
    done = []
    worker = threading.Thread(target=lambda: done.append(Run("m", {}).call(max, 3, 4)))
    worker.start()
    worker.join()
    assert done == [4], "also from another thread"


def test_native_call_that_takes_too_long_is_left():
    release = threading.Event()
    with pytest.raises(Stop) as caught:
        Run("m", {}, time_limit=0.05).call(release.wait, 60)
    assert caught.value.why == "time"
    release.set()


def stopped_at(monkeypatch, breath):
    """Make every run stop at its n-th chance to."""
    count = iter(range(breath))

    def check_stop(self):
        if next(count, None) is None:
            raise Stop("signal")

    monkeypatch.setattr(Run, "check_stop", check_stop)


@pytest.mark.parametrize("name", PLANNERS)
def test_stopping_anywhere_leaves_an_honest_interval(name, monkeypatch):
    """With blocks of two outcomes a sweep has many places to stop; each leaves values half new, half old."""
    monkeypatch.setattr("tabular_rl.solving.sweeps.OUTCOMES_OF_A_BLOCK", 2)
    function, stopped = PLANNERS[name], 0
    for problem in ("discounted", "finite-horizon", "total-reward"):
        mdp = random_model(
            2, problem, exact=False, S=6, ends=1, gamma=0.9 if problem == "discounted" else None
        )
        if function.refuses(mdp):
            continue
        uniform = Policy.uniform(mdp)
        control = function.task == "control"
        truth = reference.exact_optimal_value(mdp) if control else reference.exact_policy_value(mdp, uniform)
        truth = [x for row in (truth if mdp.horizon is not None else [truth]) for x in row]
        for breath in (*range(25), 40, 60, 100, 200):
            with monkeypatch.context() as patch:
                stopped_at(patch, breath)
                answer = function(mdp) if control else function(mdp, uniform)
            if answer.lower is None:
                assert answer.status is Status.INTERRUPTED
                assert answer.bound == np.inf
            else:
                pairs = zip(answer.lower.ravel().tolist(), truth, answer.upper.ravel().tolist(), strict=True)
                assert all(a <= x <= b for a, x, b in pairs), (problem, breath)
                assert answer.status.reached or answer.status is Status.INTERRUPTED
            stopped += not answer.status.reached
            if control and mdp.horizon is None and answer.policy is not None:
                reference.exact_policy_value(mdp, answer.policy)  # a policy of this model, with a value
    assert stopped
