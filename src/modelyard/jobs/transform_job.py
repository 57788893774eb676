"""A transform job: what it is asked for, which of that can be done, and what Describe answers. Functions of values."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from modelyard.jobs import json_path
from modelyard.jobs.json_path import PathError

Document = dict[str, Any]

MOST_INSTANCES = 16
"""Of one job: they all run on this machine."""
MOST_MEBIBYTES = 100
"""MaxConcurrentTransforms times MaxPayloadInMB."""
DEFAULT_CONCURRENCY, DEFAULT_MEBIBYTES = 1, 6
DEFAULT_TIMEOUT_SECONDS, DEFAULT_RETRIES = 600, 3
MULTI, SINGLE = "MultiRecord", "SingleRecord"
LINE, NONE, GZIP = "Line", "None", "Gzip"
PREFIX, MANIFEST = "S3Prefix", "ManifestFile"
LONGEST_REASON = 1024
COPIED = (
    "MaxConcurrentTransforms",
    "ModelClientConfig",
    "MaxPayloadInMB",
    "BatchStrategy",
    "Environment",
    "TransformResources",
)
"""Members of CreateTransformJob that Describe answers as they were given."""
PROCESSING = {"InputFilter": "$", "OutputFilter": "$", "JoinSource": NONE}
"""DataProcessing, where a request does not say."""


class Status(StrEnum):
    """TransformJobStatus."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPING = "Stopping"
    STOPPED = "Stopped"


class RuleBroken(Exception):
    """A request that the service model admits, and the rules of transform jobs do not; the text is for the client."""


@dataclass(frozen=True, slots=True)
class JobName:
    """Where a transform job is."""

    account: str
    region: str
    name: str

    @property
    def folded(self) -> str:
        """The name as it is looked up."""
        return self.name.lower()

    @property
    def arn(self) -> str:
        """`…:transform-job/NAME`, in lower case as AWS answers it."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:transform-job/{self.folded}"


@dataclass(frozen=True, slots=True)
class TransformJob:
    """A transform job as it is stored."""

    id: int
    at: JobName
    created: float
    modified: float
    started: float | None
    ended: float | None
    status: Status
    failure: str | None
    document: Document
    plan: Document
    owner: str | None
    attempts: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be sent at once."""

    concurrency: int
    mebibytes: int
    """Of one payload; 0 for any number."""
    multi: bool
    """Whether a payload holds as many records as fit."""


def holder(job: JobName) -> str:
    """As what a job holds on to bytes."""
    return f"modelyard:{job.arn}"


def check(request: Mapping[str, Any]) -> None:
    """What the service model leaves open. Raises RuleBroken."""
    for member, words in (
        ("DataCaptureConfig", "captures no data of transform jobs"),
        ("ExperimentConfig", "has no experiments"),
    ):
        if request.get(member):
            raise RuleBroken(f"{member} cannot be specified: this server {words}.")
    given = request["TransformInput"]
    source = given["DataSource"]["S3DataSource"]
    if source["S3DataType"] not in (PREFIX, MANIFEST):
        raise RuleBroken(f"The S3DataType {source['S3DataType']} is not available in Modelyard: {PREFIX} and {MANIFEST} are.")
    if given.get("SplitType", NONE) not in (NONE, LINE):
        raise RuleBroken(f"The SplitType {given['SplitType']} is not available in Modelyard: {NONE} and {LINE} are.")
    for uri in (source["S3Uri"], request["TransformOutput"]["S3OutputPath"]):
        if not uri.startswith("s3://"):
            raise RuleBroken(f"The address {uri} cannot be used: it has to begin with s3://.")
    instances = request["TransformResources"]["InstanceCount"]
    if instances > MOST_INSTANCES:
        raise RuleBroken(
            f"A transform job can have at most {MOST_INSTANCES} instances on this server; {instances} are asked for."
        )
    concurrency = request.get("MaxConcurrentTransforms") or DEFAULT_CONCURRENCY
    if concurrency * max(1, request.get("MaxPayloadInMB", 1)) > MOST_MEBIBYTES:
        raise RuleBroken(f"MaxConcurrentTransforms times MaxPayloadInMB must not exceed {MOST_MEBIBYTES}.")
    _check_processing(request)


