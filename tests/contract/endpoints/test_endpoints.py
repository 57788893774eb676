"""The rows of endpoints: what is refused, what is listed, what is told, on every database. What runs is a program that cannot."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from tests.contract.endpoints.hosting import ARN, Hosting, document, refused
from tests.harness import ACCOUNT, OTHER_ACCOUNT, user

from modelyard.endpoints import worker
from modelyard.endpoints.serving import Serving
from modelyard.events import outbox

INVALID, DENIED = "ValidationException", "AccessDeniedException"
STATE = "SageMaker Endpoint State Change"
VARIANT = {"VariantName": "v", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}


class Endpoints(Hosting):
    """Endpoints of models whose image nobody has a recipe for."""

    def config(self, name: str, *variants: dict[str, Any], **more: Any) -> str:
        if not more.pop("there", False):
            self.create(name, PrimaryContainer={"Image": "none/such:1"})
        given = [{**VARIANT, "ModelName": self.named(name), **one} for one in variants or ({},)]
        self.sagemaker("CreateEndpointConfig", EndpointConfigName=self.named(name), ProductionVariants=given, **more)
        return self.named(name)

    def endpoint(self, name: str, **more: Any) -> str:
        config = self.config(name)
        made = self.sagemaker("CreateEndpoint", EndpointName=self.named(name), EndpointConfigName=config, **more)
        return str(made["EndpointArn"])

    def status(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.sagemaker("DescribeEndpoint", EndpointName=self.named(name))
        return found

    def until(self, name: str, status: str | None) -> None:
        """Let the worker turn until an endpoint has a status; None for gone."""

        def done() -> bool:
            listed = self.sagemaker("ListEndpoints", NameContains=self.named(name))["Endpoints"]
            return [one["EndpointStatus"] for one in listed] == ([] if status is None else [status])

        assert worker.turn_until(self.yard.house, done, 20)

    def told(self, arn: str, kind: str = STATE) -> list[dict[str, Any]]:
        with self.yard.house.storage.read() as tx:
            events = outbox.read(tx, 0, 100_000, group_key=arn)
        return [orjson.loads(event.detail) for event in events if event.detail_type == kind]


@pytest.fixture
def hosting(hosting: Hosting) -> Iterator[Endpoints]:
    made = Endpoints.__new__(Endpoints)
    made.__dict__ |= hosting.__dict__
    yield made


@pytest.mark.documented
def test_creation_that_fails(hosting: Endpoints) -> None:
    """Failed with the reason; then it can only be deleted, and the name is free again; each status was told."""
    arn = hosting.endpoint("e", Tags=[{"Key": "team", "Value": "fraud"}])
    assert hosting.status("e")["EndpointStatus"] == "Creating" and "ProductionVariants" not in hosting.status("e")
    for operation, more in (
        ("DeleteEndpoint", {}),
        ("UpdateEndpoint", {"EndpointConfigName": hosting.named("e")}),
        ("UpdateEndpointWeightsAndCapacities", {"DesiredWeightsAndCapacities": [{"VariantName": "v", "DesiredWeight": 1.0}]}),
    ):
        with refused(INVALID, f'^Cannot update in-progress endpoint "{arn}".$'):
            hosting.sagemaker(operation, EndpointName=hosting.named("e"), **more)
    hosting.until("e", "Failed")
    assert hosting.status("e")["FailureReason"] == "There is no recipe for the image none/such:1 on this server."
    with refused(INVALID, "it can only be deleted"):
        hosting.sagemaker("UpdateEndpoint", EndpointName=hosting.named("e"), EndpointConfigName=hosting.named("e"))
    with refused("ValidationError", f"^Endpoint {hosting.named('e')} of account {ACCOUNT} not found.$"):
        hosting.call("sagemaker-runtime", "InvokeEndpoint", EndpointName=hosting.named("e"), Body=b"x")
    hosting.sagemaker("DeleteEndpoint", EndpointName=hosting.named("e"))
    hosting.until("e", None)
    assert [one["EndpointStatus"] for one in hosting.told(arn)] == ["CREATING", "FAILED", "DELETING", "DELETED"]
    first = hosting.told(arn)[0]
    assert (first["EndpointName"], first["Tags"]) == (hosting.named("e"), {"team": "fraud"})
    assert first["CreationTime"] > 10**12
    with refused(INVALID, "was never in service: there is nothing to restore"):
        hosting.call("modelyard", "RestoreEndpoint", EndpointName=hosting.named("e"))
    history = hosting.call("modelyard", "ListEndpointDeployments", EndpointName=hosting.named("e"))["Deployments"]
    assert [(one["Kind"], one["Result"]) for one in history] == [("Create", "Failed")]
    hosting.sagemaker("CreateEndpoint", EndpointName=hosting.named("e"), EndpointConfigName=hosting.named("e"))


@pytest.mark.seen
def test_what_is_not_there(hosting: Endpoints) -> None:
    """In AWS's words: endpoints, configurations, models, and a second endpoint of a name."""
    name = hosting.named("nothing")
    for operation in ("DescribeEndpoint", "DeleteEndpoint"):
        with refused(INVALID, f'^Could not find endpoint "{ARN}:endpoint/{name}".$'):
            hosting.sagemaker(operation, EndpointName=name)
    with refused(INVALID, f'^Could not find endpoint configuration "{ARN}:endpoint-config/{name}".$'):
        hosting.sagemaker("CreateEndpoint", EndpointName=name, EndpointConfigName=name)
    config = hosting.config("c")
    hosting.sagemaker("DeleteModel", ModelName=config)
    with refused(INVALID, f'^Could not find model "{ARN}:model/{config}".$'):
        hosting.sagemaker("CreateEndpoint", EndpointName=name, EndpointConfigName=config)
    arn = hosting.endpoint("there")
    with refused(INVALID, f'^Cannot create already existing endpoint "{arn}".$'):
        hosting.sagemaker("CreateEndpoint", EndpointName=hosting.named("THERE"), EndpointConfigName=hosting.named("there"))


