"""An endpoint configuration: which models an endpoint runs, on what, and the rules that AWS has for that."""

from collections.abc import Iterator, Mapping
from typing import Any

from modelyard.endpoints.capture import bucket_and_prefix
from modelyard.endpoints.model import Name, RuleBroken

Document = dict[str, Any]

COPIED = (
    "DataCaptureConfig",
    "KmsKeyId",
    "AsyncInferenceConfig",
    "ExplainerConfig",
    "ExecutionRoleArn",
    "VpcConfig",
    "MetricsConfig",
    "CrossRegionTrafficConfig",
)
"""Members of CreateEndpointConfig that Describe answers as they were given."""
LISTS = ("ProductionVariants", "ShadowProductionVariants")
DEFAULT_WEIGHT = 1.0
MEMORY_STEP = 1024
OF_INSTANCES = (
    "InstanceType",
    "InstancePools",
    "InitialInstanceCount",
    "AcceleratorType",
    "VolumeSizeInGB",
    "CoreDumpConfig",
    "ManagedInstanceScaling",
    "RoutingConfig",
    "InferenceAmiVersion",
    "CapacityReservationConfig",
)
"""What a serverless variant cannot have."""


def config_at(account: str, region: str, name: str) -> Name:
    """The place of an endpoint configuration."""
    return Name(account, region, "endpoint-config", name)


def variants(request: Mapping[str, Any]) -> Iterator[Document]:
    """All variants, shadows included."""
    for member in LISTS:
        yield from request.get(member, ())


def model_names(request: Mapping[str, Any]) -> list[str]:
    """The models that a configuration names, each once."""
    names: dict[str, None] = {}
    for variant in variants(request):
        if "ModelName" in variant:
            names[variant["ModelName"]] = None
        for pool in variant.get("InstancePools", ()):
            if "ModelNameOverride" in pool:
                names[pool["ModelNameOverride"]] = None
    return list(names)


def check(request: Mapping[str, Any]) -> None:
    """What the service model leaves open. Raises RuleBroken."""
    names = [variant["VariantName"] for variant in variants(request)]
    for name in names:
        if names.count(name) > 1:
            raise RuleBroken(f"The variant name {name} is not unique within the endpoint configuration.")
    for variant in variants(request):
        _check_variant(variant, request)
    if not sum(variant.get("InitialVariantWeight", DEFAULT_WEIGHT) for variant in request["ProductionVariants"]):
        raise RuleBroken("At least one production variant must have an InitialVariantWeight greater than 0.")
    _check_shadows(request)
    _check_serverless(request)
    if "DataCaptureConfig" in request and bucket_and_prefix(request["DataCaptureConfig"]["DestinationS3Uri"]) is None:
        raise RuleBroken("The DestinationS3Uri of the DataCaptureConfig must be of the form s3://bucket/prefix.")
    if "AsyncInferenceConfig" in request and len(names) > 1:
        raise RuleBroken("An endpoint configuration with an AsyncInferenceConfig can have one production variant only.")


def _check_variant(variant: Mapping[str, Any], request: Mapping[str, Any]) -> None:
    name = variant["VariantName"]
    if "ModelName" not in variant and "ExecutionRoleArn" not in request:
        raise RuleBroken(
            f"The variant {name} needs a ModelName: only the variants of inference components, whose endpoint configuration "
            "has an ExecutionRoleArn, have none."
        )
    if "ServerlessConfig" in variant:
        _check_serverless_variant(name, variant)
    elif ("InstanceType" in variant) is ("InstancePools" in variant):
        raise RuleBroken(f"The variant {name} needs one of ServerlessConfig, InstanceType and InstancePools.")
    elif "InitialInstanceCount" not in variant:
        raise RuleBroken(f"The variant {name} needs an InitialInstanceCount.")
    scaling = variant.get("ManagedInstanceScaling", {})
    if scaling.get("MinInstanceCount", 0) > scaling.get("MaxInstanceCount", float("inf")):
        raise RuleBroken(f"The MinInstanceCount of the variant {name} is greater than its MaxInstanceCount.")


def _check_serverless_variant(name: str, variant: Mapping[str, Any]) -> None:
    for member in OF_INSTANCES:
        if member in variant:
            raise RuleBroken(f"The variant {name} has a ServerlessConfig, and so cannot have {member}.")
    serverless = variant["ServerlessConfig"]
    if serverless["MemorySizeInMB"] % MEMORY_STEP:
        raise RuleBroken(f"The MemorySizeInMB of the variant {name} must be a multiple of {MEMORY_STEP}.")
    if serverless.get("ProvisionedConcurrency", 0) > serverless["MaxConcurrency"]:
        raise RuleBroken(f"The ProvisionedConcurrency of the variant {name} is greater than its MaxConcurrency.")


def _check_shadows(request: Mapping[str, Any]) -> None:
    shadows = request.get("ShadowProductionVariants")
    if not shadows:
        return
    if len(shadows) > 1 or len(request["ProductionVariants"]) > 1:
        raise RuleBroken("With ShadowProductionVariants there must be exactly one production variant and one shadow variant.")
    if "AsyncInferenceConfig" in request:
        raise RuleBroken("ShadowProductionVariants and AsyncInferenceConfig cannot both be specified.")


def _check_serverless(request: Mapping[str, Any]) -> None:
    """What AWS documents as not to be had with serverless variants."""
    if not any("ServerlessConfig" in variant for variant in variants(request)):
        return
    if sum(1 for _ in variants(request)) > 1:
        raise RuleBroken("An endpoint configuration with a serverless variant can have no other variant.")
    for member in ("DataCaptureConfig", "AsyncInferenceConfig"):
        if member in request:
            raise RuleBroken(f"{member} cannot be specified with a serverless variant.")


def new_document(at: Name, request: Mapping[str, Any], now: float) -> Document:
    """What DescribeEndpointConfig will answer."""
    document: Document = {"EndpointConfigName": at.name, "EndpointConfigArn": at.arn}
    for member in LISTS:
        if request.get(member):
            document[member] = [{"InitialVariantWeight": DEFAULT_WEIGHT, **variant} for variant in request[member]]
    document |= {member: request[member] for member in COPIED if request.get(member)}
    document["CreationTime"] = now
    if "EnableNetworkIsolation" in request:
        document["EnableNetworkIsolation"] = request["EnableNetworkIsolation"]
    return document


SUMMARY = ("EndpointConfigName", "EndpointConfigArn", "CreationTime")


def summary(document: Mapping[str, Any]) -> Document:
    """The entry of ListEndpointConfigs."""
    return {member: document[member] for member in SUMMARY}
