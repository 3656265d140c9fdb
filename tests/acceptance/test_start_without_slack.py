"""A process that starts while Slack is away works from what the database remembers, and no further."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from asking import calls, retried
from fixtures_house import FINANCE, MAYA, PATIENCE, ROSA, TOKEN, Running, api_client, running_house
from test_http_slack import served

from bot.api.app import http_app
from bot.clock import Clock
from bot.commands.checkup.tokens import examine
from bot.commands.checkup.workspace import Workspace
from bot.emulator import Emulator
from bot.emulator.method import Call
from bot.emulator.webapi import METHODS
from bot.emulator.workspace import Json
from bot.roles.slack import proven
from bot.settings import Settings
from bot.slack.app import web_client
from bot.slack.workspace.badge import ForeignTeam, TokenRefused
from workflows.expense import samples

TEAM = "T00DEMO"


@pytest.fixture
async def slack():
    async with Emulator(rate_limits=False, delivery="http", ack_seconds=PATIENCE) as slack:
        yield slack


@asynccontextmanager
async def a_house(database, slack, **settings):
    async with (
        running_house(database, socket=False, slack=slack, **settings) as running,
        served(http_app(running.house)) as url,
    ):
        slack.delivery.request_url = f"{url}/slack/events"
        yield running


async def no_rest(stop: asyncio.Event, seconds: float) -> None:
    pass


async def problems(running: Running) -> list[tuple[str, str]]:
    async with api_client(running, TOKEN) as client:
        found = (await client.get("/readyz")).json()["problems"]
    return [(problem["part"], problem["problem"]) for problem in found]


async def test_graphs_run_and_clicks_count_while_slack_is_away_and_all_is_drawn_when_it_is_back(
    database, slack
):
    async with a_house(database, slack) as first:
        seen = await first.run("expense", samples["hotel"], ROSA)
        await first.house.directory.look_up_person(MAYA)
    slack.faults.down = True

    async with a_house(database, slack) as running:
        unseen = await running.run("expense", samples["hotel"], ROSA)
        assert (await running.thread(unseen)).status == "waiting"
        assert (await running.click(MAYA, FINANCE, "signoff.approve")).acked
        await running.drain()
        assert (await running.thread(seen)).status == "done"
        assert len(running.cards(FINANCE)) == 1
        assert [part for part, _ in await problems(running)] == ["slack"]

        slack.faults.down = False
        assert await proven(running.house.badge, asyncio.Event(), no_rest) is None
        await retried(running)

        assert len(running.cards(FINANCE)) == 2
        assert "approved" in running.cards(FINANCE)[0]["text"].lower()
        assert await problems(running) == []


async def test_before_slack_has_said_who_we_are_it_is_asked_nothing_else(database, slack):
    async with a_house(database, slack):
        pass
    slack.fault("auth.test", "server_error")
    asked_before = len(slack.calls)

    async with a_house(database, slack) as running:
        await running.run("expense", samples["hotel"], ROSA)

    assert {call.method for call in slack.calls[asked_before:]} == {"auth.test"}


async def test_a_token_of_another_workspace_is_refused_when_slack_is_back_and_touches_nothing(
    database, slack
):
    async with a_house(database, slack) as first:
        await first.execute("update slack_workspace set team_id = 'T99OTHER'")
    slack.faults.down = True
    async with a_house(database, slack) as running:
        thread_id = await running.run("expense", samples["hotel"], ROSA)
        slack.faults.down = False
        stop = asyncio.Event()
        await retried(running)

        refusal = await proven(running.house.badge, stop, no_rest)

        assert isinstance(refusal, ForeignTeam)
        assert stop.is_set()
        await retried(running)
        assert calls(running, "chat.postMessage") == 0
        (card,) = await running.rows("select * from messages where thread_id = %s", thread_id)
        assert (card["drawn"], card["ts"], card["error"]) == (0, None, None)
        (bound,) = await running.rows("select team_id from slack_workspace")
        assert bound["team_id"] == "T99OTHER"


async def test_a_token_of_another_workspace_is_refused_at_the_start_where_slack_answers(database, slack):
    async with a_house(database, slack) as first:
        await first.execute("update slack_workspace set team_id = 'T99OTHER'")

    with pytest.raises(ForeignTeam, match=TEAM):
        async with a_house(database, slack):
            pytest.fail("it opened")


async def test_a_token_that_slack_refuses_ends_a_start_at_once(database, slack):
    with pytest.raises(TokenRefused, match="invalid_auth"):
        async with a_house(database, slack, SLACK_BOT_TOKEN="xoxb-wrong"):
            pytest.fail("it opened")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"bot_id": None}, "a person's token"),
        ({"is_enterprise_install": True, "team_id": "E00DEMO"}, "one workspace"),
        ({"is_enterprise_install": True, "team_id": None}, "one workspace"),
    ],
)
async def test_a_token_that_is_not_of_a_bot_in_one_workspace_is_refused_and_binds_no_database(
    database, slack, monkeypatch, said, why
):
    of_the_bot = METHODS["auth.test"]

    def answer(call: Call) -> Json:
        answered = of_the_bot.handler(call) | said
        return {name: value for name, value in answered.items() if value is not None}

    with monkeypatch.context() as patched:
        patched.setitem(METHODS, "auth.test", replace(of_the_bot, handler=answer))
        with pytest.raises(TokenRefused, match=why):
            async with a_house(database, slack):
                pytest.fail("it opened")
        found = examine(web_client("xoxb-emulator", slack.api_url), Settings(), None)
        (finding,) = [finding async for finding in found]
        assert why in f"{finding.said} {finding.mend}"

    async with a_house(database, slack) as running:
        assert running.house.badge.team == TEAM


async def test_the_doctor_counts_nobody_of_another_workspace_among_those_who_may_decide(slack):
    otto = slack.state.users["U07OTTO"]
    workspace = Workspace(web_client("xoxb-emulator", slack.api_url))
    slack.state.set_user(replace(otto, id="U13AWAY", team_id="T99OTHER"))
    slack.state.set_user(replace(otto, id="U14BOTH", team_id="T99OTHER", teams=("T99OTHER", TEAM)))

    people = ("U07OTTO", "U13AWAY", "U14BOTH", "U11XENO", "U10LEFT", "U12GHOST")
    assert [await workspace.may_decide(user) for user in people] == [True, False, True, False, False, False]


async def test_the_very_first_start_waits_for_slack_ever_longer_and_binds_the_database_then(database, slack):
    slack.fault("auth.test", "dropped", times=2)
    slack.fault("auth.test", "server_error")
    rests: list[float] = []

    async def rest(stop: asyncio.Event, seconds: float) -> None:
        rests.append(seconds)

    async with a_house(database, slack) as running:
        assert running.house.badge.team is None
        assert (await problems(running))[0][0] == "slack"

        assert await proven(running.house.badge, asyncio.Event(), rest) is None

        assert rests == [1.0, 2.0]
        (bound,) = await running.rows("select team_id from slack_workspace")
        assert bound["team_id"] == running.house.badge.team == TEAM


async def test_waiting_for_slack_ends_when_it_is_time_to_stop(database, slack):
    stop = asyncio.Event()

    async def rest(stop: asyncio.Event, seconds: float) -> None:
        stop.set()

    slack.faults.down = True
    async with a_house(database, slack) as running:
        assert await proven(running.house.badge, stop, rest) is None
        assert not running.house.badge.proven


async def test_nothing_expires_while_nobody_knows_whose_token_it_is(database, slack):
    async with a_house(database, slack) as first:
        thread_id = await first.run("expense", samples["hotel"], ROSA)
    slack.fault("auth.test", "server_error")
    async with a_house(database, slack) as running:
        clock = Clock(running.house)
        await clock.probe()
        await running.pass_time(timedelta(days=30))
        await clock.probe()
        await clock.tick()

        assert (await running.approval(thread_id)).status == "pending"
