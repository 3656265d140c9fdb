"""What a run recorded is drawn by a process that runs no graphs, and by the worker where none listens."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta

import pytest
from asking import asked, offer
from fixtures_house import FINANCE, MAYA, Row, Running
from psycopg import AsyncConnection, connect
from psycopg.conninfo import make_conninfo

from bot.facts import sweeps
from bot.facts.claims import Claim
from bot.postgres import handing_on
from bot.postgres.errands import Errands
from bot.postgres.handing_on import LISTENER, as_notification, heard, listening
from bot.postgres.jobs import draw_job
from bot.roles.drawing import draw_for_workers
from bot.roles.stopping import pause
from bot.slack.blocks.drawn import Drawn


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing_on, "TAKE_OVER_SECONDS", 0.01)


@asynccontextmanager
async def drawing(house: Running) -> AsyncIterator[None]:
    """Let the house draw as web does, once runs are told of it."""
    stop = asyncio.Event()

    async def rest(stop: asyncio.Event, seconds: float) -> None:
        await pause(stop, 0.01)

    task = asyncio.create_task(draw_for_workers(house.house, house.dsn, stop, rest))
    try:
        await is_heard(house)
        yield
    finally:
        stop.set()
        await task


_LISTENS = """
select pid from pg_stat_activity where application_name = %s and datname = current_database()
"""


_HAS_ASKED = """
select 1 from pg_stat_activity where pid = %s and state = 'idle' and query = 'select signoff_hears()'
"""


async def until(holds: Callable[[], Awaitable[object]]) -> None:
    while True:
        if await holds():
            return
        await asyncio.sleep(0.01)


async def is_heard(house: Running) -> None:
    async def somebody_hears() -> bool:
        (row,) = await house.rows("select signoff_hand_on('[]') as heard")
        return bool(row["heard"])

    await until(somebody_hears)


async def listener(house: Running) -> list[Row]:
    return await house.rows(_LISTENS, LISTENER)


def draws_nothing(house: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async def drawn(message_id: str) -> None:
        raise AssertionError(f"the worker draws {message_id}")

    monkeypatch.setattr(house.house.engine, "_draw", drawn)


async def card_is_there(house: Running) -> None:
    while not house.cards(FINANCE):
        await house.slack.until(lambda: bool(house.cards(FINANCE)), timeout=30)
    await house.house.desk.showing.idle()


async def test_the_whole_round_trip_needs_no_drawing_by_a_worker(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(house)
    draws_nothing(house, monkeypatch)

    async with drawing(house):
        await asked(house)
        await card_is_there(house)
        await house.click(MAYA, FINANCE, "signoff.approve")
        await house.drain()
        await house.slack.until(lambda: "Approved by" in str(house.card(FINANCE)), timeout=30)

        async def all_is_drawn() -> bool:
            return not await house.rows("select 1 from messages where wanted > drawn")

        await until(all_is_drawn)


async def test_where_nobody_listens_any_more_the_worker_draws(house: Running) -> None:
    offer(house)
    async with drawing(house):
        pass

    await asked(house)

    assert house.cards(FINANCE)


async def test_what_was_handed_on_to_a_process_that_died_is_drawn_by_a_worker_a_little_later(
    house: Running,
) -> None:
    offer(house)
    async with await listening(house.dsn) as conn:
        await conn.execute("select signoff_hears()")
        await asked(house)
        assert not house.cards(FINANCE)

    await house.pass_time(timedelta(minutes=1))
    async with house.house.work.connection() as conn:
        await sweeps.messages_behind(conn, house.house.queue)
    await house.drain()

    assert len(house.cards(FINANCE)) == 1


async def test_what_was_handed_on_to_a_process_that_died_is_drawn_at_once_by_the_next_that_listens(
    house: Running,
) -> None:
    offer(house)
    async with await listening(house.dsn) as conn:
        await conn.execute("select signoff_hears()")
        await asked(house)
        assert not house.cards(FINANCE)

    async with drawing(house):
        await card_is_there(house)


async def test_whoever_begins_to_listen_hears_first_of_what_is_behind_and_misses_nothing_meanwhile(
    house: Running,
) -> None:
    offer(house)
    async with await listening(house.dsn) as conn:
        await conn.execute("select signoff_hears()")
        refused = await asked(house, "Refused")
        await house.execute("update messages set error = 'refused' where thread_id = %s", refused)
        await asked(house, "Pay one")
        await asked(house, "Drop it", risk="high")
    behind = await house.rows(
        "select message_id from messages where wanted > drawn and error is null order by priority desc"
    )

    async with await listening(house.dsn) as conn, aclosing(heard(conn)) as runs:
        said = [await anext(runs)]
        await house.rows("select signoff_hand_on(%s)", as_notification(["card:new"]))
        said += [await anext(runs), await anext(runs)]

    assert len(behind) == 2
    assert said == [*([row["message_id"]] for row in behind), ["card:new"]]


async def test_a_listener_whose_connection_was_lost_listens_again(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(house)
    draws_nothing(house, monkeypatch)

    async with drawing(house):
        ended = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s"
        await house.rows(f"{ended} and datname = current_database()", LISTENER)
        await is_heard(house)
        await asked(house)
        await card_is_there(house)


async def test_a_listener_that_hears_what_is_no_list_listens_again(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(house)
    draws_nothing(house, monkeypatch)

    async with drawing(house):
        before = await listener(house)
        await house.rows("select pg_notify('signoff_drawings', 'no list')")

        async def another_listens() -> bool:
            return await listener(house) not in (before, [])

        await until(another_listens)
        await is_heard(house)
        await asked(house)
        await card_is_there(house)


async def test_a_listener_that_is_refused_as_nobody_expects_asks_again(house: Running) -> None:
    await house.execute("alter function signoff_hears rename to gone")
    refused = asyncio.Event()
    stop = asyncio.Event()

    async def rest(stop: asyncio.Event, seconds: float) -> None:
        refused.set()
        await pause(stop, 0.01)

    listens = asyncio.create_task(draw_for_workers(house.house, house.dsn, stop, rest))
    await refused.wait()
    await house.execute("alter function gone rename to signoff_hears")
    await is_heard(house)

    stop.set()
    await listens


async def test_nobody_listens_before_slack_has_said_who_we_are(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries, stop = list[str](), asyncio.Event()

    async def listens(dsn: str) -> AsyncConnection[object]:
        tries.append(dsn)
        return await listening(dsn)

    monkeypatch.setattr("bot.roles.drawing.listening", listens)
    house.house.badge.shown.clear()
    draws = asyncio.create_task(draw_for_workers(house.house, house.dsn, stop))
    for _ in range(10):
        await asyncio.sleep(0)
    assert tries == []

    house.house.badge.shown.set()
    await is_heard(house)
    stop.set()
    await draws


async def test_a_listener_that_is_cancelled_lets_go(house: Running) -> None:
    listens = asyncio.create_task(draw_for_workers(house.house, house.dsn, asyncio.Event()))
    await is_heard(house)

    listens.cancel()
    await asyncio.wait({listens})

    async def nobody_listens() -> bool:
        return not await listener(house)

    await until(nobody_listens)


async def test_a_listener_may_be_silent_for_long_but_not_gone(house: Running) -> None:
    impatient = make_conninfo(house.dsn, options="-c idle_session_timeout=9s")

    async with await listening(impatient) as conn:
        found = await conn.execute("select name, setting from pg_settings where source = 'session'")
        given = dict(await found.fetchall())

    assert given["idle_session_timeout"] == "0"
    assert {"tcp_keepalives_idle", "tcp_user_timeout"} <= given.keys()


async def test_a_listener_that_is_cancelled_just_as_it_is_told_something_ends(house: Running) -> None:
    async def listen(conn: AsyncConnection[object]) -> None:
        async with aclosing(heard(conn)) as runs:
            async for _ in runs:
                pass

    for turns in range(8):
        async with await listening(house.dsn) as conn:
            listens = asyncio.create_task(listen(conn))
            await is_heard(house)
            with connect(house.dsn, autocommit=True) as other:  # which leaves the loop no turn meanwhile
                other.execute("select signoff_hand_on('[]')")
            for _ in range(turns):
                await asyncio.sleep(0)
            listens.cancel()
            await asyncio.wait({listens})


async def test_of_several_that_listen_one_is_heard_and_another_once_that_one_has_gone(house: Running) -> None:
    heard_by: asyncio.Queue[tuple[str, list[str]]] = asyncio.Queue()

    async def listen(name: str, conn: AsyncConnection[object]) -> None:
        async with aclosing(heard(conn)) as runs:
            async for drawings in runs:
                await heard_by.put((name, drawings))

    async def hand_on(message_id: str = "card:1") -> bool:
        (row,) = await house.rows("select signoff_hand_on(%s) as heard", as_notification([message_id]))
        return bool(row["heard"])

    async def second_has_asked_in_vain() -> bool:
        return bool(await house.rows(_HAS_ASKED, second.info.backend_pid))

    first, second = await listening(house.dsn), await listening(house.dsn)
    async with first, second:
        one = asyncio.create_task(listen("first", first))
        while heard_by.empty():
            await hand_on()
        other = asyncio.create_task(listen("second", second))
        await until(second_has_asked_in_vain)
        assert await hand_on("card:before")

        one.cancel()
        await asyncio.wait({one})
        await first.close()
        while not heard_by.empty():
            assert (await heard_by.get())[0] == "first"
        while heard_by.empty():  # until the server has noticed, it takes the first for one that hears
            await hand_on()
            await asyncio.sleep(0.01)
        assert await heard_by.get() == ("second", ["card:1"])
        other.cancel()
        await asyncio.wait({other})


def test_what_fits_in_no_notification_is_the_workers_to_draw() -> None:
    assert as_notification(["card:1", "told:1"]) == '["card:1", "told:1"]'
    assert as_notification([]) is None
    assert as_notification([f"card:{n}" for n in range(1000)]) is None


async def test_the_longest_notification_that_is_made_is_one_that_postgres_takes(house: Running) -> None:
    longest = as_notification(["x" * 7995])
    assert as_notification(["x" * 7996]) is None

    async with await listening(house.dsn) as conn:
        await conn.execute("select signoff_hears()")
        (row,) = await house.rows("select signoff_hand_on(%s) as heard", longest)

    assert row["heard"]


async def test_what_a_run_recorded_is_drawn_the_most_urgent_first(house: Running) -> None:
    errands = Errands(house.house.queue)
    async with house.house.work.connection() as conn:
        await errands.enqueue(conn, [draw_job("note:1", 10), draw_job("card:1", 40), draw_job("told:1", 12)])

    assert errands.drawings == ["card:1", "told:1", "note:1"]


async def test_runs_that_end_at_once_do_not_take_each_other_for_one_that_listens(house: Running) -> None:
    one_hands_on = "select signoff_hand_on('[]') as heard"
    async with house.house.work.connection() as conn, conn.transaction():
        ends = await (await conn.execute(one_hands_on)).fetchall()
        ends += await house.rows(one_hands_on)

    assert [row["heard"] for row in ends] == [False, False]


async def test_a_run_that_recorded_nothing_to_draw_tells_nobody(house: Running) -> None:
    async with await listening(house.dsn) as conn, aclosing(heard(conn)) as runs:
        hears = asyncio.ensure_future(anext(runs))
        while not hears.done():  # it counts as heard a little before it hears
            await is_heard(house)
        assert await hears == []
        (row,) = await house.rows("select signoff_hand_on(null) as heard")
        await house.rows("select signoff_hand_on(%s)", as_notification(["card:1"]))
        while not (said := await anext(runs)):
            pass

    assert (row["heard"], said) == (False, ["card:1"])


async def test_a_thread_whose_lock_was_lost_hands_nothing_on(house: Running) -> None:
    async with await listening(house.dsn) as conn:
        await conn.execute("select signoff_hears()")
        (row,) = await house.rows("""select * from signoff_release('no such thread', 0, '["card:1"]')""")

    assert (row["unlocked"], row["handed_on"]) == (False, False)


@pytest.mark.parametrize(
    ("request_", "is_large"),
    [
        ({"proposal": {"amount": 1}}, False),
        ({"proposal": {"text": "x" * 520_000}}, True),
        ({"summary": "x" * 520_000}, True),
    ],
    ids=["small", "its proposal is large", "what is said of it is large"],
)
async def test_a_large_card_is_rendered_beside_the_loop_in_which_clicks_are_heard(
    house: Running, monkeypatch: pytest.MonkeyPatch, request_: dict[str, object], is_large: bool
) -> None:
    offer(house)
    render, rendered_in = house.house.delivery._render, list[threading.Thread]()

    def rendering(claimed: Claim) -> Drawn:
        rendered_in.append(threading.current_thread())
        return render(claimed)

    monkeypatch.setattr(house.house.delivery, "_render", rendering)
    await asked(house, **request_)

    assert house.cards(FINANCE)
    assert (threading.main_thread() not in rendered_in) is is_large
