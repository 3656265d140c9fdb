from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args
from uuid import UUID, uuid4

import pytest
from fixtures_house import BUILDER, FINANCE, GWEN, LENA, MAYA, ROSA, TOKEN, XENO, api_client, running_house
from jsonschema import validate

from bot.api.approvals import Approvals
from bot.api.threads import NewThread, Threads
from bot.approvals.states import ApprovalStatus, DeliveryStatus, ThreadStatus
from workflows.expense import samples
from workflows.expenses.claim import ExpenseClaim

TOKENS = f"ci:{TOKEN},nightly:another-token-of-the-tests,abroad:schlüssel"

MOMENT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"}
MAYBE_MOMENT = {"anyOf": [MOMENT, {"type": "null"}]}
OBJECT_OR_NULL = {"type": ["object", "null"]}


def closed(**properties):
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def page_of(item):
    return closed(items={"type": "array", "items": item}, next_cursor={"type": ["string", "null"]})


APPROVAL = closed(
    approval_id={"type": "string"},
    thread_id={"type": "string"},
    interrupt_id={"type": "string"},
    status={"enum": ["pending", "decided", "expired", "cancelled", "superseded", "orphaned"]},
    delivery={"enum": ["pending", "delivered", "failed"]},
    revision={"type": "integer"},
    request={"type": "object", "required": ["signoff", "title", "proposal"]},
    policy={"type": "object", "required": ["approvers", "approvals", "rejections", "self_approval"]},
    votes={"type": "array", "items": {"type": "object", "required": ["user", "verdict", "at", "standing"]}},
    decision=OBJECT_OR_NULL,
    channel={"type": "string"},
    message_ts={"type": ["string", "null"]},
    created_at=MOMENT,
    delivered_at=MAYBE_MOMENT,
    due_at=MAYBE_MOMENT,
    decided_at=MAYBE_MOMENT,
)
THREAD = closed(
    thread_id={"type": "string"},
    workflow={"type": "string"},
    status={"enum": ["running", "waiting", "done", "failed", "cancelled", "orphaned"]},
    autonomy={"enum": ["full", "on_action", "step_by_step"]},
    result={},
    error={"type": ["string", "null"]},
    approvals={"type": "array", "items": APPROVAL},
)
ERROR = closed(
    error={
        "type": "object",
        "properties": {key: {"type": "string", "minLength": 1} for key in ("code", "message", "field")},
        "required": ["code", "message"],
        "additionalProperties": False,
    }
)


@pytest.fixture
async def running(database):
    async with running_house(database, SIGNOFF_API_TOKENS=TOKENS) as running:
        yield running


@pytest.fixture
async def api(running):
    async with api_client(running) as client:
        yield client


def refusal(response):
    """Status, code and field of a refusal; its shape is right, and it tells nothing of our insides."""
    validate(response.json(), ERROR)
    for inside in ("Traceback", "psycopg", "select ", "pydantic", "/bot/"):
        assert inside not in response.text
    error = response.json()["error"]
    return response.status_code, error["code"], error.get("field")


async def start(api, **body):
    response = await api.post("/v1/threads", json={"workflow": "expense", "input": samples["hotel"], **body})
    assert response.status_code == 202, response.text
    validate(response.json(), closed(thread_id={"type": "string"}))
    return response.json()["thread_id"]


async def test_a_thread_is_started_read_and_done_with_every_state_in_the_contracts_shape(running, api):
    thread_id = await start(api, requester=ROSA)
    new = (await api.get(f"/v1/threads/{thread_id}")).json()
    validate(new, THREAD)
    assert (new["status"], new["approvals"]) == ("running", [])

    await running.drain()
    waiting = (await api.get(f"/v1/threads/{thread_id}")).json()
    validate(waiting, THREAD)
    (approval,) = waiting["approvals"]
    assert waiting["status"] == "waiting"
    assert (approval["status"], approval["delivery"], approval["votes"]) == ("pending", "delivered", [])
    assert (approval["channel"], approval["message_ts"]) == (FINANCE, running.card(FINANCE)["ts"])
    assert approval["request"]["title"] == "Pay Hotel Adler 1,240.00 EUR"

    await running.click(MAYA, FINANCE, "signoff.approve")
    await running.drain()
    done = (await api.get(f"/v1/threads/{thread_id}")).json()
    validate(done, THREAD)
    (approval,) = done["approvals"]
    assert (done["status"], approval["status"]) == ("done", "decided")
    assert (approval["decision"]["verdict"], approval["decision"]["by"]["user"]) == ("approve", MAYA)
    assert [vote["user"] for vote in approval["votes"]] == [MAYA]
    assert done["result"]


