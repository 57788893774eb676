"""A model that means harm, served beside one that does not: all requests of the neighbour are answered, and of the server too."""

import json
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.endpoints import Deployer, eventually, program
from tests.open_loop import OpenLoop, echoes
from tests.running import RunningYard
from tests.unrest import workers

pytestmark = [pytest.mark.slow, pytest.mark.ours]

PER_SECOND = 30
MEMORY = 256
"""Mebibytes of an instance."""
HOSTILE = '''
import mmap, socket, urllib.error, urllib.request
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal = lambda *_: None

def attempt(action):
    try:
        return action()
    except Exception as error:
        return type(error).__name__

def invoke(body, headers):
    asked = json.loads(body)
    return 200, json.dumps(globals()[asked.pop("do")](**asked)).encode(), {"Content-Type": "application/json"}

def nothing():
    return "well"

def read(paths):
    """Which of these can be read, and what the environment has."""
    seen = {}
    for path in paths:
        if os.path.isdir(path):
            found = attempt(lambda: os.listdir(path))
        else:
            found = attempt(lambda: open(path, "rb").read(64).decode(errors="replace"))
        if found not in ("PermissionError", "FileNotFoundError", "NotADirectoryError"):
            seen[path] = found
    processes = [number for number in os.listdir("/proc") if number.isdecimal()]
    return {"seen": seen, "environment": sorted(os.environ), "opt": sorted(os.listdir("/opt/ml")), "processes": len(processes)}

def ask(method, path):
    """What the server answers to somebody inside without a key."""
    body = b"{}" if method == "POST" else None
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"] + path, body, method=method)
    try:
        return urllib.request.urlopen(request, timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code

def fork():
    while True:
        os.fork()

def allocate():
    kept = []
    while True:
        kept.append(b"x" * (16 << 20))

def share():
    """Allocate what processes share."""
    shared = mmap.mmap(-1, 1 << 30)
    os.fork()
    for place in range(0, 1 << 30, 4096):
        shared[place] = 1

def listen(ports):
    """On which of these ports it can listen, on every address."""
    opened = {port: attempt(lambda: socket.create_server(("0.0.0.0", port))) for port in ports}
    globals()["listening"] = opened
    return [port for port, listener in opened.items() if not isinstance(listener, str)]

def hang_up():
    for listener in listening.values():
        attempt(lambda: listener.close())

def phone(addresses):
    """Who can be reached."""
    reached = []
    for host, port in addresses:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as one:
            one.settimeout(2)
            if attempt(lambda: one.connect((host, port))) is None:
                reached.append(host)
    for kind, family in (("vsock", 40), ("packet", 17)):
        if not isinstance(attempt(lambda: socket.socket(family, socket.SOCK_STREAM)), str):
            reached.append(kind)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        if attempt(lambda: one.sendto(b"x", ("1.1.1.1", 53))) == 1:
            reached.append("by UDP")
    return reached

def fill(folders):
    """How many bytes could be written in each of them, and what stopped it."""
    found = {}
    for folder in folders:
        written = 0
        try:
            with open(folder + "/full", "wb") as file:
                while True:
                    written += file.write(b"x" * (1 << 20))
                    file.flush()
        except OSError as error:
            found[folder] = [written, type(error).__name__]
        attempt(lambda: os.unlink(folder + "/full"))
    return found

def write_logs():
    """Print without an end, in the background."""
    def run():
        while True:
            os.write(1, b"nothing to say\\n" * 4000)
    threading.Thread(target=run, daemon=True).start()
    return "printing"

class Endless(Handler):
    """Answers without an end to who asks for it."""

    def do_POST(self):
        if self.headers.get("Content-Type") == "endless":
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while True:
                self.wfile.write(b"10000\\r\\n" + b"x" * 65536 + b"\\r\\n")
        elif self.headers.get("Content-Type") == "headers":
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            while True:
                self.wfile.write(b"X-A: " + b"x" * 60000 + b"\\r\\n")
        else:
            super().do_POST()

Handler = Endless
'''


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningYard]:
    """A server whose instances have little memory."""
    made = RunningYard(tmp_path_factory.mktemp("hostile") / "data", instance_memory_mib=MEMORY)
    made.start()
    yield made
    assert made.stop() == 0
    assert not made.defects(), "\n".join(made.defects())


@pytest.fixture(scope="module")
def deployer(yard: RunningYard) -> Deployer:
    """Somebody who serves a good model and a bad one."""
    made = Deployer(yard, "hostile")
    made.deploy("neighbour", echoes("neighbour"))
    made.deploy("bad", program(HOSTILE))
    return made


@pytest.fixture
def bad(deployer: Deployer) -> Iterator[str]:
    """The endpoint of the bad model. While a test has it, a neighbour's requests keep coming, and at the end it serves again."""
    with OpenLoop(deployer.yard, deployer.named("neighbour"), PER_SECOND) as load:
        yield deployer.named("bad")
        assert eventually(lambda: _well(deployer), 60)
        assert deployer.described(deployer.named("neighbour"))["EndpointStatus"] == "InService"
    assert not load.told.failures, load.told.failed
    assert load.told.answers["neighbour"] == load.told.sent


def _well(deployer: Deployer) -> bool:
    try:
        return bool(done(deployer, "nothing") == "well")
    except ClientError:
        return False


def done(deployer: Deployer, what: str, **more: Any) -> Any:
    """What came of something that the bad model was told to do."""
    return json.loads(deployer.invoke(deployer.named("bad"), json.dumps({"do": what, **more}).encode()))


