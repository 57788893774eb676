"""Which models a multi-model container has loaded, and which are on the disk, against a container that keeps the contract."""

import asyncio
import io
import json
import tarfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.unit.endpoints.test_upstream import serving

from modelyard.dispatch.artifacts import FoundObject
from modelyard.endpoints import model_shelf
from modelyard.endpoints.many_models import ManyModels, NotLoaded
from modelyard.endpoints.model_shelf import NotFetched, Shelf, name_of
from modelyard.endpoints.upstream import Upstream

pytestmark = pytest.mark.ours

EACH = 1000
"""Bytes of every model, unpacked."""


def packed(size: int = EACH) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        member = tarfile.TarInfo("weights")
        member.size = size
        archive.addfile(member, io.BytesIO(b"0" * size))
    return content.getvalue()


class Objects:
    """Objects below a prefix."""

    def __init__(self, *targets: str) -> None:
        self.kept = {target: packed() for target in targets}
        self.fetched: list[str] = []

    def find(self, target: str) -> FoundObject:
        if target not in self.kept:
            raise NotFetched(f"{target} is not there")
        body = self.kept[target]
        return FoundObject("b", target, None, len(body), str(hash(body)), None, target)

    def read(self, found: FoundObject) -> Iterator[bytes]:
        self.fetched.append(found.key)
        yield self.kept[found.key]


class Container:
    """A container: it has room for so many models, and says what it was asked."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.loaded: set[str] = set()
        self.asked: list[str] = []
        self.slow = asyncio.Event()
        self.slow.set()
        self.load_seconds = 0.0
        self.meets: Callable[[], None] = lambda: None
        """Called while a model is loaded."""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
            length = next(int(line[16:]) for line in head.decode().split("\r\n") if line.startswith("Content-Length: "))
            body = await reader.readexactly(length)
            status = await self._status(method, path, body)
            writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: 2\r\n\r\nok".encode())
            await writer.drain()

    async def _status(self, method: str, path: str, body: bytes) -> int:
        name = path.split("/")[2] if path.count("/") > 1 else ""
        self.asked.append(f"{method} {path.replace(name, '*')}" if name else f"{method} {path}")
        if (method, path) == ("POST", "/models"):
            asked = json.loads(body)
            assert asked["url"] == f"/opt/ml/models/{asked['model_name']}/model"
            await asyncio.sleep(self.load_seconds)
            self.meets()
            if len(self.loaded) >= self.room:
                return 507
            self.loaded.add(asked["model_name"])
            return 200
        if name and name not in self.loaded:
            return 404
        if method == "DELETE":
            self.loaded.discard(name)
        elif path.endswith("/invoke"):
            await self.slow.wait()
        return 200


class World:
    """A container, its models and where they come from."""

    def __init__(self, folder: Path, upstream: Upstream, container: Container, objects: Objects, most: int, kept: bool) -> None:
        self.upstream, self.container, self.objects = upstream, container, objects
        self.shelf = Shelf(folder, objects, most)
        self.threads = ThreadPoolExecutor(2)
        self.models = ManyModels(self.shelf, self.threads, kept=kept)

    async def ask(self, target: str) -> int:
        sent = f"POST {ManyModels.path_of(target)} HTTP/1.1\r\nContent-Length: 0\r\n\r\n".encode()
        return (await self.models.ask(self.upstream, target, sent, 30)).status

    @property
    def on_disk(self) -> set[str]:
        known = {name_of(target): target for target in self.objects.kept}
        return {known[path.name] for path in self.shelf.models.iterdir()}


@asynccontextmanager
async def world(folder: Path, *targets: str, room: int = 9, most: int = 10**9, kept: bool = True) -> AsyncIterator[World]:
    container = Container(room)
    async with serving(container.handle) as (upstream, _):
        made = World(folder / "shelf", upstream, container, Objects(*targets), most, kept)
        yield made
        made.threads.shutdown()
        made.shelf.close()
        assert not made.shelf.models.exists()


def test_a_model_is_fetched_and_loaded_once(tmp_path: Path) -> None:
    """However many ask for it at the same time; and each gets its answer."""

    async def run() -> None:
        async with world(tmp_path, "a", "b") as made:
            assert await made.models.serves(made.upstream)
            assert await asyncio.gather(*(made.ask(target) for target in "aababb")) == [200] * 6
            assert sorted(made.objects.fetched) == ["a", "b"]
            assert made.container.asked.count("POST /models") == 2
            assert "a" in made.models and "c" not in made.models
            assert (made.shelf.models / name_of("a") / "model" / "weights").stat().st_size == EACH

    asyncio.run(run())


def test_what_longest_was_not_asked_for_makes_room(tmp_path: Path) -> None:
    """A container without room has the model unloaded that was asked for longest ago; it stays on the disk, and is read again
    from its address only when another object is there."""

    async def run() -> None:
        async with world(tmp_path, "a", "b", "c", room=2) as made:
            for target in "abac":
                assert await made.ask(target) == 200
            assert made.container.loaded == {name_of("a"), name_of("c")}
            assert await made.ask("b") == 200
            assert made.objects.fetched == ["a", "b", "c"]
            made.objects.kept["a"] = packed(EACH + 1)
            assert await made.ask("a") == 200
            assert made.objects.fetched == ["a", "b", "c", "a"]

    asyncio.run(run())


def test_a_model_that_answers_is_not_unloaded(tmp_path: Path) -> None:
    """Whoever needs room waits until a model has nothing to do."""

    async def run() -> None:
        async with world(tmp_path, "a", "b", room=1) as made:
            await made.ask("a")
            made.container.slow.clear()
            first = asyncio.create_task(made.ask("a"))
            second = asyncio.create_task(made.ask("b"))
            while made.container.asked.count("POST /models") < 2:
                await asyncio.sleep(0.005)
            assert "DELETE /models/*" not in made.container.asked and made.container.loaded == {name_of("a")}
            made.container.slow.set()
            assert [await first, await second] == [200, 200]

    asyncio.run(run())


def test_the_disk_is_bounded(tmp_path: Path) -> None:
    """Beyond the limit models go from the disk, those that are loaded only when no other is left; one alone that is too large is
    refused, and what was there stays."""

    async def run() -> None:
        async with world(tmp_path, *"abcd", most=2 * EACH) as made:
            for target in "abc":
                await made.ask(target)
            assert made.on_disk == {"b", "c"} and made.container.loaded == {name_of("b"), name_of("c")}
            made.objects.kept["d"] = packed(2 * EACH + 1)
            with pytest.raises(NotFetched, match="more bytes than this server takes"):
                await made.ask("d")
            assert made.on_disk == {"b", "c"}

    asyncio.run(run())


def test_the_disk_is_bounded_while_many_are_wanted_at_once(tmp_path: Path) -> None:
    """A container that loads slowly has one more on the disk than may stay there: the next to be loaded."""

    async def run() -> None:
        async with world(tmp_path, *"abcdefgh", most=2 * EACH) as made:
            seen: list[int] = []
            made.container.load_seconds = 0.1
            made.container.meets = lambda: seen.append(len(made.on_disk))
            assert await asyncio.gather(*(made.ask(target) for target in "abcdefgh")) == [200] * 8
            assert len(seen) == 8 and max(seen) <= 3, seen

    asyncio.run(run())


def test_a_container_that_lets_go_of_models_by_itself(tmp_path: Path) -> None:
    """What it does not have any more is loaded again; a 404 of the model's own is its answer."""

    async def run() -> None:
        async with world(tmp_path, "a") as made:
            await made.ask("a")
            made.container.loaded.clear()
            assert await made.ask("a") == 200
            assert made.container.asked.count("POST /models") == 2

    asyncio.run(run())


