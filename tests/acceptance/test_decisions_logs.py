"""What goes wrong on the decision path is logged without what people wrote and without what opens Slack."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
import structlog
from fixtures_decisions import MODULE, asking, editable
from fixtures_house import FINANCE, MAYA, OTTO, Running, running_house

from bot import logs
from bot.slack.listeners import desk as desk_module

SECRET = "the-key-is-hunter2"


@pytest.fixture
async def house(database: str) -> AsyncIterator[Running]:
    async with running_house(database, extra=(MODULE,)) as running:
        yield running


@pytest.fixture
def logged(capfd: pytest.CaptureFixture[str]) -> Any:
    """Log as a running process does; returns a call that gives what was written."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    before = structlog.get_config()
    logs.set_up("json", {})
    yield lambda: capfd.readouterr().err
    structlog.configure(**before)
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(capture=False)


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.UniqueViolation(f"DETAIL: Key (comment)=({SECRET}) exists"),
        psycopg.OperationalError("the connection is lost"),
    ],
    ids=["fault", "away"],
)
async def test_a_click_that_fails_is_logged_without_the_reason_and_without_tokens(
    house: Running, logged: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    desk = await asking(house, MAYA, **editable(summary=SECRET))
    view = await desk.open(MAYA, "signoff.reject")

    async def fails(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(desk_module, "cast", fails)
    house.slack.delivery.ack_seconds = 0.5
    await house.slack.submit(MAYA, view, {"words": SECRET})
    await desk.click(MAYA)
    house.slack.fault("chat.postEphemeral", "server_error")
    await desk.click(OTTO, "signoff.reject")

    said = logged()
    assert said
    assert "xoxb-" not in said
    assert "xapp-" not in said
    assert SECRET not in said.replace(str(error), "")
    assert "locals" not in said


async def test_what_is_sent_to_slack_is_not_worded_for_a_log_that_leaves_it_out(
    house: Running, logged: Any
) -> None:
    class Unworded(dict[str, Any]):
        def __repr__(self) -> str:
            raise AssertionError("it was worded")

    block = Unworded(type="section", text={"type": "plain_text", "text": "Hello"})

    said = await house.house.client.chat_postMessage(channel=FINANCE, text="Hello", blocks=[block])

    assert said["ok"]