@pytest.mark.ours
def test_what_cannot_be_run(hosting: Endpoints) -> None:
    """Too many instances, alarms without CloudWatch, routing that contradicts itself, data that is gone."""
    config = hosting.config("many", {"InitialInstanceCount": 1000})
    with refused(INVALID, "at most 64 instances"):
        hosting.sagemaker("CreateEndpoint", EndpointName=config, EndpointConfigName=config)
    config = hosting.config("policy")
    routing = {"Type": "CANARY", "WaitIntervalInSeconds": 0}
    policy = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}}
    with refused(INVALID, "^CanarySize must be specified"):
        hosting.sagemaker("CreateEndpoint", EndpointName=config, EndpointConfigName=config, DeploymentConfig=policy)
    hosting.create("gone", PrimaryContainer={"Image": "i", "ModelDataUrl": hosting.uri})
    hosting.config("gone", there=True)
    hosting.call("s3", "DeleteObject", Bucket=hosting.bucket, Key="model.tar.gz")
    with refused(INVALID, f"^Could not find model data at {hosting.uri}."):
        hosting.sagemaker("CreateEndpoint", EndpointName=hosting.named("gone"), EndpointConfigName=hosting.named("gone"))


@pytest.mark.documented
def test_lists_are_sorted_filtered_and_paged(hosting: Endpoints) -> None:
    """Newest first and ten to a page unless a request says otherwise; by name, by status, by time."""
    for number in range(12):
        hosting.yard.clock.advance(1)
        hosting.endpoint(f"l{number:02}")
    mine = {"NameContains": f"-{hosting.number}"}
    first = hosting.sagemaker("ListEndpoints", **mine)
    names = [one["EndpointName"] for one in first["Endpoints"]]
    assert names == [hosting.named(f"l{number:02}") for number in range(11, 1, -1)]
    rest = hosting.sagemaker("ListEndpoints", **mine, NextToken=first["NextToken"])
    assert [one["EndpointName"] for one in rest["Endpoints"]] == [hosting.named("l01"), hosting.named("l00")]
    assert "NextToken" not in rest
    for by in ("Name", "Status"):
        found, more = [], {}
        while True:
            page = hosting.sagemaker("ListEndpoints", **mine, SortBy=by, SortOrder="Ascending", MaxResults=5, **more)
            found += [one["EndpointName"] for one in page["Endpoints"]]
            if "NextToken" not in page:
                break
            more = {"NextToken": page["NextToken"]}
        assert found == sorted(found) and len(found) == 12
    middle = first["Endpoints"][5]["CreationTime"]
    for member, count in (("CreationTimeAfter", 5), ("CreationTimeBefore", 6), ("LastModifiedTimeAfter", 5)):
        found = hosting.sagemaker("ListEndpoints", **mine, MaxResults=100, **{member: middle})["Endpoints"]
        assert len(found) == count, member
    assert hosting.sagemaker("ListEndpoints", **mine, StatusEquals="InService")["Endpoints"] == []
    assert len(hosting.sagemaker("ListEndpoints", **mine, StatusEquals="Creating", MaxResults=100)["Endpoints"]) == 12


