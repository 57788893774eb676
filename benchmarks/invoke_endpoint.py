"""Claim: InvokeEndpoint costs at most 1 ms over calling the model server directly (p50), at 60 % of its throughput or more.

In one run, on one machine, each alternating with `direct`, the model server as a process of its own on a port of this machine:

* `modelyard`: the same program as an endpoint: signature, policies, routing, sandbox and all, logs to a file;
* `mlflow`: the same model in `mlflow models serve`, with one worker;
* `ray`: the same model in a Ray Serve deployment of one replica.

The model is a logistic regression of scikit-learn over 20 features, directly and in Modelyard behind Python's own threading HTTP
server; a request is one row of CSV. Requests to Modelyard are signed anew, ahead of time; the others check nobody. Two loads: one
connection with one request after the other, and several connections with one request on the way each. Deploy, update, roll-back
and restore are timed too, from the call until DescribeEndpoint says InService, of a program that starts at once and of the model,
which has scikit-learn to import.

    python -m benchmarks.invoke_endpoint [--seconds 3] [--rounds 5] [--connections 8] [--alone] [--output FILE]
"""

import argparse
import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.common import machine
from benchmarks.peers import model_servers
from benchmarks.peers.environments import installed
from botocore.credentials import Credentials
from tests.endpoints import Deployer, program
from tests.open_loop import invocation
from tests.running import RunningYard

