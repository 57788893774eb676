"""The SageMaker Python SDKs and the AWS SDK for JavaScript, unmodified, against a running server."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.clients.environments import client_environment
from tests.running import ACCOUNT, RunningYard, both_databases

from modelyard.runtime.environments.recipes import Recipes

pytestmark = pytest.mark.slow

PROGRAMS = Path(__file__).parent / "programs"
ARN = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ModelyardExecutionRole"


def run(*command: str | Path, environment: dict[str, str]) -> str:
    """Run a client program; the last line that it prints. It fails the test when it fails."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()[-1]


@pytest.fixture
def environment(yard: RunningYard) -> dict[str, str]:
    """What `modelyard env --profile execution-role` gives to a shell: the SDKs want to run under a role."""
    return yard.environment(profile="execution-role")


@both_databases
@pytest.mark.seen
def test_sdk_2_registers_and_reviews(database: str, environment: dict[str, str]) -> None:
    """SDK v2: Session, default bucket, role, register with metrics and baselines, PipelineModel, and ModelPackage's methods."""
    group = f"sdk2-{database}"
    printed = run(client_environment("sdk2"), PROGRAMS / "sdk2_register.py", group, environment=environment)
    result: dict[str, Any] = json.loads(printed)
    bucket = f"sagemaker-us-east-1-{ACCOUNT}"
    assert (result["account"], result["bucket"], result["role"]) == (ACCOUNT, bucket, ROLE)
    assert (result["registered"], result["pipeline"]) == (f"{ARN}/{group}/1", f"{ARN}/{group}/2")
    assert result["found"] == [f"{ARN}/{group}/1"]
    described = result["described"]
    statistics = {"Statistics": {"ContentType": "application/json", "S3Uri": f"s3://{bucket}/{group}/evaluation.json"}}
    bias = {"ConfigFile": {"ContentType": "application/json", "S3Uri": f"s3://{bucket}/{group}/bias.json"}}
    assert described["ModelMetrics"] == {"ModelQuality": statistics}
    assert described["DriftCheckBaselines"] == {"ModelQuality": statistics, "Bias": bias}
    assert (described["ModelApprovalStatus"], described["ApprovalDescription"]) == ("Approved", "good enough")
    assert described["CustomerMetadataProperties"] == {"data": "v1", "reviewed": "2026"}
    assert [one["Name"] for one in described["AdditionalInferenceSpecifications"]] == ["gpu"]
    assert described["SourceUri"] == "git://fraud"
    containers = result["pipeline_described"]["InferenceSpecification"]["Containers"]
    assert [container.get("Environment") for container in containers] == [{"A": "b"}, None]


@pytest.mark.seen
def test_sdk_2_deploy_approves_only_for_who_may(yard: RunningYard) -> None:
    """deploy() of a pending version approves it by itself: who may not approve is refused, and the version stays pending."""
    client, iam = yard.client("sagemaker"), yard.client("iam")
    client.create_model_package_group(ModelPackageGroupName="sdk2-deploy")
    specification = {"Containers": [{"Image": "i"}]}
    registered = client.create_model_package(ModelPackageGroupName="sdk2-deploy", InferenceSpecification=specification)
    arn = registered["ModelPackageArn"]
    allowed = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    condition = {"StringEquals": {"sagemaker:ModelApprovalStatus": "Approved"}}
    denied = {"Effect": "Deny", "Action": "sagemaker:UpdateModelPackage", "Resource": "*", "Condition": condition}
    iam.create_user(UserName="deployer")
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed, denied]})
    iam.put_user_policy(UserName="deployer", PolicyName="no-approval", PolicyDocument=policy)
    key = iam.create_access_key(UserName="deployer")["AccessKey"]
    keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    printed = run(client_environment("sdk2"), PROGRAMS / "sdk2_deploy.py", arn, environment={**yard.environment(), **keys})
    assert "AccessDeniedException" in printed
    assert (
        f"user/deployer is not authorized to perform: sagemaker:UpdateModelPackage on resource: {arn} with an explicit deny"
        in printed
    )
    assert client.describe_model_package(ModelPackageName=arn)["ModelApprovalStatus"] == "PendingManualApproval"


