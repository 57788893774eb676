"""Rules, contracts, metadata and integrity with an unmodified boto3, the AWS CLI and our own command line."""

import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError
from tests.running import MODELYARD, Credentials, RunningYard, both_databases

pytestmark = [pytest.mark.slow, pytest.mark.ours]

AWS = Path(sys.executable).with_name("aws")
ALLOW = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
WEIGHTS = os.urandom(9 * 1024 * 1024)
"""More than boto3 sends in one request."""


class Team:
    """A group, a bucket, and people with keys of their own."""

    def __init__(self, yard: RunningYard) -> None:
        self.yard = yard
        self.group = f"governed-{uuid4().hex[:8]}"
        self.registry = yard.client("sagemaker")
        self.s3 = yard.client("s3")
        self.registry.create_model_package_group(ModelPackageGroupName=self.group)
        self.s3.create_bucket(Bucket=self.group)

    def extras(self, service: str = "modelyard") -> Any:
        """A client of our own service, whose model `modelyard env` puts where boto3 looks."""
        return boto3.session.Session().client(service)

    def person(self, name: str) -> Any:
        """The SageMaker client of a new user."""
        iam, name = self.yard.client("iam"), f"{name}-{self.group}"
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=ALLOW)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return self.yard.client("sagemaker", credentials=Credentials(key["AccessKeyId"], key["SecretAccessKey"]))

    def register(self, key: str = "model.tar.gz") -> str:
        container = {"Image": "image", "ModelDataUrl": f"s3://{self.group}/{key}"}
        answer = self.registry.create_model_package(
            ModelPackageGroupName=self.group,
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        )
        return str(answer["ModelPackageArn"])


@pytest.fixture
def team(yard: RunningYard, monkeypatch: pytest.MonkeyPatch) -> Team:
    """A team of its own for each test, in the environment that `modelyard env` makes."""
    for name, value in yard.environment().items():
        monkeypatch.setenv(name, value)
    return Team(yard)


@both_databases
def test_two_people_approve(team: Team) -> None:
    """The registrant is refused with the rule's name, the first approval waits, the second one approves."""
    team.extras().put_approval_rules(
        ModelPackageGroupName=team.group, Rules={"RequiredApprovers": 2, "ApproverIsNotRegistrant": True, "ReasonRequired": True}
    )
    arn = team.register()
    approval = {"ModelPackageArn": arn, "ModelApprovalStatus": "Approved", "ApprovalDescription": "reviewed"}
    with pytest.raises(ClientError, match="ApproverIsNotRegistrant") as caught:
        team.registry.update_model_package(**approval)
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    first, second = team.person("first"), team.person("second")
    first.update_model_package(**approval)
    assert first.describe_model_package(ModelPackageName=arn)["ModelApprovalStatus"] == "PendingManualApproval"
    second.update_model_package(**approval)
    assert second.describe_model_package(ModelPackageName=arn)["ModelApprovalStatus"] == "Approved"
    pages = team.extras().get_paginator("list_approval_decisions").paginate(ModelPackageArn=arn)
    made = [one for page in pages for one in page["Decisions"]]
    assert [(one["Effective"], one["Approvals"], one["Reason"]) for one in made] == [
        (False, 1, "reviewed"),
        (True, 2, "reviewed"),
    ]


@both_databases
def test_approvals_at_the_same_time_are_counted(team: Team) -> None:
    """Many who approve at once are each counted, and exactly one approval is the last."""
    team.extras().put_approval_rules(ModelPackageGroupName=team.group, Rules={"RequiredApprovers": 6})
    arn = team.register()
    people = [team.person(f"p{number}") for number in range(6)]

    def approve(person: Any) -> None:
        person.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(approve, people))
    assert team.registry.describe_model_package(ModelPackageName=arn)["ModelApprovalStatus"] == "Approved"
    made = team.extras().list_approval_decisions(ModelPackageArn=arn)["Decisions"]
    assert sorted(one["Approvals"] for one in made) == [1, 2, 3, 4, 5, 6]
    assert [one["Effective"] for one in made] == [False] * 5 + [True]


