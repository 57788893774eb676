"""Tokens of paged answers: where a list goes on, sealed so that only the query it came from can be continued with it."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from modelyard.aws.errors import ValidationException

_NONCE_BYTES = 12
_FIRST = b"\x01"
"""What tokens begin with, so that none begins with a hyphen: command lines would take it for an option."""
_LONGEST = 8192


class Tokens:
    """Makes and opens tokens with one secret.

    A token carries a cursor, encrypted and bound to its query: a list that shows some of its rows may have to go on after one
    that it does not show, whose name or time is not to be read off the token.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._cipher = AESGCM(hmac.digest(secret, b"modelyard token 1", "sha256"))

    def seal(self, query_fingerprint: Mapping[str, Any], cursor: list[Any]) -> str:
        """The token that continues the query after `cursor` (JSON values).

        `query_fingerprint` is whatever has to be the same in the next request: account, region, operation, filters, order.
        """
        query, content = _query(query_fingerprint), orjson.dumps(cursor)
        # Worked out from what it is for, so that no two things have one nonce, and the same place has the same token.
        nonce = hmac.digest(self._secret, len(query).to_bytes(8, "big") + query + content, hashlib.sha256)[:_NONCE_BYTES]
        sealed = _FIRST + nonce + self._cipher.encrypt(nonce, content, query)
        return base64.urlsafe_b64encode(sealed).decode("ascii").rstrip("=")

    def open(self, token: str, query_fingerprint: Mapping[str, Any]) -> list[Any]:
        """The cursor of a token. Raises ValidationException for one not made here, or for another query."""
        try:
            if len(token) > _LONGEST:
                raise ValueError
            sealed = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
            if not sealed.startswith(_FIRST):
                raise ValueError
        except (binascii.Error, ValueError):
            raise _invalid() from None
        nonce, encrypted = sealed[len(_FIRST) :][:_NONCE_BYTES], sealed[len(_FIRST) + _NONCE_BYTES :]
        try:
            content = self._cipher.decrypt(nonce, encrypted, _query(query_fingerprint))
        except (InvalidTag, ValueError):
            raise _invalid() from None
        cursor: list[Any] = orjson.loads(content)
        return cursor


def _query(fingerprint: Mapping[str, Any]) -> bytes:
    return orjson.dumps(fingerprint, option=orjson.OPT_SORT_KEYS)


def _invalid() -> ValidationException:
    return ValidationException("The token provided in NextToken is invalid.")
