"""Signatures of versions in the OpenSSF model-signing format: put once, and never changed."""

from hashlib import sha256
from typing import Any

from modelyard.aws.errors import ResourceNotFound, ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.registry import dsse, events, registered_files, signature_bundle, store_signatures
from modelyard.registry.group import GroupName
from modelyard.registry.model_package import Package
from modelyard.registry.operations.packages import existing
from modelyard.registry.operations.signers import current, known_of
from modelyard.registry.permissions import on_package, package_at
from modelyard.registry.registered_files import NotSignable
from modelyard.registry.signature_bundle import NotASignature, Verified
from modelyard.registry.store_signatures import Signature

operation = operations_of("modelyard")
Request = dict[str, Any]
MOST = 20
"""Signatures of one version."""


def _verify(context: Context, request: Request) -> Verified:
    """Verify a bundle with its key, which needs no transaction. Raises ValidationException."""
    try:
        return signature_bundle.verify(request["Bundle"], request.get("PublicKey"))
    except NotASignature as error:
        raise ValidationException(f"This signature is not taken: {error}") from None


@operation(
    "PutVersionSignature",
    mode=Mode.WRITE,
    permissions=on_package("PutVersionSignature", "ModelPackageArn", service="modelyard"),
    prepare=_verify,
)
def put_version_signature(context: Context, request: Request) -> Request:
    """Keep a signature that its key made over what is registered. The same one again changes nothing."""
    verified = context.prepared if isinstance(context.prepared, Verified) else _verify(context, request)
    found = existing(context, package_at(context, request["ModelPackageArn"]))
    try:
        refusal = registered_files.covers(verified.files, registered_files.signable(known_of(context, found)))
    except NotSignable as error:
        raise ValidationException(f"{found.at.arn} cannot be signed: {error}") from None
    if refusal is not None:
        raise ValidationException(f"This signature does not fit {found.at.arn}: {refusal}")
    made = _made(context, request["Bundle"], verified)
    kept = store_signatures.signatures(context.tx, found.id)
    if made.id not in {one.id for one in kept}:
        if len(kept) >= MOST:
            raise ValidationException(f"{found.at.arn} has {MOST} signatures already, which is the most a version can have.")
        store_signatures.add(context.tx, found.id, made, request["Bundle"])
        _tell(context, found, made)
    answer = {"ModelPackageArn": found.at.arn, "SignatureId": made.id, "KeyFingerprint": made.fingerprint, "Files": _files(made)}
    return answer if made.certificate is None else {**answer, "Certificate": made.certificate}


def _made(context: Context, bundle: bytes, verified: Verified) -> Signature:
    return Signature(
        id=sha256(bundle).hexdigest(),
        created=context.now,
        author=context.principal.arn,
        fingerprint=dsse.fingerprint(verified.key),
        public_key=dsse.pem_of(verified.key),
        certificate=verified.certificate,
        files=verified.files,
    )


def _tell(context: Context, found: Package, made: Signature) -> None:
    if found.group_id is not None:
        group = GroupName(found.at.account, found.at.region, found.document["ModelPackageGroupName"])
        told = {"ModelPackageArn": found.at.arn, "SignatureId": made.id, "KeyFingerprint": made.fingerprint}
        events.group_changed(context.tx, group, "SignaturePut", context.now, **told)


@operation(
    "ListVersionSignatures",
    mode=Mode.SLOW_READ,
    permissions=on_package("ListVersionSignatures", "ModelPackageArn", service="modelyard"),
)
def list_version_signatures(context: Context, request: Request) -> Request:
    """The signatures of a version, the oldest first: who made them, who put them, and whether they hold for what it is now."""
    found = existing(context, package_at(context, request["ModelPackageArn"]))
    kept = store_signatures.signatures(context.tx, found.id)
    holding = {one.id for one in current(context, found, kept)}
    return {"Signatures": [_shown(one, is_current=one.id in holding) for one in kept]}


@operation(
    "GetVersionSignature",
    mode=Mode.SLOW_READ,
    permissions=on_package("GetVersionSignature", "ModelPackageArn", service="modelyard"),
)
def get_version_signature(context: Context, request: Request) -> Request:
    """A signature with its bundle: the one that is asked for, or the newest that holds for what the version is now."""
    found = existing(context, package_at(context, request["ModelPackageArn"]))
    kept = store_signatures.signatures(context.tx, found.id)
    holding = current(context, found, kept)
    if "SignatureId" in request:
        wanted = [one for one in kept if one.id == request["SignatureId"]]
        missing = f"{found.at.arn} has no signature {request['SignatureId']}."
    else:
        wanted, missing = holding[-1:], f"{found.at.arn} has no signature over what it deploys now."
    if not wanted:
        raise ResourceNotFound(missing)
    (one,) = wanted
    return {
        "ModelPackageArn": found.at.arn,
        **_shown(one, is_current=one in holding),
        "Files": _files(one),
        "Bundle": store_signatures.bundle(context.tx, found.id, one.id),
    }


def _shown(one: Signature, *, is_current: bool) -> Request:
    shown = {
        "SignatureId": one.id,
        "CreationTime": one.created,
        "CreatedBy": one.author,
        "KeyFingerprint": one.fingerprint,
        "PublicKey": one.public_key,
        "Current": is_current,
    }
    return shown if one.certificate is None else {**shown, "Certificate": one.certificate}


def _files(one: Signature) -> list[Request]:
    return [{"Name": name, "Sha256": digest} for name, digest in one.files]
