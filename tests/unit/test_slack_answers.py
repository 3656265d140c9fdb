"""What comes back from Slack's address is not always Slack's."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from slack_sdk.errors import SlackApiError

from bot import metrics
from bot.slack.app import web_client
from bot.slack.workspace.badge import Badge
from bot.slack.workspace.directory import Unreachable
from bot.slack.workspace.failures import MEND, OURS, NotProven, code_of, read_failure

JSON = "application/json"


async def answering(status, kind, text, headers=None):
    async def answer(_):
        return web.Response(status=status, content_type=kind, text=text, headers=headers)

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


async def refused(status, error, headers=None, **more):
    """What we make of a refusal of Slack's."""
    text = json.dumps({"ok": False, "error": error} | more)
    async with await answering(status, JSON, text, headers) as slack:
        with pytest.raises(Unreachable) as failed:
            await web_client("xoxb-1", str(slack.make_url("/api/"))).chat_postMessage(channel="C1", text="x")
    return read_failure(failed.value)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("ratelimited", "ratelimited"),
        ("rate_limited", "ratelimited"),
        ("message_limit_exceeded", "ratelimited"),
        ("fatal_error", "unknown"),
        ("internal_error", "unknown"),
        ("request_timeout", "unknown"),
        ("invalid_auth", "not_now"),
        ("account_inactive", "not_now"),
        ("token_revoked", "not_now"),
        ("token_expired", "not_now"),
        ("service_unavailable", "not_now"),
        ("ekm_access_denied", "not_now"),
        ("external_channel_migrating", "not_now"),
        ("message_not_found", "deleted"),
        ("thread_not_found", "no_parent"),
        ("edit_window_closed", "frozen"),
        ("cant_update_message", "frozen"),
        ("update_failed", "frozen"),
        ("channel_not_found", "for_good"),
        ("an_error_of_tomorrow", "for_good"),
    ],
)
async def test_each_refusal_of_slacks_says_whether_to_wait_to_try_again_or_to_give_up(error, kind):
    failure = await refused(200, error)

    assert (failure.kind, failure.why) == (kind, error)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"Retry-After": "30"}, 30), ({"retry-after": "2"}, 2), ({"Retry-After": "soon"}, 1), ({}, 1)],
)
async def test_a_rate_is_waited_for_as_long_as_slack_says(headers, seconds):
    failure = await refused(429, "", headers)

    assert (failure.kind, failure.why, failure.after) == ("ratelimited", "429", timedelta(seconds=seconds))


async def test_a_failing_server_may_have_done_it_whatever_it_says():
    assert (await refused(500, "channel_not_found")).kind == "unknown"
    assert (await refused(503, "")).why == "HTTP status 503"


async def test_what_is_for_good_says_what_slack_found_and_how_to_mend_it():
    failure = await refused(
        200, "invalid_blocks", response_metadata={"messages": ["[ERROR] one", "[ERROR] two"]}
    )

    assert (failure.why, failure.mend) == ("invalid_blocks ([ERROR] one; [ERROR] two)", OURS)
    assert (await refused(200, "not_in_channel")).mend == MEND["not_in_channel"]
    assert (await refused(200, "an_error_of_tomorrow")).mend == "See the log."


def test_what_never_reached_slack_is_tried_once_the_token_is_proven():
    assert read_failure(NotProven("Slack has not said yet whose token this is")).kind == "not_now"


def test_a_refusal_that_came_as_a_plain_dict_is_read_too():
    assert read_failure(SlackApiError("refused", {"error": "message_not_found"})).kind == "deleted"
