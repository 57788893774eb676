"""Lists of alarms."""

from collections.abc import Iterable
from typing import Any

from modelyard.access.permission import Permission
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.metrics import store_alarms
from modelyard.metrics.alarm import ACTIONS, METRIC_ALARM, Alarm
from modelyard.metrics.errors import invalid
from modelyard.metrics.metric import Metric, dimensions_of, shown_dimensions
from modelyard.metrics.pages import open_token, seal_token
from modelyard.metrics.permissions import Request, alarm_resource, on_listed_alarms, owner

operation = operations_of("cloudwatch")

PAGE = 50
MOST_NAMES = 100


def _describing(context: Context, request: Request) -> Iterable[Permission]:
    """Alarms that are named are decided on one by one, as on AWS."""
    names = request.get("AlarmNames")
    if not names:
        yield from on_listed_alarms("DescribeAlarms")(context, request)
        return
    for name in dict.fromkeys(names):
        yield Permission("cloudwatch:DescribeAlarms", alarm_resource(context, name))


@operation("DescribeAlarms", mode=Mode.SLOW_READ, permissions=_describing)
def describe_alarms(context: Context, request: Request) -> Request:
    """Alarms by name, or those with a prefix, in a state, with an action."""
    if "AlarmNames" in request and "AlarmNamePrefix" in request:
        raise invalid("The parameters AlarmNames and AlarmNamePrefix are mutually exclusive.")
    if "ChildrenOfAlarmName" in request or "ParentsOfAlarmName" in request:
        raise invalid("Composite alarms are not available in Modelyard.")
    answer: Request = {"MetricAlarms": [], "CompositeAlarms": [], "LogAlarms": []}
    if METRIC_ALARM not in request.get("AlarmTypes", [METRIC_ALARM]):
        return answer
    most = request.get("MaxRecords", PAGE)
    query = {name: value for name, value in request.items() if name not in ("NextToken", "MaxRecords")}
    query["operation"] = "DescribeAlarms"
    after = open_token(context, request["NextToken"], query)[0] if "NextToken" in request else ""
    if request.get("AlarmNames"):
        found = [alarm for alarm in _named(context, request) if alarm.name > after and _wanted(alarm, request)]
    else:
        found = _searched(context, request, after, most + 1)
    answer["MetricAlarms"] = [alarm.shown for alarm in found[:most]]
    if len(found) > most:
        answer["NextToken"] = seal_token(context, query, [found[most - 1].name])
    return answer


def _named(context: Context, request: Request) -> list[Alarm]:
    names = sorted(set(request["AlarmNames"]))
    if len(names) > MOST_NAMES:
        raise invalid(f"The collection AlarmNames must not have a size greater than {MOST_NAMES}.")
    found = (store_alarms.alarm(context.tx, owner(context), context.region, name) for name in names)
    return [alarm for alarm in found if alarm is not None]


def _wanted(alarm: Alarm, request: Request) -> bool:
    if "StateValue" in request and alarm.value != request["StateValue"]:
        return False
    prefix = request.get("ActionPrefix")
    actions = (action for member in ACTIONS.values() for action in alarm.settings.get(member, ()))
    return prefix is None or any(action.startswith(prefix) for action in actions)


def _searched(context: Context, request: Request, after: str, most: int) -> list[Alarm]:
    """Alarms that are wanted, in order of names; there are no more than 5,000 to look at."""
    wanted: list[Alarm] = []
    while True:
        found = store_alarms.alarms(
            context.tx,
            owner(context),
            context.region,
            prefix=request.get("AlarmNamePrefix", ""),
            kind=METRIC_ALARM,
            state=request.get("StateValue"),
            after=after,
            most=most,
        )
        wanted += [alarm for alarm in found if _wanted(alarm, request)]
        if len(found) < most or len(wanted) >= most:
            return wanted[:most]
        after = found[-1].name


@operation("DescribeAlarmsForMetric", mode=Mode.SLOW_READ, permissions=on_listed_alarms("DescribeAlarmsForMetric"))
def describe_alarms_for_metric(context: Context, request: Request) -> Request:
    """The alarms on a metric, by statistic, period and unit if wanted; those on math over it are not among them, as on AWS."""
    try:
        dimensions = dimensions_of(request.get("Dimensions", ()))
    except ValueError:
        raise invalid("The parameter Dimensions has a dimension name twice.") from None
    metric = Metric(owner(context), context.region, request["Namespace"], request["MetricName"], dimensions)
    filters: dict[str, Any] = {
        name: request[name] for name in ("Statistic", "ExtendedStatistic", "Period", "Unit") if name in request
    }
    found = store_alarms.alarms_of_metric(context.tx, metric)
    shown = [
        {**alarm.shown, "Dimensions": shown_dimensions(dimensions)}
        for alarm in found
        if all(alarm.settings.get(name) == value for name, value in filters.items())
    ]
    return {"MetricAlarms": shown}
