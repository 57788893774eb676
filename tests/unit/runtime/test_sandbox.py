"""The sandbox against programs that mean harm, and programs that only go wrong."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from tests.processes import Process, below, gone, keep_orphans

from modelyard.runtime.base import USER, order_of, python_mounts
from modelyard.runtime.process import Heard, Runtime, Sandbox, receive, settle
from modelyard.runtime.workload import MEBIBYTE, CannotRun, Ended, Limits, Mount, Workload

pytestmark = pytest.mark.ours


@pytest.fixture(scope="module")
def runtime() -> Iterator[Runtime]:
    keep_orphans()
    started = Runtime()
    try:
        try:
            started.start(Workload("/usr/bin/true"), Heard(lambda _: None, lambda _: None))
        except CannotRun as error:
            if "does not let it make" in str(error):
                pytest.skip(str(error))
            raise
        yield started
    finally:
        started.close()


class Run:
    """A program that runs in a sandbox, and what it printed."""

    def __init__(self, runtime: Runtime, program: str, *arguments: str, **settings: Any) -> None:
        self.lines: list[str] = []
        self.workload = Workload(
            sys.executable,
            ("-I", "-c", textwrap.dedent(program), *arguments),
            settings.pop("environment", {"PATH": "/usr/bin:/bin"}),
            (*python_mounts(), *settings.pop("mounts", ())),
            timeout=settings.pop("timeout", 20.0),
            **settings,
        )
        heard = Heard(lambda line: self.lines.append(line.decode()), lambda _: None)
        self.sandbox: Sandbox = runtime.start(self.workload, heard)

    def end(self) -> Ended:
        """How it ended, once it has."""
        return self.sandbox.over.result(30)

    def told(self) -> Any:
        """What it printed last, as JSON; it must have ended well."""
        ended = self.end()
        assert ended.exit_code == 0, (ended, self.lines)
        return json.loads(self.lines[-1])

    def wait_for(self, line: str) -> None:
        """Return once it printed a line."""
        deadline = time.monotonic() + 20
        while line not in self.lines:
            assert time.monotonic() < deadline and not self.sandbox.over.done(), self.lines
            time.sleep(0.01)


def test_nothing_of_the_machine_is_seen_but_programs_and_libraries(runtime: Runtime, tmp_path: Path):
    """A workload sees neither the data directory, nor homes, nor the server's environment, nor who else there is; and it can
    write nowhere but in its own /tmp and where it was given a folder."""
    secret = tmp_path / "data" / "keys" / "master.key"
    secret.parent.mkdir(parents=True)
    secret.write_text("the key")
    program = """
        import json, os, sys
        seen = {}
        for path in (sys.argv[1], "/etc/shadow", "/root/.bashrc", "/proc/1/environ", "/proc/1/root/etc/shadow", "/proc/kcore",
                     "/dev/mem", "/dev/sda", "/dev/kvm", "/sys/kernel", "/run", "/home"):
            try:
                with open(path, "rb") as file:
                    seen[path] = file.read(16).decode(errors="replace")
            except IsADirectoryError:
                seen[path] = os.listdir(path)
            except OSError as error:
                pass
        written = []
        for folder, _, _ in os.walk("/"):
            if folder.startswith(("/proc", "/dev/shm", "/tmp", "/usr/share", "/usr/lib/python3")):
                continue
            try:
                with open(folder + "/intruder", "w"): written.append(folder)
            except OSError:
                pass
        open("/tmp/mine", "w").write("x")
        processes = [name for name in os.listdir("/proc") if name.isdecimal()]
        print(json.dumps({"seen": seen, "written": written, "environment": dict(os.environ), "processes": len(processes),
                          "user": os.getuid(), "host": os.uname()[1]}))
    """
    told = Run(runtime, program, str(secret), environment={"ONLY": "this"}).told()
    assert told["seen"] == {}
    assert told["written"] == []
    assert {name: value for name, value in told["environment"].items() if name != "LC_CTYPE"} == {"ONLY": "this"}
    assert told["processes"] == 2
    assert (told["user"], told["host"]) == (USER, "sandbox")


def test_data_directory_within_what_is_mounted_stays_hidden(runtime: Runtime, tmp_path: Path):
    """A hidden folder is empty and closed inside, even when the folder it is in is shown."""
    shown = tmp_path / "shown"
    (shown / "data").mkdir(parents=True)
    (shown / "data" / "secret").write_text("the key")
    (shown / "open").write_text("for all")
    for folder in (shown, tmp_path):
        folder.chmod(0o755)
    program = """
        import json, os
        try:
            found = os.listdir("/shown/data")
        except PermissionError:
            found = "closed"
        print(json.dumps([found, open("/shown/open").read()]))
    """
    run = Run(runtime, program, mounts=(Mount(shown, "/shown"),), hidden=(shown / "data",))
    assert run.told() == ["closed", "for all"]


def test_folder_is_writable_only_when_it_is_given_so(runtime: Runtime, tmp_path: Path):
    """What is mounted to be read cannot be written, remounted or made executable as root; what is mounted to be written can."""
    for name in ("read", "write"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o777)
    program = """
        import json, os, subprocess
        def fails(*command):
            return subprocess.run(command, capture_output=True).returncode != 0
        def attempt(action):
            try:
                return action() or "done"
            except OSError as error:
                return type(error).__name__
        print(json.dumps({
            "read": attempt(lambda: open("/opt/ml/read/new", "w").close()),
            "write": attempt(lambda: open("/opt/ml/write/new", "w").close()),
            "remount": fails("/usr/bin/mount", "-o", "remount,rw", "/opt/ml/read"),
            "unshare": fails("/usr/bin/unshare", "--user", "--map-root-user", "true"),
        }))
    """
    mounts = (Mount(tmp_path / "read", "/opt/ml/read"), Mount(tmp_path / "write", "/opt/ml/write", read_only=False))
    told = Run(runtime, program, mounts=mounts).told()
    assert told == {"read": "OSError", "write": "done", "remount": True, "unshare": True}
    assert [path.name for path in (tmp_path / "write").iterdir()] == ["new"]


def test_folder_below_tmp_is_seen_in_the_tmp_of_its_own(runtime: Runtime, tmp_path: Path):
    """A Python, or a folder, that lies in the machine's /tmp is seen at its place; nothing else of that /tmp is."""
    (tmp_path / "read").mkdir()
    (tmp_path / "read" / "file").write_text("seen")
    program = """
        import json, os
        open("/tmp/own", "w").close()
        print(json.dumps({"file": open("/tmp/shown/read/file").read(), "tmp": sorted(os.listdir("/tmp"))}))
    """
    told = Run(runtime, program, mounts=(Mount(tmp_path / "read", "/tmp/shown/read"),)).told()
    assert told["file"] == "seen"
    assert set(told["tmp"]) - set(Path(sys.prefix).parts) == {"own", "shown"}