def test_it_reads_nothing_that_is_not_its_own(deployer: Deployer, bad: str) -> None:
    """Neither the server's files and keys, nor other endpoints' models, nor anybody's environment."""
    data = deployer.yard.data
    kept = ("keys", "keys/master.key", "modelyard.db", "blobs", "endpoints/models")
    secrets = [data, *(data / name for name in kept)]
    models = list((data / "endpoints" / "models").rglob("serve.py"))
    assert all(path.exists() for path in secrets) and len(models) == 2
    machine = ["/etc/shadow", "/root/.bashrc", "/proc/1/environ", "/proc/1/root/etc/shadow", "/proc/kcore", "/home", "/run"]
    told = done(deployer, "read", paths=[*map(str, secrets), *map(str, models), *machine])
    assert {path: found for path, found in told["seen"].items() if found} == {}
    own = {"MODELYARD_MEMORY_BYTES"}
    assert not [one for one in {*told["environment"]} - own if "SECRET" in one or "TOKEN" in one or "MODELYARD" in one]
    assert (told["opt"], told["processes"]) == (["model"], 2)


def test_it_may_do_nothing_without_a_role(deployer: Deployer, bad: str) -> None:
    """It reaches the server, as clients do, and is refused as whoever has no key; what is for operators is not for it."""
    assert done(deployer, "ask", method="POST", path=f"/endpoints/{deployer.named('neighbour')}/invocations") == 403
    assert done(deployer, "ask", method="GET", path="/metrics") in (403, 404)
    assert done(deployer, "ask", method="GET", path=f"/{deployer.bucket}/neighbour/model.tar.gz") == 403


@pytest.mark.parametrize("what", ["fork", "allocate", "share"])
def test_it_takes_no_more_than_its_instance_has(deployer: Deployer, bad: str, what: str) -> None:
    """Forking without an end, and memory of its own or shared: its instance ends and is replaced, and whoever asked is told."""
    with pytest.raises(ClientError, match="ModelError") as refused:
        done(deployer, what)
    assert refused.value.response["OriginalStatusCode"] == 500


def test_its_ports_are_its_own(deployer: Deployer, bad: str) -> None:
    """It may listen on the server's port too, and on those of others: that is in nobody's way, and nobody reaches it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert done(deployer, "listen", ports=[80, port, deployer.yard.port]) == [port, deployer.yard.port]
    assert deployer.described(bad)["EndpointStatus"] == "InService"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)
    done(deployer, "hang_up")


def test_it_phones_nobody(deployer: Deployer, bad: str) -> None:
    """Neither other machines, nor their metadata services, nor services of this machine that listen on its loopback."""
    with socket.create_server(("127.0.0.1", 0)) as service:
        service.settimeout(0.1)
        port = service.getsockname()[1]
        addresses = [
            *(("127.0.0.1", one) for one in (port, deployer.yard.port)),
            *(("1.1.1.1", 53), ("169.254.169.254", 80), ("10.0.0.1", 80), ("2606:4700:4700::1111", 53), ("::1", port)),
        ]
        assert done(deployer, "phone", addresses=addresses) == []
        with pytest.raises(TimeoutError):
            service.accept()


def test_it_fills_nothing_but_its_own_scratch(deployer: Deployer, bad: str) -> None:
    """It writes to /tmp and /dev/shm until they are full, which is soon, and nowhere else."""
    told = done(deployer, "fill", folders=["/tmp", "/dev/shm", "/opt/ml/model", "/opt/ml", "/usr", "/"])
    for folder in ("/tmp", "/dev/shm"):
        assert told[folder][0] <= MEMORY << 20 and told[folder][1] == "OSError", told
    assert {folder: written for folder, (written, _) in told.items() if folder not in ("/tmp", "/dev/shm")} == {
        "/opt/ml/model": 0,
        "/opt/ml": 0,
        "/usr": 0,
        "/": 0,
    }


def test_endless_logs_are_cut(deployer: Deployer, bad: str) -> None:
    """What it prints without an end is kept as far as can be, with a line that says how much was left out."""
    assert done(deployer, "write_logs") == "printing"
    logs = deployer.yard.client("logs")
    asked = {"logGroupName": f"/aws/sagemaker/Endpoints/{bad}", "filterPattern": '"lines were left out"'}

    def left_out() -> list[str]:
        pages = logs.get_paginator("filter_log_events").paginate(**asked)
        return [event["message"] for page in pages for event in page["events"]]

    assert re.match(r"\[\d+ lines were left out", eventually(left_out, 120)[0])
    assert done(deployer, "nothing") == "well"
    deployer.update(bad, "bad-again", program(HOSTILE))


def test_endless_answers_are_cut(deployer: Deployer, bad: str) -> None:
    """An answer without an end, and headers without an end, are errors of the model; a stream ends when its client does."""
    for kind in ("endless", "headers"):
        with pytest.raises(ClientError, match="ModelError"):
            deployer.invoke(bad, b"{}", ContentType=kind)
    answer = deployer.runtime.invoke_endpoint_with_response_stream(EndpointName=bad, Body=b"{}", ContentType="endless")
    taken = 0
    for event in answer["Body"]:
        taken += len(event["PayloadPart"]["Bytes"])
        if taken > 8 << 20:
            break
    answer["Body"].close()


def test_it_cannot_stay(deployer: Deployer) -> None:
    """It does not heed SIGTERM: deleted, it is gone all the same, with all that it started."""
    before = set(workers(deployer.yard))
    name = deployer.deploy("stays", program(HOSTILE))
    started = set(workers(deployer.yard)) - before
    assert started
    deployer.sagemaker.delete_endpoint(EndpointName=name)
    assert eventually(lambda: not deployer.sagemaker.list_endpoints(NameContains=name)["Endpoints"], 60)
    assert not started & set(workers(deployer.yard))
