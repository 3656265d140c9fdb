"""The log: one line an event, JSON for machines and key=value for people, without secrets."""

from __future__ import annotations

import logging
import os
import re
import sys
from asyncio import CancelledError
from collections.abc import Mapping
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

_SECRET = re.compile(
    r"(xox[a-z](?:\.xox[a-z])?-|xapp-|Bearer\s+)[\w.~+/=-]{6,}"  # Slack's tokens and the HTTP API's
    r"|(?<=://)([^\s:/@]*):[^\s@/]+(?=@)"  # the password in a database URL
    r"|(\b(?:ssl)?password=)(?:'(?:[^'\\]|\\.)*'|[^\s&'\"]+)"  # and as the other forms of its address have it
)
_QUIET = {
    "apscheduler": logging.ERROR,  # that a tick was left out because the last one takes longer
    "procrastinate": logging.WARNING,
    "psycopg": logging.WARNING,
    "psycopg.pool": logging.ERROR,  # each failed attempt to connect; what waits for the pool says so itself
    "slack_bolt": logging.WARNING,
    "slack_sdk": logging.WARNING,
    # It goes by its logger's own level: without one, it words each request and each answer for nobody.
    "slack_sdk.web.async_base_client": logging.WARNING,
    "uvicorn": logging.WARNING,
    "uvicorn.access": logging.CRITICAL,
    "httpx": logging.WARNING,
    "asyncio": logging.WARNING,
}
_SAID_IN_VAIN = (
    "As you gave `client` as well",
    "As `installation_store` or `authorize` has been used",  # both are given on purpose
    "Unhandled request",  # a button of another version, a link button: nothing to do
)


def set_up(log_format: str = "", environ: Mapping[str, str] = os.environ) -> None:
    """Send everything to stderr; `log_format` is json, console, or empty to go by whether it is a terminal.

    SIGNOFF_LOG_LEVEL is read at once, before the settings are known to be right: debug, info, warning.
    """
    level = logging.getLevelNamesMapping().get(environ.get("SIGNOFF_LOG_LEVEL", "").upper(), logging.INFO)
    as_json = log_format == "json" or (not log_format and not sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_worth_saying)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _foreign],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                without_secrets,
                *_rendered(as_json=as_json),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, level))
    logging.captureWarnings(True)


def without_secrets(_: Any, __: str, event: EventDict) -> EventDict:
    """Mask what looks like a token or a password, in whatever value it stands, at any depth."""
    return {key: masked(value) for key, value in event.items()}


def masked(value: Any) -> Any:
    """Return a value with what looks like a token or a password replaced, in texts at any depth."""
    match value:
        case str():
            return _SECRET.sub(_mask, value)
        case dict():
            return {key: masked(item) for key, item in value.items()}
        case list() | tuple():
            return [masked(item) for item in value]
        case _:
            return value


def _mask(found: re.Match[str]) -> str:
    return f"{found[1] or found[3] or f'{found[2]}:'}***"


def without_control(_: Any, __: str, event: EventDict) -> EventDict:
    """Keep what strangers wrote from making lines of its own, or moving the cursor of a terminal.

    A traceback keeps its lines.
    """
    told = {key: _printable(value) if isinstance(value, str) else value for key, value in event.items()}
    if isinstance(trace := event.get("exception"), str):
        told["exception"] = "\n".join(_printable(line) for line in trace.splitlines())
    return told


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _rendered(*, as_json: bool) -> list[Processor]:
    if as_json:
        return [structlog.processors.JSONRenderer()]
    return [
        without_control,
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        structlog.processors.KeyValueRenderer(
            key_order=["timestamp", "level", "event"], repr_native_str=False, drop_missing=True
        ),
    ]


def _foreign(_: Any, __: str, event: EventDict) -> EventDict:
    """Give another library's sentence the shape of our events: the sentence is no event's name."""
    event["said"], event["event"] = event["event"], event.get("logger", "library")
    return event


def _worth_saying(record: logging.LogRecord) -> bool:
    if record.name == "uvicorn.error" and record.exc_info and isinstance(record.exc_info[1], CancelledError):
        return False  # a request that did not come whole before the process had to end, which it said
    if record.name.startswith(("slack_bolt", "slack_sdk")):
        # Bolt gives its loggers a level of their own, so that theirs cannot be set from above.
        if record.levelno < logging.WARNING or str(record.msg).startswith(_SAID_IN_VAIN):
            return False
        record.exc_info = None  # it goes on by itself; the sentence says what failed
    return True
