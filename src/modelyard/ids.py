"""Identifiers, passed in like the time, so that tests can foretell them."""

import os
import secrets
import string
import uuid
from typing import Protocol

LOWER_AND_DIGITS = string.ascii_lowercase + string.digits
BASE32 = string.ascii_uppercase + "234567"


class Ids(Protocol):
    """Makes identifiers."""

    def request_id(self) -> str:
        """A UUID in AWS's textual form."""
        ...

    def text(self, alphabet: str, length: int) -> str:
        """`length` characters drawn from `alphabet`, unguessable."""
        ...


class RandomIds:
    """Identifiers from the operating system's random source."""

    def request_id(self) -> str:
        """A random UUID (version 4), written without the detour over a UUID object: every request takes one."""
        digits = os.urandom(16).hex()
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{'89ab'[int(digits[16], 16) & 3]}{digits[17:20]}-{digits[20:]}"

    def text(self, alphabet: str, length: int) -> str:
        """`length` characters drawn from `alphabet`, unguessable."""
        return "".join(secrets.choice(alphabet) for _ in range(length))


class CountingIds:
    """Identifiers that count up, for tests."""

    def __init__(self) -> None:
        self._count = 0

    def request_id(self) -> str:
        """The next number as a UUID."""
        self._count += 1
        return str(uuid.UUID(int=self._count))

    def text(self, alphabet: str, length: int) -> str:
        """The next number written in `alphabet`, padded to `length`."""
        self._count += 1
        number, digits = self._count, []
        for _ in range(length):
            number, digit = divmod(number, len(alphabet))
            digits.append(alphabet[digit])
        return "".join(reversed(digits))
