"""Links to layers: addresses on the server itself that anybody may read for a while, as presigned addresses are."""

from modelyard.aws.pagination import Tokens

PATH = "/_modelyard/layers/"
LIFETIME_SECONDS = 3600.0
_QUERY = {"page": "layer"}


def path(tokens: Tokens, digest: str, now: float) -> str:
    """The path of a link to the bytes of `digest`, from now on."""
    return PATH + tokens.seal(_QUERY, [digest, now + LIFETIME_SECONDS])


def digest_of(tokens: Tokens, sealed: str, now: float) -> str | None:
    """The bytes that a link leads to; None when it is over. Raises ValidationException for one that was not made here."""
    digest, expires = tokens.open(sealed, _QUERY)
    return digest if now < expires else None
