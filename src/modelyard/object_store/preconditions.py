"""Conditional headers: whether a read, a write or the source of a copy is still what the caller believes."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from modelyard.object_store import etag as etags


class Verdict(StrEnum):
    """What the conditions of a request come to."""

    HOLD = "hold"
    NOT_MODIFIED = "not modified"
    FAILED = "failed"
    MISSING = "missing"
    """A write was meant for an object that is not there."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict, and the header that decided it."""

    verdict: Verdict
    header: str = ""


HOLDS = Outcome(Verdict.HOLD)


def of_read(request: Mapping[str, Any], etag: str, modified: float, prefix: str = "") -> Outcome:
    """The conditions of a read of an object with this tag, last modified then (epoch seconds; headers carry whole ones).

    As RFC 9110 has it: If-Match outdoes If-Unmodified-Since, and If-None-Match outdoes If-Modified-Since. `prefix` is
    `CopySource` for the source of a copy.
    """
    seconds = int(modified)
    if_match, if_none_match = request.get(f"{prefix}IfMatch"), request.get(f"{prefix}IfNoneMatch")
    unmodified_since, modified_since = request.get(f"{prefix}IfUnmodifiedSince"), request.get(f"{prefix}IfModifiedSince")
    if if_match is not None:
        if not etags.matches(if_match, etag):
            return Outcome(Verdict.FAILED, "If-Match")
    elif unmodified_since is not None and seconds > unmodified_since:
        return Outcome(Verdict.FAILED, "If-Unmodified-Since")
    if if_none_match is not None:
        if etags.matches(if_none_match, etag):
            return Outcome(Verdict.NOT_MODIFIED, "If-None-Match")
    elif modified_since is not None and seconds <= modified_since:
        return Outcome(Verdict.NOT_MODIFIED, "If-Modified-Since")
    return HOLDS


def of_copy_source(request: Mapping[str, Any], etag: str, modified: float) -> Outcome:
    """The conditions on the source of a copy: where a read would say "not modified", a copy fails."""
    outcome = of_read(request, etag, modified, "CopySource")
    if outcome.verdict is Verdict.NOT_MODIFIED:
        return Outcome(Verdict.FAILED, f"x-amz-copy-source-{outcome.header}")
    return outcome


def of_write(request: Mapping[str, Any], current: str | None) -> Outcome:
    """The conditions of a write over an object whose tag is `current`; None when there is none."""
    if_match, if_none_match = request.get("IfMatch"), request.get("IfNoneMatch")
    if if_none_match is not None and current is not None and etags.matches(if_none_match, current):
        return Outcome(Verdict.FAILED, "If-None-Match")
    if if_match is not None:
        if current is None:
            return Outcome(Verdict.MISSING, "If-Match")
        if not etags.matches(if_match, current):
            return Outcome(Verdict.FAILED, "If-Match")
    return HOLDS