async def test_the_starter_is_recorded_by_its_tokens_name(running, api):
    thread = await running.thread(await start(api, requester=ROSA))
    assert (thread.starter, thread.requester) == ("api:ci", ROSA)


async def test_a_run_is_given_its_autonomy_when_it_starts(api):
    for more, autonomy in (({}, "on_action"), ({"autonomy": "step_by_step"}, "step_by_step")):
        thread_id = await start(api, **more)
        assert (await api.get(f"/v1/threads/{thread_id}")).json()["autonomy"] == autonomy


async def test_ten_at_once_with_one_idempotency_key_make_one_thread(running, api):
    started = await asyncio.gather(*(start(api, idempotency_key="invoice-7") for _ in range(10)))
    assert len(set(started)) == 1
    assert len(await running.rows("select from threads")) == 1
    await running.drain()
    assert len(running.cards(FINANCE)) == 1


async def test_an_idempotency_key_is_its_callers_own(running, api):
    first = await start(api, idempotency_key="invoice-7")
    async with api_client(running, "another-token-of-the-tests") as nightly:
        assert await start(nightly, idempotency_key="invoice-7") != first
    assert await start(api, idempotency_key="invoice-8") != first


DEEP = "[" * 5000 + "]" * 5000
REFUSED_BODIES = {
    "broken JSON": (b'{"workflow": ', 400, "bad_json", None),
    "no text": (b"\xff\xfe", 400, "bad_json", None),
    "a list": (b"[]", 400, "bad_json", None),
    "not a JSON number": (b'{"workflow": "expense", "input": {"amount": NaN}}', 400, "bad_json", None),
    "nested past reading": (b'{"input": ' + b"[" * 200_000, 400, "bad_json", None),
    "nothing": (b"", 422, "invalid", "workflow"),
    "no input": (b'{"workflow": "expense"}', 422, "invalid", "input"),
    "an input of another kind": (b'{"workflow": "expense", "input": "x"}', 422, "invalid", "input"),
    "an unknown key": (b'{"workflow": "expense", "input": {}, "who": 1}', 422, "invalid", "who"),
    "half a character as a key": (b'{"workflow": "expense", "\\ud800": 1}', 422, "invalid", None),
    "a workflow that is a number": (b'{"workflow": 3, "input": {}}', 422, "invalid", "workflow"),
    "an unknown workflow": (b'{"workflow": "nope", "input": {}}', 404, "unknown_workflow", "workflow"),
    "half a character as a workflow": (
        b'{"workflow": "\\ud800", "input": {}}', 404, "unknown_workflow", "workflow",
    ),
    "an empty key": (
        b'{"workflow": "expense", "input": {}, "idempotency_key": ""}', 422, "invalid", "idempotency_key",
    ),
    "a zero in the key": (
        b'{"workflow": "expense", "input": {}, "idempotency_key": "\\u0000"}',
        422, "invalid", "idempotency_key",
    ),
    "no autonomy that there is": (
        b'{"workflow": "expense", "input": {}, "autonomy": "total"}', 422, "invalid", "autonomy",
    ),
    "an autonomy that the workflow forbids": (
        b'{"workflow": "expense", "input": {}, "autonomy": "full"}', 422, "invalid", "autonomy",
    ),
    "a missing field": (b'{"workflow": "expense", "input": {}}', 422, "invalid", "input.vendor"),
    "a zero in the input": (
        b'{"workflow": "expense", "input": {"vendor": "a\\u0000b"}}', 422, "invalid", "input.vendor",
    ),
    "half a character in the input": (
        b'{"workflow": "expense", "input": {"vendor": ["\\udfff"]}}', 422, "invalid", "input.vendor.0",
    ),
    "an endless number": (
        b'{"workflow": "expense", "input": {"amount": 1e999}}', 422, "invalid", "input.amount",
    ),
    "a huge body": (b'{"workflow": "' + b"x" * 1_000_001, 413, "too_large", None),
}  # fmt: skip


