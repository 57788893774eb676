"""Filtering and joining the records of a transform job."""

import contextlib
from typing import Any

import pytest

from modelyard.jobs.processing import NotProcessed, Processing
from modelyard.jobs.transform_job import new_document


def processing(content_type: str, *, split: str = "Line", assemble: str = "None", **given: str) -> Processing:
    request: dict[str, Any] = {
        "TransformInput": {"ContentType": content_type, "SplitType": split, "DataSource": {}},
        "TransformOutput": {"S3OutputPath": "s3://b/o", "AssembleWith": assemble},
        "TransformResources": {},
        "DataProcessing": given,
    }
    return Processing(new_document(request, "m"))


@pytest.mark.documented
def test_bytes_pass_as_they_are() -> None:
    """Without filters and joins neither input nor output is looked at."""
    plain = processing("image/png", split="None")
    assert plain.sent(b"\xff\x00") == b"\xff\x00"
    assert plain.written(b"\xff\x00", b"\x00\xff", "x/y") == b"\x00\xff"
    assert processing("image/png", assemble="Line").written(b"", b"a", None) == b"a\n"
    assert processing("image/png", assemble="Line").written(b"", b"a\n", None) == b"a\n"


@pytest.mark.documented
def test_rows_are_filtered_and_joined() -> None:
    """Columns of CSV are picked for the model; its answer stands behind the whole row; columns of that are picked again."""
    rows = processing("text/csv", InputFilter="$[1:]", JoinSource="Input", OutputFilter="$[0,-1]", assemble="Line")
    assert rows.sent(b'"a,b",1,2\nc,3,4') == b"1,2\n3,4"
    assert rows.written(b'"a,b",1,2\nc,3,4', b"0.5\n0.7\n", "text/csv; charset=utf-8") == b'"a,b",0.5\nc,0.7\n'
    assert processing("text/csv", InputFilter="$[0]").sent(b"a,1\nb,2") == b"a\nb"


@pytest.mark.documented
def test_objects_are_joined_under_names_of_sagemaker() -> None:
    """An answer joins an object as SageMakerOutput; input that is no object stands as SageMakerInput beside it."""
    joined = processing("application/jsonlines", JoinSource="Input")
    answer = joined.written(b'{"id":1}\n[2]', b'{"y": 0.5}\n{"y": 0.7}', "application/jsonlines")
    assert answer == b'{"id":1,"SageMakerOutput":{"y":0.5}}\n{"SageMakerInput":[2],"SageMakerOutput":{"y":0.7}}'
    whole = processing("application/json", split="None", JoinSource="Input", OutputFilter="$.SageMakerOutput.y")
    assert whole.written(b'{\n"id": 1}', b'{\n"y": [1]\n}', "application/json") == b"[1]"
    picked = processing("application/json", InputFilter="$.features")
    assert picked.sent(b'{"id": 1, "features": [1, 2]}') == b"[1,2]"


@pytest.mark.documented
@pytest.mark.parametrize(
    ("content_type", "payload", "answer", "answer_type", "words"),
    [
        ("text/csv", b"1\n2", b"3", "text/csv", "answered 1 records to 2"),
        ("text/csv", b"1", b"{}", "application/json", "JSON cannot be joined to an input that is CSV"),
        ("application/json", b"{}", b"no", "application/json", "The output is not JSON"),
        ("application/json", b"no", b"{}", "application/json", "The input is not JSON"),
        ("text/csv", b"\xff", b"1", "text/csv", "The input is not CSV"),
        ("application/json", b"[" * 100_000, b"{}", "application/json", "The input is not JSON"),
        ("application/json", b"{}", b"[" * 100_000, "application/json", "The output is not JSON"),
        ("application/jsonlines", b"{}", b'{"a":' * 100_000, "application/jsonlines", "The output is not JSON"),
        ("application/json", b'"\\ud800"', b"{}", "application/json", "cannot be written as JSON"),
    ],
)
def test_what_cannot_be_joined(content_type: str, payload: bytes, answer: bytes, answer_type: str, words: str) -> None:
    """What does not fit says what is wrong with it."""
    with pytest.raises(NotProcessed, match=words):
        processing(content_type, JoinSource="Input").written(payload, answer, answer_type)


@pytest.mark.ours
def test_what_is_read_but_cannot_be_written() -> None:
    """However deeply an answer is nested, its record is written or said to be no good: nothing else is raised."""
    joined = processing("application/json", JoinSource="Input")
    for depth in range(1, 1500):
        with contextlib.suppress(NotProcessed):
            joined.written(b"{}", b"[" * depth + b"]" * depth, "application/json")
    with pytest.raises(NotProcessed):
        joined.written(b"{}", b"[" * depth + b"]" * depth, "application/json")


@pytest.mark.ours
def test_a_filter_of_what_is_bytes() -> None:
    """An output of an unknown kind cannot be filtered; without a content type of its own it is of the kind of its input."""
    with pytest.raises(NotProcessed, match=r"An output of the type image/png cannot be filtered"):
        processing("image/png", OutputFilter="$[0]").written(b"", b"a,b", "image/png")
    assert processing("text/csv", OutputFilter="$[0]").written(b"", b"a,b", None) == b"a"
