"""What was asked is no longer so when it is clicked, or when the answer arrives: from card to effect."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator
from typing import Any

import moving_world
import pytest
from asking import retried
from fixtures_house import FINANCE, MAYA, OTTO, ROSA, Row, Running, running_house

DEPLOY, ANNOUNCE = "Deploy the shop?", "Announce it?"


@pytest.fixture
async def house(database: str) -> AsyncIterator[Running]:
    moving_world.world["head"] = "f00d"
    async with running_house(database, extra=(moving_world.MODULE,)) as running:
        yield running


def card(house: Running, title: str, nth: int = -1) -> Row:
    """One of the cards that ask this, oldest first."""
    return [m for m in house.cards(FINANCE) if title in m["blocks"][0]["text"]["text"]][nth]


def words(value: Any) -> str:
    """All text of a message."""
    match value:
        case dict():
            return " ".join(
                words(v) for k, v in value.items() if k in ("text", "blocks", "elements", "fields")
            )
        case list():
            return " ".join(map(words, value))
        case _:
            return value if isinstance(value, str) else ""


async def answer(house: Running, title: str, action: str = "approve", user: str = MAYA) -> None:
    ack = await house.slack.click(user, card(house, title), f"signoff.{action}")
    assert ack.acked


async def reject(house: Running, title: str) -> None:
    await answer(house, title, "reject")
    await house.slack.until(lambda: bool(house.slack.views(MAYA)))
    await house.slack.submit(MAYA, house.slack.views(MAYA)[-1], {"words": "not this one"})


async def asked_again(house: Running) -> tuple[str, Row, Row]:
    """Move the commit between approval and effect; Rosa's click on the old card, and her form, come late."""
    thread_id = await house.run("moving", {"log": []}, OTTO)
    late = copy.deepcopy(house.slack.click_payload(ROSA, card(house, DEPLOY), "signoff.approve"))
    await answer(house, DEPLOY, "reject", ROSA)
    (form,) = await house.slack.until(lambda: house.slack.views(ROSA))
    await answer(house, DEPLOY)
    await house.house.desk.showing.idle()
    assert "Approved" in words(house.slack.messages(OTTO))
    moving_world.world["head"] = "beef"
    await house.drain()
    return thread_id, late, form


async def test_a_commit_that_changed_after_the_approval_is_asked_about_again_and_the_rejection_wins(house):
    thread_id, _, _ = await asked_again(house)

    again = words(card(house, DEPLOY))
    assert again.startswith(f"Asked again: {DEPLOY}")
    assert "Asked again, since this changed before the answer took effect : before → after" in again
    assert "commit :  f00d  →  beef" in again
    assert "Based on :  f00d  →  beef" in again
    before = words(card(house, DEPLOY, 0))
    assert "Superseded" in before
    assert f"The decision by <@{MAYA}> was not used" in before
    assert "Your decision was not used" in words(house.slack.messages(MAYA))
    under = [m for m in house.slack.messages(FINANCE) if m.get("thread_ts") == card(house, DEPLOY, 0)["ts"]]
    for told in (house.slack.messages(OTTO), under[1:]):
        assert f"The decision by <@{MAYA}> was not used" in words(told)
        assert "Approved" not in words(told)

    await reject(house, DEPLOY)
    moving_world.world["head"] = "f00d"
    await answer(house, ANNOUNCE)
    await house.drain()
    thread = await house.thread(thread_id)
    assert thread.status == "done"
    assert sorted(thread.result["log"]) == ["announce: approve", "deploy: reject"]


async def test_whoever_comes_late_to_a_card_that_is_asked_again_is_led_to_the_one_that_asks_now(house):
    _, late, form = await asked_again(house)
    new, old = place(card(house, DEPLOY)), place(card(house, DEPLOY, 0))
    assert f"{old}|" not in words(house.slack.messages(MAYA)), "that one leads nowhere"

    await house.slack.deliver(late)
    (told,) = await house.slack.until(lambda: house.slack.ephemerals(ROSA))
    assert f"{new}|a new card> asks about it" in told["text"]
    await house.slack.submit(ROSA, form, {"words": "too early"})
    (instead,) = house.slack.views(ROSA)
    assert f"{new}|a new card> asks about it" in words(instead)
    assert "too early" in words(instead)

    posted = card(house, DEPLOY)["ts"]
    await house.execute("update messages set ts = null where ts = %s", posted)
    await house.slack.deliver(late)
    _, told = await house.slack.until(
        lambda: len(house.slack.ephemerals(ROSA)) > 1 and house.slack.ephemerals(ROSA)
    )
    assert "a new card asks about it" in told["text"], "it is not posted yet"
    await house.execute("update messages set ts = %s where kind = 'card' and ts is null", posted)

    house.slack.delete_message(FINANCE, posted)
    await house.execute("update messages set wanted = wanted + 1 where kind = 'card' and drawn > 0")
    await retried(house)
    assert place(card(house, DEPLOY)) != new
    assert f"{place(card(house, DEPLOY))}|The card>" in words(house.slack.messages(MAYA))


def place(shown: Row) -> str:
    """How a message's address ends."""
    return f"/p{shown['ts'].replace('.', '')}"


async def test_what_a_node_says_of_its_world_is_escaped_on_the_card(house):
    await house.run("moving", {"log": []})
    await answer(house, DEPLOY)
    moving_world.world["head"] = "<!channel> *b*"
    await house.drain()

    asked = card(house, DEPLOY)
    assert "<!channel>" not in json.dumps([b for b in asked["blocks"] if b["type"] != "rich_text"])
    plain = [b for b in asked["blocks"] if b["type"] == "rich_text"]
    assert {"type": "text", "text": "<!channel> *b*"} in list(_leaves(plain))
    assert all(leaf["type"] != "broadcast" for leaf in _leaves(plain))


async def test_a_click_on_what_has_changed_since_is_refused_and_the_card_was_redrawn(house):
    thread_id = await house.run("moving", {"log": []})
    shown = copy.deepcopy(house.slack.click_payload(MAYA, card(house, DEPLOY), "signoff.approve"))
    moving_world.world["head"] = "beef"
    await answer(house, ANNOUNCE, user=ROSA)
    await house.drain()

    ack = await house.slack.deliver(shown)
    assert ack.acked
    await house.slack.until(lambda: bool(house.slack.ephemerals(MAYA)))
    assert "out of date" in house.slack.ephemerals(MAYA)[-1]["text"]
    redrawn = card(house, DEPLOY)
    assert redrawn["ts"] == shown["message"]["ts"]
    assert "Changed since it was first asked : before → after" in words(redrawn)
    assert "f00d  →  beef" in words(redrawn)
    (waiting,) = [a for a in await house.approvals(thread_id) if a.status == "pending"]
    assert waiting.revision == 2
    refused = [e["data"]["why"] for e in await house.audit(thread_id) if e["event"] == "approval.refused"]
    assert refused == ["outdated"]

    await answer(house, DEPLOY)
    await house.drain()
    assert sorted((await house.thread(thread_id)).result["log"]) == ["announce: approve", "deploy: approve"]


def _leaves(value: Any) -> Any:
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, dict) and "elements" in value:
        yield from _leaves(value["elements"])
    elif isinstance(value, dict):
        yield {k: v for k, v in value.items() if k in ("type", "text")}
