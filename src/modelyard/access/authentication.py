"""Who sent a request: the signature is checked, and the principal behind its key is found."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from modelyard.access import signatures_v2, signatures_v4, store
from modelyard.access.credentials import Credentials, CredentialSource, principal_of
from modelyard.access.keyring import KeyRing
from modelyard.access.principal import Principal, PrincipalKind
from modelyard.access.refusals import (
    Family,
    expired_token,
    family_of,
    incomplete,
    invalid_request,
    invalid_token,
    missing,
    unknown_key,
)
from modelyard.access.sessions import Session
from modelyard.access.signatures import ALGORITHM
from modelyard.access.signatures_payload import open_body, with_headers_of_query
from modelyard.access.signatures_v4 import Verified
from modelyard.aws.errors import AwsError
from modelyard.aws.http import HttpRequest
from modelyard.storage.interface import Transaction

if TYPE_CHECKING:
    from modelyard.aws.catalogue import OperationModel

_CLAIM: Final = re.compile(
    r"(?:\bCredential=|\bAWS |\bAWSAccessKeyId=|X-Amz-Credential=)([A-Z0-9]{16,128})(?:/[0-9]{8}/([a-z0-9-]{1,32})/)?"
)
"""The access key id, and the region where there is one, in a header or a query of either version of signatures."""
ANONYMOUS: Final = Principal(arn="*", account="anonymous", kind=PrincipalKind.ANONYMOUS, unique_id="anonymous", name="anonymous")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what they sent, once that is known to be theirs."""

    principal: Principal
    region: str
    """The region the request was signed for."""
    signature_version: str
    """`AWS4-HMAC-SHA256`, or `AWS` for Version 2; empty when unsigned. The value of `s3:signatureversion`."""
    http: HttpRequest
    """The request with its body decoded, and checked as it is read."""
    session: Session | None = None
    """The temporary credentials that were used, when they were."""


class Authenticator:
    """Checks the signatures of requests."""

    def __init__(self, key_ring: KeyRing, *, clock_skew_seconds: float = 900.0, region: str = "us-east-1") -> None:
        self.key_ring = key_ring
        self._skew = clock_skew_seconds
        self._region = region
        self._credentials = CredentialSource(key_ring)

    def authenticate(
        self, tx: Transaction, http: HttpRequest, model: "OperationModel", now: float, anonymous: bool = False
    ) -> Caller:
        """The caller of an operation. Raises AwsError in the words of the operation's service.

        With `anonymous`, a request that is not signed at all comes from the anonymous principal.
        """
        family = family_of(model.service)

        def lookup(access_key_id: str, token: str | None) -> Credentials:
            return self._lookup(tx, access_key_id, token, now, family)

        signed_by = _mechanism(http, family)
        if signed_by == "v4 header":
            verified = signatures_v4.verify_header(http, model.signing_name, family, lookup, now, self._skew)
        elif signed_by == "v4 query":
            verified = signatures_v4.verify_query(http, model.signing_name, family, lookup, now, self._skew)
        elif signed_by == "v2 header":
            verified = signatures_v2.verify_header(http, lookup, now, self._skew)
        elif signed_by == "v2 query":
            verified = signatures_v2.verify_query(http, lookup, now)
        elif anonymous:
            return Caller(ANONYMOUS, self._region, "", open_body(http, None))
        else:
            raise missing(family)
        if family is Family.S3 and signed_by.endswith("query"):
            http = with_headers_of_query(http)
        return self._caller(http, verified, family)

    def claimed(
        self, tx: Transaction, http: HttpRequest, model: "OperationModel", now: float
    ) -> tuple[str, Principal, str] | None:
        """The access key id, principal and region that a request claims, whether or not its signature holds.

        None unless the key is known here: an access key that is kept, active or not, or one with a session token made here.
        """
        claim = _CLAIM.search(http.headers.get("authorization", "")) or _CLAIM.search(unquote(http.query))
        if claim is None:
            return None
        key_id, region = claim[1], claim[2] or self._region
        token = http.headers.get("x-amz-security-token")
        if token is not None:
            session = self._credentials.find_session(tx, token, now)
            return None if session is None or session.access_key_id != key_id else (key_id, session.principal, region)
        found = store.access_key(tx, key_id)
        principal = None if found is None else principal_of(tx, found[0].account, found[0].owner)
        return None if principal is None else (key_id, principal, region)

    def _caller(self, http: HttpRequest, verified: Verified, family: Family) -> Caller:
        credentials = verified.credentials
        if family is Family.S3 or http.stream is not None:
            http = open_body(http, verified)
        return Caller(credentials.principal, verified.region or self._region, verified.version, http, credentials.session)

    def _lookup(self, tx: Transaction, access_key_id: str, token: str | None, now: float, family: Family) -> Credentials:
        if token is None:
            found = None if access_key_id.startswith("ASIA") else self._credentials.find(tx, access_key_id, now)
            if found is None:
                raise unknown_key(family, access_key_id)
            return found
        found = self._credentials.find_session(tx, token, now)
        if found is None or found.access_key_id != access_key_id:
            raise invalid_token(family)
        if found.expires_at is not None and found.expires_at <= now:
            raise expired_token(family)
        return found


def _mechanism(http: HttpRequest, family: Family) -> str | None:
    """How a request says that it is signed: exactly one way, or none."""
    ways = []
    authorization = http.headers.get("authorization")
    if authorization is not None:
        ways.append(_header_mechanism(authorization, family))
    if http.query:
        names = {pair.partition("=")[0] for pair in http.query.split("&")}
        if "X-Amz-Algorithm" in names or "X-Amz-Signature" in names:
            ways.append("v4 query")
        if family is Family.S3 and ("AWSAccessKeyId" in names or "Signature" in names):
            ways.append("v2 query")
    if len(ways) > 1:
        raise _several(family)
    return ways[0] if ways else None


def _header_mechanism(authorization: str, family: Family) -> str:
    if authorization.startswith(ALGORITHM + " "):
        return "v4 header"
    if family is Family.S3:
        if authorization.startswith("AWS "):
            return "v2 header"
        raise invalid_request(f"The authorization mechanism you have provided is not supported. Please use {ALGORITHM}.")
    if authorization == ALGORITHM:
        raise incomplete(family, f"Authorization header requires 'Credential' parameter. Authorization={ALGORITHM}")
    raise incomplete(family, f"Unsupported AWS 'algorithm': '{authorization.partition(' ')[0][:64]}'. ")


def _several(family: Family) -> AwsError:
    text = (
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, "
        "Signature query string parameter or the Authorization header should be specified"
    )
    return invalid_request(text, code="InvalidArgument") if family is Family.S3 else incomplete(family, text)
