"""The server as clients meet it: its own pages, its proxy, its errors, and how it stops."""


import pytest
from tests.running import RunningYard, both_databases

pytestmark = pytest.mark.ours


@both_databases
def test_get_caller_identity(yard: RunningYard) -> None:
    """A boto3 client with the administrator's key is told who it is."""
    identity = yard.client("sts").get_caller_identity()
    assert identity["Account"] == "111122223333"
