"""The language model that the samples may use: any that LangChain knows, if the environment names one."""

from __future__ import annotations

import importlib
import os
from typing import Any, TypeVar

from pydantic import BaseModel

VARIABLE = "SIGNOFF_CHAT_MODEL"
"""Names the model as LangChain's `init_chat_model` takes it, `provider:model`; unset, rules do the work."""

Answer = TypeVar("Answer", bound=BaseModel)


class NoModel(RuntimeError):
    """A model is named and cannot be had; the text is one line that says what to do."""


def named() -> str | None:
    """Return the name of the model to use, or None where the work is left to rules."""
    return os.environ.get(VARIABLE, "").strip() or None


def answered(form: type[Answer], instructions: str, text: str) -> Answer | None:
    """Let the model fill `form` from `text`; None where no model is named.

    What it writes is checked by the form and is a stranger's text all the same: show it, never run it.
    Raises `NoModel` where LangChain or the provider's package is missing, and the provider's own errors
    while it is away: the node then fails and is tried again.
    """
    name = named()
    if name is None:
        return None
    found = _model(name).with_structured_output(form).invoke([("system", instructions), ("human", text)])
    return form.model_validate(found)


def _model(name: str) -> Any:
    """Imported late, and by name: LangChain is no dependency of this package."""
    try:
        return importlib.import_module("langchain.chat_models").init_chat_model(name)
    except ImportError as error:
        missing = (error.name or "langchain").partition(".")[0]
        raise NoModel(f"{VARIABLE} names {name}, which needs {missing}: install it, or unset it.") from error
    except ValueError as error:
        first = str(error).partition("\n")[0]
        raise NoModel(f"{VARIABLE} names {name}, which LangChain does not take: {first}") from error
