"""A PostgreSQL server for tests and benchmarks: started on demand, with a database for everybody who asks.

    from tests.postgresql import postgresql_address, postgresql_server  # noqa: F401  in a conftest.py

The binaries come from the PyPI package `pgserver` or from Debian's `postgresql`. With neither, `PostgresqlServer.start`
raises and says what to install: a machine without PostgreSQL must not look like one where the tests pass.
"""

import getpass
import importlib.util
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

ADVICE = "No PostgreSQL to test with: install the PyPI package 'pgserver' or Debian's 'postgresql'."
SUPERUSER = "postgres"
DURABLE = {"fsync": "on", "synchronous_commit": "on"}
HASTY = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "on"}


class PostgresqlServer:
    """A server in a temporary directory, reached through a socket there."""

    def __init__(self, home: Path, binaries: Path, user: str | None, durable: bool) -> None:
        self.home = home
        self._binaries = binaries
        self._user = user
        self._durable = durable
        self.address = f"postgresql://{SUPERUSER}@/postgres?host={home}"

    @classmethod
    def start(cls, *, durable: bool = False) -> "PostgresqlServer":
        """Start one; `durable` makes commits wait for the disk, for benchmarks. Raises RuntimeError when there is none."""
        home = Path(tempfile.mkdtemp(prefix="modelyard-pg-"))
        user = _unprivileged_user()
        server = cls(home, _binaries(user, home), user, durable)
        if user:
            shutil.chown(home, user)
        server._run(
            "initdb", "-D", str(home / "data"), "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"
        )
        server.begin()
        return server

    def begin(self) -> None:
        """Start the server process, as after `halt`."""
        settings = DURABLE if self._durable else HASTY
        options = f"-k {self.home} -c listen_addresses='' -c max_connections=200 " + " ".join(
            f"-c {k}={v}" for k, v in settings.items()
        )
        self._run("pg_ctl", "-D", str(self.home / "data"), "-l", str(self.home / "log"), "-o", options, "-w", "-t", "60", "start")

    def halt(self, mode: str = "fast") -> None:
        """Stop the server process: `fast` ends its sessions, `immediate` is a crash."""
        self._run("pg_ctl", "-D", str(self.home / "data"), "-m", mode, "-w", "stop")

    def stop(self) -> None:
        """Stop and remove everything."""
        self.halt("immediate")
        shutil.rmtree(self.home)

    def _run(self, program: str, *arguments: str) -> None:
        # A file, not a pipe: the server inherits it and would keep a pipe open.
        with (self.home / "out").open("ab") as out:
            done = subprocess.run(
                [self._binaries / program, *arguments],
                user=self._user,
                group=_group(self._user),
                extra_groups=[] if self._user else None,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                timeout=120,
                check=False,
            )
        if done.returncode:
            log = self.home / "log"
            raise RuntimeError(f"{program} failed: {(self.home / 'out').read_text()} {log.read_text() if log.exists() else ''}")


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """One server for all tests of this process."""
    server = PostgresqlServer.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def postgresql_address(postgresql_server: PostgresqlServer) -> Iterator[str]:
    """The address of a fresh, empty database."""
    with fresh_database(postgresql_server.address) as address:
        yield address


@contextmanager
def fresh_database(server_address: str) -> Iterator[str]:
    """The address of a new, empty database, dropped at the end."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server_address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield address_of(server_address, name)
    finally:
        with psycopg.connect(server_address, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def address_of(server_address: str, database: str) -> str:
    """The address of another database of the same server."""
    return urlunsplit(urlsplit(server_address)._replace(path=f"/{database}"))


def _unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root: the user to run it as, or None for ourselves."""
    if os.geteuid() != 0:
        return None
    import pwd

    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in known:
            return name
    raise RuntimeError(f"{getpass.getuser()} cannot run PostgreSQL, and there is no user 'postgres' or 'nobody'.")


def _group(user: str | None) -> int | None:
    if user is None:
        return None
    import pwd

    return pwd.getpwnam(user).pw_gid


def _binaries(user: str | None, home: Path) -> Path:
    """The directory with `initdb` and `pg_ctl`, where `user` may run them."""
    package = importlib.util.find_spec("pgserver")
    if package is not None and package.origin is not None:
        installed = Path(package.origin).parent / "pginstall"
        if _runs(installed / "bin", user):
            return installed / "bin"
        # A virtual environment below root's home is closed to the user that PostgreSQL has to run as.
        home.chmod(0o755)
        copy = Path(shutil.copytree(installed, home / "pginstall", symlinks=True))
        if _runs(copy / "bin", user):
            return copy / "bin"
    for binaries in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -float(path.parent.name)):
        if _runs(binaries, user):
            return binaries
    raise RuntimeError(ADVICE)


def _runs(binaries: Path, user: str | None) -> bool:
    try:
        command = [binaries / "initdb", "--version"]
        subprocess.run(command, user=user, group=_group(user), check=True, capture_output=True, timeout=30, cwd="/")
    except (OSError, subprocess.SubprocessError):
        return False
    return True
