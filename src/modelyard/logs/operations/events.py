"""Log events: put, read stream by stream, search over a group."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.logs import store, store_events
from modelyard.logs.errors import invalid, no_such_stream
from modelyard.logs.filter_pattern import InvalidPattern, Matches, compile_pattern
from modelyard.logs.log_group import LogEvent, LogGroup
from modelyard.logs.operations.groups import milliseconds
from modelyard.logs.operations.streams import sequence_token
from modelyard.logs.pages import open_token, seal_token
from modelyard.logs.permissions import Request, group_of, on_group, on_stream, stream_of
from modelyard.logs.put_batch import sort_out
from modelyard.logs.store_events import Span

operation = operations_of("logs")

MOST_EVENTS = 10_000
LARGEST_PAGE = 1_048_576
"""Bytes of the events of a page; the first one is always in it."""
MOST_LOOKED_AT = 20_000
"""Events that one FilterLogEvents looks at: where few match, its pages may be empty and have a next one, as on AWS."""
BEFORE_ALL = (-1, 0)
FOR_EVER = 2**62
Place = tuple[int, int]
"""The time and the number of an event."""


@operation("PutLogEvents", mode=Mode.WRITE, permissions=on_stream("PutLogEvents"), writes=False)
def put_log_events(context: Context, request: Request) -> Request:
    """Keep a batch of events; those too old or too new are left out, and the answer says which."""
    group = group_of(context, request)
    stream, now = stream_of(context, group, request), milliseconds(context)
    batch = sort_out(request["logEvents"], group, now)
    if batch.taken:
        store_events.add(context.tx, group.id, stream.id, batch.taken, now)
        store.note_events(context.tx, stream.id, batch.taken[0]["timestamp"], batch.taken[-1]["timestamp"], now)
        store.add_stored(context.tx, group.id, batch.size)
    answer: Request = {"nextSequenceToken": sequence_token(now)}
    if batch.rejected:
        answer["rejectedLogEventsInfo"] = batch.rejected
    return answer


@operation("GetLogEvents", mode=Mode.SLOW_READ, permissions=on_stream("GetLogEvents"))
def get_log_events(context: Context, request: Request) -> Request:
    """A page of a stream: its newest events, or from its beginning, or onward or backward from a token."""
    group = group_of(context, request)
    stream = stream_of(context, group, request)
    query = {"operation": "GetLogEvents", "stream": stream.id}
    place: Place | None = None
    backward = not request.get("startFromHead", False)
    if "nextToken" in request:
        direction, _, sealed = request["nextToken"].partition("/")
        if direction not in ("f", "b"):
            raise invalid("The specified nextToken is invalid.")
        time, number = open_token(context, sealed, query)
        place, backward = (time, number), direction == "b"
    span = replace(_span(context, group, request), streams=[stream.id])
    events = _page(context, span, place, backward, request.get("limit", MOST_EVENTS))
    if backward:
        events.reverse()
    first, last = _ends(events, place, backward)
    return {
        "events": [{"timestamp": event.time, "message": event.message, "ingestionTime": event.ingested} for event in events],
        "nextForwardToken": f"f/{seal_token(context, query, list(last))}",
        "nextBackwardToken": f"b/{seal_token(context, query, list(first))}",
    }


def _span(context: Context, group: LogGroup, request: Request) -> Span:
    """The times that a request asks for, without those past the retention; its end is exclusive."""
    start, end = request.get("startTime", 0), request.get("endTime", FOR_EVER)
    return Span(group.id, min(max(start, group.oldest(milliseconds(context)), 0), FOR_EVER), min(end, FOR_EVER))


def _page(context: Context, span: Span, place: Place | None, backward: bool, most: int) -> list[LogEvent]:
    events: list[LogEvent] = []
    size = 0
    for event in store_events.walk(context.tx, span, place, descending=backward):
        size += event.size
        if events and size > LARGEST_PAGE:
            break
        events.append(event)
        if len(events) >= most:
            break
    return events


def _ends(events: Sequence[LogEvent], place: Place | None, backward: bool) -> tuple[Place, Place]:
    """Behind which places one goes on backward and forward. Where nothing was found the direction keeps its token, and the other
    one leads back over the event at the place."""
    if events:
        return (events[0].time, events[0].id), (events[-1].time, events[-1].id)
    if place is None:
        return BEFORE_ALL, BEFORE_ALL
    time, number = place
    return (place, (time, number - 1)) if backward else ((time, number + 1), place)


@operation("FilterLogEvents", mode=Mode.SLOW_READ, permissions=on_group("FilterLogEvents"))
def filter_log_events(context: Context, request: Request) -> Request:
    """Events of a group in order of time, those of some streams, of a span of time, that match a pattern."""
    group = group_of(context, request)
    try:
        matches = compile_pattern(request.get("filterPattern", ""))
    except InvalidPattern as error:
        raise invalid(f"Invalid filter pattern: {error}") from None
    query = {
        "operation": "FilterLogEvents",
        "group": group.id,
        **{name: value for name, value in request.items() if name not in ("nextToken", "limit", "startFromHead", "interleaved")},
    }
    place: Place | None = None
    descending = not request.get("startFromHead", True)
    if "nextToken" in request:
        time, number, descending = open_token(context, request["nextToken"], query)
        place = (time, number)
    streams, prefix = _streams(context, group, request), request.get("logStreamNamePrefix")
    span = replace(_span(context, group, request), streams=streams, prefix=prefix)
    walked = store_events.walk(context.tx, span, place, descending=descending)
    found, last = _search(walked, matches, request.get("limit", MOST_EVENTS))
    answer: Request = {"events": _shown(context, found), "searchedLogStreams": []}
    if last is not None:
        answer["nextToken"] = seal_token(context, query, [last.time, last.id, descending])
    return answer


def _search(events: Iterable[LogEvent], matches: Matches, most: int) -> tuple[list[LogEvent], LogEvent | None]:
    """A page of the events that match, and the last one that was looked at when there are more."""
    found: list[LogEvent] = []
    size = 0
    last: LogEvent | None = None
    for looked, event in enumerate(events):
        if matches(event.message):
            size += event.size
            if len(found) == most or (found and size > LARGEST_PAGE):
                return found, last
            found.append(event)
        elif looked >= MOST_LOOKED_AT:
            return found, last
        last = event
    return found, None


def _streams(context: Context, group: LogGroup, request: Request) -> list[int] | None:
    """The streams that a request names, None for all. Raises ResourceNotFoundException for one that is not there."""
    if "logStreamNames" in request and "logStreamNamePrefix" in request:
        raise invalid("LogStreamNamePrefix and LogStreamNames are mutually exclusive.")
    if "logStreamNames" not in request:
        return None
    streams = [store.stream(context.tx, group.id, name) for name in dict.fromkeys(request["logStreamNames"])]
    if not all(streams):
        raise no_such_stream()
    return [stream.id for stream in streams if stream is not None]


def _shown(context: Context, events: Sequence[LogEvent]) -> list[dict[str, Any]]:
    names = store.stream_names(context.tx, list({event.stream_id for event in events}))
    return [
        {
            "logStreamName": names[event.stream_id],
            "timestamp": event.time,
            "message": event.message,
            "ingestionTime": event.ingested,
            "eventId": f"{event.time:020d}{event.id:036d}",
        }
        for event in events
        if event.stream_id in names  # events of a stream that was deleted wait for the worker
    ]
