"""Which instance is asked for one of many models, and what an instance has to answer before it is asked at all."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.unit.endpoints.test_many_models import Objects
from tests.unit.endpoints.test_upstream import serving

from modelyard.aws.errors import AwsError
from modelyard.endpoints.deployment import Hosted
from modelyard.endpoints.instance import Container, Instance, State
from modelyard.endpoints.many_models import ManyModels
from modelyard.endpoints.model_shelf import Shelf
from modelyard.endpoints.relaying_models import SPREAD, check_target, holder_of
from modelyard.endpoints.routes import VariantRoute

pytestmark = pytest.mark.ours

HOSTED = Hosted("m", "arn", None, False, False, 5.0, "ml.m5.large", {}, [])


def instance(loop: Any = None, *, many: bool = True, loaded: str = "", outstanding: int = 0) -> Instance:
    made = Instance("i-1", "v", HOSTED, loop, lambda: None)
    made.models = {"primary": set(loaded)} if many else {}  # type: ignore[dict-item]  # a set has what is in it too
    made.outstanding = outstanding
    return made


def test_an_instance_that_has_the_model_is_asked() -> None:
    """The least busy of those; any other as long as none has it."""
    without, busy, idle = instance(), instance(loaded="ab", outstanding=2), instance(loaded="a", outstanding=1)
    variant = VariantRoute("v", 1.0, [without, busy, idle])
    assert holder_of(variant, "a") is idle
    assert holder_of(variant, "b") is busy
    assert holder_of(variant, "c") is without
    assert holder_of(variant, "a", [idle]) is busy
    assert holder_of(VariantRoute("v", 1.0, []), "a") is None
    assert holder_of(VariantRoute("v", 1.0, [idle]), "a", [idle]) is idle


def test_one_that_has_much_to_do_is_spared() -> None:
    """Then another instance loads the model too."""
    holder, other = instance(loaded="a", outstanding=SPREAD - 1), instance()
    variant = VariantRoute("v", 1.0, [holder, other])
    assert holder_of(variant, "a") is holder
    holder.outstanding += 1
    assert holder_of(variant, "a") is other


@pytest.mark.parametrize(
    ("model", "many", "refused"), [("a", True, False), (None, False, False), ("a", False, True), (None, True, True)]
)
def test_a_model_is_named_where_there_are_many(model: str | None, many: bool, refused: bool) -> None:
    """And nowhere else."""
    if not refused:
        check_target("e", model, instance(many=many))
        return
    with pytest.raises(AwsError, match="target model header") as error:
        check_target("e", model, instance(many=many))
    assert error.value.code == "ValidationError"


class Sandbox:
    """A sandbox that can be stopped."""

    def __init__(self) -> None:
        self.peak_memory = 0
        self.listeners: dict[int, Any] = {}
        self.over: Future[Any] = Future()

    def stop(self, seconds: float = 0, reason: str = "") -> None:
        if not self.over.done():
            self.over.set_result(None)

    def connect(self, port: int) -> Any:
        raise AssertionError("the test connects itself")


@pytest.fixture
def models(tmp_path: Path) -> Iterator[ManyModels]:
    shelf, threads = Shelf(tmp_path / "shelf", Objects(), 1), ThreadPoolExecutor(1)
    yield ManyModels(shelf, threads)
    threads.shutdown()
    shelf.close()


@pytest.mark.parametrize(("listed", "state"), [(b"200", State.HEALTHY), (b"404", State.ENDED)])
def test_an_image_for_one_model_is_not_healthy_for_many(models: ManyModels, listed: bytes, state: State) -> None:
    """A container that does not answer GET /models ends when it is deployed, and not when it is first asked."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            status = listed if b"GET /models" in head else b"200"
            writer.write(b"HTTP/1.1 " + status + b" x\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()

    async def run() -> None:
        async with serving(handle) as (upstream, _):
            made = instance(asyncio.get_running_loop())
            made.containers = [Container("primary", Sandbox(), upstream, models)]
            assert await made._first_pings() is (state is State.HEALTHY)
            assert made.state is state
            if state is State.ENDED:
                assert made.failure is not None and "does not answer GET /models" in made.failure.text

    asyncio.run(run())
