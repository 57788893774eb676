"""Encrypting and decrypting: who may, under which key and context."""

import pytest
from tests.contract.keys.conftest import Kms
from tests.contract.keys.words import document, identity, refused, statement
from tests.harness import ACCOUNT, OTHER_ACCOUNT, Yard, user

from modelyard.aws.errors import AwsError

CONTEXT = {"team": "weather", "model": "rain"}


@pytest.mark.documented
def test_there_and_back(kms: Kms, key: str) -> None:
    """Decrypt needs no key, only the ciphertext and the same encryption context."""
    blob = kms("Encrypt", KeyId=key, Plaintext=b"secret", EncryptionContext=CONTEXT)["CiphertextBlob"]
    answer = kms("Decrypt", CiphertextBlob=blob, EncryptionContext=dict(reversed(CONTEXT.items())))
    assert answer == {"KeyId": key, "Plaintext": b"secret", "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}
    for context in ({}, {"team": "weather"}, {**CONTEXT, "team": "Weather"}):
        with refused("InvalidCiphertextException"):
            kms("Decrypt", CiphertextBlob=blob, EncryptionContext=context)
    with refused("InvalidCiphertextException"):
        kms("Decrypt", CiphertextBlob=b"anything else", EncryptionContext=CONTEXT)
    with refused("InvalidCiphertextException"):
        kms("Decrypt", region="eu-west-1", CiphertextBlob=blob, EncryptionContext=CONTEXT)


@pytest.mark.documented
def test_naming_the_key_when_decrypting(kms: Kms, key: str) -> None:
    """The key may be named; another one is refused."""
    blob = kms("Encrypt", KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    kms("CreateAlias", AliasName="alias/models", TargetKeyId=key)
    assert kms("Decrypt", CiphertextBlob=blob, KeyId="alias/models")["Plaintext"] == b"secret"
    other = kms("CreateKey")["KeyMetadata"]["KeyId"]
    with refused("IncorrectKeyException"):
        kms("Decrypt", CiphertextBlob=blob, KeyId=other)


@pytest.mark.documented
def test_data_keys(kms: Kms, key: str) -> None:
    """A data key comes in clear and encrypted; its length is said in one of two ways."""
    made = kms("GenerateDataKey", KeyId=key, KeySpec="AES_256", EncryptionContext=CONTEXT)
    assert len(made["Plaintext"]) == 32
    assert kms("Decrypt", CiphertextBlob=made["CiphertextBlob"], EncryptionContext=CONTEXT)["Plaintext"] == made["Plaintext"]
    assert len(kms("GenerateDataKey", KeyId=key, NumberOfBytes=64)["Plaintext"]) == 64
    hidden = kms("GenerateDataKeyWithoutPlaintext", KeyId=key, KeySpec="AES_128")
    assert "Plaintext" not in hidden
    assert len(kms("Decrypt", CiphertextBlob=hidden["CiphertextBlob"])["Plaintext"]) == 16
    for lengths in ({}, {"KeySpec": "AES_256", "NumberOfBytes": 32}):
        with refused("ValidationException", match="number of bytes or key spec"):
            kms("GenerateDataKey", KeyId=key, **lengths)


@pytest.mark.documented
def test_encrypting_anew(kms: Kms, key: str) -> None:
    """ReEncrypt moves a ciphertext to another key and context."""
    other = kms("CreateKey")["KeyMetadata"]["Arn"]
    blob = kms("Encrypt", KeyId=key, Plaintext=b"secret", EncryptionContext=CONTEXT)["CiphertextBlob"]
    moved = kms("ReEncrypt", CiphertextBlob=blob, SourceEncryptionContext=CONTEXT, DestinationKeyId=other)
    assert (moved["SourceKeyId"], moved["KeyId"]) == (key, other)
    assert kms("Decrypt", CiphertextBlob=moved["CiphertextBlob"])["Plaintext"] == b"secret"
    with refused("InvalidCiphertextException"):
        kms("ReEncrypt", CiphertextBlob=blob, DestinationKeyId=other)
    reader = user(ACCOUNT, "reader", identity("kms:ReEncryptFrom"))
    with refused("AccessDeniedException", match="kms:ReEncryptTo"):
        kms("ReEncrypt", by=reader, CiphertextBlob=blob, SourceEncryptionContext=CONTEXT, DestinationKeyId=other)


@pytest.mark.documented
def test_trying(kms: Kms, key: str) -> None:
    """With DryRun nothing is done; an algorithm that the key does not have is refused."""
    with refused("DryRunOperationException"):
        kms("Encrypt", KeyId=key, Plaintext=b"x", DryRun=True)
    for operation, request in (("Decrypt", {}), ("ReEncrypt", {"DestinationKeyId": key})):
        with refused("ValidationException", match="CiphertextBlob"):
            kms(operation, **request)
    with refused("InvalidKeyUsageException"):
        kms("Encrypt", KeyId=key, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    with refused("InvalidGrantTokenException"):
        kms("Encrypt", KeyId=key, Plaintext=b"x", GrantTokens=["none"])


@pytest.mark.documented
def test_policies_may_ask_for_a_context(kms: Kms, key: str) -> None:
    """kms:EncryptionContext:<name> and kms:EncryptionContextKeys are what the request says."""
    reader = user(ACCOUNT, "reader", identity("kms:Decrypt"))
    conditions = {
        "StringEquals": {"kms:EncryptionContext:team": "weather"},
        "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["team", "model"]},
    }
    kms(
        "PutKeyPolicy",
        KeyId=key,
        Policy=document(
            statement(f"arn:aws:iam::{ACCOUNT}:user/admin", "kms:*"), statement(reader.arn, "kms:Decrypt", Condition=conditions)
        ),
    )
    for context, may in (
        (CONTEXT, True),
        ({"team": "weather"}, True),
        ({"team": "sales"}, False),
        ({"team": "weather", "x": "y"}, False),
        ({}, False),
    ):
        blob = kms("Encrypt", KeyId=key, Plaintext=b"secret", EncryptionContext=context)["CiphertextBlob"]
        if may:
            assert kms("Decrypt", by=reader, CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"secret"
        else:
            with refused("AccessDeniedException", match=f"kms:Decrypt on resource: {key}"):
                kms("Decrypt", by=reader, CiphertextBlob=blob, EncryptionContext=context)


@pytest.mark.documented
def test_policies_may_ask_for_aliases(kms: Kms, key: str) -> None:
    """kms:RequestAlias is how the key was named, kms:ResourceAliases what names it has."""
    kms("CreateAlias", AliasName="alias/models", TargetKeyId=key)
    by_name = user(
        ACCOUNT,
        "a",
        document(
            {
                "Effect": "Allow",
                "Action": "kms:*",
                "Resource": "*",
                "Condition": {"StringEquals": {"kms:RequestAlias": "alias/models"}},
            }
        ),
    )
    kms("Encrypt", by=by_name, KeyId="alias/models", Plaintext=b"x")
    with refused("AccessDeniedException"):
        kms("Encrypt", by=by_name, KeyId=key, Plaintext=b"x")
    condition = {"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/mod*"}}
    by_alias = user(ACCOUNT, "b", document({"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": condition}))
    kms("Encrypt", by=by_alias, KeyId=key, Plaintext=b"x")
    kms("DeleteAlias", AliasName="alias/models")
    with refused("AccessDeniedException"):
        kms("Encrypt", by=by_alias, KeyId=key, Plaintext=b"x")


@pytest.mark.documented
def test_another_account_needs_both_sides(kms: Kms, key: str) -> None:
    """The key's policy and the caller's own: one without the other is refused, and it is said which one lacks it."""
    far = user(OTHER_ACCOUNT, "far", identity("kms:Decrypt"))
    blob = kms("Encrypt", KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    with refused("AccessDeniedException", match="no resource-based policy allows the kms:Decrypt action"):
        kms("Decrypt", by=far, CiphertextBlob=blob)
    kms("PutKeyPolicy", KeyId=key, Policy=document(statement(ACCOUNT, "kms:*"), statement(OTHER_ACCOUNT, "kms:Decrypt")))
    assert kms("Decrypt", by=far, CiphertextBlob=blob)["Plaintext"] == b"secret"
    with refused("AccessDeniedException", match="no identity-based policy allows the kms:Decrypt action"):
        kms("Decrypt", by=user(OTHER_ACCOUNT, "poor", identity("s3:*")), CiphertextBlob=blob)


@pytest.mark.ours
def test_material_is_sealed_for_its_own_key(kms: Kms, key: str, yard_in_process: Yard) -> None:
    """No row holds a key in clear, and material that was moved to the row of another key does not open there."""
    other = kms("CreateKey")["KeyMetadata"]["Arn"]
    storage = yard_in_process.house.storage
    names = {"one": key.rpartition("/")[2], "other": other.rpartition("/")[2]}
    with storage.read() as tx:
        (material,) = tx.one("SELECT material FROM kms_key WHERE key_id = :one", {"one": names["one"]}) or (b"",)
    assert len(material) > 32
    storage.write(
        lambda tx: tx.execute(
            "UPDATE kms_key SET material = (SELECT material FROM kms_key WHERE key_id = :other) WHERE key_id = :one", names
        )
    )
    with pytest.raises(Exception, match="not sealed"):
        kms("Encrypt", KeyId=key, Plaintext=b"x")


@pytest.mark.ours
def test_keys_of_other_accounts_are_not_told_of(kms: Kms, key: str) -> None:
    """By no refusal can another account tell whether a key or an alias is there, or which key an alias stands for."""
    kms("CreateAlias", AliasName="alias/there", TargetKeyId=key)
    stranger = user(OTHER_ACCOUNT, "bob")
    own = kms("CreateKey", by=stranger)["KeyMetadata"]["Arn"]
    blob = kms("Encrypt", by=stranger, KeyId=own, Plaintext=b"x")["CiphertextBlob"]
    arn = f"arn:aws:kms:us-east-1:{ACCOUNT}"
    refusals = set()
    for name in ("there", "nowhere"):
        with refused("IncorrectKeyException"):
            kms("Decrypt", by=stranger, CiphertextBlob=blob, KeyId=f"{arn}:alias/{name}")
        with pytest.raises(AwsError) as refusal:
            kms("Encrypt", by=stranger, KeyId=f"{arn}:alias/{name}", Plaintext=b"x")
        refusals.add((refusal.value.code, refusal.value.message.replace(name, "")))
    assert len(refusals) == 1
    with refused("NotFoundException"):
        kms("Decrypt", by=stranger, CiphertextBlob=blob, KeyId="alias/nowhere")
