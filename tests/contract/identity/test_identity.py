"""What IAM and STS promise on both databases."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.unit.identity.town import ACCOUNT, Town, allow, document, trust

from modelyard.access import generation, store
from modelyard.access.credentials import CredentialSource
from modelyard.storage import open_storage

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def code(call: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**request)
    answer: str = caught.value.response["Error"]["Code"]
    return answer


@pytest.mark.documented
def test_a_life_of_a_user_and_a_role(town: Town) -> None:
    """Everything that is kept of users, roles, keys and policies is written, read, changed, listed and removed."""
    iam = town.admin
    keys = town.user("Ann", allow("sts:AssumeRole"))
    ann = f"arn:aws:iam::{ACCOUNT}:user/Ann"
    iam.tag_user(UserName="ann", Tags=[{"Key": "team", "Value": "ä"}])
    own = iam.create_policy(PolicyName="own", Path="/p/", PolicyDocument=document(allow("iam:ListUsers")))["Policy"]["Arn"]
    iam.create_role(
        RoleName="deployer", Path="/r/", AssumeRolePolicyDocument=trust(ann), PermissionsBoundary=own, Description="d"
    )
    for arn in (own, READ_ONLY, own):
        iam.attach_role_policy(RoleName="deployer", PolicyArn=arn)
    role = f"arn:aws:iam::{ACCOUNT}:role/r/deployer"
    issued = town.client("sts", keys=keys).assume_role(RoleArn=role, RoleSessionName="s1")["Credentials"]
    session = town.client("iam", keys=issued)
    assert [user["UserName"] for user in session.list_users()["Users"]] == ["administrator", "Ann"]
    assert code(session.get_user, UserName="ann") == "AccessDenied"
    iam.delete_role_permissions_boundary(RoleName="deployer")
    assert session.get_user(UserName="ann")["User"]["Tags"] == [{"Key": "team", "Value": "ä"}]
    assert [policy["AttachmentCount"] for policy in iam.list_policies(Scope="Local")["Policies"]] == [1]
    assert [each["RoleName"] for each in iam.list_roles(PathPrefix="/r/")["Roles"]] == ["deployer"]
    assert code(iam.create_user, UserName="ANN") == "EntityAlreadyExists"
    for arn in (own, READ_ONLY):
        iam.detach_role_policy(RoleName="deployer", PolicyArn=arn)
    iam.delete_role(RoleName="deployer")
    iam.delete_policy(PolicyArn=own)
    assert code(session.list_users) == "InvalidClientTokenId"
    iam.delete_access_key(UserName="ann", AccessKeyId=keys["AccessKeyId"])
    iam.delete_user_policy(UserName="ann", PolicyName="inline")
    iam.delete_user(UserName="ann")
    assert code(town.client("sts", keys=keys).get_caller_identity) == "InvalidClientTokenId"


@pytest.mark.ours
def test_changes_by_this_process_count_with_the_next_request(town: Town) -> None:
    """Once IAM has answered, no request is decided by what was before; many times over."""
    keys = town.user("ann")
    iam = town.client("iam", keys=keys)
    for _ in range(10):
        assert code(iam.get_user) == "AccessDenied"
        town.admin.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=document(allow("iam:GetUser")))
        iam.get_user()
        town.admin.delete_user_policy(UserName="ann", PolicyName="p")


@pytest.mark.ours
def test_changes_by_another_process_count_within_a_quarter_of_a_second(
    town: Town, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that another server made inactive is refused at once on SQLite, within 250 ms on PostgreSQL."""
    key = town.user("ann")["AccessKeyId"]
    source = CredentialSource(town.key_ring)

    def known(now: float) -> bool:
        with town.storage.read() as tx:
            return source.find(tx, key, now) is not None

    assert known(1000.0)
    other = open_storage(address)
    with monkeypatch.context() as patch:
        patch.setattr(generation, "local_changes", generation.LocalChanges())
        other.write(lambda tx: store.set_access_key_status(tx, key, "Inactive"))
    other.close()
    if town.storage.dialect == "sqlite":
        assert not known(1000.0)
    assert not known(1000.25)
