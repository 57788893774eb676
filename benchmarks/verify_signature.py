"""Claim: checking the signature of a request costs under 40 µs when its key has been seen before.

A Describe request as boto3 signs it, on SQLite: everything `Authenticator.authenticate` does, within a snapshot that is open.
Also: a session's token, a presigned S3 URL, and the first request of a key (its secret unsealed, its policies read, its
signing key derived).

    python benchmarks/verify_signature.py [--rounds 5] [--requests 5000] [--output FILE]
"""

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from botocore.auth import S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from modelyard.access.accounts import create_account, execution_role_credentials
from modelyard.access.authentication import Authenticator
from modelyard.access.keyring import KeyRing
from modelyard.access.signatures import signing_key
from modelyard.aws.catalogue import Catalogue, OperationModel
from modelyard.aws.http import HttpRequest
from modelyard.ids import RandomIds
from modelyard.storage import migrate, open_storage

NOW = 1_700_000_000.0
ACCOUNT = "111122223333"
LIMIT = 40.0
"""Microseconds, of the median round."""
BODY = b'{"ModelPackageName": "arn:aws:sagemaker:us-east-1:111122223333:model-package/group/1"}'
HEADERS = {
    "X-Amz-Target": "SageMaker.DescribeModelPackage",
    "Content-Type": "application/x-amz-json-1.1",
    "User-Agent": "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux lang/python#3.11",
    "amz-sdk-invocation-id": "2f1b6f0e-6f0c-4a53-8a53-2d2f8f5b2c11",
    "amz-sdk-request": "attempt=1",
}


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        result = _measure(Path(folder), arguments.rounds, arguments.requests)
    text = json.dumps(result, indent=2)
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n")
    if result["microseconds"]["access key"]["median"] > LIMIT:
        sys.exit("over the limit")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=5_000)
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def _measure(data: Path, rounds: int, requests: int) -> dict[str, Any]:
    key_ring, ids = KeyRing.create(data), RandomIds()
    storage = open_storage(data / "modelyard.db")
    migrate(storage, ["access"])
    administrator = storage.write(lambda tx: create_account(tx, key_ring, ACCOUNT, ids=ids, now=NOW))
    with storage.read() as tx:
        issued = execution_role_credentials(tx, key_ring, ACCOUNT, ids=ids, now=NOW)
    key = Credentials(administrator.access_key_id, administrator.secret_access_key)
    session = Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)
    authenticator, catalogue = Authenticator(key_ring), Catalogue()
    describe = catalogue.operation("sagemaker", "DescribeModelPackage")
    get = catalogue.operation("s3", "GetObject")
    link = _signed(S3SigV4QueryAuth(key, "s3", "us-east-1", expires=3600), "GET", "/bucket/key", b"", {})

    def checks(http: HttpRequest, model: OperationModel) -> Callable[[], None]:
        def check() -> None:
            with storage.read() as tx:
                for _ in range(requests):
                    authenticator.authenticate(tx, http, model, NOW)

        return check

    def first() -> None:
        with storage.read() as tx:
            for _ in range(requests // 50):
                signing_key.cache_clear()
                Authenticator(key_ring).authenticate(tx, by_key, describe, NOW)

    by_key = _signed(SigV4Auth(key, "sagemaker", "us-east-1"), "POST", "/", BODY, HEADERS)
    by_session = _signed(SigV4Auth(session, "sagemaker", "us-east-1"), "POST", "/", BODY, HEADERS)
    measured = {
        "access key": _timed(checks(by_key, describe), rounds, requests),
        "session token": _timed(checks(by_session, describe), rounds, requests),
        "presigned S3 URL": _timed(checks(link, get), rounds, requests),
        "first request of a key": _timed(first, rounds, requests // 50),
    }
    storage.close()
    return {
        "claim": f"checking the signature of a key seen before under {LIMIT:g} µs",
        "machine": {"python": platform.python_version(), "processor": platform.machine()},
        "rounds": rounds,
        "requests": requests,
        "limit_microseconds": LIMIT,
        "microseconds": measured,
    }


def _signed(signer: Any, method: str, path: str, body: bytes, headers: dict[str, str]) -> HttpRequest:
    request = AWSRequest(method, f"http://127.0.0.1:9100{path}", headers=dict(headers), data=body)
    moment = datetime.fromtimestamp(NOW, UTC).replace(tzinfo=None)
    with patch("botocore.auth.get_current_datetime", lambda: moment):
        signer.add_auth(request)
    prepared = request.prepare()
    parts = urlsplit(prepared.url)
    received = {name.lower(): value if isinstance(value, str) else value.decode() for name, value in prepared.headers.items()}
    return HttpRequest(method, parts.path, parts.query, {"host": parts.netloc, **received}, body)


def _timed(check: Callable[[], None], rounds: int, count: int) -> dict[str, float]:
    """Microseconds for one request: the median of the rounds, and the best and worst of them."""
    check()
    taken = []
    for _ in range(rounds):
        begin = time.perf_counter()
        check()
        taken.append((time.perf_counter() - begin) / count * 1e6)
    return {"median": round(statistics.median(taken), 2), "best": round(min(taken), 2), "worst": round(max(taken), 2)}


if __name__ == "__main__":
    main()
