"""From an access key id to its secret and the principal behind it, cached until identities or policies change."""

from dataclasses import dataclass, replace
from typing import Final

from modelyard.access import sessions, store, store_policies
from modelyard.access.generation import GenerationReader, current
from modelyard.access.identities import Identity, IdentityKind, root_arn
from modelyard.access.keyring import KeyRing
from modelyard.access.managed import find_document
from modelyard.access.policy import Policy, load_policy
from modelyard.access.principal import Principal, PrincipalKind
from modelyard.access.sessions import Session
from modelyard.storage.interface import Transaction

MOST_CACHED: Final = 10_000
SECRET_PURPOSE: Final = "access-key-secret"  # noqa: S105  names a purpose of the key ring
NOTHING_ALLOWED: Final = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key that may be used, and whose it is."""

    access_key_id: str
    secret: str
    principal: Principal
    expires_at: float | None = None
    """Of a session, in epoch seconds."""
    session: Session | None = None


class CredentialSource:
    """Finds credentials, in the caller's snapshot of the database."""

    def __init__(self, key_ring: KeyRing) -> None:
        self._key_ring = key_ring
        self._generation = GenerationReader()
        self._cache: dict[str, tuple[int, Credentials]] = {}

    def find(self, tx: Transaction, access_key_id: str, now: float) -> Credentials | None:
        """The credentials of an active, long-lived key."""
        return self._cached(tx, access_key_id, now) or self._keep(tx, access_key_id, self._load_key(tx, access_key_id))

    def find_session(self, tx: Transaction, token: str, now: float) -> Credentials | None:
        """The credentials that a session token stands for, expired or not, as long as the role or user exists."""
        return self._cached(tx, token, now) or self._keep(tx, token, self._load_session(tx, token))

    def _cached(self, tx: Transaction, key: str, now: float) -> Credentials | None:
        entry = self._cache.get(key)
        if entry is None or entry[0] != self._generation.read(tx, now):
            return None
        return entry[1]

    def _keep(self, tx: Transaction, key: str, credentials: Credentials | None) -> Credentials | None:
        """Cache what was read under the number of this very snapshot, never under a newer one."""
        if credentials is None:
            return None
        if len(self._cache) >= MOST_CACHED:
            self._cache.clear()
        self._cache[key] = (current(tx), credentials)
        return credentials

    def _load_key(self, tx: Transaction, access_key_id: str) -> Credentials | None:
        found = store.access_key(tx, access_key_id)
        if found is None or found[0].status != "Active":
            return None
        key, sealed = found
        principal = principal_of(tx, key.account, key.owner)
        if principal is None:
            return None
        return Credentials(key.id, self._key_ring.open_sealed(sealed, SECRET_PURPOSE).decode("ascii"), principal)

    def _load_session(self, tx: Transaction, token: str) -> Credentials | None:
        session = sessions.read(self._key_ring, token)
        if session is None:
            return None
        principal = session_principal(tx, session)
        if principal is None:
            return None
        return Credentials(session.access_key_id, session.secret, principal, session.expires_at, session)


def principal_of(tx: Transaction, account: str, owner: str) -> Principal | None:
    """The user with this unique id, or the root of the account; None when there is no such user."""
    if owner == account:
        return root_principal(account)
    user = store.identity_by_id(tx, owner)
    if user is None or user.kind is not IdentityKind.USER:
        return None
    return user_principal(tx, user)


def root_principal(account: str) -> Principal:
    """The root of an account: decisions about what its account owns need no policy."""
    return Principal(
        arn=root_arn(account),
        account=account,
        kind=PrincipalKind.ROOT,
        unique_id=account,
        name="root",
    )


def user_principal(tx: Transaction, user: Identity) -> Principal:
    """A user with the policies in force."""
    return Principal(
        arn=user.arn,
        account=user.account,
        kind=PrincipalKind.USER,
        unique_id=user.id,
        name=user.name,
        tags=user.tags,
        policies=policies_of(tx, user),
        boundary=boundary_of(tx, user),
    )


def session_principal(tx: Transaction, session: Session) -> Principal | None:
    """Who a session acts as; None when its role or user is gone."""
    if session.session_name is None:
        owner = principal_of(tx, session.account, session.identity)
        return replace(owner, issued_at=session.issued_at) if owner is not None else None
    role = store.identity_by_id(tx, session.identity)
    if role is None or role.kind is not IdentityKind.ROLE:
        return None
    return role_principal(tx, role, session)


def role_principal(tx: Transaction, role: Identity, session: Session) -> Principal:
    """A role as assumed in `session`."""
    return Principal(
        arn=f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{session.session_name}",
        account=role.account,
        kind=PrincipalKind.ASSUMED_ROLE,
        unique_id=f"{role.id}:{session.session_name}",
        name=f"{role.name}/{session.session_name}",
        role_arn=role.arn,
        tags={**role.tags, **session.tags},
        policies=policies_of(tx, role),
        boundary=boundary_of(tx, role),
        session_policies=_session_policies(tx, session),
        source_identity=session.source_identity,
        transitive_tags={key: session.tags[key] for key in session.transitive_tag_keys},
        issued_at=session.issued_at,
    )


def policies_of(tx: Transaction, identity: Identity) -> tuple[Policy, ...]:
    """The identity policies of a user or role, inline ones first."""
    inline = [document for _, document in store_policies.inline_policies(tx, identity.id)]
    attached = [find_document(tx, arn) for arn, _ in store_policies.attached_policies(tx, identity.id)]
    return tuple(load_policy(document) for document in (*inline, *attached) if document is not None)


def boundary_of(tx: Transaction, identity: Identity) -> Policy | None:
    """The permissions boundary of a user or role; one whose policy is gone allows nothing."""
    if identity.boundary_arn is None:
        return None
    return load_policy(find_document(tx, identity.boundary_arn) or NOTHING_ALLOWED)


def _session_policies(tx: Transaction, session: Session) -> tuple[Policy, ...] | None:
    if session.policy is None and not session.policy_arns:
        return None
    documents = [session.policy] if session.policy is not None else []
    documents += [document for arn in session.policy_arns if (document := find_document(tx, arn)) is not None]
    return tuple(load_policy(document) for document in documents)
