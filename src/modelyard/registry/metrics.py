"""Figures of a version, read from the metric files that its registration names, so that Search can compare them."""

import math
from collections.abc import Iterator
from typing import Any

import orjson

from modelyard.aws.errors import AwsError
from modelyard.dispatch.context import Context

MOST_BYTES = 1024 * 1024
MOST_FIGURES = 100
DEEPEST = 16
"""Levels of nesting that are looked into: SageMaker's own reports have five."""
LONGEST_NAME = 200
"""Characters: what is longer could not be named in a search."""


def names_files(request: dict[str, Any]) -> bool:
    """Whether a registration names metric files at all."""
    return any(True for _ in _statistics(request))


def read_files(context: Context, request: dict[str, Any]) -> dict[str, float]:
    """The figures of the registration's statistics files by name, read as the caller.

    A file that is missing, closed to the caller, too large or no JSON has no figures: AWS registers such a version
    too, and it is not this operation's place to refuse it.
    """
    figures: dict[str, float] = {}
    for uri in _statistics(request):
        for path, value in _figures(_read(context, uri), (), DEEPEST):
            name = path[-1] if path[-1] not in figures else ".".join(path)
            if len(name) <= LONGEST_NAME:
                figures[name] = value
            if len(figures) == MOST_FIGURES:
                return figures
    return figures


def _statistics(request: dict[str, Any]) -> Iterator[str]:
    """The addresses of the files that hold figures: constraints and reports are no measurements of this version."""
    for part in request.get("ModelMetrics", {}).values():
        uri = part.get("Statistics", {}).get("S3Uri", "")
        if uri.startswith("s3://"):
            yield uri


def _read(context: Context, uri: str) -> object:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not bucket or not key:
        return None
    try:
        answer = context.call("s3", "GetObject", {"Bucket": bucket, "Key": key})
        if answer.get("ContentLength", 0) > MOST_BYTES:
            return None
        body = answer["Body"]
        content: object = orjson.loads(body if isinstance(body, bytes) else b"".join(body))
    except (AwsError, orjson.JSONDecodeError):
        return None
    return content


def _figures(value: object, path: tuple[str, ...], levels: int) -> Iterator[tuple[tuple[str, ...], float]]:
    """Every number that is at most so many levels down, with the path to it.

    SageMaker's reports write `{"accuracy": {"value": 0.9}}`, which is called accuracy.
    """
    if isinstance(value, dict) and levels:
        for name, member in value.items():
            inner = path if name == "value" and path else (*path, name)
            yield from _figures(member, inner, levels - 1)
    elif path and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        yield path, float(value)
