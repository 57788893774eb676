"""The containers of a package for who makes a model of it, with the bytes that are kept for them (`dispatch.registered`)."""

from collections.abc import Iterator, Mapping
from typing import Any

from modelyard.dispatch.registered import RegisteredArtifact, RegisteredContainer, registers_packages
from modelyard.registry import governance_store, integrity, store
from modelyard.registry.integrity import VERIFIED
from modelyard.registry.names import NotAName, package_name
from modelyard.storage.interface import Transaction

Document = dict[str, Any]


class Registry:
    """Tells of the packages that are registered here."""

    def containers(self, tx: Transaction, arn: str, specification: str | None) -> list[RegisteredContainer] | None:
        """Those of the InferenceSpecification of a package, or of an additional one by its name; None when it has none."""
        try:
            at = package_name(arn, "", arn.split(":", 4)[3])
        except (NotAName, IndexError):
            return None
        package = store.package(tx, at)
        if package is None:
            return None
        known = {record["Location"]: record for record in governance_store.integrity(tx, package.id)}
        found = [
            RegisteredContainer(container, [_artifact(place, known) for place in integrity.places_of(path, container)])
            for path, container in _specified(package.document, specification)
        ]
        return found or None


def _specified(document: Document, name: str | None) -> Iterator[tuple[str, Document]]:
    for path, container in integrity.containers(document):
        specification, _, _ = path.partition(".")
        if name is None:
            if specification == "InferenceSpecification":
                yield path, container
        elif specification.startswith("AdditionalInferenceSpecifications["):
            number = int(specification.partition("[")[2].rstrip("]"))
            if document["AdditionalInferenceSpecifications"][number]["Name"] == name:
                yield path, container


def _artifact(place: integrity.Place, known: Mapping[str, Document]) -> RegisteredArtifact:
    record = known.get(place.location)
    if record is None or record["Uri"] != place.uri:
        record = integrity.unverified(place)
    return RegisteredArtifact(
        member=place.member,
        kind=place.kind.value,
        uri=place.uri,
        objects=tuple(record.get("Objects", ())),
        reason="" if record["Status"] == VERIFIED else record["Reason"],
    )


registers_packages(Registry())
