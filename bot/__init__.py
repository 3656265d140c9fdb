"""Signoff: asynchronous approvals of LangGraph workflows in Slack."""

import os

# Read by LangGraph when it is imported: checkpoints may then hold plain values and declared types alone.
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
