"""What the audit trail promises on both databases: it tells what happened, and whoever meddles with it is found out."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.harness import ACCOUNT, OTHER_ACCOUNT, Yard, user

from modelyard.aws.errors import AccessDeniedException, AwsError, ValidationException
from modelyard.events import store_audit
from modelyard.events.audit_record import canonical, digest
from modelyard.events.trail import AuditTrail
from modelyard.events.verification import Kind, Problem, Walked, step
from modelyard.storage import Transaction
from modelyard.storage.errors import ConstraintViolation, StorageError

pytestmark = pytest.mark.ours

DENY_ALL = '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}'
TRIGGERS = [
    (f"audit_{table}_{verb}", f"audit_{table}") for table in ("record", "mention", "checkpoint") for verb in ("stays", "remains")
]


def records(yard: Yard) -> list[dict[str, Any]]:
    """The whole trail."""
    with yard.house.storage.read() as tx:
        return [json.loads(row[0]) for row in tx.all("SELECT document FROM audit_record ORDER BY sequence")]


def walked(yard: Yard, size: int = 3, **more: Any) -> Walked:
    """The end of a walk along the whole chain, in small slices."""
    found = Walked()
    while not found.finished and found.problem is None:
        with yard.house.storage.read() as tx:
            found = step(tx, yard.house.trail, found, size=size, **more)
    return found


def problem(yard: Yard) -> Problem:
    found = walked(yard).problem
    assert found is not None, "the meddling was not found"
    return found


def meddle(yard: Yard, work: Callable[[Transaction], object]) -> None:
    """Do `work` by raw SQL, with the rules of the database out of the way."""

    def meddling(tx: Transaction) -> None:
        for trigger, table in TRIGGERS:
            tx.execute(f"DROP TRIGGER {trigger}" + (f" ON {table}" if tx.dialect == "postgresql" else ""))
        work(tx)

    yard.house.storage.write(meddling)


def ten_records(yard: Yard) -> None:
    for number in range(10):
        yard.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName=f"group-{number}")


def renumber(tx: Transaction, old: int, new: int) -> None:
    tx.execute("UPDATE audit_record SET sequence = :new WHERE sequence = :old", {"old": old, "new": new})


def row(tx: Transaction, sequence: int) -> store_audit.Kept:
    found = store_audit.record(tx, sequence)
    assert found is not None
    return found


def test_a_change_is_recorded_with_who_what_and_whereto(yard_in_process: Yard) -> None:
    """A record has caller, request, operation, parameters, resources and outcome."""
    yard_in_process.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="fraud", ModelPackageGroupDescription="d")
    (record,) = records(yard_in_process)
    arn = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package-group/fraud"
    assert record == {
        "sequence": 1,
        "previous": "0" * 64,
        "time": yard_in_process.clock.now(),
        "request": record["request"],
        "account": ACCOUNT,
        "region": "us-east-1",
        "principal": f"arn:aws:iam::{ACCOUNT}:user/admin",
        "principal_id": "AIDAADMINXXXXXXXXXXXX",
        "source": "127.0.0.1",
        "agent": "",
        "service": "sagemaker",
        "operation": "CreateModelPackageGroup",
        "parameters": {"ModelPackageGroupName": "fraud", "ModelPackageGroupDescription": "d"},
        "resources": [arn],
        "outcome": "Success",
        "made": {"ModelPackageGroupArn": arn},
        "read_only": False,
    }


def test_who_became_a_session_of_a_role_is_recorded(yard_in_process: Yard) -> None:
    """AssumeRole changes nothing, and is what tells later who was behind a session; its credentials are not in the trail."""
    trust = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}'
    role = yard_in_process.call("iam", "CreateRole", RoleName="Reviewer", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    answer = yard_in_process.call("sts", "AssumeRole", RoleArn=role, RoleSessionName="monday")
    made = records(yard_in_process)[-1]
    assert (made["operation"], made["outcome"], made["resources"]) == ("AssumeRole", "Success", [role])
    assert made["principal"].endswith("user/admin") and made["parameters"]["RoleSessionName"] == "monday"
    assert answer["Credentials"]["SecretAccessKey"] not in json.dumps(records(yard_in_process))
    yard_in_process.call("sts", "GetSessionToken")
    assert records(yard_in_process)[-1]["operation"] == "GetSessionToken"


def test_reads_that_succeed_are_not_recorded(yard_in_process: Yard) -> None:
    """Describing and listing leave no trace."""
    ten_records(yard_in_process)
    yard_in_process.call("sagemaker", "DescribeModelPackageGroup", ModelPackageGroupName="group-1")
    yard_in_process.call("sagemaker", "ListModelPackageGroups")
    assert len(records(yard_in_process)) == 10


def test_refusals_are_recorded_for_reads_and_writes(yard_in_process: Yard) -> None:
    """What is not allowed is recorded with the action, the resource and the reason, although nothing changed."""
    ten_records(yard_in_process)
    bob = user(ACCOUNT, "bob", DENY_ALL)
    for operation in ("DescribeModelPackageGroup", "DeleteModelPackageGroup"):
        with pytest.raises(AccessDeniedException):
            yard_in_process.call("sagemaker", operation, bob, ModelPackageGroupName="group-1")
    read, write = records(yard_in_process)[10:]
    assert (read["outcome"], read["read_only"], read["refused"]) == (
        "AccessDeniedException",
        True,
        "sagemaker:DescribeModelPackageGroup",
    )
    assert (write["outcome"], write["read_only"], write["refused"]) == (
        "AccessDeniedException",
        False,
        "sagemaker:DeleteModelPackageGroup",
    )
    assert write["principal"] == bob.arn
    assert write["reason"] == "an explicit deny in an identity-based policy"
    assert write["resources"] == [f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package-group/group-1"]


def test_a_failed_write_is_recorded_and_a_failed_read_is_not(yard_in_process: Yard) -> None:
    """Creating what is there already, and naming it wrongly, are recorded with the error; describing what is not there is not."""
    ten_records(yard_in_process)
    for name in ("group-1", "not a name"):
        with pytest.raises(ValidationException):
            yard_in_process.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName=name)
    with pytest.raises(ValidationException):
        yard_in_process.call("sagemaker", "DescribeModelPackageGroup", ModelPackageGroupName="none")
    failed = records(yard_in_process)[10:]
    assert [record["outcome"] for record in failed] == ["ValidationException", "ValidationException"]
    assert failed[0]["message"].startswith("Model Package Group already exists")


def test_a_streamed_change_is_recorded_with_its_row(yard_in_process: Yard) -> None:
    """PutObject, the parts of an upload and a batch of deletions are recorded, without a byte of content."""
    yard = yard_in_process
    yard.call("s3", "CreateBucket", Bucket="bucket")
    yard.call("s3", "PutObject", Bucket="bucket", Key="key", Body=b"confidential")
    upload = yard.call("s3", "CreateMultipartUpload", Bucket="bucket", Key="large")["UploadId"]
    yard.call("s3", "UploadPart", Bucket="bucket", Key="large", UploadId=upload, PartNumber=1, Body=b"confidential")
    yard.call("s3", "DeleteObjects", Bucket="bucket", Delete={"Objects": [{"Key": "key"}]})
    found = records(yard)
    assert [record["operation"] for record in found] == [
        "CreateBucket",
        "PutObject",
        "CreateMultipartUpload",
        "UploadPart",
        "DeleteObjects",
    ]
    assert found[1]["parameters"] == {"Bucket": "bucket", "Key": "key", "Body": "(content: left out)"}
    assert "confidential" not in json.dumps(found)


def test_a_streamed_change_that_fails_is_recorded_as_failed(yard_in_process: Yard) -> None:
    """An upload with the wrong digest leaves no object, and a record that says so."""
    yard_in_process.call("s3", "CreateBucket", Bucket="bucket")
    with pytest.raises(AwsError):
        yard_in_process.call("s3", "PutObject", Bucket="bucket", Key="key", Body=b"bytes", ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==")
    assert [record["outcome"] for record in records(yard_in_process)] == ["Success", "BadDigest"]


def test_a_call_within_a_call_is_recorded(yard_in_process: Yard) -> None:
    """What an operation asks of another is recorded as that operation's doing, under the same request id."""
    yard = yard_in_process
    yard.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="fraud")
    limited = user(
        ACCOUNT,
        "limited",
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sagemaker:Create*", "Resource": "*"}]}',
    )
    source = yard.call("sagemaker", "CreateModelPackage", ModelPackageGroupName="fraud")["ModelPackageArn"]
    with pytest.raises(AccessDeniedException):
        yard.call("sagemaker", "CreateModelPackage", limited, ModelPackageGroupName="fraud", SourceUri=source)
    inner, outer = records(yard)[2:]
    assert (inner["operation"], inner["within"]) == ("DescribeModelPackage", "sagemaker:CreateModelPackage")
    assert (outer["operation"], outer.get("within")) == ("CreateModelPackage", None)
    assert inner["request"] == outer["request"]
    assert inner["outcome"] == outer["outcome"] == "AccessDeniedException"


