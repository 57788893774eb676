"""Grants: they let in where no policy does, as far as they go."""

import json
from typing import Any

import pytest
from tests.contract.keys.conftest import Kms
from tests.contract.keys.words import document, identity, refused, statement
from tests.harness import ACCOUNT, OTHER_ACCOUNT, Yard, user

from modelyard.access.policy import PolicyKind, parse_policy
from modelyard.access.principal import Principal, PrincipalKind

TEAM = {"team": "weather"}
ROLE = f"arn:aws:iam::{OTHER_ACCOUNT}:role/Trainer"


def nobody(account: str = ACCOUNT, name: str = "nobody") -> Principal:
    """A user whose own policies allow nothing of KMS."""
    return user(account, name, identity("s3:ListBucket"))


def session(**more: Any) -> Principal:
    """A session of a role of the other account that has no policies."""
    return Principal(
        arn=f"arn:aws:sts::{OTHER_ACCOUNT}:assumed-role/Trainer/run",
        account=OTHER_ACCOUNT,
        kind=PrincipalKind.ASSUMED_ROLE,
        unique_id="AROATRAINERXXXXXXXXXX:run",
        name="Trainer/run",
        role_arn=ROLE,
        **more,
    )


@pytest.fixture
def secret(kms: Kms, key: str) -> bytes:
    """Something that is encrypted for the team."""
    blob: bytes = kms("Encrypt", KeyId=key, Plaintext=b"secret", EncryptionContext=TEAM)["CiphertextBlob"]
    return blob


def grant(kms: Kms, key: str, grantee: str, *operations: str, **more: Any) -> dict[str, str]:
    made: dict[str, str] = kms("CreateGrant", KeyId=key, GranteePrincipal=grantee, Operations=list(operations), **more)
    return made


@pytest.mark.documented
def test_a_grant_allows_what_no_policy_does(kms: Kms, key: str, secret: bytes) -> None:
    """A user without any policy for KMS may do what the grant says, and nothing else."""
    ann = nobody()
    with refused("AccessDeniedException"):
        kms("Decrypt", by=ann, CiphertextBlob=secret, EncryptionContext=TEAM)
    grant(kms, key, ann.arn, "Decrypt")
    assert kms("Decrypt", by=ann, CiphertextBlob=secret, EncryptionContext=TEAM)["Plaintext"] == b"secret"
    for operation, request in (("Encrypt", {"Plaintext": b"x"}), ("DescribeKey", {})):
        with refused("AccessDeniedException"):
            kms(operation, by=ann, KeyId=key, **request)
    with refused("AccessDeniedException"):
        kms("Decrypt", by=nobody(name="ben"), CiphertextBlob=secret, EncryptionContext=TEAM)


@pytest.mark.documented
def test_a_grant_goes_across_accounts(kms: Kms, key: str, secret: bytes) -> None:
    """To a role of another account it is enough by itself; to an account it leaves the rest to that account's policies."""
    request = {"CiphertextBlob": secret, "EncryptionContext": TEAM}
    made = grant(kms, key, ROLE, "Decrypt")
    assert kms("Decrypt", by=session(), **request)["Plaintext"] == b"secret"
    kms("RevokeGrant", KeyId=key, GrantId=made["GrantId"])
    with refused("AccessDeniedException"):
        kms("Decrypt", by=session(), **request)
    grant(kms, key, OTHER_ACCOUNT, "Decrypt", "GenerateDataKey")
    with refused("AccessDeniedException", match="no identity-based policy allows the kms:Decrypt action"):
        kms("Decrypt", by=nobody(OTHER_ACCOUNT), **request)
    assert kms("Decrypt", by=user(OTHER_ACCOUNT, "far", identity("kms:Decrypt")), **request)["Plaintext"] == b"secret"


