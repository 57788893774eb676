"""Metric data: what is taken, and what comes back as statistics."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.contract.metrics.conftest import CloudWatch, refused
from tests.harness import ACCOUNT, OTHER_ACCOUNT, START, Yard, user

from modelyard.access.principal import Principal, PrincipalKind
from modelyard.metrics.retention import DAY
from modelyard.metrics.worker import sweep

MINUTE = START // 60 * 60
Put = Callable[..., None]


def statistics(cloudwatch: CloudWatch, *names: str, start: float = START - 3600, end: float = START + 60, **more: Any) -> list:
    simple = [name for name in names if name[0].isupper() and name.isalpha() and name != "IQM"]
    extended = [name for name in names if name not in simple]
    given = {**({"Statistics": simple} if simple else {}), **({"ExtendedStatistics": extended} if extended else {})}
    request = {"Namespace": "App", "MetricName": "Latency", "StartTime": start, "EndTime": end, "Period": 60, **given, **more}
    return sorted(cloudwatch("GetMetricStatistics", **request)["Datapoints"], key=lambda each: (each["Timestamp"], each["Unit"]))


def values(cloudwatch: CloudWatch, stat: str = "Sum", start: float = START - 3600, end: float = START + 60, **more: Any) -> dict:
    metric = {"Namespace": "App", "MetricName": "Latency", "Dimensions": more.pop("Dimensions", [])}
    query = {"Id": "m1", "MetricStat": {"Metric": metric, "Period": more.pop("Period", 60), "Stat": stat, **more}}
    answer = cloudwatch("GetMetricData", StartTime=start, EndTime=end, ScanBy="TimestampAscending", MetricDataQueries=[query])
    (result,) = answer["MetricDataResults"]
    return dict(zip(result["Timestamps"], result["Values"], strict=True))


@pytest.mark.documented
def test_values_become_statistics(cloudwatch: CloudWatch, put: Put) -> None:
    """Values of one minute, put together or one after the other, are one datapoint."""
    put(1, 2, 3)
    put(100)
    (datapoint,) = statistics(cloudwatch, "SampleCount", "Sum", "Average", "Minimum", "Maximum", "p50", "p100")
    assert datapoint["Timestamp"] == MINUTE
    expected = {"SampleCount": 4, "Sum": 106, "Average": 26.5, "Minimum": 1, "Maximum": 100, "Unit": "None"}
    assert {name: datapoint[name] for name in expected} == expected
    assert datapoint["ExtendedStatistics"] == {"p50": pytest.approx(2, rel=0.01), "p100": 100}


@pytest.mark.documented
def test_counts_and_sets(cloudwatch: CloudWatch) -> None:
    """Values with counts and statistic sets add up with plain values; a set takes the percentiles away."""
    data = {"MetricName": "Latency", "Values": [1, 5], "Counts": [3, 1]}
    cloudwatch("PutMetricData", Namespace="App", MetricData=[data])
    assert statistics(cloudwatch, "Sum", "p50")[0]["ExtendedStatistics"] == {"p50": 1}
    given = {"SampleCount": 2, "Sum": 30, "Minimum": 10, "Maximum": 20}
    cloudwatch("PutMetricData", Namespace="App", MetricData=[{"MetricName": "Latency", "StatisticValues": given}])
    (datapoint,) = statistics(cloudwatch, "SampleCount", "Sum", "Maximum", "p50")
    assert (datapoint["SampleCount"], datapoint["Sum"], datapoint["Maximum"]) == (6, 38, 20)
    assert "ExtendedStatistics" not in datapoint


@pytest.mark.documented
def test_units_are_apart(cloudwatch: CloudWatch, put: Put) -> None:
    """GetMetricStatistics answers each unit's datapoints, or those of the unit it is asked for; nothing is converted."""
    put(1, Unit="Seconds")
    put(500, Unit="Milliseconds")
    assert [(each["Unit"], each["Sum"]) for each in statistics(cloudwatch, "Sum")] == [("Milliseconds", 500), ("Seconds", 1)]
    assert [each["Sum"] for each in statistics(cloudwatch, "Sum", Unit="Seconds")] == [1]
    assert statistics(cloudwatch, "Sum", Unit="Bytes") == []
    assert values(cloudwatch, Unit="Seconds") == {MINUTE: 1}


