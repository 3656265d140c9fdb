from __future__ import annotations

import asyncio
import inspect
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from pydantic import SecretStr
from slack_bolt.async_app import AsyncApp
from slack_bolt.listener.asyncio_runner import AsyncioListenerRunner
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from bot.api.tokens import TokenDoor
from bot.commands.emulator import emulator
from bot.roles import slack as roles_slack
from bot.roles.child import keep_worker, worker_command
from bot.roles.http import PortTaken, bound, serve
from bot.roles.loop import make_room
from bot.roles.roles import NothingToListenTo, Reached, run
from bot.roles.slack import drained, socket_handler
from bot.settings import Settings

# Says its pid to the socket that it is given, and lives for as long as its stdin does.
CHILD = """
import os, signal, socket, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
there = socket.socket(socket.AF_UNIX); there.connect(sys.argv[1]); there.send(str(os.getpid()).encode())
sys.stdin.read()
"""


class Nursery:
    """Hears of each child that is born, and of its end."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.born: asyncio.Queue[int] = asyncio.Queue()
        self.gone: asyncio.Queue[int] = asyncio.Queue()
        self.rests: list[float] = []

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            pid = int(await reader.read(20))
            await self.born.put(pid)
            await reader.read()  # ends with the child
            await self.gone.put(pid)
        finally:  # also where a test ends before the child
            writer.close()

    async def rest(self, stop: asyncio.Event, seconds: float) -> None:
        self.rests.append(seconds)

    @property
    def command(self) -> tuple[str, ...]:
        return (sys.executable, "-c", CHILD, self.path)


@pytest.fixture
async def nursery(tmp_path) -> AsyncIterator[Nursery]:
    nursery = Nursery(str(tmp_path / "s"))
    server = await asyncio.start_unix_server(nursery.hear, nursery.path)
    async with server:
        yield nursery


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_worker_that_is_killed_is_started_again_ever_later(nursery):
    stop = asyncio.Event()
    keeping = asyncio.create_task(keep_worker(stop, {}, nursery.command, nursery.rest))
    for _ in range(3):
        os.kill(await nursery.born.get(), signal.SIGKILL)
    last = await nursery.born.get()
    stop.set()
    await keeping

    assert nursery.rests == [1.0, 2.0, 4.0]
    assert not lives(last)


async def test_a_worker_takes_no_module_of_the_folder_one_stands_in_for_one_that_is_installed(tmp_path):
    (tmp_path / "click.py").write_text("raise RuntimeError('not the one that is meant')")

    child = await asyncio.create_subprocess_exec(
        *(*worker_command(), "--help"), cwd=tmp_path, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await child.communicate()

    assert child.returncode == 0
    assert b"Usage: signoff worker" in said


async def test_a_worker_ends_with_the_process_that_keeps_it_however_that_dies(nursery):
    script = (
        "import asyncio; from bot.roles.child import keep_worker\n"
        f"asyncio.run(keep_worker(asyncio.Event(), {{}}, {nursery.command!r}))"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script)
    child = await nursery.born.get()
    parent.kill()
    await parent.wait()

    async with asyncio.timeout(30):
        assert await nursery.gone.get() == child


async def test_a_process_with_a_parent_stops_when_its_stdin_ends():
    script = (
        "import asyncio; from bot.roles.stopping import on_signals, with_parent\n"
        "async def main():\n"
        "    stop = on_signals(); with_parent(stop); print('ready', flush=True); await stop.wait()\n"
        "asyncio.run(main()); print('ended in order')"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdin is not None
    await process.stdout.readline()
    process.stdin.close()

    assert await process.stdout.read() == b"ended in order\n"
    assert await process.wait() == 0


async def test_a_process_that_its_parent_tells_to_end_in_two_ways_ends_in_order_until_a_second_signal():
    script = (
        "import asyncio, os, signal; from bot.roles.stopping import on_signals\n"
        "async def hear():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    for _ in range(1000): await asyncio.sleep(0)\n"
        "    print('goes on', flush=True)\n"
        "async def main():\n"
        "    stop = on_signals(); stop.set()  # as the end of stdin does\n"
        "    await hear(); await hear()\n"
        "asyncio.run(main())"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None

    assert (await process.stdout.read()).splitlines().count(b"goes on") == 1
    assert await process.wait() == 128 + signal.SIGTERM


async def test_a_process_that_could_hear_no_click_does_not_start():
    nowhere = "postgresql://127.0.0.1:1/x"
    with pytest.raises(NothingToListenTo):
        await run(Settings(SLACK_BOT_TOKEN="xoxb-1"), Reached(nowhere), asyncio.Event(), nowhere)


def test_a_port_that_is_taken_is_said_in_one_line():
    with bound("127.0.0.1", 0) as first, pytest.raises(PortTaken, match="PORT"):
        bound("127.0.0.1", first.getsockname()[1])


def test_a_taken_port_of_the_local_slack_is_said_with_how_to_take_another():
    with bound("127.0.0.1", 0) as first, pytest.raises(PortTaken, match="`signoff emulator --port` takes"):
        emulator(first.getsockname()[1], None, forget=True, rate_limits=True)


async def test_a_request_under_way_is_answered_before_the_server_ends():
    asked, answer, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(_: Request) -> PlainTextResponse:
        asked.set()
        await answer.wait()
        return PlainTextResponse("recorded")

    with bound("127.0.0.1", 0) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        serving = asyncio.create_task(serve(Starlette(routes=[Route("/", slow)]), listening, stop))
        async with httpx.AsyncClient() as client:
            asking = asyncio.create_task(client.get(url))
            await asked.wait()
            stop.set()
            answer.set()
            assert (await asking).text == "recorded"
        await serving


@asynccontextmanager
async def served(app: Starlette) -> AsyncIterator[int]:
    """The port of an app, as a process serves it."""
    stop = asyncio.Event()
    with bound("127.0.0.1", 0) as listening:
        serving = asyncio.create_task(serve(app, listening, stop))
        yield listening.getsockname()[1]
        stop.set()
        await serving


async def test_the_server_takes_no_signal_from_the_process_that_ends_all_its_parts():
    def taken_by() -> list[object]:
        return [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]

    before = taken_by()
    async with served(Starlette()) as port, httpx.AsyncClient() as client:
        await client.get(f"http://127.0.0.1:{port}/")

        assert taken_by() == before


@pytest.fixture
async def api_alone() -> AsyncIterator[int]:
    """The port of the API's door, before nothing."""
    async with served(
        Starlette(routes=[Mount("/v1", TokenDoor(Starlette(), {"ci": SecretStr("a-token")}))])
    ) as port:
        yield port


