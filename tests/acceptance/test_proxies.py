"""A machine that reaches the internet through a proxy, and a Slack that is not behind it."""

from __future__ import annotations

import pytest
from fixtures_decisions import MODULE, asking
from fixtures_house import MAYA, running_house

from bot.slack.app import web_client

NOBODY = "http://127.0.0.1:9"
"""A proxy that is not there: what goes through it fails."""


async def test_a_local_slack_is_reached_past_the_proxy(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", NOBODY)
    async with running_house(database, extra=(MODULE,)) as house:
        desk = await asking(house, MAYA)

        assert (await desk.click(MAYA)).acked
        assert (await desk.approval()).status == "decided"


@pytest.mark.parametrize(
    ("beside", "proxy"),
    [("", NOBODY), ("registry.example", NOBODY), ("registry.example,slack.com", None), ("*", None)],
)
def test_slack_itself_is_reached_through_the_proxy_unless_no_proxy_names_it(
    monkeypatch: pytest.MonkeyPatch, beside: str, proxy: str | None
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", NOBODY)
    monkeypatch.setenv("NO_PROXY", beside)

    assert web_client("xoxb-1", "https://slack.com/api/").proxy == proxy
