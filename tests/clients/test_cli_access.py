"""`modelyard access explain`, over HTTP with the shell's credentials and on the data directory."""

import json
import subprocess

import pytest
from tests.running import ACCOUNT, MODELYARD, OTHER_ACCOUNT, RunningYard

pytestmark = [pytest.mark.slow, pytest.mark.ours]

BUCKET = "arn:aws:s3:::explained"


def explain(yard: RunningYard, *arguments: str, data: bool = False) -> subprocess.CompletedProcess[str]:
    """Run the command as the administrator of the account."""
    command = [*MODELYARD, "access", "explain", *arguments, *(["--data", str(yard.data)] if data else [])]
    return subprocess.run(command, env=yard.environment(), capture_output=True, text=True, check=False, timeout=60)


def test_a_refusal_across_accounts_is_explained_step_by_step(yard: RunningYard) -> None:
    """The user's own policies, then the bucket's; in the end both statements, of which the other account's keeps its words."""
    iam, theirs = yard.client("iam"), yard.client("s3", OTHER_ACCOUNT)
    iam.create_user(UserName="explained")
    theirs.create_bucket(Bucket="explained")
    asked = ("--principal", "user/explained", "--action", "s3:GetObject", "--resource", f"{BUCKET}/model.tar.gz")
    user = f"arn:aws:iam::{ACCOUNT}:user/explained"
    told = explain(yard, *asked)
    assert told.returncode == 0 and told.stdout.splitlines() == [
        f"Denied: s3:GetObject on {BUCKET}/model.tar.gz by {user}",
        f"  No policy of {user} in account {ACCOUNT} allows s3:GetObject on {BUCKET}/model.tar.gz.",
    ]
    statement = {"Sid": "Fetch", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    iam.put_user_policy(UserName="explained", PolicyName="work", PolicyDocument=json.dumps(document(statement)))
    assert explain(yard, *asked).stdout.splitlines()[1] == (
        f"  The policy of {BUCKET} in account {OTHER_ACCOUNT} does not allow s3:GetObject on {BUCKET}/model.tar.gz."
    )
    shared = {**statement, "Sid": "Share", "Resource": f"{BUCKET}/*", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
    theirs.put_bucket_policy(Bucket="explained", Policy=json.dumps(document(shared)))
    for data in (False, True):
        lines = explain(yard, *("--principal", user, *asked[2:]), data=data).stdout.splitlines()
        assert lines[0].startswith("Allowed: ")
        assert "  Allowed by statement 1 (Fetch) of the policy work of the principal" in lines
        assert lines[-2:] == [
            f"  Allowed by statement 1 (Share) of the policy of {BUCKET}",
            "    (its words are for the account that owns it)",
        ]
    answer = json.loads(explain(yard, *asked, "--output", "json").stdout)
    assert answer["Allowed"] and answer["ResourceAccount"] == OTHER_ACCOUNT


def document(*statements: dict[str, object]) -> dict[str, object]:
    """A policy."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def test_condition_keys_are_given(yard: RunningYard) -> None:
    """By --context, several values by giving a key again; what is no KEY=VALUE is told."""
    iam = yard.client("iam")
    iam.create_user(UserName="conditional")
    condition = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}
    statement = {"Effect": "Allow", "Action": "sagemaker:AddTags", "Resource": "*", "Condition": condition}
    iam.put_user_policy(UserName="conditional", PolicyName="work", PolicyDocument=json.dumps(document(statement)))
    asked = ("--principal", "user/conditional", "--action", "sagemaker:AddTags")
    assert explain(yard, *asked).stdout.startswith("Denied: ")
    given = ("--context", "aws:SourceIp=10.1.2.3", "--context", "aws:TagKeys=a", "--context", "aws:TagKeys=b")
    assert explain(yard, *asked, *given).stdout.startswith("Allowed: ")
    assert explain(yard, *asked, *given, "--context", "aws:TagKeys=c").stdout.startswith("Denied: ")
    wrong = explain(yard, *asked, "--context", "10.1.2.3")
    assert wrong.returncode == 1 and "is not KEY=VALUE" in wrong.stderr


def test_whom_it_cannot_explain_is_told(yard: RunningYard) -> None:
    """Nobody of that name, and principals of an account that the shell has no credentials of."""
    nobody = explain(yard, "--principal", "user/nobody-there", "--action", "s3:GetObject")
    assert nobody.returncode == 1 and "There is no user or role" in nobody.stderr
    other = explain(yard, "--principal", f"arn:aws:iam::{OTHER_ACCOUNT}:user/admin", "--action", "s3:GetObject")
    assert other.returncode == 1 and f"credentials of account {ACCOUNT}, not of {OTHER_ACCOUNT}" in other.stderr
    assert (
        explain(yard, "--principal", f"arn:aws:iam::{OTHER_ACCOUNT}:user/admin", "--action", "s3:GetObject", data=True).returncode
        == 0
    )
