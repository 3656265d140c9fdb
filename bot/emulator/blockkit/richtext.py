"""Rich text: sections, lists, quotes and code, made of styled parts."""

from __future__ import annotations

from typing import Final

from bot.emulator.blockkit.checks import (
    Check,
    anything,
    array,
    boolean,
    integer,
    one_of,
    record,
    string,
    typed,
)

STYLES = ("bold", "italic", "strike", "code", "underline", "highlight", "client_highlight", "unlink")
STYLE = record({}, dict.fromkeys(STYLES, boolean))


def _part(required: dict[str, Check], optional: dict[str, Check] | None = None) -> Check:
    return record({"type": anything, **required}, {"style": STYLE, **(optional or {})})


PARTS: Final = typed(
    {
        "text": _part({"text": string(None, 1)}),
        "link": _part({"url": string(3000, 1)}, {"text": string(), "unsafe": boolean}),
        "user": _part({"user_id": string(None, 1)}),
        "usergroup": _part({"usergroup_id": string(None, 1)}),
        "channel": _part({"channel_id": string(None, 1)}),
        "team": _part({"team_id": string(None, 1)}),
        "emoji": _part(
            {"name": string(None, 1)}, {"unicode": string(), "url": string(), "skin_tone": integer(1, 6)}
        ),
        "date": _part(
            {"timestamp": integer(0, 9_999_999_999), "format": string(None, 1)},
            {"url": string(), "fallback": string()},
        ),
        "broadcast": _part({"range": one_of("here", "channel", "everyone")}),
        "color": _part({"value": string(None, 1)}),
    },
    "rich text part",
)

_LINES = array(PARTS, None, 0)
_SECTION = record({"type": anything, "elements": _LINES})
_BORDER = integer(0, 1)

ELEMENTS: Final = typed(
    {
        "rich_text_section": _SECTION,
        "rich_text_quote": record({"type": anything, "elements": _LINES}, {"border": _BORDER}),
        "rich_text_preformatted": record(
            {"type": anything, "elements": _LINES}, {"border": _BORDER, "language": string()}
        ),
        "rich_text_list": record(
            {
                "type": anything,
                "style": one_of("bullet", "ordered"),
                "elements": array(typed({"rich_text_section": _SECTION}, "list item"), None, 1),
            },
            {"indent": integer(0, 8), "offset": integer(0, 1_000_000), "border": _BORDER},
        ),
    },
    "rich text element",
)
