"""IAM: users, roles, access keys, policies, tags and boundaries, through boto3."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.unit.identity.town import ACCOUNT, OTHER_ACCOUNT, Town, allow, document, trust

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
S3_POLICY = document(allow("s3:*"))
SERVICE_TRUST = document({"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"})


def refused(call: Any, **request: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


def make(town: Town, kind: str, name: str, **more: Any) -> dict[str, Any]:
    if kind == "role":
        return town.admin.create_role(RoleName=name, AssumeRolePolicyDocument=SERVICE_TRUST, **more)["Role"]
    return town.admin.create_user(UserName=name, **more)["User"]


def named(kind: str, name: str) -> dict[str, str]:
    return {f"{kind.title()}Name": name}


both = pytest.mark.parametrize("kind", ["user", "role"])


@pytest.mark.documented
@both
def test_create_get_list_delete(town: Town, kind: str) -> None:
    """A user or role has id, ARN with its path, time and tags; it is listed by path, and gone once deleted."""
    made = make(town, kind, "Ann", Path="/team/a/", Tags=[{"Key": "team", "Value": "a"}])
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:{kind}/team/a/Ann"
    assert made[f"{kind.title()}Id"].startswith("AIDA" if kind == "user" else "AROA") and len(made[f"{kind.title()}Id"]) == 21
    get, list_all = getattr(town.admin, f"get_{kind}"), getattr(town.admin, f"list_{kind}s")
    assert get(**named(kind, "ann"))[kind.title()] == made
    listed = list_all(PathPrefix="/team/")[f"{kind.title()}s"]
    assert [each["Arn"] for each in listed] == [made["Arn"]] and "Tags" not in listed[0]
    assert list_all(PathPrefix="/other/")[f"{kind.title()}s"] == []
    getattr(town.admin, f"delete_{kind}")(**named(kind, "Ann"))
    assert refused(get, **named(kind, "Ann")) == ("NoSuchEntity", 404, f"The {kind} with name Ann cannot be found.")


@pytest.mark.documented
@both
def test_names_are_taken_in_any_case(town: Town, kind: str) -> None:
    """Names that differ in case alone are the same name."""
    make(town, kind, "ann")
    assert refused(lambda: make(town, kind, "ANN")) == (
        "EntityAlreadyExists",
        409,
        f"{kind.title()} with name ANN already exists.",
    )


@pytest.mark.documented
@both
def test_paging(town: Town, kind: str) -> None:
    """Every user or role comes once, by name, in pages of any size; a foreign marker is refused."""
    names = [f"n{number}" for number in range(5)]
    for name in names:
        make(town, kind, name, Path="/paged/")
    paginator = town.admin.get_paginator(f"list_{kind}s")
    pages = list(paginator.paginate(PathPrefix="/paged/", PaginationConfig={"PageSize": 2}))
    assert [len(page[f"{kind.title()}s"]) for page in pages] == [2, 2, 1]
    assert [each[f"{kind.title()}Name"] for page in pages for each in page[f"{kind.title()}s"]] == names
    list_all = getattr(town.admin, f"list_{kind}s")
    assert refused(list_all, Marker="x")[:2] == ("ValidationError", 400)
    assert refused(list_all, Marker=pages[0]["Marker"])[:2] == ("ValidationError", 400)


@pytest.mark.documented
@both
def test_inline_policies(town: Town, kind: str) -> None:
    """Inline policies are put over each other, read back as they were, listed and deleted; deletion of the holder waits."""
    make(town, kind, "ann")
    who, client = named(kind, "ann"), town.admin
    text = '{ "Version" : "2012-10-17",\n "Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*","Sid":"Ünsafe%2F+"}]}'
    put, get = getattr(client, f"put_{kind}_policy"), getattr(client, f"get_{kind}_policy")
    assert refused(put, **who, PolicyName="p", PolicyDocument=text)[0] == "MalformedPolicyDocument"
    put(**who, PolicyName="p", PolicyDocument=S3_POLICY)
    put(**who, PolicyName="p", PolicyDocument=document(allow("iam:*")))
    put(**who, PolicyName="q", PolicyDocument=S3_POLICY)
    assert get(**who, PolicyName="p")["PolicyDocument"]["Statement"][0]["Action"] == ["iam:*"]
    assert getattr(client, f"list_{kind}_policies")(**who)["PolicyNames"] == ["p", "q"]
    code, status, message = refused(getattr(client, f"delete_{kind}"), **who)
    assert (code, status, message) == ("DeleteConflict", 409, "Cannot delete entity, must delete policies first.")
    for name in ("p", "q"):
        getattr(client, f"delete_{kind}_policy")(**who, PolicyName=name)
    assert refused(get, **who, PolicyName="p") == ("NoSuchEntity", 404, f"The {kind} policy with name p cannot be found.")
    getattr(client, f"delete_{kind}")(**who)


@pytest.mark.documented
@both
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("nonsense", "MalformedPolicyDocument"),
        ('{"Version": "2012-10-17"}', "MalformedPolicyDocument"),
        (document({"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Principal": "*"}), "MalformedPolicyDocument"),
        (document(allow("s3:*", Condition={"NoSuchOperator": {"a:b": "c"}})), "MalformedPolicyDocument"),
        (document(allow(*[f"s3:{'x' * 100}{number}" for number in range(95)])), "LimitExceeded"),
        ("[" * 2_000, "MalformedPolicyDocument"),
        ("[" * 50_000, "LimitExceeded"),
    ],
)
def test_inline_policies_that_are_refused(town: Town, kind: str, text: str, code: str) -> None:
    """What is not a policy, or too long, is refused with a 4xx."""
    make(town, kind, "ann")
    put = getattr(town.admin, f"put_{kind}_policy")
    assert refused(put, **named(kind, "ann"), PolicyName="p", PolicyDocument=text)[0] == code


@pytest.mark.documented
@both
def test_attached_policies(town: Town, kind: str) -> None:
    """AWS's policies and the account's own are attached, counted, listed and detached; deletion of the holder waits."""
    make(town, kind, "ann")
    who, client = named(kind, "ann"), town.admin
    own = client.create_policy(PolicyName="own", PolicyDocument=S3_POLICY, Path="/team/", Description="d")["Policy"]
    attach = getattr(client, f"attach_{kind}_policy")
    for arn in (READ_ONLY, own["Arn"], own["Arn"]):
        attach(**who, PolicyArn=arn)
    listed = getattr(client, f"list_attached_{kind}_policies")
    assert [each["PolicyName"] for each in listed(**who)["AttachedPolicies"]] == ["own", "ReadOnlyAccess"]
    assert [each["PolicyArn"] for each in listed(**who, PathPrefix="/team/")["AttachedPolicies"]] == [own["Arn"]]
    first = listed(**who, MaxItems=1)
    assert listed(**who, MaxItems=1, Marker=first["Marker"])["AttachedPolicies"][0]["PolicyArn"] == READ_ONLY
    assert client.get_policy(PolicyArn=own["Arn"])["Policy"]["AttachmentCount"] == 1
    assert refused(client.delete_policy, PolicyArn=own["Arn"])[:2] == ("DeleteConflict", 409)
    message = refused(getattr(client, f"delete_{kind}"), **who)[2]
    assert message == "Cannot delete entity, must detach all policies first."
    detach = getattr(client, f"detach_{kind}_policy")
    detach(**who, PolicyArn=own["Arn"])
    assert refused(detach, **who, PolicyArn=own["Arn"])[:2] == ("NoSuchEntity", 404)
    assert refused(attach, **who, PolicyArn="arn:aws:iam::aws:policy/Nope")[:2] == ("NoSuchEntity", 404)
    client.delete_policy(PolicyArn=own["Arn"])
    assert refused(attach, **who, PolicyArn=own["Arn"])[:2] == ("NoSuchEntity", 404)


@pytest.mark.ours
def test_policies_of_another_account(town: Town) -> None:
    """A policy of another account can be neither seen nor attached."""
    foreign = town.client("iam", OTHER_ACCOUNT).create_policy(PolicyName="p", PolicyDocument=S3_POLICY)["Policy"]["Arn"]
    make(town, "user", "ann")
    assert refused(town.admin.attach_user_policy, UserName="ann", PolicyArn=foreign)[0] == "NoSuchEntity"
    assert refused(town.admin.get_policy, PolicyArn=foreign)[0] == "NoSuchEntity"
    assert refused(town.admin.delete_policy, PolicyArn=foreign)[0] == "NoSuchEntity"
    assert refused(town.admin.put_user_permissions_boundary, UserName="ann", PermissionsBoundary=foreign)[0] == "NoSuchEntity"


@pytest.mark.documented
def test_managed_policies(town: Town) -> None:
    """A policy is made once, its text is its version v1, and AWS's own cannot be deleted."""
    made = town.admin.create_policy(PolicyName="p", PolicyDocument=S3_POLICY, Description="d", Tags=[{"Key": "a", "Value": "b"}])[
        "Policy"
    ]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:policy/p" and made["PolicyId"].startswith("ANPA")
    assert town.admin.get_policy(PolicyArn=made["Arn"])["Policy"] == made
    version = town.admin.get_policy_version(PolicyArn=made["Arn"], VersionId=made["DefaultVersionId"])["PolicyVersion"]
    assert version["IsDefaultVersion"] and version["Document"]["Statement"][0]["Action"] == ["s3:*"]
    assert refused(town.admin.create_policy, PolicyName="P", PolicyDocument=S3_POLICY)[:2] == ("EntityAlreadyExists", 409)
    assert refused(town.admin.get_policy_version, PolicyArn=made["Arn"], VersionId="v2")[:2] == ("NoSuchEntity", 404)
    assert (
        town.admin.get_policy_version(PolicyArn=READ_ONLY, VersionId="v1")["PolicyVersion"]["Document"]["Version"] == "2012-10-17"
    )
    assert refused(town.admin.delete_policy, PolicyArn=READ_ONLY)[0] == "InvalidInput"
    long = document(allow(*[f"s3:{'x' * 100}{number}" for number in range(60)]))
    assert refused(town.admin.create_policy, PolicyName="long", PolicyDocument=long)[0] == "LimitExceeded"


