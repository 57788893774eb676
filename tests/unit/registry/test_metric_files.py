"""Metric files are whatever a caller put into a bucket."""

import json
from typing import Any

import pytest
from tests.harness import Yard

from modelyard.registry.metrics import DEEPEST, LONGEST_NAME, MOST_FIGURES


@pytest.fixture
def yard(yard_in_process: Yard) -> Yard:
    """A registry with a group, and a bucket."""
    yard_in_process.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="fraud")
    yard_in_process.call("s3", "CreateBucket", Bucket="metrics")
    return yard_in_process


def figures(yard: Yard, content: bytes, *names: str) -> list[str]:
    """Those of the names under which Search finds a version that was registered with such a file."""
    yard.call("s3", "PutObject", Bucket="metrics", Key="m.json", Body=content)
    statistics = {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://metrics/m.json"}}
    yard.call("sagemaker", "CreateModelPackage", ModelPackageGroupName="fraud", ModelMetrics={"ModelQuality": statistics})

    def found(name: str) -> Any:
        filters = [{"Name": f"Metrics.{name}", "Operator": "Exists"}]
        return yard.call("sagemaker", "Search", Resource="ModelPackage", SearchExpression={"Filters": filters})["Results"]

    return [name for name in names if found(name)]


@pytest.mark.ours
@pytest.mark.parametrize("inner", ["a", "value"])
def test_deep_files(yard: Yard, inner: str) -> None:
    """However deep a file is, its version is registered; what lies too deep has no figures."""
    deep = b'{"%b":' % inner.encode() * 1000 + b"1" + b"}" * 1000
    assert figures(yard, b'{"accuracy": 0.5, "deep": %b}' % deep, "accuracy", inner) == ["accuracy"]
    assert figures(yard, b'{"a":' * (DEEPEST - 1) + b'{"bottom": 1}' + b"}" * (DEEPEST - 1), "bottom") == ["bottom"]


@pytest.mark.ours
def test_numbers_of_any_size(yard: Yard) -> None:
    """Numbers that no integer type holds are figures too."""
    content = b'{"large": 123456789012345678901234567890, "negative": -1e300, "small": 3}'
    names = ("large", "negative", "small")
    assert figures(yard, content, *names) == list(names)


@pytest.mark.ours
def test_long_names_and_many_figures(yard: Yard) -> None:
    """Names that no search could ask for are left out, and figures beyond the limit."""
    content = {"n" * (LONGEST_NAME + 1): 1, **{f"f{number}": number for number in range(MOST_FIGURES + 1)}}
    first, last, beyond = "f0", f"f{MOST_FIGURES - 1}", f"f{MOST_FIGURES}"
    assert figures(yard, json.dumps(content).encode(), first, last, beyond) == [first, last]
