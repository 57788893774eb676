"""The operations of STS and IAM; importing this fills the table."""

from modelyard.identity.operations import (
    access_keys,
    attachments,
    inline_policies,
    managed_policies,
    roles,
    sessions,
    simulation,
    tags,
    users,
)

__all__ = [
    "access_keys",
    "attachments",
    "inline_policies",
    "managed_policies",
    "roles",
    "sessions",
    "simulation",
    "tags",
    "users",
]
