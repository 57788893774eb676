"""The life of a request: limits, where it runs, what goes wrong, and what is said of it."""

import asyncio
import gzip
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.harness import ACCOUNT, house
from tests.unit.server.asgi import Answer, Client

from modelyard.access.accounts import create_account
from modelyard.clock import SystemClock
from modelyard.server.app import MOST_BUFFERED, Application
from modelyard.server.composition import House
from modelyard.server.exchange import request_from
from modelyard.storage.errors import StorageUnavailable

LIMIT = 64 * 1024
Use = Callable[[Client], Awaitable[Any]]


class Lines:
    """Keeps what would be logged."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def write(self, record: dict[str, Any]) -> None:
        self.records.append(record)


class Running:
    """An application on a fresh house, and the client of its administrator."""

    def __init__(self, built: House) -> None:
        self.house = built
        self.lines = Lines()
        key = built.storage.write(lambda tx: create_account(tx, built.key_ring, ACCOUNT, ids=built.ids, now=built.clock.now()))
        self.application = Application(built, self.lines)
        self.client = Client(self.application, key)

    def run(self, call: Awaitable[Answer]) -> Answer:
        async def waited() -> Answer:
            return await asyncio.wait_for(call, 20)

        return asyncio.run(waited())

    def runs(self, use: Use) -> Any:
        return asyncio.run(use(self.client))  # type: ignore[arg-type]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with house(tmp_path, max_request_bytes=LIMIT) as yard:
        # The requests are signed by botocore, with the machine's clock.
        yard.house.clock = yard.house.dispatcher.clock = SystemClock()
        started = Running(yard.house)
        yield started
        started.application.close()


def group(name: str) -> bytes:
    return json.dumps({"ModelPackageGroupName": name}).encode()


pytestmark = pytest.mark.ours


def test_a_write_and_a_read(running: Running) -> None:
    """A signed write and a signed read are answered, each with a request id and its length."""
    made = running.run(running.client.sagemaker("CreateModelPackageGroup", group("g")))
    assert made.status == 200
    described = running.run(running.client.sagemaker("DescribeModelPackageGroup", group("g")))
    assert json.loads(described.body)["ModelPackageGroupName"] == "g"
    assert described.headers["content-length"] == str(len(described.body))
    assert described.headers["x-amzn-requestid"] != made.headers["x-amzn-requestid"]


def test_what_is_unknown_is_a_client_error(running: Running) -> None:
    """An operation that there is not, and one that is not answered here, are 4xx, which no client retries."""
    for operation in ("NoSuchOperation", "CreateNotebookInstance"):
        answer = running.run(running.client.sagemaker(operation, b"{}"))
        assert answer.status == 400
        assert json.loads(answer.body)["__type"] == "UnknownOperationException"


def test_a_body_that_is_too_large_is_not_read(running: Running) -> None:
    """A body above the limit by its Content-Length answers 413 before a byte of it is read."""
    answer = running.run(running.client.sagemaker("CreateModelPackageGroup", bytes(LIMIT + 1)))
    assert (answer.status, answer.received) == (413, 0)
    assert json.loads(answer.body)["__type"] == "RequestEntityTooLarge"


def test_a_body_that_grows_too_large(running: Running) -> None:
    """A body of unknown length is read up to the limit and no further."""
    headers = {"x-amz-target": "SageMaker.ListModelPackageGroups", "transfer-encoding": "chunked"}
    answer = running.run(running.client.send("POST", "/", headers, [bytes(LIMIT // 2)] * 10))
    assert answer.status == 413
    assert answer.received <= LIMIT + LIMIT // 2


def test_a_compressed_body(running: Running) -> None:
    """A gzipped body is unpacked after its signature, which is that of the compressed bytes, was checked."""
    packed = gzip.compress(group("zipped"))
    answer = running.run(running.client.sagemaker("CreateModelPackageGroup", packed, {"content-encoding": "gzip"}))
    assert json.loads(answer.body)["ModelPackageGroupArn"].endswith("/zipped")


@pytest.mark.parametrize(
    ("packed", "status"),
    [
        (gzip.compress(bytes(LIMIT + 1)), 413),
        (b"no gzip", 400),
        (gzip.compress(group("g"))[:-4], 400),
        (gzip.compress(b"{}") * 2, 400),
    ],
    ids=["bomb", "garbage", "truncated", "two"],
)
def test_a_compressed_body_that_is_wrong(running: Running, packed: bytes, status: int) -> None:
    """A body that unpacks to too much is 413; one that does not unpack is 400."""
    answer = running.run(running.client.sagemaker("CreateModelPackageGroup", packed, {"content-encoding": "gzip"}))
    assert answer.status == status


def test_a_query_protocol_request(running: Running) -> None:
    """A form is read before it is routed, since its body names the operation."""
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    headers = running.client.signed("sts", "POST", "/", {"content-type": "application/x-www-form-urlencoded"}, body)
    answer = running.run(running.client.send("POST", "/", headers, [body[:10], body[10:]]))
    assert answer.status == 200
    assert f"<Account>{ACCOUNT}</Account>".encode() in answer.body


def test_a_defect_is_a_500_that_tells_nothing(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    """An exception that is nobody's answer is logged with its traceback and the request id; the client sees the id alone."""

    def broken(*_: object) -> None:
        raise KeyError("secret detail")

    running.house.dispatcher.admit_and_perform = broken  # type: ignore[method-assign,assignment]
    with caplog.at_level(logging.ERROR):
        answer = running.run(running.client.sagemaker("DescribeModelPackageGroup", group("g")))
    assert answer.status == 500
    assert json.loads(answer.body)["__type"] == "InternalFailure"
    assert b"secret" not in answer.body
    (record,) = [record for record in caplog.records if record.name == "modelyard.server"]
    assert record.exc_info is not None
    assert record.request_id == answer.headers["x-amzn-requestid"]  # type: ignore[attr-defined]


