"""A strict local Slack: Web API, Socket Mode, signed HTTP and a page, for tests, the demo and benchmarks."""

from __future__ import annotations

from bot.emulator.delivery import Ack
from bot.emulator.emulator import Emulator
from bot.emulator.errors import CannotDo
from bot.emulator.panel import Panel
from bot.emulator.server import Server, serve
from bot.emulator.workspace import Channel, Group, Json, User, Workspace, demo_workspace

__all__ = [
    "Ack",
    "CannotDo",
    "Channel",
    "Emulator",
    "Group",
    "Json",
    "Panel",
    "Server",
    "User",
    "Workspace",
    "demo_workspace",
    "serve",
]
