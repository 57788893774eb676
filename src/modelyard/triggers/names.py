"""What rules, connections, API destinations and schedules are called: their ARNs, and how ARNs of buses are read."""

import re
from dataclasses import dataclass

DEFAULT_BUS = "default"
DEFAULT_GROUP = "default"
_BUS_ARN = re.compile(r"arn:aws[\w-]*:events:([a-z0-9-]+):(\d{12}):event-bus/(.+)")
_RULE_ARN = re.compile(r"arn:aws:events:([a-z0-9-]+):(\d{12}):rule/(?:default/)?([.\-_A-Za-z0-9]{1,64})")


@dataclass(frozen=True, slots=True)
class Place:
    """An account and region, where names are unique."""

    account: str
    region: str

    def rule(self, name: str) -> str:
        """The ARN of a rule on the default bus."""
        return f"arn:aws:events:{self.region}:{self.account}:rule/{name}"

    @property
    def bus(self) -> str:
        """The ARN of the default bus."""
        return f"arn:aws:events:{self.region}:{self.account}:event-bus/{DEFAULT_BUS}"

    def connection(self, name: str, suffix: str = "*") -> str:
        """The ARN of a connection."""
        return f"arn:aws:events:{self.region}:{self.account}:connection/{name}/{suffix}"

    def destination(self, name: str, suffix: str = "*") -> str:
        """The ARN of an API destination."""
        return f"arn:aws:events:{self.region}:{self.account}:api-destination/{name}/{suffix}"

    def schedule(self, name: str) -> str:
        """The ARN of a schedule in the default group."""
        return f"arn:aws:scheduler:{self.region}:{self.account}:schedule/{DEFAULT_GROUP}/{name}"

    def is_default_bus(self, name: str) -> bool:
        """Whether a request means the default bus, by name or by ARN."""
        match = _BUS_ARN.fullmatch(name)
        if match is None:
            return name == DEFAULT_BUS
        return (match[1], match[2], match[3]) == (self.region, self.account, DEFAULT_BUS)


def rule_of(arn: str) -> tuple[Place, str] | None:
    """Place and name of the rule of an ARN."""
    match = _RULE_ARN.fullmatch(arn)
    return None if match is None else (Place(match[2], match[1]), match[3])
