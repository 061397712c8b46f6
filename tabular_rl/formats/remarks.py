"""What a reader says of a file it has read: what the file leaves open, and what was made of that.

A command prints it to standard error. In Python what matters for the answer is a warning.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tabular_rl.errors import spoken


class _Ear:
    hear: Callable[[str], None] | None = None


@contextmanager
def heard(hear: Callable[[str], None]) -> Iterator[None]:
    """Hand remarks to `hear` while this holds.

    >>> with heard(print):
    ...     remark("model.drn", "no reward model: every reward is 0")
    model.drn: no reward model: every reward is 0
    """
    before, _Ear.hear = _Ear.hear, hear
    try:
        yield
    finally:
        _Ear.hear = before


def remark(source: str, text: str, *, matters: bool = True) -> None:
    """Say something of a source; where nobody hears it, as a warning if it `matters`.

    Parameters
    ----------
    source : the name of a file, as messages show it
    text : one line
    matters : it changes the answer
    """
    if _Ear.hear is not None:
        _Ear.hear(f"{source}: {text}")
    elif matters:
        warnings.warn(spoken(f"{source}: {text}"), stacklevel=3)