@pytest.mark.documented
def test_list_policies(town: Town) -> None:
    """Policies are listed by scope, path, use and kind of use, each once."""
    for name in ("beta", "alpha"):
        town.admin.create_policy(PolicyName=name, PolicyDocument=S3_POLICY, Path=f"/{name}/")
    make(town, "user", "ann", PermissionsBoundary=f"arn:aws:iam::{ACCOUNT}:policy/beta/beta")

    def names(**request: Any) -> list[str]:
        pages = town.admin.get_paginator("list_policies").paginate(**request, PaginationConfig={"PageSize": 3})
        return [policy["PolicyName"] for page in pages for policy in page["Policies"]]

    assert names(Scope="Local") == ["alpha", "beta"]
    assert names(Scope="Local", PathPrefix="/beta/") == ["beta"]
    assert names(OnlyAttached=True) == ["AdministratorAccess", "AmazonSageMakerFullAccess"]
    assert names(OnlyAttached=True, PolicyUsageFilter="PermissionsBoundary") == ["beta"]
    everything = names()
    assert len(everything) == len(set(everything)) == len(names(Scope="AWS")) + 2


@pytest.mark.documented
@both
def test_boundaries(town: Town, kind: str) -> None:
    """A permissions boundary is set, shown, counted and removed."""
    make(town, kind, "ann", PermissionsBoundary=READ_ONLY)
    get = getattr(town.admin, f"get_{kind}")
    shown = get(**named(kind, "ann"))[kind.title()]["PermissionsBoundary"]
    assert shown == {"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": READ_ONLY}
    assert town.admin.get_policy(PolicyArn=READ_ONLY)["Policy"]["PermissionsBoundaryUsageCount"] == 1
    delete = getattr(town.admin, f"delete_{kind}_permissions_boundary")
    delete(**named(kind, "ann"))
    assert "PermissionsBoundary" not in get(**named(kind, "ann"))[kind.title()]
    assert refused(delete, **named(kind, "ann"))[0] == "NoSuchEntity"
    getattr(town.admin, f"put_{kind}_permissions_boundary")(**named(kind, "ann"), PermissionsBoundary=READ_ONLY)
    assert "PermissionsBoundary" in get(**named(kind, "ann"))[kind.title()]


