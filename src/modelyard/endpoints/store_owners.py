"""The SQL of servers that run fleets, and of whose endpoints are whose."""

from dataclasses import dataclass

from modelyard.endpoints.deployment import Stored
from modelyard.endpoints.store_endpoints import by_id
from modelyard.storage.interface import Transaction


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs fleets."""

    name: str
    place: str
    """The machine and data directory that it runs on."""
    address: str
    """Where it answers, `host:port`."""
    alive_until: float


def heartbeat(tx: Transaction, server: Server) -> None:
    """Note that a server lives."""
    tx.execute(
        "INSERT INTO fleet_server (name, place, address, alive_until) VALUES (:name, :place, :address, :until)"
        " ON CONFLICT (name) DO UPDATE SET alive_until = excluded.alive_until, address = excluded.address",
        {"name": server.name, "place": server.place, "address": server.address, "until": server.alive_until},
    )


def servers(tx: Transaction) -> list[Server]:
    """All of them, those that are dead too."""
    return [Server(*row) for row in tx.all("SELECT name, place, address, alive_until FROM fleet_server ORDER BY name")]


def forget(tx: Transaction, name: str) -> None:
    """A server has ended: its endpoints are anybody's."""
    tx.execute(
        "UPDATE endpoint SET owner = NULL, revision = revision + 1 WHERE owner = :name AND deleted IS NULL", {"name": name}
    )
    tx.execute("DELETE FROM fleet_server WHERE name = :name", {"name": name})


def any_unowned(tx: Transaction) -> bool:
    """Whether there are endpoints that nobody runs."""
    return tx.one("SELECT 1 FROM endpoint WHERE owner IS NULL AND deleted IS NULL LIMIT 1") is not None


def owns(tx: Transaction, name: str) -> bool:
    """Whether a server runs anything."""
    return tx.one("SELECT 1 FROM endpoint WHERE owner = :name AND deleted IS NULL LIMIT 1", {"name": name}) is not None


def take(tx: Transaction, name: str) -> int:
    """Take every endpoint that nobody runs; how many that were."""
    return tx.execute(
        "UPDATE endpoint SET owner = :name, revision = revision + 1 WHERE owner IS NULL AND deleted IS NULL", {"name": name}
    )


def revisions(tx: Transaction, name: str) -> dict[int, int]:
    """The endpoints of a server, each with its revision."""
    return dict(tx.all("SELECT id, revision FROM endpoint WHERE owner = :name AND deleted IS NULL", {"name": name}))


def owned(tx: Transaction, number: int, name: str) -> Stored | None:
    """An endpoint, if it is this server's."""
    found = by_id(tx, number)
    return found if found is not None and found.owner == name and found.deleted is None else None


def owner_of(tx: Transaction, account: str, region: str, folded: str) -> str | None:
    """Where the server that runs an endpoint answers; None when none does, or there is no such endpoint."""
    row = tx.one(
        "SELECT s.address FROM endpoint e JOIN fleet_server s ON s.name = e.owner"
        " WHERE e.account = :account AND e.region = :region AND e.folded = :folded AND e.deleted IS NULL",
        {"account": account, "region": region, "folded": folded},
    )
    return None if row is None else str(row[0])
