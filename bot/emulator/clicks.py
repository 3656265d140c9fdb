"""A person uses a button, a menu or a picker in a message, a modal or an App Home."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.emulator import elements, inputs, messages, payloads
from bot.emulator.delivery import Ack
from bot.emulator.errors import CannotDo, SlackError
from bot.emulator.line import Line
from bot.emulator.workspace import Channel, Json


async def click(
    line: Line,
    user: str,
    where: str,
    action_id: str,
    *,
    block_id: str | None = None,
    chosen: Any = None,
    values: Mapping[str, Any] | None = None,
    times: int = 1,
) -> Ack:
    """Click what the person sees on a message (by ts) or view (by id); `CannotDo` when it is not there.

    `chosen` is what a menu or picker is set to; `values` what stands in the inputs beside it.
    """
    payload = click_payload(line, user, where, action_id, block_id, chosen, values or {})
    return await line.delivery.deliver("interactive", payload, times=times)


def click_payload(
    line: Line,
    user: str,
    where: str,
    action_id: str,
    block_id: str | None,
    chosen: Any,
    values: Mapping[str, Any],
) -> Json:
    """The block_actions payload of that click."""
    line.person(user)
    if where.startswith("V"):
        return _on_view(line, user, where, action_id, block_id, chosen, values)
    channel, message = seen(line, user, where)
    blocks = message.get("blocks", [])
    block, element = _element(blocks, action_id, block_id)
    body = payloads.interaction(line.slack, "block_actions", user, _trigger(line, user))
    url = line.response_urls.issue(user, channel.id, where)
    state = inputs.values(blocks, values)
    return _with_action(
        line, body | payloads.on_message(channel, message, state, url), block, element, chosen
    )


def seen(line: Line, user: str, ts: str) -> tuple[Channel, Json]:
    """The message as the person sees it, in a channel they are in or shown to them alone."""
    for message in line.slack.whispers.get(user, []):
        if message["ts"] == ts:
            return line.slack.conversation(message["channel"]).channel, message
    for conversation in line.slack.conversations.values():
        if ts in conversation.messages:
            channel = line.channel(user, conversation.channel.id)
            try:
                found = messages.find(conversation, ts)
            except SlackError:
                break
            return channel, messages.presented(conversation, found)
    raise CannotDo(f"there is no message {ts}")


def _on_view(
    line: Line,
    user: str,
    view_id: str,
    action_id: str,
    block_id: str | None,
    chosen: Any,
    values: Mapping[str, Any],
) -> Json:
    home = line.slack.screens.homes.get(user)
    open_views = [*line.slack.screens.of(user), *([home] if home else [])]
    view = next((view for view in open_views if view["id"] == view_id), None)
    if view is None:
        raise CannotDo(f"{user} has no view {view_id} open")
    block, element = _element(view["blocks"], action_id, block_id)
    trigger = _trigger(line, user, in_modal=view["type"] == "modal")
    body = payloads.interaction(line.slack, "block_actions", user, trigger)
    state = inputs.values(view["blocks"], values)
    if chosen is not None and block["block_id"] in state:
        state[block["block_id"]][element["action_id"]] = inputs.entry(element, chosen)
    return _with_action(line, body | payloads.on_view(view, state), block, element, chosen)


def _with_action(line: Line, body: Json, block: Json, element: Json, chosen: Any) -> Json:
    picked: Json = {}
    if element["type"] in inputs.FIELD:
        picked = inputs.entry(element, chosen)
        if picked[inputs.FIELD[element["type"]]] is None:
            raise CannotDo(f"{element['action_id']} is a {element['type']}: say what is chosen")
    return body | {"actions": [payloads.action(block, element, picked, f"{line.slack.now():.6f}")]}


def _element(blocks: list[Json], action_id: str, block_id: str | None) -> tuple[Json, Json]:
    found = elements.find(blocks, action_id, block_id)
    if found is None:
        offered = [element["action_id"] for _, element in elements.interactive(blocks)]
        raise CannotDo(
            f"there is no {action_id!r} here; there is: {', '.join(offered) or 'nothing to click'}"
        )
    return found


def _trigger(line: Line, user: str, *, in_modal: bool = False) -> str:
    return line.slack.screens.issue(user, line.slack.now(), in_modal=in_modal)
