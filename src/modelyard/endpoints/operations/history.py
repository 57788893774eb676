"""What was deployed: of an endpoint over time, and of a version across endpoints."""

from collections.abc import Iterable
from typing import Any

from modelyard.access.permission import Permission
from modelyard.dispatch import version_use
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.dispatch.tags import tags_of
from modelyard.endpoints import store_endpoints as store
from modelyard.endpoints import store_history
from modelyard.endpoints.deployment import Deployment, Stored
from modelyard.endpoints.model import MULTI, Artifact, Runnable
from modelyard.endpoints.operations.endpoints import missing
from modelyard.endpoints.permissions import named, on_one, package_resource
from modelyard.endpoints.store_history import Use

operation = operations_of("modelyard")
Request = dict[str, Any]

KIND = "endpoint"
PAGE_SIZE = 20
ENVIRONMENT_TAGS = ("environment", "env", "stage")

version_use.serves_versions(store_history.serving)


@operation(
    "ListEndpointDeployments",
    mode=Mode.SLOW_READ,
    permissions=on_one("ListEndpointDeployments", KIND, "EndpointName", service="modelyard"),
)
def list_endpoint_deployments(context: Context, request: Request) -> Request:
    """What an endpoint was to run over time, newest first, also before it was deleted and made again."""
    at = named(context, KIND, request["EndpointName"])
    everything = {one.id: one for one in store.all_of_name(context.tx, at)}
    if not everything:
        raise missing(at)
    fingerprint = _fingerprint(context, "ListEndpointDeployments", at.arn)
    before, size = _page(context, request, fingerprint)
    found = store.deployments(context.tx, everything, before, size + 1)
    shown = [_deployment(everything[one.endpoint], one) for one in found[:size]]
    return _answer(context, fingerprint, shown, found[size - 1].id if len(found) > size else None)


def _deployment(stored: Stored, one: Deployment) -> Request:
    shown: Request = {
        "DeploymentNumber": one.id,
        "Kind": str(one.kind),
        "Result": str(one.result),
        "Current": stored.serving == one.id and stored.deleted is None,
        "EndpointConfigName": one.config_name,
        "StartTime": one.started,
        "StartedBy": one.started_by,
        "EndpointCreationTime": stored.created,
        "Variants": [_variant(one, variant.name) for variant in one.variants],
    }
    optional = {"Reason": one.reason, "EndTime": one.ended, "EndpointDeletionTime": stored.deleted}
    return shown | {name: value for name, value in optional.items() if value is not None}


def _variant(deployment: Deployment, name: str) -> Request:
    hosted = deployment.hosted.get(name)
    wanted = next(variant for variant in deployment.variants if variant.name == name)
    shown: Request = {
        "VariantName": name,
        "InstanceCount": wanted.steady,
        "Weight": wanted.weight,
        "Containers": [] if hosted is None else [_container(one) for one in hosted.containers],
    }
    if hosted is not None:
        shown["ModelName"] = hosted.model_name
    if deployment.instance_type(name):
        shown["InstanceType"] = deployment.instance_type(name)
    return {**shown, "Shadow": True} if wanted.shadow else shown


def _container(container: Runnable) -> Request:
    shown: Request = {"Image": container.definition["Image"]}
    if container.definition.get("Mode") == MULTI:
        shown["ModelDataUrl"] = container.definition["ModelDataUrl"]
    for artifact in container.artifacts:
        shown |= _artifact(artifact)
    return shown if container.package_arn is None else {**shown, "ModelPackageArn": container.package_arn}


def _artifact(artifact: Artifact) -> Request:
    if artifact.kind == "Image":
        return {} if artifact.digest is None else {"ImageDigest": artifact.digest}
    if not artifact.location.endswith(("ModelDataUrl", "ModelDataSource")):
        return {}
    digest = artifact.objects[0].get("Sha256") if len(artifact.objects) == 1 else None
    return {"ModelDataUrl": artifact.uri, **({} if digest is None else {"Sha256": digest})}


def _listing(context: Context, request: Request) -> Iterable[Permission]:
    yield Permission("modelyard:ListVersionDeployments", package_resource(context, request["ModelPackageArn"]))


@operation("ListVersionDeployments", mode=Mode.SLOW_READ, permissions=_listing)
def list_version_deployments(context: Context, request: Request) -> Request:
    """Where the caller's account serves a version, with IncludePast where it did, and with AsOf where it did at a time."""
    arn, as_of = _folded(request["ModelPackageArn"]), request.get("AsOf")
    past = request.get("IncludePast", False) or as_of is not None
    fingerprint = _fingerprint(context, "ListVersionDeployments", f"{arn} {past} {as_of}")
    before, size = _page(context, request, fingerprint)
    found = store_history.uses(context.tx, context.account, context.region, arn, before, size + 1, past=past)
    numbers = list(dict.fromkeys(number for number, _ in found))
    shown = [_use(context, use) for number, use in found if number in numbers[:size] and _at(use, as_of)]
    return _answer(context, fingerprint, shown, numbers[size - 1] if len(numbers) > size else None)


def _use(context: Context, use: Use) -> Request:
    at, deployed = use.stored.endpoint.at, use.deployment
    tags = use.stored.state.get("Tags", {}) if use.stored.deleted is not None else tags_of(context.tx, at.arn)
    variant = _variant(deployed, use.variant)
    shown: Request = {
        "EndpointName": at.name,
        "EndpointArn": at.arn,
        "EndpointStatus": "Deleted" if use.stored.deleted is not None else str(use.stored.endpoint.status),
        "DeploymentNumber": deployed.id,
        "EndpointConfigName": deployed.config_name,
        "Since": _since(use),
        "StartedBy": deployed.started_by,
        **{name: value for name, value in variant.items() if name != "Containers"},
        "Container": variant["Containers"][0],
    }
    if use.until is not None:
        shown["Until"] = use.until
    if use.component is not None:
        shown["InferenceComponentName"] = use.component
    lowered = {key.lower(): value for key, value in tags.items()}
    environment = next((lowered[key] for key in ENVIRONMENT_TAGS if key in lowered), None)
    return shown if environment is None else {**shown, "Environment": environment}


def _since(use: Use) -> float:
    deployed = use.deployment
    return deployed.ended if deployed.ended is not None else deployed.started


def _at(use: Use, moment: float | None) -> bool:
    """Whether it was so at a moment; always without one."""
    return moment is None or (_since(use) <= moment and (use.until is None or moment < use.until))


def _folded(arn: str) -> str:
    head, slash, rest = arn.partition("/")
    return head + slash + rest.lower()


def _fingerprint(context: Context, name: str, about: str) -> Request:
    return {"operation": name, "account": context.account, "region": context.region, "about": about}


def _page(context: Context, request: Request, fingerprint: Request) -> tuple[int | None, int]:
    """Before which deployment, and how many. Raises ValidationException."""
    token = request.get("NextToken")
    before = None if token is None else context.tokens.open(token, fingerprint)[0]
    return before, request.get("MaxResults", PAGE_SIZE)


def _answer(context: Context, fingerprint: Request, shown: list[Request], last: int | None) -> Request:
    answer: Request = {"Deployments": shown}
    if last is not None:
        answer["NextToken"] = context.tokens.seal(fingerprint, [last])
    return answer
