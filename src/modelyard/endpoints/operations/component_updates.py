"""What changes an inference component: UpdateInferenceComponent, UpdateInferenceComponentRuntimeConfig."""

from dataclasses import replace
from typing import Any

from modelyard.aws.errors import ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.endpoints import endpoint, wakening
from modelyard.endpoints import store_components as store
from modelyard.endpoints import store_endpoints as endpoints
from modelyard.endpoints.component import KIND, Component, check_change
from modelyard.endpoints.deployment import Deployment, Kind
from modelyard.endpoints.endpoint import Status
from modelyard.endpoints.model import RuleBroken
from modelyard.endpoints.operations import component_planning as planning
from modelyard.endpoints.operations.endpoints import checked_policy
from modelyard.endpoints.operations.inference_components import NAME, checked, existing
from modelyard.endpoints.permissions import on_one

operation = operations_of("sagemaker")
Request = dict[str, Any]


def _updatable(context: Context, name: str) -> tuple[Component, Deployment]:
    """A component that may be updated now, and what it runs. Raises ValidationException."""
    found = existing(context, name)
    try:
        check_change(found)
    except RuleBroken as error:
        raise ValidationException(str(error)) from None
    assert found.stored.serving is not None, "what may be updated was in service before"
    return found, endpoints.deployment(context.tx, found.stored.serving)


def _begin(context: Context, found: Component, deployment: int, policy: Request | None) -> Request:
    core = endpoint.moved(found.stored.endpoint, Status.UPDATING)
    if policy is not None:
        core = replace(core, last_deployment=policy)
    store.put(context.tx, found.stored, core, context.now, pending=deployment)
    context.tx.after_commit(wakening.tell)
    return {"InferenceComponentArn": found.at.arn}


@operation("UpdateInferenceComponent", mode=Mode.WRITE, permissions=on_one("UpdateInferenceComponent", KIND, NAME))
def update_inference_component(context: Context, request: Request) -> Request:
    """Begin to have a component run something else, without a moment in which it does not answer."""
    found, serving = _updatable(context, request[NAME])
    copies = request.get("RuntimeConfig", {}).get("CopyCount", sum(serving.counts.values()))
    if "Specifications" in request:
        raise ValidationException("Specifications are for instance pools, which this server does not have.")
    if "Specification" not in request:
        if "RuntimeConfig" not in request:
            raise ValidationException("One of Specification and RuntimeConfig must be specified.")
        return _begin(context, found, planning.scale(context, found, serving, copies), None)
    policy = checked_policy(context, request.get("DeploymentConfig", {}))
    config = {"Specification": checked(_merged(serving.config["Specification"], request["Specification"]))}
    number = planning.place(context, found, Kind.UPDATE, config, copies, policy)
    return _begin(context, found, number, policy or None)


def _merged(current: Request, given: Request) -> Request:
    """A Specification in which what is not given stays, but for what it stands in place of."""
    kept = {name: value for name, value in current.items() if name not in ("ModelName", "Container")}
    own = given if "ModelName" in given or "Container" in given else {**_source(current), **given}
    return {**kept, **own}


def _source(specification: Request) -> Request:
    return {name: value for name, value in specification.items() if name in ("ModelName", "Container")}


@operation(
    "UpdateInferenceComponentRuntimeConfig",
    mode=Mode.WRITE,
    permissions=on_one("UpdateInferenceComponentRuntimeConfig", KIND, NAME),
)
def update_inference_component_runtime_config(context: Context, request: Request) -> Request:
    """Begin to give a component another number of copies, also none."""
    found, serving = _updatable(context, request[NAME])
    return _begin(context, found, planning.scale(context, found, serving, request["DesiredRuntimeConfig"]["CopyCount"]), None)
