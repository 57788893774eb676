"""`modelyard backup`, `restore` and `verify`, beside a server that goes on working."""

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.clients.test_cli_commands import modelyard
from tests.postgresql import PostgresqlServer, fresh_database
from tests.running import RunningYard

pytestmark = [pytest.mark.slow, pytest.mark.ours]

BUCKET, GROUP = "cli-backup", "cli-backup-group"


@contextmanager
def serving(place: Path) -> Iterator[RunningYard]:
    """A server of its own, with a model in it."""
    yard = RunningYard(place)
    yard.start()
    try:
        yard.client("s3").create_bucket(Bucket=BUCKET)
        yard.client("s3").put_object(Bucket=BUCKET, Key="model.tar.gz", Body=b"weights" * 100_000)
        yard.client("sagemaker").create_model_package_group(ModelPackageGroupName=GROUP)
        yield yard
    finally:
        if yard.process is not None:
            assert yard.stop() == 0


@pytest.fixture
def working_yard(tmp_path: Path) -> Iterator[RunningYard]:
    """A server that runs."""
    with serving(tmp_path / "data") as yard:
        yield yard


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a server that has ended left behind, not to be touched."""
    place = tmp_path_factory.mktemp("left") / "data"
    with serving(place):
        pass
    return place


@pytest.fixture
def data(left_behind: Path, tmp_path: Path) -> Path:
    """A copy of that, to do with as one likes."""
    shutil.copytree(left_behind, tmp_path / "data")
    return tmp_path / "data"


def register(yard: RunningYard) -> str:
    """Register one version."""
    containers = [{"Image": "image", "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz"}]
    specification = {"Containers": containers, "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
    request = {"ModelPackageGroupName": GROUP, "InferenceSpecification": specification}
    return str(yard.client("sagemaker").create_model_package(**request)["ModelPackageArn"])


def a_blob(data: Path) -> Path:
    """A file that holds the bytes of an object."""
    return max((path for path in (data / "blobs").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


def test_what_was_acknowledged_before_the_backup_is_in_it(working_yard: RunningYard, tmp_path: Path) -> None:
    """While a client registers and uploads without pause, a backup holds all that was acknowledged before it."""
    arns, stop = [register(working_yard)], threading.Event()
    s3 = working_yard.client("s3")

    def work() -> None:
        while not stop.is_set():
            s3.put_object(Bucket=BUCKET, Key=f"{len(arns)}.bin", Body=str(len(arns)).encode() * 1000)
            arns.append(register(working_yard))

    worker = threading.Thread(target=work)
    worker.start()
    try:
        while len(arns) < 20 and worker.is_alive():
            stop.wait(0.01)
        before = list(arns)
        made = modelyard("backup", "--data", working_yard.data, "--to", tmp_path / "backup", "--output", "json")
    finally:
        stop.set()
        worker.join()
    assert made.returncode == 0, made.stderr
    assert len(before) >= 20
    restored = modelyard("restore", "--from", tmp_path / "backup", "--data", tmp_path / "again", "--output", "json")
    assert restored.returncode == 0, restored.stderr
    assert json.loads(restored.stdout)["objects"] == json.loads(made.stdout)["objects"] >= 20
    working_yard.stop()
    again = RunningYard.__new__(RunningYard)
    again.__dict__.update(working_yard.__dict__, data=tmp_path / "again", port=0)
    again.start()
    try:
        sagemaker, s3 = again.client("sagemaker"), again.client("s3")
        for number, arn in enumerate(before, start=1):
            assert sagemaker.describe_model_package(ModelPackageName=arn)["ModelPackageVersion"] == number
        for number in range(1, len(before)):
            assert s3.get_object(Bucket=BUCKET, Key=f"{number}.bin")["Body"].read() == str(number).encode() * 1000
    finally:
        assert again.stop() == 0


def test_verify_finds_nothing_wrong_with_a_working_yard(working_yard: RunningYard) -> None:
    """Beside a running server all is well, and what was looked at is counted."""
    register(working_yard)
    done = modelyard("verify", "--data", working_yard.data, "--output", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["problems"] == [] and found["objects"] >= 1 and found["bytes"] >= 700_000


@pytest.mark.parametrize("place", ["data", "backup"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_verify_finds_damaged_bytes(data: Path, tmp_path: Path, place: str, damage: str) -> None:
    """One changed byte, missing bytes or a missing object are found and named, in a data directory and in a backup."""
    if place == "backup":
        assert modelyard("backup", "--data", data, "--to", tmp_path / "backup").returncode == 0
    blob = a_blob(tmp_path / place)
    content = bytearray(blob.read_bytes())
    blob.chmod(0o600)
    if damage == "remove":
        blob.unlink()
    else:
        content[1000] ^= 1
        blob.write_bytes(content if damage == "flip" else content[:-1])
    done = modelyard("verify", "--data", tmp_path / place, "--output", "json")
    assert done.returncode == 1 and "is not whole" in done.stderr
    problems = json.loads(done.stdout)["problems"]
    assert len(problems) == 1 and blob.name in problems[0]


def test_a_damaged_backup_is_not_restored(data: Path, tmp_path: Path) -> None:
    """Neither damaged bytes nor a damaged database become a data directory."""
    for number, name in enumerate(("blob", "database")):
        backup, target = tmp_path / f"backup-{number}", tmp_path / f"again-{number}"
        assert modelyard("backup", "--data", data, "--to", backup).returncode == 0
        path = a_blob(backup) if name == "blob" else backup / "database.sqlite3"
        content = bytearray(path.read_bytes())
        content[5000] ^= 1
        path.chmod(0o600)
        path.write_bytes(content)
        done = modelyard("restore", "--from", backup, "--data", target)
        assert done.returncode == 1 and "damaged" in done.stderr
        assert not target.exists() and not list(tmp_path.glob(f".{target.name}*"))


def test_a_backup_is_never_written_over(data: Path, tmp_path: Path) -> None:
    """A place that holds something is refused and left as it is."""
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / "mine").write_text("mine")
    done = modelyard("backup", "--data", data, "--to", tmp_path / "backup")
    assert done.returncode == 1 and "not empty" in done.stderr
    assert [path.name for path in (tmp_path / "backup").iterdir()] == ["mine"]


def test_nobody_else_may_read_a_backup(data: Path, tmp_path: Path) -> None:
    """The directory holds the master key, so it is the owner's alone."""
    assert modelyard("backup", "--data", data, "--to", tmp_path / "backup").returncode == 0
    assert (tmp_path / "backup").stat().st_mode & 0o077 == 0
    assert (tmp_path / "backup" / "keys" / "master.key").stat().st_mode & 0o077 == 0