async def test_a_body_that_is_wrong_is_refused_with_its_field_and_starts_nothing(running, api):
    for name, (body, *expected) in REFUSED_BODIES.items():
        response = await api.post("/v1/threads", content=body)
        assert [name, *refusal(response)] == [name, *expected], response.text
    assert await running.rows("select from threads") == []


async def test_an_input_says_every_field_that_is_wrong(api):
    given = {**samples["hotel"], "amount": "-1", "date": "yesterday"}
    response = await api.post("/v1/threads", json={"workflow": "expense", "input": given})
    assert refusal(response) == (422, "invalid", "input.amount")
    assert "date: " in response.json()["error"]["message"]


async def test_an_input_nested_too_deep_to_store_is_refused(api):
    body = b'{"workflow": "expense", "input": {"vendor": ' + b"[" * 200 + b"]" * 200 + b"}}"
    assert refusal(await api.post("/v1/threads", content=body))[:2] == (422, "invalid")


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ("rosa", "not a Slack user id"),
        ("U99NOBODY", "unknown to Slack"),
        (BUILDER, "a bot"),
        (LENA, "deactivated"),
        (XENO, "another Slack workspace"),
    ],
)
async def test_a_requester_has_to_be_a_live_person_of_the_workspace(running, api, user, why):
    body = {"workflow": "expense", "input": samples["hotel"], "requester": user}
    response = await api.post("/v1/threads", json=body)
    assert refusal(response) == (422, "invalid", "requester")
    assert why in response.json()["error"]["message"]
    assert await running.rows("select from threads") == []


async def test_a_guest_may_ask(running, api):
    assert (await running.thread(await start(api, requester=GWEN))).requester == GWEN


async def test_a_requester_whom_slack_cannot_check_now_is_asked_for_later(running, api):
    running.slack.fault("users.info", "server_error")
    body = {"workflow": "expense", "input": samples["hotel"], "requester": ROSA}
    response = await api.post("/v1/threads", json=body)
    assert refusal(response) == (503, "slack_away", None)
    assert int(response.headers["Retry-After"]) > 0
    await start(api, requester=ROSA)


async def test_a_requester_known_for_minutes_costs_no_call_to_slack(running, api):
    for _ in range(3):
        await start(api, requester=ROSA)
    assert [call.method for call in running.slack.calls].count("users.info") == 1
    await running.pass_time(timedelta(hours=1))
    await start(api, requester=ROSA)
    assert [call.method for call in running.slack.calls].count("users.info") == 2


async def test_a_cancelled_thread_ends_and_its_card_says_why(running, api):
    thread_id = await start(api)
    await running.drain()
    response = await api.post(f"/v1/threads/{thread_id}/cancel", json={"reason": "the invoice was a fake"})
    assert (response.status_code, response.json()) == (202, {"thread_id": thread_id})
    await running.drain()
    thread = (await api.get(f"/v1/threads/{thread_id}")).json()
    validate(thread, THREAD)
    assert (thread["status"], thread["approvals"][0]["status"]) == ("cancelled", "cancelled")
    assert "the invoice was a fake" in str(running.card(FINANCE))
    entry = next(entry for entry in await running.audit(thread_id) if entry["event"] == "thread.cancel")
    assert entry["actor"] == "api:ci"

    again = await api.post(f"/v1/threads/{thread_id}/cancel")
    assert refusal(again) == (409, "thread_ended", None)


async def test_a_cancel_needs_no_body_and_refuses_a_wrong_one(running, api):
    thread_id = await start(api)
    for body in ({"reason": 3}, {"reason": ""}, {"reason": "\x00"}, {"reason": "x" * 1001}):
        response = await api.post(f"/v1/threads/{thread_id}/cancel", json=body)
        assert refusal(response) == (422, "invalid", "reason")
    assert (await api.post(f"/v1/threads/{thread_id}/cancel")).status_code == 202


