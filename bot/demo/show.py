"""The demo as one process with a worker beside it: local Slack, listeners, clock, API and page."""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from bot.approvals.errors import SignoffError
from bot.clock import run_clock
from bot.demo.clock import DemoClock
from bot.demo.panel import DemoPanel
from bot.emulator import Emulator
from bot.house import House, opened
from bot.postgres import embedded, time_machine
from bot.postgres.migrate import migrate
from bot.roles.child import keep_worker
from bot.roles.http import bound, no_page
from bot.roles.roles import hear
from bot.roles.stopping import pause
from bot.settings import Settings
from workflows import effects, folders
from workflows.datasource_questions import data
from workflows.pull_requests import branch, repository
from workflows.releases import steps

COMMANDS = frozenset({"/approvals"})
SWEEP_SECONDS = "0.5"
LOOK_SECONDS = 1.0
CONNECT_SECONDS = 0.05


class DemoRunning(SignoffError):
    """Another demo uses the same folder."""


@contextmanager
def home(*, fresh: bool) -> Iterator[Path]:
    """Give the demo's own folder, for one demo at a time; `fresh` empties it first."""
    folder = embedded.home() / "demo"
    folder.mkdir(parents=True, exist_ok=True, mode=0o711 if os.geteuid() == 0 else 0o700)
    lock = os.open(folder.parent / "demo.lock", os.O_RDONLY | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise DemoRunning(
            f"A demo runs already in {folder}: stop it, or set SIGNOFF_HOME to another."
        ) from error
    try:
        if fresh:
            embedded.stop(folder)
            shutil.rmtree(folder)
        yield folder
    finally:
        os.close(lock)


async def show(
    folder: Path, dsn: str, port: int, stop: asyncio.Event, announce: Callable[[str, str, str], object]
) -> None:
    """Run the demo until `stop` is set; `announce` is given the page's address, the API's, and its token."""
    await migrate(dsn)
    async with AsyncExitStack() as parts:
        clock = DemoClock()
        slack = await parts.enter_async_context(_slack(folder, port, clock))
        api = parts.enter_context(bound("127.0.0.1", 0))
        token = secrets.token_urlsafe(12)
        environ = environment(slack, dsn, folder) | {"SIGNOFF_API_TOKENS": f"demo:{token}"}
        os.environ.update(environ)  # the workers inherit it
        house = await parts.enter_async_context(opened(Settings(), dsn))
        panel = await _panel(house, slack, clock)
        tasks = await parts.enter_async_context(asyncio.TaskGroup())
        tasks.create_task(keep_worker(stop, {}))
        hear(tasks, house, api, stop, dsn)
        tasks.create_task(run_clock(house, stop))
        tasks.create_task(_tell_the_page(slack, panel, stop))
        await _connected(slack, stop)
        host, api_port = api.getsockname()
        announce(slack.url, f"http://{host}:{api_port}", token)


def environment(slack: Emulator, dsn: str, folder: Path) -> dict[str, str]:
    """Return every variable that a demo's processes go by; what the user set for real is left out.

    What the samples read and write besides lies in the demo's folder: no repository, data or project of
    the user's is touched.
    """
    return slack.environment() | {
        "SLACK_SIGNING_SECRET": "",
        "DATABASE_URL": dsn,
        "SIGNOFF_DIRECT_DATABASE_URL": "",
        "SIGNOFF_OPS_CHANNEL": "#signoff-ops",
        "SIGNOFF_SWEEP_SECONDS": SWEEP_SECONDS,
        "SIGNOFF_GRACE": "PT0S",
        "SIGNOFF_TIMEZONE": "Europe/Berlin",
        effects.VARIABLE: dsn,
        folders.VARIABLE: str(folder / "samples"),
        branch.VARIABLE: "",
        repository.AUTHOR: "",
        data.VARIABLE: "",
        steps.PROJECTS_VARIABLE: "",
    }


@asynccontextmanager
async def _slack(folder: Path, port: int, clock: DemoClock) -> AsyncIterator[Emulator]:
    slack = Emulator(path=folder / "slack.sqlite", port=port, delivery="socket", clock=clock)
    slack.line.commands = COMMANDS
    try:
        await slack.start()
    except OSError as error:
        raise no_page(error, port, "demo") from error
    try:
        yield slack
    finally:
        await slack.stop()


async def _panel(house: House, slack: Emulator, clock: DemoClock) -> DemoPanel:
    """Give the demo its clock and its first threads, and the page its controls."""
    panel = DemoPanel(house.work, house.queue, slack.faults, clock)
    async with house.work.connection() as conn:
        await time_machine.install(conn)
        await clock.follow(conn)
    await asyncio.to_thread(effects.recorded)  # so that the ledger's table is there to be read
    await house.directory.refresh_groups()  # so that the first cards mention them
    await panel.begin()
    slack.control.panel = panel
    return panel


async def _connected(slack: Emulator, stop: asyncio.Event) -> None:
    """Wait until somebody would answer a click."""
    while not len(slack.sockets) and not stop.is_set():
        await pause(stop, CONNECT_SECONDS)


async def _tell_the_page(slack: Emulator, panel: DemoPanel, stop: asyncio.Event) -> None:
    """Let the page look again when what its panel shows has changed, and Slack has not."""
    shown: object = None
    while not stop.is_set():
        state = await panel.state()
        sections = state["sections"]
        if sections != shown:
            shown = sections
            slack.state.changed()
        await pause(stop, LOOK_SECONDS)
