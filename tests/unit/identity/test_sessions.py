"""STS: GetCallerIdentity, AssumeRole, GetSessionToken."""

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.unit.identity.town import ACCOUNT, OTHER_ACCOUNT, Town, allow, document, trust

ANN = f"arn:aws:iam::{ACCOUNT}:user/ann"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/deployer"
SERVICE_TRUST = document({"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"})


def refused(call: Any, **request: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


def assume(
    town: Town, keys: dict[str, str] | None = None, account: str = ACCOUNT, role: str = ROLE, **request: Any
) -> dict[str, Any]:
    sts = town.client("sts", account, keys)
    return sts.assume_role(**{"RoleArn": role, "RoleSessionName": "s1", **request})


def denied(town: Town, keys: dict[str, str] | None = None, account: str = ACCOUNT, **request: Any) -> str:
    code, status, message = refused(lambda **more: assume(town, keys, account, **more), **request)
    assert (code, status) == ("AccessDenied", 403)
    return message


@pytest.mark.documented
def test_caller_identity_needs_no_permission(town: Town) -> None:
    """GetCallerIdentity answers everybody, whatever is denied."""
    keys = town.user("ann", {"Effect": "Deny", "Action": "*", "Resource": "*"})
    answer = town.client("sts", keys=keys).get_caller_identity()
    assert (answer["Arn"], answer["Account"]) == (ANN, ACCOUNT)
    assert answer["UserId"] == town.admin.get_user(UserName="ann")["User"]["UserId"]


@pytest.mark.documented
def test_the_execution_role_is_what_the_sagemaker_sdk_wants(town: Town) -> None:
    """Its caller identity is an assumed role, and IAM knows that role."""
    arn = town.administrators[ACCOUNT].role_arn
    answer = assume(town, role=arn, DurationSeconds=43200)
    identity = town.client("sts", keys=answer["Credentials"]).get_caller_identity()
    assert identity["Arn"] == answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/ModelyardExecutionRole/s1"
    assert identity["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]
    role = town.client("iam", keys=answer["Credentials"]).get_role(RoleName="ModelyardExecutionRole")["Role"]
    assert role["Arn"] == arn and role["RoleId"] == identity["UserId"].partition(":")[0]
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")


@pytest.mark.documented
def test_a_user_named_in_the_trust_policy(town: Town) -> None:
    """A user of the account whom the trust policy names needs nothing else; another user is denied whatever they are granted."""
    ann, ben = town.user("ann"), town.user("ben", allow("sts:AssumeRole"))
    town.admin.create_role(RoleName="deployer", AssumeRolePolicyDocument=trust(ANN))
    assert assume(town, ann)["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/s1"
    message = denied(town, ben)
    assert message.startswith(
        f"User: arn:aws:iam::{ACCOUNT}:user/ben is not authorized to perform: sts:AssumeRole on resource: {ROLE}"
    )


@pytest.mark.documented
def test_the_account_named_in_the_trust_policy(town: Town) -> None:
    """When the trust policy names the account, the user's own policies decide."""
    ann, ben = town.user("ann", allow("sts:AssumeRole", on=ROLE)), town.user("ben")
    town.admin.create_role(RoleName="deployer", AssumeRolePolicyDocument=trust(f"arn:aws:iam::{ACCOUNT}:root"))
    assert assume(town, ann)
    denied(town, ben)


@pytest.mark.documented
def test_across_accounts_both_sides_allow(town: Town) -> None:
    """A user of another account needs the trust policy and permission of their own."""
    other = town.client("iam", OTHER_ACCOUNT)
    keys = {}
    for name, statement in {"may": allow("sts:AssumeRole", on=ROLE), "may-not": allow("s3:*")}.items():
        other.create_user(UserName=name)
        other.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(statement))
        keys[name] = other.create_access_key(UserName=name)["AccessKey"]
    town.admin.create_role(RoleName="deployer", AssumeRolePolicyDocument=trust(OTHER_ACCOUNT))
    answer = assume(town, keys["may"])
    assert town.client("sts", keys=answer["Credentials"]).get_caller_identity()["Account"] == ACCOUNT
    assert "no identity-based policy allows" in denied(town, keys["may-not"])
    town.admin.update_assume_role_policy(RoleName="deployer", PolicyDocument=trust(ACCOUNT))
    denied(town, keys["may"])


@pytest.mark.documented
def test_services_in_a_trust_policy_match_no_user(town: Town) -> None:
    """A role for SageMaker cannot be assumed by a user, not even the administrator."""
    town.admin.create_role(RoleName="deployer", AssumeRolePolicyDocument=SERVICE_TRUST)
    denied(town)


@pytest.mark.ours
def test_roles_that_are_not_there_are_denied_alike(town: Town) -> None:
    """Whether a role exists is not told to those who may not assume it."""
    town.admin.create_role(RoleName="deployer", AssumeRolePolicyDocument=SERVICE_TRUST)
    assert denied(town) == denied(town, RoleArn=ROLE[:-1] + "x").replace("role/deployex", "role/deployer")
    denied(town, RoleArn="arn:aws:iam::999988887777:role/x")
    assert refused(lambda: assume(town, role="arn:aws:s3:::bucket/with/slashes"))[0] == "ValidationError"


@pytest.mark.documented
def test_external_id(town: Town) -> None:
    """A trust policy can ask for an external id."""
    condition = {"StringEquals": {"sts:ExternalId": "42"}}
    town.user("ann")
    keys = town.admin.create_access_key(UserName="ann")["AccessKey"]
    town.admin.create_role(RoleName="deployer", AssumeRolePolicyDocument=trust(ANN, Condition=condition))
    assert assume(town, keys, ExternalId="42")
    denied(town, keys)
    denied(town, keys, ExternalId="43")


@pytest.mark.documented
def test_session_policies_limit_the_role(town: Town) -> None:
    """What a session may do is what both the role and the session policies allow."""
    keys = town.user("ann")
    town.admin.create_role(RoleName="deployer", AssumeRolePolicyDocument=trust(ANN))
    town.admin.attach_role_policy(RoleName="deployer", PolicyArn="arn:aws:iam::aws:policy/IAMFullAccess")
    whole = town.client("iam", keys=assume(town, keys)["Credentials"])
    whole.list_users()
    limited = assume(town, keys, Policy=document(allow("iam:GetUser")))
    assert limited["PackedPolicySize"] >= 1
    iam = town.client("iam", keys=limited["Credentials"])
    iam.get_user(UserName="ann")
    code, status, message = refused(iam.list_users)
    assert (code, status) == ("AccessDenied", 403) and "no session policy allows the iam:ListUsers action" in message
    managed = assume(town, keys, PolicyArns=[{"arn": "arn:aws:iam::aws:policy/IAMReadOnlyAccess"}])
    iam = town.client("iam", keys=managed["Credentials"])
    iam.list_users()
    assert refused(iam.create_user, UserName="x")[0] == "AccessDenied"


@pytest.mark.documented
@pytest.mark.parametrize(
    ("request_members", "code"),
    [
        ({"Policy": "{"}, "MalformedPolicyDocument"),
        ({"Policy": document(allow("s3:*", on=["arn:aws:s3:::" + "x" * 60] * 40))}, "PackedPolicyTooLarge"),
        ({"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/NoSuchPolicy"}]}, "ValidationError"),
        ({"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}] * 11}, "ValidationError"),
        ({"DurationSeconds": 3601}, "ValidationError"),
        ({"TransitiveTagKeys": ["a"]}, "ValidationError"),
        ({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "1"}]}, "InvalidInput"),
    ],
)
def test_requests_that_make_no_sense(town: Town, request_members: dict[str, Any], code: str) -> None:
    """AssumeRole refuses broken session policies, too long sessions and contradictory tags."""
    keys = town.user("ann")
    town.admin.create_role(RoleName="deployer", AssumeRolePolicyDocument=trust(ANN))
    assert refused(lambda: assume(town, keys, **request_members))[0] == code


