"""botocore's own protocol cases, out of the sdist of the installed version: fetched once into `.cache/`."""

import fcntl
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from modelyard.aws.catalogue import OperationModel
from modelyard.aws.models import ServiceModel
from modelyard.aws.services import Service
from modelyard.aws.validation import Validators

CACHE = Path(__file__).parents[2] / ".cache" / "botocore-protocol-cases"
SPOKEN = ("json", "query", "rest-json", "rest-xml", "smithy-rpc-v2-cbor")
_INSIDE = "tests/unit/protocols/"


@dataclass(frozen=True)
class Case:
    """One case: a request or an answer, and what it means."""

    file: str
    suite: dict[str, Any]
    case: dict[str, Any]

    @property
    def id(self) -> str:
        name = self.case.get("id") or f"{self.case['given']['name']}-{self.case['suite_id']}-{self.case['test_id']}"
        return f"{self.file.removesuffix('.json')}:{name}"

    @property
    def protocol(self) -> str:
        return self.suite["metadata"]["protocol"]

    def definition(self) -> dict[str, Any]:
        """A service model that has just the operation of the case."""
        given = self.case["given"]
        given.setdefault("http", {"method": "POST", "requestUri": "/"})
        output = given.get("output")
        if self.protocol == "query" and output:
            output.setdefault("resultWrapper", f"{given['name']}Result")
        return {"metadata": self.suite["metadata"], "shapes": self.suite["shapes"], "operations": {given["name"]: given}}

    def model(self) -> ServiceModel:
        metadata = self.suite["metadata"]
        service = Service(
            "case", (self.protocol,), "case", "case", metadata.get("apiVersion", ""), metadata.get("targetPrefix", "")
        )
        return ServiceModel(service, self.definition())

    def operation(self, model: ServiceModel) -> OperationModel:
        return OperationModel(model, self.case["given"]["name"], self.protocol, Validators(model))


def cases(kind: str) -> Iterator[Case]:
    """All cases of the protocols that this server speaks; `kind` is "input" or "output"."""
    root = _directory()
    for path in sorted([*root.glob(f"{kind}/*.json"), *root.glob(f"legacy/{kind}/*.json")]):
        for suite_id, suite in enumerate(json.loads(path.read_text())):
            if suite["metadata"]["protocol"] not in SPOKEN:
                continue
            for test_id, case in enumerate(suite["cases"]):
                case.update(suite_id=suite_id, test_id=test_id)
                yield Case(str(path.relative_to(root)), suite, case)


def protocols() -> set[str]:
    """Every protocol that botocore has cases for."""
    files = [*_directory().glob("*/*.json"), *_directory().glob("legacy/*/*.json")]
    return {suite["metadata"]["protocol"] for path in files for suite in json.loads(path.read_text())}


def _directory() -> Path:
    directory = CACHE / version("botocore")
    if directory.is_dir():
        return directory
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes collect at once
        if not directory.is_dir():
            _fetch(directory)
    return directory


def _fetch(directory: Path) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        work = Path(name)
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "botocore"]
        subprocess.run([*download, f"botocore=={version('botocore')}", "--dest", name], check=True)
        (archive,) = work.glob("botocore-*.tar.gz")
        unpacked = work / "cases"
        with tarfile.open(archive) as tar:
            for member in tar:
                _, found, path = member.name.partition(_INSIDE)
                content = tar.extractfile(member) if found and path.endswith(".json") and member.isfile() else None
                if content is not None and path.count("/") >= 1:
                    target = unpacked / path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with target.open("wb") as file:
                        shutil.copyfileobj(content, file)
        unpacked.rename(directory)
