"""What is known of the server that serves a data directory: `<data>/server.json`, written while it runs."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

FILE = "server.json"


@contextmanager
def announced(data: Path, address: str) -> Iterator[None]:
    """Say where the server is, as long as it is there."""
    path = data / FILE
    draft = path.with_name(f".{FILE}.{os.getpid()}")
    document = {"pid": os.getpid(), "address": address, "port": urlsplit(address).port}
    draft.write_text(json.dumps(document) + "\n", encoding="utf-8")
    draft.replace(path)
    try:
        yield
    finally:
        if _read(path) == (os.getpid(), address):
            path.unlink(missing_ok=True)


def address_of(data: Path) -> str | None:
    """Where the server that runs on `data` answers, or None when none does."""
    found = _read(data / FILE)
    if found is None:
        return None
    pid, address = found
    return address if _alive(pid) else None


def address(host: str, port: int) -> str:
    """The address that clients on this machine use for a server that listens on `host`."""
    if host in ("", "0.0.0.0", "::", "localhost"):  # noqa: S104 - compared with, not bound to
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _read(path: Path) -> tuple[int, str] | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return int(document["pid"]), str(document["address"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # a file that is not there, or is not ours, says nothing about a server


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
