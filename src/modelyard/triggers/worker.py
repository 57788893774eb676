"""Moves events: from the outbox and the clock into lines, and from the lines to their targets, on a few threads of its own."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import Protocol

from modelyard.events import outbox
from modelyard.triggers import routing, store_deliveries, timing
from modelyard.triggers.delivering import Deliverer, log
from modelyard.triggers.sending import House
from modelyard.triggers.store_deliveries import Line
from modelyard.triggers.target import Kind, kind_of

SECONDS = 0.25
"""How often it looks whether there is anything to do."""
THREADS = 8
"""Lines that are worked off at a time."""
PUT_OFF_SECONDS = 5.0
"""How long a line is left alone in which something went wrong that nobody foresaw."""
PER_TARGET = 4
"""Of them, those of one target: others shall not wait for one that is slow."""


class ClosingHouse(House, Protocol):
    """A house that says what is to be closed with it."""

    closers: list[Callable[[], None]]


class Courier:
    """Moves events."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._stopping = Event()
        self._deliverer = Deliverer(house, self._stopping)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="delivery")
        self._lock = Lock()
        self._busy: dict[int, str] = {}
        """Lines that are worked off, and the ARNs of their targets."""

    def turn(self) -> None:
        """Look for what there is to do, and start it."""
        house = self._house
        now = house.clock.now()
        with house.storage.read() as tx:
            fresh = outbox.last_position(tx) > outbox.position_of(tx, routing.READER)
            due = timing.is_due(tx, now)
        if due:
            self._start_due(now)
        while fresh and not self._stopping.is_set():
            fresh = routing.route(house.storage, house.clock.now())
            self._start()
        self._start()

    def _start_due(self, now: float) -> None:
        try:
            timing.start_due(self._house.storage, self._house.ids, now)
        except Exception:
            log.exception("rules and schedules that are due could not be started; events are delivered all the same")

    def _start(self) -> None:
        """Hand lines that are due to threads that are free."""
        with self._lock:
            free = THREADS - len(self._busy)
            full = self._full_targets()
        if free <= 0:
            return
        with self._house.storage.read() as tx:
            lines = store_deliveries.due_lines(tx, self._house.clock.now(), free + THREADS, full)
        for line in lines:
            with self._lock:
                if len(self._busy) >= THREADS or self._stopping.is_set():
                    return
                if line.id in self._busy or line.target["Arn"] in self._full_targets():
                    continue
                self._busy[line.id] = line.target["Arn"]
            self._threads.submit(self._work_off, line)

    def _full_targets(self) -> list[str]:
        """Targets that enough threads work for already; queues are in this database, and never slow."""
        counts = Counter(arn for arn in self._busy.values() if kind_of(arn) is not Kind.QUEUE)
        return [arn for arn, count in counts.items() if count >= PER_TARGET]

    def _work_off(self, line: Line) -> None:
        try:
            self._deliverer.work_off(line)
        except Exception:
            log.exception("deliveries of %s failed; they are tried again", line.source)
            self._put_off(line)
        with self._lock:
            del self._busy[line.id]
        if not self._stopping.is_set():
            self._go_on()

    def _put_off(self, line: Line) -> None:
        """Leave a line alone for a while, that something in it which nobody foresaw does not keep the threads busy."""
        due = self._house.clock.now() + PUT_OFF_SECONDS
        try:
            self._house.storage.write(lambda tx: store_deliveries.set_due(tx, line.id, due))
        except Exception:
            log.exception("deliveries of %s could not be put off", line.source)

    def _go_on(self) -> None:
        """Let the thread that is free now have something to do; if that fails, the next turn sees to it."""
        try:
            self._start()
        except Exception:
            log.exception("looking for deliveries failed; it is done again")

    def close(self) -> None:
        """Start nothing more, and wait for what is under way."""
        self._stopping.set()
        self._threads.shutdown(wait=True, cancel_futures=True)


def deliver_all(house: House) -> None:
    """Route and deliver everything that is due now, on this thread, for tests and tools."""
    if _is_due(house):
        timing.start_due(house.storage, house.ids, house.clock.now())
    while routing.route(house.storage, house.clock.now()):
        pass
    deliverer = Deliverer(house, Event())
    while True:
        with house.storage.read() as tx:
            lines = store_deliveries.due_lines(tx, house.clock.now(), THREADS)
        if not lines:
            return
        for line in lines:
            deliverer.work_off(line)


def _is_due(house: House) -> bool:
    with house.storage.read() as tx:
        return timing.is_due(tx, house.clock.now())


def periodic(house: ClosingHouse) -> tuple[float, Callable[[], None]]:
    """What the server calls from time to time, and after how many seconds each time."""
    courier = Courier(house)
    house.closers.append(courier.close)
    return SECONDS, courier.turn
