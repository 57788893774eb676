"""Real environments, and real programs in sandboxes that are spoken to over HTTP."""

import gzip
import http.client
import io
import json
import os
import socket
import tarfile
import textwrap
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from modelyard.runtime.archive import unpack
from modelyard.runtime.base import USER
from modelyard.runtime.environments.build import Builder
from modelyard.runtime.environments.built import BuiltEnvironment
from modelyard.runtime.environments.recipes import Recipes
from modelyard.runtime.process import Heard, Runtime
from modelyard.runtime.workload import Ended, Limits, Mount

PROJECT = Path(__file__).resolve().parents[2]
DATA = PROJECT / ".build" / "workloads"
"""What is built stays for the next run: it is under a digest of all that went into it."""
PORT = 8080


@cache
def environment(recipe: str) -> BuiltEnvironment:
    """The environment of a recipe, built when it is not there yet."""
    return Builder(DATA).build(Recipes(DATA).named(recipe))


def archive(**files: str | bytes) -> bytes:
    """A model.tar.gz; names with `__` for `/`, and `_DOT_` for `.`."""
    content = io.BytesIO()
    with gzip.GzipFile(fileobj=content, mode="wb") as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in files.items():
            written = textwrap.dedent(text).encode() if isinstance(text, str) else text
            member = tarfile.TarInfo(name.replace("__", "/").replace("_DOT_", "."))
            member.size = len(written)
            tar.addfile(member, io.BytesIO(written))
    return content.getvalue()


class Inside:
    """Runs programs in one environment."""

    def __init__(self, runtime: Runtime, built: BuiltEnvironment, folder: Path) -> None:
        self.runtime = runtime
        self.built = built
        self.folder = folder

    def unpacked(self, content: bytes) -> Mount:
        """A model.tar.gz, as /opt/ml/model."""
        target = self.folder / f"model-{len(list(self.folder.iterdir()))}"
        target.mkdir()
        unpack(io.BytesIO(content), target, 1 << 30)
        return Mount(target, "/opt/ml/model")

    def run(self, *words: str, mounts: tuple[Mount, ...] = (), **environment: str) -> "Program":
        """Start `IMAGE words…`."""
        return Program(self, words, mounts, environment)

    def serve(self, model: bytes, **environment: str) -> "Program":
        """Serve a model; returns once it is loaded, or cannot be."""
        program = self.run("serve", mounts=(self.unpacked(model),), **environment)
        program.wait()
        return program

    def job(self, hyperparameters: Mapping[str, Any], channels: Mapping[str, Mapping[str, bytes]], **settings: Any) -> "Job":
        """A training job's /opt/ml."""
        return Job(self, hyperparameters, channels, **settings)


class Program:
    """A program that runs in a sandbox."""

    def __init__(self, inside: Inside, words: tuple[str, ...], mounts: tuple[Mount, ...], environment: Mapping[str, str]) -> None:
        self.lines: list[str] = []
        workload = inside.built.workload(
            words, mounts=mounts, environment=environment, limits=Limits(memory=2 << 30), timeout=60.0, hidden=(DATA,)
        )
        self.sandbox = inside.runtime.start(workload, Heard(lambda line: self.lines.append(line.decode()), lambda _: None))

    @property
    def log(self) -> str:
        """What it printed."""
        return "\n".join(self.lines)

    def wait_for(self, text: str) -> None:
        """Return once it printed something."""
        deadline = time.monotonic() + 10
        while text not in self.log:
            assert time.monotonic() < deadline, self.log
            time.sleep(0.01)

    def end(self) -> Ended:
        """How it ended, once it has."""
        return self.sandbox.over.result(60)

    def stop(self) -> Ended:
        """Tell it to end, as the runtime does."""
        self.sandbox.stop(5)
        return self.end()

    def connect(self) -> http.client.HTTPConnection:
        """A connection to it, through the descriptor that the sandbox passes out."""
        connection = http.client.HTTPConnection("sandbox")
        connection.sock = self.sandbox.connect(PORT).result(5)
        connection.sock.setblocking(True)
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sock.settimeout(30)
        return connection

    def wait(self) -> None:
        """Return once /ping says that it is loaded, or that it cannot be."""
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline and not self.sandbox.over.done():
            try:
                if self.call("GET", "/ping")[0] != 503:
                    return
            except ConnectionRefusedError:
                pass
            time.sleep(0.02)
        raise AssertionError(f"it does not answer: {self.log}")

    def call(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """Status and body of a request; header names with `_` for `-`."""
        connection = self.connect()
        try:
            connection.request(method, path, body or None, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def invoke(self, body: bytes, content_type: str = "text/csv", **headers: str) -> tuple[int, bytes]:
        """POST /invocations."""
        return self.call("POST", "/invocations", body, content_type=content_type, **headers)


class Job:
    """A training job, before, while and after it runs."""

    def __init__(
        self,
        inside: Inside,
        hyperparameters: Mapping[str, Any],
        channels: Mapping[str, Mapping[str, bytes]],
        *,
        content_type: str = "text/csv",
        code: Mapping[str, str] | None = None,
    ) -> None:
        self._inside = inside
        self.root = inside.folder / f"job-{len(list(inside.folder.iterdir()))}"
        config = self.root / "input" / "config"
        config.mkdir(parents=True)
        (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))
        (config / "inputdataconfig.json").write_text(json.dumps({name: {"ContentType": content_type} for name in channels}))
        (config / "resourceconfig.json").write_text(json.dumps({"current_host": "algo-1", "hosts": ["algo-1"]}))
        for channel, files in channels.items():
            (self.root / "input" / "data" / channel).mkdir(parents=True)
            for name, content in files.items():
                (self.root / "input" / "data" / channel / name).write_bytes(content)
        for name, text in (code or {}).items():
            (self.root / "code").mkdir(exist_ok=True)
            (self.root / "code" / name).write_text(textwrap.dedent(text))
        for path in (self.root, *self.root.rglob("*")):
            if os.getuid() == 0:
                os.chown(path, USER, USER)

    def train(self, **environment: str) -> Program:
        """Run `IMAGE train` to its end."""
        program = self._inside.run("train", mounts=(Mount(self.root, "/opt/ml", read_only=False),), **environment)
        program.end()
        return program

    def model(self) -> bytes:
        """What would become model.tar.gz."""
        names = {path.name.replace(".", "_DOT_"): path.read_bytes() for path in (self.root / "model").iterdir()}
        return archive(**names)
