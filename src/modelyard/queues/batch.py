"""Requests of up to ten entries, each of which succeeds or fails by itself."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from modelyard.aws.errors import AwsError
from modelyard.queues.errors import query_code, sqs_error

MOST_ENTRIES = 10
_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
Entry = Mapping[str, Any]


def checked(entries: Sequence[Entry]) -> Sequence[Entry]:
    """The entries. Raises SQS's error when there are none or too many, or when their ids are not distinct or not well formed."""
    if not entries:
        raise sqs_error("EmptyBatchRequest", "There should be at least one entry in the request.")
    if len(entries) > MOST_ENTRIES:
        raise sqs_error(
            "TooManyEntriesInBatchRequest",
            f"Maximum number of entries per request are {MOST_ENTRIES}. You have sent {len(entries)}.",
        )
    seen = set()
    for entry in entries:
        if not _ID.fullmatch(entry["Id"]):
            raise sqs_error(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores."
                " It can be at most 80 letters long.",
            )
        if entry["Id"] in seen:
            raise sqs_error("BatchEntryIdsNotDistinct", f"Id {entry['Id']} repeated.")
        seen.add(entry["Id"])
    return entries


def each(entries: Sequence[Entry], perform: Callable[[dict[str, Any]], Mapping[str, Any] | None]) -> dict[str, Any]:
    """Perform every entry; which succeeded, with their results, and which failed. `perform` writes nothing before it fails."""
    succeeded: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for entry in entries:
        try:
            result = perform(dict(entry))
        except AwsError as error:
            failed.append({"Id": entry["Id"], "SenderFault": True, "Code": query_code(error), "Message": error.message})
        else:
            succeeded.append({"Id": entry["Id"], **(result or {})})
    answer: dict[str, Any] = {"Successful": succeeded}
    if failed:
        answer["Failed"] = failed
    return answer
