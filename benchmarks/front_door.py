"""Claim: a described version over HTTP, its signature checked, at half the throughput of a bare ASGI handler or better.

Also: start to first answer, and memory when idle and after the load. In one run, on one machine, alternating:

* `bare`: uvicorn (uvloop, httptools) with a handler that reads the request and returns the same bytes as Modelyard;
* `modelyard`: `modelyard serve`, DescribeModelPackage: signature, policies, database and all, logs to a file.

The client is a process of its own; every request is signed anew (ahead of time), none is sent twice. Three loads:

* `http_client`: one connection of Python's http.client, the way a program calls (the claim is judged by this one);
* `one_socket`: one raw socket, so that next to nothing is left of the client's own time;
* `sockets`: several raw sockets, each with one request on the way; here the client is what limits `bare`.

`processor_microseconds_per_request` is what the server's process used: it does not depend on the client.

    python benchmarks/front_door.py [--seconds 3] [--rounds 5] [--connections 8] [--output FILE]
"""

import argparse
import http.client
import json
import multiprocessing
import os
import platform
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

MODELYARD = [sys.executable, "-m", "modelyard.cli.main"]
REGION = "us-east-1"
TARGET = "SageMaker.DescribeModelPackage"
CALLS = 2000
MEASURES = (
    "http_client_p50_milliseconds",
    "one_socket_p50_milliseconds",
    "sockets_requests_per_second",
    "processor_microseconds_per_request",
)


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as place:
        result = _measure(Path(place), arguments)
    text = json.dumps(result, indent=2)
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def _measure(place: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    key = _initialise(place / "data")
    starts = [_start_to_first_answer(place / "data") for _ in range(3)]
    with _modelyard(place / "data") as (port, process):
        idle = _resident_megabytes(process.pid)
        body, head = _register(port, key)
        with _bare(place, head, body) as (bare_port, bare_pid):
            targets = {"bare": (bare_port, bare_pid), "modelyard": (port, process.pid)}
            rounds = [
                {name: _load(*target, port, key, arguments, len(body)) for name, target in targets.items()}
                for _ in range(arguments.rounds)
            ]
        loaded = _resident_megabytes(process.pid)
    medians = {
        measure: {name: statistics.median(each[name][measure] for each in rounds) for name in targets} for measure in MEASURES
    }
    ratios = {
        "http_client": medians["http_client_p50_milliseconds"]["bare"] / medians["http_client_p50_milliseconds"]["modelyard"],
        "one_socket": medians["one_socket_p50_milliseconds"]["bare"] / medians["one_socket_p50_milliseconds"]["modelyard"],
        "sockets": medians["sockets_requests_per_second"]["modelyard"] / medians["sockets_requests_per_second"]["bare"],
    }
    return {
        "claim": "DescribeModelPackage over HTTP with its signature checked: at least half the throughput of a bare ASGI handler",
        "holds": ratios["http_client"] >= 0.5,
        "throughput_ratio": {load: round(ratio, 3) for load, ratio in ratios.items()},
        **medians,
        "start_to_first_answer_seconds": round(statistics.median(starts), 3),
        "idle_megabytes": idle,
        "megabytes_after_load": loaded,
        "response_bytes": len(body),
        "rounds": rounds,
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
    }


def _initialise(data: Path) -> dict[str, str]:
    subprocess.run([*MODELYARD, "init", "--data", str(data)], check=True, capture_output=True)
    printed = subprocess.run([*MODELYARD, "env", "--data", str(data)], check=True, capture_output=True, text=True).stdout
    values = dict(line.removeprefix("export ").split("=", 1) for line in printed.splitlines())
    return {"id": values["AWS_ACCESS_KEY_ID"].strip("'"), "secret": values["AWS_SECRET_ACCESS_KEY"].strip("'")}


@contextmanager
def _modelyard(data: Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    with (data.parent / "server.log").open("a") as log:
        process = subprocess.Popen(
            [*MODELYARD, "serve", "--data", str(data), "--port", "0"], stdout=subprocess.PIPE, stderr=log, text=True
        )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline().rpartition(":")[2]), process
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def _start_to_first_answer(data: Path) -> float:
    began = time.perf_counter()
    with _modelyard(data) as (port, _):
        with socket.create_connection(("127.0.0.1", port)) as peer:
            peer.sendall(b"GET /_modelyard/ready HTTP/1.1\r\nhost: x\r\n\r\n")
            assert b" 200 " in peer.recv(65536)
        return time.perf_counter() - began


def _resident_megabytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1024, 1)
    raise RuntimeError("the system does not tell the memory of a process")