def test_no_network_but_its_own(runtime: Runtime):
    """A workload reaches no address of the machine or of others, by no kind of socket; a port that it opens is in nobody's way,
    and is reached through the runtime alone."""
    with socket.create_server(("127.0.0.1", 0)) as host:
        port = host.getsockname()[1]
        program = """
            import json, socket, sys
            failed = {}
            for family, address in ((socket.AF_INET, ("127.0.0.1", int(sys.argv[1]))), (socket.AF_INET, ("1.1.1.1", 53)),
                                    (socket.AF_INET6, ("2606:4700:4700::1111", 53)), (socket.AF_INET, ("169.254.169.254", 80))):
                with socket.socket(family) as one:
                    one.settimeout(2)
                    try:
                        one.connect(address)
                    except OSError as error:
                        failed[address[0]] = type(error).__name__
            for name, family in (("AF_VSOCK", 40), ("AF_PACKET", 17), ("AF_ALG", 38), ("AF_BLUETOOTH", 31)):
                try:
                    socket.socket(family, socket.SOCK_SEQPACKET if name == "AF_ALG" else socket.SOCK_STREAM, 0).close()
                except OSError as error:
                    failed[name] = type(error).__name__
            listener = socket.create_server(("0.0.0.0", 8080))
            print(json.dumps(failed))
            print("ready", flush=True)
            while True:
                peer, _ = listener.accept()
                peer.sendall(b"hello from inside " + peer.recv(10))
                peer.close()
        """
        runs = [Run(runtime, program, str(port)) for _ in range(2)]
        for run in runs:
            run.wait_for("ready")
            failed = json.loads(run.lines[0])
            assert failed.keys() == {
                *("127.0.0.1", "1.1.1.1", "2606:4700:4700::1111", "169.254.169.254"),
                *("AF_VSOCK", "AF_PACKET", "AF_ALG", "AF_BLUETOOTH"),
            }
        host.settimeout(0.1)
        with pytest.raises(TimeoutError):
            host.accept()
        for number, run in enumerate(runs):
            with run.sandbox.connect(8080).result(5) as connection:
                connection.settimeout(5)
                connection.sendall(str(number).encode())
                assert connection.recv(100) == f"hello from inside {number}".encode()
            with pytest.raises(ConnectionRefusedError):
                run.sandbox.connect(8081).result(5)
            run.sandbox.stop(0)
            assert run.end().reason == "stopped"
        with pytest.raises(ConnectionRefusedError):
            runs[0].sandbox.connect(8080).result(5)


