"""Provenance and bills of materials, read by the libraries of those who made their formats."""

import json
from base64 import b64decode
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey
from tests.contract.registry.governed import ALICE, Governed, refused, specification

pytestmark = pytest.mark.ours

BYTES = b"the weights of a model"
COMMIT = "8c6f7d1e0a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d"
CARD = {
    "model_overview": {"model_description": "Finds fraud.", "problem_type": "Binary Classification", "algorithm_type": "XGBoost"},
    "intended_uses": {"purpose_of_model": "To find fraud.", "risk_rating": "Low", "factors_affecting_model_efficiency": "Drift."},
    "business_details": {"business_stakeholders": "The fraud desk."},
    "training_details": {
        "training_job_details": {
            "training_datasets": ["s3://data/a b/train.csv", "git@example.com:data"],
            "training_metrics": [{"name": "loss", "value": 0.25}],
        }
    },
    "evaluation_details": [
        {
            "name": "holdout",
            "datasets": ["s3://data/holdout.csv"],
            "metric_groups": [{"name": "all", "metric_data": [{"name": "auc", "type": "number", "value": 0.97}]}],
        }
    ],
    "additional_information": {"ethical_considerations": "Regions differ.", "caveats_and_recommendations": "Retrain monthly."},
}


def everything(registry: Governed) -> str:
    """A version with all that can be told of one."""
    return registry.register(
        **registry.measured({"accuracy": 0.93}),
        ModelPackageDescription="Fraud, daily",
        Task="CLASSIFICATION",
        MetadataProperties={"Repository": "https://git.example.com/fraud", "CommitId": COMMIT, "GeneratedBy": "job-7"},
        CustomerMetadataProperties={"training_data": "s3://data/more.csv", "training_data_version": "v7", "owner": "naïve"},
        ModelCard={"ModelCardContent": json.dumps(CARD), "ModelCardStatus": "Draft"},
        InferenceSpecification=specification(
            {
                "ModelDataUrl": registry.put("2026/model.tar.gz", BYTES),
                "Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/fraud:1",
                "Framework": "XGBOOST",
                "Environment": {"API_TOKEN": "very-secret"},
            }
        ),
    )


