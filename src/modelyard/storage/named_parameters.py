"""`:name` parameters in the words of psycopg, `%(name)s`."""

import re
from functools import lru_cache

_TOKEN = re.compile(
    r"""
      '(?:[^']|'')*'            # text
    | "(?:[^"]|"")*"            # a quoted name
    | --[^\n]*                  # comments
    | /\*.*?\*/
    | ::                        # a cast
    | :(?P<name>[A-Za-z_]\w*)
    | %
    """,
    re.VERBOSE | re.DOTALL,
)


@lru_cache(maxsize=4096)
def to_pyformat(sql: str) -> str:
    """The statement for psycopg: what looks like a parameter in text, quoted names, comments and casts stays as it is."""
    return _TOKEN.sub(_replacement, sql)


def _replacement(match: re.Match[str]) -> str:
    name = match["name"]
    # psycopg reads a percent sign everywhere, in text as well.
    return f"%({name})s" if name else match[0].replace("%", "%%")
