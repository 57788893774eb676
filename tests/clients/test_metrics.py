"""Metrics and alarms as real clients use them: boto3 in every protocol, the AWS CLI, and EventBridge behind an alarm."""

import gzip
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.postgresql import postgresql_address, postgresql_server  # noqa: F401
from tests.running import ACCOUNT, RunningYard, both_databases

pytestmark = pytest.mark.slow

AWS = Path(sys.executable).with_name("aws")
PROTOCOLS = ("json", "smithy-rpc-v2-cbor", "query")
RULE: dict[str, Any] = {"EvaluationPeriods": 1, "Threshold": 50.0, "ComparisonOperator": "GreaterThanThreshold"}


def cloudwatch(yard: RunningYard, protocol: str, directory: Path) -> Any:
    """A boto3 client that speaks one of the service's protocols, as older and other clients do."""
    source = Path(botocore.__file__).parent / "data" / "cloudwatch" / "2010-08-01"
    folder = directory / protocol / "cloudwatch" / "2010-08-01"
    folder.mkdir(parents=True)
    for file in source.iterdir():
        content = file.read_bytes()
        if file.name == "service-2.json.gz":
            model = json.loads(gzip.decompress(content))
            model["metadata"] |= {"protocol": protocol, "protocols": [protocol]}
            content = gzip.compress(json.dumps(model).encode())
        (folder / file.name).write_bytes(content)
    session = botocore.session.Session()
    session.set_config_variable("data_path", str(directory / protocol))
    admin = yard.admin()
    client = boto3.Session(botocore_session=session).client(
        "cloudwatch",
        endpoint_url=yard.endpoint,
        region_name="us-east-1",
        aws_access_key_id=admin.access_key_id,
        aws_secret_access_key=admin.secret_access_key,
        config=Config(retries={"total_max_attempts": 1}),
    )
    assert client.meta.service_model.resolved_protocol == protocol
    return client


@both_databases
@pytest.mark.documented
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_boto3(yard: RunningYard, protocol: str, tmp_path: Path) -> None:
    """Put, list, read and watch a metric with boto3, in every protocol of the service; errors have AWS's names."""
    client = cloudwatch(yard, protocol, tmp_path)
    namespace, now = f"Boto/{protocol}", datetime.now(UTC)
    dimensions = [{"Name": "EndpointName", "Value": "e"}]
    datum = {"MetricName": "Latency", "Dimensions": dimensions, "Unit": "Milliseconds", "Timestamp": now}
    values = [{**datum, "Values": [1.5, 2.5, 100.0], "Counts": [2, 1, 1]}, {**datum, "Value": 7}]
    client.put_metric_data(Namespace=namespace, MetricData=values)
    # Large enough that boto3 compresses it.
    client.put_metric_data(Namespace=namespace, MetricData=[{**datum, "Value": 1.0}] * 200)
    (metric,) = [each for page in client.get_paginator("list_metrics").paginate(Namespace=namespace) for each in page["Metrics"]]
    assert metric == {"Namespace": namespace, "MetricName": "Latency", "Dimensions": dimensions}
    span = {"StartTime": now - timedelta(hours=1), "EndTime": now + timedelta(minutes=1)}
    answer = client.get_metric_statistics(
        **metric, **span, Period=3600, Statistics=["Sum", "SampleCount"], ExtendedStatistics=["p100"]
    )
    assert answer["Label"] == "Latency"
    datapoint = {name: sum(each[name] for each in answer["Datapoints"]) for name in ("Sum", "SampleCount")}
    assert datapoint == {"Sum": 312.5, "SampleCount": 205.0}
    assert max(each["ExtendedStatistics"]["p100"] for each in answer["Datapoints"]) == 100.0
    queries = [
        {"Id": "m1", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, "ReturnData": False},
        {"Id": "e1", "Expression": "m1 * 2", "Label": "twice"},
    ]
    pages = client.get_paginator("get_metric_data").paginate(MetricDataQueries=queries, **span)
    (result,) = [each for page in pages for each in page["MetricDataResults"]]
    assert (result["Id"], result["Label"], sum(result["Values"]), result["StatusCode"]) == ("e1", "twice", 625.0, "Complete")
    assert result["Timestamps"][0].replace(tzinfo=UTC) <= now
    _alarms(client, f"boto-{protocol}", metric)
    _errors(client, namespace)


def _alarms(client: Any, name: str, metric: dict[str, Any]) -> None:
    client.put_metric_alarm(AlarmName=name, **metric, Statistic="Sum", Period=60, **RULE, Tags=[{"Key": "team", "Value": "a"}])
    client.get_waiter("alarm_exists").wait(AlarmNames=[name])
    (alarm,) = [
        each for page in client.get_paginator("describe_alarms").paginate(AlarmNamePrefix=name) for each in page["MetricAlarms"]
    ]
    assert (alarm["Threshold"], alarm["Dimensions"], alarm["ActionsEnabled"]) == (50.0, metric["Dimensions"], True)
    assert isinstance(alarm["StateUpdatedTimestamp"], datetime)
    assert client.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"] == [{"Key": "team", "Value": "a"}]
    assert len(client.describe_alarms_for_metric(Namespace=metric["Namespace"], **_of(metric))["MetricAlarms"]) == 1
    client.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
    client.disable_alarm_actions(AlarmNames=[name])
    items = client.get_paginator("describe_alarm_history").paginate(AlarmName=name, HistoryItemType="StateUpdate")
    summaries = [item["HistorySummary"] for page in items for item in page["AlarmHistoryItems"]]
    assert any(summary.endswith("to ALARM") for summary in summaries)
    client.delete_alarms(AlarmNames=[name])
    assert client.describe_alarms(AlarmNames=[name])["MetricAlarms"] == []


