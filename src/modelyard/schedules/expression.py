"""When a schedule is due: `at()`, `rate()` and `cron()`, in a time zone.

Clocks that are put forward skip times and those put back repeat them. As in AWS's Scheduler, a time that is skipped is not made
up for, and one that is repeated counts once.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from modelyard.schedules import cron
from modelyard.schedules.cron import LAST_YEAR, Cron, ExpressionError

_FORM = re.compile(r"(at|rate|cron)\((.*)\)", re.DOTALL)
_RATE = re.compile(r"(\d{1,9}) +(minute|hour|day)(s?)")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
_MOST_SKIPPED = 3000
"""Times in a row that a change of the clock may skip: islands have crossed the date line, and left out a day of 1440 minutes."""
_OVER = datetime(LAST_YEAR + 1, 1, 2, tzinfo=UTC).timestamp()
"""When the last year that expressions know is over in every time zone."""


@dataclass(frozen=True, slots=True)
class At:
    """Once."""

    moment: float

    def after(self, now: float, origin: float) -> float | None:
        """When it is next due after `now`, in epoch seconds; None when it is not any more. `origin` starts a rate."""
        return self.moment if self.moment > now else None


@dataclass(frozen=True, slots=True)
class Rate:
    """Every so often."""

    seconds: int

    def after(self, now: float, origin: float) -> float | None:
        """When it is next due after `now`: a whole number of intervals after `origin`, or `origin` itself."""
        if origin > now:
            return origin
        return origin + (int((now - origin) // self.seconds) + 1) * self.seconds


@dataclass(frozen=True, slots=True)
class Recurrent:
    """By the calendar of a time zone."""

    times: Cron
    zone: ZoneInfo

    def after(self, now: float, origin: float) -> float | None:
        """When it is next due after `now`; None when it is not any more."""
        if now >= _OVER:
            return None
        local = datetime.fromtimestamp(now, self.zone).replace(tzinfo=None)
        for candidate in islice(self.times.after(local), _MOST_SKIPPED):
            moment = _epoch(candidate, self.zone)
            if moment is not None and moment > now:
                return moment
        return None


Expression = At | Rate | Recurrent


def _epoch(local: datetime, zone: ZoneInfo) -> float | None:
    """A local time in epoch seconds, the first one if there are two; None for one that the clock skips."""
    moment = local.replace(tzinfo=zone, fold=0)
    there = moment.astimezone(UTC)
    return there.timestamp() if there.astimezone(zone).replace(tzinfo=None) == local else None


@lru_cache(maxsize=1024)
def parse(text: str, zone: str = "UTC") -> Expression:
    """The expression of a schedule. Raises ExpressionError."""
    form = _FORM.fullmatch(text.strip())
    if form is None:
        raise ExpressionError("it has to be at(…), rate(…) or cron(…)")
    kind, inside = form.groups()
    if kind == "rate":
        return _rate(inside.strip())
    place = time_zone(zone)
    return _at(inside.strip(), place) if kind == "at" else Recurrent(cron.parse(inside), place)


def time_zone(name: str) -> ZoneInfo:
    """A time zone by its name in the IANA database. Raises ExpressionError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ExpressionError(f"there is no time zone {name}") from None


def _rate(text: str) -> Rate:
    match = _RATE.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise ExpressionError("a rate is a whole number above 0 and minute(s), hour(s) or day(s)")
    return Rate(int(match[1]) * _SECONDS[match[2]])


def is_grammatical(text: str) -> bool:
    """Whether a rate says `1 day` and `2 days`; rules insist on it, schedules do not."""
    match = _RATE.search(text)
    return match is None or (int(match[1]) == 1) != bool(match[3])


def _at(text: str, zone: ZoneInfo) -> At:
    try:
        local = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S")  # noqa: DTZ007  the zone is given apart
    except ValueError:
        raise ExpressionError("a time is written as yyyy-mm-ddThh:mm:ss") from None
    try:
        moment = _epoch(local, zone)
    except OverflowError:
        raise ExpressionError(f"{text} in {zone.key} is beyond the times that there are") from None
    if moment is None:
        raise ExpressionError(f"the clocks of {zone.key} skip {text}")
    return At(moment)