@pytest.mark.documented
def test_dimensions_make_a_metric(cloudwatch: CloudWatch, put: Put) -> None:
    """The same name with other dimensions is another metric; the order of dimensions does not matter."""
    both = [{"Name": "a", "Value": "1"}, {"Name": "b", "Value": "2"}]
    put(1, Dimensions=both)
    put(2, Dimensions=both[::-1])
    put(7, Dimensions=both[:1])
    assert values(cloudwatch, Dimensions=both) == {MINUTE: 3}
    assert values(cloudwatch, Dimensions=both[:1]) == {MINUTE: 7}
    assert values(cloudwatch) == {}


@pytest.mark.documented
def test_periods(cloudwatch: CloudWatch, put: Put) -> None:
    """Datapoints of longer periods are made of all values in them, counted from the start of the query; the end is exclusive."""
    for back in range(10):
        put(1, Timestamp=MINUTE - back * 60)
    start = MINUTE - 9 * 60
    assert values(cloudwatch, start=start, Period=300) == {start: 5, start + 300: 5}
    assert values(cloudwatch, start=start, end=MINUTE) == {start + step * 60: 1 for step in range(9)}
    assert values(cloudwatch, start=start + 59, Period=600) == {start: 10}


@pytest.mark.documented
def test_high_resolution(cloudwatch: CloudWatch, put: Put, yard_in_process: Yard) -> None:
    """Values of high resolution are told by the second for three hours, and by the minute as all others."""
    put(1, 2, StorageResolution=1)
    put(4, StorageResolution=1, Timestamp=START - 10)
    put(9, name="Latency", Timestamp=START - 70)
    assert values(cloudwatch, Period=1) == {START: 3, START - 10: 4}
    assert values(cloudwatch, Period=10, start=START - 20) == {START: 3, START - 10: 4}
    assert values(cloudwatch, Period=60) == {MINUTE - 60: 9, MINUTE: 7}
    yard_in_process.clock.advance(3 * 3600 + 60)
    sweep(yard_in_process.house.storage, yard_in_process.clock)
    assert values(cloudwatch, Period=1) == {}
    assert values(cloudwatch, Period=60) == {MINUTE - 60: 9, MINUTE: 7}


@pytest.mark.documented
def test_ageing(cloudwatch: CloudWatch, yard_in_process: Yard) -> None:
    """After 15 days datapoints are of five minutes, after 63 of an hour, after 455 gone; sums and percentiles stay."""
    clock, storage = yard_in_process.clock, yard_in_process.house.storage
    hour = START // 3600 * 3600
    data = [{"MetricName": "Latency", "Value": 1 + place, "Timestamp": hour + 60 * place} for place in range(20)]
    cloudwatch("PutMetricData", Namespace="App", MetricData=data)
    for seconds in (15 * DAY + 7200, 48 * DAY):
        clock.advance(seconds)
        for _ in range(2):
            sweep(storage, clock)
    span = {"start": hour, "end": hour + 3600}
    assert values(cloudwatch, Period=300, **span) == {}
    assert values(cloudwatch, Period=3600, **span) == {hour: 210}
    assert values(cloudwatch, stat="p50", Period=3600, **span) == {hour: pytest.approx(10, rel=0.01)}
    with storage.read() as tx:
        assert tx.all("SELECT resolution, start, samples FROM metric_value") == [(3600, hour, 20)]
    clock.advance(393 * DAY)
    sweep(storage, clock)
    with storage.read() as tx:
        assert tx.all("SELECT 1 FROM metric_value") == tx.all("SELECT 1 FROM metric") == []


