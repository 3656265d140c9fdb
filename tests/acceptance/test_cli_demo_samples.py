from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fixtures_house import CLEO, FINANCE, FINN, MAYA, OKEY, ONCALL, ROSA, SUPPORT, Row, Running

from bot.demo.panel import DemoPanel
from bot.demo.samples import SAMPLES, Sample
from bot.demo.show import environment
from workflows import folders
from workflows.pull_requests.repository import Repository

PLACES = {
    "#finance-approvals": (FINANCE, (MAYA, FINN)),
    "#on-call": (ONCALL, (OKEY,)),
    "#support-review": (SUPPORT, (CLEO,)),
    "#general": ("C05GENERAL", (ROSA,)),
}
POLICY_DECIDES = {"lunch"}
MOST_CARDS = 12


async def started(house: Running, panel: DemoPanel, sample: Sample) -> str:
    thread_id = (await panel.act(sample.name))["thread_id"]
    await house.drain()
    return str(thread_id)


async def done(house: Running, thread_id: str) -> list[Row]:
    """What the ledger holds of a thread."""
    return await house.rows("select * from sample_effects where starts_with(key, %s || ':')", thread_id)


def buttons(card: Row) -> Iterator[str]:
    for block in card["blocks"]:
        yield from (one["action_id"] for one in block.get("elements", []) if "action_id" in one)


async def approve(house: Running, place: str) -> None:
    """Let those who may decide the newest card of a channel do so, by its first option where it has some."""
    channel, people = PLACES[place]
    card = house.card(channel)
    for user in people:
        found = [one for one in buttons(card) if one in ("signoff.approve", "signoff.choose.0")]
        if found:
            assert (await house.slack.click(user, card, found[0])).acked
            await house.drain()
            card = next(one for one in house.cards(channel) if one["ts"] == card["ts"])


async def test_every_sample_goes_from_its_start_over_its_cards_to_its_effect(
    house: Running, panel: DemoPanel
) -> None:
    for sample in SAMPLES:
        thread_id = await started(house, panel, sample)
        asked = 0
        while (await house.thread(thread_id)).status == "waiting":
            asked += 1
            assert asked <= MOST_CARDS, sample.name
            (pending,) = [one for one in await house.approvals(thread_id) if one.status == "pending"]
            assert pending.delivery == "delivered", sample.name
            await approve(house, pending.channel)

        thread = await house.thread(thread_id)
        assert thread.status == "done", (sample.name, thread.error)
        assert await done(house, thread_id), sample.name
        assert (asked == 0) == (sample.name in POLICY_DECIDES), sample.name


@pytest.mark.parametrize("workflow", ["pull_request", "release", "transaction", "contract"])
def test_what_is_started_again_is_about_something_else(workflow: str) -> None:
    (sample,) = [one for one in SAMPLES if one.workflow == workflow]
    now = datetime(2026, 11, 20, 10, tzinfo=UTC)

    assert sample.made(0, now) != sample.made(1, now)


async def test_a_pull_request_lands_in_the_repository_of_the_demo(
    house: Running, panel: DemoPanel, tmp_path: Path
) -> None:
    (sample,) = [one for one in SAMPLES if one.workflow == "pull_request"]
    thread_id = await started(house, panel, sample)
    await approve(house, "#on-call")

    repository = Repository(tmp_path / "repositories" / "shop.git")
    assert repository.head("baskets-1") == (await house.thread(thread_id)).result["commit"]


def test_a_demo_touches_no_folder_of_the_user(house: Running, tmp_path: Path) -> None:
    given = environment(house.slack, house.dsn, tmp_path)

    assert Path(given[folders.VARIABLE]).is_relative_to(tmp_path)
    for variable in ("SIGNOFF_REPOSITORIES", "SIGNOFF_DATA", "SIGNOFF_PROJECTS"):
        assert given[variable] == ""
