"""How long CloudWatch keeps datapoints, and how fine: the resolutions that rows have, and what is made of them as they age."""

SECOND, MINUTE, FIVE_MINUTES, HOUR = 1, 60, 300, 3600
DAY = 86400

KEPT = {SECOND: 3 * HOUR, MINUTE: 15 * DAY, FIVE_MINUTES: 63 * DAY, HOUR: 455 * DAY}
"""For how many seconds a row of each resolution is kept."""
COARSER = {MINUTE: FIVE_MINUTES, FIVE_MINUTES: HOUR}
"""What rows become when their time is over; the others are removed."""

OLDEST_WRITE = 14 * DAY
NEWEST_WRITE = 2 * HOUR
"""How far from now a datapoint may lie, in seconds."""
LISTED = 14 * DAY
"""Metrics that got nothing for so long are not listed any more."""
RECENTLY = 3 * HOUR


def is_period(period: int) -> bool:
    """Whether data can be asked for by this period."""
    return period in (1, 5, 10, 20, 30) or (period > 0 and period % MINUTE == 0)


def resolutions(period: int) -> tuple[int, ...]:
    """The resolutions of rows that a datapoint of this period is made of: those that fit into it."""
    if period < MINUTE:
        return (SECOND,)
    return tuple(resolution for resolution in (MINUTE, FIVE_MINUTES, HOUR) if period % resolution == 0)


def rounded_start(start: float, period: int, now: float) -> int:
    """Where the first datapoint begins, as CloudWatch rounds the start of a query."""
    age = now - start
    if age >= KEPT[FIVE_MINUTES]:
        unit = HOUR
    elif age >= KEPT[MINUTE]:
        unit = FIVE_MINUTES
    else:
        unit = min(period, MINUTE)
    return int(start // unit) * unit
