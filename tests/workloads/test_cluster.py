"""Workloads on nodes that share nothing with their server but a network."""

import hashlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.apart import Apart
from tests.clients.environments import PROJECT
from tests.processes import Process, below, gone

from modelyard.runtime.base import python_mounts
from modelyard.runtime.cluster import wire
from modelyard.runtime.cluster.backend import ClusterBackend
from modelyard.runtime.cluster.parcels import Parcels
from modelyard.runtime.cluster.remote import Remote
from modelyard.runtime.process import Heard
from modelyard.runtime.workload import MEBIBYTE, CannotRun, Ended, Limits, Mount, Workload

pytestmark = [pytest.mark.slow, pytest.mark.ours]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Apart]:
    """A node with a folder of its own; in the end its agents have ended by themselves."""
    tmp_path.chmod(0o755)
    made = Apart(tmp_path / "node")
    yield made
    made.end()


@pytest.fixture
def backend(node: Apart) -> Iterator[ClusterBackend]:
    """A server's backend, which runs all on the node."""
    made = ClusterBackend(node)
    yield made
    made.close()


class Run:
    """A program that runs on a node, and what it printed."""

    def __init__(self, backend: ClusterBackend, program: str, *arguments: str, **settings: Any) -> None:
        self.lines: list[str] = []
        self.ended: list[Ended] = []
        workload = Workload(
            sys.executable,
            ("-I", "-c", textwrap.dedent(program), *arguments),
            settings.pop("environment", {"PATH": "/usr/bin:/bin"}),
            (*python_mounts(), *settings.pop("mounts", ())),
            **settings,
        )
        self.remote: Remote = backend.start(workload, Heard(lambda line: self.lines.append(line.decode()), self.ended.append))

    def end(self) -> Ended:
        """How it ended, once it has."""
        return self.remote.over.result(60)

    def wait_for(self, line: str) -> None:
        """Return once it printed a line."""
        deadline = time.monotonic() + 60
        while line not in self.lines:
            assert time.monotonic() < deadline and not self.remote.over.done(), self.lines
            time.sleep(0.01)

    def connect(self, port: int) -> socket.socket:
        """A connection to a port inside."""
        opened = self.remote.connect(port).result(30)
        opened.settimeout(60)
        return opened


def test_programs_run_on_a_node_and_end_as_they_would_here(backend: ClusterBackend):
    """What is printed comes in order and whole, before the end; the exit code is the program's own; one that ends at once, or
    cannot be started at all, is told like any other."""
    program = """
        import os, sys
        for number in range(20000):
            print(number, "x" * 50)
        sys.stdout.flush()
        os.write(1, b"\\xff, and no end of line")
        sys.exit(7)
    """
    lines: list[bytes] = []
    ended: list[tuple[int, Ended]] = []
    heard = Heard(lines.append, lambda how: ended.append((len(lines), how)))
    workload = Workload(sys.executable, ("-I", "-c", textwrap.dedent(program)), {}, python_mounts())
    assert backend.start(workload, heard).over.result(60).exit_code == 7
    assert lines == [f"{number} {'x' * 50}".encode() for number in range(20000)] + [b"\xff, and no end of line"]
    [(before, how)] = ended
    assert (before, how.exit_code, how.signal, how.reason) == (20001, 7, None, "")
    assert how.peak_memory > MEBIBYTE
    assert backend.start(Workload("/usr/bin/true"), heard).over.result(60).exit_code == 0
    with pytest.raises(CannotRun, match="/usr/bin/nothing-of-the-kind cannot be started"):
        backend.start(Workload("/usr/bin/nothing-of-the-kind"), heard)
    with pytest.raises(CannotRun, match="needs a container engine"):
        backend.start(Workload("", image="sha256:1"), heard)


