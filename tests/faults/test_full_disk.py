"""The disk fills up while clients are at work, and is emptied again."""

import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from tests.faults.clients import TRY_AGAIN
from tests.faults.load import Load, check_at_rest, load
from tests.running import RunningYard

pytestmark = [pytest.mark.ours, pytest.mark.slow]
SIZE = 192 * 1024 * 1024


def wait_for(what: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def progress(clients: Load, registered: int, put: int) -> bool:
    """Whether more was acknowledged, of both kinds, than there was."""
    return clients.count("registered") > registered + 10 and clients.count("put") > put + 10


def check_survival(yard: RunningYard, clients: Load, fill: Callable[[], None], empty: Callable[[], None]) -> None:
    """While the disk is full writes get a 503 and reads their answer; with room again all goes on, and nothing was lost."""
    clients.start(registering=2, uploading=2, seed=11)
    for _ in range(2):
        registered, put = clients.count("registered"), clients.count("put")
        wait_for(partial(progress, clients, registered, put))
        refused = clients.count("refused")
        fill()
        wait_for(lambda refused=refused: clients.count("refused") > refused + 20)
        assert yard.client("sagemaker").list_model_packages(ModelPackageGroupName="faults")["ModelPackageSummaryList"]
        assert yard.client("s3").list_objects_v2(Bucket="faults")["KeyCount"]
        empty()
    registered, put = clients.count("registered"), clients.count("put")
    wait_for(partial(progress, clients, registered, put))
    clients.stop()
    clients.check()
    refusals = {(line["status"], line["refused"]) for line in clients.records() if "refused" in line}
    assert refusals <= {(503, code) for code in TRY_AGAIN}
    assert yard.stop() == 0
    check_at_rest(yard)


@contextmanager
def small_file_system(place: Path) -> Iterator[Path]:
    """A file system of `SIZE`; skips where this user may not mount one."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "modelyard-test", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount a small file system: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_file_system(tmp_path: Path):
    """A file system without a byte of room, for database and objects."""
    with small_file_system(tmp_path / "small") as place:
        ballast = place / "ballast"

        def fill() -> None:
            with ballast.open("ab", buffering=0) as file:
                size = 1024 * 1024
                while size:
                    try:
                        file.write(b"\1" * size)
                    except OSError:
                        size //= 2

        yard = RunningYard(place / "data")
        yard.log = tmp_path / "server.log"  # which is read at the end, so no line of it may be cut off
        yard.start()
        try:
            with load(yard, tmp_path / "records") as clients:
                check_survival(yard, clients, fill, ballast.unlink)
        finally:
            if yard.process is not None:
                yard.kill()


def test_a_limit_on_the_size_of_files(tmp_path: Path):
    """Files that may not grow: every write fails that would make one larger."""
    yard = RunningYard(tmp_path / "data")
    yard.start()
    process = yard.process
    assert process is not None

    def limit(size: int) -> None:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    try:
        with load(yard, tmp_path / "records") as clients:
            check_survival(yard, clients, lambda: limit(4), lambda: limit(resource.RLIM_INFINITY))
    finally:
        if yard.process is not None:
            yard.kill()
    assert yard.log.stat().st_size < 10_000_000