def test_a_repeated_request_is_told_from_the_first(yard_in_process: Yard) -> None:
    """The second request with one ClientToken is recorded as one that did nothing again."""
    for _ in range(2):
        yard_in_process.call("sagemaker", "CreateModelPackage", ModelPackageName="single", ClientToken="token")
    assert [record.get("repeated", False) for record in records(yard_in_process)] == [False, True]


def test_the_owner_of_a_resource_sees_what_others_do_to_it(yard_in_process: Yard) -> None:
    """A refusal across accounts concerns both: who called, and whose group it is."""
    yard_in_process.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="fraud")
    stranger = user(OTHER_ACCOUNT, "stranger")
    arn = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package-group/fraud"
    with pytest.raises(AccessDeniedException):
        yard_in_process.call("sagemaker", "DescribeModelPackageGroup", stranger, ModelPackageGroupName=arn)
    for caller in (user(), stranger):
        (event,) = yard_in_process.call("modelyard", "LookupEvents", caller, Outcome="Refused")["Events"]
        assert (event["PrincipalArn"], event["Account"], event["Resources"]) == (stranger.arn, OTHER_ACCOUNT, [arn])


def test_the_chain_is_dense_and_whole(yard_in_process: Yard) -> None:
    """Numbers count up from 1, every record names the hash of the one before it, and the walk agrees."""
    ten_records(yard_in_process)
    previous = "0" * 64
    with yard_in_process.house.storage.read() as tx:
        rows = store_audit.after(tx, 0, 100)
    for number, kept in enumerate(rows, start=1):
        assert kept.sequence == number
        assert json.loads(kept.document)["previous"] == previous
        previous = digest(kept.document.encode()).hex()
    found = walked(yard_in_process)
    assert (found.sequence, found.hash, found.problem) == (10, previous, None)


