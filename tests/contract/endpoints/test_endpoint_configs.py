"""Endpoint configurations, on every database."""

from typing import Any

import pytest
from tests.contract.endpoints.hosting import ARN, Hosting, document, refused
from tests.harness import ACCOUNT, START, user

INVALID, DENIED = "ValidationException", "AccessDeniedException"
LARGE = {"InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
SERVERLESS = {"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5}}
CAPTURE = {
    "InitialSamplingPercentage": 50,
    "DestinationS3Uri": "s3://b/",
    "CaptureOptions": [{"CaptureMode": "Input"}],
}
ASYNCHRONOUS = {"OutputConfig": {"S3OutputPath": "s3://b/"}}


@pytest.fixture
def model(hosting: Hosting) -> str:
    """A model to run; its name."""
    hosting.create("model", PrimaryContainer={"Image": "image"})
    return hosting.named("model")


def make(hosting: Hosting, name: str, *variants: dict[str, Any], **members: Any) -> str:
    """A configuration; its ARN."""
    named = hosting.named(name)
    made = hosting.sagemaker("CreateEndpointConfig", EndpointConfigName=named, ProductionVariants=list(variants), **members)
    return str(made["EndpointConfigArn"])


@pytest.mark.seen
def test_a_configuration_is_made_described_listed_and_deleted(hosting: Hosting, model: str) -> None:
    """What was given comes back, with a weight of 1 for who names none, and AWS's texts when it is there twice or not at all."""
    arn = f"{ARN}:endpoint-config/first-{hosting.number}"
    variants = [
        {"VariantName": "a", "ModelName": model, **LARGE},
        {"VariantName": "b", "ModelName": model, **LARGE, "InitialVariantWeight": 0.5},
    ]
    assert make(hosting, "First", *variants, DataCaptureConfig=CAPTURE, KmsKeyId="alias/k") == arn
    named = {"EndpointConfigName": hosting.named("First")}
    described = hosting.sagemaker("DescribeEndpointConfig", **named)
    assert described.pop("CreationTime") >= START
    assert described == {
        **named,
        "EndpointConfigArn": arn,
        "ProductionVariants": [{"InitialVariantWeight": 1.0, **variants[0]}, variants[1]],
        "DataCaptureConfig": CAPTURE,
        "KmsKeyId": "alias/k",
    }
    [listed] = hosting.sagemaker("ListEndpointConfigs", NameContains=str(hosting.number))["EndpointConfigs"]
    assert (listed["EndpointConfigName"], listed["EndpointConfigArn"], len(listed)) == (hosting.named("First"), arn, 3)
    with refused(INVALID, f'^Cannot create already existing endpoint configuration "{arn}".$'):
        make(hosting, "first", *variants)
    hosting.sagemaker("DeleteModel", ModelName=model)  # it is in use, which hinders nobody
    hosting.sagemaker("AddTags", ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    hosting.sagemaker("DeleteEndpointConfig", **named)
    for operation in ("DescribeEndpointConfig", "DeleteEndpointConfig"):
        with refused(INVALID, f'^Could not find endpoint configuration "{arn}".$'):
            hosting.sagemaker(operation, **named)
    with refused(INVALID, "does not exist"):
        hosting.sagemaker("ListTags", ResourceArn=arn)


@pytest.mark.seen
def test_the_models_of_variants_must_be_there(hosting: Hosting, model: str) -> None:
    """Also those of shadow variants and of instance pools; an endpoint of inference components has none yet."""
    missing = f'^Could not find model "{ARN}:model/none".$'
    here, nowhere = ({"VariantName": name, "ModelName": of, **LARGE} for name, of in (("a", model), ("b", "None")))
    with refused(INVALID, missing):
        make(hosting, "c", here, nowhere)
    with refused(INVALID, missing):
        make(hosting, "c", here, ShadowProductionVariants=[nowhere])
    pool = {"InstanceType": "ml.m5.large", "ModelNameOverride": "none", "Priority": 1}
    with refused(INVALID, missing):
        make(hosting, "c", {"VariantName": "a", "ModelName": model, "InstancePools": [pool], "InitialInstanceCount": 1})
    components = {"VariantName": "a", **LARGE}
    with refused(INVALID, "needs a ModelName"):
        make(hosting, "c", components)
    with refused(INVALID, "Could not assume role"):
        make(hosting, "c", components, ExecutionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/nobody")
    make(hosting, "c", components, ExecutionRoleArn=hosting.role("components"))


@pytest.mark.documented
@pytest.mark.parametrize(
    ("variants", "members", "match"),
    [
        ([{"VariantName": "a", **LARGE}, {"VariantName": "a", **LARGE}], {}, "variant name a is not unique"),
        ([{"VariantName": "a"}], {}, "needs one of ServerlessConfig, InstanceType"),
        ([{"VariantName": "a", "InstanceType": "ml.m5.large"}], {}, "needs an InitialInstanceCount"),
        ([{"VariantName": "a", **LARGE, **SERVERLESS}], {}, "has a ServerlessConfig, and so cannot have InstanceType"),
        ([{"VariantName": "a", "ServerlessConfig": {"MemorySizeInMB": 1500, "MaxConcurrency": 1}}], {}, "multiple of 1024"),
        ([{"VariantName": "a", "ServerlessConfig": {"MemorySizeInMB": 7168, "MaxConcurrency": 1}}], {}, "equal to 6144"),
        (
            [
                {
                    "VariantName": "a",
                    "ServerlessConfig": {**SERVERLESS["ServerlessConfig"], "ProvisionedConcurrency": 6},
                }
            ],
            {},
            "ProvisionedConcurrency of the variant a is greater",
        ),
        ([{"VariantName": "a", **SERVERLESS}, {"VariantName": "b", **LARGE}], {}, "can have no other variant"),
        ([{"VariantName": "a", **SERVERLESS}], {"DataCaptureConfig": CAPTURE}, "DataCaptureConfig cannot be specified"),
        ([{"VariantName": "a", **SERVERLESS}], {"AsyncInferenceConfig": ASYNCHRONOUS}, "AsyncInferenceConfig cannot be"),
        ([{"VariantName": "a", **LARGE, "InitialVariantWeight": 0.0}], {}, "InitialVariantWeight greater than 0"),
        ([{"VariantName": "a", **LARGE}] * 11, {}, "less than or equal to 10"),
        (
            [{"VariantName": "a", **LARGE}, {"VariantName": "b", **LARGE}],
            {"AsyncInferenceConfig": ASYNCHRONOUS},
            "one production variant only",
        ),
        (
            [{"VariantName": "a", **LARGE}],
            {"ShadowProductionVariants": [{"VariantName": name, "ModelName": "m", **LARGE} for name in "bc"]},
            "exactly one production variant and one shadow",
        ),
        (
            [{"VariantName": "a", **LARGE}],
            {"ShadowProductionVariants": [{"VariantName": "a", "ModelName": "m", **LARGE}]},
            "not unique",
        ),
        (
            [{"VariantName": "a", **LARGE, "ManagedInstanceScaling": {"MinInstanceCount": 3, "MaxInstanceCount": 2}}],
            {},
            "MinInstanceCount of the variant a is greater",
        ),
    ],
)
def test_what_makes_no_configuration(
    hosting: Hosting, model: str, variants: list[dict[str, Any]], members: dict[str, Any], match: str
) -> None:
    """Variants that contradict each other, or what AWS documents as not to be had together, make no configuration."""
    with refused(INVALID, match):
        make(hosting, "none", *({"ModelName": model, **variant} for variant in variants), **members)
    assert hosting.sagemaker("ListEndpointConfigs", NameContains=hosting.named("none"))["EndpointConfigs"] == []


@pytest.mark.documented
def test_what_can_be_had(hosting: Hosting, model: str) -> None:
    """Serverless, asynchronous and shadow variants are described as they were given."""
    make(hosting, "s", {"VariantName": "a", "ModelName": model, **SERVERLESS})
    make(hosting, "q", {"VariantName": "a", "ModelName": model, **LARGE}, AsyncInferenceConfig=ASYNCHRONOUS)
    shadow = {"VariantName": "b", "ModelName": model, **LARGE, "InitialVariantWeight": 2.0}
    make(hosting, "d", {"VariantName": "a", "ModelName": model, **LARGE}, ShadowProductionVariants=[shadow])
    described = [hosting.sagemaker("DescribeEndpointConfig", EndpointConfigName=hosting.named(name)) for name in ("s", "q", "d")]
    assert described[0]["ProductionVariants"][0]["ServerlessConfig"] == SERVERLESS["ServerlessConfig"]
    assert described[1]["AsyncInferenceConfig"] == ASYNCHRONOUS
    assert described[2]["ShadowProductionVariants"] == [shadow]


@pytest.mark.documented
def test_policies_may_ask_for_instances_and_models(hosting: Hosting, model: str) -> None:
    """The condition keys of the service authorization reference: types of instances, models, and the tags on the request."""
    condition = {
        "ForAllValues:StringEquals": {"sagemaker:InstanceTypes": ["ml.m5.large"]},
        "StringEquals": {"aws:RequestTag/team": "weather"},
        "ArnEquals": {"sagemaker:ModelArn": f"{ARN}:model/{model}"},
    }
    statement = {"Effect": "Allow", "Action": "sagemaker:*", "Resource": "*", "Condition": condition}
    weather = user(ACCOUNT, "weather", document(statement))
    request: dict[str, Any] = {
        "EndpointConfigName": hosting.named("p"),
        "Tags": [{"Key": "team", "Value": "weather"}],
        "ProductionVariants": [{"VariantName": "a", "ModelName": model, **LARGE}],
    }
    dear = [{"VariantName": "a", "ModelName": model, **LARGE, "InstanceType": "ml.p4d.24xlarge"}]
    for wrong in ({**request, "ProductionVariants": dear}, {**request, "Tags": []}):
        with refused(DENIED, "sagemaker:CreateEndpointConfig on resource"):
            hosting.sagemaker("CreateEndpointConfig", weather, **wrong)
    arn = hosting.sagemaker("CreateEndpointConfig", weather, **request)["EndpointConfigArn"]
    assert hosting.sagemaker("ListTags", ResourceArn=arn)["Tags"] == request["Tags"]
