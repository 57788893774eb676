"""What `modelyard verify` says of registered bytes and signatures that were tampered with where they are kept."""

import hashlib
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.contract.registry.governed import Governed
from tests.contract.registry.signing import Signer, model
from tests.harness import house
from tests.running import RunningYard

from modelyard.blobs.s3 import S3Blobs
from modelyard.cli.verification import Findings, verify_data

pytestmark = pytest.mark.ours

BYTES = b"the weights of a model"
DIGEST = f"sha256:{hashlib.sha256(BYTES).hexdigest()}"

Tamper = Callable[[bytes | None], None]


@pytest.fixture(params=["directory", pytest.param("s3", marks=pytest.mark.slow)])
def kept(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Governed, Tamper]]:
    """A registry on each kind of blobs, and what changes the bytes of the model, or takes them away, behind its back."""
    settings = {}
    if request.param == "s3":
        behind: RunningYard = request.getfixturevalue("yard")
        keys = behind.admin()
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret_access_key)
        bucket = f"blobs-{secrets.token_hex(6)}"
        behind.client("s3").create_bucket(Bucket=bucket)
        settings = {"blobs": f"s3://{bucket}/some/prefix", "blobs_endpoint": behind.endpoint}
    with house(tmp_path / "data", **settings) as yard:
        registry = Governed(yard, 1)
        registry.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName=registry.group)
        registry.call("s3", "CreateBucket", Bucket=registry.bucket)

        def tamper(content: bytes | None) -> None:
            if isinstance(yard.house.blobs, S3Blobs):
                at = {"Bucket": bucket, "Key": f"some/prefix/sha256/{DIGEST[7:]}"}
                s3 = behind.client("s3")
                s3.delete_object(**at) if content is None else s3.put_object(**at, Body=content)
                return
            (path,) = (tmp_path / "data" / "blobs").rglob(DIGEST[7:])
            path.unlink()
            if content is not None:
                path.write_bytes(content)

        yield registry, tamper


def verified(registry: Governed) -> Findings:
    return verify_data(registry.yard.house.settings, lambda *_: None)


@pytest.mark.parametrize("content", [b"The weights of a model", b"the weights", None], ids=["changed", "cut off", "missing"])
def test_the_version_and_the_file_are_named(kept: tuple[Governed, Tamper], content: bytes | None) -> None:
    """Of two versions the one whose bytes were tampered with is named, with the file; before that all is well."""
    registry, tamper = kept
    arn = registry.register_model(registry.put("2026/model.tar.gz", BYTES))
    registry.register_model(registry.put("other.tar.gz", b"other"))
    assert verified(registry).problems == [] and verified(registry).versions == 2
    tamper(content)
    problems = verified(registry).problems
    assert [problem for problem in problems if problem.startswith("arn:")] == [
        f"{arn}: s3://{registry.bucket}/2026/model.tar.gz is damaged: bytes that it was registered with are missing or changed."
    ]


@pytest.mark.parametrize("change", ["bundle = X'00'", "fingerprint = 'sha256:0'", "files = '[]'"])
def test_a_changed_signature_is_found(kept: tuple[Governed, Tamper], tmp_path: Path, change: str) -> None:
    """A signature whose row was changed in the database is named with its version."""
    registry, _ = kept
    model(tmp_path, **{"model.tar.gz": BYTES})
    signer = Signer(tmp_path)
    arn = registry.register_model(registry.put("model.tar.gz", BYTES))
    put = {"ModelPackageArn": arn, "Bundle": signer.bundle(), "PublicKey": signer.pem}
    made = registry.call("modelyard", "PutVersionSignature", **put)["SignatureId"]
    assert verified(registry).problems == []
    with sqlite3.connect(registry.yard.house.settings.data / "modelyard.db") as database:
        database.execute(f"UPDATE version_signature SET {change}")
    database.close()
    (problem,) = verified(registry).problems
    assert problem.startswith(f"{arn}: the signature {made} ")
