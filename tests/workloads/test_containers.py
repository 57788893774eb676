"""Workloads as containers of an engine: the same promises as sandboxes keep, and images that are nobody's recipe."""

import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.endpoints import Deployer, eventually, packed
from tests.running import RunningYard
from tests.transforms import Transforming
from tests.workloads.engine import client_of, image_of_a_shell, podman

from modelyard.runtime.base import python_mounts
from modelyard.runtime.image_programs import ImageTask, NoProgram
from modelyard.runtime.oci.configuration import SERVER
from modelyard.runtime.oci.containers import Containers
from modelyard.runtime.oci.engine import Engine
from modelyard.runtime.process import Heard, Runtime
from modelyard.runtime.workload import MEBIBYTE, CannotRun, Ended, Limits, Workload

pytestmark = [
    pytest.mark.slow,
    pytest.mark.ours,
    pytest.mark.timeout(300),
    # The engine's library leaves its connections to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]
SHELL = "localhost/tests/shell:1"


@pytest.fixture(scope="module")
def engine() -> Iterator[str]:
    with podman() as address:
        yield address


@pytest.fixture(scope="module")
def containers(engine: str) -> Iterator[Containers]:
    with closing(Runtime()) as runtime, closing(Containers(runtime, Engine(engine))) as made:
        yield made


class Run:
    """A Python program in a container."""

    def __init__(self, containers: Containers, program: str, **given: Any) -> None:
        self.lines: list[str] = []
        workload = Workload(sys.executable, ("-u", "-c", textwrap.dedent(program)), {"LANG": "C.UTF-8"}, python_mounts(), **given)
        self.running = containers.start(workload, Heard(lambda line: self.lines.append(line.decode()), lambda _: None))

    def ended(self) -> Ended:
        return self.running.over.result(120)

    def said(self, word: str) -> None:
        """Wait until it has printed a line."""
        deadline = time.monotonic() + 60
        while word not in self.lines:
            assert time.monotonic() < deadline and not self.running.over.done(), self.lines
            time.sleep(0.02)


def test_tells_what_is_printed_and_how_it_ended(containers: Containers):
    """Lines of both streams are heard whole, and the exit code is the program's."""
    run = Run(containers, "import sys; print('one'); print('two' * 50000); sys.stderr.write('three'); sys.exit(3)")
    assert run.ended() == Ended(3, None, "", 0)
    assert sorted(run.lines) == ["one", "three", "two" * 50000]


def test_shows_nothing_of_the_machine_but_its_programs(containers: Containers, tmp_path: Path):
    """A workload without an image is nobody, on a root that it cannot write, with one loopback network and no way out."""
    (tmp_path / "secret").write_text("s")
    run = Run(
        containers,
        f"""
        import os, socket
        print(os.getuid(), os.path.exists({str(tmp_path / "secret")!r}), sorted(os.listdir("/sys/class/net")))
        for act in (lambda: open("/etc/new", "w"), lambda: open("/usr/new", "w"), lambda: os.readlink("/proc/1/root"),
                    lambda: socket.create_connection(("192.0.2.1", 80), 1), lambda: os.setuid(0)):
            try:
                act()
                print("could")
            except OSError as error:
                print("could not")
        open("/tmp/own", "w").write("x")
        """,
    )
    assert run.ended().exit_code == 0, run.lines
    assert run.lines == ["65533 False ['lo']"] + ["could not"] * 5


def test_is_reached_and_reaches_by_the_ports_of_its_own_network(containers: Containers):
    """The server connects to what listens inside, and answers on a port that the workload connects to; neither is outside."""
    run = Run(
        containers,
        """
        import socket
        with socket.create_connection(("127.0.0.1", 9100)) as api:
            print(api.recv(10).decode())
        with socket.create_server(("127.0.0.1", 8080)) as server:
            print("listens")
            server.accept()[0].sendall(b"hello")
        """,
        listeners=(9100,),
    )
    listener = run.running.listeners[9100]
    listener.setblocking(True)
    with listener.accept()[0] as inside:
        inside.sendall(b"welcome")
    run.said("listens")
    with run.running.connect(8080).result(30) as connection:
        connection.setblocking(True)
        assert connection.recv(10) == b"hello"
    assert run.ended().exit_code == 0
    assert run.lines[0] == "welcome"
    with pytest.raises(ConnectionRefusedError):
        run.running.connect(8080).result(30)


def test_ends_as_it_is_asked_to_or_is_ended(containers: Containers):
    """A workload hears SIGTERM and may finish; one that does not listen is ended after the time that it was given."""
    polite = Run(
        containers,
        """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: (print("bye"), sys.exit(7)))
        print("ready")
        time.sleep(600)
        """,
    )
    polite.said("ready")
    polite.running.stop(60)
    assert polite.ended() == Ended(7, None, "stopped", 0)
    assert polite.lines[-1] == "bye"
    deaf = Run(containers, "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready'); time.sleep(600)")
    deaf.said("ready")
    deaf.running.stop(0.5)
    assert (deaf.ended().signal, deaf.ended().reason) == (9, "stopped")


def test_has_no_more_memory_than_it_may(containers: Containers):
    """A workload that takes more than its limit is ended by the kernel."""
    run = Run(containers, "print('began'); x = bytearray(512 << 20); print('had')", limits=Limits(memory=128 * MEBIBYTE))
    assert run.ended().signal == 9
    assert "had" not in run.lines


def test_a_program_that_is_not_there_is_told(containers: Containers):
    """What the engine cannot start is refused with its words, and leaves no container behind."""
    with pytest.raises(CannotRun, match=r"cannot start a container: .*nothing-here"):
        containers.start(Workload("/nothing-here"), Heard(lambda _: None, lambda _: None))


def test_an_engine_that_is_not_there_is_told():
    """Without an engine the refusal says what to start."""
    nowhere = Engine("unix:///nowhere.sock")
    with (
        closing(Runtime()) as runtime,
        closing(Containers(runtime, nowhere)) as containers,
        pytest.raises(CannotRun, match=r"No container engine answers at unix:///nowhere.sock .* podman"),
    ):
        containers.start(Workload("/usr/bin/true"), Heard(lambda _: None, lambda _: None))


def test_images_run_by_their_own_program_and_only_as_they_were_recorded(containers: Containers, engine: str):
    """`IMAGE serve` runs the image's own program, as root if it says so, who cannot look into the doorman; another digest than
    was recorded is refused, and no image is none."""
    with client_of(engine) as client:
        digest = image_of_a_shell(client, SHELL)
    task = ImageTask(SHELL, None, "serve", Path("/nowhere"))
    program = containers.program(task)
    assert program is not None and program.image == digest
    lines: list[bytes] = []
    workload = Workload("", ("sh", "-c", "id -u; ls /proc/1/root /proc/1/cwd 2>&1"), image=digest, directory="")
    assert containers.start(workload, Heard(lines.append, lambda _: None)).over.result(60).exit_code != 0
    assert lines == [b"0", *(f"ls: /proc/1/{name}: Permission denied".encode() for name in ("root", "cwd"))]
    assert containers.program(ImageTask(SHELL, digest, "serve", Path("/nowhere"))) == program
    with pytest.raises(NoProgram, match="is another one than was registered"):
        containers.program(ImageTask(SHELL, "sha256:" + "0" * 64, "serve", Path("/nowhere")))
    assert containers.program(ImageTask("localhost/tests/nothing:1", None, "serve", Path("/nowhere"))) is None


def test_sandboxes_of_processes_refuse_images():
    """What needs an engine says so where there is none."""
    with closing(Runtime()) as runtime, pytest.raises(CannotRun, match="needs a container engine: set `runtime` to `oci`"):
        runtime.start(Workload("", image="x"), Heard(lambda _: None, lambda _: None))


def test_nothing_outlives_a_server_that_is_killed(engine: str):
    """kill -9 of the process that started a container ends all that is in it, what it has forked too."""
    program = f"""
    import sys, time
    from modelyard.runtime.base import python_mounts
    from modelyard.runtime.oci.containers import Containers
    from modelyard.runtime.oci.engine import Engine
    from modelyard.runtime.process import Heard, Runtime
    from modelyard.runtime.workload import Workload
    made = Containers(Runtime(), Engine({engine!r}))
    code = "import os, time; os.fork(); time.sleep(600)"
    made.start(Workload(sys.executable, ("-c", code), {{}}, python_mounts()), Heard(print, print))
    print(made._server, flush=True)
    time.sleep(600)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    server = process.stdout.readline().strip()
    with client_of(engine) as client:
        assert len(client.containers(filters={"label": [f"{SERVER}={server}"]})) == 2
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        process.stdout.close()
        deadline = time.monotonic() + 60
        while client.containers(filters={"label": [f"{SERVER}={server}"]}):
            assert time.monotonic() < deadline, "containers outlived their server"
            time.sleep(0.1)


def test_an_endpoint_serves_an_image_of_the_engine_across_kill_9(engine: str, tmp_path: Path):
    """A server on containers deploys an image that nobody has a recipe for, updates it, and has it back after kill -9."""
    with client_of(engine) as client:
        image_of_a_shell(client, SHELL)
    yard = RunningYard(tmp_path / "data", runtime="oci", container_engine=engine)
    yard.start()
    deployer = Deployer(yard, "shell")
    for word in ("first", "second"):
        data = deployer.upload(word, packed(**{"word.txt": word}))
        container = {"Image": SHELL, "ModelDataUrl": data}
        deployer.sagemaker.create_model(ModelName=deployer.named(word), PrimaryContainer=container)
        deployer.config(word)
    endpoint = deployer.named("first")
    deployer.sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=endpoint)
    deployer.settled(endpoint, seconds=120)
    assert deployer.invoke(endpoint, b"x") == b"first:x"
    deployer.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=deployer.named("second"))
    deployer.settled(endpoint, seconds=120)
    assert deployer.invoke(endpoint, b"y") == b"second:y"
    yard.kill()
    yard.start()
    runtime = yard.client("sagemaker-runtime")
    answer = runtime.invoke_endpoint(EndpointName=endpoint, Body=b"z")["Body"].read()
    assert answer == b"second:z"
    logs = yard.client("logs")
    group = f"/aws/sagemaker/Endpoints/{endpoint}"
    eventually(lambda: {"serving", "asked"} <= {one["message"] for one in logs.filter_log_events(logGroupName=group)["events"]})
    assert yard.stop() == 0
    assert not yard.defects()


def test_a_job_transforms_with_an_image_of_the_engine(engine: str, tmp_path: Path):
    """A transform job borrows its instance from the same runtime: a container answers its payloads, is gone when the job has
    ended, and what it printed is in the job's log group."""
    with client_of(engine) as client:
        image_of_a_shell(client, SHELL)
    yard = RunningYard(tmp_path / "data", runtime="oci", container_engine=engine)
    yard.start()
    transforming = Transforming(yard, "jobs")
    data = transforming.upload("word", packed(**{"word.txt": "sums"}))
    model = transforming.named("shell")
    transforming.sagemaker.create_model(
        ModelName=model, ExecutionRoleArn=transforming.execution, PrimaryContainer={"Image": SHELL, "ModelDataUrl": data}
    )
    name = transforming.begin(
        "one",
        model,
        transforming.put("in/a.csv", b"1\n2\n"),
        given={"SplitType": "Line"},
        kind="S3Prefix",
        BatchStrategy="SingleRecord",
        wanted={"AssembleWith": "Line"},
    )
    transforming.ended(name, seconds=120)
    assert transforming.outputs("out-one/") == {"a.csv.out": "sums:1\nsums:2\n"}
    found = yard.client("logs").filter_log_events(logGroupName="/aws/sagemaker/TransformJobs")["events"]
    assert {"serving", "asked"} <= {one["message"] for one in found}
    with client_of(engine) as client:
        eventually(lambda: not client.containers(filters={"label": [SERVER]}))
    assert yard.stop() == 0
    assert not yard.defects()