@pytest.mark.parametrize("thread_id", ["nope", str(UUID(int=7)), "%00", "%ff", "x" * 4000, "..%2f..%2fetc"])
async def test_a_thread_that_is_not_there_is_not_found(api, thread_id):
    assert refusal(await api.get(f"/v1/threads/{thread_id}"))[0] == 404
    assert refusal(await api.post(f"/v1/threads/{thread_id}/cancel"))[0] == 404
    assert refusal(await api.get(f"/v1/approvals/{thread_id}"))[0] == 404


async def test_pages_of_threads_hold_each_once_newest_first_while_new_ones_come(running, api, monkeypatch):
    monkeypatch.setattr("bot.api.threads.PAGE", 3)
    monkeypatch.setattr("bot.api.paging.PAGE", 3)
    started = [await start(api) for _ in range(7)]
    seen, cursor = [], ""
    while cursor is not None:
        page = (await api.get("/v1/threads", params={"cursor": cursor})).json()
        validate(page, page_of(THREAD))
        assert len(page["items"]) <= 3
        seen += [item["thread_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        await start(api)
    assert seen == started[::-1]


async def test_threads_and_approvals_of_the_same_moment_are_not_lost_between_pages(running, api, monkeypatch):
    for module in ("threads", "approvals", "paging"):
        monkeypatch.setattr(f"bot.api.{module}.PAGE", 2)
    started = {await start(api) for _ in range(5)}
    await running.drain()
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    await running.execute("update threads set created_at = %s", at)
    await running.execute("update approvals set created_at = %s", at)
    for path in ("/v1/threads", "/v1/approvals", "/v1/approvals?status=pending"):
        seen, cursor = [], ""
        while cursor is not None:
            page = (await api.get(path, params={"cursor": cursor, **dict(status_of(path))})).json()
            seen += [item["thread_id"] for item in page["items"]]
            cursor = page["next_cursor"]
        assert (path, len(seen), set(seen)) == (path, 5, started)


def status_of(path):
    return [("status", "pending")] if "pending" in path else []


async def test_lists_are_narrowed_by_status_and_workflow(running, api):
    ended = await start(api)
    await running.drain()
    waiting = await start(api)
    await api.post(f"/v1/threads/{ended}/cancel")
    await running.drain()

    async def ids(path):
        page = (await api.get(path)).json()
        validate(page, page_of(APPROVAL if "approvals" in path else THREAD))
        return [item["thread_id"] for item in page["items"]]

    assert await ids("/v1/threads?status=waiting") == [waiting]
    assert await ids("/v1/threads?status=cancelled") == [ended]
    assert await ids("/v1/threads?workflow=expense&status=") == [waiting, ended]
    assert await ids("/v1/threads?workflow=incident") == []
    assert await ids("/v1/approvals?status=pending") == [waiting]
    assert await ids("/v1/approvals") == [ended, waiting]
    (approval,) = await running.approvals(waiting)
    one = (await api.get(f"/v1/approvals/{approval.approval_id}")).json()
    validate(one, APPROVAL)
    assert one["thread_id"] == waiting


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("threads?status=nope", "status"),
        ("approvals?status=waiting", "status"),
        ("threads?workflow=%00", "workflow"),
        ("threads?cursor=nope", "cursor"),
        ("approvals?cursor=%ff%00", "cursor"),
        ("threads?cursor=MjAyNi0xMS0yMCAuLi4", "cursor"),
        ("threads?cursor=MjAyNi0xMS0yMFQxMjowMDowMCAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMA", "cursor"),
        ("approvals?workflow=expense", "workflow"),
        ("threads?state=failed", "state"),
        ("approvals?status=pending&status=decided", "status"),
    ],
)
async def test_a_parameter_that_is_wrong_is_named(api, query, field):
    assert refusal(await api.get(f"/v1/{query}")) == (422, "invalid", field)


async def test_addresses_and_methods_that_are_not_there_are_refused_in_the_same_shape(api):
    assert refusal(await api.get("/v1/nope")) == (404, "not_found", None)
    assert refusal(await api.get("/v1/")) == (404, "not_found", None)
    for path, method, allowed in (
        ("threads", "DELETE", {"GET", "HEAD", "POST"}),
        ("threads/t1", "POST", {"GET", "HEAD"}),
        ("threads/t1/cancel", "GET", {"POST"}),
        ("approvals", "POST", {"GET", "HEAD"}),
    ):
        response = await api.request(method, f"/v1/{path}")
        assert refusal(response) == (405, "method_not_allowed", None)
        assert set(response.headers["Allow"].split(", ")) == allowed