@pytest.mark.documented
def test_ageing_to_five_minutes(cloudwatch: CloudWatch, put: Put, yard_in_process: Yard) -> None:
    """Between 15 and 63 days five minutes can be told apart, and one minute no more."""
    for back in range(10):
        put(1, Timestamp=START // 300 * 300 - back * 60)
    yard_in_process.clock.advance(15 * DAY + 3600)
    sweep(yard_in_process.house.storage, yard_in_process.clock)
    begin = START // 300 * 300
    assert values(cloudwatch, Period=300, start=begin - 900, end=START + 600) == {begin - 600: 4, begin - 300: 5, begin: 1}
    assert values(cloudwatch, Period=60, start=begin - 900, end=START + 600) == {}


@pytest.mark.ours
def test_the_many_are_made_coarser_too(cloudwatch: CloudWatch, yard_in_process: Yard) -> None:
    """Rows that do not fit into one commit of the worker are moved in several, and nothing is lost or counted twice."""
    data = [
        {"MetricName": f"m{number}", "Value": 1, "Timestamp": START - place * 60} for place in range(9) for number in range(60)
    ]
    cloudwatch("PutMetricData", Namespace="App", MetricData=data)
    yard_in_process.clock.advance(16 * DAY)
    sweep(yard_in_process.house.storage, yard_in_process.clock)
    with yard_in_process.house.storage.read() as tx:
        assert tx.one("SELECT sum(samples), min(resolution), max(resolution) FROM metric_value") == (540, 300, 300)


@pytest.mark.documented
@pytest.mark.parametrize(
    ("code", "datum"),
    [
        ("MissingRequiredParameterException", {}),
        ("InvalidParameterCombinationException", {"Value": 1, "Values": [1]}),
        ("InvalidParameterCombinationException", {"Value": 1, "Counts": [1]}),
        ("InvalidParameterValueException", {"Values": [1, 2], "Counts": [1]}),
        ("InvalidParameterValueException", {"Values": [1.0] * 151}),
        ("InvalidParameterValueException", {"Values": []}),
        ("InvalidParameterValueException", {"Value": float("nan")}),
        ("InvalidParameterValueException", {"Value": float("inf")}),
        ("InvalidParameterValueException", {"Value": 2.0**361}),
        ("InvalidParameterValueException", {"Values": [1.0], "Counts": [-1.0]}),
        ("InvalidParameterValueException", {"Value": 1, "StorageResolution": 30}),
        ("InvalidParameterValueException", {"Value": 1, "Timestamp": START - 14 * DAY - 1}),
        ("InvalidParameterValueException", {"Value": 1, "Timestamp": START + 7201}),
        (
            "InvalidParameterValueException",
            {"Value": 1, "Dimensions": [{"Name": "a", "Value": "1"}, {"Name": "a", "Value": "2"}]},
        ),
        ("InvalidParameterValueException", {"StatisticValues": {"SampleCount": 1, "Sum": 1, "Minimum": 2, "Maximum": 1}}),
    ],
)
def test_data_that_is_refused(cloudwatch: CloudWatch, code: str, datum: dict) -> None:
    """One datum that CloudWatch does not take has the whole request refused."""
    with refused(code):
        cloudwatch(
            "PutMetricData", Namespace="App", MetricData=[{"MetricName": "good", "Value": 1}, {"MetricName": "x", **datum}]
        )
    assert cloudwatch("ListMetrics")["Metrics"] == []


@pytest.mark.documented
def test_the_ends_of_what_is_taken(cloudwatch: CloudWatch, put: Put) -> None:
    """Values may be two weeks old or two hours ahead, and as large as 2^360; a thousand fit into a request, and no more."""
    put(1, Timestamp=START - 14 * DAY)
    put(-(2.0**360), Timestamp=START + 7200)
    assert len(values(cloudwatch, start=START - 15 * DAY, end=START + 8000)) == 2
    put(*[1] * 1000)
    with refused("InvalidParameterValueException"):
        put(*[1] * 1001)
    with refused("MissingRequiredParameterException"):
        cloudwatch("PutMetricData", Namespace="App", MetricData=[])


@pytest.mark.documented
def test_queries_that_are_refused(cloudwatch: CloudWatch, put: Put) -> None:
    """Too many datapoints, a period that is none, times the wrong way round and unknown statistics are refused in AWS's words."""
    put(1)
    with refused("InvalidParameterCombinationException", "exceeds the limit of 1,440"):
        statistics(cloudwatch, "Sum", start=START - 2 * DAY)
    with refused("InvalidParameterCombinationException", "StartTime must be less"):
        statistics(cloudwatch, "Sum", start=START, end=START)
    with refused("InvalidParameterValueException"):
        statistics(cloudwatch, "Sum", Period=61)
    with refused("InvalidParameterValueException"):
        statistics(cloudwatch, "p101")
    with refused("MissingRequiredParameterException"):
        statistics(cloudwatch)
    with refused("ValidationException", "Error in expression 'e1'"):
        queries = [{"Id": "e1", "Expression": "SEARCH('x', 'Sum')"}]
        cloudwatch("GetMetricData", StartTime=START - 60, EndTime=START, MetricDataQueries=queries)


@pytest.mark.ours
def test_no_query_is_too_large_to_answer(cloudwatch: CloudWatch, put: Put) -> None:
    """From the year 1 to 9999 by the second costs no more than what can be there; hundreds of such queries are refused."""
    put(5, StorageResolution=1)
    first, last = -62135596800.0, 253402300799.0
    assert values(cloudwatch, start=first, end=last, Period=1) == {START: 5}
    assert values(cloudwatch, start=first, end=last, Period=60) == {MINUTE: 5}
    metric = {"Namespace": "App", "MetricName": "Latency"}
    queries = [{"Id": f"m{n}", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}} for n in range(500)]
    with refused("ValidationException", "exceeds the limit"):
        cloudwatch("GetMetricData", StartTime=first, EndTime=last, MetricDataQueries=queries)
    filled = [*queries[:1], {"Id": "e1", "Expression": "FILL(m0, 0)"}]
    found = cloudwatch("GetMetricData", StartTime=first, EndTime=last, MetricDataQueries=filled)
    assert len(found["MetricDataResults"][1]["Values"]) < 25_000


