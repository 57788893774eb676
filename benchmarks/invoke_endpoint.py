"""Claim: InvokeEndpoint costs at most 1 ms over calling the model server directly (p50), at 60 % of its throughput or more.

In one run, on one machine, alternating between

* `direct`: the model server as a process of its own, on a port of this machine;
* `modelyard`: the same program as an endpoint: signature, policies, routing, sandbox and all, logs to a file.

The model is a logistic regression of scikit-learn over 20 features behind Python's own threading HTTP server; a request is one
row of CSV. Requests to Modelyard are signed anew, ahead of time. Two loads: one connection with one request after the other, and
several connections with one request on the way each. Deploy, update, roll-back and restore are timed too, from the call until
DescribeEndpoint says InService.

    python -m benchmarks.invoke_endpoint [--seconds 3] [--rounds 5] [--connections 8] [--output FILE]
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
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.endpoints import Deployer, program
from tests.running import RunningYard

RESULTS = Path(__file__).parent / "results" / "invoke_endpoint.json"
ROW = ",".join(["0.5"] * 20).encode()
SIGNED = 3000
MODEL = """
import numpy
from sklearn.linear_model import LogisticRegression
random = numpy.random.default_rng(7)
rows = random.normal(size=(500, 20))
model = LogisticRegression().fit(rows, rows[:, 0] > 0)

def invoke(body, headers):
    found = [[float(cell) for cell in line.split(",")] for line in body.decode().splitlines()]
    return 200, json.dumps(model.predict_proba(found)[:, 1].tolist()).encode(), {"Content-Type": "application/json"}

class Quick(Handler):
    wbufsize = 65536
    disable_nagle_algorithm = True
Handler = Quick
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=8)
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
    yard = RunningYard(place / "data", log_level="warning")
    yard.start()
    try:
        deployer = Deployer(yard, "bench")
        times = _life(deployer)
        with _direct(place) as port:
            targets = {
                "direct": (port, [_plain(port)]),
                "modelyard": (yard.port, [_signed(yard, deployer.named("e")) for _ in range(SIGNED)]),
            }
            rounds = [{name: _load(*target, arguments) for name, target in targets.items()} for _ in range(arguments.rounds)]
    finally:
        yard.stop()
    medians = {
        measure: {name: round(statistics.median(each[name][measure] for each in rounds), 3) for name in targets}
        for measure in ("p50_milliseconds", "p99_milliseconds", "requests_per_second")
    }
    added = medians["p50_milliseconds"]["modelyard"] - medians["p50_milliseconds"]["direct"]
    ratio = medians["requests_per_second"]["modelyard"] / medians["requests_per_second"]["direct"]
    return {
        "claim": "InvokeEndpoint: p50 at most 1 ms over calling the model server directly, throughput at least 60 % of it",
        "holds": added <= 1.0 and ratio >= 0.6,
        "p50_added_milliseconds": round(added, 3),
        "throughput_ratio": round(ratio, 3),
        **medians,
        "seconds_until_in_service": times,
        "connections": arguments.connections,
        "rounds": rounds,
        "machine": machine.facts(),
    }


def _life(deployer: Deployer) -> dict[str, float]:
    """How long the steps of an endpoint's life take, of a program that starts at once."""
    name, extras = deployer.named("e"), deployer.yard.client("modelyard")
    for model, serve in (("quick", program()), ("other", program()), ("real", program(MODEL))):
        deployer.model(model, serve)
        deployer.config(model)
    steps: dict[str, Callable[[], object]] = {
        "deploy": lambda: deployer.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=deployer.named("quick")),
        "update": lambda: deployer.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=deployer.named("other")),
        "roll back": lambda: extras.rollback_endpoint(EndpointName=name),
    }
    times = {step: _seconds(deployer, name, begin) for step, begin in steps.items()}
    deployer.delete(name)
    times["restore"] = _seconds(deployer, name, lambda: extras.restore_endpoint(EndpointName=name))
    times["update to scikit-learn"] = _seconds(
        deployer,
        name,
        lambda: deployer.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=deployer.named("real")),
    )
    return times


def _seconds(deployer: Deployer, name: str, begin: Callable[[], object]) -> float:
    began = time.perf_counter()
    begin()
    deployer.settled(name)
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


def _signed(yard: RunningYard, endpoint: str) -> bytes:
    admin = yard.admin()
    request = AWSRequest(
        "POST", f"{yard.endpoint}/endpoints/{endpoint}/invocations", headers={"content-type": "text/csv"}, data=ROW
    )
    SigV4Auth(Credentials(admin.access_key_id, admin.secret_access_key), "sagemaker", "us-east-1").add_auth(request)
    lines = [f"POST /endpoints/{endpoint}/invocations HTTP/1.1", f"host: 127.0.0.1:{yard.port}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return "\r\n".join([*lines, f"content-length: {len(ROW)}", "", ""]).encode() + ROW


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
