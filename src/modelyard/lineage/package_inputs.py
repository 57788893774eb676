"""What the description of a model package says that it was made from: data, code, job, images, model data, metrics.

AWS makes artifacts for images, model data and algorithms, with these types. Where the rest comes from is our own reading: code
and job out of MetadataProperties, data sets out of the model card and out of customer metadata, metrics out of ModelMetrics.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from modelyard.lineage.entity import Kind

Json = Mapping[str, Any]

CONTRIBUTED, DERIVED, PRODUCED, ASSOCIATED = "ContributedTo", "DerivedFrom", "Produced", "AssociatedWith"
PACKAGE = re.compile(r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]*:[0-9]{12}:model-package/[^/]+(/[0-9]+)?", re.IGNORECASE)
MOST = 500
"""Inputs of one version that are kept, the first ones."""
LONGEST_URI = 2048
LONGEST_NAME = 120
JOBS = {
    "training-job": "SageMakerTrainingJob",
    "processing-job": "SageMakerProcessingJob",
    "transform-job": "SageMakerTransformJob",
    "hyper-parameter-tuning-job": "SageMakerHyperParameterTuningJob",
    "pipeline": "PipelineExecution",
}
"""What made a version, by the kind of its ARN; SageMakerTrainingJob is what AWS calls it."""
OTHER_JOB = "Job"


@dataclass(frozen=True, slots=True)
class Input:
    """Something that a version was made from, or by."""

    uri: str
    type: str
    association: str = CONTRIBUTED
    kind: Kind = Kind.ARTIFACT
    base: str | None = None
    """What this is one state of: the address of data without its version."""


def inputs(detail: Json) -> list[Input]:
    """What a package was made from, each once."""
    found: dict[str, Input] = {}
    for one in _inputs(detail):
        if 0 < len(one.uri) <= LONGEST_URI and len(found) < MOST:
            found.setdefault(one.uri, one)
    return list(found.values())


def _inputs(detail: Json) -> Iterator[Input]:
    for specification in (detail.get("InferenceSpecification", {}), *detail.get("AdditionalInferenceSpecifications", ())):
        for container in specification.get("Containers", ()):
            yield from _of_container(container)
    for algorithm in detail.get("SourceAlgorithmSpecification", {}).get("SourceAlgorithms", ()):
        yield Input(algorithm.get("AlgorithmName", ""), "Algorithm")
        yield from _model_data(algorithm)
    properties = detail.get("MetadataProperties", {})
    yield from _code(properties)
    if "GeneratedBy" in properties:
        yield job(properties["GeneratedBy"])
    yield from _data_sets(detail)
    source = detail.get("SourceUri", "")
    if source.startswith("arn:") or PACKAGE.fullmatch(source):
        yield Input(source, "Model", DERIVED)
    else:
        yield Input(source, "Source", DERIVED)
    for uri in _addresses(detail.get("ModelMetrics", {})):
        yield Input(uri, "ModelMetrics")


def _of_container(container: Json) -> Iterator[Input]:
    yield Input(container.get("Image", ""), "Image")
    yield from _model_data(container)


def _model_data(holder: Json) -> Iterator[Input]:
    yield Input(holder.get("ModelDataUrl", ""), "Model")
    yield Input(holder.get("ModelDataSource", {}).get("S3DataSource", {}).get("S3Uri", ""), "Model")


def _code(properties: Json) -> Iterator[Input]:
    """The repository at its commit."""
    repository, commit = properties.get("Repository", ""), properties.get("CommitId", "")
    if repository and commit:
        yield Input(f"{repository}@{commit}", "Code", base=repository)
    else:
        yield Input(repository or commit, "Code")


def job(uri: str) -> Input:
    """What made a version, by its ARN or whatever names it."""
    kind = uri.split(":")[5].partition("/")[0] if uri.startswith("arn:") and uri.count(":") >= 5 else ""
    return Input(uri, JOBS.get(kind, OTHER_JOB), PRODUCED, Kind.ACTION)


def job_name(uri: str, account: str, region: str) -> str:
    """The name of the action of a job: `NAME-aws-training-job`, as AWS names its trial component."""
    resource = uri.split(":", 5)[5] if uri.startswith("arn:") and uri.count(":") >= 5 else uri
    kind, _, name = resource.partition("/")
    suffix = "aws-pipeline-execution" if kind == "pipeline" else f"aws-{kind}" if kind in JOBS else "aws-job"
    own = uri.startswith(f"arn:aws:sagemaker:{region}:{account}:")
    return compound([name.replace("/execution/", "-") or kind], None if own else uri, suffix)


def compound(words: Iterable[str], unique: str | None, suffix: str) -> str:
    """A name out of words, of the characters and the length that names have. Names with another `unique` differ in 8 digits."""
    parts = [each for word in words if (each := re.sub("[^a-zA-Z0-9]+", "-", word).strip("-"))]
    end = suffix if unique is None else f"{hashlib.sha256(unique.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}-{suffix}"
    beginning = "-".join(parts)[: LONGEST_NAME - len(end) - 1].strip("-")
    return f"{beginning}-{end}" if beginning else end


def _data_sets(detail: Json) -> Iterator[Input]:
    """Training and evaluation data: of the model card, and of customer metadata such as `training_data: s3://…`."""
    for uri in _card_data_sets(detail.get("ModelCard", {}).get("ModelCardContent", "")):
        yield Input(uri, "DataSet")
    metadata = detail.get("CustomerMetadataProperties", {})
    versions = {_squeezed(key): value for key, value in metadata.items()}
    for key, value in metadata.items():
        if "data" in key.lower() and value.startswith("s3://"):
            squeezed = _squeezed(key)
            version = versions.get(f"{squeezed}version") or versions.get(f"{squeezed}versionid")
            if version and "?" not in value:
                yield Input(f"{value}?versionId={version}", "DataSet", base=value)
            else:
                yield Input(value, "DataSet")


def _squeezed(key: str) -> str:
    return re.sub("[^a-z0-9]", "", key.lower())


def _card_data_sets(content: str) -> Iterator[str]:
    """Data sets of a model card, by the members that SageMaker's schema of model cards has for them."""
    try:
        card = orjson.loads(content) if content else {}
    except orjson.JSONDecodeError:
        return
    training = _member(_member(card, "training_details"), "training_job_details")
    details = _member(card, "evaluation_details")
    evaluations = details if isinstance(details, list) else []
    for holder, name in ((training, "training_datasets"), *((each, "datasets") for each in evaluations)):
        listed = _member(holder, name)
        yield from (uri for uri in listed if isinstance(uri, str)) if isinstance(listed, list) else ()


def _member(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, dict) else None


def _addresses(value: Any) -> Iterator[str]:
    """Every S3Uri inside."""
    if isinstance(value, dict):
        for name, member in value.items():
            if name == "S3Uri" and isinstance(member, str):
                yield member
            else:
                yield from _addresses(member)