def _register(port: int, key: dict[str, str]) -> tuple[bytes, bytes]:
    """Make the version that is described; the body and the head of the answer that describes it."""
    import boto3

    client = boto3.client(
        "sagemaker",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name=REGION,
        aws_access_key_id=key["id"],
        aws_secret_access_key=key["secret"],
    )
    client.create_model_package_group(ModelPackageGroupName="bench")
    statistics_file = {"ContentType": "application/json", "S3Uri": "s3://bucket/statistics.json"}
    client.create_model_package(
        ModelPackageGroupName="bench",
        ModelPackageDescription="A version like those that teams register",
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={
            "Containers": [
                {
                    "Image": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3",
                    "ModelDataUrl": "s3://bucket/training-2024-01-01/output/model.tar.gz",
                    "Environment": {"SAGEMAKER_PROGRAM": "inference.py"},
                }
            ],
            "SupportedContentTypes": ["text/csv", "application/json"],
            "SupportedResponseMIMETypes": ["text/csv"],
            "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large", "ml.m5.xlarge"],
            "SupportedTransformInstanceTypes": ["ml.m5.large"],
        },
        ModelMetrics={"ModelQuality": {"Statistics": statistics_file}, "Bias": {"Report": statistics_file}},
        MetadataProperties={"CommitId": "9f2c4d1", "Repository": "git@example.com:team/model.git", "ProjectId": "fraud"},
        CustomerMetadataProperties={"accuracy": "0.93", "team": "fraud", "dataset": "s3://bucket/data/2024"},
    )
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.sendall(next(_signed(port, key, 1)))
        answer = b""
        while b"\r\n\r\n" not in answer or len(answer) < answer.index(b"\r\n\r\n") + 4 + _length(answer):
            answer += peer.recv(65536)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), answer
    return body, head


def _length(answer: bytes) -> int:
    return int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])


def _signed(port: int, key: dict[str, str], count: int) -> Iterator[bytes]:
    """`count` requests, each with a signature of its own."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    signer = SigV4Auth(Credentials(key["id"], key["secret"]), "sagemaker", REGION)
    body = json.dumps({"ModelPackageName": f"arn:aws:sagemaker:{REGION}:123456789012:model-package/bench/1"}).encode()
    for number in range(count):
        headers = {
            "X-Amz-Target": TARGET,
            "Content-Type": "application/x-amz-json-1.1",
            "User-Agent": "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux md/arch#x86_64 lang/python#3.11 md/pyimpl#CPython",
            "amz-sdk-invocation-id": f"00000000-0000-0000-0000-{number:012d}",
            "amz-sdk-request": "attempt=1",
        }
        request = AWSRequest("POST", f"http://127.0.0.1:{port}/", headers=headers, data=body)
        signer.add_auth(request)
        head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        yield f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@contextmanager
def _bare(place: Path, head: bytes, body: bytes) -> Iterator[tuple[int, int]]:
    """A bare ASGI handler on uvicorn that answers with the same headers and bytes."""
    (place / "body").write_bytes(body)
    (place / "head").write_bytes(head)
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    process = multiprocessing.get_context("spawn").Process(target=_serve_bare, args=(place, port))
    process.start()
    try:
        _until_it_answers(port)
        assert process.pid is not None
        yield port, process.pid
    finally:
        process.terminate()
        process.join(30)


def _serve_bare(place: Path, port: int) -> None:
    import uvicorn

    body = (place / "body").read_bytes()
    ours = [tuple(line.split(b": ", 1)) for line in (place / "head").read_bytes().split(b"\r\n")[1:]]
    headers = [(name, value) for name, value in ours if name not in (b"date", b"server")]

    async def application(scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    uvicorn.run(application, port=port, loop="uvloop", http="httptools", lifespan="off", access_log=False, log_level="warning")


def _until_it_answers(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the bare server did not start")


def _load(
    target: int, pid: int, signed_for: int, key: dict[str, str], arguments: argparse.Namespace, length: int
) -> dict[str, float]:
    """Load one server from a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_client, (target, pid, signed_for, key, arguments.seconds, arguments.connections, length))


