"""Tokens of paged answers: where a list goes on, sealed so that only the query it came from can be continued with it."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import orjson

from modelyard.aws.errors import ValidationException

_SEAL_BYTES = 16
_LONGEST = 8192


class Tokens:
    """Makes and opens tokens with one secret; a token carries a cursor in clear and a seal over it and its query."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def seal(self, query_fingerprint: Mapping[str, Any], cursor: list[Any]) -> str:
        """The token that continues the query after `cursor` (JSON values).

        `query_fingerprint` is whatever has to be the same in the next request: account, region, operation, filters, order.
        """
        content = orjson.dumps(cursor)
        return base64.urlsafe_b64encode(self._seal(query_fingerprint, content) + content).decode("ascii").rstrip("=")

    def open(self, token: str, query_fingerprint: Mapping[str, Any]) -> list[Any]:
        """The cursor of a token. Raises ValidationException for one not made here, or for another query."""
        try:
            if len(token) > _LONGEST:
                raise ValueError
            sealed = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        except (binascii.Error, ValueError):
            raise _invalid() from None
        seal, content = sealed[:_SEAL_BYTES], sealed[_SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._seal(query_fingerprint, content)):
            raise _invalid()
        cursor: list[Any] = orjson.loads(content)
        return cursor

    def _seal(self, query_fingerprint: Mapping[str, Any], content: bytes) -> bytes:
        query = orjson.dumps(query_fingerprint, option=orjson.OPT_SORT_KEYS)
        message = len(query).to_bytes(8, "big") + query + content
        return hmac.new(self._secret, message, hashlib.sha256).digest()[:_SEAL_BYTES]


def _invalid() -> ValidationException:
    return ValidationException("The token provided in NextToken is invalid.")
