"""Model cards and their exports, called as any part is called."""

import json
from typing import Any

import pytest
from tests.harness import OTHER_ACCOUNT, Yard, user

from modelyard.aws.errors import AccessDeniedException, AwsError, ConflictException, ResourceNotFound, ValidationException

ARN = "arn:aws:sagemaker:us-east-1:111122223333:model-card/fraud"
CONTENT = {
    "model_overview": {"model_id": "fraud-7", "model_creator": "Ada", "model_artifact": ["s3://models/fraud.tar.gz"]},
    "intended_uses": {"purpose_of_model": "Finds fraud", "risk_rating": "High"},
    "training_details": {
        "objective_function": {"function": {"function": "Maximize", "facet": "AUC"}, "notes": "on the last month"},
        "training_job_details": {"training_metrics": [{"name": "auc", "value": 0.91}]},
    },
    "evaluation_details": [
        {
            "name": "holdout",
            "metric_groups": [
                {
                    "name": "binary",
                    "metric_data": [
                        {"name": "accuracy", "type": "number", "value": 0.93},
                        {"name": "confusion", "type": "matrix", "value": [[90, 3], [4, 40]], "x_axis_name": ["yes", "no"]},
                        {"name": "roc", "type": "linear_graph", "value": [[0, 0], [1, 1]]},
                    ],
                }
            ],
        }
    ],
    "additional_information": {"custom_details": {"audited by": "机器学习 team"}},
}


@pytest.fixture
def yard(yard_in_process: Yard) -> Yard:
    """A house with a card in it."""
    create(yard_in_process, "fraud")
    return yard_in_process


def create(yard: Yard, name: str, content: Any = CONTENT, **more: Any) -> Any:
    return yard.call(
        "sagemaker",
        "CreateModelCard",
        ModelCardName=name,
        **{"Content": content if isinstance(content, str) else json.dumps(content), "ModelCardStatus": "Draft", **more},
    )


@pytest.mark.documented
def test_a_card_is_described_as_it_was_made(yard: Yard) -> None:
    """Describe answers content, status, version, times and people, by name or ARN."""
    admin = {"IamIdentity": {"Arn": user().arn, "PrincipalId": user().unique_id}}
    for name in ("fraud", ARN):
        assert yard.call("sagemaker", "DescribeModelCard", ModelCardName=name) == {
            "ModelCardArn": ARN,
            "ModelCardName": "fraud",
            "ModelCardVersion": 1,
            "Content": json.dumps(CONTENT),
            "ModelCardStatus": "Draft",
            "CreationTime": yard.clock.now(),
            "CreatedBy": admin,
            "LastModifiedTime": yard.clock.now(),
            "LastModifiedBy": admin,
        }


@pytest.mark.documented
def test_a_name_is_taken_once(yard: Yard) -> None:
    """A second card of that name is a conflict."""
    with pytest.raises(ConflictException, match="already exists"):
        create(yard, "fraud")


@pytest.mark.documented
def test_editing_makes_a_version_and_a_status_does_not(yard: Yard) -> None:
    """New content is the next version, the earlier stays readable; a new status belongs to the newest version."""
    yard.clock.advance(1)
    yard.call("sagemaker", "UpdateModelCard", ModelCardName="fraud", Content='{"model_overview": {"model_id": "fraud-8"}}')
    yard.clock.advance(1)
    yard.call("sagemaker", "UpdateModelCard", ModelCardName=ARN, ModelCardStatus="Approved")
    newest = yard.call("sagemaker", "DescribeModelCard", ModelCardName="fraud")
    first = yard.call("sagemaker", "DescribeModelCard", ModelCardName="fraud", ModelCardVersion=1)
    assert (newest["ModelCardVersion"], newest["ModelCardStatus"]) == (2, "Approved")
    assert newest["LastModifiedTime"] == newest["CreationTime"] + 2
    assert (first["ModelCardVersion"], first["ModelCardStatus"], first["Content"]) == (1, "Draft", json.dumps(CONTENT))
    versions = yard.call("sagemaker", "ListModelCardVersions", ModelCardName="fraud")["ModelCardVersionSummaryList"]
    assert [(one["ModelCardVersion"], one["ModelCardStatus"]) for one in versions] == [(2, "Approved"), (1, "Draft")]


@pytest.mark.documented
def test_content_and_status_are_not_updated_together(yard: Yard) -> None:
    """A call that changes both, or neither, is refused."""
    for members in ({}, {"Content": "{}", "ModelCardStatus": "Approved"}):
        with pytest.raises(ValidationException, match="single call"):
            yard.call("sagemaker", "UpdateModelCard", ModelCardName="fraud", **members)


@pytest.mark.documented
def test_an_archived_card_is_closed(yard: Yard) -> None:
    """The content of an archived card cannot be changed."""
    yard.call("sagemaker", "UpdateModelCard", ModelCardName="fraud", ModelCardStatus="Archived")
    with pytest.raises(ConflictException, match="Model Card is in Archived state"):
        yard.call("sagemaker", "UpdateModelCard", ModelCardName="fraud", Content="{}")