def test_a_database_that_does_not_answer(running: Running) -> None:
    """While the database is away, clients are told to try again (503)."""

    def away(*_: object) -> None:
        raise StorageUnavailable("connection refused: password=hunter2")

    running.house.dispatcher.admit_and_perform = away  # type: ignore[method-assign,assignment]
    answer = running.run(running.client.sagemaker("DescribeModelPackageGroup", group("g")))
    assert answer.status == 503
    assert b"hunter2" not in answer.body


def test_more_work_than_the_threads_take(running: Running) -> None:
    """With the queue full SageMaker throttles and S3 says to slow down, each in its own way."""
    running.run(running.client.s3("PUT", "/full"))
    running.application.reads.busy = running.application.streams.busy = 10**6
    throttled = running.run(running.client.sagemaker("ListModelPackageGroups", b"{}"))
    assert (throttled.status, json.loads(throttled.body)["__type"]) == (400, "ThrottlingException")
    slowed = running.run(running.client.s3("PUT", "/full/key", [b"x"]))
    assert slowed.status == 503
    assert b"<Code>SlowDown</Code>" in slowed.body


def test_large_bodies_have_a_limit_together(tmp_path: Path) -> None:
    """When large bodies have filled their share of the memory, the next one is throttled; small ones come through."""
    with house(tmp_path) as yard:
        yard.house.clock = yard.house.dispatcher.clock = SystemClock()
        running = Running(yard.house)
        running.application.buffered = MOST_BUFFERED
        large = running.run(running.client.sagemaker("CreateModelPackageGroup", b" " * 1_000_000 + group("large")))
        assert json.loads(large.body)["__type"] == "ThrottlingException"
        assert running.run(running.client.sagemaker("CreateModelPackageGroup", group("small"))).status == 200
        assert running.application.buffered == MOST_BUFFERED
        running.application.buffered = 0
        assert running.run(running.client.sagemaker("CreateModelPackageGroup", b" " * 1_000_000 + group("large"))).status == 200
        running.application.close()


@pytest.mark.parametrize("size", [0, 10, 3_000_000])
def test_an_object_in_and_out(running: Running, size: int) -> None:
    """Objects of any size come back as they went in, however their bytes were cut."""
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    running.run(running.client.s3("PUT", "/bucket"))
    pieces = [content[start : start + 70_000] for start in range(0, len(content), 70_000)]
    assert running.run(running.client.s3("PUT", "/bucket/key", pieces)).status == 200
    answer = running.run(running.client.s3("GET", "/bucket/key"))
    assert (answer.status, answer.body) == (200, content)
    head = running.run(running.client.s3("HEAD", "/bucket/key"))
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(size))


