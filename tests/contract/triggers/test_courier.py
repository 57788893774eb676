"""The courier, with its threads: two of them at once, a crash in the middle of a call, targets that hang, and its end."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.contract.triggers.conftest import Call, queue_arn
from tests.harness import ACCOUNT, Yard

from modelyard.triggers import routing, store_deliveries, timing
from modelyard.triggers.delivering import CLAIM_SECONDS, Deliverer
from modelyard.triggers.failure import Failure
from modelyard.triggers.sending import Sender
from modelyard.triggers.worker import PUT_OFF_SECONDS, Courier, deliver_all

pytestmark = pytest.mark.ours

FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:slow"
Outside = Callable[[Sender, store_deliveries.Line, store_deliveries.Delivery], Failure | None]


@contextmanager
def couriers(yard: Yard, count: int = 1) -> Iterator[list[Courier]]:
    """Couriers, closed at the end."""
    made = [Courier(yard.house) for _ in range(count)]
    yield made
    for courier in made:
        courier.close()


def until(condition: Callable[[], bool], *couriers: Courier) -> None:
    """Let couriers take turns until a condition holds."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        for courier in couriers:
            courier.turn()
        time.sleep(0.01)


def waiting(yard: Yard) -> int:
    with yard.house.storage.read() as tx:
        row = tx.one("SELECT count(*) FROM event_delivery")
    assert row is not None
    return int(row[0])


def test_two_couriers_deliver_once_and_in_order(
    make_queue: Call, make_rule: Call, put: Call, received: Call, yard_in_process: Yard
) -> None:
    """As two servers on one database: every event is in the queue once, those of each group in their order."""
    make_rule(make_queue("sales"))
    for number in range(200):
        put(number, Resources=[f"group-{number % 7}"])
    with couriers(yard_in_process, 2) as both:
        threads = [threading.Thread(target=courier.turn) for courier in both]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: waiting(yard_in_process) == 0, *both)
    events = [json.loads(message["Body"]) for message in received("sales")]
    assert sorted(event["detail"]["number"] for event in events) == list(range(200))
    for group in range(7):
        numbers = [event["detail"]["number"] for event in events if event["resources"] == [f"group-{group}"]]
        assert numbers == sorted(numbers)


def test_a_call_that_a_crash_interrupts_is_made_again(
    monkeypatch: pytest.MonkeyPatch, make_rule: Call, put: Call, yard_in_process: Yard
) -> None:
    """The claim of a server that died ends by itself; then the same event is taken to its target by another one."""
    made: list[str] = []

    def crash(sender: Sender, line: store_deliveries.Line, delivery: store_deliveries.Delivery) -> Failure | None:
        made.append(delivery.event_id)
        if len(made) == 1:
            raise SystemExit  # the process ends after the call, before it is noted
        return None

    monkeypatch.setattr(Sender, "outside", crash)
    make_rule(FUNCTION)
    event_id = put(1)
    with pytest.raises(SystemExit):
        deliver_all(yard_in_process.house)
    deliver_all(yard_in_process.house)
    assert made == [event_id]
    yard_in_process.clock.advance(CLAIM_SECONDS)
    deliver_all(yard_in_process.house)
    assert made == [event_id, event_id]
    assert waiting(yard_in_process) == 0


def test_a_target_that_hangs_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch, events: Call, make_queue: Call, put: Call, received: Call, yard_in_process: Yard
) -> None:
    """While twenty calls of one target hang, a queue gets its events."""
    release, calls = threading.Event(), []

    def hang(sender: Sender, line: store_deliveries.Line, delivery: store_deliveries.Delivery) -> Failure | None:
        calls.append(delivery.event_id)
        release.wait(30)
        return None

    monkeypatch.setattr(Sender, "outside", hang)
    targets = [{"Id": "slow", "Arn": FUNCTION}, {"Id": "queue", "Arn": make_queue("sales")}]
    events("PutRule", Name="sales", EventPattern='{"source": ["shop"]}')
    events("PutTargets", Rule="sales", Targets=targets)
    for number in range(20):
        put(number, Resources=[f"group-{number}"])
    with couriers(yard_in_process) as (courier,):
        until(lambda: waiting(yard_in_process) == 20, courier)
        assert len(calls) <= 4
        assert len(received("sales")) == 20
        release.set()
        until(lambda: waiting(yard_in_process) == 0, courier)
    assert len(calls) == 20


