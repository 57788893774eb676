"""Model packages: what is kept, how numbers are given, and what may become of a version."""

import json
from typing import Any

import pytest
from tests.harness import OTHER_ACCOUNT, Yard, user

from modelyard.aws.errors import AccessDeniedException, ConflictException, ValidationException

SPECIFICATION = {
    "Containers": [{"Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/sklearn:1", "ModelDataUrl": "s3://b/model.tar.gz"}],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}


@pytest.fixture
def registry(yard_in_process: Yard) -> "Registry":
    """A registry with one group, AutoGluonModelGroup."""
    yard_in_process.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="AutoGluonModelGroup")
    return Registry(yard_in_process)


class Registry:
    """The calls that these tests make, in short."""

    def __init__(self, yard: Yard) -> None:
        self.yard = yard

    def register(self, group: str = "AutoGluonModelGroup", **members: Any) -> str:
        answer = self.yard.call("sagemaker", "CreateModelPackage", ModelPackageGroupName=group, **members)
        return str(answer["ModelPackageArn"])

    def describe(self, name: str) -> dict[str, Any]:
        described: dict[str, Any] = self.yard.call("sagemaker", "DescribeModelPackage", ModelPackageName=name)
        return described

    def update(self, arn: str, **members: Any) -> None:
        assert self.yard.call("sagemaker", "UpdateModelPackage", ModelPackageArn=arn, **members) == {"ModelPackageArn": arn}

    def versions(self, **members: Any) -> list[int]:
        answer = self.yard.call("sagemaker", "ListModelPackages", ModelPackageGroupName="AutoGluonModelGroup", **members)
        return [summary["ModelPackageVersion"] for summary in answer["ModelPackageSummaryList"]]


@pytest.mark.seen
def test_version_arn_has_the_group_in_lower_case(registry: Registry) -> None:
    """Versions count from 1 and their ARN lower-cases the group, as the mission's own output shows."""
    assert registry.register() == "arn:aws:sagemaker:us-east-1:111122223333:model-package/autogluonmodelgroup/1"
    assert registry.register("arn:aws:sagemaker:us-east-1:111122223333:model-package-group/AutoGluonModelGroup").endswith("/2")


@pytest.mark.documented
def test_describe_answers_what_was_registered(registry: Registry) -> None:
    """Every member given comes back, with the status, the defaults and the author that AWS adds."""
    given = {
        "ModelPackageDescription": "first",
        "InferenceSpecification": SPECIFICATION,
        "MetadataProperties": {"CommitId": "abc", "Repository": "r", "GeneratedBy": "me", "ProjectId": "p"},
        "CustomerMetadataProperties": {"team": "weather"},
        "Domain": "MACHINE_LEARNING",
        "Task": "REGRESSION",
        "SamplePayloadUrl": "s3://b/sample.csv",
        "SkipModelValidation": "None",
        "ModelLifeCycle": {"Stage": "Development", "StageStatus": "InProgress"},
        "ModelPackageRegistrationType": "Registered",
        "ModelCard": {"ModelCardContent": "{}", "ModelCardStatus": "Draft"},
    }
    arn = registry.register(**given, ModelMetrics={"ModelQuality": {}, "Bias": {}, "Explainability": {}})
    assert registry.describe(arn) == {
        **given,
        "ModelPackageName": arn,
        "ModelPackageGroupName": "AutoGluonModelGroup",
        "ModelPackageVersion": 1,
        "ModelPackageArn": arn,
        "CreationTime": registry.yard.clock.now(),
        "CreatedBy": {"IamIdentity": {"Arn": user().arn, "PrincipalId": user().unique_id}},
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
        "CertifyForMarketplace": False,
        "ModelApprovalStatus": "PendingManualApproval",
    }


@pytest.mark.documented
@pytest.mark.parametrize(
    "name",
    [
        "autogluonmodelgroup/1",
        "AutoGluonModelGroup/1",
        "arn:aws:sagemaker:us-east-1:111122223333:model-package/AutoGluonModelGroup/1",
    ],
)
def test_a_version_is_found_in_either_case(registry: Registry, name: str) -> None:
    """Name and ARN of a version are accepted in the group's own case and in lower case."""
    registry.register()
    assert registry.describe(name)["ModelPackageVersion"] == 1


