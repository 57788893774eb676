"""Modelyards to measure: made, filled and served as people do it."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.common import version
from benchmarks.common.client import Connection, answered, signed
from tests.running import RunningYard


class Yard:
    """A Modelyard with the four groups and a bucket for metric files."""

    def __init__(self, data: Path, database: str = "") -> None:
        settings = {"database": database} if database else {}
        self.running = RunningYard(data, **settings)
        self.database = database
        self.data = data
        with self.serving():
            self._furnish()

    @contextmanager
    def serving(self) -> Iterator[int]:
        """Serve it; the port."""
        self.running.start()
        try:
            yield self.running.port
        finally:
            self.running.stop()

    @property
    def key(self) -> tuple[str, str]:
        """The administrator's access key."""
        admin = self.running.admin(version.ACCOUNT)
        return admin.access_key_id, admin.secret_access_key

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self.running.process is not None
        return self.running.process.pid

    def put_figures(self, numbers: Sequence[int]) -> None:
        """Put the metric files of versions that are going to be registered."""
        s3 = self.running.client("s3", version.ACCOUNT)
        for number in numbers:
            report = {"binary_classification_metrics": {name: {"value": it} for name, it in version.figures(number).items()}}
            s3.put_object(Bucket=version.BUCKET, Key=version.statistics_key(number), Body=json.dumps(report).encode())

    def register(self, numbers: Sequence[int], groups: str = "") -> None:
        """Register versions through the API; in the group `groups` rather than their own, when it is given."""
        self.put_figures(numbers)
        connection = Connection(self.running.port)
        for number in numbers:
            request = {**version.request(number), **({"ModelPackageGroupName": groups} if groups else {})}
            answered(*connection.send(signed(self.key, version.REGION, "CreateModelPackage", request)))
        connection.close()

    def _furnish(self) -> None:
        """The groups; and a version that comes and goes, so that the search index knows the names of all properties."""
        self.running.client("s3", version.ACCOUNT).create_bucket(Bucket=version.BUCKET)
        sagemaker = self.running.client("sagemaker", version.ACCOUNT)
        for group in (*version.GROUPS, "first"):
            sagemaker.create_model_package_group(ModelPackageGroupName=group)
        self.register([0], "first")
        first = sagemaker.list_model_packages(ModelPackageGroupName="first")["ModelPackageSummaryList"][0]
        sagemaker.delete_model_package(ModelPackageName=first["ModelPackageArn"])
        sagemaker.delete_model_package_group(ModelPackageGroupName="first")


def start_to_first_answer(yard: Yard) -> float:
    """Seconds from starting the server to the answer to a first request."""
    began = time.perf_counter()
    with yard.serving() as port:
        connection = Connection(port)
        answered(*connection.send(b"GET /_modelyard/ready HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"))
        seconds = time.perf_counter() - began
        connection.close()
    return seconds