def _client(
    target: int, pid: int, signed_for: int, key: dict[str, str], seconds: float, connections: int, length: int
) -> dict[str, float]:
    by_http_client = _http_client(target, list(_signed(signed_for, key, CALLS)), length)
    by_socket = _latencies(target, list(_signed(signed_for, key, CALLS)), length)
    requests = list(_signed(signed_for, key, int(20_000 * seconds)))
    before = _processor_seconds(pid)
    answered, elapsed = _throughput(target, requests, seconds, connections, length)
    return {
        "http_client_p50_milliseconds": round(statistics.median(by_http_client[100:]) * 1000, 4),
        "one_socket_p50_milliseconds": round(statistics.median(by_socket[100:]) * 1000, 4),
        "sockets_requests_per_second": round(answered / elapsed, 1),
        "processor_microseconds_per_request": round((_processor_seconds(pid) - before) / answered * 1e6, 1),
    }


def _http_client(port: int, requests: list[bytes], length: int) -> list[float]:
    """Seconds that each call takes with Python's own client, on one connection."""
    prepared = []
    for request in requests:
        head, _, body = request.partition(b"\r\n\r\n")
        lines = (line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        prepared.append(({name: value for name, value in lines}, body))  # noqa: C416
    connection = http.client.HTTPConnection("127.0.0.1", port)
    latencies = []
    for headers, body in prepared:
        began = time.perf_counter()
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        received = answer.read()
        latencies.append(time.perf_counter() - began)
        assert (answer.status, len(received)) == (200, length)
    connection.close()
    return latencies


def _processor_seconds(pid: int) -> float:
    """What a process has used of the processors: steadier than throughput where the machine is shared."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _latencies(port: int, requests: list[bytes], length: int) -> list[float]:
    latencies = []
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for request in requests:
            began = time.perf_counter()
            peer.sendall(request)
            _take(peer, length)
            latencies.append(time.perf_counter() - began)
    return latencies


def _take(peer: socket.socket, length: int) -> None:
    """One whole answer, which has to be a success with a body of `length` bytes."""
    answer = peer.recv(65536)
    while (end := answer.find(b"\r\n\r\n")) < 0 or len(answer) < end + 4 + length:
        more = peer.recv(65536)
        assert more, "the server hung up"
        answer += more
    assert answer.startswith(b"HTTP/1.1 200"), answer
    assert len(answer) == end + 4 + length


def _throughput(port: int, requests: list[bytes], seconds: float, connections: int, length: int) -> tuple[int, float]:
    """Answers, and the seconds they took, on `connections` connections, each with one request on the way."""
    waiting = iter(requests)
    answered = 0
    with selectors.DefaultSelector() as selector, ExitStack() as stack:
        peers = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(connections)]
        for peer in peers:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(peer, selectors.EVENT_READ, peer)
            peer.sendall(next(waiting))
        began = time.perf_counter()
        while (elapsed := time.perf_counter() - began) < seconds:
            for chosen, _ in selector.select(1.0):
                _take(chosen.data, length)
                answered += 1
                request = next(waiting, None)
                if request is None:
                    return answered, time.perf_counter() - began
                chosen.data.sendall(request)
    return answered, elapsed


if __name__ == "__main__":
    main()
