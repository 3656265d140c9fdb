"""How a thread ends: whatever its state holds, the thread is done and its result can be read."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, TypedDict

import pytest
from fixtures_engine import bench, chain, flow
from langgraph.func import entrypoint
from langgraph.types import interrupt
from psycopg import AsyncConnection, OperationalError
from psycopg.types.json import Jsonb
from pydantic import BaseModel, computed_field

from bot.approvals import ApprovalRequest, ask
from bot.engine.pieces import in_pieces, size
from bot.engine.plain import as_plain
from bot.engine.result import LARGEST, as_json, as_result
from bot.engine.thread_row import ThreadRow


class Color(Enum):
    RED = "red"


class Item(BaseModel):
    name: str
    price: Decimal


class State(TypedDict, total=False):
    item: Item
    color: Color
    amount: Decimal
    when: datetime
    raw: bytes
    notes: Any
    tags: set[str]
    anything: Any


class Opaque:
    def __repr__(self):
        return "<opaque>"


class Rude:
    def __repr__(self):
        raise RuntimeError("no")


def nested(levels: int) -> Any:
    value: Any = "bottom"
    for _ in range(levels):
        value = [value]
    return value


def cyclic() -> Any:
    value: dict[str, Any] = {}
    value["itself"] = value
    return value


async def test_a_state_that_is_not_json_ends_as_a_result_that_is(database):
    def fill(state):
        return {
            "item": Item(name="hotel", price=Decimal("12.50")),
            "color": Color.RED,
            "amount": Decimal("1.10"),
            "when": datetime(2026, 11, 20, tzinfo=UTC),
            "raw": b"\xff\x00",
            "notes": {"text": "a\x00b\ud800c\\u0000", "share": float("nan")},
            "tags": {"x"},
        }

    def keep(state):
        assert isinstance(state["item"], Item)
        assert state["color"] is Color.RED
        return {"anything": interrupt("go on?")}

    async with bench(database, flow(chain(State, fill, keep), reply="bool", retries=0)) as it:
        thread_id = await it.run()
        assert (await it.thread(thread_id)).error is None
        (approval,) = (await it.pending(thread_id)).values()
        await it.answer(approval)
        thread = await it.thread(thread_id)

    assert (thread.status, thread.error) == ("done", None)
    assert thread.result["item"] == {"name": "hotel", "price": "12.50"}
    assert (thread.result["color"], thread.result["amount"]) == ("red", "1.10")
    assert (thread.result["notes"]["share"], thread.result["tags"]) == (None, ["x"])
    assert thread.result["notes"]["text"].startswith("ab")
    assert thread.result["notes"]["text"].endswith("c\\u0000")


@pytest.mark.parametrize(
    ("odd", "told"),
    [("a\x00b", "'a\\x00b'"), ("a\ud800b", "'a?b'"), (float("nan"), "nan"), (float("inf"), "inf")],
)
async def test_what_no_json_of_postgres_holds_can_be_a_field_of_the_state_all_the_same(database, odd, told):
    kept = []

    def fill(state):
        return {"notes": odd}

    def look(state):
        ask(ApprovalRequest(title="Go on?"))
        kept.append(repr(state["notes"]))
        return {}

    async with bench(database, flow(chain(State, fill, look), retries=0)) as it:
        thread_id = await it.run()
        (approval,) = await it.approvals(thread_id)
        await it.answer(approval)
        thread = await it.thread(thread_id)

    assert (thread.status, thread.error, kept) == ("done", None, [told])


async def test_what_the_checkpointer_cannot_store_fails_the_thread_and_leaves_the_worker_well(database):
    def fill(state):
        return {"notes": {"too": 2**70}}

    async with bench(database, flow(chain(State, fill), retries=0)) as it:
        thread_id = await it.run()
        await it.retry(thread_id)
        await it.drain()
        thread = await it.thread(thread_id)

    assert (thread.status, thread.result) == ("failed", None)
    assert thread.error is not None


class Asks(BaseModel):
    """Computes a field from a database of its own, which is away."""

    @computed_field
    def balance(self) -> int:
        raise OperationalError("their database is away")


HOSTILE: dict[str, Any] = {
    "computed": {"a": Asks()},
    "unknown": {"a": Opaque()},
    "rude": {"a": Rude()},
    "bytes": {"a": b"\xff\xfe"},
    "infinite": {"a": float("inf")},
    "keys": {"a": {1: 2, None: 3, (1, 2): 4}},
    "deep": {"a": nested(5000)},
    "cyclic": {"a": cyclic()},
    "characters": {"a\x00": "\x00", "\ud800": "\udfff"},
    "escapes": {"a": "\\" * 7 + "u0000" + "\x00"},
    "large number": {"a": 10**400},
    "larger number": {"a": 10**5000},
    "no number": {"a": Decimal("NaN")},
    "text": "text",
    "nothing": None,
    "list": [Opaque()],
}


@pytest.mark.parametrize("kind", HOSTILE)
async def test_no_value_keeps_a_result_from_being_stored(database, kind):
    kept = as_json(HOSTILE[kind])
    async with await AsyncConnection.connect(database) as conn:
        found = await conn.execute("select %s::jsonb", (Jsonb(kept),))
        (stored,) = await found.fetchone()

    assert stored == kept


async def test_what_a_function_returned_is_the_result_though_a_worker_died_before_it_said_so(
    database, monkeypatch
):
    @entrypoint()
    def pays(given):
        return "paid" if interrupt("pay?") else "kept"

    async def dies(*_, **__):
        raise OperationalError("the worker died")

    async with bench(database, flow(pays, reply="bool")) as it:
        thread_id = await it.run()
        with monkeypatch.context() as patch:
            patch.setattr(ThreadRow, "ends", dies)
            with pytest.raises(OperationalError, match="died"):
                await it.answer((await it.pending(thread_id))["pay?"])
        await it.sweep()

        assert (await it.thread(thread_id)).result == {"result": "paid"}


def test_plain_json_is_kept_as_it_is():
    plain = {"a": [1, 2.5, "x\\u0000", None, True], "b": {"ü": "\n"}}
    assert as_json(plain) == plain


def test_a_result_that_is_too_large_says_what_was_cut():
    cut = as_json({"log": "ü" * LARGEST, "a": 1})

    assert cut["cut"] is True
    assert cut["bytes"] > 2 * LARGEST
    assert cut["keys"] == ["a", "log"]


@pytest.mark.parametrize(
    ("state", "is_large"),
    [
        ({"rows": [1] * 3}, False),
        ({"rows": [[n] for n in range(3_000)]}, True),
        ({"text": "x" * 10**6}, True),
    ],
)
async def test_a_large_result_is_made_beside_the_loop_which_others_wait_for(state, is_large):
    made_in = []

    class Witness:
        def __repr__(self):
            made_in.append(threading.current_thread())
            return "a witness"

    await as_result({**state, "witness": Witness()})

    assert (threading.main_thread() not in made_in) is is_large
    assert made_in


ROWS = [{"id": n, "name": "ü\n\x00", "parts": [n, None], "nothing": {}} for n in range(1_200)]


@pytest.mark.parametrize(
    "state",
    [
        {"rows": ROWS, "log": []},
        ROWS,
        (ROWS, "x" * 10**6),
        {str(n): row for n, row in enumerate(ROWS)},
        "x" * 10**6,
    ],
)
def test_what_is_made_plain_and_measured_in_pieces_is_as_if_it_were_at_once(state):
    plain = in_pieces(state)
    assert plain == as_plain(state)
    assert size(plain) == len(json.dumps(plain, ensure_ascii=False).encode())


def test_of_a_large_state_only_what_cannot_be_shown_says_so():
    first, *others = in_pieces([{"a": Asks()}, *ROWS])
    assert "unreadable" in first
    assert others == as_plain(ROWS)
