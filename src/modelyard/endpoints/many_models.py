"""The models of one multi-model container: fetched and loaded when they are asked for, unloaded when others need the room.

The contract of such a container: POST /models loads, DELETE /models/NAME unloads, POST /models/NAME/invoke asks; 409 says that a
model is loaded already, 507 that there is no room for it. Everything here happens on the event loop.
"""

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from modelyard.endpoints.connection import Answer
from modelyard.endpoints.model_shelf import INSIDE, NotFetched, Shelf, name_of
from modelyard.endpoints.upstream import Upstream

WAIT_SECONDS = 60.0
"""How long a request waits for its model; loading goes on after that."""
LOAD_SECONDS = 360.0
"""How long a container may take to load a model."""
UNLOAD_SECONDS = 60.0
AHEAD = 2
"""Models that are fetched or loaded at a time: the one is fetched while the other is loaded."""
ALREADY_LOADED, NO_ROOM, NOT_THERE = 409, 507, 404

log = logging.getLogger("modelyard.endpoints")


class NotLoaded(Exception):
    """A container has refused to load a model."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"the container answered {status}")
        self.status = status
        self.body = body


class NotReady(Exception):
    """A model is still being fetched or loaded."""


@dataclass(slots=True, eq=False)
class Held:
    """A model that is loaded, or about to be."""

    target: str
    wanted: int = 0
    """Requests that it answers, or that wait for it."""
    loading: "asyncio.Task[None] | None" = None
    loaded: bool = False
    leaving: "asyncio.Task[None] | None" = None


class ManyModels:
    """The models of one container."""

    def __init__(self, shelf: Shelf, threads: Executor, *, kept: bool = True) -> None:
        self._shelf = shelf
        self._threads = threads
        self._kept = kept
        self._held: OrderedDict[str, Held] = OrderedDict()
        """Those that were asked for longest ago first."""
        self._freed = asyncio.Event()
        self._ahead = asyncio.Semaphore(AHEAD)
        self._turn = asyncio.Lock()

    def __contains__(self, target: object) -> bool:
        """Whether a model is loaded, or about to be."""
        return target in self._held

    def __len__(self) -> int:
        return len(self._held)

    @staticmethod
    def path_of(target: str) -> str:
        """Where a model is asked."""
        return f"/models/{name_of(target)}/invoke"

    async def serves(self, upstream: Upstream) -> bool:
        """Whether the container keeps the contract at all."""
        return (await upstream.ask(_request("GET", "/models"))).status == 200

    async def ask(self, upstream: Upstream, target: str, sent: bytes, seconds: float) -> Answer:
        """What a model answers to a request, once it is loaded. Raises NotFetched, NotLoaded and NotReady, and what a connection
        does."""
        for again in (True, False):
            held = await self._hold(upstream, target)
            try:
                answer = await upstream.ask(sent, seconds=seconds)
                if not again or answer.status != NOT_THERE or await self._is_there(upstream, target):
                    return answer
                # The container has let go of it by itself.
                self._forget(held)
            finally:
                self._let_be(upstream, held)
        raise AssertionError("the second answer counts")

    async def _is_there(self, upstream: Upstream, target: str) -> bool:
        return (await upstream.ask(_request("GET", f"/models/{name_of(target)}"))).status != NOT_THERE

    # --- who is wanted --------------------------------------------------------------------------

    async def _hold(self, upstream: Upstream, target: str) -> Held:
        """A model that is loaded, and stays so until it is let be."""
        while True:
            held = self._held.get(target)
            if held is not None and held.leaving is not None:
                await asyncio.shield(held.leaving)
                continue
            if held is None:
                held = self._held[target] = Held(target)
                held.loading = asyncio.get_running_loop().create_task(self._bring(upstream, held))
                held.loading.add_done_callback(_heard)
            break
        held.wanted += 1
        self._held.move_to_end(target)
        try:
            if not held.loaded:
                assert held.loading is not None, "what is not loaded is being loaded"
                done, _ = await asyncio.wait({held.loading}, timeout=WAIT_SECONDS)
                if not done:
                    raise NotReady
                held.loading.result()
        except BaseException:
            self._let_be(upstream, held)
            raise
        return held

    def _let_be(self, upstream: Upstream, held: Held) -> None:
        """A request does not want a model any more."""
        held.wanted -= 1
        if held.wanted:
            return
        self._freed.set()
        if not self._kept and held.loaded and self._held.get(held.target) is held and held.leaving is None:
            self._leave(upstream, held)

    def _forget(self, held: Held) -> None:
        if self._held.get(held.target) is held:
            del self._held[held.target]

    # --- loading and unloading ------------------------------------------------------------------

    async def _bring(self, upstream: Upstream, held: Held) -> None:
        """Fetch and load a model."""
        try:
            # No more ahead of the others: what is about to be loaded stays on the disk, however much is there.
            async with self._ahead:
                await self._on_thread(self._shelf.fetch, held.target)
                # One at a time: two that were loaded at once would each find no room because of the other.
                async with self._turn:
                    while self._shelf.size > self._shelf.most and await self._clear_disk(upstream, held):
                        pass
                    await self._load(upstream, held)
            held.loaded = True
        except BaseException:
            self._forget(held)
            raise

    async def _load(self, upstream: Upstream, held: Held) -> None:
        name = name_of(held.target)
        body = json.dumps({"model_name": name, "url": f"{INSIDE}/{name}/model"}).encode()
        while True:
            answer = await upstream.ask(_request("POST", "/models", body), seconds=LOAD_SECONDS)
            if answer.status in (200, ALREADY_LOADED):
                return
            if answer.status != NO_ROOM or not await self._make_room(upstream):
                raise NotLoaded(answer.status, answer.body)

    async def _make_room(self, upstream: Upstream, among: "list[str] | None" = None) -> bool:
        """Unload the model that was asked for longest ago, once there is one that nobody wants; False when none is loaded."""
        while True:
            others = [one for one in self._held.values() if one.loaded and (among is None or one.target in among)]
            idle = next((one for one in others if not one.wanted and one.leaving is None), None)
            if idle is not None:
                await asyncio.shield(self._leave(upstream, idle))
                return True
            if not others:
                return False
            self._freed.clear()
            await self._freed.wait()

    async def _clear_disk(self, upstream: Upstream, held: Held) -> bool:
        """Remove the model from the disk that was fetched longest ago, unloaded before; False when there is no other."""
        others = [one for one in self._shelf.oldest() if one != held.target]
        unused = next((one for one in others if one not in self._held), None)
        if unused is None:
            return await self._make_room(upstream, others)
        await self._on_thread(self._shelf.drop, unused)
        return True

    def _leave(self, upstream: Upstream, held: Held) -> "asyncio.Task[None]":
        held.leaving = asyncio.get_running_loop().create_task(self._unload(upstream, held))
        held.leaving.add_done_callback(_heard)
        return held.leaving

    async def _unload(self, upstream: Upstream, held: Held) -> None:
        try:
            answer = await upstream.ask(_request("DELETE", f"/models/{name_of(held.target)}"), seconds=UNLOAD_SECONDS)
            if answer.status not in (200, NOT_THERE):
                log.warning("a container answered %d when it was to unload a model", answer.status)
            if not self._kept:
                await self._on_thread(self._shelf.drop, held.target)
        finally:
            self._forget(held)
            self._freed.set()

    async def _on_thread(self, work: Callable[[str], None], target: str) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, work, target)
        except RuntimeError as error:  # the server is stopping
            raise NotFetched("The server is stopping.") from error


def _heard(task: "asyncio.Task[None]") -> None:
    """Whoever waited for it has been told; when nobody did any more, nobody has to be."""
    if not task.cancelled():
        task.exception()


def _request(method: str, path: str, body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost:8080\r\nContent-Length: {len(body)}\r\nAccept: */*\r\n"
    kind = "Content-Type: application/json\r\n" if body else ""
    return f"{head}{kind}\r\n".encode() + body
