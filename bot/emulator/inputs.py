"""What people put into inputs and selects, in the words of Slack's `state.values` and actions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from bot.emulator import elements
from bot.emulator.errors import CannotDo
from bot.emulator.workspace import Json

FIELD: Final = {
    "channels_select": "selected_channel",
    "checkboxes": "selected_options",
    "conversations_select": "selected_conversation",
    "datepicker": "selected_date",
    "datetimepicker": "selected_date_time",
    "email_text_input": "value",
    "external_select": "selected_option",
    "file_input": "files",
    "multi_channels_select": "selected_channels",
    "multi_conversations_select": "selected_conversations",
    "multi_external_select": "selected_options",
    "multi_static_select": "selected_options",
    "multi_users_select": "selected_users",
    "number_input": "value",
    "overflow": "selected_option",
    "plain_text_input": "value",
    "radio_buttons": "selected_option",
    "rich_text_input": "rich_text_value",
    "static_select": "selected_option",
    "timepicker": "selected_time",
    "url_text_input": "value",
    "users_select": "selected_user",
}
"""Where each element keeps what was chosen; what it starts with is in `initial_` and the same last part."""

MULTIPLE: Final = {
    "selected_options",
    "selected_channels",
    "selected_conversations",
    "selected_users",
    "files",
}


def entry(element: Json, given: Any) -> Json:
    """One element's state: `given` is a plain value, a list of them, or a dict as Slack has it."""
    kind = element["type"]
    field = FIELD[kind]
    if isinstance(given, Mapping) and field in given:
        given = given[field]
    if field == "selected_option" and given is not None:
        given = _option(element, given)
    elif field == "selected_options":
        given = [_option(element, one) for one in given or ()]
    elif field == "value" and given is not None:
        given = str(given)
    elif field == "selected_date_time" and given is not None:
        given = int(given)
    elif field in MULTIPLE:
        given = list(given or ())
    return {"type": kind, field: given}


def initial(element: Json) -> Any:
    """What the element holds before anybody touches it."""
    field = FIELD[element["type"]]
    return element.get("initial_" + field.removeprefix("selected_").removeprefix("rich_text_"))


def values(blocks: list[Json], given: Mapping[str, Any]) -> Json:
    """`state.values` of a surface: what was given, and what the elements started with.

    `given` maps a block id to a plain value for its one element, or to values by action id.
    """
    known = {block["block_id"] for block, _ in elements.interactive(blocks)}
    if strays := set(given) - known:
        raise CannotDo(f"no such inputs: {', '.join(sorted(strays))}")
    state: Json = {}
    for block, element in elements.interactive(blocks):
        if element["type"] in FIELD and element["type"] != "overflow":
            found = _given(block, element, given)
            state.setdefault(block["block_id"], {})[element["action_id"]] = entry(element, found)
    return state


def refusals(blocks: list[Json], state: Json) -> dict[str, str]:
    """What Slack's own client would not let a person submit, by block id."""
    found: dict[str, str] = {}
    for block in blocks:
        if block["type"] != "input":
            continue
        element = block["element"]
        held = state[block["block_id"]][element["action_id"]][FIELD[element["type"]]]
        if held in (None, "", []):
            if not block.get("optional"):
                found[block["block_id"]] = "Please complete this required field."
        elif wrong := next(_wrong(element, held), None):
            found[block["block_id"]] = wrong
    return found


def _given(block: Json, element: Json, given: Mapping[str, Any]) -> Any:
    if block["block_id"] not in given:
        return initial(element)
    held = given[block["block_id"]]
    if isinstance(held, Mapping) and element["action_id"] in held:
        return held[element["action_id"]]
    if isinstance(held, Mapping) and not held.keys() & {FIELD[element["type"]], "text"}:
        return initial(element)
    return held


def _option(element: Json, wanted: Any) -> Json:
    value = wanted.get("value") if isinstance(wanted, Mapping) else str(wanted)
    offered: list[Json] = list(element.get("options") or ())
    for group in element.get("option_groups") or ():
        offered += group["options"]
    for option in offered:
        if option.get("value") == value:
            return option
    if element["type"].endswith("external_select") and isinstance(wanted, Mapping):
        return dict(wanted)
    raise CannotDo(f"{element['action_id']} has no option {value!r}")


def _wrong(element: Json, held: Any) -> Iterator[str]:
    match element["type"]:
        case "plain_text_input":
            if len(held) < element.get("min_length", 0):
                yield f"Must be at least {element['min_length']} characters."
            if len(held) > element.get("max_length", 3000):
                yield f"Must be at most {element.get('max_length', 3000)} characters."
        case "number_input":
            yield from _wrong_number(element, held)
        case "email_text_input":
            if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", held):
                yield "Please enter a valid email address."
        case "url_text_input":
            if not re.match(r"https?://\S+$", held):
                yield "Please enter a valid URL."
        case _:
            return


def _wrong_number(element: Json, held: str) -> Iterator[str]:
    try:
        number = Decimal(held)
    except InvalidOperation:
        yield "Please enter a number."
        return
    if not element["is_decimal_allowed"] and number != number.to_integral_value():
        yield "Please enter a whole number."
    low, high = element.get("min_value"), element.get("max_value")
    if low is not None and number < Decimal(str(low)):
        yield f"Must be at least {low}."
    if high is not None and number > Decimal(str(high)):
        yield f"Must be at most {high}."
