"""What the steps of a release read: the sources of a project, and what a place of deployment runs."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CURRENT = "current.json"
"""Says what a place of deployment runs."""


class Failed(Exception):
    """The step did not succeed; the text says why."""


def files(folder: Path) -> Iterator[Path]:
    return iter(
        sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    )


def project(source: str) -> dict[str, Any]:
    with (Path(source) / "pyproject.toml").open("rb") as file:
        return dict(tomllib.load(file)["project"])


def package(source: str) -> str:
    return str(project(source)["name"]).replace("-", "_")


def current(target: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads((target / CURRENT).read_bytes())
    except FileNotFoundError:
        return {}
    return found


def number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