def test_what_goes_wrong_in_a_thread_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, make_queue: Call, make_rule: Call, put: Call, received: Call, yard_in_process: Yard
) -> None:
    """A defect or a database that is away stops neither the courier nor, for good, the event."""
    work_off, failures = Deliverer.work_off, iter([OSError("the disk"), RuntimeError("a defect")])

    def fail_twice(self: Deliverer, line: store_deliveries.Line) -> None:
        for failure in failures:
            raise failure
        work_off(self, line)

    monkeypatch.setattr(Deliverer, "work_off", fail_twice)
    make_rule(make_queue("sales"))
    put(1)
    with couriers(yard_in_process) as (courier,):

        def delivered() -> bool:
            yard_in_process.clock.advance(PUT_OFF_SECONDS + 1)
            return _position(yard_in_process) and not waiting(yard_in_process)

        until(delivered, courier)
    assert len(received("sales")) == 1


def _position(yard: Yard) -> bool:
    from modelyard.events import outbox

    with yard.house.storage.read() as tx:
        return outbox.position_of(tx, routing.READER) == outbox.last_position(tx)


def test_events_are_routed_once(make_rule: Call, put: Call, yard_in_process: Yard) -> None:
    """A plan that another server was faster with is dropped whole."""
    make_rule(queue_arn("sales"))
    put(1)
    storage, now = yard_in_process.house.storage, yard_in_process.clock.now()
    write: Any = storage.write

    class Slow:
        """A storage whose writes come after those of another server."""

        def __init__(self) -> None:
            self.read = storage.read

        def write(self, work: Any) -> Any:
            routing.route(storage, now)
            return write(work)

    assert routing.route(Slow(), now)  # type: ignore[arg-type]
    assert waiting(yard_in_process) == 1
    assert not routing.route(storage, now)


def test_a_line_that_nobody_can_deliver_keeps_no_thread_busy(
    make_queue: Call, make_rule: Call, put: Call, yard_in_process: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an error that nobody foresaw a line is left alone for a while, and then tried again."""
    attempts: list[float] = []

    def break_down(*_: object) -> Failure | None:
        attempts.append(yard_in_process.clock.now())
        raise ArithmeticError("nobody foresaw this")

    monkeypatch.setattr(Sender, "within", break_down)
    make_rule(make_queue("sales"))
    put(1)
    with couriers(yard_in_process) as (courier,):
        until(lambda: bool(attempts), courier)
        for _ in range(20):
            courier.turn()
            time.sleep(0.01)
        assert len(attempts) == 1
        yard_in_process.clock.advance(PUT_OFF_SECONDS + 1)
        until(lambda: len(attempts) == 2, courier)
    assert waiting(yard_in_process) == 1


def test_one_rule_that_cannot_be_started_or_compared_does_not_hold_up_the_others(
    make_queue: Call, make_rule: Call, put: Call, received: Call, yard_in_process: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Schedules that break down leave events alone, and a pattern that does leaves the other rules alone."""

    def break_down(*_: object) -> None:
        raise ArithmeticError("nobody foresaw this")

    make_rule(make_queue("sales"))
    make_rule(make_queue("bad"), name="bad", pattern=json.dumps({"source": [{"prefix": "s"}]}))
    real = routing.compiled
    monkeypatch.setattr(timing, "is_due", lambda *_: True)
    monkeypatch.setattr(timing, "start_due", break_down)
    monkeypatch.setattr(routing, "compiled", lambda text: break_down() if "prefix" in text else real(text))
    put(1)
    with couriers(yard_in_process) as (courier,):
        until(lambda: waiting(yard_in_process) == 0 and len(received("sales")) == 1, courier)
