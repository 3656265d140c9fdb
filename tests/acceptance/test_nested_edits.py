"""Nested proposals edited in Slack: objects in place, lists of objects one at a time, nothing lost."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fixtures_decisions import MODULE, Asked, asking
from fixtures_house import FINN, MAYA, OKEY, ONCALL, ROSA, Row, Running, running_house

from bot.emulator.delivery import Ack
from workflows.pull_request import samples
from workflows.pull_requests.repository import Repository

RUNBOOK = {
    "service": "orders-db",
    "rollback": {"to": "v41", "window": {"start": "2026-12-01", "hours": 2}, "ratio": 1.50},
    "hosts": ["db-1", "db-2"],
    "steps": [
        {"host": "db-1", "action": "drain", "tries": 2, "limits": {"cpu": 0.5}},
        {"host": "db-2", "action": "restart", "tries": 3, "limits": {"cpu": 1e22}},
        {"host": "db-2", "action": "drain", "tries": 1, "limits": None},
    ],
    "raw": [[1, 1.0], [None]],
}
STEP = {
    "type": "object",
    "properties": {
        "host": {"type": "string", "minLength": 1},
        "action": {"enum": ["drain", "restart"]},
        "tries": {"type": "integer", "minimum": 1, "maximum": 5},
        "limits": {"anyOf": [{"$ref": "#/$defs/Limits"}, {"type": "null"}]},
    },
    "required": ["host", "action", "tries"],
}
SCHEMA = {
    "type": "object",
    "properties": {
        "service": {"type": "string"},
        "rollback": {
            "type": "object",
            "properties": {
                "to": {"type": "string"},
                "window": {
                    "type": "object",
                    "properties": {
                        "start": {"type": "string", "format": "date"},
                        "hours": {"type": "integer", "minimum": 1, "maximum": 8},
                    },
                    "required": ["start", "hours"],
                },
            },
            "required": ["to", "window"],
        },
        "hosts": {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
        "steps": {"type": "array", "items": {"$ref": "#/$defs/Step"}, "minItems": 1},
    },
    "required": ["service", "rollback", "hosts", "steps"],
    "$defs": {"Step": STEP, "Limits": {"type": "object", "properties": {"cpu": {"type": "number"}}}},
}


@pytest.fixture
async def house(database: str) -> AsyncIterator[Running]:
    async with running_house(database, extra=(MODULE,)) as running:
        yield running


async def a_runbook(house: Running, *approvers: str, **more: Any) -> Asked:
    allow = ["approve", "reject", "edit"]
    return await asking(house, *approvers, proposal=RUNBOOK, proposal_schema=SCHEMA, allow=allow, **more)


def shown(view: Row) -> str:
    return json.dumps(view, ensure_ascii=False)


def field(view: Row, label: str) -> str:
    """The id of the input with that label."""
    (found,) = [b["block_id"] for b in view["blocks"] if b["type"] == "input" and b["label"]["text"] == label]
    return str(found)


def row(view: Row, text: str) -> str:
    """The id of the buttons under the line that says `text`."""
    blocks = view["blocks"]
    (found,) = [n for n, b in enumerate(blocks) if b["type"] == "section" and text in b["text"]["text"]]
    return str(blocks[found + 1]["block_id"])


def lines(view: Row) -> list[str]:
    """The lines of the lists, without what stands above the form."""
    return [b["text"]["text"] for b in view["blocks"] if b["type"] == "section" and b["block_id"][:2] == "i:"]


def root(house: Running, user: str = MAYA) -> Row:
    return house.slack.views(user)[0]


async def press(house: Running, view: Row, block_id: str, does: str, user: str = MAYA, **how: Any) -> Ack:
    return await house.slack.click(user, view, f"signoff.item.{does}", block_id=block_id, **how)


async def opened(house: Running, view: Row, block_id: str, does: str = "edit", user: str = MAYA) -> Row:
    """Press a row's button, and return the modal that it opens on top."""
    before = len(house.slack.views(user))
    assert (await press(house, view, block_id, does, user)).acked
    await house.slack.until(lambda: len(house.slack.views(user)) > before)
    return house.slack.views(user)[-1]


async def redrawn(house: Running, view: Row, user: str = MAYA) -> Row:
    """Wait until the edit modal is another than `view`, and return it."""
    await house.slack.until(lambda: root(house, user)["hash"] != view["hash"])
    return root(house, user)


