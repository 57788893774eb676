"""Images: their manifests are pushed, described, fetched and deleted, by digest or by tag."""

from collections.abc import Mapping
from typing import Any

from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Request, operations_of
from modelyard.images import manifest as manifests
from modelyard.images import pages, store, store_layers
from modelyard.images.failures import about, failure, image_not_found, invalid
from modelyard.images.manifest import InvalidManifest, Manifest
from modelyard.images.permissions import named, on_repository
from modelyard.images.repository import TAG, Repository
from modelyard.images.store import Image
from modelyard.storage.interface import Row

operation = operations_of("ecr")

_WITH_TAGS = {"TAGGED": True, "UNTAGGED": False}


@operation("PutImage", mode=Mode.WRITE, permissions=on_repository("PutImage"))
def put_image(context: Context, request: Request) -> Request:
    """Keep a manifest whose layers are here already, and put a tag on it."""
    found, tag = named(context, request), request.get("imageTag")
    if tag is not None and TAG.fullmatch(tag) is None:
        raise invalid("imageTag", f"must satisfy regular expression '{TAG.pattern}'")
    try:
        manifest = manifests.read(request["imageManifest"], request.get("imageManifestMediaType"))
    except InvalidManifest as error:
        raise invalid("ImageManifest", str(error)) from None
    if request.get("imageDigest", manifest.digest) != manifest.digest:
        raise failure(
            "ImageDigestDoesNotMatchException",
            f"The image digest '{request['imageDigest']}' does not match the digest of the manifest, '{manifest.digest}'",
        )
    image = store.image(context.tx, found, manifest.digest)
    _check_tag(context, found, image, manifest.digest, tag)
    if image is None:
        _check_parts(context, found, manifest)
        image = store.add_image(context.tx, found, manifest, context.now)
    if tag is not None:
        store.put_tag(context.tx, found, tag, image)
    return {"image": _shape(found, image, tag)}


def _check_tag(context: Context, found: Repository, image: Image | None, digest: str, tag: str | None) -> None:
    """Raise AwsError when nothing would change, and when the tag may not be moved."""
    on = None if tag is None else store.tagged_image(context.tx, found, tag)
    if image is not None and (tag is None or (on is not None and on.id == image.id)):
        with_tag = "" if tag is None else f" and tag '{tag}'"
        raise about(
            "ImageAlreadyExistsException", found.at, f"Image with digest '{digest}'{with_tag} already exists in {{repository}}"
        )
    if on is not None and tag is not None and found.tag_is_fixed(tag):
        raise failure(
            "ImageTagAlreadyExistsException",
            f"The image tag '{tag}' already exists in the '{found.at.name}' repository and cannot be overwritten because the tag "
            "is immutable.",
        )


def _check_parts(context: Context, found: Repository, manifest: Manifest) -> None:
    """Raise AwsError unless everything that a manifest refers to is in the repository."""
    missing = [digest for digest in manifest.layers if store_layers.layer_size(context.tx, found, digest) is None]
    if missing:
        raise about(
            "LayersNotFoundException",
            found.at,
            f"Layers with digests '[{', '.join(missing[:20])}]' required for pushing image into {{repository}} do not exist",
        )
    missing = [digest for digest in manifest.images if store.image(context.tx, found, digest) is None]
    if missing:
        raise about(
            "ReferencedImagesNotFoundException",
            found.at,
            f"Images with digests '[{', '.join(missing[:20])}]' required for pushing image into {{repository}} do not exist",
        )


def _shape(found: Repository, image: Image, tag: str | None) -> dict[str, Any]:
    identifier = {"imageDigest": image.digest} | ({} if tag is None else {"imageTag": tag})
    return {
        "registryId": found.at.account,
        "repositoryName": found.at.name,
        "imageId": identifier,
        "imageManifest": image.manifest,
        "imageManifestMediaType": image.media_type,
    }


class _NotThere(Exception):
    """An image id names no image; its failure code and reason are the arguments."""


def _resolve(context: Context, found: Repository, identifier: Mapping[str, str]) -> Image:
    """The image of an id: by its digest, its tag, or both. Raises _NotThere."""
    digest, tag = identifier.get("imageDigest"), identifier.get("imageTag")
    if digest is None and tag is None:
        raise _NotThere("MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null")
    image = store.image(context.tx, found, digest) if digest is not None else store.tagged_image(context.tx, found, tag or "")
    if image is None:
        raise _NotThere("ImageNotFound", "Requested image not found")
    if digest is not None and tag is not None and tag not in store.tags(context.tx, image):
        raise _NotThere("ImageTagDoesNotMatchDigest", "The image tag does not belong to the image digest")
    return image


def _failure_entry(identifier: Mapping[str, str], problem: _NotThere) -> dict[str, Any]:
    code, reason = problem.args
    return {"imageId": dict(identifier), "failureCode": code, "failureReason": reason}


