"""Reads of lineage see what was published before them: they catch up with the outbox, then take their snapshot."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from modelyard.dispatch.context import Context
from modelyard.lineage.following import catch_up

Request = dict[str, Any]
Perform = Callable[[Context, Request], Request]


def caught_up(perform: Perform) -> Perform:
    """Perform a STREAM operation in a snapshot that has all that was published before the call."""

    @wraps(perform)
    def performed(context: Context, request: Request) -> Request:
        catch_up(context.storage)
        with context.read() as tx:
            return perform(context.within(tx), request)

    return performed
