"""The digest as messages: nothing is left out, a long one goes over pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bot.approvals.digest import TOPICS, Digest, Line, Topic
from bot.slack.blocks.drawn import LONGEST, Drawn, drawn, weight
from bot.slack.blocks.text import Block, context, header, mrkdwn, said, section, when

_HEADINGS: dict[Topic, str] = {
    "undeliverable": "Could not be delivered",
    "orphaned": "Orphaned",
    "stuck": "Stuck",
    "held": "Held",
    "expired": "Expired",
    "due": "Due soon",
}

_PAGE_WEIGHT = LONGEST - 1000
"""Of what a message's blocks may weigh; the header and the summary take the rest."""

_PAGE_BLOCKS = 44
"""Of a message's 50; the header, the summary and the page number take the rest."""

_Entry = tuple[Topic, str]


def pages(digest: Digest, message_ids: Sequence[str] = (), version: int = 1) -> tuple[Drawn, ...]:
    """Draw every page; at least one, also of a digest with nothing to tell.

    `message_ids` names the message of each page where those exist already.
    """
    chunks = list(_chunks(_entries(digest))) or [[]]
    ids = [*message_ids, *[None] * len(chunks)]
    return tuple(
        drawn(*_page(digest, chunk, f"page {n + 1} of {len(chunks)}" if chunks[1:] else ""), ids[n], version)
        for n, chunk in enumerate(chunks)
    )


def continued(page: Drawn, first: str) -> Drawn:
    """Lead from a further page back to the first, whose address is known once that is posted."""
    *blocks, made = page.blocks
    made = {**made, "elements": [*made["elements"], mrkdwn(f"<{first}|First page>")]}
    return replace(page, blocks=[*blocks, made])


def _page(digest: Digest, chunk: list[_Entry], number: str) -> tuple[str, list[Block]]:
    told, name = _summary(digest), ", ".join(filter(None, ["Approvals digest", number]))
    blocks: list[Block] = [
        header(name),
        *([section(told)] if len({line.topic for line in digest.lines}) != 1 else []),
    ]
    topic: Topic | None = None
    for entry_topic, text in chunk:
        if entry_topic != topic:
            topic = entry_topic
            blocks.append(section(f"*{_HEADINGS[topic]}* ({len(digest.about(topic))})"))
        blocks.append(section(text))
    since = f" · since {when(digest.since)}" if digest.since else ""
    blocks.append(context(f"Made {when(digest.made_at)}{since}"))
    return f"{name}: {told}".replace("*", ""), blocks


def _summary(digest: Digest) -> str:
    counts = [(topic, len(digest.about(topic))) for topic in TOPICS]
    told = [f"{_HEADINGS[topic]}: *{n}*" for topic, n in counts if n]
    if not told:
        return f"Nothing expired, nothing is stuck, and nothing is due until {when(digest.until)}."
    return " · ".join(told)


def _entries(digest: Digest) -> Iterator[_Entry]:
    for topic in TOPICS:
        for line in digest.about(topic):
            yield topic, _told(line)


def _told(line: Line) -> str:
    """Say one line: what, when, what happened, where, and the command to run."""
    title = said(line.title, 300)
    link = line.permalink
    linked = f"<{link}|{title}>" if link and not set(link) & set("<>| \n") else f"*{title}*"
    details = [
        f"{said(line.workflow, 80)} · thread {said(line.thread_id, 80)}",
        said(line.note, 400),
        when(line.at) if line.at else "",
    ]
    mend = f"\n{offered(line.command)}" if line.command else ""
    return f"{linked}\n{' · '.join(filter(None, details))}{mend}"


def offered(command: str) -> str:
    """Name a command to run, as what tells more, or as what goes on from there."""
    tells = command.startswith(("signoff show", "signoff doctor"))
    leads = "Details" if tells else "Once the cause is fixed"
    return f"{leads}: `{said(command, 300)}`"


def _chunks(entries: Iterator[_Entry]) -> Iterator[list[_Entry]]:
    """Fill pages; an entry never straddles two, and a page repeats the heading of what it continues."""
    page: list[_Entry] = []
    size = blocks = 0
    for topic, text in entries:
        heads = 0 if page and page[-1][0] == topic else 1
        cost = weight([section(text)])
        if page and (size + cost > _PAGE_WEIGHT or blocks + 1 + heads > _PAGE_BLOCKS):
            yield page
            page, size, blocks, heads = [], 0, 0, 1
        page.append((topic, text))
        size += cost
        blocks += 1 + heads
    if page:
        yield page