@pytest.mark.documented
def test_pages_of_data(cloudwatch: CloudWatch, put: Put) -> None:
    """Results are paged by datapoints, newest first unless asked otherwise, and come together to the whole."""
    for back in range(7):
        put(back, Timestamp=MINUTE - back * 60)
    metric = {"Namespace": "App", "MetricName": "Latency"}
    queries = [
        {"Id": "m1", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}},
        {"Id": "e1", "Expression": "m1 * 10", "Label": "ten"},
    ]
    request = {"StartTime": START - 3600, "EndTime": START + 60, "MetricDataQueries": queries, "MaxDatapoints": 3}
    found: dict[str, list[float]] = {"m1": [], "e1": []}
    statuses, token = [], {}
    for _ in range(9):
        answer = cloudwatch("GetMetricData", **request, **token)
        for result in answer["MetricDataResults"]:
            found[result["Id"]] += result["Values"]
            statuses.append(result["StatusCode"])
        token = {"NextToken": answer.get("NextToken")}
        if token["NextToken"] is None:
            break
    assert found == {"m1": [0, 1, 2, 3, 4, 5, 6], "e1": [0, 10, 20, 30, 40, 50, 60]}
    assert statuses.count("Complete") == 2 and set(statuses) == {"Complete", "PartialData"}
    with refused("InvalidNextToken"):
        cloudwatch("GetMetricData", **{**request, "EndTime": START}, NextToken="none")


@pytest.mark.documented
def test_listing(cloudwatch: CloudWatch, yard_in_process: Yard) -> None:
    """Metrics are listed by namespace, name and dimensions, in pages of 500; those without data for two weeks are not."""
    dimensions = [{"Name": "EndpointName", "Value": "e"}, {"Name": "VariantName", "Value": "v"}]
    data = [{"MetricName": f"m{number:04}", "Value": 1} for number in range(600)]
    cloudwatch("PutMetricData", Namespace="App", MetricData=data)
    cloudwatch("PutMetricData", Namespace="Other", MetricData=[{"MetricName": "m0000", "Value": 1, "Dimensions": dimensions}])
    first = cloudwatch("ListMetrics", Namespace="App")
    second = cloudwatch("ListMetrics", Namespace="App", NextToken=first["NextToken"])
    names = [metric["MetricName"] for metric in (*first["Metrics"], *second["Metrics"])]
    assert (len(first["Metrics"]), names, "NextToken" in second) == (500, [f"m{number:04}" for number in range(600)], False)
    assert len(cloudwatch("ListMetrics", MetricName="m0000")["Metrics"]) == 2
    for filters, count in (([{"Name": "EndpointName"}], 1), ([{"Name": "EndpointName", "Value": "x"}], 0), (dimensions, 1)):
        assert len(cloudwatch("ListMetrics", Dimensions=filters)["Metrics"]) == count
    yard_in_process.clock.advance(4 * 3600)
    assert cloudwatch("ListMetrics", RecentlyActive="PT3H")["Metrics"] == []
    yard_in_process.clock.advance(15 * DAY)
    assert cloudwatch("ListMetrics")["Metrics"] == []


