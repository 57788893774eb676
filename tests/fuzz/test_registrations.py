"""What is registered is what Describe answers, and refused registrations leave no trace."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.answers import checked
from tests.fuzz.conftest import FuzzedYard
from tests.fuzz.requests import Requests

pytestmark = [pytest.mark.ours, pytest.mark.slow]
PROFILE = settings.get_profile("fuzz")
NOT_FOR_VERSIONS = (
    "ModelPackageName",
    "Tags",
    "ValidationSpecification",
    "ClientToken",
    "SourceUri",
    "ModelCard",
    "CertifyForMarketplace",
)
RULES = ("names must be unique", "needs a ModelDataUrl or a ModelDataSource")
"""What the registry asks for beyond the service model."""
ADDED = {
    "ModelPackageName",
    "ModelPackageArn",
    "ModelPackageVersion",
    "CreationTime",
    "CreatedBy",
    "ModelPackageStatus",
    "ModelPackageStatusDetails",
    "CertifyForMarketplace",
}


def pruned(value: Any) -> Any:
    """Without empty structures, which AWS does not send."""
    if isinstance(value, dict):
        members = {name: pruned(member) for name, member in value.items()}
        return {name: member for name, member in members.items() if member != {}}
    return [pruned(item) for item in value] if isinstance(value, list) else value


def call(fuzzed: FuzzedYard, operation: str, **parameters: Any) -> Any:
    answer = fuzzed.wire.call("sagemaker", operation, parameters)
    assert answer.status == 200, answer
    return json.loads(answer.body)


@settings(PROFILE, max_examples=PROFILE.max_examples * 8)
@given(st.data())
def test_describe_answers_what_was_registered(fuzzed: FuzzedYard, data: st.DataObject):
    """Describe answers every member of a valid registration exactly as it was sent."""
    fuzzed.seeds.sow("sagemaker")
    request = data.draw(Requests("sagemaker", "CreateModelPackage", fuzzed.seeds.known()).valid())
    request = {name: value for name, value in request.items() if name not in NOT_FOR_VERSIONS}
    request["ModelPackageGroupName"] = "fuzz-group"
    answer = fuzzed.wire.call("sagemaker", "CreateModelPackage", request)
    refusal = checked(answer, "sagemaker")
    if refusal is not None:
        assert any(rule in refusal.message for rule in RULES), refusal
        return
    described = call(fuzzed, "DescribeModelPackage", ModelPackageName=json.loads(answer.body)["ModelPackageArn"])
    request.setdefault("ModelApprovalStatus", "PendingManualApproval")
    kept = {name: value for name, value in described.items() if name not in ADDED}
    assert kept == {name: value for name, value in pruned(request).items() if value != ""}


@PROFILE
@given(st.data())
def test_refused_registrations_take_no_number(fuzzed: FuzzedYard, data: st.DataObject):
    """After refused registrations the list of versions is what it was, and the next number is the one after the last."""
    fuzzed.seeds.sow("sagemaker")
    requests = Requests("sagemaker", "CreateModelPackage", fuzzed.seeds.known())
    last = call(fuzzed, "CreateModelPackage", ModelPackageGroupName="fuzz-group")["ModelPackageArn"]
    before = call(fuzzed, "ListModelPackages", ModelPackageGroupName="fuzz-group", SortOrder="Descending")
    expected = int(last.rpartition("/")[2])
    for _ in range(3):
        request, _damage = data.draw(requests.broken(requests))
        request.pop("ModelPackageName", None)
        answer = fuzzed.wire.call("sagemaker", "CreateModelPackage", {"ModelPackageGroupName": "fuzz-group", **request})
        if checked(answer, "sagemaker") is None and "fuzz-group" in (arn := json.loads(answer.body)["ModelPackageArn"]):
            expected += 1
            assert arn.endswith(f"/{expected}")
        else:
            after = call(fuzzed, "ListModelPackages", ModelPackageGroupName="fuzz-group", SortOrder="Descending")
            assert expected > int(last.rpartition("/")[2]) or after == before
    following = call(fuzzed, "CreateModelPackage", ModelPackageGroupName="fuzz-group")["ModelPackageArn"]
    assert int(following.rpartition("/")[2]) == expected + 1


@PROFILE
@given(
    st.lists(st.binary(max_size=300_000), max_size=4),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60),
)
def test_objects_come_back(fuzzed: FuzzedYard, contents: list[bytes], key: str):
    """Any bytes under any key come back, and each put replaces the whole of the one before."""
    fuzzed.seeds.sow("s3")
    place = {"Bucket": "fuzz-bucket", "Key": f"any/{key}"}
    for content in contents:
        answer = fuzzed.wire.call("s3", "PutObject", {**place, "Body": content})
        assert checked(answer, "s3") is None
        got = fuzzed.wire.call("s3", "GetObject", place)
        assert got.status == 200 and got.body == content
    fuzzed.wire.call("s3", "DeleteObject", place)
    assert fuzzed.wire.call("s3", "GetObject", place).status == 404
