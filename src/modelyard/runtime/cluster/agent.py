"""One workload on a node: brought by its server, run in a sandbox of this machine, ended when the server is gone.

It knows nothing of Ray and reads nothing of the server's disk: what the workload sees was brought here, or is this machine's.
"""

import asyncio
import contextlib
import json
import os
import socket
import threading
from collections import deque
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from modelyard.runtime.archive import BadArchive
from modelyard.runtime.cluster import wire
from modelyard.runtime.cluster.cache import Cache, Kept, NoRoom
from modelyard.runtime.cluster.wire import Half, Refused
from modelyard.runtime.process import Heard, Runtime, Sandbox
from modelyard.runtime.workload import CannotRun, Limits, Mount, Workload

NOBODY_CAME_SECONDS = 60.0
"""An agent that its server does not come to ends."""
NOT_TAKEN_SECONDS = 20.0
"""How long a connection from inside waits for the server."""
MOST_WAITING = 512
"""Connections from inside that wait for the server."""
MOST_OUTPUT = 1024 * 1024
"""Bytes that were printed and not taken; then the workload is heard no further."""
LAST_WORDS_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a workload was given a place."""

    host: str
    port: int
    certificate: str
    node: str
    """What the node is called."""
    version: str
    """Of Modelyard, there."""


class Agent:
    """One workload, on its node."""

    def __init__(self, host: str, certificate: str, cache: Cache) -> None:
        self.over = threading.Event()
        """Set once nothing runs any more, and everything was said."""
        self.port = 0
        self._identity = wire.Identity()
        self.certificate = self._identity.certificate
        self._cache = cache
        self._kept: list[Kept] = []
        self._runtime = Runtime()
        self._sandbox: Sandbox | None = None
        self._controlled = False
        self._listeners: list[socket.socket] = []
        self._arrived: dict[int, socket.socket] = {}
        self._number = 0
        self._halves: set[Half] = set()
        self._lines: deque[bytes] = deque()
        self._waiting = 0
        self._deaf = False
        """Whether the server takes nothing any more."""
        self._lock = threading.Condition()
        self._something = asyncio.Event()
        self.loop = wire.new_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(host, certificate, ready), name="agent", daemon=True)
        self._thread.start()
        if not ready.wait(wire.HANDSHAKE_SECONDS) or not self.port:
            raise OSError(f"no port of {host} can be listened on")

    def _run(self, host: str, certificate: str, ready: threading.Event) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._live(host, certificate, ready))
        finally:
            ready.set()
            self._runtime.close()
            for kept in self._kept:
                kept.give_back()
            self.over.set()

    async def _live(self, host: str, certificate: str, ready: threading.Event) -> None:
        """Serve until the control connection has come and gone."""
        self._gone = self.loop.create_future()
        context = self._identity.context(certificate, server=True)
        server = await asyncio.start_server(
            self._arrive, host, 0, ssl=context, ssl_handshake_timeout=wire.HANDSHAKE_SECONDS, limit=wire.LONGEST_LINE
        )
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        timer = self.loop.call_later(NOBODY_CAME_SECONDS, self._nobody_came)
        await self._gone
        timer.cancel()
        server.close()
        for half in list(self._halves):
            half.abort()
        for waiting in self._arrived.values():
            waiting.close()

    def _nobody_came(self) -> None:
        if not self._controlled and not self._gone.done():
            self._gone.set_result(None)

    # --- connections of the server --------------------------------------------------------------

    async def _arrive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Find out what a connection is for. It is the server's: nobody else has shaken hands."""
        try:
            async with asyncio.timeout(wire.HANDSHAKE_SECONDS):
                purpose = json.loads(await reader.readline())
            if "control" in purpose:
                await self._control(reader, writer)
            elif "parcel" in purpose:
                await self._receive(purpose["parcel"], reader, writer)
            elif "connect" in purpose:
                await self._join(await self._inside(purpose["connect"]), writer)
                return
            elif "take" in purpose:
                await self._join(self._taken(purpose["take"]), writer)
                return
        except Refused as error:
            writer.write(str(error).replace("\n", " ").encode() + b"\n")
        except (OSError, EOFError, ValueError, asyncio.IncompleteReadError):
            pass
        writer.close()

    async def _join(self, inside: socket.socket, writer: asyncio.StreamWriter) -> None:
        inside.setblocking(False)
        ours, theirs = Half(self._halves.discard), Half(self._halves.discard)
        self._halves |= {ours, theirs}
        writer.write(b"\n")
        theirs.connection_made(writer.transport)
        theirs.keeps = writer
        writer.transport.set_protocol(theirs)
        try:
            await self.loop.create_connection(lambda: ours, sock=inside)
        except OSError:
            theirs.abort()
            return
        ours.join(theirs)

    async def _inside(self, port: int) -> socket.socket:
        if self._sandbox is None:
            raise Refused("the workload does not run")
        try:
            return await asyncio.wrap_future(self._sandbox.connect(port))
        except OSError as error:
            raise Refused(str(error)) from error

    def _taken(self, number: int) -> socket.socket:
        found = self._arrived.pop(number, None)
        if found is None:
            raise Refused("that connection has ended")
        return found

    # --- what is brought ------------------------------------------------------------------------

    async def _receive(self, digest: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a parcel in, unless it is there; the last line says that it is."""
        if len(digest) != 64 or not digest.isalnum():
            raise Refused("that is no digest")
        alone = contextlib.ExitStack()
        try:
            await asyncio.to_thread(alone.enter_context, self._cache.alone(digest))
            kept = await asyncio.to_thread(self._cache.take, digest)
            writer.write(b"there\n" if kept else b"\n")
            if kept is None:
                with self._cache.incoming() as file:
                    await self._read_pieces(reader, file)
                    await asyncio.to_thread(self._cache.keep, digest, file)
                kept = await asyncio.to_thread(self._cache.take, digest)
                assert kept is not None, "it was just kept"
                writer.write(b"\n")
            self._kept.append(kept)
            await writer.drain()
        except (BadArchive, NoRoom, OSError) as error:
            raise Refused(f"it cannot be kept: {error}") from error
        finally:
            alone.close()

    async def _read_pieces(self, reader: asyncio.StreamReader, file: IO[bytes]) -> None:
        while True:
            async with asyncio.timeout(wire.LOST_SECONDS):
                size = int.from_bytes(await reader.readexactly(4), "big")
                piece = await reader.readexactly(min(size, wire.LARGEST_FRAME))
            if not piece:
                return
            await asyncio.to_thread(file.write, piece)

    # --- the control connection -----------------------------------------------------------------

    async def _control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Do what the server says, as long as it is there."""
        if self._controlled:
            raise Refused("this workload is another server's")
        self._controlled = True
        writer.write(b"\n")
        says = self.loop.create_task(self._say_everything(writer))
        beats = self.loop.create_task(self._beat())
        try:
            while True:
                _, content = await wire.next_frame(reader)
                await self._obey(json.loads(content))
        except (EOFError, TimeoutError, ValueError):
            pass  # it is gone, or as good as gone, or has heard how it ended
        finally:
            beats.cancel()
            says.cancel()
            self._go_on_without()
            await self._end()
            writer.transport.abort()
            if not self._gone.done():
                self._gone.set_result(None)

    async def _obey(self, message: dict[str, Any]) -> None:
        if "start" in message:
            self._starting = self.loop.create_task(self._start(message["start"]))
        elif "stop" in message and self._sandbox is not None:
            self._sandbox.stop(message["stop"], message["reason"])

    async def _start(self, order: dict[str, Any]) -> None:
        try:
            self._sandbox = await asyncio.to_thread(self._start_here, order)
        except CannotRun as error:
            self._say(wire.told({"failed": str(error)}))
            return
        if self._gone.done():
            self._sandbox.stop(0)
            return
        self._say(wire.told({"started": True}))
        while self._sandbox.listeners:
            port, listener = self._sandbox.listeners.popitem()
            self._listeners.append(listener)
            listener.setblocking(False)
            self.loop.add_reader(listener.fileno(), self._accept, listener, port)

    def _start_here(self, order: dict[str, Any]) -> Sandbox:
        workload = workload_of(order, self._cache.folder)
        heard = Heard(self._heard, lambda ended: self._say(wire.told({"ended": asdict(ended)})))
        return self._runtime.start(workload, heard)

    def _accept(self, listener: socket.socket, port: int) -> None:
        """The workload has connected to a port of the server's."""
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        if len(self._arrived) >= MOST_WAITING:
            connection.close()
            return
        self._number += 1
        number = self._number
        self._arrived[number] = connection
        self._say(wire.told({"arrived": number, "port": port}))
        self.loop.call_later(NOT_TAKEN_SECONDS, self._not_taken, number)

    def _not_taken(self, number: int) -> None:
        waiting = self._arrived.pop(number, None)
        if waiting is not None:
            waiting.close()

    async def _end(self) -> None:
        """Nothing is left running."""
        if self._sandbox is None:
            return
        for listener in self._listeners:
            self.loop.remove_reader(listener.fileno())
            listener.close()
        self._sandbox.stop(0)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.wrap_future(self._sandbox.over), LAST_WORDS_SECONDS)

    # --- what is said ---------------------------------------------------------------------------

    def _heard(self, line: bytes) -> None:
        """The workload printed something. On the runtime's thread, which waits when the server takes too little."""
        self._say(wire.frame(wire.OUTPUT, line))
        with self._lock:
            self._lock.wait_for(lambda: self._deaf or self._waiting <= MOST_OUTPUT, wire.LOST_SECONDS)

    def _say(self, said: bytes) -> None:
        """On any thread; what was said first is heard first."""
        with self._lock:
            if self._deaf:
                return
            self._lines.append(said)
            self._waiting += len(said)
            first = len(self._lines) == 1
        if first:
            with contextlib.suppress(RuntimeError):  # nobody listens any more
                self.loop.call_soon_threadsafe(self._something.set)

    def _go_on_without(self) -> None:
        """Nobody listens any more: nothing waits for that."""
        with self._lock:
            self._deaf = True
            self._lock.notify_all()

    async def _say_everything(self, writer: asyncio.StreamWriter) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            with self._lock:
                lines, self._lines = self._lines, deque()
            said = b"".join(lines)
            writer.write(said)
            with contextlib.suppress(ConnectionError):  # the other task finds out
                await writer.drain()
            with self._lock:
                self._waiting -= len(said)
                self._lock.notify_all()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(wire.BEAT_SECONDS)
            peak = 0 if self._sandbox is None else self._sandbox.peak_memory
            self._say(wire.told({"memory": peak}))


