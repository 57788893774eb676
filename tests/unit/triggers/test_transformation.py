"""What targets are sent of an event, and the paths that lead into it."""

import json
from typing import Any

import pytest

from modelyard.triggers import json_path
from modelyard.triggers.transformation import TransformationError, payload

EVENT = {
    "version": "0",
    "id": "7bf73129",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "resources": ["arn:one", "arn:two"],
    "detail": {"instance-id": "i-0123", "state": "RUNNING", "n": 3, "ok": True, "no": None, "tags": {"a": "b"}, "say": 'a "b"'},
}
TEXT = json.dumps(EVENT)
KNOWN = {"aws.events.rule-arn": "arn:rule", "aws.events.rule-name": "rule"}
PATHS = {
    "instance": "$.detail.instance-id",
    "state": "$.detail.state",
    "n": "$.detail.n",
    "ok": "$.detail.ok",
    "no": "$.detail.no",
    "tags": "$.detail.tags",
    "list": "$.resources",
    "say": "$.detail.say",
    "nowhere": "$.detail.nowhere",
    "type": "$['detail-type']",
}


def transformed(template: str) -> str:
    return payload({"InputTransformer": {"InputPathsMap": PATHS, "InputTemplate": template}}, TEXT, KNOWN)


@pytest.mark.documented
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", EVENT),
        ("$.source", "aws.ec2"),
        ("$.detail-type", "EC2 Instance State-change Notification"),
        ("$['detail-type']", "EC2 Instance State-change Notification"),
        ('$["detail"]["tags"].a', "b"),
        ("$.resources[1]", "arn:two"),
        ("$.resources[2]", json_path.MISSING),
        ("$.resources[*]", ["arn:one", "arn:two"]),
        ("$.resources.name", json_path.MISSING),
        ("$.detail.tags.*", ["b"]),
        ("$.source[0]", json_path.MISSING),
    ],
)
def test_paths(path: str, expected: Any) -> None:
    """A path leads to what it says, or nowhere."""
    assert json_path.find(EVENT, path) == expected


@pytest.mark.ours
@pytest.mark.parametrize("path", ["", "detail", "$detail", "$.", "$.a[", "$.a[x]", "$..a", "$.a[-1]", "$.a[?(@.b)]"])
def test_what_is_no_path(path: str) -> None:
    """Anything else is refused."""
    with pytest.raises(json_path.PathError):
        json_path.steps(path)


@pytest.mark.documented
def test_inputs() -> None:
    """Without an input the event itself is sent; else the constant, or the part."""
    assert payload({}, TEXT, KNOWN) == TEXT
    assert payload({"Input": "{}"}, TEXT, KNOWN) == "{}"
    assert json.loads(payload({"InputPath": "$.detail.tags"}, TEXT, KNOWN)) == {"a": "b"}
    assert payload({"InputPath": "$.nowhere"}, TEXT, KNOWN) == "null"


@pytest.mark.documented
@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('"instance <instance> is in <state>"', '"instance i-0123 is in RUNNING"'),
        ('"a <n>"\n"b <tags> <list>"', '"a 3"\n"b {a:b} [arn:one,arn:two]"'),
        ('"<nowhere>!"', '"!"'),
    ],
)
def test_text_templates(template: str, expected: str) -> None:
    """A template in quotes becomes that text, quotes and all, as EventBridge sends it."""
    assert transformed(template) == expected


@pytest.mark.documented
@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('{"i": <instance>, "s": "<state>"}', {"i": "i-0123", "s": "RUNNING"}),
        ('{"n": <n>, "ok": <ok>, "no": <no>}', {"n": 3, "ok": True, "no": None}),
        ('{"tags": <tags>, "list": <list>}', {"tags": {"a": "b"}, "list": ["arn:one", "arn:two"]}),
        ('{"m": "it is \\"<state>\\" <n> times"}', {"m": 'it is "RUNNING" 3 times'}),
        ('{"say": "<say>", "again": <say>}', {"say": 'a "b"', "again": 'a "b"'}),
        ('{"x": <nowhere>, "y": "<nowhere>", "z": <unknown>}', {"x": "", "y": "", "z": ""}),
        ('{"rule": <aws.events.rule-arn>, "name": "<aws.events.rule-name>"}', {"rule": "arn:rule", "name": "rule"}),
        ('{"type": <type>, "event": <aws.events.event.json>}', {"type": EVENT["detail-type"], "event": EVENT}),
        ("[<n>, <n>]", [3, 3]),
        ("<tags>", {"a": "b"}),
        ('{"t": "<tags>"}', {"t": '{"a":"b"}'}),
    ],
)
def test_json_templates(template: str, expected: Any) -> None:
    """A placeholder becomes the JSON of its value, or inside quotes the text of it, escaped."""
    assert json.loads(transformed(template)) == expected


@pytest.mark.ours
def test_a_template_that_makes_no_json() -> None:
    """It is not sent half right."""
    with pytest.raises(TransformationError):
        transformed('{"a": <n> <n>}')
