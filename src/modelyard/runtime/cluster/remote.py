"""A workload on a node, as its server sees it. All but what is said to be for any thread happens on one event loop."""

import asyncio
import contextlib
import json
import os
import secrets
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from modelyard.runtime.archive import PIECE
from modelyard.runtime.cluster import parcels, wire
from modelyard.runtime.cluster.agent import Place
from modelyard.runtime.cluster.parcels import Parcel
from modelyard.runtime.cluster.wire import Asking, Half, Refused
from modelyard.runtime.process import STOP_SECONDS, Heard, settle
from modelyard.runtime.workload import CannotRun, Ended

BRING_SECONDS = 3600.0
"""For one parcel, with the time that others need to bring it first."""
START_SECONDS = 30.0
BACKLOG = 512


class Remote:
    """A workload that runs on a node (`backend.Running`)."""

    def __init__(self, loop: asyncio.AbstractEventLoop, place: Place, context: ssl.SSLContext, heard: Heard) -> None:
        self.over: Future[Ended] = Future()
        self.peak_memory = 0
        """Bytes, as far as is known."""
        self.listeners: dict[int, socket.socket] = {}
        """By port, what the workload can connect to; whoever takes one out closes it."""
        self.place = place
        self._loop = loop
        self._context = context
        self._heard = heard
        self._writer: asyncio.StreamWriter | None = None
        self._bringing: asyncio.StreamWriter | None = None
        self._reason = ""
        self._answered: asyncio.Future[None] = loop.create_future()
        """Done once it runs; fails with CannotRun."""
        self._halves: set[Half] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._doors: dict[int, Door] = {}

    # --- for everybody --------------------------------------------------------------------------

    def stop(self, seconds: float = STOP_SECONDS, reason: str = "") -> None:
        """Ask the workload to end, and end it after so many seconds; 0 ends it at once. On any thread."""
        self._reason = self._reason or reason
        self._soon(lambda: self._say({"stop": seconds, "reason": self._reason}))

    def connect(self, port: int) -> "Future[socket.socket]":
        """A connection to a port inside, which the caller closes; ConnectionRefusedError when nobody listens there."""
        future: Future[socket.socket] = Future()
        if self.over.done():
            future.set_exception(ConnectionRefusedError("the workload has ended"))
            return future
        self._soon(lambda: self._do(self._connect(port, future)))
        return future

    def _soon(self, act: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, and so is this
            self._loop.call_soon_threadsafe(act)

    # --- its life -------------------------------------------------------------------------------

    async def bring(self, parcel: Parcel) -> None:
        """Have the node keep a folder or file. Raises CannotRun."""
        try:
            async with asyncio.timeout(BRING_SECONDS):
                reader, writer = await self._open({"parcel": parcel.digest})
                self._bringing = writer
                try:
                    if await self._line(reader) != "there":
                        await self._send(parcel, writer)
                        await self._line(reader)
                finally:
                    writer.close()
        except (OSError, EOFError, Refused) as error:
            raise CannotRun(f"{parcel.path.name} cannot be brought to the node {self.place.node}: {_said(error)}") from error

    async def _send(self, parcel: Parcel, writer: asyncio.StreamWriter) -> None:
        source, pending = parcels.pieces(parcel.path), bytearray()
        while True:
            piece = await asyncio.to_thread(next, source, None)
            pending += piece or b""
            if pending and (piece is None or len(pending) >= PIECE):
                writer.write(len(pending).to_bytes(4, "big") + pending)
                pending = bytearray()
                await writer.drain()
            if piece is None:
                writer.write(bytes(4))
                await writer.drain()
                return

    async def open(self) -> None:
        """Have the node wait for what it is to run, as long as this server is there. Raises CannotRun."""
        try:
            reader, self._writer = await self._open({"control": True})
            await self._line(reader)
        except (OSError, EOFError, Refused) as error:
            raise CannotRun(f"The node {self.place.node} cannot be reached: {_said(error)}") from error
        self._do(self._listen(reader))
        self._beating = self._loop.create_task(self._beat())

    async def begin(self, order: dict[str, Any], sockets: int) -> None:
        """Start it; returns once it runs. `sockets` is an open folder for the sockets of its listeners. Raises CannotRun."""
        for port in order["listeners"]:
            self._doors[port] = Door(sockets)
            self.listeners[port] = self._doors[port].listener
        self._say({"start": order})
        try:
            await asyncio.wait_for(asyncio.shield(self._answered), START_SECONDS)
        except TimeoutError:
            raise CannotRun(f"A sandbox did not start in time on the node {self.place.node}.") from None

    def hang_up(self) -> None:
        """Have nothing more to do with the node: it ends what it runs."""
        if self._writer is not None:
            self._writer.transport.abort()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Hear what the node tells, until the end."""
        ended = None
        try:
            while ended is None:
                kind, content = await wire.next_frame(reader)
                if kind == wire.OUTPUT:
                    self._heard.on_output(content)
                else:
                    ended = self._hear(json.loads(content))
        except (EOFError, TimeoutError, ValueError):
            pass  # the node is gone, or cut off, which comes to the same: it ends what it runs
        finally:
            self._end(ended or Ended(None, 9, "lost", self.peak_memory))

    def _hear(self, told: dict[str, Any]) -> Ended | None:
        """Take in what the node tells; how the workload ended, if it has."""
        if "memory" in told:
            self.peak_memory = max(self.peak_memory, told["memory"])
        elif "arrived" in told:
            self._do(self._take(told["arrived"], told["port"]))
        elif "failed" in told:
            self._answered.set_exception(CannotRun(told["failed"]))
            raise EOFError
        elif not self._answered.done():
            # One that ends at once may be told to have ended first.
            self._answered.set_result(None)
        return Ended(**told["ended"]) if "ended" in told else None

    def _end(self, ended: Ended) -> None:
        """Nothing of it runs any more."""
        self.hang_up()
        self._beating.cancel()
        if self._bringing is not None:
            self._bringing.transport.abort()
        self.peak_memory = max(self.peak_memory, ended.peak_memory)
        for half in list(self._halves):
            half.abort()
        for door in self._doors.values():
            door.close()
        for listener in self.listeners.values():
            listener.close()
        if not self._answered.done():
            self._answered.set_exception(CannotRun(f"The node {self.place.node} was lost."))
        if self._answered.exception() is None:
            self._heard.on_end(ended)
        self.over.set_result(ended)

    async def _beat(self) -> None:
        while True:
            self._say({})
            await asyncio.sleep(wire.BEAT_SECONDS)

    def _say(self, message: dict[str, Any]) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(wire.told(message))

    # --- connections ----------------------------------------------------------------------------

    async def _connect(self, port: int, future: "Future[socket.socket]") -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            there = await self._ask({"connect": port})
            await self._join(there, ours)
        except (OSError, Refused) as error:
            ours.close()
            theirs.close()
            settle(future, ConnectionRefusedError(_said(error)))
        else:
            settle(future, theirs)

    async def _take(self, number: int, port: int) -> None:
        """The workload has connected to a port of the server's: it is connected to whoever listens there."""
        try:
            here = self._doors[port].enter()
        except OSError:
            return  # nobody does any more; the node waits for so long, and hangs up
        try:
            await self._join(await self._ask({"take": number}), here)
        except (OSError, Refused):
            here.close()

    async def _ask(self, purpose: dict[str, Any]) -> Asking:
        """A connection that the node has agreed to. Raises OSError and Refused."""
        try:
            async with asyncio.timeout(wire.HANDSHAKE_SECONDS):
                _, asking = await self._loop.create_connection(
                    lambda: Asking(self._halves.discard),
                    self.place.host,
                    self.place.port,
                    ssl=self._context,
                    server_hostname=wire.NAME,
                )
                self._halves.add(asking)
                asking.write(wire.first_line(purpose))
                answer = await asking.answer
        except TimeoutError as error:
            raise OSError(f"the node {self.place.node} does not answer") from error
        if answer:
            asking.abort()
            raise Refused(answer.decode(errors="replace"))
        return asking

    async def _join(self, there: Asking, here: socket.socket) -> None:
        half = Half(self._halves.discard)
        await self._loop.create_connection(lambda: half, sock=here)
        self._halves.add(half)
        half.join(there)
        if self.over.done():
            half.abort()
            there.abort()

    async def _open(self, purpose: dict[str, Any]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with asyncio.timeout(wire.HANDSHAKE_SECONDS):
            opened = await asyncio.open_connection(
                self.place.host, self.place.port, ssl=self._context, server_hostname=wire.NAME, limit=wire.LONGEST_LINE
            )
        opened[1].write(wire.first_line(purpose))
        return opened

    async def _line(self, reader: asyncio.StreamReader) -> str:
        """What the node answers: nothing, or `there`. Raises Refused, with what else it says."""
        line = await reader.readline()
        if not line:
            raise EOFError("the node has closed the connection")
        answer = line.decode(errors="replace").strip()
        if answer not in ("", "there"):
            raise Refused(answer)
        return answer

    def _do(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Door:
    """A socket on which somebody of this server listens, and that nobody else can reach."""

    def __init__(self, folder: int) -> None:
        self._path = wire.short_name(folder, secrets.token_hex(8))
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self._path)
        self.listener.listen(BACKLOG)

    def enter(self) -> socket.socket:
        """A connection to whoever listens. Raises OSError when nobody does."""
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            opened.setblocking(False)
            opened.connect(self._path)
        except OSError:
            opened.close()
            raise
        return opened

    def close(self) -> None:
        """Nobody comes in any more."""
        with contextlib.suppress(OSError):
            os.unlink(self._path)  # noqa: PTH108


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
