"""The engine's saver stores what LangGraph's own does, in fewer statements: a later LangGraph must agree."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypedDict

import psycopg
import pytest
from langgraph.channels import LastValue
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from langgraph.pregel import NodeBuilder, Pregel
from langgraph.types import Command, Send, interrupt
from psycopg.rows import dict_row

from bot.engine.saver import _READABLE, ThreadSaver
from bot.engine.unsaved import MOST_WRITES

STORED = {
    "checkpoints": "select metadata - 'run_id' - 'parents' as metadata, checkpoint_ns = '' as root, "
    "checkpoint -> 'channel_values' as held from checkpoints order by checkpoint_id",
    "writes": "select task_path, idx, channel, type, w.checkpoint_ns = '' as root from checkpoint_writes w "
    "order by checkpoint_id, task_path, idx, channel",
    "blobs": "select channel, split_part(version, '.', 1) as version, type, blob from checkpoint_blobs "
    "where channel <> '__pregel_tasks' order by channel, version, blob",
}


class State(TypedDict, total=False):
    name: str
    log: Annotated[list[str], operator.add]


def first(state):
    return {"name": "x", "log": ["first"]}


def question(state):
    return {"log": [interrupt("?")]}


def fan(state):
    return [Send("part", {"name": str(n)}) for n in range(3)]


def part(state):
    return {"log": [state["name"]]}


def graph() -> StateGraph[State]:
    inner = StateGraph(State)
    inner.add_node("inner_question", question)
    inner.add_edge(START, "inner_question")
    builder = StateGraph(State)
    builder.add_node("first", first)
    builder.add_node("left", question)
    builder.add_node("right", part)
    builder.add_node("part", part)
    builder.add_node("sub", inner.compile())
    builder.add_edge(START, "first")
    builder.add_edge("first", "left")
    builder.add_edge("first", "right")
    builder.add_edge(["left", "right"], "sub")
    builder.add_conditional_edges("sub", fan, ["part"])
    builder.add_edge("part", END)
    return builder


async def connect(database: str) -> Any:
    return await psycopg.AsyncConnection.connect(database, autocommit=True, row_factory=dict_row)


async def all_of(saver: ThreadSaver, work: Awaitable[Any]) -> Any:
    """Await a run, and store what it left."""
    result = await saver.settled(work)
    await saver.store()
    saver.forget()
    return result


async def run(saver: AsyncPostgresSaver) -> list[Any]:
    """Run to the first pause, over the second, and to the end."""
    compiled = graph().compile(checkpointer=saver)
    config: Any = {"configurable": {"thread_id": "one"}}
    said = []
    for given in ({"log": ["begin"]}, Command(resume="a"), Command(resume="b")):
        work = compiled.ainvoke(given, config, durability="sync")
        result = await (all_of(saver, work) if isinstance(saver, ThreadSaver) else work)
        said.append((result["log"], [i.value for i in result.get("__interrupt__", ())]))
    return said


async def stored(conn: Any) -> dict[str, list[dict[str, Any]]]:
    return {name: await (await conn.execute(query)).fetchall() for name, query in STORED.items()}


async def test_it_stores_what_the_library_stores(database):
    async with await connect(database) as conn:
        expected, kept = await run(AsyncPostgresSaver(conn)), await stored(conn)
        for table in ("checkpoints", "checkpoint_writes", "checkpoint_blobs"):
            await conn.execute(f"delete from {table}")

        assert await run(ThreadSaver(conn, "one", untouched=True)) == expected

        assert await stored(conn) == kept


async def test_what_it_stored_the_library_reads_the_same(database):
    config: Any = {"configurable": {"thread_id": "one"}}
    async with await connect(database) as conn:
        await run(ThreadSaver(conn, "one"))

        ours = await ThreadSaver(conn, "one").aget_tuple(config)

        assert ours == await AsyncPostgresSaver(conn).aget_tuple(config)
        assert ours is not None
        assert ours.checkpoint["channel_values"]["log"][-3:] == ["0", "1", "2"]
        assert ours.checkpoint["v"] == _READABLE, "of a newer format, look at what the library does to older"


@pytest.mark.parametrize("text", ["", "x" * 100_000], ids=["few", "many"])
async def test_what_tasks_wrote_after_a_checkpoint_is_read_as_the_library_reads_it(database, text):
    newest: Any = {"configurable": {"thread_id": "one"}}
    async with await connect(database) as conn:
        saver = ThreadSaver(conn, "one")
        await run(saver)
        place = (await saver.aget_tuple(newest)).config
        for n, path in enumerate(("~b", "~a", "~a")):
            await saver.aput_writes(place, [("name", f"{n}{text}"), ("log", [path])], f"task {2 - n}", path)

        ours = await saver.aget_tuple(newest)

        assert ours == await AsyncPostgresSaver(conn).aget_tuple(newest)
        written = [channel for _, channel, _ in ours.pending_writes]
        assert written == ["name", "log"] * 3
        assert [value for _, channel, value in ours.pending_writes if channel == "log"] == [
            ["~a"],
            ["~a"],
            ["~b"],
        ]


async def test_whoever_reads_finds_what_waits_to_be_stored(database):
    async with await connect(database) as conn:
        saver = ThreadSaver(conn, "one")
        await run(saver)
        newest: Any = {"configurable": {"thread_id": "one"}}
        place = (await saver.aget_tuple(newest)).config
        for n, config in enumerate((place, newest)):
            await saver.aput_writes(place, [("log", n)], f"task {n}")

            assert (f"task {n}", "log", n) in (await saver.aget_tuple(config)).pending_writes


async def test_a_run_that_was_given_a_read_checkpoint_does_not_change_what_is_read_next(database):
    config: Any = {"configurable": {"thread_id": "one"}}
    async with await connect(database) as conn:
        await run(ThreadSaver(conn, "one"))
        saver = ThreadSaver(conn, "one")
        first_read = await saver.aget_tuple(config)
        assert first_read is not None
        first_read.checkpoint["versions_seen"].clear()

        again = await saver.aget_tuple(config)

        assert again is not None
        assert again.checkpoint["versions_seen"]


async def test_a_finished_task_is_stored_while_its_sibling_still_runs(database, monkeypatch):
    async with await connect(database) as conn, await connect(database) as other:

        async def slow(state):
            async with asyncio.timeout(30):
                while not await _writes_of(other, "log"):
                    pass
            monkeypatch.setattr("bot.engine.unsaved.HELD_SECONDS", 3600)
            return {"log": ["slow"]}

        builder = StateGraph(State)
        builder.add_node("quick", lambda _: {"log": ["quick"]})
        builder.add_node("slow", slow)
        builder.add_edge(START, "quick")
        builder.add_edge(START, "slow")
        saver = ThreadSaver(conn, "one")
        compiled = builder.compile(checkpointer=saver)

        config: Any = {"configurable": {"thread_id": "one"}}

        result = await saver.settled(compiled.ainvoke({}, config, durability="sync"))

        assert sorted(result["log"]) == ["quick", "slow"]
        assert await steps(other) == [-1, 0], "what the run has left still goes with what follows from it"


async def steps(conn: Any) -> list[int]:
    """Return the steps whose checkpoints are stored."""
    found = await conn.execute("select (metadata ->> 'step')::int as step from checkpoints order by 1")
    return [row["step"] for row in await found.fetchall()]


async def test_the_checkpoint_of_an_input_waits_for_the_next_one_and_each_node_for_its_own(
    database, monkeypatch
):
    monkeypatch.setattr("bot.engine.unsaved.HELD_SECONDS", 3600)
    async with await connect(database) as conn, await connect(database) as other:
        seen = []

        async def one(state):
            seen.append(await steps(other))
            return {"log": ["one"]}

        async def two(state):
            seen.append(await steps(other))
            return {"log": ["two"]}

        builder = StateGraph(State)
        builder.add_sequence([one, two])
        builder.add_edge(START, "one")
        place: Any = {"configurable": {"thread_id": "one", "checkpoint_ns": ""}}
        stored: list[list[int]] = []

        class Watched(ThreadSaver):
            async def aput(self, *given: Any) -> Any:
                kept = await super().aput(*given)
                stored.append(await steps(other))
                return kept

        saver = Watched(conn, "one", untouched=True)
        await all_of(saver, builder.compile(checkpointer=saver).ainvoke({}, place, durability="sync"))

        assert seen == [[-1, 0], [-1, 0, 1]]
        assert stored == [[], [-1, 0], [-1, 0, 1], [-1, 0, 1]]
        assert await steps(other) == [-1, 0, 1, 2]


async def test_what_a_run_has_left_is_stored_with_what_follows_from_it_or_by_whoever_reads(
    database, monkeypatch
):
    monkeypatch.setattr("bot.engine.unsaved.HELD_SECONDS", 3600)
    async with await connect(database) as conn, await connect(database) as other:
        saver = ThreadSaver(conn, "one", untouched=True)
        compiled = graph().compile(checkpointer=saver)
        config: Any = {"configurable": {"thread_id": "one"}}
        await saver.settled(compiled.ainvoke({}, config, durability="sync"))
        async with conn.transaction(force_rollback=True):
            await saver.store()
            assert await _writes_of(conn, "__interrupt__")
        assert not await _writes_of(other, "__interrupt__"), "what follows from it was not committed"

        await saver.aget_tuple(config)

        assert len(await _writes_of(other, "__interrupt__")) == 1
        saver.forget()
        await saver.store()
        assert len(await _writes_of(other, "__interrupt__")) == 1


async def test_a_node_that_a_field_of_the_state_runs_begins_once_what_was_before_it_is_stored(database):
    async with await connect(database) as conn, await connect(database) as other:
        seen = []

        async def second(value: str) -> str:
            seen.append(await steps(other))
            return value

        nodes = {
            "first": NodeBuilder().subscribe_only("given").do(lambda value: value).write_to("between"),
            "second": NodeBuilder().subscribe_only("between").do(second).write_to("end"),
        }
        saver = ThreadSaver(conn, "one", untouched=True)
        compiled = Pregel(
            nodes=nodes,
            channels={name: LastValue(str) for name in ("given", "between", "end")},
            input_channels=["given"],
            output_channels=["end"],
            checkpointer=saver,
        )
        config: Any = {"configurable": {"thread_id": "one"}}

        assert await all_of(saver, compiled.ainvoke({"given": "x"}, config, durability="sync")) == {
            "end": "x"
        }

        assert seen == [[-1, 0]]


async def test_the_error_of_a_node_is_stored_when_the_run_has_come_back(database):
    def raises(state):
        raise RuntimeError("no")

    builder = StateGraph(State)
    builder.add_node("raises", raises)
    builder.add_edge(START, "raises")
    async with await connect(database) as conn, await connect(database) as other:
        saver = ThreadSaver(conn, "one")
        compiled = builder.compile(checkpointer=saver)

        with pytest.raises(RuntimeError):
            await saver.settled(compiled.ainvoke({}, {"configurable": {"thread_id": "one"}}))

        assert await _writes_of(other, "__error__")


@asynccontextmanager
async def nothing_is_stored(database: str) -> AsyncIterator[None]:
    """Let whoever stores writes wait."""
    async with await connect(database) as holder, holder.transaction():
        await holder.execute("lock table checkpoint_writes in exclusive mode")
        yield


async def storing(conn: Any) -> None:
    """Return when somebody waits for that lock."""
    waits = "select 1 from pg_locks where relation = 'checkpoint_writes'::regclass and not granted"
    async with asyncio.timeout(30):
        while not await (await conn.execute(waits)).fetchall():
            pass


PLACE: Any = {"configurable": {"thread_id": "one", "checkpoint_ns": "", "checkpoint_id": "1"}}


async def test_a_reader_that_is_cancelled_does_not_take_along_what_others_wrote(database):
    async with await connect(database) as conn, await connect(database) as other:
        saver = ThreadSaver(conn, "one")

        async def run() -> None:
            async with nothing_is_stored(database):
                await saver.aput_writes(PLACE, [("log", "x")], "task")
                reader = asyncio.create_task(saver.aget_tuple(PLACE))
                await storing(other)
                reader.cancel()
                await asyncio.wait({reader})

        await saver.settled(run())

        assert await _writes_of(other, "log")


async def test_a_run_that_could_not_store_leaves_nothing_on_a_connection_that_goes_on(database, monkeypatch):
    monkeypatch.setattr("bot.engine.unsaved.HELD_SECONDS", 0)
    async with await connect(database) as conn, await connect(database) as other:
        saver = ThreadSaver(conn, "one")

        async def run() -> None:
            await saver.aput_writes(PLACE, [("no \0 is text", "x")], "task")
            for _ in range(5):
                await asyncio.sleep(0)
            await saver.aput_writes(PLACE, [("log", "x")], "task")

        with pytest.raises(psycopg.DataError):
            await saver.settled(run())
        async with conn.transaction():
            for _ in range(5):
                await conn.execute("select 1")

            assert await _writes_of(conn, "log") == []
        assert await _writes_of(other, "log") == []


async def test_a_run_that_could_not_store_says_so_though_what_came_later_could_be_stored(
    database, monkeypatch
):
    monkeypatch.setattr("bot.engine.unsaved.HELD_SECONDS", 0)
    async with await connect(database) as conn:
        saver = ThreadSaver(conn, "one")

        async def run() -> None:
            await saver.aput_writes(PLACE, [("no \0 is text", "x")], "task")
            while not (saver._unsaved._storing and saver._unsaved._storing.done()):  # noqa: ASYNC110
                await asyncio.sleep(0)
            await saver.aput_writes(PLACE, [("log", "x")], "task")
            while saver._unsaved._timer:  # noqa: ASYNC110
                await asyncio.sleep(0)

        with pytest.raises(psycopg.DataError):
            await saver.settled(run())


async def test_what_a_task_writes_while_others_are_stored_is_stored_though_nobody_asks(database, monkeypatch):
    monkeypatch.setattr("bot.engine.unsaved.HELD_SECONDS", 0)
    async with await connect(database) as conn, await connect(database) as other:
        saver = ThreadSaver(conn, "one")

        async def run() -> None:
            async with nothing_is_stored(database):
                await saver.aput_writes(PLACE, [("log", "x")], "one")
                await storing(other)
                await saver.aput_writes(PLACE, [("log", "y")], "two")
                for _ in range(5):
                    await asyncio.sleep(0)
            async with asyncio.timeout(30):
                while len(await _writes_of(other, "log")) < 2:
                    pass

        await saver.settled(run())


async def test_more_writes_than_one_statement_takes_are_stored_in_several(database):
    async with await connect(database) as conn:
        saver = ThreadSaver(conn, "one")

        async def run() -> None:
            for n in range(MOST_WRITES + 5):
                await saver.aput_writes(PLACE, [("log", n)], f"task {n}")
                await saver.aput_writes(PLACE, [("__resume__", n)], f"task {n}")

        await all_of(saver, run())

        assert len(await _writes_of(conn, "log")) == MOST_WRITES + 5
        assert len(await _writes_of(conn, "__resume__")) == MOST_WRITES + 5


@pytest.mark.parametrize("mixed_first", [True, False])
async def test_of_writes_at_one_place_those_stay_that_the_library_keeps(database, mixed_first):
    mixed = [("log", "x"), ("__resume__", "mixed")]
    given = [mixed, [("__resume__", "alone")]]
    kept = []
    async with await connect(database) as conn:
        for saver in (AsyncPostgresSaver(conn), ThreadSaver(conn, "one")):
            for writes in given if mixed_first else reversed(given):
                await saver.aput_writes(PLACE, writes, "task")
            if isinstance(saver, ThreadSaver):
                await saver._unsaved.settle()
            found = await conn.execute("select idx, channel, type, blob from checkpoint_writes order by idx")
            kept.append(await found.fetchall())
            await conn.execute("delete from checkpoint_writes")

    assert len(kept[0]) == 2
    assert kept[0] == kept[1]


async def test_what_is_being_stored_is_when_a_node_raises_a_cancellation_of_its_own(database):
    raised = asyncio.Event()

    async def run(saver: ThreadSaver) -> None:
        await saver.aput_writes(PLACE, [("log", "x")], "task")
        async with await connect(database) as other:
            await storing(other)
        raised.set()
        raise asyncio.CancelledError

    async with await connect(database) as conn, await connect(database) as other:
        saver = ThreadSaver(conn, "one")
        async with nothing_is_stored(database):
            running = asyncio.create_task(saver.settled(run(saver)))
            await raised.wait()
            for _ in range(5):
                await asyncio.sleep(0)
            assert not running.done()
        await asyncio.wait({running})
        assert running.cancelled()

        assert await saver.aget_tuple(PLACE) is None  # the connection goes on
        assert await _writes_of(other, "log")


async def _writes_of(conn: Any, channel: str) -> list[Any]:
    found = await conn.execute("select task_path from checkpoint_writes where channel = %s", (channel,))
    rows: list[Any] = await found.fetchall()
    return rows