def test_stop_asks_first_and_limits_hold(backend: ClusterBackend):
    """A workload is asked to end, and ended when it does not; one that takes too much memory or time is ended."""
    polite = """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
        print("ready", flush=True)
        time.sleep(600)
    """
    run = Run(backend, polite)
    run.wait_for("ready")
    run.remote.stop(60, "enough")
    assert (run.end().exit_code, run.end().reason) == (3, "enough")
    assert run.ended == [run.end()]
    stubborn = Run(backend, polite.replace("lambda *_: sys.exit(3)", "signal.SIG_IGN"))
    stubborn.wait_for("ready")
    stubborn.remote.stop(0.1, "enough")
    assert (stubborn.end().signal, stubborn.end().reason) == (9, "enough")
    greedy = Run(
        backend, "held = [b'x' * 1048576 for _ in range(400)]\nimport time\ntime.sleep(600)", limits=Limits(64 * MEBIBYTE)
    )
    assert greedy.end().reason == "memory"
    assert greedy.end().peak_memory > 64 * MEBIBYTE
    assert Run(backend, "import time\ntime.sleep(600)", timeout=0.5).end().reason == "timeout"


def test_connections_lead_to_ports_inside(backend: ClusterBackend):
    """Many bytes pass both ways at once and arrive as they were sent; where nobody listens a connection is refused; when one side
    hangs up so does the other."""
    program = """
        import socket, threading
        listener = socket.create_server(("127.0.0.1", 8080), backlog=64)
        def echo(peer):
            with peer:
                while read := peer.recv(65536):
                    peer.sendall(read)
            print("left", flush=True)
        print("listening", flush=True)
        while True:
            threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()
    """
    run = Run(backend, program)
    run.wait_for("listening")
    with pytest.raises(ConnectionRefusedError, match="nobody listens"):
        run.connect(8081)
    sent = hashlib.shake_256(b"many").digest(4 * MEBIBYTE)
    with run.connect(8080) as first, run.connect(8080) as second:
        second.sendall(b"small")
        assert second.recv(64) == b"small"
        first.setblocking(False)
        received, place = bytearray(), 0
        deadline = time.monotonic() + 60
        while len(received) < len(sent):
            assert time.monotonic() < deadline
            with suppress(BlockingIOError):
                place += first.send(sent[place : place + 65536]) if place < len(sent) else 0
            try:
                received += first.recv(65536)
            except BlockingIOError:
                time.sleep(0.001)
        assert received == sent
    run.wait_for("left")
    third = run.connect(8080)
    run.remote.stop(0)
    assert third.recv(1) == b""
    third.close()
    run.end()
    with pytest.raises(ConnectionRefusedError, match="the workload has ended"):
        run.connect(8080)


def test_the_server_answers_inside(backend: ClusterBackend):
    """What the workload connects to on its own 127.0.0.1 is a socket on which the server listens, and nobody else can reach."""
    program = """
        import socket
        for number in range(20):
            with socket.create_connection(("127.0.0.1", 9100)) as opened:
                opened.sendall(b"question %d" % number)
                print(opened.recv(100).decode(), flush=True)
    """
    run = Run(backend, program, listeners=(9100, 9101))
    listener = run.remote.listeners.pop(9100)
    with listener:
        assert listener.family == socket.AF_UNIX
        listener.settimeout(60)
        for _ in range(20):
            peer, _ = listener.accept()
            with peer:
                peer.settimeout(60)
                peer.sendall(b"answer to " + peer.recv(100))
    assert run.end().exit_code == 0
    assert run.lines == [f"answer to question {number}" for number in range(20)]


