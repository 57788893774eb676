"""Signature Version 4, in the Authorization header and in the query of a presigned request."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Final
from urllib.parse import unquote

from modelyard.access.credentials import Credentials
from modelyard.access.refusals import Family, bad_query, basic_time, incomplete, invalid_request, link_expired, mismatch, skewed
from modelyard.access.signatures import (
    ALGORITHM,
    UNSIGNED_PAYLOAD,
    Claim,
    canonical_requests,
    check_scope,
    check_signed_headers,
    make_claim,
    parse_basic_time,
    parse_http_date,
    same,
    sign,
    signing_key,
    string_to_sign,
)
from modelyard.aws.http import HttpRequest

LONGEST_LINK_SECONDS: Final = 7 * 24 * 3600
LONGEST_REMEMBERED: Final = 1024
"""Characters of an Authorization header, before its signature, of which what it says is kept."""
Lookup = Callable[[str, str | None], Credentials]
"""From an access key id and a session token to the credentials; raises AwsError when they are no good."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A signature that was checked."""

    credentials: Credentials
    region: str
    payload_hash: str
    """What the caller signed as the hash of the body, or one of S3's words instead of it."""
    version: str = ALGORITHM
    signature: str = ""
    timestamp: str = ""
    scope: str = ""
    key: bytes = b""
    """The signing key, for the chunks of a chunked body."""


def verify_header(http: HttpRequest, signing_name: str, family: Family, lookup: Lookup, now: float, skew: float) -> Verified:
    """Check a request signed in its Authorization header. Raises AwsError."""
    claim, signature = _parse_header(http.headers["authorization"], family)
    timestamp, signed_at = _date_of(http, family)
    check_scope(claim, timestamp, signing_name, family)
    check_signed_headers(http.headers, claim, family)
    if not -skew <= now - signed_at <= skew:
        raise skewed(family, signed_at, now, skew)
    credentials = lookup(claim.access_key_id, http.headers.get("x-amz-security-token"))
    if family is Family.S3:
        payload_hash = http.headers.get("x-amz-content-sha256")
        if payload_hash is None:
            raise invalid_request("Missing required header for this request: x-amz-content-sha256")
    else:
        payload_hash = _body_hash(http, family)
    return _check(http, claim, credentials, timestamp, signature, payload_hash, http.query, family)


