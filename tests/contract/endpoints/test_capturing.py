"""What is captured is written as the execution role; what cannot be is counted, and told. On every database."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.contract.endpoints.hosting import Hosting, document, refused
from tests.harness import ACCOUNT

from modelyard.dispatch.log_lines import LogLines
from modelyard.endpoints import capturing
from modelyard.endpoints.acting import context_of
from modelyard.endpoints.capture import Event, Exchange, Payload, capture_of
from modelyard.endpoints.capturing import WHAT, Basket, Capturing
from modelyard.endpoints.endpoint import endpoint_at
from modelyard.endpoints.losses import Losses, Place
from modelyard.storage.errors import StorageUnavailable

HOUR = 1_700_000_000.0 // 3600 * 3600


class Captures:
    """A writer that flushes when it is told to, and baskets of this test."""

    def __init__(self, hosting: Hosting, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(capturing, "FLUSH_SECONDS", 3600.0)
        self.hosting = hosting
        self.dispatcher = hosting.yard.house.dispatcher
        self.lines = LogLines("test-losses")
        self.losses = Losses(self.lines, lambda at, role: context_of(self.dispatcher, at, role))
        self.capturing = Capturing(self.dispatcher, self.losses)

    def basket(self, role: str, variant: str = "v", **more: Any) -> Basket:
        config = {
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": f"s3://{self.hosting.bucket}/kept",
            "CaptureOptions": [{"CaptureMode": "Input"}],
            **more,
        }
        found = capture_of({"DataCaptureConfig": config})
        assert found is not None
        return Basket(Place(endpoint_at(ACCOUNT, "us-east-1", self.hosting.named("e")), variant, role), found)

    def add(self, basket: Basket, name: str, at: float = 0.0, size: int = 1) -> None:
        self.capturing.add(basket, Exchange(Event(name, HOUR + at), Payload(None, b"x" * size), None))

    def kept(self) -> dict[str, list[str]]:
        """The ids of events by the folder and the beginning of their files' names."""
        found: dict[str, list[str]] = {}
        listed = self.hosting.call("s3", "ListObjectsV2", Bucket=self.hosting.bucket, Prefix="kept/")
        for one in listed.get("Contents", []):
            answer = self.hosting.call("s3", "GetObject", Bucket=self.hosting.bucket, Key=one["Key"])
            content = answer["Body"] if isinstance(answer["Body"], bytes) else b"".join(answer["Body"])
            begin = one["Key"].removeprefix(f"kept/{self.hosting.named('e')}/")[: len("v/2023/11/14/22/00-00-000")]
            found.setdefault(begin, []).extend(json.loads(line)["eventMetadata"]["eventId"] for line in content.splitlines())
        return found


@pytest.fixture
def captures(hosting: Hosting, monkeypatch: pytest.MonkeyPatch) -> Iterator[Captures]:
    made = Captures(hosting, monkeypatch)
    yield made
    made.capturing.close()
    made.lines.close()


@pytest.mark.documented
def test_a_file_is_of_one_variant_and_one_hour(captures: Captures) -> None:
    """What came since the last time is one file, but for variants, hours and size."""
    role = captures.hosting.role("all")
    basket, other = captures.basket(role), captures.basket(role, "w")
    captures.add(basket, "one")
    captures.add(basket, "two", 1)
    captures.add(basket, "next hour", 3600.25)
    captures.add(other, "other")
    captures.capturing.flush()
    assert captures.kept() == {
        "v/2023/11/14/22/00-00-000": ["one", "two"],
        "v/2023/11/14/23/00-00-250": ["next hour"],
        "w/2023/11/14/22/00-00-000": ["other"],
    }
    captures.capturing.flush()
    assert sum(map(len, captures.kept().values())) == 4


