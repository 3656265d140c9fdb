"""blocks.validate: the same checks, asked for without posting anything."""

from __future__ import annotations

from typing import Final

from bot.emulator import blockkit
from bot.emulator.blockkit import Problem
from bot.emulator.errors import invalid
from bot.emulator.method import TIER_4, Call, Method, Token
from bot.emulator.workspace import Json


def validate(call: Call) -> Json:
    """One of `blocks`, `message` or `view`; the errors with their pointers, and no token wanted."""
    found = _problems(call)
    errors = [
        {
            "code": "invalid",
            "message": one.message,
            "field": one.pointer.rpartition("/")[2],
            "pointer": one.pointer,
        }
        for one in found
    ]
    return {"ok": not errors, "errors": errors}


def _problems(call: Call) -> list[Problem]:
    args = call.args
    if args.given("view"):
        view = args.record("view", "invalid_arguments") or {}
        return blockkit.view_problems(view, "home" if view.get("type") == "home" else "modal")
    if args.given("message"):
        message = args.record("message", "invalid_arguments") or {}
        return blockkit.problems("message", message.get("blocks") or [], "/message/blocks")
    if not args.given("blocks"):
        raise invalid("invalid_arguments", "[ERROR] one of blocks, message and view is wanted")
    return blockkit.problems("message", args.json("blocks", "invalid_blocks_format"))


METHODS: Final = {"blocks.validate": Method(validate, (), TIER_4, Token.NONE)}
