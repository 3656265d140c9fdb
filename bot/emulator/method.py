"""What a Web API method is: its handler, the scopes that open it, its rate tier and its token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from bot.emulator.arguments import Arguments
from bot.emulator.errors import SlackError
from bot.emulator.state import Slack
from bot.emulator.workspace import Json


class Token(Enum):
    """Which token a method wants."""

    BOT = "bot"
    APP = "app"
    NONE = "none"


@dataclass(frozen=True)
class Call:
    """One call of one method, with what its handler may need."""

    slack: Slack
    args: Arguments
    origin: str
    """Scheme, host and port that the app reached us at, for the addresses we hand out."""

    def need(self, *scopes: str) -> None:
        """`missing_scope` unless the bot token has one of these."""
        granted = self.slack.bot_scopes
        if scopes and granted.isdisjoint(scopes):
            raise SlackError("missing_scope", needed=",".join(scopes), provided=",".join(sorted(granted)))


@dataclass(frozen=True)
class Method:
    """`scopes` are alternatives; `per_minute` is the tier, None for the methods with rules of their own."""

    handler: Callable[[Call], Json]
    scopes: tuple[str, ...] = ()
    per_minute: int | None = None
    token: Token = Token.BOT


TIER_1, TIER_2, TIER_3, TIER_4 = 1, 20, 50, 100
