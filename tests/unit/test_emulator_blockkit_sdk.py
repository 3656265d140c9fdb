"""A second opinion: everything that slack_sdk's own models refuse is refused here too, for one reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models import blocks as sdk
from slack_sdk.models.views import View

from bot.emulator.blockkit import problems, view_problems


def acts(*elements: Any) -> sdk.ActionsBlock:
    return sdk.ActionsBlock(elements=list(elements))


def confirming(**texts: str) -> sdk.ButtonElement:
    confirm = sdk.ConfirmObject(**{"title": "t", "text": "x", "confirm": "y", "deny": "n", **texts})
    return sdk.ButtonElement(text="x", action_id="a", confirm=confirm)


def pick(count: int = 1, placeholder: str = "p") -> sdk.StaticSelectElement:
    return sdk.StaticSelectElement(action_id="a", placeholder=placeholder, options=options(count))


def options(count: int) -> list[sdk.Option]:
    return [sdk.Option(text="x", value=str(number)) for number in range(count)]


REFUSED_BY_THE_SDK: list[Callable[[], Any]] = [
    sdk.SectionBlock,
    lambda: sdk.SectionBlock(text="x" * 3001),
    lambda: sdk.SectionBlock(fields=["x"] * 11),
    lambda: sdk.SectionBlock(text="x", block_id="b" * 256),
    lambda: sdk.HeaderBlock(text="x" * 151),
    sdk.HeaderBlock,
    lambda: acts(*[sdk.ButtonElement(text="x", action_id=str(n)) for n in range(26)]),
    lambda: acts(sdk.ButtonElement(text="x" * 76, action_id="a")),
    lambda: acts(sdk.ButtonElement(text="x", action_id="a" * 256)),
    lambda: acts(sdk.ButtonElement(text="x", action_id="a", value="v" * 2001)),
    lambda: acts(sdk.ButtonElement(text="x", action_id="a", url="u" * 3001)),
    lambda: acts(sdk.ButtonElement(text="x", action_id="a", style="loud")),
    lambda: acts(sdk.ButtonElement(text="x", action_id="a", accessibility_label="l" * 76)),
    lambda: acts(sdk.OverflowMenuElement(action_id="a", options=options(6))),
    lambda: acts(sdk.OverflowMenuElement(action_id="a", options=[])),
    lambda: acts(sdk.OverflowMenuElement(action_id="a", options=[sdk.Option(text="x" * 76, value="v")])),
    lambda: acts(sdk.OverflowMenuElement(action_id="a", options=[sdk.Option(text="x", value="v" * 151)])),
    lambda: acts(pick(101)),
    lambda: acts(pick(placeholder="p" * 151)),
    lambda: acts(confirming(title="t" * 101)),
    lambda: acts(confirming(text="t" * 301)),
    lambda: acts(confirming(confirm="t" * 31)),
    lambda: acts(confirming(deny="t" * 31)),
    lambda: acts(sdk.DatePickerElement(action_id="a", initial_date="20.11.2026")),
    lambda: acts(sdk.TimePickerElement(action_id="a", initial_time="25:00")),
    lambda: acts(sdk.DateTimePickerElement(action_id="a", initial_date_time=99999999999)),
    lambda: sdk.ContextBlock(elements=[sdk.MarkdownTextObject(text="x")] * 11),
    lambda: sdk.TableBlock(rows=[[sdk.RawTextObject(text="")]]),
    lambda: sdk.ContextActionsBlock(elements=[]),
    lambda: sdk.ImageBlock(image_url="u" * 3001, alt_text="x"),
    lambda: sdk.ImageBlock(image_url="u", alt_text="x" * 2001),
    lambda: sdk.ImageBlock(image_url="u", alt_text="x", title="t" * 2001),
    lambda: sdk.InputBlock(label="l" * 2001, element=sdk.PlainTextInputElement(action_id="a")),
    lambda: sdk.InputBlock(label="l", hint="h" * 2001, element=sdk.PlainTextInputElement(action_id="a")),
    lambda: sdk.MarkdownBlock(text=""),
    lambda: sdk.MarkdownBlock(text="x" * 12001),
    lambda: sdk.VideoBlock(alt_text="a", video_url="u", thumbnail_url="t", title="x" * 200),
    lambda: sdk.TableBlock(rows=[]),
    sdk.CardBlock,
    lambda: sdk.CardBlock(title="x" * 151),
    lambda: sdk.CardBlock(body="x" * 201),
    lambda: sdk.CarouselBlock(elements=[]),
]


@pytest.mark.parametrize("build", REFUSED_BY_THE_SDK)
def test_everything_that_slack_sdk_refuses_is_refused_here_too(build: Callable[[], Any]) -> None:
    block = build()
    with pytest.raises(SlackObjectFormationError):
        block.to_dict()

    (problem,) = problems("message", [unchecked(block)])
    assert problem.pointer.startswith("/blocks/0")


def test_what_slack_sdk_builds_well_is_taken() -> None:
    blocks = [
        sdk.HeaderBlock(text="x"),
        sdk.SectionBlock(text="x", fields=["y"], accessory=sdk.ButtonElement(text="x", action_id="a")),
        acts(pick(3)),
        sdk.ContextBlock(elements=[sdk.MarkdownTextObject(text="x")]),
        sdk.InputBlock(label="l", element=sdk.PlainTextInputElement(action_id="a")),
        sdk.AlertBlock(text="x", level="error"),
    ]

    assert problems("message", [block.to_dict() for block in blocks[:-1]]) == []
    assert problems("modal", [unchecked(block) for block in blocks]) == []


@pytest.mark.parametrize(
    "view",
    [
        View(type="modal", title="t" * 25, blocks=[sdk.DividerBlock()]),
        View(type="modal", title="t", blocks=[]),
        View(type="modal", title="t", blocks=[sdk.DividerBlock()] * 101),
        View(type="modal", title="t", close="c" * 25, blocks=[sdk.DividerBlock()]),
        View(type="modal", title="t", submit="c" * 25, blocks=[sdk.DividerBlock()]),
        View(type="modal", title="t", private_metadata="p" * 3001, blocks=[sdk.DividerBlock()]),
        View(type="modal", title="t", callback_id="p" * 256, blocks=[sdk.DividerBlock()]),
        View(type="home", submit="s", blocks=[sdk.DividerBlock()]),
        View(type="panel", title="t", blocks=[sdk.DividerBlock()]),
    ],
)
def test_every_view_that_slack_sdk_refuses_is_refused_here_too(view: View) -> None:
    with pytest.raises(SlackObjectFormationError):
        view.to_dict()

    kind = "home" if view.type == "home" else "modal"
    assert view_problems(unchecked(view), kind)


def unchecked(model: Any) -> Any:
    """The JSON that the SDK's model would send, had it not looked."""
    if isinstance(model, list | tuple):
        return [unchecked(one) for one in model]
    if not hasattr(model, "get_non_null_attributes"):
        return model
    kept = {key: getattr(model, key, None) for key in model.attributes}
    if isinstance(model, sdk.Option):
        kept = {"text": sdk.PlainTextObject(text=model.text), "value": model.value}
    if isinstance(model, sdk.ConfirmObject):
        kept = {name: getattr(model, f"_{name}") for name in ("title", "text", "confirm", "deny")}
    given = {
        key: value for key, value in kept.items() if value is not None and (key, value) != ("fields", [])
    }
    return {key: unchecked(value) for key, value in given.items()}
