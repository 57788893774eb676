"""Scheduled actions: when they are due, and the bounds that they leave."""

from datetime import UTC, datetime
from typing import Any

import pytest

from modelyard.scaling.scheduled_action import ActionError, check, first_due, new_bounds, next_due

NOW = datetime(2026, 3, 2, 7, 30, tzinfo=UTC).timestamp()
HOUR = 3600.0


def action(schedule: str, **more: Any) -> dict[str, Any]:
    return {"Schedule": schedule, "ScalableTargetAction": {"MinCapacity": 2}, **more}


def at(hour: int, minute: int = 0, day: int = 2) -> float:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC).timestamp()


@pytest.mark.documented
@pytest.mark.parametrize(
    ("document", "due"),
    [
        (action("at(2026-03-02T09:00:00)"), at(9)),
        (action("at(2026-03-02T09:00:00)", Timezone="Europe/Rome"), at(8)),
        (action("at(2026-03-02T07:00:00)"), None),
        (action("rate(30 minutes)"), at(8)),
        (action("rate(30 minutes)", StartTime=at(7, 45)), at(7, 45)),
        (action("rate(30 minutes)", StartTime=at(6, 45)), at(7, 45)),
        (action("rate(30 minutes)", EndTime=at(7, 50)), None),
        (action("cron(0 9 * * ? *)", Timezone="America/New_York"), at(14)),
        (action("cron(0 9 * * ? *)", StartTime=at(10)), at(9, day=3)),
        (action("cron(0 9 * * ? *)", StartTime=253402300799.0, Timezone="Asia/Tokyo"), None),
    ],
)
def test_when_an_action_is_due_first(document: dict[str, Any], due: float | None) -> None:
    """At half past seven in the morning: once, every so often and by the calendar, within the time that it is for."""
    assert first_due(document, NOW) == due


@pytest.mark.ours
def test_what_was_missed_is_left_out() -> None:
    """An action that was due while no server ran is taken once, and goes on in its rhythm."""
    assert next_due(action("rate(30 minutes)"), at(7), at(9, 10)) == at(9, 30)
    assert next_due(action("cron(0 9 * * ? *)", EndTime=at(12)), at(9), at(9, 1)) is None
    assert next_due(action("at(2026-03-02T09:00:00)"), at(9), at(9, 1)) is None


@pytest.mark.documented
@pytest.mark.parametrize(
    ("given", "after"),
    [
        ({"MinCapacity": 2}, (2, 4)),
        ({"MaxCapacity": 8}, (1, 8)),
        ({"MinCapacity": 6}, (6, 6)),
        ({"MaxCapacity": 0}, (0, 0)),
        ({"MinCapacity": 3, "MaxCapacity": 5}, (3, 5)),
    ],
)
def test_the_bounds_that_an_action_leaves(given: dict[str, int], after: tuple[int, int]) -> None:
    """Of 1 to 4: what is not named stays, unless it stands in the way."""
    assert new_bounds({"ScalableTargetAction": given}, 1, 4) == after


@pytest.mark.documented
@pytest.mark.parametrize(
    ("document", "words"),
    [
        (action("every day"), "Invalid schedule expression"),
        (action("rate(0 minutes)"), "Invalid schedule expression"),
        (action("rate(1 minute)", Timezone="Europe/Atlantis"), "Invalid Timezone"),
        (action("at(2026-03-02T09:00:00)", StartTime=NOW), "recurring"),
        (action("rate(1 minute)", StartTime=NOW, EndTime=NOW), "EndTime must come after"),
        ({"Schedule": "rate(1 minute)", "ScalableTargetAction": {}}, "MinCapacity, MaxCapacity or both"),
        ({"Schedule": "rate(1 minute)"}, "MinCapacity, MaxCapacity or both"),
    ],
)
def test_actions_that_make_no_sense_are_refused(document: dict[str, Any], words: str) -> None:
    """A schedule, a time zone, and something to do."""
    with pytest.raises(ActionError, match=words):
        check(document)
