"""What Slack shows to one person alone, private answers and modals, and never a raise after the ack."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot import metrics
from bot.patience import Patience
from bot.postgres.away import DatabaseAway
from bot.postgres.rows import Approval
from bot.slack.cards.refusals import titled
from bot.slack.listeners.deadline import within
from bot.slack.workspace.directory import Unreachable
from bot.slack.workspace.failures import code_of

log = structlog.get_logger("signoff.slack")


@dataclass(frozen=True)
class Person:
    """Who clicked, and where an answer that only they see can be put."""

    user: str
    team: str | None
    channel: str | None
    thread_ts: str | None
    trigger_id: str | None


@dataclass(frozen=True)
class Window:
    """Where somebody who clicked is answered."""

    client: AsyncWebClient
    patience: Patience

    async def whisper(self, person: Person, text: str, about: Approval | None = None) -> None:
        """Tell one person privately, directly where they cannot be told in the channel. Never raises.

        What is told directly names what it is `about`: there is no card beside it.
        """
        with unraised("whisper_failed", user=person.user):
            if person.channel and await self._ephemeral(person, text):
                return
            named = titled(about, text) if about else text
            call = self.client.chat_postMessage(channel=person.user, text=named)
            await metrics.called("chat.postMessage", call)

    async def _ephemeral(self, person: Person, text: str) -> bool:
        """Post where they clicked; False where Slack did not say it did: better told twice than never."""
        try:
            call = self.client.chat_postEphemeral(
                channel=person.channel or "", user=person.user, text=text, thread_ts=person.thread_ts
            )
            await metrics.called("chat.postEphemeral", call)
        except Unreachable as error:
            log.info("not_told_in_channel", user=person.user, error=str(error))
            return False
        return True

    async def open(self, person: Person, view: dict[str, Any]) -> None:
        """Open a modal with the click's trigger (3 seconds, one use), or say that Slack did not."""
        call = self.client.views_open(trigger_id=person.trigger_id or "", view=view)
        await self._opened(person, "views.open", call)

    async def push(self, person: Person, view: dict[str, Any]) -> None:
        """Open a modal on top of the one that was clicked in, or say that Slack did not."""
        call = self.client.views_push(trigger_id=person.trigger_id or "", view=view)
        await self._opened(person, "views.push", call)

    async def _opened(self, person: Person, method: str, call: Awaitable[Any]) -> None:
        try:
            await metrics.called(method, call)
        except Unreachable as error:
            log.warning("modal_failed", user=person.user, error=str(error))
            await self.whisper(person, "Slack did not let me open that; please click again.")

    async def redrawn(self, view_id: str, view: dict[str, Any]) -> bool:
        """Replace an open modal before an acknowledgement; False where Slack did not in time."""
        try:
            call = self.client.views_update(view_id=view_id, view=view)
            await within(self.patience.redraw, metrics.called("views.update", call))
        except (*Unreachable, TimeoutError) as error:
            log.warning("modal_not_redrawn", error=str(error))
            return False
        return True

    async def turn(self, person: Person, view: dict[str, Any], page: dict[str, Any]) -> None:
        """Put another page into an open modal, unless it is another by now, or closed. Never raises."""
        try:
            call = self.client.views_update(view_id=view["id"], hash=view.get("hash"), view=page)
            await metrics.called("views.update", call)
        except Unreachable as error:
            log.warning("page_not_turned", user=person.user, error=str(error))
            if not (isinstance(error, SlackApiError) and code_of(error) in ("hash_conflict", "not_found")):
                await self.whisper(person, "Slack did not let me show that; please click again.")


@contextmanager
def unraised(event: str, **about: Any) -> Iterator[None]:
    """Log what goes wrong after an acknowledgement: a raise there would take it back (Bolt 1.30)."""
    try:
        yield
    except (*DatabaseAway, *Unreachable) as error:
        log.warning(event, error=str(error), **about)
    except Exception:
        log.exception(event, **about)


def person_of(body: dict[str, Any]) -> Person:
    """Read who did it and where, from any interactive payload."""
    user = body.get("user") or {}
    container = body.get("container") or {}
    message = body.get("message") or {}
    thread_ts = message.get("thread_ts")
    return Person(
        user=user.get("id", ""),
        team=user.get("team_id") or (body.get("team") or {}).get("id"),
        channel=(body.get("channel") or {}).get("id") or container.get("channel_id"),
        # A card with replies names itself as their thread; an answer in there would not be seen.
        thread_ts=thread_ts if thread_ts != message.get("ts") else None,
        trigger_id=body.get("trigger_id"),
    )
