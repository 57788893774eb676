"""The bill of materials of a version: a CycloneDX 1.6 ML-BOM.

It is written by hand, since the Python library of CycloneDX knows no model cards; the tests hold it against the schema that this
library ships. Source: https://cyclonedx.org/docs/1.6/json/.
"""

import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import orjson

from modelyard.registry.described_version import DataSet, DescribedVersion, Image, moment
from modelyard.registry.governance_store import Decision
from modelyard.registry.model_card_bill import model_card
from modelyard.registry.registered_files import RegisteredFile

Json = dict[str, Any]

SPEC_VERSION = "1.6"
_ADDRESS = re.compile(r"([a-z][a-z0-9+]*://[A-Za-z0-9.-]+(?::[0-9]+)?)(/.*)?")


def bill_of_materials(version: DescribedVersion, now: float, software: str) -> Json:
    """The bill. Of the same version in the same state it is the same but for its time."""
    components = [
        *(_file(file) for file in version.files),
        *(_image(image) for image in version.images),
        *(_data(data) for data in version.data_sets),
    ]
    content: Json = {
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "modelyard", "version": software}]},
            "component": _model(version),
        },
        "components": components,
        "dependencies": [
            {"ref": version.arn, "dependsOn": [one["bom-ref"] for one in components]},
            *({"ref": one["bom-ref"]} for one in components),
        ],
        "compositions": [{"aggregate": "incomplete" if version.unverified else "unknown", "assemblies": [version.arn]}],
    }
    annotations = [_annotation(version.arn, made, number) for number, made in enumerate(version.decisions, 1)]
    if annotations:
        content["annotations"] = annotations
    digest = orjson.dumps(content, option=orjson.OPT_SORT_KEYS).decode()
    content["metadata"] = {"timestamp": moment(now), **content["metadata"]}
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC_VERSION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, digest)}",
        "version": 1,
        **content,
    }


def _model(version: DescribedVersion) -> Json:
    document, files = version.document, version.files
    model: Json = {"type": "machine-learning-model", "bom-ref": version.arn, "name": version.name}
    if "ModelPackageVersion" in document:
        model["version"] = str(document["ModelPackageVersion"])
    if "ModelPackageDescription" in document:
        model["description"] = document["ModelPackageDescription"]
    if len(files) == 1 and files[0].sha256 is not None:
        model["hashes"] = _hashes(files[0].sha256)
    repository = document.get("MetadataProperties", {}).get("Repository", "")
    if repository.startswith(("http://", "https://")):
        model["externalReferences"] = [{"type": "vcs", "url": reference(repository)}]
    model["modelCard"] = model_card(version, [_ref(data) for data in version.data_sets])
    properties = [{"name": name, "value": value} for name, value in _properties(version)]
    return {**model, "properties": properties}


def _properties(version: DescribedVersion) -> Iterator[tuple[str, str]]:
    document = version.document
    yield "modelyard:arn", version.arn
    yield "modelyard:registered", moment(document["CreationTime"])
    by = document["CreatedBy"].get("IamIdentity", {}).get("Arn")
    if by:
        yield "modelyard:registrant", by
    for member in ("ModelApprovalStatus", "SourceUri"):
        if member in document:
            yield f"modelyard:{member}", document[member]
    if "ModelLifeCycle" in document:
        yield "modelyard:ModelLifeCycle", f"{document['ModelLifeCycle']['Stage']}/{document['ModelLifeCycle']['StageStatus']}"
    for name, value in sorted(document.get("MetadataProperties", {}).items()):
        yield f"modelyard:{name}", value
    for name, value in sorted(document.get("CustomerMetadataProperties", {}).items()):
        yield f"modelyard:CustomerMetadataProperties:{name}", value
    for signature in version.signatures:
        yield "modelyard:signature", f"{signature.id} by {signature.fingerprint}"
    for uri, reason in version.unverified:
        yield "modelyard:unverified", f"{uri}: {reason}"


def _file(file: RegisteredFile) -> Json:
    component: Json = {"type": "file", "bom-ref": f"file:{file.uri}#{file.name}", "name": file.name}
    if file.sha256 is not None:
        component["hashes"] = _hashes(file.sha256)
    facts = {"modelyard:uri": file.uri, "modelyard:size": str(file.size)}
    return {**component, "properties": [{"name": name, "value": value} for name, value in facts.items()]}


def _image(image: Image) -> Json:
    name, _, tag = image.uri.partition("@")[0].rpartition("/")[2].partition(":")
    component: Json = {"type": "container", "bom-ref": f"image:{image.uri}", "name": name or image.uri}
    if tag:
        component["version"] = tag
    if image.sha256 is not None:
        component["hashes"] = _hashes(image.sha256)
        repository = image.uri.partition("@")[0].rpartition(":")[0] if tag else image.uri.partition("@")[0]
        component["purl"] = f"pkg:oci/{quote(name.lower())}@sha256%3A{image.sha256}?repository_url={quote(repository, safe='')}"
    return {**component, "properties": [{"name": "modelyard:uri", "value": image.uri}]}


def _data(data: DataSet) -> Json:
    component: Json = {"type": "data", "bom-ref": _ref(data), "name": data.uri.rstrip("/").rpartition("/")[2] or data.uri}
    if data.version is not None:
        component["version"] = data.version
    described = f"{data.use.capitalize()} data, as the registration names it."
    component["data"] = [{"type": "dataset", "contents": {"url": reference(data.uri)}, "description": described}]
    return component


def _ref(data: DataSet) -> str:
    return f"data:{data.uri}"


def _hashes(sha256: str) -> list[Mapping[str, str]]:
    return [{"alg": "SHA-256", "content": sha256}]


def _annotation(arn: str, made: Decision, number: int) -> Json:
    before = f"{made.before} to " if made.before else ""
    what = f"{made.subject}: {before}{made.after or 'changed'}"
    count = f", approval {made.approvals} of {made.required}" if made.required else ""
    reason = f" ({made.reason})" if made.reason else ""
    return {
        "bom-ref": f"decision:{number}",
        "subjects": [arn],
        "annotator": {"individual": {"name": made.principal}},
        "timestamp": moment(made.decided),
        "text": f"{what}{count}{reason}",
    }


def reference(text: str) -> str:
    """An address as a reference that RFC 3987 admits."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        return quote(text, safe="/")
    return found[1] + quote(found[2] or "", safe="/~")