def provenance(registry: Governed, arn: str, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = registry.call("modelyard", "GetVersionProvenance", ModelPackageArn=arn, **more)
    return found


def bill(registry: Governed, arn: str) -> dict[str, Any]:
    """The bill of materials of a version, after CycloneDX's own strict validation."""
    text = registry.call("modelyard", "GetVersionBillOfMaterials", ModelPackageArn=arn)["BillOfMaterials"]
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    found: dict[str, Any] = json.loads(text)
    return found


def test_provenance_is_an_in_toto_statement(registry: Governed) -> None:
    """The library of in-toto takes the statement, and its predicate is a SLSA provenance with all that was registered."""
    statement = provenance(registry, everything(registry))["Statement"]
    Statement.copy_from_pb(json_format.Parse(statement, StatementMessage())).validate()
    content = json.loads(statement)
    json_format.ParseDict(content["predicate"], Provenance())
    (subject,) = content["subject"]
    artifact = registry.artifact(content["predicate"]["runDetails"]["metadata"]["invocationId"])
    assert subject["name"] == "model.tar.gz" and subject["digest"] == {"sha256": artifact["Objects"][0]["Sha256"]}
    definition = content["predicate"]["buildDefinition"]
    sources = {one["uri"]: one for one in definition["resolvedDependencies"]}
    assert sources[f"git+https://git.example.com/fraud@{COMMIT}"]["digest"] == {"gitCommit": COMMIT}
    assert sources["s3://data/more.csv"]["annotations"] == {"versionId": "v7"}
    assert {"s3://data/a b/train.csv", "s3://data/holdout.csv", "job-7"} <= sources.keys()
    assert definition["internalParameters"]["unverified"][0]["uri"].endswith("/fraud:1")


def test_provenance_tells_no_secrets(registry: Governed) -> None:
    """Environment variables and the content of the model card stay out of it."""
    statement = provenance(registry, everything(registry))["Statement"]
    assert "very-secret" not in statement and "Finds fraud" not in statement


def test_an_envelope_is_signed_by_the_yard(registry: Governed) -> None:
    """The library of DSSE verifies the envelope with the key that goes with it, and not once it was changed."""
    arn = everything(registry)
    found = provenance(registry, arn, Signed=True)
    key = SSlibKey.from_crypto(load_pem_public_key(found["PublicKey"].encode()), keyid=found["KeyId"])
    document = json.loads(found["Envelope"])
    assert b64decode(document["payload"]).decode() == found["Statement"]
    assert list(Envelope.from_dict(json.loads(found["Envelope"])).verify([key], 1)) == [found["KeyId"]]
    assert provenance(registry, arn, Signed=True)["PublicKey"] == found["PublicKey"]
    document["payload"] = document["payload"].replace("e", "f", 1)
    with pytest.raises(VerificationError):
        Envelope.from_dict(document).verify([key], 1)


def test_what_nothing_is_known_of_is_not_attested(registry: Governed) -> None:
    """A statement without a digest would say nothing: it is refused, and the bill of materials says what is not known."""
    arn = registry.register_model("s3://no-such-bucket-anywhere/model.tar.gz")
    with refused("ValidationException", "No SHA-256 of an artifact or image"):
        provenance(registry, arn)
    assert bill(registry, arn)["compositions"][0]["aggregate"] == "incomplete"


def test_the_bill_of_materials_is_a_machine_learning_bom(registry: Governed) -> None:
    """It holds against CycloneDX's schema and has the model, its card, its file, image, data, figures and decisions."""
    arn = everything(registry)
    registry.approve(arn, ALICE, "reviewed")
    found = bill(registry, arn)
    component = found["metadata"]["component"]
    assert (component["type"], component["name"], component["version"]) == ("machine-learning-model", registry.group, "1")
    card = component["modelCard"]
    assert card["modelParameters"]["task"] == "CLASSIFICATION" and len(card["modelParameters"]["datasets"]) == 4
    assert {(one["type"], one["value"]) for one in card["quantitativeAnalysis"]["performanceMetrics"]} == {
        ("accuracy", "0.93"), ("loss", "0.25"), ("auc", "0.97"),
    }  # fmt: skip
    assert card["considerations"]["users"] == ["The fraud desk."]
    kinds = [one["type"] for one in found["components"]]
    assert sorted(set(kinds)) == ["container", "data", "file"] and kinds.count("data") == 4
    (file,) = (one for one in found["components"] if one["type"] == "file")
    assert file["hashes"] == component["hashes"]
    (decision,) = found["annotations"]
    assert decision["annotator"]["individual"]["name"] == ALICE.arn and "Approved (reviewed)" in decision["text"]


def test_a_bill_of_little_holds_too(registry: Governed) -> None:
    """A version of which hardly anything was said has a bill that validates."""
    assert bill(registry, registry.register())["metadata"]["component"]["name"] == registry.group


def test_an_image_that_is_kept_is_told_with_its_digest(registry: Governed) -> None:
    """Its digest is a subject of the provenance, and its hash and package URL are in the bill."""
    name = registry.bucket
    uri, digest = registry.push_image(name)
    digest = digest.removeprefix("sha256:")
    arn = registry.register_model(registry.put("model.tar.gz", BYTES), Image=uri)
    subjects = json.loads(provenance(registry, arn)["Statement"])["subject"]
    assert {"name": uri, "digest": {"sha256": digest}} in subjects
    (image,) = (one for one in bill(registry, arn)["components"] if one["type"] == "container")
    assert image["hashes"][0]["content"] == digest and image["purl"].startswith(f"pkg:oci/{name}@sha256%3A{digest}?")


def test_attestations_are_permissions_of_their_own(registry: Governed) -> None:
    """Who may not ask for them is refused by name of the action."""
    from tests.harness import user

    arn = everything(registry)
    describes = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sagemaker:*","Resource":"*"}]}'
    for operation in ("GetVersionProvenance", "GetVersionBillOfMaterials"):
        with refused("AccessDeniedException", f"modelyard:{operation}"):
            registry.call("modelyard", operation, user("111122223333", "describes", describes), ModelPackageArn=arn)