@pytest.mark.documented
def test_durations(town: Town) -> None:
    """A session lasts an hour, or as long as is asked for within the role's limit; a chained one an hour at most."""
    keys = town.user("ann")
    town.admin.create_role(RoleName="first", AssumeRolePolicyDocument=trust(ANN), MaxSessionDuration=7200)
    first_arn = f"arn:aws:iam::{ACCOUNT}:role/first"
    town.admin.create_role(RoleName="deployer", AssumeRolePolicyDocument=trust(first_arn), MaxSessionDuration=7200)
    answer = assume(town, keys, role=first_arn, DurationSeconds=7200)
    left = answer["Credentials"]["Expiration"] - answer["Credentials"]["Expiration"].now(
        answer["Credentials"]["Expiration"].tzinfo
    )
    assert timedelta(seconds=7100) < left <= timedelta(seconds=7200)
    town.admin.put_role_policy(RoleName="first", PolicyName="p", PolicyDocument=document(allow("sts:*")))
    assert assume(town, answer["Credentials"], DurationSeconds=3600)
    code, _, message = refused(lambda: assume(town, answer["Credentials"], DurationSeconds=3601))
    assert code == "ValidationError" and "role chaining" in message


@pytest.mark.documented
def test_session_tags_and_source_identity(town: Town) -> None:
    """Tags of a session are principal tags; they and the source identity have to be allowed by the trust policy, and stay."""
    keys = town.user("ann")
    tags = [{"Key": "team", "Value": "a"}]
    town.admin.create_role(RoleName="deployer", AssumeRolePolicyDocument=trust(ANN))
    condition = {"StringEquals": {"aws:PrincipalTag/team": "a", "aws:SourceIdentity": "ann@example"}}
    town.admin.put_role_policy(
        RoleName="deployer", PolicyName="p", PolicyDocument=document(allow("iam:ListUsers", "sts:*", Condition=condition))
    )
    answer = assume(town, keys, Tags=tags, SourceIdentity="ann@example")
    assert answer["SourceIdentity"] == "ann@example"
    town.client("iam", keys=answer["Credentials"]).list_users()
    assert refused(town.client("iam", keys=assume(town, keys)["Credentials"]).list_users)[0] == "AccessDenied"
    town.admin.create_role(RoleName="second", AssumeRolePolicyDocument=trust(ROLE))
    chained = assume(town, answer["Credentials"], role=f"arn:aws:iam::{ACCOUNT}:role/second")
    assert chained["SourceIdentity"] == "ann@example"
    assert "cannot be changed" in denied(
        town, answer["Credentials"], RoleArn=f"arn:aws:iam::{ACCOUNT}:role/second", SourceIdentity="ben@example"
    )
    plain = document({"Effect": "Allow", "Principal": {"AWS": ANN}, "Action": "sts:AssumeRole"})
    town.admin.update_assume_role_policy(RoleName="deployer", PolicyDocument=plain)
    assert "sts:TagSession" in denied(town, keys, Tags=tags)
    assert "sts:SetSourceIdentity" in denied(town, keys, SourceIdentity="ann@example")


