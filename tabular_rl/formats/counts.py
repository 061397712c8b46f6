"""How often each outcome of an estimated model was seen: CSV beside the file of the model."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import Fault, ModelError, quoted
from tabular_rl.formats.input import decode, read_all, reporting
from tabular_rl.formats.output import write_atomically
from tabular_rl.formats.sheet import Sheet, csv_text, refuse
from tabular_rl.model.mdp import MDP

Ints = NDArray[np.int64]
NO_PRIOR = Fraction(0)
COLUMNS = ("state", "action", "next_state", "count")


def counts_path(path: str) -> str:
    """Where the counts of a model are kept: beside it.

    >>> counts_path("robot.toml"), counts_path("big/")
    ('robot.counts.csv', 'big.counts.csv')
    """
    return os.path.splitext(path.rstrip("/"))[0] + ".counts.csv"


def save_counts(mdp: MDP, counts: Ints, path: str | os.PathLike[str]) -> None:
    """Write how often each outcome of a model was seen (K,), as CSV: state,action,next_state,count.

    Parameters
    ----------
    mdp : the model
    counts : how often each outcome was seen (K,)
    path : of the file, which is replaced when the new one is complete
    """

    def write(file: BinaryIO) -> None:
        states, actions = [csv_text(name) for name in mdp.states], [csv_text(name) for name in mdp.actions]
        file.write((",".join(COLUMNS) + "\n").encode())
        for (s, a, s2), n in zip(_outcomes(mdp), counts.tolist(), strict=True):
            file.write(f"{states[s]},{actions[a]},{states[s2]},{n}\n".encode())

    write_atomically(path, write)


def _outcomes(mdp: MDP) -> Iterator[tuple[int, int, int]]:
    """Yield the state, the action and the next state of each outcome."""
    rows = mdp.outcome_row
    columns = (mdp.pair_state[rows], mdp.pair_action[rows], mdp.next_state)
    return zip(*(column.tolist() for column in columns), strict=True)


def load_counts(path: str | os.PathLike[str], mdp: MDP, prior: Fraction = NO_PRIOR) -> Ints:
    """Return the counts (K,) of the outcomes of an estimated model; ModelError where they are not its own.

    Parameters
    ----------
    path : of the file
    mdp : the estimate
    prior : what was added to each count

    Returns
    -------
    (K,), 0 only with a prior
    """
    least = 0 if prior else 1
    source = os.fspath(path)
    counts, met = np.zeros(mdp.K, dtype=np.int64), np.zeros(mdp.K, dtype=np.bool_)
    place = {
        (mdp.states[s], mdp.actions[a], mdp.states[s2]): k for k, (s, a, s2) in enumerate(_outcomes(mdp))
    }
    with reporting(source):
        with open(path, "rb") as file:
            text = decode(read_all(file))
        sheet = Sheet.of(iter(io.StringIO(text, newline="")))
        if sheet.names != list(COLUMNS):
            refuse(f"expected the columns {','.join(COLUMNS)}", sheet.line)
        for line, fields in sheet.records():
            k = place.get((fields[0], fields[1], fields[2]), -1) if len(fields) == 4 else -1
            if k < 0:
                refuse("found an outcome that is not one of the model's, expected its own", line)
            n = fields[3]
            if not (n.isascii() and n.isdigit() and len(n) < 19 and int(n) >= least):
                refuse(f"count: found {quoted(n)}, expected a whole number from {least}", line)
            if met[k]:
                refuse("found an outcome twice, expected it once", line)
            counts[k], met[k] = int(n), True
        _check_counts(mdp, counts, prior)
    return counts


def _check_counts(mdp: MDP, counts: Ints, prior: Fraction) -> None:
    """Raise where the probabilities of the model are not the shares of the counts."""
    for i in range(mdp.L):
        ks = slice(int(mdp.row_ptr[i]), int(mdp.row_ptr[i + 1]))
        n = counts[ks].tolist()
        total = sum(n) + prior * len(n) or 1
        shares = [(x + prior) / Fraction(total) for x in n]
        if [p for _, p in mdp.rational(i)[0]] != shares:
            fault = Fault(
                f"found counts {', '.join(map(str, n[:5]))}, expected shares that are the probabilities of the model",
                mdp.states[mdp.state_of_row(i)],
                mdp.actions[int(mdp.pair_action[i])],
            )
            raise ModelError(fault)