def _of(metric: dict[str, Any]) -> dict[str, Any]:
    return {name: metric[name] for name in ("MetricName", "Dimensions")}


def _errors(client: Any, namespace: str) -> None:
    with pytest.raises(ClientError) as caught:
        client.put_metric_data(Namespace="AWS/SageMaker", MetricData=[{"MetricName": "m", "Value": 1}])
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValue"
    with pytest.raises(client.exceptions.ResourceNotFound):
        client.set_alarm_state(AlarmName=f"{namespace}-none", StateValue="OK", StateReason="x")
    with pytest.raises(client.exceptions.InvalidNextToken):
        client.describe_alarms(NextToken="none")
    with pytest.raises(ClientError) as caught:
        client.put_metric_alarm(AlarmName="a", Namespace=namespace, MetricName="m", Statistic="Sum", Period=61, **RULE)
    assert caught.value.response["Error"]["Code"] == "ValidationError"


def printed(yard: RunningYard, *arguments: str) -> Any:
    done = subprocess.run(
        [AWS, "cloudwatch", *arguments], env=yard.environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None


@both_databases
@pytest.mark.documented
def test_the_command_line(yard: RunningYard) -> None:
    """`aws cloudwatch` puts values, reads them back, sets an alarm, waits for it and prints it."""
    named = ("--namespace", "Cli", "--metric-name", "Latency")
    dimension = ("--dimensions", "Name=EndpointName,Value=e")
    printed(yard, "put-metric-data", *named, "--value", "42", "--unit", "Milliseconds", "--dimensions", "EndpointName=e")
    now = datetime.now(UTC)
    span = ("--start-time", str(now - timedelta(hours=1)), "--end-time", str(now + timedelta(minutes=1)), "--period", "60")
    found = printed(yard, "get-metric-statistics", *named, *dimension, *span, "--statistics", "Maximum")
    assert [(each["Maximum"], each["Unit"]) for each in found["Datapoints"]] == [(42.0, "Milliseconds")]
    rule = ("--comparison-operator", "GreaterThanThreshold", "--threshold", "10", "--evaluation-periods", "1", "--period", "60")
    printed(yard, "put-metric-alarm", "--alarm-name", "cli", *named, *dimension, *rule, "--extended-statistic", "p99")
    printed(yard, "wait", "alarm-exists", "--alarm-names", "cli")
    (alarm,) = printed(yard, "describe-alarms", "--alarm-names", "cli")["MetricAlarms"]
    assert (alarm["ExtendedStatistic"], alarm["Threshold"]) == ("p99", 10.0)
    assert printed(yard, "list-metrics", *named)["Metrics"][0]["Dimensions"] == [{"Name": "EndpointName", "Value": "e"}]


@pytest.fixture
def rule_queue(yard: RunningYard) -> Iterator[str]:
    """A queue that gets the changes of states of the alarm `watched`."""
    sqs, events = yard.client("sqs"), yard.client("events")
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:alarm-changes"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    url = sqs.create_queue(QueueName="alarm-changes", Attributes={"Policy": policy})["QueueUrl"]
    pattern = {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "resources": [f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:watched"],
        "detail": {"state": {"value": ["ALARM"]}},
    }
    events.put_rule(Name="alarm-changes", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="alarm-changes", Targets=[{"Id": "queue", "Arn": arn}])
    yield url
    events.remove_targets(Rule="alarm-changes", Ids=["queue"])
    events.delete_rule(Name="alarm-changes")
    sqs.delete_queue(QueueUrl=url)


@both_databases
@pytest.mark.documented
def test_an_alarm_reaches_eventbridge(yard: RunningYard, rule_queue: str) -> None:
    """Data of high resolution sets off an alarm of ten seconds by itself, and a rule sends the change to a queue."""
    client = yard.client("cloudwatch")
    settings = {"Namespace": "Watched", "MetricName": "Errors", "Statistic": "Sum", "Period": 10, **RULE}
    client.put_metric_alarm(AlarmName="watched", **settings)
    began = time.monotonic()
    client.put_metric_data(Namespace="Watched", MetricData=[{"MetricName": "Errors", "Value": 99, "StorageResolution": 1}])
    received: list[dict[str, Any]] = []
    sqs = yard.client("sqs")
    while not received and time.monotonic() - began < 40:
        received = sqs.receive_message(QueueUrl=rule_queue, WaitTimeSeconds=10).get("Messages", [])
    event = json.loads(received[0]["Body"])
    client.delete_alarms(AlarmNames=["watched"])
    assert (event["source"], event["account"], event["region"]) == ("aws.cloudwatch", ACCOUNT, "us-east-1")
    assert (event["detail"]["previousState"]["value"], event["detail"]["state"]["value"]) == ("INSUFFICIENT_DATA", "ALARM")
    assert "1 out of the last 1 datapoints [99.0 " in event["detail"]["state"]["reason"]
    assert time.monotonic() - began < 25, "ten seconds of data, five until it is looked at, and some to be told"