@pytest.mark.documented
def test_the_role_has_to_be_allowed_to_write(captures: Captures, caplog: pytest.LogCaptureFixture) -> None:
    """What it may not put is lost, and told with what is missing, in the endpoint's log group too; so is what no role may."""
    logs = document({"Effect": "Allow", "Action": "logs:*", "Resource": "*"})
    role = captures.hosting.role("logs", logs)
    for basket in (captures.basket(role), captures.basket("arn:aws:iam::111122223333:role/gone", "w")):
        captures.add(basket, "one")
        captures.add(basket, "two")
        captures.capturing.flush()
        assert captures.losses.total(basket.place, WHAT) == 2
    assert captures.kept() == {}
    captures.losses.tell()
    captures.lines.flush()
    group = f"/aws/sagemaker/Endpoints/{captures.hosting.named('e')}"
    streams = captures.hosting.call("logs", "DescribeLogStreams", logGroupName=group)["logStreams"]
    assert [one["logStreamName"] for one in streams] == ["v/losses"], "the role that is gone writes no logs either"
    first, second = [one.getMessage() for one in caplog.records if one.name == "modelyard.endpoints"]
    assert "were lost: 2. User" in first and "is not authorized to perform: s3:PutObject" in first
    assert "cannot be assumed" in second
    captures.losses.tell()
    captures.losses.add(captures.basket(role).place, WHAT, 1, "again")
    captures.losses.tell()
    assert len(caplog.records) == 2, "once a minute is often enough"
    captures.losses.tell(at_once=True)
    assert "were lost: 1. again" in caplog.records[-1].getMessage()


@pytest.mark.ours
def test_what_waits_is_bounded(captures: Captures, monkeypatch: pytest.MonkeyPatch) -> None:
    """By variant and in all; what does not fit is counted, and what was written makes room."""
    monkeypatch.setattr(capturing, "MOST_OF_ONE", 2000)
    monkeypatch.setattr(capturing, "MOST_BYTES", 3000)
    role = captures.hosting.role("all")
    one, two = captures.basket(role), captures.basket(role, "w")
    for number in range(3):
        captures.add(one, f"one {number}", size=480)
        captures.add(two, f"two {number}", size=480)
    lost = [captures.losses.total(basket.place, WHAT) for basket in (one, two)]
    assert lost == [1, 2], "a variant has 992 bytes for each, so two fit, and three in all"
    captures.capturing.flush()
    captures.add(two, "two again", size=480)
    captures.capturing.flush()
    assert sorted(name for names in captures.kept().values() for name in names) == ["one 0", "one 1", "two 0", "two again"]


@pytest.mark.ours
def test_what_cannot_be_kept_now_is_kept_later(captures: Captures, monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage of the database or of the bytes loses nothing, and does not change the order."""
    basket = captures.basket(captures.hosting.role("all"))
    captures.add(basket, "one")

    def away(*_: Any) -> Any:
        raise StorageUnavailable("the disk is full")

    with monkeypatch.context() as outage:
        outage.setattr(capturing, "context_of", away)
        captures.capturing.flush()
    captures.add(basket, "two", 1)
    captures.capturing.flush()
    assert captures.kept() == {"v/2023/11/14/22/00-00-000": ["one", "two"]}
    assert captures.losses.total(basket.place, WHAT) == 0


@pytest.mark.ours
def test_the_end_keeps_what_waits(captures: Captures, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing writes what came before; and it is written by itself, without being told to."""
    basket = captures.basket(captures.hosting.role("all"))
    captures.add(basket, "last words")
    captures.capturing.close()
    assert list(captures.kept().values()) == [["last words"]]
    monkeypatch.setattr(capturing, "FLUSH_SECONDS", 0.02)
    by_itself = Capturing(captures.dispatcher, captures.losses)
    by_itself.add(basket, Exchange(Event("later", HOUR + 9), None, None))
    assert _eventually(lambda: len(captures.kept()) == 2)
    by_itself.close()


@pytest.mark.ours
def test_what_cannot_be_captured_is_refused(captures: Captures) -> None:
    """A place outside of S3 when the configuration is made; a model that has no role to write as when it is deployed."""
    hosting = captures.hosting
    hosting.create("m", PrimaryContainer={"Image": "none/such:1"})
    variant = {"VariantName": "v", "ModelName": hosting.named("m"), "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    capture = {"InitialSamplingPercentage": 1, "CaptureOptions": [{"CaptureMode": "Input"}]}

    def config(uri: str) -> None:
        given = {**capture, "DestinationS3Uri": uri}
        hosting.sagemaker(
            "CreateEndpointConfig",
            EndpointConfigName=hosting.named("c"),
            ProductionVariants=[variant],
            DataCaptureConfig=given,
        )

    with refused("ValidationException", "must be of the form s3://bucket/prefix"):
        config("https://x/y")
    config("s3://x/y")
    with refused("ValidationException", "the model .* has no ExecutionRoleArn"):
        hosting.sagemaker("CreateEndpoint", EndpointName=hosting.named("e"), EndpointConfigName=hosting.named("c"))


def _eventually(done: Callable[[], bool], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
