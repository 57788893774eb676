"""Claim: at 100,000 versions Modelyard is 20 to 400 times faster than MLflow, depending on the call.

The same versions in Modelyard (SQLite), in MLflow's tracking and registry server (SQLite, one worker) and in moto's server
(memory only), in one run on one machine. One client, one connection, one request at a time; the median of each round, and the
median of the rounds, in which the servers take turns. Requests are made and signed before they are measured, for Modelyard
and moto alike; Modelyard checks each signature and evaluates policies, MLflow and moto do not. Beside them two floors:
uvicorn with a handler that only answers, and a bare durable commit on SQLite.

MLflow has no approval status: there it is a tag. moto searches neither metadata nor metrics: it searches descriptions.
A registration at Modelyard also reads the metric file that it names, so that Search knows its figures, and waits for the
disk; MLflow's takes three more calls to keep metrics (a run, its metrics, its end), which are not counted.

    python -m benchmarks.registry_against_peers [--versions 100000] [--rounds 3] [--calls 200] [--output FILE]
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.common import machine, version
from benchmarks.common.calls import Call, SageMaker
from benchmarks.common.client import Connection, answered, milliseconds, plain
from benchmarks.common.seeding import compare, fill
from benchmarks.common.yards import Yard
from benchmarks.peers import floors, mlflow_registry
from benchmarks.peers.environments import PROJECT, environment, installed
from benchmarks.peers.processes import free_port, serving

RESULTS = Path(__file__).parent / "results" / "registry_against_peers.json"
AIMS = {"describe": 20, "create": 20, "list newest 100 approved": 50, "search by metric": 50, "approve": 400}
"""How many times faster than MLflow."""
SECONDS = 8.0
"""Of one round of one call at one server; the slow ones get fewer calls than the others."""


@dataclass
class Peer:
    """A server that is measured: its calls by name."""

    port: int
    calls: Mapping[str, Call]
    spent: dict[str, list[list[float]]] = field(default_factory=dict)

    def run(self, name: str, share: slice) -> None:
        """One round of one call."""
        connection = Connection(self.port)
        call = self.calls[name]
        # The first requests of a connection find caches cold that a busy server has warm.
        warm, measured = call.requests[share][:2], call.requests[share][2:]
        for request in warm:
            call.check(*connection.send(request))
        self.spent.setdefault(name, []).append(milliseconds(connection, measured, SECONDS, call.check))
        connection.close()


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as place, ExitStack() as stack:
        result = _measure(Path(place), stack, arguments)
    text = json.dumps(result, indent=2, ensure_ascii=False)
    print(text)
    arguments.output.write_text(text + "\n")
    if missed := [name for name, ratio in result["times_faster_than_mlflow"].items() if ratio < AIMS.get(name, 0)]:
        print(f"below the aim: {', '.join(missed)}", file=sys.stderr)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--versions", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--output", type=Path, default=RESULTS)
    return parser.parse_args()


def _measure(place: Path, stack: ExitStack, arguments: argparse.Namespace) -> dict[str, Any]:
    versions = {"mlflow": installed("mlflow", "mlflow"), "moto": installed("moto", "moto")}
    facts = machine.facts()
    numbers = Numbers(arguments.versions, arguments.rounds * (arguments.calls + 2))
    peers, memory, seeding = {}, {}, {}
    for name, start in {"modelyard": _modelyard, "mlflow": _mlflow, "moto": _moto}.items():
        print(f"filling {name} with {arguments.versions} versions", file=sys.stderr)
        (place / name).mkdir()
        peers[name], pid, seeding[name] = start(place / name, stack, numbers)
        memory[name] = partial(machine.resident_megabytes, pid)
    idle = {name: read() for name, read in memory.items()}
    peers["bare ASGI handler"] = _bare(place, stack, peers["modelyard"])
    commits = []
    for number in range(arguments.rounds):
        share = slice(number * (arguments.calls + 2), (number + 1) * (arguments.calls + 2))
        for call in dict.fromkeys(name for peer in peers.values() for name in peer.calls):
            print(f"round {number + 1}: {call}", file=sys.stderr)
            for peer in peers.values():
                if call in peer.calls:
                    peer.run(call, share)
        commits.append(median(floors.commits(place, arguments.calls)))
    p50 = {name: _medians(peer) for name, peer in peers.items()}
    return {
        "claim": __doc__.partition(":")[2].partition("\n")[0].strip() if __doc__ else "",
        "machine": facts,
        "versions_in_the_registry": arguments.versions,
        "peers": {
            "modelyard": "SQLite",
            "mlflow": f"{versions['mlflow']}, SQLite, 1 worker",
            "moto": f"{versions['moto']}, memory only",
        },
        "p50_milliseconds": {**p50, "bare durable commit": {"commit": round(median(commits), 3)}},
        "times_faster_than_mlflow": _ratios(p50["modelyard"], p50["mlflow"]),
        "times_faster_than_moto": _ratios(p50["modelyard"], p50["moto"]),
        "aims_against_mlflow": AIMS,
        "idle_megabytes": idle,
        "megabytes_after": {name: read() for name, read in memory.items()},
        "seeding_seconds": {name: round(seconds, 1) for name, seconds in seeding.items()},
        "calls_in_a_round": {
            name: {call: [len(one) for one in rounds] for call, rounds in peer.spent.items()} for name, peer in peers.items()
        },
        "p50_milliseconds_of_the_rounds": {
            name: {call: [round(median(one), 3) for one in rounds] for call, rounds in peer.spent.items()}
            for name, peer in peers.items()
        },
        "load_average_at_the_end": machine.facts()["load_average"],
    }


class Numbers:
    """Which versions the calls are about: spread over the registry, the same for every peer, none twice for one kind of call."""

    def __init__(self, versions: int, calls: int) -> None:
        self.versions = versions
        self.calls = calls
        self._salts: Iterator[int] = count(10)

    def spread(self) -> list[int]:
        """Numbers of versions that are there."""
        salt = next(self._salts)
        # In pairs: a version and its neighbour share a ticket, and the last pair is whole.
        return [int(version.scattered(number, salt) * (self.versions - 2)) for number in range(self.calls)]

    def new(self, after: int = 0) -> list[int]:
        """Numbers of versions that are going to be registered, in the order of their versions."""
        return list(range(self.versions + after, self.versions + after + self.calls))


def _modelyard(place: Path, stack: ExitStack, numbers: Numbers) -> tuple[Peer, int, float]:
    yard = Yard(place / "data")
    seconds = fill(yard, numbers.versions)
    compare(yard, numbers.new()[:4])
    port = stack.enter_context(yard.serving())
    yard.put_figures(numbers.new(4))
    registry = SageMaker(yard.key, numbers.versions)
    calls = {
        "describe": registry.describe(numbers.spread()),
        "create": registry.create(numbers.new(4)),
        "create without a metric file": registry.create(numbers.new(4 + numbers.calls), metrics=False),
        "list newest 100 approved": registry.newest_approved(numbers.spread()),
        "search by metric": registry.search_metric(numbers.spread()),
        "search by metadata": registry.search_metadata(numbers.spread()),
        "search by description": registry.search_description(numbers.spread()),
        "approve": registry.approve(numbers.spread()),
    }
    return Peer(port, calls), yard.pid, seconds


def _mlflow(place: Path, stack: ExitStack, numbers: Numbers) -> tuple[Peer, int, float]:
    seconds = mlflow_registry.fill(place, numbers.versions)
    port, pid = stack.enter_context(mlflow_registry.server(place))
    mlflow_registry.check(port, [0, 1, numbers.versions // 2, numbers.versions - 1])
    calls = {
        "describe": mlflow_registry.describe(numbers.spread()),
        "create": mlflow_registry.create(numbers.new()),
        "list newest 100 approved": mlflow_registry.newest_approved(numbers.spread()),
        "search by metric": mlflow_registry.search_metric(numbers.spread(), numbers.versions),
        "search by metadata": mlflow_registry.search_metadata(numbers.spread()),
        "approve": mlflow_registry.approve(numbers.spread()),
    }
    return Peer(port, calls), pid, seconds


def _moto(place: Path, stack: ExitStack, numbers: Numbers) -> tuple[Peer, int, float]:
    port = free_port()
    command = [environment("moto") / "python", "-m", "benchmarks.peers.moto_server", str(port), str(numbers.versions)]
    variables = {"PYTHONPATH": str(PROJECT), "MOTO_ACCOUNT_ID": version.ACCOUNT}
    pid = stack.enter_context(serving(command, port, place / "moto.log", variables, path="/moto-api/", seconds=600))
    registry = SageMaker(("AKIAIOSFODNN7EXAMPLE", "any"), numbers.versions)
    answered(*Connection(port).send(registry.describe([numbers.versions - 1]).requests[0]))
    calls = {
        "describe": registry.describe(numbers.spread()),
        "create": registry.create(numbers.new()),
        "list newest 100 approved": registry.newest_approved(numbers.spread()),
        "search by description": registry.search_description(numbers.spread()),
        "approve": registry.approve(numbers.spread()),
    }
    return Peer(port, calls), pid, 0.0


def _bare(place: Path, stack: ExitStack, modelyard: Peer) -> Peer:
    """A handler that returns what Modelyard answers to Describe."""
    connection = Connection(modelyard.port)
    _, body = connection.send(modelyard.calls["describe"].requests[0])
    connection.close()
    port = stack.enter_context(floors.bare_server(place, body))
    request = plain("POST", "/", {"ModelPackageName": version.arn(0)})
    return Peer(port, {"describe": Call([request] * len(modelyard.calls["describe"].requests))})


def _medians(peer: Peer) -> dict[str, float]:
    return {call: round(median(median(one) for one in rounds), 3) for call, rounds in peer.spent.items()}


def _ratios(ours: Mapping[str, float], theirs: Mapping[str, float]) -> dict[str, float]:
    return {call: round(theirs[call] / ours[call], 1) for call in theirs if call in ours}


if __name__ == "__main__":
    main()
