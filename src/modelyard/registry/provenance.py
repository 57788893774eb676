"""The provenance of a version: an in-toto Statement v1 with a SLSA provenance v1 predicate.

What it attests is the registration: these artifacts and images were looked up and kept under this version, and this is what the
registrant said that they were made from. It does not attest that they were.
Sources: https://in-toto.io/Statement/v1, https://slsa.dev/spec/v1.0/provenance.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from modelyard.registry.described_version import DescribedVersion, moment

Json = dict[str, Any]

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:modelyard:model-registration:1"
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_PUBLIC = ("Domain", "Task", "SourceUri", "ModelPackageRegistrationType", "SkipModelValidation", "CustomerMetadataProperties")
_PUBLIC_OF_CONTAINER = (
    "ContainerHostname",
    "Image",
    "ModelDataUrl",
    "ModelDataSource",
    "Framework",
    "FrameworkVersion",
    "NearestModelName",
)
_PUBLIC_OF_SPECIFICATION = (
    "SupportedContentTypes",
    "SupportedResponseMIMETypes",
    "SupportedTransformInstanceTypes",
    "SupportedRealtimeInferenceInstanceTypes",
)
"""Environment variables and model cards may be confidential, and stay out."""


class NothingToAttest(Exception):
    """A version of which no digest is known; the text is for the client."""


def statement(version: DescribedVersion, builder: str, software: str) -> Json:
    """The statement. `builder` is a URI that stands for this yard, `software` what it runs. Raises NothingToAttest."""
    subjects = list(_subjects(version))
    if not subjects:
        raise NothingToAttest(f"No SHA-256 of an artifact or image of {version.arn} is known: DescribeIntegrity says why.")
    document = version.document
    definition: Json = {
        "buildType": BUILD_TYPE,
        "externalParameters": _parameters(document),
        "resolvedDependencies": list(_dependencies(version)),
    }
    unverified = [{"uri": uri, "reason": reason} for uri, reason in version.unverified]
    if unverified:
        definition["internalParameters"] = {"unverified": unverified}
    details: Json = {
        "builder": {"id": builder, "version": {"modelyard": software}},
        "metadata": {
            "invocationId": version.arn,
            "startedOn": moment(document["CreationTime"]),
            "finishedOn": moment(document["CreationTime"]),
        },
    }
    byproducts = list(_byproducts(document))
    if byproducts:
        details["byproducts"] = byproducts
    return {
        "_type": STATEMENT,
        "subject": subjects,
        "predicateType": PREDICATE,
        "predicate": {"buildDefinition": definition, "runDetails": details},
    }


def _subjects(version: DescribedVersion) -> Iterator[Json]:
    for file in version.files:
        if file.sha256 is not None:
            yield {"name": file.name, "uri": file.uri, "digest": {"sha256": file.sha256}}
    for image in version.images:
        if image.sha256 is not None:
            yield {"name": image.uri, "digest": {"sha256": image.sha256}}


def _parameters(document: Mapping[str, Any]) -> Json:
    """What of a registration is told to others."""
    public = {member: document[member] for member in _PUBLIC if member in document}
    if "InferenceSpecification" in document:
        public["InferenceSpecification"] = _specification(document["InferenceSpecification"])
    if "AdditionalInferenceSpecifications" in document:
        public["AdditionalInferenceSpecifications"] = [
            {"Name": one["Name"], **_specification(one)} for one in document["AdditionalInferenceSpecifications"]
        ]
    if "SourceAlgorithmSpecification" in document:
        public["SourceAlgorithmSpecification"] = document["SourceAlgorithmSpecification"]
    parameters: Json = {"modelPackageArn": document["ModelPackageArn"], "registration": public}
    by = document["CreatedBy"].get("IamIdentity", {}).get("Arn")
    if by:
        parameters["registrant"] = by
    return parameters


def _specification(specification: Mapping[str, Any]) -> Json:
    public = {member: specification[member] for member in _PUBLIC_OF_SPECIFICATION if member in specification}
    return {
        **public,
        "Containers": [
            {member: container[member] for member in _PUBLIC_OF_CONTAINER if member in container}
            for container in specification.get("Containers", ())
        ],
    }


def _dependencies(version: DescribedVersion) -> Iterator[Json]:
    for one in version.data_sets:
        data: Json = {"name": f"{one.use} data", "uri": one.uri}
        if one.version is not None:
            data["annotations"] = {"versionId": one.version}
        yield data
    properties = version.document.get("MetadataProperties", {})
    repository, commit = properties.get("Repository"), properties.get("CommitId")
    if repository or commit:
        address = repository if repository and "://" in repository else f"ssh://{repository or 'unknown'}"
        source: Json = {"name": "source code", "uri": f"git+{address}@{commit}" if commit else f"git+{address}"}
        if commit and _COMMIT.fullmatch(commit):
            source["digest"] = {"gitCommit": commit}
        yield source
    if "GeneratedBy" in properties:
        yield {"name": "job", "uri": properties["GeneratedBy"]}
    for image in version.images:
        container: Json = {"name": "image", "uri": image.uri}
        if image.sha256 is not None:
            container["digest"] = {"sha256": image.sha256}
        yield container


def _byproducts(document: Mapping[str, Any]) -> Iterator[Json]:
    """The metric files of a registration."""
    for kind, files in sorted(document.get("ModelMetrics", {}).items()):
        for role, file in sorted(files.items()):
            if isinstance(file, dict) and "S3Uri" in file:
                found: Json = {"name": f"{kind}.{role}", "uri": file["S3Uri"]}
                if "ContentType" in file:
                    found["mediaType"] = file["ContentType"]
                yield found
