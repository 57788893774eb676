"""Which server runs which endpoints: each is one server's at a time, by a row that the server renews as long as it lives.

A server that has not renewed its row for LEASE_SECONDS has lost its endpoints: it ends what it runs before others may begin,
since it counts from before it wrote, on a clock that does not jump. One that ended is known to have at once by others on its data
directory, where it held a lock.
"""

import fcntl
import logging
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.endpoints import store_owners
from modelyard.endpoints.store_owners import Server
from modelyard.storage.errors import StorageUnavailable
from modelyard.storage.interface import Transaction

LEASE_SECONDS = 15.0
BEAT_SECONDS = 4.0
SPARE_SECONDS = 5.0
"""How much longer than its lease others wait for a server, for the clocks of two machines to differ by."""

log = logging.getLogger("modelyard.endpoints")


class Ownership:
    """This server among those that run fleets."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.name = secrets.token_hex(8)
        self._dispatcher = dispatcher
        self._folder = dispatcher.settings.data / "endpoints" / "servers"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _locked(self._folder / self.name)
        self._beaten = float("-inf")
        """When it last began to renew its row, on the monotonic clock."""
        self._looked = float("-inf")

    def beat(self) -> bool:
        """Renew the lease where that is due, and take what is nobody's; whether this server's endpoints are still its own."""
        now = time.monotonic()
        try:
            with self._dispatcher.storage.read() as tx:
                due = now - self._beaten >= BEAT_SECONDS or store_owners.any_unowned(tx)
                dead = self._dead(tx) if now - self._looked >= BEAT_SECONDS / 2 else []
            if due or dead:
                self._dispatcher.storage.write(lambda tx: self._renew(tx, dead))
                self._beaten = now
        except StorageUnavailable as error:
            log.warning("the lease of this server's endpoints cannot be renewed: %s", error)
        return time.monotonic() - self._beaten < LEASE_SECONDS

    def _renew(self, tx: Transaction, dead: list[str]) -> None:
        until = self._dispatcher.clock.now() + LEASE_SECONDS
        store_owners.heartbeat(tx, Server(self.name, str(self._folder), self._address(), until))
        for name in dead:
            store_owners.forget(tx, name)
        store_owners.take(tx, self.name)

    def _address(self) -> str:
        reception = self._dispatcher.reception
        return "" if reception is None else reception.address

    def _dead(self, tx: Transaction) -> list[str]:
        """Servers that have ended, or were not heard of for too long."""
        self._looked = time.monotonic()
        now = self._dispatcher.clock.now()
        return [one.name for one in store_owners.servers(tx) if one.name != self.name and self._is_dead(one, now)]

    def _is_dead(self, server: Server, now: float) -> bool:
        if server.alive_until + SPARE_SECONDS < now:
            return True
        path = self._folder / server.name
        return server.place == str(self._folder) and _is_free(path)

    def close(self) -> None:
        """Give back what this server has."""
        with suppress(StorageUnavailable):
            self._dispatcher.storage.write(lambda tx: store_owners.forget(tx, self.name))
        (self._folder / self.name).unlink(missing_ok=True)
        os.close(self._lock)


def _locked(path: Path) -> int:
    lock = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def _is_free(path: Path) -> bool:
    """Whether the process that held a lock file has ended; then the file is cleared away."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
