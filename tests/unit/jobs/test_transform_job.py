"""The rules of transform jobs, and where their outputs go."""

from typing import Any

import pytest

from modelyard.jobs.inputs import Input, output_of, relative
from modelyard.jobs.transform_job import Limits, RuleBroken, check, environment, limits


def request(**more: Any) -> dict[str, Any]:
    given = more.pop("given", {})
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://b/in", **more.pop("source", {})}
    return {
        "TransformInput": {"DataSource": {"S3DataSource": source}, **given},
        "TransformOutput": {"S3OutputPath": more.pop("out", "s3://b/out")},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": more.pop("instances", 1)},
        **more,
    }


@pytest.mark.documented
@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"source": {"S3DataType": "AugmentedManifestFile"}}, "AugmentedManifestFile is not available"),
        ({"given": {"SplitType": "RecordIO"}}, "RecordIO is not available"),
        ({"source": {"S3Uri": "https://b/in"}}, "has to begin with s3://"),
        ({"out": "https://b/out"}, "has to begin with s3://"),
        ({"instances": 17}, "at most 16 instances"),
        ({"MaxConcurrentTransforms": 20, "MaxPayloadInMB": 6}, "must not exceed 100"),
        ({"DataCaptureConfig": {"DestinationS3Uri": "s3://b/c"}}, "captures no data"),
        ({"ExperimentConfig": {"TrialName": "t"}}, "has no experiments"),
        ({"DataProcessing": {"InputFilter": "$..a"}, "given": {"ContentType": "text/csv"}}, "not a path that SageMaker takes"),
        ({"DataProcessing": {"JoinSource": "Input"}, "given": {"ContentType": "image/png"}}, "need a TransformInput.ContentType"),
    ],
)
def test_what_is_refused(asked: dict[str, Any], words: str) -> None:
    """What this server does not do, and what contradicts itself, is refused with a sentence."""
    check(request())
    with pytest.raises(RuleBroken, match=words):
        check(request(**asked))


@pytest.mark.documented
def test_limits_are_those_of_the_request_the_container_or_sagemaker() -> None:
    """What a request leaves open the container says, and what it does not, SageMaker's defaults; nonsense counts as nothing."""
    assert limits({}, {}) == Limits(1, 6, multi=True)
    offered = {"MaxConcurrentTransforms": 8, "MaxPayloadInMB": 2, "BatchStrategy": "SINGLE_RECORD"}
    assert limits({}, offered) == Limits(8, 2, multi=False)
    assert limits({"MaxPayloadInMB": 0, "BatchStrategy": "MultiRecord"}, offered) == Limits(8, 0, multi=True)
    assert limits({}, {"MaxConcurrentTransforms": -1, "MaxPayloadInMB": "x"}) == Limits(1, 6, multi=True)
    assert limits({}, {"MaxConcurrentTransforms": 10**6, "MaxPayloadInMB": 50}) == Limits(2, 50, multi=True)


@pytest.mark.documented
def test_containers_are_told_of_the_job() -> None:
    """The variables of a batch are set, and those of the request go over them."""
    asked = request(MaxPayloadInMB=6, MaxConcurrentTransforms=2, BatchStrategy="SingleRecord", Environment={"A": "b"})
    assert environment(asked) == {
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "6",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "2",
        "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD",
        "A": "b",
    }


@pytest.mark.documented
@pytest.mark.parametrize(
    ("prefix", "key", "below"),
    [
        ("in/", "in/a.csv", "a.csv"),
        ("in/", "in/deep/a.csv", "deep/a.csv"),
        ("in", "in/deep/a.csv", "deep/a.csv"),
        ("in/a.csv", "in/a.csv", "a.csv"),
        ("in/part-", "in/part-1.csv", "part-1.csv"),
        ("", "a/b.csv", "a/b.csv"),
    ],
)
def test_outputs_stand_below_their_path_as_inputs_do(prefix: str, key: str, below: str) -> None:
    """An output's key is that of its input below the prefix, with .out behind it."""
    one = Input("b", key, relative(prefix, key))
    assert one.relative == below
    assert output_of(one, "s3://o/x").key == f"x/{below}.out"
    assert output_of(one, "s3://o/x/").key == f"x/{below}.out"
    assert output_of(one, "s3://o").key == f"{below}.out"
