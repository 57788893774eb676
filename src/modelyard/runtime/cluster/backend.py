"""The backend that runs workloads on the nodes of a cluster: places them, brings them what they see, starts them there."""

import asyncio
import logging
import os
import secrets
import tempfile
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, wait
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from modelyard import __version__
from modelyard.runtime.cluster import wire
from modelyard.runtime.cluster.agent import order_of
from modelyard.runtime.cluster.parcels import Parcel, Parcels
from modelyard.runtime.cluster.placing import Placing
from modelyard.runtime.cluster.remote import Remote
from modelyard.runtime.process import STOP_SECONDS, Heard
from modelyard.runtime.workload import CannotRun, Workload

T = TypeVar("T")
LOOK_SECONDS = 0.25

log = logging.getLogger("modelyard.runtime")


class ClusterBackend:
    """Runs workloads on nodes (`runtime.backend.Backend`)."""

    def __init__(self, placing: Placing, stopping: Callable[[], bool] = lambda: False) -> None:
        self._placing = placing
        self._stopping = stopping
        """Whether what is being started is to be given up, which may take long otherwise."""
        self._parcels = Parcels()
        self._identity = wire.Identity()
        self._running: set[Remote] = set()
        self._closed = False
        self._sockets = tempfile.TemporaryDirectory(prefix="modelyard-")  # of this user alone
        self._folder = os.open(self._sockets.name, os.O_RDONLY | os.O_DIRECTORY)
        self.loop = wire.new_loop()
        self._thread = threading.Thread(target=self._run, name="cluster", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        self.loop.close()

    def start(self, workload: Workload, heard: Heard) -> Remote:
        """Start a workload on some node; returns once it runs. Raises CannotRun. Not to be called on a loop's thread."""
        if self._closed:
            raise CannotRun("The server is stopping.")
        if workload.image is not None:
            raise CannotRun(f"The image {workload.image} needs a container engine: set `runtime` to `oci`.")
        brought = self._brought(workload)
        return self._await(self._start(workload, brought, heard))

    async def _start(self, workload: Workload, brought: dict[Path, Parcel], heard: Heard) -> Remote:
        name = f"modelyard-{secrets.token_hex(8)}"
        place = await asyncio.to_thread(self._placing.place, name, workload.limits, self._identity.certificate)
        context = self._identity.context(place.certificate, server=False)
        remote = Remote(self.loop, place, context, heard)
        try:
            await remote.open()
            if place.version != __version__:
                raise CannotRun(f"The node {place.node} has Modelyard {place.version}, and this server is {__version__}.")
            for parcel in {one.digest: one for one in brought.values()}.values():
                await remote.bring(parcel)
            await remote.begin(order_of(workload, {path: one.digest for path, one in brought.items()}), self._folder)
        except BaseException:
            remote.hang_up()
            raise
        log.info("%s runs on %s", name, place.node)
        self._running.add(remote)
        remote.over.add_done_callback(lambda _: self._running.discard(remote))
        return remote

    def _brought(self, workload: Workload) -> dict[Path, Parcel]:
        """By source, what a workload sees that no other machine has; what is seen at its own place, every node has itself."""
        found = {}
        for mount in workload.mounts:
            if not mount.read_only:
                raise CannotRun(f"What is written to {mount.target} would stay on a node: it can only be run on this machine.")
            if mount.grows:
                raise CannotRun(f"What is put into {mount.target} later would not reach a node: it runs on this machine only.")
            if str(mount.source) != mount.target:
                try:
                    found[mount.source] = self._parcels.of(mount.source)
                except OSError as error:
                    raise CannotRun(f"{mount.source.name} cannot be read: {error.strerror or error}") from error
        return found

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            future: Future[T] = asyncio.run_coroutine_threadsafe(work, self.loop)
        except RuntimeError:
            work.close()
            raise CannotRun("The server is stopping.") from None
        while True:
            try:
                return future.result(LOOK_SECONDS)
            except TimeoutError:
                if self._closed or self._stopping():
                    future.cancel()
                    raise CannotRun("The server is stopping.") from None

    def close(self) -> None:
        """End every workload. Harmless when called twice."""
        if self._closed:
            return
        self._closed = True
        running = list(self._running)
        for remote in running:
            remote.stop(0)
        wait([remote.over for remote in running], timeout=STOP_SECONDS)
        self._placing.close()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        with suppress(OSError):
            os.close(self._folder)
        self._sockets.cleanup()