def test_time_never_goes_back_along_the_chain(yard_in_process: Yard) -> None:
    """When the clock is set back, records keep the time of the one before."""
    yard = yard_in_process
    now = yard.clock.now()
    yard.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="a")
    yard.clock.advance(-100)
    yard.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="b")
    assert [record["time"] for record in records(yard)] == [now, now]


def test_the_database_refuses_to_change_the_trail(yard_in_process: Yard) -> None:
    """UPDATE and DELETE on the trail's tables are errors."""
    ten_records(yard_in_process)
    yard_in_process.house.storage.write(yard_in_process.house.trail.keep_checkpoint)
    for table in ("audit_record", "audit_mention", "audit_checkpoint"):
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET sequence = sequence"):
            with pytest.raises((ConstraintViolation, StorageError), match="the audit trail cannot be changed"):
                yard_in_process.house.storage.write(lambda tx, text=statement: tx.execute(text))  # type: ignore[misc]
    assert walked(yard_in_process).problem is None


def test_a_changed_record_is_found(yard_in_process: Yard) -> None:
    """One letter of a record is another one."""
    ten_records(yard_in_process)
    meddle(
        yard_in_process,
        lambda tx: tx.execute("UPDATE audit_record SET document = replace(document, 'group-4', 'group-X') WHERE sequence = 5"),
    )
    assert (problem(yard_in_process).sequence, problem(yard_in_process).kind) == (5, Kind.CHANGED)


def test_a_changed_record_is_found_although_all_hashes_were_made_anew(yard_in_process: Yard) -> None:
    """Whoever recomputes the whole chain after a change still lacks the key of the seals."""
    ten_records(yard_in_process)

    def forge(tx: Transaction) -> None:
        previous = row(tx, 4).hash.hex()
        for number in range(5, 11):
            record = json.loads(row(tx, number).document)
            record["previous"] = previous
            record["principal"] = "arn:aws:iam::111122223333:user/somebody-else"
            document = canonical(record)
            previous = digest(document).hex()
            tx.execute(
                "UPDATE audit_record SET document = :document, hash = :hash WHERE sequence = :number",
                {"document": document.decode(), "hash": digest(document), "number": number},
            )

    meddle(yard_in_process, forge)
    assert (problem(yard_in_process).sequence, problem(yard_in_process).kind) == (5, Kind.CHANGED)


