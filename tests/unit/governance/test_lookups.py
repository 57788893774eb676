"""LookupEvents of our own and of CloudTrail, VerifyAudit and checkpoints, as operations."""

import hashlib
import json
from itertools import pairwise
from typing import Any

import pytest
from tests.harness import ACCOUNT, OTHER_ACCOUNT, START, Yard, user

from modelyard.aws.errors import AccessDeniedException, AwsError, ResourceNotFound, ValidationException
from modelyard.governance import lookup

pytestmark = pytest.mark.ours

LIMITED = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sagemaker:Describe*", "Resource": "*"}]}'


def busy(yard: Yard) -> None:
    """Five groups, ten seconds apart, then a refusal and a failure of somebody else."""
    for number in range(5):
        yard.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName=f"Group-{number}")
        yard.clock.advance(10)
    ann = user(ACCOUNT, "ann", LIMITED)
    with pytest.raises(AccessDeniedException):
        yard.call("sagemaker", "DeleteModelPackageGroup", ann, ModelPackageGroupName="Group-1")
    with pytest.raises(ValidationException):
        yard.call("sagemaker", "DeleteModelPackageGroup", ModelPackageGroupName="missing")


def numbers(answer: Any) -> list[int]:
    return [event["Sequence"] for event in answer["Events"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [7, 6, 5, 4, 3, 2, 1]),
        ({"StartTime": START + 10, "EndTime": START + 30}, [3, 2]),
        ({"StartTime": START + 1000}, []),
        ({"EndTime": START}, []),
        ({"PrincipalArn": f"arn:aws:iam::{ACCOUNT}:user/ann"}, [6]),
        ({"Service": "sagemaker", "Operation": "DeleteModelPackageGroup"}, [7, 6]),
        ({"Service": "s3"}, []),
        ({"ResourceArn": f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package-group/group-1"}, [6, 2]),
        ({"ResourceArn": f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package-group/missing"}, [7]),
        ({"Outcome": "Success", "StartTime": START + 25}, [5, 4]),
        ({"Outcome": "Refused"}, [6]),
        ({"Outcome": "Failed"}, [7]),
    ],
)
def test_what_is_asked_for_is_found(yard_in_process: Yard, query: dict[str, Any], expected: list[int]) -> None:
    """Every filter by itself and with others, newest first."""
    busy(yard_in_process)
    assert numbers(yard_in_process.call("modelyard", "LookupEvents", **query)) == expected


def test_pages_neither_skip_nor_repeat_while_records_are_added(yard_in_process: Yard) -> None:
    """New records, the look-ups' own refusals among them, do not disturb a walk that has begun."""
    busy(yard_in_process)
    seen, token = [], {}
    while True:
        answer = yard_in_process.call("modelyard", "LookupEvents", MaxResults=2, **token)
        seen += numbers(answer)
        yard_in_process.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName=f"new-{len(seen)}")
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert seen == [7, 6, 5, 4, 3, 2, 1]


def test_a_rare_record_is_found_over_several_pages(yard_in_process: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page looks at so many records and no more; an empty one has a token to go on with."""
    monkeypatch.setattr(lookup, "CHUNK", 2)
    monkeypatch.setattr(lookup, "MOST_LOOKED_AT", 2)
    busy(yard_in_process)
    answer = yard_in_process.call("modelyard", "LookupEvents", EndTime=START + 45, Operation="CreateModelPackageGroup")
    assert numbers(answer) == [5, 4]
    assert "NextToken" in answer


def test_a_token_is_good_for_its_query_alone(yard_in_process: Yard) -> None:
    """Another filter, or another account, cannot go on with it."""
    busy(yard_in_process)
    token = yard_in_process.call("modelyard", "LookupEvents", MaxResults=1)["NextToken"]
    for caller, query in ((user(), {"Service": "s3"}), (user(OTHER_ACCOUNT), {})):
        with pytest.raises(ValidationException):
            yard_in_process.call("modelyard", "LookupEvents", caller, NextToken=token, **query)


def test_an_account_sees_its_own_records_alone(yard_in_process: Yard) -> None:
    """Also when it asks for a resource or a principal of another one."""
    busy(yard_in_process)
    stranger = user(OTHER_ACCOUNT, "stranger")
    for query in ({}, {"ResourceArn": f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package-group/group-1"}):
        assert numbers(yard_in_process.call("modelyard", "LookupEvents", stranger, **query)) == []


def test_the_record_hashes_to_what_the_next_one_names(yard_in_process: Yard) -> None:
    """Whoever looks up a record can check the chain with a hash function alone."""
    busy(yard_in_process)
    events = yard_in_process.call("modelyard", "LookupEvents")["Events"]
    for later, earlier in pairwise(events):
        assert json.loads(later["Record"])["previous"] == hashlib.sha256(earlier["Record"].encode()).hexdigest()


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("LookupEvents", {}),
        ("VerifyAudit", {}),
        ("GetAuditCheckpoint", {}),
        ("GetAuditPublicKey", {}),
        ("ListChanges", {}),
        ("ListChanges", {"ModelPackageGroupName": "g"}),
        ("GetStateAsOf", {"ModelPackageGroupName": "g", "Time": START}),
        ("ExplainAccess", {"PrincipalArn": f"arn:aws:iam::{ACCOUNT}:user/x", "Action": "s3:GetObject", "ResourceArn": "*"}),
    ],
)
def test_each_operation_is_a_permission(yard_in_process: Yard, operation: str, request_: dict[str, Any]) -> None:
    """Without `modelyard:<Operation>` it is refused."""
    with pytest.raises(AccessDeniedException, match=f"modelyard:{operation}"):
        yard_in_process.call("modelyard", operation, user(ACCOUNT, "ann", LIMITED), **request_)


def test_verification_walks_on_with_its_token_and_agrees_with_a_checkpoint(
    yard_in_process: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long chain takes several calls; a checkpoint that was kept elsewhere is compared."""
    from modelyard.governance.operations import audit

    monkeypatch.setattr(audit, "STEPS", 1)
    monkeypatch.setattr("modelyard.events.verification.AHEAD", 1)
    original = audit.step
    monkeypatch.setattr(audit, "step", lambda *arguments, **more: original(*arguments, size=3, **more))
    with pytest.raises(ResourceNotFound):
        yard_in_process.call("modelyard", "GetAuditCheckpoint")
    busy(yard_in_process)
    checkpoint = yard_in_process.call("modelyard", "GetAuditCheckpoint")
    assert checkpoint["Sequence"] == 7
    calls, token = 0, {}
    while True:
        answer = yard_in_process.call("modelyard", "VerifyAudit", Checkpoint=checkpoint["Checkpoint"], **token)
        calls += 1
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert (answer["Whole"], answer["Problems"], answer["LastSequence"], calls) == (True, [], 7, 3)
    assert answer["LastHash"] == checkpoint["Hash"]
    forged = {
        **checkpoint["Checkpoint"],
        "Document": checkpoint["Checkpoint"]["Document"].replace('"sequence":7', '"sequence":9'),
    }
    monkeypatch.setattr(audit, "STEPS", 5)
    answer = yard_in_process.call("modelyard", "VerifyAudit", Checkpoint=forged)
    assert answer["Problems"][0]["Kind"] == "changed"
    with pytest.raises(ValidationException):
        yard_in_process.call("modelyard", "VerifyAudit", Checkpoint={"Document": "{}", "Signature": "x"})


@pytest.mark.documented
def test_cloudtrail_answers_from_the_same_trail(yard_in_process: Yard) -> None:
    """Event names, sources, read-only as text, resources with types, and the whole record as CloudTrailEvent."""
    busy(yard_in_process)
    events = yard_in_process.call("cloudtrail", "LookupEvents")["Events"]
    assert [event["EventName"] for event in events[:2]] == ["DeleteModelPackageGroup"] * 2
    refused = events[1]
    assert (refused["Username"], refused["ReadOnly"], refused["EventSource"]) == ("ann", "false", "sagemaker.amazonaws.com")
    assert refused["Resources"][0]["ResourceType"] == "AWS::SageMaker::ModelPackageGroup"
    told = json.loads(refused["CloudTrailEvent"])
    assert (told["errorCode"], told["userIdentity"]["type"], told["eventID"]) == (
        "AccessDeniedException",
        "IAMUser",
        refused["EventId"],
    )


@pytest.mark.documented
@pytest.mark.parametrize(
    ("key", "value", "count"),
    [
        ("EventName", "CreateModelPackageGroup", 5),
        ("Username", "ann", 1),
        ("ResourceName", "Group-1", 2),
        ("ReadOnly", "true", 0),
        ("EventSource", "s3.amazonaws.com", 0),
        ("ResourceType", "AWS::SageMaker::ModelPackageGroup", 7),
    ],
)
def test_cloudtrail_looks_up_by_attribute(yard_in_process: Yard, key: str, value: str, count: int) -> None:
    """One attribute at a time."""
    busy(yard_in_process)
    found = yard_in_process.call("cloudtrail", "LookupEvents", LookupAttributes=[{"AttributeKey": key, "AttributeValue": value}])
    assert len(found["Events"]) == count


@pytest.mark.documented
def test_cloudtrail_refuses_what_it_cannot_look_up(yard_in_process: Yard) -> None:
    """Two attributes, Insights events and a time range that ends before it begins."""
    attribute = {"AttributeKey": "EventName", "AttributeValue": "x"}
    for request in ({"LookupAttributes": [attribute] * 2}, {"EventCategory": "insight"}, {"StartTime": 2.0, "EndTime": 1.0}):
        with pytest.raises(AwsError):
            yard_in_process.call("cloudtrail", "LookupEvents", **request)