@pytest.mark.documented
def test_metadata_only_leaves_out_the_content(yard: Yard) -> None:
    """IncludedData=MetadataOnly answers only the few members of the content that AWS keeps unencrypted."""
    shown = yard.call("sagemaker", "DescribeModelCard", ModelCardName="fraud", IncludedData="MetadataOnly")
    assert json.loads(shown["Content"]) == {"model_overview": {"model_id": "fraud-7"}, "intended_uses": {"risk_rating": "High"}}


@pytest.mark.documented
@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "not valid JSON"),
        ("[]", "must be a JSON object"),
        ("[" * 5000, "not valid JSON"),
        ('{"model_package_details":' * 500 + "1" + "}" * 500, "more than 32 levels"),
        ({"overview": {}}, "The content has an unknown member overview"),
        ({"model_overview": []}, "model_overview must be an object"),
        ({"model_overview": {"model_id": 7}}, "model_overview.model_id must be a string"),
        ({"model_overview": {"model_artifact": ["x"] * 16}}, "model_artifact must have 0 to 15 elements"),
        ({"intended_uses": {"risk_rating": "Huge"}}, "risk_rating must be one of High, Medium, Low, Unknown"),
        ({"business_details": {"business_problem": "x" * 2049}}, "must have 0 to 2048 characters"),
        ({"evaluation_details": [{}]}, r"evaluation_details\[0\] must have the member name"),
        (
            {
                "evaluation_details": [
                    {"name": "a", "metric_groups": [{"name": "b", "metric_data": [{"name": "c", "type": "matrix", "value": 1}]}]}
                ]
            },
            "does not fit its type matrix",
        ),
        (
            {"training_details": {"training_job_details": {"training_metrics": [{"name": "a", "value": True}]}}},
            "must be a number",
        ),
    ],
)
def test_content_follows_the_schema(yard: Yard, content: Any, complaint: str) -> None:
    """What is not a model card by AWS's schema is refused, and the answer says where."""
    with pytest.raises(ValidationException, match=complaint):
        create(yard, "other", content)


@pytest.mark.documented
@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("DescribeModelCard", {}),
        ("UpdateModelCard", {"Content": "{}"}),
        ("DeleteModelCard", {}),
        ("ListModelCardVersions", {}),
        ("CreateModelCardExportJob", {"ModelCardExportJobName": "j", "OutputConfig": {"S3OutputPath": "s3://b/p"}}),
        ("ListModelCardExportJobs", {}),
    ],
)
def test_a_missing_card_is_not_found(yard: Yard, operation: str, members: dict[str, Any]) -> None:
    """Operations on a card that is not there answer ResourceNotFound."""
    with pytest.raises(ResourceNotFound, match="model-card/nobody does not exist"):
        yard.call("sagemaker", operation, ModelCardName="nobody", **members)


@pytest.mark.documented
def test_delete_removes_every_version(yard: Yard) -> None:
    """A deleted card is gone from Describe, lists and Search, and its name is free."""
    yard.call("sagemaker", "DeleteModelCard", ModelCardName="fraud")
    assert yard.call("sagemaker", "ListModelCards") == {"ModelCardSummaries": []}
    assert search(yard, "ModelCardName", "fraud") == []
    create(yard, "fraud")


@pytest.mark.documented
def test_lists_are_filtered_sorted_and_paged(yard: Yard) -> None:
    """ListModelCards by name, status and time, page by page, newest first unless asked otherwise."""
    for name in ("b", "c", "fraud-2"):
        yard.clock.advance(1)
        create(yard, name, ModelCardStatus="PendingReview")

    def names(**members: Any) -> list[str]:
        found: list[str] = []
        while True:
            answer = yard.call("sagemaker", "ListModelCards", MaxResults=1, **members)
            found += [one["ModelCardName"] for one in answer["ModelCardSummaries"]]
            if "NextToken" not in answer:
                return found
            members["NextToken"] = answer["NextToken"]

    assert names() == ["fraud-2", "c", "b", "fraud"]
    assert names(SortBy="Name", SortOrder="Ascending") == ["b", "c", "fraud", "fraud-2"]
    assert names(NameContains="fraud") == ["fraud-2", "fraud"]
    assert names(ModelCardStatus="Draft") == ["fraud"]
    assert names(CreationTimeAfter=yard.clock.now() - 1.5) == ["fraud-2", "c"]


def search(yard: Yard, name: str, value: str) -> list[str]:
    expression = {"Filters": [{"Name": name, "Value": value}]}
    answer = yard.call("sagemaker", "Search", Resource="ModelCard", SearchExpression=expression)
    return [one["ModelCard"]["ModelCardName"] for one in answer["Results"]]


