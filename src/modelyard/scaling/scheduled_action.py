"""Scheduled actions: when one is due, what may be said of one, and which bounds it leaves."""

from collections.abc import Mapping
from typing import Any

from modelyard.schedules import expression
from modelyard.schedules.cron import ExpressionError
from modelyard.schedules.expression import At, Rate

Document = Mapping[str, Any]


class ActionError(ValueError):
    """What cannot be a scheduled action; the text is what the client is told."""


def check(document: Document) -> None:
    """Raise ActionError for what is no scheduled action."""
    zone = document.get("Timezone", "UTC")
    try:
        expression.time_zone(zone)
    except ExpressionError:
        raise ActionError(f"Invalid Timezone {zone}: it is no time zone of the IANA database.") from None
    try:
        parsed = expression.parse(document["Schedule"], zone)
    except ExpressionError as error:
        raise ActionError(f"Invalid schedule expression {document['Schedule']}: {error}.") from None
    if isinstance(parsed, At) and ("StartTime" in document or "EndTime" in document):
        raise ActionError("StartTime and EndTime are for recurring schedules.")
    if document.get("EndTime", float("inf")) <= document.get("StartTime", float("-inf")):
        raise ActionError("EndTime must come after StartTime.")
    if not document.get("ScalableTargetAction"):
        raise ActionError("ScalableTargetAction needs MinCapacity, MaxCapacity or both.")


def first_due(document: Document, now: float) -> float | None:
    """When an action that was put now is due first; None when never.

    A rate begins at its StartTime, or after its first interval.
    """
    parsed = expression.parse(document["Schedule"], document.get("Timezone", "UTC"))
    start = document.get("StartTime")
    if isinstance(parsed, Rate) and start is None:
        return _until_end(document, now + parsed.seconds)
    origin = now if start is None else start
    return _until_end(document, parsed.after(max(now, origin - 0.001), origin))


def next_due(document: Document, due: float, now: float) -> float | None:
    """When an action that was due is due again; times that went by meanwhile are left out."""
    parsed = expression.parse(document["Schedule"], document.get("Timezone", "UTC"))
    return _until_end(document, parsed.after(now, due))


def _until_end(document: Document, due: float | None) -> float | None:
    return None if due is None or due > document.get("EndTime", due) else due


def new_bounds(document: Document, least: int, most: int) -> tuple[int, int]:
    """The bounds that an action leaves: one that it does not name gives way where it has to."""
    action = document["ScalableTargetAction"]
    least, most = action.get("MinCapacity", least), action.get("MaxCapacity", most)
    if least > most:
        least, most = (least, least) if "MinCapacity" in action else (most, most)
    return least, most
