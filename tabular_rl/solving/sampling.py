"""What samplers share: streams of uniforms, cumulative probabilities, and a model made ready to be sampled."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy

if TYPE_CHECKING:
    from tabular_rl.kernels.episodes import Decisions
    from tabular_rl.kernels.walk import Model

Floats = NDArray[np.float64]
BLOCK = 65_536  # uniforms that are drawn at once


def sampling_model(mdp: MDP, *, together: bool = False) -> Model:
    """Return a model made ready to be sampled, by several runs step by step or not: that changes no number.

    >>> sampling_model(MDP([[[0.25, 0.75]], [[0.0, 0.0]]], [[1.0], [0.0]], 1, terminal=["1"])).cum.tolist()
    [0.25, 2.0]
    """
    from tabular_rl.kernels.walk import Model

    sign = mdp.sign
    reward = np.zeros(0) if mdp.reward is None else mdp.reward if sign > 0 else -mdp.reward
    return Model(
        mdp.pair_ptr,
        mdp.pair_state,
        mdp.row_ptr,
        mdp.next_state,
        cumulative(mdp.prob, mdp.row_ptr),
        read_only(reward),
        read_only(mdp.r if sign > 0 else -mdp.r),
        mdp.gamma,
        mdp.terminal,
        cumulative(mdp.start),
        together,
    )


def in_lines(model: Model) -> Model:
    """The same model with the outcomes of each row in a line of their own, if that takes no more than twice the room.

    >>> model = sampling_model(MDP([[[0.25, 0.75]], [[0.0, 0.0]]], [[5.0], [0.0]], 1, terminal=["1"]))
    >>> made = in_lines(model)
    >>> made.width, made.lines[0, [0, 3]].tolist(), made.whole[0, [1, 2]].tolist()
    (2, [0.25, 5.0], [0, -1])
    """
    from tabular_rl.kernels.lines import fill_lines
    from tabular_rl.kernels.walk import FEW, LINE

    sizes = np.diff(model.row_ptr)
    L, W = len(sizes), int(sizes.max(initial=0))
    if L == 0 or sizes.min() == 0 or W > FEW or L * W > 2 * len(model.cum):
        return model
    n = 2 * W - 1 + (W if len(model.reward) > 0 else 1)
    if n > LINE:
        n = -(-n // LINE) * LINE  # whole lines of the cache
    room = np.empty(L * n + LINE)
    room = room[-room.ctypes.data // 8 % LINE :][: L * n]
    lines = room.reshape(L, n)
    model = model._replace(width=W, lines=lines, whole=lines.view(np.int64))
    arrays = model.row_ptr, model.next_state, model.cum, model.reward, model.r, model.terminal
    fill_lines(*arrays, W, lines, model.whole)
    return model


def read_only(array: Floats) -> Floats:
    """A view that cannot be written: a kernel is compiled once for arrays of a model and for others."""
    view = array.view()
    view.flags.writeable = False
    return view


def policy_cum(policy: Policy) -> Floats:
    """The cumulative probabilities (L,) of the actions of each state."""
    return cumulative(policy.weights, policy.mdp.pair_ptr)


def decisions(policy: Policy) -> Decisions:
    """Return what a policy does, of one time or of several.

    >>> mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.5)
    >>> [x.tolist() for x in decisions(Policy.uniform(mdp))], decisions(Policy(mdp, rows=[1])).rows.tolist()
    ([[[-1]], [[0.5, 2.0]]], [[1]])
    """
    from tabular_rl.kernels.episodes import Decisions

    if policy.rows is not None:
        return Decisions(np.atleast_2d(policy.rows).astype(np.int64), np.zeros((1, 1)))
    assert policy.probs is not None
    return Decisions(
        np.full((1, policy.mdp.S), -1, dtype=np.int64),
        np.stack([cumulative(probs, policy.mdp.pair_ptr) for probs in np.atleast_2d(policy.probs)]),
    )


def cumulative(weights: Floats, ptr: NDArray[Any] | None = None) -> Floats:
    """Running sums within the groups of `ptr` (one group without it), 2 from the last positive entry on.

    The first entry above a uniform is thus always there, and never one of weight 0.

    >>> cumulative(np.array([0.5, 0.0, 0.5, 0.0])).tolist()
    [0.5, 0.5, 2.0, 2.0]
    """
    from tabular_rl.kernels.walk import accumulate

    out = np.empty(len(weights))
    groups = np.array([0, len(weights)]) if ptr is None else ptr
    accumulate(groups, np.ascontiguousarray(weights, dtype=np.float64), out)
    return out


def streams(seed: int, runs: int) -> list[np.random.Generator]:
    """One generator a run, spawned from the seed: run e gets the same numbers however many runs there are."""
    return [np.random.Generator(np.random.PCG64(s)) for s in np.random.SeedSequence(seed).spawn(runs)]


class Uniforms:
    """The uniforms of some runs, `width` a step: those of their generators, drawn by a kernel, with the same bits.

    Those of the places `unread` are passed over, and what stands there stays. The generators stand where they were
    until `close`.
    """

    def __init__(self, rngs: list[np.random.Generator], width: int, unread: tuple[int, ...] = ()) -> None:
        from tabular_rl.kernels.uniforms import fill_uniforms

        self.rngs, self.width, self.fill = rngs, width, fill_uniforms
        self.wanted = np.array([j not in unread for j in range(width)], dtype=bool)
        own = hasattr(fill_uniforms, "signatures") and all(isinstance(x, np.random.Generator) for x in rngs)
        # Kernels that are not compiled take a hundred times as long as numpy.
        self.words = np.array([_words(rng) for rng in rngs], dtype=np.uint64) if own else None

    def draw(self, first: int, last: int, out: Floats) -> None:
        """out (last - first, n, width) ← the uniforms of the next n steps of some runs."""
        if self.words is not None:
            self.fill(self.words[first:last], _leaps(self.width, out.shape[1]), self.wanted, out)
            return
        for e in range(first, last):
            self.rngs[e].random(out=out[e - first])

    def close(self) -> None:
        """Have the generators go on after what was drawn."""
        for rng, words in zip(self.rngs, () if self.words is None else self.words.tolist(), strict=False):
            state = rng.bit_generator.state
            state["state"]["state"] = words[0] << 64 | words[1]
            rng.bit_generator.state = state


MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645  # of PCG64


def _words(rng: np.random.Generator) -> tuple[int, ...]:
    """The state of a generator and what each step adds to it, as two words each, the high one first."""
    held = rng.bit_generator.state["state"]
    return (*divmod(held["state"], 2**64), *divmod(held["inc"], 2**64))


@functools.lru_cache(maxsize=256)
def _leaps(width: int, n: int) -> NDArray[np.uint64]:
    """What kernels.uniforms.leap takes, for steps of `width` numbers and calls of n steps."""
    made = []
    for m in (1, width, 4 * width, n * width):
        # modulo 2^128 (A - 1), so that the division is exact
        power = pow(MULTIPLIER, m, (MULTIPLIER - 1) << 128)
        total = (power - 1) // (MULTIPLIER - 1)
        made.append((*divmod(power % 2**128, 2**64), *divmod(total % 2**128, 2**64)))
    return np.array(made, dtype=np.uint64)
