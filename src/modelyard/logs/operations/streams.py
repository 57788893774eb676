"""Log streams: create, list, delete."""

from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.logs import store
from modelyard.logs.errors import exists, invalid
from modelyard.logs.log_group import LogGroup, LogStream
from modelyard.logs.operations.groups import PAGE, milliseconds
from modelyard.logs.pages import open_token, seal_token
from modelyard.logs.permissions import Request, group_of, on_group, on_stream, stream_of

operation = operations_of("logs")


def sequence_token(number: int) -> str:
    """A sequence token: older clients hand it back, and nobody looks at it any more."""
    return f"{number:056d}"


@operation("CreateLogStream", mode=Mode.WRITE, permissions=on_group("CreateLogStream"))
def create_log_stream(context: Context, request: Request) -> None:
    """Make a stream in a group."""
    group = group_of(context, request)
    if store.stream(context.tx, group.id, request["logStreamName"]) is not None:
        raise exists("log stream")
    store.add_stream(context.tx, group.id, request["logStreamName"], milliseconds(context))


@operation("DeleteLogStream", mode=Mode.WRITE, permissions=on_stream("DeleteLogStream"))
def delete_log_stream(context: Context, request: Request) -> None:
    """Remove a stream with its events."""
    store.delete_stream(context.tx, stream_of(context, group_of(context, request), request).id)


@operation("DescribeLogStreams", mode=Mode.SLOW_READ, permissions=on_group("DescribeLogStreams"))
def describe_log_streams(context: Context, request: Request) -> Request:
    """The streams of a group in order of names, or of their last events."""
    group = group_of(context, request)
    prefix, descending = request.get("logStreamNamePrefix", ""), request.get("descending", False)
    by_time = request.get("orderBy") == "LastEventTime"
    if by_time and prefix:
        raise invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
    query = {"operation": "DescribeLogStreams", "group": group.id, "prefix": prefix, "by_time": by_time, "descending": descending}
    cursor = open_token(context, request["nextToken"], query) if "nextToken" in request else None
    most = request.get("limit", PAGE)
    if by_time:
        place = None if cursor is None else (cursor[0], cursor[1])
        found = store.streams_by_last_event(context.tx, group.id, after=place, descending=descending, most=most + 1)
    else:
        name = None if cursor is None else cursor[1]
        found = store.streams_by_name(context.tx, group.id, prefix=prefix, after=name, descending=descending, most=most + 1)
    answer: Request = {"logStreams": [_shown(group, stream) for stream in found[:most]]}
    if len(found) > most:
        last = found[most - 1]
        answer["nextToken"] = seal_token(context, query, [last.last_event, last.name])
    return answer


def _shown(group: LogGroup, stream: LogStream) -> Request:
    shown: Request = {
        "logStreamName": stream.name,
        "creationTime": stream.created,
        "arn": group.at.stream_arn(stream.name),
        "storedBytes": 0,  # AWS answers 0 since 2019
        "uploadSequenceToken": sequence_token(stream.last_ingestion),
    }
    if stream.last_ingestion:
        shown["firstEventTimestamp"] = stream.first_event
        shown["lastEventTimestamp"] = stream.last_event
        shown["lastIngestionTime"] = stream.last_ingestion
    return shown
