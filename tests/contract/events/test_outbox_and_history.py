"""What the outbox and the memory of past states promise on both databases."""

import json
from typing import Any

import pytest
from tests.harness import ACCOUNT, Yard

from modelyard.events import history, outbox
from modelyard.governance import worker
from modelyard.storage import Transaction

DAY = 86400.0


def events(yard: Yard, after: int = 0, **more: Any) -> list[outbox.Event]:
    with yard.house.storage.read() as tx:
        return outbox.read(tx, after, 100, **more)


def publish(tx: Transaction, number: int, now: float = 1.0) -> None:
    outbox.publish(
        tx,
        source="test",
        detail_type="Test",
        account=ACCOUNT,
        region="us-east-1",
        resources=[f"arn:aws:test:::{number}"],
        detail={"number": number},
        group_key=f"group-{number % 2}",
        now=now,
    )


def publish_many(yard: Yard, count: int, now: float = 1.0) -> None:
    for number in range(count):
        yard.house.storage.write(lambda tx, number=number: publish(tx, number, now))  # type: ignore[misc]


def readers_are_done(yard: Yard) -> None:
    """Lineage, triggers: whoever reads the outbox has seen all that there is."""
    yard.house.storage.write(lambda tx: tx.execute("UPDATE event_reader SET place = 1000000 WHERE name <> ''"))


def package(yard: Yard, **request: Any) -> str:
    arn: str = yard.call("sagemaker", "CreateModelPackage", ModelPackageGroupName="Fraud", **request)["ModelPackageArn"]
    return arn


@pytest.mark.documented
def test_a_version_tells_of_its_registration_update_and_deletion(yard_in_process: Yard) -> None:
    """The detail is the answer of Describe with ISO times; updates say which fields they were about."""
    yard = yard_in_process
    yard.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="Fraud")
    arn = package(yard, ModelPackageDescription="first")
    described = yard.call("sagemaker", "DescribeModelPackage", ModelPackageName=arn)
    yard.clock.advance(1.5)
    yard.call(
        "sagemaker",
        "UpdateModelPackage",
        ModelPackageArn=arn,
        ModelApprovalStatus="Approved",
        ApprovalDescription="good",
        CustomerMetadataPropertiesToRemove=["none"],
    )
    yard.call("sagemaker", "DeleteModelPackage", ModelPackageName=arn)
    registered, updated, deleted = events(yard)[1:]
    for event in (registered, updated, deleted):
        assert (event.source, event.detail_type) == ("aws.sagemaker", "SageMaker Model Package State Change")
        assert (event.account, event.region, list(event.resources)) == (ACCOUNT, "us-east-1", [arn])
    detail = json.loads(registered.detail)
    assert detail["CreationTime"] == "2023-11-14T22:13:20.000Z"
    del described["ModelPackageName"]  # of Describe alone, which the service model makes name it
    assert detail == {**described, "CreationTime": detail["CreationTime"]}
    assert "UpdatedModelPackageFields" not in detail
    detail = json.loads(updated.detail)
    assert detail["UpdatedModelPackageFields"] == ["ModelApprovalStatus", "ApprovalDescription", "CustomerMetadataProperties"]
    assert (detail["ModelApprovalStatus"], detail["LastModifiedTime"]) == ("Approved", "2023-11-14T22:13:21.500Z")
    assert json.loads(deleted.detail)["ModelPackageStatus"] == "Deleting"


@pytest.mark.ours
def test_a_card_tells_of_itself_without_its_content(yard_in_process: Yard) -> None:
    """Model cards may be confidential: the event has everything but the content."""
    content = json.dumps({"model_overview": {"model_description": "confidential"}})
    yard_in_process.call("sagemaker", "CreateModelCard", ModelCardName="card", Content=content, ModelCardStatus="Draft")
    (event,) = events(yard_in_process)
    assert event.detail_type == "SageMaker Model Card State Change"
    assert json.loads(event.detail)["ModelCardStatus"] == "Draft"
    assert "confidential" not in event.detail


