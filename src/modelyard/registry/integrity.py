"""What a version relies on outside the registry: the places in its document, and what was found there when it was registered."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Document = dict[str, Any]

VERIFIED = "Verified"
UNVERIFIED = "Unverified"
NOT_LOOKED_UP = "It was not looked up when it was registered."
NO_IMAGE = "No repository here has it, or the caller may not look at it."
MOST_OBJECTS = 1000
"""Objects below a prefix that are looked up and pinned."""


class Kind(StrEnum):
    """What stands at a place."""

    OBJECT = "Object"
    PREFIX = "Prefix"
    IMAGE = "Image"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a version's document that names an artifact or an image."""

    container: str
    """`InferenceSpecification.Containers[0]`."""
    member: str
    """`ModelDataUrl`, `ModelDataSource`, `Image` …"""
    kind: Kind
    uri: str
    expected: str | None
    """The ETag or the digest that the registration gives for it."""

    @property
    def location(self) -> str:
        """The whole path: `InferenceSpecification.Containers[0].ModelDataUrl`."""
        return f"{self.container}.{self.member}"


def places(document: Mapping[str, Any]) -> Iterator[Place]:
    """Every place in a registration, or in what Describe answers."""
    for path, container in containers(document):
        yield from places_of(path, container)


def containers(document: Mapping[str, Any]) -> Iterator[tuple[str, Document]]:
    """Containers and source algorithms with their paths."""
    for number, container in enumerate(document.get("InferenceSpecification", {}).get("Containers", ())):
        yield f"InferenceSpecification.Containers[{number}]", container
    for number, specification in enumerate(document.get("AdditionalInferenceSpecifications", ())):
        for inner, container in enumerate(specification.get("Containers", ())):
            yield f"AdditionalInferenceSpecifications[{number}].Containers[{inner}]", container
    for number, algorithm in enumerate(document.get("SourceAlgorithmSpecification", {}).get("SourceAlgorithms", ())):
        yield f"SourceAlgorithmSpecification.SourceAlgorithms[{number}]", algorithm


def places_of(path: str, container: Document) -> Iterator[Place]:
    """Every place in a container."""
    if container.get("Image"):
        yield Place(path, "Image", Kind.IMAGE, container["Image"], container.get("ImageDigest"))
    if container.get("ModelDataUrl"):
        yield Place(path, "ModelDataUrl", Kind.OBJECT, container["ModelDataUrl"], container.get("ModelDataETag"))
    for member, source in _sources(container):
        kind = Kind.PREFIX if source.get("S3DataType") == "S3Prefix" else Kind.OBJECT
        yield Place(path, member, kind, source.get("S3Uri", ""), source.get("ETag"))


def _sources(container: Document) -> Iterator[tuple[str, Document]]:
    if "S3DataSource" in container.get("ModelDataSource", {}):
        yield "ModelDataSource", container["ModelDataSource"]["S3DataSource"]
    if container.get("AdditionalS3DataSource"):
        yield "AdditionalS3DataSource", container["AdditionalS3DataSource"]
    for number, source in enumerate(container.get("AdditionalModelDataSources", ())):
        if "S3DataSource" in source:
            yield f"AdditionalModelDataSources[{number}]", source["S3DataSource"]


_NONE: Mapping[str, Any] = {}
_IN_S3 = frozenset({"ModelDataUrl", "ModelDataSource", "AdditionalS3DataSource", "AdditionalModelDataSources"})


def names_artifacts(request: Mapping[str, Any]) -> bool:
    """Whether a registration names anything in S3. Asked of every registration: it is written for speed."""
    containers_of_all = request.get("InferenceSpecification", _NONE).get("Containers", ())
    if "AdditionalInferenceSpecifications" in request or "SourceAlgorithmSpecification" in request:
        containers_of_all = [container for _, container in containers(request)]
    return any(not _IN_S3.isdisjoint(container) for container in containers_of_all)


def address(place: Place) -> tuple[str, str]:
    """Bucket and key. Raises ValueError, with a sentence for the client, for an address that is looked up nowhere."""
    bucket, slash, key = place.uri.removeprefix("s3://").partition("/")
    if not place.uri.startswith("s3://"):
        raise ValueError(f"Only addresses that begin with s3:// are looked up, and this is {place.uri}.")
    if not bucket or (not key and place.kind is Kind.OBJECT):
        raise ValueError(f"{place.uri} names no object.")
    return bucket, key if slash else ""


def agrees(place: Place, etag: str) -> bool:
    """Whether an ETag is the one that the registration gives, or it gives none."""
    return place.expected is None or place.expected.strip('"') == etag


def fill_in(document: Document, place: Place, value: str) -> None:
    """Write an ETag or a digest into the document, where the caller left it out."""
    if place.expected is not None:
        return
    container = dict(containers(document))[place.container]
    if place.kind is Kind.IMAGE:
        container["ImageDigest"] = value
    elif place.member == "ModelDataUrl":
        container["ModelDataETag"] = value
    else:
        dict(_sources(container))[place.member]["ETag"] = value


def unverified(place: Place, reason: str | None = None) -> Document:
    """The record of a place where nothing could be found."""
    if reason is None:
        reason = NO_IMAGE if place.kind is Kind.IMAGE else NOT_LOOKED_UP
    return {"Location": place.location, "Kind": place.kind.value, "Uri": place.uri, "Status": UNVERIFIED, "Reason": reason}


def verified(place: Place, **found: Any) -> Document:
    """The record of a place where something was found."""
    return {"Location": place.location, "Kind": place.kind.value, "Uri": place.uri, "Status": VERIFIED, **found}


def pins_of(records: list[Document]) -> frozenset[int]:
    """The pins that keep what was found."""
    return frozenset(found["Pin"] for record in records for found in record.get("Objects", ()))


def unhashed(records: list[Document]) -> bool:
    """Whether something was found that has not been hashed as a whole."""
    return any("Sha256" not in found for record in records for found in record.get("Objects", ()))


def known(document: Mapping[str, Any], records: Iterable[Document]) -> list[Document]:
    """The record of every place that a document names now; of one that was never looked up, that it was not."""
    by_location = {record["Location"]: record for record in records}
    answer = []
    for place in places(document):
        record = by_location.get(place.location)
        answer.append(record if record is not None and record["Uri"] == place.uri else unverified(place))
    return answer


def report(document: Mapping[str, Any], records: list[Document]) -> list[Document]:
    """What is known of each container: verified when everything it relies on is."""
    of_container: dict[str, list[Document]] = {path: [] for path, _ in containers(document)}
    for record in known(document, records):
        of_container[record["Location"].rpartition(".")[0]].append(record)
    answer = []
    for path, container in containers(document):
        artifacts = of_container[path]
        status = VERIFIED if all(artifact["Status"] == VERIFIED for artifact in artifacts) else UNVERIFIED
        one: Document = {"Location": path, "Status": status, "Artifacts": [_shown(artifact) for artifact in artifacts]}
        if "ContainerHostname" in container:
            one["ContainerHostname"] = container["ContainerHostname"]
        answer.append(one)
    return answer


def _shown(record: Document) -> Document:
    """A record without what is only for the registry."""
    if "Objects" not in record:
        return record
    return {**record, "Objects": [{name: value for name, value in found.items() if name != "Pin"} for found in record["Objects"]]}
