"""Records of the audit trail as look-ups want and show them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Record = Mapping[str, Any]

SUCCESS = "Success"
REFUSED = "Refused"
FAILED = "Failed"

_MEMBERS = {
    "request": "RequestId",
    "account": "Account",
    "region": "Region",
    "principal": "PrincipalArn",
    "principal_id": "PrincipalId",
    "source": "SourceIp",
    "agent": "UserAgent",
    "service": "Service",
    "operation": "Operation",
    "read_only": "ReadOnly",
    "resources": "Resources",
    "outcome": "Outcome",
    "message": "Message",
    "refused": "RefusedAction",
    "reason": "Reason",
    "within": "Within",
    "made": "Made",
    "sequence": "Sequence",
    "time": "Time",
}
"""Members of a record, and what AuditEvent calls them."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a look-up is after; what is None does not matter."""

    account: str
    """Whose records: those of calls that it made, or that were about what it owns."""
    principal: str | None = None
    service: str | None = None
    operation: str | None = None
    resource: str | None = None
    outcome: str | None = None
    """`Success`, `Refused` or `Failed`."""

    @property
    def subject(self) -> str:
        """What is looked up: the rarest that is given."""
        return self.resource or self.principal or self.account

    def matches(self, record: Record) -> bool:
        """Whether a record is wanted."""
        return (
            self.account in (record["account"], *record.get("owners", ()))
            and self.principal in (None, record["principal"])
            and self.service in (None, record["service"])
            and self.operation in (None, record["operation"])
            and (self.resource is None or concerns(record, self.resource))
            and self.outcome in (None, outcome(record))
        )


def concerns(record: Record, arn: str) -> bool:
    """Whether a record is about a resource. SageMaker's names are the same in any case, other services' are not."""
    found = [*record["resources"], *record.get("made", {}).values()]
    if arn.split(":", 3)[2:3] == ["sagemaker"]:
        return arn.lower() in [each.lower() for each in found]
    return arn in found


def outcome(record: Record) -> str:
    """How a call ended."""
    if record["outcome"] == SUCCESS:
        denied = any(one.get("Code") == "AccessDenied" for one in record.get("errors", ()))
        return REFUSED if denied else SUCCESS
    refused = "refused" in record or record.get("authenticated") is False or record["outcome"].startswith("AccessDenied")
    return REFUSED if refused else FAILED


def shown(record: Record, document: str) -> dict[str, Any]:
    """An AuditEvent."""
    event = {shown_as: record[member] for member, shown_as in _MEMBERS.items() if member in record}
    return {**event, "Record": document}