@pytest.mark.documented
def test_a_deny_is_stronger(kms: Kms, key: str, secret: bytes) -> None:
    """An explicit deny in the key's policy or the caller's own, and a boundary of a session, are stronger than a grant."""
    ann = nobody()
    grant(kms, key, ann.arn, "Decrypt")
    grant(kms, key, ROLE, "Decrypt")
    denied = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "kms:*", "Resource": "*"}]})
    with refused("AccessDeniedException", match="explicit deny in an identity-based policy"):
        kms("Decrypt", by=user(ACCOUNT, "nobody", denied), CiphertextBlob=secret, EncryptionContext=TEAM)
    limited = session(session_policies=(parse_policy(identity("s3:*"), PolicyKind.IDENTITY),))
    with refused("AccessDeniedException", match="no session policy allows"):
        kms("Decrypt", by=limited, CiphertextBlob=secret, EncryptionContext=TEAM)
    policy = document(statement(ACCOUNT, "kms:*"), statement(ann.arn, "kms:Decrypt", effect="Deny"))
    kms("PutKeyPolicy", KeyId=key, Policy=policy)
    with refused("AccessDeniedException", match="explicit deny in a resource-based policy"):
        kms("Decrypt", by=ann, CiphertextBlob=secret, EncryptionContext=TEAM)


@pytest.mark.documented
def test_constraints(kms: Kms, key: str, secret: bytes) -> None:
    """A grant with an encryption context is for that context alone."""
    ann, ben = nobody(), nobody(name="ben")
    grant(kms, key, ann.arn, "Decrypt", Constraints={"EncryptionContextSubset": TEAM})
    grant(kms, key, ben.arn, "Decrypt", Constraints={"EncryptionContextEquals": {"team": "sales"}})
    assert kms("Decrypt", by=ann, CiphertextBlob=secret, EncryptionContext=TEAM)["Plaintext"] == b"secret"
    with refused("AccessDeniedException"):
        kms("Decrypt", by=ben, CiphertextBlob=secret, EncryptionContext=TEAM)


@pytest.mark.documented
def test_handing_on(kms: Kms, key: str) -> None:
    """Who has CreateGrant by a grant makes grants that allow no more than it."""
    ann, ben = nobody(), nobody(name="ben")
    grant(kms, key, ann.arn, "CreateGrant", "Decrypt", Constraints={"EncryptionContextSubset": TEAM})
    with refused("AccessDeniedException"):
        grant(kms, key, ben.arn, "Encrypt", by=ann)
    with refused("AccessDeniedException"):
        grant(kms, key, ben.arn, "Decrypt", by=ann)
    made = grant(kms, key, ben.arn, "Decrypt", by=ann, Constraints={"EncryptionContextSubset": {**TEAM, "x": "y"}})
    assert [entry["GranteePrincipal"] for entry in kms("ListGrants", KeyId=key)["Grants"]] == [ann.arn, ben.arn]
    assert kms("ListGrants", KeyId=key, GrantId=made["GrantId"])["Grants"][0]["Constraints"] == {
        "EncryptionContextSubset": {**TEAM, "x": "y"}
    }


@pytest.mark.documented
def test_listing(kms: Kms, key: str) -> None:
    """Grants come in pages, in the order they were made, with what they were made of."""
    made = [grant(kms, key, ROLE, "Decrypt", Name=f"n{number}")["GrantId"] for number in range(3)]
    first = kms("ListGrants", KeyId=key, Limit=2)
    rest = kms("ListGrants", KeyId=key, Limit=2, Marker=first["NextMarker"])
    assert [entry["GrantId"] for page in (first, rest) for entry in page["Grants"]] == made
    assert (first["Truncated"], rest["Truncated"]) == (True, False)
    assert first["Grants"][0] == {
        "KeyId": key,
        "GrantId": made[0],
        "Name": "n0",
        "CreationDate": 1_700_000_000.0,
        "GranteePrincipal": ROLE,
        "IssuingAccount": f"arn:aws:iam::{ACCOUNT}:root",
        "Operations": ["Decrypt"],
    }
    assert kms("ListGrants", KeyId=key, GranteePrincipal=OTHER_ACCOUNT)["Grants"] == []


@pytest.mark.documented
def test_the_same_grant_under_the_same_name_is_made_once(kms: Kms, key: str) -> None:
    """A retry makes nothing new; without a name, or with anything else in it, it does."""
    first = grant(kms, key, ROLE, "Decrypt", Name="retry")
    assert grant(kms, key, ROLE, "Decrypt", Name="retry")["GrantId"] == first["GrantId"]
    assert grant(kms, key, ROLE, "Encrypt", Name="retry")["GrantId"] != first["GrantId"]
    assert grant(kms, key, ROLE, "Decrypt")["GrantId"] != grant(kms, key, ROLE, "Decrypt")["GrantId"]


