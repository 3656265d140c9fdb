"""The web role's HTTP: Slack's requests, the API for programs, and what tells an operator how it is."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Mount, Route

from bot.api.approvals import Approvals
from bot.api.health import Readiness, healthz
from bot.api.measures import Measures
from bot.api.problems import HANDLERS
from bot.api.share import Share
from bot.api.slack_events import SlackEvents
from bot.api.threads import Threads
from bot.api.tokens import TokenDoor
from bot.house import House


def http_app(house: House) -> Starlette:
    """Return the ASGI app over an open house, which stays its opener's to close.

    `/slack/events` is there only where SLACK_SIGNING_SECRET is set.
    """
    routes = [
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", Readiness(house).readyz, methods=["GET"]),
        Route("/metrics", Measures(house).metrics, methods=["GET"]),
        Mount("/v1", TokenDoor(_api(house), house.settings.api_tokens)),
    ]
    if (secret := house.settings.slack_signing_secret) is not None:
        routes.append(Route("/slack/events", SlackEvents(house.bolt, secret).receive, methods=["POST"]))
    return Starlette(routes=routes)


def _api(house: House) -> Starlette:
    share = Share(house.listening)
    routes = [*Threads(house, share).routes(), *Approvals(share).routes()]
    return Starlette(routes=routes, exception_handlers=HANDLERS)