@pytest.mark.documented
def test_cards_are_found_by_what_is_in_them(yard: Yard) -> None:
    """Search knows the risk rating and the model of the newest version, and the tags."""
    create(yard, "tagged", "{}", Tags=[{"Key": "team", "Value": "weather"}])
    assert search(yard, "RiskRating", "High") == ["fraud"]
    assert search(yard, "ModelId", "fraud-7") == ["fraud"]
    assert search(yard, "Tags.team", "weather") == ["tagged"]
    arn = "arn:aws:sagemaker:us-east-1:111122223333:model-card/tagged"
    yard.call("sagemaker", "AddTags", ResourceArn=arn, Tags=[{"Key": "team", "Value": "fraud"}])
    assert (search(yard, "Tags.team", "weather"), search(yard, "Tags.team", "fraud")) == ([], ["tagged"])
    yard.call("sagemaker", "UpdateModelCard", ModelCardName="fraud", Content='{"intended_uses": {"risk_rating": "Low"}}')
    assert search(yard, "RiskRating", "High") == []


@pytest.mark.ours
def test_the_content_is_not_searchable(yard: Yard) -> None:
    """The content of a card is sensitive in the service model, so that it is no property."""
    with pytest.raises(ValidationException, match=r"^Unknown property name: Content$"):
        search(yard, "Content", "x")


@pytest.mark.documented
def test_a_policy_that_names_another_card_does_not_help(yard: Yard) -> None:
    """Access is decided on the card's ARN and its tags."""
    policy = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sagemaker:*ModelCard", "Resource": ARN + "2"}]}
    )
    with pytest.raises(AccessDeniedException):
        yard.call("sagemaker", "DescribeModelCard", user("111122223333", "eve", policy), ModelCardName="fraud")
    with pytest.raises(AccessDeniedException):
        yard.call("sagemaker", "DescribeModelCard", user(OTHER_ACCOUNT), ModelCardName=ARN)


def export(yard: Yard, job: str, path: str = "s3://exports/cards/", **members: Any) -> Any:
    arn = yard.call(
        "sagemaker",
        "CreateModelCardExportJob",
        ModelCardName="fraud",
        ModelCardExportJobName=job,
        OutputConfig={"S3OutputPath": path},
        **members,
    )["ModelCardExportJobArn"]
    return yard.call("sagemaker", "DescribeModelCardExportJob", ModelCardExportJobArn=arn)


@pytest.mark.documented
def test_an_export_is_a_pdf_in_the_bucket(yard: Yard) -> None:
    """A job writes the card as a PDF, with the content attached, and says where."""
    yard.call("s3", "CreateBucket", Bucket="exports")
    job = export(yard, "first")
    assert job == {
        "ModelCardExportJobName": "first",
        "ModelCardExportJobArn": f"{ARN}/export-job/first",
        "Status": "Completed",
        "ModelCardName": "fraud",
        "ModelCardVersion": 1,
        "OutputConfig": {"S3OutputPath": "s3://exports/cards/"},
        "CreatedAt": yard.clock.now(),
        "LastModifiedAt": yard.clock.now(),
        "ExportArtifacts": {"S3ExportArtifacts": "s3://exports/cards/fraud-v1-first.pdf"},
    }
    answer = yard.call("s3", "GetObject", Bucket="exports", Key="cards/fraud-v1-first.pdf")
    body = answer["Body"] if isinstance(answer["Body"], bytes) else b"".join(answer["Body"])
    assert body.startswith(b"%PDF-") and b"model-card.json" in body
    assert answer["ContentType"] == "application/pdf"


@pytest.mark.ours
def test_an_export_that_cannot_be_written_has_failed(yard: Yard) -> None:
    """Where S3 refuses the file, the job says so and why."""
    job = export(yard, "nowhere", "s3://no-such-bucket/x")
    assert job["Status"] == "Failed" and job["FailureReason"].startswith("NoSuchBucket: ")
    assert "ExportArtifacts" not in job


@pytest.mark.documented
def test_export_jobs_are_listed_and_named_once(yard: Yard) -> None:
    """Jobs of a card are listed with filters and pages; a name is taken once."""
    yard.call("s3", "CreateBucket", Bucket="exports")
    for name in ("a", "b"):
        yard.clock.advance(1)
        export(yard, name)
    export(yard, "c", "s3://no-such-bucket/x")
    with pytest.raises(ConflictException, match="export-job/a already exists"):
        export(yard, "a")

    def names(**members: Any) -> list[str]:
        answer = yard.call("sagemaker", "ListModelCardExportJobs", ModelCardName="fraud", **members)
        return [one["ModelCardExportJobName"] for one in answer["ModelCardExportJobSummaries"]]

    assert names() == ["c", "b", "a"]
    assert names(StatusEquals="Failed") == ["c"]
    assert names(SortBy="Name", SortOrder="Ascending", MaxResults=2) == ["a", "b"]
    assert names(ModelCardExportJobNameContains="b", ModelCardVersion=1) == ["b"]
    assert names(ModelCardVersion=2) == []


@pytest.mark.documented
def test_what_is_no_export_job(yard: Yard) -> None:
    """A job that is not there, a path that is not S3's, a version that is not there."""
    with pytest.raises(ResourceNotFound):
        yard.call("sagemaker", "DescribeModelCardExportJob", ModelCardExportJobArn=f"{ARN}/export-job/nobody")
    with pytest.raises(ValidationException, match="s3://bucket/prefix"):
        export(yard, "x", "https://exports.s3.amazonaws.com/x")
    with pytest.raises(AwsError, match="version 9"):
        export(yard, "x", ModelCardVersion=9)
