"""Data keys of encrypted objects: got from KMS as the caller, so that the key's owner decides who may write and who may read.

An object (or a multipart upload) keeps its data key encrypted, with the encryption context that it was encrypted under.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from modelyard.access.principal import PrincipalKind
from modelyard.aws.errors import AccessDeniedException, AwsError
from modelyard.dispatch.context import Context
from modelyard.object_store.bucket import Bucket
from modelyard.object_store.encryption import FORMAT, KEY_BYTES, Encryptor
from modelyard.object_store.errors import invalid_argument, s3_error
from modelyard.object_store.object_version import KMS

Sealed = Mapping[str, Any]
"""What is kept of an encrypted object: `key`, the data key as KMS encrypted it (base64), `context`, `region` and `format`."""

ARN = "aws:s3:arn"
"""The pair of the encryption context that S3 adds."""


@dataclass(frozen=True, slots=True)
class Sealing:
    """How a new object is encrypted."""

    headers: Mapping[str, Any]
    """What every answer says of it: ServerSideEncryption, SSEKMSKeyId, BucketKeyEnabled."""
    sealed: Sealed | None = None
    """None for an object that is not encrypted with a key of KMS."""
    data_key: bytes | None = None
    """In clear; None for a multipart upload that was only begun."""

    def encryptor(self, part: int) -> Encryptor | None:
        """What encrypts a part of the object; None when nothing is to be encrypted."""
        return None if self.data_key is None else Encryptor(self.data_key, part)


def new(
    context: Context, bucket: Bucket, key: str, encryption: Mapping[str, Any], request: Mapping[str, Any], *, later: bool = False
) -> Sealing:
    """A data key for a new object, if its encryption needs one; with `later`, one to be opened when it is used.

    Raises AccessDenied for who may not use the key, and KMS's own errors as S3 does.
    """
    if encryption["ServerSideEncryption"] != KMS:
        return Sealing(encryption)
    _refuse_unsigned(context)
    about = _encryption_context(bucket, key, encryption, request)
    wanted = {"KeyId": encryption.get("SSEKMSKeyId", "alias/aws/s3"), "KeySpec": "AES_256", "EncryptionContext": about}
    made = _call(context, bucket.region, "GenerateDataKeyWithoutPlaintext" if later else "GenerateDataKey", wanted)
    blob = base64.b64encode(made["CiphertextBlob"]).decode("ascii")
    sealed = {"format": FORMAT, "key": blob, "context": about, "region": bucket.region}
    return Sealing({**encryption, "SSEKMSKeyId": made["KeyId"]}, sealed, made.get("Plaintext"))


def open_key(context: Context, sealed: Sealed | None) -> bytes | None:
    """The data key of an object, got as the caller; None for one that is not encrypted. Raises AwsError."""
    if sealed is None:
        return None
    _refuse_unsigned(context)
    asked = {"CiphertextBlob": base64.b64decode(sealed["key"]), "EncryptionContext": dict(sealed["context"])}
    data_key: bytes = _call(context, sealed["region"], "Decrypt", asked)["Plaintext"]
    if sealed["format"] != FORMAT or len(data_key) != KEY_BYTES:
        raise RuntimeError("an object is encrypted in a format that this version does not know")
    return data_key


def _call(context: Context, region: str, operation: str, request: dict[str, Any]) -> Any:
    """Ask KMS in the bucket's region, as the caller and on S3's behalf."""
    facts = replace(context.facts, region=region, via_service=f"s3.{region}.amazonaws.com")
    try:
        return replace(context, facts=facts).call("kms", operation, request)
    except AccessDeniedException as error:
        raise s3_error("AccessDenied", error.message) from error
    except AwsError as error:
        raise AwsError(error.message, code=f"KMS.{error.code}", status=400) from None


def _refuse_unsigned(context: Context) -> None:
    """Nobody in particular may use a key, whatever its policy says."""
    if context.principal.kind is PrincipalKind.ANONYMOUS:
        raise invalid_argument(
            "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4.",
            "Authorization",
            "null",
        )


def _encryption_context(bucket: Bucket, key: str, encryption: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, str]:
    """What binds a data key to its object, or with a bucket key to its bucket; the uploader may add pairs."""
    arn = bucket.arn if encryption.get("BucketKeyEnabled") else f"{bucket.arn}/{key}"
    given = _given_context(request.get("SSEKMSEncryptionContext"))
    if given.get(ARN, arn) != arn:
        raise _invalid_context(request["SSEKMSEncryptionContext"])
    return {**given, ARN: arn}


def _given_context(header: str | None) -> dict[str, str]:
    if header is None:
        return {}
    try:
        pairs = json.loads(base64.b64decode(header, validate=True))
        json.dumps(pairs, ensure_ascii=False).encode()
    except (binascii.Error, ValueError, RecursionError):
        raise _invalid_context(header) from None
    if not isinstance(pairs, dict) or not all(isinstance(value, str) for value in pairs.values()):
        raise _invalid_context(header)
    return pairs


def _invalid_context(header: str) -> AwsError:
    return invalid_argument(
        "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which represents a "
        "string-string map",
        "x-amz-server-side-encryption-context",
        header[:256],
    )
