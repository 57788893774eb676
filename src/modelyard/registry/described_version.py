"""All that the registry knows of a version, gathered for those who describe it to others: attestations and bills of materials."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from modelyard.registry.governance_store import Decision
from modelyard.registry.integrity import UNVERIFIED, Kind
from modelyard.registry.registered_files import RegisteredFile, registered_files
from modelyard.registry.store_signatures import Signature

Document = Mapping[str, Any]
_DEEPEST = 16


@dataclass(frozen=True, slots=True)
class DataSet:
    """Data that a version was made from or judged with."""

    uri: str
    version: str | None = None
    use: str = "training"


@dataclass(frozen=True, slots=True)
class Image:
    """A container image that a version names."""

    uri: str
    sha256: str | None
    """In hexadecimal; None where it could not be looked up."""


@dataclass(frozen=True, slots=True)
class DescribedVersion:
    """A version, and what belongs to it."""

    document: Document
    """What Describe answers."""
    records: Sequence[Document]
    """What is known of its artifacts and images."""
    metadata: Any = None
    """The JSON document that it carries."""
    figures: Mapping[str, float] = field(default_factory=dict)
    decisions: Sequence[Decision] = ()
    signatures: Sequence[Signature] = ()
    """Those that hold for what it deploys now."""

    @property
    def arn(self) -> str:
        """The version."""
        return str(self.document["ModelPackageArn"])

    @property
    def name(self) -> str:
        """Its group, or its own name where it is in none."""
        return str(self.document.get("ModelPackageGroupName") or self.document["ModelPackageName"])

    @property
    def files(self) -> list[RegisteredFile]:
        """What the registry keeps."""
        return registered_files(self.records)

    @property
    def images(self) -> list[Image]:
        """Its images, each once."""
        found = {}
        for record in self.records:
            if record["Kind"] == Kind.IMAGE:
                digest = record.get("ImageDigest")
                found[record["Uri"]] = Image(record["Uri"], digest.removeprefix("sha256:") if digest else None)
        return list(found.values())

    @property
    def unverified(self) -> list[tuple[str, str]]:
        """Addresses of which nothing is known, and why."""
        found = {record["Uri"]: record["Reason"] for record in self.records if record["Status"] == UNVERIFIED}
        return list(found.items())

    @property
    def card(self) -> Document:
        """The content of its model card."""
        try:
            card = orjson.loads(self.document.get("ModelCard", {}).get("ModelCardContent") or "{}")
        except orjson.JSONDecodeError:
            return {}
        return card if isinstance(card, dict) else {}

    @property
    def data_sets(self) -> list[DataSet]:
        """What its model card, its metadata and its customer metadata say that it was made from, each once."""
        found: dict[str, DataSet] = {}
        training = _inside(self.card, "training_details", "training_job_details", "training_datasets")
        for uri in _texts(training):
            found.setdefault(uri, DataSet(uri))
        for evaluation in _list(self.card.get("evaluation_details")):
            for uri in _texts(_inside(evaluation, "datasets")):
                found.setdefault(uri, DataSet(uri, use="evaluation"))
        for holder in (self.document.get("CustomerMetadataProperties", {}), self.metadata):
            for one in _named_data(holder, _DEEPEST):
                found.setdefault(one.uri, one)
        return list(found.values())


def _named_data(value: Any, levels: int) -> Iterator[DataSet]:
    """Members such as `training_data: s3://…`, with `training_data_version` beside them where there is one."""
    if isinstance(value, list) and levels:
        for one in value:
            yield from _named_data(one, levels - 1)
    if not isinstance(value, dict) or not levels:
        return
    versions = {_squeezed(key): member for key, member in value.items() if isinstance(member, str)}
    for key, member in value.items():
        if isinstance(member, str) and "data" in key.lower() and member.startswith("s3://"):
            name = _squeezed(key)
            version = versions.get(f"{name}version") or versions.get(f"{name}versionid")
            yield DataSet(member, version, "evaluation" if re.search("eval|test|valid", name) else "training")
        elif isinstance(member, dict | list):
            yield from _named_data(member, levels - 1)


def _squeezed(key: str) -> str:
    return re.sub("[^a-z0-9]", "", key.lower())


def _inside(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    return [one for one in _list(value) if isinstance(one, str) and one]


def moment(time: float) -> str:
    """A time as RFC 3339 writes it."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
