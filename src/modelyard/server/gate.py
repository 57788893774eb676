"""The way in from one sandbox, which so many connections fit through at a time: others shall find room too."""

MOST = 64
"""Connections that one sandbox may hold to this server."""


class Gate:
    """Counts the connections of a sandbox."""

    def __init__(self) -> None:
        self.inside = 0

    def enter(self) -> "Pass | None":
        """Let a connection in; None when there is no room."""
        return Pass(self) if self.inside < MOST else None


class Pass:
    """What one connection came in with."""

    def __init__(self, gate: Gate) -> None:
        self._gate: Gate | None = gate
        gate.inside += 1

    def leave(self) -> None:
        """The connection is gone. Harmless when that was said before."""
        if self._gate is not None:
            self._gate.inside -= 1
            self._gate = None