def test_listeners_of_what_has_ended_are_there_no_more(runtime: Runtime):
    """Listeners that nobody has taken out are closed when the workload ends, and cannot be taken out closed."""
    descriptors = _descriptors()
    run = Run(runtime, "print('x')", listeners=(9001, 9002))
    run.end()
    assert run.sandbox.listeners == {}
    assert _descriptors() <= descriptors


def test_server_answers_on_sockets_of_the_private_network(runtime: Runtime):
    """A listener that the workload may reach is handed to the server, which accepts on it directly."""
    program = """
        import socket
        with socket.create_connection(("127.0.0.1", 9001)) as one:
            print(one.recv(100).decode(), flush=True)
    """
    run = Run(runtime, program, listeners=(9001,))
    listener = run.sandbox.listeners.pop(9001)
    with listener:
        listener.settimeout(10)
        peer, address = listener.accept()
        with peer:
            peer.sendall(b"from the server")
    assert address[0] == "127.0.0.1"
    assert run.end().exit_code == 0
    assert run.lines == ["from the server"]


@pytest.mark.parametrize(
    ("limits", "program"),
    [
        (Limits(processes=50), "import os\nwhile True: os.fork()"),
        (Limits(memory=100 * MEBIBYTE), "kept = []\nwhile True: kept.append(b'x' * 1_000_000)"),
        (
            Limits(memory=100 * MEBIBYTE),
            "import os, time\n"
            "for _ in range(9):\n    if not os.fork():\n        kept = b'x' * 30_000_000\n        break\n"
            "time.sleep(60)",
        ),
        (
            Limits(memory=64 * MEBIBYTE, scratch=10 * MEBIBYTE),
            "with open('/tmp/full', 'wb') as f:\n    while True: f.write(b'x' * 1000000)",
        ),
        (Limits(memory=10 * MEBIBYTE), "with open('/dev/shm/full', 'wb') as f:\n    while True: f.write(b'x' * 1000000)"),
        (Limits(file_bytes=1000), "with open('/tmp/full', 'wb') as f:\n    f.write(b'x' * 2000)"),
        (Limits(cpu_seconds=1), "while True: pass"),
        (Limits(open_files=20), "kept = [open('/dev/null') for _ in range(30)]"),
    ],
    ids=["forks", "allocates", "allocates in many", "fills /tmp", "fills /dev/shm", "large file", "computes", "opens files"],
)
def test_limits_hold(runtime: Runtime, limits: Limits, program: str):
    """A program that takes more than it may fails or is ended, soon, and leaves no process behind."""
    before = below(os.getpid())
    run = Run(runtime, program, limits=limits, timeout=10.0)
    ended = run.end()
    assert ended.exit_code != 0
    assert ended.reason in ("", "memory") or "os.fork" in program
    _settled(before)


