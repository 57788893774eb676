"""Transforming one input: what is asked when, in which order it is written, and what is left of what fails."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from modelyard.dispatch.model_lending import NotAnswered, Patience, Payload, Reply
from modelyard.jobs.inputs import Input
from modelyard.jobs.transform_job import Limits, new_document
from modelyard.jobs.transforming import Interrupted, NotTransformed, Transformation, Worker

pytestmark = pytest.mark.ours
ONE = Input("b", "in/one.csv", "one.csv")


class Instance:
    """An instance that is asked on threads; it notes how many requests are under way at a time."""

    log_stream = "job/i-1"

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer
        self._threads = ThreadPoolExecutor(16)
        self._lock = threading.Lock()
        self.under_way = self.most = 0

    def ask(self, payload: Payload, patience: Patience) -> "Future[Reply]":
        with self._lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        return self._threads.submit(self._reply, payload)

    def _reply(self, payload: Payload) -> Reply:
        try:
            return Reply(self._answer(payload.body), "text/csv")
        finally:
            with self._lock:
                self.under_way -= 1


class Bucket:
    """S3, as far as a transformation goes: one object to be read, and what was put."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.put: dict[str, bytes] = {}

    def call(self, service: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation == "PutObject":
            self.put[request["Key"]] = request["Body"].read()
            return {}
        return {"Body": iter([self._content[place : place + 7] for place in range(0, len(self._content), 7)])}


class Bench:
    """A transformation, and what it needs."""

    def __init__(self, folder: Path, answer: Callable[[bytes], bytes], content: bytes, concurrency: int = 1) -> None:
        request = {
            "TransformInput": {"SplitType": "Line", "DataSource": {}},
            "TransformOutput": {"S3OutputPath": "s3://b/out", "AssembleWith": "Line"},
        }
        self.bucket = Bucket(content)
        self.stopping = threading.Event()
        self.instance = Instance(answer)
        self.permits = threading.BoundedSemaphore(concurrency)
        document = new_document(request, "m")
        limits = Limits(concurrency, 1, multi=False)
        acting: Any = lambda: self.bucket  # noqa: E731
        self._transformation = Transformation(document, limits, acting, self.stopping, folder)

    def transform(self) -> dict[str, bytes]:
        self._transformation.transform(ONE, Worker(self.instance, self.permits))  # type: ignore[arg-type]
        return self.bucket.put


def test_answers_are_written_in_the_order_of_their_records(tmp_path: Path) -> None:
    """However late an answer comes, it is written where its record stands; no more is under way than may be."""
    last = threading.Event()

    def answer(body: bytes) -> bytes:
        if body == b"4":
            last.set()
        elif body == b"1":
            assert last.wait(30), "the fourth was not asked beside the first"
        return b"of " + body

    bench = Bench(tmp_path, answer, b"".join(b"%d\n" % number for number in range(1, 21)), concurrency=4)
    assert bench.transform() == {"out/one.csv.out": b"".join(b"of %d\n" % number for number in range(1, 21))}
    assert bench.instance.most == 4
    assert all(bench.permits.acquire(blocking=False) for _ in range(4)), "a permit was kept"


def test_nothing_is_written_of_what_fails(tmp_path: Path) -> None:
    """A record that fails leaves no output and no permit behind, and says which container answered what."""

    def answer(body: bytes) -> bytes:
        if body == b"2":
            raise NotAnswered("primary", 500, "boom")
        return body

    bench = Bench(tmp_path, answer, b"1\n2\n3\n", concurrency=2)
    with pytest.raises(NotTransformed, match=r'^AlgorithmError: s3://b/in/one.csv: the container primary answered 500: "boom"\.'):
        bench.transform()
    assert bench.bucket.put == {}
    assert all(bench.permits.acquire(blocking=False) for _ in range(2)), "a permit was kept"


def test_what_is_interrupted_writes_nothing(tmp_path: Path) -> None:
    """A job that is to stop waits for no answer, and writes nothing of what it has."""
    never = threading.Event()

    def answer(body: bytes) -> bytes:
        never.wait(30)
        return body

    bench = Bench(tmp_path, answer, b"1\n2\n")
    threading.Timer(0.05, bench.stopping.set).start()
    with pytest.raises(Interrupted):
        bench.transform()
    never.set()
    assert bench.bucket.put == {}
    assert bench.permits.acquire(blocking=False), "a permit was kept"


def test_an_empty_input_asks_for_nothing(tmp_path: Path) -> None:
    """An input without a record has an output without one."""
    bench = Bench(tmp_path, lambda body: body, b"\n\n")
    assert bench.transform() == {"out/one.csv.out": b""}
    assert bench.instance.most == 0
