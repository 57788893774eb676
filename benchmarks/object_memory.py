"""Claim: an object of 2 GB goes in and out through constant memory: the server grows by less than 64 MB, whatever the size.

A running server takes an object in one PutObject, gives it back in one GetObject, and takes it again by boto3's `upload_file`
(ten parts at a time); the peak of its resident memory is read from /proc after each. The same with 64 MB shows that the
size does not matter. Throughput is told too: on one machine with its client, hashing (SHA-256, MD5, CRC) and the disk bound it.

    python -m benchmarks.object_memory [--megabytes 2048] [--output FILE]
"""

import argparse
import hashlib
import http.client
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.running import RunningYard

LIMIT = 64.0
"""Megabytes that the server may grow by."""
PIECE = 1 << 20
SMALL = 64
"""Megabytes of the object that the large one is compared with."""


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as place:
        yard = RunningYard(Path(place) / "data")
        yard.start()
        try:
            yard.client("s3").create_bucket(Bucket="bench")
            result = _measure(yard, Path(place), arguments.megabytes)
        finally:
            yard.stop()
    text = json.dumps(result, indent=2)
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n")
    if result["largest_growth_megabytes"] > LIMIT:
        sys.exit(f"the server grew by more than {LIMIT} MB")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=2048)
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def _measure(yard: RunningYard, place: Path, megabytes: int) -> dict[str, Any]:
    assert yard.process is not None
    pid = yard.process.pid
    _warm_up(yard)
    idle = _memory(pid, "VmRSS")
    phases = {f"{size} MB": _phases(yard, place, pid, size) for size in (SMALL, megabytes)}
    peaks = [phase["peak_megabytes"] for group in phases.values() for phase in group.values()]
    return {
        "claim": f"an object of {megabytes} MB in and out: the server grows by less than {LIMIT} MB",
        "machine": {"python": platform.python_version(), "processors": os.cpu_count()},
        "idle_megabytes": idle,
        "phases": phases,
        "largest_growth_megabytes": round(max(peaks) - idle, 1),
    }


def _warm_up(yard: RunningYard) -> None:
    """One small object each way, so that what is loaded once is loaded."""
    _put(yard, 1)
    _get(yard, 1)


def _phases(yard: RunningYard, place: Path, pid: int, megabytes: int) -> dict[str, dict[str, float]]:
    return {
        "PutObject": _timed(pid, megabytes, lambda: _put(yard, megabytes)),
        "GetObject": _timed(pid, megabytes, lambda: _get(yard, megabytes)),
        "upload_file": _timed(
            pid, megabytes, lambda: _upload_file(yard, place, megabytes), before=lambda: _write(place, megabytes)
        ),
    }


def _timed(pid: int, megabytes: int, action: Callable[[], None], before: Callable[[], None] | None = None) -> dict[str, float]:
    if before is not None:
        before()
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # resets the peak
    started = time.perf_counter()
    action()
    seconds = time.perf_counter() - started
    return {"peak_megabytes": _memory(pid, "VmHWM"), "megabytes_per_second": round(megabytes / seconds, 1)}


def _memory(pid: int, name: str) -> float:
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return round(int(lines[name].split()[0]) / 1024, 1)


def _pieces(megabytes: int) -> Iterator[bytes]:
    """Bytes of which no two pieces are the same."""
    block = os.urandom(PIECE - 8)
    return (number.to_bytes(8, "big") + block for number in range(megabytes))


def _put(yard: RunningYard, megabytes: int) -> None:
    where = {"Bucket": "bench", "Key": f"{megabytes}"}
    address = urlsplit(yard.client("s3").generate_presigned_url("put_object", Params=where, ExpiresIn=3600))
    connection = http.client.HTTPConnection("127.0.0.1", yard.port, timeout=600)
    connection.request(
        "PUT", f"{address.path}?{address.query}", body=_pieces(megabytes), headers={"content-length": str(megabytes * PIECE)}
    )
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    connection.close()


def _get(yard: RunningYard, megabytes: int) -> None:
    body = yard.client("s3").get_object(Bucket="bench", Key=f"{megabytes}")["Body"]
    size, digest = 0, hashlib.md5(usedforsecurity=False)
    for piece in body.iter_chunks(PIECE):
        size += len(piece)
        digest.update(piece)
    assert size == megabytes * PIECE
    tag = yard.client("s3").head_object(Bucket="bench", Key=f"{megabytes}")["ETag"]
    assert tag == f'"{digest.hexdigest()}"'


def _write(place: Path, megabytes: int) -> None:
    with (place / "source").open("wb") as out:
        for piece in _pieces(megabytes):
            out.write(piece)


def _upload_file(yard: RunningYard, place: Path, megabytes: int) -> None:
    yard.client("s3").upload_file(str(place / "source"), "bench", f"parts-{megabytes}")


if __name__ == "__main__":
    main()
