"""A request to an asynchronous endpoint: where its input is, where its answer goes, and how long it may take.

Functions of values. Sources: "Asynchronous inference" of the SageMaker developer guide, InvokeEndpointAsync of the service model.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from modelyard.endpoints.addresses import in_s3
from modelyard.endpoints.model import Document, Name, RuleBroken

LARGEST = 1024**3
"""Bytes of an input, and of an answer, as on AWS."""
LARGEST_INLINE = 128_000
LONGEST_WAIT = 21_600
"""Seconds that a request may wait in the queue, where it does not say how long."""
LONGEST_ANSWER = 900
"""Seconds that a container may take, where the request does not say how long."""
LONGEST_ANSWER_OF_ALL = 3600
CONCURRENCY = 4
"""Requests to one instance at a time, where the configuration does not say how many: AWS "chooses an optimal value"."""
HEADERS = ("ContentType", "Accept", "CustomAttributes")
"""Members of a request that containers get as headers, besides its InferenceId."""
TOPICS = ("SuccessTopic", "ErrorTopic")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
_LONGEST_REASON = 1024


@dataclass(frozen=True, slots=True)
class Place:
    """An object, to be read or written."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        """Its address."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class Queued:
    """A request that waits, or is answered now."""

    id: int
    endpoint: int
    created: float
    expires: float
    losses: int
    """How often an instance ended with it."""
    body: bytes
    request: Document
    """Its members that containers get as headers, and `ContentType` and `Accept`."""
    input: Place | None
    """None for one that brought its input along."""
    output: Place
    failure: Place | None
    kms_key: str | None
    topics: Document
    """`SuccessTopic` and `ErrorTopic`, where there are any."""
    seconds: float
    """How long it may take to be answered."""

    def places(self, most: int) -> int:
        """How many of the `most` places of an instance it takes. One with which an instance ended is asked alone from then on: it
        takes no other with it, and no other takes it."""
        return most if self.losses else 1

    def notification(self, at: Name, now: float, content_type: str | None, failure: str | None) -> Document:
        """What a topic is told of it, once it is over."""
        requested: Document = {"endpointName": at.name}
        if "ContentType" in self.request:
            requested["contentType"] = self.request["ContentType"]
        if self.input is not None:
            requested["inputLocation"] = self.input.uri
        told: Document = {
            "awsRegion": at.region,
            "eventTime": _moment(now),
            "receivedTime": _moment(self.created),
            "invocationStatus": "Completed" if failure is None else "Failed",
            "requestParameters": requested,
            "inferenceId": self.request["InferenceId"],
            "eventVersion": "1.0",
            "eventSource": "aws:sagemaker",
            "eventName": "InferenceResult",
        }
        if failure is None:
            told["responseParameters"] = {"contentType": content_type, "outputLocation": self.output.uri}
        else:
            told["failureReason"] = failure
            if self.failure is not None:
                told["responseParameters"] = {"failureLocation": self.failure.uri}
        return told


def config_of(config: Mapping[str, Any]) -> Document | None:
    """The AsyncInferenceConfig of an endpoint configuration; None for endpoints that answer at once."""
    found: Document | None = config.get("AsyncInferenceConfig")
    return found


def concurrency(config: Mapping[str, Any]) -> int:
    """How many requests an instance gets at a time."""
    asynchronous = config_of(config) or {}
    most: int = asynchronous.get("ClientConfig", {}).get("MaxConcurrentInvocationsPerInstance", CONCURRENCY)
    return most


def check_config(config: Mapping[str, Any]) -> None:
    """Whether the AsyncInferenceConfig of a configuration, if it has one, can be gone by. Raises RuleBroken."""
    asynchronous = config_of(config)
    if asynchronous is None:
        return
    output = asynchronous["OutputConfig"]
    if "S3OutputPath" not in output:
        raise RuleBroken("AsyncInferenceConfig needs an S3OutputPath on this server.")
    for member in ("S3OutputPath", "S3FailurePath"):
        if member in output and in_s3(output[member]) is None:
            raise RuleBroken(f"{member} must have the form s3://bucket/prefix on this server, and is {output[member]}.")
    if output.get("NotificationConfig", {}).get("IncludeInferenceResponseIn"):
        raise RuleBroken("IncludeInferenceResponseIn cannot be had on this server: notifications say where the response is.")


def accepted(asynchronous: Mapping[str, Any], request: Mapping[str, Any], fresh: str) -> Document:
    """What is kept of a request, with the places of its results; `fresh` is an id of its own. Raises RuleBroken."""
    if ("Body" in request) is ("InputLocation" in request):
        raise RuleBroken("Exactly one of Body and InputLocation must be specified.")
    if len(request.get("Body", b"")) > LARGEST_INLINE:
        raise RuleBroken(f"Body can have at most {LARGEST_INLINE} bytes: put what is larger into S3, and name its InputLocation.")
    places = asynchronous["OutputConfig"]
    extension, name = request.get("S3OutputPathExtension", ""), request.get("Filename", f"{fresh}.out")
    document: Document = {
        "Request": {member: request[member] for member in HEADERS if member in request},
        "Output": _below(places["S3OutputPath"], extension, name),
        "Seconds": request.get("InvocationTimeoutSeconds", LONGEST_ANSWER),
    }
    document["Request"]["InferenceId"] = request.get("InferenceId", fresh)
    if "InputLocation" in request:
        document["Input"] = _input(request["InputLocation"])
    if "S3FailurePath" in places:
        document["Failure"] = _below(places["S3FailurePath"], "", f"{fresh}-error.out")
    document["Topics"] = {name: arn for name, arn in places.get("NotificationConfig", {}).items() if name in TOPICS and arn}
    if places.get("KmsKeyId"):
        document["KmsKey"] = places["KmsKeyId"]
    return document


def _input(uri: str) -> list[str]:
    found = in_s3(uri)
    if found is None or not found[1]:
        raise RuleBroken(f"InputLocation must have the form s3://bucket/key on this server, and is {uri}.")
    return list(found)


def _below(path: str, extension: str, name: str) -> list[str]:
    """Bucket and key of an object below a path."""
    found = in_s3(path)
    assert found is not None, "the configuration was checked"
    bucket, prefix = found
    return [bucket, "/".join(part for part in (prefix.strip("/"), extension.strip("/"), name) if part)]


def from_document(document: Document, **columns: Any) -> Queued:
    """A request as it was kept."""
    return Queued(
        request=document["Request"],
        input=Place(*document["Input"]) if "Input" in document else None,
        output=Place(*document["Output"]),
        failure=Place(*document["Failure"]) if "Failure" in document else None,
        kms_key=document.get("KmsKey"),
        topics=document["Topics"],
        seconds=float(document["Seconds"]),
        **columns,
    )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def in_header(reason: str) -> str:
    """A reason as the metadata of an object may hold it."""
    return _UNPRINTABLE.sub(" ", reason)[:_LONGEST_REASON].strip()