def test_whole_tree_ends_with_the_workload_and_on_stop(runtime: Runtime):
    """Processes that left their parent, ignore SIGTERM and detached themselves are gone when the workload is stopped, or ends."""
    program = """
        import os, signal, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for _ in range(3):
            if not os.fork():
                os.setsid()
                if os.fork(): os._exit(0)
                time.sleep(1000)
        print("ready", flush=True)
        if sys.argv[1] == "stay": time.sleep(1000)
    """
    before = below(os.getpid())
    run = Run(runtime, program, "leave")
    assert run.end().exit_code == 0
    _settled(before)
    run = Run(runtime, program, "stay")
    run.wait_for("ready")
    begun = time.monotonic()
    run.sandbox.stop(0.3)
    assert (run.end().signal, run.end().reason) == (9, "stopped")
    assert 0.2 < time.monotonic() - begun < 5
    _settled(before)


def test_workload_that_is_asked_to_end_may_tidy_up(runtime: Runtime):
    """SIGTERM comes first, and the exit code of a program that heeds it is told."""
    program = """
        import signal, sys, time
        def tidy(*_):
            print("tidied", flush=True)
            sys.exit(7)
        signal.signal(signal.SIGTERM, tidy)
        print("ready", flush=True)
        time.sleep(1000)
    """
    run = Run(runtime, program)
    run.wait_for("ready")
    run.sandbox.stop(10)
    assert run.end() == Ended(7, None, "stopped", run.end().peak_memory)
    assert run.lines[-1] == "tidied"


def test_timeout_ends_it(runtime: Runtime):
    """A workload with a timeout is ended when it is over."""
    run = Run(runtime, "import time\ntime.sleep(1000)", timeout=0.3)
    assert run.end().reason == "timeout"


def test_output_comes_line_by_line_and_whole(runtime: Runtime):
    """Every line arrives, in order, from both streams, and the last one without its end too."""
    program = "import sys\nfor n in range(20000): print(n)\nsys.stdout.flush()\nsys.stderr.write('last')"
    run = Run(runtime, program)
    assert run.end().exit_code == 0
    assert run.lines == [*map(str, range(20000)), "last"]


def test_what_is_printed_at_once_is_heard(runtime: Runtime):
    """Workloads that print and end before their start was told lose none of it."""
    heard: list[list[bytes]] = [[] for _ in range(30)]
    ends = [
        runtime.start(Workload("/usr/bin/echo", (str(number),)), Heard(lines.append, lambda _: None)).over
        for number, lines in enumerate(heard)
    ]
    for end in ends:
        end.result(30)
    assert heard == [[str(number).encode()] for number in range(30)]


def test_what_cannot_be_started_is_said_in_a_sentence(runtime: Runtime):
    """A program that is not there, or a folder, is told at once and by name."""
    heard = Heard(lambda _: None, lambda _: None)
    with pytest.raises(CannotRun, match=r"/usr/bin/nothing-like-this cannot be started: .*No such file"):
        runtime.start(Workload("/usr/bin/nothing-like-this"), heard)
    with pytest.raises(CannotRun, match="No such file"):
        runtime.start(Workload("/usr/bin/true", mounts=(Mount(Path("/not/there"), "/opt/x"),)), heard)


def test_kernel_that_forbids_it_is_met_with_advice(runtime: Runtime):
    """Where no namespace may be made, as in a sandbox, starting a workload says so, and what to allow."""
    program = """
        import sys
        sys.path.append("/src")
        from modelyard.runtime.process import Heard, Runtime
        from modelyard.runtime.workload import CannotRun, Workload
        runtime = Runtime()
        try:
            runtime.start(Workload("/usr/bin/true"), Heard(print, print))
        except CannotRun as error:
            print(error)
        runtime.close()
    """
    run = Run(runtime, program, mounts=(Mount(Path(__file__).parents[3] / "src", "/src"),))
    assert run.end().exit_code == 0, run.lines
    assert "(unshare: Operation not permitted)" in run.lines[-1]
    assert "sysctl user.max_user_namespaces" in run.lines[-1]