@pytest.mark.ours
def test_accounts_and_regions_are_apart(cloudwatch: CloudWatch, put: Put) -> None:
    """Metrics belong to an account and a region."""
    put(1)
    assert cloudwatch("ListMetrics", by=user(OTHER_ACCOUNT))["Metrics"] == []
    assert cloudwatch("ListMetrics", region="eu-west-1")["Metrics"] == []


@pytest.mark.documented
def test_namespaces_of_services(cloudwatch: CloudWatch) -> None:
    """Namespaces that begin with AWS/ are not for customers, and services may publish to no others."""
    data = [{"MetricName": "Invocations", "Value": 1}]
    with refused("InvalidParameterValueException", "The value AWS/ for parameter Namespace is invalid."):
        cloudwatch("PutMetricData", Namespace="AWS/SageMaker", MetricData=data)
    service, stranger = (
        Principal(arn=name, account=ACCOUNT, kind=PrincipalKind.SERVICE, unique_id=name, name=name)
        for name in ("sagemaker.amazonaws.com", "someone.example.com")
    )
    cloudwatch("PutMetricData", by=service, Namespace="AWS/SageMaker", MetricData=data)
    cloudwatch("PutMetricData", by=service, Namespace="/aws/sagemaker/Endpoints", MetricData=data)
    assert len(cloudwatch("ListMetrics")["Metrics"]) == 2
    for by, namespace in ((service, "App"), (stranger, "AWS/SageMaker")):
        with refused("AccessDeniedException"):
            cloudwatch("PutMetricData", by=by, Namespace=namespace, MetricData=data)


@pytest.mark.ours
def test_a_service_publishes_for_an_account(cloudwatch: CloudWatch, yard_in_process: Yard) -> None:
    """A worker that calls as a service says for which account, and the metric is that account's."""
    name = "sagemaker.amazonaws.com"
    service = Principal(arn=name, account="", kind=PrincipalKind.SERVICE, unique_id=name, name=name)
    context = yard_in_process.context(service)
    context = replace(context, facts=replace(context.facts, source_account=OTHER_ACCOUNT))
    data = [{"MetricName": "Invocations", "Value": 1}]
    context.call("cloudwatch", "PutMetricData", {"Namespace": "AWS/SageMaker", "MetricData": data})
    assert len(cloudwatch("ListMetrics", by=user(OTHER_ACCOUNT))["Metrics"]) == 1
    assert cloudwatch("ListMetrics")["Metrics"] == []


@pytest.mark.documented
def test_who_may_write_where(cloudwatch: CloudWatch) -> None:
    """`cloudwatch:namespace` limits who puts data where; metrics have no resources, so a policy has to name `*`."""

    def policy(resource: str, **more: object) -> str:
        statement = {"Effect": "Allow", "Action": "cloudwatch:*", "Resource": resource, **more}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    data = [{"MetricName": "m", "Value": 1}]
    condition = {"StringEquals": {"cloudwatch:namespace": "App"}}
    somebody = user(ACCOUNT, "team", policy("*", Condition=condition))
    cloudwatch("PutMetricData", by=somebody, Namespace="App", MetricData=data)
    with refused("AccessDeniedException"):
        cloudwatch("PutMetricData", by=somebody, Namespace="Other", MetricData=data)
    with refused("AccessDeniedException"):
        cloudwatch("ListMetrics", by=user(ACCOUNT, "narrow", policy("arn:aws:cloudwatch:us-east-1:111122223333:alarm:*")))


@pytest.mark.ours
def test_data_leaves_no_trail(cloudwatch: CloudWatch, put: Put, yard_in_process: Yard) -> None:
    """Data that is put is not in the audit trail: it comes by the million; what is refused is."""

    def records() -> int:
        with yard_in_process.house.storage.read() as tx:
            row = tx.one("SELECT count(*) FROM audit_record")
        assert row is not None
        return int(row[0])

    before = records()
    put(1)
    assert records() == before
    denied = {"Effect": "Deny", "Action": "cloudwatch:*", "Resource": "*"}
    nobody = user(ACCOUNT, "nobody", json.dumps({"Version": "2012-10-17", "Statement": [denied]}))
    with refused("AccessDeniedException"):
        cloudwatch("PutMetricData", by=nobody, Namespace="App", MetricData=[{"MetricName": "m", "Value": 1}])
    assert records() == before + 1
