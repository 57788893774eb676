"""A record of the audit trail as bytes: canonical JSON, its hash, and how large it may be.

A record is a JSON object with its members in the order of their names, no white space, in UTF-8. It holds its number in the
chain (`sequence`, from 1, without a gap) and the hash of the record before it (`previous`). The hash of a record is the SHA-256
of exactly these bytes, so a line of an export is checked with any tool that can hash a line.

Its other members: `time` (when it was recorded, in epoch seconds), `request`, `account`, `region`, `principal`, `principal_id`,
`source`, `agent`, `service`, `operation`, `parameters`, `resources` (ARNs that were asked for), `outcome` (`Success` or an
error's code), `read_only`; and where they apply `owners` (other accounts whose resources were asked for), `made` (identifiers out
of the answer), `message`, `refused` (the action that was not allowed) and `reason`, `within` (the operation that made the call),
`repeated` (a ClientToken seen before: nothing was done again), `authenticated` (false: the signature was refused), `access_key`,
`errors` (what an operation on many things could not do),
`left_out` (parameters that were too large), `left_out_before` (refused signatures that were not recorded one by one).
"""

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

GENESIS = "0" * 64
"""What the first record names as the hash before it."""
MOST_BYTES = 32 * 1024
"""Of one record; parameters beyond it are shortened, which the record says in their place."""
LONGEST_TEXT = 512
LONGEST_LIST = 16
SUCCESS = "Success"

Record = dict[str, Any]


def canonical(record: Mapping[str, Any]) -> bytes:
    """The record as the bytes that are hashed, shortened where it is too large."""
    content = _bytes(record)
    if len(content) <= MOST_BYTES:
        return content
    parameters = _shortened(record.get("parameters", {}))
    shorter = {**record, "parameters": parameters}
    while len(content := _bytes(shorter)) > MOST_BYTES and parameters:
        largest = max(parameters, key=lambda name: len(_bytes(parameters[name])))
        parameters.pop(largest)
        shorter["left_out"] = [*shorter.get("left_out", []), largest]
    return content


def digest(document: bytes) -> bytes:
    """The hash of a record."""
    return hashlib.sha256(document).digest()


def subjects_of(record: Mapping[str, Any]) -> set[int]:
    """What a record is found by: accounts, the principal, resources."""
    names = [record["account"], record["principal"], *record["resources"], *record.get("owners", ())]
    names += [value for value in record.get("made", {}).values() if value.startswith("arn:")]
    return {subject_key(name) for name in names}


@lru_cache(maxsize=4096)
def subject_key(name: str) -> int:
    """A small number for an account, a principal or a resource, without regard to case; others may share it."""
    return int.from_bytes(hashlib.sha256(name.lower().encode("utf-8", "surrogatepass")).digest()[:8], "big", signed=True)


def _bytes(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        # Numbers of more than 64 bits, and text that is not Unicode: rare, and only in what is refused anyway.
        plain = json.dumps(value, default=repr, ensure_ascii=False).encode("utf-8", "replace")
        return orjson.dumps(json.loads(plain, parse_int=_small), option=orjson.OPT_SORT_KEYS)


def _small(digits: str) -> int | str:
    return int(digits) if len(digits) < 19 else digits


def _shortened(value: Any) -> Any:
    """The value with long texts and long lists cut off, each saying so."""
    if isinstance(value, dict):
        return {name: _shortened(member) for name, member in value.items()}
    if isinstance(value, list):
        kept = [_shortened(element) for element in value[:LONGEST_LIST]]
        return kept if len(value) <= LONGEST_LIST else [*kept, f"(and {len(value) - LONGEST_LIST} more)"]
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return f"{value[:LONGEST_TEXT]}(and {len(value) - LONGEST_TEXT} characters more)"
    return value
