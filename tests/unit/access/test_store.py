"""Identities in the database, and how fast what changes there counts for callers."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.access.signing import ACCOUNT, NOW, Guard

from modelyard.access import generation, store, store_policies
from modelyard.access.accounts import AccountError, create_account, execution_role_credentials
from modelyard.access.credentials import Credentials, CredentialSource
from modelyard.access.evaluation import decide
from modelyard.access.generation import GenerationReader
from modelyard.access.identities import Identity, IdentityKind
from modelyard.access.managed import aws_managed_policies
from modelyard.access.permission import Permission, RequestFacts, Resource
from modelyard.access.policy import parse_policy
from modelyard.access.roles import pass_role, service_may_assume
from modelyard.storage import open_storage
from modelyard.storage.interface import Row, Transaction

pytestmark = pytest.mark.ours
FACTS = RequestFacts(now=NOW, region="us-east-1", source_ip="127.0.0.1", secure_transport=False)
DENY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}'
OTHER = "444455556666"


def find(guard: Guard, source: CredentialSource, now: float = NOW) -> Credentials | None:
    with guard.storage.read() as tx:
        return source.find(tx, guard.administrator.access_key_id, now)


def test_an_account_begins_with_an_administrator_and_a_role(guard: Guard) -> None:
    """The administrator may do everything; the execution role trusts SageMaker, Lambda and the administrator."""
    principal = find(guard, CredentialSource(guard.key_ring)).principal  # type: ignore[union-attr]
    anything = Permission("sagemaker:CreateModelPackageGroup", Resource("arn:aws:sagemaker:us-east-1:111122223333:x/y", ACCOUNT))
    assert decide(principal, anything, FACTS).allowed
    with guard.storage.read() as tx:
        role = store.identity_by_arn(tx, guard.administrator.role_arn)
        assert role is not None
        assumption = Permission("sts:AssumeRole", Resource(role.arn, ACCOUNT, role.tags, role.trust_policy))
        assert decide(principal, assumption, FACTS).allowed
        assert service_may_assume(tx, role.arn, "sagemaker.amazonaws.com", FACTS)
        assert not service_may_assume(tx, role.arn, "ec2.amazonaws.com", FACTS)
        assert not service_may_assume(tx, role.arn + "x", "sagemaker.amazonaws.com", FACTS)
        passing = pass_role(tx, role.arn, "sagemaker.amazonaws.com")
    assert passing.conditions == {"iam:PassedToService": "sagemaker.amazonaws.com"}


@pytest.mark.parametrize(
    ("account", "sentence"), [(ACCOUNT, "exists already"), ("123", "12 digits"), ("1" * 12 + "\n", "12 digits")]
)
def test_accounts_that_cannot_be_made(guard: Guard, account: str, sentence: str) -> None:
    """An account has 12 digits and is made once."""
    with pytest.raises(AccountError, match=sentence):
        guard.storage.write(lambda tx: create_account(tx, guard.key_ring, account, ids=guard.ids, now=NOW))


def test_credentials_of_the_execution_role(guard: Guard) -> None:
    """The operator of the server gets temporary credentials of the role without a request."""
    with guard.storage.read() as tx:
        issued = execution_role_credentials(tx, guard.key_ring, ACCOUNT, ids=guard.ids, now=NOW)
        found = CredentialSource(guard.key_ring).find_session(tx, issued.session_token, NOW)
        assert (
            found is not None and found.principal.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/ModelyardExecutionRole/modelyard"
        )
        for service, allowed in (("sagemaker", True), ("lambda", True), ("scheduler", True), ("ec2", False)):
            assert service_may_assume(tx, guard.administrator.role_arn, f"{service}.amazonaws.com", FACTS) is allowed
        with pytest.raises(AccountError, match="has no role"):
            execution_role_credentials(tx, guard.key_ring, ACCOUNT, ids=guard.ids, now=NOW, role_name="x")


@pytest.mark.parametrize(
    ("action", "allowed"),
    [
        ("modelyard:PutVersionMetadata", True),
        ("modelyard:GetApprovalRules", True),
        ("modelyard:LookupEvents", True),
        ("modelyard:RestoreEndpoint", True),
        ("modelyard:PutApprovalRules", False),
        ("modelyard:DeleteApprovalRules", False),
        ("modelyard:PutMetadataContract", False),
        ("modelyard:DeleteMetadataContract", False),
    ],
)
def test_the_execution_role_does_not_set_what_it_is_judged_by(guard: Guard, action: str, allowed: bool) -> None:
    """What runs under it works with versions and endpoints; approval rules and contracts of groups are for others to change."""
    with guard.storage.read() as tx:
        issued = execution_role_credentials(tx, guard.key_ring, ACCOUNT, ids=guard.ids, now=NOW)
        found = CredentialSource(guard.key_ring).find_session(tx, issued.session_token, NOW)
    assert found is not None
    resource = Resource(f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package-group/g", ACCOUNT)
    assert decide(found.principal, Permission(action, resource), FACTS).allowed is allowed


def test_secrets_are_sealed(guard: Guard, tmp_path: Path) -> None:
    """No secret stands in the database's files."""
    secret = guard.administrator.secret_access_key.encode()
    files = [path for path in tmp_path.iterdir() if path.name.startswith("modelyard.db")]
    assert files and not any(secret in path.read_bytes() for path in files)


