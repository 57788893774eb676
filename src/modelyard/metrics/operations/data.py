"""Metric data: put, and list what there are metrics of."""

from collections.abc import Mapping, Sequence

from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.metrics import store
from modelyard.metrics.errors import invalid_value
from modelyard.metrics.incoming import Batch, gathered
from modelyard.metrics.metric import AWS_PREFIX, Dimensions, Metric, shown_dimensions
from modelyard.metrics.pages import open_token, seal_token
from modelyard.metrics.permissions import Request, is_service, on_metrics, on_namespace, owner
from modelyard.metrics.retention import LISTED, RECENTLY

operation = operations_of("cloudwatch")

PAGE = 500
LOOKED_AT = 5000
"""Metrics that one ListMetrics looks at: where few match, its pages may be empty and have a next one."""
MANY_DATA = 50
"""More than so many are gathered before the writer's turn, since others wait for it."""


def _many(request: Request) -> bool:
    return bool(request.get("EntityMetricData")) or len(request.get("MetricData", ())) > MANY_DATA


def _gathered(context: Context, request: Request) -> Batch:
    if request["Namespace"].startswith(AWS_PREFIX) and not is_service(context):
        raise invalid_value("The value AWS/ for parameter Namespace is invalid.")
    return gathered(request, context.now)


@operation(
    "PutMetricData",
    mode=Mode.WRITE,
    permissions=on_namespace("PutMetricData"),
    prepare=_gathered,
    prepares=_many,
    writes=False,
)
def put_metric_data(context: Context, request: Request) -> None:
    """Add data to metrics, which come to be by it."""
    batch = context.prepared if isinstance(context.prepared, Batch) else _gathered(context, request)
    for (name, dimensions), values in batch.series.items():
        metric = Metric(owner(context), context.region, request["Namespace"], name, dimensions)
        store.add(context.tx, store.seen(context.tx, metric, context.now), values)


@operation("ListMetrics", mode=Mode.SLOW_READ, permissions=on_metrics("ListMetrics"))
def list_metrics(context: Context, request: Request) -> Request:
    """Metrics that got data in the last two weeks, or three hours."""
    if request.get("OwningAccount", owner(context)) != owner(context):
        return {"Metrics": []}  # metrics are not shared across accounts
    query = {"operation": "ListMetrics", **{name: value for name, value in request.items() if name != "NextToken"}}
    cursor = open_token(context, request["NextToken"], query) if "NextToken" in request else ["", "", ""]
    after = (cursor[0], cursor[1], cursor[2])
    age = RECENTLY if "RecentlyActive" in request else LISTED
    filters = request.get("Dimensions", ())
    looked = store.listed(
        context.tx,
        owner(context),
        context.region,
        namespace=request.get("Namespace"),
        name=request.get("MetricName"),
        since=context.now - age,
        after=after,
        most=LOOKED_AT if filters else PAGE + 1,
    )
    found = [metric for metric in looked if _has(metric[2], filters)][: PAGE + 1]
    answer: Request = {
        "Metrics": [
            {"Namespace": namespace, "MetricName": name, "Dimensions": shown_dimensions(dimensions)}
            for namespace, name, dimensions in found[:PAGE]
        ]
    }
    last = found[PAGE - 1] if len(found) > PAGE else looked[-1] if filters and len(looked) == LOOKED_AT else None
    if last is not None:
        answer["NextToken"] = seal_token(context, query, [last[0], last[1], store.dimensions_text(last[2])])
    if request.get("IncludeLinkedAccounts"):
        answer["OwningAccounts"] = [owner(context)] * len(answer["Metrics"])
    return answer


def _has(dimensions: Dimensions, filters: Sequence[Mapping[str, str]]) -> bool:
    """Whether a metric has every dimension that is asked for, with its value where one is given."""
    present = dict(dimensions)
    return all(each["Name"] in present and each.get("Value", present[each["Name"]]) == present[each["Name"]] for each in filters)
