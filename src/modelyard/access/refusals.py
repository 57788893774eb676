"""What a caller is told whose signature or credentials are refused: each kind of service has codes and texts of its own."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum

from modelyard.aws.errors import AwsError
from modelyard.aws.services import KNOWN


class Family(StrEnum):
    """The kinds of services, by how they word a refusal."""

    JSON = "json"
    REST_JSON = "rest-json"
    QUERY = "query"
    S3 = "s3"


_FAMILIES = {service.name: Family.S3 if service.name == "s3" else Family(service.protocols[0]) for service in KNOWN}
_STATUS = {Family.JSON: 400, Family.REST_JSON: 403, Family.QUERY: 403, Family.S3: 403}
_MISMATCH = "The request signature we calculated does not match the signature you provided. Check your "


def family_of(service: str) -> Family:
    """The family of a service; services of our own speak JSON."""
    return _FAMILIES.get(service, Family.JSON)


def missing(family: Family) -> AwsError:
    """The request is not signed."""
    if family is Family.S3:
        return AwsError("Access Denied", code="AccessDenied", status=403)
    text = "Request is missing Authentication Token" if family is Family.QUERY else "Missing Authentication Token"
    return AwsError(text, code=_named("MissingAuthenticationToken", family), status=_STATUS[family])


def incomplete(family: Family, text: str) -> AwsError:
    """The request has a signature of which something is missing or unreadable."""
    if family is Family.S3:
        return AwsError(f"The authorization header is malformed; {text}", code="AuthorizationHeaderMalformed", status=400)
    status = 403 if family is Family.REST_JSON else 400
    return AwsError(text, code=_named("IncompleteSignature", family), status=status)


def bad_scope(family: Family, text: str) -> AwsError:
    """The signature was made for another day, region or service."""
    if family is Family.S3:
        return incomplete(family, text)
    return mismatch(family, text)


def mismatch(family: Family, text: str = "", members: Mapping[str, object] | None = None) -> AwsError:
    """The signature is not the one that the caller's secret makes of this request."""
    if family is Family.S3:
        return AwsError(text or _MISMATCH + "key and signing method.", code="SignatureDoesNotMatch", status=403, members=members)
    text = text or _MISMATCH + "AWS Secret Access Key and signing method. Consult the service documentation for details."
    code = "SignatureDoesNotMatch" if family is Family.QUERY else "InvalidSignatureException"
    return AwsError(text, code=code, status=_STATUS[family])


def unsigned_headers(family: Family, names: list[str]) -> AwsError:
    """Headers that mean something to the service could have been added by somebody else."""
    if family is Family.S3:
        return AwsError(
            "There were headers present in the request which were not signed",
            code="AccessDenied",
            status=403,
            members={"HeadersNotSigned": ", ".join(names)},
        )
    first = "'Host' or ':authority'" if names[0] == "host" else f"'{names[0]}'"
    return mismatch(family, f"{first} must be a 'SignedHeader' in the AWS Authorization.")


def unknown_key(family: Family, access_key_id: str) -> AwsError:
    """There is no active access key with this id."""
    if family is Family.S3:
        return AwsError(
            "The AWS Access Key Id you provided does not exist in our records.",
            code="InvalidAccessKeyId",
            status=403,
            members={"AWSAccessKeyId": access_key_id},
        )
    return _invalid_client(family)


def invalid_token(family: Family) -> AwsError:
    """The session token was not made here, belongs to another key, or its role or user is gone."""
    if family is Family.S3:
        return AwsError("The provided token is malformed or otherwise invalid.", code="InvalidToken", status=400)
    return _invalid_client(family)


def expired_token(family: Family) -> AwsError:
    """The session is over."""
    if family is Family.S3:
        return AwsError("The provided token has expired.", code="ExpiredToken", status=400)
    text = "The security token included in the request is expired"
    return AwsError(text, code=_named("ExpiredToken", family), status=_STATUS[family])


def skewed(family: Family, signed_at: float, now: float, allowed: float) -> AwsError:
    """The date of the signature is too far from the server's clock."""
    if family is Family.S3:
        return AwsError(
            "The difference between the request time and the current time is too large.",
            code="RequestTimeTooSkewed",
            status=403,
            members={
                "RequestTime": basic_time(signed_at),
                "ServerTime": extended_time(now),
                "MaxAllowedSkewMilliseconds": str(int(allowed * 1000)),
            },
        )
    minutes = f"{allowed / 60:g} min."
    if signed_at < now:
        limit = basic_time(now - allowed)
        text = f"Signature expired: {basic_time(signed_at)} is now earlier than {limit} ({basic_time(now)} - {minutes})"
    else:
        limit = basic_time(now + allowed)
        text = f"Signature not yet current: {basic_time(signed_at)} is still later than {limit} ({basic_time(now)} + {minutes})"
    return mismatch(family, text)


def link_expired(family: Family, signed_at: float, expires_at: float, now: float) -> AwsError:
    """A presigned request came after its time."""
    if family is Family.S3:
        return AwsError(
            "Request has expired",
            code="AccessDenied",
            status=403,
            members={
                "X-Amz-Expires": str(int(expires_at - signed_at)),
                "Expires": extended_time(expires_at),
                "ServerTime": extended_time(now),
            },
        )
    return mismatch(family, f"Signature expired: {basic_time(expires_at)} is now earlier than {basic_time(now)}")


def bad_query(family: Family, text: str) -> AwsError:
    """A presigned request lacks a parameter, or has one that makes no sense."""
    if family is Family.S3:
        return AwsError(text, code="AuthorizationQueryParametersError", status=400)
    return incomplete(family, text)


def invalid_request(text: str, code: str = "InvalidRequest", status: int = 400, **members: object) -> AwsError:
    """S3's answer to what is wrong with a request besides its signature."""
    return AwsError(text, code=code, status=status, members=members)


def basic_time(seconds: float) -> str:
    """`20240131T235959Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")


def extended_time(seconds: float) -> str:
    """`2024-01-31T23:59:59Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _invalid_client(family: Family) -> AwsError:
    code = "InvalidClientTokenId" if family is Family.QUERY else "UnrecognizedClientException"
    return AwsError("The security token included in the request is invalid.", code=code, status=_STATUS[family])


def _named(name: str, family: Family) -> str:
    """Query services leave `Exception` off their codes."""
    return name if family in {Family.QUERY, Family.S3} else name + "Exception"
