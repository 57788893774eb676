"""Claim: 16 clients that register at the same time get at least 4 times the durable registrations of one.

Each registration is a signed CreateModelPackage over HTTP, acknowledged once it is on the disk. Writes that come together share a
commit (docs/adr/0005), so the slower a disk flushes the more there is to share. It is measured on this machine's disk as it
is, and on the same disk with every flush delayed by 2 and by 5 milliseconds: that is what a network volume or a disk without a
protected cache takes. The delay is simulated: slow_flush.c waits, then really flushes.

On a disk that flushes in a tenth of a millisecond the processor is the limit, and the ratio says how much of the time of one
registration is not work: there the claim cannot hold, and what is seen is reported.

    python -m benchmarks.concurrent_registrations [--seconds 4] [--rounds 3] [--versions 10000] [--output FILE]
"""

import argparse
import json
import multiprocessing
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.common import machine, version
from benchmarks.common.client import signed
from benchmarks.common.seeding import fill
from benchmarks.common.yards import Yard

RESULTS = Path(__file__).parent / "results" / "concurrent_registrations.json"
CLIENTS = (1, 4, 16, 64)
DELAYS = (0, 2000, 5000)
"""Microseconds that a flush is made to take longer."""
LEAST = 4.0
FASTEST = 5000
"""Registrations a second for which requests are signed beforehand."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--versions", type=int, default=10_000)
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as place:
        result = _measure(Path(place), arguments)
    text = json.dumps(result, indent=2)
    print(text)
    arguments.output.write_text(text + "\n")


def _measure(place: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    facts = machine.facts()
    library = _compiled(place)
    yard = Yard(place / "data")
    fill(yard, arguments.versions)
    numbers = count(arguments.versions)
    rates: dict[int, dict[int, list[float]]] = {delay: {clients: [] for clients in CLIENTS} for delay in DELAYS}
    for _ in range(arguments.rounds):
        for delay in DELAYS:
            with _delayed(library, delay), yard.serving() as port:
                for clients in CLIENTS:
                    rates[delay][clients].append(_rate(yard, port, clients, arguments.seconds, numbers))
    disks = {_name(delay): {str(clients): round(median(rate)) for clients, rate in rates[delay].items()} for delay in DELAYS}
    ratios = {disk: {clients: round(rate / rated["1"], 2) for clients, rate in rated.items()} for disk, rated in disks.items()}
    return {
        "claim": f"16 concurrent durable registrations are at least {LEAST:g} times the rate of one at a time",
        "machine": facts,
        "durable_registrations_per_second_by_clients": disks,
        "times_one_at_a_time": ratios,
        "holds": {disk: ratio["16"] >= LEAST for disk, ratio in ratios.items()},
        "rounds": {
            _name(delay): {str(clients): [round(one) for one in rate] for clients, rate in rated.items()}
            for delay, rated in rates.items()
        },
        "load_average_at_the_end": machine.facts()["load_average"],
    }


def _name(delay: int) -> str:
    return f"this disk, {delay // 1000} ms added to each flush (simulated)" if delay else "this disk"


def _compiled(place: Path) -> Path:
    library = place / "slow_flush.so"
    source = Path(__file__).parent / "slow_flush.c"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


@contextmanager
def _delayed(library: Path, delay: int) -> Iterator[None]:
    """The environment in which a server finds a slow disk."""
    if delay:
        os.environ.update(LD_PRELOAD=str(library), SLOW_FLUSH_MICROSECONDS=str(delay))
    try:
        yield
    finally:
        for name in ("LD_PRELOAD", "SLOW_FLUSH_MICROSECONDS"):
            os.environ.pop(name, None)


def _rate(yard: Yard, port: int, clients: int, seconds: float, numbers: Iterator[int]) -> float:
    """Registrations a second of so many clients, all on one light process of their own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_register, (port, yard.key, clients, seconds, next(numbers) * 1_000))


def _register(port: int, key: tuple[str, str], clients: int, seconds: float, first: int) -> float:
    requests = (version.request(first + number, metrics=False) for number in range(int(FASTEST * seconds)))
    waiting = iter([signed(key, version.REGION, "CreateModelPackage", request) for request in requests])
    answered = 0
    with selectors.DefaultSelector() as selector, ExitStack() as stack:
        for _ in range(clients):
            peer = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(peer, selectors.EVENT_READ, peer)
            peer.sendall(next(waiting))
        began = time.perf_counter()
        while (elapsed := time.perf_counter() - began) < seconds:
            for chosen, _ in selector.select(1.0):
                answer = chosen.data.recv(65536)
                if not answer.startswith(b"HTTP/1.1 200") or b"ModelPackageArn" not in answer:
                    raise RuntimeError(f"not registered: {answer!r}")
                answered += 1
                chosen.data.sendall(next(waiting))
    return answered / elapsed


if __name__ == "__main__":
    sys.exit(main())
