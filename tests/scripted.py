"""A chat model for agents in tests, which calls the tools that it is given to call."""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult


class Script(BaseChatModel):
    """Calls tools once, as `c0`, `c1`…, and then says that it is done."""

    calls: list[dict[str, Any]]

    @property
    def _llm_type(self) -> str:
        return "script"

    def bind_tools(self, tools: Any, **_: Any) -> Script:
        return self

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **_: Any) -> ChatResult:
        answered = any(isinstance(message, ToolMessage) for message in messages)
        calls = [{**call, "id": f"c{n}", "type": "tool_call"} for n, call in enumerate(self.calls)]
        said = AIMessage("done") if answered else AIMessage("", tool_calls=calls)
        return ChatResult(generations=[ChatGeneration(message=said)])
