"""Requests as real clients sign them, turned into what the server sees, and the server's side to check them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from modelyard.access import store
from modelyard.access.accounts import create_account
from modelyard.access.authentication import Authenticator, Caller
from modelyard.access.credentials import SECRET_PURPOSE
from modelyard.access.identities import AccessKey
from modelyard.access.keyring import KeyRing
from modelyard.aws.http import HttpRequest
from modelyard.ids import RandomIds
from modelyard.storage import migrate, open_storage
from modelyard.storage.interface import Storage

NOW = 1_700_000_000.0
"""2023-11-14T22:13:20Z."""
ACCOUNT = "111122223333"


@dataclass(frozen=True)
class Operation:
    """As much of an operation as signatures look at."""

    service: str
    signing_name: str


SAGEMAKER = Operation("sagemaker", "sagemaker")
RUNTIME = Operation("sagemaker-runtime", "sagemaker")
STS = Operation("sts", "sts")
S3 = Operation("s3", "s3")


class Guard:
    """A database with one account, and an authenticator before it."""

    def __init__(self, data: Path) -> None:
        self.key_ring = KeyRing.create(data)
        self.storage: Storage = open_storage(data / "modelyard.db")
        migrate(self.storage, ["access"])
        self.ids = RandomIds()
        self.administrator = self.storage.write(lambda tx: create_account(tx, self.key_ring, ACCOUNT, ids=self.ids, now=NOW))
        self.authenticator = Authenticator(self.key_ring)

    @property
    def credentials(self) -> Credentials:
        """The administrator's key, for botocore's signers."""
        return Credentials(self.administrator.access_key_id, self.administrator.secret_access_key)

    def add_key(self, access_key_id: str, secret: str) -> None:
        """Give the root of the account a key that is known from somewhere else."""
        sealed = self.key_ring.seal(secret.encode(), SECRET_PURPOSE)
        key = AccessKey(access_key_id, ACCOUNT, ACCOUNT, "Active", NOW)
        self.storage.write(lambda tx: store.add_access_key(tx, key, sealed))

    def admit(self, http: HttpRequest, operation: Operation, now: float = NOW, anonymous: bool = False) -> Caller:
        """Authenticate; raises AwsError."""
        with self.storage.read() as tx:
            return self.authenticator.authenticate(tx, http, operation, now, anonymous)  # type: ignore[arg-type]


def open_guard(data: Path) -> Iterator[Guard]:
    """A guard, closed at the end: the body of a fixture."""
    guard = Guard(data)
    yield guard
    guard.storage.close()


def signed(
    signer: Any, method: str, url: str, headers: dict[str, str], body: bytes = b"", at: float = NOW, **context: Any
) -> HttpRequest:
    """A request that botocore's `signer` signed at the time `at`, as the server receives it."""
    request = AWSRequest(method, url, headers=headers, data=body)
    request.context.update(context)
    moment = datetime.fromtimestamp(at, UTC)
    with (
        patch("botocore.auth.get_current_datetime", lambda: moment.replace(tzinfo=None)),
        patch("botocore.auth.time.time", lambda: at),
    ):
        signer.add_auth(request)
    return received(request, body)


def received(request: AWSRequest, body: bytes = b"") -> HttpRequest:
    """What arrives of a botocore request."""
    prepared = request.prepare()
    parts = urlsplit(prepared.url)
    headers = {name.lower(): value if isinstance(value, str) else value.decode() for name, value in prepared.headers.items()}
    headers.setdefault("host", parts.netloc)
    return HttpRequest(prepared.method, parts.path, parts.query, headers, body)
