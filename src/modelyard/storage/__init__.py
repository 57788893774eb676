"""The database: SQLite in this process, or a PostgreSQL server."""

from pathlib import Path

from modelyard.storage.backup import Manifest, backup, read_manifest, restore
from modelyard.storage.errors import BackupError, ConstraintViolation, MigrationError, StorageError, StorageUnavailable
from modelyard.storage.interface import Storage, Transaction
from modelyard.storage.migrations import migrate
from modelyard.storage.sqlite import SqliteStorage
from modelyard.storage.verification import Verification, verify

__all__ = [
    "BackupError",
    "ConstraintViolation",
    "Manifest",
    "MigrationError",
    "Storage",
    "StorageError",
    "StorageUnavailable",
    "Transaction",
    "Verification",
    "backup",
    "migrate",
    "open_storage",
    "read_manifest",
    "restore",
    "verify",
]


def open_storage(address_or_path: str | Path) -> Storage:
    """Open a database: a `postgresql://` address, or the path of a SQLite file, which is made when it is not there.

    Raises StorageUnavailable when the database cannot be reached.
    """
    if isinstance(address_or_path, str) and address_or_path.startswith(("postgresql://", "postgres://")):
        # Imported when needed: the driver costs memory and start-up time that an embedded server does not owe.
        from modelyard.storage.postgresql import PostgresqlStorage

        return PostgresqlStorage(address_or_path)
    return SqliteStorage(Path(address_or_path))
