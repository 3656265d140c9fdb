from __future__ import annotations

import pytest

from workflows.wording import counted, sentence


@pytest.mark.parametrize(
    ("said", "closed"),
    [
        ("rejected by U1: wrong account", "rejected by U1: wrong account."),
        ("rejected by U1: Wrong account.", "rejected by U1: Wrong account."),
        ("rejected by U1: Really?", "rejected by U1: Really?"),
        ("rejected by U1: no \n", "rejected by U1: no."),
    ],
)
def test_a_sentence_that_ends_in_somebodys_words_is_closed_once(said, closed):
    assert sentence(said) == closed


def test_one_thing_is_counted_as_one():
    assert [counted(n, "safe step") for n in (0, 1, 2)] == ["0 safe steps", "1 safe step", "2 safe steps"]
