"""response_url: an address that may be answered to five times in thirty minutes."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from itertools import takewhile

from aiohttp import web

from bot.emulator import content, messages
from bot.emulator.arguments import Arguments
from bot.emulator.errors import SlackError
from bot.emulator.state import Slack
from bot.emulator.workspace import Json

USES, SECONDS = 5, 1800.0


@dataclass
class Address:
    """Whose answer goes where; `ts` is the message that was clicked, if one was."""

    user: str
    channel: str
    expires: float
    ts: str = ""
    uses: int = 0


class ResponseUrls:
    """Issues addresses and serves what the app posts to them."""

    def __init__(self, slack: Slack) -> None:
        self.origin = ""
        self._slack = slack
        self._addresses: dict[str, Address] = {}

    def issue(self, user: str, channel: str, ts: str = "") -> str:
        now = self._slack.now()
        for expired in [*takewhile(lambda key: self._addresses[key].expires <= now, self._addresses)]:
            del self._addresses[expired]
        key = secrets.token_urlsafe(18)
        self._addresses[key] = Address(user, channel, now + SECONDS, ts)
        return f"{self.origin}/actions/{self._slack.workspace.team_id}/{key}"

    async def handle(self, request: web.Request) -> web.Response:
        address = self._addresses.get(request.match_info["key"])
        if address is None or address.expires < self._slack.now():
            return web.json_response({"ok": False, "error": "expired_url"}, status=404)
        if address.uses >= USES:
            return web.json_response({"ok": False, "error": "used_url"}, status=404)
        address.uses += 1
        try:
            answer(self._slack, address, await request.json())
        except ValueError:
            return web.json_response({"ok": False, "error": "invalid_payload"}, status=400)
        except SlackError as refusal:
            return web.json_response(refusal.body(), status=400)
        return web.json_response({"ok": True})


def answer(slack: Slack, address: Address, body: Json) -> None:
    """Show an app's answer: in the channel or to one person, new or in place of the message clicked."""
    conversation = slack.conversation(address.channel)
    if body.get("delete_original") and address.ts:
        _withdraw(slack, address)
        return
    message = messages.by_bot(slack.workspace) | content.content(Arguments(body), content.POST_LIMIT)
    if thread_ts := body.get("thread_ts"):
        message["thread_ts"] = thread_ts
    if body.get("replace_original") and address.ts in conversation.messages:
        slack.rewrite(conversation, conversation.messages[address.ts] | message)
        return
    if body.get("replace_original") and address.ts:
        slack.unwhisper(address.user, address.ts)
    if body.get("response_type") == "in_channel":
        slack.post(conversation, message)
    else:
        slack.whisper(address.user, address.channel, message)


def _withdraw(slack: Slack, address: Address) -> None:
    conversation = slack.conversation(address.channel)
    if address.ts in conversation.messages:
        slack.remove(conversation, address.ts)
    else:
        slack.unwhisper(address.user, address.ts)
