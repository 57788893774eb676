"""The mission's own AWS CLI lines, in the form that people type them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.running import ACCOUNT, RunningYard, both_databases

pytestmark = [pytest.mark.slow, both_databases]

AWS = Path(sys.executable).with_name("aws")
SPECIFICATION = json.dumps(
    {
        "Containers": [{"Image": "image:1", "ModelDataUrl": "s3://bucket/model.tar.gz"}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
)


def aws(yard: RunningYard, *arguments: str, code: int = 0) -> str:
    """Run `aws`; what it prints, errors included. It fails the test when the exit code is another."""
    done = subprocess.run([AWS, *arguments], env=yard.environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.seen
def test_review_by_command_line(yard: RunningYard) -> None:
    """[004]: create, list with --query as a table, approve, reject with a reason, describe, delete a version and the group."""
    group = "algo-recommendation-engine"
    answer = json.loads(aws(yard, "sagemaker", "create-model-package-group", "--model-package-group-name", group))
    assert answer == {"ModelPackageGroupArn": f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package-group/{group}"}
    named = ("--model-package-group-name", group)
    arns = [
        aws(
            yard,
            *("sagemaker", "create-model-package", *named, "--inference-specification", SPECIFICATION),
            *("--query", "ModelPackageArn", "--output", "text"),
        ).strip()
        for _ in range(2)
    ]
    review = ("sagemaker", "update-model-package", "--model-package-arn")
    aws(yard, *review, arns[0], "--model-approval-status", "Approved")
    reason = ("--approval-description", "Performance below threshold")
    aws(yard, *review, arns[1], "--model-approval-status", "Rejected", *reason)
    query = "ModelPackageSummaryList[*].[ModelPackageVersion,ModelApprovalStatus]"
    table = aws(yard, "sagemaker", "list-model-packages", *named, "--query", query, "--output", "table")
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|  ")]
    assert cells[-2:] == [["1", "Approved"], ["2", "Rejected"]]
    described = json.loads(aws(yard, "sagemaker", "describe-model-package", "--model-package-name", arns[1]))
    assert described["ApprovalDescription"] == "Performance below threshold"
    assert isinstance(described["CreationTime"], float)
    refused = aws(yard, "sagemaker", "delete-model-package-group", *named, code=255)
    assert "(ConflictException)" in refused and "still contains Model Packages" in refused
    for arn in arns:
        aws(yard, "sagemaker", "delete-model-package", "--model-package-name", arn)
    aws(yard, "sagemaker", "delete-model-package-group", *named)
    missing = aws(yard, "sagemaker", "describe-model-package-group", *named, code=255)
    assert "(ValidationException)" in missing and "does not exist." in missing


@pytest.mark.documented
def test_pages_by_command_line(yard: RunningYard) -> None:
    """The CLI pages by itself: three versions come complete in pages of one."""
    aws(yard, "sagemaker", "create-model-package-group", "--model-package-group-name", "cli-pages")
    for _ in range(3):
        named = ("--model-package-group-name", "cli-pages", "--inference-specification", SPECIFICATION)
        aws(yard, "sagemaker", "create-model-package", *named)
    listing = ("sagemaker", "list-model-packages", "--model-package-group-name", "cli-pages", "--page-size", "1")
    printed = aws(yard, *listing, "--query", "ModelPackageSummaryList[].ModelPackageVersion")
    assert json.loads(printed) == [1, 2, 3]


@pytest.mark.ours
def test_what_is_not_built_is_refused_once(yard: RunningYard) -> None:
    """An operation that this server does not answer is a client error, which the CLI shows at once and does not retry."""
    refused = aws(yard, "sagemaker", "list-notebook-instances", code=255)
    assert "(UnknownOperationException)" in refused
