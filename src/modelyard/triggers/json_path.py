"""The JSON paths that EventBridge takes: `$`, `$.detail.name`, `$.resources[0]`, `$['detail-type']`, `$.list[*].name`.

As in AWS, a hyphen needs no brackets: `$.detail-type`.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

_STEP = re.compile(
    r"""\.(?P<name>[^.\[\]'"*\s]+)"""
    r"""|\[(?P<index>\d{1,9})\]"""
    r"""|\[(?P<quote>['"])(?P<quoted>[^'"]*)(?P=quote)\]"""
    r"""|\[\*\]|\.\*"""
)

Step = str | int | None
"""A member, an element, or None for all of them."""

MISSING = object()
"""What a path that leads nowhere finds."""


class PathError(ValueError):
    """What is not a path of this kind."""


@lru_cache(maxsize=4096)
def steps(path: str) -> Sequence[Step]:
    """The steps of a path. Raises PathError."""
    if not path.startswith("$"):
        raise PathError(path)
    found: list[Step] = []
    place = 1
    while place < len(path):
        match = _STEP.match(path, place)
        if match is None:
            raise PathError(path)
        if match["name"] is not None:
            found.append(match["name"])
        elif match["index"] is not None:
            found.append(int(match["index"]))
        else:
            found.append(match["quoted"])
        place = match.end()
    return tuple(found)


def find(document: Any, path: str) -> Any:
    """What a path leads to: one value, a list of all where it says `*`, or MISSING."""
    return _find(document, steps(path))


def _find(value: Any, remaining: Sequence[Step]) -> Any:
    for place, step in enumerate(remaining):
        if step is None:
            inside = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
            found = [_find(each, remaining[place + 1 :]) for each in inside]
            return [each for each in found if each is not MISSING]
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                return MISSING
            value = value[step]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            return MISSING
    return value