async def tries(house: Running, view: Row, text: str, count: int, user: str = MAYA) -> Row:
    """Set how often a step is tried, and return the edit modal after that."""
    item = await opened(house, view, row(view, text), user=user)
    assert (await house.slack.submit(user, item, {field(item, "Tries"): str(count)})).acked
    return root(house, user)


async def test_an_incident_is_edited_all_over_and_nothing_else_of_it_changes(house: Running) -> None:
    desk = await a_runbook(house, MAYA)
    view = await desk.open(MAYA, "signoff.edit")

    item = await opened(house, view, row(view, "2. Host: db-2"))
    assert "Rollback" not in shown(item)
    await house.slack.submit(MAYA, item, {field(item, "Tries"): "5", field(item, "Cpu"): "0.25"})
    assert len(house.slack.views(MAYA)) == 1
    view = root(house)
    assert lines(view)[1] == "2. Host: db-2 \u00b7 Action: restart \u00b7 Tries: 5 (edited)"

    await press(house, view, row(view, "1. Host: db-1"), "remove")
    view = await redrawn(house, view)
    item = await opened(house, view, "b:f:4/add", "add")
    typed = {field(item, "Host"): "db-3", field(item, "Action"): "0", field(item, "Tries"): "1"}
    await house.slack.submit(MAYA, item, typed)
    view = root(house)
    assert [line[:12] for line in lines(view)] == ["1. Host: db-", "2. Host: db-", "3. Host: db-"]

    typed = {field(view, "Hours"): "4", field(view, "Hosts"): "db-2\ndb-3"}
    assert (await house.slack.submit(MAYA, view, typed)).acked
    await house.drain()

    decision = (await house.thread(desk.thread_id)).result["decision"]
    expected = json.loads(json.dumps(RUNBOOK))
    expected["rollback"]["window"]["hours"] = 4
    expected["hosts"] = ["db-2", "db-3"]
    expected["steps"] = [
        {"host": "db-2", "action": "restart", "tries": 5, "limits": {"cpu": 0.25}},
        RUNBOOK["steps"][2],
        {"host": "db-3", "action": "drain", "tries": 1},
    ]
    assert decision["proposal"] == expected
    assert json.dumps(decision["proposal"]["raw"]) == "[[1, 1.0], [null]]"
    assert "rollback.window.hours" in decision["edited"]
    (vote,) = [event for event in await desk.events() if event["event"] == "approval.vote"]
    hours = {"path": "rollback.window.hours", "kind": "changed", "before": 2, "after": 4}
    assert hours in vote["data"]["changes"]
    card = str(desk.card()["blocks"])
    assert "rollback.window.hours" in card
    assert "hosts[0]" in card


async def test_one_step_taken_out_is_one_change_in_the_audit(house: Running) -> None:
    desk = await a_runbook(house, MAYA)
    view = await desk.open(MAYA, "signoff.edit")
    await press(house, view, row(view, "1. Host"), "remove")

    await house.slack.submit(MAYA, await redrawn(house, view))

    (vote,) = [event for event in await desk.events() if event["event"] == "approval.vote"]
    removed = {"path": "steps[0]", "kind": "removed", "before": RUNBOOK["steps"][0]}
    assert vote["data"]["changes"] == [removed]


async def test_what_does_not_fit_is_said_at_the_field_of_the_object_and_both_forms_stay(
    house: Running,
) -> None:
    desk = await a_runbook(house, MAYA)
    view = await desk.open(MAYA, "signoff.edit")
    item = await opened(house, view, "b:f:4/add", "add")

    ack = await house.slack.submit(
        MAYA, item, {field(item, "Host"): "  ", field(item, "Action"): "0", field(item, "Tries"): "2"}
    )

    assert ack.field_errors == {field(item, "Host"): "Needs a value."}
    assert house.slack.views(MAYA) == [view, item]
    assert (await desk.approval()).status == "pending"


