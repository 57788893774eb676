"""The managed policies that AWS has in every account, as far as people attach them here.

Their texts are Modelyard's own (`managed_policies.json`): the same intent, for the services that exist here.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib import resources

from modelyard.access import store_policies
from modelyard.access.identities import AWS_POLICY_PREFIX, ManagedPolicy, PolicyVersion
from modelyard.storage.interface import Transaction

CREATED_AT = 1704067200.0
"""2024-01-01, when these policies say they were made."""


@cache
def aws_managed_policies() -> Mapping[str, tuple[ManagedPolicy, str]]:
    """Every policy of AWS's that is known here with its text, by ARN."""
    data = json.loads(resources.files("modelyard.access").joinpath("managed_policies.json").read_text(encoding="utf-8"))
    return {arn: (_policy(arn, entry["description"]), json.dumps(entry["document"])) for arn, entry in data["policies"].items()}


def find_policy(tx: Transaction, arn: str) -> ManagedPolicy | None:
    """A managed policy, AWS's or a customer's."""
    if arn.startswith(AWS_POLICY_PREFIX):
        known = aws_managed_policies().get(arn)
        return known[0] if known else None
    return store_policies.managed_policy(tx, arn)


def find_document(tx: Transaction, arn: str) -> str | None:
    """The text in force of a managed policy, AWS's or a customer's."""
    if arn.startswith(AWS_POLICY_PREFIX):
        known = aws_managed_policies().get(arn)
        return known[1] if known else None
    return store_policies.default_document(tx, arn)


def find_version(tx: Transaction, arn: str, version: str) -> PolicyVersion | None:
    """One version of a managed policy, AWS's or a customer's."""
    if not arn.startswith(AWS_POLICY_PREFIX):
        return store_policies.policy_version(tx, arn, version)
    known = aws_managed_policies().get(arn)
    if known is None or version != known[0].default_version:
        return None
    return PolicyVersion(version=version, document=known[1], created_at=known[0].created_at)


def _policy(arn: str, description: str) -> ManagedPolicy:
    path, _, name = arn.removeprefix(AWS_POLICY_PREFIX[:-1]).rpartition("/")
    letters = base64.b32encode(hashlib.sha256(arn.encode()).digest()).decode()
    return ManagedPolicy(
        arn=arn,
        id="ANPA" + letters[:17],
        account="aws",
        name=name,
        path=path + "/",
        created_at=CREATED_AT,
        updated_at=CREATED_AT,
        default_version="v1",
        description=description,
    )
