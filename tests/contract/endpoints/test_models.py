"""Models of images and files, on every database."""

from typing import Any

import pytest
from tests.contract.endpoints.hosting import ARN, TRUST, Hosting, document, refused
from tests.harness import ACCOUNT, OTHER_ACCOUNT, START, user

INVALID, DENIED = "ValidationException", "AccessDeniedException"
IMAGE = {"Image": "image:1"}
VARIANT = {"VariantName": "v", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}


@pytest.mark.seen
def test_a_model_is_made_described_and_deleted(hosting: Hosting) -> None:
    """Describe answers what was given, and the texts of what is there twice or not at all are AWS's."""
    arn = f"{ARN}:model/first-{hosting.number}"
    network = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    container = {**IMAGE, "ModelDataUrl": "s3://elsewhere/model.tar.gz", "Environment": {"A": "b"}}
    made = hosting.create("First", PrimaryContainer=container, VpcConfig=network, EnableNetworkIsolation=True)
    assert made == arn
    described = hosting.described("First")
    assert described.pop("CreationTime") >= START
    assert described == {
        "ModelName": hosting.named("First"),
        "ModelArn": arn,
        "PrimaryContainer": {"Mode": "SingleModel", **container},
        "VpcConfig": network,
        "EnableNetworkIsolation": True,
    }
    with refused(INVALID, f'^Cannot create already existing model "{arn}".$'):
        hosting.create("fIRST", PrimaryContainer=IMAGE)
    hosting.sagemaker("DeleteModel", ModelName=hosting.named("First"))
    for operation in ("DescribeModel", "DeleteModel"):
        with refused(INVALID, f'^Could not find model "{arn}".$'):
            hosting.sagemaker(operation, ModelName=hosting.named("First"))


HOSTS = [{**IMAGE, "ContainerHostname": "a"}, {**IMAGE, "ContainerHostname": "b"}]


@pytest.mark.documented
@pytest.mark.parametrize(
    ("members", "match"),
    [
        ({}, "One of PrimaryContainer and Containers"),
        ({"Containers": []}, "One of PrimaryContainer and Containers"),
        ({"PrimaryContainer": IMAGE, "Containers": [IMAGE]}, "cannot both be specified"),
        ({"PrimaryContainer": {}}, "One of Image and ModelPackageName must be specified in PrimaryContainer"),
        ({"Containers": [IMAGE, {"ModelPackageName": "p", "Image": "i"}]}, r"Image and ModelPackageName .* in Containers\[1\]"),
        ({"PrimaryContainer": {"ModelPackageName": "p", "ModelDataUrl": "s3://b/k"}}, "ModelDataUrl and ModelPackageName"),
        ({"PrimaryContainer": {**IMAGE, "InferenceSpecificationName": "s"}}, "only be specified with a ModelPackageName"),
        ({"PrimaryContainer": {**IMAGE, "Mode": "MultiModel"}}, "needs a ModelDataUrl"),
        ({"Containers": [IMAGE] * 16}, "less than or equal to 15"),
        ({"Containers": [HOSTS[0], HOSTS[0]]}, "unique"),
        ({"Containers": [HOSTS[0], IMAGE]}, "for every container of a model, or for none"),
        ({"Containers": [IMAGE, IMAGE], "InferenceExecutionConfig": {"Mode": "Direct"}}, "need a ContainerHostname"),
        ({"PrimaryContainer": IMAGE, "InferenceExecutionConfig": {"Mode": "Serial"}}, "only be specified with Containers"),
        ({"PrimaryContainer": {**IMAGE, "Mode": "Other"}}, r"enum value set: \["),
    ],
)
def test_what_makes_no_model(hosting: Hosting, members: dict[str, Any], match: str) -> None:
    """Containers that contradict each other, or are too many, make no model."""
    with refused(INVALID, match):
        hosting.create("none", **members)
    assert "Models" in hosting.sagemaker("ListModels", NameContains=hosting.named("none"))
    assert hosting.sagemaker("ListModels", NameContains=hosting.named("none"))["Models"] == []


@pytest.mark.documented
def test_containers_in_a_row(hosting: Hosting) -> None:
    """Several containers, invoked one by one, keep their order; empty members are left out of the answer."""
    hosting.create("row", Containers=[{**HOSTS[0], "Environment": {}}, HOSTS[1]], InferenceExecutionConfig={"Mode": "Direct"})
    described = hosting.described("row")
    assert described["Containers"] == [{"Mode": "SingleModel", **host} for host in HOSTS]
    assert described["InferenceExecutionConfig"] == {"Mode": "Direct"}
    assert "PrimaryContainer" not in described