def test_the_page_tells_each_route_key_and_status_and_its_example_fits():
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    routes = [*Threads(None, None).routes(), *Approvals(None).routes()]
    methods = {(route.path, method) for route in routes for method in route.methods - {"HEAD"}}
    assert {f"`{method} /v1{path}`" for path, method in methods} <= set(
        re.findall(r"`[A-Z]+ /v1/[^`]*`", page)
    )

    example = NewThread.model_validate_json(re.search(r"```json\n(.*?)```", page, re.DOTALL)[1])
    ExpenseClaim.model_validate(example.input)
    keys = {*NewThread.model_fields, *THREAD["properties"], *APPROVAL["properties"]}
    assert {key for key in keys if f"`{key}`" not in page} == set()
    states = {*get_args(ThreadStatus), *get_args(ApprovalStatus), *get_args(DeliveryStatus)}
    assert {state for state in states if f"`{state}`" not in page} == set()


async def test_only_a_known_token_comes_in(running):
    for headers, status, code in (
        ({}, 401, "unauthorized"),
        ({"Authorization": "Basic Y2k6Y2k="}, 401, "unauthorized"),
        ({"Authorization": "Bearer"}, 401, "unauthorized"),
        ({"Authorization": "Bearer wrong-token"}, 403, "forbidden"),
        ({"Authorization": f"Bearer {TOKEN}x"}, 403, "forbidden"),
        ({"Authorization": "Bearer ci"}, 403, "forbidden"),
        ({"Authorization": b"Bearer \xe9\xff"}, 403, "forbidden"),
    ):
        async with api_client(running, token=None) as client:
            for path in ("/v1/threads", "/v1/nope"):
                response = await client.get(path, headers=headers)
                assert refusal(response) == (status, code, None), headers
            assert refusal(await client.post("/v1/threads", content=b"{", headers=headers))[0] == status


async def test_a_token_counts_in_the_bytes_that_it_was_set_in(running):
    async with api_client(running, token=None) as client:
        response = await client.get("/v1/threads", headers={"Authorization": "Bearer schlüssel".encode()})
        assert response.status_code == 200


async def test_without_tokens_the_api_is_off(house):
    async with api_client(house) as client:
        response = await client.get("/v1/threads")
        assert refusal(response) == (404, "api_off", None)
        assert "SIGNOFF_API_TOKENS" in response.text


async def test_a_database_that_is_away_is_said_to_be_and_to_be_asked_later(running, api):
    await running.house.listening.close()
    for response in (
        await api.get("/v1/threads"),
        await api.get(f"/v1/threads/{uuid4()}"),
        await api.post("/v1/threads", json={"workflow": "expense", "input": samples["hotel"]}),
    ):
        assert refusal(response) == (503, "database_away", None)
        assert int(response.headers["Retry-After"]) > 0


async def test_a_fault_of_ours_tells_nothing_of_itself(running, api, monkeypatch):
    async def broken(*_, **__):
        raise LookupError("select secret from psycopg")

    monkeypatch.setattr("bot.postgres.listing.threads", broken)
    assert refusal(await api.get("/v1/threads")) == (500, "internal", None)


async def test_programs_that_ask_a_lot_leave_connections_for_people(running, api, monkeypatch):
    monkeypatch.setattr("bot.api.share.PATIENCE_SECONDS", 0.05)
    pool, refused = running.house.listening, asyncio.Event()
    busy = 0
    most = 0

    async def slow(conn, **_):
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await refused.wait()
        busy -= 1
        return []

    monkeypatch.setattr("bot.postgres.listing.approvals", slow)
    asking = [asyncio.create_task(api.get("/v1/approvals")) for _ in range(12)]
    await asyncio.wait(asking, timeout=5, return_when=asyncio.FIRST_COMPLETED)
    refused.set()
    statuses = {response.status_code for response in await asyncio.gather(*asking)}
    assert statuses == {200, 503}
    assert most < pool.max_size
