"""The SQL of validations of packages."""

import orjson

from modelyard.registry.validation import State, Validation
from modelyard.storage.interface import Row, Transaction

_COLUMNS = "package_id, arn, name, profile, role, definition, state"
MOST = 100
"""Validations that one turn looks at."""


def _validation(row: Row) -> Validation:
    package_id, arn, name, profile, role, definition, state = row
    return Validation(package_id, arn, name, profile, role, orjson.loads(definition), State(state))


def add(tx: Transaction, one: Validation) -> None:
    """Note that a package is to be validated."""
    tx.execute(
        f"INSERT INTO package_validation ({_COLUMNS}) VALUES (:package, :arn, :name, :profile, :role, :definition, :state)",
        {
            "package": one.package_id,
            "arn": one.arn,
            "name": one.name,
            "profile": one.profile,
            "role": one.role,
            "definition": orjson.dumps(one.definition).decode(),
            "state": one.state,
        },
    )


def all_of_them(tx: Transaction, after: int = 0) -> list[Validation]:
    """Those that are not over, the oldest first: those of packages behind one, as many as one turn looks at."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM package_validation WHERE package_id > :after ORDER BY package_id LIMIT {MOST}", {"after": after}
    )
    return [_validation(row) for row in rows]


def put_state(tx: Transaction, package_id: int, state: State, *, before: State | None = None) -> bool:
    """How far a validation is; False when it is over, or was not in the state before."""
    condition = "" if before is None else " AND state = :before"
    parameters = {"state": state, "package": package_id} | ({} if before is None else {"before": before})
    return bool(tx.execute(f"UPDATE package_validation SET state = :state WHERE package_id = :package{condition}", parameters))


def remove(tx: Transaction, package_id: int) -> bool:
    """A validation is over; False when it already was."""
    return bool(tx.execute("DELETE FROM package_validation WHERE package_id = :package", {"package": package_id}))
