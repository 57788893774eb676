"""Images and layers: pushed, described, fetched, deleted."""

import json

import pytest
from tests.contract.images.conftest import Ecr, digest_of, manifest_of, refused
from tests.harness import ACCOUNT, START, Yard

from modelyard.images import layer_links
from modelyard.images.worker import ABANDONED_SECONDS, end_abandoned
from modelyard.object_store.worker import GRACE_SECONDS, sweep

MODELS = {"repositoryName": "models"}


@pytest.mark.documented
def test_an_image_that_was_pushed(ecr: Ecr) -> None:
    """It is found by digest and by each of its tags, with its size and its manifest as it was pushed."""
    digest = ecr.push("v1")
    assert digest == digest_of(manifest_of(b"layer").encode())
    ecr.push("latest")
    assert ecr("DescribeImages", **MODELS, imageIds=[{"imageTag": "v1"}, {"imageDigest": digest}])["imageDetails"] == [
        {
            "registryId": ACCOUNT,
            "repositoryName": "models",
            "imageDigest": digest,
            "imageTags": ["latest", "v1"],
            "imageSizeInBytes": 7,
            "imagePushedAt": START,
            "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactMediaType": "application/vnd.oci.image.config.v1+json",
        }
    ]
    answer = ecr(
        "BatchGetImage", **MODELS, imageIds=[{"imageTag": "v1"}, {"imageTag": "v9"}, {"imageDigest": digest, "imageTag": "x"}, {}]
    )
    assert [entry["imageManifest"] for entry in answer["images"]] == [manifest_of(b"layer")]
    assert [entry["failureCode"] for entry in answer["failures"]] == [
        "ImageNotFound",
        "ImageTagDoesNotMatchDigest",
        "MissingDigestAndTag",
    ]
    with refused("ImageNotFoundException", match="imageTag:'v9'"):
        ecr("DescribeImages", **MODELS, imageIds=[{"imageTag": "v9"}])


@pytest.mark.documented
def test_images_that_cannot_be_put(ecr: Ecr) -> None:
    """Without its layers, twice the same, under another digest, or as no manifest at all, an image is refused."""
    with refused("LayersNotFoundException", match=digest_of(b"layer")):
        ecr("PutImage", **MODELS, imageManifest=manifest_of(b"layer"))
    digest = ecr.push("v1")
    with refused("ImageAlreadyExistsException", match=f"Image with digest '{digest}' and tag 'v1' already exists"):
        ecr.push("v1")
    with refused("ImageAlreadyExistsException"):
        ecr.push()
    with refused("ImageDigestDoesNotMatchException"):
        ecr.push("v2", imageDigest=digest_of(b"other"))
    for request in ({"imageManifest": "{}"}, {"imageManifest": manifest_of(b"layer"), "imageTag": "-no"}):
        with refused("InvalidParameterException"):
            ecr("PutImage", **MODELS, **request)
    index = {"schemaVersion": 2, "manifests": [{"mediaType": "x", "digest": digest_of(b"none"), "size": 1}]}
    with refused("ReferencedImagesNotFoundException"):
        ecr("PutImage", **MODELS, imageManifest=json.dumps(index))


@pytest.mark.documented
def test_tags_move_unless_they_are_fixed(ecr: Ecr) -> None:
    """A tag goes to the image that was pushed last, and in an immutable repository stays where it is."""
    first = ecr.push("latest")
    second = ecr.push("latest", layer=b"other")
    assert ecr("DescribeImages", **MODELS, imageIds=[{"imageTag": "latest"}])["imageDetails"][0]["imageDigest"] == second
    assert ecr("ListImages", **MODELS, filter={"tagStatus": "UNTAGGED"})["imageIds"] == [{"imageDigest": first}]
    answer = ecr("PutImageTagMutability", **MODELS, imageTagMutability="IMMUTABLE")
    assert answer == {"registryId": ACCOUNT, "repositoryName": "models", "imageTagMutability": "IMMUTABLE"}
    with refused("ImageTagAlreadyExistsException", match="cannot be overwritten because the tag is immutable"):
        ecr.push("latest", layer=b"third")
    ecr.push("v3", layer=b"third")
    filters = [{"filterType": "WILDCARD", "filter": "late*"}]
    ecr(
        "PutImageTagMutability",
        **MODELS,
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=filters,
    )
    ecr.push("latest", layer=b"fourth")
    with refused("InvalidParameterException"):
        ecr("PutImageTagMutability", **MODELS, imageTagMutability="IMMUTABLE_WITH_EXCLUSION")