@pytest.mark.documented
def test_who_may(hosting: Endpoints) -> None:
    """Creating needs the action on the endpoint and on the configuration; invoking is decided by the endpoint's tags, and before
    it is told whether there is one; rolling back needs what updating needs."""
    hosting.endpoint("e", Tags=[{"Key": "team", "Value": "fraud"}])

    def may(action: str, resource: str, **condition: Any) -> Any:
        return user(ACCOUNT, "one", document({"Effect": "Allow", "Action": action, "Resource": resource, **condition}))

    only_endpoint = may("sagemaker:CreateEndpoint", f"{ARN}:endpoint/*")
    with refused(DENIED, f"sagemaker:CreateEndpoint on resource: {ARN}:endpoint-config/"):
        hosting.sagemaker("CreateEndpoint", only_endpoint, EndpointName="x", EndpointConfigName=hosting.named("e"))
    for team, code in (("fraud", "ValidationError"), ("weather", DENIED)):
        condition = {"StringEquals": {"aws:ResourceTag/team": team}}
        with refused(code, "ndpoint"):
            hosting.call(
                "sagemaker-runtime",
                "InvokeEndpoint",
                may("sagemaker:InvokeEndpoint", "*", Condition=condition),
                EndpointName=hosting.named("e"),
                Body=b"x",
            )
    with refused(DENIED, "sagemaker:InvokeEndpoint"):
        hosting.call("sagemaker-runtime", "InvokeEndpoint", may("s3:*", "*"), EndpointName="nothing", Body=b"x")
    with refused(DENIED, "sagemaker:UpdateEndpoint"):
        hosting.call("modelyard", "RollbackEndpoint", may("modelyard:*", "*"), EndpointName=hosting.named("e"))
    with refused(INVALID, "Could not find endpoint"):
        hosting.sagemaker("DescribeEndpoint", user(OTHER_ACCOUNT), EndpointName=hosting.named("e"))


@pytest.mark.ours
def test_an_endpoint_is_one_servers(hosting: Endpoints) -> None:
    """What a server has is not another's; what it gives back is taken by whoever looks next."""
    hosting.endpoint("e")
    hosting.until("e", "Failed")
    with hosting.yard.house.storage.read() as tx:
        owner = tx.one("SELECT owner FROM endpoint WHERE folded = :name AND deleted IS NULL", {"name": hosting.named("e")})
    assert owner == (Serving.of(hosting.yard.house.dispatcher).ownership.name,)