def test_folders_are_brought_once_and_seen_as_they_are(node: Apart, backend: ClusterBackend, tmp_path: Path):
    """A folder of the server is brought to a node, named by what is in it, and seen there with its links, times and programs; the
    next workload finds it there, and so does one that brings the same in a folder of another name."""
    model = tmp_path / "server" / "model"
    (model / "deep").mkdir(parents=True)
    (model / "deep" / "weights").write_bytes(bytes(range(256)) * 5000)
    (model / "run").write_text("#!/bin/sh\necho it runs\n")
    (model / "run").chmod(0o700)
    (model / ("long" * 60)).write_text("long")
    (model / "python").symlink_to("/usr/bin/env")
    os.utime(model / "run", (1_600_000_000, 1_600_000_000))
    (tmp_path / "server" / "file").write_text("a single one")
    program = """
        import hashlib, os, subprocess
        os.chdir("/opt/ml/model")
        print(sorted(len(name) for name in os.listdir(".")), os.readlink("python"), int(os.stat("run").st_mtime))
        print(hashlib.sha256(open("deep/weights", "rb").read()).hexdigest(), subprocess.check_output(["./run"]).decode().strip())
        print(open("/opt/ml/file").read())
        try:
            open("deep/new", "w")
        except OSError as error:
            print(error.strerror)
        print(*[line.split()[3] for line in open("/proc/self/mountinfo") if "/opt/ml" in line], sep=":")
    """
    mounts = (Mount(model, "/opt/ml/model"), Mount(tmp_path / "server" / "file", "/opt/ml/file"))
    first = Run(backend, program, mounts=mounts)
    assert first.end().exit_code == 0, first.lines
    digest = hashlib.sha256((model / "deep" / "weights").read_bytes()).hexdigest()
    assert first.lines[:4] == [
        "[3, 4, 6, 240] /usr/bin/env 1600000000",
        f"{digest} it runs",
        "a single one",
        "Read-only file system",
    ]
    # What a sandbox sees of the disk is the node's alone.
    assert all(str(node.cache) in path for path in first.lines[4].split(":"))
    kept = {path: path.stat().st_ino for path in node.cache.iterdir() if path.is_dir()}
    assert {path.name for path in kept} == {Parcels().of(mount.source).digest for mount in mounts}
    shutil.copytree(model, tmp_path / "server" / "again", symlinks=True)
    second = Run(backend, program, mounts=(Mount(tmp_path / "server" / "again", "/opt/ml/model"), mounts[1]))
    assert second.end().exit_code == 0
    assert second.lines == first.lines
    assert {path: path.stat().st_ino for path in node.cache.iterdir() if path.is_dir()} == kept


def test_a_node_has_only_so_much_room(tmp_path: Path, node: Apart, backend: ClusterBackend):
    """What was used longest ago goes for what comes; what is in use stays, and what does not fit is refused, with the reason."""
    small = Apart(tmp_path / "small", room=2 * MEBIBYTE)
    narrow = ClusterBackend(small)
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for number, folder in enumerate(folders):
        folder.mkdir()
        (folder / "content").write_bytes(bytes([number]) * 900 * 1024)
    try:
        held = Run(narrow, "import time\nprint('up', flush=True)\ntime.sleep(600)", mounts=(Mount(folders[0], "/opt/ml/model"),))
        held.wait_for("up")
        for folder in folders[1:]:
            assert Run(narrow, "pass", mounts=(Mount(folder, "/opt/ml/model"),)).end().exit_code == 0
        kept = {path.name for path in small.cache.iterdir() if path.is_dir()}
        assert kept == {Parcels().of(folder).digest for folder in (folders[0], folders[2])}
        (folders[1] / "content").write_bytes(bytes(1500 * 1024))
        folders[1].touch()
        with pytest.raises(CannotRun, match=r"two cannot be brought to the node small: .* workloads use so much"):
            Run(narrow, "pass", mounts=(Mount(folders[1], "/opt/ml/model"),))
        (folders[1] / "more").write_bytes(bytes(1500 * 1024))
        with pytest.raises(CannotRun, match="this node keeps 2097152"):
            Run(narrow, "pass", mounts=(Mount(folders[1], "/opt/ml/model"),))
    finally:
        narrow.close()
        small.end()
    here = Mount(tmp_path / "not-there", str(tmp_path / "not-there"))
    with pytest.raises(CannotRun, match="not-there, which is part of the server's machine"):
        Run(backend, "pass", mounts=(here,))
    with pytest.raises(CannotRun, match="What is written to /opt/ml/output would stay on a node"):
        Run(backend, "pass", mounts=(Mount(tmp_path, "/opt/ml/output", read_only=False),))
    with pytest.raises(CannotRun, match="What is put into /opt/ml/models later would not reach a node"):
        Run(backend, "pass", mounts=(Mount(tmp_path, "/opt/ml/models", grows=True),))
    node.changes = {"version": "0.0.1"}
    with pytest.raises(CannotRun, match=r"The node node has Modelyard 0.0.1, and this server is "):
        Run(backend, "pass")


SLEEPER = "import time\nprint('up', flush=True)\ntime.sleep(600)"


