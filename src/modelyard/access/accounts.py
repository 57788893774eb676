"""Making an account: its administrator, with a key, and the role that jobs run under. Used by the CLI, without HTTP."""

import json
import re
from dataclasses import dataclass
from typing import Final

from modelyard.access import store, store_policies
from modelyard.access.credentials import SECRET_PURPOSE
from modelyard.access.identities import (
    AWS_POLICY_PREFIX,
    AccessKey,
    Identity,
    IdentityKind,
    new_access_key_id,
    new_id,
    new_secret,
)
from modelyard.access.keyring import KeyRing
from modelyard.access.sessions import SessionCredentials, issue, new_session
from modelyard.ids import Ids
from modelyard.storage.interface import Transaction

ADMINISTRATOR: Final = "administrator"
EXECUTION_ROLE: Final = "ModelyardExecutionRole"
LONGEST_SESSION: Final = 43_200
_ACCOUNT: Final = re.compile(r"[0-9]{12}")


class AccountError(Exception):
    """An account cannot be made or used; the sentence says why."""


@dataclass(frozen=True, slots=True)
class AdministratorCredentials:
    """What `modelyard init` writes down: the only time the secret is seen."""

    account: str
    user_name: str
    user_arn: str
    access_key_id: str
    secret_access_key: str
    role_arn: str
    """The account's execution role, which the administrator may assume."""


def create_account(
    tx: Transaction, key_ring: KeyRing, account: str, *, ids: Ids, now: float, administrator: str = ADMINISTRATOR
) -> AdministratorCredentials:
    """Make an account with an administrator and an execution role. Raises AccountError."""
    if not _ACCOUNT.fullmatch(account):
        raise AccountError(f"An account is a number of 12 digits, not '{account}'.")
    if store.has_account(tx, account):
        raise AccountError(f"The account {account} exists already.")
    store.add_account(tx, account, now)
    user = Identity(new_id(ids, "AIDA"), account, IdentityKind.USER, administrator, "/", now)
    store.add_identity(tx, user)
    _attach(tx, user, "AdministratorAccess")
    role = _execution_role(tx, account, user, ids, now)
    key, secret = add_access_key(tx, key_ring, account, user.id, ids=ids, now=now)
    return AdministratorCredentials(account, user.name, user.arn, key.id, secret, role.arn)


def add_access_key(
    tx: Transaction, key_ring: KeyRing, account: str, owner: str, *, ids: Ids, now: float
) -> tuple[AccessKey, str]:
    """Make a key for a user (by id), or for the root of the account (by its number); the key and its secret."""
    key, secret = AccessKey(new_access_key_id(ids, "AKIA"), account, owner, "Active", now), new_secret(ids)
    store.add_access_key(tx, key, key_ring.seal(secret.encode("ascii"), SECRET_PURPOSE))
    return key, secret


def execution_role_credentials(
    tx: Transaction,
    key_ring: KeyRing,
    account: str,
    *,
    ids: Ids,
    now: float,
    session_name: str = "modelyard",
    seconds: float = LONGEST_SESSION,
    role_name: str = EXECUTION_ROLE,
) -> SessionCredentials:
    """Temporary credentials of a role, for the operator of this server. Raises AccountError when there is no such role."""
    role = store.identity(tx, account, IdentityKind.ROLE, role_name)
    if role is None:
        raise AccountError(f"The account {account} has no role {role_name}.")
    session = new_session(
        ids, account=account, identity=role.id, session_name=session_name, issued_at=now, expires_at=now + seconds
    )
    return issue(key_ring, session)


def _execution_role(tx: Transaction, account: str, administrator: Identity, ids: Ids, now: float) -> Identity:
    services = ["sagemaker.amazonaws.com", "lambda.amazonaws.com", "scheduler.amazonaws.com"]
    trusted = {"Service": services, "AWS": administrator.arn}
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"}],
    }
    role = Identity(
        id=new_id(ids, "AROA"),
        account=account,
        kind=IdentityKind.ROLE,
        name=EXECUTION_ROLE,
        path="/",
        created_at=now,
        trust_policy=json.dumps(trust),
        description="SageMaker jobs, pipelines and their schedules, endpoints and functions run under this role.",
        max_session_seconds=LONGEST_SESSION,
    )
    store.add_identity(tx, role)
    _attach(tx, role, "AmazonSageMakerFullAccess")
    store_policies.put_inline_policy(tx, role.id, "ExecutionRole", json.dumps(_execution_policy(role.arn)))
    return role


def _execution_policy(role_arn: str) -> dict[str, object]:
    """What AmazonSageMakerFullAccess leaves out: any bucket, functions, queues, events, keys, and passing the role itself on.

    Not the rules and contracts of groups: code that runs under the role would otherwise set what it is judged by.
    """
    names = ("s3", "lambda", "sqs", "sns", "events", "scheduler", "ecr", "kms", "logs", "cloudwatch")
    services = [f"{name}:*" for name in names]
    extras = ["Describe*", "Get*", "List*", "LookupEvents", "ExplainAccess", "Verify*", "ResolveImage", "BuildImage"]
    extras += ["PutVersion*", "DeleteServingVersion", "RestoreEndpoint", "RollbackEndpoint"]
    services += [f"modelyard:{name}" for name in extras]
    identity = ["iam:GetRole", "iam:ListRoles", "iam:PassRole", "iam:SimulatePrincipalPolicy", "iam:ListAttachedRolePolicies"]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": services, "Resource": "*"},
            {"Effect": "Allow", "Action": identity, "Resource": role_arn},
        ],
    }


def _attach(tx: Transaction, identity: Identity, name: str) -> None:
    store_policies.attach(tx, identity.id, identity.account, AWS_POLICY_PREFIX + name, name)
