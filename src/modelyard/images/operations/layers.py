"""Layers: uploaded in parts, checked for, and fetched through a link."""

from typing import Any

from modelyard.blobs.interface import Blob
from modelyard.dispatch import kept_blobs
from modelyard.dispatch.context import Context
from modelyard.dispatch.kept_blobs import Kept
from modelyard.dispatch.operation import Mode, Request, operations_of
from modelyard.images import layer_links, store_layers
from modelyard.images.failures import about, failure, invalid
from modelyard.images.permissions import existing, named, on_repository, repository_at
from modelyard.images.repository import Repository
from modelyard.images.store_layers import LayerPart, LayerUpload
from modelyard.storage.interface import Transaction

operation = operations_of("ecr")

LARGEST_PART = 20 * 1024 * 1024
"""Bytes, in the service model."""
ROOM_FOR_THE_REST = 64 * 1024
"""Bytes that a request has beside the part."""
LARGEST_LAYER = 52 * 1000 * 1024 * 1024
"""Bytes: AWS's quota."""
_DIGEST_PREFIX = "sha256:"


@operation("InitiateLayerUpload", mode=Mode.WRITE, permissions=on_repository("InitiateLayerUpload"))
def initiate_layer_upload(context: Context, request: Request) -> Request:
    """Begin to take in a layer; parts are as large as a request may be."""
    found = named(context, request)
    upload_id = context.ids.request_id()
    store_layers.add_upload(context.tx, found, upload_id, context.now)
    in_base64 = (context.settings.max_request_bytes - ROOM_FOR_THE_REST) // 4 * 3
    return {"uploadId": upload_id, "partSize": min(LARGEST_PART, max(in_base64, 1024))}


def _upload(context: Context, tx: Transaction, request: Request) -> tuple[Repository, LayerUpload]:
    """The upload that a request names. Raises AwsError."""
    found = existing(context.within(tx), repository_at(context, request))
    upload = store_layers.upload(tx, found, request["uploadId"])
    if upload is None:
        raise about(
            "UploadNotFoundException", found.at, f"Upload with id '{request['uploadId']}' does not exist in {{repository}}"
        )
    return found, upload


def _keep_part(context: Context, request: Request) -> Kept:
    with context.read() as tx:
        _check_part(request, *_upload(context, tx, request))
    return kept_blobs.keep(context.storage, context.blobs, [request["layerPartBlob"]])


def _check_part(request: Request, found: Repository, upload: LayerUpload) -> None:
    """Raise InvalidLayerPartException unless a part goes on where the one before ended."""
    first, last, size = request["partFirstByte"], request["partLastByte"], len(request["layerPartBlob"])
    if not size or last - first + 1 != size:
        raise invalid("partLastByte", "the part has to have the bytes from partFirstByte to partLastByte, and at least one")
    if first != upload.size:
        raise failure(
            "InvalidLayerPartException",
            f"The layer part that begins at byte {first} does not follow the {upload.size} bytes that were received.",
            registryId=found.at.account,
            repositoryName=found.at.name,
            uploadId=upload.upload_id,
            lastValidByteReceived=max(upload.size - 1, 0),
        )
    if last >= LARGEST_LAYER:
        raise failure("LimitExceededException", f"A layer has at most {LARGEST_LAYER} bytes.")


@operation("UploadLayerPart", mode=Mode.WRITE, permissions=on_repository("UploadLayerPart"), prepare=_keep_part)
def upload_layer_part(context: Context, request: Request) -> Request:
    """Take in the next part of a layer."""
    found, upload = _upload(context, context.tx, request)
    _check_part(request, found, upload)
    kept = context.prepared
    assert isinstance(kept, Kept), "a WRITE with `prepare` has what it prepared"
    kept.refer(context.tx, context.blobs)
    part = LayerPart(request["partFirstByte"], kept.blob.size, kept.blob.digest)
    store_layers.add_part(context.tx, upload, part, context.now)
    return _upload_answer(found, upload) | {"lastByteReceived": request["partLastByte"]}


def _upload_answer(found: Repository, upload: LayerUpload) -> dict[str, Any]:
    return {"registryId": found.at.account, "repositoryName": found.at.name, "uploadId": upload.upload_id}