def test_a_node_that_dies_or_is_cut_off_is_lost(tmp_path: Path, node: Apart, monkeypatch: pytest.MonkeyPatch):
    """When a node dies, its workload is lost at once; when it is only cut off, a moment later, and what it ran is ended there too
    before it can be heard again."""
    monkeypatch.setattr(wire, "LOST_SECONDS", 5.0)
    short = Apart(tmp_path / "short", lost=5.0)
    backend = ClusterBackend(short)
    try:
        run = Run(backend, SLEEPER)
        run.wait_for("up")
        inside = below(short.agents[0].pid)
        assert inside
        short.agents[0].kill()
        assert run.end() == Ended(None, 9, "lost", run.remote.peak_memory)
        assert run.ended == [run.end()]
        gone(inside)
        cut = Run(backend, SLEEPER)
        cut.wait_for("up")
        inside = below(short.agents[1].pid)
        short.agents[1].send_signal(signal.SIGSTOP)
        assert cut.end().reason == "lost"
        short.agents[1].send_signal(signal.SIGCONT)
        gone(inside)
        # The other way round: it is the server that is not heard.
        alone = Run(backend, SLEEPER)
        alone.wait_for("up")
        inside = below(short.agents[2].pid)
        backend.loop.call_soon_threadsafe(time.sleep, 8)
        gone(inside)
        assert alone.end().reason == "lost"
    finally:
        backend.close()
        short.end()


SERVER = """
import sys, time
from pathlib import Path
from tests.apart import Apart
from tests.clients.environments import PROJECT
from modelyard.runtime.base import python_mounts
from modelyard.runtime.cluster.backend import ClusterBackend
from modelyard.runtime.process import Heard
from modelyard.runtime.workload import Workload

node = Apart(Path(sys.argv[1]))
workload = Workload(sys.executable, ("-I", "-c", sys.argv[2]), {}, python_mounts())

def hear(line):
    print(line.decode(), flush=True)
    time.sleep(600)

ClusterBackend(node).start(workload, Heard(hear, print))
time.sleep(600)
"""


def ticks(process: Process) -> int:
    """How long a process has computed: as long as before, when it waits for somebody to read what it prints."""
    words = Path(f"/proc/{process.number}/stat").read_text().rpartition(") ")[2].split()
    return int(words[11]) + int(words[12])


def test_what_runs_ends_with_its_server(tmp_path: Path, node: Apart):
    """When the server is killed, nothing of what it ran is left on any node, though it has more to say than was heard."""
    talker = "print('up', flush=True)\nwhile True:\n    print('x' * 100)"
    command = [sys.executable, "-c", SERVER, str(tmp_path / "other"), talker]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT)
    assert server.stdout is not None
    with server.stdout:
        assert server.stdout.readline() == "up\n"
        everything = below(server.pid)
        [talking] = [one for one in everything if any("print('up'" in word for word in one.words())]
        before = 0
        while before != (now := ticks(talking)) or not now:
            before = now
            time.sleep(0.5)
        server.kill()
        server.wait()
        gone(everything)


def test_nobody_else_is_let_in(node: Apart, backend: ClusterBackend):
    """An agent shakes hands with nobody but its server, and a server with nobody but its agent: with another certificate neither
    gets as far as a first byte."""
    run = Run(backend, SLEEPER)
    run.wait_for("up")
    [place] = node.places
    stranger = wire.Identity().context(place.certificate, server=False)
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    nobody.check_hostname, nobody.verify_mode = False, ssl.CERT_NONE
    for context in (stranger, nobody):
        with (
            pytest.raises((ssl.SSLError, ConnectionError)),
            socket.create_connection((place.host, place.port)) as opened,
            context.wrap_socket(opened, server_hostname=wire.NAME) as secured,
        ):
            secured.sendall(wire.first_line({"control": True}))
            if not secured.recv(1):
                raise ConnectionResetError
    with socket.create_connection((place.host, place.port)) as plain:
        plain.settimeout(60)
        plain.sendall(wire.first_line({"connect": 8080}))
        with pytest.raises(ConnectionError):
            if not plain.recv(4096).startswith(b"\n"):
                raise ConnectionResetError
    assert not run.remote.over.done()
    node.changes = {"certificate": wire.Identity().certificate}
    with pytest.raises(CannotRun, match=r"cannot be reached: .*certificate verify failed"):
        Run(backend, SLEEPER)
    node.agents[1].kill()