@pytest.mark.seen
@pytest.mark.parametrize(
    ("members", "text"),
    [
        (
            {"ModelPackageName": "a", "ModelPackageGroupName": "b"},
            "Both ModelPackageName and ModelPackageGroupName are provided in the input. Cannot determine which one to use.",
        ),
        ({}, "Missing ARN."),
        (
            {"ModelPackageGroupName": "nowhere"},
            "ModelPackageGroup arn:aws:sagemaker:us-east-1:111122223333:model-package-group/nowhere does not exist.",
        ),
    ],
)
def test_a_registration_goes_somewhere(registry: Registry, members: dict[str, str], text: str) -> None:
    """A registration names a group or a package, not both, and the group exists."""
    with pytest.raises(ValidationException) as caught:
        registry.yard.call("sagemaker", "CreateModelPackage", **members)
    assert caught.value.message == text


@pytest.mark.documented
def test_versions_use_the_tags_of_their_group(registry: Registry) -> None:
    """Tags with a group are refused, and the refused call takes no number."""
    with pytest.raises(ValidationException, match="Tags cannot be specified"):
        registry.register(Tags=[{"Key": "a", "Value": "b"}])
    assert registry.register().endswith("/1")


@pytest.mark.documented
def test_a_source_algorithm_has_model_data(registry: Registry) -> None:
    """An algorithm is named with its model data, in either form; a refused registration takes no number."""
    name = "arn:aws:sagemaker:us-east-1:111122223333:algorithm/a"
    with pytest.raises(ValidationException, match="needs a ModelDataUrl or a ModelDataSource"):
        registry.register(SourceAlgorithmSpecification={"SourceAlgorithms": [{"AlgorithmName": name}]})
    source = {"S3Uri": "s3://b/m/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    for number, data in enumerate(({"ModelDataUrl": "s3://b/m.tar.gz"}, {"ModelDataSource": {"S3DataSource": source}}), 1):
        given = {"SourceAlgorithms": [{"AlgorithmName": name, **data}]}
        arn = registry.register(SourceAlgorithmSpecification=given)
        assert arn.endswith(f"/{number}")
        assert registry.describe(arn)["SourceAlgorithmSpecification"] == given


@pytest.mark.ours
def test_a_deleted_number_is_not_given_again(registry: Registry) -> None:
    """An audit log may rely on a version's number meaning one version for ever."""
    registry.register()
    second = registry.register()
    registry.yard.call("sagemaker", "DeleteModelPackage", ModelPackageName=second)
    assert registry.register().endswith("/3")
    with pytest.raises(ValidationException, match="does not exist"):
        registry.describe(second)


@pytest.mark.documented
def test_the_same_token_registers_once(registry: Registry) -> None:
    """A repeated request gets the first answer; another request with that token is refused."""
    first = registry.register(ClientToken="t-1", ModelPackageDescription="one")
    assert registry.register(ClientToken="t-1", ModelPackageDescription="one") == first
    with pytest.raises(ConflictException, match="already used"):
        registry.register(ClientToken="t-1", ModelPackageDescription="two")
    assert registry.versions() == [1]


@pytest.mark.documented
def test_update_approves_and_keeps_the_rest(registry: Registry) -> None:
    """Approving sets status, reason, time and author, and leaves what it does not name."""
    arn = registry.register(InferenceSpecification=SPECIFICATION)
    registry.yard.clock.advance(5)
    registry.update(arn, ModelApprovalStatus="Approved", ApprovalDescription="good")
    described = registry.describe(arn)
    assert described["ModelApprovalStatus"] == "Approved"
    assert described["ApprovalDescription"] == "good"
    assert described["LastModifiedTime"] == registry.yard.clock.now()
    assert described["LastModifiedBy"]["IamIdentity"]["Arn"] == user().arn
    assert described["InferenceSpecification"] == SPECIFICATION
    registry.update(arn, ModelApprovalStatus="Rejected")
    assert registry.describe(arn)["ModelApprovalStatus"] == "Rejected"


@pytest.mark.ours
def test_metadata_merges_and_is_removed_by_key(registry: Registry) -> None:
    """New metadata is added to what is there; removal names keys; 50 in all."""
    arn = registry.register(CustomerMetadataProperties={"a": "1", "b": "2"})
    registry.update(arn, CustomerMetadataProperties={"b": "3", "c": "4"})
    assert registry.describe(arn)["CustomerMetadataProperties"] == {"a": "1", "b": "3", "c": "4"}
    registry.update(arn, CustomerMetadataPropertiesToRemove=["a", "c", "unknown"])
    assert registry.describe(arn)["CustomerMetadataProperties"] == {"b": "3"}
    with pytest.raises(ValidationException, match="at most 50"):
        registry.update(arn, CustomerMetadataProperties={f"k{number}": "v" for number in range(50)})
    registry.update(arn, CustomerMetadataPropertiesToRemove=["b"])
    assert "CustomerMetadataProperties" not in registry.describe(arn)


@pytest.mark.documented
def test_specifications_are_added_up_to_fifteen(registry: Registry) -> None:
    """Additional inference specifications are appended, named once each, 15 in all."""

    def specifications(first: int, last: int) -> list[dict[str, Any]]:
        return [{"Name": f"s{number}", "Containers": [{"Image": "i"}]} for number in range(first, last)]

    arn = registry.register(AdditionalInferenceSpecifications=specifications(0, 14))
    registry.update(arn, AdditionalInferenceSpecificationsToAdd=specifications(14, 15))
    assert len(registry.describe(arn)["AdditionalInferenceSpecifications"]) == 15
    with pytest.raises(ValidationException, match="at most 15"):
        registry.update(arn, AdditionalInferenceSpecificationsToAdd=specifications(15, 16))
    other = registry.register(AdditionalInferenceSpecifications=specifications(0, 1))
    with pytest.raises(ValidationException, match="unique"):
        registry.update(other, AdditionalInferenceSpecificationsToAdd=specifications(0, 1))


@pytest.mark.seen
def test_a_source_uri_of_a_package_clones_it(registry: Registry) -> None:
    """The specification of the package that SourceUri names is taken over; any other text is just kept."""
    first = registry.register(InferenceSpecification=SPECIFICATION, Domain="MACHINE_LEARNING")
    cloned = registry.describe(registry.register(SourceUri=first))
    assert cloned["InferenceSpecification"] == SPECIFICATION
    assert cloned["Domain"] == "MACHINE_LEARNING"
    assert cloned["SourceUri"] == first
    assert registry.describe(registry.register(SourceUri="dummy source uri"))["SourceUri"] == "dummy source uri"
    with pytest.raises(ValidationException, match="does not exist"):
        registry.register(SourceUri=first[:-1] + "99")


@pytest.mark.seen
def test_unversioned_packages(registry: Registry) -> None:
    """A package without a group has a name, no version and no approval; its name is taken once; it takes tags, no environment."""
    call = registry.yard.call
    arn = call("sagemaker", "CreateModelPackage", ModelPackageName="Solo", Tags=[{"Key": "k", "Value": "v"}])["ModelPackageArn"]
    assert arn == "arn:aws:sagemaker:us-east-1:111122223333:model-package/solo"
    described = registry.describe("Solo")
    assert described["ModelPackageName"] == "Solo"
    assert not {"ModelPackageVersion", "ModelPackageGroupName", "ModelApprovalStatus"} & described.keys()
    assert call("sagemaker", "ListTags", ResourceArn=arn) == {"Tags": [{"Key": "k", "Value": "v"}]}
    with pytest.raises(ValidationException, match="ModelPackage already exists"):
        call("sagemaker", "CreateModelPackage", ModelPackageName="solo")
    with pytest.raises(ValidationException, match="Environment variable map cannot be specified"):
        specification = {"Containers": [{"Image": "i", "Environment": {"A": "b"}}]}
        call("sagemaker", "CreateModelPackage", ModelPackageName="other", InferenceSpecification=specification)
    with pytest.raises(ValidationException, match="cannot be updated"):
        call("sagemaker", "UpdateModelPackage", ModelPackageArn=arn, ModelApprovalStatus="Approved")


@pytest.mark.seen
def test_without_a_group_only_unversioned_packages_are_listed(registry: Registry) -> None:
    """ListModelPackages without a group lists unversioned packages unless the type says otherwise."""
    call = registry.yard.call
    registry.register()
    call("sagemaker", "CreateModelPackage", ModelPackageName="solo")

    def arns(**members: Any) -> list[str]:
        return [
            one["ModelPackageArn"].rpartition(":")[2]
            for one in call("sagemaker", "ListModelPackages", **members)["ModelPackageSummaryList"]
        ]

    assert arns() == ["model-package/solo"]
    assert arns(ModelPackageType="Versioned") == ["model-package/autogluonmodelgroup/1"]
    assert arns(ModelPackageType="Both", SortBy="Name") == ["model-package/autogluonmodelgroup/1", "model-package/solo"]
    assert arns(ModelPackageType="Both", NameContains="OLO") == ["model-package/solo"]


@pytest.mark.seen
def test_the_latest_approved_version_is_found(registry: Registry) -> None:
    """The idiom of deployers: Approved, by CreationTime, Descending, one; versions of one moment come by number."""
    arns = [registry.register() for _ in range(5)]
    for arn in (arns[1], arns[3]):
        registry.update(arn, ModelApprovalStatus="Approved")
    assert registry.versions(ModelApprovalStatus="Approved", SortBy="CreationTime", SortOrder="Descending", MaxResults=1) == [4]
    assert registry.versions(ModelApprovalStatus="Approved") == [2, 4]
    assert registry.versions(SortOrder="Descending") == [5, 4, 3, 2, 1]
    assert registry.versions(SortBy="Name") == [1, 2, 3, 4, 5]


@pytest.mark.documented
def test_summaries_of_versions_have_no_package_name(registry: Registry) -> None:
    """A summary carries the group and the version, and no ModelPackageName, as clients have come to expect."""
    registry.register(ModelPackageDescription="d", InferenceSpecification=SPECIFICATION)
    answer = registry.yard.call("sagemaker", "ListModelPackages", ModelPackageGroupName="AutoGluonModelGroup")
    assert answer["ModelPackageSummaryList"] == [
        {
            "ModelPackageGroupName": "AutoGluonModelGroup",
            "ModelPackageVersion": 1,
            "ModelPackageArn": "arn:aws:sagemaker:us-east-1:111122223333:model-package/autogluonmodelgroup/1",
            "ModelPackageDescription": "d",
            "CreationTime": registry.yard.clock.now(),
            "ModelPackageStatus": "Completed",
            "ModelApprovalStatus": "PendingManualApproval",
        }
    ]


@pytest.mark.ours
def test_pages_neither_skip_nor_repeat_while_versions_are_added(registry: Registry) -> None:
    """Paging through a group that grows shows every version that was there at the start exactly once."""
    for _ in range(7):
        registry.register()
    seen: list[int] = []
    token: dict[str, str] = {}
    while True:
        answer = registry.yard.call(
            "sagemaker",
            "ListModelPackages",
            ModelPackageGroupName="AutoGluonModelGroup",
            SortOrder="Descending",
            MaxResults=2,
            **token,
        )
        seen += [one["ModelPackageVersion"] for one in answer["ModelPackageSummaryList"]]
        registry.register()
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert seen == [7, 6, 5, 4, 3, 2, 1]


@pytest.mark.documented
def test_batch_describe_tells_what_it_cannot_show(registry: Registry) -> None:
    """Unknown versions go into the error map by their ARN, and the call succeeds."""
    arn = registry.register(InferenceSpecification=SPECIFICATION)
    answer = registry.yard.call("sagemaker", "BatchDescribeModelPackage", ModelPackageArnList=[arn, arn[:-1] + "9"])
    assert answer["ModelPackageSummaries"][arn]["InferenceSpecification"] == SPECIFICATION
    assert answer["BatchDescribeModelPackageErrorMap"] == {
        arn[:-1] + "9": {"ErrorCode": "ValidationException", "ErrorResponse": f"ModelPackage {arn[:-1]}9 does not exist."}
    }


APPROVER_ONLY = """{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "sagemaker:*", "Resource": "*"},
    {"Effect": "Deny", "Action": ["sagemaker:CreateModelPackage", "sagemaker:UpdateModelPackage"], "Resource": "*",
     "Condition": {"StringEquals": {"sagemaker:ModelApprovalStatus": ["Approved", "Rejected"]}}}]}"""


@pytest.mark.documented
def test_approving_is_its_own_permission(registry: Registry) -> None:
    """Who may register and annotate but not decide is refused the approval, at registration and afterwards."""
    arn = registry.register()
    scientist = user("111122223333", "scientist", APPROVER_ONLY)
    call = registry.yard.call
    call("sagemaker", "UpdateModelPackage", scientist, ModelPackageArn=arn, CustomerMetadataProperties={"a": "b"})
    with pytest.raises(AccessDeniedException, match="explicit deny in an identity-based policy"):
        call("sagemaker", "UpdateModelPackage", scientist, ModelPackageArn=arn, ModelApprovalStatus="Approved")
    with pytest.raises(AccessDeniedException):
        call(
            "sagemaker",
            "CreateModelPackage",
            scientist,
            ModelPackageGroupName="AutoGluonModelGroup",
            ModelApprovalStatus="Approved",
        )
    assert registry.versions() == [1]
    assert registry.describe(arn)["ModelApprovalStatus"] == "PendingManualApproval"


@pytest.mark.documented
def test_another_account_registers_where_both_sides_allow(registry: Registry) -> None:
    """Registration by group ARN from another account needs the group's policy, and the version belongs to the group's account."""
    group = "arn:aws:sagemaker:us-east-1:111122223333:model-package-group/AutoGluonModelGroup"
    other = user(OTHER_ACCOUNT)
    call = registry.yard.call
    with pytest.raises(
        AccessDeniedException, match="because no resource-based policy allows the sagemaker:CreateModelPackage action"
    ):
        call("sagemaker", "CreateModelPackage", other, ModelPackageGroupName=group)
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"},
                "Action": "sagemaker:CreateModelPackage",
                "Resource": "arn:aws:sagemaker:us-east-1:111122223333:model-package/AutoGluonModelGroup/*",
            }
        ],
    }
    call(
        "sagemaker", "PutModelPackageGroupPolicy", ModelPackageGroupName="AutoGluonModelGroup", ResourcePolicy=json.dumps(policy)
    )
    answer = call("sagemaker", "CreateModelPackage", other, ModelPackageGroupName=group)
    assert answer["ModelPackageArn"] == "arn:aws:sagemaker:us-east-1:111122223333:model-package/autogluonmodelgroup/1"
    with pytest.raises(AccessDeniedException):
        call("sagemaker", "DescribeModelPackage", other, ModelPackageName=answer["ModelPackageArn"])


@pytest.mark.documented
def test_profiles_are_left_out_on_request(registry: Registry) -> None:
    """A version that brings a validation profile is in progress, and Completed at once when its validation is to be skipped."""
    job = {
        "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/i"}}},
        "TransformOutput": {"S3OutputPath": "s3://b/o"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    specification = {
        "ValidationRole": "arn:aws:iam::111122223333:role/r",
        "ValidationProfiles": [{"ProfileName": "p", "TransformJobDefinition": job}],
    }
    validated = registry.describe(registry.register(ValidationSpecification=specification))
    assert validated["ModelPackageStatus"] == "InProgress"
    assert validated["ModelPackageStatusDetails"]["ValidationStatuses"] == [{"Name": "p", "Status": "NotStarted"}]
    skipped = registry.describe(registry.register(ValidationSpecification=specification, SkipModelValidation="All"))
    assert skipped["ValidationSpecification"] == specification
    assert skipped["ModelPackageStatus"] == "Completed"
    assert skipped["ModelPackageStatusDetails"]["ValidationStatuses"] == []
