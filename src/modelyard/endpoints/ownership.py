"""Which server runs which endpoints: each is one server's at a time, whose row says that it lives.

A server on the same data directory is known to have ended when the lock that it held is free, at once and never wrongly; one
elsewhere when its row was not renewed for LEASE_SECONDS. A server that is cut off from the database goes on to serve what it has
until it learns that another one has it: models compute and keep no books, so two fleets for a while do no harm.
"""

import os
import secrets
import time
from contextlib import suppress

from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.dispatch.server_locks import is_free, locked
from modelyard.endpoints import store_owners
from modelyard.endpoints.store_owners import Server
from modelyard.storage.errors import StorageUnavailable
from modelyard.storage.interface import Transaction

LEASE_SECONDS = 20.0
BEAT_SECONDS = 4.0
LOOK_SECONDS = 2.0
"""How often it is looked for servers that have ended."""


class Ownership:
    """This server among those that run fleets."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.name = secrets.token_hex(8)
        self._dispatcher = dispatcher
        self._folder = dispatcher.settings.data / "endpoints" / "servers"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = locked(self._folder / self.name)
        self._beaten = float("-inf")
        """When it last renewed its row, on the monotonic clock."""
        self._looked = float("-inf")

    def beat(self) -> None:
        """Renew the row where that is due, and take what is nobody's. A server that runs nothing writes nothing."""
        due = time.monotonic() - self._beaten >= BEAT_SECONDS
        with self._dispatcher.storage.read() as tx:
            unowned = store_owners.any_unowned(tx)
            dead = self._dead(tx) if time.monotonic() - self._looked >= LOOK_SECONDS else []
            renews = due and store_owners.owns(tx, self.name)
        if unowned or dead or renews:
            self._dispatcher.storage.write(lambda tx: self._renew(tx, dead))
            self._beaten = time.monotonic()

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
        if server.place == str(self._folder):
            return is_free(self._folder / server.name)
        return server.alive_until < now

    def close(self) -> None:
        """Give back what this server has."""
        with suppress(StorageUnavailable):
            self._dispatcher.storage.write(lambda tx: store_owners.forget(tx, self.name))
        (self._folder / self.name).unlink(missing_ok=True)
        os.close(self._lock)
