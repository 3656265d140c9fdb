"""A strict local Slack: Web API, Socket Mode, signed HTTP and a page, for tests, the demo and benchmarks."""

from __future__ import annotations

from bot.emulator.delivery import Ack
from bot.emulator.server import Emulator
from bot.emulator.workspace import Channel, Group, User, Workspace, demo_workspace

__all__ = ["Ack", "Channel", "Emulator", "Group", "User", "Workspace", "demo_workspace"]
