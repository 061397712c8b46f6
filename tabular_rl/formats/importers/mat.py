"""MATLAB's .mat files, up to version 7: P and R as MDPtoolbox and other code of MATLAB, Octave and R keep them.

States and actions count from 1 there, and are named so, unless `states` and `actions` name them.
"""

from __future__ import annotations

import io
from typing import Any, BinaryIO

import numpy as np

from tabular_rl.errors import ModelError
from tabular_rl.formats.fields import Asked
from tabular_rl.formats.importers.dictionary_json import model_of_json
from tabular_rl.formats.importers.dictionary_write import json_lines
from tabular_rl.formats.importers.mat5 import read_variables
from tabular_rl.formats.importers.named_arrays import model_of_arrays
from tabular_rl.formats.input import read_all
from tabular_rl.formats.memory import require
from tabular_rl.model.mdp import MDP

WHOLE = "tabular_rl_model"  # the variable that holds a model as JSON
NEW = (b"MATLAB 7.3", b"\x89HDF\r\n\x1a\n")
LEVEL_5 = b"MATLAB 5.0"
TIMES = 12  # bytes that are needed for a byte of a file


def read_mat(file: BinaryIO, asked: Asked) -> MDP:
    """Return the model of a .mat file.

    Parameters
    ----------
    file : open binary file
    asked : what the caller asks for in place of what the file says

    Returns
    -------
    MDP

    Raises
    ------
    ModelError : the variable that is wrong, or a file of version 7.3
    """
    data = read_all(file)
    if data.startswith(NEW):
        what = "found version 7.3, which is HDF5, expected version 7 or older"
        raise ModelError(
            f"{what}. In MATLAB save('model.mat', 'P', 'R', '-v7') writes one, in Octave save -v7"
        )
    if not data.startswith(LEVEL_5):
        raise ModelError("found no MAT-file of level 5. In MATLAB and Octave save -v7 writes one")
    require(TIMES * len(data), "A directory of arrays needs least.")
    found = read_variables(data)
    whole = found.pop(WHOLE, None)
    if whole is None or asked.arrays:
        return model_of_arrays(found, asked, first=1)
    if not isinstance(whole, str):
        raise ModelError(f"{WHOLE}: expected a text")
    mdp = model_of_json(whole, asked)
    _check_same(found, model_of_json(whole, Asked()))
    return mdp


def _check_same(found: dict[str, Any], mdp: MDP) -> None:
    """Raise where P, R or the discount are no longer those of the model beside them."""
    arrays = _arrays(mdp)
    for name, array in arrays.items():
        if name in found and not _same(found[name], array):
            what = f"{name}: found other numbers than in {WHOLE}, which holds the model that was written"
            raise ModelError(f"{what}. To read what was changed, clear {WHOLE} before the file is saved")


def _same(found: Any, array: Any) -> bool:
    if isinstance(array, np.ndarray) and array.dtype == object:
        size = getattr(found, "size", 0)
        return size == array.size and all(
            hasattr(x, "tocoo") and x.shape == y.shape and (x != y).nnz == 0
            for x, y in zip(found.ravel(), array, strict=True)
        )
    return bool(np.array_equal(np.asarray(found).ravel(), np.asarray(array).ravel()))


def _arrays(mdp: MDP) -> dict[str, Any]:
    """Return the variables that MDPtoolbox takes, where it can hold the model; otherwise none."""
    from tabular_rl.formats.importers.arrays_write import to_toolbox

    P, R, discount = to_toolbox(mdp.replace(horizon=None), True)
    return {"P": _cell(P), "R": _cell(R) if isinstance(R, list) else R, "discount": discount}


def _cell(matrices: Any) -> Any:
    made = np.empty(len(matrices), dtype=object)
    made[:] = [matrix.tocsc() for matrix in matrices]
    return made


def write_mat(mdp: MDP, file: BinaryIO) -> None:
    """Write a model as MDPtoolbox of MATLAB takes it, and as the text that reads back as the same model.

    Parameters
    ----------
    mdp : the model
    file : open binary file

    Raises
    ------
    ModelError : an action that is unavailable somewhere, costs, or two rewards of one transition
    """
    from scipy.io import savemat

    try:
        arrays = _arrays(mdp)
    except ModelError as error:
        fault = error.faults[0]
        reason = fault.what.partition(", which pymdptoolbox")[0]
        from tabular_rl.formats.importers.exports import refused

        place = [x for x in (fault.state, fault.action, fault.next_state) if x is not None]
        raise refused(".mat", reason, *place) from None
    if mdp.horizon is not None:
        arrays["horizon"] = float(mdp.horizon)
        if mdp.final_reward is not None:
            arrays["h"] = mdp.final_reward.reshape(-1, 1)
    for what in ("states", "actions"):
        arrays[what] = np.array(list(getattr(mdp, what)), dtype=object)
    arrays["terminal"] = mdp.terminal.reshape(-1, 1)
    arrays["start"] = mdp.start.reshape(-1, 1)
    arrays[WHOLE] = "".join(json_lines(mdp))
    made = io.BytesIO()
    savemat(made, arrays, do_compression=True, oned_as="row")  # type: ignore[arg-type]
    data = bytearray(made.getvalue())
    data[:116] = b"MATLAB 5.0 MAT-file, written by tabular-rl".ljust(
        116
    )  # without the time, so that bytes are the same
    file.write(bytes(data))
