"""A server of our own for the fuzz, with something of everything in it, and the profile that bounds the run."""

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
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


UNWATCHED = (
    *("audit_record", "audit_mention", "audit_checkpoint", "event_reader", "lambda_event", "sqlite_sequence"),
    *("fleet_server", "log_group", "log_stream", "log_event"),
)
"""Tables that may change when a request is refused: it is recorded, who reads notes how far, functions run, endpoints
live and print."""
OF_CUSTOMERS = "namespace NOT LIKE 'AWS/%'"
PARTS = {
    "metric": f"SELECT * FROM metric WHERE {OF_CUSTOMERS}",
    "metric_value": f"SELECT * FROM metric_value WHERE metric_id IN (SELECT id FROM metric WHERE {OF_CUSTOMERS})",
    "alarm": "SELECT id, account, region, name, kind, settings FROM alarm",
    "alarm_history": "SELECT * FROM alarm_history WHERE type <> 'StateUpdate'",
    "event": "SELECT * FROM event WHERE detail_type <> 'CloudWatch Alarm State Change'",
}
"""What is looked at of some tables: endpoints tell how they are asked, and alarms look at metrics, as time goes by."""


class FuzzedYard(RunningYard):
    """A server, a signed connection to it, and a look at its database from outside."""

    wire: Wire
    seeds: Seeds
    _watch: sqlite3.Connection | None = None
    _seen: tuple[int, Mapping[str, str]] = (-1, {})
    """The version of the database that was looked at last, and what it held."""

    def changes(self) -> Mapping[str, str]:
        """By table, a text that changes when anything in it does, but for what is told of refusals, and of what was read."""
        if self._watch is None:
            return {}
        deadline = time.monotonic() + 60
        while not self._caught_up():
            assert time.monotonic() < deadline, "events are not read, or jobs and deployments do not end"
            time.sleep(0.005)
        (version,) = self._watch.execute("PRAGMA data_version").fetchone()
        if version != self._seen[0]:
            self._seen = (version, self._content())
        return self._seen[1]

    def _caught_up(self) -> bool:
        """Whether lineage knows of all that happened, jobs have ended, and endpoints have come to rest, so that nothing changes
        by itself any more."""
        query = (
            "SELECT (SELECT coalesce(max(place), 0) FROM event) <= (SELECT place FROM event_reader WHERE name = 'lineage')"
            " AND NOT EXISTS (SELECT 1 FROM transform_job WHERE ended IS NULL) AND NOT EXISTS (SELECT 1 FROM package_validation)"
            " AND NOT EXISTS (SELECT 1 FROM endpoint WHERE deleted IS NULL AND status NOT IN ('InService', 'Failed'))"
            " AND NOT EXISTS (SELECT 1 FROM inference_component WHERE deleted IS NULL AND status NOT IN ('InService', 'Failed'))"
        )
        assert self._watch is not None
        return bool(self._watch.execute(query).fetchone()[0])

    def _content(self) -> Mapping[str, str]:
        assert self._watch is not None
        tables = [name for (name,) in self._watch.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        found = {}
        for table in tables:
            if table not in UNWATCHED:
                rows = self._watch.execute(PARTS.get(table, f"SELECT * FROM {table}")).fetchall()
                found[table] = hashlib.sha256(repr(rows).encode()).hexdigest()
        return found

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
