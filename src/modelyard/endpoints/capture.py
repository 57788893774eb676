"""Data capture: which requests are kept in S3, as which lines, and under which keys. Functions of values.

Sources: DataCaptureConfig of the service model, and "Capture data from real-time endpoint" of the SageMaker developer guide, with
the lines that it shows.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from modelyard.endpoints.model import Document

INPUT, OUTPUT, BOTH = "Input", "Output", "InputAndOutput"
CSV, JSON, BASE64 = "CSV", "JSON", "BASE64"


def bucket_and_prefix(uri: str) -> tuple[str, str] | None:
    """Where a DestinationS3Uri points to; None when that is nowhere in S3."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    return (bucket, prefix.strip("/")) if uri.startswith("s3://") and bucket else None


@dataclass(frozen=True, slots=True)
class Capture:
    """What a DataCaptureConfig asks for."""

    percentage: int
    bucket: str
    prefix: str
    key_id: str | None
    """The key of KMS that encrypts what is kept."""
    modes: frozenset[str]
    """Of INPUT and OUTPUT."""
    csv: frozenset[str]
    """Content types in lower case, as are those of JSON; what is of neither is kept in base64."""
    json: frozenset[str]

    def samples(self, chance: float) -> bool:
        """Whether a request is kept, for a chance from 0 up to, and without, 1."""
        return chance * 100 < self.percentage


def capture_of(config: Mapping[str, Any]) -> Capture | None:
    """What an endpoint configuration has captured; None for nothing."""
    given = config.get("DataCaptureConfig")
    if given is None or not given.get("EnableCapture", True):
        return None
    place = bucket_and_prefix(given["DestinationS3Uri"])
    assert place is not None, "configurations are checked when they are made"
    modes = {option["CaptureMode"] for option in given["CaptureOptions"]}
    header = given.get("CaptureContentTypeHeader", {})
    return Capture(
        percentage=given["InitialSamplingPercentage"],
        bucket=place[0],
        prefix=place[1],
        key_id=given.get("KmsKeyId") or None,
        modes=frozenset((INPUT, OUTPUT) if BOTH in modes else modes),
        csv=frozenset(one.lower() for one in header.get("CsvContentTypes", ())),
        json=frozenset(one.lower() for one in header.get("JsonContentTypes", ())),
    )


def summary(config: Mapping[str, Any]) -> Document | None:
    """DataCaptureConfig of DescribeEndpoint; without a KmsKeyId where there is none, as AWS answers."""
    given = config.get("DataCaptureConfig")
    if given is None:
        return None
    enabled = given.get("EnableCapture", True)
    shown: Document = {
        "EnableCapture": enabled,
        "CaptureStatus": "Started" if enabled else "Stopped",
        "CurrentSamplingPercentage": given["InitialSamplingPercentage"],
        "DestinationS3Uri": given["DestinationS3Uri"],
    }
    return {**shown, "KmsKeyId": given["KmsKeyId"]} if given.get("KmsKeyId") else shown


@dataclass(frozen=True, slots=True)
class Event:
    """A request that is kept, with its answer: what both have in common."""

    id: str
    time: float
    """When it came."""
    custom_attributes: str | None = None
    inference_id: str | None = None


@dataclass(frozen=True, slots=True)
class Payload:
    """What went in, or came out."""

    content_type: str | None
    data: bytes


@dataclass(frozen=True, slots=True)
class Exchange:
    """An event with its payloads."""

    event: Event
    given: Payload | None
    """None where the configuration does not ask for it, as for the other."""
    answered: Payload | None

    @property
    def size(self) -> int:
        """Bytes that it holds on to, without what Python takes for itself."""
        return sum(len(one.data) for one in (self.given, self.answered) if one is not None) + 512


def line(capture: Capture, exchange: Exchange) -> bytes:
    """A line of a file, with its end."""
    data: Document = {}
    if exchange.given is not None:
        data["endpointInput"] = _payload(capture, "INPUT", exchange.given)
    if exchange.answered is not None:
        data["endpointOutput"] = _payload(capture, "OUTPUT", exchange.answered)
    event = exchange.event
    about: Document = {"eventId": event.id}
    if event.custom_attributes is not None:
        about["customAttributes"] = [event.custom_attributes]
    if event.inference_id is not None:
        about["inferenceId"] = event.inference_id
    about["inferenceTime"] = f"{_utc(event.time):%Y-%m-%dT%H:%M:%SZ}"
    shown = {"captureData": data, "eventMetadata": about, "eventVersion": "0"}
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _payload(capture: Capture, mode: str, payload: Payload) -> Document:
    encoding = _encoding(capture, payload)
    text = payload.data.decode() if encoding != BASE64 else base64.b64encode(payload.data).decode("ascii")
    shown: Document = {"mode": mode, "data": text, "encoding": encoding}
    return shown if payload.content_type is None else {"observedContentType": payload.content_type, **shown}


def _encoding(capture: Capture, payload: Payload) -> str:
    """How a payload is written: as text only where its content type is listed, and where it is text."""
    kind = (payload.content_type or "").partition(";")[0].strip().lower()
    found = CSV if kind in capture.csv else JSON if kind in capture.json else BASE64
    if found != BASE64:
        try:
            payload.data.decode()
        except UnicodeDecodeError:
            return BASE64
    return found


def hour_of(event: Event) -> int:
    """The hour whose folder an event belongs in."""
    return int(event.time // 3600)


def key(capture: Capture, endpoint: str, variant: str, exchanges: Sequence[Exchange], unique: str) -> str:
    """Where a file of exchanges of one hour goes."""
    time = _utc(exchanges[0].event.time)
    name = f"{time:%M-%S}-{time.microsecond // 1000:03}-{unique}.jsonl"
    return "/".join(part for part in (capture.prefix, endpoint, variant, f"{time:%Y/%m/%d/%H}", name) if part)


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(round(seconds, 3), UTC)
