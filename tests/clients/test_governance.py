"""The extras service with an unmodified boto3 and AWS CLI, and what reaches the audit trail over HTTP."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError
from tests.running import ACCOUNT, Credentials, RunningYard, both_databases

from modelyard.dispatch.rationing import BURST

pytestmark = [pytest.mark.slow, pytest.mark.ours, both_databases]

AWS = Path(sys.executable).with_name("aws")


@pytest.fixture
def modelyard(yard: RunningYard, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`boto3.client("modelyard")` in the environment that `modelyard env` makes."""
    for name, value in yard.environment().items():
        monkeypatch.setenv(name, value)
    return boto3.session.Session().client("modelyard")


def refused_keys(yard: RunningYard, name: str) -> Credentials:
    """The key of a new user who may do nothing."""
    iam = yard.client("iam")
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"])


def everything(modelyard: Any, **query: Any) -> list[Any]:
    return [event for page in modelyard.get_paginator("lookup_events").paginate(**query) for event in page["Events"]]


def test_boto3_looks_up_changes_and_refusals(yard: RunningYard, modelyard: Any) -> None:
    """What a client did, and what another was refused, with the address and the program that asked."""
    registry = yard.client("sagemaker")
    arn = registry.create_model_package_group(ModelPackageGroupName="governed")["ModelPackageGroupArn"]
    nobody = refused_keys(yard, "nobody")
    for call in ("describe_model_package_group", "delete_model_package_group"):
        with pytest.raises(ClientError):
            getattr(yard.client("sagemaker", credentials=nobody), call)(ModelPackageGroupName="governed")
    found = everything(modelyard, ResourceArn=arn)
    assert [(event["Operation"], event["Outcome"], event["ReadOnly"]) for event in found] == [
        ("DeleteModelPackageGroup", "AccessDeniedException", False),
        ("DescribeModelPackageGroup", "AccessDeniedException", True),
        ("CreateModelPackageGroup", "Success", False),
    ]
    assert found[0]["PrincipalArn"] == f"arn:aws:iam::{ACCOUNT}:user/nobody"
    assert found[0]["SourceIp"] == "127.0.0.1"
    assert found[0]["UserAgent"].startswith("Boto3/")
    assert found[0]["Time"].timestamp() == pytest.approx(time.time(), abs=120)


def test_boto3_verifies_and_signs(yard: RunningYard, modelyard: Any) -> None:
    """The chain is whole as far as a checkpoint says, and the command line agrees."""
    yard.client("sagemaker").create_model_package_group(ModelPackageGroupName="verified")
    checkpoint = modelyard.get_audit_checkpoint()
    pages = list(modelyard.get_paginator("verify_audit").paginate(Checkpoint=checkpoint["Checkpoint"]))
    assert all(page["Whole"] and not page["Problems"] for page in pages)
    assert pages[-1]["LastSequence"] >= checkpoint["Sequence"]
    assert modelyard.get_audit_public_key()["PublicKey"] == yard.modelyard("audit", "public-key")
    assert json.loads(yard.modelyard("audit", "verify", "--output", "json"))["whole"]


def test_boto3_follows_changes_explains_and_looks_back(yard: RunningYard, modelyard: Any) -> None:
    """ListChanges, GetStateAsOf and ExplainAccess, with timestamps as boto3 has them."""
    registry = yard.client("sagemaker")
    registry.create_model_package_group(ModelPackageGroupName="followed")
    package = registry.create_model_package(ModelPackageGroupName="followed")["ModelPackageArn"]
    then = registry.describe_model_package(ModelPackageName=package)["CreationTime"]
    time.sleep(0.01)
    registry.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
    changes = modelyard.list_changes(ModelPackageGroupName="followed")
    assert [json.loads(change["Detail"]).get("ModelApprovalStatus") for change in changes["Changes"]] == [
        None,
        "PendingManualApproval",
        "Approved",
    ]
    assert modelyard.list_changes(ModelPackageGroupName="followed", StartAfter=changes["LastPosition"])["Changes"] == []
    (past,) = modelyard.get_state_as_of(ModelPackageGroupName="followed", Time=then)["Versions"]
    assert past["ModelApprovalStatus"] == "PendingManualApproval"
    told = modelyard.explain_access(
        PrincipalArn=f"arn:aws:iam::{ACCOUNT}:user/admin", Action="sagemaker:DescribeModelPackage", ResourceArn=package
    )
    assert told["Allowed"] and told["Statements"]


def test_the_aws_cli_knows_the_service(yard: RunningYard) -> None:
    """`aws modelyard lookup-events` and `aws cloudtrail lookup-events`, in the environment of `modelyard env`."""
    for command in (
        ("modelyard", "lookup-events", "--max-items", "1", "--query", "Events[0].Sequence"),
        ("cloudtrail", "lookup-events", "--max-items", "1", "--query", "Events[0].EventName"),
    ):
        done = subprocess.run([AWS, *command], env=yard.environment(), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)


