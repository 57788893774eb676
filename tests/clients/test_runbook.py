"""`modelyard groups setup | verify | cleanup` as teams run it, and what the roles it makes can do, with real clients."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.running import ACCOUNT, MODELYARD, Credentials, RunningYard, both_databases

pytestmark = [pytest.mark.slow, pytest.mark.ours]

AWS = [sys.executable, "-m", "awscli"]


class Runbook:
    """The commands, on teams whose names no other test has."""

    def __init__(self, yard: RunningYard, folder: Path, team: str) -> None:
        self.yard = yard
        self.file = folder / "teams.env"
        self.file.write_text(
            f"export ENABLE_MODEL_REGISTRY=true\nTEAMS=({team} {team}-algo)\n"
            f'{team.upper()}_PROJECTS="fraud-detection anti-money-laundering"  # two\n'
            f"{team.upper()}_ALGO_PROJECTS=recommendation-engine\n"
        )
        self.groups = [f"{team}-fraud-detection", f"{team}-anti-money-laundering", f"{team}-algo-recommendation-engine"]

    def __call__(self, *arguments: str, said: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """Run `modelyard groups …` against the server, with the administrator's variables and others."""
        environment = {**self.yard.environment(), **variables}
        command = [*MODELYARD, "groups", *arguments]
        return subprocess.run(command, env=environment, input=said, capture_output=True, text=True, check=False, timeout=120)

    def run(self, *arguments: str) -> dict[str, Any]:
        """The same with the file, and what it prints for programs; it has to succeed."""
        done = self(*arguments, "--config", str(self.file), "--output", "json")
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


def assumed(yard: RunningYard, role: str) -> Credentials:
    """A session of a role, as the administrator gets one."""
    issued = yard.client("sts").assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}", RoleSessionName="ann")["Credentials"]
    return Credentials(issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"])


def refused(work: Any, **request: Any) -> bool:
    """Whether a call is refused for want of permission."""
    try:
        work(**request)
    except ClientError as error:
        assert error.response["Error"]["Code"] in ("AccessDeniedException", "AccessDenied"), error
        return True
    return False


@both_databases
def test_groups_and_roles_come_stay_and_go(yard: RunningYard, tmp_path: Path) -> None:
    """setup makes three groups and roles, verify finds them whole and then a change, cleanup removes them and nothing else."""
    runbook = Runbook(yard, tmp_path, "come")
    sagemaker, iam = yard.client("sagemaker"), yard.client("iam")
    sagemaker.create_model_package_group(ModelPackageGroupName="come-by-hand")
    planned = runbook.run("setup", "--dry-run")
    assert {row["group"] for row in planned["findings"]} == set(runbook.groups)
    assert not any(row["repaired"] for row in planned["findings"])
    assert runbook("verify", "--config", str(runbook.file)).returncode == 1
    assert all(row["repaired"] for row in runbook.run("setup")["findings"])
    assert runbook.run("setup")["findings"] == runbook.run("verify")["findings"] == []
    tags = sagemaker.list_tags(ResourceArn=f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package-group/{runbook.groups[2]}")[
        "Tags"
    ]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "Team": "come-algo",
        "Project": "recommendation-engine",
        "MLProject": "recommendation-engine",
        "ManagedBy": "modelyard-groups",
    }
    iam.delete_role_policy(RoleName=f"{runbook.groups[0]}-registry", PolicyName="registry-us-east-1")
    drifted = runbook("verify", "--config", str(runbook.file), "--output", "json")
    assert drifted.returncode == 1 and "1 of 3 groups are not as they should be." in drifted.stderr
    (row,) = json.loads(drifted.stdout)["findings"]
    assert (row["kind"], row["group"]) == ("policy missing", runbook.groups[0])
    sagemaker.create_model_package(ModelPackageGroupName=runbook.groups[0])
    asked = runbook("cleanup", "--config", str(runbook.file), said="n\n")
    assert asked.returncode == 1 and f"The group {runbook.groups[0]} goes, with 1 version." in asked.stderr
    assert runbook("cleanup", "--config", str(runbook.file)).returncode == 1  # nobody answers
    assert len(sagemaker.list_model_packages(ModelPackageGroupName=runbook.groups[0])["ModelPackageSummaryList"]) == 1
    assert len(runbook.run("cleanup", "--yes")["removed"]) == 3
    left = sagemaker.list_model_package_groups(NameContains="come-")["ModelPackageGroupSummaryList"]
    assert [group["ModelPackageGroupName"] for group in left] == ["come-by-hand"]
    assert not [role for role in iam.list_roles()["Roles"] if role["RoleName"].startswith("come-")]
    assert runbook.run("cleanup", "--yes")["removed"] == []


