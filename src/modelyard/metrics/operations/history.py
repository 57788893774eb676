"""What became of alarms."""

from collections.abc import Iterable

from modelyard.access.permission import Permission
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.metrics import store_alarms
from modelyard.metrics.alarm import METRIC_ALARM
from modelyard.metrics.pages import open_token, seal_token
from modelyard.metrics.permissions import Request, alarm_resource, on_listed_alarms, owner
from modelyard.metrics.store_alarms import HistoryItem, HistorySpan

operation = operations_of("cloudwatch")

PAGE = 100
FOR_EVER = 2**60


def _describing(context: Context, request: Request) -> Iterable[Permission]:
    if "AlarmName" not in request:
        yield from on_listed_alarms("DescribeAlarmHistory")(context, request)
        return
    yield Permission("cloudwatch:DescribeAlarmHistory", alarm_resource(context, request["AlarmName"]))


@operation("DescribeAlarmHistory", mode=Mode.SLOW_READ, permissions=_describing)
def describe_alarm_history(context: Context, request: Request) -> Request:
    """What was changed of alarms, which states they went into, and what they did; also of alarms that are gone."""
    query = {name: value for name, value in request.items() if name not in ("NextToken", "MaxRecords")}
    query["operation"] = "DescribeAlarmHistory"
    after: tuple[int, int] | None = None
    if "NextToken" in request:
        time, number = open_token(context, request["NextToken"], query)
        after = (time, number)
    span = HistorySpan(
        account=owner(context),
        region=context.region,
        name=request.get("AlarmName"),
        kinds=request.get("AlarmTypes") or [METRIC_ALARM],
        type=request.get("HistoryItemType"),
        start=round(request.get("StartDate", 0) * 1000),
        end=round(request["EndDate"] * 1000) if "EndDate" in request else FOR_EVER,
    )
    most = request.get("MaxRecords", PAGE)
    descending = request.get("ScanBy") != "TimestampAscending"
    found = store_alarms.history(context.tx, span, after, descending=descending, most=most + 1)
    answer: Request = {"AlarmHistoryItems": [_shown(item) for item in found[:most]]}
    if len(found) > most:
        last = found[most - 1]
        answer["NextToken"] = seal_token(context, query, [last.time, last.id])
    return answer


def _shown(item: HistoryItem) -> Request:
    return {
        "AlarmName": item.name,
        "AlarmType": item.kind,
        "Timestamp": item.time / 1000,
        "HistoryItemType": item.type,
        "HistorySummary": item.summary,
        "HistoryData": item.data,
    }
