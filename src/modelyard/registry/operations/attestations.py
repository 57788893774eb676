"""What a version is and what it was made from, for others: SLSA provenance and a CycloneDX bill of materials."""

from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from modelyard import __version__
from modelyard.aws.errors import ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.registry import bill_of_materials, dsse, governance_store, provenance, store_signatures
from modelyard.registry.described_version import DescribedVersion
from modelyard.registry.operations import contracts
from modelyard.registry.operations.packages import existing
from modelyard.registry.operations.signers import current, known_of
from modelyard.registry.permissions import on_package, package_at
from modelyard.registry.provenance import NothingToAttest

operation = operations_of("modelyard")
Request = dict[str, Any]
MOST_DECISIONS = 1000
KEY_PURPOSE = "attestation-signature"


@operation(
    "GetVersionProvenance",
    mode=Mode.SLOW_READ,
    permissions=on_package("GetVersionProvenance", "ModelPackageArn", service="modelyard"),
)
def get_version_provenance(context: Context, request: Request) -> Request:
    """An in-toto statement of what was registered and what it was made from, signed by this yard if that is wanted."""
    version = _described(context, request["ModelPackageArn"])
    key = Ed25519PrivateKey.from_private_bytes(context.dispatcher.authenticator.key_ring.derive(KEY_PURPOSE))
    public = key.public_key()
    digest = sha256(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()
    try:
        statement = dsse.text(provenance.statement(version, f"urn:modelyard:yard:{digest}", __version__))
    except NothingToAttest as error:
        raise ValidationException(str(error)) from None
    answer: Request = {"ModelPackageArn": version.arn, "Statement": statement}
    if request.get("Signed"):
        answer["Envelope"] = dsse.text(dsse.envelope(statement.encode(), key, digest[:16]))
        answer["KeyId"] = digest[:16]
        answer["PublicKey"] = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")
    return answer


@operation(
    "GetVersionBillOfMaterials",
    mode=Mode.SLOW_READ,
    permissions=on_package("GetVersionBillOfMaterials", "ModelPackageArn", service="modelyard"),
)
def get_version_bill_of_materials(context: Context, request: Request) -> Request:
    """What a version consists of, with its model card and its approvals."""
    version = _described(context, request["ModelPackageArn"])
    bill = bill_of_materials.bill_of_materials(version, context.now, __version__)
    return {
        "ModelPackageArn": version.arn,
        "SpecVersion": bill_of_materials.SPEC_VERSION,
        "BillOfMaterials": dsse.text(bill),
    }


def _described(context: Context, arn: str) -> DescribedVersion:
    found = existing(context, package_at(context, arn))
    return DescribedVersion(
        document=found.document,
        records=known_of(context, found),
        metadata=contracts.current_metadata(context, found),
        figures=found.metrics,
        decisions=governance_store.decisions(context.tx, found.at.arn, 0, MOST_DECISIONS, package_id=found.id, descending=False),
        signatures=current(context, found, store_signatures.signatures(context.tx, found.id)),
    )
