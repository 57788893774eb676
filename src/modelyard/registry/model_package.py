"""A model package: a version of a group or an unversioned package, and the rules of what may become of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelyard.registry import validation

Document = dict[str, Any]

MOST_SPECIFICATIONS = 15
MOST_METADATA = 50
COPIED = (
    "ModelPackageDescription",
    "ModelPackageRegistrationType",
    "InferenceSpecification",
    "SourceAlgorithmSpecification",
    "ValidationSpecification",
    "MetadataProperties",
    "ModelMetrics",
    "Domain",
    "Task",
    "SamplePayloadUrl",
    "CustomerMetadataProperties",
    "DriftCheckBaselines",
    "AdditionalInferenceSpecifications",
    "SkipModelValidation",
    "SourceUri",
    "SecurityConfig",
    "ModelCard",
    "ModelLifeCycle",
    "ManagedStorageType",
)
"""Members of CreateModelPackage that Describe answers as they were given."""
CLONED = (
    "InferenceSpecification",
    "AdditionalInferenceSpecifications",
    "SourceAlgorithmSpecification",
    "ModelMetrics",
    "DriftCheckBaselines",
    "Domain",
    "Task",
    "SamplePayloadUrl",
)
"""What a package takes over from the package that its SourceUri names, where the request does not say otherwise."""


OF_MODELS = (
    "ContainerHostname",
    "Image",
    "ImageDigest",
    "ModelDataUrl",
    "ModelDataETag",
    "ModelDataSource",
    "AdditionalS3DataSource",
    "ProductId",
    "Environment",
    "ModelInput",
    "Framework",
    "FrameworkVersion",
    "NearestModelName",
    "IsCheckpoint",
    "BaseModel",
    "AdditionalModelDataSources",
)
"""What the containers of packages have; those of models have more."""


class RuleBroken(Exception):
    """A request that the service model admits, and the rules of the registry do not; the text is for the client."""


@dataclass(frozen=True, slots=True)
class PackageName:
    """Where a package is, from a name or an ARN as a client wrote it. Version 0 stands for an unversioned package."""

    account: str
    region: str
    name: str
    version: int

    @property
    def folded(self) -> str:
        """The group's or package's name as it is looked up."""
        return self.name.lower()

    @property
    def arn(self) -> str:
        """`…:model-package/GROUP/VERSION` or `…:model-package/NAME`, in lower case as AWS answers it."""
        path = f"{self.folded}/{self.version}" if self.version else self.folded
        return f"arn:aws:sagemaker:{self.region}:{self.account}:model-package/{path}"


@dataclass(frozen=True, slots=True)
class Package:
    """A package as it is stored."""

    id: int
    at: PackageName
    group_id: int | None
    created: float
    metrics: Mapping[str, float]
    """Figures read from the metric files that it was registered with."""
    document: Document
    """What DescribeModelPackage answers."""
    metadata_revision: int = 0
    """The newest revision of its metadata; 0 for none."""


def new_document(at: PackageName, group: str | None, request: Mapping[str, Any], created_by: Document, now: float) -> Document:
    """What DescribeModelPackage will answer for a package made by `request`; `group` is the group's name as it was created."""
    document: Document = {} if group is None else {"ModelPackageGroupName": group, "ModelPackageVersion": at.version}
    if group is None:
        document["ModelPackageName"] = at.name
    document["ModelPackageArn"] = at.arn
    document["CreationTime"] = now
    document["CreatedBy"] = created_by
    document["ModelPackageStatus"] = "Completed"
    document["ModelPackageStatusDetails"] = {"ValidationStatuses": [], "ImageScanStatuses": []}
    document["CertifyForMarketplace"] = group is None and bool(request.get("CertifyForMarketplace"))
    approval = request.get("ModelApprovalStatus", None if group is None else "PendingManualApproval")
    if approval is not None:
        document["ModelApprovalStatus"] = approval
    for member in COPIED:
        value = without_empty(request.get(member))
        if value not in (None, {}, ""):
            document[member] = value
    _check_specifications(document)
    _check_algorithms(document)
    profile = validation.profile_of(document)
    return document if profile is None else validation.begun(document, profile["ProfileName"])


def without_empty(value: Any) -> Any:
    """The value without empty structures inside: strict clients refuse `Bias: {}`, and AWS does not send it."""
    if isinstance(value, dict):
        pruned = {name: without_empty(member) for name, member in value.items()}
        return {name: member for name, member in pruned.items() if member != {}}
    if isinstance(value, list):
        return [without_empty(member) for member in value]
    return value


def clone(source: Mapping[str, Any], request: Mapping[str, Any]) -> Document:
    """`request` with the specifications of the package it was made from, where it has none of its own."""
    return {**{member: source[member] for member in CLONED if member in source}, **request}


