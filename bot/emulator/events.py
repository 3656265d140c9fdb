"""What the app hears of without being asked: the Events API, with Slack's redelivery."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection, Sequence

from bot.emulator import payloads
from bot.emulator.delivery import Ack, Delivery
from bot.emulator.state import Slack
from bot.emulator.workspace import Channel, Json

RETRY_AFTER_SECONDS = (0.0, 60.0, 300.0)


class Events:
    """Sends the events that the app subscribed to; what is not acked comes again, three times."""

    def __init__(
        self,
        slack: Slack,
        delivery: Delivery,
        subscribed: Collection[str],
        retry_after: Sequence[float] = RETRY_AFTER_SECONDS,
    ) -> None:
        self.subscribed = set(subscribed)
        self._slack = slack
        self._delivery = delivery
        self.retry_after = retry_after
        self._retries: set[asyncio.Task[None]] = set()

    async def send(self, subscription: str, event: Json) -> Ack | None:
        """Deliver one event; None when the app did not subscribe to it."""
        if subscription not in self.subscribed:
            return None
        payload = payloads.event(self._slack, event)
        envelope_id = secrets.token_hex(16)
        ack = await self._delivery.attempt("events_api", payload, envelope_id)
        if not ack.acked:
            retries = asyncio.create_task(self._again(payload, envelope_id))
            self._retries.add(retries)
            retries.add_done_callback(self._retries.discard)
        return ack

    async def close(self) -> None:
        for task in tuple(self._retries):
            task.cancel()
        await asyncio.gather(*self._retries, return_exceptions=True)

    async def _again(self, payload: Json, envelope_id: str) -> None:
        for retry, pause in enumerate(self.retry_after, start=1):
            await asyncio.sleep(pause)
            if (await self._delivery.attempt("events_api", payload, envelope_id, retry)).acked:
                return


def message_subscription(channel: Channel) -> str:
    """The `message.…` event that a message in this channel is."""
    if channel.is_im:
        return "message.im"
    if channel.is_mpim:
        return "message.mpim"
    return "message.groups" if channel.is_private else "message.channels"
