"""The backend that runs workloads as containers of docker or podman (a `runtime.backend.Backend`).

Each workload is two containers: a doorman, which holds a network without a way out and the processes, and the workload's own,
which joins both. So nothing has to be published on this machine, the server needs no rights but those to speak to the engine, and
when the server is killed the doorman ends, and with it all else.
"""

import contextlib
import logging
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from typing import Any

from modelyard.runtime.base import order_of
from modelyard.runtime.image_programs import ImageProgram, ImageTask, NoProgram
from modelyard.runtime.oci.base_image import base_image
from modelyard.runtime.oci.configuration import SERVER, Configuration, doorman_configuration, workload_configuration
from modelyard.runtime.oci.container import Container
from modelyard.runtime.oci.door import Door
from modelyard.runtime.oci.engine import Engine, asked, said
from modelyard.runtime.process import START_SECONDS, STOP_SECONDS, Heard, Runtime
from modelyard.runtime.workload import CannotRun, Workload

CALLS = 8
"""Calls to the engine at a time, beside those that begin workloads."""
REMAINS_SECONDS = 60.0
"""After so long containers that have ended are those of a server that is no more."""

log = logging.getLogger("modelyard.runtime")


class Containers:
    """Runs workloads as containers."""

    def __init__(self, runtime: Runtime, engine: Engine) -> None:
        self._runtime = runtime
        self._engine = engine
        self._server = secrets.token_hex(8)
        self._threads = ThreadPoolExecutor(CALLS, thread_name_prefix="containers")
        self._lock = threading.Lock()
        self._running: set[Container] = set()
        self._base: str | None = None
        self._closed = False

    def start(self, workload: Workload, heard: Heard) -> Container:
        """Start a workload; returns once it runs. Raises CannotRun. Not to be called on the runtime's thread."""
        if self._closed:
            raise CannotRun("The server is stopping.")
        with closing(self._engine.client()) as client:
            return self._start(client, workload, heard)

    def _start(self, client: Any, workload: Workload, heard: Heard) -> Container:
        base = self._base_image(client)
        door = Door(self._runtime.loop, workload.listeners)
        made: list[str] = []
        try:
            doorman = _made(client, doorman_configuration(base, door.folder, self._server), made)
            with asked("start a container"):
                client.start(doorman)
            listeners = self._opened(door)
            body = _made(client, workload_configuration(workload, base, doorman, self._server), made)
            container = Container(self, door, body, made, heard, workload)
            container.listeners = listeners
            container.begin(self._engine.client(None))
        except BaseException:
            door.close()
            self.remove(client, made)
            raise
        return container

    def _base_image(self, client: Any) -> str:
        with self._lock:
            if self._base is None:
                self._sweep(client)
                links: Any = order_of(Workload(""))["links"]
                self._base = base_image(client, links)
            return self._base

    def _opened(self, door: Door) -> dict[int, Any]:
        try:
            return door.opened.result(START_SECONDS)
        except (TimeoutError, OSError) as error:
            raise CannotRun(
                "A container of the engine cannot be reached: it has to run on this machine, and see its folders."
            ) from error

    def program(self, task: ImageTask) -> ImageProgram | None:
        """The program of an image that the engine has; None for one that it does not have. Raises NoProgram."""
        import docker

        try:
            with closing(self._engine.client()) as client:
                found = client.inspect_image(task.uri)
        except docker.errors.ImageNotFound:
            return None
        except CannotRun as error:
            raise NoProgram(str(error)) from error
        except (docker.errors.DockerException, OSError) as error:
            raise NoProgram(f"The container engine cannot look for {task.uri}: {said(error)}") from error
        digests = {found["Id"], *(one.rpartition("@")[2] for one in found.get("RepoDigests") or ())}
        if task.digest is not None and task.digest not in digests:
            raise NoProgram(
                f"The container engine's image {task.uri} is another one than was registered: {task.digest} is wanted,"
                f" {', '.join(sorted(digests))} is there."
            )
        return ImageProgram("", (task.word,), directory="", image=found["Id"])

    # --- for its containers ---------------------------------------------------------------------

    @property
    def threads(self) -> ThreadPoolExecutor:
        """For calls to the engine."""
        return self._threads

    @property
    def runtime(self) -> Runtime:
        """Whose thread the doors are on."""
        return self._runtime

    @property
    def engine(self) -> Engine:
        """The engine."""
        return self._engine

    def remember(self, container: Container) -> None:
        """A container runs."""
        with self._lock:
            self._running.add(container)

    def forget(self, container: Container) -> None:
        """A container has ended."""
        with self._lock:
            self._running.discard(container)

    def remove(self, client: Any, containers: list[str]) -> None:
        """Remove containers, each after those that joined it."""
        for one in reversed(containers):
            try:
                with asked("remove a container"):
                    client.remove_container(one, force=True, v=True)
            except CannotRun as error:
                log.warning("%s", error)

    def _sweep(self, client: Any) -> None:
        """Remove what servers that were killed left behind: containers that have ended."""
        try:
            with asked("look at its containers"):
                ours = client.containers(all=True, filters={"label": [SERVER]})
                others = [one["Id"] for one in ours if one["Labels"].get(SERVER) != self._server]
                found = [client.inspect_container(one) for one in others]
        except CannotRun as error:
            log.warning("%s", error)
            return
        over = [one for one in found if not one["State"]["Running"] and _age(one["State"]) > REMAINS_SECONDS]
        # Workloads before the doormen that they have joined.
        over.sort(key=lambda one: one["HostConfig"]["NetworkMode"].startswith("container:"))
        self.remove(client, [one["Id"] for one in over])

    def close(self) -> None:
        """End every workload. Harmless when called twice."""
        if self._closed:
            return
        self._closed = True
        with self._lock:
            running = list(self._running)
        for container in running:
            container.stop(0)
        deadline = time.monotonic() + STOP_SECONDS + START_SECONDS
        for container in running:
            with contextlib.suppress(TimeoutError):
                container.over.result(max(0.0, deadline - time.monotonic()))
        self._threads.shutdown(wait=False, cancel_futures=True)


def _made(client: Any, configuration: Configuration, made: list[str]) -> str:
    """A container that is made and not started; it is added to those that were."""
    with asked("make a container"):
        identifier: str = client.create_container_from_config(configuration)["Id"]
    made.append(identifier)
    return identifier


def _age(state: dict[str, Any]) -> float:
    """Seconds since a container ended; many for one that never ran."""
    return time.time() - datetime.fromisoformat(state["FinishedAt"][:19] + "+00:00").timestamp()
