"""What a target is sent of an event: all of it, a part, a constant, or a template filled in.

Source: "Amazon EventBridge input transformation" of the user guide. A template that starts with a quote makes text, any other
makes JSON. In JSON a placeholder outside quotes becomes the JSON of its value, inside quotes the text of it. A path that leads
nowhere is an empty text.
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from modelyard.triggers import json_path

_PLACEHOLDER = re.compile(r"<([A-Za-z0-9_.\-]+)>")


class TransformationError(ValueError):
    """A template filled in is not the JSON that it was meant to be."""


def payload(target: Mapping[str, Any], event_text: str, known: Mapping[str, str]) -> str:
    """What `target` (as PutTargets takes it) is sent for an event; `known` are the names that AWS defines itself.

    Raises TransformationError.
    """
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        found = json_path.find(orjson.loads(event_text), target["InputPath"])
        return _json(None if found is json_path.MISSING else found)
    if "InputTransformer" in target:
        return _transformed(target["InputTransformer"], event_text, known)
    return event_text


def _transformed(transformer: Mapping[str, Any], event_text: str, known: Mapping[str, str]) -> str:
    event = orjson.loads(event_text)
    values: dict[str, Any] = {**known}
    for name, path in transformer.get("InputPathsMap", {}).items():
        found = json_path.find(event, path)
        values[name] = "" if found is json_path.MISSING else found
    template = transformer["InputTemplate"]
    if template.lstrip().startswith('"'):
        return _text_template(template, values, event)
    return _json_template(template, values, event)


def _value(name: str, values: Mapping[str, Any], event: Mapping[str, Any]) -> Any:
    if name in ("aws.events.event", "aws.events.event.json"):
        return event if name.endswith("json") else {key: value for key, value in event.items() if key != "detail"}
    return values.get(name, "")


def _text_template(template: str, values: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """Text keeps the quotes that it was written in; objects in it lose theirs, as in AWS."""

    def fill(match: re.Match[str]) -> str:
        value = _value(match[1], values, event)
        return value if isinstance(value, str) else _json(value).replace('"', "")

    return _PLACEHOLDER.sub(fill, template)


def _json_template(template: str, values: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    pieces, place, quoted = [], 0, False
    for match in _PLACEHOLDER.finditer(template):
        between = template[place : match.start()]
        quoted = _ends_in_quotes(between, quoted)
        value = _value(match[1], values, event)
        if quoted:
            inside = value if isinstance(value, str) else _json(value)
            pieces += [between, _json(inside)[1:-1]]
        else:
            pieces += [between, _json(value)]
        place = match.end()
    text = "".join([*pieces, template[place:]])
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise TransformationError(f"The input template makes no JSON: {error}.") from None
    return text


def _ends_in_quotes(text: str, quoted: bool) -> bool:
    """Whether the end of a piece of JSON is inside a string, given whether its beginning is."""
    escaped = False
    for character in text:
        if escaped:
            escaped = False
        elif character == "\\" and quoted:
            escaped = True
        elif character == '"':
            quoted = not quoted
    return quoted


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
