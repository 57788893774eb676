"""Keys and aliases: made, named, listed, disabled, deleted."""

import pytest
from tests.contract.keys.conftest import Kms
from tests.contract.keys.words import document, refused, statement
from tests.harness import ACCOUNT, OTHER_ACCOUNT, START, Yard, user

from modelyard.keys.worker import delete_due

MISSING = "00000000-0000-0000-0000-00000000abcd"
DAY = 86_400.0


@pytest.mark.documented
def test_a_new_key(kms: Kms) -> None:
    """CreateKey answers what DescribeKey does; key id and ARN name the same key."""
    made = kms("CreateKey", Description="for models", Tags=[{"TagKey": "team", "TagValue": "weather"}])["KeyMetadata"]
    assert made["Arn"] == f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{made['KeyId']}"
    assert (made["Enabled"], made["KeyState"], made["KeyManager"], made["CreationDate"]) == (True, "Enabled", "CUSTOMER", START)
    for name in (made["KeyId"], made["Arn"]):
        assert kms("DescribeKey", KeyId=name) == {"KeyMetadata": made}
    assert kms("ListResourceTags", KeyId=made["KeyId"])["Tags"] == [{"TagKey": "team", "TagValue": "weather"}]
    kms("UntagResource", KeyId=made["KeyId"], TagKeys=["team"])
    kms("TagResource", KeyId=made["KeyId"], Tags=[{"TagKey": "b", "TagValue": "2"}, {"TagKey": "a", "TagValue": "1"}])
    assert [tag["TagKey"] for tag in kms("ListResourceTags", KeyId=made["KeyId"])["Tags"]] == ["a", "b"]
    kms("UpdateKeyDescription", KeyId=made["KeyId"], Description="other")
    assert kms("DescribeKey", KeyId=made["KeyId"])["KeyMetadata"]["Description"] == "other"


@pytest.mark.documented
def test_what_names_no_key(kms: Kms, key: str) -> None:
    """Missing keys, malformed names and other regions are refused with AWS's codes; of other accounts nothing is revealed."""
    with refused("NotFoundException", match=f"Key 'arn:aws:kms:us-east-1:{ACCOUNT}:key/{MISSING}' does not exist"):
        kms("DescribeKey", KeyId=MISSING)
    with refused("NotFoundException", match=f"Alias arn:aws:kms:us-east-1:{ACCOUNT}:alias/none is not found"):
        kms("DescribeKey", KeyId="alias/none")
    with refused("NotFoundException", match="Invalid keyId"):
        kms("DescribeKey", KeyId="nonsense")
    with refused("InvalidArnException"):
        kms("DescribeKey", KeyId="arn:aws:s3:::bucket")
    with refused("NotFoundException", match="Invalid arn us-east-1"):
        kms("DescribeKey", region="eu-west-1", KeyId=key)
    with refused("NotFoundException", match="Invalid keyId"):
        kms("GetKeyPolicy", KeyId="alias/aws/s3")
    far = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{MISSING}"
    for there in (key, far):
        with refused("AccessDeniedException"):
            kms("DescribeKey", by=user(OTHER_ACCOUNT), KeyId=there)


@pytest.mark.ours
def test_what_there_is_not(kms: Kms) -> None:
    """Asymmetric keys, keys that are brought along, and those of several regions are refused by name."""
    for member, value in (
        ("KeySpec", "RSA_2048"),
        ("KeyUsage", "SIGN_VERIFY"),
        ("Origin", "EXTERNAL"),
        ("MultiRegion", True),
        ("CustomKeyStoreId", "store"),
    ):
        with refused("UnsupportedOperationException", match=member):
            kms("CreateKey", **{member: value})


@pytest.mark.documented
def test_keys_are_listed_in_pages(kms: Kms) -> None:
    """Every key comes once, those that AWS manages among them; a marker is of no use elsewhere."""
    made = {kms("CreateKey")["KeyMetadata"]["KeyId"] for _ in range(4)} | {
        kms("DescribeKey", KeyId="alias/aws/s3")["KeyMetadata"]["KeyId"]
    }
    seen: list[str] = []
    marker: dict[str, str] = {}
    while True:
        page = kms("ListKeys", Limit=2, **marker)
        seen += [entry["KeyId"] for entry in page["Keys"]]
        if not page["Truncated"]:
            break
        marker = {"Marker": page["NextMarker"]}
    assert seen == sorted(made)
    with refused("InvalidMarkerException"):
        kms("ListAliases", **marker)
    assert made.isdisjoint(entry["KeyId"] for entry in kms("ListKeys", by=user(OTHER_ACCOUNT))["Keys"])


