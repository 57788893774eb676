"""Idempotency: the same ClientToken with the same request gets the same answer, and nothing new is made.

boto3 sends a token with every operation whose model has one, so a retry after a lost answer cannot register twice.
"""

import base64
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import orjson

from modelyard.aws.catalogue import OperationModel
from modelyard.aws.errors import ConflictException
from modelyard.dispatch.context import Context
from modelyard.storage.interface import Transaction

KEPT_SECONDS = 24 * 3600.0
"""How long an answer is remembered: longer than any client retries."""


def once(
    context: Context, model: OperationModel, token: str, request: dict[str, Any], perform: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """The answer given to `token` before, or that of `perform`, remembered in the same transaction.

    Raises ConflictException when the token came with another request before.
    """
    tx = context.tx
    key = sha256("\0".join((context.account, context.region, model.service, model.name, token)).encode()).digest()[:16]
    content = {name: value for name, value in request.items() if name != model.idempotency_token}
    digest = sha256(orjson.dumps(content, default=_bytes_as_text, option=orjson.OPT_SORT_KEYS)).digest()[:16]
    earlier = tx.one("SELECT request_digest, response, created FROM client_token WHERE token_digest = :key", {"key": key})
    if earlier is not None and earlier[2] > context.now - KEPT_SECONDS:
        if bytes(earlier[0]) != digest:
            raise ConflictException(f"The {model.idempotency_token} {token} was already used for a different request.")
        answer: dict[str, Any] = orjson.loads(earlier[1])
        return answer
    if earlier is not None:
        tx.execute("DELETE FROM client_token WHERE token_digest = :key", {"key": key})
    result = perform()
    tx.execute(
        "INSERT INTO client_token (token_digest, request_digest, response, created) VALUES (:key, :digest, :response, :now)",
        {"key": key, "digest": digest, "response": orjson.dumps(result).decode(), "now": context.now},
    )
    _forget_two_expired(tx, context.now - KEPT_SECONDS)
    return result


def _forget_two_expired(tx: Transaction, limit: float) -> None:
    """Each new token clears away up to two old ones, so the table never grows past a day's worth."""
    for number, created in tx.all("SELECT id, created FROM client_token ORDER BY id LIMIT 2"):
        if created < limit:
            tx.execute("DELETE FROM client_token WHERE id = :id", {"id": number})


def _bytes_as_text(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} has no place in a request")
