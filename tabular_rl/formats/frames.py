"""Columns as data frames of pandas, polars and pyarrow, and back. A library is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from tabular_rl.errors import MissingExtra, ModelError, OptionError, closest, quoted
from tabular_rl.formats.extras import required

LIBRARIES = ("pandas", "polars", "pyarrow")
EXTRA = "expected the extra: pip install 'tabular-rl[frames]'"


def library_of(name: str = "") -> str:
    """Return the library that is asked for, or pandas where it is installed, else polars.

    Raises
    ------
    MissingExtra : it is not installed
    OptionError : there is none of this name
    """
    if not name:
        name = next((known for known in LIBRARIES[:2] if find_spec(known) is not None), "")
        if not name:
            raise MissingExtra(f"to_frame: found neither pandas nor polars, {EXTRA}")
    elif name == "arrow":
        name = "pyarrow"
    elif name not in LIBRARIES:
        way_out = closest(name, LIBRARIES) if isinstance(name, str) else ""
        raise OptionError(f"library: found {quoted(name)}{way_out or ', expected ' + ', '.join(LIBRARIES)}")
    required(name, "to_frame", "" if name == "polars" else "frames")
    return name


def make_frame(columns: Mapping[str, Any], library: str) -> Any:
    """Return columns of one length, arrays or lists, as a frame.

    Parameters
    ----------
    columns : by their names; None and NaN where there is nothing
    library : "pandas", "polars" or "pyarrow", which is installed

    Returns
    -------
    A DataFrame, or a Table of pyarrow. NaN is null, except in pandas.
    """
    module = import_module(library)
    if library == "pandas":
        return module.DataFrame(dict(columns))
    if library == "polars":
        return module.DataFrame(dict(columns), nan_to_null=True)
    return module.table({name: module.array(column, from_pandas=True) for name, column in columns.items()})


def is_frame(given: object) -> bool:
    """Whether something is a data frame, of whatever library, or a lazy one that collects itself."""
    if isinstance(given, (Mapping, type)):
        return False
    if hasattr(given, "collect_schema"):  # lazy: asked for its columns, it would warn
        return True
    named = hasattr(given, "columns") or hasattr(given, "column_names")
    return named and hasattr(given, "__getitem__")


def columns_of(frame: Any) -> dict[str, list[Any]]:
    """Return the columns of a data frame by name, None where there is nothing.

    A named index of pandas is a column too; a lazy frame of polars is collected, one of narwhals unwrapped.

    Parameters
    ----------
    frame : of pandas, polars, pyarrow, or what is like one of these

    Returns
    -------
    Lists of one length.

    Raises
    ------
    ModelError : two columns of one name
    """
    for unwrapped in ("to_native", "collect"):
        if hasattr(frame, unwrapped):
            frame = getattr(frame, unwrapped)()
    if hasattr(frame, "reset_index") and any(name is not None for name in frame.index.names):
        frame = frame.reset_index(drop=all(name in frame.columns for name in frame.index.names))
    names = list(frame.column_names if hasattr(frame, "column_names") else frame.columns)
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise ModelError(f"found the column {quoted(twice)} twice, expected once")
    return {str(name): _listed(frame[name]) for name in names}


def _listed(column: Any) -> list[Any]:
    """The entries of a column as plain objects."""
    if hasattr(column, "notna"):  # of pandas, whose nulls are of several kinds
        column = column.astype(object).where(column.notna(), None)
    for method in ("to_pylist", "to_list", "tolist"):
        if hasattr(column, method):
            return [None if isinstance(x, float) and x != x else x for x in getattr(column, method)()]
    return list(column)
