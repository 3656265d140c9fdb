"""Block Kit's rules."""

from __future__ import annotations

from bot.emulator.workspace import Json


def problems(surface: str, blocks: list[Json]) -> list[str]:
    del surface, blocks
    return []


def view_problems(view: Json, kind: str) -> list[str]:
    del view, kind
    return []