@pytest.mark.parametrize("renumbered", [False, True])
def test_a_removed_record_is_found(yard_in_process: Yard, renumbered: bool) -> None:
    """A record is gone, and the numbers after it were closed up or not."""
    ten_records(yard_in_process)

    def remove(tx: Transaction) -> None:
        tx.execute("DELETE FROM audit_record WHERE sequence = 5")
        for number in range(6, 11) if renumbered else ():
            renumber(tx, number, number - 1)

    meddle(yard_in_process, remove)
    assert (problem(yard_in_process).sequence, problem(yard_in_process).kind) == (5, Kind.REMOVED)


def test_records_cut_off_the_end_are_found_by_a_checkpoint(yard_in_process: Yard) -> None:
    """The chain that is left fits together, but a checkpoint knows of more."""
    ten_records(yard_in_process)
    known = yard_in_process.house.storage.write(yard_in_process.house.trail.keep_checkpoint)
    meddle(yard_in_process, lambda tx: tx.execute("DELETE FROM audit_record WHERE sequence > 7"))
    assert (problem(yard_in_process).sequence, problem(yard_in_process).kind) == (8, Kind.REMOVED)
    yard_in_process.house.storage.write(lambda tx: tx.execute("DELETE FROM audit_checkpoint"))
    yard_in_process.house.storage.write(lambda tx: tx.execute("DELETE FROM audit_mention WHERE sequence > 7"))
    assert walked(yard_in_process).problem is None
    told = walked(yard_in_process, known=known).problem
    assert told is not None and (told.sequence, told.kind) == (8, Kind.REMOVED)


def test_the_last_record_is_missed_without_any_checkpoint(yard_in_process: Yard) -> None:
    """What notes it by whom and what it is about stays behind."""
    ten_records(yard_in_process)
    meddle(yard_in_process, lambda tx: tx.execute("DELETE FROM audit_record WHERE sequence = 10"))
    assert problem(yard_in_process) == Problem(10, Kind.REMOVED, "Record 10 is missing.")


def test_a_trail_that_was_emptied_is_missed(yard_in_process: Yard) -> None:
    """Nothing of it is left; but there are events, which come with changes that were recorded."""
    assert walked(yard_in_process).problem is None, "an empty yard is whole"
    ten_records(yard_in_process)
    yard_in_process.house.storage.write(yard_in_process.house.trail.keep_checkpoint)

    def empty(tx: Transaction) -> None:
        for table in ("record", "mention", "checkpoint"):
            tx.execute(f"DELETE FROM audit_{table}")

    meddle(yard_in_process, empty)
    assert problem(yard_in_process) == Problem(1, Kind.REMOVED, "Record 1 is missing.")


@pytest.mark.parametrize("place", [5, 11])
def test_an_added_record_is_found(yard_in_process: Yard, place: int) -> None:
    """A record that fits, in the middle or at the end, was not written here."""
    ten_records(yard_in_process)

    def add(tx: Transaction) -> None:
        record = json.loads(row(tx, 1).document)
        record |= {"sequence": place, "previous": row(tx, place - 1).hash.hex(), "operation": "ApprovedByNobody"}
        document = canonical(record)
        for number in range(10, place - 1, -1):
            renumber(tx, number, number + 1)
        tx.execute(
            "INSERT INTO audit_record (sequence, time, hash, seal, document) VALUES (:place, :time, :hash, :seal, :document)",
            {
                "place": place,
                "time": record["time"],
                "hash": digest(document),
                "seal": b"x" * 16,
                "document": document.decode(),
            },
        )

    meddle(yard_in_process, add)
    assert (problem(yard_in_process).sequence, problem(yard_in_process).kind) == (place, Kind.ADDED)


def test_a_copied_record_is_found(yard_in_process: Yard) -> None:
    """A true record that stands a second time, at the end, was added."""
    ten_records(yard_in_process)
    meddle(
        yard_in_process,
        lambda tx: tx.execute(
            "INSERT INTO audit_record (sequence, time, hash, seal, document)"
            " SELECT 11, time, hash, seal, document FROM audit_record WHERE sequence = 3"
        ),
    )
    assert (problem(yard_in_process).sequence, problem(yard_in_process).kind) == (11, Kind.ADDED)