@both_databases
@pytest.mark.seen
def test_sdk_3_reads_updates_and_deletes(database: str, environment: dict[str, str]) -> None:
    """sagemaker-core: session set-up, then groups and packages are made, read, listed, updated, refreshed and deleted."""
    group = f"sdk3-{database}"
    printed = run(client_environment("sdk3"), PROGRAMS / "sdk3_registry.py", group, environment=environment)
    assert json.loads(printed) == {
        "account": ACCOUNT,
        "bucket": f"sagemaker-us-east-1-{ACCOUNT}",
        "role": ROLE,
        "group": [f"{ARN}-group/{group}", "Completed", "of v3"],
        "groups": [group],
        "package": ["PendingManualApproval", "Approved", "checked", {"team": "v3"}],
        "stage": "Production",
        "versions": [1, 2, 3],
        "left": [1, 3],
        "groups_left": [],
    }


@both_databases
@pytest.mark.seen
def test_sdk_2_and_3_make_models_of_a_version(database: str, yard: RunningYard, environment: dict[str, str]) -> None:
    """SDK v2 approves a version and makes a model of it; sagemaker-core makes, lists and deletes models and configurations."""
    client, group = yard.client("sagemaker"), f"models-{database}"
    client.create_model_package_group(ModelPackageGroupName=group)
    specification = {"Containers": [{"Image": "i"}]}
    registered = client.create_model_package(ModelPackageGroupName=group, InferenceSpecification=specification)
    package, here = registered["ModelPackageArn"], f"arn:aws:sagemaker:us-east-1:{ACCOUNT}"
    printed = run(client_environment("sdk2"), PROGRAMS / "sdk2_model.py", package, f"SDK2-{database}", environment=environment)
    assert json.loads(printed) == {
        "model": [f"{here}:model/sdk2-{database}", ROLE, {"ModelPackageName": package, "Environment": {"A": "b"}}],
        "tags": [{"Key": "team", "Value": "fraud"}],
        "approval": "Approved",
    }
    printed = run(client_environment("sdk3"), PROGRAMS / "sdk3_models.py", package, f"sdk3-{database}", environment=environment)
    assert json.loads(printed) == {
        "model": [f"{here}:model/sdk3-{database}", f"{here}:model/sdk3-{database}", package, True],
        "config": [f"{here}:endpoint-config/sdk3-{database}", f"sdk3-{database}", 2, 1.0],
        "listed": [[f"sdk3-{database}"], [f"sdk3-{database}"]],
        "left": 0,
    }
    assert client.list_models(NameContains=database)["Models"] == []


@both_databases
@pytest.mark.documented
def test_javascript_registers_lists_and_approves(database: str, environment: dict[str, str]) -> None:
    """The AWS SDK for JavaScript v3: STS, register, approve, page through a list, a modelled error, and an object."""
    group, modules = f"javascript-{database}", client_environment("javascript") / "node_modules"
    printed = run("node", PROGRAMS / "javascript_registry.cjs", group, environment={**environment, "NODE_PATH": str(modules)})
    assert json.loads(printed) == {
        "caller": f"arn:aws:sts::{ACCOUNT}:assumed-role/ModelyardExecutionRole/SageMaker",
        "versions": [f"{ARN}/{group}/{number}" for number in (1, 2, 3)],
        "pages": [[[1, "PendingManualApproval"], [2, "Approved"]], [[3, "PendingManualApproval"]]],
        "missing": ["ValidationException", f"ModelPackage {ARN}/{group}/9 does not exist."],
        "object": "some bytes",
    }


@pytest.mark.seen
def test_every_image_of_the_sdk_has_a_recipe(tmp_path: Path) -> None:
    """The image catalogue answers for every address that image_uris.retrieve has: each version, each region."""
    alone = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    frameworks = ("sklearn", "xgboost", "autogluon")
    images = json.loads(run(client_environment("sdk2"), PROGRAMS / "sdk2_images.py", *frameworks, environment=alone))
    recipes = Recipes(tmp_path)
    assert len(images) > 250
    assert [image for image in images if recipes.find(image) is None] == []
