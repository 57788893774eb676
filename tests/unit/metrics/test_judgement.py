"""What state alarms are in: the tables of "Configuring how CloudWatch alarms treat missing data" in the CloudWatch user guide."""

import pytest

from modelyard.metrics.judgement import Rule, judge

KEEPS = "Retain current state"
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")

ALL_OF_3 = [
    ("0 - X - X", 0, ("OK", "OK", "OK", "OK")),
    ("0 - - - -", 2, ("OK", "OK", "OK", "OK")),
    ("- - - - -", 3, ("INSUFFICIENT_DATA", KEEPS, "ALARM", "OK")),
    ("0 X X - X", 0, ("ALARM", "ALARM", "ALARM", "ALARM")),
    ("- - X - -", 2, ("ALARM", KEEPS, "ALARM", "OK")),
]
TWO_OF_3 = [
    ("0 - X - X", 0, ("ALARM", "ALARM", "ALARM", "ALARM")),
    ("0 0 X 0 X", 0, ("ALARM", "ALARM", "ALARM", "ALARM")),
    ("0 - X - -", 1, ("OK", "OK", "ALARM", "OK")),
    ("- - - - 0", 2, ("OK", "OK", "ALARM", "OK")),
    ("- - - X -", 2, ("ALARM", KEEPS, "ALARM", "OK")),
]
ROWS = [(3, *row) for row in ALL_OF_3] + [(2, *row) for row in TWO_OF_3]


def points(text: str) -> list[float | None]:
    return [{"0": 0.0, "X": 9.0, "-": None}[each] for each in text.split()]


def rule(wanted: int, treatment: str, evaluated: int = 3) -> Rule:
    return Rule("GreaterThanThreshold", 5.0, evaluated, wanted, treatment)


@pytest.mark.documented
@pytest.mark.parametrize("current", ["OK", "ALARM", "INSUFFICIENT_DATA"])
@pytest.mark.parametrize(("wanted", "text", "filled", "states"), ROWS)
def test_the_documented_tables(wanted: int, text: str, filled: int, states: tuple[str, ...], current: str) -> None:
    """Every cell of AWS's two tables holds, from every state."""
    for treatment, state in zip(TREATMENTS, states, strict=True):
        found = judge(rule(wanted, treatment), points(text), current)
        assert (found.state, found.filled) == (current if state == KEEPS else state, filled), treatment


@pytest.mark.documented
@pytest.mark.parametrize("text", ["- - - - X", "- - - X -"])
def test_no_alarm_too_early(text: str) -> None:
    """Where the first datapoints that come are breaching, an alarm that wants three of three does not go off yet."""
    for treatment in ("missing", "ignore", "notBreaching"):
        assert judge(rule(3, treatment), points(text), "OK").state != "ALARM"


@pytest.mark.documented
def test_newest_datapoints_count() -> None:
    """Only the newest datapoints are evaluated where there are enough."""
    assert judge(rule(3, "missing"), points("X X 0 0 0"), "ALARM").state == "OK"
    assert judge(rule(3, "missing"), points("0 0 X X X"), "OK").state == "ALARM"
    assert judge(rule(1, "missing", 1), points("X X 0"), "ALARM").state == "OK"
    assert judge(rule(1, "missing", 1), points("0 X -"), "OK").state == "ALARM"


@pytest.mark.documented
@pytest.mark.parametrize(
    ("comparison", "breaching"),
    [
        ("GreaterThanOrEqualToThreshold", [False, True, True]),
        ("GreaterThanThreshold", [False, False, True]),
        ("LessThanThreshold", [True, False, False]),
        ("LessThanOrEqualToThreshold", [True, True, False]),
    ],
)
def test_comparisons(comparison: str, breaching: list[bool]) -> None:
    """A datapoint at the threshold is breaching where the comparison says so."""
    rule = Rule(comparison, 5.0, 1, 1, "missing")
    assert [rule.breaches(value) for value in (4.0, 5.0, 6.0)] == breaching
