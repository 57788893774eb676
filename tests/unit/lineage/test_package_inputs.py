"""What the description of a package says that it was made from, and names of what it tells."""

import json
import re
from typing import Any

import pytest

from modelyard.lineage.entity import Kind
from modelyard.lineage.package_inputs import LONGEST_NAME, MOST, compound, inputs, job_name

pytestmark = pytest.mark.ours
HERE = "arn:aws:sagemaker:us-east-1:111122223333"
NAME = re.compile("[a-zA-Z0-9](-*[a-zA-Z0-9]){0,119}")


def found(detail: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(one.uri, one.type, one.association) for one in inputs(detail)]


def test_nothing_is_made_from_nothing() -> None:
    """A package that says nothing has no inputs."""
    assert found({}) == []


def test_containers_and_algorithms() -> None:
    """Images, model data by either member, and algorithms, each once, in the order they are said."""
    data = {"S3DataSource": {"S3Uri": "s3://b/prefix/"}}
    first = {"Image": "i:1", "ModelDataUrl": "s3://b/m"}
    detail = {
        "InferenceSpecification": {"Containers": [first, {"Image": "i:2", "ModelDataSource": data}]},
        "AdditionalInferenceSpecifications": [{"Name": "gpu", "Containers": [{"Image": "i:1"}, {"Image": "i:gpu"}]}],
        "SourceAlgorithmSpecification": {"SourceAlgorithms": [{"AlgorithmName": "alg", "ModelDataUrl": "s3://b/a"}]},
    }
    assert [uri for uri, _, _ in found(detail)] == ["i:1", "s3://b/m", "i:2", "s3://b/prefix/", "i:gpu", "alg", "s3://b/a"]
    assert {kind for _, kind, _ in found(detail)} == {"Image", "Model", "Algorithm"}


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"Repository": "r", "CommitId": "c"}, [("r@c", "r")]),
        ({"Repository": "r"}, [("r", None)]),
        ({"CommitId": "c"}, [("c", None)]),
        ({"ProjectId": "p"}, []),
    ],
)
def test_code(properties: dict[str, str], expected: list[tuple[str, str | None]]) -> None:
    """A commit of a repository is one state of it; one without the other stands for itself."""
    assert [(one.uri, one.base) for one in inputs({"MetadataProperties": properties})] == expected


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (f"{HERE}:training-job/t", "SageMakerTrainingJob"),
        (f"{HERE}:pipeline/p/execution/abc", "PipelineExecution"),
        (f"{HERE}:notebook/n", "Job"),
        ("arn:short", "Job"),
        ("a person", "Job"),
    ],
)
def test_jobs(source: str, kind: str) -> None:
    """What generated a version is an action, of a type by its ARN."""
    (one,) = inputs({"MetadataProperties": {"GeneratedBy": source}})
    assert (one.kind, one.type, one.association) == (Kind.ACTION, kind, "Produced")
    assert NAME.fullmatch(job_name(source, "111122223333", "us-east-1"))


def test_job_names() -> None:
    """Jobs of this account and region have AWS's names of trial components; others may share a name, and differ in digits."""
    arn = f"{HERE}:training-job/train-1"
    assert job_name(arn, "111122223333", "us-east-1") == "train-1-aws-training-job"
    assert job_name(f"{HERE}:pipeline/p/execution/abc", "111122223333", "us-east-1") == "p-abc-aws-pipeline-execution"
    elsewhere = {
        job_name(arn, "444455556666", "us-east-1"),
        job_name(arn.replace("train-1", "Train-1"), "444455556666", "us-east-1"),
    }
    assert len(elsewhere) == 2
    assert all(re.fullmatch(r"[tT]rain-1-[0-9a-f]{8}-aws-training-job", name) for name in elsewhere)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"training_data": "s3://b/t"}, ["s3://b/t"]),
        ({"Dataset": "s3://b/t", "note": "s3://b/n"}, ["s3://b/t"]),
        ({"training_data": "b/t"}, []),
        ({"training-data": "s3://b/t", "TrainingDataVersion": "7"}, ["s3://b/t?versionId=7"]),
        ({"data": "s3://b/t", "data_version_id": "7"}, ["s3://b/t?versionId=7"]),
        ({"data": "s3://b/t?versionId=1", "data_version": "7"}, ["s3://b/t?versionId=1"]),
    ],
)
def test_data_of_customer_metadata(metadata: dict[str, str], expected: list[str]) -> None:
    """Keys with `data` whose values are addresses in S3 name data sets; a key that ends in version says which."""
    assert found({"CustomerMetadataProperties": metadata}) == [(uri, "DataSet", "ContributedTo") for uri in expected]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"training_details": 7}', '{"evaluation_details": {}}'])
def test_model_cards_without_data(content: str) -> None:
    """A card that says nothing of data, or is none, tells nothing."""
    assert found({"ModelCard": {"ModelCardContent": content}}) == []


def test_data_of_the_model_card() -> None:
    """Training and evaluation data sets of the card are data sets of the version."""
    card = {
        "training_details": {"training_job_details": {"training_datasets": ["s3://b/train", 7]}},
        "evaluation_details": [{"name": "e", "datasets": ["s3://b/test"]}, {"name": "f"}],
    }
    assert found({"ModelCard": {"ModelCardContent": json.dumps(card)}}) == [
        ("s3://b/train", "DataSet", "ContributedTo"),
        ("s3://b/test", "DataSet", "ContributedTo"),
    ]


def test_sources() -> None:
    """A package that it was cloned from is a model; any other source is one as it is."""
    arn = f"{HERE}:model-package/g/1"
    assert found({"SourceUri": arn}) == [(arn, "Model", "DerivedFrom")]
    assert found({"SourceUri": "git://x"}) == [("git://x", "Source", "DerivedFrom")]


def test_limits() -> None:
    """No version has more inputs than the limit, and none whose address could not be kept."""
    cards = {"training_details": {"training_job_details": {"training_datasets": [f"s3://b/{n}" for n in range(MOST + 5)]}}}
    assert len(found({"ModelCard": {"ModelCardContent": json.dumps(cards)}})) == MOST
    assert found({"SourceUri": "x" * 2049}) == []


def test_names_are_names() -> None:
    """Whatever they are made of, names have the characters and the length that the service model allows."""
    for words in (["a" * 63, "999999999", "PendingManualApproval"], ["In Arbeit!", "ß"], ["--"], []):
        for unique in (None, "x"):
            name = compound(words, unique, "aws-model-group")
            assert NAME.fullmatch(name)
            assert len(name) <= LONGEST_NAME
            assert name.endswith("aws-model-group")
    assert compound(["a"], "x", "s") != compound(["a"], "y", "s")