async def test_who_asks_the_api_for_a_websocket_without_a_token_is_refused_and_no_fault(api_alone, caplog):
    asked = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    async with httpx.AsyncClient() as client:
        response = await client.get(f"http://127.0.0.1:{api_alone}/v1/threads", headers=asked)

    assert response.status_code == 401
    assert not [record for record in caplog.records if record.exc_info]


async def test_what_a_listener_does_after_its_ack_is_waited_for():
    said: list[str] = []
    turn = asyncio.Event()

    async def run_ack_function_asynchronously() -> None:
        await turn.wait()
        said.append("whispered")

    listener = asyncio.create_task(run_ack_function_asynchronously())
    await asyncio.sleep(0)  # lets it begin
    draining = asyncio.create_task(drained())
    turn.set()
    await draining

    assert said == ["whispered"]
    await listener


def test_the_coroutines_that_are_waited_for_are_those_of_the_installed_libraries():
    assert AsyncBaseSocketModeClient.run_message_listeners.__name__ in roles_slack._UNDER_WAY
    assert "async def run_ack_function_asynchronously(" in inspect.getsource(AsyncioListenerRunner.run)


async def test_a_socket_that_nobody_answers_while_it_is_opened_is_given_up_and_opened_again(monkeypatch):
    tries = asyncio.Semaphore(0)
    serving: list[asyncio.Task[None] | None] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        tries.release()
        await reader.read()
        writer.close()
        await writer.wait_closed()

    monkeypatch.setattr(roles_slack, "CONNECT_SECONDS", 0.05)
    monkeypatch.setattr(roles_slack, "PING_SECONDS", 0.01)
    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server, asyncio.timeout(60):
        ear = socket_handler(AsyncApp(token="xoxb-", signing_secret="-"), "xapp-")
        host, port = server.sockets[0].getsockname()
        ear.client.wss_uri = f"ws://{host}:{port}"
        connecting = asyncio.create_task(ear.connect_async())
        for _ in range(2):
            await tries.acquire()
        connecting.cancel()
        await ear.close_async()
        await asyncio.gather(*filter(None, serving))


async def test_as_many_nodes_may_block_a_thread_as_graphs_run_at_once_and_hosts_are_still_looked_up():
    places = 2 * (os.cpu_count() or 1) + 40  # asyncio's own would never be so many
    make_room(places)
    ended = threading.Event()
    loop = asyncio.get_running_loop()
    nodes = [loop.run_in_executor(None, ended.wait) for _ in range(places)]
    try:
        async with asyncio.timeout(60):
            await loop.getaddrinfo("localhost", 80)
    finally:
        ended.set()
        await asyncio.gather(*nodes)


async def test_a_worker_that_cannot_be_started_for_now_is_tried_again_and_takes_nothing_else_along():
    stop, rests = asyncio.Event(), []

    async def rest(stop: asyncio.Event, seconds: float) -> None:
        rests.append(seconds)
        if len(rests) == 2:
            stop.set()

    await keep_worker(stop, {}, command=["/nowhere/to/be/found"], rest=rest)

    assert rests == [1.0, 2.0]