async def test_errors_in_nested_fields_and_lists_keep_the_form_with_what_was_done_to_it(
    house: Running,
) -> None:
    desk = await a_runbook(house, MAYA)
    view = await tries(house, await desk.open(MAYA, "signoff.edit"), "1. Host", 5)
    hosts = field(view, "Hosts")

    ack = await house.slack.submit(MAYA, view, {hosts: "db-1\ndb-1", field(view, "Hours"): "4"})

    assert ack.field_errors == {hosts: "“db-1” is there twice; each line must differ."}
    assert root(house) == view
    await house.slack.submit(MAYA, view, {hosts: "db-1"})
    proposal = (await desk.approval()).proposal
    assert proposal["steps"][0]["tries"] == 5
    assert proposal["hosts"] == ["db-1"]


async def test_an_object_kept_when_it_is_too_late_says_who_decided_and_keeps_what_was_typed(
    house: Running,
) -> None:
    desk = await a_runbook(house, MAYA, FINN)
    view = await tries(house, await desk.open(MAYA, "signoff.edit"), "1. Host", 5)
    item = await opened(house, view, row(view, "2. Host"))
    await desk.click(FINN)

    ack = await house.slack.submit(MAYA, item, {field(item, "Host"): "db-typed"})

    assert ack.acked
    told = house.slack.views(MAYA)[-1]
    assert f"approved by <@{FINN}>" in shown(told)
    assert "db-typed" in shown(told)
    assert "tries: 5" in shown(told)

    await house.slack.close(MAYA, told)
    ack = await house.slack.submit(MAYA, view, {field(view, "Hours"): "7"})
    (told,) = house.slack.views(MAYA)
    assert f"approved by <@{FINN}>" in shown(told)
    assert "Rollback \u203a Window \u203a Hours: " in shown(told)
    assert '"text": "7"' in shown(told)
    assert "tries: 5" in shown(told)
    assert await desk.refusals() == [(MAYA, "settled")]
    assert (await desk.approval()).decision.proposal == RUNBOOK


@pytest.mark.parametrize(
    ("does", "block_id"), [("edit", "b:f:4/0"), ("remove", "b:f:4/0"), ("add", "b:f:4/add")]
)
async def test_a_row_used_when_it_is_too_late_says_who_decided_and_keeps_what_was_typed(
    house: Running, does: str, block_id: str
) -> None:
    desk = await a_runbook(house, MAYA, FINN)
    view = await desk.open(MAYA, "signoff.edit")
    await desk.click(FINN)

    assert (await press(house, view, block_id, does, values={field(view, "Service"): "typed-db"})).acked

    told = await redrawn(house, view)
    assert f"approved by <@{FINN}>" in shown(told)
    assert "typed-db" in shown(told)


async def test_a_list_edited_on_an_older_revision_says_who_changed_it(house: Running) -> None:
    desk = await a_runbook(house, MAYA, FINN, approvals=2)
    mine = await desk.open(MAYA, "signoff.edit")
    theirs = await desk.open(FINN, "signoff.edit")
    item = await opened(house, mine, row(mine, "3. Host"))
    await press(house, theirs, row(theirs, "3. Host"), "remove", FINN)
    await house.slack.submit(FINN, await redrawn(house, theirs, FINN))

    await house.slack.submit(MAYA, item, {field(item, "Tries"): "5"})

    assert f"<@{FINN}> changed this" in shown(house.slack.views(MAYA)[-1])
    await house.slack.close(MAYA, house.slack.views(MAYA)[-1])
    await house.slack.submit(MAYA, mine)
    assert await desk.refusals() == [(MAYA, "outdated")]
    assert len((await desk.approval()).proposal["steps"]) == 2


async def test_a_change_that_slack_does_not_take_back_keeps_the_object_open(house: Running) -> None:
    desk = await a_runbook(house, MAYA)
    view = await desk.open(MAYA, "signoff.edit")
    item = await opened(house, view, row(view, "1. Host"))
    house.slack.fault("views.update", "server_error")

    ack = await house.slack.submit(MAYA, item, {field(item, "Tries"): "5"})

    assert "Nothing is lost" in next(iter(ack.field_errors.values()))
    assert house.slack.views(MAYA) == [view, item]
    assert (await house.slack.submit(MAYA, item, {field(item, "Tries"): "5"})).acked
    assert "Tries: 5 (edited)" in lines(root(house))[0]