def order_of(workload: Workload, parcels: dict[Path, str]) -> dict[str, Any]:
    """A workload as it is told to a node; `parcels` has the digest of each folder that is brought there."""
    return {
        "command": workload.command,
        "arguments": list(workload.arguments),
        "environment": dict(workload.environment),
        "mounts": [[parcels.get(mount.source, ""), mount.target] for mount in workload.mounts],
        "directory": workload.directory,
        "limits": asdict(workload.limits),
        "timeout": workload.timeout,
        "listeners": list(workload.listeners),
        "hidden": [str(folder) for folder in workload.hidden],
    }


def workload_of(order: dict[str, Any], cache: Path) -> Workload:
    """The workload on this node. Raises CannotRun."""
    mounts = []
    for digest, target in order["mounts"]:
        mount = Mount(cache / digest / "content" if digest else Path(target), target)
        if not os.path.lexists(mount.source):
            raise CannotRun(f"It needs {target}, which is part of the server's machine, and this node has no {mount.source}.")
        mounts.append(mount)
    return Workload(
        order["command"],
        tuple(order["arguments"]),
        order["environment"],
        tuple(mounts),
        order["directory"],
        replace(Limits(), **order["limits"]),
        order["timeout"],
        tuple(order["listeners"]),
        (*map(Path, order["hidden"]), cache),
    )
