"""The SQL of accounts, users, roles and access keys. Everything that changes one of them bumps the generation."""

import json
from collections.abc import Mapping
from typing import Any

from modelyard.access.generation import bump
from modelyard.access.identities import AccessKey, Identity, IdentityKind
from modelyard.storage.interface import Row, Transaction

_IDENTITY = "id, account, kind, name, path, created_at, boundary_arn, tags, trust_policy, description, max_session_seconds"


def add_account(tx: Transaction, account: str, created_at: float) -> None:
    """Add an account."""
    tx.execute("INSERT INTO iam_accounts (account, created_at) VALUES (:account, :at)", {"account": account, "at": created_at})
    bump(tx)


def has_account(tx: Transaction, account: str) -> bool:
    """Whether this server has the account."""
    return tx.one("SELECT 1 FROM iam_accounts WHERE account = :account", {"account": account}) is not None


def accounts(tx: Transaction) -> list[tuple[str, float]]:
    """Every account with its time of creation."""
    return [(row[0], row[1]) for row in tx.all("SELECT account, created_at FROM iam_accounts ORDER BY account")]


def add_identity(tx: Transaction, identity: Identity) -> None:
    """Add a user or a role."""
    tx.execute(
        f"INSERT INTO iam_identities ({_IDENTITY}, folded_name) VALUES (:id, :account, :kind, :name, :path, :created_at,"
        " :boundary_arn, :tags, :trust_policy, :description, :max_session_seconds, :folded_name)",
        _parameters(identity),
    )
    bump(tx)


def update_identity(tx: Transaction, identity: Identity) -> None:
    """Store what may change of a user or a role: boundary, tags, trust policy, description, longest session."""
    tx.execute(
        "UPDATE iam_identities SET boundary_arn = :boundary_arn, tags = :tags, trust_policy = :trust_policy,"
        " description = :description, max_session_seconds = :max_session_seconds WHERE id = :id",
        {
            name: value
            for name, value in _parameters(identity).items()
            if name in {"id", "boundary_arn", "tags", "trust_policy", "description", "max_session_seconds"}
        },
    )
    bump(tx)


def delete_identity(tx: Transaction, identity: Identity) -> None:
    """Remove a user or a role that nothing hangs on any more."""
    tx.execute("DELETE FROM iam_identities WHERE id = :id", {"id": identity.id})
    bump(tx)


def identity(tx: Transaction, account: str, kind: IdentityKind, name: str) -> Identity | None:
    """The user or role of this name, in whatever case."""
    row = tx.one(
        f"SELECT {_IDENTITY} FROM iam_identities WHERE account = :account AND kind = :kind AND folded_name = :name",
        {"account": account, "kind": kind.value, "name": name.lower()},
    )
    return _identity(row) if row else None


def identity_by_id(tx: Transaction, unique_id: str) -> Identity | None:
    """The user or role with this `AIDA…` or `AROA…`."""
    row = tx.one(f"SELECT {_IDENTITY} FROM iam_identities WHERE id = :id", {"id": unique_id})
    return _identity(row) if row else None


def identity_by_arn(tx: Transaction, arn: str) -> Identity | None:
    """The user or role with exactly this ARN."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[:3] != ["arn", "aws", "iam"]:
        return None
    kind, _, rest = parts[5].partition("/")
    if kind not in {"user", "role"}:
        return None
    found = identity(tx, parts[4], IdentityKind(kind), rest.rpartition("/")[2])
    return found if found is not None and found.arn == arn else None


def identities(tx: Transaction, account: str, kind: IdentityKind, prefix: str, after: str, limit: int) -> list[Identity]:
    """Users or roles whose path begins with `prefix`, by name, after the name `after`."""
    rows = tx.all(
        f"SELECT {_IDENTITY} FROM iam_identities WHERE account = :account AND kind = :kind AND folded_name > :after"
        " AND substr(path, 1, CAST(:length AS INTEGER)) = :prefix ORDER BY folded_name LIMIT :limit",
        {
            "account": account,
            "kind": kind.value,
            "after": after.lower(),
            "length": len(prefix),
            "prefix": prefix,
            "limit": limit,
        },
    )
    return [_identity(row) for row in rows]


def add_access_key(tx: Transaction, key: AccessKey, sealed_secret: bytes) -> None:
    """Add an access key with its sealed secret."""
    tx.execute(
        "INSERT INTO iam_access_keys (id, account, owner, sealed_secret, status, created_at)"
        " VALUES (:id, :account, :owner, :sealed_secret, :status, :created_at)",
        {
            "id": key.id,
            "account": key.account,
            "owner": key.owner,
            "sealed_secret": sealed_secret,
            "status": key.status,
            "created_at": key.created_at,
        },
    )
    bump(tx)


def access_key(tx: Transaction, key_id: str) -> tuple[AccessKey, bytes] | None:
    """An access key and its sealed secret."""
    row = tx.one(
        "SELECT id, account, owner, status, created_at, sealed_secret FROM iam_access_keys WHERE id = :id", {"id": key_id}
    )
    return (AccessKey(*row[:5]), bytes(row[5])) if row else None


def access_keys(tx: Transaction, owner: str, after: str = "", limit: int = 1000) -> list[AccessKey]:
    """The keys of a user, by id, after the id `after`."""
    rows = tx.all(
        "SELECT id, account, owner, status, created_at FROM iam_access_keys"
        " WHERE owner = :owner AND id > :after ORDER BY id LIMIT :limit",
        {"owner": owner, "after": after, "limit": limit},
    )
    return [AccessKey(*row) for row in rows]


def set_access_key_status(tx: Transaction, key_id: str, status: str) -> None:
    """Make a key `Active` or `Inactive`."""
    tx.execute("UPDATE iam_access_keys SET status = :status WHERE id = :id", {"status": status, "id": key_id})
    bump(tx)


def delete_access_key(tx: Transaction, key_id: str) -> None:
    """Remove a key for good."""
    tx.execute("DELETE FROM iam_access_keys WHERE id = :id", {"id": key_id})
    bump(tx)


def _identity(row: Row) -> Identity:
    return Identity(
        id=row[0],
        account=row[1],
        kind=IdentityKind(row[2]),
        name=row[3],
        path=row[4],
        created_at=row[5],
        boundary_arn=row[6],
        tags=json.loads(row[7]),
        trust_policy=row[8],
        description=row[9],
        max_session_seconds=row[10],
    )


def _parameters(value: Identity) -> Mapping[str, Any]:
    return {
        "id": value.id,
        "account": value.account,
        "kind": value.kind.value,
        "name": value.name,
        "folded_name": value.name.lower(),
        "path": value.path,
        "created_at": value.created_at,
        "boundary_arn": value.boundary_arn,
        "tags": json.dumps(dict(value.tags)),
        "trust_policy": value.trust_policy,
        "description": value.description,
        "max_session_seconds": value.max_session_seconds,
    }
