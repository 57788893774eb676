"""A model: containers that can be deployed together, and the rules that AWS has for them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]

MOST_CONTAINERS = 15
SINGLE, MULTI = "SingleModel", "MultiModel"
DIRECT = "Direct"
COPIED = ("PrimaryContainer", "InferenceExecutionConfig", "ExecutionRoleArn", "VpcConfig")
"""Members of CreateModel that Describe answers as they were given."""
OF_PACKAGES = ("Image", "ModelDataUrl", "ModelDataSource", "AdditionalModelDataSources")
"""What a container that is a model package takes from the package, and from nowhere else."""


class RuleBroken(Exception):
    """A request that the service model admits, and the rules of hosting do not; the text is for the client."""


@dataclass(frozen=True, slots=True)
class Name:
    """Where a model, an endpoint or something else of hosting is."""

    account: str
    region: str
    kind: str
    """`model`, `endpoint-config`, `endpoint` or `inference-component`: what its ARN begins with."""
    name: str

    @property
    def folded(self) -> str:
        """The name as it is looked up: ARNs are in lower case, so names that differ in case alone are one."""
        return self.name.lower()

    @property
    def arn(self) -> str:
        """`arn:aws:sagemaker:REGION:ACCOUNT:model/NAME`, in lower case as AWS answers it."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{self.kind}/{self.folded}"

    @property
    def log_group(self) -> str:
        """Where its containers print to."""
        return log_group(self.kind, self.name)


def log_group(kind: str, name: str) -> str:
    """Where the containers of an endpoint, or of an inference component, print to."""
    return f"/aws/sagemaker/{'InferenceComponents' if kind == 'inference-component' else 'Endpoints'}/{name}"


def model_at(account: str, region: str, name: str) -> Name:
    """The place of a model."""
    return Name(account, region, "model", name)


@dataclass(frozen=True, slots=True)
class Artifact:
    """Something that a container needs, and what is known of it."""

    location: str
    """Of the container, and the member that names it: `Containers[0].ModelDataUrl`."""
    kind: str
    """`Object`, `Prefix` or `Image`."""
    uri: str
    reason: str = ""
    """Why nothing is kept of it; empty for what cannot change any more."""
    digest: str | None = None
    """Of an image."""
    objects: Sequence[Document] = ()
    """The registered objects: Bucket, Key, Size, ETag, VersionId and Sha256 where they are known, and the model's own Pin."""


@dataclass(frozen=True, slots=True)
class Runnable:
    """A container as it is to be run."""

    location: str
    """`PrimaryContainer`, `Containers[1]`; with a number behind it when a package brings more than one."""
    definition: Document
    """Its members, those of a package included: Image, ModelDataUrl, Environment …"""
    artifacts: Sequence[Artifact] = ()
    package_arn: str | None = None
    """The model package that it is from."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model as it is stored."""

    id: int
    at: Name
    created: float
    document: Document
    """What DescribeModel answers."""
    containers: Sequence[Runnable]


def containers(request: Mapping[str, Any]) -> Iterator[tuple[str, Document]]:
    """The containers of a request with their places."""
    if "PrimaryContainer" in request:
        yield "PrimaryContainer", request["PrimaryContainer"]
    for number, container in enumerate(request.get("Containers", ())):
        yield f"Containers[{number}]", container


def check(request: Mapping[str, Any]) -> None:
    """What the service model leaves open. Raises RuleBroken."""
    if "PrimaryContainer" in request and request.get("Containers"):
        raise RuleBroken("PrimaryContainer and Containers cannot both be specified.")
    given = list(containers(request))
    if not given:
        raise RuleBroken("One of PrimaryContainer and Containers must be specified.")
    for place, container in given:
        _check_container(place, container)
    if "PrimaryContainer" in request and "InferenceExecutionConfig" in request:
        raise RuleBroken("InferenceExecutionConfig can only be specified with Containers.")
    _check_hostnames([container.get("ContainerHostname") for _, container in given], request)