def test_the_role_may_do_its_groups_work_and_nothing_else(yard: RunningYard, tmp_path: Path) -> None:
    """Create, describe, list and update in its own group; not another group, not deleting, tagging, policies or buckets."""
    runbook = Runbook(yard, tmp_path, "least")
    runbook.run("setup")
    mine, other = runbook.groups[:2]
    yard.client("sagemaker").create_model_package(ModelPackageGroupName=other)
    team = yard.client("sagemaker", credentials=assumed(yard, f"{mine}-registry"))
    arn = team.create_model_package(ModelPackageGroupName=mine, ModelApprovalStatus="PendingManualApproval")["ModelPackageArn"]
    assert team.describe_model_package(ModelPackageName=arn)["ModelPackageVersion"] == 1
    assert team.describe_model_package_group(ModelPackageGroupName=mine)["ModelPackageGroupName"] == mine
    assert len(team.list_model_packages(ModelPackageGroupName=mine)["ModelPackageSummaryList"]) == 1
    team.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="fine")
    prefix = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}"
    group, theirs = f"{prefix}:model-package-group/{mine}", f"{prefix}:model-package/{other}/1"
    assert refused(team.create_model_package, ModelPackageGroupName=other)
    assert refused(team.describe_model_package, ModelPackageName=theirs)
    assert refused(team.describe_model_package_group, ModelPackageGroupName=other)
    assert refused(team.list_model_packages, ModelPackageGroupName=other)
    assert refused(team.update_model_package, ModelPackageArn=theirs, ModelApprovalStatus="Approved")
    assert refused(team.create_model_package_group, ModelPackageGroupName=f"{mine}-2")
    assert refused(team.delete_model_package, ModelPackageName=arn)
    assert refused(team.delete_model_package_group, ModelPackageGroupName=mine)
    assert refused(team.add_tags, ResourceArn=group, Tags=[{"Key": "ManagedBy", "Value": "me"}])
    assert refused(team.delete_tags, ResourceArn=group, TagKeys=["Team"])
    assert refused(team.put_model_package_group_policy, ModelPackageGroupName=mine, ResourcePolicy="{}")
    session = assumed(yard, f"{mine}-registry")
    assert refused(yard.client("s3", credentials=session).create_bucket, Bucket="least-bucket")
    assert refused(yard.client("iam", credentials=session).get_role, RoleName=f"{mine}-registry")
    assert refused(
        yard.client("sts", credentials=session).assume_role,
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{other}-registry",
        RoleSessionName="ann",
    )


def test_approved_versions_go_only_when_asked_for(yard: RunningYard, tmp_path: Path) -> None:
    """--yes alone leaves a group that holds an approved version, and names it; the others go."""
    runbook = Runbook(yard, tmp_path, "approved")
    runbook.run("setup")
    sagemaker = yard.client("sagemaker")
    arn = sagemaker.create_model_package(ModelPackageGroupName=runbook.groups[0], ModelApprovalStatus="Approved")[
        "ModelPackageArn"
    ]
    done = runbook("cleanup", "--yes", "--config", str(runbook.file), "--output", "json")
    assert done.returncode == 1 and f"approved: {arn}" in done.stderr
    answer = json.loads(done.stdout)
    assert [one["group"] for one in answer["kept"]] == runbook.groups[:1]
    assert [one["group"] for one in answer["removed"]] == runbook.groups[1:]
    assert runbook.run("cleanup", "--yes", "--approved")["removed"][0]["approved"] == [arn]


def test_the_environment_says_what_the_file_says(yard: RunningYard, tmp_path: Path) -> None:
    """Without --config the variables are those of the shell; with it, the shell's do not count."""
    runbook = Runbook(yard, tmp_path, "shell")
    shell = {"ENABLE_MODEL_REGISTRY": "true", "TEAMS": "shellrc, shellalgo", "SHELLRC_PROJECTS": "x y", "SHELLALGO_PROJECTS": "z"}
    done = runbook("setup", "--dry-run", "--output", "json", **shell)
    assert json.loads(done.stdout)["groups"] == ["shellrc-x", "shellrc-y", "shellalgo-z"], done.stderr
    done = runbook("setup", "--dry-run", "--output", "json", "--config", str(runbook.file), **shell)
    assert json.loads(done.stdout)["groups"] == runbook.groups
    off = runbook("setup", **{**shell, "ENABLE_MODEL_REGISTRY": "false"})
    assert (off.returncode, off.stdout, off.stderr) == (0, "", "ENABLE_MODEL_REGISTRY is false: nothing was done.\n")
    unset = runbook("setup", TEAMS="rc", RC_PROJECTS="x")
    assert unset.returncode == 1 and "ENABLE_MODEL_REGISTRY is not set" in unset.stderr


