"""What the linear learners share: features as a sparse matrix, weights instead of a table."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import Fault, ModelError, NumericalError, OptionError, escape, path_text, quoted
from tabular_rl.formats.input import decode, open_file
from tabular_rl.formats.npy import read_npy_header
from tabular_rl.methods.learning._answer import mean_values
from tabular_rl.methods.learning._learning import Learning
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import Method
from tabular_rl.solving.sampling import Floats

if TYPE_CHECKING:
    from tabular_rl.kernels.linear import Features

A_MATRIX = "Give a matrix of numbers, .csv or .npy, with a row for each state or pair, in their order"
MOST_CELLS = 2**28  # of a matrix of features
DENSE = 300  # entries up to which the mean update is looked at before a run


def times(x: Features, w: Floats) -> Floats:
    """w X^T, (runs, entries) of weights (runs, d)."""
    products = x.value * w[:, x.col]
    sums = np.concatenate([np.zeros((len(w), 1)), np.cumsum(products, axis=1)], axis=1)
    if np.diff(x.ptr).max(initial=0) <= 1:  # no sums: no rounding
        out = np.zeros((len(w), len(x.ptr) - 1))
        out[:, np.diff(x.ptr) > 0] = products
        return out
    return np.asarray(sums[:, x.ptr[1:]] - sums[:, x.ptr[:-1]])


def read_features(given: Any, entries: int, what: str) -> Features:
    """Return the features that an option asks for, for this many states or pairs.

    Parameters
    ----------
    given : "one-hot", "aggregate:N", the path of a file, or a matrix (entries, d)
    entries : how many states or pairs there are
    what : "states" or "pairs", for an error

    Returns
    -------
    Features: the rows of X (entries, d), without zeros.

    Raises
    ------
    OptionError : another number of rows, or a file that holds no matrix of finite numbers

    Examples
    --------
    >>> read_features("aggregate:2", 5, "states").col.tolist()
    [0, 0, 1, 1, 2]
    """
    from tabular_rl.kernels.linear import Features

    if isinstance(given, str) and (given == "one-hot" or given.startswith("aggregate:")):
        size = 1 if given == "one-hot" else int(given.partition(":")[2])
        col = np.arange(entries) // size
        return Features(np.arange(entries + 1), col, np.ones(entries), int(col[-1]) + 1)
    matrix = _read(given) if isinstance(given, str) else given
    if matrix.shape[0] != entries:
        raise OptionError(
            f"--features: found {matrix.shape[0]} rows of {matrix.shape[1]}, expected {entries}: one for each of the "
            f"{what}, in their order"
        )
    rows, cols = np.nonzero(matrix)
    ptr = np.searchsorted(rows, np.arange(entries + 1))
    listed = (
        np.ascontiguousarray(cols),
        np.ascontiguousarray(matrix[rows, cols]),
    )  # as the kernel takes its own
    return Features(ptr, *listed, matrix.shape[1])


def _read(path: str) -> Floats:
    if not os.path.exists(path):
        raise OptionError(f"{path_text(path)}: no such file, expected a matrix of features")
    try:
        if os.path.getsize(path) == 0:
            raise ValueError("empty")
        if path.endswith(".npy"):
            with open_file(path) as file:  # the parser of numpy raises many kinds of errors
                read_npy_header(file, "header")
            matrix = np.load(path, allow_pickle=False, mmap_mode="r")
        else:
            with open_file(path) as file:
                text = decode(file.read())
            try:
                matrix = np.loadtxt(io.StringIO(text), delimiter=",", ndmin=2)
            except ValueError:
                _check_rows(text)
                raise
        if matrix.dtype.kind not in "iufb" or matrix.ndim != 2 or not 0 < matrix.size <= MOST_CELLS:
            raise ValueError(f"found {matrix.dtype} {matrix.shape}")
        matrix = np.array(matrix, dtype=np.float64)
    except (ValueError, OSError, EOFError, UnicodeDecodeError) as error:
        found = f"{path_text(path)}: {escape(' '.join(str(error).split()), 300)}"
        if isinstance(error, ModelError):
            found = str(error.at(path))
        raise OptionError(f"{found}. {A_MATRIX}") from None
    if not np.isfinite(matrix).all():
        at = int(np.argwhere(~np.isfinite(matrix))[0][0])
        raise OptionError(f"{path_text(path)}: row {at + 1}: found nan or inf, expected finite numbers")
    return matrix


def _check_rows(text: str) -> None:
    """Raise for the first line of a matrix in CSV that does not fit."""
    width = 0
    for line, row in enumerate(text.splitlines(), 1):
        cells = [cell.strip() for cell in row.partition("#")[0].split(",")]
        if cells == [""]:
            continue
        for cell in cells:
            try:
                float(cell)
            except ValueError:
                what = f"found {quoted(cell)}, expected a number: rows and columns have no names"
                raise ModelError(Fault(what, line=line)) from None
        if width not in (0, len(cells)):
            raise ModelError(
                Fault(f"found a row of length {len(cells)}, expected {width} as before", line=line)
            )
        width = len(cells)


class LinearLearning(Learning):
    """A learner whose table is w X^T: weights (runs, d) are what is learned."""

    def __init__(
        self, method: Method[..., Learned], given: dict[str, Any], *, table: Literal["states", "pairs"]
    ) -> None:
        super().__init__(method, given, table=table)
        self.features = read_features(self.option["features"], self.entries, table)
        if not isinstance(given["features"], str):
            self.run.options["features"] = f"matrix {np.shape(self.option['features'])}"
        d = self.features.d
        kept = d if self.option["average"] else 0
        self.w = self.add("weights", self.mdp.sign * self.option["start_value"], d)
        if self.starts_from:
            if given["features"] != "one-hot" or given.get("start_weights") is not None:
                raise OptionError(
                    "--start-from: found features whose weights are no values of states, expected one-hot features; "
                    "start_weights, in Python, are weights to start with"
                )
            self.w[:] = self.start_table()
        if given.get("start_weights") is not None:
            start = np.asarray(given["start_weights"], dtype=np.float64)
            if start.shape != (d,) or not np.isfinite(start).all():
                raise OptionError(f"start_weights: found shape {start.shape}, expected {d} finite numbers")
            self.w[:] = self.mdp.sign * start
        if self.policy is not None and self.behavior is not self.policy:
            self._warn_of_divergence()
        self.total = self.add("total", 0.0, kept)
        self.since = self.add_count("since", kept)

    def _warn_of_divergence(self) -> None:
        """Off policy with shared features the mean update may grow without bound: say so before the run."""
        from tabular_rl.methods.exact.projected import q_fixed_point, td_fixed_point

        if self.entries > DENSE or self.mdp is not self.whole:
            return
        assert self.policy is not None
        x, rows = self.features, np.repeat(np.arange(self.entries), np.diff(self.features.ptr))
        matrix = np.zeros((self.entries, x.d))
        matrix[rows, x.col] = x.value
        solved = td_fixed_point if self.table_kind == "states" else q_fixed_point
        try:
            found = solved(
                self.mdp, self.policy, matrix, behavior=self.behavior, source=self.option["source"]
            )
        except NumericalError:
            self.verdicts.append(
                "features: the projected Bellman equation has no solution: weights do not settle"
            )
            return
        if not found.stable:
            self.verdicts.append(
                f"features: off policy the mean update grows (eigenvalue {found.rates[0]:.2g} of Xᵀ D (X - γ P X)), so "
                "the weights diverge; learn on policy, or with one-hot features"
            )

    def target(self) -> tuple[int, float, NDArray[Any]]:
        kind, by = self.option["target"]
        if self.option["source"] == "sweeps":
            kind, by = "copy", float(self.mdp.L)
        if kind == "none":
            return 0, 0.0, self.w
        bar = self.add("target", 0.0, self.features.d)
        bar[:] = self.w
        return ("none", "copy", "average").index(kind), by, bar

    def weights_now(self) -> Floats:
        """The weights (runs, d), averaged where that was asked for."""
        if self.total.shape[1] == 0 or self.done == 0:
            return self.w
        return np.asarray((self.total + self.w * (self.done - self.since)) / self.done)

    def current(self) -> Floats:
        """The values (runs, entries) by the weights, NaN at terminal states."""
        table = times(self.features, self.weights_now())
        if self.table_kind == "states":
            table[:, self.mdp.terminal] = np.nan
        return table

    def learned(self, answer: Learned) -> Learned:
        """The answer with the weights, in the sign of the model. Features give every state a value, visited or not."""
        from dataclasses import replace

        extra = {**answer.extra, "weights": self.mdp.sign * self.weights_now(), "features": self.features}
        mean = answer.estimates.mean(axis=0)
        if self.table_kind == "pairs":
            v = mean_values(self, mean.ravel()).reshape(answer.v.shape)
            return replace(answer, v=v, learned_q=mean, extra=extra)
        return replace(answer, v=np.where(np.isnan(answer.v), mean, answer.v), extra=extra)