async def test_an_object_that_slack_does_not_open_is_said(house: Running) -> None:
    desk = await a_runbook(house, MAYA)
    view = await desk.open(MAYA, "signoff.edit")
    house.slack.fault("views.push", "server_error")

    assert (await press(house, view, row(view, "1. Host"), "edit")).acked

    said = await house.slack.until(lambda: house.slack.messages(MAYA))
    assert "click again" in said[-1]["text"]
    assert await opened(house, view, row(view, "1. Host"))


async def test_a_button_pressed_twice_does_once_what_it_says(house: Running) -> None:
    desk = await a_runbook(house, MAYA)
    view = await desk.open(MAYA, "signoff.edit")
    again = house.slack.click_payload(MAYA, view, "signoff.item.remove", block_id=row(view, "1. Host"))

    await press(house, view, row(view, "1. Host"), "remove", times=2)
    after = await redrawn(house, view)
    await house.slack.deliver(again)
    item = await opened(house, root(house), row(root(house), "1. Host"))
    await house.slack.submit(MAYA, item, {field(item, "Tries"): "4"}, times=3)

    assert len(lines(after)) == 2
    assert "please click again" not in str(house.slack.messages(MAYA))
    assert lines(root(house)) == [
        "1. Host: db-2 \u00b7 Action: restart \u00b7 Tries: 4 (edited)",
        "2. Host: db-2 \u00b7 Action: drain \u00b7 Tries: 1",
    ]


async def test_more_than_slack_lets_a_form_remember_is_said_and_nothing_is_lost(house: Running) -> None:
    desk = await a_runbook(house, MAYA)
    view = await desk.open(MAYA, "signoff.edit")
    item = await opened(house, view, row(view, "1. Host"))

    ack = await house.slack.submit(MAYA, item, {field(item, "Host"): "x" * 3000})

    assert "3,000 characters" in ack.field_errors[field(item, "Host")]
    assert house.slack.views(MAYA) == [view, item]
    assert (await house.slack.submit(MAYA, item, {field(item, "Host"): "x" * 2500})).acked
    await house.slack.submit(MAYA, root(house))
    assert (await desk.approval()).proposal["steps"][0]["host"] == "x" * 2500


async def test_a_form_of_lists_alone_says_what_is_wrong_above_them_and_keeps_what_was_done(
    house: Running,
) -> None:
    steps = {"type": "array", "uniqueItems": True, "items": {"$ref": "#/$defs/Step"}}
    proposal = {"steps": [RUNBOOK["steps"][2], {**RUNBOOK["steps"][2], "tries": 2}]}
    schema = {"properties": {"steps": steps}, "$defs": SCHEMA["$defs"]}
    desk = await asking(house, MAYA, proposal=proposal, proposal_schema=schema, allow=["approve", "edit"])
    view = await tries(house, await desk.open(MAYA, "signoff.edit"), "2. Host", 1)

    assert (await house.slack.submit(MAYA, view)).acked

    view = root(house)
    assert "Steps: Holds the same value twice." in shown(view)
    assert (await desk.approval()).status == "pending"
    await house.slack.submit(MAYA, await tries(house, view, "2. Host", 3))
    assert house.slack.views(MAYA) == []
    assert [step["tries"] for step in (await desk.approval()).proposal["steps"]] == [1, 3]


async def test_the_changes_of_a_pull_request_are_struck_out_in_the_form(
    house: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGNOFF_SAMPLES", str(tmp_path))
    thread_id = await house.run("pull_request", samples["branch"], ROSA)
    await house.slack.click(OKEY, house.card(ONCALL), "signoff.edit")
    (view,) = await house.slack.until(lambda: house.slack.views(OKEY))
    fields = [b for b in view["blocks"] if b["type"] == "input"]
    struck = {b["block_id"]: "1" for b in fields if "debugging" in b["label"]["text"]}
    assert len(struck) == 2

    await house.slack.submit(OKEY, view, {**struck, field(view, "Message of the commit"): "Mend the baskets"})
    await house.drain()

    thread = await house.thread(thread_id)
    assert thread.result["result"] == "committed", thread.result
    repository = Repository(tmp_path / "repositories" / "shop.git")
    text = repository.blob(repository.head("baskets"), "orders.py").content.decode()
    assert 'print("added", item)' in text
    assert "if item is None:" in text
    card = str(house.card(ONCALL)["blocks"])
    assert "debugging" in card
    assert "yes" in card