@both_databases
def test_registered_bytes_survive_an_administrator(team: Team, tmp_path: Path) -> None:
    """Uploaded in parts, registered, tampered with, deleted in every version: the bytes stream back as they were registered."""
    team.s3.put_bucket_versioning(Bucket=team.group, VersioningConfiguration={"Status": "Enabled"})
    file = tmp_path / "model.tar.gz"
    file.write_bytes(WEIGHTS)
    team.s3.upload_file(str(file), team.group, "model.tar.gz")
    arn = team.register()
    team.s3.put_object(Bucket=team.group, Key="model.tar.gz", Body=b"tampered")
    listed = team.s3.list_object_versions(Bucket=team.group)["Versions"]
    team.s3.delete_objects(
        Bucket=team.group, Delete={"Objects": [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in listed]}
    )
    found = team.extras().describe_integrity(ModelPackageArn=arn)["Containers"][0]["Artifacts"][1]["Objects"][0]
    assert found["Sha256"] == hashlib.sha256(WEIGHTS).hexdigest() and found["Size"] == len(WEIGHTS)
    answer = team.extras("modelyard-runtime").get_registered_artifact(ModelPackageArn=arn)
    assert answer["Body"].read() == WEIGHTS and answer["Sha256"] == found["Sha256"]
    at_version = team.s3.get_object(Bucket=team.group, Key="model.tar.gz", VersionId=found["VersionId"])
    assert at_version["Body"].read() == WEIGHTS
    output = tmp_path / "again.tar.gz"
    subprocess.run([AWS, "modelyard-runtime", "get-registered-artifact", "--model-package-arn", arn, output], check=True)
    assert output.read_bytes() == WEIGHTS


def test_a_contract_over_the_command_lines(team: Team, tmp_path: Path) -> None:
    """`modelyard groups` and `modelyard metadata` beside a running server, and what a client is told then."""
    schema = tmp_path / "schema.json"
    schema.write_text('{"required": ["MetadataProperties"], "properties": {"metadata": {"required": ["owner"]}}}')
    team.yard.modelyard("groups", "contract", team.group, "--put", str(schema))
    with pytest.raises(ClientError, match=f"contract of the model package group {team.group} is not met: MetadataProperties is"):
        team.register()
    arn = team.registry.create_model_package(ModelPackageGroupName=team.group, MetadataProperties={"CommitId": "abc"})[
        "ModelPackageArn"
    ]
    document = tmp_path / "metadata.json"
    document.write_text('{"owner": "weather", "rows": 12}')
    team.yard.modelyard("metadata", "put", arn, str(document))
    assert json.loads(team.yard.modelyard("metadata", "get", f"{team.group}/1")) == {"owner": "weather", "rows": 12}
    with pytest.raises(ClientError, match=r"metadata\.owner is missing"):
        team.extras().put_version_metadata(ModelPackageArn=arn, Document="{}")
    results = team.registry.search(
        Resource="ModelPackage",
        SearchExpression={
            "Filters": [
                {"Name": "Metadata.rows", "Operator": "GreaterThan", "Value": "11"},
                {"Name": "ModelPackageGroupName", "Operator": "Equals", "Value": team.group},
            ]
        },
    )["Results"]
    assert [one["ModelPackage"]["ModelPackageArn"] for one in results] == [arn]


def test_verify_finds_damaged_registered_bytes(tmp_path: Path) -> None:
    """`modelyard verify` counts versions, and names the version whose bytes were changed on the disk."""
    yard = RunningYard(tmp_path / "data")
    yard.start()
    try:
        team = Team(yard)
        team.s3.put_object(Bucket=team.group, Key="model.tar.gz", Body=WEIGHTS)
        arn = team.register()
        team.s3.delete_object(Bucket=team.group, Key="model.tar.gz")
        assert json.loads(yard.modelyard("verify", "--output", "json"))["versions"] == 1
        digest = hashlib.sha256(WEIGHTS).hexdigest()
        (blob,) = [path for path in (yard.data / "blobs").rglob(f"*{digest[-20:]}*") if path.is_file()]
        blob.chmod(0o600)
        blob.write_bytes(b"X" + WEIGHTS[1:])
        command = [*MODELYARD, "verify", "--data", str(yard.data)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert f"{arn}: s3://{team.group}/model.tar.gz is damaged" in done.stderr
    finally:
        assert yard.stop() == 0
