"""Claim: audit records, events and past states cost at most 30 % of a registration's throughput.

Registrations are signed requests of a realistic size, taken through everything but the HTTP server: route, signature, validation,
authorisation, the durable write. One at a time and 16 at a time, with records and without, by turns in one run and each on a new
database. Without means a dispatcher whose recorder does nothing and an outbox that takes nothing; the product has no such
setting.

    python -m benchmarks.audit_cost [--rounds 15] [--registrations 200] [--postgresql] [--output FILE]
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import uvloop
from benchmarks.common import machine, version
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.postgresql import PostgresqlServer, fresh_database

from modelyard.access.accounts import create_account
from modelyard.access.credentials import root_principal
from modelyard.access.keyring import KeyRing
from modelyard.access.permission import RequestFacts
from modelyard.aws.http import HttpRequest
from modelyard.dispatch.context import Context
from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.events import history, outbox
from modelyard.server.composition import House, build
from modelyard.settings import Settings
from modelyard.storage import Transaction

RESULTS = Path(__file__).parent / "results" / "audit_cost.json"
AT_ONCE = (1, 16)
MOST_LOST = 0.30


class NullRecorder:
    """Records nothing."""

    def append(self, tx: Transaction, facts: Mapping[str, Any]) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--registrations", type=int, default=200)
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    databases = {"sqlite": _measure(lambda: contextlib.nullcontext(""), arguments.rounds, arguments.registrations)}
    if arguments.postgresql:
        server = PostgresqlServer.start(durable=True)
        try:
            place = lambda: fresh_database(server.address)  # noqa: E731
            databases["postgresql"] = _measure(place, arguments.rounds, arguments.registrations)
        finally:
            server.stop()
    result = {
        "claim": "audit records, events and past states cost at most 30 % of a registration's throughput",
        "machine": machine.facts(),
        "rounds": arguments.rounds,
        "registrations": arguments.registrations,
        "databases": databases,
    }
    text = json.dumps(result, indent=2, ensure_ascii=False)
    print(text)
    arguments.output.write_text(text + "\n")
    lost = {name: each["share_lost"] for name, each in databases.items()}
    if any(share > MOST_LOST for each in lost.values() for share in each.values()):
        sys.exit(f"records cost more than {MOST_LOST:.0%}: {lost}")


def _measure(place: Any, rounds: int, registrations: int) -> dict[str, Any]:
    """Registrations a second, the median of the rounds, and the median share that records cost within a round.

    Both houses stand side by side and take turns, the one that begins by turns too: whatever else the machine does meets both.
    """
    rates: dict[str, dict[int, list[float]]] = {mode: {count: [] for count in AT_ONCE} for mode in ("recorded", "bare")}
    with contextlib.ExitStack() as stack:
        houses = {mode: stack.enter_context(_house(stack.enter_context(place()), recorded=mode == "recorded")) for mode in rates}
        for number in range(rounds):
            for count in AT_ONCE:
                for mode in ("recorded", "bare") if number % 2 else ("bare", "recorded"):
                    rates[mode][count].append(_rate(*houses[mode], count, registrations))
        record = _bytes_of_a_record(houses["recorded"][0])
    shares = {str(count): _share_lost(rates["recorded"][count], rates["bare"][count]) for count in AT_ONCE}
    return {
        "registrations_per_second": {
            mode: {str(count): round(statistics.median(each)) for count, each in by.items()} for mode, by in rates.items()
        },
        "share_lost": shares,
        "bytes_of_a_record": record,
    }


def _share_lost(recorded: list[float], bare: list[float]) -> float:
    """The median over the rounds, each compared within itself."""
    return round(statistics.median(1 - slow / fast for slow, fast in zip(recorded, bare, strict=True)), 3)


@contextlib.contextmanager
def _house(database: str, *, recorded: bool) -> Iterator[tuple[House, Credentials]]:
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        data = Path(folder)
        KeyRing.create(data)
        house = build(Settings(data=data, database=database))
        stack.callback(house.close)
        if not recorded:
            _record_nothing(house, stack)
        made = house.storage.write(
            lambda tx: create_account(tx, house.key_ring, version.ACCOUNT, ids=house.ids, now=house.clock.now())
        )
        context = _context(house)
        for group in version.GROUPS:
            context.call("sagemaker", "CreateModelPackageGroup", {"ModelPackageGroupName": group})
        yield house, Credentials(made.access_key_id, made.secret_access_key)


def _record_nothing(house: House, stack: contextlib.ExitStack) -> None:
    old = house.dispatcher
    house.dispatcher = Dispatcher(
        catalogue=old.catalogue,
        operations=old.operations,
        authenticator=old.authenticator,
        storage=old.storage,
        blobs=old.blobs,
        tokens=old.tokens,
        settings=old.settings,
        clock=old.clock,
        ids=old.ids,
        recorder=NullRecorder(),
    )
    stack.enter_context(mock.patch.object(house.dispatcher.recording, "change", lambda *_args, **_more: None))


def _context(house: House) -> Context:
    return Context(
        principal=root_principal(version.ACCOUNT),
        facts=RequestFacts(house.clock.now(), version.REGION, "127.0.0.1", False),
        request_id=house.ids.request_id(),
        ids=house.ids,
        storage=house.storage,
        blobs=house.blobs,
        settings=house.settings,
        tokens=house.dispatcher.tokens,
        dispatcher=house.dispatcher,
    )


def _requests(key: Credentials, count: int) -> list[HttpRequest]:
    """Signed requests; what signing costs is not measured."""
    made = []
    for number in range(count):
        body = json.dumps(version.request(number, metrics=False)).encode()
        headers = {
            "Host": "127.0.0.1",
            "X-Amz-Target": "SageMaker.CreateModelPackage",
            "Content-Type": "application/x-amz-json-1.1",
            "User-Agent": "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux md/arch#x86_64 lang/python#3.11 md/pyimpl#CPython",
        }
        request = AWSRequest("POST", "http://127.0.0.1/", headers=headers, data=body)
        SigV4Auth(key, "sagemaker", version.REGION).add_auth(request)
        lower = {name.lower(): value for name, value in request.headers.items()}
        made.append(HttpRequest("POST", "/", "", lower, body))
    return made


def _rate(house: House, key: Credentials, at_once: int, count: int) -> float:
    """Registrations a second of so many tasks on one event loop, each waiting for its own before the next."""
    with contextlib.ExitStack() as stack:
        if isinstance(house.dispatcher.recorder, NullRecorder):
            stack.enter_context(mock.patch.object(outbox, "publish", lambda *_args, **_more: None))
            stack.enter_context(mock.patch.object(history, "keep", lambda *_args, **_more: None))
        return _rate_of(house, key, at_once, count)


def _rate_of(house: House, key: Credentials, at_once: int, count: int) -> float:
    requests = iter(_requests(key, count))
    dispatcher = house.dispatcher

    async def register() -> None:
        for http in requests:
            call = dispatcher.open(http, house.ids.request_id())
            dispatcher.admit(call)
            await asyncio.wrap_future(dispatcher.submit(call))

    async def everyone() -> float:
        start = time.perf_counter()
        await asyncio.gather(*(register() for _ in range(at_once)))
        return count / (time.perf_counter() - start)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(everyone())


def _bytes_of_a_record(house: House) -> int:
    with house.storage.read() as tx:
        row = tx.one("SELECT sum(length(document)), count(*) FROM audit_record")
    assert row is not None
    return round(float(row[0]) / row[1])


if __name__ == "__main__":
    main()
