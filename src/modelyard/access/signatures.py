"""What a signature says of itself, and the canonical form of the request that it was made of.

The rules are those of AWS's Signature Version 4:
docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hmac
import re
from calendar import timegm
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from hashlib import sha256
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from modelyard.access.refusals import Family, bad_scope, incomplete, unsigned_headers
from modelyard.aws.http import HttpRequest

ALGORITHM: Final = "AWS4-HMAC-SHA256"
TERMINATOR: Final = "aws4_request"
UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"
UNRESERVED: Final = "-_.~"
_BASIC_TIME: Final = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_BASIC_TIME_LENGTH: Final = len("20240131T235959Z")
_SPACES: Final = re.compile(r"[ \t]+")
_REGION: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True)
class Claim:
    """Everything a Version 4 signature says of itself, but the signature."""

    access_key_id: str
    date: str
    """`YYYYMMDD`."""
    region: str
    service: str
    terminator: str
    signed_headers: tuple[str, ...]
    signed_headers_text: str
    """The names as the client listed them, which is what it signed."""

    @property
    def scope(self) -> str:
        """The credential scope."""
        return f"{self.date}/{self.region}/{self.service}/{self.terminator}"


def make_claim(credential: str, signed_headers: str, family: Family) -> Claim:
    """Read `KEY/DATE/REGION/SERVICE/aws4_request` and the list of signed headers. Raises AwsError."""
    parts = credential.rsplit("/", 4)
    if len(parts) != 5:
        raise incomplete(
            family,
            f"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{credential}'",
        )
    if not parts[0]:
        raise incomplete(family, "a non-empty Access Key (AKID) must be provided in the credential.")
    key, date, region, service, terminator = parts
    return Claim(key, date, region, service, terminator, tuple(signed_headers.lower().split(";")), signed_headers)


def check_scope(claim: Claim, timestamp: str, signing_name: str, family: Family) -> None:
    """Raise AwsError unless the signature was made for this service and the day it says."""
    problems = []
    if claim.terminator != TERMINATOR:
        problems.append(f"Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{claim.terminator}'. ")
    if not _REGION.fullmatch(claim.region):
        problems.append(f"Credential should be scoped to a valid region, not '{claim.region}'. ")
    if claim.service != signing_name:
        if family is Family.S3:
            problems.append(f'incorrect service "{claim.service}". This endpoint belongs to "{signing_name}".')
        else:
            problems.append(f"Credential should be scoped to correct service: '{signing_name}'. ")
    if claim.date != timestamp[:8]:
        problems.append(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{claim.date}' != '{timestamp[:8]}', from '{timestamp}'."
        )
    if problems:
        raise bad_scope(family, "".join(problems))


def check_signed_headers(headers: Mapping[str, str], claim: Claim, family: Family, spared: Iterable[str] = ()) -> None:
    """Raise AwsError unless `host` and every `x-amz-` header were signed."""
    signed = claim.signed_headers
    if "host" not in signed:
        raise unsigned_headers(family, ["host"])
    forgotten = [name for name in headers if name[:6] == "x-amz-" and name not in signed and name not in spared]
    if forgotten:
        raise unsigned_headers(family, forgotten)


def parse_basic_time(text: str) -> float | None:
    """Epoch seconds of `YYYYMMDDTHHMMSSZ`; None when it is no such time."""
    return _parse_basic_time(text) if len(text) == _BASIC_TIME_LENGTH else None


@lru_cache(maxsize=4096)
def _parse_basic_time(text: str) -> float | None:
    if not _BASIC_TIME.fullmatch(text):
        return None
    try:
        moment = datetime.strptime(text, "%Y%m%dT%H%M%SZ")  # noqa: DTZ007  the Z says UTC, and timegm reads it so
    except ValueError:
        return None
    return float(timegm(moment.timetuple()))


def parse_http_date(text: str) -> float | None:
    """Epoch seconds of an RFC 9110 date; None when it is none."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def canonical_requests(http: HttpRequest, claim: Claim, payload_hash: str, query: str, *, s3: bool) -> Iterator[bytes]:
    """The canonical forms of a request, the usual one first.

    Clients disagree in what they percent-encode on the wire and what in the signature: as sent, or by AWS's rule from the decoded
    text. Both describe the same request. Header values outside ASCII may have been signed as UTF-8 or as the bytes sent.
    """
    headers = canonical_headers(http.headers, claim.signed_headers)
    tail = f"{headers}\n{claim.signed_headers_text}\n{payload_hash}"
    path = http.raw_path or "/"
    as_sent = f"{http.method}\n{path if s3 else _canonical_path(path)}\n{canonical_query(query)}\n{tail}"
    yield as_sent.encode()
    plain_path = quote(unquote_to_bytes(path), safe="/" + UNRESERVED)
    by_rule = f"{http.method}\n{plain_path if s3 else _canonical_path(plain_path)}\n{canonical_query(reencoded(query))}\n{tail}"
    if by_rule != as_sent:
        yield by_rule.encode()
    if not as_sent.isascii() and _fits_latin_1(as_sent):
        yield as_sent.encode("latin-1")


def canonical_headers(headers: Mapping[str, str], names: tuple[str, ...]) -> str:
    """`name:value` lines of the signed headers, runs of white space folded; a header that is not there counts as empty."""
    lines = []
    for name in names:
        value = headers.get(name, "")
        if "  " in value or "\t" in value:
            value = _SPACES.sub(" ", value).strip(" ")
        lines.append(f"{name}:{value}\n")
    return "".join(lines)


def canonical_query(query: str) -> str:
    """The parameters sorted by name, then value, in the encoding they have."""
    if not query:
        return ""
    pairs = sorted((name, value) for name, _, value in (pair.partition("=") for pair in query.split("&")))
    return "&".join([f"{name}={value}" for name, value in pairs])


def reencoded(query: str) -> str:
    """The parameters decoded, and encoded again by AWS's rule."""
    if not query:
        return ""
    pairs = (pair.partition("=") for pair in query.split("&"))
    return "&".join([f"{_by_rule(name)}={_by_rule(value)}" for name, _, value in pairs])


def string_to_sign(timestamp: str, claim: Claim, canonical_request: bytes) -> str:
    """What the signing key signs."""
    return f"{ALGORITHM}\n{timestamp}\n{claim.scope}\n{sha256(canonical_request).hexdigest()}"


@lru_cache(maxsize=1024)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key derived from a secret for one day, region and service."""
    key = b"AWS4" + secret.encode()
    for part in (date, region, service, TERMINATOR):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def sign(key: bytes, text: str) -> str:
    """The signature of a string to sign."""
    return hmac.digest(key, text.encode(), "sha256").hex()


def same(given: str, calculated: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), calculated.encode())


@lru_cache(maxsize=256)
def _canonical_path(path: str) -> str:
    """The path without `.` and `..` and empty segments, and encoded once more: for every service but S3."""
    if path == "/":
        return path
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment and segment != ".":
            kept.append(segment)
    if not kept:
        return "/"
    return quote("/" + "/".join(kept) + ("/" if path.endswith("/") else ""), safe="/" + UNRESERVED)


def _by_rule(text: str) -> str:
    return quote(unquote_to_bytes(text.replace("+", " ")), safe=UNRESERVED)


def _fits_latin_1(text: str) -> bool:
    return all(ord(letter) < 256 for letter in text)
