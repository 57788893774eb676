"""A house on each database, for what ECR's operations promise on both."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from tests.harness import START, Yard, house
from tests.postgresql import PostgresqlServer, fresh_database, postgresql_server  # noqa: F401

from modelyard.access.principal import Principal
from modelyard.aws.errors import AwsError

TABLES = ("upload_part", "upload", "tag", "image_part", "image", "layer", "repository")


@contextmanager
def refused(code: str, match: str = "") -> Iterator[None]:
    """The block ends in this error."""
    with pytest.raises(AwsError, match=match or None) as caught:
        yield
    assert caught.value.code == code


@dataclass
class Ecr:
    """The operations of ECR: `ecr("CreateRepository", by=somebody, repositoryName=…)`, and pushing as clients do."""

    call: Callable[..., Any]

    def __call__(self, operation: str, *, by: Principal | None = None, region: str = "us-east-1", **request: Any) -> Any:
        return self.call("ecr", operation, principal=by, region=region, **request)

    def push_layer(self, data: bytes, part: int = 1 << 20, **request: Any) -> str:
        """Upload a layer in parts; its digest."""
        request = {"repositoryName": "models", **request}
        request["uploadId"] = self("InitiateLayerUpload", **request)["uploadId"]
        for first in range(0, len(data), part):
            piece = data[first : first + part]
            self("UploadLayerPart", **request, partFirstByte=first, partLastByte=first + len(piece) - 1, layerPartBlob=piece)
        digest = digest_of(data)
        assert self("CompleteLayerUpload", **request, layerDigests=[digest])["layerDigest"] == digest
        return digest

    def push(self, tag: str | None = None, layer: bytes = b"layer", **request: Any) -> str:
        """Push an image of one layer; its digest."""
        manifest = manifest_of(layer)
        missing = self("BatchCheckLayerAvailability", repositoryName="models", layerDigests=[digest_of(b"{}"), digest_of(layer)])[
            "layers"
        ]
        for data, known in zip((b"{}", layer), missing, strict=True):
            if known["layerAvailability"] == "UNAVAILABLE":
                self.push_layer(data)
        request |= {"imageTag": tag} if tag else {}
        answer = self("PutImage", repositoryName="models", imageManifest=manifest, **request)
        digest: str = answer["image"]["imageId"]["imageDigest"]
        return digest


def digest_of(data: bytes) -> str:
    """As ECR names layers."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def manifest_of(layer: bytes) -> str:
    """The manifest of an image of one layer."""
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(b"{}"), "size": 2}
    only = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest_of(layer), "size": len(layer)}
    return json.dumps({"schemaVersion": 2, "config": config, "layers": [only]})


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def shared_house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """A house on each database, for all tests."""
    with ExitStack() as stack:
        settings = {}
        if request.param == "postgresql":
            server: PostgresqlServer = request.getfixturevalue("postgresql_server")
            settings = {"database": stack.enter_context(fresh_database(server.address))}
        yield stack.enter_context(house(tmp_path_factory.mktemp("images"), **settings))


@pytest.fixture
def yard_in_process(shared_house: Yard) -> Iterator[Yard]:
    """A house without repositories, without HTTP."""
    yield shared_house
    for table in (*(f"ecr_{name}" for name in TABLES), "blob", "resource_tag"):
        shared_house.house.storage.write(lambda tx, table=table: tx.execute(f"DELETE FROM {table}"))  # type: ignore[misc]
    for digest in list(shared_house.house.blobs.digests()):
        shared_house.house.blobs.delete(digest)
    shared_house.clock.advance(START - shared_house.clock.now())


@pytest.fixture
def ecr(yard_in_process: Yard) -> Ecr:
    """The operations of ECR, and a repository `models`."""
    ecr = Ecr(yard_in_process.call)
    ecr("CreateRepository", repositoryName="models")
    return ecr
