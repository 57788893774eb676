"""When schedules are due: AWS's examples, time zones with their changes of the clock, and a comparison minute by minute."""

import calendar
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from modelyard.schedules import cron
from modelyard.schedules.cron import ExpressionError
from modelyard.schedules.expression import Rate, is_grammatical, parse
from modelyard.triggers import schedule


def epoch(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def times(expression: str, start: str, count: int, zone: str = "UTC") -> list[str]:
    """The first times after a local time, as local times."""
    compiled, now, found = parse(expression, zone), epoch(start, zone), []
    for _ in range(count):
        due = compiled.after(now, 0.0)
        if due is None:
            break
        now = due
        found.append(datetime.fromtimestamp(due, ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M"))
    return found


@pytest.mark.documented
@pytest.mark.parametrize(
    ("expression", "start", "expected"),
    [
        ("cron(0 10 * * ? *)", "2026-01-01T10:00", ["2026-01-02T10:00", "2026-01-03T10:00"]),
        ("cron(15 12 * * ? *)", "2026-01-01T00:00", ["2026-01-01T12:15", "2026-01-02T12:15"]),
        ("cron(0 18 ? * MON-FRI *)", "2026-01-01T18:00", ["2026-01-02T18:00", "2026-01-05T18:00"]),
        ("cron(0 8 1 * ? *)", "2026-01-01T09:00", ["2026-02-01T08:00", "2026-03-01T08:00"]),
        ("cron(0/15 * * * ? *)", "2026-01-01T00:50", ["2026-01-01T01:00", "2026-01-01T01:15"]),
        ("cron(0/10 * ? * MON-FRI *)", "2026-01-02T23:50", ["2026-01-05T00:00", "2026-01-05T00:10"]),
        ("cron(0/5 8-17 ? * MON-FRI *)", "2026-01-02T17:50", ["2026-01-02T17:55", "2026-01-05T08:00"]),
        ("cron(0/30 20-2 ? * MON-FRI *)", "2026-01-02T00:00", None),
        ("cron(15 10 ? * 6L 2026-2027)", "2026-01-01T00:00", ["2026-01-30T10:15", "2026-02-27T10:15"]),
        ("cron(0 0 L * ? *)", "2028-02-01T00:00", ["2028-02-29T00:00", "2028-03-31T00:00"]),
        ("cron(0 0 L-3 * ? *)", "2026-02-01T00:00", ["2026-02-25T00:00", "2026-03-28T00:00"]),
        ("cron(0 0 15W * ? *)", "2026-08-01T00:00", ["2026-08-14T00:00", "2026-09-15T00:00"]),
        ("cron(0 0 1W * ? *)", "2026-08-01T00:00", ["2026-08-03T00:00", "2026-09-01T00:00"]),
        ("cron(0 0 31W * ? *)", "2026-05-01T00:00", ["2026-05-29T00:00", "2026-07-31T00:00"]),
        ("cron(0 0 LW * ? *)", "2026-05-01T00:00", ["2026-05-29T00:00", "2026-06-30T00:00"]),
        ("cron(0 9 ? * 2#1 *)", "2026-01-01T00:00", ["2026-01-05T09:00", "2026-02-02T09:00"]),
        ("cron(0 0 ? 2 MON#5 *)", "2026-01-01T00:00", ["2044-02-29T00:00", "2072-02-29T00:00"]),
        ("cron(0 0 ? * L *)", "2026-01-01T00:00", ["2026-01-03T00:00", "2026-01-10T00:00"]),
        ("cron(0 0 29 2 ? *)", "2096-03-01T00:00", ["2104-02-29T00:00", "2108-02-29T00:00"]),
        ("cron(0 12 1 JAN,jul ? 2026)", "2026-01-02T00:00", ["2026-07-01T12:00"]),
        ("cron(0 0 ? * FRI-MON *)", "2026-01-01T00:00", ["2026-01-02T00:00", "2026-01-03T00:00"]),
        ("at(2026-05-01T12:00:00)", "2026-01-01T00:00", ["2026-05-01T12:00"]),
        ("at(2026-05-01T12:00:00)", "2026-05-01T12:00", []),
    ],
)
def test_times(expression: str, start: str, expected: list[str] | None) -> None:
    """The next times are those that the expression says; a range that runs backwards is refused."""
    if expected is None:
        with pytest.raises(ExpressionError):
            parse(expression)
        return
    assert times(expression, start, 2) == expected


@pytest.mark.documented
@pytest.mark.parametrize(
    "expression",
    [
        "cron(0 10 * * * *)",
        "cron(0 10 ? * ? *)",
        "cron(0 10 * * ?)",
        "cron(60 10 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 0 0 * ? *)",
        "cron(0 0 32 * ? *)",
        "cron(0 0 1 13 ? *)",
        "cron(0 0 ? * 8 *)",
        "cron(0 0 ? * MON#6 *)",
        "cron(0 0 1 1 ? 1969)",
        "cron(0/0 0 1 1 ? *)",
        "cron(x 0 1 1 ? *)",
        "cron()",
        "rate(0 minutes)",
        "rate(5)",
        "rate(5 weeks)",
        "rate(-5 minutes)",
        "at(2026-05-01)",
        "at(2026-02-30T00:00:00)",
        "every(5 minutes)",
        "",
    ],
)
def test_what_is_no_expression(expression: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ExpressionError):
        parse(expression)


@pytest.mark.documented
def test_rates() -> None:
    """A rate counts whole intervals from its origin."""
    rate = parse("rate(5 minutes)")
    assert isinstance(rate, Rate)
    assert [rate.after(now, 100.0) for now in (50.0, 100.0, 399.9, 400.0, 10_000.0)] == [100.0, 400.0, 400.0, 700.0, 10_300.0]
    assert parse("rate(1 day)") == Rate(86400)
    assert [is_grammatical(text) for text in ("rate(1 day)", "rate(1 days)", "rate(2 days)", "rate(2 day)")] == [
        True,
        False,
        True,
        False,
    ]


@pytest.mark.documented
def test_time_zones() -> None:
    """A schedule follows the clock of its zone: the same local time, before and after the clocks change."""
    expression = parse("cron(0 9 * * ? *)", "Europe/Berlin")
    winter = expression.after(epoch("2026-03-28T00:00"), 0.0)
    summer = expression.after(epoch("2026-03-29T00:00"), 0.0)
    assert (winter, summer) == (epoch("2026-03-28T08:00"), epoch("2026-03-29T07:00"))
    with pytest.raises(ExpressionError):
        parse("cron(0 9 * * ? *)", "Europe/Atlantis")
    with pytest.raises(ExpressionError):
        parse("cron(0 9 * * ? *)", "../../etc/passwd")


@pytest.mark.documented
def test_the_hour_that_is_skipped_is_not_made_up_for() -> None:
    """2:30 does not exist on the day when clocks go forward: the next is a day later."""
    assert times("cron(30 2 * * ? *)", "2026-03-07T12:00", 2, "America/New_York") == ["2026-03-09T02:30", "2026-03-10T02:30"]


@pytest.mark.documented
def test_the_hour_that_is_repeated_counts_once() -> None:
    """1:30 exists twice on the day when clocks go back: it is due the first time."""
    expression = parse("cron(30 1 * * ? *)", "America/New_York")
    first = expression.after(epoch("2026-11-01T00:00", "America/New_York"), 0.0)
    assert first == epoch("2026-11-01T05:30")
    assert expression.after(first, 0.0) == epoch("2026-11-02T06:30")


@pytest.mark.ours
@pytest.mark.parametrize(
    "expression", ["*/7 0/5 ? * TUE,SAT *", "5,50 3-6/2 1-10/3 2-12/5 ? *", "0 0 L-30 * ? *", "0 12 ? * 4#4 2027", "9 9 7W * ? *"]
)
def test_against_a_plain_reading(expression: str) -> None:
    """Over two years the times are exactly those that a day-by-day reading of the fields finds."""
    start = datetime(2026, 1, 1)  # noqa: DTZ001
    found = []
    for moment in cron.parse(expression).after(start - timedelta(minutes=1)):
        if moment.year > 2027:
            break
        found.append(moment)
    minute, hour, *fields = expression.split()
    expected = [
        day + timedelta(hours=hours, minutes=minutes)
        for day in (start + timedelta(days=number) for number in range(2 * 365))
        if _is_day(fields, day)
        for hours in range(24)
        if _field(hour, hours, 23)
        for minutes in range(60)
        if _field(minute, minutes, 59)
    ]
    assert found == expected


def _is_day(fields: list[str], moment: datetime) -> bool:
    """Whether day-of-month, month, day-of-week and year hold for a day, read one by one."""
    day, month, week_day, year = fields
    names = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
    number = moment.isoweekday() % 7 + 1
    length = calendar.monthrange(moment.year, moment.month)[1]
    if not (_field(month, moment.month, 12) and _field(year, moment.year, 2199)):
        return False
    if day == "?":
        if "#" in week_day:
            wanted, which = map(int, week_day.split("#"))
            return number == wanted and (moment.day - 1) // 7 + 1 == which
        return names[number - 1] in week_day.split(",")
    if day.startswith("L-"):
        return moment.day == length - int(day[2:])
    if day.endswith("W"):
        wanted_day = moment.replace(day=int(day[:-1]))
        shift = {5: -1, 6: 1}.get(wanted_day.weekday(), 0)
        return moment.date() == (wanted_day + timedelta(days=shift)).date()
    return _field(day, moment.day, 31)


def _field(field: str, value: int, most: int) -> bool:
    for element in field.split(","):
        span, _, step = element.partition("/")
        first, _, last = span.partition("-")
        low = 0 if first == "*" else int(first)
        high = most if first == "*" else int(last) if last else most if step else low
        if low <= value <= high and (value - low) % int(step or 1) == 0:
            return True
    return False


@pytest.mark.ours
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_nothing_is_due_after_the_last_year(zone: str) -> None:
    """However late a schedule is to start: it is never due."""
    daily, late = parse("cron(0 0 * * ? *)", zone), 253402300799.0
    assert [daily.after(moment, moment) for moment in (late, late - 86400, 1e15)] == [None, None, None]
    last = epoch("2199-12-31T00:00", zone)
    assert (daily.after(last - 1, 0.0), daily.after(last, 0.0)) == (last, None)
    named = {"ScheduleExpression": "cron(0 0 * * ? *)", "ScheduleExpressionTimezone": zone, "State": "ENABLED"}
    assert schedule.first_due({**named, "StartDate": late}, 0.0) is None


@pytest.mark.ours
@pytest.mark.parametrize(("time", "zone"), [("0001-01-01T00:00:00", "Asia/Tokyo"), ("9999-12-31T23:59:59", "America/New_York")])
def test_times_beyond_the_calendar_are_refused(time: str, zone: str) -> None:
    """A time of the first or the last year that in UTC would be in none."""
    with pytest.raises(ExpressionError, match="beyond the times that there are"):
        parse(f"at({time})", zone)


@pytest.mark.documented
def test_first_and_next_times_of_schedules() -> None:
    """A rate starts at once or at its start; what was missed is left out; nothing comes after the end."""
    now = 1_000_000.0
    rate = {"ScheduleExpression": "rate(1 hour)", "ScheduleExpressionTimezone": "UTC", "State": "ENABLED"}
    assert schedule.first_due(rate, now) == now
    assert schedule.first_due({**rate, "StartDate": now + 50}, now) == now + 50
    assert schedule.first_due({**rate, "StartDate": now - 50}, now) == now + 3550
    assert schedule.next_due(rate, now, now + 10) == now + 3600
    assert schedule.next_due(rate, now, now + 10_000) == now + 3 * 3600
    assert schedule.next_due({**rate, "EndDate": now + 60}, now, now + 10) is None
    assert schedule.first_due({**rate, "State": "DISABLED"}, now) is None
    daily = {**rate, "ScheduleExpression": "cron(0 0 * * ? *)", "StartDate": epoch("2026-01-10T00:00")}
    assert schedule.first_due(daily, now) == epoch("2026-01-10T00:00")
    once = {**rate, "ScheduleExpression": "at(2026-01-10T00:00:00)"}
    due = schedule.first_due(once, now)
    assert due == datetime(2026, 1, 10, tzinfo=UTC).timestamp()
    assert schedule.next_due(once, due, due) is None
