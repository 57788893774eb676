"""Tokens of CloudWatch's lists."""

from typing import Any

from modelyard.aws.errors import ValidationException
from modelyard.dispatch.context import Context
from modelyard.metrics.errors import invalid_token


def open_token(context: Context, token: str, query: dict[str, Any]) -> list[Any]:
    """The cursor of a token. Raises InvalidNextToken for one not issued here, or for another query."""
    try:
        return context.tokens.open(token, _whose(context, query))
    except ValidationException:
        raise invalid_token() from None


def seal_token(context: Context, query: dict[str, Any], cursor: list[Any]) -> str:
    """The token that goes on behind `cursor`."""
    return context.tokens.seal(_whose(context, query), cursor)


def _whose(context: Context, query: dict[str, Any]) -> dict[str, Any]:
    return {"account": context.account, "region": context.region, **query}