@pytest.mark.documented
def test_a_boundary_limits_its_user(town: Town) -> None:
    """What the boundary does not allow stays denied, whatever else is granted; the answer names the boundary."""
    keys = town.user("ann", allow("*"))
    iam = town.client("iam", keys=keys)
    iam.create_user(UserName="x")
    town.admin.put_user_permissions_boundary(UserName="ann", PermissionsBoundary=READ_ONLY)
    iam.list_users()
    code, status, message = refused(iam.create_user, UserName="y")
    assert (code, status) == ("AccessDenied", 403)
    assert message == (
        f"User: arn:aws:iam::{ACCOUNT}:user/ann is not authorized to perform: iam:CreateUser on resource: "
        f"arn:aws:iam::{ACCOUNT}:user/y because no permissions boundary allows the iam:CreateUser action"
    )


@pytest.mark.documented
@both
def test_tags(town: Town, kind: str) -> None:
    """Tags are merged by key in any case, listed in pages and removed; reserved, double and too many ones are refused."""
    make(town, kind, "ann", Tags=[{"Key": "Team", "Value": "a"}])
    tag, untag = getattr(town.admin, f"tag_{kind}"), getattr(town.admin, f"untag_{kind}")
    list_tags = getattr(town.admin, f"list_{kind}_tags")
    who = named(kind, "ann")
    tag(**who, Tags=[{"Key": "team", "Value": "b"}, {"Key": "stage", "Value": ""}])
    assert list_tags(**who)["Tags"] == [{"Key": "stage", "Value": ""}, {"Key": "team", "Value": "b"}]
    first = list_tags(**who, MaxItems=1)
    assert list_tags(**who, MaxItems=1, Marker=first["Marker"])["Tags"] == [{"Key": "team", "Value": "b"}]
    untag(**who, TagKeys=["TEAM", "unknown"])
    assert list_tags(**who)["Tags"] == [{"Key": "stage", "Value": ""}]
    assert refused(tag, **who, Tags=[{"Key": "aws:x", "Value": ""}])[0] == "InvalidInput"
    assert refused(tag, **who, Tags=[{"Key": "x", "Value": ""}, {"Key": "X", "Value": ""}])[0] == "InvalidInput"
    assert refused(tag, **who, Tags=[{"Key": f"k{number}", "Value": ""} for number in range(50)])[0] == "LimitExceeded"


