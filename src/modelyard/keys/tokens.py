"""Grant tokens: what CreateGrant answers besides the id. A grant counts at once here, so they only have to be genuine."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from modelyard.access.keyring import KeyRingError
from modelyard.dispatch.context import Context
from modelyard.keys.failures import failure

_PURPOSE = "kms grant token"


def grant_token(context: Context, grant_id: str) -> str:
    """A token for a grant."""
    return base64.urlsafe_b64encode(context.dispatcher.authenticator.key_ring.seal(grant_id.encode(), _PURPOSE)).decode("ascii")


def grant_id_of(context: Context, token: str) -> str:
    """The grant that a token is for. Raises InvalidGrantTokenException."""
    try:
        sealed = base64.urlsafe_b64decode(token.encode("ascii"))
        return context.dispatcher.authenticator.key_ring.open_sealed(sealed, _PURPOSE).decode("ascii")
    except (UnicodeEncodeError, binascii.Error, KeyRingError):
        raise failure("InvalidGrantTokenException", "The grant token is not valid.") from None


def check_tokens(context: Context, request: Mapping[str, Any]) -> None:
    """Raise InvalidGrantTokenException unless all tokens that come with a request were made here."""
    for token in request.get("GrantTokens", ()):
        grant_id_of(context, token)
