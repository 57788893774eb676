"""What a model is made of: the containers of its packages, their registered bytes, and whether whoever runs it may have them.

Images, objects and keys are asked for as the execution role, or as the caller where there is none, and every refusal says which
policy of which account it came of. What is not kept by this server cannot be looked up: it is accepted, as AWS does, and shown as
unverified.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from modelyard.access.explanations import why_refused
from modelyard.access.principal import Principal
from modelyard.access.roles import assumed_by_service, facts_of_service
from modelyard.aws.errors import ValidationException
from modelyard.dispatch import image_lookup, registered
from modelyard.dispatch.artifacts import Denied, Keeper, NotKeptHere, NotLookedUp, keeper
from modelyard.dispatch.context import Context
from modelyard.dispatch.registered import RegisteredArtifact
from modelyard.endpoints.addresses import IMAGE, MOST_OBJECTS, PREFIX, Address, addresses, in_s3
from modelyard.endpoints.model import MOST_CONTAINERS, Artifact, Name, Runnable, containers
from modelyard.endpoints.permissions import SERVICE

Request = dict[str, Any]

APPROVED, COMPLETED = "Approved", "Completed"
RULE = "ApprovedVersionsOnly"
SESSION = "SageMaker"
NOT_REGISTERED = "It is not of a registered version: what is at its address when the model is deployed counts."
NOT_IN_S3 = "Only addresses that begin with s3:// are looked up."


@dataclass(frozen=True, slots=True)
class Package:
    """A model package that a container stands for, once it is sure that a model may be made of it."""

    arn: str
    created: float


def runner(context: Context, at: Name, request: Request) -> Principal:
    """Who will run the model: its execution role, or the caller. Raises ValidationException for a role that cannot be assumed."""
    role = request.get("ExecutionRoleArn")
    if role is None:
        return context.principal
    facts = facts_of_service(context.facts, SERVICE, at.arn)
    assumed = assumed_by_service(context.tx, context.ids, role, SERVICE, SESSION, facts)
    if assumed is None:
        raise not_assumed(role)
    return assumed


def not_assumed(role: str) -> ValidationException:
    """AWS's error for an execution role that is not there, or whose trust policy does not let SageMaker."""
    return ValidationException(
        f"Could not assume role {role}. Please ensure that the role exists and allows principal '{SERVICE}' to assume the role."
    )


