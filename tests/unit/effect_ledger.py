"""The ledger that the samples write their effects to, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from workflows.effects import Effect

AT = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


class Ledger:
    def __init__(self) -> None:
        self.effects: list[Effect] = []
        self.attempts = 0

    def record(self, key: str, kind: str, data: Mapping[str, Any]) -> bool:
        self.attempts += 1
        if any(effect.key == key for effect in self.effects):
            return False
        self.effects.append(Effect(key, kind, dict(data), AT))
        return True

    def recorded(self, *, kind=None, thread=None, holding=None) -> list[Effect]:
        return [
            effect
            for effect in self.effects
            if kind in (None, effect.kind)
            and (thread is None or effect.key.startswith(f"{thread}:"))
            and all(_holds(effect.data.get(name), value) for name, value in (holding or {}).items())
        ]


def _holds(actual: Any, wanted: Any) -> bool:
    return set(wanted) <= set(actual) if isinstance(wanted, list) else actual == wanted
