"""Encrypting and decrypting small things: passwords, and the keys that data are encrypted with."""

import os
from collections.abc import Iterable

from modelyard.access.permission import Permission
from modelyard.aws.errors import AwsError
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Permissions, Request, operations_of
from modelyard.keys import ciphertext
from modelyard.keys.ciphertext import InvalidCiphertext
from modelyard.keys.failures import check_enabled, failure, unsupported
from modelyard.keys.grant import EncryptionContext
from modelyard.keys.key import ALGORITHM, Key, NotAKey, NotAnArn, key_name
from modelyard.keys.material import material_of
from modelyard.keys.operations.grants import dry_run
from modelyard.keys.permissions import Found, Values, existing, find, using

operation = operations_of("kms")

SPEC_BYTES = {"AES_256": 32, "AES_128": 16}
_ALGORITHM_MEMBERS = ("EncryptionAlgorithm", "SourceEncryptionAlgorithm", "DestinationEncryptionAlgorithm")


def _invalid_ciphertext() -> AwsError:
    """AWS gives no reason here; neither does this tell apart what is wrong."""
    return failure(
        "InvalidCiphertextException",
        "The ciphertext cannot be decrypted: it was not made here, or was changed, or belongs to another encryption context.",
    )


def _using(action: str) -> Permissions:
    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        found = find(context, request["KeyId"], aliases=True)
        yield using(action, context, found, request.get("EncryptionContext", {}), request)

    return permissions


def _usable(key: Key, request: Request) -> Key:
    """A key, once it can be used for what is asked. Raises AwsError."""
    check_enabled(key)
    for member in _ALGORITHM_MEMBERS:
        if request.get(member, ALGORITHM) != ALGORITHM:
            raise failure("InvalidKeyUsageException", f"You cannot use {request[member]} with {key.arn}, which is {ALGORITHM}.")
    if "Recipient" in request or "DryRunModifiers" in request:
        raise unsupported("Answers for enclaves, and dry runs with modifiers, are not available in Modelyard.")
    return key


def _encrypt(context: Context, key: Key, plaintext: bytes, encryption: EncryptionContext, request: Request) -> bytes:
    if request.get("DryRun"):
        raise dry_run()
    return ciphertext.encrypt(material_of(context.dispatcher.authenticator.key_ring, key), key.arn, plaintext, encryption)


def _decrypt(context: Context, key: Key, blob: bytes, encryption: EncryptionContext) -> bytes:
    try:
        opened = ciphertext.parse(blob)
        return ciphertext.decrypt(material_of(context.dispatcher.authenticator.key_ring, key), opened, encryption)
    except InvalidCiphertext:
        raise _invalid_ciphertext() from None


@operation("Encrypt", mode=Mode.READ, permissions=_using("Encrypt"))
def encrypt(context: Context, request: Request) -> Request:
    """Encrypt up to 4,096 bytes, bound to an encryption context."""
    key = _usable(existing(context, request, aliases=True), request)
    blob = _encrypt(context, key, request["Plaintext"], request.get("EncryptionContext", {}), request)
    return {"CiphertextBlob": blob, "KeyId": key.arn, "EncryptionAlgorithm": ALGORITHM}


def _source(context: Context, request: Request) -> Found:
    """The key that a ciphertext says it was encrypted under. Raises InvalidCiphertextException."""
    if "CiphertextBlob" not in request:  # only a dry run with modifiers does without
        raise failure("ValidationException", "CiphertextBlob has to be given.")
    try:
        name = key_name(ciphertext.parse(request["CiphertextBlob"]).key_arn, "", "")
    except (InvalidCiphertext, NotAKey, NotAnArn):
        raise _invalid_ciphertext() from None
    if name.region != context.region or name.alias:
        raise _invalid_ciphertext()
    return find(context, name.arn)


def _decrypting(context: Context, request: Request) -> Iterable[Permission]:
    found = _source(context, request)
    yield using("Decrypt", context, found, request.get("EncryptionContext", {}), request)


