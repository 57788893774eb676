"""A house on each database, for what jobs promise on both without running: tests of what runs are in tests/clients."""

from tests.contract.endpoints.conftest import hosting, shared_house
from tests.postgresql import postgresql_server

__all__ = ["hosting", "postgresql_server", "shared_house"]
