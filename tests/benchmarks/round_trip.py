"""The whole path against bare LangGraph, in one run on the same Postgres: ratios, not seconds.

`python -m tests.benchmarks.round_trip [--count 200] [--rounds 3]`

The whole path: start over HTTP, run to the pause, card posted to the local Slack (rates off), signed click
over HTTP, resumed, card settled, thread done; one web process, one worker process, the local Slack and the
clicking in this one. Then click to acknowledgement, at rest and while the worker is saturated.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

import aiohttp
import psycopg

from bot.emulator import Emulator
from bot.postgres import embedded
from bot.postgres.migrate import migrate
from bot.roles import loop

APPROVER = "U01MAYA"
CHANNEL = "C01FINANCE"
TOKEN = "bench:benchmark-token"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Side:
    """What one side did in one round: approvals a second, and CPU milliseconds an approval by process."""

    rate: float
    cpu: dict[str, float] = field(default_factory=dict)


@dataclass
class Bench:
    """The processes of one installation, and the local Slack that they talk to."""

    slack: Emulator
    http: aiohttp.ClientSession
    base: str
    dsn: str
    processes: dict[str, int]

    async def threads(self, count: int) -> list[str]:
        """Start threads, eight requests at once."""
        places = asyncio.Semaphore(8)

        async def one(n: int) -> str:
            body = {"workflow": "bench", "input": {"n": n}}
            async with places, self.http.post(f"{self.base}/v1/threads", json=body) as answer:
                said = await answer.json()
                if answer.status != 202:
                    raise RuntimeError(f"{answer.status}: {said}")
                return str(said["thread_id"])

        return list(await asyncio.gather(*(one(n) for n in range(count))))

    async def click_all(self, count: int, seen: set[str], seconds: list[float]) -> None:
        """Click every new card as it appears, until `count` were clicked."""
        clicks: list[asyncio.Task[None]] = []
        while len(clicks) < count:
            fresh = self._fresh(seen)
            for ts in fresh:
                seen.add(ts)
                clicks.append(asyncio.create_task(self._click(ts, seconds)))
            version = self.slack.state.version
            if not fresh:
                await self.slack.until(lambda v=version: self.slack.state.version > v, timeout=60)
        await asyncio.gather(*clicks)

    def _fresh(self, seen: set[str]) -> list[str]:
        """Return the cards that were posted since, by ts; those already seen are not looked at again."""
        posted = self.slack.state.conversations[CHANNEL].messages
        return list(takewhile(lambda ts: ts not in seen, reversed(posted)))

    async def _click(self, ts: str, seconds: list[float]) -> None:
        ack = await self.slack.click(APPROVER, ts, "signoff.approve")
        if not ack.acked:
            raise RuntimeError(f"A click was not acknowledged: {ack}")
        seconds.append(ack.seconds)

    async def ended(self, count: int) -> None:
        """Wait until all threads are done and all cards show it."""
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as conn:
            while True:
                found = await conn.execute(_LEFT)
                row = await found.fetchone()
                if row == (0, 0):
                    return
                await asyncio.sleep(0.02)


async def whole_path(bench: Bench, count: int, seen: set[str]) -> tuple[Side, list[float]]:
    """Run `count` approvals from start to settled card."""
    before = _cpu(bench.processes)
    began = time.perf_counter()
    seconds: list[float] = []
    clicking = asyncio.create_task(bench.click_all(count, seen, seconds))
    await bench.threads(count)
    await clicking
    await bench.ended(count)
    elapsed = time.perf_counter() - began
    after = _cpu(bench.processes)
    return Side(count / elapsed, {k: (after[k] - before[k]) * 1000 / count for k in after}), seconds


def bare(dsn: str, count: int) -> Side:
    """Run as many approvals on bare LangGraph, in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.bare", dsn, str(count)]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return Side(count / said["seconds"], {"bare": said["cpu"] * 1000 / count})


async def at_rest(bench: Bench, seen: set[str], count: int) -> list[float]:
    """Click one card at a time, with nothing else going on."""
    seconds: list[float] = []
    for _ in range(count):
        await bench.threads(1)
        await bench.click_all(1, seen, seconds)
        await bench.ended(1)
    return seconds