def _check_processing(request: Mapping[str, Any]) -> None:
    processing = {**PROCESSING, **request.get("DataProcessing", {})}
    for member in ("InputFilter", "OutputFilter"):
        try:
            json_path.steps(processing[member])
        except PathError as error:
            raise RuleBroken(f"The {member} {processing[member]} is not a path that SageMaker takes: {error}") from None
    kind = kind_of(request["TransformInput"].get("ContentType"))
    if kind is None and (processing["InputFilter"] != "$" or processing["JoinSource"] != NONE):
        raise RuleBroken(
            "InputFilter and JoinSource need a TransformInput.ContentType of text/csv, application/json or application/jsonlines."
        )


class Kind(StrEnum):
    """Kinds of content that can be filtered and joined."""

    CSV = "CSV"
    JSON = "JSON"
    LINES = "JSON Lines"


_KINDS = {
    "text/csv": Kind.CSV,
    "application/json": Kind.JSON,
    "application/jsonlines": Kind.LINES,
    "application/x-jsonlines": Kind.LINES,
    "application/json-lines": Kind.LINES,
}


def kind_of(content_type: str | None) -> Kind | None:
    """What records of a content type are; None where they are bytes."""
    return _KINDS.get((content_type or "").partition(";")[0].strip().lower())


def new_document(request: Mapping[str, Any], model_name: str) -> Document:
    """What DescribeTransformJob will answer, besides what changes."""
    document: Document = {"ModelName": model_name}
    document |= {member: request[member] for member in COPIED if request.get(member) not in (None, {}, "")}
    document["TransformInput"] = {"CompressionType": NONE, "SplitType": NONE, **request["TransformInput"]}
    document["TransformOutput"] = {"AssembleWith": NONE, **request["TransformOutput"]}
    document["DataProcessing"] = {**PROCESSING, **request.get("DataProcessing", {})}
    return document


def environment(request: Mapping[str, Any]) -> dict[str, str]:
    """The variables that containers of a job have besides those of their model, as SageMaker sets them."""
    given = {"SAGEMAKER_BATCH": "true"}
    for member, name in (
        ("MaxPayloadInMB", "SAGEMAKER_MAX_PAYLOAD_IN_MB"),
        ("MaxConcurrentTransforms", "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"),
    ):
        if member in request:
            given[name] = str(request[member])
    if "BatchStrategy" in request:
        given["SAGEMAKER_BATCH_STRATEGY"] = "MULTI_RECORD" if request["BatchStrategy"] == MULTI else "SINGLE_RECORD"
    return {**given, **request.get("Environment", {})}


def described(job: TransformJob) -> Document:
    """The answer of DescribeTransformJob."""
    shown: Document = {
        "TransformJobName": job.at.name,
        "TransformJobArn": job.at.arn,
        "TransformJobStatus": str(job.status),
        "CreationTime": job.created,
        **job.document,
    }
    for member, value in (("TransformStartTime", job.started), ("TransformEndTime", job.ended), ("FailureReason", job.failure)):
        if value is not None:
            shown[member] = value
    return shown


def summary(job: TransformJob) -> Document:
    """The entry of ListTransformJobs."""
    shown = described(job)
    members = ("TransformJobName", "TransformJobArn", "CreationTime", "TransformEndTime", "TransformJobStatus", "FailureReason")
    return {**{member: shown[member] for member in members if member in shown}, "LastModifiedTime": job.modified}


def wants_parameters(document: Mapping[str, Any]) -> bool:
    """Whether the container is asked for limits that the request leaves open."""
    return not document.get("MaxConcurrentTransforms") or "MaxPayloadInMB" not in document or "BatchStrategy" not in document


def limits(document: Mapping[str, Any], offered: Mapping[str, Any]) -> Limits:
    """The limits of a request, of what the container offers where it leaves some open, and SageMaker's own otherwise."""
    concurrency = document.get("MaxConcurrentTransforms") or _whole(offered, "MaxConcurrentTransforms") or DEFAULT_CONCURRENCY
    mebibytes = document.get("MaxPayloadInMB")
    if mebibytes is None:
        mebibytes = _whole(offered, "MaxPayloadInMB")
    if mebibytes is None:
        mebibytes = DEFAULT_MEBIBYTES
    strategy = str(document.get("BatchStrategy") or offered.get("BatchStrategy") or MULTI)
    multi = strategy.replace("_", "").lower() != SINGLE.lower()
    return Limits(min(concurrency, max(1, MOST_MEBIBYTES // max(1, mebibytes))), min(mebibytes, MOST_MEBIBYTES), multi)


def _whole(offered: Mapping[str, Any], member: str) -> int | None:
    value = offered.get(member)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
