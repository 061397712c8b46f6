"""The arrays of a report as a folder of npy files."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tabular_rl.formats.answer_npy import HEADER, IN_ARRAYS, NAMES, is_answer
from tabular_rl.formats.npy import npy_bytes
from tabular_rl.formats.output import replace_folder, write_new
from tabular_rl.report.blocks import Report
from tabular_rl.report.render.json import json_parts


def write_folder(report: Report, path: str | os.PathLike[str]) -> None:
    """Write a report as a folder, which takes the place of an older one when it is complete.

    Raises
    ------
    OptionError : the report has no arrays
    OutputError : path and reason; what stood there before is intact
    """
    arrays, names = report.arrays()

    def fill(folder: Path) -> None:
        for name, array in arrays.items():
            write_new(folder / f"{name}.npy", npy_bytes(array))
        entries = report.entries()
        if any(names.values()):
            write_new(folder / NAMES, [json.dumps(names).encode("ascii")])
        kept = {key: value for key, value in entries.items() if key not in IN_ARRAYS and value is not None}
        parts = json_parts({**kept, "arrays": sorted(arrays)})
        write_new(folder / HEADER, (part.encode("ascii") for part in parts))

    replace_folder(path, fill, is_answer, "an answer")
