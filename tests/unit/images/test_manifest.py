"""Manifests as they are read."""

import hashlib
import json
from typing import Any

import pytest

from modelyard.images import manifest
from modelyard.images.manifest import InvalidManifest
from modelyard.images.repository import Mutability, Repository, RepositoryName

CONFIG = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:c", "size": 7}
LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": "sha256:l", "size": 100}


def text(**members: Any) -> str:
    return json.dumps({"schemaVersion": 2, "config": CONFIG, "layers": [LAYER], **members})


@pytest.mark.documented
def test_an_image() -> None:
    """Its digest is the SHA-256 of the text as it came; its size that of all it is made of."""
    written = text(layers=[LAYER, LAYER])
    read = manifest.read(written, None)
    assert read.digest == "sha256:" + hashlib.sha256(written.encode()).hexdigest()
    assert (read.media_type, read.artifact_media_type) == (manifest.OCI_MANIFEST, CONFIG["mediaType"])
    assert (read.layers, read.images, read.size) == (("sha256:c", "sha256:l"), (), 207)


@pytest.mark.documented
def test_a_list_of_images() -> None:
    """It is made of other manifests, and has no size of its own."""
    listed = {"schemaVersion": 2, "manifests": [{"mediaType": manifest.OCI_MANIFEST, "digest": "sha256:m", "size": 5}]}
    read = manifest.read(json.dumps(listed), None)
    assert (read.media_type, read.layers, read.images) == (manifest.OCI_INDEX, (), ("sha256:m",))


@pytest.mark.ours
def test_layers_from_elsewhere_need_not_be_here() -> None:
    """Layers that are fetched from another place are none of the repository's."""
    foreign = {**LAYER, "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "digest": "sha256:f"}
    assert manifest.read(text(layers=[LAYER, foreign]), manifest.DOCKER_MANIFEST).layers == ("sha256:c", "sha256:l")


@pytest.mark.ours
@pytest.mark.parametrize(
    "written",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"schemaVersion": 1}',
        text(config=None),
        text(layers="x"),
        text(layers=[{**LAYER, "size": -1}]),
        text(layers=[{**LAYER, "size": True}]),
        text(layers=[{**LAYER, "digest": 3}]),
        text(mediaType="text/plain"),
        text(mediaType=3),
        text(artifactType=3),
        '"\\ud800"',
    ],
)
def test_what_is_no_manifest(written: str) -> None:
    """Anything else is refused with a sentence."""
    with pytest.raises(InvalidManifest):
        manifest.read(written, None)


@pytest.mark.documented
def test_the_media_type_is_said_once_or_alike() -> None:
    """The request and the manifest may not contradict each other."""
    assert manifest.read(text(), manifest.DOCKER_MANIFEST).media_type == manifest.DOCKER_MANIFEST
    with pytest.raises(InvalidManifest, match="media type"):
        manifest.read(text(mediaType=manifest.OCI_MANIFEST), manifest.DOCKER_MANIFEST)


@pytest.mark.documented
@pytest.mark.parametrize(
    ("mutability", "exclusions", "fixed"),
    [
        (Mutability.MUTABLE, (), False),
        (Mutability.IMMUTABLE, (), True),
        (Mutability.IMMUTABLE_WITH_EXCLUSION, ("dev-*",), False),
        (Mutability.IMMUTABLE_WITH_EXCLUSION, ("latest",), True),
        (Mutability.MUTABLE_WITH_EXCLUSION, ("dev-*",), True),
        (Mutability.MUTABLE_WITH_EXCLUSION, ("v*",), False),
    ],
)
def test_which_tags_may_be_moved(mutability: Mutability, exclusions: tuple[str, ...], fixed: bool) -> None:
    """The opposite holds for tags that an exclusion matches."""
    repository = Repository(RepositoryName("111122223333", "us-east-1", "a"), 0.0, mutability, exclusions)
    assert repository.tag_is_fixed("dev-1") is fixed


@pytest.mark.ours
def test_sizes_that_no_database_could_add_up_are_refused() -> None:
    """A layer may be named any number of times; its sizes together stay a number that can be kept."""
    huge = {**LAYER, "size": 2**53 - 1}
    with pytest.raises(InvalidManifest):
        manifest.read(text(layers=[huge] * 2000), None)
