"""What the program around the emulator may add to its page."""

from __future__ import annotations

from typing import Protocol

from bot.emulator.workspace import Json


class Panel(Protocol):
    """A row of buttons on the page; the demo moves its clock with it."""

    async def state(self) -> Json:
        """Shown as is: `{"now": iso, "note": str, "actions": [{"id", "label"}]}`."""
        ...

    async def act(self, action: str) -> Json:
        """Do the action with this id."""
        ...