def of_model(container: Mapping[str, Any], package: Mapping[str, Any] | None = None) -> Document:
    """A container of a model as a package has it; of one that is itself a package, the container that the package has for it."""
    merged = {**(package or {}), **container}
    environment = {**(package or {}).get("Environment", {}), **container.get("Environment", {})}
    return {member: merged[member] for member in OF_MODELS if member in merged} | (
        {"Environment": environment} if environment else {}
    )


def specified(document: Mapping[str, Any], name: str | None) -> list[Document]:
    """The containers of a package's InferenceSpecification, or of an additional one of that name."""
    if name is None:
        return list(document.get("InferenceSpecification", {}).get("Containers", ()))
    named = document.get("AdditionalInferenceSpecifications", ())
    return next((list(one["Containers"]) for one in named if one["Name"] == name), [])


def without_card_content(document: Document) -> Document:
    """The document with its model card reduced to the status, for readers who may not see the card itself."""
    if "ModelCard" not in document:
        return document
    card = {name: value for name, value in document["ModelCard"].items() if name != "ModelCardContent"}
    return {**document, "ModelCard": card}


def updated(document: Document, request: Mapping[str, Any], by: Document, now: float) -> Document:
    """What Describe answers after UpdateModelPackage. Members that are not in the request stay. Raises RuleBroken."""
    changed = dict(document)
    for member in (
        "ModelApprovalStatus",
        "ApprovalDescription",
        "ModelPackageRegistrationType",
        "InferenceSpecification",
        "SourceUri",
        "ModelLifeCycle",
    ):
        if member in request:
            changed[member] = without_empty(request[member])
    if "ModelCard" in request:
        changed["ModelCard"] = {**document.get("ModelCard", {}), **request["ModelCard"]}
    if "AdditionalInferenceSpecificationsToAdd" in request:
        added = without_empty(request["AdditionalInferenceSpecificationsToAdd"])
        changed["AdditionalInferenceSpecifications"] = [*document.get("AdditionalInferenceSpecifications", []), *added]
        _check_specifications(changed)
    _update_metadata(changed, request)
    changed["LastModifiedTime"] = now
    changed["LastModifiedBy"] = by
    return changed


def _update_metadata(document: Document, request: Mapping[str, Any]) -> None:
    """Merge new metadata by key, then take away what the request removes."""
    removed = request.get("CustomerMetadataPropertiesToRemove", [])
    added = request.get("CustomerMetadataProperties", {})
    if not removed and not added:
        return
    both = sorted(set(removed) & added.keys())
    if both:
        raise RuleBroken(f"Customer metadata properties cannot be both set and removed in one request: {', '.join(both)}")
    metadata = {key: value for key, value in document.get("CustomerMetadataProperties", {}).items() if key not in set(removed)}
    metadata.update(added)
    if len(metadata) > MOST_METADATA:
        raise RuleBroken(
            f"A model package can have at most {MOST_METADATA} customer metadata properties, this would make {len(metadata)}."
        )
    document.pop("CustomerMetadataProperties", None)
    if metadata:
        document["CustomerMetadataProperties"] = metadata


def _check_specifications(document: Mapping[str, Any]) -> None:
    specifications = document.get("AdditionalInferenceSpecifications", [])
    if len(specifications) > MOST_SPECIFICATIONS:
        raise RuleBroken(
            f"A model package can have at most {MOST_SPECIFICATIONS} additional inference specifications,"
            f" this would make {len(specifications)}."
        )
    names = [specification["Name"] for specification in specifications]
    for name in names:
        if names.count(name) > 1:
            raise RuleBroken(f"Additional inference specification names must be unique within a model package: {name}")


def _check_algorithms(document: Mapping[str, Any]) -> None:
    """AWS asks for the model data of every source algorithm, which the service model leaves open."""
    for algorithm in document.get("SourceAlgorithmSpecification", {}).get("SourceAlgorithms", []):
        if "ModelDataUrl" not in algorithm and "ModelDataSource" not in algorithm:
            raise RuleBroken(f"The source algorithm {algorithm['AlgorithmName']} needs a ModelDataUrl or a ModelDataSource.")


SUMMARY = (
    "ModelPackageName",
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ModelLifeCycle",
    "ModelPackageRegistrationType",
)
BATCH_SUMMARY = (
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "InferenceSpecification",
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ModelPackageRegistrationType",
)


def summary(document: Mapping[str, Any], members: tuple[str, ...] = SUMMARY) -> Document:
    """The entry of ListModelPackages, or with BATCH_SUMMARY of BatchDescribeModelPackage."""
    return {member: document[member] for member in members if member in document}