def test_refused_signatures_of_known_keys_are_recorded_within_a_ration(yard: RunningYard, modelyard: Any) -> None:
    """A known key with a wrong secret is recorded, at most a burst of times; an unknown key never is."""
    known = refused_keys(yard, "guessed")
    guessing = yard.client("sagemaker", credentials=Credentials(known.access_key_id, "x" * 40))
    for _ in range(BURST + 5):
        with pytest.raises(ClientError, match="InvalidSignature"):
            guessing.list_model_package_groups()
    before = len(everything(modelyard, Outcome="Refused"))
    with pytest.raises(ClientError):
        yard.client("sagemaker", credentials=Credentials("AKIAUNKNOWNUNKNOWN00", "x" * 40)).list_model_package_groups()
    assert len(everything(modelyard, Outcome="Refused")) == before
    found = everything(modelyard, PrincipalArn=f"arn:aws:iam::{ACCOUNT}:user/guessed")
    assert len(found) == BURST
    record = json.loads(found[0]["Record"])
    assert (record["authenticated"], record["access_key"], record["outcome"]) == (
        False,
        known.access_key_id,
        "InvalidSignatureException",
    )


def test_presigned_requests_that_were_tampered_with_are_recorded(yard: RunningYard, modelyard: Any) -> None:
    """The key in a query string counts as well as one in a header."""
    s3 = yard.client("s3", credentials=refused_keys(yard, "presigner"))
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "somebody", "Key": "a"})
    assert httpx.get(url.replace("/a?", "/b?")).status_code == 403
    (found,) = everything(modelyard, PrincipalArn=f"arn:aws:iam::{ACCOUNT}:user/presigner")
    assert (found["Operation"], found["Outcome"]) == ("GetObject", "SignatureDoesNotMatch")


def test_secrets_do_not_get_into_the_trail(yard: RunningYard, modelyard: Any) -> None:
    """Neither what is sent nor what is answered."""
    iam, sts = yard.client("iam"), yard.client("sts")
    iam.create_user(UserName="keeper")
    secret = iam.create_access_key(UserName="keeper")["AccessKey"]["SecretAccessKey"]
    session = sts.get_session_token()["Credentials"]
    yard.client("s3").create_bucket(Bucket="keeper-bucket")
    yard.client("s3").put_object(Bucket="keeper-bucket", Key="k", Body=b"very confidential bytes")
    trail = yard.modelyard("audit", "export")
    for word in (secret, session["SecretAccessKey"], session["SessionToken"], "very confidential bytes"):
        assert word not in trail
    assert '"operation":"GetSessionToken"' in trail or '"operation":"PutObject"' in trail


def test_an_export_is_verified_with_the_public_key_alone(yard: RunningYard, tmp_path: Path) -> None:
    """Offline, without the data directory: whole as exported, and not when a line is changed, removed, added or moved."""
    yard.client("sagemaker").create_model_package_group(ModelPackageGroupName="exported")
    key, export, kept = tmp_path / "key.pem", tmp_path / "trail.jsonl", tmp_path / "checkpoint.json"
    key.write_text(yard.modelyard("audit", "public-key"))
    kept.write_text(yard.modelyard("audit", "checkpoint"))
    yard.modelyard("audit", "export", "--to", str(export))

    def verified(lines: list[str]) -> tuple[int, Any, str]:
        changed = tmp_path / "changed.jsonl"
        changed.write_text("".join(lines))
        command = ["audit", "verify", "--export", changed, "--public-key", key, "--checkpoint", kept, "--output", "json"]
        done = subprocess.run(
            [sys.executable, "-m", "modelyard.cli.main", *map(str, command)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, json.loads(done.stdout), done.stderr

    lines = export.read_text().splitlines(keepends=True)
    code, told, _ = verified(lines)
    assert (code, told["whole"], told["signed_to"]) == (0, True, told["records"])
    records = [place for place, line in enumerate(lines) if line.startswith('{"account"')]
    second, third = records[1], records[2]
    damaged = {
        "changed": [line.replace("Success", "success", 1) if place == second else line for place, line in enumerate(lines)],
        "removed": [line for place, line in enumerate(lines) if place != second],
        "reordered": [lines[second] if p == third else lines[third] if p == second else line for p, line in enumerate(lines)],
        "cut off": lines[: records[-1]],
        "added": [*lines, lines[second]],
    }
    for how, meddled in damaged.items():
        code, told, said = verified(meddled)
        assert code == 1, how
        assert not told["whole"]
        assert "The audit trail is not whole" in said and str(told["problem"]["sequence"]) in said, how