@pytest.mark.documented
def test_images_are_listed_in_pages(ecr: Ecr) -> None:
    """ListImages has an entry for each tag and each image without one, DescribeImages one for each image."""
    one, two = ecr.push("a"), ecr.push(layer=b"two")
    ecr.push("b")
    entries: list[tuple[str, str | None]] = []
    token: dict[str, str] = {}
    while True:
        page = ecr("ListImages", **MODELS, maxResults=1, **token)
        entries += [(entry["imageDigest"], entry.get("imageTag")) for entry in page["imageIds"]]
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert entries == [(one, "a"), (one, "b"), (two, None)]
    assert [entry["imageTag"] for entry in ecr("ListImages", **MODELS, filter={"tagStatus": "TAGGED"})["imageIds"]] == ["a", "b"]
    first = ecr("DescribeImages", **MODELS, maxResults=1)
    rest = ecr("DescribeImages", **MODELS, maxResults=1, nextToken=first["nextToken"])
    assert [page["imageDetails"][0]["imageDigest"] for page in (first, rest)] == [one, two]
    assert ecr("DescribeImages", **MODELS, filter={"imageStatus": "ARCHIVED"})["imageDetails"] == []


@pytest.mark.documented
def test_deleting_images(ecr: Ecr) -> None:
    """A tag alone is taken off; with its last tag, or by its digest, the image goes, unless a list refers to it."""
    digest = ecr.push("a")
    ecr.push("b")
    answer = ecr("BatchDeleteImage", **MODELS, imageIds=[{"imageTag": "a"}, {"imageTag": "none"}])
    assert answer["imageIds"] == [{"imageDigest": digest, "imageTag": "a"}]
    assert answer["failures"][0]["failureCode"] == "ImageNotFound"
    index = json.dumps({"schemaVersion": 2, "manifests": [{"mediaType": "x", "digest": digest, "size": 1}]})
    listed = ecr("PutImage", **MODELS, imageManifest=index)["image"]["imageId"]
    failed = ecr("BatchDeleteImage", **MODELS, imageIds=[{"imageDigest": digest}])["failures"]
    assert failed[0]["failureCode"] == "ImageReferencedByManifestList"
    ecr("BatchDeleteImage", **MODELS, imageIds=[listed, {"imageDigest": digest}])
    assert ecr("ListImages", **MODELS)["imageIds"] == []


@pytest.mark.documented
def test_deleting_a_repository(ecr: Ecr) -> None:
    """One with images is deleted only by force."""
    ecr.push("a")
    ecr("InitiateLayerUpload", **MODELS)
    with refused("RepositoryNotEmptyException", match="'models' in registry with id '111122223333' cannot be deleted"):
        ecr("DeleteRepository", **MODELS)
    assert ecr("DeleteRepository", **MODELS, force=True)["repository"]["repositoryName"] == "models"
    with refused("RepositoryNotFoundException"):
        ecr("ListImages", **MODELS)


