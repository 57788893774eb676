"""A house on each database, for what lineage promises on both."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import pytest
from tests.harness import START, Yard, house
from tests.postgresql import PostgresqlServer, fresh_database, postgresql_server  # noqa: F401

from modelyard.access.principal import Principal

Call = Callable[..., Any]
TABLES = ("lineage_association", "lineage_entity", "resource_tag", "event")


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def shared_house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """A house on each database, for all tests."""
    with ExitStack() as stack:
        settings = {}
        if request.param == "postgresql":
            server: PostgresqlServer = request.getfixturevalue("postgresql_server")
            settings = {"database": stack.enter_context(fresh_database(server.address))}
        yield stack.enter_context(house(tmp_path_factory.mktemp("lineage"), **settings))


@pytest.fixture
def yard_in_process(shared_house: Yard) -> Iterator[Yard]:
    """A house without lineage, without HTTP."""
    yield shared_house
    for table in TABLES:
        shared_house.house.storage.write(lambda tx, table=table: tx.execute(f"DELETE FROM {table}"))  # type: ignore[misc]
    shared_house.clock.advance(START - shared_house.clock.now())


@pytest.fixture
def sagemaker(yard_in_process: Yard) -> Call:
    """The operations of SageMaker: `sagemaker("CreateArtifact", by=somebody, …)`."""

    def call(operation: str, *, by: Principal | None = None, region: str = "us-east-1", **request: Any) -> Any:
        return yard_in_process.call("sagemaker", operation, principal=by, region=region, **request)

    return call


@pytest.fixture
def modelyard(yard_in_process: Yard) -> Call:
    """The operations of our own service."""

    def call(operation: str, *, by: Principal | None = None, region: str = "us-east-1", **request: Any) -> Any:
        return yard_in_process.call("modelyard", operation, principal=by, region=region, **request)

    return call


@pytest.fixture
def artifact(sagemaker: Call) -> Callable[..., str]:
    """Makes an artifact of a SourceUri; its ARN."""

    def make(uri: str, kind: str = "DataSet", **more: Any) -> str:
        arn: str = sagemaker("CreateArtifact", Source={"SourceUri": uri}, ArtifactType=kind, **more)["ArtifactArn"]
        return arn

    return make


@pytest.fixture
def join(sagemaker: Call) -> Callable[..., None]:
    """Associates what comes one after the other."""

    def associate(*arns: str, kind: str = "ContributedTo") -> None:
        for source, destination in pairwise(arns):
            sagemaker("AddAssociation", SourceArn=source, DestinationArn=destination, AssociationType=kind)

    return associate
