"""An alarm goes into a state: kept, told and noted in one transaction, with the actions that follow from it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from modelyard.metrics import events, store_alarms
from modelyard.metrics.alarm import ACTIONS, Alarm
from modelyard.storage.interface import Transaction

LARGEST_HISTORY = 4095
"""Characters of the data of a history item."""


def change_state(tx: Transaction, alarm: Alarm, value: str, reason: str, data: str | None, now: float) -> Alarm:
    """Put an alarm into a state, for a reason; actions are taken when the state is another than before."""
    state: dict[str, Any] = {
        "StateValue": value,
        "StateReason": reason,
        "StateUpdatedTimestamp": now,
        "StateTransitionedTimestamp": now if value != alarm.value else alarm.state["StateTransitionedTimestamp"],
    }
    if data is not None:
        state["StateReasonData"] = data
    store_alarms.set_state(tx, alarm.id, state)
    changed = replace(alarm, state=state, revision=alarm.revision + 1)
    if value == alarm.value:
        return changed
    told = {"version": "1.0", "oldState": _history(alarm.state), "newState": _history(state)}
    store_alarms.note(tx, alarm, now, "StateUpdate", f"Alarm updated from {alarm.value} to {value}", fitting(told))
    events.state_changed(tx, changed, alarm.state, now)
    if alarm.settings.get("ActionsEnabled", True):
        for target in dict.fromkeys(alarm.settings.get(ACTIONS[value], ())):
            store_alarms.add_action(tx, changed, target, events.notice(changed, alarm.state, now), now)
    return changed


def _history(state: Mapping[str, Any]) -> dict[str, Any]:
    told = {"stateValue": state["StateValue"], "stateReason": state["StateReason"]}
    if "StateReasonData" in state:
        told["stateReasonData"] = state["StateReasonData"]
    return told


def fitting(told: Mapping[str, Any]) -> str:
    """JSON for the history; of what would be too long, the top level alone."""
    text = orjson.dumps(told).decode()
    if len(text) <= LARGEST_HISTORY:
        return text
    short = {
        name: {inner: each for inner, each in value.items() if isinstance(each, str) and len(each) < 256}
        if isinstance(value, Mapping)
        else value
        for name, value in told.items()
    }
    return orjson.dumps(short).decode()[:LARGEST_HISTORY]
