"""Signature Version 2 of S3, which boto3 still presigns with unless told otherwise; and its header form.

docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html
"""

import base64
import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote, unquote_plus

from modelyard.access.refusals import Family, invalid_request, link_expired, mismatch, skewed
from modelyard.access.signatures import UNSIGNED_PAYLOAD, parse_basic_time, parse_http_date, same
from modelyard.access.signatures_v4 import Lookup, Verified
from modelyard.aws.http import HttpRequest
from modelyard.aws.routing import bucket_of_host

_SIGNED_PARAMETERS: Final = """
    accelerate acl analytics attributes cors defaultObjectAcl delete encryption intelligent-tiering inventory legal-hold lifecycle
    location logging metrics notification object-lock ownershipControls partNumber policy policyStatus publicAccessBlock
    replication requestPayment response-cache-control response-content-disposition response-content-encoding
    response-content-language response-content-type response-expires restore retention select select-type session storageClass
    tagging torrent uploadId uploads versionId versioning versions website
"""
SIGNED_PARAMETERS: Final = frozenset(_SIGNED_PARAMETERS.split())
"""Parameters that choose what is done to an object, or change the answer: they are part of what is signed."""


def verify_header(http: HttpRequest, lookup: Lookup, now: float, skew: float) -> Verified:
    """Check `Authorization: AWS KEY:SIGNATURE`. Raises AwsError."""
    access_key_id, found, signature = http.headers["authorization"].removeprefix("AWS ").strip().partition(":")
    if not found:
        raise invalid_request("AWS authorization header is invalid. Expected AwsAccessKeyId:signature", code="InvalidArgument")
    text = http.headers.get("x-amz-date") or http.headers.get("date") or ""
    signed_at = parse_http_date(text)
    if signed_at is None:
        signed_at = parse_basic_time(text)
    if signed_at is None:
        raise invalid_request("AWS authentication requires a valid Date or x-amz-date header", code="AccessDenied", status=403)
    if not -skew <= now - signed_at <= skew:
        raise skewed(Family.S3, signed_at, now, skew)
    date = "" if "x-amz-date" in http.headers else http.headers["date"]
    return _check(http, {}, access_key_id, signature, date, http.headers.get("x-amz-security-token"), lookup)


def verify_query(http: HttpRequest, lookup: Lookup, now: float) -> Verified:
    """Check a presigned request of Version 2. Raises AwsError."""
    given: dict[str, str] = {}
    for pair in http.query.split("&"):
        name, _, value = pair.partition("=")
        name = unquote(name)
        if name in given:
            raise invalid_request(f"The parameter {name} is given twice.", code="AccessDenied", status=403)
        given[name] = unquote(value)
    if not {"AWSAccessKeyId", "Signature", "Expires"} <= given.keys():
        raise invalid_request(
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters",
            code="AccessDenied",
            status=403,
        )
    expires = given["Expires"]
    if not (expires.isascii() and expires.isdigit()) or len(expires) > 11:
        raise invalid_request(f"Invalid date (should be seconds since epoch): {expires}", code="AccessDenied", status=403)
    if now > int(expires):
        raise link_expired(Family.S3, int(expires), int(expires), now)
    hidden = {name.lower(): value for name, value in given.items() if _may_be_header(name.lower())}
    return _check(http, hidden, given["AWSAccessKeyId"], given["Signature"], expires, hidden.get("x-amz-security-token"), lookup)


def _check(
    http: HttpRequest, hidden: Mapping[str, str], access_key_id: str, signature: str, date: str, token: str | None, lookup: Lookup
) -> Verified:
    """Check a signature; `hidden` are headers that a presigned request carries in its query."""
    credentials = lookup(access_key_id, token)
    headers = {**hidden, **http.headers}
    custom = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers) if name.startswith("x-amz-"))
    head = f"{http.method}\n{headers.get('content-md5', '')}\n{headers.get('content-type', '')}\n{date}\n{custom}"
    text = head + _resource(http)
    digest = hmac.digest(credentials.secret.encode(), text.encode(), "sha1")
    if not same(signature, base64.b64encode(digest).decode("ascii")):
        raise mismatch(Family.S3, members={"AWSAccessKeyId": access_key_id, "StringToSign": text, "SignatureProvided": signature})
    return Verified(credentials, region="", payload_hash=UNSIGNED_PAYLOAD, version="AWS")


def _resource(http: HttpRequest) -> str:
    """The path with its bucket, and the parameters that count.

    Bucket and names are what the request is routed by: the host and other parameters are not part of what is signed, so
    whoever holds a URL may change them, and how a name is percent-encoded.
    """
    bucket = bucket_of_host(http.headers)
    path = (f"/{bucket}" if bucket else "") + (http.raw_path or "/")
    parameters = []
    for pair in http.query.split("&"):
        encoded, found, value = pair.partition("=")
        name = unquote_plus(encoded)
        if name in SIGNED_PARAMETERS:
            shown = found and (value or name.startswith("response-"))
            parameters.append((name, f"{name}={unquote_plus(value)}" if shown else name))
    return path + ("?" + "&".join([text for _, text in sorted(parameters)]) if parameters else "")


def _may_be_header(name: str) -> bool:
    return name.startswith("x-amz-") or name in {"content-type", "content-md5"}
