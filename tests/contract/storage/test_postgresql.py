"""What only PostgreSQL has: a server that can go away, and other sessions."""

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from tests.contract.storage.batches import add, names, submit_together
from tests.contract.storage.conftest import SCHEMA
from tests.postgresql import PostgresqlServer, address_of

from modelyard.storage import Storage, StorageError, StorageUnavailable, Transaction, open_storage
from modelyard.storage.migrations import run_script

pytestmark = pytest.mark.ours


@pytest.fixture
def yard(postgresql_address: str) -> Iterator[Storage]:
    """A database with a few tables."""
    storage = open_storage(postgresql_address)
    storage.write(lambda tx: run_script(tx, SCHEMA))
    try:
        yield storage
    finally:
        storage.close()


def test_a_restart_of_the_server_is_survived(yard: Storage, postgresql_server: PostgresqlServer) -> None:
    """Connections that broke are opened again: the next read and the next write work, and a write waits for the server."""
    yard.write(add("a"))
    assert names(yard) == ["a"]
    postgresql_server.halt()
    future = yard.submit(add("b"))
    back = threading.Timer(1, postgresql_server.begin)
    back.start()
    future.result(30)
    back.join()
    assert names(yard) == ["a", "b"]
    postgresql_server.halt("immediate")
    postgresql_server.begin()
    assert names(yard) == ["a", "b"]
    yard.write(add("c"))
    assert names(yard) == ["a", "b", "c"]


def test_a_session_that_is_ended_within_a_batch_is_run_again(yard: Storage, postgresql_address: str) -> None:
    """The connection is lost before the commit: the whole batch runs again, once, and is stored once."""
    runs = []

    def unlucky(tx: Transaction) -> None:
        runs.append(True)
        tx.execute("INSERT INTO thing (name) VALUES ('unlucky')")
        if len(runs) == 1:
            process = tx.one("SELECT pg_backend_pid()")
            assert process is not None
            with psycopg.connect(postgresql_address, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s, 5000)", [process[0]])
            tx.one("SELECT 1")

    futures = submit_together(yard, [add("a"), unlucky, add("b")])
    assert [future.exception() for future in futures] == [None, None, None]
    assert len(runs) == 2
    assert names(yard) == ["a", "b", "unlucky"]


def test_a_deadlock_with_another_session_is_run_again(yard: Storage, postgresql_address: str) -> None:
    """When PostgreSQL picks the writer as a deadlock's victim the batch runs again, without the caller knowing."""
    yard.write(add("a"))
    yard.write(add("b"))
    locked, runs = threading.Event(), []

    def work(tx: Transaction) -> None:
        runs.append(True)
        tx.execute("SET LOCAL deadlock_timeout = '50ms'")
        tx.execute("UPDATE thing SET amount = 1 WHERE name = 'a'")
        locked.set()
        if len(runs) == 1:
            assert other_holds.wait(10)
            while tx.one("SELECT count(*) FROM pg_locks WHERE NOT granted") == (0,):
                time.sleep(0.01)
        tx.execute("UPDATE thing SET amount = 1 WHERE name = 'b'")

    other_holds = threading.Event()

    def other() -> None:
        with psycopg.connect(postgresql_address) as connection:
            connection.execute("SET deadlock_timeout = '60s'")
            connection.execute("UPDATE thing SET amount = 2 WHERE name = 'b'")
            assert locked.wait(10)
            other_holds.set()
            connection.execute("UPDATE thing SET amount = 2 WHERE name = 'a'")
            connection.commit()

    thread = threading.Thread(target=other)
    thread.start()
    yard.write(work)
    thread.join()
    assert len(runs) >= 2
    with yard.read() as tx:
        assert tx.all("SELECT amount FROM thing") == [(1,), (1,)]


def test_nobody_there_is_said_in_one_sentence(postgresql_server: PostgresqlServer, postgresql_address: str) -> None:
    """No server, no such database and a wrong encoding are StorageErrors, at once."""
    with pytest.raises(StorageUnavailable, match="cannot be reached"):
        open_storage("postgresql://postgres@127.0.0.1:1/yard")
    with pytest.raises(StorageUnavailable, match="does not exist"):
        open_storage(address_of(postgresql_server.address, "nowhere"))
    with psycopg.connect(postgresql_address, autocommit=True) as connection:
        connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
        try:
            with pytest.raises(StorageError, match="LATIN1"):
                open_storage(address_of(postgresql_server.address, "latin"))
        finally:
            connection.execute("DROP DATABASE latin WITH (FORCE)")


def test_commits_wait_for_the_disk(postgresql_address: str) -> None:
    """The writer turns synchronous_commit on where an administrator turned it off."""
    with psycopg.connect(postgresql_address, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    storage = open_storage(postgresql_address)
    try:
        assert storage.write(lambda tx: tx.one("SHOW synchronous_commit")) == ("on",)
    finally:
        storage.close()
