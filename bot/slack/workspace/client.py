"""The SDK's client, but for an answer that is not Slack's."""

from __future__ import annotations

from typing import Any

from slack_sdk.errors import SlackClientError
from slack_sdk.web.async_client import AsyncWebClient


class NotSlack(SlackClientError):
    """Something answered with status 200 that was not Slack: a proxy, a login page."""


class Client(AsyncWebClient):
    """Raises `NotSlack` where the SDK would fall over such an answer.

    It takes what came as text/plain, or as JSON that is no object, for a dict (slack_sdk,
    AsyncSlackResponse.validate).
    """

    async def api_call(self, api_method: str, **given: Any) -> Any:
        try:
            return await super().api_call(api_method, **given)
        except AttributeError as error:
            raise NotSlack(f"{api_method} was answered, but not by Slack") from error
