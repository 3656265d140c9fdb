"""The Slack app's manifest, from manifest.yml: for Socket Mode as it is, or for HTTP at an address."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from bot.approvals.errors import SignoffError

EVENTS_PATH = "/slack/events"

_PLACES = (Path(__file__).parent / "manifest.yml", Path(__file__).parent.parent / "manifest.yml")
"""Beside the code where it was installed from a package, above it in a checkout."""


class BadUrl(SignoffError):
    """Slack would not send requests to this address."""


class NoManifest(SignoffError):
    """manifest.yml did not come along."""


def manifest(url: str | None = None) -> dict[str, Any]:
    """Return the manifest as Slack takes it in JSON.

    `url` is where the web role is reached from outside (`https://signoff.example.com`): Slack then posts to
    its `/slack/events`, in place of a socket. Raises `BadUrl` for what is no such address.
    """
    said: dict[str, Any] = yaml.safe_load(_text())
    return said if url is None else _over_http(said, _request_url(url))


def scopes() -> tuple[frozenset[str], frozenset[str]]:
    """Return the bot's scopes: those it cannot do without, and those that it can."""
    asked = manifest()["oauth_config"]["scopes"]
    optional = frozenset(asked["bot_optional"])
    return frozenset(asked["bot"]) - optional, optional


def _over_http(said: dict[str, Any], request_url: str) -> dict[str, Any]:
    settings = said["settings"]
    settings["socket_mode_enabled"] = False
    settings["event_subscriptions"]["request_url"] = request_url
    settings["interactivity"]["request_url"] = request_url
    for command in said["features"]["slash_commands"]:
        command["url"] = request_url
    return said


def _request_url(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        well_formed = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        well_formed = False
    if not well_formed or parts.query or parts.fragment or any(char.isspace() for char in url.strip()):
        raise BadUrl(f"{url!r} is not an address that Slack can post to: give https://, a host and no query.")
    whole = url.strip().rstrip("/")
    return whole if whole.endswith(EVENTS_PATH) else whole + EVENTS_PATH


def _text() -> str:
    for place in _PLACES:
        if place.is_file():
            return place.read_text(encoding="utf-8")
    raise NoManifest("manifest.yml is not here; take it from Signoff's repository.")
