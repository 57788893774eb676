"""The `modelyard` command as scripts of others rely on it: its lines, its exit codes, its files."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from tests.running import ACCOUNT, OTHER_ACCOUNT, RunningYard

MODELYARD = Path(sys.executable).with_name("modelyard")

pytestmark = [pytest.mark.slow, pytest.mark.ours]


def modelyard(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command, with nothing of this shell's settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MODELYARD_"))}
    command = [str(MODELYARD), *map(str, arguments)]
    return subprocess.run(command, env={**inherited, **variables}, capture_output=True, text=True, check=False, timeout=60)


def test_init_writes_a_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    """The administrator's key is in a file of mode 0600, and its secret is in nothing that is printed."""
    done = modelyard("init", "--data", tmp_path / "data", "--account", "111122223333")
    assert done.returncode == 0, done.stderr
    path = tmp_path / "data" / "credentials" / "111122223333.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secret = json.loads(path.read_text())["profiles"]["admin"]["secret_access_key"]
    assert len(secret) == 40 and secret not in done.stdout + done.stderr
    assert str(path) in done.stdout


def test_a_second_init_says_that_it_is_there_and_changes_nothing(tmp_path: Path) -> None:
    """Running it again is harmless; asking for another account there is refused with a hint."""
    first = modelyard("init", "--data", tmp_path / "data", "--output", "json")
    before = (tmp_path / "data" / "credentials" / "123456789012.json").read_bytes()
    again = modelyard("init", "--data", tmp_path / "data", "--output", "json")
    assert again.returncode == 0 and "already" in again.stderr
    assert json.loads(again.stdout) == json.loads(first.stdout)
    assert (tmp_path / "data" / "credentials" / "123456789012.json").read_bytes() == before
    other = modelyard("init", "--data", tmp_path / "data", "--account", "999988887777")
    assert other.returncode == 1 and "modelyard accounts create 999988887777" in other.stderr


def test_an_init_that_was_broken_off_goes_on(tmp_path: Path) -> None:
    """A data directory that has a master key and no account yet gets its account, under the same key."""
    from modelyard.access.keyring import KeyRing

    KeyRing.create(tmp_path / "data")
    key = (tmp_path / "data" / "keys" / "master.key").read_bytes()
    assert modelyard("init", "--data", tmp_path / "data").returncode == 0
    assert (tmp_path / "data" / "keys" / "master.key").read_bytes() == key


def test_serve_prints_one_line_and_ends_cleanly(tmp_path: Path) -> None:
    """Standard output is `ready http://127.0.0.1:PORT` and nothing else; SIGTERM gives exit code 0."""
    assert modelyard("init", "--data", tmp_path / "data").returncode == 0
    command = [MODELYARD, "serve", "--data", tmp_path / "data", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert re.fullmatch(r"ready http://127\.0\.0\.1:\d+\n", ready)
        assert (tmp_path / "data" / "server.json").exists()
        printed = modelyard("env", "--data", tmp_path / "data").stdout
        assert f"export AWS_ENDPOINT_URL={ready.split()[1]}\n" in printed
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=30)
    assert process.returncode == 0 and rest == ""
    assert not (tmp_path / "data" / "server.json").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["serve"], 1, "modelyard init"),
        (["env"], 1, "modelyard init"),
        (["accounts", "list"], 1, "modelyard init"),
        (["users", "list"], 1, "modelyard init"),
        (["backup", "--to", "x"], 1, "nothing to back up"),
        (["verify"], 1, "neither a Modelyard data directory nor a backup"),
        (["restore", "--from", "nowhere"], 1, "no complete backup"),
        (["init", "--account", "12"], 2, "12 digits"),
        (["accounts", "create", "abc"], 2, "12 digits"),
        (["serve", "--port", "70000"], 2, "--port"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_sentence(tmp_path: Path, arguments: list[str], code: int, says: str) -> None:
    """Exit code 1 for what fails and 2 for what was asked wrongly, a sentence on standard error, never a traceback."""
    done = modelyard(*arguments, "--data", tmp_path / "data")
    assert (done.returncode, done.stdout) == (code, "")
    assert says in " ".join(done.stderr.replace("│", " ").split()) and "Traceback" not in done.stderr
    if code == 1:
        assert done.stderr.startswith("modelyard: ") and done.stderr.count("\n") == 1


def test_a_setting_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    """A wrong variable or a broken file is named, not shown as a traceback."""
    wrong = modelyard("init", "--data", tmp_path / "data", MODELYARD_PORT="many")
    assert wrong.returncode == 1 and "MODELYARD_PORT" in wrong.stderr and wrong.stderr.count("\n") == 1
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "modelyard.toml").write_text("port = [")
    broken = modelyard("init", "--data", tmp_path / "data")
    assert broken.returncode == 1 and "modelyard.toml" in broken.stderr and broken.stderr.count("\n") == 1


