"""Artifacts of lineage."""

from collections.abc import Iterable
from typing import Any

from modelyard.access.permission import Permission
from modelyard.aws.errors import ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.lineage.entity import Kind, artifact_at
from modelyard.lineage.operations import entities
from modelyard.lineage.permissions import creation, on_all, on_entity
from modelyard.lineage.reading import caught_up

operation = operations_of("sagemaker")
Request = dict[str, Any]


@operation("CreateArtifact", mode=Mode.WRITE, permissions=creation(Kind.ARTIFACT))
def create_artifact(context: Context, request: Request) -> Request:
    """Make the artifact of a source. Names need not differ: the service lets artifacts share them."""
    at = artifact_at(context.account, context.region, request["Source"]["SourceUri"])
    return entities.create(context, at, request, request.get("ArtifactName"))


@operation("DescribeArtifact", mode=Mode.STREAM, permissions=on_entity("DescribeArtifact", Kind.ARTIFACT))
@caught_up
def describe_artifact(context: Context, request: Request) -> Request:
    """One artifact, by its ARN."""
    return entities.describe(context, Kind.ARTIFACT, request)


@operation("UpdateArtifact", mode=Mode.WRITE, permissions=on_entity("UpdateArtifact", Kind.ARTIFACT))
def update_artifact(context: Context, request: Request) -> Request:
    """Change name or properties."""
    return entities.update(context, Kind.ARTIFACT, request)


def _deletion(context: Context, request: Request) -> Iterable[Permission]:
    if ("ArtifactArn" in request) == ("Source" in request):
        raise ValidationException("Either ArtifactArn or Source must be specified, and not both.")
    return on_entity("DeleteArtifact", Kind.ARTIFACT)(context, request)


@operation("DeleteArtifact", mode=Mode.WRITE, permissions=_deletion)
def delete_artifact(context: Context, request: Request) -> Request:
    """Remove an artifact without associations, by its ARN or its source."""
    return entities.delete(context, Kind.ARTIFACT, request)


@operation("ListArtifacts", mode=Mode.STREAM, permissions=on_all("ListArtifacts", Kind.ARTIFACT))
@caught_up
def list_artifacts(context: Context, request: Request) -> Request:
    """Artifacts of the caller's account, by source, type and time."""
    return entities.listed(context, Kind.ARTIFACT, request)
