"""The emulator's page in a real Chromium: it shows what Slack would, and sends what Slack sends."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from browsing import CHROMIUM, FLAGS, PATIENCE, needs_chromium
from playwright.async_api import Browser, Locator, Page, Route, async_playwright, expect
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.emulator import Emulator

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]  # one Chromium for all

MAYA, OTTO, CHANNEL = "U01MAYA", "U07OTTO", "C01FINANCE"

Json = dict[str, Any]


@pytest_asyncio.fixture(loop_scope="module")
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(rate_limits=False, ack_seconds=PATIENCE) as running:
        yield running


@pytest.fixture
def client(emulator: Emulator) -> AsyncWebClient:
    return AsyncWebClient(emulator.state.workspace.bot_token, base_url=emulator.api_url)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    needs_chromium()
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser) -> AsyncIterator[Page]:
    opened = await browser.new_page(viewport={"width": 1280, "height": 800})
    opened.set_default_timeout(PATIENCE * 1000)
    expect.set_options(timeout=PATIENCE * 1000)
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    yield opened
    await opened.close()
    assert [said for said in wrong if "ERR_FAILED" not in said] == []  # but what a test loses


class App:
    """A Bolt app over Socket Mode that writes down what reaches it."""

    def __init__(self, emulator: Emulator, client: AsyncWebClient) -> None:
        self.bolt = AsyncApp(client=client)
        self.heard: asyncio.Queue[Json] = asyncio.Queue()
        self.handler = AsyncSocketModeHandler(self.bolt, emulator.state.workspace.app_token)

    def opens(self, view: Json) -> None:
        """Open this modal where somebody clicks on the button `open`."""

        async def on_open(ack: Any, body: Json, client: AsyncWebClient) -> None:
            await ack()
            await client.views_open(trigger_id=body["trigger_id"], view=view)

        self.bolt.action("open")(on_open)

    async def note(self, **payload: Any) -> None:
        await self.heard.put(payload)

    async def next(self) -> Json:
        async with asyncio.timeout(60):
            return await self.heard.get()


@pytest_asyncio.fixture(loop_scope="module")
async def app(emulator: Emulator, client: AsyncWebClient) -> AsyncIterator[App]:
    running = App(emulator, client)
    await running.handler.connect_async()
    yield running
    await running.handler.close_async()


def words(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def marked(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def button(label: str, action_id: str, **more: Any) -> Json:
    return {"type": "button", "text": words(label), "action_id": action_id, "value": "v", **more}


def actions(*elements: Json, block_id: str = "act") -> Json:
    return {"type": "actions", "block_id": block_id, "elements": list(elements)}


def option(value: str) -> Json:
    return {"text": {"type": "plain_text", "text": value.title(), "emoji": True}, "value": value}


def field(block_id: str, kind: str, *, optional: bool = False, **more: Any) -> Json:
    element = {"type": kind, "action_id": "a", **more}
    block = {"type": "input", "block_id": block_id, "label": words(f"The {block_id}"), "element": element}
    return {**block, "optional": optional}


async def visit(page: Page, emulator: Emulator, user: str = MAYA, channel: str = CHANNEL) -> None:
    await page.goto(f"{emulator.url}/#user={user}&channel={channel}")
    await expect(page.get_by_test_id("composer")).to_be_visible()


async def post(client: AsyncWebClient, *blocks: Json, text: str = "A card") -> str:
    answer = await client.chat_postMessage(channel=CHANNEL, text=text, blocks=list(blocks))
    return str(answer["ts"])


async def open_modal(page: Page, emulator: Emulator, client: AsyncWebClient) -> None:
    """Click on the button `open` of a new card."""
    await post(client, actions(button("Open", "open")))
    await visit(page, emulator)
    await page.get_by_role("button", name="Open", exact=True).click()


def modal(title: str, submit: str, *blocks: Json) -> Json:
    """A modal that is called what its title says."""
    says = {"title": words(title), "submit": words(submit), "blocks": list(blocks)}
    return {"type": "modal", "callback_id": title.lower(), **says}


def inside(page: Page, block_id: str, inner: str) -> Locator:
    return page.get_by_test_id(f"field-{block_id}").locator(inner)


HOSTILE = '<img src=x onerror="window.owned=1"><script>window.owned=1</script>'
ESCAPED = HOSTILE.replace("<", "&lt;").replace(">", "&gt;")


async def test_hostile_text_stays_text(emulator: Emulator, client: AsyncWebClient, page: Page) -> None:
    link = {"type": "link", "url": "javascript:window.owned=1", "text": "press me"}
    ts = await post(
        client,
        {"type": "header", "text": words(HOSTILE)},
        {"type": "section", "text": marked(f"*{ESCAPED}* <javascript:window.owned=1|and me>")},
        {"type": "section", "fields": [marked(ESCAPED), words(HOSTILE)]},
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [link]}]},
        {"type": "markdown", "text": f"{HOSTILE} [me too](javascript:window.owned=1)"},
        actions(button(HOSTILE[:60], "x", accessibility_label=HOSTILE[:60])),
    )

    await visit(page, emulator)
    card = page.get_by_test_id(f"message-{ts}")

    assert (await card.inner_text()).count("<script>") >= 4
    assert await card.locator("script, .card img, a[href^='javascript']").count() == 0
    await card.get_by_text("press me").click()
    assert await page.evaluate("window.owned") is None


CHOICES = [option("red"), option("green"), option("blue")]
EVERYTHING = modal(
    "Everything",
    "Send It",
    field("text", "plain_text_input", initial_value="old"),
    field("long", "plain_text_input", multiline=True),
    field("number", "number_input", is_decimal_allowed=True),
    field("mail", "email_text_input"),
    field("link", "url_text_input"),
    field("boxes", "checkboxes", options=CHOICES, initial_options=CHOICES[:1]),
    field("radio", "radio_buttons", options=CHOICES),
    field("one", "static_select", options=CHOICES),
    field("many", "multi_static_select", options=CHOICES, initial_options=CHOICES[1:2]),
    field("date", "datepicker"),
    field("time", "timepicker"),
    field("moment", "datetimepicker"),
    field("person", "users_select"),
    field("nothing", "plain_text_input", optional=True),
)
NINE_THIRTY = datetime(2026, 3, 2, 9, 30, tzinfo=ZoneInfo("Europe/Madrid"))
EVERYTHING_SENT = {
    "text": {"type": "plain_text_input", "value": "free"},
    "long": {"type": "plain_text_input", "value": "two\nlines"},
    "number": {"type": "number_input", "value": "1.50"},
    "mail": {"type": "email_text_input", "value": "maya@example.com"},
    "link": {"type": "url_text_input", "value": "https://example.com/x"},
    "boxes": {"type": "checkboxes", "selected_options": [CHOICES[0], CHOICES[2]]},
    "radio": {"type": "radio_buttons", "selected_option": CHOICES[1]},
    "one": {"type": "static_select", "selected_option": CHOICES[2]},
    "many": {"type": "multi_static_select", "selected_options": [CHOICES[0], CHOICES[1]]},
    "date": {"type": "datepicker", "selected_date": "2026-03-02"},
    "time": {"type": "timepicker", "selected_time": "09:30"},
    "moment": {"type": "datetimepicker", "selected_date_time": int(NINE_THIRTY.timestamp())},
    "person": {"type": "users_select", "selected_user": OTTO},
    "nothing": {"type": "plain_text_input", "value": None},
}


async def fill_in(page: Page) -> None:
    """Fill in everything, with a taken text, a number that is none, and nobody as the person."""
    await inside(page, "text", "input").fill("taken")
    await page.get_by_label("The long").fill("two\nlines")
    await page.get_by_label("The number").fill("1,5")
    await page.get_by_label("The mail").fill("maya@example.com")
    await page.get_by_label("The link").fill("https://example.com/x")
    await inside(page, "boxes", "label").nth(2).click()
    await inside(page, "radio", "label").nth(1).click()
    await inside(page, "one", "select").select_option(label="Blue")
    await inside(page, "many", "label").nth(0).click()
    await inside(page, "date", "input").fill("2026-03-02")
    await inside(page, "time", "input").fill("09:30")
    await inside(page, "moment", "input").fill("2026-03-02T09:30")


async def test_a_modal_sends_every_kind_of_input_in_slacks_shape(
    emulator: Emulator, client: AsyncWebClient, page: Page, app: App
) -> None:
    async def on_submit(ack: Any, view: Json) -> None:
        wrong = view["state"]["values"]["text"]["a"]["value"] == "taken"
        await (ack(response_action="errors", errors={"text": "Somebody has that."}) if wrong else ack())
        await app.note(values=view["state"]["values"])

    app.opens(EVERYTHING)
    app.bolt.view("everything")(on_submit)
    await open_modal(page, emulator, client)
    await expect(page.get_by_test_id("modal-title")).to_have_text("Everything")
    await fill_in(page)
    await page.get_by_test_id("modal-submit").click()

    await expect(page.get_by_test_id("error-number")).to_have_text("Please enter a number.")
    await expect(page.get_by_test_id("error-person")).to_have_text("Please complete this required field.")
    await page.get_by_label("The number").fill("1.50")
    await inside(page, "person", "select").select_option(OTTO)
    await page.get_by_test_id("modal-submit").click()
    await expect(page.get_by_test_id("error-text")).to_have_text("Somebody has that.")
    assert (await app.next())["values"]["text"]["a"]["value"] == "taken"
    await inside(page, "text", "input").fill("free")
    await page.get_by_test_id("modal-submit").click()
    await expect(page.get_by_test_id("modal")).to_have_count(0)

    sent = (await app.next())["values"]
    assert {block: held["a"] for block, held in sent.items()} == EVERYTHING_SENT


async def test_what_is_typed_in_a_modal_stays_while_one_on_top_of_it_changes_it(
    emulator: Emulator, client: AsyncWebClient, page: Page, app: App
) -> None:
    def below(line: str) -> Json:
        row = {"type": "section", "block_id": "row", "text": words(line)}
        edit = actions(button("Edit", "edit", accessibility_label="Edit item 1"))
        return modal("Below", "Send", field("name", "plain_text_input", initial_value="old"), row, edit)

    top = modal("Top", "Keep", field("host", "plain_text_input"))

    async def on_edit(ack: Any, body: Json, client: AsyncWebClient) -> None:
        await ack()
        await app.note(values=body["view"]["state"]["values"])
        await client.views_push(trigger_id=body["trigger_id"], view=top)

    async def on_keep(ack: Any, view: Json, client: AsyncWebClient) -> None:
        host = view["state"]["values"]["host"]["a"]["value"]
        await client.views_update(view_id=view["root_view_id"], view=below(f"1. {host}"))
        await ack()

    async def on_send(ack: Any, view: Json) -> None:
        await ack()
        await app.note(values=view["state"]["values"])

    app.opens(below("1. as it was"))
    app.bolt.action("edit")(on_edit)
    app.bolt.view("top")(on_keep)
    app.bolt.view("below")(on_send)
    await open_modal(page, emulator, client)
    await inside(page, "name", "input").fill("typed")
    await page.get_by_role("button", name="Edit item 1").click()
    assert (await app.next())["values"]["name"]["a"]["value"] == "typed"

    shown = page.locator("dialog[open]")
    await expect(shown.get_by_test_id("modal-title")).to_have_text("Top")
    await shown.get_by_label("The host").fill("db-1")
    await shown.get_by_test_id("modal-submit").click()

    await expect(shown.get_by_test_id("modal-title")).to_have_text("Below")
    await expect(shown).to_contain_text("1. db-1")
    await expect(shown.get_by_label("The name")).to_have_value("typed")
    await shown.get_by_test_id("modal-submit").click()
    assert (await app.next())["values"]["name"]["a"]["value"] == "typed"


HARD_TO_READ = """() => {
  const rgba = (said) => {
    const drawn = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
    drawn.fillStyle = said;
    drawn.fillRect(0, 0, 1, 1);
    return [...drawn.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b]
    .map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, which) => sum + part * [0.2126, 0.7152, 0.0722][which], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const ground = rgba(getComputedStyle(at).backgroundColor);
      if (ground[3] === 255) return ground;
    }
    return [255, 255, 255];
  };
  const hard = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility({ visibilityProperty: true })) continue;
    const [ink, ground] = [rgba(getComputedStyle(element).color), behind(element)].map(light);
    const contrast = (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
    if (contrast < 4.5) hard.push(`${element.className || element.tagName}: ${contrast.toFixed(2)}`);
  }
  return hard;
}"""
"""Each text that is seen with less than the contrast that WCAG 2 (1.4.3, AA) wants of small text."""


async def test_everything_can_be_read_by_day_and_by_night(
    emulator: Emulator, client: AsyncWebClient, page: Page, app: App
) -> None:
    alerts = [
        {"type": "alert", "level": level, "text": marked(level)}
        for level in ("info", "warning", "error", "success", "default")
    ]
    says = marked(f"*Due* `code` <https://example.com|link> <@{MAYA}> <@{OTTO}>\n> quoted\n```cut```")
    sure = actions(button("Yes", "yes", style="primary"), button("Drop", "drop", style="danger"))
    context = {"type": "context", "elements": [marked("by *somebody*")]}
    header = {"type": "header", "text": words("A card")}
    await post(client, header, {"type": "section", "text": says}, context, sure)
    app.opens(modal("Asked", "Send", field("name", "plain_text_input"), *alerts))
    await open_modal(page, emulator, client)
    await page.get_by_test_id("modal-submit").click()
    await expect(page.get_by_test_id("error-name")).to_be_visible()

    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # or a colour is between two
        assert await page.evaluate(HARD_TO_READ) == [], scheme


async def test_a_confirm_dialog_guards_the_click(
    emulator: Emulator, client: AsyncWebClient, page: Page, app: App
) -> None:
    async def on_any(ack: Any, action: Json, body: Json) -> None:
        await ack()
        await app.note(action=action["action_id"], user=body["user"]["id"])

    app.bolt.action("pay")(on_any)
    app.bolt.action("other")(on_any)
    sure = {
        "title": words("Sure?"),
        "text": words("It is a lot."),
        "confirm": words("Pay"),
        "deny": words("No"),
    }
    await post(client, actions(button("Pay It", "pay", confirm=sure), button("Other", "other")))
    await visit(page, emulator)
    pay = page.get_by_role("button", name="Pay It")

    await pay.click()
    await page.get_by_role("button", name="No", exact=True).click()
    await pay.click()
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("confirm")).to_have_count(0)
    await page.get_by_role("button", name="Other").click()
    assert await app.next() == {"action": "other", "user": MAYA}

    await pay.click()
    await page.get_by_test_id("confirm-ok").click()
    assert await app.next() == {"action": "pay", "user": MAYA}
    assert app.heard.empty()


async def test_a_click_that_nobody_answers_says_so_until_one_is_answered(
    emulator: Emulator, client: AsyncWebClient, page: Page, app: App
) -> None:
    async def on_approve(ack: Any) -> None:
        await ack()

    app.bolt.action("approve")(on_approve)
    ts = await post(client, actions(button("Approve", "approve")))
    await visit(page, emulator)
    warning = page.get_by_test_id(f"message-{ts}").get_by_role("alert")

    emulator.drop_acks()
    await page.get_by_role("button", name="Approve").click()
    await expect(warning).to_contain_text("Signoff did not answer in time")

    await page.get_by_role("button", name="Approve").click()
    await expect(warning).to_have_count(0)


async def test_a_private_answer_is_seen_by_one_person_only(
    emulator: Emulator, client: AsyncWebClient, page: Page
) -> None:
    ts = await post(client, text="line\n" * 80)
    room = emulator.state.conversation(CHANNEL).channel
    emulator.state.set_channel(dataclasses.replace(room, is_private=True))
    await visit(page, emulator, user=OTTO)
    await page.get_by_test_id(f"message-{ts}").hover()
    await page.mouse.wheel(0, -900)
    await client.chat_postEphemeral(channel=CHANNEL, user=OTTO, text="You may not decide this.")
    await expect(page.get_by_test_id("ephemeral")).to_contain_text("Only visible to you")
    await expect(page.get_by_test_id("ephemeral").get_by_text("You may not")).to_be_in_viewport()

    await page.get_by_test_id("user-switch").click()
    await page.get_by_test_id(f"user-{MAYA}").click()

    await expect(page.get_by_test_id("user-switch")).to_contain_text("Maya Ortiz")
    await expect(page.get_by_test_id("user-switch")).to_be_focused()
    await expect(page.get_by_test_id("ephemeral")).to_have_count(0)
    assert f"user={MAYA}" in page.url


async def test_replies_and_commands_are_sent_as_the_person_at_the_page(
    emulator: Emulator, client: AsyncWebClient, page: Page, app: App
) -> None:
    async def on_command(ack: Any, command: Json) -> None:
        await ack(f"Nothing waits for <@{command['user_id']}>.")
        await app.note(text=command["text"], user=command["user_id"])

    app.bolt.command("/approvals")(on_command)
    ts = await post(client, {"type": "section", "text": marked("A card")})
    await visit(page, emulator)

    await page.get_by_test_id(f"message-{ts}").hover()
    await page.get_by_test_id(f"reply-{ts}").click()
    await expect(page.get_by_test_id("thread-composer")).to_be_focused()
    await page.keyboard.type("Looks <b>fine</b> & cheap")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("thread-pane")).to_contain_text("Looks <b>fine</b> & cheap")
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("thread-pane")).to_be_hidden()
    await expect(page.get_by_test_id(f"message-{ts}")).to_be_focused()
    await page.get_by_test_id("composer").fill("/approvals list mine")
    await page.keyboard.press("Enter")

    assert await app.next() == {"text": "list mine", "user": MAYA}
    await expect(page.get_by_test_id("ephemeral")).to_contain_text("Nothing waits for @Maya Ortiz.")
    (reply,) = [
        message for message in emulator.messages(CHANNEL) if message.get("thread_ts") == ts != message["ts"]
    ]
    assert (reply["user"], reply["text"]) == (MAYA, "Looks &lt;b&gt;fine&lt;/b&gt; &amp; cheap")


async def test_a_redrawn_card_settles_before_the_readers_eyes_and_is_found_by_its_link_later(
    emulator: Emulator, client: AsyncWebClient, page: Page
) -> None:
    ts = await post(client, actions(button("Approve", "approve")))
    await visit(page, emulator)
    await expect(page.get_by_role("button", name="Approve")).to_be_visible()

    settled: list[Json] = [{"type": "section", "text": marked(f":white_check_mark: Approved by <@{OTTO}>")}]
    await client.chat_update(channel=CHANNEL, ts=ts, text="Approved", blocks=settled)

    await expect(page.get_by_test_id(f"message-{ts}")).to_contain_text("✅ Approved by @Otto Brandt")
    await expect(page.get_by_role("button", name="Approve")).to_have_count(0)

    channel = emulator.state.conversation(CHANNEL)
    for n in range(210):
        emulator.state.post(channel, {"type": "message", "user": OTTO, "text": f"{n}"})
    await expect(page.get_by_test_id("earlier")).to_have_count(1)
    await page.goto(f"{emulator.url}/#user={MAYA}&channel={CHANNEL}&message={ts}")
    await expect(page.get_by_test_id(f"message-{ts}")).to_be_in_viewport()


async def test_what_comes_is_read_out_in_the_words_that_are_shown(
    emulator: Emulator, client: AsyncWebClient, page: Page
) -> None:
    await visit(page, emulator)
    await post(client, text=f"*New* by <@{OTTO}>, due <!date^1795536000^{{time}}|later> &amp; soon")

    await expect(page.locator("#announcer")).to_have_text(
        re.compile(r"New by @Otto Brandt, due \d\d:\d\d & soon$")
    )


async def test_a_change_that_could_not_be_fetched_is_fetched_again_though_no_other_comes(
    emulator: Emulator, client: AsyncWebClient, page: Page
) -> None:
    await visit(page, emulator)
    lost: list[Route] = []

    async def lose(route: Route) -> None:
        lost.append(route)
        await route.abort()

    await page.route("**/_emulator/state*", lose, times=1)
    ts = await post(client, actions(button("Approve", "approve")))

    await expect(page.get_by_test_id(f"message-{ts}")).to_be_visible()
    await expect(page.locator("#offline")).to_be_hidden()
    assert len(lost) == 1
