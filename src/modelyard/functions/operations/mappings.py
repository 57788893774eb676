"""Event source mappings: the queues that functions read."""

from collections.abc import Iterable

from modelyard.access.permission import Permission, Resource
from modelyard.aws.errors import AwsError
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Permissions, operations_of
from modelyard.functions import store, store_mappings
from modelyard.functions.acting import context_of
from modelyard.functions.failures import conflict, invalid, not_found, not_here
from modelyard.functions.function import Version, check_destination
from modelyard.functions.permissions import Request, existing, function_at, on_all
from modelyard.functions.polling import queue_url
from modelyard.functions.store_mappings import SourceMapping

operation = operations_of("lambda")

LARGEST_BATCH = 10
MOST_LISTED = 100
_UNAVAILABLE = (
    "FilterCriteria",
    "KMSKeyArn",
    "ScalingConfig",
    "DestinationConfig",
    "ProvisionedPollerConfig",
    "SelfManagedEventSource",
    "AmazonManagedKafkaEventSourceConfig",
    "SelfManagedKafkaEventSourceConfig",
    "DocumentDBEventSourceConfig",
    "MetricsConfig",
)
_OF_STREAMS = (
    "StartingPosition",
    "ParallelizationFactor",
    "MaximumRecordAgeInSeconds",
    "BisectBatchOnFunctionError",
    "MaximumRetryAttempts",
    "TumblingWindowInSeconds",
    "Topics",
    "Queues",
)


def _creating(context: Context, request: Request) -> Iterable[Permission]:
    arn = function_at(context, request).arn
    yield Permission("lambda:CreateEventSourceMapping", Resource("*", context.account), {"lambda:FunctionArn": arn})


def _on_mapping(action: str) -> Permissions:
    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        found = store_mappings.by_uuid(context.tx, context.account, context.region, request["UUID"])
        arn = f"arn:aws:lambda:{context.region}:{context.account}:event-source-mapping:{request['UUID']}"
        conditions = {} if found is None else {"lambda:FunctionArn": found.document["FunctionArn"]}
        yield Permission(f"lambda:{action}", Resource(arn, context.account), conditions)

    return permissions


def _mapping(context: Context, request: Request) -> SourceMapping:
    found = store_mappings.by_uuid(context.tx, context.account, context.region, request["UUID"])
    if found is None:
        raise not_found("The resource you requested does not exist.")
    return found


def _check(request: Request) -> None:
    for member in _UNAVAILABLE:
        if request.get(member):
            raise not_here(f"{member} of an event source mapping")
    for member in _OF_STREAMS:
        if member in request:
            raise invalid(f"Unsupported parameter {member} for given event source mapping type.")
    if request.get("BatchSize", 1) > LARGEST_BATCH:
        raise not_here(f"A batch of more than {LARGEST_BATCH} messages")
    if request.get("MaximumBatchingWindowInSeconds", 0):
        raise not_here("A batching window")


def _check_queue(context: Context, version: Version, arn: str) -> None:
    """Whether the function's role can read the queue, and has time to. Raises InvalidParameterValueException."""
    reader = context_of(context.dispatcher, version, context.tx)
    request = {"QueueUrl": queue_url(arn), "AttributeNames": ["VisibilityTimeout"]}
    try:
        answer = reader.call("sqs", "GetQueueAttributes", request)
    except AwsError as error:
        if "DoesNotExist" in error.code:
            raise invalid(
                "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error"
                " Message: The specified queue does not exist."
            ) from None
        raise invalid(
            f"The provided execution role does not have permissions to call ReceiveMessage on SQS ({error.message})"
        ) from None
    seconds, timeout = int(answer["Attributes"]["VisibilityTimeout"]), version.document["Timeout"]
    if seconds < timeout:
        raise invalid(f"Queue visibility timeout: {seconds} seconds is less than Function timeout: {timeout} seconds")


