"""The request that an event becomes on its way to an API destination."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import orjson

from modelyard.triggers import json_path
from modelyard.triggers.connection import SIGNATURE_HEADER

AGENT = "Amazon/EventBridge/ApiDestinations"


@dataclass(frozen=True, slots=True)
class HttpCall:
    """A request that is to be signed and sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


def call_of(
    destination: Mapping[str, Any], kind: str, parameters: Mapping[str, Any], target: Mapping[str, Any], body: str, event: str
) -> HttpCall:
    """The request to `destination` under a connection's authorisation `kind` with its `parameters`, as `target` adds to it."""
    http = target.get("HttpParameters", {})
    always = parameters.get("InvocationHttpParameters", {})
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": AGENT}
    for name, value in http.get("HeaderParameters", {}).items():
        _set(headers, name, _filled(value, event))
    for parameter in always.get("HeaderParameters", ()):
        _set(headers, parameter.get("Key", ""), parameter.get("Value", ""))
    _authorise(headers, kind, parameters)
    query = [(name, _filled(value, event)) for name, value in http.get("QueryStringParameters", {}).items()]
    query += [(each.get("Key", ""), each.get("Value", "")) for each in always.get("QueryStringParameters", ())]
    path = [_filled(value, event) for value in http.get("PathParameterValues", ())]
    method = destination["HttpMethod"]
    content = b"" if method in ("GET", "HEAD") else _with_members(body, always.get("BodyParameters", ())).encode()
    return HttpCall(method, _url(destination["InvocationEndpoint"], path, query), headers, content)


def _set(headers: dict[str, str], name: str, value: str) -> None:
    """A header in place of one whose name differs at most in case."""
    if not name:
        return
    for other in [each for each in headers if each.lower() == name.lower()]:
        del headers[other]
    headers[name] = value


def _authorise(headers: dict[str, str], kind: str, parameters: Mapping[str, Any]) -> None:
    if kind == "BASIC":
        basic = parameters["BasicAuthParameters"]
        token = base64.b64encode(f"{basic['Username']}:{basic['Password']}".encode()).decode()
        _set(headers, "Authorization", f"Basic {token}")
        return
    key = parameters["ApiKeyAuthParameters"]
    if key["ApiKeyName"].lower() != SIGNATURE_HEADER.lower():
        _set(headers, key["ApiKeyName"], key["ApiKeyValue"])


def _filled(value: str, event: str) -> str:
    """A parameter of a target: a constant, or what a path leads to in the event."""
    if not value.startswith("$"):
        return value
    try:
        found = json_path.find(orjson.loads(event), value)
    except json_path.PathError:
        return value
    if found is json_path.MISSING:
        return ""
    return found if isinstance(found, str) else orjson.dumps(found).decode()


def _url(endpoint: str, path: list[str], query: list[tuple[str, str]]) -> str:
    """The endpoint with a value in place of each `*` of its path, and more in its query."""
    parts = urlsplit(endpoint)
    pieces = parts.path.split("*")
    values = [quote(value, safe="") for value in path][: len(pieces) - 1]
    values += [""] * (len(pieces) - 1 - len(values))
    filled = "".join(piece + value for piece, value in zip(pieces, [*values, ""], strict=True))
    asked = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *query])
    return urlunsplit((parts.scheme, parts.netloc, filled, asked, ""))


def _with_members(body: str, members: Any) -> str:
    """A JSON object with more members; a body of another kind stays as it is."""
    if not members:
        return body
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body
    if not isinstance(document, dict):
        return body
    more = {each.get("Key", ""): each.get("Value", "") for each in members}
    return orjson.dumps({**document, **more}).decode()