@pytest.mark.documented
def test_objects_tell_that_they_were_created_and_deleted(yard_in_process: Yard) -> None:
    """Object Created and Object Deleted carry bucket, key, size, ETag, version and the reason."""
    yard = yard_in_process
    yard.call("s3", "CreateBucket", Bucket="bucket")
    yard.call("s3", "PutBucketVersioning", Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    put = yard.call("s3", "PutObject", Bucket="bucket", Key="key", Body=b"12345")
    yard.call("s3", "DeleteObject", Bucket="bucket", Key="key")
    yard.call("s3", "DeleteObject", Bucket="bucket", Key="key", VersionId=put["VersionId"])
    created, marked, gone = [json.loads(event.detail) for event in events(yard)]
    assert created["bucket"] == {"name": "bucket"}
    assert {name: created["object"][name] for name in ("key", "size", "etag", "version-id")} == {
        "key": "key",
        "size": 5,
        "etag": put["ETag"].strip('"'),
        "version-id": put["VersionId"],
    }
    assert (created["reason"], created["requester"]) == ("PutObject", ACCOUNT)
    assert [each["deletion-type"] for each in (marked, gone)] == ["Delete Marker Created", "Permanently Deleted"]
    assert [event.detail_type for event in events(yard)] == ["Object Created", "Object Deleted", "Object Deleted"]


@pytest.mark.ours
def test_what_is_undone_is_not_published(yard_in_process: Yard) -> None:
    """An event lives and dies with its transaction."""

    def work(tx: Transaction) -> None:
        publish(tx, 1)
        raise KeyError

    with pytest.raises(KeyError):
        yard_in_process.house.storage.write(work)
    assert events(yard_in_process) == []


@pytest.mark.ours
def test_positions_go_on_in_order_for_all_and_for_each_group(yard_in_process: Yard) -> None:
    """Reading after a position misses nothing and repeats nothing, over all and within a group."""
    publish_many(yard_in_process, 10)
    everything = events(yard_in_process)
    assert [json.loads(event.detail)["number"] for event in everything] == list(range(10))
    assert len({event.id for event in everything}) == 10
    assert events(yard_in_process, everything[6].position) == everything[7:]
    assert events(yard_in_process, group_key="group-1") == everything[1::2]


@pytest.mark.ours
def test_old_events_are_trimmed_and_late_readers_keep_theirs(yard_in_process: Yard) -> None:
    """Events go when they are old or too many, but not before every reader is done with them; how far is told."""
    storage = yard_in_process.house.storage
    readers_are_done(yard_in_process)
    publish_many(yard_in_process, 4, now=1.0)
    publish_many(yard_in_process, 4, now=100.0)
    positions = [event.position for event in events(yard_in_process)]
    storage.write(lambda tx: outbox.done(tx, "delivery", positions[1]))
    assert storage.write(lambda tx: outbox.trim(tx, 50.0, 100, 100)) == 2
    storage.write(lambda tx: outbox.done(tx, "delivery", positions[7]))
    assert storage.write(lambda tx: outbox.trim(tx, 50.0, 100, 100)) == 2
    assert [event.position for event in events(yard_in_process)] == positions[4:]
    assert storage.write(lambda tx: outbox.trim(tx, 50.0, 1, 100)) == 3
    with storage.read() as tx:
        assert (outbox.trimmed_to(tx), outbox.position_of(tx, "delivery")) == (positions[6], positions[7])
        assert outbox.last_position(tx) == positions[7]


@pytest.mark.ours
def test_the_worker_trims_and_signs(yard_in_process: Yard) -> None:
    """Its turn removes what is older than the settings say and keeps a checkpoint, once for each state of the chain."""
    yard = yard_in_process
    publish_many(yard, 3, now=yard.clock.now() - 31 * DAY)
    yard.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="Fraud")
    readers_are_done(yard)
    _, tend = worker.periodic(yard.house)
    for _ in range(2):
        tend()
    assert [event.detail_type for event in events(yard)] == ["Model Package Group State Change"]
    with yard.house.storage.read() as tx:
        assert tx.one("SELECT count(*), max(sequence) FROM audit_checkpoint") == (1, 1)


@pytest.mark.ours
def test_a_past_state_is_that_of_its_moment(yard_in_process: Yard) -> None:
    """Between two changes the earlier one holds; within one moment the last word counts, also when the clock goes back."""
    storage = yard_in_process.house.storage
    for now, state in ((10.0, "a"), (20.0, "b"), (20.0, "c"), (15.0, "d"), (30.0, None)):
        storage.write(lambda tx, now=now, state=state: history.keep(tx, "g", 1, now, state and {"is": state}))  # type: ignore[misc]

    def at(time: float) -> Any:
        with storage.read() as tx:
            found = history.as_of(tx, "g", time, 0, 10)
        return [each.state and each.state["is"] for each in found]

    assert [at(time) for time in (9.9, 10.0, 19.9, 20.0, 29.9, 30.0)] == [[], ["a"], ["a"], ["d"], ["d"], [None]]
