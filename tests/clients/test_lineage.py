"""Lineage with real clients: the SageMaker Python SDK's own classes, boto3, and a server that is killed."""

import json
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from tests.clients.environments import client_environment
from tests.clients.test_sdk import run
from tests.running import ACCOUNT, RunningYard, both_databases

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).parent / "programs" / "sdk2_lineage.py"


@pytest.fixture
def modelyard(yard: RunningYard, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of our own service, whose model `modelyard env` puts where boto3 looks."""
    for name, value in yard.environment().items():
        monkeypatch.setenv(name, value)
    return boto3.session.Session().client("modelyard")


def register(client: Any, group: str, **more: Any) -> str:
    """A version with an image and model data; its ARN."""
    container = {"Image": f"{group}:1", "ModelDataUrl": f"s3://bucket/{group}/model.tar.gz"}
    arn: str = client.create_model_package(
        ModelPackageGroupName=group, InferenceSpecification={"Containers": [container]}, **more
    )["ModelPackageArn"]
    return arn


@both_databases
@pytest.mark.seen
def test_sdk_2_keeps_and_queries_lineage(database: str, yard: RunningYard) -> None:
    """SDK v2: Artifact, Action, Context, Association, LineageQuery, the table of a version, and helpers on their classes."""
    client, group = yard.client("sagemaker"), f"sdk2-lineage-{database}"
    client.create_model_package_group(ModelPackageGroupName=group)
    arn = register(client, group)
    client.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    result = json.loads(
        run(client_environment("sdk2"), PROGRAM, group, arn, environment=yard.environment(profile="execution-role"))
    )
    endpoint = f"{group}-endpoint"
    assert result == {
        "job": "Completed",
        "data": {"rows": "11"},
        "tags": [{"Key": "team", "Value": "fraud"}],
        "datasets": [f"s3://bucket/{group}/train.csv"],
        "endpoints": [endpoint],
        "endpoints_of_data": [endpoint],
        "approval": ["Approved", arn],
        "data_of_approval": [],
        "endpoints_of_approval": [endpoint],
        "group": "ModelGroup",
        "query": ["DataSet", "Image", "Model", "Training"],
        "edges": 4,
        "objects": ["Action", "DatasetArtifact", "ImageArtifact", "ModelArtifact", "ModelArtifact"],
        "table": [
            ["Input", "Approval", "ContributedTo", "action"],
            ["Input", "Image", "ContributedTo", "artifact"],
            ["Input", "Model", "ContributedTo", "artifact"],
            ["Input", "ModelPackageCreation", "Produced", "action"],
            ["Output", "Endpoint", "ContributedTo", "context"],
            ["Output", "ModelGroup", "AssociatedWith", "context"],
        ],
        "left": [0, 0],
    }


@both_databases
@pytest.mark.ours
def test_lineage_is_there_at_once(database: str, yard: RunningYard, modelyard: Any) -> None:
    """Who registers sees the version's lineage in the next call, by boto3 in every way that there is."""
    client, extras, group = yard.client("sagemaker"), modelyard, f"lineage-now-{database}"
    client.create_model_package_group(ModelPackageGroupName=group)
    for number in range(1, 6):
        arn = register(client, group)
        (artifact,) = client.list_artifacts(SourceUri=arn)["ArtifactSummaries"]
        query = client.query_lineage(StartArns=[artifact["ArtifactArn"]], Direction="Ascendants")
        assert {vertex["Type"] for vertex in query["Vertices"]} == {"Image", "Model", "ModelPackageCreation"}
        assert extras.get_version_lineage(ModelPackageArn=arn)["ArtifactArn"] == artifact["ArtifactArn"]
        pages = extras.get_paginator("list_versions_by_source").paginate(SourceUri=f"{group}:1", PaginationConfig={"PageSize": 2})
        assert len(list(pages.search("Versions"))) == number


@pytest.mark.ours
def test_lineage_is_kept_without_being_asked_for(yard: RunningYard, modelyard: Any) -> None:
    """The server reads its events by itself soon after a commit, also when nobody queries lineage."""
    client, extras, group = yard.client("sagemaker"), modelyard, "lineage-by-itself"
    client.create_model_package_group(ModelPackageGroupName=group)
    took = []
    for _ in range(5):
        register(client, group)
        began = time.perf_counter()
        position = extras.list_changes(ModelPackageGroupName=group)["LastPosition"]
        while _read(yard) < position:
            time.sleep(0.005)
        took.append(time.perf_counter() - began)
    # A machine under load may be late once; the worker's own interval would make it 2 seconds.
    assert min(took) < 0.1, took


def _read(yard: RunningYard) -> int:
    """How far the server has read its events for lineage."""
    import sqlite3

    with sqlite3.connect(f"file:{yard.data / 'modelyard.db'}?mode=ro", uri=True) as connection:
        return int(connection.execute("SELECT place FROM event_reader WHERE name = 'lineage'").fetchone()[0])


@both_databases
@pytest.mark.ours
def test_nothing_is_lost_or_doubled_when_the_server_is_killed(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """After kill -9 in the middle of registrations, every version that was acknowledged is in lineage, and each once."""
    settings: dict[str, str] = {}
    if database == "postgresql":
        from tests.postgresql import PostgresqlServer, fresh_database

        server = PostgresqlServer.start()
        request.addfinalizer(server.stop)
        fresh = fresh_database(server.address)
        settings["database"] = fresh.__enter__()
        request.addfinalizer(lambda: fresh.__exit__(None, None, None))
    yard = RunningYard(tmp_path / "data", **settings)
    yard.start()
    acknowledged: list[str] = []
    try:
        yard.client("sagemaker").create_model_package_group(ModelPackageGroupName="killed")
        for _ in range(4):
            client = yard.client("sagemaker")
            acknowledged += [register(client, "killed", ModelApprovalStatus="Approved") for _ in range(8)]
            yard.kill()
            yard.start()
        client = yard.client("sagemaker")
        for arn in acknowledged:
            (artifact,) = client.list_artifacts(SourceUri=arn)["ArtifactSummaries"]
            listed = client.list_associations(DestinationArn=artifact["ArtifactArn"], MaxResults=100)["AssociationSummaries"]
            assert sorted(one["SourceType"] for one in listed) == ["Approval", "Image", "Model", "ModelPackageCreation"]
        (context,) = client.list_contexts(SourceUri=f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package-group/killed")[
            "ContextSummaries"
        ]
        assert context["ContextType"] == "ModelGroup"
    finally:
        assert yard.stop() == 0
    assert not yard.defects()
