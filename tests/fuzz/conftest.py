"""A server of our own for the fuzz, with something of everything in it, and the profile that bounds the run."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests.fuzz.seeds import Seeds
from tests.fuzz.wire import Wire
from tests.postgresql import PostgresqlServer, fresh_database
from tests.running import ACCOUNT, RunningYard

EXAMPLES = int(os.environ.get("MODELYARD_FUZZ_EXAMPLES", "0"))
"""How many examples of each kind every operation gets; 0 for few, and the same ones each time."""
DATABASE = os.environ.get("MODELYARD_FUZZ_DATABASE", "sqlite")
"""`sqlite` or `postgresql`."""

settings.register_profile(
    "fuzz",
    max_examples=EXAMPLES or 8,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


class FuzzedYard(RunningYard):
    """A server, a signed connection to it, and a look at its database from outside."""

    wire: Wire
    seeds: Seeds
    _watch: sqlite3.Connection | None = None

    def changes(self) -> int:
        """A number that changes with every commit to the database that changed anything; SQLite has one, PostgreSQL has not."""
        if self._watch is None:
            return 0
        (number,) = self._watch.execute("PRAGMA data_version").fetchone()
        return int(number)

    def incoming(self) -> list[Path]:
        """Files of uploads under way."""
        return list((self.data / "blobs" / "incoming").iterdir())


@pytest.fixture(scope="session")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FuzzedYard]:
    """A running server to be fuzzed; at the end it must have logged no defect and left no half of an upload."""
    with ExitStack() as stack:
        database = {}
        if DATABASE == "postgresql":
            server = PostgresqlServer.start()
            stack.callback(server.stop)
            database["database"] = stack.enter_context(fresh_database(server.address))
        yard = FuzzedYard(tmp_path_factory.mktemp("fuzz") / "data", log_level="warning", **database)
        yard.start()
        yard.wire = Wire(yard.port, yard.admin(ACCOUNT))
        yard.seeds = Seeds(yard.wire)
        if not database:
            yard._watch = stack.enter_context(closing(sqlite3.connect(yard.data / "modelyard.db")))
        yield yard
        yard.wire.close()
        assert yard.incoming() == []
        assert yard.stop() == 0
        assert not yard.defects(), "\n".join(yard.defects())
        yard.modelyard("verify")