def test_reordered_records_are_found(yard_in_process: Yard) -> None:
    """Two records changed places."""
    ten_records(yard_in_process)

    def swap(tx: Transaction) -> None:
        for old, new in ((5, 100), (8, 5), (100, 8)):
            renumber(tx, old, new)

    meddle(yard_in_process, swap)
    assert (problem(yard_in_process).sequence, problem(yard_in_process).kind) == (5, Kind.REORDERED)


def test_a_record_that_look_ups_no_longer_find_is_found(yard_in_process: Yard) -> None:
    """Hiding a record from LookupEvents by removing a note of what it is about is found as well."""
    ten_records(yard_in_process)
    meddle(yard_in_process, lambda tx: tx.execute("DELETE FROM audit_mention WHERE sequence = 4"))
    assert (problem(yard_in_process).sequence, problem(yard_in_process).kind) == (4, Kind.REMOVED)


def test_a_forged_checkpoint_is_found(yard_in_process: Yard) -> None:
    """A checkpoint whose statement was changed does not have its signature."""
    ten_records(yard_in_process)
    yard_in_process.house.storage.write(yard_in_process.house.trail.keep_checkpoint)
    meddle(
        yard_in_process,
        lambda tx: tx.execute("UPDATE audit_checkpoint SET document = replace(document, '\"time\":1', '\"time\":2')"),
    )
    assert (problem(yard_in_process).sequence, problem(yard_in_process).kind) == (10, Kind.CHANGED)


def test_another_key_ring_finds_that_nothing_is_its_own(yard_in_process: Yard) -> None:
    """The seals hold under the master key of this yard alone."""

    class OtherKeys:
        def derive(self, purpose: str) -> bytes:
            return purpose.encode().ljust(32)[:32]

    ten_records(yard_in_process)
    trail = AuditTrail(OtherKeys(), yard_in_process.clock)
    with yard_in_process.house.storage.read() as tx:
        found = step(tx, trail, Walked()).problem
    assert found is not None and found.sequence == 1


def test_what_is_undone_is_not_recorded(yard_in_process: Yard) -> None:
    """A record lives and dies with its transaction."""

    def work(tx: Transaction) -> None:
        context = yard_in_process.context().within(tx)
        context.call("sagemaker", "CreateModelPackageGroup", {"ModelPackageGroupName": "fraud"})
        raise KeyError("the caller gave up")

    with pytest.raises(KeyError):
        yard_in_process.house.storage.write(work)
    assert records(yard_in_process) == []


@pytest.mark.parametrize("caught", [True, False])
def test_refusals_in_a_transaction_with_no_request_behind_it_are_recorded(yard_in_process: Yard, caught: bool) -> None:
    """What the server does by itself is recorded like what it is asked for, whether its transaction ends well or is undone."""
    yard = yard_in_process

    def work(tx: Transaction) -> None:
        context = yard.context(user(ACCOUNT, "nobody", DENY_ALL)).within(tx)
        try:
            context.call("sagemaker", "CreateModelPackageGroup", {"ModelPackageGroupName": "fraud"})
        except AccessDeniedException:
            if not caught:
                raise

    if caught:
        yard.house.storage.write(work)
    else:
        with pytest.raises(AccessDeniedException):
            yard.house.storage.write(work)
    yard.house.storage.write(lambda tx: None)  # what is queued comes before it
    [record] = records(yard)
    assert (record["operation"], record["outcome"]) == ("CreateModelPackageGroup", "AccessDeniedException")
    assert record["principal"].endswith("user/nobody")


def test_refusals_within_a_call_that_changes_nothing_itself_are_recorded(yard_in_process: Yard) -> None:
    """A message that a queue does not take is published all the same; that the queue refused it is recorded."""
    yard, arn = yard_in_process, f"arn:aws:sqs:us-east-1:{ACCOUNT}:shut"
    topic = yard.call("sns", "CreateTopic", Name="results")["TopicArn"]
    yard.call("sqs", "CreateQueue", QueueName="shut")
    yard.call("sns", "Subscribe", TopicArn=topic, Protocol="sqs", Endpoint=arn)
    yard.call("sns", "Publish", TopicArn=topic, Message="m")
    record = records(yard)[-1]
    assert (record["operation"], record["within"], record["principal"]) == ("SendMessage", "sns:Publish", "sns.amazonaws.com")
