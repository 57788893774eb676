"""Tokens of paged answers."""

import base64

import pytest

from modelyard.aws.errors import ValidationException
from modelyard.aws.pagination import Tokens

pytestmark = pytest.mark.ours

QUERY = {"operation": "ListModelPackageGroups", "account": "111122223333", "SortBy": "Name"}


def test_a_token_continues_its_own_query_alone() -> None:
    """It opens to the cursor that it was made of, for the same query and the same server."""
    tokens = Tokens(b"secret")
    token = tokens.seal(QUERY, ["rain", 7, None, 1.5])
    assert tokens.open(token, dict(reversed(QUERY.items()))) == ["rain", 7, None, 1.5]
    for opened, query in ((tokens, {**QUERY, "SortBy": "CreationTime"}), (Tokens(b"another"), QUERY)):
        with pytest.raises(ValidationException):
            opened.open(token, query)
    for broken in ("", "x", "é", token[:-2], token.swapcase(), token * 200, "AAAA" * 3, "AAAA" * 7):
        with pytest.raises(ValidationException):
            tokens.open(broken, QUERY)


def test_a_token_does_not_show_where_it_goes_on() -> None:
    """A page may end at something that the caller may not see: its name is not in the token."""
    token = Tokens(b"secret").seal(QUERY, ["confidential-project", 7])
    read = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert b"confidential" not in read


def test_no_token_looks_like_an_option_of_a_command() -> None:
    """Tokens, receipt handles among them, are arguments of the AWS CLI, which takes what begins with a hyphen for an option."""
    tokens = Tokens(b"secret")
    assert {tokens.seal(QUERY, [number])[0] for number in range(200)} == {"A"}
