"""What comes back from Slack's address is not always Slack's."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot import metrics
from bot.slack.app import web_client
from bot.slack.badge import Badge
from bot.slack.directory import Unreachable
from bot.slack.failures import code_of, read_failure

JSON = "application/json"


async def answering(status, kind, text):
    async def answer(_):
        return web.Response(status=status, content_type=kind, text=text)

    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", answer)
    return TestServer(app)


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (200, "text/plain", "Please log in"),
        (200, "text/html", "<html>Please log in</html>"),
        (200, JSON, '{"ok": tr'),
        (200, JSON, "[]"),
        (200, JSON, '"ok"'),
        (200, JSON, ""),
        (407, "text/plain", "Proxy authentication required"),
        (502, "text/html", "<html>Bad gateway</html>"),
        (503, JSON, "{"),
        (500, "text/plain", ""),
    ],
)
async def test_an_answer_that_is_not_slacks_is_a_call_of_unknown_outcome(status, kind, text):
    async with await answering(status, kind, text) as proxy:
        client = web_client("xoxb-1", str(proxy.make_url("/api/")))

        with pytest.raises(Unreachable) as failed:
            await metrics.called("chat.postMessage", client.chat_postMessage(channel="C1", text="x"))

        assert read_failure(failed.value).kind == "unknown"


async def test_who_we_are_is_not_known_from_a_proxy():
    async with await answering(200, "text/plain", "Please log in") as proxy:
        badge = Badge(web_client("xoxb-1", str(proxy.make_url("/api/"))), None)

        await badge.prove()

        assert not badge.proven
        assert "not by Slack" in badge.missing


async def test_slacks_own_code_is_read_from_its_refusal():
    async with await answering(200, JSON, '{"ok": false, "error": "channel_not_found"}') as slack:
        client = web_client("xoxb-1", str(slack.make_url("/api/")))

        with pytest.raises(Unreachable) as failed:
            await client.chat_postMessage(channel="C1", text="x")

        assert code_of(failed.value) == "channel_not_found"