def test_workloads_die_with_the_server(tmp_path: Path):
    """After kill -9 of the process that runs the runtime nothing of its sandboxes is left."""
    before = below(os.getpid())
    program = textwrap.dedent(
        """
        import sys, time
        from modelyard.runtime.base import python_mounts
        from modelyard.runtime.process import Heard, Runtime
        from modelyard.runtime.workload import Workload
        runtime = Runtime()
        code = "import os, time; os.fork(); time.sleep(1000)"
        for _ in range(3):
            runtime.start(Workload(sys.executable, ("-c", code), {}, python_mounts()), Heard(lambda _: None, lambda _: None))
        print("ready", flush=True)
        time.sleep(1000)
        """
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            assert len(below(os.getpid()) - before) >= 10
        finally:
            server.kill()
    _settled(before)


def test_many_start_and_end_at_once_without_leaving_anything(runtime: Runtime):
    """Thirty sandboxes from several threads leave no process and no descriptor behind."""
    Run(runtime, "pass").end()
    before, descriptors = below(os.getpid()), _descriptors()

    def several() -> None:
        for _ in range(6):
            assert Run(runtime, "print('x')").end().exit_code == 0

    threads = [threading.Thread(target=several) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _settled(before)
    assert _descriptors() <= descriptors


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a process as somebody else")
def test_works_for_who_is_not_root(tmp_path: Path):
    """An ordinary user makes the same sandbox."""
    python = shutil.which("python3", path="/usr/bin:/bin")
    if python is None:
        pytest.skip("there is no Python of the system, and this one may be in a folder that is closed to others")
    source = Path(__file__).parents[3] / "src"
    copied = Path("/tmp") / f"modelyard-test-{os.getpid()}"
    shutil.copytree(source / "modelyard" / "runtime", copied / "modelyard" / "runtime")
    (copied / "modelyard" / "__init__.py").touch()
    for path in (copied, *copied.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    code = "import json, os, socket; print(json.dumps([os.getuid(), sorted(os.listdir('/')), os.path.exists('/etc/shadow')]))"
    order = order_of(Workload(python, ("-I", "-c", code)))
    start = "import sys; sys.path.append(sys.argv.pop(1)); from modelyard.runtime.inside.launcher import main; main()"
    try:
        done = subprocess.run(
            [python, "-I", "-S", "-c", start, str(copied), str(theirs.fileno())],
            input=json.dumps(order).encode(),
            capture_output=True,
            pass_fds=(theirs.fileno(),),
            user=12345,
            group=12345,
            extra_groups=[],
            env={},
            cwd="/",
            timeout=20,
            check=True,
        )
    finally:
        theirs.close()
        shutil.rmtree(copied)
    with contextlib.closing(ours):
        told = {}
        while message := ours.recv(4096):
            told |= json.loads(message)
    assert "started" in told, told
    user, root, shadow = json.loads(done.stdout)
    assert user == USER
    assert not shadow
    assert {"usr", "tmp", "proc", "dev", "etc"} <= set(root)


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _settled(before: set[Process]) -> None:
    """Wait until nothing is left below this process but what was there before."""
    gone(below(os.getpid()) - before)


def test_one_that_prints_without_an_end_leaves_the_thread_to_others(runtime: Runtime) -> None:
    """While a workload prints empty lines as fast as it can, what another is asked for is done at once."""
    heard = Heard(lambda line: line.decode() and None, lambda _: None)
    mounts = python_mounts()
    program = "import os\nwhile True: os.write(1, b'\\n' * 65536)"
    loud = runtime.start(Workload(sys.executable, ("-I", "-c", program), {}, mounts), heard)
    try:
        time.sleep(0.5)
        waited = []
        for _ in range(40):
            came, asked = threading.Event(), time.monotonic()
            runtime.call(came.set)
            assert came.wait(10)
            waited.append(time.monotonic() - asked)
            time.sleep(0.01)
        assert sorted(waited)[len(waited) // 2] < 0.01
        assert max(waited) < 0.2
    finally:
        loud.stop(0)
        loud.over.result(10)


SMALL = Limits(memory=64 * MEBIBYTE, scratch=64 * MEBIBYTE)


def test_memory_that_processes_share_counts_as_well(runtime: Runtime) -> None:
    """Pages that a parent and its child share are theirs: with more than they may have, the sandbox ends."""
    program = """
        import mmap, os, time
        shared = mmap.mmap(-1, 300 << 20)
        os.fork()
        for place in range(0, 300 << 20, 4096):
            shared[place] = 1
        print("had it", flush=True)
        time.sleep(1)
    """
    assert Run(runtime, program, limits=SMALL).end().reason == "memory"


def test_what_many_processes_share_counts_once(runtime: Runtime) -> None:
    """Eight processes that share half of what they may have go on; so do those that map a file in /tmp."""
    program = """
        import mmap, os, time
        shared = mmap.mmap(-1, 24 << 20)
        shared[:] = b"x" * (24 << 20)
        with open("/tmp/file", "w+b") as file:
            file.truncate(48 << 20)
            mapped = mmap.mmap(file.fileno(), 48 << 20)
        mapped[:] = b"x" * (48 << 20)
        for _ in range(3):
            os.fork()
        if sum(shared[::4096]) and sum(mapped[::4096]):
            print("whole", flush=True)
        time.sleep(1)
    """
    run = Run(runtime, program, limits=Limits(memory=160 * MEBIBYTE, scratch=64 * MEBIBYTE))
    assert run.end().reason == ""
    assert run.lines == ["whole"] * 8


@pytest.mark.parametrize(
    "program",
    [
        "import os; os.memfd_create('x')",
        "import ctypes, os; libc = ctypes.CDLL(None, use_errno=True); libc.shmget(0, 4096, 0o1600) < 0 and os.abort()",
        "for number in range(400_000): open(f'/tmp/{number}', 'w').close()",
    ],
    ids=["nameless files", "System V", "empty files"],
)
def test_memory_that_nobody_would_count_is_not_to_be_had(runtime: Runtime, program: str) -> None:
    """Neither files without a name, nor segments that outlive processes, nor names of files without an end."""
    ended = Run(runtime, program, limits=SMALL).end()
    assert (ended.exit_code or ended.signal) and ended.reason == ""


def test_what_a_launcher_said_last_is_heard_though_it_did_not_hear_us():
    """A launcher that ends while it is asked for a connection has still told how the workload ended."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        ours.send(b"connect")
        theirs.send(b"ended")
        theirs.close()
        assert receive(ours) == (b"ended", [])
        assert receive(ours) == (b"", [])


def test_whoever_gave_up_a_connection_hides_no_end(runtime: Runtime, monkeypatch: pytest.MonkeyPatch):
    """A workload that ends while it is asked for connections is told to have ended, though the first to ask waits no longer."""
    ends: list[Ended] = []
    heard = Heard(lambda _: None, ends.append)
    sandbox = runtime.start(Workload("/usr/bin/sleep", ("1000",)), heard)
    with monkeypatch.context() as patched:
        patched.setattr(sandbox, "_say", lambda _: None)
        gave_up, waits = sandbox.connect(8080), sandbox.connect(8080)
        reached = threading.Event()
        runtime.call(reached.set)
        assert reached.wait(30)
        assert gave_up.cancel()
    sandbox.stop(0)
    with pytest.raises(ConnectionRefusedError, match="the workload has ended"):
        waits.result(30)
    assert ends == [sandbox.over.result(30)]


def test_a_connection_that_nobody_waits_for_is_closed():
    """What comes of one that was given up goes no further, and its socket is not left open."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for outcome in (theirs, ConnectionRefusedError()):
            gave_up: Future[socket.socket] = Future()
            assert gave_up.cancel()
            settle(gave_up, outcome)
            assert gave_up.cancelled()
        assert ours.recv(1) == b""
        waits: Future[socket.socket] = Future()
        settle(waits, ours)
        assert waits.result(0) is ours