def test_what_cannot_be_loaded_is_told_and_tried_again(tmp_path: Path) -> None:
    """One that is not there, and one that there is never room for: the next request tries anew."""

    async def run() -> None:
        async with world(tmp_path, "a", room=0) as made:
            with pytest.raises(NotFetched, match="b is not there"):
                await made.ask("b")
            with pytest.raises(NotLoaded) as refused:
                await made.ask("a")
            assert refused.value.status == 507
            made.container.room = 1
            assert await made.ask("a") == 200

    asyncio.run(run())


def test_models_that_are_not_cached_go_at_once(tmp_path: Path) -> None:
    """From the container and from the disk, once nobody wants them."""

    async def run() -> None:
        async with world(tmp_path, "a", kept=False) as made:
            assert await asyncio.gather(made.ask("a"), made.ask("a")) == [200, 200]
            while "a" in made.models:
                await asyncio.sleep(0.005)
            assert made.on_disk == set() and made.container.loaded == set()

    asyncio.run(run())


def test_the_models_of_a_server_that_is_gone_are_cleared_away(tmp_path: Path) -> None:
    """What a server that was killed has left is removed, what another one uses is not."""
    used = Shelf(tmp_path / "used", Objects(), 1)
    (tmp_path / "left" / "models").mkdir(parents=True)
    model_shelf.clear_away(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["used"]
    used.close()
    used.close()
    assert list(tmp_path.iterdir()) == []