def test_changes_count_at_once(guard: Guard) -> None:
    """Cached credentials are dropped by any change of identities, in this process and by another one."""
    source = CredentialSource(guard.key_ring)
    first = find(guard, source)
    assert first is not None and find(guard, source) is first
    user = first.principal.unique_id
    guard.storage.write(lambda tx: store_policies.put_inline_policy(tx, user, "deny", DENY))
    second = find(guard, source)
    assert second is not None and len(second.principal.policies) == 2
    other = open_storage(guard.storage.path)  # type: ignore[attr-defined]
    other.write(lambda tx: store.set_access_key_status(tx, guard.administrator.access_key_id, "Inactive"))
    other.close()
    assert find(guard, source) is None
    guard.storage.write(lambda tx: store.set_access_key_status(tx, guard.administrator.access_key_id, "Active"))
    assert find(guard, source) is not None


def test_an_older_snapshot_does_not_poison_the_cache(guard: Guard) -> None:
    """Credentials read in a snapshot from before a change are not used after it."""
    source = CredentialSource(guard.key_ring)
    user = find(guard, source).principal.unique_id  # type: ignore[union-attr]
    with guard.storage.read() as old:
        old.one("SELECT 1 FROM iam_generation")
        thread = threading.Thread(
            target=lambda: guard.storage.write(lambda tx: store_policies.put_inline_policy(tx, user, "deny", DENY))
        )
        thread.start()
        thread.join()
        stale = source.find(old, guard.administrator.access_key_id, NOW)
        assert stale is not None and len(stale.principal.policies) == 1
    assert len(find(guard, source).principal.policies) == 2  # type: ignore[union-attr]


class RemoteTransaction:
    """A transaction on a database across a network, as far as generations look at it."""

    dialect = "postgresql"

    def __init__(self) -> None:
        self.number = 5
        self.reads = 0

    def one(self, _sql: str, _parameters: object = None) -> Row:
        self.reads += 1
        return (self.number,)


def test_a_remote_database_is_asked_five_times_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes by other processes count within 200 ms, those of this process at once; a clock set back asks again."""
    monkeypatch.setattr(generation, "local_changes", generation.LocalChanges())
    tx, reader = RemoteTransaction(), GenerationReader()

    def read(now: float) -> int:
        return reader.read(tx, now)  # type: ignore[arg-type]

    assert [read(10.0), read(10.1), read(10.19)] == [5, 5, 5] and tx.reads == 1
    tx.number = 6
    assert read(10.25) == 6 and tx.reads == 2
    tx.number = 7
    generation.local_changes.note(7)
    assert read(10.26) == 7 and tx.reads == 3
    assert read(9.0) == 7 and tx.reads == 4


def test_generation_is_bumped_by_every_change(guard: Guard) -> None:
    """Whatever writes identities or policies counts the generation up."""
    user = Identity("AIDAX", ACCOUNT, IdentityKind.USER, "x", "/", NOW)
    changes: list[Callable[[Transaction], object]] = [
        lambda tx: store.add_account(tx, OTHER, NOW),
        lambda tx: store.add_identity(tx, user),
        lambda tx: store.update_identity(tx, user),
        lambda tx: store_policies.put_inline_policy(tx, "AIDAX", "p", DENY),
        lambda tx: store_policies.delete_inline_policy(tx, "AIDAX", "p"),
        lambda tx: store_policies.attach(tx, "AIDAX", ACCOUNT, "arn", "name"),
        lambda tx: store_policies.detach(tx, "AIDAX", "arn"),
        lambda tx: store.delete_identity(tx, user),
        lambda tx: store.delete_access_key(tx, guard.administrator.access_key_id),
    ]
    for change in changes:
        with guard.storage.read() as tx:
            before = generation.current(tx)
        guard.storage.write(change)
        with guard.storage.read() as tx:
            assert generation.current(tx) > before


def test_policies_of_aws_are_policies() -> None:
    """Each document under a name of AWS's can be read, and is small enough to be attached."""
    policies = aws_managed_policies()
    assert {"AdministratorAccess", "AmazonSageMakerFullAccess", "AmazonS3FullAccess", "ReadOnlyAccess", "IAMReadOnlyAccess"} <= {
        policy.name for policy, _ in policies.values()
    }
    for arn, (policy, document) in policies.items():
        parse_policy(document)
        assert policy.arn == arn and arn.endswith(f"{policy.path}{policy.name}") and len(document) < 6144
    assert len({policy.id for policy, _ in policies.values()}) == len(policies)


def test_a_key_of_a_user_who_is_gone(guard: Guard) -> None:
    """A key whose owner is no user is no key."""
    guard.storage.write(lambda tx: tx.execute("UPDATE iam_access_keys SET owner = 'AIDAGONE'") and generation.bump(tx))
    assert find(guard, CredentialSource(guard.key_ring)) is None
