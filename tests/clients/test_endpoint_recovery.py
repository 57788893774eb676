"""Going back: history, roll-back, restoring what was deleted, and versions that serve."""

import json
import time
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.endpoints import IMAGE, Deployer, Load, eventually, packed, says
from tests.running import ACCOUNT, RunningYard, both_databases

pytestmark = [pytest.mark.slow, pytest.mark.ours]


@pytest.fixture
def deployer(yard: RunningYard, request: pytest.FixtureRequest) -> Deployer:
    """Somebody who deploys, with names of the test's own."""
    return Deployer(yard, f"t{zlib.crc32(request.node.name.encode()):x}")


class Registered:
    """A group whose versions say their number, and an endpoint `e` of them."""

    def __init__(self, deployer: Deployer) -> None:
        self.deployer = deployer
        self.sagemaker = deployer.sagemaker
        self.extras = deployer.yard.client("modelyard")
        self.group = deployer.named("group")
        self.endpoint = deployer.named("e")
        self.sagemaker.create_model_package_group(ModelPackageGroupName=self.group)

    def register(self, word: str) -> str:
        uri = self.deployer.upload(word, packed(serve=says(word)))
        container = {"Image": IMAGE, "ModelDataUrl": uri}
        specification = {
            "Containers": [container],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/plain"],
        }
        arn: str = self.sagemaker.create_model_package(
            ModelPackageGroupName=self.group, ModelApprovalStatus="Approved", InferenceSpecification=specification
        )["ModelPackageArn"]
        return arn

    def deploy(self, word: str, **more: Any) -> str:
        """Register a version and have the endpoint serve it; its ARN."""
        arn = self.register(word)
        name = self.deployer.named(word)
        self.sagemaker.create_model(ModelName=name, PrimaryContainer={"ModelPackageName": arn})
        self.deployer.config(word)
        there = self.sagemaker.list_endpoints(NameContains=self.endpoint)["Endpoints"]
        call = self.sagemaker.update_endpoint if there else self.sagemaker.create_endpoint
        call(EndpointName=self.endpoint, EndpointConfigName=name, **more)
        self.deployer.settled(self.endpoint)
        return arn

    def answer(self) -> bytes:
        return self.deployer.invoke(self.endpoint)

    def history(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.extras.list_endpoint_deployments(EndpointName=self.endpoint)["Deployments"]
        return found


@pytest.fixture
def registered(deployer: Deployer) -> Registered:
    return Registered(deployer)


@both_databases
def test_an_endpoint_rolls_back_under_load(registered: Registered):
    """To the deployment before, and to a named version, with no request failed; the history says all of it."""
    first = registered.deploy("first")
    registered.deploy("second")
    with Load(registered.deployer, registered.endpoint) as load:
        back = registered.extras.rollback_endpoint(EndpointName=registered.endpoint)
        assert registered.deployer.settled(registered.endpoint)["EndpointConfigName"] == registered.deployer.named("first")
        assert registered.answer() == b"first"
        registered.deploy("third")
        registered.extras.rollback_endpoint(EndpointName=registered.endpoint, ModelPackageArn=first)
        registered.deployer.settled(registered.endpoint)
        assert registered.answer() == b"first"
    assert not load.failed, load.failed[:3]
    history = registered.history()
    assert [one["Kind"] for one in history] == ["Rollback", "Update", "Rollback", "Update", "Create"]
    assert [one["Current"] for one in history] == [True, False, False, False, False]
    assert history[2]["DeploymentNumber"] == back["DeploymentNumber"]
    [container] = history[0]["Variants"][0]["Containers"]
    assert (container["ModelPackageArn"], history[0]["StartedBy"]) == (first, f"arn:aws:iam::{ACCOUNT}:user/admin")
    with pytest.raises(ClientError, match="serves that already"):
        registered.extras.rollback_endpoint(EndpointName=registered.endpoint, ModelPackageArn=first)
    with pytest.raises(ClientError, match="there is no such deployment that has served"):
        registered.extras.rollback_endpoint(EndpointName=registered.endpoint, DeploymentNumber=10**9)
    with pytest.raises(ClientError, match="DeploymentNumber and AsOf cannot both"):
        registered.extras.rollback_endpoint(EndpointName=registered.endpoint, DeploymentNumber=1, AsOf=1)


@both_databases
def test_a_deleted_endpoint_comes_back(registered: Registered):
    """Endpoint, configuration, model and the object itself deleted: one call brings all of it back, with its tags; another brings
    back what was served at an earlier time."""
    registered.deploy("first", Tags=[{"Key": "Environment", "Value": "production"}])
    between = time.time()
    time.sleep(0.01)
    registered.deploy("second")
    name = registered.deployer.named("second")
    registered.deployer.delete(registered.endpoint)
    registered.sagemaker.delete_endpoint_config(EndpointConfigName=name)
    registered.sagemaker.delete_model(ModelName=name)
    registered.deployer.s3.delete_object(Bucket=registered.deployer.bucket, Key="second/model.tar.gz")
    registered.extras.restore_endpoint(EndpointName=registered.endpoint)
    shown = registered.deployer.settled(registered.endpoint)
    assert registered.answer() == b"second"
    assert registered.sagemaker.describe_endpoint_config(EndpointConfigName=name)["EndpointConfigName"] == name
    assert registered.sagemaker.describe_model(ModelName=name)["ModelName"] == name
    assert registered.sagemaker.list_tags(ResourceArn=shown["EndpointArn"])["Tags"] == [
        {"Key": "Environment", "Value": "production"}
    ]
    with pytest.raises(ClientError, match="Cannot create already existing endpoint"):
        registered.extras.restore_endpoint(EndpointName=registered.endpoint)
    registered.deployer.delete(registered.endpoint)
    registered.extras.restore_endpoint(EndpointName=registered.endpoint, AsOf=between)
    registered.deployer.settled(registered.endpoint)
    assert registered.answer() == b"first"
    assert [one["Kind"] for one in registered.history()] == ["Restore", "Restore", "Update", "Create"]
    with pytest.raises(ClientError, match="Could not find endpoint"):
        registered.extras.restore_endpoint(EndpointName="never-there")


@both_databases
def test_a_version_says_where_it_is_deployed(registered: Registered):
    """Endpoint, variant, environment, since when and how packaged; once it is replaced, until when."""
    first = registered.deploy("first", Tags=[{"Key": "env", "Value": "staging"}])
    [use] = registered.extras.list_version_deployments(ModelPackageArn=first)["Deployments"]
    assert (use["EndpointName"], use["VariantName"], use["Environment"]) == (registered.endpoint, "AllTraffic", "staging")
    assert (use["Container"]["Image"], use["Container"]["ModelPackageArn"]) == (IMAGE, first)
    assert use["Container"]["Sha256"] and abs(use["Since"].timestamp() - time.time()) < 60
    time.sleep(1.1)
    between = datetime.now(UTC)
    registered.deploy("second")
    assert registered.extras.list_version_deployments(ModelPackageArn=first)["Deployments"] == []
    [use] = registered.extras.list_version_deployments(ModelPackageArn=first, IncludePast=True)["Deployments"]
    assert use["Since"] < use["Until"]
    time.sleep(1.1)  # clients tell times by the second
    after = datetime.now(UTC)
    for moment, served in ((use["Since"] - timedelta(seconds=2), []), (between, [use]), (after, [])):
        assert registered.extras.list_version_deployments(ModelPackageArn=first, AsOf=moment)["Deployments"] == served


@both_databases
def test_a_version_that_serves_is_not_deleted(registered: Registered):
    """DeleteModelPackage refuses as long as an endpoint serves it; when forced the endpoint goes on, and comes back."""
    arn = registered.deploy("first")
    with pytest.raises(ClientError, match=r"\(ConflictException\).*is served by arn:aws:sagemaker:.*:endpoint/"):
        registered.sagemaker.delete_model_package(ModelPackageName=arn)
    registered.extras.delete_serving_version(ModelPackageArn=arn)
    assert registered.answer() == b"first"
    registered.deployer.delete(registered.endpoint)
    registered.extras.restore_endpoint(EndpointName=registered.endpoint)
    registered.deployer.settled(registered.endpoint)
    assert registered.answer() == b"first"


def test_a_rejected_version_is_deployed_again_only_by_force(registered: Registered):
    """Rolling back to a version that was rejected meanwhile is refused, unless forced."""
    first = registered.deploy("first")
    registered.deploy("second")
    registered.sagemaker.update_model_package(ModelPackageArn=first, ModelApprovalStatus="Rejected")
    with pytest.raises(ClientError, match="has the ModelApprovalStatus Rejected"):
        registered.extras.rollback_endpoint(EndpointName=registered.endpoint)
    registered.extras.rollback_endpoint(EndpointName=registered.endpoint, Force=True)
    registered.deployer.settled(registered.endpoint)
    assert registered.answer() == b"first"


def test_the_commands(registered: Registered, yard: RunningYard):
    """history, where, rollback, restore and delete-version do in a shell what the operations do."""
    first = registered.deploy("first")
    registered.deploy("second")
    version = first.partition("model-package/")[2]
    assert "second" in yard.modelyard("endpoints", "history", registered.endpoint)
    done = json.loads(yard.modelyard("endpoints", "rollback", registered.endpoint, "--output", "json"))
    assert (done["status"], done["configuration"]) == ("InService", registered.deployer.named("first"))
    [where] = json.loads(yard.modelyard("endpoints", "where", version, "--output", "json"))
    assert where["EndpointName"] == registered.endpoint
    assert registered.endpoint in yard.modelyard("endpoints", "list")
    registered.deployer.delete(registered.endpoint)
    yard.modelyard("endpoints", "restore", registered.endpoint, "--to", f"{registered.group}/2")
    assert registered.answer() == b"second"
    yard.modelyard("endpoints", "delete-version", f"{registered.group}/2")
    assert eventually(registered.answer) == b"second"