def _assemble(context: Context, request: Request) -> Kept:
    """Put the parts of a layer together, once they are what the caller says."""
    with context.read() as tx:
        found, upload = _upload(context, tx, request)
        parts = store_layers.parts(tx, upload.upload_id)
    if not parts:
        raise about("EmptyUploadException", found.at, f"Upload with id '{upload.upload_id}' of {{repository}} has no parts")
    pieces = (piece for part in parts for piece in context.blobs.read(part.digest))
    kept = kept_blobs.keep_if(context.storage, context.blobs, pieces, frozenset(request["layerDigests"]))
    if kept is None:
        raise about(
            "InvalidLayerException",
            found.at,
            f"The layer of {{repository}} has none of the digests {request['layerDigests'][:5]}",
        )
    return kept


@operation("CompleteLayerUpload", mode=Mode.WRITE, permissions=on_repository("CompleteLayerUpload"), prepare=_assemble)
def complete_layer_upload(context: Context, request: Request) -> Request:
    """Make a layer of its parts, if it has the digest that the caller says."""
    found, upload = _upload(context, context.tx, request)
    kept = context.prepared
    assert isinstance(kept, Kept), "a WRITE with `prepare` has what it prepared"
    blob: Blob = kept.blob
    if blob.size != upload.size:
        raise about("InvalidLayerException", found.at, "A part came while the layer of {repository} was put together")
    if store_layers.layer_size(context.tx, found, blob.digest) is not None:
        raise about(
            "LayerAlreadyExistsException", found.at, f"Layer with digest '{blob.digest}' already exists in {{repository}}"
        )
    kept.refer(context.tx, context.blobs)
    store_layers.add_layer(context.tx, found, blob.digest, blob.size)
    store_layers.remove_upload(context.tx, upload.upload_id, context.now)
    return _upload_answer(found, upload) | {"layerDigest": blob.digest}


@operation("BatchCheckLayerAvailability", mode=Mode.SLOW_READ, permissions=on_repository("BatchCheckLayerAvailability"))
def batch_check_layer_availability(context: Context, request: Request) -> Request:
    """Which layers a repository has, so that a client need not push them again."""
    found = named(context, request)
    layers: list[dict[str, Any]] = []
    failures: list[dict[str, str]] = []
    for digest in request["layerDigests"]:
        if not digest:
            failures.append(_failure(digest, "MissingLayerDigest", "the digest is missing"))
        elif len(digest) != 71 or not digest.startswith(_DIGEST_PREFIX):
            failures.append(_failure(digest, "InvalidLayerDigest", "the digest is not one of sha256"))
        else:
            size = store_layers.layer_size(context.tx, found, digest)
            known = (
                {"layerAvailability": "UNAVAILABLE"} if size is None else {"layerAvailability": "AVAILABLE", "layerSize": size}
            )
            layers.append({"layerDigest": digest, **known})
    return {"layers": layers, "failures": failures}


def _failure(digest: str, code: str, reason: str) -> dict[str, str]:
    return {"layerDigest": digest, "failureCode": code, "failureReason": f"Invalid layer digest: {reason}"}


@operation("GetDownloadUrlForLayer", mode=Mode.READ, permissions=on_repository("GetDownloadUrlForLayer"))
def get_download_url_for_layer(context: Context, request: Request) -> Request:
    """An address on this server from which anybody may fetch the layer for an hour."""
    found, digest = named(context, request), request["layerDigest"]
    if store_layers.layer_size(context.tx, found, digest) is None:
        raise about("LayersNotFoundException", found.at, f"The layer with digest '{digest}' does not exist in {{repository}}")
    link = layer_links.path(context.tokens, digest, context.now)
    return {"downloadUrl": _own_address(context) + link, "layerDigest": digest}


def _own_address(context: Context) -> str:
    """Where the caller reaches this server: as it did now, unless it came under a name of AWS's."""
    host = "" if context.http is None else context.http.headers.get("host", "")
    if host and not host.partition(":")[0].lower().endswith(".amazonaws.com"):
        assert context.http is not None
        return f"{context.http.scheme}://{host}"
    settings = context.settings
    return f"http://{'127.0.0.1' if settings.host == '0.0.0.0' else settings.host}:{settings.port}"  # noqa: S104