RESULTS = Path(__file__).parent / "results" / "invoke_endpoint.json"
ROW = ",".join(["0.5"] * 20).encode()
SIGNED = 3000
ENDPOINT = "bench-e"
AIMS = {"deploy": 3.0, "update": 5.0, "restore": 5.0}
Target = tuple[int, list[bytes]]
"""A port, and what is sent to it."""
MODEL = (
    (Path(model_servers.__file__).with_name("logistic_regression.py")).read_text()
    + """
def invoke(body, headers):
    found = [[float(cell) for cell in line.split(",")] for line in body.decode().splitlines()]
    return 200, json.dumps(model.predict_proba(found)[:, 1].tolist()).encode(), {"Content-Type": "application/json"}

class Quick(Handler):
    wbufsize = 65536
    disable_nagle_algorithm = True
Handler = Quick
"""
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--alone", action="store_true", help="without MLflow and Ray Serve")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as place:
        result = _measure(Path(place), arguments)
    text = json.dumps(result, indent=2)
    print(text)
    arguments.output.write_text(text + "\n")
    if not result["holds"]:
        print("the claim does not hold in this run", file=sys.stderr)


def _measure(place: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    facts = machine.facts()
    with _direct(place) as port:
        direct = (port, [_plain(port)])
        with _modelyard(place) as (yard, times):
            admin = yard.admin()
            keys, address = Credentials(admin.access_key_id, admin.secret_access_key), f"127.0.0.1:{yard.port}"
            signed = [invocation(address, keys, ENDPOINT, ROW) for _ in range(SIGNED)]
            rounds = {"modelyard": _rounds(direct, (yard.port, signed), arguments)}
        peers = {} if arguments.alone else model_servers.PEERS
        for name, peer in peers.items():
            with peer(place, ROW) as served:
                rounds[name] = _rounds(direct, served, arguments)
    measured = {name: _medians(found) for name, found in rounds.items()}
    ours = measured["modelyard"]
    return {
        "claim": "InvokeEndpoint: p50 at most 1 ms over calling the model server directly, throughput at least 60 % of it",
        "holds": ours["p50_added_milliseconds"] <= 1.0 and ours["throughput_ratio"] >= 0.6,
        **measured,
        "seconds_until_in_service": times,
        "aims_in_seconds": AIMS,
        "connections": arguments.connections,
        "rounds": rounds,
        "peers": {name: installed(name, name) for name in peers},
        "machine": facts,
        "load_average_at_the_end": round(os.getloadavg()[0], 2),
    }


def _rounds(direct: Target, served: Target, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    return [{"direct": _load(*direct, arguments), "served": _load(*served, arguments)} for _ in range(arguments.rounds)]


def _medians(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {
        measure: {name: round(statistics.median(one[name][measure] for one in rounds), 3) for name in ("direct", "served")}
        for measure in ("p50_milliseconds", "p99_milliseconds", "requests_per_second")
    }
    added = found["p50_milliseconds"]["served"] - found["p50_milliseconds"]["direct"]
    ratio = found["requests_per_second"]["served"] / found["requests_per_second"]["direct"]
    return {"p50_added_milliseconds": round(added, 3), "throughput_ratio": round(ratio, 3), **found}


@contextmanager
def _modelyard(place: Path) -> Iterator[tuple[RunningYard, dict[str, float]]]:
    """A server with the endpoint, and how long the steps of its life took."""
    yard = RunningYard(place / "data", log_level="warning")
    yard.start()
    try:
        yield yard, _life(Deployer(yard, "bench"))
    finally:
        yard.stop()


def _life(deployer: Deployer) -> dict[str, float]:
    """How long the steps of an endpoint's life take: of a program that starts at once, then of the model."""
    extras, sagemaker = deployer.yard.client("modelyard"), deployer.sagemaker
    times: dict[str, float] = {}
    for what, part in (("", ""), (" of scikit-learn", MODEL)):
        first, second = (_configured(deployer, f"{name}{len(times)}", part) for name in ("first", "second"))
        steps: dict[str, Callable[[], object]] = {
            "deploy": lambda: sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName=first),  # noqa: B023
            "update": lambda: sagemaker.update_endpoint(EndpointName=ENDPOINT, EndpointConfigName=second),  # noqa: B023
            "roll back": lambda: extras.rollback_endpoint(EndpointName=ENDPOINT),
        }
        times |= {f"{step}{what}": _seconds(deployer, begin) for step, begin in steps.items()}
        deployer.delete(ENDPOINT)
        times[f"restore{what}"] = _seconds(deployer, lambda: extras.restore_endpoint(EndpointName=ENDPOINT))
        if not what:
            deployer.delete(ENDPOINT)
    return times


def _configured(deployer: Deployer, name: str, part: str) -> str:
    deployer.model(name, program(part))
    return deployer.config(name)


def _seconds(deployer: Deployer, begin: Callable[[], object]) -> float:
    began = time.perf_counter()
    begin()
    deployer.settled(ENDPOINT, seconds=120)
    return round(time.perf_counter() - began, 3)


@contextmanager
def _direct(place: Path) -> Iterator[int]:
    """The model server itself."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    (place / "serve.py").write_text(program(MODEL))
    environment = {**os.environ, "SAGEMAKER_BIND_TO_PORT": str(port)}
    process = subprocess.Popen([sys.executable, place / "serve.py"], env=environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def _plain(port: int) -> bytes:
    head = f"POST /invocations HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: text/csv\r\ncontent-length: {len(ROW)}\r\n\r\n"
    return head.encode() + ROW


def _load(port: int, requests: list[bytes], arguments: argparse.Namespace) -> dict[str, float]:
    latencies = _one_after_the_other(port, requests, arguments.seconds)
    return {
        "p50_milliseconds": round(statistics.median(latencies) * 1000, 3),
        "p99_milliseconds": round(statistics.quantiles(latencies, n=100)[98] * 1000, 3),
        "requests_per_second": round(_side_by_side(port, requests, arguments.seconds, arguments.connections), 1),
    }


def _connect(port: int) -> socket.socket:
    peer = socket.create_connection(("127.0.0.1", port))
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    assert head.startswith(b"HTTP/1.1 200"), answer
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    return len(body) >= length


def _one_after_the_other(port: int, requests: list[bytes], seconds: float) -> list[float]:
    found: list[float] = []
    with _connect(port) as peer:
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            began = time.perf_counter()
            peer.sendall(requests[len(found) % len(requests)])
            answer = peer.recv(65536)
            while not _is_whole(answer):
                answer += peer.recv(65536)
            found.append(time.perf_counter() - began)
    return found


def _side_by_side(port: int, requests: list[bytes], seconds: float, connections: int) -> float:
    """Answers a second."""
    selector = selectors.DefaultSelector()
    peers = [_connect(port) for _ in range(connections)]
    pending = dict.fromkeys(peers, b"")
    done = 0
    for peer in peers:
        selector.register(peer, selectors.EVENT_READ)
        peer.sendall(requests[0])
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        for key, _ in selector.select(1):
            peer = key.fileobj
            assert isinstance(peer, socket.socket)
            pending[peer] += peer.recv(65536)
            if _is_whole(pending[peer]):
                pending[peer] = b""
                done += 1
                peer.sendall(requests[done % len(requests)])
    passed = time.perf_counter() - began
    selector.close()
    for peer in peers:
        peer.close()
    return done / passed


if __name__ == "__main__":
    main()
