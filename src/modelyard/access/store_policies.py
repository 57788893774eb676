"""The SQL of policies: inline ones, managed ones with their versions, and what they are attached to."""

import json

from modelyard.access.generation import bump
from modelyard.access.identities import ManagedPolicy, PolicyVersion
from modelyard.storage.interface import Row, Transaction

_POLICY = "arn, id, account, name, path, created_at, updated_at, default_version, description, tags"


def put_inline_policy(tx: Transaction, identity: str, name: str, document: str) -> None:
    """Store an inline policy of a user or role, over one of the same name."""
    tx.execute(
        "INSERT INTO iam_inline_policies (identity, name, document) VALUES (:identity, :name, :document)"
        " ON CONFLICT (identity, name) DO UPDATE SET document = excluded.document",
        {"identity": identity, "name": name, "document": document},
    )
    bump(tx)


def delete_inline_policy(tx: Transaction, identity: str, name: str) -> bool:
    """Remove an inline policy; False when there was none."""
    removed = tx.execute(
        "DELETE FROM iam_inline_policies WHERE identity = :identity AND name = :name", {"identity": identity, "name": name}
    )
    bump(tx)
    return removed > 0


def inline_policy(tx: Transaction, identity: str, name: str) -> str | None:
    """The text of an inline policy."""
    row = tx.one(
        "SELECT document FROM iam_inline_policies WHERE identity = :identity AND name = :name",
        {"identity": identity, "name": name},
    )
    return str(row[0]) if row else None


def inline_policies(tx: Transaction, identity: str, after: str = "", limit: int = 1000) -> list[tuple[str, str]]:
    """Names and texts of inline policies, by name, after the name `after`."""
    rows = tx.all(
        "SELECT name, document FROM iam_inline_policies WHERE identity = :identity AND name > :after ORDER BY name LIMIT :limit",
        {"identity": identity, "after": after, "limit": limit},
    )
    return [(row[0], row[1]) for row in rows]


def add_managed_policy(tx: Transaction, policy: ManagedPolicy, document: str) -> None:
    """Add a managed policy with its first version."""
    tx.execute(
        f"INSERT INTO iam_managed_policies ({_POLICY}, folded_name) VALUES (:arn, :id, :account, :name, :path, :created_at,"
        " :updated_at, :default_version, :description, :tags, :folded_name)",
        {
            "arn": policy.arn,
            "id": policy.id,
            "account": policy.account,
            "name": policy.name,
            "folded_name": policy.name.lower(),
            "path": policy.path,
            "created_at": policy.created_at,
            "updated_at": policy.updated_at,
            "default_version": policy.default_version,
            "description": policy.description,
            "tags": json.dumps(dict(policy.tags)),
        },
    )
    tx.execute(
        "INSERT INTO iam_policy_versions (arn, version, document, created_at) VALUES (:arn, :version, :document, :at)",
        {"arn": policy.arn, "version": policy.default_version, "document": document, "at": policy.created_at},
    )
    bump(tx)


def delete_managed_policy(tx: Transaction, arn: str) -> None:
    """Remove a managed policy that is attached nowhere."""
    tx.execute("DELETE FROM iam_policy_versions WHERE arn = :arn", {"arn": arn})
    tx.execute("DELETE FROM iam_managed_policies WHERE arn = :arn", {"arn": arn})
    bump(tx)


def managed_policy(tx: Transaction, arn: str) -> ManagedPolicy | None:
    """A policy of a customer, by its ARN."""
    row = tx.one(f"SELECT {_POLICY} FROM iam_managed_policies WHERE arn = :arn", {"arn": arn})
    return _policy(row) if row else None


def managed_policy_named(tx: Transaction, account: str, name: str) -> ManagedPolicy | None:
    """A policy of an account, by its name in whatever case."""
    row = tx.one(
        f"SELECT {_POLICY} FROM iam_managed_policies WHERE account = :account AND folded_name = :name",
        {"account": account, "name": name.lower()},
    )
    return _policy(row) if row else None


def managed_policies(tx: Transaction, account: str) -> list[ManagedPolicy]:
    """The policies of an account, of which there are never more than a quota of IAM's."""
    rows = tx.all(f"SELECT {_POLICY} FROM iam_managed_policies WHERE account = :account", {"account": account})
    return [_policy(row) for row in rows]


def managed_policy_count(tx: Transaction, account: str) -> int:
    """How many policies an account has."""
    row = tx.one("SELECT count(*) FROM iam_managed_policies WHERE account = :account", {"account": account})
    return int(row[0]) if row else 0


def policy_version(tx: Transaction, arn: str, version: str) -> PolicyVersion | None:
    """One version of a managed policy."""
    row = tx.one(
        "SELECT version, document, created_at FROM iam_policy_versions WHERE arn = :arn AND version = :version",
        {"arn": arn, "version": version},
    )
    return PolicyVersion(*row) if row else None


def default_document(tx: Transaction, arn: str) -> str | None:
    """The text of a customer's managed policy that is in force."""
    row = tx.one(
        "SELECT v.document FROM iam_managed_policies p"
        " JOIN iam_policy_versions v ON v.arn = p.arn AND v.version = p.default_version WHERE p.arn = :arn",
        {"arn": arn},
    )
    return str(row[0]) if row else None


def attach(tx: Transaction, identity: str, account: str, arn: str, name: str) -> None:
    """Attach a managed policy; harmless when it is attached already."""
    tx.execute(
        "INSERT INTO iam_attachments (identity, policy_arn, policy_name, account) VALUES (:identity, :arn, :name, :account)"
        " ON CONFLICT (identity, policy_arn) DO NOTHING",
        {"identity": identity, "arn": arn, "name": name, "account": account},
    )
    bump(tx)


def detach(tx: Transaction, identity: str, arn: str) -> bool:
    """Detach a managed policy; False when it was not attached."""
    removed = tx.execute(
        "DELETE FROM iam_attachments WHERE identity = :identity AND policy_arn = :arn", {"identity": identity, "arn": arn}
    )
    bump(tx)
    return removed > 0


def attached_policies(tx: Transaction, identity: str, after: str = "", limit: int = 1000) -> list[tuple[str, str]]:
    """ARNs and names of the attached policies, by ARN, after the ARN `after`."""
    rows = tx.all(
        "SELECT policy_arn, policy_name FROM iam_attachments WHERE identity = :identity AND policy_arn > :after"
        " ORDER BY policy_arn LIMIT :limit",
        {"identity": identity, "after": after, "limit": limit},
    )
    return [(row[0], row[1]) for row in rows]


def usage(tx: Transaction, account: str) -> tuple[dict[str, int], dict[str, int]]:
    """How many users and roles of `account` each policy is attached to, and how many it bounds, by ARN."""
    attached = tx.all(
        "SELECT policy_arn, count(*) FROM iam_attachments WHERE account = :account GROUP BY policy_arn", {"account": account}
    )
    bounded = tx.all(
        "SELECT boundary_arn, count(*) FROM iam_identities"
        " WHERE account = :account AND boundary_arn IS NOT NULL GROUP BY boundary_arn",
        {"account": account},
    )
    return dict(attached), dict(bounded)


def _policy(row: Row) -> ManagedPolicy:
    return ManagedPolicy(
        arn=row[0],
        id=row[1],
        account=row[2],
        name=row[3],
        path=row[4],
        created_at=row[5],
        updated_at=row[6],
        default_version=row[7],
        description=row[8],
        tags=json.loads(row[9]),
    )
