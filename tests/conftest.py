from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
import structlog
from hypothesis import settings
from psycopg import sql
from psycopg.conninfo import make_conninfo

from bot.postgres import embedded
from bot.postgres.migrate import migrate
from bot.testing import plugin

if TYPE_CHECKING:
    from fixtures_house import Running

    from bot.demo.panel import DemoPanel

# Nothing here is timed: a busy machine must not fail a property.
settings.register_profile("signoff", deadline=None)
settings.load_profile("signoff")

# By default structlog draws a traceback with every local variable, and nothing else happens for a second.
plainly = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plainly])

# What stands in somebody's shell leads no test elsewhere: their Slack, their database, their way out.
_OF_TESTS = {"SIGNOFF_TEST_DATABASE_URL", "SIGNOFF_PICTURE", "SIGNOFF_EVERY_CRASH"}
for name in {*os.environ} - _OF_TESTS:
    if name.startswith(("SLACK_", "SIGNOFF_", "DATABASE_URL")) or name.lower().endswith("_proxy"):
        del os.environ[name]

_ROOM = 4 * 2**30
"""Bytes: more than the servers of some workers take."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Whole folders run in a process for each processor, up to four; named files run here, at once."""
    folders = all(Path(argument.partition("::")[0]).is_dir() for argument in config.args)
    processors = min(len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1, 4)
    return processors if folders and processors > 1 else 0


def pytest_configure(config: pytest.Config) -> None:
    """Load our own plugin also where the checkout was installed before it had one."""
    if memory := _fastest():
        # A shared machine's disk may stand still for a minute: that would look like Signoff standing still.
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))
    if not config.pluginmanager.has_plugin("signoff"):
        config.pluginmanager.register(plugin, "signoff")


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A DSN that may create databases: SIGNOFF_TEST_DATABASE_URL, or a server of this session's own."""
    if given := os.environ.get("SIGNOFF_TEST_DATABASE_URL"):
        yield given
        return
    directory = Path(tempfile.mkdtemp(prefix="signoff-tests-", dir=_fastest()))
    try:
        with embedded.start(directory, durable=False) as running:
            yield running.dsn
    finally:
        shutil.rmtree(directory)


def _fastest() -> Path | None:
    """The folder in memory, where it has room: on a busy disk a database takes a second to clone."""
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ROOM:
        return memory
    return None


@pytest.fixture(scope="session")
def template(server: str) -> Iterator[str]:
    """The name of a migrated database to clone."""
    name = f"signoff_template_{uuid4().hex[:12]}"
    create(server, name)
    asyncio.run(migrate(make_conninfo(server, dbname=name)))
    yield name
    drop(server, name)


@pytest.fixture
async def database(server: str, template: str) -> AsyncIterator[str]:
    """The DSN of a migrated database that nobody else uses."""
    name = f"signoff_test_{uuid4().hex[:12]}"
    create(server, name, template)
    yield make_conninfo(server, dbname=name)
    drop(server, name)


@pytest.fixture
def empty_database(server: str) -> Iterator[str]:
    """The DSN of a database with nothing in it."""
    name = f"signoff_test_{uuid4().hex[:12]}"
    create(server, name)
    yield make_conninfo(server, dbname=name)
    drop(server, name)


@pytest.fixture
async def house(database: str) -> AsyncIterator[Running]:
    """A whole house on `database`, connected over Socket Mode to a local Slack of its own."""
    from fixtures_house import running_house  # slow to import

    async with running_house(database) as running:
        yield running


@pytest.fixture
async def panel(house: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DemoPanel:
    """The demo's panel over `house`, as it is at its start."""
    from bot.demo.panel import DemoPanel  # slow to import
    from workflows import effects, folders

    monkeypatch.setenv(folders.VARIABLE, str(tmp_path))
    await asyncio.to_thread(effects.recorded)  # makes the ledger's table
    return DemoPanel(house.house.work, house.house.queue, house.slack.faults)


def create(server: str, name: str, template: str = "template1") -> None:
    # Copied as files: through the log, as is the default, takes twice as long.
    command = sql.SQL("create database {} template {} strategy file_copy").format(
        sql.Identifier(name), sql.Identifier(template)
    )
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(command)


def drop(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
