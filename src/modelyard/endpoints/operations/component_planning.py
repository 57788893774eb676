"""What an inference component is to run, put down whole as endpoints' deployments are, and whether there is room for it."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import orjson

from modelyard.aws.errors import ValidationException
from modelyard.dispatch.context import Context
from modelyard.endpoints import component as domain
from modelyard.endpoints import store as models
from modelyard.endpoints import store_components as store
from modelyard.endpoints import store_endpoints as endpoints
from modelyard.endpoints.component import Component, Needs, holds_components, host_of, needs_of
from modelyard.endpoints.deployment import Deployment, Hosted, Kind, Stored, holder
from modelyard.endpoints.endpoint import Variant
from modelyard.endpoints.model import MULTI, Model, Name, RuleBroken
from modelyard.endpoints.operations import planning
from modelyard.endpoints.operations.models import check_runnable
from modelyard.endpoints.operations.models import missing as missing_model
from modelyard.endpoints.operations.sourcing import Sourcing
from modelyard.endpoints.permissions import named

Request = dict[str, Any]

HEALTH, DOWNLOAD = "ContainerStartupHealthCheckTimeoutInSeconds", "ModelDataDownloadTimeoutInSeconds"


def hosts_of(deployment: Deployment) -> dict[str, Request]:
    """The variants of an endpoint's deployment that are there for inference components, as its configuration has them."""
    return {one["VariantName"]: one for one in deployment.config["ProductionVariants"] if holds_components(one)}


def check_hosts(context: Context, stored: Stored, deployment: Deployment) -> None:
    """Whether the inference components of an endpoint can go on with another deployment of it. Raises ValidationException."""
    hosts = hosts_of(deployment)
    for variant in sorted({one.variant for one in store.of_endpoint(context.tx, stored.id)}):
        if variant not in hosts:
            raise ValidationException(
                f'The endpoint "{stored.endpoint.at.arn}" has inference components on the variant {variant}, which has to stay.'
            )
        check_room(context, stored.id, deployment, variant)


def check_room(
    context: Context, endpoint: int, deployment: Deployment, variant: str, but: int | None = None, more: Iterable[Needs] = ()
) -> None:
    """Whether a variant has room for the components that are on it, with others instead of one of them. Raises
    ValidationException."""
    others = [one for one in store.of_endpoint(context.tx, endpoint) if one.stored.id != but]
    running = {one.stored.id: endpoints.deployment(context.tx, wanted) for one in others if (wanted := _wanted(one))}
    instances = next((one.instances for one in deployment.variants if one.name == variant), None) or 0
    host = host_of(hosts_of(deployment)[variant], instances, context.settings.instance_memory_mib)
    added = list(more)
    try:
        domain.check_copies([needs_of(one).copies for one in running.values()] + [one.copies for one in added])
        domain.check_fit([needs_of(running[one.stored.id]) for one in others if _counts(one, variant, running)] + added, host)
    except RuleBroken as error:
        raise ValidationException(str(error)) from None


def _wanted(component: Component) -> int | None:
    return component.stored.pending or component.stored.serving


def _counts(component: Component, variant: str, running: dict[int, Deployment]) -> bool:
    return component.variant == variant and component.stored.id in running


def place(context: Context, component: Component, kind: Kind, config: Request, copies: int, policy: Request) -> int:
    """Put down a deployment of a component as its model is now; its number. Raises ValidationException."""
    on = serving_of(context, component.endpoint)
    specification = config["Specification"]
    required = specification["ComputeResourceRequirements"]
    needs = Needs(required.get("NumberOfCpuCoresRequired", 0.0), required["MinMemoryRequiredInMb"], copies)
    check_room(context, component.endpoint, on, component.variant, component.stored.id, [needs])
    number = _begin(context, component, kind, on)
    hosted = _hosted(context, component, on, specification, holder(number))
    if "Container" in specification:
        [container] = hosted.containers
        config = {**config, "DeployedImage": _image(context, hosted, container.definition["Image"])}
    variants = [Variant(component.variant, 1.0, copies)]
    endpoints.fill(context.tx, number, number, policy, config, variants, {component.variant: hosted})
    return number


def scale(context: Context, component: Component, serving: Deployment, copies: int) -> int:
    """Put down a deployment of what a component runs already, with another number of copies. Raises ValidationException."""
    on = serving_of(context, component.endpoint)
    needs = replace(needs_of(serving), copies=copies)
    check_room(context, component.endpoint, on, component.variant, component.stored.id, [needs])
    number = _begin(context, component, Kind.WEIGHTS, on)
    variants = [Variant(component.variant, 1.0, copies)]
    endpoints.fill(context.tx, number, serving.plan, serving.policy, serving.config, variants, serving.hosted)
    return number


def _begin(context: Context, component: Component, kind: Kind, on: Deployment) -> int:
    by, now = context.principal.arn, context.now
    return endpoints.begin(context.tx, component.endpoint, kind, on.config_name, by, now, component.stored.id)


def serving_of(context: Context, endpoint: int) -> Deployment:
    """What the endpoint of a component serves."""
    stored = endpoints.by_id(context.tx, endpoint)
    assert stored is not None and stored.serving is not None, "components are on endpoints that serve"
    return endpoints.deployment(context.tx, stored.serving)


def _hosted(context: Context, component: Component, on: Deployment, specification: Request, held_as: str) -> Hosted:
    model = _model(context, component, on, specification)
    if any(one.definition.get("Mode") == MULTI for one in model.containers):
        raise ValidationException(f'The model "{model.at.arn}" has many models, and an inference component has one.')
    variant = {
        "InstanceType": hosts_of(on)[component.variant]["InstanceType"],
        **{name: value for name, value in specification.get("StartupParameters", {}).items() if name == HEALTH},
    }
    most = specification["ComputeResourceRequirements"].get("MaxMemoryRequiredInMb")
    memory = None if most is None else min(most, context.settings.instance_memory_mib)
    return planning.hosted_model(context, held_as, model, variant, memory)


def _model(context: Context, component: Component, on: Deployment, specification: Request) -> Model:
    """The model that a component names, or the one that its container is."""
    role = on.config["ExecutionRoleArn"]
    if "ModelName" in specification:
        at = named(context, "model", specification["ModelName"])
        found = models.model_at(context.tx, at)
        if found is None:
            raise missing_model(at)
        check_runnable(context, at)
        return replace(found, document={"ExecutionRoleArn": role, **found.document})
    given = specification["Container"]
    container = {"Image": given["Image"], "Environment": given.get("Environment", {})}
    if "ArtifactUrl" in given:
        container["ModelDataUrl"] = given["ArtifactUrl"]
    at = Name(component.at.account, component.at.region, component.at.kind, component.at.name)
    request = {"PrimaryContainer": container, "ExecutionRoleArn": role}
    containers = Sourcing(context, at, request).runnables()
    isolated = on.config.get("EnableNetworkIsolation", False)
    document = {**request, "EnableNetworkIsolation": isolated, "CreationTime": context.now}
    return Model(0, at, context.now, orjson.loads(orjson.dumps(document)), containers)


def _image(context: Context, hosted: Hosted, image: str) -> Request:
    [container] = hosted.containers
    digest = next((one.digest for one in container.artifacts if one.kind == "Image" and one.digest), None)
    resolved = image if digest is None else f"{image.partition('@')[0].rpartition(':')[0] or image}@{digest}"
    return {"SpecifiedImage": image, "ResolvedImage": resolved, "ResolutionTime": context.now}