@pytest.mark.documented
def test_aliases(kms: Kms, key: str) -> None:
    """An alias names a key wherever AWS takes one, can be moved, and is listed with AWS's own."""
    other = kms("CreateKey")["KeyMetadata"]
    kms("CreateAlias", AliasName="alias/models", TargetKeyId=key)
    alias_arn = f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/models"
    for name in ("alias/models", alias_arn):
        assert kms("DescribeKey", KeyId=name)["KeyMetadata"]["Arn"] == key
    with refused("AlreadyExistsException", match=alias_arn):
        kms("CreateAlias", AliasName="alias/models", TargetKeyId=other["KeyId"])
    kms("UpdateAlias", AliasName="alias/models", TargetKeyId=other["KeyId"])
    assert kms("DescribeKey", KeyId="alias/models")["KeyMetadata"] == other
    assert [entry["AliasName"] for entry in kms("ListAliases")["Aliases"]] == ["alias/aws/s3", "alias/models"]
    assert [entry["AliasArn"] for entry in kms("ListAliases", KeyId=other["Arn"])["Aliases"]] == [alias_arn]
    assert kms("ListAliases", KeyId=key)["Aliases"] == []
    kms("DeleteAlias", AliasName="alias/models")
    with refused("NotFoundException"):
        kms("DeleteAlias", AliasName="alias/models")


@pytest.mark.seen
def test_names_that_no_alias_can_have(kms: Kms, key: str) -> None:
    """The prefix is needed, some characters are not allowed, and alias/aws/ is AWS's own."""
    for name, code in (
        ("models", "ValidationException"),
        ("alias/a:b", "InvalidAliasNameException"),
        ("alias/aws/mine", "NotAuthorizedException"),
    ):
        with refused(code):
            kms("CreateAlias", AliasName=name, TargetKeyId=key)


