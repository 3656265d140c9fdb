"""A person uses a button, a menu or a picker in a message, a modal or an App Home."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.emulator import elements, inputs, messages, payloads
from bot.emulator.delivery import Ack
from bot.emulator.errors import CannotDo, SlackError
from bot.emulator.line import Line
from bot.emulator.workspace import Channel, Json


@dataclass(frozen=True)
class Touch:
    """What is used: `chosen` is what a menu or picker is set to, `values` what stands in inputs beside it."""

    action_id: str
    block_id: str | None = None
    chosen: Any = None
    values: Mapping[str, Any] = field(default_factory=dict)

    def among(self, blocks: list[Json]) -> tuple[Json, Json]:
        """The block and the element in it; `CannotDo` naming what there is instead."""
        if found := elements.find(blocks, self.action_id, self.block_id):
            return found
        offered = ", ".join(element["action_id"] for _, element in elements.interactive(blocks))
        raise CannotDo(f"there is no {self.action_id!r} here; there is: {offered or 'nothing to click'}")


async def click(line: Line, user: str, where: str, touch: Touch, *, times: int = 1) -> Ack:
    """Use what the person sees on a message (by ts) or view (by id); `CannotDo` when it is not there."""
    return await line.delivery.deliver("interactive", click_payload(line, user, where, touch), times=times)


def click_payload(line: Line, user: str, where: str, touch: Touch) -> Json:
    """The block_actions payload of that click."""
    line.person(user)
    return (_on_view if where.startswith("V") else _on_message)(line, user, where, touch)


def seen(line: Line, user: str, ts: str) -> tuple[Channel, Json]:
    """The message as the person sees it, in a channel they are in or shown to them alone."""
    for message in line.slack.whispers.get(user, []):
        if message["ts"] == ts:
            return line.slack.conversation(message["channel"]).channel, message
    for conversation in line.slack.conversations.values():
        if ts in conversation.messages:
            channel = line.channel(user, conversation.channel.id)
            try:
                return channel, messages.presented(conversation, messages.find(conversation, ts))
            except SlackError:
                break
    raise CannotDo(f"there is no message {ts}")


def _on_message(line: Line, user: str, ts: str, touch: Touch) -> Json:
    channel, message = seen(line, user, ts)
    blocks = message.get("blocks", [])
    block, element = touch.among(blocks)
    trigger = line.slack.screens.issue(user, line.slack.now())
    body = payloads.interaction(line.slack, "block_actions", user, trigger)
    url = line.response_urls.issue(user, channel.id, ts)
    state = _state(blocks, touch, block, element)
    return body | payloads.on_message(channel, message, state, url) | _actions(line, touch, block, element)


def _on_view(line: Line, user: str, view_id: str, touch: Touch) -> Json:
    home = line.slack.screens.homes.get(user)
    shown = [*line.slack.screens.of(user)[-1:], *([home] if home else [])]
    view = next((view for view in shown if view["id"] == view_id), None)
    if view is None:
        raise CannotDo(f"{user} has no view {view_id} in front of them")
    block, element = touch.among(view["blocks"])
    in_modal = view["type"] == "modal"
    trigger = line.slack.screens.issue(user, line.slack.now(), in_modal=in_modal)
    body = payloads.interaction(line.slack, "block_actions", user, trigger)
    state = _state(view["blocks"], touch, block, element)
    return body | payloads.on_view(view, state) | _actions(line, touch, block, element)


def _state(blocks: list[Json], touch: Touch, block: Json, element: Json) -> Json:
    """What every input on the surface holds, the one that is used included."""
    state = inputs.values(blocks, touch.values)
    if touch.chosen is not None and element["action_id"] in state.get(block["block_id"], {}):
        state[block["block_id"]][element["action_id"]] = inputs.entry(element, touch.chosen)
    return state


def _actions(line: Line, touch: Touch, block: Json, element: Json) -> Json:
    picked: Json = {}
    if element["type"] in inputs.FIELD:
        picked = inputs.entry(element, touch.chosen)
        if picked[inputs.FIELD[element["type"]]] is None:
            raise CannotDo(f"{element['action_id']} is a {element['type']}: say what is chosen")
    return {"actions": [payloads.action(block, element, picked, f"{line.slack.now():.6f}")]}
