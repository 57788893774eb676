"""A house on each database, for what S3's operations promise on both."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from tests.contract.objects.calls import S3
from tests.harness import START, Yard, house
from tests.postgresql import PostgresqlServer, fresh_database, postgresql_server  # noqa: F401

from modelyard.access.principal import Principal

TABLES = ("object_part", "object_version", "multipart_part", "multipart_upload", "bucket_setting", "bucket", "blob")


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def shared_house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """A house on each database, for all tests: making one takes longer than most tests do."""
    with ExitStack() as stack:
        settings = {}
        if request.param == "postgresql":
            server: PostgresqlServer = request.getfixturevalue("postgresql_server")
            settings = {"database": stack.enter_context(fresh_database(server.address))}
        yield stack.enter_context(house(tmp_path_factory.mktemp("objects"), **settings))


@pytest.fixture
def yard_in_process(shared_house: Yard) -> Iterator[Yard]:
    """A house without objects, without HTTP."""
    yield shared_house
    for table in TABLES:
        shared_house.house.storage.write(lambda tx, table=table: tx.execute(f"DELETE FROM {table}"))  # type: ignore[misc]
    for digest in list(shared_house.house.blobs.digests()):
        shared_house.house.blobs.delete(digest)
    shared_house.clock.advance(START - shared_house.clock.now())


@pytest.fixture
def s3(yard_in_process: Yard) -> S3:
    """The operations of S3."""

    def call(operation: str, *, by: Principal | None = None, region: str = "us-east-1", **request: Any) -> Any:
        return yard_in_process.call("s3", operation, principal=by, region=region, **request)

    return call


@pytest.fixture
def bucket(s3: S3) -> str:
    """An empty bucket."""
    s3("CreateBucket", Bucket="bucket")
    return "bucket"


@pytest.fixture
def versioned(s3: S3, bucket: str) -> str:
    """An empty bucket that keeps versions."""
    s3("PutBucketVersioning", Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket
