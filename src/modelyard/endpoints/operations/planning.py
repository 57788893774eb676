"""What a deployment is to run, put down whole when it begins: configuration, models, and a hold of its own on their bytes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import orjson

from modelyard.access.roles import assumed_by_service, facts_of_service
from modelyard.aws.errors import ValidationException
from modelyard.dispatch.artifacts import FoundObject, NotKeptHere, NotLookedUp, keeper
from modelyard.dispatch.context import Context
from modelyard.endpoints import endpoint_config, queued, store
from modelyard.endpoints import store_endpoints as endpoints
from modelyard.endpoints.addresses import IMAGE, MOST_OBJECTS, PREFIX, in_s3
from modelyard.endpoints.capture import capture_of
from modelyard.endpoints.component import holds_components
from modelyard.endpoints.deployment import FIRST_CHECK_SECONDS, Hosted, Kind, holder
from modelyard.endpoints.endpoint import Variant
from modelyard.endpoints.model import DIRECT, MULTI, Artifact, Document, Model, Name, RuleBroken, check_many_models
from modelyard.endpoints.operations.endpoint_configs import missing as missing_config
from modelyard.endpoints.operations.models import check_runnable
from modelyard.endpoints.operations.models import missing as missing_model
from modelyard.endpoints.operations.sourcing import SESSION, not_assumed
from modelyard.endpoints.permissions import SERVICE, named

NOT_OF_COMPONENTS = ("AsyncInferenceConfig", "ShadowProductionVariants")
MOST_INSTANCES = 64
"""Of an endpoint: they all run on this machine."""
NOT_HERE_YET = {
    "ExplainerConfig": "online explanations",
}


def config_of(context: Context, name: str) -> Document:
    """An endpoint configuration that can be deployed. Raises ValidationException."""
    at = named(context, "endpoint-config", name)
    text = store.document(context.tx, at)
    if text is None:
        raise missing_config(at)
    config: Document = orjson.loads(text)
    refused = next((words for member, words in NOT_HERE_YET.items() if config.get(member)), None)
    for variant in endpoint_config.variants(config):
        if "InstancePools" in variant:
            refused = "instance pools"
    if any(map(holds_components, endpoint_config.variants(config))):
        refused = _beside_components(config) or refused
    if refused is not None:
        raise ValidationException(f'The endpoint configuration "{at.arn}" asks for {refused}, which this server does not have.')
    try:
        queued.check_config(config)
    except RuleBroken as error:
        raise ValidationException(str(error)) from None
    return config


def _beside_components(config: Document) -> str | None:
    """What cannot be had in a configuration with a variant of inference components; None for one that can."""
    if not all(map(holds_components, endpoint_config.variants(config))):
        return "inference components beside variants that have a ModelName"
    if any("InstanceType" not in one for one in endpoint_config.variants(config)):
        return "inference components on variants without an InstanceType"
    other = next((member for member in NOT_OF_COMPONENTS if config.get(member)), None)
    if capture_of(config) is not None:
        other = "a DataCaptureConfig"
    return None if other is None else f"inference components with {other}"


def check_counts(variants: Sequence[Variant], config: Document) -> None:
    """Whether so many instances can be had. Raises ValidationException."""
    total = sum((variant.serverless or {}).get("MaxConcurrency", variant.instances or 0) for variant in variants)
    if total > MOST_INSTANCES:
        raise ValidationException(
            f"An endpoint can have at most {MOST_INSTANCES} instances, or workers, on this server; {total} are asked for."
        )
    if queued.config_of(config) is None and any(variant.instances == 0 for variant in variants):
        raise ValidationException("A variant needs at least one instance: only those of asynchronous endpoints have none.")
    if not sum(variant.weight for variant in variants if not variant.shadow):
        raise ValidationException("At least one production variant must have a weight greater than 0.")


def plan(
    context: Context,
    endpoint: int,
    kind: Kind,
    config: Document,
    variants: Sequence[Variant],
    policy: Document,
) -> int:
    """Put down a deployment of a configuration as its models are now; its number. Raises ValidationException."""
    check_counts(variants, config)
    name = config["EndpointConfigName"]
    number = endpoints.begin(context.tx, endpoint, kind, name, context.principal.arn, context.now)
    variants_with_models = [one for one in endpoint_config.variants(config) if not holds_components(one)]
    hosted = {one["VariantName"]: _hosted(context, holder(number), one) for one in variants_with_models}
    if queued.config_of(config) is not None:
        _check_asynchronous(hosted.values(), config)
    for one in hosted.values() if capture_of(config) is not None else ():
        if one.role is None:
            raise ValidationException(
                f'Data is captured as the execution role of its model, and the model "{one.model_arn}" has no ExecutionRoleArn.'
            )
    endpoints.fill(context.tx, number, number, policy, config, variants, hosted)
    return number


def _check_asynchronous(hosted: Iterable[Hosted], config: Document) -> None:
    """Whether models can be asked through a queue. Raises ValidationException."""
    if capture_of(config) is not None:
        raise ValidationException("Data of asynchronous endpoints is not captured on this server: it is in S3 in any case.")
    for one in hosted:
        if one.role is None:
            raise ValidationException(
                f'The model "{one.model_arn}" has no ExecutionRoleArn, as which an asynchronous endpoint reads requests'
                " and writes answers."
            )
        if any(container.definition.get("Mode") == MULTI for container in one.containers):
            raise ValidationException(
                f'The model "{one.model_arn}" is a multi-model one: requests that are queued cannot name a TargetModel.'
            )
        if one.direct:
            raise ValidationException(
                f'The containers of the model "{one.model_arn}" are invoked directly, which cannot be done through a queue.'
            )


def hold_again(context: Context, held_as: str, hosted: Mapping[str, Hosted]) -> dict[str, Hosted]:
    """What an earlier deployment ran, held for somebody else. Raises ValidationException when some of it is gone."""

    def held(artifact: Artifact) -> Artifact:
        keeps = keeper()
        if keeps is None or not artifact.objects:
            return artifact
        try:
            objects = [{**one, "Pin": keeps.hold(context.tx, held_as, one["Pin"])} for one in artifact.objects]
        except NotLookedUp as error:
            raise ValidationException(f"Could not find model data at {artifact.uri}. {error}") from None
        return replace(artifact, objects=objects)

    def again(one: Hosted) -> Hosted:
        containers = [replace(each, artifacts=[held(artifact) for artifact in each.artifacts]) for each in one.containers]
        return replace(one, containers=containers)

    return {name: again(one) for name, one in hosted.items()}


def hosted_for_job(context: Context, held_as: str, model_name: str, instance_type: str) -> Hosted:
    """What a job runs of a model as it is now. Raises ValidationException."""
    model = store.model_at(context.tx, named(context, "model", model_name))
    if model is not None and any(one.definition.get("Mode") == MULTI for one in model.containers):
        raise ValidationException(f'The model "{model.at.arn}" is a multi-model one, which jobs do not run.')
    return _hosted(context, held_as, {"ModelName": model_name, "InstanceType": instance_type})


def _hosted(context: Context, held_as: str, variant: Document) -> Hosted:
    at = named(context, "model", variant["ModelName"])
    model = store.model_at(context.tx, at)
    if model is None:
        raise missing_model(at)
    check_runnable(context, at)
    if "ServerlessConfig" in variant:
        _check_serverless(model, at)
    return hosted_model(context, held_as, model, variant, variant.get("ServerlessConfig", {}).get("MemorySizeInMB"))


def hosted_model(context: Context, held_as: str, model: Model, variant: Document, memory_mib: int | None = None) -> Hosted:
    """What a variant, or an inference component on one, runs of a model. Raises ValidationException."""
    try:
        check_many_models(model)
    except RuleBroken as error:
        raise ValidationException(str(error)) from None
    role = model.document.get("ExecutionRoleArn")
    runner = _runner(context, model.at, role)
    containers = [
        replace(one, artifacts=[_held(runner, held_as, artifact) for artifact in one.artifacts]) for one in model.containers
    ]
    return Hosted(
        model_name=model.at.name,
        model_arn=model.at.arn,
        role=role,
        isolated=model.document["EnableNetworkIsolation"],
        direct=_direct(model),
        first_check_seconds=float(variant.get("ContainerStartupHealthCheckTimeoutInSeconds", FIRST_CHECK_SECONDS)),
        instance_type=variant.get("InstanceType", ""),
        document=model.document,
        containers=containers,
        memory_mib=memory_mib,
    )


def _check_serverless(model: Model, at: Name) -> None:
    """What AWS documents as not to be had with serverless variants. Raises ValidationException."""
    refused = {
        "has several containers": len(model.containers) > 1,
        "is a multi-model one": any(container.definition.get("Mode") == MULTI for container in model.containers),
        "has a VpcConfig": "VpcConfig" in model.document,
        "is isolated from the network": model.document["EnableNetworkIsolation"],
    }
    for words, applies in refused.items():
        if applies:
            raise ValidationException(f'The model "{at.arn}" {words}, which cannot be had with a serverless variant.')


def _direct(model: Model) -> bool:
    mode: str | None = model.document.get("InferenceExecutionConfig", {}).get("Mode")
    return mode == DIRECT


def _runner(context: Context, at: Name, role: str | None) -> Context:
    """The call as the execution role would make it."""
    if role is None:
        return context
    facts = facts_of_service(context.facts, SERVICE, at.arn)
    assumed = assumed_by_service(context.tx, context.ids, role, SERVICE, SESSION, facts)
    if assumed is None:
        raise not_assumed(role)
    return replace(context, principal=assumed)


def _held(runner: Context, held_as: str, artifact: Artifact) -> Artifact:
    """An artifact whose bytes are kept for a deployment: the registered ones, or those that are at its address now."""
    keeps = keeper()
    if artifact.kind == IMAGE or keeps is None:
        return artifact
    try:
        if artifact.objects:
            objects = [{**one, "Pin": keeps.hold(runner.tx, held_as, one["Pin"])} for one in artifact.objects]
        else:
            where = in_s3(artifact.uri)
            if where is None:
                return artifact
            objects = [_pinned(runner, held_as, found) for found in _at(runner, artifact, *where)]
    except NotKeptHere:
        return artifact
    except NotLookedUp as error:
        raise ValidationException(f"Could not find model data at {artifact.uri}. {error}") from None
    return replace(artifact, objects=objects)


def _at(runner: Context, artifact: Artifact, bucket: str, key: str) -> Sequence[FoundObject]:
    keeps = keeper()
    assert keeps is not None, "who asks has seen one"
    if artifact.kind == PREFIX:
        return keeps.find_below(runner, runner.tx, bucket, key, MOST_OBJECTS)
    return [keeps.find(runner, runner.tx, bucket, key)]


def _pinned(runner: Context, held_as: str, found: FoundObject) -> Document:
    keeps = keeper()
    assert keeps is not None, "who asks has seen one"
    pin = keeps.pin(runner.tx, held_as, found)
    shown: Document = {"Bucket": found.bucket, "Key": found.key, "Size": found.size, "ETag": found.etag, "Pin": pin}
    if found.version_id is not None:
        shown["VersionId"] = found.version_id
    if found.digest is not None:
        shown["Sha256"] = found.digest.removeprefix("sha256:")
    return shown