@pytest.mark.documented
def test_transitive_tags(town: Town) -> None:
    """Tags marked as transitive go on to the roles that a session assumes, where they cannot be replaced; others stay behind."""
    keys = town.user("ann")
    town.admin.create_role(RoleName="first", AssumeRolePolicyDocument=trust(ANN))
    town.admin.create_role(RoleName="deployer", AssumeRolePolicyDocument=trust(f"arn:aws:iam::{ACCOUNT}:role/first"))
    for action, tag in {"iam:ListUsers": "team", "iam:ListRoles": "stage"}.items():
        statement = allow(action, Condition={"StringEquals": {f"aws:PrincipalTag/{tag}": "a"}})
        town.admin.put_role_policy(RoleName="deployer", PolicyName=tag, PolicyDocument=document(statement))
    tags = [{"Key": "team", "Value": "a"}, {"Key": "stage", "Value": "a"}]
    first = assume(town, keys, role=f"arn:aws:iam::{ACCOUNT}:role/first", Tags=tags, TransitiveTagKeys=["team"])["Credentials"]
    iam = town.client("iam", keys=assume(town, first)["Credentials"])
    iam.list_users()
    assert refused(iam.list_roles)[0] == "AccessDenied"
    assert refused(lambda: assume(town, first, Tags=[{"Key": "Team", "Value": "b"}]))[0] == "InvalidInput"


@pytest.mark.documented
def test_a_deleted_role_ends_its_sessions(town: Town) -> None:
    """Credentials of a role are nothing once it is deleted, also when it is made anew."""
    keys = town.user("ann")
    town.admin.create_role(RoleName="deployer", AssumeRolePolicyDocument=trust(ANN))
    sts = town.client("sts", keys=assume(town, keys)["Credentials"])
    sts.get_caller_identity()
    town.admin.delete_role(RoleName="deployer")
    assert refused(sts.get_caller_identity)[:2] == ("InvalidClientTokenId", 403)
    town.admin.create_role(RoleName="deployer", AssumeRolePolicyDocument=trust(ANN))
    assert refused(sts.get_caller_identity)[:2] == ("InvalidClientTokenId", 403)


@pytest.mark.documented
def test_get_session_token(town: Town) -> None:
    """A user gets temporary credentials that are theirs; with them no further ones."""
    keys = town.user("ann", allow("iam:GetUser"))
    issued = town.client("sts", keys=keys).get_session_token(DurationSeconds=900)["Credentials"]
    sts = town.client("sts", keys=issued)
    assert sts.get_caller_identity()["Arn"] == ANN
    assert town.client("iam", keys=issued).get_user()["User"]["UserName"] == "ann"
    assert refused(sts.get_session_token)[:2] == ("AccessDenied", 403)


@pytest.mark.documented
def test_deactivated_keys(town: Town) -> None:
    """An inactive key is refused from the next request on, and works again when it is active."""
    keys = town.user("ann")
    sts = town.client("sts", keys=keys)
    sts.get_caller_identity()
    town.admin.update_access_key(UserName="ann", AccessKeyId=keys["AccessKeyId"], Status="Inactive")
    assert refused(sts.get_caller_identity)[:2] == ("InvalidClientTokenId", 403)
    town.admin.update_access_key(UserName="ann", AccessKeyId=keys["AccessKeyId"], Status="Active")
    sts.get_caller_identity()
