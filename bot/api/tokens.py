"""Who calls: bearer tokens by name, compared in constant time."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from pydantic import SecretStr
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.api.problems import Problem


class TokenDoor:
    """Lets requests with a known token through to `app`, and tells it the token's name."""

    def __init__(self, app: ASGIApp, tokens: Mapping[str, SecretStr]) -> None:
        self._app = app
        self._tokens = {name: token.get_secret_value().encode() for name, token in tokens.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            name = self._named(Request(scope))
        except Problem as problem:
            await problem.response()(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = name
        await self._app(scope, receive, send)

    def _named(self, request: Request) -> str:
        if not self._tokens:
            raise Problem(404, "api_off", "The HTTP API is off: SIGNOFF_API_TOKENS is not set.")
        scheme, _, given = request.headers.get("authorization", "").strip().partition(" ")
        if scheme.lower() != "bearer" or not given.strip():
            headers = {"WWW-Authenticate": "Bearer"}
            raise Problem(401, "unauthorized", "Send the header Authorization: Bearer …", headers=headers)
        # All are compared, so that the time says nothing of which came near.
        offered = given.strip().encode("latin-1")  # the bytes as they came
        known = [name for name, token in self._tokens.items() if hmac.compare_digest(token, offered)]
        if not known:
            raise Problem(403, "forbidden", "This token is not one of SIGNOFF_API_TOKENS.")
        return known[0]


def caller(request: Request) -> str:
    """Return who calls, as it is recorded: `api:` and the token's name."""
    return f"api:{request.state.caller}"
