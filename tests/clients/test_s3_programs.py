"""The AWS CLI and s3fs, unmodified, against a running server."""

import json
import secrets
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.clients.environments import client_environment
from tests.running import RunningYard

pytestmark = pytest.mark.slow


class Aws:
    """The AWS CLI, in the environment that `modelyard env` makes."""

    def __init__(self, yard: RunningYard) -> None:
        self._environment = yard.environment()

    def __call__(self, *arguments: str, code: int = 0) -> str:
        command = [str(Path(sys.executable).with_name("aws")), *arguments]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def aws(yard: RunningYard) -> Aws:
    """The AWS CLI."""
    return Aws(yard)


@pytest.fixture
def bucket(aws: Aws) -> str:
    """A bucket, made by the CLI."""
    name = f"cli-{secrets.token_hex(6)}"
    aws("s3", "mb", f"s3://{name}")
    return name


@pytest.mark.seen
def test_copy_list_remove(aws: Aws, bucket: str, tmp_path: Path) -> None:
    """aws s3 cp, ls, mv and rm move files in and out, large ones in parts, and show them."""
    large, small = tmp_path / "large", tmp_path / "small file.txt"
    large.write_bytes(secrets.token_bytes(17 << 20))
    small.write_text("hello")
    aws("s3", "cp", str(large), f"s3://{bucket}/dir/large")
    aws("s3", "cp", str(small), f"s3://{bucket}/dir/small file.txt")
    aws("s3", "cp", f"s3://{bucket}/dir/large", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == large.read_bytes()
    assert "PRE dir/" in aws("s3", "ls", f"s3://{bucket}")
    listed = aws("s3", "ls", f"s3://{bucket}/dir/")
    assert "small file.txt" in listed and str(17 << 20) in listed
    aws("s3", "cp", f"s3://{bucket}/dir/large", f"s3://{bucket}/copy")
    aws("s3", "mv", f"s3://{bucket}/copy", f"s3://{bucket}/moved")
    assert "Total Objects: 3" in aws("s3", "ls", f"s3://{bucket}", "--recursive", "--summarize")
    aws("s3", "rm", f"s3://{bucket}", "--recursive")
    assert aws("s3", "ls", f"s3://{bucket}") == ""
    aws("s3", "rb", f"s3://{bucket}")


@pytest.mark.seen
def test_sync(aws: Aws, bucket: str, tmp_path: Path) -> None:
    """aws s3 sync copies what is new, leaves what is the same, and deletes what is gone when told to."""
    folder, back = tmp_path / "folder", tmp_path / "back"
    for name in ("a.txt", "sub/b.txt", "sub/ü.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    assert aws("s3", "sync", str(folder), f"s3://{bucket}/x").count("upload:") == 3
    assert aws("s3", "sync", str(folder), f"s3://{bucket}/x") == ""
    aws("s3", "sync", f"s3://{bucket}/x", str(back))
    assert (back / "sub" / "ü.txt").read_text() == "sub/ü.txt"
    (folder / "a.txt").unlink()
    assert "delete:" in aws("s3", "sync", str(folder), f"s3://{bucket}/x", "--delete")
    assert "a.txt" not in aws("s3", "ls", f"s3://{bucket}/x/")


@pytest.mark.seen
def test_presign_and_streams(aws: Aws, bucket: str) -> None:
    """aws s3 presign gives an address that needs no credentials; cp writes to standard output."""
    aws("s3api", "put-object", "--bucket", bucket, "--key", "k", "--body", __file__)
    with urllib.request.urlopen(aws("s3", "presign", f"s3://{bucket}/k").strip()) as answer:
        assert answer.read() == Path(__file__).read_bytes()
    assert aws("s3", "cp", f"s3://{bucket}/k", "-") == Path(__file__).read_text()


@pytest.mark.seen
def test_what_fails_says_so(aws: Aws, bucket: str) -> None:
    """An error reaches the user with S3's code and sentence."""
    assert "(404)" in aws("s3", "cp", f"s3://{bucket}/missing", "-", code=1)
    assert "(NoSuchBucket)" in aws("s3", "ls", "s3://never-made-before", code=255)
    assert "NoSuchBucketPolicy" in aws("s3api", "get-bucket-policy", "--bucket", bucket, code=255)


@pytest.mark.seen
def test_s3api(aws: Aws, bucket: str) -> None:
    """The operations of aws s3api parse the server's answers."""
    aws("s3api", "put-bucket-versioning", "--bucket", bucket, "--versioning-configuration", "Status=Enabled")
    aws("s3api", "put-object", "--bucket", bucket, "--key", "k", "--body", __file__, "--tagging", "team=risk")
    versions: Any = json.loads(aws("s3api", "list-object-versions", "--bucket", bucket))
    assert versions["Versions"][0]["IsLatest"] is True
    tags: Any = json.loads(aws("s3api", "get-object-tagging", "--bucket", bucket, "--key", "k"))
    assert tags["TagSet"] == [{"Key": "team", "Value": "risk"}]
    assert json.loads(aws("s3api", "get-bucket-acl", "--bucket", bucket))["Grants"][0]["Permission"] == "FULL_CONTROL"


@pytest.mark.seen
def test_s3fs(yard: RunningYard, bucket: str) -> None:
    """s3fs writes, reads in blocks, lists, copies and removes, as pandas and pyarrow use it."""
    command = [client_environment("s3fs"), Path(__file__).parent / "programs" / "s3fs_files.py", bucket]
    done = subprocess.run(command, env=yard.environment(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "all as written"
