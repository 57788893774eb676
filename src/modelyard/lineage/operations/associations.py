"""Associations of lineage."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from modelyard.aws.arns import Arn
from modelyard.aws.errors import ResourceNotFound, ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.dispatch.seeing import Seeing, filled
from modelyard.lineage import pages, store_graph
from modelyard.lineage.operations.entities import existing, to_change
from modelyard.lineage.permissions import at_arn, list_of, on_all, on_arns, user_context
from modelyard.lineage.reading import caught_up
from modelyard.lineage.store import Kept

T = TypeVar("T")
operation = operations_of("sagemaker")
Request = dict[str, Any]
ENDS = ("SourceArn", "DestinationArn")
EXPERIMENTS = ("experiment", "experiment-trial-component")


@operation("AddAssociation", mode=Mode.WRITE, permissions=on_arns("AddAssociation", *ENDS))
def add_association(context: Context, request: Request) -> Request:
    """Say that one entity led to another."""
    if all(Arn.parse(request[end]).resource.partition("/")[0] in EXPERIMENTS for end in ENDS):
        raise ValidationException("An association can't be created between two experiment entities.")
    source, destination = (_end(context, request[end]) for end in ENDS)
    if source.id == destination.id:
        raise ValidationException("The source and the destination of an association must be different entities.")
    kind, by = request.get("AssociationType", ""), user_context(context)
    ends = (source.id, destination.id)
    if not store_graph.associate(context.tx, context.account, context.region, *ends, kind, by, context.now):
        raise ValidationException(
            f"Association between '{source.entity.at.arn}' and '{destination.entity.at.arn}' already exists."
        )
    return {"SourceArn": source.entity.at.arn, "DestinationArn": destination.entity.at.arn}


@operation("DeleteAssociation", mode=Mode.WRITE, permissions=on_arns("DeleteAssociation", *ENDS))
def delete_association(context: Context, request: Request) -> Request:
    """Take back that one entity led to another."""
    source, destination = (_end(context, request[end]) for end in ENDS)
    arns = (source.entity.at.arn, destination.entity.at.arn)
    if not store_graph.dissociate(context.tx, source.id, destination.id):
        raise ResourceNotFound(f"Association between '{arns[0]}' and '{arns[1]}' does not exist.")
    return {"SourceArn": arns[0], "DestinationArn": arns[1]}


class _SeeingBothEnds(Seeing):
    """Which associations the caller may see: those between entities that the caller may list the associations of."""

    def among(self, rows: Sequence[T], names: Callable[[T], tuple[str, ...]]) -> list[T]:
        """Those of the rows that may be seen; `names` gives both ends."""
        from_seen = super().among(rows, lambda row: names(row)[:1])
        return super().among(from_seen, lambda row: names(row)[1:])


@operation("ListAssociations", mode=Mode.STREAM, permissions=on_all("ListAssociations", "association"))
@caught_up
def list_associations(context: Context, request: Request) -> Request:
    """Associations of the caller's account that the caller may see, by their ends, type and time."""
    source, destination = (None if end not in request else _named(context, request[end]).id for end in ENDS)
    found, then = filled(
        pages.page(context, "ListAssociations", request),
        _SeeingBothEnds(context, list_of(context, "ListAssociations", "association")),
        lambda page: store_graph.associations(context.tx, context.account, context.region, (source, destination), request, page),
        lambda row: (row[0].summary["SourceArn"], row[0].summary["DestinationArn"]),
        lambda row: [row[1], row[0].id],
    )
    answer: Request = {"AssociationSummaries": [each.summary for each, _ in found]}
    if then is not None:
        answer["NextToken"] = pages.token(context, "ListAssociations", request, then)
    return answer


def _end(context: Context, text: str) -> Kept:
    """An end of an association that is to be changed."""
    at = at_arn(Arn.parse(text))
    if at is None or (at.account, at.region) != (context.account, context.region):
        raise ResourceNotFound(f"'{text}' does not exist.")
    return to_change(context, at)


def _named(context: Context, text: str) -> Kept:
    at = at_arn(Arn.parse(text))
    if at is None or at.account != context.account:
        raise ResourceNotFound(f"'{text}' does not exist.")
    return existing(context, at)