class Sourcing:
    """Finds what one model is made of, and keeps it."""

    def __init__(self, context: Context, at: Name, request: Request) -> None:
        self._context = context
        self._runner = replace(context, principal=runner(context, at, request))
        self._at = at
        self._request = request
        self.packages: dict[str, Package] = {}
        """The packages that were used, by their ARNs."""

    def runnables(self) -> list[Runnable]:
        """All containers as they are to be run. Raises AwsError for what may not be used, or is not there."""
        found: list[Runnable] = []
        for location, container in containers(self._request):
            if "ModelPackageName" in container:
                found += self._registered(location, container)
            else:
                found.append(self._plain(location, container))
        if len(found) > MOST_CONTAINERS:
            raise ValidationException(f"A model can have at most {MOST_CONTAINERS} containers, this would make {len(found)}.")
        return found

    def _plain(self, location: str, container: Request) -> Runnable:
        artifacts = [self._found(location, address, NOT_REGISTERED) for address in addresses(container)]
        return Runnable(location, container, artifacts)

    def _registered(self, location: str, container: Request) -> Iterator[Runnable]:
        package = self._package(container["ModelPackageName"])
        name = container.get("InferenceSpecificationName")
        specified = registered.containers_of(self._context.tx, package.arn, name)
        if specified is None:
            which = "InferenceSpecification" if name is None else f"additional inference specification {name}"
            raise ValidationException(f"ModelPackage {package.arn} has no {which} to make a model of.")
        own = {member: value for member, value in container.items() if member != "ModelPackageName"}
        for number, one in enumerate(specified):
            place = location if len(specified) == 1 else f"{location}[{number}]"
            environment = {**one.container.get("Environment", {}), **container.get("Environment", {})}
            definition = {**one.container, **own, **({"Environment": environment} if environment else {})}
            artifacts = [self._kept(place, artifact, definition) for artifact in one.artifacts]
            yield Runnable(place, definition, artifacts, package.arn)

    def _package(self, name: str) -> Package:
        """Read a package as the caller, and see whether it may be deployed. Raises AwsError."""
        described = self._context.call("sagemaker", "DescribeModelPackage", {"ModelPackageName": name})
        if self._context.within_operation != registered.VALIDATION:
            self._check_deployable(described)
        package = Package(described["ModelPackageArn"], described["CreationTime"])
        self.packages[package.arn] = package
        return package

    def _check_deployable(self, described: Request) -> None:
        arn, status = described["ModelPackageArn"], described["ModelPackageStatus"]
        if status != COMPLETED:
            raise ValidationException(
                f"ModelPackage {arn} has the ModelPackageStatus {status}: a model can be made only of one that is {COMPLETED}."
            )
        approval = described.get("ModelApprovalStatus")
        if "ModelPackageVersion" in described and approval != APPROVED:
            raise ValidationException(
                f"ModelPackage {arn} has the ModelApprovalStatus {approval}: by the rule {RULE} a model can be made only of "
                f"a version that is {APPROVED}."
            )

    def _kept(self, place: str, artifact: RegisteredArtifact, definition: Request) -> Artifact:
        """Hold on to what a package was registered with, for the model, if whoever runs it may have it."""
        location = f"{place}.{artifact.member}"
        if artifact.kind == IMAGE:
            return self._image(location, artifact.uri, definition.get("ImageDigest"), artifact.reason)
        if artifact.reason:
            expected = definition.get("ModelDataETag") if artifact.member == "ModelDataUrl" else None
            return self._found(place, Address(artifact.member, artifact.kind, artifact.uri, expected), artifact.reason)
        keeps = keeper()
        assert keeps is not None, "what was registered, a keeper keeps"
        try:
            objects = [self._held(keeps, one) for one in artifact.objects]
        except NotLookedUp as error:
            raise self._no_data(artifact.uri, error) from None
        return Artifact(location, artifact.kind, artifact.uri, objects=objects)

    def _held(self, keeps: Keeper, one: Any) -> Request:
        keeps.check_pinned(self._runner, self._context.tx, one["Pin"])
        return {**one, "Pin": keeps.hold(self._context.tx, self._at.arn, one["Pin"])}

    def _found(self, place: str, address: Address, reason: str) -> Artifact:
        """Make sure that whoever runs the model may have what is at an address now. Raises ValidationException."""
        location = f"{place}.{address.member}"
        if address.kind == IMAGE:
            return self._image(location, address.uri, None, reason)
        where, keeps = in_s3(address.uri), keeper()
        if where is None or keeps is None:
            return Artifact(location, address.kind, address.uri, NOT_IN_S3)
        try:
            self._look(keeps, address, *where)
        except NotKeptHere as error:
            return Artifact(location, address.kind, address.uri, str(error))
        except NotLookedUp as error:
            raise self._no_data(address.uri, error) from None
        return Artifact(location, address.kind, address.uri, reason)

    def _look(self, keeps: Keeper, address: Address, bucket: str, key: str) -> None:
        if address.kind == PREFIX:
            keeps.find_below(self._runner, self._context.tx, bucket, key, MOST_OBJECTS)
            return
        found = keeps.find(self._runner, self._context.tx, bucket, key)
        if address.expected is not None and address.expected.strip('"') != found.etag:
            raise NotLookedUp(f"It was given with the ETag {address.expected}, and it has the ETag {found.etag}.")

    def _image(self, location: str, uri: str, digest: str | None, reason: str) -> Artifact:
        """Make sure that whoever runs the model may pull its image. Raises ValidationException."""
        try:
            found = image_lookup.pull(self._runner, self._context.tx, uri, digest)
        except NotKeptHere as error:
            return Artifact(location, IMAGE, uri, str(error), digest)
        except NotLookedUp as error:
            raise ValidationException(f"Could not pull the image {uri}. {self._why(error)}") from None
        return Artifact(location, IMAGE, uri, "" if digest == found else reason, found)

    def _no_data(self, uri: str, error: NotLookedUp) -> ValidationException:
        if isinstance(error, Denied):
            return ValidationException(f"Could not access model data at {uri}. {self._why(error)}")
        return ValidationException(f"Could not find model data at {uri}. {error}")

    def _why(self, error: NotLookedUp) -> str:
        if isinstance(error, Denied):
            return why_refused(self._runner.principal, error.permission, error.decision)
        return str(error)
