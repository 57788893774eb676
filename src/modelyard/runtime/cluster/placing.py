"""Places in a Ray cluster, asked for through a process of its own (`driver.py`).

Ray ends the process that it is used in when it loses its cluster, so that is not the server; one that has ended is started
anew when the next place is asked for. What has its place needs neither that process nor Ray's head any more.
"""

import contextlib
import importlib.util
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import Any, Protocol

from modelyard.runtime.cluster.agent import Place
from modelyard.runtime.workload import CannotRun, Limits

KNOCK_SECONDS = 5.0
CONNECT_SECONDS = 60.0
"""How long Ray may take to find its cluster."""
MORE_SECONDS = 15.0
"""How much longer an answer may take than the place was waited for."""
KEPT_LINES = 20

INSTALL = "`runtime` is ray, and Ray is not installed beside this server: `pip install 'modelyard[ray]'`."
NO_CLUSTER = (
    "There is no Ray cluster at '{address}' ({reason}). Start one on this machine with `ray start --head`, let this machine join"
    " one with `ray start --address HOST:6379 --num-cpus 0`, or set `ray_address` to where one is."
)
NOT_LET_IN = "it asks for a token: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH, for this server as for the cluster"
_REFUSED = ("InvalidAuthToken", "Unauthenticated")

log = logging.getLogger("modelyard.runtime")


class Placing(Protocol):
    """Finds places for workloads."""

    def place(self, name: str, limits: Limits, certificate: str) -> Place:
        """A place for a workload, whose agent answers whoever has a certificate. Raises CannotRun. On any thread but loops'."""
        ...

    def close(self) -> None:
        """Place nothing more. Harmless when called twice."""
        ...


def why_not() -> str:
    """Why this server cannot use Ray at all; empty when it can."""
    return "" if importlib.util.find_spec("ray") is not None else INSTALL


class RayPlacing:
    """Places in a Ray cluster."""

    def __init__(self, address: str, namespace: str, cpus: float, seconds: float, python: str = sys.executable) -> None:
        self._address = address
        self._namespace = namespace
        self._cpus = cpus
        self._seconds = seconds
        self._python = python
        self._lock = threading.Lock()
        self._driver: Driver | None = None
        self._failed: tuple[float, str] = (0.0, "")
        self._closed = False

    def look(self) -> None:
        """Find the cluster, and log where there is none: what is to run waits for it. May take long."""
        try:
            self._get()
        except CannotRun as error:
            log.error("%s Endpoints wait for it.", error)

    def place(self, name: str, limits: Limits, certificate: str) -> Place:
        """A place for a workload, whose agent answers whoever has a certificate. Raises CannotRun."""
        driver = self._get()
        wanted = {"name": name, "cpus": self._cpus, "memory": limits.memory + limits.scratch}
        answer = driver.ask({**wanted, "certificate": certificate, "seconds": self._seconds})
        try:
            found = answer.result(self._seconds + MORE_SECONDS)
        except TimeoutError:
            # It hangs, as Ray does that has lost its cluster: the next one is found by another.
            driver.end()
            raise CannotRun(NO_CLUSTER.format(address=self._address, reason="it does not answer")) from None
        if "failed" in found:
            raise CannotRun(found["failed"])
        return Place(**found["place"])

    def _get(self) -> "Driver":
        """The driver, once it has found the cluster. Raises CannotRun."""
        asked = time.monotonic()
        with self._lock:
            if self._closed:
                raise CannotRun("The server is stopping.")
            if self._driver is not None and self._driver.alive:
                return self._driver
            at, why = self._failed
            if at < asked:  # otherwise somebody has looked for it while this one waited to
                why = self._start()
                self._failed = (time.monotonic(), why)
            if why:
                raise CannotRun(NO_CLUSTER.format(address=self._address, reason=why))
            assert self._driver is not None
            log.info("the Ray cluster at %s was found", self._address)
            return self._driver

    def _start(self) -> str:
        """Start a driver; why it does not find the cluster, or nothing."""
        try:
            _knock(self._address)
        except OSError as error:
            return error.strerror or str(error)
        driver = self._driver = Driver(self._python, self._address, self._namespace)
        try:
            why = driver.ready.result(CONNECT_SECONDS)
        except TimeoutError:
            why = "it does not answer"
        if why:
            driver.end()
            why = NOT_LET_IN if driver.was_refused else why
        return why

    def close(self) -> None:
        """Place nothing more. Harmless when called twice."""
        self._closed = True
        # Also while somebody waits for it.
        if self._driver is not None:
            self._driver.end()


def _knock(address: str) -> None:
    """Find out at once what Ray takes long to: that nobody listens. Raises OSError."""
    host, separator, port = address.removeprefix("ray://").rpartition(":")
    if separator:
        socket.create_connection((host.strip("[]"), int(port)), KNOCK_SECONDS).close()


class Driver:
    """The process that knows Ray: one JSON object a line, to it and from it. It ends when its standard input does."""

    def __init__(self, python: str, address: str, namespace: str) -> None:
        self.ready: Future[str] = Future()
        """Empty once it has found the cluster, or why it has not."""
        self._lock = threading.Lock()
        self._asked: dict[int, Future[dict[str, Any]]] = {}
        self._number = 0
        self._errors: deque[str] = deque(maxlen=KEPT_LINES)
        self._process = subprocess.Popen(  # noqa: S603
            [python, "-P", "-m", "modelyard.runtime.cluster.driver", address, namespace],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            # What listens was found to; nobody has to wait long for it to.
            env={"RAY_gcs_server_port_wait_time_s": "5", **os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
        )
        for work in (self._hear, self._hear_errors):
            threading.Thread(target=work, name="ray-driver", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ask(self, wanted: dict[str, Any]) -> "Future[dict[str, Any]]":
        """What it answers."""
        answer: Future[dict[str, Any]] = Future()
        with self._lock:
            self._number += 1
            self._asked[self._number] = answer
            text = json.dumps({**wanted, "number": self._number})
            assert self._process.stdin is not None
            try:
                self._process.stdin.write(text + "\n")
                self._process.stdin.flush()
            except (OSError, ValueError):
                del self._asked[self._number]
                answer.set_result({"failed": self._last_words()})
        return answer

    def _hear(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout:
            for line in self._process.stdout:
                self._take(json.loads(line))
        self._process.wait()
        with self._lock:
            waiting, self._asked = self._asked, {}
        for answer in waiting.values():
            answer.set_result({"failed": self._last_words()})
        if not self.ready.done():
            self.ready.set_result(self._last_words())

    def _take(self, told: dict[str, Any]) -> None:
        if "ready" in told:
            self.ready.set_result(told["ready"])
            return
        with self._lock:
            answer = self._asked.pop(told["number"], None)
        if answer is not None:
            answer.set_result(told)

    def _hear_errors(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr:
            for line in self._process.stderr:
                self._errors.append(line.rstrip())
                log.debug("ray: %s", line.rstrip())

    @property
    def was_refused(self) -> bool:
        """Whether the cluster wanted a token."""
        return any(word in line for line in list(self._errors) for word in _REFUSED)

    def _last_words(self) -> str:
        said = [line for line in self._errors if line.strip()]
        return f"Ray has ended: {said[-1][:300]}" if said else "Ray has ended"

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
