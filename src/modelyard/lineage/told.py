"""What events tell of lineage: entities and associations to keep. Functions of events alone; what is there already stays one.

Sources: "Amazon SageMaker AI-Created Tracking Entities" of the SageMaker developer guide, and names of entities that clients met
(`GROUP-1-Approved-1610443150-aws-model-group`). Names end in digits that the event gives, so that an event that is read
again says the same, and two events never do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from modelyard.events.outbox import Event
from modelyard.lineage.entity import Document, Entity, EntityName, Kind, artifact_at, named, new
from modelyard.lineage.package_inputs import ASSOCIATED, CONTRIBUTED, DERIVED, PRODUCED, Input, compound, inputs, job, job_name

PACKAGE_CHANGE = ("aws.sagemaker", "SageMaker Model Package State Change")
GROUP_CHANGE = ("modelyard", "Model Package Group State Change")
MODEL_CHANGE = ("aws.sagemaker", "SageMaker Model State Change")
USE_CHANGE = ("modelyard", "Model Package Use Change")
TRANSFORM_CHANGE = ("aws.sagemaker", "SageMaker Transform Job State Change")
HOSTED_MODEL = "SageMakerModel"
"""The type of a model that CreateModel made; `Model` is AWS's word for packages and for model data."""
MODEL, GROUP, APPROVAL, LIFE_CYCLE, CREATION = "Model", "ModelGroup", "Approval", "ModelLifeCycle", "ModelPackageCreation"
DATA = "DataSet"
DECIDED = ("Approved", "Rejected")


@dataclass(frozen=True, slots=True)
class Told:
    """An entity that an event speaks of."""

    entity: Entity
    shared: bool = False
    """Whether any entity of the same kind and source is meant."""
    properties: Mapping[str, str] = field(default_factory=dict)
    """Properties that it has from now on, if it was there already."""


@dataclass(slots=True)
class Story:
    """What an event tells."""

    time: float
    by: Document
    entities: list[Told] = field(default_factory=list)
    joins: list[tuple[int, int, str]] = field(default_factory=list)
    """Places in `entities` of source and destination, and the type of the association."""

    def add(self, entity: Entity, *, shared: bool = False, properties: Mapping[str, str] | None = None) -> int:
        """Speak of an entity; its place."""
        self.entities.append(Told(entity, shared, properties or {}))
        return len(self.entities) - 1


def told_by(event: Event) -> Story | None:
    """What an event tells of lineage; None for nothing."""
    about = (event.source, event.detail_type)
    if about == PACKAGE_CHANGE:
        return _of_package(event, orjson.loads(event.detail))
    if about in (MODEL_CHANGE, USE_CHANGE):
        return _of_model(event, orjson.loads(event.detail))
    if about == TRANSFORM_CHANGE:
        return _of_transform(event, orjson.loads(event.detail))
    if about == GROUP_CHANGE:
        detail = orjson.loads(event.detail)
        if detail["Change"] == "Created":
            story = Story(event.time, {})
            story.add(_group(event, detail["ModelPackageGroupName"], {}, {}, event.time))
            return story
    return None


def _of_package(event: Event, detail: Document) -> Story:
    fields = detail.get("UpdatedModelPackageFields", [])
    created = _seconds(detail["CreationTime"])
    by: Document = detail.get("LastModifiedBy") or detail.get("CreatedBy", {})
    story = Story(event.time, by)
    package = story.add(_package(event, detail, created), properties=_properties(detail))
    if detail.get("ModelPackageStatus") == "Deleting":
        return story
    arn, words = event.resources[0], _words(detail)
    creation = _action(event, CREATION, [*words, "Created"], f"{arn} {created}", created, detail.get("CreatedBy", {}), {})
    story.joins.append((story.add(creation), package, PRODUCED))
    _tell_group(story, event, detail, package, created)
    for one in inputs(detail):
        _tell_input(story, event, one, package)
    decided = detail.get("ModelApprovalStatus")
    registered = "UpdatedModelPackageFields" not in detail
    if decided is not None and ("ModelApprovalStatus" in fields or (registered and decided in DECIDED)):
        said = {"Description": detail.get("ApprovalDescription", ""), "Properties": _properties(detail)}
        _tell_action(story, event, package, APPROVAL, [*words, decided], said, f"{arn} {created}" if registered else event.id)
    life_cycle = detail.get("ModelLifeCycle")
    if life_cycle is not None and (registered or "ModelLifeCycle" in fields):
        stage = {"Stage": life_cycle["Stage"], "StageStatus": life_cycle["StageStatus"]}
        said = {"Description": life_cycle.get("StageDescription", ""), "Properties": {**_properties(detail), **stage}}
        unique = f"{arn} {created}" if registered else event.id
        _tell_action(story, event, package, LIFE_CYCLE, [*words, *stage.values()], said, unique)
    return story


def _package(event: Event, detail: Document, created: float) -> Entity:
    """The artifact of a package. A group that was made again has other versions than before under the same ARNs."""
    arn = event.resources[0]
    at = artifact_at(event.account, event.region, arn, detail["CreationTime"])
    given = {"Source": {"SourceUri": arn}, "Properties": _properties(detail)}
    given["MetadataProperties"] = detail.get("MetadataProperties", {})
    return new(at, MODEL, given, detail.get("CreatedBy", {}), created)


def _properties(detail: Document) -> dict[str, str]:
    properties = {"ModelPackageStatus": "Deleted" if detail["ModelPackageStatus"] == "Deleting" else detail["ModelPackageStatus"]}
    for member in ("ModelPackageGroupName", "ModelPackageVersion", "ModelPackageName", "ModelApprovalStatus"):
        if member in detail:
            properties[member] = str(detail[member])
    return properties


