"""What docs/dialects.md shows is what happens."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from deciding import answer, decided

from bot.approvals.dialects import read

PAGE = Path(__file__).parents[2] / "docs" / "dialects.md"
BLOCKS = {
    (kind, dialect): json.loads(text)
    for kind, dialect, text in re.findall(r"```json (\w+) (\w+)\n(.*?)```", PAGE.read_text(), re.DOTALL)
}
DIALECTS = [dialect for kind, dialect in BLOCKS if kind == "interrupt"]


def test_the_page_shows_every_foreign_dialect():
    assert DIALECTS == ["batched", "per_call", "inbox", "schema", "plain"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_interrupt_on_the_page_is_answered_as_it_says(dialect):
    asked = read(BLOCKS["interrupt", dialect], BLOCKS.get(("schema", dialect)))
    said = answer(asked, decided(asked, "approve", proposal=BLOCKS.get(("form", dialect))))

    assert asked.dialect == dialect
    assert said.value == BLOCKS["answer", dialect]
