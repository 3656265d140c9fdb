"""What a local JSON pointer leads to inside a schema; nothing is ever fetched."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote


def pointed(reference: Any, root: dict[str, Any]) -> Any:
    """Follow a `$ref` such as `#/$defs/Reply`; None where it leads nowhere, or out of the root."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    target: Any = root
    for token in unquote(reference[1:]).split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(target, list) and key.isdecimal() and key.isascii() and len(key) < 6:
            target = target[int(key)] if int(key) < len(target) else None
        else:
            target = target.get(key) if isinstance(target, dict) else None
    return target