@pytest.mark.documented
def test_models_are_listed_newest_first(hosting: Hosting) -> None:
    """Pages miss and repeat nothing; by name, by time, between times, and only the caller's."""
    names = ["c", "A", "b"]
    for name in names:
        hosting.yard.clock.advance(1)
        hosting.create(name, PrimaryContainer=IMAGE)
    hosting.call("sagemaker", "CreateModel", region="eu-west-1", ModelName=hosting.named("d"), PrimaryContainer=IMAGE)

    def listed(**query: Any) -> list[str]:
        found, token = [], {}
        while True:
            page = hosting.sagemaker("ListModels", NameContains=str(hosting.number), MaxResults=2, **query, **token)
            found += [one["ModelName"].partition("-")[0] for one in page["Models"]]
            if "NextToken" not in page:
                return found
            token = {"NextToken": page["NextToken"]}

    assert listed() == ["b", "A", "c"]
    assert listed(SortOrder="Ascending") == ["c", "A", "b"]
    assert listed(SortBy="Name") == ["c", "b", "A"]
    assert listed(SortBy="Name", SortOrder="Ascending") == ["A", "b", "c"]
    middle = hosting.described("A")["CreationTime"]
    assert (listed(CreationTimeAfter=middle), listed(CreationTimeBefore=middle)) == (["b"], ["c"])
    first = hosting.sagemaker("ListModels", NameContains=str(hosting.number), MaxResults=1)
    assert set(first["Models"][0]) == {"ModelName", "ModelArn", "CreationTime"}
    with refused(INVALID, "token"):
        hosting.sagemaker("ListModels", NextToken=first["NextToken"])
    assert hosting.sagemaker("ListModels", user(OTHER_ACCOUNT), NameContains=str(hosting.number))["Models"] == []


@pytest.mark.ours
def test_lists_show_what_the_caller_may_see(hosting: Hosting) -> None:
    """Who may list by a tag, or by a name, gets those models and configurations alone, and full pages of them."""
    for number in range(6):
        team = "weather" if number % 2 else "fraud"
        hosting.create(f"m{number}", PrimaryContainer=IMAGE, Tags=[{"Key": "team", "Value": team}])
        hosting.sagemaker(
            "CreateEndpointConfig",
            EndpointConfigName=hosting.named(f"{team}-{number}"),
            ProductionVariants=[{**VARIANT, "ModelName": hosting.named(f"m{number}")}],
        )
    condition = {"StringEquals": {"aws:ResourceTag/team": "weather"}}
    weather = user(
        ACCOUNT,
        "weather",
        document(
            {"Effect": "Allow", "Action": "sagemaker:ListModels", "Resource": "*", "Condition": condition},
            {"Effect": "Allow", "Action": "sagemaker:ListEndpointConfigs", "Resource": f"{ARN}:endpoint-config/weather-*"},
        ),
    )
    first = hosting.sagemaker("ListModels", weather, NameContains=str(hosting.number), MaxResults=2)
    then = hosting.sagemaker("ListModels", weather, NameContains=str(hosting.number), MaxResults=2, NextToken=first["NextToken"])
    names = [one["ModelName"] for one in first["Models"] + then["Models"]]
    assert names == [hosting.named(name) for name in ("m5", "m3", "m1")] and "NextToken" not in then
    configs = hosting.sagemaker("ListEndpointConfigs", weather, NameContains=str(hosting.number))["EndpointConfigs"]
    assert [one["EndpointConfigName"] for one in configs] == [hosting.named(f"weather-{n}") for n in (5, 3, 1)]


@pytest.mark.documented
def test_tags(hosting: Hosting) -> None:
    """A model carries tags, policies see them, and they go with it."""
    arn = hosting.create("tagged", PrimaryContainer=IMAGE, Tags=[{"Key": "team", "Value": "weather"}])
    hosting.sagemaker("AddTags", ResourceArn=arn, Tags=[{"Key": "stage", "Value": "test"}])
    assert len(hosting.sagemaker("ListTags", ResourceArn=arn)["Tags"]) == 2
    condition = {"StringEquals": {"aws:ResourceTag/team": "weather"}}
    mine = document({"Effect": "Allow", "Action": "sagemaker:*", "Resource": "*", "Condition": condition})
    weather = user(ACCOUNT, "weather", mine)
    assert hosting.sagemaker("DescribeModel", weather, ModelName=hosting.named("tagged"))["ModelArn"] == arn
    hosting.sagemaker("DeleteTags", ResourceArn=arn, TagKeys=["team"])
    with refused(DENIED, "no identity-based policy allows the sagemaker:DescribeModel action"):
        hosting.sagemaker("DescribeModel", weather, ModelName=hosting.named("tagged"))
    hosting.sagemaker("DeleteModel", ModelName=hosting.named("tagged"))
    with refused(INVALID, "does not exist"):
        hosting.sagemaker("ListTags", ResourceArn=arn)
    hosting.create("tagged", PrimaryContainer=IMAGE)
    assert hosting.sagemaker("ListTags", ResourceArn=arn)["Tags"] == []


