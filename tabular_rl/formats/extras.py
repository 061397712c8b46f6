"""Packages that an extra brings: a line where one is missing, or cannot be imported."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from tabular_rl.errors import MissingExtra


def required(package: str, what: str, extra: str = "") -> Any:
    """Return a package that is not always there.

    Parameters
    ----------
    package : its name
    what : what needs it, for the message
    extra : that brings it; without one it is installed by its own name

    Returns
    -------
    The package, imported.

    Raises
    ------
    MissingExtra : it is not installed, or cannot be imported, beside a NumPy that it does not know say
    """
    if find_spec(package) is None:
        way_out = f"the extra: pip install 'tabular-rl[{extra}]'" if extra else f"it: pip install {package}"
        raise MissingExtra(f"{what}: found no {package}, expected {way_out}")
    try:
        return import_module(package)
    except ImportError as error:
        raise MissingExtra(f"{what}: {package} cannot be imported: {' '.join(str(error).split())}") from None
