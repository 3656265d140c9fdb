"""What is known of groups costs Slack nothing, and what an author wrote keeps its order."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from asking import tick
from fixtures_house import FINANCE, MAYA, OPS, OTTO, Running
from slack_sdk.errors import SlackApiError

import workflows.expense
from bot.emulator.errors import SlackError
from bot.emulator.method import Call
from bot.emulator.webapi import METHODS
from bot.emulator.workspace import Json
from bot.slack.workspace import channels


def looked_up(house: Running) -> int:
    return sum(call.method == "usergroups.list" for call in house.slack.calls)


async def test_a_group_that_is_known_is_not_looked_up_at_every_click(house: Running) -> None:
    await house.run("expense", workflows.expense.samples["hotel"], "U05ROSA")
    await house.click(OTTO, FINANCE, "signoff.approve")
    before = looked_up(house)
    await house.click(OTTO, FINANCE, "signoff.approve")
    await house.click(MAYA, FINANCE, "signoff.approve")

    assert looked_up(house) == before


async def test_a_channel_is_looked_for_on_from_where_slack_had_enough_of_it(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Slack gives 20 pages a minute, and a large organization has more (slackapi/python-slack-sdk#1494).
    listing = METHODS["conversations.list"]
    asked: list[str] = []

    def two_pages_at_a_time(call: Call) -> Json:
        asked.append(call.args.text("cursor"))
        if len(asked) % 3 == 0:
            raise SlackError("ratelimited", retry_after=0)
        return listing.handler(call)

    monkeypatch.setitem(METHODS, "conversations.list", replace(listing, handler=two_pages_at_a_time))
    monkeypatch.setattr(channels, "PAGE", 1)
    for _ in range(2):
        with suppress(SlackApiError):
            found = await house.house.directory.channels.find("#signoff-ops")

    assert found.channel_id == OPS
    assert asked == ["", "1", "2", "2", "3"]


async def test_ops_hear_nothing_of_a_group_that_exists(house: Running) -> None:
    await house.run("expense", workflows.expense.samples["hotel"], "U05ROSA")

    assert house.slack.messages(OPS) == []


async def test_a_proposal_keeps_the_order_in_which_its_author_wrote_it(house: Running) -> None:
    thread_id = await house.run("expense", workflows.expense.samples["hotel"], "U05ROSA")
    approval = await house.approval(thread_id)

    assert list(approval.proposal) == list(workflows.expense.PaymentProposal.model_fields)
    await house.click(MAYA, FINANCE, "signoff.edit")
    (view,) = await house.slack.until(lambda: house.slack.views(MAYA))
    labels = [b["label"]["text"] for b in view["blocks"] if b["type"] == "input"]
    assert labels[0] == "Vendor"


async def test_the_very_first_card_mentions_its_group(house: Running) -> None:
    await house.run("expense", workflows.expense.samples["hotel"], "U05ROSA")

    assert "<!subteam^S01FINMGR>" in str(house.card(FINANCE)["blocks"])
    assert sum(call.method == "chat.update" for call in house.slack.calls) == 0


async def test_a_card_names_the_group_that_has_the_handle_of_its_policy_now(house: Running) -> None:
    await house.run("expense", workflows.expense.samples["hotel"], "U05ROSA")
    groups = house.slack.state.groups
    groups["S01FINMGR"] = replace(groups["S01FINMGR"], handle="finance-old")
    groups["S04COMPLY"] = replace(groups["S04COMPLY"], handle="finance-managers")

    await house.house.directory.refresh_groups()
    await tick(house)

    card = str(house.card(FINANCE)["blocks"])
    assert "<!subteam^S04COMPLY>" in card
    assert "S01FINMGR" not in card
