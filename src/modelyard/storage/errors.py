"""What goes wrong with the database itself: never the caller's fault, so none of these is an AwsError.

StorageError                 the database refused a statement
 +- StorageUnavailable       nothing was stored and nothing was acknowledged: disk full, connection lost
 +- ConstraintViolation      a row would break a constraint of the schema
 +- MigrationError           the database and this version of Modelyard do not fit together
 +- BackupError              a backup cannot be made, read or put back

The server answers StorageUnavailable with a 503 that clients try again, and the others as its own fault.
"""


class StorageError(Exception):
    """The database refused a statement."""


class StorageUnavailable(StorageError):
    """The work was not stored and may be tried again."""


class ConstraintViolation(StorageError):
    """A row would break a constraint of the schema."""


class MigrationError(StorageError):
    """The database and this version of Modelyard do not fit together."""


class BackupError(StorageError):
    """A backup cannot be made, read or put back; the message says why in one sentence."""
