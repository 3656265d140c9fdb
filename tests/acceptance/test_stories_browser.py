"""The manager's, the on-call engineer's and ops' stories, clicked through in Chromium against a real demo."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import CHROMIUM, FLAGS, PATIENCE, Demo, Visitor, needs_chromium
from playwright.sync_api import Browser, expect, sync_playwright

pytestmark = pytest.mark.browser

MAYA, FINN, DANA, OKEY = "U01MAYA", "U02FINN", "U03DANA", "U04OKEY"
ROSA, CLEO, OTTO, GWEN = "U05ROSA", "U06CLEO", "U07OTTO", "U08GWEN"
FINANCE, ON_CALL, SUPPORT, OPS = "C01FINANCE", "C02ONCALL", "C03SUPPORT", "C04OPS"

HOTEL, ACME = "Pay Hotel Adler 1,240.00 EUR", "Pay Acme 12,400.00 USD"
SCALE, ANSWER = "Scale orders-db-replicas down", "Answer Amira Haddad"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    needs_chromium()
    running = Demo(tmp_path_factory.mktemp("home"))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser(demo: Demo) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield launched
        launched.close()


@pytest.fixture
def visitor(demo: Demo, browser: Browser) -> Iterator[Visitor]:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(PATIENCE * 1000)
    expect.set_options(timeout=PATIENCE * 1000)
    yield Visitor(page, demo)
    page.close()


@pytest.mark.parametrize("width", [1280, 1024, 640, 420])
def test_nothing_lies_beyond_the_edge_of_a_narrow_page(visitor: Visitor, width: int) -> None:
    visitor.page.set_viewport_size({"width": width, "height": 800})
    visitor.go(FINN, FINANCE)
    expect(visitor.card(HOTEL)).to_be_visible()

    expect(visitor.page.get_by_test_id("ledger-toggle")).to_be_in_viewport(ratio=1)
    expect(visitor.page.get_by_test_id("channel-home")).to_be_in_viewport()
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_card_says_what_by_when_and_at_whose_request_and_mentions_who_may_decide(visitor: Visitor) -> None:
    visitor.go(MAYA, FINANCE)
    card = visitor.card(HOTEL)

    expect(card).to_contain_text("Asked by @Rosa Lindqvist")
    expect(card).to_contain_text("Due ")
    expect(card).to_contain_text("Needs 1 approval by @finance-managers")
    expect(card.locator(".mention", has_text="@finance-managers")).to_be_visible()


@pytest.mark.parametrize(
    ("user", "why"),
    [
        (OTTO, "You are not among those who may decide this."),
        (ROSA, "You asked for this yourself"),
        (GWEN, "Guests may not decide approvals."),
    ],
)
def test_who_may_not_decide_is_told_so_in_private(visitor: Visitor, user: str, why: str) -> None:
    visitor.go(user, FINANCE)
    visitor.press(visitor.card(HOTEL), "Approve")

    expect(visitor.private_answer()).to_contain_text(why)
    expect(visitor.private_answer()).to_contain_text("Only @finance-managers can decide it.")

    visitor.go(MAYA, FINANCE)
    expect(visitor.card(HOTEL).get_by_role("button", name="Approve")).to_be_visible()
    expect(visitor.page.get_by_test_id("ephemeral")).to_have_count(0)


def test_a_manager_rejects_with_a_reason_and_the_requester_is_told(visitor: Visitor) -> None:
    visitor.go(MAYA, FINANCE)
    visitor.press(visitor.card(HOTEL), "Reject")
    visitor.modal().get_by_label("Reason").fill("One room is enough.")
    visitor.submit()

    card = visitor.card(HOTEL)
    expect(card).to_contain_text("Rejected by @Maya Ortiz")
    expect(card).to_contain_text("One room is enough.")
    expect(card.get_by_role("button", name="Approve")).to_have_count(0)
    expect(visitor.thread_of(card)).to_contain_text("One room is enough.")

    visitor.go(ROSA, FINANCE)
    expect(visitor.card(HOTEL)).to_contain_text("Rejected by @Maya Ortiz")
    visitor.page.locator(".rail-item", has_text="Signoff").first.click()
    told = visitor.card(HOTEL)
    expect(told).to_contain_text("Rejected by @Maya Ortiz")
    expect(told).to_contain_text("One room is enough.")


def test_two_managers_approve_a_big_payment_each_being_asked_to_confirm(visitor: Visitor) -> None:
    visitor.go(MAYA, FINANCE)
    visitor.press(visitor.card(ACME), "Approve")
    expect(visitor.page.get_by_test_id("confirm")).to_contain_text("high risk")
    visitor.page.get_by_test_id("confirm-ok").click()
    expect(visitor.card(ACME)).to_contain_text("Approved by @Maya Ortiz · 1 of 2 needed")

    visitor.go(FINN, FINANCE)
    visitor.press(visitor.card(ACME), "Approve")
    visitor.page.get_by_test_id("confirm-ok").click()
    card = visitor.card(ACME)
    expect(card).to_contain_text("Approved by @Maya Ortiz and @Finn Adler")
    expect(card).to_contain_text("The workflow is done: Paid Acme 12,400.00 USD")
    expect(card.get_by_role("button", name="Approve")).to_have_count(0)


def test_on_call_corrects_a_wrong_value_and_the_card_shows_what_was_edited(visitor: Visitor) -> None:
    visitor.go(OKEY, ON_CALL)
    visitor.press(visitor.card(SCALE), "Edit")
    count = visitor.modal().get_by_label("Replicas to remove")
    expect(count).to_have_value("2")
    count.fill("7")
    visitor.submit()

    field = visitor.modal().locator("[data-testid^='field-']", has_text="Replicas to remove")
    expect(field.get_by_role("alert")).to_contain_text("2 or less")
    count.fill("1")
    visitor.submit()

    expect(visitor.modal()).to_have_count(0)
    card = visitor.card(SCALE)
    expect(card).to_contain_text("Approved with edits by @Okey Nwosu")
    expect(card).to_contain_text("Replicas to remove: 2 → 1")
    expect(card).to_contain_text("The workflow is done")
    expect(visitor.page.locator("#ledger")).to_contain_text("Scaled orders-db-replicas by -1")


def test_the_app_home_lists_what_waits_with_the_same_buttons(visitor: Visitor) -> None:
    visitor.go(MAYA, FINANCE)
    visitor.move("hotel")
    second = "Pay Hotel Adler 1,250.00 EUR"
    expect(visitor.card(second)).to_be_visible()
    visitor.go(MAYA, "home")

    home = visitor.page.get_by_test_id("home")
    expect(home).to_contain_text("Waiting for you")
    expect(home).to_contain_text(second)
    approve = home.get_by_role("button", name=f"Approve: {second}")
    approve.click()

    expect(approve).to_have_count(0)
    visitor.go(MAYA, FINANCE)
    expect(visitor.card(second)).to_contain_text("Approved by @Maya Ortiz")


def test_ops_watch_reminder_escalation_and_fallback_and_read_the_digest(visitor: Visitor) -> None:
    visitor.go(CLEO, SUPPORT)
    expect(visitor.card(ANSWER)).to_contain_text("If nobody answers, it goes out as drafted.")
    visitor.move("plus-1h")
    expect(visitor.thread_of(visitor.card(ANSWER))).to_contain_text("Still waiting for @compliance")
    visitor.move("plus-1h")
    visitor.move("plus-1h")
    expect(visitor.card(ANSWER)).to_contain_text("Escalated to @Dana Whitfield")
    visitor.move("plus-1h")
    card = visitor.card(ANSWER)
    expect(card).to_contain_text("Timed out: went out as drafted (forced).")
    expect(card.get_by_role("button", name="Approve")).to_have_count(0)

    visitor.go(DANA, OPS)
    visitor.move("next-working-day")
    expect(visitor.page.get_by_test_id("panel-next-working-day")).to_be_focused()
    expect(visitor.page.get_by_test_id("demo-now")).to_contain_text("New York")
    digest = visitor.card("Approvals digest").filter(has_text=ANSWER)
    expect(digest).to_contain_text("went out as drafted (forced)")
    story = re.search(r"signoff (show \S+)", digest.inner_text())
    assert story is not None
    assert "sla_timeout" in visitor.demo.command(*story[1].split())


def test_everything_is_still_there_after_a_restart(visitor: Visitor) -> None:
    visitor.go(MAYA, FINANCE)
    visitor.move("acme")
    again = "Pay Acme 12,410.00 USD"
    expect(visitor.card(again)).to_contain_text("Needs 2 approvals")

    assert visitor.demo.stop() == 0
    visitor.demo.start()

    visitor.page.reload()
    visitor.go(MAYA, FINANCE)
    expect(visitor.card(ACME)).to_contain_text("Approved by @Maya Ortiz and @Finn Adler")
    visitor.press(visitor.card(again), "Approve")
    visitor.page.get_by_test_id("confirm-ok").click()
    expect(visitor.card(again)).to_contain_text("Approved by @Maya Ortiz · 1 of 2 needed")


@pytest.mark.skipif(
    "SIGNOFF_PICTURE" not in os.environ, reason="SIGNOFF_PICTURE does not say where to save it"
)
def test_the_readmes_picture_is_of_this_demo(demo: Demo, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1560, "height": 975}, device_scale_factor=1280 / 1560)
    visitor = Visitor(page, demo)
    visitor.go(MAYA, FINANCE)
    page.get_by_test_id("hint-close").click()
    expect(visitor.card("1 of 2 needed")).to_be_in_viewport()
    page.mouse.move(0, 0)

    path = Path(os.environ["SIGNOFF_PICTURE"])
    page.screenshot(path=path)
    page.close()
    assert path.stat().st_size < 300_000
