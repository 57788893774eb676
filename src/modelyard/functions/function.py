"""A function: what its configuration may say, and what is kept of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from modelyard.functions.failures import invalid, not_here, out_of_bounds
from modelyard.functions.function_name import LATEST, FunctionName

PYTHONS = tuple(f"python3.{minor}" for minor in range(8, 15))
LONGEST_TIMEOUT = 900
MOST_MEMORY = 10_240
MOST_ENVIRONMENT = 4096
"""Bytes of the names and values of variables."""
DEFAULTS: Mapping[str, Any] = {
    "Description": "",
    "Timeout": 3,
    "MemorySize": 128,
    "TracingConfig": {"Mode": "PassThrough"},
    "Architectures": ["x86_64"],
    "EphemeralStorage": {"Size": 512},
    "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
    "PackageType": "Zip",
}
TAKEN = (
    "Role",
    "Handler",
    "Description",
    "Timeout",
    "MemorySize",
    "Runtime",
    "Environment",
    "DeadLetterConfig",
    "TracingConfig",
    "EphemeralStorage",
    "LoggingConfig",
    "Architectures",
)
"""Members of a request that go into the configuration."""
RESERVED = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SECRET_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)
"""Variables that Lambda sets itself."""
_QUEUE = re.compile(r"arn:aws:sqs:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,80}(?:\.fifo)?")
_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]+")
_UNAVAILABLE = {
    "Layers": "Layers of Lambda",
    "FileSystemConfigs": "A file system of Lambda",
    "ImageConfig": "A function from a container image",
    "CodeSigningConfigArn": "Code signing of Lambda",
    "KMSKeyArn": "Encryption of a function's variables with a key of one's own",
    "DurableConfig": "A durable function",
    "CapacityProviderConfig": "A capacity provider of Lambda",
    "TenancyConfig": "Tenant isolation of Lambda",
    "RuntimeConfig": "A runtime of one's own",
    "AcceleratorConfig": "An accelerator of Lambda",
    "PublishTo": "PublishTo",
}


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a function as it is kept."""

    function_id: int
    at: FunctionName
    """With the version as its qualifier."""
    digest: str
    """Of the zip of its code, among the blobs."""
    document: dict[str, Any]
    """Its FunctionConfiguration."""

    @property
    def is_latest(self) -> bool:
        """Whether it is the one that changes."""
        return self.at.qualifier == LATEST

    @property
    def role(self) -> str:
        """The ARN of the role that it runs as."""
        return str(self.document["Role"])


def check(request: Mapping[str, Any]) -> None:
    """Whether a function may be configured so. Raises AwsError."""
    for member, name in _UNAVAILABLE.items():
        if request.get(member):
            raise not_here(name)
    if any(request.get("VpcConfig", {}).get(member) for member in ("SubnetIds", "SecurityGroupIds")):
        raise not_here("A function in a VPC")
    if request.get("PackageType", "Zip") != "Zip":
        raise not_here("A function from a container image")
    if request.get("SnapStart", {}).get("ApplyOn", "None") != "None":
        raise not_here("SnapStart")
    runtime = request.get("Runtime")
    if runtime is not None and runtime not in PYTHONS:
        raise invalid(f"Modelyard runs functions in Python: {PYTHONS[0]} to {PYTHONS[-1]}, not {runtime}.")
    if request.get("Timeout", 0) > LONGEST_TIMEOUT:
        raise out_of_bounds(request["Timeout"], "timeout", LONGEST_TIMEOUT)
    if request.get("MemorySize", 0) > MOST_MEMORY:
        raise out_of_bounds(request["MemorySize"], "memorySize", MOST_MEMORY)
    if request.get("LoggingConfig", {}).get("LogFormat", "Text") != "Text":
        raise not_here("The JSON format of Lambda's logs")
    _check_environment(request.get("Environment", {}).get("Variables", {}))
    check_destination(request.get("DeadLetterConfig", {}).get("TargetArn", ""), "dead-letter queue")


def _check_environment(variables: Mapping[str, str]) -> None:
    reserved = sorted(RESERVED & variables.keys())
    if reserved:
        raise invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have provided"
            " contains reserved keys that are currently not supported for modification. Reserved keys used in this request:"
            f" {', '.join(reserved)}"
        )
    for name, value in variables.items():
        if not _VARIABLE.fullmatch(name) or "\0" in value:
            raise invalid(f"The name or value of the environment variable {name[:64]!r} is not valid.")
    size = sum(len(name.encode()) + len(value.encode()) for name, value in variables.items())
    if size > MOST_ENVIRONMENT:
        raise invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have provided"
            f" exceeded the 4KB limit. String measured: {size} bytes"
        )


def check_destination(arn: str, what: str) -> None:
    """Whether what is told of an invocation that failed can go there. Raises InvalidParameterValueException."""
    if arn and not _QUEUE.fullmatch(arn):
        raise invalid(f"The {what} of a function is an SQS queue in Modelyard, not {arn[:256]}.")


def configuration(
    at: FunctionName, request: Mapping[str, Any], present: Mapping[str, Any], now: float, revision: str
) -> dict[str, Any]:
    """The FunctionConfiguration that a request makes of the present one, or of none."""
    document = {**DEFAULTS, **present}
    document |= {"FunctionName": at.name, "FunctionArn": at.arn, "Version": LATEST}
    for member in TAKEN:
        if member in request:
            document[member] = request[member]
    if not document.get("Environment", {}).get("Variables"):
        document.pop("Environment", None)
    if not document.get("DeadLetterConfig", {}).get("TargetArn"):
        document.pop("DeadLetterConfig", None)
    group = document.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{at.name}"
    document["LoggingConfig"] = {"LogFormat": "Text", "LogGroup": group}
    document |= {"LastModified": moment(now), "RevisionId": revision, "State": "Active", "LastUpdateStatus": "Successful"}
    return document


def with_code(document: dict[str, Any], sha256: str, size: int) -> dict[str, Any]:
    """A configuration with what is told of the code: its SHA-256 in base64, its size in bytes."""
    return {**document, "CodeSha256": sha256, "CodeSize": size}


def being_made(document: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration as CreateFunction answers it."""
    return {
        **{name: value for name, value in document.items() if name != "LastUpdateStatus"},
        "State": "Pending",
        "StateReason": "The function is being created.",
        "StateReasonCode": "Creating",
    }


def being_updated(document: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration as an update answers it."""
    return {
        **document,
        "LastUpdateStatus": "InProgress",
        "LastUpdateStatusReason": "The function is being created.",
        "LastUpdateStatusReasonCode": "Creating",
    }


def moment(seconds: float) -> str:
    """A time as Lambda writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(seconds * 1000) % 1000:03d}+0000"
