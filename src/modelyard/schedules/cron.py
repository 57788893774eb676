"""AWS's `cron()`: six fields, and the minutes that they stand for.

    minutes hours day-of-month month day-of-week year

Days are said by day-of-month or by day-of-week; the other is `?`. Beside lists, ranges and steps there are `L` (the last day of
the month, `L-3` three days before it, `5L` the last Thursday), `15W` (the weekday nearest to the 15th, in the same month) and
`6#3` (the third Friday). Sunday is 1. Sources: the EventBridge user guide on cron expressions, and the EventBridge Scheduler's.
"""

import calendar
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

FIRST_YEAR, LAST_YEAR = 1970, 2199
_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_WEEKDAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)}

Days = Callable[[int, int], set[int]]
"""The days of a month (year, month) that an element of a field stands for."""


class ExpressionError(ValueError):
    """What is no expression of this kind; the text says why."""


@dataclass(frozen=True)
class Cron:
    """A compiled expression."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: frozenset[int]
    years: frozenset[int]
    days: tuple[Days, ...]

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The minutes after `moment` that the expression stands for, in order; all without time zones."""
        start = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        day = start.date()
        for year, month in self._months(day):
            for number in self._days(year, month):
                at = date(year, month, number)
                if at >= day:
                    yield from (each for each in self._times(at) if each >= start)

    def _months(self, day: date) -> Iterator[tuple[int, int]]:
        for year in sorted(year for year in self.years if year >= day.year):
            for month in sorted(self.months):
                if (year, month) >= (day.year, day.month):
                    yield year, month

    def _days(self, year: int, month: int) -> list[int]:
        return sorted(set().union(*(days(year, month) for days in self.days)))

    def _times(self, day: date) -> Iterator[datetime]:
        for hour in self.hours:
            for minute in self.minutes:
                yield datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001  the zone is the caller's


def parse(text: str) -> Cron:
    """The expression between the brackets of `cron(…)`. Raises ExpressionError."""
    fields = text.upper().split()
    if len(fields) != 6:
        raise ExpressionError("a cron expression has six fields: minutes, hours, day of month, month, day of week, year")
    minutes, hours, month_days, months, week_days, years = fields
    if (month_days == "?") == (week_days == "?"):
        raise ExpressionError("one of day of month and day of week has to be ?, and the other not")
    days = (
        [_month_day(element) for element in month_days.split(",")]
        if week_days == "?"
        else [_week_day(element) for element in week_days.split(",")]
    )
    return Cron(
        minutes=tuple(sorted(_numbers(minutes, 0, 59))),
        hours=tuple(sorted(_numbers(hours, 0, 23))),
        months=frozenset(_numbers(months, 1, 12, _MONTHS)),
        years=frozenset(_numbers(years, FIRST_YEAR, LAST_YEAR)),
        days=tuple(days),
    )


_ELEMENT = re.compile(r"(\*|\w+)(?:-(\w+))?(?:/(\d{1,4}))?", re.ASCII)


def _numbers(field: str, low: int, high: int, names: dict[str, int] = {}) -> set[int]:
    return {number for element in field.split(",") for number in _element(element, low, high, names)}


def _element(element: str, low: int, high: int, names: dict[str, int]) -> range:
    """`*`, `5`, `1-5`, `MON-FRI`, each with a step, as numbers."""
    match = _ELEMENT.fullmatch(element)
    if match is None:
        raise ExpressionError(f"{element} is not a value, a range or a step")
    first, last, step = match.groups()
    if first == "*":
        start, end = low, high
        if last is not None:
            raise ExpressionError(f"{element} is not a range")
    else:
        start = _number(first, low, high, names)
        end = _number(last, low, high, names) if last is not None else high if step is not None else start
    if end < start or (step is not None and int(step) == 0):
        raise ExpressionError(f"{element} is not a range from low to high")
    return range(start, end + 1, int(step or 1))


def _number(text: str, low: int, high: int, names: dict[str, int]) -> int:
    number = names.get(text)
    if number is None and text.isdecimal():
        number = int(text[:9])
    if number is None or not low <= number <= high:
        raise ExpressionError(f"{text} is not between {low} and {high}")
    return number


def _length(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]


def _month_day(element: str) -> Days:
    if match := re.fullmatch(r"L(?:-(\d{1,2}))?", element):
        before = _number(match[1], 0, 30, {}) if match[1] else 0
        return lambda year, month: {_length(year, month) - before} - set(range(-31, 1))
    if element == "LW":
        return lambda year, month: _nearest_weekday(year, month, _length(year, month))
    if match := re.fullmatch(r"(\d{1,2})W", element):
        wanted = _number(match[1], 1, 31, {})
        return lambda year, month: _nearest_weekday(year, month, wanted)
    numbers = set(_element(element, 1, 31, {}))
    return lambda year, month: {number for number in numbers if number <= _length(year, month)}


def _nearest_weekday(year: int, month: int, day: int) -> set[int]:
    """The weekday nearest to a day, which never leaves the month; none when the month has no such day."""
    length = _length(year, month)
    if day > length:
        return set()
    weekday = date(year, month, day).weekday()
    if weekday == calendar.SATURDAY:
        return {day - 1 if day > 1 else day + 2}
    if weekday == calendar.SUNDAY:
        return {day + 1 if day < length else day - 2}
    return {day}


def _week_day(element: str) -> Days:
    if element == "L":
        element = "7"
    if match := re.fullmatch(r"(\w+)#(\d)", element, re.ASCII):
        weekday, which = _number(match[1], 1, 7, _WEEKDAYS), _number(match[2], 1, 5, {})
        return lambda year, month: set(_on_weekday(year, month, weekday)[which - 1 : which])
    if len(element) > 1 and element.endswith("L") and (element[:-1] in _WEEKDAYS or element[:-1].isdecimal()):
        last = _number(element[:-1], 1, 7, _WEEKDAYS)
        return lambda year, month: set(_on_weekday(year, month, last)[-1:])
    weekdays = set(_week(element))
    return lambda year, month: {day for weekday in weekdays for day in _on_weekday(year, month, weekday)}


def _week(element: str) -> Iterator[int]:
    """The weekdays of an element; a range may go over the end of the week (`FRI-MON`)."""
    match = _ELEMENT.fullmatch(element)
    if match is not None and match[1] != "*" and match[2] is not None:
        start, end = _number(match[1], 1, 7, _WEEKDAYS), _number(match[2], 1, 7, _WEEKDAYS)
        if end < start and match[3] is None:
            yield from (*range(start, 8), *range(1, end + 1))
            return
    yield from _element(element, 1, 7, _WEEKDAYS)


def _on_weekday(year: int, month: int, weekday: int) -> list[int]:
    """The days of a month on a day of the week, Sunday being 1."""
    first = (weekday - 2 - date(year, month, 1).weekday()) % 7 + 1
    return list(range(first, _length(year, month) + 1, 7))
