"""Schedules: when one is due, and what may be said of one."""

from collections.abc import Mapping
from typing import Any

from modelyard.schedules import expression as schedule_expression
from modelyard.schedules.cron import ExpressionError
from modelyard.schedules.expression import At, Rate

DISABLED = "DISABLED"
FLEXIBLE = "FLEXIBLE"


class ScheduleError(ValueError):
    """What cannot be a schedule; the text is what the client is told."""


def check(document: Mapping[str, Any]) -> None:
    """Raise ScheduleError for what is no schedule."""
    window = document["FlexibleTimeWindow"]
    if (window["Mode"] == FLEXIBLE) != ("MaximumWindowInMinutes" in window):
        raise ScheduleError("FlexibleTimeWindow has MaximumWindowInMinutes when its Mode is FLEXIBLE, and only then.")
    if "StartDate" in document and "EndDate" in document and document["EndDate"] <= document["StartDate"]:
        raise ScheduleError("The EndDate you specify must come after the StartDate.")
    try:
        schedule_expression.time_zone(document["ScheduleExpressionTimezone"])
    except ExpressionError:
        zone = document["ScheduleExpressionTimezone"]
        raise ScheduleError(f"Invalid ScheduleExpressionTimezone {zone}: it is no time zone of the IANA database.") from None
    try:
        schedule_expression.parse(document["ScheduleExpression"], document["ScheduleExpressionTimezone"])
    except ExpressionError as error:
        raise ScheduleError(f"Invalid Schedule Expression {document['ScheduleExpression']}: {error}.") from None


def first_due(document: Mapping[str, Any], now: float) -> float | None:
    """When a schedule that was made or changed now is due first; None when never.

    A rate is due at once, or at its StartDate.
    """
    expression = schedule_expression.parse(document["ScheduleExpression"], document["ScheduleExpressionTimezone"])
    start = document.get("StartDate", now)
    if isinstance(expression, At):
        return _until_end(document, expression.moment if expression.moment > now else None)
    if isinstance(expression, Rate) and start >= now:
        return _until_end(document, start)
    return _until_end(document, expression.after(max(now, start - 0.001), start))


def next_due(document: Mapping[str, Any], due: float, now: float) -> float | None:
    """When a schedule that was due is due again after `now`: times that went by meanwhile are left out."""
    expression = schedule_expression.parse(document["ScheduleExpression"], document["ScheduleExpressionTimezone"])
    return _until_end(document, expression.after(now, due))


def _until_end(document: Mapping[str, Any], due: float | None) -> float | None:
    if document["State"] == DISABLED or due is None:
        return None
    return due if due <= document.get("EndDate", due) else None


def is_over(document: Mapping[str, Any], due: float | None) -> bool:
    """Whether nothing more comes of a schedule."""
    return due is None and document["State"] != DISABLED
