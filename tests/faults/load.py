"""Clients at work on a server, and what must be true of the server's data whatever happened meanwhile."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.clients import BUCKET, GROUP
from tests.running import RunningYard

PROJECT = Path(__file__).resolve().parents[2]


@dataclass
class Load:
    """Client processes, and what they recorded."""

    yard: RunningYard
    directory: Path
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def start(self, *endpoints: str, registering: int = 3, uploading: int = 2, seed: int = 0) -> None:
        """Start clients of the yard's server, or of the servers at `endpoints`."""
        kinds = ["register"] * registering + ["upload"] * uploading
        for number, kind in enumerate(kinds, len(self.processes)):
            command = [sys.executable, "-m", "tests.faults.clients", kind, ",".join(endpoints or (self.yard.endpoint,))]
            command += [f"c{number}", str(self.directory / f"c{number}.jsonl"), str(seed * 100 + number)]
            environment = {**os.environ, **_credentials(self.yard)}
            self.processes.append(subprocess.Popen(command, cwd=PROJECT, env=environment, stdin=subprocess.PIPE))

    def stop(self) -> None:
        """Let every client finish its request, and end."""
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in self.processes:
            process.wait(90)

    def records(self) -> list[dict[str, Any]]:
        """Everything that was recorded; a client's own lines are in order."""
        files = sorted(self.directory.glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines() if line]

    def count(self, what: str) -> int:
        """How many lines say so."""
        return sum(what in line for line in self.records())

    def check(self) -> None:
        """Assert that nobody saw anything wrong, and that the data is what was acknowledged."""
        records = self.records()
        assert not [line for line in records if "wrong" in line]
        assert sum("ended" in line for line in records) == len(self.processes)
        check_versions(self.yard, records)
        check_objects(self.yard, records)


@contextmanager
def load(yard: RunningYard, directory: Path) -> Iterator[Load]:
    """Clients of a yard, which is given what they need; none is left behind."""
    directory.mkdir()
    yard.client("sagemaker").create_model_package_group(ModelPackageGroupName=GROUP)
    yard.client("s3").create_bucket(Bucket=BUCKET)
    running = Load(yard, directory)
    try:
        yield running
    finally:
        for process in running.processes:
            if process.poll() is None:
                process.kill()
                process.wait()


def check_versions(yard: RunningYard, records: list[dict[str, Any]]) -> None:
    """Every acknowledged registration is one version, numbers are 1, 2, 3 …, approvals are the last that were acknowledged."""
    client = yard.client("sagemaker")
    registered = {line["registered"]: line["label"] for line in records if "registered" in line}
    labels = [line["label"] for line in records if "registered" in line]
    assert len(labels) == len(set(labels)) == len(registered)
    approvals = {line["approved"]: (line["status"], f"step {line['step']}") for line in records if "approved" in line}
    listed = [
        summary
        for page in client.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=GROUP, PaginationConfig={"PageSize": 100}
        )
        for summary in page["ModelPackageSummaryList"]
    ]
    assert sorted(one["ModelPackageVersion"] for one in listed) == list(range(1, len(registered) + 1))
    statuses = {}
    for summary in listed:
        arn = summary["ModelPackageArn"]
        document = client.describe_model_package(ModelPackageName=arn)
        assert document["ModelPackageDescription"] == registered[arn] == document["CustomerMetadataProperties"]["label"]
        assert (
            document["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] == f"s3://bucket/{registered[arn]}/model.tar.gz"
        )
        assert (document["ModelApprovalStatus"], document.get("ApprovalDescription")) == approvals.get(
            arn, ("PendingManualApproval", None)
        )
        statuses[arn] = document["ModelApprovalStatus"]
    for status in ("Approved", "Rejected", "PendingManualApproval"):
        assert found(client, status) == sorted(arn for arn, one in statuses.items() if one == status)


def found(client: Any, status: str) -> list[str]:
    """The versions that Search finds with a status."""
    pages = client.get_paginator("search").paginate(
        Resource="ModelPackage",
        SearchExpression={"Filters": [{"Name": "ModelApprovalStatus", "Operator": "Equals", "Value": status}]},
        PaginationConfig={"PageSize": 100},
    )
    return sorted(result["ModelPackage"]["ModelPackageArn"] for page in pages for result in page["Results"])


def check_objects(yard: RunningYard, records: list[dict[str, Any]]) -> None:
    """Every object holds the bytes that were acknowledged last, and no other object is there."""
    client = yard.client("s3")
    expected: dict[str, tuple[str, int]] = {}
    for line in records:
        if "put" in line:
            expected[line["put"]] = (line["sha256"], line["size"])
        elif "deleted" in line:
            expected.pop(line["deleted"], None)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    sizes = {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", [])}
    assert sizes == {key: size for key, (_, size) in expected.items()}
    for key, (digest, _) in expected.items():
        body = client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        assert hashlib.sha256(body).hexdigest() == digest, key


def check_at_rest(yard: RunningYard) -> None:
    """`modelyard verify` finds all well, and nothing is left of uploads that were cut off."""
    yard.modelyard("verify")
    assert list((yard.data / "blobs" / "incoming").iterdir()) == []
    assert not yard.defects(), "\n".join(yard.defects())


def _credentials(yard: RunningYard) -> dict[str, str]:
    key = yard.admin()
    return {
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
