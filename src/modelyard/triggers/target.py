"""Targets: what can be one, what has to be said of each kind, and how often delivery is tried.

Source: "Amazon EventBridge targets" and "How EventBridge retries delivering events" of the user guide: 24 hours and 185 attempts
unless the target says otherwise, at growing intervals with jitter.
"""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from modelyard.triggers import json_path

MOST_ATTEMPTS = 185
LONGEST_AGE = 86400.0
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 480.0
"""So that 185 attempts fit into a day."""


class Kind(StrEnum):
    """What can be a target."""

    QUEUE = "queue"
    FUNCTION = "function"
    PIPELINE = "pipeline"
    DESTINATION = "API destination"


_ARNS = {
    Kind.QUEUE: re.compile(r"arn:aws:sqs:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,80}(?:\.fifo)?"),
    Kind.FUNCTION: re.compile(r"arn:aws:lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_-]{1,64}(?::[A-Za-z0-9_$-]{1,128})?"),
    Kind.PIPELINE: re.compile(r"arn:aws:sagemaker:[a-z0-9-]+:\d{12}:pipeline/[A-Za-z0-9-]{1,256}"),
    Kind.DESTINATION: re.compile(r"arn:aws:events:[a-z0-9-]+:\d{12}:api-destination/[.\-_A-Za-z0-9]+/[\-A-Za-z0-9]+"),
}
_ANY_ARN = re.compile(r"arn:[a-z-]+:([a-z0-9-]+):[a-z0-9-]*:\d*:.+")


class TargetError(ValueError):
    """What cannot be a target; the text is what the client is told."""


def kind_of(arn: str) -> Kind | None:
    """What the ARN of a target is of, None for what events are not delivered to here."""
    return next((kind for kind, pattern in _ARNS.items() if pattern.fullmatch(arn)), None)


def check_target(target: Mapping[str, Any]) -> None:
    """Whether a rule may have the target. Raises TargetError."""
    name, kind = target["Id"], _kind(target["Arn"])
    if sum(member in target for member in ("Input", "InputPath", "InputTransformer")) > 1:
        raise TargetError(f"Only one of Input, InputPath, or InputTransformer must be provided for target {name}.")
    if kind is Kind.QUEUE and target["Arn"].endswith(".fifo") and "MessageGroupId" not in target.get("SqsParameters", {}):
        raise TargetError(f"Parameter(s) SqsParameters must be specified for target: {name}.")
    if kind in (Kind.PIPELINE, Kind.DESTINATION) and "RoleArn" not in target:
        raise TargetError(f"RoleArn is required for target {target['Arn']}.")
    transformer = target.get("InputTransformer", {})
    for variable in transformer.get("InputPathsMap", {}):
        if variable.upper().startswith("AWS"):
            raise TargetError(f"InputPathsMap of target {name} has the reserved name {variable}.")
    for path in [*transformer.get("InputPathsMap", {}).values(), *([target["InputPath"]] if "InputPath" in target else [])]:
        _check_path(name, path)
    check_dead_letters(target)


def check_dead_letters(target: Mapping[str, Any]) -> None:
    """Whether undelivered events can go where the target says. Raises TargetError."""
    arn = target.get("DeadLetterConfig", {}).get("Arn")
    if arn is not None and (kind_of(arn) is not Kind.QUEUE or arn.endswith(".fifo")):
        raise TargetError("Parameter DeadLetterConfig is not valid. Reason: a dead-letter queue is a standard SQS queue.")


def _kind(arn: str) -> Kind:
    kind = kind_of(arn)
    if kind is None:
        match = _ANY_ARN.fullmatch(arn)
        if match is None:
            raise TargetError(f"Parameter {arn[:256]} is not valid. Reason: Provided Arn is not in correct format.")
        raise TargetError(
            f"Parameter {arn[:256]} is not valid. Reason: Modelyard delivers to SQS queues, Lambda functions, SageMaker pipelines"
            f" and API destinations, not to this resource of {match[1]}."
        )
    return kind


def check_schedule_target(target: Mapping[str, Any]) -> None:
    """Whether a schedule may have the target. Raises TargetError."""
    kind = _kind(target["Arn"])
    if kind is Kind.DESTINATION:
        raise TargetError(f"Provided Arn {target['Arn']} is not a target of the Scheduler.")
    if kind is Kind.QUEUE and target["Arn"].endswith(".fifo") and "MessageGroupId" not in target.get("SqsParameters", {}):
        raise TargetError("SqsParameters.MessageGroupId is required for a FIFO queue.")
    check_dead_letters(target)


def _check_path(name: str, path: str) -> None:
    try:
        json_path.steps(path)
    except json_path.PathError:
        raise TargetError(f"Invalid JSONPath {path} in target {name}.") from None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long delivery is tried."""

    most_retries: int
    longest_age: float

    @classmethod
    def of(cls, target: Mapping[str, Any]) -> "RetryPolicy":
        """What a target says, or AWS's defaults."""
        given = target.get("RetryPolicy", {})
        age = float(given.get("MaximumEventAgeInSeconds", LONGEST_AGE))
        return cls(given.get("MaximumRetryAttempts", MOST_ATTEMPTS), age)

    def exhausted(self, attempts: int, age: float) -> str:
        """Which condition ends the attempts after so many of them, in AWS's words; empty when there may be another."""
        if attempts > self.most_retries:
            return "MaximumRetryAttempts"
        return "MaximumEventAgeInSeconds" if age >= self.longest_age else ""


def pause(attempts: int, delivery: int) -> float:
    """Seconds until the next attempt: they double each time, up to a limit; by chance between half of it and all.

    The chance is drawn from the number of the delivery, so that the same is worked out everywhere.
    """
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempts - 1, 20))
    chance = zlib.crc32(f"{delivery} {attempts}".encode()) / 2**32
    return longest * (0.5 + 0.5 * chance)