@pytest.mark.documented
def test_creating_with_tags_takes_the_permission_to_tag(hosting: Hosting) -> None:
    """Tags need sagemaker:AddTags, and networks can be asked for by policies."""
    allowed = {"Effect": "Allow", "Action": "sagemaker:CreateModel", "Resource": "*"}
    creator = user(ACCOUNT, "creator", document(allowed))
    with refused(DENIED, "sagemaker:AddTags"):
        hosting.create("t", creator, PrimaryContainer=IMAGE, Tags=[{"Key": "a", "Value": "b"}])
    inside = {
        "Condition": {
            "ForAllValues:StringEquals": {"sagemaker:VpcSubnets": ["inside"]},
            "Null": {"sagemaker:VpcSubnets": "false"},
        }
    }
    bound = user(ACCOUNT, "bound", document({**allowed, **inside}))
    with refused(DENIED, "sagemaker:CreateModel"):
        hosting.create("t", bound, PrimaryContainer=IMAGE)
    hosting.create("t", bound, PrimaryContainer=IMAGE, VpcConfig={"SecurityGroupIds": ["s"], "Subnets": ["inside"]})


@pytest.mark.documented
def test_the_execution_role(hosting: Hosting) -> None:
    """The caller must be let pass the role, and SageMaker assume it."""
    role = hosting.role("runs")
    may_not = user(ACCOUNT, "poor", document({"Effect": "Allow", "Action": "sagemaker:*", "Resource": "*"}))
    with refused(DENIED, "iam:PassRole on resource: " + role):
        hosting.create("role", may_not, PrimaryContainer=IMAGE, ExecutionRoleArn=role)
    other = hosting.role("lambda", trust=document({**TRUST, "Principal": {"Service": "lambda.amazonaws.com"}}))
    for wrong in (other, f"arn:aws:iam::{ACCOUNT}:role/nobody"):
        with refused(INVALID, f"Could not assume role {wrong}. Please ensure that the role exists"):
            hosting.create("role", PrimaryContainer=IMAGE, ExecutionRoleArn=wrong)
    hosting.create("role", PrimaryContainer=IMAGE, ExecutionRoleArn=role)
    assert hosting.described("role")["ExecutionRoleArn"] == role


@pytest.mark.documented
def test_the_execution_role_may_trust_for_an_account_alone(hosting: Hosting) -> None:
    """Trust under aws:SourceAccount and aws:SourceArn, against confused deputies, is enough for what they name."""

    def role(name: str, account: str, kind: str) -> str:
        source = {"aws:SourceArn": f"arn:aws:sagemaker:*:*:{kind}/*"}
        condition = {"StringEquals": {"aws:SourceAccount": account}, "ArnLike": source}
        return hosting.role(name, trust=document({**TRUST, "Condition": condition}))

    hosting.create("narrow", PrimaryContainer=IMAGE, ExecutionRoleArn=role("ours", ACCOUNT, "model"))
    for other in (role("theirs", OTHER_ACCOUNT, "model"), role("jobs", ACCOUNT, "training-job")):
        with refused(INVALID, f"Could not assume role {other}"):
            hosting.create("other", PrimaryContainer=IMAGE, ExecutionRoleArn=other)


@pytest.mark.ours
def test_model_data_must_be_there_for_the_role(hosting: Hosting) -> None:
    """Files in a bucket of this server are looked up as the execution role, or as the caller; elsewhere they cannot be."""
    container = {**IMAGE, "ModelDataUrl": hosting.uri}
    poor = hosting.role("poor", document({"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}))
    why = f"No policy of {poor} in account {ACCOUNT} allows s3:GetObject on arn:aws:s3:::{hosting.bucket}/model.tar.gz."
    with refused(INVALID, f"^Could not access model data at {hosting.uri}. {why}$"):
        hosting.create("data", PrimaryContainer=container, ExecutionRoleArn=poor)
    statements = [{"Effect": effect, "Action": action, "Resource": "*"} for effect, action in (("Allow", "*"), ("Deny", "s3:*"))]
    with refused(INVALID, f"A policy of arn:aws:iam::{ACCOUNT}:user/blind in account {ACCOUNT} denies s3:GetObject"):
        hosting.create("data", user(ACCOUNT, "blind", document(*statements)), PrimaryContainer=container)
    missing = f"s3://{hosting.bucket}/nothing.tar.gz"
    with refused(INVALID, f"Could not find model data at {missing}. There is no object"):
        hosting.create("data", PrimaryContainer={**IMAGE, "ModelDataUrl": missing})
    prefix = {"S3DataSource": {"S3Uri": f"s3://{hosting.bucket}/", "S3DataType": "S3Prefix", "CompressionType": "None"}}
    with refused(INVALID, f"No policy of {poor} in account {ACCOUNT} allows s3:ListBucket on arn:aws:s3:::{hosting.bucket}."):
        hosting.create("data", PrimaryContainer={**IMAGE, "ModelDataSource": prefix}, ExecutionRoleArn=poor)
    hosting.create("data", PrimaryContainer={**IMAGE, "ModelDataSource": prefix}, ExecutionRoleArn=hosting.role("rich"))
    hosting.create("several", PrimaryContainer={**IMAGE, "Mode": "MultiModel", "ModelDataUrl": missing})
    integrity = hosting.integrity("data")
    assert integrity["Status"] == "Unverified" and integrity["Containers"][0]["Location"] == "PrimaryContainer"
    assert [one["Kind"] for one in integrity["Containers"][0]["Artifacts"]] == ["Image", "Prefix"]
