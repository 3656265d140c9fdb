"""Rich text, in which content is never interpreted: no mention, no link and no format comes out of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from bot.approvals.policy import is_group, is_user
from bot.slack.blocks.text import Block, brief, clean, cut, units, when_plain

ADDRESS: Final = 200
"""Units of a link's address that are shown."""

_HOST = re.compile(r"https?://(?:[^\s/?#@<>|\\\[\]]+@)?\w[\w.-]*(?::[0-9]{1,5})?(?:[/?#]|$)", re.IGNORECASE)
_FENCE = re.compile(r"^ {0,3}(`{3,}(?=[^`]*$)|~{3,})(.*)$")
_LANGUAGE = re.compile(r"[\w.+#-]{0,30}")
_CUT_FENCE = re.compile(r"^ {0,3}(?:(?:`{3,}|~{3,})[\w.+#-]{0,30}|`{1,2}|~{1,2})…\Z", re.MULTILINE)
_HEADING = re.compile(r"^ {0,3}#{1,6}\s+(.*?)\s*#*$")
_BULLET = re.compile(r"^(\s*)(?:[-*+]|(\d{1,4})[.)])\s+(.*)$")
_QUOTED = re.compile(r"^ {0,3}>\s?(.*)$")
_INLINE = re.compile(
    r"(?P<ticks>`+)(?P<code>[^`\n]+)(?P=ticks)"
    r"|\*\*(?P<bold>[^*\n]+)\*\*"
    r"|(?<![\w*])\*(?P<italic>[^*\s][^*\n]*)\*(?![\w*])"
    r"|!?\[(?P<label>[^\]\n]{0,300})\]\((?P<url>https?://[^\s()<>]{1,1000})\)"
)


def words(text: str, **style: bool) -> Block:
    """Return a run of text, e.g. `words("x", bold=True)`; text is cleaned, not cut."""
    part: Block = {"type": "text", "text": clean(text) or " "}
    return part | {"style": style} if style else part


def person(user: str) -> Block:
    return {"type": "user", "user_id": user}


def approver(name: str) -> Block:
    """Name whom a policy names: people and groups as Slack shows them, an `@handle` as it is."""
    if is_user(name):
        return person(name)
    if is_group(name) and not name.startswith("@"):
        return {"type": "usergroup", "usergroup_id": name}
    return words(name)


def moment(at: datetime) -> Block:
    """Return a moment that each reader sees in their own time zone."""
    pattern = "{date_short_pretty} at {time}"
    return {"type": "date", "timestamp": int(at.timestamp()), "format": pattern, "fallback": when_plain(at)}


def paragraph(*parts: Block) -> Block:
    return {"type": "rich_text_section", "elements": list(parts)}


def quote(text: str, limit: int = 1000, *, struck: bool = False) -> Block:
    style = {"strike": True} if struck else {}
    return {"type": "rich_text_quote", "elements": [words(brief(text, limit), **style)]}


def preformatted(text: str, limit: int = 2900) -> Block:
    return {"type": "rich_text_preformatted", "elements": [words(brief(text, limit))]}


def rich_text(*elements: Block) -> Block:
    return {"type": "rich_text", "elements": list(elements)}


def web_link(url: str) -> Block:
    """Return a link shown as its own address, since a label could lie; an odd address stays text."""
    odd = units(url) > 2900 or clean(url) != url or any(character.isspace() for character in url)
    if odd or not _HOST.match(url):
        return words(cut(url, ADDRESS))
    return {"type": "link", "url": url, "text": cut(url, ADDRESS)}


def markdown(text: str, limit: int) -> list[Block]:
    """Show a workflow's Markdown, cut to `limit` units, as rich text elements.

    Only what cannot mislead is kept: headings, bold, italic, code, lists, quotes and fences. A link shows
    its address beside its label, images become links, HTML and mentions stay the text they are.
    """
    elements: list[Block] = []
    fence: list[str] | None = None
    mark = ""
    for row in _CUT_FENCE.sub("…", brief(text.strip(), limit)).split("\n"):
        found = _FENCE.match(row)
        if fence is None and found:
            mark, told = found[1], found[2].strip()
            fence = [] if _LANGUAGE.fullmatch(told) else [told]
        elif fence is None:
            _add_row(elements, row)
        elif found and found[1].startswith(mark) and not found[2].strip():
            elements.append(preformatted("\n".join(fence) or " "))
            fence = None
        else:
            fence.append(row)
    if fence:
        elements.append(preformatted("\n".join(fence)))
    return elements


def _add_row(elements: list[Block], row: str) -> None:
    """Append one line, joined to the element before where both are plain lines or quotes."""
    quoted, bullet, heading = _QUOTED.match(row), _BULLET.match(row), _HEADING.match(row)
    kind = "rich_text_quote" if quoted else "rich_text_section"
    if quoted:
        parts = list(_inline(quoted[1]))
    elif bullet:
        parts = [words(f"{bullet[1]}{bullet[2] + '.' if bullet[2] else '•'} "), *_inline(bullet[3])]
    elif heading:
        parts = [words(heading[1], bold=True)]
    else:
        parts = list(_inline(row))
    if elements and elements[-1]["type"] == kind:
        elements[-1]["elements"] += [words("\n"), *parts]
    elif parts:
        elements.append({"type": kind, "elements": parts})


def _inline(row: str) -> Iterator[Block]:
    at = 0
    for match in _INLINE.finditer(row):
        if match.start() > at:
            yield words(row[at : match.start()])
        at = match.end()
        match match.lastgroup:
            case "code":
                yield words(match["code"], code=True)
            case "bold":
                yield words(match["bold"], bold=True)
            case "italic":
                yield words(match["italic"], italic=True)
            case _:
                yield words(f"{match['label']} (" if match["label"] else "(")
                yield web_link(match["url"])
                yield words(")")
    if at < len(row):
        yield words(row[at:])
