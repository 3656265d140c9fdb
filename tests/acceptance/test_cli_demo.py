from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

PATIENCE = 150.0
"""Seconds that a busy machine may take over anything, its disk too; nothing waits for them to pass."""

Json = dict[str, Any]


@dataclass
class Demo:
    """A demo that runs as a process, with its page's address."""

    process: subprocess.Popen[str]
    page: str

    def state(self, user: str = "U01MAYA") -> Json:
        with urllib.request.urlopen(f"{self.page}/_emulator/state?user={user}", timeout=PATIENCE) as answer:
            return json.load(answer)

    def post(self, act: str, **body: Any) -> Json:
        request = urllib.request.Request(
            f"{self.page}/_emulator/{act}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def until(self, seen: Callable[[Json], Any], user: str = "U01MAYA") -> Any:
        """Look again whenever the page is told of a change, until `seen` gives something."""
        with urllib.request.urlopen(f"{self.page}/_emulator/events", timeout=PATIENCE) as changes:
            until = time.monotonic() + PATIENCE
            while time.monotonic() < until:
                if found := seen(self.state(user)):
                    return found
                while not changes.readline().startswith(b"data:"):
                    pass
        raise TimeoutError

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)


@contextmanager
def running(home: Path, port: int) -> Iterator[Demo]:
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("SLACK_", "SIGNOFF_"))
    }
    environ |= {"SIGNOFF_HOME": str(home), "DATABASE_URL": "postgresql://nobody@nowhere.invalid/real"}
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "demo", "--port", str(port)],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Demo(process, _page(process))
    finally:
        process.send_signal(signal.SIGTERM) if process.poll() is None else None
        process.communicate(timeout=PATIENCE)


def _page(process: subprocess.Popen[str]) -> str:
    """Read what it says up to the page's address; one that says nothing for long is killed."""
    assert process.stdout is not None
    too_late = Timer(PATIENCE, process.kill)
    too_late.start()
    said = []
    for line in process.stdout:
        said.append(line)
        if line.strip().startswith("http://"):
            too_late.cancel()
            return line.strip().rstrip("/")
    raise AssertionError(f"the demo did not start: {''.join(said)}")


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def finance(state: Json) -> list[Json]:
    return state["messages"]["C01FINANCE"]


def at_the_top(message: Json) -> bool:
    return message.get("thread_ts", message["ts"]) == message["ts"]


def card(title: str) -> Callable[[Json], Json | None]:
    return lambda state: next((m for m in finance(state) if title in m["text"] and m.get("blocks")), None)


def line(title: str, text: str) -> Callable[[Json], bool]:
    def seen(state: Json) -> bool:
        sections = {section["title"]: section["lines"] for section in state["panel"]["sections"]}
        return any(text in line for line in sections[title])

    return seen


def test_the_demo_runs_a_round_trip_stops_at_ctrl_c_and_goes_on_where_it_was(tmp_path, port):
    with running(tmp_path, port) as demo:
        asked = demo.until(card("Hotel Adler"))
        assert demo.post("click", user="U01MAYA", ts=asked["ts"], action_id="signoff.approve")["acked"]
        demo.until(line("Done by the workflows", "Paid Hotel Adler 1,240.00 EUR"))
        demo.post("panel", action="plus-4h")
        assert demo.interrupt() == 0

    with running(tmp_path, port) as again:
        # It may have been told to stop between the effect and the card's drawing.
        settled = again.until(lambda state: "Approved" in card("Hotel Adler")(state)["text"] and state)
        assert card("Hotel Adler")(settled)["ts"] == asked["ts"]
        state = again.state()
        assert line("Done by the workflows", "Paid Hotel Adler")(state)
        assert len([m for m in finance(state) if "Hotel Adler" in m["text"] and at_the_top(m)]) == 1
        assert again.interrupt() == 0
