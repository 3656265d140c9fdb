"""Arguments of a Web API call, whether they came as a query, a form or JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.emulator.errors import SlackError, invalid
from bot.emulator.workspace import Json


@dataclass(frozen=True)
class Arguments:
    """Raw values by name; each accessor turns one into what the method wants, or raises `SlackError`."""

    raw: Mapping[str, Any]

    def text(self, name: str, default: str = "") -> str:
        value = self.raw.get(name)
        return default if value is None else str(value)

    def required(self, name: str, error: str = "invalid_arguments") -> str:
        value = self.text(name)
        if value:
            return value
        if error == "invalid_arguments":
            raise invalid(error, f"[ERROR] missing required field: {name}")
        raise SlackError(error)

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self.raw.get(name)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        return str(value).lower() in {"1", "true"}

    def integer(self, name: str, default: int) -> int:
        try:
            return int(self.text(name) or default)
        except ValueError:
            raise invalid("invalid_arguments", f"[ERROR] must be an integer: {name}") from None

    def given(self, name: str) -> bool:
        return self.raw.get(name) is not None

    def json(self, name: str, error: str) -> Any:
        """A JSON value that may also have come as a string; None when absent, `error` when broken."""
        value = self.raw.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return json.loads(value)
        except ValueError:
            raise SlackError(error) from None

    def record(self, name: str, error: str) -> Json | None:
        """Like `json`, but `error` unless it is an object."""
        value = self.json(name, error)
        if value is not None and not isinstance(value, dict):
            raise SlackError(error)
        return value