def _words(detail: Document) -> list[str]:
    """What the names of a package's actions begin with."""
    if "ModelPackageVersion" in detail:
        return [detail["ModelPackageGroupName"], str(detail["ModelPackageVersion"])]
    return [detail["ModelPackageName"]]


def _tell_group(story: Story, event: Event, detail: Document, package: int, created: float) -> None:
    if "ModelPackageGroupName" not in detail:
        return
    generated_by = detail.get("MetadataProperties", {}).get("GeneratedBy", "")
    properties = {"PipelineExecutionArn": generated_by} if ":pipeline/" in generated_by else {}
    group = _group(event, detail["ModelPackageGroupName"], properties, detail.get("CreatedBy", {}), created)
    story.joins.append((package, story.add(group, properties=properties), ASSOCIATED))


def _group(event: Event, name: str, properties: Mapping[str, str], by: Document, created: float) -> Entity:
    context_name = f"{name}-aws-model-group"
    arn = f"arn:aws:sagemaker:{event.region}:{event.account}:model-package-group/{name}"
    at = named(event.account, event.region, Kind.CONTEXT, context_name)
    given = {"Source": {"SourceUri": arn, "SourceType": "ModelPackageGroup"}, "Properties": dict(properties)}
    return new(at, GROUP, given, by, created, context_name)


def _of_model(event: Event, detail: Document) -> Story:
    """A model, in its own account, and in that of the package that it is made of."""
    own = (event.source, event.detail_type) == MODEL_CHANGE
    by: Document = {"IamIdentity": {"Arn": detail["ChangedBy"]}}
    story = Story(event.time, by)
    created = detail["CreationTime" if own else "ModelCreationTime"]
    arn = detail["ModelArn"]
    properties = {"ModelName": detail["ModelName"], "ModelStatus": detail["Change"]}
    given = {"Source": {"SourceUri": arn}, "Properties": properties}
    model = new(artifact_at(event.account, event.region, arn, created), HOSTED_MODEL, given, by, _seconds(created))
    place = story.add(model, properties=properties)
    if detail["Change"] == "Deleted":
        return story
    for package in detail["ModelPackageArns"] if own else [detail["ModelPackageArn"]]:
        story.joins.append((story.add(_artifact(story, event, package, MODEL), shared=True), place, DERIVED))
    containers = [detail["PrimaryContainer"]] if "PrimaryContainer" in detail else detail.get("Containers", [])
    for one in inputs({"InferenceSpecification": {"Containers": containers}}):
        _tell_input(story, event, one, place)
    return story


def _of_transform(event: Event, detail: Document) -> Story | None:
    """A transform job that is Completed: it comes of its input and its model, and its output of it."""
    if detail["TransformJobStatus"] != "Completed":
        return None
    story, arn = Story(event.time, {}), event.resources[0]
    name = job_name(arn, event.account, event.region)
    given = {"Source": {"SourceUri": arn}, "Status": "Completed"}
    at = named(event.account, event.region, Kind.ACTION, name)
    place = story.add(new(at, job(arn).type, given, story.by, event.time, name), shared=True)
    model = f"arn:aws:sagemaker:{event.region}:{event.account}:model/{detail['ModelName'].lower()}"
    read = detail["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
    for uri, kind in ((model, HOSTED_MODEL), (read, DATA)):
        story.joins.append((story.add(_artifact(story, event, uri, kind), shared=True), place, CONTRIBUTED))
    written = story.add(_artifact(story, event, detail["TransformOutput"]["S3OutputPath"], DATA), shared=True)
    story.joins.append((place, written, PRODUCED))
    return story


def _tell_input(story: Story, event: Event, one: Input, package: int) -> None:
    if one.kind is Kind.ACTION:
        name = job_name(one.uri, event.account, event.region)
        at = named(event.account, event.region, Kind.ACTION, name)
        given = {"Source": {"SourceUri": one.uri}, "Status": "Completed"}
        place = story.add(new(at, one.type, given, story.by, story.time, name), shared=True)
    else:
        place = story.add(_artifact(story, event, one.uri, one.type), shared=True)
    story.joins.append((place, package, one.association))
    if one.base is not None:
        base = story.add(_artifact(story, event, one.base, one.type), shared=True)
        story.joins.append((base, place, "DerivedFrom"))


def _artifact(story: Story, event: Event, uri: str, kind: str) -> Entity:
    return new(artifact_at(event.account, event.region, uri), kind, {"Source": {"SourceUri": uri}}, story.by, story.time)


def _tell_action(
    story: Story, event: Event, package: int, kind: str, words: list[str], said: Mapping[str, Any], unique: str
) -> None:
    action = _action(event, kind, words, unique, event.time, story.by, said)
    story.joins.append((story.add(action), package, CONTRIBUTED))


def _action(event: Event, kind: str, words: list[str], unique: str, time: float, by: Document, said: Mapping[str, Any]) -> Entity:
    name = compound([*words, str(int(time))], unique, "aws-model-group")
    given = {"Source": {"SourceUri": event.resources[0], "SourceType": "ModelPackage"}, "Status": "Completed", **said}
    return new(EntityName(event.account, event.region, Kind.ACTION, name.lower()), kind, given, by, time, name)


def _seconds(moment: str) -> float:
    """Epoch seconds of a time in an event."""
    return round(datetime.fromisoformat(moment).timestamp(), 3)