@pytest.mark.documented
def test_a_disabled_key(kms: Kms, key: str) -> None:
    """It is described and managed, and used for nothing, until it is enabled again."""
    blob = kms("Encrypt", KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms("DisableKey", KeyId=key)
    assert kms("DescribeKey", KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
    for operation, request in (
        ("Encrypt", {"KeyId": key, "Plaintext": b"x"}),
        ("Decrypt", {"CiphertextBlob": blob}),
        ("GenerateDataKey", {"KeyId": key, "KeySpec": "AES_256"}),
        ("CreateGrant", {"KeyId": key, "GranteePrincipal": OTHER_ACCOUNT, "Operations": ["Decrypt"]}),
    ):
        with refused("DisabledException", match=f"{key} is disabled"):
            kms(operation, **request)
    kms("CreateAlias", AliasName="alias/x", TargetKeyId=key)
    kms("EnableKey", KeyId=key)
    assert kms("Decrypt", CiphertextBlob=blob)["Plaintext"] == b"x"


@pytest.mark.documented
def test_deleting_a_key(kms: Kms, key: str, yard_in_process: Yard) -> None:
    """It waits, can be had back disabled, and once its time has come it is gone with aliases, grants and material."""
    kms("CreateAlias", AliasName="alias/models", TargetKeyId=key)
    kms("CreateGrant", KeyId=key, GranteePrincipal=OTHER_ACCOUNT, Operations=["Decrypt"])
    with refused("ValidationException"):
        kms("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=6)
    answer = kms("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    assert answer == {"KeyId": key, "DeletionDate": START + 7 * DAY, "KeyState": "PendingDeletion", "PendingWindowInDays": 7}
    assert kms("DescribeKey", KeyId=key)["KeyMetadata"]["DeletionDate"] == START + 7 * DAY
    for operation in ("EnableKey", "DisableKey", "ScheduleKeyDeletion"):
        with refused("KMSInvalidStateException", match=f"{key} is pending deletion"):
            kms(operation, KeyId=key)
    kms("CancelKeyDeletion", KeyId=key)
    assert kms("DescribeKey", KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
    with refused("KMSInvalidStateException", match="is not pending deletion"):
        kms("CancelKeyDeletion", KeyId=key)
    kms("ScheduleKeyDeletion", KeyId=key)
    house = yard_in_process.house
    assert delete_due(house.storage, house.clock) == 0
    yard_in_process.clock.advance(30 * DAY + 1)
    for name in (key, "alias/models"):
        with refused("NotFoundException"):
            kms("DescribeKey", KeyId=name)
    assert delete_due(house.storage, house.clock) == 1
    with house.storage.read() as tx:
        assert [tx.one(f"SELECT count(*) FROM kms_{table}") for table in ("key", "alias", "grant")] == [(0,)] * 3


@pytest.mark.documented
def test_keys_that_aws_manages(kms: Kms) -> None:
    """alias/aws/s3 is there without being made, another one in each account and region, and cannot be changed."""
    there = kms("DescribeKey", KeyId="alias/aws/s3")["KeyMetadata"]
    assert (there["KeyManager"], there["KeyState"]) == ("AWS", "Enabled")
    assert kms("DescribeKey", KeyId=there["Arn"])["KeyMetadata"] == there
    elsewhere = kms("DescribeKey", region="eu-west-1", KeyId="alias/aws/s3")["KeyMetadata"]
    others = kms("DescribeKey", by=user(OTHER_ACCOUNT), KeyId="alias/aws/s3")["KeyMetadata"]
    assert len({there["KeyId"], elsewhere["KeyId"], others["KeyId"]}) == 3
    for operation in ("ScheduleKeyDeletion", "DisableKey"):
        with refused("AccessDeniedException"):
            kms(operation, KeyId=there["KeyId"])
    with refused("AccessDeniedException"):
        kms("Encrypt", KeyId="alias/aws/s3", Plaintext=b"x")
    with refused("AccessDeniedException"):
        kms("CreateGrant", KeyId=there["KeyId"], GranteePrincipal=OTHER_ACCOUNT, Operations=["Decrypt"])


@pytest.mark.documented
def test_key_policies(kms: Kms, key: str) -> None:
    """The default policy leaves a key to its account; a new one counts at once; one that locks out has to be asked for."""
    default = kms("GetKeyPolicy", KeyId=key, PolicyName="default")
    assert default["PolicyName"] == "default" and f"arn:aws:iam::{ACCOUNT}:root" in default["Policy"]
    assert kms("ListKeyPolicies", KeyId=key)["PolicyNames"] == ["default"]
    admin = f"arn:aws:iam::{ACCOUNT}:user/admin"
    only_admin = document(statement(admin, "kms:*"))
    kms("PutKeyPolicy", KeyId=key, PolicyName="default", Policy=only_admin)
    assert kms("GetKeyPolicy", KeyId=key)["Policy"] == only_admin
    with refused("AccessDeniedException", match="no resource-based policy allows the kms:Encrypt action"):
        kms("Encrypt", by=user(name="ben"), KeyId=key, Plaintext=b"x")
    locked = document(statement(f"arn:aws:iam::{ACCOUNT}:user/ben", "kms:*"))
    with refused("MalformedPolicyDocumentException", match="will not allow you to update the key policy"):
        kms("PutKeyPolicy", KeyId=key, Policy=locked)
    with refused("MalformedPolicyDocumentException"):
        kms("PutKeyPolicy", KeyId=key, Policy="{}")
    with refused("LimitExceededException"):
        kms("PutKeyPolicy", KeyId=key, Policy=only_admin + " " * 40_000)
    with refused("NotFoundException", match="No such policy exists"):
        kms("GetKeyPolicy", KeyId=key, PolicyName="other")
    kms("PutKeyPolicy", KeyId=key, Policy=locked, BypassPolicyLockoutSafetyCheck=True)
    with refused("AccessDeniedException"):
        kms("GetKeyPolicy", KeyId=key)


@pytest.mark.documented
def test_what_cannot_be_done_across_accounts(kms: Kms, key: str) -> None:
    """Managing a key is left to its own account, whatever its policy says; using it is not."""
    everything = document(statement(ACCOUNT, "kms:*"), statement(OTHER_ACCOUNT, "kms:*"))
    kms("PutKeyPolicy", KeyId=key, Policy=everything)
    stranger = user(OTHER_ACCOUNT)
    assert kms("DescribeKey", by=stranger, KeyId=key)["KeyMetadata"]["Arn"] == key
    assert kms("Encrypt", by=stranger, KeyId=key, Plaintext=b"x")["KeyId"] == key
    for operation, request in (
        ("PutKeyPolicy", {"Policy": everything}),
        ("GetKeyPolicy", {}),
        ("DisableKey", {}),
        ("ScheduleKeyDeletion", {}),
        ("TagResource", {"Tags": []}),
    ):
        with refused("AccessDeniedException"):
            kms(operation, by=stranger, KeyId=key, **request)
    with refused("AccessDeniedException"):
        kms("CreateAlias", by=stranger, AliasName="alias/mine", TargetKeyId=key)