@operation("Decrypt", mode=Mode.READ, permissions=_decrypting)
def decrypt(context: Context, request: Request) -> Request:
    """What was encrypted, for who may use the key and knows the encryption context."""
    key = _expected(context, _source(context, request).existing(), request.get("KeyId"))
    plaintext = _decrypt(context, _usable(key, request), request["CiphertextBlob"], request.get("EncryptionContext", {}))
    if request.get("DryRun"):
        raise dry_run()
    return {"KeyId": key.arn, "Plaintext": plaintext, "EncryptionAlgorithm": ALGORITHM}


def _expected(context: Context, key: Key, named: str | None) -> Key:
    """The key of a ciphertext, if it is the one that the caller names. Raises IncorrectKeyException."""
    if named is None:
        return key
    found = find(context, named, aliases=True)
    if found.name.account == context.account:
        found.existing()  # whether another account has such a key is not to be told
    if found.arn != key.arn:
        raise failure(
            "IncorrectKeyException",
            "The key ID in the request does not identify a CMK that can perform this operation.",
        )
    return key


def _new_data_key(context: Context, request: Request) -> tuple[Key, bytes, bytes]:
    key = _usable(existing(context, request, aliases=True), request)
    if ("KeySpec" in request) == ("NumberOfBytes" in request):
        raise failure("ValidationException", "Please specify either number of bytes or key spec.")
    size = request["NumberOfBytes"] if "NumberOfBytes" in request else SPEC_BYTES[request["KeySpec"]]
    plaintext = os.urandom(size)
    return key, plaintext, _encrypt(context, key, plaintext, request.get("EncryptionContext", {}), request)


@operation("GenerateDataKey", mode=Mode.READ, permissions=_using("GenerateDataKey"))
def generate_data_key(context: Context, request: Request) -> Request:
    """A key to encrypt data with, in clear and encrypted."""
    key, plaintext, blob = _new_data_key(context, request)
    return {"CiphertextBlob": blob, "Plaintext": plaintext, "KeyId": key.arn}


@operation("GenerateDataKeyWithoutPlaintext", mode=Mode.READ, permissions=_using("GenerateDataKeyWithoutPlaintext"))
def generate_data_key_without_plaintext(context: Context, request: Request) -> Request:
    """A key to encrypt data with later, encrypted."""
    key, _, blob = _new_data_key(context, request)
    return {"CiphertextBlob": blob, "KeyId": key.arn}


def _re_encrypting(context: Context, request: Request) -> Iterable[Permission]:
    source = _source(context, request)
    target = find(context, request["DestinationKeyId"], aliases=True)
    same: Values = {"kms:ReEncryptOnSameKey": "true" if source.arn == target.arn else "false"}
    for action, found, member in (
        ("ReEncryptFrom", source, "SourceEncryptionContext"),
        ("ReEncryptTo", target, "DestinationEncryptionContext"),
    ):
        yield using(action, context, found, request.get(member, {}), request, same)


@operation("ReEncrypt", mode=Mode.READ, permissions=_re_encrypting)
def re_encrypt(context: Context, request: Request) -> Request:
    """The same under another key or another encryption context; the plaintext does not leave the server."""
    source = _expected(context, _source(context, request).existing(), request.get("SourceKeyId"))
    target = find(context, request["DestinationKeyId"], aliases=True).existing()
    for key in (source, target):
        _usable(key, request)
    plaintext = _decrypt(context, source, request["CiphertextBlob"], request.get("SourceEncryptionContext", {}))
    blob = _encrypt(context, target, plaintext, request.get("DestinationEncryptionContext", {}), request)
    return {
        "CiphertextBlob": blob,
        "SourceKeyId": source.arn,
        "KeyId": target.arn,
        "SourceEncryptionAlgorithm": ALGORITHM,
        "DestinationEncryptionAlgorithm": ALGORITHM,
    }
