"""How things fail inside."""


class StartFailure(Exception):
    """The model cannot be served, or the training not begun; the text is what the owner reads as the reason."""


class RequestFailure(Exception):
    """A request cannot be answered."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        """The HTTP status."""
