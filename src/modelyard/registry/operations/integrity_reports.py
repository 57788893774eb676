"""Whether what a version relies on is known and kept, and the registered bytes themselves."""

from typing import Any
from urllib.parse import quote

from modelyard.aws.errors import AccessDeniedException, ResourceNotFound, ValidationException
from modelyard.dispatch.artifacts import NotLookedUp, keeper
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.registry import governance_store, integrity, store
from modelyard.registry.integrity import UNVERIFIED, VERIFIED
from modelyard.registry.permissions import on_package, package_at

operation = operations_of("modelyard")
streaming_operation = operations_of("modelyard-runtime")
Request = dict[str, Any]


@operation(
    "DescribeIntegrity", mode=Mode.READ, permissions=on_package("DescribeIntegrity", "ModelPackageArn", service="modelyard")
)
def describe_integrity(context: Context, request: Request) -> Request:
    """What was found of each container's artifacts and image at registration, or why nothing was."""
    at = package_at(context, request["ModelPackageArn"])
    found = store.package(context.tx, at)
    if found is None:
        raise ResourceNotFound(f"ModelPackage {at.arn} does not exist.")
    containers = integrity.report(found.document, governance_store.integrity(context.tx, found.id))
    verified = bool(containers) and all(container["Status"] == VERIFIED for container in containers)
    return {"ModelPackageArn": at.arn, "Status": VERIFIED if verified else UNVERIFIED, "Containers": containers}


@streaming_operation(
    "GetRegisteredArtifact",
    mode=Mode.STREAM,
    permissions=on_package("GetRegisteredArtifact", "ModelPackageArn", service="modelyard"),
)
def get_registered_artifact(context: Context, request: Request) -> Request:
    """The bytes that a version was registered with, whatever has become of the object since."""
    at = package_at(context, request["ModelPackageArn"])
    with context.read() as tx:
        package = store.package(tx, at)
        if package is None:
            raise ResourceNotFound(f"ModelPackage {at.arn} does not exist.")
        found = _object(governance_store.integrity(tx, package.id), request)
        keeps = keeper()
        if keeps is None:
            raise ResourceNotFound("This server keeps no objects.")
        try:
            body = keeps.read_pinned(context.blobs, tx, found["Pin"], context)
        except NotLookedUp as error:
            raise AccessDeniedException(str(error)) from None
        except FileNotFoundError:
            raise ResourceNotFound(f"The bytes of {found['Key']} are not there: run modelyard verify.") from None
    answer: Request = {name: found[name] for name in ("Bucket", "VersionId", "Size", "Sha256", "ETag") if name in found}
    return {**answer, "Key": quote(found["Key"]), "Body": body}


def _object(records: list[Request], request: Request) -> Request:
    """The registered object that a request asks for. Raises AwsError when there is none, or more than one."""
    location, key = request.get("Location"), request.get("Key")
    objects: dict[int, Request] = {}
    for record in records:
        if location in (None, record["Location"]):
            objects.update({found["Pin"]: found for found in record.get("Objects", ()) if key in (None, found["Key"])})
    if not objects:
        raise ResourceNotFound("No registered bytes are kept there: DescribeIntegrity says what is, and why not.")
    if len(objects) > 1:
        raise ValidationException(
            "Several objects are registered there: say which one by Location, and by Key for one of those below a prefix."
        )
    return next(iter(objects.values()))
