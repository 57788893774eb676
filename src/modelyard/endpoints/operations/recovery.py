"""Going back: RollbackEndpoint, and RestoreEndpoint of one that was deleted.

Both run what an earlier deployment ran, from what was put down when it began: its bytes are held since then, whatever has become
of the objects, the models and the configuration.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from modelyard.access.permission import Permission
from modelyard.aws.errors import AwsError, ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.dispatch.tags import put_tags
from modelyard.endpoints import store as models
from modelyard.endpoints import store_endpoints as store
from modelyard.endpoints import store_history
from modelyard.endpoints.deployment import Deployment, Hosted, Kind, Stored, holder
from modelyard.endpoints.endpoint import Status
from modelyard.endpoints.model import Name
from modelyard.endpoints.operations import planning
from modelyard.endpoints.operations.endpoints import began, existing, missing
from modelyard.endpoints.operations.updates import begin, updatable
from modelyard.endpoints.permissions import named, resource_of

operation = operations_of("modelyard")
Request = dict[str, Any]

KIND = "endpoint"
CHOICES = ("DeploymentNumber", "ModelPackageArn", "AsOf")


def _going_back(own: str, sagemaker: str) -> Any:
    """Both what it is here and what it comes to in SageMaker: whoever may not update an endpoint may not roll it back."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        resource = resource_of(context, named(context, KIND, request["EndpointName"]))
        yield Permission(f"modelyard:{own}", resource)
        yield Permission(f"sagemaker:{sagemaker}", resource)

    return permissions


@operation("RollbackEndpoint", mode=Mode.WRITE, permissions=_going_back("RollbackEndpoint", "UpdateEndpoint"))
def rollback_endpoint(context: Context, request: Request) -> Request:
    """Begin to move an endpoint back to an earlier deployment, the one before this unless one is named."""
    at = named(context, KIND, request["EndpointName"])
    existing(context, at)
    stored, serving = updatable(context, at.name)
    everything = [one.id for one in store.all_of_name(context.tx, at)]
    chosen = _chosen(context, at, request, everything)
    if chosen is None:
        before = [one for one in store_history.succeeded(context.tx, [stored.id]) if one.id < serving.id]
        chosen = next((one for one in before if one.plan != serving.plan), None)
    if chosen is None:
        raise ValidationException(f'The endpoint "{at.arn}" has served nothing else before that it could be rolled back to.')
    if chosen.plan == serving.plan:
        raise ValidationException(f'The endpoint "{at.arn}" serves that already: it is deployment {serving.id}.')
    _check_approved(context, chosen, request)
    number = _again(context, stored.id, Kind.ROLLBACK, chosen)
    begin(context, stored, number, chosen.config_name, stored.endpoint.last_deployment)
    return {"EndpointArn": at.arn, "DeploymentNumber": number}


@operation("RestoreEndpoint", mode=Mode.WRITE, permissions=_going_back("RestoreEndpoint", "CreateEndpoint"))
def restore_endpoint(context: Context, request: Request) -> Request:
    """Begin to make an endpoint again that was deleted, with its tags; its configuration and models too, where they are gone."""
    at = named(context, KIND, request["EndpointName"])
    if store.is_there(context.tx, at):
        raise ValidationException(f'Cannot create already existing endpoint "{at.arn}". RollbackEndpoint changes what it serves.')
    everything = store.all_of_name(context.tx, at)
    if not everything:
        raise missing(at)
    chosen = _chosen(context, at, request, [one.id for one in everything])
    if chosen is None:
        chosen = next(iter(store_history.succeeded(context.tx, [one.id for one in everything])), None)
    if chosen is None:
        raise ValidationException(f'The endpoint "{at.arn}" was never in service: there is nothing to restore.')
    _check_approved(context, chosen, request)
    before = next(one for one in everything if one.id == chosen.endpoint)
    return _restored(context, before, chosen)


def _restored(context: Context, before: Stored, chosen: Deployment) -> Request:
    # By the name that it had, in the case that clients know.
    at = before.endpoint.at
    number = store.add(context.tx, at, Status.CREATING, chosen.config_name, {}, context.now)
    put_tags(context.tx, at.arn, before.state.get("Tags", {}))
    _bring_back(context, chosen)
    deployment = _again(context, number, Kind.RESTORE, chosen)
    began(context, number, deployment)
    return {"EndpointArn": at.arn, "DeploymentNumber": deployment}


def _chosen(context: Context, at: Name, request: Request, endpoints: Sequence[int]) -> Deployment | None:
    """The deployment that a request names; None when it names none. Raises ValidationException."""
    given = [member for member in CHOICES if member in request]
    if len(given) > 1:
        raise ValidationException(f"{' and '.join(given)} cannot both be specified.")
    if not given:
        return None
    found: Deployment | None
    if "AsOf" in request:
        found = store_history.served_at(context.tx, at, request["AsOf"])
        what = "nothing was served at that time"
    else:
        served = store_history.succeeded(context.tx, list(endpoints))
        number, package = request.get("DeploymentNumber"), request.get("ModelPackageArn", "").lower()
        matching = [one for one in served if one.id == number or package in _packages(one)]
        found = next(iter(matching), None)
        what = "there is no such deployment that has served"
    if found is None:
        raise ValidationException(f'The endpoint "{at.arn}" cannot go back: {what}.')
    return found


def _packages(deployment: Deployment) -> list[str]:
    return [arn.lower() for hosted in deployment.hosted.values() for arn in hosted.packages]


def _check_approved(context: Context, chosen: Deployment, request: Request) -> None:
    """Whether the versions of a deployment may still be served: those that are gone nobody can ask. Raises AwsError."""
    for arn in sorted({arn for hosted in chosen.hosted.values() for arn in hosted.packages}):
        try:
            described = context.call("sagemaker", "DescribeModelPackage", {"ModelPackageName": arn})
        except AwsError as error:
            if error.message.endswith("does not exist."):
                continue
            raise
        approval = described.get("ModelApprovalStatus")
        if approval not in (None, "Approved") and not request.get("Force"):
            raise ValidationException(
                f"ModelPackage {arn} has the ModelApprovalStatus {approval}: it is deployed again only with Force."
            )


def _again(context: Context, endpoint: int, kind: Kind, chosen: Deployment) -> int:
    """Put down a deployment of what an earlier one ran; its number."""
    number = store.begin(context.tx, endpoint, kind, chosen.config_name, context.principal.arn, context.now)
    hosted = planning.hold_again(context, holder(number), chosen.hosted)
    store.fill(context.tx, number, number, chosen.policy, chosen.config, chosen.variants, hosted)
    return number


def _bring_back(context: Context, chosen: Deployment) -> None:
    """Make the configuration and the models of a deployment again, where there are none of their names."""
    config = named(context, "endpoint-config", chosen.config_name)
    if models.document(context.tx, config) is None:
        models.add_config(context.tx, config, {**chosen.config, "CreationTime": context.now})
    for name, hosted in chosen.hosted.items():
        at = named(context, "model", hosted.model_name)
        if models.document(context.tx, at) is None:
            kept: Hosted = planning.hold_again(context, at.arn, {name: hosted})[name]
            models.add_model(context.tx, at, {**hosted.document, "CreationTime": context.now}, kept.containers)