def test_it_does_what_the_caller_may_do(yard: RunningYard, tmp_path: Path) -> None:
    """A caller who may make groups but no roles makes the groups, is told why not more, and gets exit code 1."""
    runbook = Runbook(yard, tmp_path, "half")
    policy = tmp_path / "policy.json"
    statement = {"Effect": "Allow", "Action": ["sagemaker:*", "iam:Get*", "iam:List*"], "Resource": "*"}
    policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    yard.modelyard("users", "create", "runbook-half", "--policy", str(policy), "--account", ACCOUNT)
    mine = yard.environment(profile="runbook-half")
    done = runbook("setup", "--config", str(runbook.file), "--output", "json", **mine)
    assert done.returncode == 1 and "is not authorized to perform: iam:CreateRole" in done.stderr
    rows = json.loads(done.stdout)["findings"]
    assert {row["kind"] for row in rows if row["repaired"]} == {"group missing"}
    assert json.loads(done.stdout)["principal"] == f"arn:aws:iam::{ACCOUNT}:user/runbook-half"
    nobody = runbook("verify", "--config", str(runbook.file), AWS_SECRET_ACCESS_KEY="wrong")
    assert nobody.returncode == 1 and nobody.stderr.count("\n") == 1 and "signature" in nobody.stderr


def test_it_needs_no_server(yard: RunningYard, tmp_path: Path) -> None:
    """With --data it works on the data directory, beside the server that is running there."""
    runbook = Runbook(yard, tmp_path, "local")
    done = runbook("setup", "--config", str(runbook.file), "--data", str(yard.data), "--account", ACCOUNT, "--output", "json")
    assert done.returncode == 0 and json.loads(done.stdout)["principal"].endswith(":root"), done.stderr
    assert runbook.run("verify")["findings"] == []


LEAST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                f"sagemaker:{verb}{noun}"
                for noun in ("ModelPackage", "ModelPackageGroup")
                for verb in ("Create", "Describe", "Update")
            ]
            + ["sagemaker:ListModelPackages", "sagemaker:ListModelPackageGroups"],
            "Resource": [
                f"arn:aws:sagemaker:*:{ACCOUNT}:model-package/fourth-project/*",
                f"arn:aws:sagemaker:*:{ACCOUNT}:model-package-group/fourth-project",
            ],
        }
    ],
}
"""The role of the runbook's IAM section, for TEAM=fourth and PROJECT=project."""


def test_the_written_policy_of_the_runbook(yard: RunningYard, tmp_path: Path) -> None:
    """The role that the runbook writes out does its work with the AWS CLI, in the runbook's own commands, and no other."""
    iam = yard.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName="fourth", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust}))
    iam.put_role_policy(RoleName="fourth", PolicyName="least", PolicyDocument=json.dumps(LEAST))
    environment = yard.environment(profile="fourth")

    def aws(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*AWS, "sagemaker", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    def done(*arguments: str) -> str:
        ran = aws(*arguments)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    done("create-model-package-group", "--model-package-group-name", "fourth-project")
    registering = ("create-model-package", "--model-package-group-name", "fourth-project")
    arn = done(*registering, "--query", "ModelPackageArn", "--output", "text")
    table = done("list-model-packages", "--model-package-group-name", "fourth-project", "--output", "table")
    assert arn in table
    reason = ("--approval-description", "Performance below threshold")
    done("update-model-package", "--model-package-arn", arn, "--model-approval-status", "Rejected", *reason)
    query = ("--query", "[ModelApprovalStatus, ApprovalDescription]", "--output", "text")
    assert done("describe-model-package", "--model-package-name", arn, *query) == "Rejected\tPerformance below threshold"
    for forbidden in (
        ("delete-model-package", "--model-package-name", arn),
        ("delete-model-package-group", "--model-package-group-name", "fourth-project"),
        ("create-model-package-group", "--model-package-group-name", "fourth-project2"),
        ("list-model-packages", "--model-package-group-name", "fourth-other"),
        ("add-tags", "--resource-arn", arn, "--tags", "Key=a,Value=b"),
        ("search", "--resource", "ModelPackage"),
    ):
        ran = aws(*forbidden)
        assert ran.returncode != 0 and "AccessDeniedException" in ran.stderr, (forbidden, ran.stderr)