@operation("CreateEventSourceMapping", mode=Mode.WRITE, permissions=_creating)
def create_event_source_mapping(context: Context, request: Request) -> Request:
    """Invoke a function with the messages of a queue."""
    _check(request)
    if "EventSourceArn" not in request:
        raise invalid("EventSourceArn is required.")
    source = request["EventSourceArn"]
    check_destination(source, "event source")
    at = function_at(context, request)
    version = existing(context.tx, at)
    if source.split(":")[3] != context.region:
        raise invalid(f"The event source is not in {context.region}.")
    _check_queue(context, version, source)
    uuid = context.ids.request_id()
    document = {
        "UUID": uuid,
        "BatchSize": request.get("BatchSize", LARGEST_BATCH),
        "MaximumBatchingWindowInSeconds": 0,
        "EventSourceArn": source,
        "FunctionArn": at.qualified_arn,
        "LastModified": context.now,
        "LastProcessingResult": "No records processed",
        "State": "Enabled" if request.get("Enabled", True) else "Disabled",
        "StateTransitionReason": "USER_INITIATED",
        "FunctionResponseTypes": request.get("FunctionResponseTypes", []),
        "EventSourceMappingArn": f"arn:aws:lambda:{context.region}:{context.account}:event-source-mapping:{uuid}",
    }
    if not store_mappings.add(context.tx, version, at.qualifier, uuid, document, enabled=request.get("Enabled", True)):
        raise conflict(
            f'The event source arn (" {source} ") and function (" {at.name} ") provided mapping already exists. Please update or'
            " delete the existing mapping"
        )
    return document | {"State": "Creating"}


@operation("GetEventSourceMapping", mode=Mode.READ, permissions=_on_mapping("GetEventSourceMapping"))
def get_event_source_mapping(context: Context, request: Request) -> Request:
    """One mapping."""
    return _mapping(context, request).document


@operation("ListEventSourceMappings", mode=Mode.SLOW_READ, permissions=on_all("ListEventSourceMappings"))
def list_event_source_mappings(context: Context, request: Request) -> Request:
    """The mappings of the account, of a function, of a queue."""
    most = min(request.get("MaxItems", MOST_LISTED), MOST_LISTED)
    source = request.get("EventSourceArn")
    function = store.function_id(context.tx, function_at(context, request)) if "FunctionName" in request else None
    if "FunctionName" in request and function is None:
        return {"EventSourceMappings": []}
    query = {"operation": "ListEventSourceMappings", "function": function, "source": source}
    after = context.tokens.open(request["Marker"], query)[0] if request.get("Marker") else 0
    found = store_mappings.listed(
        context.tx, context.account, context.region, function=function, source=source, after=after, most=most + 1
    )
    answer: Request = {"EventSourceMappings": [mapping.document for mapping in found[:most]]}
    if len(found) > most:
        answer["NextMarker"] = context.tokens.seal(query, [found[most - 1].id])
    return answer


@operation("UpdateEventSourceMapping", mode=Mode.WRITE, permissions=_on_mapping("UpdateEventSourceMapping"))
def update_event_source_mapping(context: Context, request: Request) -> Request:
    """Begin or cease to read a queue, or read it otherwise."""
    _check(request)
    if "FunctionName" in request:
        raise not_here("Another function for an event source mapping")
    mapping = _mapping(context, request)
    enabled = request.get("Enabled", mapping.enabled)
    changed = {name: request[name] for name in ("BatchSize", "FunctionResponseTypes") if name in request}
    state = "Enabled" if enabled else "Disabled"
    document = mapping.document | changed | {"State": state, "LastModified": context.now}
    store_mappings.change(context.tx, mapping, document, enabled=enabled)
    return document | {"State": "Updating"}


@operation("DeleteEventSourceMapping", mode=Mode.WRITE, permissions=_on_mapping("DeleteEventSourceMapping"))
def delete_event_source_mapping(context: Context, request: Request) -> Request:
    """Read a queue no more."""
    mapping = _mapping(context, request)
    store_mappings.remove(context.tx, mapping)
    return mapping.document | {"State": "Deleting"}
