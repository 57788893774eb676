"""What changes an endpoint: UpdateEndpoint, UpdateEndpointWeightsAndCapacities."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from modelyard.access.permission import Permission
from modelyard.aws.errors import ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.endpoints import endpoint, scaled_variants
from modelyard.endpoints import store as configs
from modelyard.endpoints import store_endpoints as store
from modelyard.endpoints.deployment import Deployment, Kind, Stored
from modelyard.endpoints.endpoint import CAPTURE, Variant, variants_of
from modelyard.endpoints.model import RuleBroken
from modelyard.endpoints.operations import component_planning, planning
from modelyard.endpoints.operations.endpoint_configs import missing as missing_config
from modelyard.endpoints.operations.endpoints import changed, checked_policy, config_resource, existing
from modelyard.endpoints.permissions import named, on_one, resource_of

operation = operations_of("sagemaker")
Request = dict[str, Any]

KIND = "endpoint"


def updatable(context: Context, name: str) -> tuple[Stored, Deployment]:
    """An endpoint that may be updated now, and what it serves. Raises ValidationException."""
    stored = existing(context, named(context, KIND, name))
    try:
        endpoint.check_update(stored.endpoint)
    except RuleBroken as error:
        raise ValidationException(str(error)) from None
    assert stored.serving is not None, "what may be updated was in service before"
    return stored, store.deployment(context.tx, stored.serving)


def begin(
    context: Context, stored: Stored, deployment: int, config_name: str, policy: Request | None, *, retain: bool = False
) -> None:
    """An update to a deployment that was put down begins. Raises ValidationException where inference components forbid it."""
    component_planning.check_hosts(context, stored, store.deployment(context.tx, deployment))
    core = endpoint.updating(stored.endpoint, config_name, policy, retain=retain)
    if not core.last_deployment:
        core = replace(core, last_deployment=None)
    store.put(context.tx, stored, core, context.now, pending=deployment)
    changed(context, stored.id)


def _updating(context: Context, request: Request) -> Iterable[Permission]:
    yield Permission("sagemaker:UpdateEndpoint", resource_of(context, named(context, KIND, request["EndpointName"])))
    yield Permission("sagemaker:UpdateEndpoint", config_resource(context, request))


@operation("UpdateEndpoint", mode=Mode.WRITE, permissions=_updating)
def update_endpoint(context: Context, request: Request) -> Request:
    """Begin to move an endpoint to another configuration, without a moment in which it does not answer."""
    stored, serving = updatable(context, request["EndpointName"])
    before = named(context, "endpoint-config", stored.endpoint.config_name)
    if configs.document(context.tx, before) is None:
        raise missing_config(before)
    config = _captured(request, planning.config_of(context, request["EndpointConfigName"]), serving)
    retain = request.get("RetainDeploymentConfig", False)
    given = request.get("DeploymentConfig")
    if retain and given is not None:
        raise ValidationException("RetainDeploymentConfig and DeploymentConfig cannot both be specified.")
    policy = checked_policy(context, given or (stored.endpoint.last_deployment if retain else None) or {})
    variants = _variants(request, config, serving)
    scaled_variants.check_removed(context, stored.endpoint.at, serving.hosted.keys() - {one.name for one in variants})
    number = planning.plan(context, stored.id, Kind.UPDATE, config, variants, policy)
    begin(context, stored, number, config["EndpointConfigName"], given, retain=retain)
    return {"EndpointArn": stored.endpoint.at.arn}


def _variants(request: Request, config: Request, serving: Deployment) -> Sequence[Variant]:
    """The variants of the new configuration, with the properties that the request retains."""
    excluded = [one["VariantPropertyType"] for one in request.get("ExcludeRetainedVariantProperties", ())]
    if not request.get("RetainAllVariantProperties"):
        if excluded:
            raise ValidationException("ExcludeRetainedVariantProperties can only be specified with RetainAllVariantProperties.")
        return variants_of(config)
    return endpoint.retained(variants_of(config), serving.variants, excluded)


def _captured(request: Request, config: Request, serving: Deployment) -> Request:
    """The new configuration with the data capture that the request retains: that of now, where there is one."""
    excluded = [one["VariantPropertyType"] for one in request.get("ExcludeRetainedVariantProperties", ())]
    if not request.get("RetainAllVariantProperties") or CAPTURE in excluded or CAPTURE not in serving.config:
        return config
    return {**config, CAPTURE: serving.config[CAPTURE]}


@operation(
    "UpdateEndpointWeightsAndCapacities",
    mode=Mode.WRITE,
    permissions=on_one("UpdateEndpointWeightsAndCapacities", KIND, "EndpointName"),
)
def update_endpoint_weights_and_capacities(context: Context, request: Request) -> Request:
    """Begin to give variants other weights, or other numbers of instances."""
    stored, serving = updatable(context, request["EndpointName"])
    wanted = request["DesiredWeightsAndCapacities"]
    try:
        variants = endpoint.reweighted(serving.variants, wanted, serving.config_name)
    except RuleBroken as error:
        raise ValidationException(str(error)) from None
    planning.check_counts(variants, serving.config)
    reweigh(context, stored, serving, variants)
    return {"EndpointArn": stored.endpoint.at.arn}


def reweigh(context: Context, stored: Stored, serving: Deployment, variants: Sequence[Variant]) -> None:
    """A deployment on the fleet that there is, with other weights and counts, begins."""
    by, now = context.principal.arn, context.now
    number = store.begin(context.tx, stored.id, Kind.WEIGHTS, serving.config_name, by, now)
    hosted, config = serving.hosted, serving.config
    store.fill(context.tx, number, serving.plan, serving.policy, config, variants, hosted)
    begin(context, stored, number, serving.config_name, stored.endpoint.last_deployment)
