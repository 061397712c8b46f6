"""The columns of a report as a Parquet file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from tabular_rl.formats.frames import make_frame
from tabular_rl.report.blocks import Report


def report_parts(report: Report) -> Iterator[bytes]:
    """Yield a report as a Parquet file; a column of numbers and texts is one of texts."""
    file = io.BytesIO()
    columns = {name: _of_one_kind(column) for name, column in report.columns().items()}
    import_module("pyarrow.parquet").write_table(make_frame(columns, "pyarrow"), file)
    yield file.getvalue()


def _of_one_kind(column: Any) -> Any:
    """A column whose entries are all texts where one is a text, or no plain number.

    >>> _of_one_kind(["a", None, 2]), _of_one_kind([1.5, None])
    (['a', None, '2'], [1.5, None])
    """
    if not isinstance(column, list) or all(x is None or isinstance(x, (int, float)) for x in column):
        return column
    return [None if x is None else str(x) for x in column]
