"""Alarms: put, delete, set their state, switch their actions."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from modelyard.access.permission import Permission
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.dispatch.tags import forget_tags, from_list, put_tags
from modelyard.metrics import events, store_alarms
from modelyard.metrics.alarm import METRIC_ALARM, Alarm, unchecked
from modelyard.metrics.alarm_settings import settings_of
from modelyard.metrics.errors import invalid, limit_exceeded, not_found
from modelyard.metrics.metric import Metric, dimensions_of
from modelyard.metrics.permissions import (
    Request,
    alarm_arn,
    alarm_resource,
    on_alarm,
    on_named_alarms,
    owner,
    tag_conditions,
)
from modelyard.metrics.transition import change_state, fitting

operation = operations_of("cloudwatch")

MOST_ALARMS = 5000
"""Of an account in a region."""
MOST_DELETED = 100


def _putting(context: Context, request: Request) -> Iterable[Permission]:
    resource = alarm_resource(context, request["AlarmName"])
    tags = tag_conditions(from_list(request.get("Tags", ())))
    yield Permission("cloudwatch:PutMetricAlarm", resource, tags)
    if tags:
        yield Permission("cloudwatch:TagResource", resource, tags)


@operation("PutMetricAlarm", mode=Mode.WRITE, permissions=_putting)
def put_metric_alarm(context: Context, request: Request) -> None:
    """Create an alarm, or replace the settings of one; it is looked at soon after."""
    name, account = request["AlarmName"], owner(context)
    before = store_alarms.alarm(context.tx, account, context.region, name)
    if before is None and store_alarms.count(context.tx, account, context.region) >= MOST_ALARMS:
        raise limit_exceeded(f"The quota of {MOST_ALARMS:,} alarms is reached.")
    arn = alarm_arn(context, name)
    settings = settings_of(request, arn, account, context.now)
    metric = None
    if "MetricName" in settings:
        dimensions = dimensions_of(settings["Dimensions"])
        metric = Metric(account, context.region, settings["Namespace"], settings["MetricName"], dimensions)
    store_alarms.put(context.tx, account, context.region, name, METRIC_ALARM, settings, unchecked(context.now), metric)
    if before is None:
        put_tags(context.tx, arn, from_list(request.get("Tags", ())))
    after = store_alarms.alarm(context.tx, account, context.region, name)
    assert after is not None
    _note_change(context, "created" if before is None else "updated", after, before)


def _note_change(context: Context, what: str, alarm: Alarm, before: Alarm | None) -> None:
    """Note in the history, and tell, that an alarm was created, updated or deleted."""
    verb = {"created": "create", "updated": "update", "deleted": "delete"}[what]
    told: dict[str, Any] = {"version": "1.0", "type": verb.capitalize()}
    if what != "deleted":
        told[f"{what}Alarm"] = alarm.settings
    summary = f'Alarm "{alarm.name}" {what}'[:255]
    store_alarms.note(context.tx, alarm, context.now, "ConfigurationUpdate", summary, fitting(told))
    events.settings_changed(context.tx, alarm, verb, before, context.now)


@operation("DeleteAlarms", mode=Mode.WRITE, permissions=on_named_alarms("DeleteAlarms"))
def delete_alarms(context: Context, request: Request) -> None:
    """Remove alarms; names of none are ignored."""
    names = dict.fromkeys(request["AlarmNames"])
    if len(names) > MOST_DELETED:
        raise invalid(f"The collection AlarmNames must not have a size greater than {MOST_DELETED}.")
    for name in names:
        alarm = store_alarms.alarm(context.tx, owner(context), context.region, name)
        if alarm is not None:
            store_alarms.delete(context.tx, alarm.id)
            forget_tags(context.tx, alarm.arn)
            _note_change(context, "deleted", alarm, None)


@operation("SetAlarmState", mode=Mode.WRITE, permissions=on_alarm("SetAlarmState"))
def set_alarm_state(context: Context, request: Request) -> None:
    """Put an alarm into a state, with all that follows from it, until it is next evaluated."""
    alarm = store_alarms.alarm(context.tx, owner(context), context.region, request["AlarmName"])
    if alarm is None:
        raise not_found(f"Alarm {request['AlarmName']} does not exist.")
    change_state(context.tx, alarm, request["StateValue"], request["StateReason"], request.get("StateReasonData"), context.now)


def _switch(context: Context, request: Request, *, enabled: bool) -> None:
    for name in dict.fromkeys(request["AlarmNames"]):
        alarm = store_alarms.alarm(context.tx, owner(context), context.region, name)
        if alarm is not None and alarm.settings["ActionsEnabled"] != enabled:
            settings = {**alarm.settings, "ActionsEnabled": enabled, "AlarmConfigurationUpdatedTimestamp": context.now}
            store_alarms.set_settings(context.tx, alarm.id, settings)
            _note_change(context, "updated", replace(alarm, settings=settings), alarm)


@operation("EnableAlarmActions", mode=Mode.WRITE, permissions=on_named_alarms("EnableAlarmActions"))
def enable_alarm_actions(context: Context, request: Request) -> None:
    """Let alarms act when their states change; names of none are ignored."""
    _switch(context, request, enabled=True)


@operation("DisableAlarmActions", mode=Mode.WRITE, permissions=on_named_alarms("DisableAlarmActions"))
def disable_alarm_actions(context: Context, request: Request) -> None:
    """Let alarms change their states without acting; names of none are ignored."""
    _switch(context, request, enabled=False)
