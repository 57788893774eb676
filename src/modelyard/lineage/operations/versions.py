"""From a version to all that it came from and all that came of it, and from anything back to the versions, in one call."""

from collections.abc import Iterable
from typing import Any

from modelyard.access.evaluation import decide
from modelyard.access.permission import Permission, Resource
from modelyard.aws.arns import Arn
from modelyard.aws.errors import ResourceNotFound, ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.dispatch.resources import find
from modelyard.lineage import pages, store, store_graph
from modelyard.lineage.entity import Entity, Kind
from modelyard.lineage.operations.queries import DEEPEST, Step, matching, shown_edge, steps, visible_steps
from modelyard.lineage.package_inputs import JOBS, OTHER_JOB, PACKAGE
from modelyard.lineage.reading import caught_up
from modelyard.lineage.store import Kept
from modelyard.lineage.told import APPROVAL, CREATION, GROUP, HOSTED_MODEL, LIFE_CYCLE, MODEL
from modelyard.lineage.walk import Walk

operation = operations_of("modelyard")
Request = dict[str, Any]
MOST = 1000
"""Entities on either side of a version that one answer shows."""
STARTS = 10
DEFAULT_SIZE = 100
ROLES = {
    "DataSet": "DataSets",
    "Code": "Code",
    "Image": "Images",
    MODEL: "ModelData",
    "ModelMetrics": "Metrics",
    APPROVAL: "Approvals",
    LIFE_CYCLE: "LifeCycle",
    CREATION: "Creation",
    GROUP: "Groups",
    HOSTED_MODEL: "Models",
    "ModelDeployment": "Deployments",
    "Endpoint": "Deployments",
    **dict.fromkeys((*JOBS.values(), OTHER_JOB), "Jobs"),
}
"""The lists of the answer by the types of entities; packages and what is of no such type have lists of their own."""


def _on_version(context: Context, request: Request) -> Iterable[Permission]:
    arn = Arn.parse(request["ModelPackageArn"])
    yield Permission("modelyard:GetVersionLineage", find(context, arn) or Resource(str(arn), arn.account))


@operation("GetVersionLineage", mode=Mode.STREAM, permissions=_on_version)
@caught_up
def get_version_lineage(context: Context, request: Request) -> Request:
    """What a version came from and what came of it, by what each was to it."""
    arn = Arn.parse(request["ModelPackageArn"])
    number = _package(context, arn)
    below = Walk(_visible_steps(context), [number], up=False, down=True, depth=DEEPEST, most=MOST).whole()
    above = Walk(_visible_steps(context), [number], up=True, down=False, depth=DEEPEST, most=MOST).whole()
    entities = store_graph.entities(context.tx, [*{**above.depths, **below.depths}])
    answer: Request = {"ModelPackageArn": entities[number].entity.source_uri, "ArtifactArn": entities[number].entity.at.arn}
    for walk, direction in ((above, "Ascendants"), (below, "Descendants")):
        for met, depth in walk.depths.items():
            if met in entities and met != number:
                item = _item(entities[met].entity, depth, direction)
                answer.setdefault(_role(entities[met].entity, direction), []).append(item)
    edges = {**above.edges, **below.edges}.values()
    answer["Edges"] = [shown_edge(edge, entities) for edge in edges if edge.source in entities and edge.destination in entities]
    return {**answer, "Truncated": above.cut or below.cut}


def _package(context: Context, arn: Arn) -> int:
    """The number of a version's artifact."""
    found = store.by_source(context.tx, arn.account, arn.region, str(arn), STARTS) if arn.region == context.region else []
    numbers = [kept.id for kept in found if kept.entity.at.kind is Kind.ARTIFACT and is_package(kept.entity)]
    if not numbers:
        raise ResourceNotFound(f"There is no lineage of {arn}: such a model package was never registered here.")
    return numbers[0]


