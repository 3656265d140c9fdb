"""What can go wrong in the core, each named for what happened; the text is one line for a person."""


class SignoffError(Exception):
    """The root: its text is one line that says what is wrong and what to do."""


class BadRequest(SignoffError):
    """A workflow asked for an approval in a way that cannot be honoured; nothing was recorded."""


class BadAnswer(SignoffError):
    """An answer does not fit what was asked; nothing was sent to the graph.

    `key` is the field of the proposal that is wrong, where it is one.
    """

    def __init__(self, why: str, key: str | None = None) -> None:
        super().__init__(why)
        self.key = key
