"""Text for Slack: content stays text, lengths are Slack's, mentions are made here and nowhere else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bot.approvals.policy import is_user

Block = dict[str, Any]
"""One block, element or text object as Slack's JSON has it."""

NOTHING: Final = "\u2013"
"""A dash, where Slack wants text and there is none."""

HEADER: Final = 150
"""Units of a header's text."""

HIDDEN: Final = "\ufffd"
"""Stands where something invisible was, so that nobody approves what they cannot see."""

_JOINS = "\u00a9-\u1fff\u2030-\u205f\u2070-\ud7ff\uf900-\ufefe\U0001f000-\U0003ffff"
_UNSEEN = re.compile(
    "(?:["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, without tab and newline
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0"  # blank letters, soft hyphen
    "\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # zero width, direction, annotation
    "\ud800-\udfff"  # half a character, which cannot be sent
    "\U000e0000-\U000e0fff"  # tags and further variation selectors
    f"]|(?<![{_JOINS}])[\u200c\u200d]|[\u200c\u200d](?![{_JOINS}]))+"  # joiners that join nothing
)
_UNWRITTEN = re.compile(f"{_UNSEEN.pattern}|[\u2028\u2029\x85]")
_STACK = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_STACKED = re.compile(f"([{_STACK}]{{4}})[{_STACK}]+")
_BREAKS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")

_LOOKALIKES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "*": "\u2217", "`": "\u02cb", "~": "\u223c"}
)
_MARKUP = re.compile("[&<>*`~_@]")
"""Without any of these there is nothing to escape."""
_EDGE_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_BROADCAST = re.compile(r"@(?=(?:here|channel|everyone|group)\b)", re.IGNORECASE)
_QUOTING = re.compile(r"^(\s*)>", re.MULTILINE)
_HALF_ENTITY = re.compile(r"&[a-z]{0,3}$")


def units(text: str) -> int:
    """Count UTF-16 units: what Slack counts is not documented, and this is the larger reading."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def clean(text: str) -> str:
    """Make the invisible visible: controls, direction overrides and zero-width characters become a mark."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    seen = _UNSEEN.sub(HIDDEN, _BREAKS.sub("\n", text).replace("\t", "    "))
    return _STACKED.sub(rf"\1{HIDDEN}", seen)


def spelled_out(text: str) -> str:
    """Write what is invisible as JSON escapes, so that none is lost where every character matters."""
    return _UNWRITTEN.sub(lambda found: json.dumps(found[0])[1:-1], text)


def line(text: str) -> str:
    """Clean `text` into one line."""
    return " ".join(clean(text).split())


def escape(text: str) -> str:
    """Clean `text` for mrkdwn, so that it mentions nobody, links nowhere and formats nothing.

    mrkdwn has no escape for `*`, `_`, `~` and backticks: they are replaced by characters that look alike.
    """
    seen = clean(text)
    if not _MARKUP.search(seen):
        return seen
    quiet = _BROADCAST.sub("\uff20", _QUOTING.sub("\\1\u203a", seen))
    return _EDGE_UNDERSCORE.sub("\u02cd", quiet).translate(_LOOKALIKES)


def cut(text: str, limit: int) -> str:
    """Cut to `limit` UTF-16 units with a mark, never inside a character or an entity such as `&amp;`."""
    if len(text) <= limit and units(text) <= limit:
        return text
    room, end = limit - 1, 0
    for end, character in enumerate(text):  # noqa: B007  # `end` is what the loop finds out
        room -= 2 if character > "\uffff" else 1
        if room < 0:
            break
    return _HALF_ENTITY.sub("", text[:end]).rstrip("\u200d \n") + "…"


def brief(text: str, limit: int) -> str:
    """Clean and cut content that may be huge, without reading more of it than can be shown."""
    head = text[: 4 * limit]
    return cut(clean(head) + ("…" if len(head) < len(text) else ""), limit)


def is_told(text: str, limit: int) -> bool:
    """Whether `brief` tells all of a text: that it is not cut, and that nothing in it is hidden."""
    if len(text) > limit:
        return False
    seen = clean(text)
    return units(seen) <= limit and HIDDEN not in seen


def unescaped(text: str) -> str:
    """Return what Slack's three entities stand for."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def said(text: str, limit: int) -> str:
    """Return content as one escaped line of at most `limit` units."""
    return cut(escape(line(brief(text, 2 * limit))), limit)


def plain(text: str, limit: int = 3000) -> Block:
    """Return a plain_text object; nothing in it is interpreted, and empty text becomes a dash."""
    return {"type": "plain_text", "text": brief(text.strip(), limit).strip() or NOTHING, "emoji": False}


def mrkdwn(text: str, limit: int = 3000) -> Block:
    """Return a mrkdwn object of text composed here, its content already escaped.

    `verbatim` keeps Slack from linking names and addresses that stand in the content.
    """
    kept = cut(text, limit)
    if kept.rfind("<") > kept.rfind(">"):
        kept = kept[: kept.rfind("<")].rstrip() + "…"
    return {"type": "mrkdwn", "text": kept or NOTHING, "verbatim": True}


def header(text: str) -> Block:
    return {"type": "header", "text": plain(text, HEADER)}


def section(text: str) -> Block:
    return {"type": "section", "text": mrkdwn(text)}


def context(*texts: str) -> Block:
    return {"type": "context", "elements": [mrkdwn(text) for text in texts[:10]]}


def when(at: datetime) -> str:
    """Return a moment that each reader sees in their own time zone, e.g. "today at 10:42"."""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} at {{time}}|{when_plain(at)}>"


def when_plain(at: datetime) -> str:
    return f"{at.astimezone(UTC):%d %b %Y, %H:%M} UTC".lstrip("0")


def mention(user: str) -> str:
    """Mention a person; what is no Slack user id is shown as text."""
    return f"<@{user}>" if is_user(user) else said(user, 80)


def mention_approver(name: str, groups: Mapping[str, str]) -> str:
    """Mention a person or group of a policy; `groups` knows the id of each `@handle` that resolved."""
    group = groups.get(name, name)
    if not name.startswith(("@", "S")) or is_user(name):
        return mention(name)
    return f"<!subteam^{group}>" if re.fullmatch(r"S[A-Z0-9]{5,20}", group) else said(name, 90)


def listing(items: Iterable[str], most: int, last: str = "and") -> str:
    """Join to "a, b and c", at most `most` of them, the rest counted."""
    all_items = list(items)
    shown = all_items[:most]
    if len(all_items) > most:
        shown.append(f"{len(all_items) - most} more")
    if len(shown) < 2:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} {last} {shown[-1]}"


def duration(length: timedelta) -> str:
    """Say a duration as people do, in at most two units: "2 days 4 hours", "45 minutes"."""
    minutes = int(abs(length).total_seconds() // 60)
    days, minutes = divmod(minutes, 1440)
    hours, minutes = divmod(minutes, 60)
    parts = [count(n, unit) for n, unit in ((days, "day"), (hours, "hour"), (minutes, "minute")) if n]
    return " ".join(parts[:2]) or "less than a minute"


def count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
