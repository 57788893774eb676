"""What no server can be faster than, measured beside the others: a bare ASGI handler, and a bare durable commit."""

import argparse
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.common import version
from benchmarks.peers.environments import PROJECT
from benchmarks.peers.processes import free_port, serving


@contextmanager
def bare_server(folder: Path, answer: bytes) -> Iterator[int]:
    """uvicorn on uvloop with a handler that reads the request and returns `answer`; the port."""
    (folder / "answer").write_bytes(answer)
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.peers.floors", str(folder / "answer"), str(port)]
    variables = {"PYTHONPATH": os.pathsep.join([str(PROJECT), *sys.path])}
    with serving(command, port, folder / "bare.log", variables):
        yield port


def commits(folder: Path, count: int) -> list[float]:
    """Milliseconds of durable commits on SQLite, each a row with a version's content; WAL and synchronous=FULL as Modelyard."""
    spent = []
    with closing(sqlite3.connect(folder / "bare.db", isolation_level=None)) as connection:
        for setting in ("page_size = 8192", "journal_mode = WAL", "synchronous = FULL"):
            connection.execute(f"PRAGMA {setting}").fetchall()
        connection.execute("CREATE TABLE IF NOT EXISTS version (id INTEGER PRIMARY KEY, document TEXT NOT NULL)")
        for number in range(count):
            document = repr(version.request(number))
            began = time.perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO version (document) VALUES (?)", (document,))
            connection.execute("COMMIT")
            spent.append((time.perf_counter() - began) * 1000)
    return spent


def _serve(answer: bytes, port: int) -> None:
    import uvicorn

    headers = [(b"content-type", b"application/x-amz-json-1.1"), (b"content-length", str(len(answer)).encode())]

    async def application(scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    uvicorn.run(application, port=port, loop="uvloop", http="httptools", lifespan="off", access_log=False, log_level="warning")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("answer", type=Path)
    parser.add_argument("port", type=int)
    given = parser.parse_args()
    _serve(given.answer.read_bytes(), given.port)
