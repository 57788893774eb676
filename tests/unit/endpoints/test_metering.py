"""What is counted of requests, and what that is published as."""

from typing import Any

import pytest

from modelyard.endpoints.metering import MOST_VALUES, Measured, Meter, Place, data_of, rounded

KEY = ("111122223333", "us-east-1", "answers")


def counted(*requests: tuple[int, float, int], concurrent: int | None = None) -> dict[str, list[dict[str, Any]]]:
    """The data of requests (how many instances, seconds of the model, status), by the names of metrics."""
    meter = Meter()
    for instances, seconds, status in requests:
        meter.ended(KEY, "Answers", Measured("A", instances, seconds), seconds + 0.001, status)
    ((place, tally),) = meter.take().items()
    if concurrent is not None:
        tally.concurrent[concurrent] += 1
    found: dict[str, list[dict[str, Any]]] = {}
    for datum in data_of(place, tally):
        found.setdefault(datum["MetricName"], []).append(datum)
    return found


def values(data: list[dict[str, Any]]) -> dict[float, float]:
    return {value: count for datum in data for value, count in zip(datum["Values"], datum["Counts"], strict=True)}


@pytest.mark.documented
def test_each_request_is_a_value_of_each_error_metric() -> None:
    """An error metric's average is the part of the requests that were errors, and its sum their number."""
    found = counted((1, 0.01, 200), (1, 0.01, 400), (1, 0.01, 500), (1, 0.01, 503), (1, 0.01, 0), (1, 0.01, 302))
    assert values(found["Invocations"]) == {1: 6}
    assert values(found["Invocation4XXErrors"]) == {1: 1, 0: 5}
    assert values(found["Invocation5XXErrors"]) == {1: 3, 0: 3}
    assert values(found["InvocationModelErrors"]) == {1: 5, 0: 1}
    dimensions = [{"Name": "EndpointName", "Value": "Answers"}, {"Name": "VariantName", "Value": "A"}]
    assert found["Invocations"][0]["Dimensions"] == dimensions


@pytest.mark.documented
def test_invocations_per_instance_are_a_part_of_one_for_each_request() -> None:
    """With four instances a request counts a quarter, so the sum is what each instance was asked."""
    found = counted((4, 0.01, 200), (4, 0.01, 200), (2, 0.01, 200), (0, 0.01, 503))
    assert values(found["InvocationsPerInstance"]) == {0.25: 2, 0.5: 1, 1.0: 1}


@pytest.mark.documented
def test_latencies_are_in_microseconds() -> None:
    """The model's time, and what goes beyond it."""
    found = counted((1, 0.0125, 200), (1, 0.0125, 200), concurrent=3)
    assert values(found["ModelLatency"]) == {12500: 2}
    assert values(found["OverheadLatency"]) == {1000: 2}
    assert found["ModelLatency"][0]["Unit"] == "Microseconds"
    assert values(found["ConcurrentRequestsPerModel"]) == {3: 1}


@pytest.mark.ours
def test_many_different_latencies_are_several_data() -> None:
    """A datum takes 150 values; none of the requests is lost."""
    found = counted(*((1, each / 1000, 200) for each in range(1, 401)))
    assert len(found["ModelLatency"]) == 3
    assert all(len(datum["Values"]) <= MOST_VALUES for datum in found["ModelLatency"])
    assert sum(values(found["ModelLatency"]).values()) == 400


@pytest.mark.ours
@pytest.mark.parametrize(
    ("microseconds", "kept"), [(-3.0, 0.0), (0.2, 0.0), (7.0, 7.0), (999.4, 999.0), (12345.6, 12300.0), (1e9 + 1, 1e9)]
)
def test_latencies_have_three_digits(microseconds: float, kept: float) -> None:
    """Within half a percent, as percentiles are."""
    assert rounded(microseconds) == kept


@pytest.mark.documented
def test_idle_variants_have_zeros() -> None:
    """A variant that nobody asks publishes that, so that it can be scaled in."""
    meter = Meter()
    meter.ended(KEY, "Answers", Measured(), 0.1, 404)
    assert meter.take() == {}
    place = Place(KEY, "Answers", "A")
    meter.ended(KEY, "Answers", Measured("A", 1, 0.1), 0.1, 200)
    tally = meter.take()[place]
    tally.spread.clear()
    assert {datum["MetricName"]: datum["Values"] for datum in data_of(place, tally)} == {
        "Invocations": [0.0],
        "InvocationsPerInstance": [0.0],
    }