@pytest.mark.documented
def test_retiring(kms: Kms, key: str) -> None:
    """The retiring principal may retire a grant, and the grantee if the grant says so; others need a policy."""
    ann, ben = nobody(), nobody(OTHER_ACCOUNT, "ben")
    one = grant(kms, key, ann.arn, "Decrypt", RetiringPrincipal=ben.arn)
    with refused("AccessDeniedException"):
        kms("RetireGrant", by=ann, GrantToken=one["GrantToken"])
    assert [
        entry["GrantId"] for entry in kms("ListRetirableGrants", by=user(OTHER_ACCOUNT), RetiringPrincipal=ben.arn)["Grants"]
    ] == [one["GrantId"]]
    kms("RetireGrant", by=ben, KeyId=key, GrantId=one["GrantId"])
    two = grant(kms, key, ann.arn, "Decrypt", "RetireGrant")
    kms("RetireGrant", by=ann, GrantToken=two["GrantToken"])
    assert kms("ListGrants", KeyId=key)["Grants"] == []
    with refused("NotFoundException"):
        kms("RetireGrant", GrantToken=two["GrantToken"])
    with refused("InvalidGrantTokenException"):
        kms("RetireGrant", GrantToken="none")
    with refused("ValidationException"):
        kms("RetireGrant", KeyId=key)


@pytest.mark.documented
def test_grants_that_make_no_sense(kms: Kms, key: str) -> None:
    """Principals that are none, operations that the key does not have, and a grant that is not there are refused."""
    with refused("InvalidArnException"):
        grant(kms, key, "arn:aws:s3:::bucket", "Decrypt")
    with refused("ValidationException", match="Grant operation Sign"):
        grant(kms, key, ROLE, "Sign")
    with refused("ValidationException"):
        kms("CreateGrant", KeyId=key, Operations=["Decrypt"])
    with refused("NotFoundException", match="Grant ID x not found"):
        kms("RevokeGrant", KeyId=key, GrantId="x")
    with refused("DryRunOperationException"):
        grant(kms, key, ROLE, "Decrypt", DryRun=True)


@pytest.mark.documented
def test_policies_may_limit_grants(kms: Kms, key: str) -> None:
    """kms:GrantOperations and kms:GranteePrincipal are what the grant would be."""
    condition = {
        "ForAllValues:StringEquals": {"kms:GrantOperations": ["Decrypt"]},
        "StringEquals": {"kms:GranteePrincipal": ROLE},
    }
    own = document({"Effect": "Allow", "Action": "kms:CreateGrant", "Resource": "*", "Condition": condition})
    limited = user(ACCOUNT, "limited", own)
    assert grant(kms, key, ROLE, "Decrypt", by=limited)
    for grantee, operations in ((ROLE, ["Decrypt", "Encrypt"]), (OTHER_ACCOUNT, ["Decrypt"])):
        with refused("AccessDeniedException"):
            grant(kms, key, grantee, *operations, by=limited)


@pytest.mark.ours
def test_tokens_do_no_harm(kms: Kms, key: str, secret: bytes, yard_in_process: Yard) -> None:
    """A genuine token may come with any request: the grant counts without it as well."""
    made = grant(kms, key, nobody().arn, "Decrypt")
    request = {"CiphertextBlob": secret, "EncryptionContext": TEAM, "GrantTokens": [made["GrantToken"]]}
    assert kms("Decrypt", by=nobody(), **request)["Plaintext"] == b"secret"
    with refused("AccessDeniedException"):
        kms("Decrypt", by=nobody(name="ben"), **request)


@pytest.mark.ours
def test_retirable_grants_of_another_accounts_principal_are_not_listed(kms: Kms, key: str) -> None:
    """Not even when its name has the number of the caller's account in it, as roles for other accounts often do."""
    retiring = f"arn:aws:iam::{ACCOUNT}:role/for-{OTHER_ACCOUNT}"
    kms("CreateGrant", KeyId=key, GranteePrincipal=ROLE, RetiringPrincipal=retiring, Operations=["Decrypt"])
    assert len(kms("ListRetirableGrants", RetiringPrincipal=retiring)["Grants"]) == 1
    with refused("ValidationException"):
        kms("ListRetirableGrants", by=user(OTHER_ACCOUNT, "bob"), RetiringPrincipal=retiring)