def verify_query(http: HttpRequest, signing_name: str, family: Family, lookup: Lookup, now: float, skew: float) -> Verified:
    """Check a presigned request. Raises AwsError."""
    given = _query_parameters(http.query, family)
    if given["X-Amz-Algorithm"] != ALGORITHM:
        raise bad_query(family, f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    claim = make_claim(given["X-Amz-Credential"], given["X-Amz-SignedHeaders"], family)
    timestamp = given["X-Amz-Date"]
    signed_at = parse_basic_time(timestamp)
    if signed_at is None:
        raise bad_query(family, "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    check_scope(claim, timestamp, signing_name, family)
    check_signed_headers(http.headers, claim, family, spared=("x-amz-content-sha256",))
    _check_lifetime(given["X-Amz-Expires"], signed_at, now, skew, family)
    credentials = lookup(claim.access_key_id, given.get("X-Amz-Security-Token"))
    if family is not Family.S3:
        payload_hash = _body_hash(http, family)
    elif "x-amz-content-sha256" in claim.signed_headers:
        payload_hash = http.headers.get("x-amz-content-sha256", "")
    else:
        payload_hash = given.get("X-Amz-Content-Sha256", UNSIGNED_PAYLOAD)
    rest = "&".join([pair for pair in http.query.split("&") if not pair.startswith("X-Amz-Signature=")])
    return _check(http, claim, credentials, timestamp, given["X-Amz-Signature"], payload_hash, rest, family)


def _check(
    http: HttpRequest,
    claim: Claim,
    credentials: Credentials,
    timestamp: str,
    signature: str,
    payload_hash: str,
    query: str,
    family: Family,
) -> Verified:
    key = signing_key(credentials.secret, claim.date, claim.region, claim.service)
    tried = []
    for request in canonical_requests(http, claim, payload_hash, query, s3=family is Family.S3):
        text = string_to_sign(timestamp, claim, request)
        if same(signature, sign(key, text)):
            return Verified(
                credentials, claim.region, payload_hash, signature=signature, timestamp=timestamp, scope=claim.scope, key=key
            )
        tried.append((request, text))
    request, text = tried[0]
    raise mismatch(
        family,
        members={
            "AWSAccessKeyId": claim.access_key_id,
            "StringToSign": text,
            "SignatureProvided": signature,
            "CanonicalRequest": request.decode(),
        },
    )


def _parse_header(authorization: str, family: Family) -> tuple[Claim, str]:
    """What the header claims, and the signature. The part before the signature is the same for hours, so it is read once."""
    head, found, signature = authorization.rpartition("Signature=")
    if found and "," not in signature:
        return _read_head(head, family), signature.strip()
    parts = [part.strip() for part in authorization.removeprefix(ALGORITHM).split(",")]
    signatures = [part.removeprefix("Signature=") for part in parts if part.startswith("Signature=")]
    if len(signatures) != 1:
        raise incomplete(family, f"Authorization header requires 'Signature' parameter. Authorization={ALGORITHM}")
    others = ", ".join([part for part in parts if not part.startswith("Signature=")])
    return _read_head(f"{ALGORITHM} {others}", family), signatures[0]


def _read_head(head: str, family: Family) -> Claim:
    """Anybody may send long heads, so only those of the usual size are remembered."""
    return _parse_head(head, family) if len(head) <= LONGEST_REMEMBERED else _parse_head.__wrapped__(head, family)


@lru_cache(maxsize=4096)
def _parse_head(head: str, family: Family) -> Claim:
    values: dict[str, str] = {}
    for part in head.removeprefix(ALGORITHM).split(","):
        name, _, value = part.strip().partition("=")
        if name in values:
            raise incomplete(family, f"Authorization header has the parameter '{name}' twice.")
        values[name] = value
    missing = [name for name in ("Credential", "SignedHeaders") if not values.get(name)]
    if missing:
        text = " ".join([f"Authorization header requires '{name}' parameter." for name in missing])
        raise incomplete(family, f"{text} Authorization={ALGORITHM}")
    return make_claim(values["Credential"], values["SignedHeaders"], family)


def _date_of(http: HttpRequest, family: Family) -> tuple[str, float]:
    """The date of a signed request, as text and in epoch seconds."""
    text = http.headers.get("x-amz-date") or http.headers.get("date")
    if text is None:
        raise incomplete(
            family,
            f"Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization={ALGORITHM}",
        )
    signed_at = parse_basic_time(text)
    if signed_at is not None:
        return text, signed_at
    signed_at = None if "x-amz-date" in http.headers else parse_http_date(text)
    if signed_at is None:
        raise incomplete(
            family, f"Date must be in ISO-8601 'basic format'. Got '{text}'. See http://en.wikipedia.org/wiki/ISO_8601"
        )
    return basic_time(signed_at), signed_at


def _body_hash(http: HttpRequest, family: Family) -> str:
    """The hash of a whole body; services other than S3 have no bodies that are not signed."""
    if http.stream is not None:
        claimed = http.headers.get("x-amz-content-sha256")
        if claimed is None or len(claimed) != 64:
            raise mismatch(family, "The request has a streamed body, and no 'X-Amz-Content-Sha256' header with its hash.")
        return claimed
    calculated = sha256(http.body).hexdigest()
    if http.headers.get("x-amz-content-sha256", calculated) != calculated:
        raise mismatch(family)
    return calculated


def _query_parameters(query: str, family: Family) -> dict[str, str]:
    """The parameters `X-Amz-…` of a presigned request, decoded."""
    given: dict[str, str] = {}
    for pair in query.split("&"):
        if pair.startswith("X-Amz-"):
            name, _, value = pair.partition("=")
            if name in given:
                raise bad_query(family, f"The parameter {name} is given twice.")
            given[name] = unquote(value)
    wanted = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires")
    if any(name not in given for name in wanted):
        raise bad_query(
            family,
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, "
            "X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
        )
    return given


def _check_lifetime(text: str, signed_at: float, now: float, skew: float, family: Family) -> None:
    if not (text.isascii() and text.removeprefix("-").isdigit()) or len(text) > 12:
        raise bad_query(family, "X-Amz-Expires should be a number")
    seconds = int(text)
    if seconds < 0:
        raise bad_query(family, "X-Amz-Expires must be non-negative")
    if seconds > LONGEST_LINK_SECONDS:
        raise bad_query(
            family,
            "X-Amz-Expires must be less than a week (in seconds); "
            f"that is, the given X-Amz-Expires must be less than {LONGEST_LINK_SECONDS} seconds",
        )
    if signed_at > now + skew:
        if family is Family.S3:
            raise invalid_request("Request is not yet valid", code="AccessDenied", status=403)
        raise skewed(family, signed_at, now, skew)
    if now > signed_at + seconds:
        raise link_expired(family, signed_at, signed_at + seconds, now)
