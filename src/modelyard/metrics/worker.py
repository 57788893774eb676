"""Evaluates alarms, takes their actions, makes old datapoints coarser and removes what is past its time.

Several servers may do all this at once: a state changes only if the alarm is still as it was looked at.
"""

import logging
from collections.abc import Callable

from modelyard.clock import Clock
from modelyard.metrics import acting, store, store_alarms
from modelyard.metrics.acting import House
from modelyard.metrics.alarm import Alarm
from modelyard.metrics.retention import COARSER, DAY, KEPT
from modelyard.metrics.transition import change_state
from modelyard.metrics.watching import Finding, look
from modelyard.storage.interface import Storage, Transaction

log = logging.getLogger("modelyard.metrics")

TURN_SECONDS = 5.0
"""How often alarms are evaluated: a datapoint that comes late is not found a whole period later."""
SWEEP_SECONDS = 60.0
BATCH = 200
"""Alarms that are looked at in one snapshot, and rows that one commit moves or removes: others' writes wait for no more."""
HISTORY_SECONDS = 30 * DAY


def evaluate(storage: Storage, clock: Clock) -> None:
    """Look at every alarm, and put those that ought to be in another state into it."""
    after = 0
    while True:
        now = clock.now()
        with storage.read() as tx:
            alarms = store_alarms.all_alarms(tx, after, BATCH)
            findings = [(alarm, _looked(tx, alarm, now)) for alarm in alarms]
        for alarm, finding in findings:
            if finding is not None and finding.state != alarm.value:
                storage.write(lambda tx, a=alarm, f=finding, n=now: _change(tx, a, f, n))  # type: ignore[misc]
        if len(alarms) < BATCH:
            return
        after = alarms[-1].id


def _looked(tx: Transaction, alarm: Alarm, now: float) -> Finding | None:
    """Look at an alarm; one that cannot be evaluated is logged, and keeps none of the others from it."""
    try:
        return look(tx, alarm, now)
    except Exception:
        log.exception("an alarm cannot be evaluated", extra={"alarm": alarm.arn})
        return None


def _change(tx: Transaction, looked_at: Alarm, finding: Finding, now: float) -> None:
    alarm = store_alarms.alarm_by_id(tx, looked_at.id)
    if alarm is not None and alarm.revision == looked_at.revision:
        change_state(tx, alarm, finding.state, finding.reason, finding.data, now)


def sweep(storage: Storage, clock: Clock) -> None:
    """Make old datapoints coarser, and remove all that is past its time."""
    now = clock.now()
    for resolution, seconds in KEPT.items():
        unit = COARSER.get(resolution, resolution)
        before = int((now - seconds) // unit) * unit
        with storage.read() as tx:
            some = bool(store.aged(tx, resolution, before, 1))
        while some:
            some = storage.write(lambda tx, r=resolution, b=before: _age(tx, r, b))  # type: ignore[misc]
    with storage.read() as tx:
        old = store_alarms.has_history(tx, now - HISTORY_SECONDS), store.has_unseen(tx, now - KEPT[3600])
    while old[0] and storage.write(lambda tx: store_alarms.trim_history(tx, now - HISTORY_SECONDS, BATCH)) == BATCH:
        pass
    while old[1] and storage.write(lambda tx: store.remove_unseen(tx, now - KEPT[3600], BATCH)) == BATCH:
        pass


def _age(tx: Transaction, resolution: int, before: int) -> bool:
    """Move or remove the oldest rows of a resolution; whether there may be more."""
    rows = store.aged(tx, resolution, before, BATCH)
    if resolution in COARSER:
        for number, values in store.coarser(rows, COARSER[resolution]).items():
            store.add(tx, number, values)
    store.remove(tx, rows)
    return len(rows) == BATCH


class Watch:
    """What is done by itself, each at its time."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._swept = house.clock.now()

    def turn(self) -> None:
        """Evaluate alarms and act; now and then clear up."""
        house = self._house
        evaluate(house.storage, house.clock)
        acting.act(house)
        if house.clock.now() - self._swept >= SWEEP_SECONDS:
            self._swept = house.clock.now()
            sweep(house.storage, house.clock)


def periodic(house: House) -> tuple[float, Callable[[], None]]:
    """What the server calls from time to time, and after how many seconds each time."""
    return TURN_SECONDS, Watch(house).turn