@asynccontextmanager
async def running(dsn: str) -> AsyncIterator[Bench]:
    """Start the web and worker roles as operators do, against a local Slack without rates."""
    port = _free_port()
    events = f"http://127.0.0.1:{port}/slack/events"
    async with Emulator(rate_limits=False, delivery="http", request_url=events) as slack:
        environment = {
            **os.environ,
            **slack.environment(),
            "DATABASE_URL": dsn,
            "SIGNOFF_API_TOKENS": TOKEN,
            "SIGNOFF_WORKFLOWS": "tests.benchmarks.flow:workflow",
            "SIGNOFF_OPS_CHANNEL": "#signoff-ops",
            "PORT": str(port),
        }
        del environment["SLACK_APP_TOKEN"]
        with _process("web", environment) as web, _process("worker", environment) as worker:
            headers = {"Authorization": f"Bearer {TOKEN.partition(':')[2]}"}
            connector = aiohttp.TCPConnector(keepalive_timeout=2)
            async with aiohttp.ClientSession(headers=headers, connector=connector) as http:
                base = f"http://127.0.0.1:{port}"
                await _answers(http, f"{base}/healthz")
                server = await _postmaster(dsn)
                pids = {"web": web.pid, "worker": worker.pid, "Postgres": server}
                pids["local Slack and clicks"] = os.getpid()
                yield Bench(slack, http, base, dsn, pids)


async def main(count: int, rounds: int) -> None:
    directory = Path(tempfile.mkdtemp(prefix="signoff-benchmark-"))
    try:
        with embedded.start(directory) as server:
            await migrate(server.dsn)
            await _compare(server.dsn, count, rounds)
    finally:
        shutil.rmtree(directory)


async def _compare(dsn: str, count: int, rounds: int) -> None:
    ours: list[Side] = []
    theirs: list[Side] = []
    busy: list[float] = []
    seen: set[str] = set()
    async with running(dsn) as bench:
        await whole_path(bench, 20, seen)
        rest = await at_rest(bench, seen, 40)
        for _ in range(rounds):
            theirs.append(bare(dsn, count))
            side, seconds = await whole_path(bench, count, seen)
            ours.append(side)
            busy += seconds
    _print(ours, theirs, rest, busy)


def _print(ours: list[Side], theirs: list[Side], rest: list[float], busy: list[float]) -> None:
    ratio = statistics.median(o.rate / t.rate for o, t in zip(ours, theirs, strict=True))
    lines = ["| | approvals/s (median) | CPU ms per approval |", "|---|---|---|"]
    for name, sides in (("bare LangGraph, start and resume only", theirs), ("the whole path", ours)):
        cpu = ", ".join(
            f"{process} {statistics.median(side.cpu[process] for side in sides):.1f}"
            for process in sides[0].cpu
        )
        lines.append(f"| {name} | {statistics.median(side.rate for side in sides):.1f} | {cpu} |")
    lines += ["", f"Ratio (median of {len(ours)} rounds): {ratio:.2f}", ""]
    lines += ["| click to acknowledgement | p50 ms | p99 ms |", "|---|---|---|"]
    for name, seconds in (("at rest", rest), ("workers saturated", busy)):
        cuts = statistics.quantiles(seconds, n=100, method="inclusive")
        lines.append(f"| {name} ({len(seconds)} clicks) | {cuts[49] * 1000:.0f} | {cuts[98] * 1000:.0f} |")
    sys.stdout.write("\n".join(lines) + "\n")


def _cpu(processes: dict[str, int]) -> dict[str, float]:
    """Return the CPU seconds that each process has used; Postgres' are those of all its connections."""
    families = {name: _family(pid) if name == "Postgres" else [pid] for name, pid in processes.items()}
    return {name: sum(map(_cpu_of, family)) for name, family in families.items()}


def _cpu_of(pid: int) -> float:
    """Return what a process has used, and those of its children that have ended; one that ended says 0."""
    try:
        return sum(map(int, _about(pid)[11:15])) / TICKS
    except FileNotFoundError:
        return 0.0


def _about(pid: int) -> list[str]:
    """Return what `/proc` says of a process, from its state on (proc(5))."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _family(pid: int) -> list[int]:
    return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


async def _postmaster(dsn: str) -> int:
    """Return the process that all of the server's connections are children of."""
    async with await psycopg.AsyncConnection.connect(dsn) as conn:
        return int(_about(conn.info.backend_pid)[1])


@contextmanager
def _process(role: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with Path(os.devnull).open("wb") as nowhere:
        process = subprocess.Popen(
            [sys.executable, "-m", "bot", role], env=environment, stdout=nowhere, stderr=None
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


async def _answers(http: aiohttp.ClientSession, url: str) -> None:
    for _ in range(300):
        try:
            async with http.get(url) as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.1)
    raise RuntimeError(f"{url} does not answer.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


_LEFT = """
select (select count(*) from threads where status not in ('done', 'failed', 'cancelled', 'orphaned')),
       (select count(*) from messages where wanted > drawn and error is null)
"""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    loop.run(main(given.count, given.rounds))
