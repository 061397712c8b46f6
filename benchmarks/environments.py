"""Environments for rivals: one each, made of pinned versions when it is first needed."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(__file__).parent / ".environments"
REQUIREMENTS = "# requirements:"


class NotInstalled(Exception):
    """A rival that pip cannot install here."""


def requirements(script: Path) -> list[str]:
    """Return the pinned versions in the first line of a script; none where it needs what we need."""
    first = script.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix(REQUIREMENTS).split() if first.startswith(REQUIREMENTS) else []


def python_for(script: Path) -> str:
    """Return the Python that runs a script: ours where it pins nothing.

    Raises
    ------
    NotInstalled : its packages cannot be installed
    """
    pinned = requirements(script)
    if not pinned:
        return sys.executable
    folder = FOLDER / script.stem
    python, ready = folder / "bin" / "python", folder / "ready"
    wanted = " ".join(pinned)
    try:
        if not ready.exists() or ready.read_text(encoding="utf-8") != wanted:
            venv.create(folder, with_pip=True, clear=True)
            install = [str(python), "-m", "pip", "install", "-q", *pinned]
            subprocess.run(install, check=True, capture_output=True, text=True, timeout=900)
            ready.write_text(wanted, encoding="utf-8")
    except subprocess.CalledProcessError as error:
        lines = (error.stderr or "").strip().splitlines()
        raise NotInstalled(
            f"could not be installed ({wanted}): {lines[-1][:80] if lines else error}"
        ) from None
    except (subprocess.SubprocessError, OSError) as error:
        raise NotInstalled(f"could not be installed ({wanted}): {str(error)[:80]}") from None
    return str(python)
