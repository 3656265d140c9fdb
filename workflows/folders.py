"""Where the samples keep what is no effect: repositories, data and builds, in a folder of their own."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "SIGNOFF_SAMPLES"
"""Names the folder. Workers on several machines want it shared; unset, it lies beside Signoff's own data."""


def own(name: str) -> Path:
    """Return the folder `name`, made where it is missing and closed to other users."""
    folder = _root() / name
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def inside(folder: Path, name: str) -> Path:
    """Return `name` in `folder`; raises ValueError for what would lie anywhere else."""
    found = (folder / name).resolve()
    if not found.is_relative_to(folder.resolve()) or found == folder.resolve():
        raise ValueError(f"{name!r} does not lie in {folder}; name one that does.")
    return found


def _root() -> Path:
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen).expanduser()
    if home := os.environ.get("SIGNOFF_HOME"):
        return Path(home).expanduser() / "samples"
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "signoff" / "samples"