def test_accounts_are_created_while_the_server_runs(yard: RunningYard) -> None:
    """A new account's administrator is let in at once, and sees an account of its own."""
    account = "555566667777"
    made = modelyard("accounts", "create", account, "--data", yard.data, "--output", "json")
    assert made.returncode == 0, made.stderr
    client = yard.client("sts", account)
    assert client.get_caller_identity()["Account"] == account
    listed = json.loads(modelyard("accounts", "list", "--data", yard.data, "--output", "json").stdout)
    assert {ACCOUNT, OTHER_ACCOUNT, account} <= {row["account"] for row in listed}
    again = modelyard("accounts", "create", account, "--data", yard.data)
    assert again.returncode == 1 and "exists already" in again.stderr


def test_the_printed_environment_is_all_that_a_client_needs(yard: RunningYard) -> None:
    """With these variables alone boto3 is the administrator, and STS at its real address reaches this server."""
    script = (
        "import boto3; region = boto3.session.Session().region_name\n"
        "for address in (None, f'https://sts.{region}.amazonaws.com'):\n"
        "    print(boto3.client('sts', endpoint_url=address).get_caller_identity()['Arn'])"
    )
    for profile, arn in (
        ("admin", f"arn:aws:iam::{ACCOUNT}:user/admin"),
        ("execution-role", f"arn:aws:sts::{ACCOUNT}:assumed-role/ModelyardExecutionRole/SageMaker"),
    ):
        environment = yard.environment(profile=profile)
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
        assert done.stdout.split() == [arn, arn], done.stderr


def test_every_printed_line_exports_a_variable(yard: RunningYard) -> None:
    """Standard output of `env` is nothing but `export NAME=value`."""
    done = modelyard("env", "--data", yard.data)
    assert done.returncode == 0 and done.stderr == ""
    assert all(re.fullmatch(r"export [A-Za-z][A-Za-z0-9_]*=.*", line) for line in done.stdout.splitlines())


def test_users_may_do_what_their_policy_says(yard: RunningYard, tmp_path: Path) -> None:
    """A user made with a policy file can do that and nothing else, with the key that was printed and kept."""
    policy = tmp_path / "policy.json"
    statement = {"Effect": "Allow", "Action": "sagemaker:ListModelPackageGroups", "Resource": "*"}
    policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    made = modelyard("users", "create", "cli-reader", "--policy", policy, "--data", yard.data, "--output", "json")
    assert made.returncode == 0, made.stderr
    variables = yard.environment(profile="cli-reader")
    assert variables["AWS_ACCESS_KEY_ID"] == json.loads(made.stdout)["access_key_id"]
    session = boto3.Session(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1")
    sagemaker = session.client("sagemaker", endpoint_url=yard.endpoint)
    assert "ModelPackageGroupSummaryList" in sagemaker.list_model_package_groups()
    with pytest.raises(sagemaker.exceptions.ClientError, match="is not authorized to perform: sagemaker:CreateModelPackageGroup"):
        sagemaker.create_model_package_group(ModelPackageGroupName="cli-denied")
    newer = json.loads(modelyard("users", "key", "cli-reader", "--data", yard.data, "--output", "json").stdout)
    assert newer["access_key_id"] != variables["AWS_ACCESS_KEY_ID"]


def test_a_user_is_made_whole_or_not_at_all(yard: RunningYard) -> None:
    """When the policy does not exist, the user does not exist afterwards either."""
    refused = modelyard("users", "create", "cli-half", "--managed", "NoSuchPolicy", "--data", yard.data)
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1
    listed = json.loads(modelyard("users", "list", "--data", yard.data, "--output", "json").stdout)
    assert "cli-half" not in {row["name"] for row in listed}
