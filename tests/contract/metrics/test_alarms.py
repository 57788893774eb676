"""Alarms: what they are set to, the states they go into, and what follows from that."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.contract.metrics.conftest import CloudWatch, refused
from tests.harness import ACCOUNT, OTHER_ACCOUNT, START, Yard, user

from modelyard.aws.arns import Arn
from modelyard.aws.errors import ThrottlingException
from modelyard.dispatch.operation import Mode, Operation
from modelyard.dispatch.resources import find
from modelyard.metrics import store_alarms, worker
from modelyard.metrics.retention import DAY
from modelyard.metrics.watching import look
from modelyard.metrics.worker import HISTORY_SECONDS, evaluate, sweep

MINUTE = START // 60 * 60
ARN = f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:topic"
Put = Callable[..., None]
Turn = Callable[..., None]
Events = Callable[[], list[tuple[str, dict[str, Any]]]]
ON_LATENCY = {
    "Namespace": "App",
    "MetricName": "Latency",
    "Statistic": "Maximum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 50.0,
    "ComparisonOperator": "GreaterThanThreshold",
}


def alarm(cloudwatch: CloudWatch, name: str = "slow") -> dict[str, Any]:
    (found,) = cloudwatch("DescribeAlarms", AlarmNames=[name])["MetricAlarms"]
    return found


def history(cloudwatch: CloudWatch, **more: Any) -> list[tuple[str, str]]:
    items = cloudwatch("DescribeAlarmHistory", ScanBy="TimestampAscending", **more)["AlarmHistoryItems"]
    return [(item["HistoryItemType"], item["HistorySummary"]) for item in items]


@pytest.mark.documented
def test_an_alarm_goes_off_and_ends(cloudwatch: CloudWatch, put: Put, turn: Turn) -> None:
    """An alarm is unchecked first, in alarm when its datapoint is, and well again after the next one that is."""
    cloudwatch("PutMetricAlarm", AlarmName="slow", **ON_LATENCY)
    new = alarm(cloudwatch)
    assert (new["StateValue"], new["StateReason"]) == ("INSUFFICIENT_DATA", "Unchecked: Initial alarm creation")
    assert (new["AlarmArn"], new["ActionsEnabled"], new["Dimensions"]) == (f"{ARN}slow", True, [])
    put(99)
    turn(60)
    off = alarm(cloudwatch)
    assert off["StateValue"] == "ALARM"
    assert off["StateReason"] == (
        "Threshold Crossed: 1 out of the last 1 datapoints [99.0 (14/11/23 22:13:00)] was greater than the threshold (50.0)"
        " (minimum 1 datapoint for OK -> ALARM transition)."
    )
    data = json.loads(off["StateReasonData"])
    assert (data["recentDatapoints"], data["threshold"], data["statistic"], data["period"]) == ([99.0], 50.0, "Maximum", 60)
    assert data["startDate"] == "2023-11-14T22:13:00.000+0000"
    put(1)
    turn(60)
    assert alarm(cloudwatch)["StateValue"] == "OK"
    assert "was not greater than" in alarm(cloudwatch)["StateReason"]
    turn(10 * 60)
    assert alarm(cloudwatch)["StateReason"] == "Insufficient Data: 1 datapoint was unknown."


@pytest.mark.ours
def test_a_period_counts_when_it_is_over(cloudwatch: CloudWatch, put: Put, turn: Turn) -> None:
    """The period that is still running is not looked at; a datapoint that comes late is found when it is there."""
    cloudwatch("PutMetricAlarm", AlarmName="slow", **ON_LATENCY)
    put(99)
    turn()
    assert alarm(cloudwatch)["StateValue"] == "INSUFFICIENT_DATA"
    turn(60)
    assert alarm(cloudwatch)["StateValue"] == "ALARM"
    put(1, Timestamp=START)
    put(1, Timestamp=START + 61)
    turn(65)
    assert alarm(cloudwatch)["StateValue"] == "OK"


@pytest.mark.documented
@pytest.mark.parametrize(
    ("treatment", "state"), [("breaching", "ALARM"), ("notBreaching", "OK"), ("ignore", "INSUFFICIENT_DATA"), ("missing", None)]
)
def test_missing_data(cloudwatch: CloudWatch, turn: Turn, treatment: str, state: str | None) -> None:
    """Without any data an alarm is in the state that the treatment of missing data says."""
    cloudwatch("PutMetricAlarm", AlarmName="slow", **{**ON_LATENCY, "EvaluationPeriods": 3}, TreatMissingData=treatment)
    turn(60)
    found = alarm(cloudwatch)
    assert found["StateValue"] == (state or "INSUFFICIENT_DATA")
    if treatment == "breaching":
        assert found["StateReason"] == (
            "Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were treated as [Breaching]."
        )


@pytest.mark.documented
def test_m_of_n(cloudwatch: CloudWatch, put: Put, turn: Turn) -> None:
    """Two of three breaching datapoints are enough where two are wanted, whichever they are."""
    settings = {**ON_LATENCY, "EvaluationPeriods": 3, "DatapointsToAlarm": 2}
    cloudwatch("PutMetricAlarm", AlarmName="slow", **settings)
    states = []
    for value in (99, 1, 1, 99, 1, 99, 1, 1):
        put(value)
        turn(60)
        states.append(alarm(cloudwatch)["StateValue"])
    assert states[2:] == ["OK", "OK", "OK", "ALARM", "OK", "OK"]
    assert "(minimum 2 datapoints for ALARM -> OK transition)" in alarm(cloudwatch)["StateReason"]


@pytest.mark.documented
def test_short_periods(cloudwatch: CloudWatch, put: Put, turn: Turn) -> None:
    """An alarm of ten seconds looks at metrics of high resolution."""
    cloudwatch("PutMetricAlarm", AlarmName="slow", **{**ON_LATENCY, "Period": 10})
    put(99, StorageResolution=1)
    turn(10)
    assert alarm(cloudwatch)["StateValue"] == "ALARM"


@pytest.mark.documented
def test_math(cloudwatch: CloudWatch, put: Put, turn: Turn, events: Events) -> None:
    """An alarm on an expression follows its one result; that a metric has no data is what the expression makes of it."""
    stat = {"Period": 60, "Stat": "Sum"}
    metrics = [
        {"Id": "rate", "Expression": "100 * errors / requests", "Label": "Error rate"},
        *(
            {"Id": name, "MetricStat": {"Metric": {"Namespace": "App", "MetricName": name}, **stat}, "ReturnData": False}
            for name in ("errors", "requests")
        ),
    ]
    rule = {"EvaluationPeriods": 1, "Threshold": 5, "ComparisonOperator": "GreaterThanOrEqualToThreshold"}
    cloudwatch("PutMetricAlarm", AlarmName="slow", Metrics=metrics, **rule)
    put(*[1] * 5, name="errors")
    put(*[1] * 100, name="requests")
    turn(60)
    assert alarm(cloudwatch)["StateValue"] == "ALARM"
    assert alarm(cloudwatch)["Metrics"] == metrics
    put(*[1] * 100, name="requests")
    turn(60)
    assert alarm(cloudwatch)["StateValue"] == "OK"
    _, detail = events()[1]
    told = {each["id"]: each for each in detail["configuration"]["metrics"]}
    assert told["rate"] == {"id": "rate", "expression": "100 * errors / requests", "label": "Error rate", "returnData": True}
    assert told["errors"]["metricStat"]["metric"] == {"namespace": "App", "name": "errors", "dimensions": {}}


@pytest.mark.documented
def test_percentiles_of_few_samples(cloudwatch: CloudWatch, put: Put, turn: Turn) -> None:
    """An alarm on a percentile that ignores small samples keeps its state until there are enough."""
    settings = {name: value for name, value in ON_LATENCY.items() if name != "Statistic"}
    extended = {"ExtendedStatistic": "p90", "EvaluateLowSampleCountPercentile": "ignore"}
    cloudwatch("PutMetricAlarm", AlarmName="slow", **settings, **extended)
    put(*[99] * 99)
    turn(60)
    assert alarm(cloudwatch)["StateValue"] == "INSUFFICIENT_DATA"
    put(*[99] * 100)
    turn(60)
    assert alarm(cloudwatch)["StateValue"] == "ALARM"


@pytest.mark.documented
def test_events(cloudwatch: CloudWatch, put: Put, turn: Turn, events: Events, yard_in_process: Yard) -> None:
    """A change of state is told as AWS tells it through EventBridge, and so are changes of settings."""
    described = {"AlarmDescription": "Too slow", "Dimensions": [{"Name": "EndpointName", "Value": "e"}]}
    cloudwatch("PutMetricAlarm", AlarmName="slow", **ON_LATENCY, **described)
    put(99, Dimensions=described["Dimensions"])
    turn(60)
    kind, detail = events()[-1]
    assert kind == "CloudWatch Alarm State Change"
    assert detail["alarmName"] == "slow"
    assert (detail["previousState"]["value"], detail["state"]["value"]) == ("INSUFFICIENT_DATA", "ALARM")
    assert detail["state"]["timestamp"] == "2023-11-14T22:14:20.000+0000"
    assert json.loads(detail["state"]["reasonData"])["recentDatapoints"] == [99.0]
    (metric,) = detail["configuration"]["metrics"]
    assert detail["configuration"]["description"] == "Too slow"
    assert metric["metricStat"] == {
        "metric": {"namespace": "App", "name": "Latency", "dimensions": {"EndpointName": "e"}},
        "period": 60,
        "stat": "Maximum",
    }
    with yard_in_process.house.storage.read() as tx:
        assert tx.one("SELECT resources FROM event ORDER BY place DESC LIMIT 1") == (json.dumps([f"{ARN}slow"]),)
    cloudwatch("PutMetricAlarm", AlarmName="slow", **{**ON_LATENCY, "Threshold": 60.0})
    cloudwatch("DeleteAlarms", AlarmNames=["slow"])
    told = [(kind, detail["operation"]) for kind, detail in events() if "operation" in detail]
    assert told == [("CloudWatch Alarm Configuration Change", what) for what in ("create", "update", "delete")]


@pytest.mark.documented
def test_updates_keep_the_state(cloudwatch: CloudWatch, put: Put, turn: Turn) -> None:
    """An update replaces all settings and leaves the state, which the next evaluation then sets."""
    cloudwatch("PutMetricAlarm", AlarmName="slow", **ON_LATENCY, AlarmDescription="x")
    put(99)
    turn(60)
    cloudwatch("PutMetricAlarm", AlarmName="slow", **{**ON_LATENCY, "Threshold": 100.0})
    assert alarm(cloudwatch)["StateValue"] == "ALARM"
    assert "AlarmDescription" not in alarm(cloudwatch)
    turn()
    assert alarm(cloudwatch)["StateValue"] == "OK"


@pytest.mark.documented
def test_a_state_that_is_set(cloudwatch: CloudWatch, put: Put, turn: Turn, events: Events) -> None:
    """SetAlarmState is a change of state like any other, until the next evaluation."""
    cloudwatch("PutMetricAlarm", AlarmName="slow", **ON_LATENCY)
    put(1)
    turn(60)
    cloudwatch("SetAlarmState", AlarmName="slow", StateValue="ALARM", StateReason="a test", StateReasonData='{"a": 1}')
    found = alarm(cloudwatch)
    assert (found["StateValue"], found["StateReason"], found["StateReasonData"]) == ("ALARM", "a test", '{"a": 1}')
    assert events()[-1][1]["state"]["reason"] == "a test"
    turn()
    assert alarm(cloudwatch)["StateValue"] == "OK"
    with refused("ResourceNotFound"):
        cloudwatch("SetAlarmState", AlarmName="none", StateValue="OK", StateReason="x")


@pytest.mark.ours
def test_actions(cloudwatch: CloudWatch, turn: Turn) -> None:
    """Actions of a new state are taken once each; those that are not available are noted as failed, scaling is left to others."""
    function = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:missing"
    scaling = f"arn:aws:autoscaling:us-east-1:{ACCOUNT}:scalingPolicy:id:resource/sagemaker/e:policyName/p"
    actions = {"AlarmActions": [TOPIC, function, scaling], "OKActions": [TOPIC]}
    cloudwatch("PutMetricAlarm", AlarmName="slow", **ON_LATENCY, TreatMissingData="ignore", **actions)
    cloudwatch("SetAlarmState", AlarmName="slow", StateValue="ALARM", StateReason="a test")
    turn()
    turn()
    failed = [summary for kind, summary in history(cloudwatch) if kind == "Action"]
    assert len(failed) == 2
    assert f'Failed to execute action {TOPIC}. Received error: "Actions of sns are not available in Modelyard."' in failed
    cloudwatch("DisableAlarmActions", AlarmNames=["slow", "none"])
    cloudwatch("SetAlarmState", AlarmName="slow", StateValue="OK", StateReason="a test")
    turn()
    assert sum(kind == "Action" for kind, _ in history(cloudwatch)) == 2
    cloudwatch("EnableAlarmActions", AlarmNames=["slow"])
    assert alarm(cloudwatch)["ActionsEnabled"] is True


@pytest.mark.documented
def test_history(cloudwatch: CloudWatch, yard_in_process: Yard) -> None:
    """What became of an alarm is kept, also when it is gone, paged, by type and time, and for 30 days."""
    cloudwatch("PutMetricAlarm", AlarmName="slow", **ON_LATENCY)
    for number, state in enumerate(["ALARM", "OK"] * 3):
        yard_in_process.clock.advance(1)
        cloudwatch("SetAlarmState", AlarmName="slow", StateValue=state, StateReason=str(number))
    cloudwatch("DeleteAlarms", AlarmNames=["slow", "none"])
    assert history(cloudwatch)[:2] == [
        ("ConfigurationUpdate", 'Alarm "slow" created'),
        ("StateUpdate", "Alarm updated from INSUFFICIENT_DATA to ALARM"),
    ]
    assert history(cloudwatch)[-1] == ("ConfigurationUpdate", 'Alarm "slow" deleted')
    assert len(history(cloudwatch, HistoryItemType="StateUpdate", StartDate=START + 2, EndDate=START + 4)) == 3
    found, token = [], {}
    while True:
        answer = cloudwatch("DescribeAlarmHistory", AlarmName="slow", MaxRecords=3, **token)
        found += [item["HistorySummary"] for item in answer["AlarmHistoryItems"]]
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert found == [summary for _, summary in reversed(history(cloudwatch))] and len(found) == 8
    (item,) = cloudwatch("DescribeAlarmHistory", MaxRecords=1, HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    assert json.loads(item["HistoryData"])["newState"] == {"stateValue": "OK", "stateReason": "5"}
    yard_in_process.clock.advance(HISTORY_SECONDS + DAY)
    sweep(yard_in_process.house.storage, yard_in_process.clock)
    assert history(cloudwatch) == []


@pytest.mark.documented
def test_listing(cloudwatch: CloudWatch) -> None:
    """Alarms are listed in order of names, in pages, by prefix, state, action and metric."""
    for number in range(7):
        cloudwatch("PutMetricAlarm", AlarmName=f"a{number}", **ON_LATENCY, **({"OKActions": [TOPIC]} if number == 3 else {}))
    cloudwatch("PutMetricAlarm", AlarmName="b", **{**ON_LATENCY, "Statistic": "Sum", "Period": 300})
    cloudwatch("SetAlarmState", AlarmName="a5", StateValue="OK", StateReason="x")

    def names(**request: Any) -> list[str]:
        found: list[str] = []
        while True:
            answer = cloudwatch("DescribeAlarms", **request)
            found += [each["AlarmName"] for each in answer["MetricAlarms"]]
            if "NextToken" not in answer:
                return found
            request["NextToken"] = answer["NextToken"]

    assert names(MaxRecords=3) == [*(f"a{number}" for number in range(7)), "b"]
    assert names(AlarmNamePrefix="a", MaxRecords=2) == [f"a{number}" for number in range(7)]
    assert names(AlarmNames=["b", "a1", "none"], MaxRecords=1) == ["a1", "b"]
    assert names(StateValue="OK") == ["a5"]
    assert names(ActionPrefix="arn:aws:sns:", MaxRecords=1) == ["a3"]
    assert names(AlarmTypes=["CompositeAlarm"]) == []
    of_metric = {"Namespace": "App", "MetricName": "Latency"}
    assert len(cloudwatch("DescribeAlarmsForMetric", **of_metric)["MetricAlarms"]) == 8
    (found,) = cloudwatch("DescribeAlarmsForMetric", **of_metric, Statistic="Sum", Period=300)["MetricAlarms"]
    assert found["AlarmName"] == "b"
    dimensions = [{"Name": "x", "Value": "y"}]
    assert cloudwatch("DescribeAlarmsForMetric", **of_metric, Dimensions=dimensions)["MetricAlarms"] == []
    with refused("ValidationException"):
        cloudwatch("DescribeAlarms", AlarmNames=["b"], AlarmNamePrefix="a")
    with refused("InvalidNextToken"):
        cloudwatch("DescribeAlarms", NextToken="none")
    assert cloudwatch("DescribeAlarms", by=user(OTHER_ACCOUNT))["MetricAlarms"] == []


BROKEN: list[dict[str, Any]] = [
    {"Period": 45},
    {"Period": 5},
    {"Period": 3600, "EvaluationPeriods": 200},
    {"Period": 60, "EvaluationPeriods": 1441},
    {"DatapointsToAlarm": 2},
    {"Threshold": float("nan")},
    {"ComparisonOperator": "GreaterThanUpperThreshold"},
    {"TreatMissingData": "guess"},
    {"ExtendedStatistic": "p90"},
    {"Statistic": None},
    {"Statistic": None, "ExtendedStatistic": "p101"},
    {"EvaluateLowSampleCountPercentile": "ignore"},
    {"MetricName": None},
    {"Namespace": None},
    {"EvaluationPeriods": None},
    {"AlarmActions": ["sns"]},
    {"ThresholdMetricId": "m1"},
    {"Dimensions": [{"Name": "a", "Value": "1"}, {"Name": "a", "Value": "2"}]},
    {"Metrics": [{"Id": "m1", "Expression": "1"}]},
    {"AlarmName": "a\nb"},
]


@pytest.mark.documented
@pytest.mark.parametrize("broken", BROKEN, ids=[str(each) for each in BROKEN])
def test_settings_that_are_refused(cloudwatch: CloudWatch, broken: dict[str, Any]) -> None:
    """Settings that do not go together, or are not available, are refused, and no alarm comes of them."""
    settings = {"AlarmName": "slow", **ON_LATENCY, **broken}
    with refused("ValidationException"):
        cloudwatch("PutMetricAlarm", **{name: value for name, value in settings.items() if value is not None})
    assert cloudwatch("DescribeAlarms")["MetricAlarms"] == []


@pytest.mark.documented
@pytest.mark.parametrize(
    "metrics",
    [
        [],
        [{"Id": "e1", "Expression": "TIME_SERIES(1)"}],
        [{"Id": "e1", "Expression": "SEARCH('x', 'Sum')"}],
        [{"Id": "m1", "Period": 60}, {"Id": "m2", "Period": 300}],
        [{"Id": "m1", "Period": 60}, {"Id": "m2", "Period": 60}],
        [{"Id": "m1", "Period": 60, "ReturnData": False}],
        [{"Id": f"m{number}", "Period": 60, "ReturnData": number == 0} for number in range(11)],
    ],
)
def test_math_that_is_refused(cloudwatch: CloudWatch, metrics: list[dict[str, Any]]) -> None:
    """An alarm on math has one result, at most ten metrics, one period, and nothing that is not available."""

    def query(each: dict[str, Any]) -> dict[str, Any]:
        if "Expression" in each:
            return each
        stat = {"Metric": {"Namespace": "App", "MetricName": "x"}, "Period": each["Period"], "Stat": "Sum"}
        return {"Id": each["Id"], "MetricStat": stat, "ReturnData": each.get("ReturnData", True)}

    rule = {"EvaluationPeriods": 1, "Threshold": 5.0, "ComparisonOperator": "LessThanThreshold"}
    with refused("ValidationException"):
        cloudwatch("PutMetricAlarm", AlarmName="slow", Metrics=[query(each) for each in metrics], **rule)


@pytest.mark.documented
def test_tags_and_decisions(cloudwatch: CloudWatch) -> None:
    """Alarms have ARNs and tags, on which decisions are made; tagging in the same request is decided too."""
    cloudwatch("PutMetricAlarm", AlarmName="slow", **ON_LATENCY, Tags=[{"Key": "team", "Value": "a"}])
    cloudwatch("TagResource", ResourceARN=f"{ARN}slow", Tags=[{"Key": "env", "Value": "p"}, {"Key": "team", "Value": "b"}])
    cloudwatch("UntagResource", ResourceARN=f"{ARN}slow", TagKeys=["env", "none"])
    assert cloudwatch("ListTagsForResource", ResourceARN=f"{ARN}slow")["Tags"] == [{"Key": "team", "Value": "b"}]
    with refused("ResourceNotFoundException"):
        cloudwatch("ListTagsForResource", ResourceARN=f"{ARN}none")

    def only(action: str, resource: str, **more: object) -> Any:
        statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
        return user(ACCOUNT, "team", json.dumps({"Version": "2012-10-17", "Statement": [statement]}))

    tagged = {"StringEquals": {"aws:ResourceTag/team": "b"}}
    cloudwatch("DeleteAlarms", by=only("cloudwatch:DeleteAlarms", f"{ARN}slow*", Condition=tagged), AlarmNames=["slow"])
    cloudwatch("PutMetricAlarm", AlarmName="slow", **ON_LATENCY)
    with refused("AccessDeniedException"):
        cloudwatch("DeleteAlarms", by=only("cloudwatch:*", f"{ARN}slow", Condition=tagged), AlarmNames=["slow"])
    with refused("AccessDeniedException"):
        cloudwatch("DeleteAlarms", by=only("cloudwatch:*", f"{ARN}slow"), AlarmNames=["slow", "other"])
    with refused("AccessDeniedException"):
        tags = [{"Key": "team", "Value": "b"}]
        cloudwatch("PutMetricAlarm", by=only("cloudwatch:PutMetricAlarm", "*"), AlarmName="x", **ON_LATENCY, Tags=tags)
    cloudwatch("DescribeAlarms", by=only("cloudwatch:DescribeAlarms", f"{ARN}slow"), AlarmNames=["slow"])
    with refused("AccessDeniedException"):
        cloudwatch("DescribeAlarms", by=only("cloudwatch:DescribeAlarms", f"{ARN}slow"))


@pytest.mark.ours
def test_alarms_are_found_by_their_arns(cloudwatch: CloudWatch, yard_in_process: Yard) -> None:
    """Whoever asks what may be done with an alarm finds it under its ARN, with its tags; what is no alarm is not found."""
    cloudwatch("PutMetricAlarm", AlarmName="slow", **ON_LATENCY, Tags=[{"Key": "team", "Value": "a"}])
    with yard_in_process.house.storage.read() as tx:
        context = yard_in_process.context().within(tx)
        found = find(context, Arn.parse(f"{ARN}slow"))
        assert found is not None and (found.arn, dict(found.tags)) == (f"{ARN}slow", {"team": "a"})
        for other in (f"{ARN}none", f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:dashboard/slow"):
            assert find(context, Arn.parse(other)) is None


@pytest.mark.ours
def test_two_servers_change_a_state_once(cloudwatch: CloudWatch, put: Put, yard_in_process: Yard, events: Events) -> None:
    """Two that look at an alarm at the same time change its state, and tell of it, once."""
    cloudwatch("PutMetricAlarm", AlarmName="slow", **ON_LATENCY)
    put(99)
    yard_in_process.clock.advance(60)
    storage, now = yard_in_process.house.storage, yard_in_process.clock.now()
    with storage.read() as tx:
        (looked_at,) = store_alarms.all_alarms(tx, 0, 10)
        finding = look(tx, looked_at, now)
    assert finding is not None
    evaluate(storage, yard_in_process.clock)
    storage.write(lambda tx: worker._change(tx, looked_at, finding, now))
    assert sum(kind == "CloudWatch Alarm State Change" for kind, _ in events()) == 1


@pytest.mark.documented
def test_functions_are_invoked(
    cloudwatch: CloudWatch, turn: Turn, yard_in_process: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function among the actions is invoked, not waited for, with AWS's notice, as AWS's service on behalf of the alarm."""
    invoked: list[tuple[Any, dict[str, Any]]] = []

    def invoke(context: Any, request: dict[str, Any]) -> dict[str, Any]:
        invoked.append((context, request))
        if len(invoked) == 1:
            raise ThrottlingException("busy")
        return {"StatusCode": 202}

    stand_in = Operation("lambda", "Invoke", invoke, Mode.STREAM, lambda _context, _request: (), qualified="lambda:Invoke")
    monkeypatch.setitem(yard_in_process.house.dispatcher.operations, ("lambda", "Invoke"), stand_in)  # type: ignore[arg-type]
    function = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:on-alarm"
    cloudwatch("PutMetricAlarm", AlarmName="slow", **ON_LATENCY, TreatMissingData="ignore", AlarmActions=[function])
    cloudwatch("SetAlarmState", AlarmName="slow", StateValue="ALARM", StateReason="a test")
    turn()
    assert not [summary for kind, summary in history(cloudwatch) if kind == "Action"]
    turn(11)
    assert len(invoked) == 2
    context, request = invoked[1]
    assert (request["FunctionName"], request["InvocationType"]) == (function, "Event")
    told = json.loads(request["Payload"])
    assert (told["source"], told["alarmArn"], told["accountId"]) == ("aws.cloudwatch", f"{ARN}slow", ACCOUNT)
    assert told["alarmData"]["state"] == {"value": "ALARM", "reason": "a test", "timestamp": "2023-11-14T22:13:20.000+0000"}
    assert context.principal.name == "lambda.alarms.cloudwatch.amazonaws.com"
    assert (context.facts.source_arn, context.facts.source_account) == (f"{ARN}slow", ACCOUNT)
    assert ("Action", f"Successfully executed action {function}") in history(cloudwatch)
    turn(60)
    assert len(invoked) == 2
