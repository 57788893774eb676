"""The composition root: puts a server's pieces together from its settings, and takes them apart again."""

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from modelyard.access.authentication import Authenticator
from modelyard.access.keyring import KeyRing
from modelyard.aws.catalogue import Catalogue
from modelyard.aws.models import own_models
from modelyard.aws.pagination import Tokens
from modelyard.blobs import open_blobs
from modelyard.blobs.interface import BlobStore
from modelyard.clock import Clock, SystemClock
from modelyard.dispatch.backends import check_backend
from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.dispatch.operation import table
from modelyard.events.trail import AuditTrail
from modelyard.ids import Ids, RandomIds
from modelyard.server.workers import Periodic
from modelyard.settings import Settings, SettingsError
from modelyard.storage import migrate, open_storage
from modelyard.storage.interface import Storage

PARTS = (
    "object_store",
    "identity",
    "keys",
    "images",
    "queues",
    "topics",
    "triggers",
    "logs",
    "metrics",
    "functions",
    "registry",
    "endpoints",
    "jobs",
    "scaling",
    "lineage",
    "governance",
)
"""The parts whose operations this server answers."""
MIGRATED = ("events", "access", "dispatch", *PARTS)
"""The packages that have tables, in the order their migrations run."""


@dataclass(slots=True)
class House:
    """Everything one server is made of."""

    settings: Settings
    key_ring: KeyRing
    storage: Storage
    blobs: BlobStore
    catalogue: Catalogue
    authenticator: Authenticator
    dispatcher: Dispatcher
    trail: AuditTrail
    clock: Clock
    ids: Ids
    closers: list[Callable[[], None]] = field(default_factory=list)

    def start_workers(self) -> None:
        """Start what parts do by themselves. Tests leave this out, and call the workers' functions."""
        for part in PARTS:
            name = f"modelyard.{part}.worker"
            if importlib.util.find_spec(name) is None:
                continue
            module = importlib.import_module(name)
            worker = Periodic(f"{part}-worker", *module.periodic(self))
            self.closers.append(worker.stop)
            if hasattr(module, "wakes"):
                self.closers.append(module.wakes(worker.wake))

    def close(self) -> None:
        """Stop the workers, commit what is queued, close the database. Harmless when called twice."""
        while self.closers:
            self.closers.pop()()


def build(settings: Settings, *, clock: Clock | None = None, ids: Ids | None = None) -> House:
    """Open what `modelyard init` made and put a server together; the caller closes it.

    Brings the database up to this version's schema. Raises SettingsError when the data directory was not initialised.
    """
    clock, ids = clock or SystemClock(), ids or RandomIds()
    if not initialised(settings.data):
        raise SettingsError(
            f"{settings.data} is not a Modelyard data directory yet: run `modelyard init --data {settings.data}` first."
        )
    check_backend(settings)
    import_parts()
    key_ring = KeyRing.open(settings.data)
    storage = open_database(settings)
    try:
        blobs = open_blobs(settings)
        catalogue = Catalogue(own_models())
        authenticator = Authenticator(key_ring, clock_skew_seconds=settings.clock_skew_seconds, region=settings.region)
        trail = AuditTrail(key_ring, clock)
        dispatcher = Dispatcher(
            catalogue=catalogue,
            operations=table(),
            authenticator=authenticator,
            storage=storage,
            blobs=blobs,
            tokens=Tokens(key_ring.derive("pagination")),
            settings=settings,
            clock=clock,
            ids=ids,
            recorder=trail,
        )
    except BaseException:
        storage.close()
        raise
    return House(
        settings=settings,
        key_ring=key_ring,
        storage=storage,
        blobs=blobs,
        catalogue=catalogue,
        authenticator=authenticator,
        dispatcher=dispatcher,
        trail=trail,
        clock=clock,
        ids=ids,
        closers=[storage.close, dispatcher.engines.close],
    )


def open_database(settings: Settings) -> Storage:
    """The database of `settings`, brought up to this version's schema."""
    storage = open_storage(settings.database or settings.data / "modelyard.db")
    try:
        migrate(storage, MIGRATED)
    except BaseException:
        storage.close()
        raise
    return storage


def initialised(data: Path) -> bool:
    """Whether `modelyard init` has run for this data directory: its master key is there."""
    return (data / "keys" / "master.key").exists()


def import_parts() -> None:
    """Import every part, which fills the table of operations."""
    for part in PARTS:
        importlib.import_module(f"modelyard.{part}.operations")
