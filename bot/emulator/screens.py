"""What people have open: modals in stacks, App Homes, and the triggers that may open more."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from itertools import takewhile

from bot.emulator.errors import SlackError
from bot.emulator.workspace import Json

TRIGGER_SECONDS = 3.0
STACK_LIMIT = 3


@dataclass
class Trigger:
    """The right to open one modal for one person, for three seconds, once."""

    user: str
    expires: float
    in_modal: bool
    used: bool = False


class Screens:
    """Open views by id, each person's stack of modals (top last) and published App Home."""

    def __init__(self) -> None:
        self.views: dict[str, Json] = {}
        self.stacks: dict[str, list[str]] = {}
        self.homes: dict[str, Json] = {}
        self._triggers: dict[str, Trigger] = {}

    def issue(self, user: str, now: float, *, in_modal: bool = False) -> str:
        """A new trigger id."""
        for old in [*takewhile(lambda key: self._triggers[key].expires <= now - 60, self._triggers)]:
            del self._triggers[old]
        trigger_id = f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        self._triggers[trigger_id] = Trigger(user, now + TRIGGER_SECONDS, in_modal)
        return trigger_id

    def exchange(self, trigger_id: str, now: float) -> Trigger:
        """Spend a trigger; `SlackError` with Slack's reason when it cannot be spent."""
        trigger = self._triggers.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if now > trigger.expires:
            raise SlackError("expired_trigger_id")
        trigger.used = True
        return trigger

    def open(self, user: str, view: Json) -> None:
        """Show a modal instead of whatever stack the person had."""
        self.clear(user)
        view["root_view_id"], view["previous_view_id"] = view["id"], None
        self._place(user, view)

    def push(self, user: str, view: Json) -> None:
        """Put a modal on top of the person's stack of at most three."""
        stack = self.stacks.get(user, [])
        if len(stack) >= STACK_LIMIT:
            raise SlackError("push_limit_reached")
        view["root_view_id"] = stack[0] if stack else view["id"]
        view["previous_view_id"] = stack[-1] if stack else None
        self._place(user, view)

    def pop(self, user: str, view_id: str) -> None:
        """Close one modal; what lies below it shows again."""
        stack = self.stacks.get(user, [])
        if view_id in stack:
            stack.remove(view_id)
        self.views.pop(view_id, None)

    def clear(self, user: str) -> None:
        for view_id in self.stacks.pop(user, []):
            self.views.pop(view_id, None)

    def find(self, view_id: str | None, external_id: str | None) -> Json:
        """An open modal or a published home by either id; `not_found` otherwise."""
        for view in (*self.views.values(), *self.homes.values()):
            if (view_id and view["id"] == view_id) or (external_id and view["external_id"] == external_id):
                return view
        raise SlackError("not_found")

    def of(self, user: str) -> list[Json]:
        """The person's open modals, the top one last."""
        return [self.views[view_id] for view_id in self.stacks.get(user, [])]

    def owner(self, view_id: str) -> str:
        """Who has the modal open; `not_found` when nobody has."""
        for user, stack in self.stacks.items():
            if view_id in stack:
                return user
        raise SlackError("not_found")

    def _place(self, user: str, view: Json) -> None:
        self.views[view["id"]] = view
        self.stacks.setdefault(user, []).append(view["id"])
