"""Artifacts, actions and contexts: what they are called, and what Describe answers of them.

Sources: "Amazon SageMaker ML Lineage Tracking" of the SageMaker developer guide, and the service model. There is one artifact for
a SourceUri; actions and contexts have names of their own.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Document = dict[str, Any]

DEFAULT_GROUP = "sagemaker-default-lineage-group"
"""The lineage group that every account has in every region; there are no others."""
MOST_PROPERTIES = 30


class Kind(StrEnum):
    """The kinds of entities, as ARNs name them."""

    ARTIFACT = "artifact"
    ACTION = "action"
    CONTEXT = "context"

    @property
    def member(self) -> str:
        """The beginning of the names of its members, and its LineageType: `Artifact`."""
        return self.value.capitalize()


@dataclass(frozen=True, slots=True)
class EntityName:
    """Where an entity is."""

    account: str
    region: str
    kind: Kind
    handle: str
    """The last part of the ARN."""

    @property
    def arn(self) -> str:
        """`arn:aws:sagemaker:REGION:ACCOUNT:artifact/0123456789abcdef0123456789abcdef`, `…:action/NAME`."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{self.kind}/{self.handle}"


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity, as it is kept or is to be kept."""

    at: EntityName
    document: Document
    """What Describe answers."""

    @property
    def type(self) -> str:
        """ArtifactType, ActionType, ContextType."""
        kind: str = self.document[f"{self.at.kind.member}Type"]
        return kind

    @property
    def source_uri(self) -> str:
        """What it stands for."""
        uri: str = self.document["Source"]["SourceUri"]
        return uri

    @property
    def name(self) -> str | None:
        """Its name; artifacts need none."""
        return self.document.get(f"{self.at.kind.member}Name")


def artifact_at(account: str, region: str, source_uri: str, more: str = "") -> EntityName:
    """The artifact of a source. `more` tells apart what has the same address at different times, as versions do."""
    text = "\0".join((account, region, folded(source_uri), more))
    return EntityName(account, region, Kind.ARTIFACT, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32])


def named(account: str, region: str, kind: Kind, name: str) -> EntityName:
    """The action or context of a name; names are the same in any case."""
    return EntityName(account, region, kind, name.lower())


def folded(source_uri: str) -> str:
    """A SourceUri as it is looked up: SageMaker's ARNs are the same in any case, other addresses are not."""
    return source_uri.lower() if source_uri.startswith("arn:aws:sagemaker:") else source_uri


def source_key(source_uri: str) -> int:
    """A number that a SourceUri is found by."""
    digest = hashlib.sha256(folded(source_uri).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def group_arn(account: str, region: str) -> str:
    """The ARN of the lineage group of an account."""
    return f"arn:aws:sagemaker:{region}:{account}:lineage-group/{DEFAULT_GROUP}"


GIVEN = ("Source", "Description", "Status", "Properties", "MetadataProperties")
"""Members of the Create operations that Describe answers as they were given."""


def new(at: EntityName, kind_type: str, given: Mapping[str, Any], by: Document, now: float, name: str | None = None) -> Entity:
    """An entity made now by somebody; `given` has members of its Create operation."""
    member = at.kind.member
    document: Document = {} if name is None else {f"{member}Name": name}
    document[f"{member}Arn"] = at.arn
    document[f"{member}Type"] = kind_type
    for one in GIVEN:
        if given.get(one) not in (None, {}, ""):
            document[one] = given[one]
    document |= {"CreationTime": now, "CreatedBy": by, "LastModifiedTime": now, "LastModifiedBy": by}
    document["LineageGroupArn"] = group_arn(at.account, at.region)
    return Entity(at, document)


def updated(document: Mapping[str, Any], request: Mapping[str, Any], by: Document, now: float) -> Document:
    """What Describe answers after an update. New properties take the place of all that there were; absent members stay."""
    changed: Document = dict(document)
    for member in ("ArtifactName", "Description", "Status"):
        if member in request:
            changed[member] = request[member]
    properties = dict(request.get("Properties", document.get("Properties", {})))
    for key in request.get("PropertiesToRemove", []):
        properties.pop(key, None)
    changed.pop("Properties", None)
    if properties:
        changed["Properties"] = properties
    return {**changed, "LastModifiedTime": now, "LastModifiedBy": by}


SUMMARY = ("Name", "Arn", "Type")
SUMMARY_SHARED = ("Source", "Status", "CreationTime", "LastModifiedTime")


def summary(entity: Entity) -> Document:
    """The entry of ListArtifacts, ListActions, ListContexts."""
    members = [*(f"{entity.at.kind.member}{each}" for each in SUMMARY), *SUMMARY_SHARED]
    return {member: entity.document[member] for member in members if member in entity.document}