def is_package(entity: Entity) -> bool:
    """Whether an entity stands for a model package."""
    return entity.at.kind is Kind.ARTIFACT and PACKAGE.fullmatch(entity.source_uri) is not None


def _role(entity: Entity, direction: str) -> str:
    if is_package(entity):
        return "DerivedFrom" if direction == "Ascendants" else "DerivedVersions"
    return ROLES.get(entity.type, "Others")


def _item(entity: Entity, depth: int, direction: str) -> Request:
    document = entity.document
    item = {
        "Arn": entity.at.arn,
        "LineageType": entity.at.kind.member,
        "Type": entity.type,
        "SourceUri": entity.source_uri,
        "Direction": direction,
        "Depth": depth,
        "CreationTime": document["CreationTime"],
    }
    by = document["CreatedBy"].get("IamIdentity", {}).get("Arn")
    more = {"Name": entity.name, "CreatedBy": by, "Description": document.get("Description")}
    more |= {"Properties": document.get("Properties")}
    return {**item, **{member: value for member, value in more.items() if value is not None}}


def _visible_steps(context: Context) -> Step:
    """Steps that do not lead to versions which the caller may not see, nor past them."""
    return visible_steps(
        context, lambda new: [kept for kept in new if not is_package(kept.entity) or _may_see(context, kept.entity)]
    )


def _may_see(context: Context, entity: Entity) -> bool:
    arn = Arn.parse(entity.source_uri)
    permission = Permission("sagemaker:DescribeModelPackage", find(context, arn) or Resource(str(arn), arn.account))
    return decide(context.principal, permission, context.facts).allowed


def _on_lineage(context: Context, request: Request) -> Iterable[Permission]:
    arn = f"arn:aws:modelyard:{context.region}:{context.account}:lineage"
    yield Permission("modelyard:ListVersionsBySource", Resource(arn, context.account))


@operation("ListVersionsBySource", mode=Mode.STREAM, permissions=_on_lineage)
@caught_up
def list_versions_by_source(context: Context, request: Request) -> Request:
    """The versions that came of data, code, a job, an image, another version …, those that the caller may see."""
    uri, size = request["SourceUri"], request.get("MaxResults", DEFAULT_SIZE)
    starts = store.by_source(context.tx, context.account, context.region, uri, STARTS)
    if not starts:
        raise ResourceNotFound(f"Nothing in the lineage of this account has the SourceUri {uri}.")
    # A version leads to its group, and a deployment comes of it: what contexts hold lies above them.
    upwards = all(kept.entity.at.kind is Kind.CONTEXT for kept in starts)
    walk = Walk(steps(context), [kept.id for kept in starts], up=upwards, down=not upwards, depth=DEEPEST)
    fingerprint = pages.fingerprint(context, "ListVersionsBySource", request)
    after = tuple(context.tokens.open(request["NextToken"], fingerprint)) if "NextToken" in request else (-1, 0)
    found = matching(context, walk, lambda kept: is_package(kept.entity) and _may_see(context, kept.entity), after, size + 1)
    if not found and walk.cut:
        raise ValidationException(
            f"More came of {uri} than this server looks at: start from something that is nearer to the versions."
        )
    answer: Request = {"Versions": [_version(kept, walk.depths[kept.id]) for kept in found[:size]]}
    if len(found) > size or (walk.cut and found):
        last = found[min(size, len(found)) - 1].id
        answer["NextToken"] = context.tokens.seal(fingerprint, [walk.depths[last], last])
    return answer


def _version(kept: Kept, depth: int) -> Request:
    document = kept.entity.document
    version = {
        "ModelPackageArn": kept.entity.source_uri,
        "ArtifactArn": kept.entity.at.arn,
        "Depth": depth,
        "CreationTime": document["CreationTime"],
    }
    properties = document.get("Properties", {})
    states = ("ModelPackageStatus", "ModelApprovalStatus")
    return {**version, **{member: properties[member] for member in states if member in properties}}