def _check_container(place: str, container: Mapping[str, Any]) -> None:
    if "ModelPackageName" in container:
        for member in OF_PACKAGES:
            if member in container:
                raise RuleBroken(f"{member} and ModelPackageName cannot both be specified in {place}.")
        return
    if "Image" not in container:
        raise RuleBroken(f"One of Image and ModelPackageName must be specified in {place}.")
    if "InferenceSpecificationName" in container:
        raise RuleBroken(f"InferenceSpecificationName can only be specified with a ModelPackageName in {place}.")
    if "ModelDataUrl" in container and "ModelDataSource" in container:
        raise RuleBroken(f"ModelDataUrl and ModelDataSource cannot both be specified in {place}.")
    if container.get("Mode") == MULTI and "ModelDataUrl" not in container and "ModelDataSource" not in container:
        raise RuleBroken(f"The mode {MULTI} needs a ModelDataUrl or a ModelDataSource in {place}.")
    channels = [source["ChannelName"] for source in container.get("AdditionalModelDataSources", ())]
    if len(set(channels)) < len(channels):
        raise RuleBroken(f"The channel names of AdditionalModelDataSources must be unique in {place}.")


def _check_hostnames(hostnames: list[str | None], request: Mapping[str, Any]) -> None:
    named = [hostname for hostname in hostnames if hostname is not None]
    if len(set(named)) < len(named):
        raise RuleBroken("The ContainerHostname of every container must be unique within a model.")
    if named and len(named) < len(hostnames):
        raise RuleBroken("A ContainerHostname must be specified for every container of a model, or for none.")
    if not named and request.get("InferenceExecutionConfig", {}).get("Mode") == DIRECT:
        raise RuleBroken(f"Containers that are invoked in the mode {DIRECT} need a ContainerHostname each.")


def check_many_models(model: Model) -> None:
    """Whether a model of many models can be deployed; any other can. Raises RuleBroken."""
    many = [one.definition for one in model.containers if one.definition.get("Mode") == MULTI]
    if not many:
        return
    refused = f'The model "{model.at.arn}" has a container in the mode {MULTI}, and cannot be deployed: '
    if len(many) > 1:
        raise RuleBroken(f"{refused}only one of its containers can be in that mode.")
    if not many[0].get("ModelDataUrl", "").startswith("s3://"):
        raise RuleBroken(f"{refused}its models are those below the prefix of a ModelDataUrl, which must begin with s3://.")
    if "ExecutionRoleArn" not in model.document:
        raise RuleBroken(f"{refused}its models are downloaded as its ExecutionRoleArn, and it has none.")
    if model.document.get("InferenceExecutionConfig", {}).get("Mode") == DIRECT:
        raise RuleBroken(f"{refused}its containers are invoked in the mode {DIRECT}.")


def new_document(at: Name, request: Mapping[str, Any], now: float) -> Document:
    """What DescribeModel will answer. Containers that are packages stay so: what is in the packages is not shown, as on AWS."""
    document: Document = {"ModelName": at.name}
    document |= {member: request[member] for member in COPIED if request.get(member)}
    if request.get("Containers"):
        document["Containers"] = [_shown(container) for container in request["Containers"]]
    if "PrimaryContainer" in document:
        document["PrimaryContainer"] = _shown(document["PrimaryContainer"])
    document["CreationTime"] = now
    document["ModelArn"] = at.arn
    document["EnableNetworkIsolation"] = request.get("EnableNetworkIsolation", False)
    return document


def _shown(container: Document) -> Document:
    """A container without empty members, which strict clients refuse, and with the mode that it has if it names none."""
    given = {member: value for member, value in container.items() if value not in ({}, [])}
    return given if "ModelPackageName" in given else {"Mode": SINGLE, **given}


SUMMARY = ("ModelName", "ModelArn", "CreationTime")


def summary(document: Mapping[str, Any]) -> Document:
    """The entry of ListModels."""
    return {member: document[member] for member in SUMMARY}
