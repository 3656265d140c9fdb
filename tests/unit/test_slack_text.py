"""Text: escaping, cutting, and the words for people and times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack.blocks.rich import markdown, web_link
from bot.slack.blocks.text import (
    clean,
    cut,
    duration,
    escape,
    listing,
    mention,
    mention_approver,
    mrkdwn,
    plain,
    units,
    when,
)
from bot.slack.token import Token, read_value


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<!channel> & <@U123456>", "&lt;!channel&gt; &amp; &lt;@U123456&gt;"),
        ("*bold* `code` ~gone~", "\u2217bold\u2217 \u02cbcode\u02cb \u223cgone\u223c"),
        ("_so_ snake_case", "\u02cdso\u02cd snake_case"),
        ("@here and @Channel, bob@acme.example", "\uff20here and \uff20Channel, bob@acme.example"),
        ("> quoted\n  > too", "\u203a quoted\n  \u203a too"),
        ("a\u202eb\u200bc\x07d", "a\ufffdb\ufffdc\ufffdd"),
        ("two\r\nlines\u2028three", "two\nlines\nthree"),
        ("\U0001f469\u200d\U0001f680 stays", "\U0001f469\u200d\U0001f680 stays"),
        ("a\u200db", "a\ufffdb"),
        ("e" + "\u0301" * 50, "e" + "\u0301" * 4 + "\ufffd"),
        ("half \ud83d", "half \ufffd"),
    ],
)
def test_hostile_text_stays_text(text: str, shown: str) -> None:
    assert escape(text) == shown


def test_cutting_counts_utf_16_units_and_splits_nothing() -> None:
    assert cut("short", 5) == "short"
    assert cut("longer", 5) == "long…"
    assert cut("\U0001f600" * 5, 6) == "\U0001f600\U0001f600…"
    assert cut("ab&amp;c", 6) == "ab…"
    assert cut("a\u202f" * 10, 3) == "a\u202f…"


@given(st.text(), st.integers(2, 40))
def test_cut_text_always_fits_and_its_entities_are_whole(text: str, limit: int) -> None:
    shown = cut(escape(text), limit)

    assert units(shown) <= limit
    assert all(part.startswith(("amp;", "lt;", "gt;")) for part in shown.split("&")[1:])


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert clean(clean(text)) == clean(text)


def test_composed_text_is_never_cut_inside_a_mention() -> None:
    shown = mrkdwn("who: " + "<@U0ANA0001>, " * 400)["text"]

    assert units(shown) <= 3000
    assert shown.count("<") == shown.count(">")


def test_empty_text_becomes_a_dash_since_slack_wants_some() -> None:
    assert plain(" ")["text"] == mrkdwn("")["text"] == "\u2013"


def test_only_real_ids_become_mentions() -> None:
    assert mention("U0ANA0001") == "<@U0ANA0001>"
    assert mention("api:<!channel>") == "api:&lt;!channel&gt;"
    assert mention_approver("@finance", {"@finance": "S01FINMGR"}) == "<!subteam^S01FINMGR>"
    assert mention_approver("@finance", {}) == "@finance"
    assert mention_approver("@here", {"@here": "<!here>"}) == "\uff20here"
    assert mention_approver("S01FINMGR", {}) == "<!subteam^S01FINMGR>"


def test_a_moment_is_each_readers_own_with_utc_to_fall_back_on() -> None:
    at = datetime(2026, 11, 2, 9, 5, tzinfo=UTC)

    assert when(at) == "<!date^1793610300^{date_short_pretty} at {time}|2 Nov 2026, 09:05 UTC>"


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(seconds=20), "less than a minute"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(hours=26), "1 day 2 hours"),
        (timedelta(days=2, minutes=5), "2 days 5 minutes"),
        (timedelta(days=1, hours=1, minutes=1), "1 day 1 hour"),
    ],
)
def test_durations_read_as_people_say_them(length: timedelta, words: str) -> None:
    assert duration(length) == words


def test_lists_count_what_they_leave_out() -> None:
    assert listing(["a"], 3) == "a"
    assert listing(["a", "b", "c"], 3) == "a, b and c"
    assert listing(["a", "b", "c", "d"], 2, last="or") == "a, b or 2 more"


def test_markdown_keeps_its_shape_and_a_link_cannot_lie() -> None:
    shown = markdown(
        "# Head\n**b** *i* `c`\n- one\n1. two\n```\nx < 1\n```\n[bank](https://evil.example/x)", 1000
    )

    runs = [run for element in shown for run in element["elements"]]
    assert {"type": "text", "text": "Head", "style": {"bold": True}} in runs
    assert {"type": "text", "text": "i", "style": {"italic": True}} in runs
    assert {"type": "text", "text": "c", "style": {"code": True}} in runs
    assert [e["type"] for e in shown] == ["rich_text_section", "rich_text_preformatted", "rich_text_section"]
    assert {"type": "link", "url": "https://evil.example/x", "text": "https://evil.example/x"} in runs


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("```rm -rf /data```\nand more", "rm -rf /data\nand more"),
        ("```\nx\n``` drops a table", "x\n``` drops a table"),
        ("```sql drop table users\nx\n```", "sql drop table users\nx"),
        ("```\n~~~\nx\n```\nand more", "~~~\nxand more"),
    ],
)
def test_nothing_that_stands_beside_a_fence_is_lost(text: str, shown: str) -> None:
    runs = [run["text"] for element in markdown(text, 1000) for run in element["elements"]]
    assert "".join(runs) == shown


def test_a_fence_that_never_ends_is_shown_to_the_end() -> None:
    assert markdown("```\nrest", 100)[-1]["elements"][0]["text"] == "rest"


def test_a_fence_that_is_cut_off_leaves_no_trace_in_the_code() -> None:
    text = "Why\n```python\ncode\n```\nmore words"
    cuts = [markdown(text, limit) for limit in range(2, len(text))]
    shown = ["".join(run["text"] for element in cut for run in element["elements"]) for cut in cuts]

    assert {"Why\n…", "Whycode…", "Whycode\n…", "Whycodemore…"} <= set(shown)
    assert not [one for one in shown if "`" in one or "python" in one]


@pytest.mark.parametrize("approval_id", ["a1", "0198c1d2-7f5e-7000-8000-0123456789ab", "A_b-9"])
def test_a_token_comes_back_as_it_was(approval_id: str) -> None:
    token = Token(approval_id, 3)

    assert Token.parse(token.encode()) == token
    assert read_value(token.with_("note")) == (token, "note")
    assert read_value(token.encode()) == (token, "")


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "",
        "s2.a1.1",
        "s1.a1",
        "s1.a1.0",
        "s1.a1.01x",
        "s1.a1.-1",
        "s1..1",
        "s1.a b.1",
        "s1.a1.1\n",
        "s1.a1.1.1",
        f"s1.{'a' * 65}.1",
        f"s1.a1.{'9' * 10}",
        "s1.a1.\u0661",
        "s1.a1.1#note",
    ],
)
def test_a_malformed_or_foreign_token_is_none(value: object) -> None:
    assert Token.parse(value) is None


@pytest.mark.parametrize(
    "value", [None, "s1.a1.1#", "s1.a1.1#a#b", "s1.a1.1#" + "9" * 17, "s2.a1.1#note", "#note"]
)
def test_a_malformed_menu_value_is_none(value: object) -> None:
    assert read_value(value) is None


@pytest.mark.parametrize(
    "url", ["https://a.example/\u202egpj", "https://a.example/ b", "https://a.example/" + "x" * 3000]
)
def test_an_odd_address_stays_text(url: str) -> None:
    assert web_link(url)["type"] == "text"
    assert web_link("https://a.example/b")["type"] == "link"