@pytest.mark.documented
def test_layers_come_in_order(ecr: Ecr) -> None:
    """A part goes on where the one before ended; the layer has one of the digests that the caller says."""
    upload = ecr("InitiateLayerUpload", **MODELS)
    assert 1024 <= upload["partSize"] <= 20 * 1024 * 1024
    where = {**MODELS, "uploadId": upload["uploadId"]}
    with refused("EmptyUploadException"):
        ecr("CompleteLayerUpload", **where, layerDigests=[digest_of(b"")])
    assert ecr("UploadLayerPart", **where, partFirstByte=0, partLastByte=2, layerPartBlob=b"abc")["lastByteReceived"] == 2
    with refused("InvalidLayerPartException", match="does not follow the 3 bytes"):
        ecr("UploadLayerPart", **where, partFirstByte=4, partLastByte=4, layerPartBlob=b"x")
    with refused("InvalidParameterException"):
        ecr("UploadLayerPart", **where, partFirstByte=3, partLastByte=9, layerPartBlob=b"def")
    ecr("UploadLayerPart", **where, partFirstByte=3, partLastByte=5, layerPartBlob=b"def")
    with refused("InvalidLayerException"):
        ecr("CompleteLayerUpload", **where, layerDigests=[digest_of(b"abc")])
    digest = digest_of(b"abcdef")
    assert ecr("CompleteLayerUpload", **where, layerDigests=[digest])["layerDigest"] == digest
    with refused("UploadNotFoundException"):
        ecr("CompleteLayerUpload", **where, layerDigests=[digest])
    with refused("LayerAlreadyExistsException"):
        ecr.push_layer(b"abcdef")
    answer = ecr("BatchCheckLayerAvailability", **MODELS, layerDigests=[digest, digest_of(b"none"), "x"])
    assert [entry["layerAvailability"] for entry in answer["layers"]] == ["AVAILABLE", "UNAVAILABLE"]
    assert answer["failures"][0]["failureCode"] == "InvalidLayerDigest"


@pytest.mark.ours
def test_links_to_layers(ecr: Ecr, yard_in_process: Yard) -> None:
    """A link names the bytes and is good for an hour; nobody else can make one."""
    digest = ecr.push_layer(b"layer")
    link = ecr("GetDownloadUrlForLayer", **MODELS, layerDigest=digest)["downloadUrl"]
    sealed = link.rpartition("/")[2]
    tokens = yard_in_process.house.dispatcher.tokens
    assert layer_links.digest_of(tokens, sealed, START) == digest
    assert layer_links.digest_of(tokens, sealed, START + 3601) is None
    with refused("ValidationException"):
        layer_links.digest_of(tokens, sealed[:-2] + "xx", START)
    with refused("LayersNotFoundException"):
        ecr("GetDownloadUrlForLayer", **MODELS, layerDigest=digest_of(b"none"))


@pytest.mark.ours
def test_the_bytes_of_layers_stay_as_long_as_they_are_needed(ecr: Ecr, yard_in_process: Yard) -> None:
    """Layers survive the sweep of the object store; those of deleted images and abandoned uploads do not."""
    house, clock = yard_in_process.house, yard_in_process.clock

    def swept() -> set[str]:
        clock.advance(GRACE_SECONDS + 1)
        sweep(house.storage, house.blobs, clock)
        return set(house.blobs.digests())

    ecr.push("a", layer=b"shared, and then some")
    config, layer = digest_of(b"{}"), digest_of(b"shared, and then some")
    ecr("CreateRepository", repositoryName="other")
    ecr.push_layer(b"shared, and then some", part=4, repositoryName="other")
    upload = ecr("InitiateLayerUpload", **MODELS)["uploadId"]
    ecr("UploadLayerPart", **MODELS, uploadId=upload, partFirstByte=0, partLastByte=2, layerPartBlob=b"abc")
    assert swept() == {config, layer, digest_of(b"abc")}
    ecr("BatchDeleteImage", **MODELS, imageIds=[{"imageTag": "a"}])
    assert swept() == {layer, digest_of(b"abc")}
    clock.advance(ABANDONED_SECONDS)
    assert end_abandoned(house.storage, clock) == 1
    ecr("DeleteRepository", repositoryName="other", force=True)
    assert swept() == set()
