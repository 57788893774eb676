"""Connections of API destinations: what may be told of one, and what has to be kept sealed."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

SIGNATURE_HEADER = "X-Modelyard-Signature"
"""A connection whose API key is named so does not send the key, it signs with it alone."""
OAUTH = "OAUTH_CLIENT_CREDENTIALS"
_NAMES = {"BasicAuthParameters": "Username", "ApiKeyAuthParameters": "ApiKeyName"}
_SECRET_OF = {"BASIC": ("BasicAuthParameters", "Password"), "API_KEY": ("ApiKeyAuthParameters", "ApiKeyValue")}
_LISTS = ("HeaderParameters", "QueryStringParameters", "BodyParameters")


class RefusedParameters(ValueError):
    """What cannot be a connection or an API destination; the text says why."""


def check_connection(kind: str, parameters: Mapping[str, Any]) -> None:
    """Whether a connection may be made so. Raises RefusedParameters."""
    if kind == OAUTH:
        raise RefusedParameters("Modelyard's connections authorise by API_KEY or BASIC, not by OAUTH_CLIENT_CREDENTIALS.")
    member, secret = _SECRET_OF[kind]
    if not {_NAMES[member], secret} <= set(parameters.get(member, {})):
        raise RefusedParameters(f"AuthParameters.{member} is required for the authorization type {kind}.")
    others = {each for each, _ in _SECRET_OF.values()} - {member}
    if others & set(parameters) or "OAuthParameters" in parameters:
        raise RefusedParameters(f"AuthParameters may only have {member} for the authorization type {kind}.")
    if "ConnectivityParameters" in parameters:
        raise RefusedParameters("Connections to private resources are not available in Modelyard.")


def public(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters without secrets, as DescribeConnection answers them."""
    shown: dict[str, Any] = {}
    for member, secret in _SECRET_OF.values():
        if member in parameters:
            shown[member] = {name: value for name, value in parameters[member].items() if name != secret}
    if "InvocationHttpParameters" in parameters:
        given = parameters["InvocationHttpParameters"]
        shown["InvocationHttpParameters"] = {name: [_public(each) for each in given[name]] for name in _LISTS if name in given}
    return shown


def _public(parameter: Mapping[str, Any]) -> dict[str, Any]:
    hidden = parameter.get("IsValueSecret", False)
    return {name: value for name, value in parameter.items() if name != "Value" or not hidden}


def merged(kind: str, before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters after an update: what is not given stays, as long as it belongs to the authorization type."""
    member, _ = _SECRET_OF.get(kind, ("", ""))
    kept = {name: value for name, value in before.items() if name in (member, "InvocationHttpParameters")}
    result = {**kept, **given}
    if member in kept and member in given:
        result[member] = {**kept[member], **given[member]}
    return result


def secret_of(kind: str, parameters: Mapping[str, Any]) -> str:
    """What requests are signed with."""
    member, name = _SECRET_OF[kind]
    return str(parameters[member][name])


def check_endpoint(url: str) -> None:
    """Whether an API destination may be there. Raises RefusedParameters."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise RefusedParameters(f"{url} is not a URL.") from None
    if parts.scheme not in ("https", "http") or not parts.hostname or port == 0:
        raise RefusedParameters(f"{url} is not the URL of an HTTPS or HTTP endpoint.")
    if parts.username is not None or parts.fragment or "*" in parts.netloc:
        raise RefusedParameters(f"{url} may have neither user name nor fragment, nor * in its host.")
