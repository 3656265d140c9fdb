"""How the emulator says no: to the app (`SlackError`) and to the person at the page (`CannotDo`)."""

from __future__ import annotations

from bot.emulator.workspace import Json


class SlackError(Exception):
    """A Web API refusal: Slack's error code, and what else its body carries."""

    def __init__(self, code: str, **extra: object) -> None:
        super().__init__(code)
        self.code = code
        self.extra = extra

    def body(self) -> Json:
        return {"ok": False, "error": self.code, **self.extra}


class CannotDo(Exception):
    """A person cannot do that in Slack's client: no such button, an empty required field, not a member."""

    def __init__(self, reason: str, fields: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.fields = fields or {}


def invalid(code: str, *messages: str) -> SlackError:
    """An error with Slack's list of reasons, as `invalid_blocks` and `invalid_arguments` have it."""
    return SlackError(code, errors=list(messages), response_metadata={"messages": list(messages)})
