"""The rows of inference components: what is refused, what is listed, who may, on every database. What runs is a program that
cannot."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.contract.endpoints.hosting import ARN, Hosting, document, refused
from tests.harness import ACCOUNT, user

from modelyard.endpoints import scaled_variants, worker
from modelyard.registry.operations import validations

INVALID, DENIED = "ValidationException", "AccessDeniedException"
NEEDS = {"MinMemoryRequiredInMb": 256}


class Components(Hosting):
    """Components of a model whose image nobody has a recipe for, on an endpoint `host`."""

    def host(self) -> None:
        variant = {"VariantName": "v", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
        name = self.named("host")
        self.sagemaker(
            "CreateEndpointConfig", EndpointConfigName=name, ProductionVariants=[variant], ExecutionRoleArn=self.role("host")
        )
        self.sagemaker("CreateEndpoint", EndpointName=name, EndpointConfigName=name)
        self.until("ListEndpoints", "Endpoints", name, "InService")
        self.create("m", PrimaryContainer={"Image": "none/such:1"})

    def place(self, name: str, **more: Any) -> str:
        specification = {"ModelName": self.named("m"), "ComputeResourceRequirements": NEEDS}
        request = {
            "EndpointName": self.named("host"),
            "VariantName": "v",
            "Specification": specification,
            "RuntimeConfig": {"CopyCount": 1},
            **more,
        }
        given = {member: value for member, value in request.items() if value is not None}
        return str(
            self.sagemaker("CreateInferenceComponent", InferenceComponentName=self.named(name), **given)["InferenceComponentArn"]
        )

    def specified(self, **more: Any) -> dict[str, Any]:
        whole = {"ModelName": self.named("m"), "ComputeResourceRequirements": NEEDS, **more}
        return {member: value for member, value in whole.items() if value is not None}

    def described(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.sagemaker("DescribeInferenceComponent", InferenceComponentName=self.named(name))
        return found

    def until(self, operation: str, member: str, name: str, status: str | None) -> None:
        """Let the worker turn until something has a status; None for gone."""

        def done() -> bool:
            listed = self.sagemaker(operation, NameContains=name)[member]
            found = [value for one in listed for key, value in one.items() if key.endswith("Status")]
            return found == ([] if status is None else [status])

        assert worker.turn_until(self.yard.house, done, 30)

    def failed(self, name: str) -> None:
        self.until("ListInferenceComponents", "InferenceComponents", self.named(name), "Failed")


@pytest.fixture
def hosting(hosting: Hosting) -> Iterator[Components]:
    made = Components.__new__(Components)
    made.__dict__ |= hosting.__dict__
    made.host()
    yield made


@pytest.mark.documented
def test_a_component_that_fails(hosting: Components) -> None:
    """Creating, then Failed with the reason; then it can only be deleted, and its name and its endpoint are free again."""
    arn = hosting.place("c", Tags=[{"Key": "team", "Value": "fraud"}])
    shown = hosting.described("c")
    assert (shown["InferenceComponentArn"], shown["InferenceComponentStatus"]) == (arn, "Creating")
    assert shown["RuntimeConfig"] == {"DesiredCopyCount": 1, "CurrentCopyCount": 0}
    assert shown["EndpointArn"] == f"{ARN}:endpoint/{hosting.named('host')}"
    assert hosting.sagemaker("ListTags", ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "fraud"}]
    with refused(INVALID, f'^Cannot create already existing inference component "{arn}".$'):
        hosting.place("C")
    with refused(INVALID, f'^Cannot update in-progress inference component "{arn}".$'):
        hosting.sagemaker("DeleteInferenceComponent", InferenceComponentName=hosting.named("c"))
    hosting.failed("c")
    assert hosting.described("c")["FailureReason"] == "There is no recipe for the image none/such:1 on this server."
    with refused(INVALID, "it can only be deleted"):
        hosting.sagemaker(
            "UpdateInferenceComponentRuntimeConfig",
            InferenceComponentName=hosting.named("c"),
            DesiredRuntimeConfig={"CopyCount": 2},
        )
    with refused(INVALID, "^Cannot delete endpoint with inference component associated"):
        hosting.sagemaker("DeleteEndpoint", EndpointName=hosting.named("host"))
    hosting.sagemaker("DeleteInferenceComponent", InferenceComponentName=hosting.named("c"))
    hosting.until("ListInferenceComponents", "InferenceComponents", hosting.named("c"), None)
    with refused(INVALID, f'^Could not find inference component "{arn}".$'):
        hosting.described("c")
    hosting.place("c")
    hosting.failed("c")
    assert hosting.sagemaker("ListTags", ResourceArn=arn)["Tags"] == []


@pytest.mark.ours
def test_a_component_that_goes_is_not_scaled_any_more(hosting: Components) -> None:
    """Deleting it deregisters it, for who may do that, and only by the name that it was made with it can be registered."""
    hosting.place("c")
    hosting.failed("c")

    def scaling(operation: str, name: str, **more: Any) -> Any:
        aim = {"ResourceId": f"inference-component/{name}", "ScalableDimension": scaled_variants.COPIES}
        return hosting.call("application-autoscaling", operation, ServiceNamespace="sagemaker", **aim, **more)

    name, bounds = hosting.named("c"), {"MinCapacity": 2, "MaxCapacity": 3}
    with refused(INVALID, "Could not find inference component"):
        scaling("RegisterScalableTarget", name.upper(), **bounds)
    scaling("RegisterScalableTarget", name, **bounds)
    weak = user(ACCOUNT, "weak", document({"Effect": "Allow", "Action": "sagemaker:*", "Resource": "*"}))
    with refused(INVALID, "scalable target exists for an inference component being deleted, .* invoke DeleteInferenceComponent"):
        hosting.sagemaker("DeleteInferenceComponent", weak, InferenceComponentName=name)
    assert hosting.described("c")["InferenceComponentStatus"] == "Failed"
    hosting.sagemaker("DeleteInferenceComponent", InferenceComponentName=name)
    with refused("ObjectNotFoundException", "No scalable target found"):
        scaling("DeregisterScalableTarget", name)


@pytest.mark.documented
@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"EndpointName": "nothing"}, 'Could not find endpoint ".*:endpoint/nothing"'),
        ({"VariantName": "other"}, r'variant name\(s\) "other" is/are not present within endpoint configuration'),
        ({"VariantName": None}, "VariantName must be specified"),
        ({"Specification": None}, "Specification must be specified"),
        ({"RuntimeConfig": None}, "RuntimeConfig must be specified"),
        ({"RuntimeConfig": {"CopyCount": 0}}, "copy count an integer larger than 0"),
        ({"RuntimeConfig": {"CopyCount": 65}}, "at most 64 copies"),
        ({"RuntimeConfig": {"CopyCount": 17}}, r"take 2 instance\(s\), and it can have 1"),
    ],
)
def test_requests_that_are_refused(hosting: Components, changed: dict[str, Any], text: str) -> None:
    """What has to be there, and what there has to be room for."""
    with refused(INVALID, text):
        hosting.place("c", **changed)


@pytest.mark.documented
@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"ModelName": None}, "One of ModelName and Container"),
        ({"ModelName": "nothing"}, "Could not find model"),
        ({"Container": {"Image": "i"}}, "One of ModelName and Container"),
        ({"ModelName": None, "Container": {}}, "needs an Image"),
        ({"ModelName": None, "Container": {"Image": "i", "ArtifactUrl": "s3://nothing/m.tar.gz"}}, None),
        ({"ComputeResourceRequirements": None}, "ComputeResourceRequirements must be specified"),
        ({"ComputeResourceRequirements": {"MinMemoryRequiredInMb": 5000}}, "an instance has 2 CPU cores and 4096 MB"),
        ({"ComputeResourceRequirements": {**NEEDS, "NumberOfCpuCoresRequired": 3.0}}, "A copy takes 3 CPU cores"),
        ({"ComputeResourceRequirements": {**NEEDS, "NumberOfAcceleratorDevicesRequired": 1.0}}, "no accelerator devices"),
        ({"ComputeResourceRequirements": {**NEEDS, "MaxMemoryRequiredInMb": 128}}, "must not be less than"),
        ({"InstanceType": "ml.m5.large"}, "an InstanceType of its own"),
        ({"BaseInferenceComponentName": "base"}, "adapters of a base inference component, which this server does not have"),
    ],
)
def test_specifications_that_are_refused(hosting: Components, changed: dict[str, Any], text: str | None) -> None:
    """One model, of what there is, that an instance has room for; what cannot be looked up is accepted, as for models."""
    if text is None:
        hosting.place("c", Specification=hosting.specified(**changed))
        hosting.failed("c")
        return
    with refused(INVALID, text):
        hosting.place("c", Specification=hosting.specified(**changed))


@pytest.mark.ours
def test_no_component_is_of_what_is_validated(hosting: Components) -> None:
    """The model of a validation is of a version that is not Completed: it cannot be had as a component either."""
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": hosting.uri}}
    job = {
        "TransformInput": {"DataSource": source},
        "TransformOutput": {"S3OutputPath": f"s3://{hosting.bucket}/out"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    profiles = [{"ProfileName": "smoke", "TransformJobDefinition": job}]
    specification = {"ValidationRole": hosting.role("validates"), "ValidationProfiles": profiles}
    package = hosting.register(ValidationSpecification=specification)
    validations.look(hosting.yard.house.dispatcher)
    with hosting.yard.house.storage.read() as tx:
        row = tx.one("SELECT name FROM package_validation WHERE arn = :arn", {"arn": package})
    assert row is not None
    with refused(INVALID, "is there for the validation of its model package"):
        hosting.place("c", Specification=hosting.specified(ModelName=row[0]))


@pytest.mark.ours
def test_endpoints_that_are_refused(hosting: Components) -> None:
    """Variants with a model of their own take no components, and those of components stand beside no others."""
    own = {"VariantName": "o", "ModelName": hosting.named("m"), "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    empty = {name: value for name, value in own.items() if name != "ModelName"} | {"VariantName": "e"}
    mixed, captured = hosting.named("mixed"), hosting.named("captured")
    role = hosting.role("mixed")
    hosting.sagemaker("CreateEndpointConfig", EndpointConfigName=mixed, ProductionVariants=[own, empty], ExecutionRoleArn=role)
    with refused(INVALID, "inference components beside variants that have a ModelName, which this server does not have"):
        hosting.sagemaker("CreateEndpoint", EndpointName=mixed, EndpointConfigName=mixed)
    hosting.sagemaker(
        "CreateEndpointConfig",
        EndpointConfigName=captured,
        ProductionVariants=[empty],
        ExecutionRoleArn=role,
        AsyncInferenceConfig={"OutputConfig": {"S3OutputPath": "s3://b/o"}},
    )
    with refused(INVALID, "AsyncInferenceConfig"):
        hosting.sagemaker("CreateEndpoint", EndpointName=captured, EndpointConfigName=captured)
    serverless = hosting.named("serverless")
    variant = {"VariantName": "s", "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1}}
    hosting.sagemaker("CreateEndpointConfig", EndpointConfigName=serverless, ProductionVariants=[variant], ExecutionRoleArn=role)
    with refused(INVALID, "inference components on variants without an InstanceType"):
        hosting.sagemaker("CreateEndpoint", EndpointName=serverless, EndpointConfigName=serverless)
    many = {"Image": "i", "Mode": "MultiModel", "ModelDataUrl": f"s3://{hosting.bucket}/models"}
    hosting.create("many", PrimaryContainer=many, ExecutionRoleArn=role)
    with refused(INVALID, "has many models, and an inference component has one"):
        hosting.place("c", Specification=hosting.specified(ModelName=hosting.named("many")))


@pytest.mark.documented
def test_lists_are_sorted_filtered_and_paged(hosting: Components) -> None:
    """Newest first and ten to a page unless a request says otherwise; by name, by status, by endpoint and variant."""
    for number in range(12):
        hosting.yard.clock.advance(1)
        hosting.place(f"l{number:02}")
    mine = {"NameContains": f"-{hosting.number}"}
    first = hosting.sagemaker("ListInferenceComponents", **mine)
    names = [one["InferenceComponentName"] for one in first["InferenceComponents"]]
    assert names == [hosting.named(f"l{number:02}") for number in range(11, 1, -1)]
    rest = hosting.sagemaker("ListInferenceComponents", **mine, NextToken=first["NextToken"])
    assert [one["InferenceComponentName"] for one in rest["InferenceComponents"]] == [hosting.named("l01"), hosting.named("l00")]
    assert "NextToken" not in rest
    for by in ("Name", "Status"):
        found, more = [], {}
        while True:
            page = hosting.sagemaker("ListInferenceComponents", **mine, SortBy=by, SortOrder="Ascending", MaxResults=5, **more)
            found += [one["InferenceComponentName"] for one in page["InferenceComponents"]]
            if "NextToken" not in page:
                break
            more = {"NextToken": page["NextToken"]}
        assert found == sorted(found) and len(found) == 12
    for member, value, count in (
        ("EndpointNameEquals", hosting.named("host"), 12),
        ("EndpointNameEquals", "nothing", 0),
        ("VariantNameEquals", "v", 12),
        ("VariantNameEquals", "w", 0),
        ("CreationTimeAfter", first["InferenceComponents"][5]["CreationTime"], 5),
        ("StatusEquals", "InService", 0),
    ):
        listed = hosting.sagemaker("ListInferenceComponents", **mine, MaxResults=100, **{member: value})["InferenceComponents"]
        assert len(listed) == count, member


@pytest.mark.documented
def test_who_may(hosting: Components) -> None:
    """Creating needs the action on the component and on its endpoint; everything else what a component's tags decide."""
    hosting.place("c", Tags=[{"Key": "team", "Value": "fraud"}])

    def may(action: str, resource: str, **condition: Any) -> Any:
        return user(ACCOUNT, "one", document({"Effect": "Allow", "Action": action, "Resource": resource, **condition}))

    request = {
        "InferenceComponentName": "x",
        "EndpointName": hosting.named("host"),
        "VariantName": "v",
        "Specification": hosting.specified(),
        "RuntimeConfig": {"CopyCount": 1},
    }
    create = "sagemaker:CreateInferenceComponent"
    for resource, lacking in (("inference-component/*", "endpoint/"), ("endpoint/*", "inference-component/x")):
        with refused(DENIED, f"{create} on resource: {ARN}:{lacking}"):
            hosting.sagemaker("CreateInferenceComponent", may(create, f"{ARN}:{resource}"), **request)
    for team in ("fraud", "weather"):
        condition = {"StringEquals": {"aws:ResourceTag/team": team}}
        who = may("sagemaker:DescribeInferenceComponent", "*", Condition=condition)
        if team == "fraud":
            hosting.sagemaker("DescribeInferenceComponent", who, InferenceComponentName=hosting.named("c"))
            continue
        with refused(DENIED, "sagemaker:DescribeInferenceComponent"):
            hosting.sagemaker("DescribeInferenceComponent", who, InferenceComponentName=hosting.named("c"))
    hosting.failed("c")
