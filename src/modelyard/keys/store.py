"""All the SQL of keys, aliases and grants."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from modelyard.keys.grant import Constraints, KeyGrant
from modelyard.keys.key import Key, KeyState
from modelyard.storage.interface import Row, Transaction

_KEY = (
    "SELECT k.account, k.region, k.key_id, k.created, k.state, k.description, k.policy, k.material, k.deletion_date"
    " FROM kms_key k"
)
_HERE = "k.account = :account AND k.region = :region AND (k.deletion_date IS NULL OR k.deletion_date > :now)"
_GRANT = (
    "SELECT id, grant_id, key_id, name, created, issuing_account, grantee_kind, grantee, retiring_kind, retiring, operations,"
    " constraints FROM kms_grant"
)


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name of a key."""

    name: str
    """With its prefix."""
    key_id: str
    created: float | None
    """None for one of AWS's own."""
    updated: float | None


def key(tx: Transaction, account: str, region: str, key_id: str, now: float) -> Key | None:
    """A key by its id; one whose deletion is due is gone."""
    row = tx.one(f"{_KEY} WHERE k.key_id = :key AND {_HERE}", {"key": key_id, "account": account, "region": region, "now": now})
    return None if row is None else _key(row)


def key_of_alias(tx: Transaction, account: str, region: str, alias: str, now: float) -> Key | None:
    """The key that an alias leads to."""
    row = tx.one(
        f"{_KEY} JOIN kms_alias a ON a.key_id = k.key_id WHERE a.account = :account AND a.region = :region AND a.name = :alias"
        f" AND {_HERE}",
        {"alias": alias, "account": account, "region": region, "now": now},
    )
    return None if row is None else _key(row)


def key_ids(tx: Transaction, account: str, region: str, after: str, most: int, now: float) -> list[str]:
    """The ids of an account's keys, in order."""
    rows = tx.all(
        f"SELECT k.key_id FROM kms_key k WHERE k.key_id > :after AND {_HERE} ORDER BY k.key_id LIMIT :most",
        {"account": account, "region": region, "after": after, "most": most, "now": now},
    )
    return [key_id for (key_id,) in rows]


def add_key(tx: Transaction, new: Key) -> None:
    """Keep a new key."""
    tx.execute(
        "INSERT INTO kms_key (key_id, account, region, created, state, description, policy, material)"
        " VALUES (:key, :account, :region, :created, :state, :description, :policy, :material)",
        {
            "key": new.key_id,
            "account": new.account,
            "region": new.region,
            "created": new.created,
            "state": new.state.value,
            "description": new.description,
            "policy": new.policy,
            "material": new.sealed_material,
        },
    )


def set_state(tx: Transaction, key: Key, state: KeyState, deletion_date: float | None = None) -> None:
    """Enable, disable, or let a key wait for its deletion."""
    tx.execute(
        "UPDATE kms_key SET state = :state, deletion_date = :date WHERE key_id = :key",
        {"key": key.key_id, "state": state.value, "date": deletion_date},
    )


def set_policy(tx: Transaction, key: Key, policy: str) -> None:
    """Keep a key's policy as it was given."""
    tx.execute("UPDATE kms_key SET policy = :policy WHERE key_id = :key", {"key": key.key_id, "policy": policy})


def set_description(tx: Transaction, key: Key, description: str) -> None:
    """Describe a key otherwise."""
    tx.execute("UPDATE kms_key SET description = :text WHERE key_id = :key", {"key": key.key_id, "text": description})


def due_keys(tx: Transaction, now: float, most: int) -> list[Key]:
    """Keys whose deletion is due."""
    return [_key(row) for row in tx.all(f"{_KEY} WHERE k.deletion_date <= :now LIMIT :most", {"now": now, "most": most})]


def erase(tx: Transaction, key: Key) -> None:
    """Remove a key with its material, its aliases and grants: what was encrypted under it is lost."""
    for table in ("kms_grant", "kms_alias", "kms_key"):
        tx.execute(f"DELETE FROM {table} WHERE key_id = :key", {"key": key.key_id})


def alias(tx: Transaction, account: str, region: str, name: str) -> Alias | None:
    """An alias of an account."""
    row = tx.one(
        "SELECT name, key_id, created, updated FROM kms_alias WHERE account = :account AND region = :region AND name = :name",
        {"account": account, "region": region, "name": name},
    )
    return None if row is None else Alias(*row)


def aliases(tx: Transaction, account: str, region: str, after: str, most: int) -> list[Alias]:
    """An account's aliases, in order of their names."""
    rows = tx.all(
        "SELECT name, key_id, created, updated FROM kms_alias WHERE account = :account AND region = :region AND name > :after"
        " ORDER BY name LIMIT :most",
        {"account": account, "region": region, "after": after, "most": most},
    )
    return [Alias(*row) for row in rows]


def aliases_of_key(tx: Transaction, key_id: str, after: str = "", most: int = 1000) -> list[Alias]:
    """The aliases of one key, in order of their names."""
    rows = tx.all(
        "SELECT name, key_id, created, updated FROM kms_alias WHERE key_id = :key AND name > :after ORDER BY name LIMIT :most",
        {"key": key_id, "after": after, "most": most},
    )
    return [Alias(*row) for row in rows]


