"""Ways into this server that its parts open while it runs: sockets that listen in the private networks of sandboxes."""

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol


class Reception(Protocol):
    """What answers connections."""

    loop: asyncio.AbstractEventLoop
    """On which it does."""

    @property
    def address(self) -> str:
        """Where other servers on this machine reach it, `host:port`."""
        ...

    def admit(self, listener: socket.socket) -> Callable[[], None]:
        """Answer on a socket that listens from now on, as on the server's own port; what ends that, and closes the socket.

        May be called on any thread.
        """
        ...
