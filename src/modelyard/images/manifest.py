"""Manifests: the JSON that an image is, and whose digest names it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
LISTS = (DOCKER_LIST, OCI_INDEX)
IMAGES = (DOCKER_MANIFEST, OCI_MANIFEST)
MOST_BYTES = 2**53
"""Of a part, and of all together: a number that every client can read."""
_FOREIGN = ("foreign", "nondistributable")
"""In the media types of layers that are fetched from elsewhere."""


class InvalidManifest(ValueError):
    """Not a manifest; the text says why."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest, read."""

    text: str
    digest: str
    media_type: str
    artifact_media_type: str
    """What kind of thing its configuration describes; empty for a list of images."""
    layers: tuple[str, ...]
    """Digests of its configuration and layers, each once; those that are fetched from elsewhere are left out."""
    images: tuple[str, ...]
    """Digests of the manifests that it lists."""
    size: int
    """Bytes of configuration and layers, as they are pulled."""


def read(text: str, media_type: str | None) -> Manifest:
    """Read a manifest; its media type may be given beside it. Raises InvalidManifest."""
    try:
        content = json.loads(text)
        digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    except (ValueError, RecursionError):
        raise InvalidManifest("Invalid JSON syntax") from None
    if not isinstance(content, dict) or content.get("schemaVersion") != 2:
        raise InvalidManifest("the manifest has to have schemaVersion 2")
    kind = _media_type(content, media_type)
    if kind in LISTS:
        listed = _descriptors(content.get("manifests"))
        return Manifest(text, digest, kind, "", (), tuple(dict.fromkeys(each["digest"] for each in listed)), 0)
    parts = [*_descriptors([content.get("config")]), *_descriptors(content.get("layers"))]
    own = dict.fromkeys(each["digest"] for each in parts if not any(word in each["mediaType"] for word in _FOREIGN))
    artifact = content.get("artifactType") or parts[0]["mediaType"]
    if not isinstance(artifact, str):
        raise InvalidManifest("artifactType is not a text")
    size = sum(each["size"] for each in parts)
    if size >= MOST_BYTES:
        raise InvalidManifest("its parts are larger than anything is")
    return Manifest(text, digest, kind, artifact, tuple(own), (), size)


def _media_type(content: Mapping[str, Any], given: str | None) -> str:
    said = content.get("mediaType")
    if said is not None and given is not None and said != given:
        raise InvalidManifest(f"the manifest has the media type {said}, not {given}")
    kind = said or given or (OCI_INDEX if "manifests" in content else OCI_MANIFEST)
    if kind not in LISTS + IMAGES:
        raise InvalidManifest(f"unsupported media type {kind}")
    return str(kind)


def _descriptors(value: object) -> Sequence[Mapping[str, Any]]:
    """What a manifest refers to: digest, size and media type of each."""
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise InvalidManifest("it lacks the list of what it is made of")
    for each in value:
        size = each.get("size")
        if not isinstance(each.get("digest"), str) or not isinstance(each.get("mediaType"), str):
            raise InvalidManifest("a part of it has no digest or no media type")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < MOST_BYTES:
            raise InvalidManifest("a part of it has no size")
    return value
