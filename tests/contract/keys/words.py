"""Small words for the tests of KMS."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from modelyard.aws.errors import AwsError


@contextmanager
def refused(code: str, match: str = "") -> Iterator[None]:
    """The block ends in this error."""
    with pytest.raises(AwsError, match=match or None) as caught:
        yield
    assert caught.value.code == code


def statement(principal: str, *actions: str, effect: str = "Allow", **elements: Any) -> dict[str, Any]:
    """A statement of a key policy."""
    return {"Effect": effect, "Principal": {"AWS": principal}, "Action": list(actions), "Resource": "*", **elements}


def document(*statements: dict[str, Any]) -> str:
    """A policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def identity(*actions: str) -> str:
    """An identity policy that allows these actions on everything."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]})
