"""QueryLineage: what an entity came from, and what came of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.aws.arns import Arn
from modelyard.aws.errors import ResourceNotFound, ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.dispatch.seeing import Seeing
from modelyard.lineage import pages, store_graph
from modelyard.lineage.operations.entities import existing
from modelyard.lineage.permissions import at_arn, on_arns
from modelyard.lineage.reading import caught_up
from modelyard.lineage.store import Kept
from modelyard.lineage.walk import MOST_ENTITIES, Walk

operation = operations_of("sagemaker")
Request = dict[str, Any]
DEEPEST, LARGEST_PAGE = 10, 50
AT_ONCE = 500
"""Entities that are read at once to see which are wanted."""
Matches = Callable[[Kept], bool]
Step = Callable[[Sequence[int], bool, int], list[store_graph.Edge]]


@operation("QueryLineage", mode=Mode.STREAM, permissions=on_arns("QueryLineage", "StartArns"))
@caught_up
def query_lineage(context: Context, request: Request) -> Request:
    """Entities that lead to the start or come of it, nearest first; with edges also the start, and all that lies between."""
    starts, (up, down) = [_start(context, arn) for arn in _start_arns(request)], _directions(request)
    walk = Walk(_steps_in_sight(context), starts, up, down, _depth(request), MOST_ENTITIES)
    size = request.get("MaxResults", LARGEST_PAGE)
    if size < 1:
        raise ValidationException(f"MaxResults must be between 1 and {LARGEST_PAGE}.")
    after = (-1, 0)
    if "NextToken" in request:
        after = tuple(context.tokens.open(request["NextToken"], pages.fingerprint(context, "QueryLineage", request)))
    matches = wanted(request.get("Filters", {}))
    if request.get("IncludeEdges", False):
        return _with_edges(context, request, walk, matches, after, size)
    found = matching(context, walk, matches, after, size + 1)
    answer: Request = {"Vertices": [_vertex(kept) for kept in found[:size]], "Edges": []}
    return _ended(context, request, answer, walk, [kept.id for kept in found], size)


def steps(context: Context) -> Step:
    """How a walk finds what is next."""
    return lambda numbers, up, most: store_graph.steps(context.tx, numbers, up=up, most=most)


def visible_steps(context: Context, visible: Callable[[Sequence[Kept]], Iterable[Kept]]) -> Step:
    """Steps that lead only to entities which the caller may see, and so not past the others."""
    step, seen, met = steps(context), set[int](), set[int]()

    def found(numbers: Sequence[int], up: bool, most: int) -> list[store_graph.Edge]:
        edges = step(numbers, up, most)
        new = {edge.source if up else edge.destination for edge in edges} - met
        met.update(new)
        seen.update(kept.id for kept in visible(list(store_graph.entities(context.tx, sorted(new)).values())))
        return [edge for edge in edges if (edge.source if up else edge.destination) in seen]

    return found


def _steps_in_sight(context: Context) -> Step:
    """Steps to what the caller may query the lineage of."""
    listing = f"arn:aws:sagemaker:{context.region}:{context.account}:"
    seeing = Seeing(context, Permission("sagemaker:QueryLineage", Resource(f"{listing}*", context.account), listing=listing))
    if seeing.all:
        return steps(context)
    return visible_steps(context, lambda new: seeing.among(new, lambda kept: (kept.entity.at.arn,)))


def _start_arns(request: Request) -> list[str]:
    arns: list[str] = request.get("StartArns", [])
    if not arns:
        raise ValidationException("StartArns must name the entity that the query starts from.")
    return arns


def _start(context: Context, text: str) -> int:
    at = at_arn(Arn.parse(text))
    if at is None or at.account != context.account:
        raise ResourceNotFound(f"'{text}' does not exist.")
    return existing(context, at).id


def _directions(request: Request) -> tuple[bool, bool]:
    direction = request.get("Direction", "Both")
    return direction != "Descendants", direction != "Ascendants"


def _depth(request: Request) -> int:
    depth: int = request.get("MaxDepth", DEEPEST)
    if not 1 <= depth <= DEEPEST:
        raise ValidationException(f"MaxDepth must be between 1 and {DEEPEST}.")
    return depth


def wanted(filters: Mapping[str, Any]) -> Matches:
    """Whether an entity passes the filters: every filter that is given, and of its values any."""
    types, kinds, properties = filters.get("Types"), filters.get("LineageTypes"), filters.get("Properties")
    infinity = float("inf")
    after, before = filters.get("CreatedAfter", -infinity), filters.get("CreatedBefore", infinity)
    modified_after, modified_before = filters.get("ModifiedAfter", -infinity), filters.get("ModifiedBefore", infinity)

    def matches(kept: Kept) -> bool:
        document = kept.entity.document
        has = document.get("Properties", {})
        return (
            (not types or kept.entity.type in types)
            and (not kinds or kept.entity.at.kind.member in kinds)
            and after <= document["CreationTime"] <= before
            and modified_after <= document["LastModifiedTime"] <= modified_before
            and (not properties or any(has.get(key) == value for key, value in properties.items()))
        )

    return matches


def matching(context: Context, walk: Walk, matches: Matches, after: tuple[int, ...], most: int) -> list[Kept]:
    """What the walk meets after a place, as far as it is wanted; it ends when that is enough."""
    found: list[Kept] = []
    for level in walk.levels():
        depth = walk.depths[level[0]]
        rest = [number for number in level if (depth, number) > after]
        for begin in range(0, len(rest), AT_ONCE):
            chunk = rest[begin : begin + AT_ONCE]
            read = store_graph.entities(context.tx, chunk)
            found += [read[number] for number in chunk if number in read and matches(read[number])]
            if len(found) >= most:
                return found
    return found


def _with_edges(context: Context, request: Request, walk: Walk, matches: Matches, after: tuple[int, ...], size: int) -> Request:
    walk.whole()
    shown = list(walk.depths)
    if request.get("Filters"):
        entities = store_graph.entities(context.tx, shown)
        hits = [number for number in shown if walk.depths[number] and matches(entities[number])]
        way = walk.on_the_way_to(hits)
        shown = [number for number in shown if number in way]
    place = {number: (walk.depths[number], number) for number in shown}
    rest = [number for number in shown if place[number] > after]
    page = rest[:size]
    entities = store_graph.entities(context.tx, page)
    # An edge comes with the later of its ends, so that each comes once.
    edges = [edge for edge in walk.edges.values() if edge.source in place and edge.destination in place]
    here = set(page)
    edges = [edge for edge in edges if max(edge.source, edge.destination, key=lambda number: place[number]) in here]
    ends = store_graph.entities(context.tx, sorted({number for edge in edges for number in (edge.source, edge.destination)}))
    answer: Request = {
        "Vertices": [_vertex(entities[number]) for number in page],
        "Edges": [shown_edge(edge, ends) for edge in edges],
    }
    return _ended(context, request, answer, walk, rest, size)


def _ended(context: Context, request: Request, answer: Request, walk: Walk, rest: Sequence[int], size: int) -> Request:
    """The answer with its token. Raises ValidationException where the walk would have to go on further than it may."""
    if not rest and walk.cut:
        raise ValidationException(
            f"There is more than a lineage query can look at, which is {MOST_ENTITIES} entities:"
            " narrow it by Direction and MaxDepth, or start from another entity."
        )
    if len(rest) > size or (walk.cut and rest):
        last = rest[min(size, len(rest)) - 1]
        place = [walk.depths[last], last]
        answer["NextToken"] = context.tokens.seal(pages.fingerprint(context, "QueryLineage", request), place)
    return answer


def _vertex(kept: Kept) -> Request:
    return {"Arn": kept.entity.at.arn, "Type": kept.entity.type, "LineageType": kept.entity.at.kind.member}


def shown_edge(edge: store_graph.Edge, ends: Mapping[int, Kept]) -> Request:
    """An edge by the ARNs of its ends."""
    shown = {"SourceArn": ends[edge.source].entity.at.arn, "DestinationArn": ends[edge.destination].entity.at.arn}
    return {**shown, "AssociationType": edge.type} if edge.type else shown
