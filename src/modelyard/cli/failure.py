"""How a command says no."""


class CommandFailure(Exception):
    """A command could not do what it was asked; the text is the one sentence that the person reads."""