def add_alias(tx: Transaction, account: str, region: str, name: str, key_id: str, now: float) -> None:
    """Give a key another name."""
    tx.execute(
        "INSERT INTO kms_alias (account, region, name, key_id, created, updated)"
        " VALUES (:account, :region, :name, :key, :now, :now)",
        {"account": account, "region": region, "name": name, "key": key_id, "now": now},
    )


def move_alias(tx: Transaction, account: str, region: str, name: str, key_id: str, now: float) -> None:
    """Let an alias lead to another key."""
    tx.execute(
        "UPDATE kms_alias SET key_id = :key, updated = :now WHERE account = :account AND region = :region AND name = :name",
        {"account": account, "region": region, "name": name, "key": key_id, "now": now},
    )


def remove_alias(tx: Transaction, account: str, region: str, name: str) -> None:
    """Forget an alias; its key stays."""
    tx.execute(
        "DELETE FROM kms_alias WHERE account = :account AND region = :region AND name = :name",
        {"account": account, "region": region, "name": name},
    )


def grant(tx: Transaction, grant_id: str) -> KeyGrant | None:
    """A grant by its id."""
    row = tx.one(f"{_GRANT} WHERE grant_id = :grant", {"grant": grant_id})
    return None if row is None else _grant(row)


def grants(tx: Transaction, key_id: str, after: int, most: int, grant_id: str, grantee: tuple[str, str] | None) -> list[KeyGrant]:
    """The grants on a key in the order they were made; all of them unless an id or a grantee is given."""
    kind, name = grantee or ("", "")
    rows = tx.all(
        f"{_GRANT} WHERE key_id = :key AND id > :after AND (:grant = '' OR grant_id = :grant)"
        " AND (:name = '' OR (grantee = :name AND grantee_kind = :kind)) ORDER BY id LIMIT :most",
        {"key": key_id, "after": after, "grant": grant_id, "kind": kind, "name": name, "most": most},
    )
    return [_grant(row) for row in rows]


def grants_to(tx: Transaction, key_id: str, grantees: Iterable[str]) -> list[KeyGrant]:
    """The grants on a key to any of these principals."""
    named = {f"grantee_{number}": grantee for number, grantee in enumerate(grantees)}
    condition = ", ".join(f":{name}" for name in named)
    rows = tx.all(f"{_GRANT} WHERE key_id = :key AND grantee IN ({condition}) ORDER BY id", {"key": key_id, **named})
    return [_grant(row) for row in rows]


def retirable_grants(
    tx: Transaction, retiring: tuple[str, str], region: str, after: int, most: int
) -> list[tuple[KeyGrant, str]]:
    """The grants in a region that a principal may retire, each with the account of its key."""
    rows = tx.all(
        f"{_GRANT} WHERE retiring = :name AND retiring_kind = :kind AND id > :after AND key_id IN"
        " (SELECT key_id FROM kms_key WHERE region = :region) ORDER BY id LIMIT :most",
        {"name": retiring[1], "kind": retiring[0], "region": region, "after": after, "most": most},
    )
    found = [_grant(row) for row in rows]
    return [(one, account_of_key(tx, one.key_id)) for one in found]


def account_of_key(tx: Transaction, key_id: str) -> str:
    """The account that owns a key, which there is."""
    row = tx.one("SELECT account FROM kms_key WHERE key_id = :key", {"key": key_id})
    assert row is not None, "a grant refers to its key"
    account: str = row[0]
    return account


def add_grant(tx: Transaction, new: KeyGrant) -> None:
    """Keep a new grant."""
    retiring = new.retiring or ("", "")
    tx.execute(
        "INSERT INTO kms_grant (grant_id, key_id, name, created, issuing_account, grantee_kind, grantee, retiring_kind, retiring,"
        " operations, constraints) VALUES (:grant, :key, :name, :created, :issuer, :kind, :grantee, :retiring_kind, :retiring,"
        " :operations, :constraints)",
        {
            "grant": new.grant_id,
            "key": new.key_id,
            "name": new.name,
            "created": new.created,
            "issuer": new.issuing_account,
            "kind": new.grantee[0],
            "grantee": new.grantee[1],
            "retiring_kind": retiring[0],
            "retiring": retiring[1],
            "operations": orjson.dumps(new.operations).decode(),
            "constraints": orjson.dumps(new.constraints.members()).decode(),
        },
    )


def remove_grant(tx: Transaction, old: KeyGrant) -> None:
    """End a grant."""
    tx.execute("DELETE FROM kms_grant WHERE grant_id = :grant", {"grant": old.grant_id})


def _key(row: Row) -> Key:
    account, region, key_id, created, state, description, policy, material, deletion_date = row
    return Key(account, region, key_id, created, KeyState(state), description, policy, bytes(material), deletion_date)


def _grant(row: Row) -> KeyGrant:
    operations: list[str] = orjson.loads(row[10])
    constraints: dict[str, Any] = orjson.loads(row[11])
    return KeyGrant(
        id=row[0],
        grant_id=row[1],
        key_id=row[2],
        name=row[3],
        created=row[4],
        issuing_account=row[5],
        grantee=(row[6], row[7]),
        retiring=(row[8], row[9]) if row[9] else None,
        operations=tuple(operations),
        constraints=Constraints.of(constraints),
    )
