"""What a message shows, taken from the blocks that Slack would get."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.slack.blocks.drawn import Drawn
from bot.slack.blocks.text import Block

_MENTION = re.compile(r"<@(\w+)>|<!subteam\^(\w+)>")
_DATE = re.compile(r"<!date\^[^|>]*\|([^>]*)>")
_LINK = re.compile(r"<https?://[^|>]*\|([^>]*)>")


@dataclass(frozen=True)
class Card:
    """A drawn message. `"words" in card` looks at all that a person can read; printing it shows just that.

    `title` is its header, `text` what notifications and screen readers say, `buttons` the labels of what can
    be clicked, `menu` those behind its menus, `mentions` whom it calls: user ids, and groups as `@handle`.
    `fields` and `proposal` are what it shows of the request. `blocks` are Slack's own JSON.
    """

    text: str
    title: str
    buttons: tuple[str, ...]
    menu: tuple[str, ...]
    mentions: frozenset[str]
    fields: Mapping[str, str]
    proposal: Any
    blocks: list[Block]
    shown: str

    def __contains__(self, words: str) -> bool:
        return words in self.shown

    def __str__(self) -> str:
        return self.shown


def shown(drawn: Drawn, handles: Mapping[str, str], fields: Mapping[str, str], proposal: Any = None) -> Card:
    """Read a drawn message; `handles` are the groups' by id."""
    elements = [e for block in drawn.blocks if block["type"] == "actions" for e in block["elements"]]
    headers = (block["text"]["text"] for block in drawn.blocks if block["type"] == "header")
    return Card(
        text=readable(drawn.text, handles),
        title=next(headers, ""),
        buttons=tuple(e["text"]["text"] for e in elements if e["type"] == "button"),
        menu=tuple(option["text"]["text"] for e in elements for option in e.get("options", ())),
        mentions=frozenset(_mentioned(drawn.blocks, handles)),
        fields=dict(fields),
        proposal=proposal,
        blocks=drawn.blocks,
        shown="\n".join(filter(None, (_lines(block, handles) for block in drawn.blocks))),
    )


def _mentioned(value: Any, handles: Mapping[str, str]) -> Iterator[str]:
    match value:
        case {"type": "user", "user_id": user}:
            yield user
        case {"type": "mrkdwn", "text": str(text)}:
            for user, group in _MENTION.findall(text):
                yield user or handles.get(group, group)
        case dict():
            for item in value.values():
                yield from _mentioned(item, handles)
        case list():
            for item in value:
                yield from _mentioned(item, handles)


def _lines(block: Block, handles: Mapping[str, str]) -> str:
    match block["type"]:
        case "actions":
            return " ".join(f"[{_label(element)}]" for element in block["elements"])
        case "rich_text":
            return "\n".join(_rich(element) for element in block["elements"])
        case _:
            parts = [block.get("text"), *block.get("fields", ()), *block.get("elements", ())]
            return "\n".join(readable(part["text"], handles) for part in parts if part)


def _label(element: Block) -> str:
    if element["type"] == "button":
        return str(element["text"]["text"])
    return " / ".join(option["text"]["text"] for option in element.get("options", ()))


def _rich(element: Block) -> str:
    match element["type"]:
        case "rich_text_list":
            return "\n".join(f"- {_rich(item)}" for item in element["elements"])
        case "user":
            return f"@{element['user_id']}"
        case "link" | "text":
            return str(element.get("text") or element.get("url"))
        case _:
            return "".join(_rich(part) for part in element.get("elements", ()))


def readable(text: str, handles: Mapping[str, str]) -> str:
    """Return mrkdwn as people read it: mentions by name, groups by their handle."""

    def name(found: re.Match[str]) -> str:
        user, group = found.groups()
        return f"@{user}" if user else handles.get(group, f"@{group}")

    plain = _LINK.sub(r"\1", _DATE.sub(r"\1", _MENTION.sub(name, text)))
    return plain.replace("*", "").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