@pytest.mark.documented
def test_access_keys(town: Town) -> None:
    """A user has at most two keys, which work, are listed without their secrets, and are deleted."""
    keys = town.user("ann", allow("iam:*AccessKey*", on=f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"))
    own = town.client("iam", keys=keys)
    second = own.create_access_key()["AccessKey"]
    assert second["UserName"] == "ann" and second["Status"] == "Active" and len(second["SecretAccessKey"]) == 40
    assert refused(own.create_access_key) == ("LimitExceeded", 409, "Cannot exceed quota for AccessKeysPerUser: 2")
    listed = own.list_access_keys()["AccessKeyMetadata"]
    assert {key["AccessKeyId"] for key in listed} == {keys["AccessKeyId"], second["AccessKeyId"]}
    assert not any("SecretAccessKey" in key for key in listed)
    assert refused(own.list_access_keys, UserName="administrator")[0] == "AccessDenied"
    assert refused(town.admin.delete_user, UserName="ann")[2] == "Cannot delete entity, must delete access keys first."
    own.delete_access_key(AccessKeyId=second["AccessKeyId"])
    administrator = town.administrators[ACCOUNT].access_key_id
    for operation, more in (("delete_access_key", {}), ("update_access_key", {"Status": "Inactive"})):
        code, status, _ = refused(getattr(own, operation), AccessKeyId=administrator, **more)
        assert (code, status) == ("NoSuchEntity", 404)
    assert refused(own.update_access_key, AccessKeyId=keys["AccessKeyId"], Status="Expired")[0] == "InvalidInput"


@pytest.mark.documented
def test_without_a_user_name(town: Town) -> None:
    """GetUser without a name is about the caller; a role has to name a user."""
    assert town.admin.get_user()["User"]["UserName"] == "administrator"
    issued = town.client("sts").assume_role(RoleArn=town.administrators[ACCOUNT].role_arn, RoleSessionName="s1")
    iam = town.client("iam", keys=issued["Credentials"])
    for call in (iam.get_user, iam.create_access_key, iam.list_access_keys):
        assert refused(call)[:2] == ("ValidationError", 400)


@pytest.mark.documented
@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        document({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole", "Resource": "*"}),
        document({"Effect": "Allow", "Action": "sts:AssumeRole"}),
        document({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "s3:GetObject"}),
        trust(f"arn:aws:iam::{ACCOUNT}:user/nobody"),
        trust(f"arn:aws:iam::{OTHER_ACCOUNT}:role/nothing"),
        trust("ann"),
    ],
)
def test_trust_policies_that_are_refused(town: Town, text: str) -> None:
    """A trust policy names principals who exist and STS actions, and no resource."""
    assert refused(town.admin.create_role, RoleName="r", AssumeRolePolicyDocument=text)[:2] == ("MalformedPolicyDocument", 400)
    make(town, "role", "r")
    assert refused(town.admin.update_assume_role_policy, RoleName="r", PolicyDocument=text)[0] == "MalformedPolicyDocument"
    assert town.admin.get_role(RoleName="r")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"]


@pytest.mark.documented
def test_update_role(town: Town) -> None:
    """Description and longest session of a role change; what is not given stays."""
    make(town, "role", "r", Description="one")
    assert town.admin.get_role(RoleName="r")["Role"]["MaxSessionDuration"] == 3600
    town.admin.update_role(RoleName="r", MaxSessionDuration=7200)
    role = town.admin.get_role(RoleName="r")["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("one", 7200)


@pytest.mark.documented
@pytest.mark.parametrize(
    ("operation", "request_members", "resource"),
    [
        ("create_role", {"RoleName": "r", "AssumeRolePolicyDocument": SERVICE_TRUST, "Path": "/p/"}, "role/p/r"),
        ("get_role", {"RoleName": "ModelyardExecutionRole"}, "role/ModelyardExecutionRole"),
        ("list_roles", {}, "role/"),
        ("list_users", {"PathPrefix": "/p/"}, "user/p/"),
        ("list_policies", {}, "policy/"),
        ("create_policy", {"PolicyName": "p", "PolicyDocument": S3_POLICY}, "policy/p"),
        ("attach_user_policy", {"UserName": "far", "PolicyArn": READ_ONLY}, "user/away/far"),
        ("put_user_policy", {"UserName": "nobody", "PolicyName": "p", "PolicyDocument": S3_POLICY}, "user/nobody"),
        ("delete_user", {"UserName": "far"}, "user/away/far"),
        ("create_access_key", {}, "user/ann"),
        (
            "simulate_principal_policy",
            {"PolicySourceArn": f"arn:aws:iam::{ACCOUNT}:user/away/far", "ActionNames": ["s3:GetObject"]},
            "user/away/far",
        ),
    ],
)
def test_without_permission(town: Town, operation: str, request_members: dict[str, Any], resource: str) -> None:
    """Every operation is denied without a policy, on the resource AWS names, and allowed by one that names that resource."""
    make(town, "user", "far", Path="/away/")
    iam = town.client("iam", keys=town.user("ann"))
    action = "".join(word.title() for word in operation.split("_"))
    assert refused(getattr(iam, operation), **request_members) == (
        "AccessDenied",
        403,
        f"User: arn:aws:iam::{ACCOUNT}:user/ann is not authorized to perform: iam:{action} on resource: "
        f"arn:aws:iam::{ACCOUNT}:{resource} because no identity-based policy allows the iam:{action} action",
    )
    granted = document(allow(f"iam:{action}", on=f"arn:aws:iam::{ACCOUNT}:{resource}"))
    town.admin.put_user_policy(UserName="ann", PolicyName="granted", PolicyDocument=granted)
    if "nobody" in str(request_members):
        assert refused(getattr(iam, operation), **request_members)[0] == "NoSuchEntity"
    else:
        getattr(iam, operation)(**request_members)


@pytest.mark.documented
def test_conditions_on_iam(town: Town) -> None:
    """Which policy may be attached, which tags are set, and which tags the target has can be conditions."""
    attach = allow("iam:AttachUserPolicy", Condition={"ArnEquals": {"iam:PolicyARN": READ_ONLY}})
    create = allow(
        "iam:CreateUser", Condition={"StringEquals": {"aws:RequestTag/team": "a", "iam:PermissionsBoundary": READ_ONLY}}
    )
    delete = allow("iam:DeleteUser", Condition={"StringEquals": {"iam:ResourceTag/team": "a"}})
    iam = town.client("iam", keys=town.user("ann", attach, create, delete))
    assert refused(iam.create_user, UserName="x", PermissionsBoundary=READ_ONLY)[0] == "AccessDenied"
    assert refused(iam.create_user, UserName="x", Tags=[{"Key": "team", "Value": "a"}])[0] == "AccessDenied"
    iam.create_user(UserName="x", Tags=[{"Key": "team", "Value": "a"}], PermissionsBoundary=READ_ONLY)
    assert (
        refused(iam.attach_user_policy, UserName="x", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")[0]
        == "AccessDenied"
    )
    iam.attach_user_policy(UserName="x", PolicyArn=READ_ONLY)
    town.admin.detach_user_policy(UserName="x", PolicyArn=READ_ONLY)
    assert refused(iam.delete_user, UserName="ann")[0] == "AccessDenied"
    iam.delete_user(UserName="x")


@pytest.mark.ours
def test_accounts_are_apart(town: Town) -> None:
    """Names are free in every account, and an administrator sees none but their own."""
    make(town, "user", "ann")
    other = town.client("iam", OTHER_ACCOUNT)
    assert refused(other.get_user, UserName="ann")[0] == "NoSuchEntity"
    other.create_user(UserName="ann")
    assert [user["UserName"] for user in other.list_users()["Users"]] == ["administrator", "ann"]
