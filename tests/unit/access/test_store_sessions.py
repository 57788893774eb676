"""Temporary credentials: sealed in their token, bound to their key, gone with their role."""

import base64
from dataclasses import replace

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.credentials import Credentials
from tests.unit.access.signing import ACCOUNT, NOW, S3, SAGEMAKER, STS, Guard, Operation, signed

from modelyard.access import sessions, store
from modelyard.access.identities import Identity, IdentityKind
from modelyard.access.sessions import SessionCredentials
from modelyard.aws.errors import AwsError
from modelyard.aws.http import HttpRequest

ENDPOINT = "http://127.0.0.1:9100/"
ROLE = Identity(
    "AROAEXAMPLE", ACCOUNT, IdentityKind.ROLE, "deployer", "/team/", NOW, tags={"team": "a", "stage": "dev"}, trust_policy="{}"
)


@pytest.fixture
def issued(guard: Guard) -> SessionCredentials:
    """An hour of the role `deployer`."""
    guard.storage.write(lambda tx: store.add_identity(tx, ROLE))
    session = sessions.new_session(
        guard.ids,
        account=ACCOUNT,
        identity=ROLE.id,
        issued_at=NOW,
        expires_at=NOW + 3600,
        session_name="s1",
        source_identity="ann",
        tags={"stage": "prod"},
        policy='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}',
        policy_arns=("arn:aws:iam::aws:policy/ReadOnlyAccess",),
    )
    return sessions.issue(guard.key_ring, session)


def request(
    issued: SessionCredentials, operation: Operation = SAGEMAKER, token: str | None = None, at: float = NOW
) -> HttpRequest:
    """A request signed with temporary credentials."""
    credentials = Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token if token is None else token)
    signer = S3SigV4Auth if operation is S3 else SigV4Auth
    return signed(signer(credentials, operation.signing_name, "us-east-1"), "POST", ENDPOINT, {}, b"", at)


def refused(guard: Guard, http: HttpRequest, operation: Operation = SAGEMAKER, now: float = NOW) -> AwsError:
    with pytest.raises(AwsError) as caught:
        guard.admit(http, operation, now)
    return caught.value


@pytest.mark.documented
def test_a_session_is_its_role(guard: Guard, issued: SessionCredentials) -> None:
    """The principal carries role, session, tags of both, source identity and session policies."""
    caller = guard.admit(request(issued), SAGEMAKER)
    principal = caller.principal
    assert principal.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/s1"
    assert principal.role_arn == f"arn:aws:iam::{ACCOUNT}:role/team/deployer"
    assert (principal.unique_id, principal.name) == ("AROAEXAMPLE:s1", "deployer/s1")
    assert principal.tags == {"team": "a", "stage": "prod"}
    assert (principal.source_identity, principal.issued_at) == ("ann", NOW)
    assert principal.session_policies is not None and len(principal.session_policies) == 2
    assert caller.session is not None and caller.session.expires_at == NOW + 3600


@pytest.mark.documented
@pytest.mark.parametrize(
    ("operation", "code", "status"),
    [(SAGEMAKER, "ExpiredTokenException", 400), (STS, "ExpiredToken", 403), (S3, "ExpiredToken", 400)],
    ids=["json", "query", "s3"],
)
def test_expiry(guard: Guard, issued: SessionCredentials, operation: Operation, code: str, status: int) -> None:
    """A session ends at its second, in the words of each kind of service."""
    guard.admit(request(issued, operation, at=NOW + 3599), operation, NOW + 3599)
    error = refused(guard, request(issued, operation, at=NOW + 3600), operation, NOW + 3600)
    assert (error.code, error.status) == (code, status)


@pytest.mark.documented
@pytest.mark.parametrize(
    ("operation", "code"),
    [(SAGEMAKER, "UnrecognizedClientException"), (STS, "InvalidClientTokenId"), (S3, "InvalidToken")],
    ids=["json", "query", "s3"],
)
def test_tokens_that_were_not_made_here(guard: Guard, issued: SessionCredentials, operation: Operation, code: str) -> None:
    """A changed, foreign, shortened or huge token is refused."""
    raw = base64.b64decode(issued.session_token)
    tokens = [
        base64.b64encode(raw[:index] + bytes([raw[index] ^ 1]) + raw[index + 1 :]).decode() for index in range(0, len(raw), 37)
    ]
    tokens += ["x", "A" * 20_000, issued.session_token[:-4], "é", issued.session_token + "=="]
    tokens.append(base64.b64encode(guard.key_ring.seal(b"{}", "another purpose")).decode())
    for token in tokens:
        assert refused(guard, request(issued, operation, token), operation).code == code


@pytest.mark.documented
def test_a_token_belongs_to_its_key(guard: Guard, issued: SessionCredentials) -> None:
    """A token does not help another key, and a temporary key is nothing without its token."""
    mixed = replace(
        issued, access_key_id=guard.administrator.access_key_id, secret_access_key=guard.administrator.secret_access_key
    )
    assert refused(guard, request(mixed)).code == "UnrecognizedClientException"
    assert refused(guard, request(issued, token="")).code == "UnrecognizedClientException"
    stolen = replace(issued, secret_access_key="guessed")
    assert refused(guard, request(stolen)).code == "InvalidSignatureException"


@pytest.mark.documented
def test_a_session_ends_with_its_role(guard: Guard, issued: SessionCredentials) -> None:
    """When the role is deleted its sessions are over, also when one of the same name is made anew."""
    http = request(issued)
    guard.admit(http, SAGEMAKER)
    guard.storage.write(lambda tx: store.delete_identity(tx, ROLE))
    assert refused(guard, http).code == "UnrecognizedClientException"
    guard.storage.write(lambda tx: store.add_identity(tx, replace(ROLE, id="AROAANOTHER")))
    assert refused(guard, http).code == "UnrecognizedClientException"


@pytest.mark.documented
def test_presigned_with_a_session(guard: Guard, issued: SessionCredentials) -> None:
    """A URL presigned with temporary credentials carries the token, and ends with the session."""
    credentials = Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)
    http = signed(S3SigV4QueryAuth(credentials, "s3", "us-east-1", expires=604800), "GET", ENDPOINT + "b/k", {})
    assert guard.admit(http, S3).principal.name == "deployer/s1"
    assert refused(guard, http, S3, NOW + 3600).code == "ExpiredToken"


@pytest.mark.documented
def test_a_session_of_a_user(guard: Guard) -> None:
    """GetSessionToken's credentials are the user's own, as long as the user exists."""
    with guard.storage.read() as tx:
        user = store.identity(tx, ACCOUNT, IdentityKind.USER, "administrator")
    assert user is not None
    session = sessions.new_session(guard.ids, account=ACCOUNT, identity=user.id, issued_at=NOW, expires_at=NOW + 900)
    issued = sessions.issue(guard.key_ring, session)
    principal = guard.admit(request(issued), SAGEMAKER).principal
    assert (principal.arn, principal.issued_at) == (user.arn, NOW)
