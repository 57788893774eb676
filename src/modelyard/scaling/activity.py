"""What DescribeScalingActivities tells, in AWS's words."""

from collections.abc import Mapping
from typing import Any

from modelyard.scaling.dimension import NAMESPACE, Aim

IN_PROGRESS, SUCCESSFUL, FAILED, OVERRIDDEN = "InProgress", "Successful", "Failed", "Overridden"
KEPT_SECONDS = 42 * 86400.0
"""Six weeks."""
LONGEST_TEXT = 1024

Document = dict[str, Any]


def begun(number: str, aim: Aim, wanted: int, cause: str, now: float) -> Document:
    """The capacity is being set."""
    return {
        "ActivityId": number,
        "ServiceNamespace": NAMESPACE,
        "ResourceId": aim.resource,
        "ScalableDimension": aim.dimension,
        "Description": f"Setting {aim.noun} to {wanted}.",
        "Cause": cause,
        "StartTime": now,
        "StatusCode": IN_PROGRESS,
        "StatusMessage": f"Successfully set {aim.noun} to {wanted}. Waiting for change to be fulfilled by {NAMESPACE}.",
    }


def new_bounds(number: str, aim: Aim, bounds: tuple[int, int], cause: str, now: float) -> Document:
    """A scheduled action has set the bounds."""
    said = f"min capacity to {bounds[0]} and max capacity to {bounds[1]}"
    return {
        **begun(number, aim, 0, cause, now),
        "Description": f"Setting {said}",
        "EndTime": now,
        "StatusCode": SUCCESSFUL,
        "StatusMessage": f"Successfully set {said}",
    }


def fulfilled(document: Mapping[str, Any], aim: Aim, wanted: int, now: float) -> Document:
    """The capacity is there."""
    text = f"Successfully set {aim.noun} to {wanted}. Change successfully fulfilled by {NAMESPACE}."
    return {**document, "EndTime": now, "StatusCode": SUCCESSFUL, "StatusMessage": text}


def failed(document: Mapping[str, Any], aim: Aim, wanted: int, reason: str, now: float) -> Document:
    """The capacity was refused, or did not come up."""
    text = f"Failed to set {aim.noun} to {wanted}. Reason: {reason}"[:LONGEST_TEXT]
    return {**document, "EndTime": now, "StatusCode": FAILED, "StatusMessage": text}


def overridden(document: Mapping[str, Any], now: float) -> Document:
    """Somebody has set another capacity meanwhile."""
    return {**document, "EndTime": now, "StatusCode": OVERRIDDEN, "StatusMessage": "Another capacity was set meanwhile."}


def by_alarm(alarm: str, policy: str) -> str:
    """The cause of what a policy did."""
    return f"monitor alarm {alarm} in state ALARM triggered policy {policy}"


def by_schedule(name: str) -> str:
    """The cause of what a scheduled action did."""
    return f"scheduled action name {name} was triggered"


def by_bound(capacity: int, least: int, most: int) -> str:
    """The cause of a capacity that is put within bounds."""
    return f"minimum capacity was set to {least}" if capacity < least else f"maximum capacity was set to {most}"
