"""Amazon Resource Names."""

import re
from dataclasses import dataclass

from modelyard.aws.errors import ValidationException

_ARN = re.compile(r"arn:([^:]*):([^:]*):([^:]*):([^:]*):(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Arn:
    """`arn:partition:service:region:account:resource`; region and account may be empty (S3)."""

    partition: str
    service: str
    region: str
    account: str
    resource: str
    """The rest, which may hold colons and slashes: `model-package/fraud/1`."""

    @classmethod
    def parse(cls, text: str) -> "Arn":
        """Take an ARN apart. Raises ValidationException for what is none."""
        match = _ARN.fullmatch(text)
        if match is None:
            raise ValidationException(f"Invalid ARN: {text[:256]}")
        return cls(*match.groups())

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"