def test_a_yard_moves_onto_postgresql_and_back(data: Path, tmp_path: Path) -> None:
    """A backup of SQLite is restored onto PostgreSQL, and one of that onto SQLite again, with every row and object."""
    assert modelyard("backup", "--data", data, "--to", tmp_path / "one").returncode == 0
    server = PostgresqlServer.start()
    try:
        with fresh_database(server.address) as address:
            grown = modelyard("restore", "--from", tmp_path / "one", "--data", tmp_path / "grown", MODELYARD_DATABASE=address)
            assert grown.returncode == 0, grown.stderr
            made = modelyard("backup", "--data", tmp_path / "grown", "--to", tmp_path / "two", MODELYARD_DATABASE=address)
            assert made.returncode == 0, made.stderr
            taken = modelyard("restore", "--from", tmp_path / "one", "--data", tmp_path / "no", MODELYARD_DATABASE=address)
            assert taken.returncode == 1 and "has tables already" in taken.stderr and not (tmp_path / "no").exists()
    finally:
        server.stop()
    back = modelyard("restore", "--from", tmp_path / "two", "--data", tmp_path / "back", "--output", "json")
    assert back.returncode == 0, back.stderr
    before, after = (json.loads((tmp_path / name / "backup.json").read_text()) for name in ("one", "two"))
    assert {**before, "made_at": 0} == {**after, "made_at": 0}
