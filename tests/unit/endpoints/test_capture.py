"""What a DataCaptureConfig has kept, as which lines, and where."""

import json
from typing import Any

import pytest

from modelyard.endpoints import capture
from modelyard.endpoints.capture import Capture, Event, Exchange, Payload, capture_of

TIME = 1_591_640_974.158
"""2020-06-08, 18:29:34.158"""
ASKED = {
    "InitialSamplingPercentage": 20,
    "DestinationS3Uri": "s3://bucket/model-monitor/",
    "CaptureOptions": [{"CaptureMode": "Input"}],
}


def asks(**more: Any) -> Capture:
    found = capture_of({"DataCaptureConfig": {**ASKED, **more}})
    assert found is not None
    return found


def exchange(given: Payload | None, answered: Payload | None = None, **more: str) -> Exchange:
    return Exchange(Event("an-id", TIME, **more), given, answered)


def written(asked: Capture, content_type: str | None, data: bytes) -> dict[str, str]:
    found = json.loads(capture.line(asked, exchange(Payload(content_type, data))))["captureData"]["endpointInput"]
    return {name: value for name, value in found.items() if name != "mode"}


@pytest.mark.documented
def test_what_a_configuration_asks_for() -> None:
    """It is on unless EnableCapture says otherwise; an option may be both modes at once; an empty key is none."""
    assert capture_of({}) is None and capture.summary({}) is None
    assert capture_of({"DataCaptureConfig": {**ASKED, "EnableCapture": False}}) is None
    assert (asks().bucket, asks().prefix, asks().modes) == ("bucket", "model-monitor", {"Input"})
    assert asks(CaptureOptions=[{"CaptureMode": "InputAndOutput"}]).modes == {"Input", "Output"}
    assert (asks(KmsKeyId="").key_id, asks(KmsKeyId="alias/k").key_id) == (None, "alias/k")


@pytest.mark.documented
def test_only_uris_of_s3_are_places() -> None:
    """The service model lets https through, where nothing can be written."""
    assert capture.bucket_and_prefix("s3://bucket") == ("bucket", "")
    assert capture.bucket_and_prefix("s3://bucket/a/b/") == ("bucket", "a/b")
    assert capture.bucket_and_prefix("https://bucket/a") is None
    assert capture.bucket_and_prefix("s3:///a") is None


@pytest.mark.documented
def test_the_percentage_of_requests() -> None:
    """None of 0, all of 100, and of others those whose chance is below it."""
    assert not asks(InitialSamplingPercentage=0).samples(0.0)
    assert asks(InitialSamplingPercentage=100).samples(0.9999999)
    assert (asks().samples(0.19), asks().samples(0.2)) == (True, False)


@pytest.mark.seen
def test_a_line_is_as_sagemaker_writes_it() -> None:
    """Member by member as in the files that others have shown, in this order, on one line."""
    asked = asks(
        CaptureOptions=[{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        CaptureContentTypeHeader={"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
    )
    one = exchange(Payload("text/csv", b"69,0,153.7\n"), Payload("text/csv; charset=utf-8", b"0.0254"), custom_attributes="a=b,c")
    assert capture.line(asked, one).decode() == (
        '{"captureData":{"endpointInput":{"observedContentType":"text/csv","mode":"INPUT","data":"69,0,153.7\\n","encoding":"CSV"},'
        '"endpointOutput":{"observedContentType":"text/csv; charset=utf-8","mode":"OUTPUT","data":"0.0254","encoding":"CSV"}},'
        '"eventMetadata":{"eventId":"an-id","customAttributes":["a=b,c"],"inferenceTime":"2020-06-08T18:29:34Z"},'
        '"eventVersion":"0"}\n'
    )
    about = json.loads(capture.line(asked, exchange(None, Payload(None, b"x"), inference_id="i")))
    assert about["captureData"].keys() == {"endpointOutput"}
    assert about["eventMetadata"] == {"eventId": "an-id", "inferenceId": "i", "inferenceTime": "2020-06-08T18:29:34Z"}


@pytest.mark.documented
def test_the_content_type_decides_the_encoding() -> None:
    """Listed types are written as text, whatever their case and parameters, as long as they are; all else is base64."""
    asked = asks(CaptureContentTypeHeader={"CsvContentTypes": ["Text/CSV"], "JsonContentTypes": ["application/jsonlines"]})
    assert written(asked, "text/csv; charset=utf-8", "é".encode()) == {
        "observedContentType": "text/csv; charset=utf-8",
        "data": "é",
        "encoding": "CSV",
    }
    assert written(asked, "application/JSONLINES", b"{}")["encoding"] == "JSON"
    assert written(asked, "application/json", b"{}") == {
        "observedContentType": "application/json",
        "data": "e30=",
        "encoding": "BASE64",
    }
    assert written(asked, "text/csv", b"\xff") == {"observedContentType": "text/csv", "data": "/w==", "encoding": "BASE64"}
    assert written(asked, None, b"") == {"data": "", "encoding": "BASE64"}
    assert written(asks(), "text/csv", b"1")["encoding"] == "BASE64"


@pytest.mark.documented
def test_keys_sort_by_time() -> None:
    """Prefix, endpoint, variant, hour, and minute, second and millisecond of the first request; a prefix may be missing."""
    one = [exchange(None)]
    assert capture.key(asks(), "e", "v", one, "u") == "model-monitor/e/v/2020/06/08/18/29-34-158-u.jsonl"
    assert capture.key(asks(DestinationS3Uri="s3://bucket"), "e", "v", one, "u") == "e/v/2020/06/08/18/29-34-158-u.jsonl"


@pytest.mark.seen
def test_what_describe_shows() -> None:
    """Started or stopped; the key only where there is one."""
    shown = {"CurrentSamplingPercentage": 20, "DestinationS3Uri": "s3://bucket/model-monitor/"}
    assert capture.summary({"DataCaptureConfig": ASKED}) == {"EnableCapture": True, "CaptureStatus": "Started", **shown}
    stopped = {**ASKED, "EnableCapture": False, "KmsKeyId": "k"}
    assert capture.summary({"DataCaptureConfig": stopped}) == {
        "EnableCapture": False,
        "CaptureStatus": "Stopped",
        "KmsKeyId": "k",
        **shown,
    }
