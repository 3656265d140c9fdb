"""A pull request to try the review on, as a diff and as a repository that is made when it is asked for."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from workflows.pull_requests.repository import Blob, Moved, Repository, create

SAMPLE = "shop.git"
"""The name of the sample repository; any branch of it that is asked for is there."""

_BEFORE = '''"""Orders of the shop."""


def total(prices: list[float]) -> float:
    return sum(prices)
'''

_AFTER = '''"""Orders of the shop."""

import json
import os
from decimal import Decimal


def total(prices: list[float]) -> float:
    return sum(prices)


def add(order, item, basket=[]):
    """Put an item into the basket."""
    if item == None:
        return basket
    basket.append((order, item))
    print("added", item)
    return basket


def load(path):
    try:
        with open(path) as file:
            return json.load(file)
    except:
        return {}


def log(message, level=1):
    print(level, message)


class Shop:
    def open(self):
        self.password = "correct-horse-battery"
        self.is_open = True
'''

_DIFF = (
    "\n".join(
        ["--- /dev/null", "+++ b/orders.py", f"@@ -0,0 +1,{_AFTER.count(chr(10))} @@"]
        + [f"+{line}" for line in _AFTER.splitlines()]
    )
    + "\n"
)

samples: dict[str, dict[str, Any]] = {
    "branch": {"title": "Baskets and loading", "repository": SAMPLE, "branch": "baskets", "base": "main"},
    "diff": {"title": "Baskets and loading", "diff": _DIFF},
}


def make_sample(path: Path, branch: str) -> None:
    """Make the repository and the branch where they are missing; several may do it at once."""
    repository = create(path)
    if not repository.has("main"):
        _add(repository, "main", None, _BEFORE, "Add orders")
    if not repository.has(branch):
        _add(repository, branch, repository.head("main"), _AFTER, "Add baskets and loading")


def _add(repository: Repository, branch: str, parent: str | None, text: str, message: str) -> None:
    commit = repository.written(parent, {"orders.py": Blob("100644", text.encode())}, message)
    # Another may have been first, with the same.
    with suppress(Moved):
        repository.point(branch, commit, away_from=None)
