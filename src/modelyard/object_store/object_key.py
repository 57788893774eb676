"""Keys of objects: any text of 1 to 1,024 bytes, in the order of their UTF-8 bytes, which is that of their code points."""

from urllib.parse import quote

MOST_BYTES = 1024
_LAST = "\U0010ffff"
_BEFORE_SURROGATES = "\ud7ff"
_AFTER_SURROGATES = "\ue000"


def byte_length(key: str) -> int:
    """How long a key is, in bytes of UTF-8."""
    return len(key.encode("utf-8", "surrogatepass"))


def after_prefix(prefix: str) -> str | None:
    """The smallest text that comes after every text that begins with `prefix`; None when nothing does."""
    kept = prefix.rstrip(_LAST)
    if not kept:
        return None
    last = kept[-1]
    # Surrogates are no characters: UTF-8 has no bytes for them.
    following = _AFTER_SURROGATES if last == _BEFORE_SURROGATES else chr(ord(last) + 1)
    return kept[:-1] + following


def url_encoded(text: str) -> str:
    """How a listing shows a key when the caller asked for `encoding-type=url`."""
    return quote(text, safe="/-_.~*")
