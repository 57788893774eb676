"""Temporary credentials: `ASIA…` keys whose session token carries, sealed, everything there is to know of them.

Nothing is stored. A token says whose it is by unique id, so it dies with its role or user; it is bound to its access key id by
the seal's content, and to its time of expiry.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from modelyard.access.identities import new_access_key_id, new_secret
from modelyard.access.keyring import KeyRing, KeyRingError
from modelyard.ids import Ids

PURPOSE = "session-token"
LONGEST_TOKEN = 16 * 1024
"""More than this is not looked at; the fullest token that AssumeRole can make is about half of it."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a session token says."""

    access_key_id: str
    secret: str
    account: str
    identity: str
    """The id of the role or user, or the account number for its root."""
    issued_at: float
    expires_at: float
    session_name: str | None = None
    """Of an assumed role; None for GetSessionToken, where the caller stays who they are."""
    source_identity: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive_tag_keys: tuple[str, ...] = ()
    policy: str | None = None
    """The session policy given to AssumeRole."""
    policy_arns: tuple[str, ...] = ()
    """Managed policies given to AssumeRole as session policies."""


@dataclass(frozen=True, slots=True)
class SessionCredentials:
    """What a client gets."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expires_at: float


def new_session(
    ids: Ids,
    *,
    account: str,
    identity: str,
    issued_at: float,
    expires_at: float,
    session_name: str | None = None,
    source_identity: str | None = None,
    tags: Mapping[str, str] = {},
    transitive_tag_keys: tuple[str, ...] = (),
    policy: str | None = None,
    policy_arns: tuple[str, ...] = (),
) -> Session:
    """A session with an access key of its own."""
    return Session(
        access_key_id=new_access_key_id(ids, "ASIA"),
        secret=new_secret(ids),
        account=account,
        identity=identity,
        issued_at=issued_at,
        expires_at=expires_at,
        session_name=session_name,
        source_identity=source_identity,
        tags=dict(tags),
        transitive_tag_keys=transitive_tag_keys,
        policy=policy,
        policy_arns=policy_arns,
    )


def issue(key_ring: KeyRing, session: Session) -> SessionCredentials:
    """The credentials of a session: its key, and the sealed token that goes with it."""
    text = json.dumps(asdict(session), separators=(",", ":")).encode()
    token = base64.b64encode(key_ring.seal(text, PURPOSE)).decode("ascii")
    return SessionCredentials(session.access_key_id, session.secret, token, session.expires_at)


def read(key_ring: KeyRing, token: str) -> Session | None:
    """The session that a token was sealed for; None when it was not made here or was changed."""
    if len(token) > LONGEST_TOKEN:
        return None
    try:
        sealed = base64.b64decode(token, validate=True)
        if base64.b64encode(sealed).decode("ascii") != token:  # the decoder is lenient; one session has one token
            return None
        content = json.loads(key_ring.open_sealed(sealed, PURPOSE))
    except (binascii.Error, ValueError, KeyRingError):
        return None
    content["transitive_tag_keys"] = tuple(content["transitive_tag_keys"])
    content["policy_arns"] = tuple(content["policy_arns"])
    return Session(**content)
