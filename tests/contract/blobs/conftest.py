"""The stores that the contract is asked of: a directory, and a bucket of an S3 (a second Modelyard)."""

import secrets
from pathlib import Path

import pytest
from tests.running import RunningYard

from modelyard.blobs import open_blobs
from modelyard.blobs.interface import BlobStore
from modelyard.settings import Settings


@pytest.fixture(params=["directory", pytest.param("s3", marks=pytest.mark.slow)])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """An empty store, opened by its setting."""
    if request.param == "directory":
        return open_blobs(Settings(data=tmp_path))
    settings: Settings = request.getfixturevalue("s3_settings")
    return open_blobs(settings)


@pytest.fixture
def s3_settings(yard: RunningYard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that put the bytes into an empty bucket of a running S3, with its keys in the server's environment."""
    keys = yard.admin()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret_access_key)
    bucket = f"blobs-{secrets.token_hex(6)}"
    yard.client("s3").create_bucket(Bucket=bucket)
    return Settings(data=tmp_path, blobs=f"s3://{bucket}/some/prefix", blobs_endpoint=yard.endpoint)