def test_a_refused_upload_is_not_asked_for(running: Running) -> None:
    """A client that waits for 100-continue never sends a body that is refused, and its connection ends."""
    answer = running.run(running.client.s3("PUT", "/nowhere/key", [bytes(2_000_000)], {"expect": "100-continue"}))
    assert (answer.status, answer.received) == (404, 0)
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("size", [1000, 5_000_000])
def test_an_upload_that_breaks_off(running: Running, size: int) -> None:
    """When a client leaves in the middle of its body nothing is stored, and no thread is held."""
    running.run(running.client.s3("PUT", "/bucket"))
    answer = running.run(running.client.s3("PUT", "/bucket/torn", [bytes(size // 2)], length=size, leaves=True))
    assert answer.status == 0
    assert running.run(running.client.s3("GET", "/bucket/torn")).status == 404
    assert running.application.streams.busy == 0
    assert [line["status"] for line in running.lines.records][-2:] == [499, 404]


def test_a_download_that_breaks_off(running: Running) -> None:
    """When a client leaves in the middle of an answer, no more of it is read from disk."""
    running.run(running.client.s3("PUT", "/bucket"))
    running.run(running.client.s3("PUT", "/bucket/long", [bytes(1_000_000)] * 8))
    answer = running.run(running.client.s3("GET", "/bucket/long", takes=2))
    assert len(answer.body) < 4_000_000
    assert running.lines.records[-1]["status"] == 499


def test_what_is_logged(running: Running) -> None:
    """A line says who did what and how it ended, and nothing that was secret."""
    running.run(running.client.sagemaker("CreateModelPackageGroup", group("logged")))
    record = running.lines.records[-1]
    assert (record["service"], record["operation"], record["status"]) == ("sagemaker", "CreateModelPackageGroup", 200)
    assert record["principal"] == f"arn:aws:iam::{ACCOUNT}:user/administrator"
    assert record["source"] == "127.0.0.1"
    assert record["duration_ms"] > 0
    assert "logged" not in str(record)


def test_requests_are_counted(running: Running) -> None:
    """The metrics page counts requests by service, operation and status, and how long they took."""
    running.run(running.client.sagemaker("CreateModelPackageGroup", group("a")))
    running.run(running.client.sagemaker("CreateModelPackageGroup", group("a")))
    page = running.run(running.client.send("GET", "/_modelyard/metrics", {})).body.decode()
    named = 'operation="CreateModelPackageGroup",service="sagemaker"'
    assert f'modelyard_requests_total{{{named},status="200"}} 1.0' in page
    assert f'modelyard_requests_total{{{named},status="400"}} 1.0' in page
    assert f"modelyard_request_duration_seconds_count{{{named}}} 2.0" in page
    assert "modelyard_requests_in_flight 1.0" in page


def test_own_pages(running: Running) -> None:
    """Health and readiness answer without a signature; what there is not is 404; nothing can be written."""
    for target, method, status in [
        ("/_modelyard/health", "GET", 200),
        ("/_modelyard/ready", "GET", 200),
        ("/_modelyard/nothing", "GET", 404),
        ("/_modelyard/health", "POST", 405),
    ]:
        assert running.run(running.client.send(method, target, {})).status == status


def test_not_ready(running: Running) -> None:
    """Without its database the server is alive and not ready; why is in the log alone."""

    def away() -> None:
        raise StorageUnavailable("password=hunter2")

    running.house.storage.read = away  # type: ignore[method-assign,assignment]
    answer = running.run(running.client.send("GET", "/_modelyard/ready", {}))
    assert answer.status == 503
    assert json.loads(answer.body) == {"database": "failed", "blobs": "ok"}
    assert running.run(running.client.send("GET", "/_modelyard/health", {})).status == 200


def test_an_object_may_have_the_name_of_a_page(running: Running) -> None:
    """In a bucket that the host names, `_modelyard/health` is a key like any other."""
    answer = running.run(running.client.send("GET", "/_modelyard/health", {"host": "b.s3.us-east-1.amazonaws.com"}))
    assert answer.status in (403, 404)
    assert b"alive" not in answer.body


def test_repeated_headers_are_joined() -> None:
    """Headers that come twice are one, their values separated by a comma, as signatures want them."""
    headers = [(b"a", b" 1 "), (b"b", b"x"), (b"a", b"2\t")]
    scope = {"headers": headers, "client": None, "method": "GET", "raw_path": b"/", "query_string": b"q", "scheme": "http"}
    assert request_from(scope).headers == {"a": "1,2", "b": "x"}
