"""A demo as a process of its own, and a person who clicks in it with a real Chromium."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import pytest
from playwright.sync_api import Locator, Page, expect

PATIENCE = 150.0
"""Seconds that a busy machine may take over anything, its disk too; nothing waits for them to pass."""

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def needs_chromium() -> None:
    """Skip where there is no Chromium; in CI the browser tests may not skip."""
    if CHROMIUM is None and os.environ.get("CI") == "true":
        pytest.fail("there is no Chromium here, and in CI the browser tests may not skip")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")


class Demo:
    """`signoff demo` in a folder of its own; it can be stopped and started again on the same port."""

    def __init__(self, home: Path) -> None:
        self.home = home
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.page = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and wait until it says where its page is."""
        self._process = process = subprocess.Popen(
            [sys.executable, "-m", "bot", "demo", "--port", str(self.port)],
            env=self._environ() | {"SIGNOFF_LOG_LEVEL": "info"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started = Event()
        Thread(target=self._hear, args=(process, started), daemon=True).start()
        if not started.wait(PATIENCE) or process.poll() is not None:
            process.kill()
            pytest.fail("the demo did not start")

    def _hear(self, process: subprocess.Popen[str], started: Event) -> None:
        """Repeat what it says, so that a test that fails shows it; a pipe nobody reads would stop it."""
        assert process.stdout is not None
        with process.stdout as said:
            for line in said:
                sys.stderr.write(line)
                if self.page in line:
                    started.set()
        started.set()

    def stop(self) -> int:
        """Press Ctrl-C; returns the exit code."""
        if self._process is None:
            return 0
        process, self._process = self._process, None
        process.send_signal(signal.SIGINT)
        return process.wait(PATIENCE)

    def command(self, *words: str) -> str:
        """Run a `signoff` command beside it, as it says on the terminal; returns what that prints."""
        environ = self._environ() | {"SIGNOFF_HOME": str(self.home / "demo")}
        run = [sys.executable, "-m", "bot", *words]
        done = subprocess.run(run, env=environ, capture_output=True, text=True, timeout=PATIENCE, check=True)
        return done.stdout

    def _environ(self) -> dict[str, str]:
        mine = ("SLACK_", "SIGNOFF_", "DATABASE_URL")
        own = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
        return own | {"SIGNOFF_HOME": str(self.home)}


@dataclass
class Visitor:
    """Whoever sits at the page."""

    page: Page
    demo: Demo

    def go(self, user: str, channel: str) -> None:
        """Look at a channel (an id, or "home") as somebody."""
        self.page.goto(f"{self.demo.page}/#user={user}&channel={channel}")
        expect(self.page.locator(f"[data-testid='channel-{channel}'][aria-current=page]")).to_be_visible()
        expect(self.page).to_have_url(f"{self.demo.page}/#user={user}&channel={channel}")

    def card(self, title: str) -> Locator:
        """The newest message of the channel that says `title`."""
        return self.page.locator("#scroll [data-testid^='message-']").filter(has_text=title).last

    def press(self, where: Locator, button: str) -> None:
        where.get_by_role("button", name=button).first.click()

    def move(self, action: str) -> None:
        """Use one of the demo's own buttons."""
        self.page.get_by_test_id(f"panel-{action}").click()

    def modal(self) -> Locator:
        return self.page.get_by_test_id("modal")

    def submit(self) -> None:
        self.page.get_by_test_id("modal-submit").click()

    def thread_of(self, card: Locator) -> Locator:
        """Open the replies to a card."""
        card.locator("[data-testid^='replies-']").click()
        return self.page.get_by_test_id("thread-pane")

    def private_answer(self) -> Locator:
        return self.page.get_by_test_id("ephemeral").last