@operation("BatchGetImage", mode=Mode.SLOW_READ, permissions=on_repository("BatchGetImage"))
def batch_get_image(context: Context, request: Request) -> Request:
    """Manifests by digest or tag; those that are not there are named, and the call succeeds."""
    found = named(context, request)
    images: list[dict[str, Any]] = []
    failures: list[dict[str, Any]] = []
    for identifier in request["imageIds"]:
        try:
            images.append(_shape(found, _resolve(context, found, identifier), identifier.get("imageTag")))
        except _NotThere as problem:
            failures.append(_failure_entry(identifier, problem))
    return {"images": images, "failures": failures}


@operation("DescribeImages", mode=Mode.SLOW_READ, permissions=on_repository("DescribeImages"))
def describe_images(context: Context, request: Request) -> Request:
    """What is known of images: digest, tags, size, when they were pushed."""
    found = named(context, request)
    if "imageIds" in request:
        if "maxResults" in request or "nextToken" in request:
            raise invalid("maxResults", "pages are of all images, not of those that are named")
        return {"imageDetails": [_detail(context, found, each) for each in _described(context, found, request["imageIds"])]}
    tagged = _WITH_TAGS.get(request.get("filter", {}).get("tagStatus", "ANY"))

    def load(after: list[Any] | None, most: int) -> list[Image]:
        if _none_wanted(request):
            return []
        return store.images(context.tx, found, after[0] if after else 0, most, tagged)

    return pages.page(
        context, "DescribeImages", request, "imageDetails", load, lambda one: [one.id], lambda one: _detail(context, found, one)
    )


def _described(context: Context, found: Repository, identifiers: list[Mapping[str, str]]) -> list[Image]:
    """The images of these ids, each once. Raises ImageNotFoundException."""
    images: dict[int, Image] = {}
    for identifier in identifiers:
        try:
            image = _resolve(context, found, identifier)
        except _NotThere as problem:
            if problem.args[0] == "MissingDigestAndTag":
                raise invalid("imageIds", problem.args[1]) from None
            raise image_not_found(found.at, identifier.get("imageDigest"), identifier.get("imageTag")) from None
        images[image.id] = image
    return list(images.values())


def _none_wanted(request: Request) -> bool:
    """Whether only images in a state are asked for that none here is ever in."""
    return request.get("filter", {}).get("imageStatus", "ACTIVE") not in ("ACTIVE", "ANY")


def _detail(context: Context, found: Repository, image: Image) -> dict[str, Any]:
    detail: dict[str, Any] = {
        "registryId": found.at.account,
        "repositoryName": found.at.name,
        "imageDigest": image.digest,
        "imagePushedAt": image.pushed,
        "imageManifestMediaType": image.media_type,
    }
    tags = store.tags(context.tx, image)
    if tags:
        detail["imageTags"] = tags
    if image.artifact_media_type:
        detail |= {"imageSizeInBytes": image.size, "artifactMediaType": image.artifact_media_type}
    return detail


@operation("ListImages", mode=Mode.SLOW_READ, permissions=on_repository("ListImages"))
def list_images(context: Context, request: Request) -> Request:
    """The ids of images: once for each tag."""
    found = named(context, request)
    tagged = _WITH_TAGS.get(request.get("filter", {}).get("tagStatus", "ANY"))

    def load(after: list[Any] | None, most: int) -> list[Row]:
        if _none_wanted(request):
            return []
        return store.image_ids(context.tx, found, (after[0], after[1]) if after else (0, ""), most, tagged)

    def shape(row: Row) -> dict[str, str]:
        return {"imageDigest": row[1]} | ({"imageTag": row[2]} if row[2] else {})

    return pages.page(context, "ListImages", request, "imageIds", load, lambda row: [row[0], row[2]], shape)


@operation("BatchDeleteImage", mode=Mode.WRITE, permissions=on_repository("BatchDeleteImage"))
def batch_delete_image(context: Context, request: Request) -> Request:
    """Delete images by digest, or take tags off them: with its last tag an image goes as well."""
    found = named(context, request)
    deleted: list[dict[str, str]] = []
    failures: list[dict[str, Any]] = []
    for identifier in request["imageIds"]:
        try:
            deleted += _delete(context, found, identifier)
        except _NotThere as problem:
            failures.append(_failure_entry(identifier, problem))
    return {"imageIds": deleted, "failures": failures}


def _delete(context: Context, found: Repository, identifier: Mapping[str, str]) -> list[dict[str, str]]:
    """The ids that are gone. Raises _NotThere."""
    image = _resolve(context, found, identifier)
    tags = store.tags(context.tx, image)
    tag = identifier.get("imageTag")
    if tag is not None and tags != [tag]:
        store.remove_tag(context.tx, found, tag)
        return [{"imageDigest": image.digest, "imageTag": tag}]
    if store.is_listed(context.tx, found, image.digest):
        raise _NotThere("ImageReferencedByManifestList", "Requested image referenced by manifest list")
    store_layers.remove_unused(context.tx, found, store.remove_image(context.tx, image), context.now)
    return [{"imageDigest": image.digest, "imageTag": each} for each in tags] or [{"imageDigest": image.digest}]
