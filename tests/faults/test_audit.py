"""kill -9 in the middle of changes: the audit trail is whole, and tells of exactly what happened."""

import json
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from tests.postgresql import PostgresqlServer, fresh_database
from tests.running import RunningYard

pytestmark = [pytest.mark.slow, pytest.mark.ours]

WRITERS = 6
SECONDS = 2.0


@pytest.fixture(params=["sqlite", "postgresql"])
def own_yard(request: pytest.FixtureRequest, tmp_path: Path):  # type: ignore[no-untyped-def]
    """A server that nobody else uses."""
    if request.param == "sqlite":
        yield RunningYard(tmp_path / "data")
        return
    server = PostgresqlServer.start(durable=True)
    try:
        with fresh_database(server.address) as address:
            yield RunningYard(tmp_path / "data", database=address)
    finally:
        server.stop()


def test_every_acknowledged_change_is_recorded_and_nothing_that_did_not_happen(own_yard: RunningYard) -> None:
    """After kill -9 during concurrent registrations, uploads and refusals the chain is whole; records and rows agree."""
    own_yard.start()
    own_yard.client("sagemaker").create_model_package_group(ModelPackageGroupName="g")
    own_yard.client("s3").create_bucket(Bucket="bucket")
    registered: list[str] = []
    uploaded: list[str] = []
    refused: list[str] = []
    stopping = threading.Event()

    def register(number: int) -> None:
        registry = own_yard.client("sagemaker")
        while not stopping.is_set():
            registered.append(registry.create_model_package(ModelPackageGroupName="g")["ModelPackageArn"])

    def upload(number: int) -> None:
        s3, count = own_yard.client("s3"), 0
        while not stopping.is_set():
            count += 1
            s3.put_object(Bucket="bucket", Key=f"{number}/{count}", Body=b"x" * 1000)
            uploaded.append(f"{number}/{count}")

    def fail(number: int) -> None:
        registry = own_yard.client("sagemaker")
        while not stopping.is_set():
            with pytest.raises(ClientError) as error:
                registry.create_model_package_group(ModelPackageGroupName="g")
            refused.append(error.value.response["ResponseMetadata"]["RequestId"])

    def until_killed(work, number: int) -> None:  # type: ignore[no-untyped-def]
        with suppress(BotoCoreError):
            work(number)

    threads = [
        threading.Thread(target=until_killed, args=((register, upload, fail)[number % 3], number)) for number in range(WRITERS)
    ]
    for thread in threads:
        thread.start()
    time.sleep(SECONDS)
    own_yard.kill()
    stopping.set()
    for thread in threads:
        thread.join(30)
    assert registered and uploaded and refused
    own_yard.start()
    lines = [json.loads(line) for line in own_yard.modelyard("audit", "export").splitlines()]
    records = [line for line in lines if "sequence" in line]
    assert json.loads(own_yard.modelyard("audit", "verify", "--output", "json"))["whole"]
    assert own_yard.stop() == 0
    versions = [record["made"]["ModelPackageArn"] for record in records if record["operation"] == "CreateModelPackage"]
    assert set(registered) <= set(versions)
    assert len(versions) == len(set(versions))
    numbers = sorted(int(arn.rpartition("/")[2]) for arn in versions)
    assert numbers == list(range(1, len(numbers) + 1)), "each version that is there has its record, and no other has"
    keys = [record["parameters"]["Key"] for record in records if record["operation"] == "PutObject"]
    assert set(uploaded) <= set(keys)
    failures = {record["request"] for record in records if record["outcome"] == "ValidationException"}
    assert set(refused) <= failures
