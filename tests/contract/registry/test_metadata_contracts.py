"""Metadata contracts and the metadata of versions, as operations keep them, on every database."""

import json
from typing import Any

import pytest
from tests.contract.registry.governed import ALICE, Governed, refused, specification

pytestmark = pytest.mark.ours

INVALID, MISSING = "ValidationException", "ResourceNotFound"
MINIMUM = {
    "required": ["MetadataProperties", "metadata", "metrics"],
    "properties": {
        "MetadataProperties": {"required": ["CommitId"]},
        "CustomerMetadataProperties": {"required": ["owner"]},
        "metadata": {
            "required": ["training_data", "hyperparameters"],
            "properties": {"training_data": {"required": ["location", "version"]}},
        },
        "metrics": {"required": ["accuracy"]},
    },
}
DOCUMENT = {"training_data": {"location": "s3://data/train.csv", "version": "v7"}, "hyperparameters": {"depth": 6}}


def complete(registry: Governed, **metadata: Any) -> dict[str, Any]:
    """Members of a registration that keeps to the minimum."""
    uri = registry.put("metadata.json", json.dumps({**DOCUMENT, **metadata}).encode())
    return {
        "MetadataProperties": {"CommitId": "abc"},
        "CustomerMetadataProperties": {"owner": "weather", "modelyard:metadata": uri},
        **registry.measured({"accuracy": 0.93}),
    }


def put(registry: Governed, arn: str, document: Any, **more: Any) -> int:
    answer = registry.call("modelyard", "PutVersionMetadata", ModelPackageArn=arn, Document=json.dumps(document), **more)
    return int(answer["Revision"])


def get(registry: Governed, arn: str, **more: Any) -> Any:
    return json.loads(registry.call("modelyard", "GetVersionMetadata", ModelPackageArn=arn, **more)["Document"])


def found(registry: Governed, name: str, operator: str = "Equals", value: str | None = None) -> list[str]:
    filters = [{"Name": name, "Operator": operator, **({} if value is None else {"Value": value})}]
    filters.append({"Name": "ModelPackageGroupName", "Operator": "Equals", "Value": registry.group})
    answer = registry.call("sagemaker", "Search", Resource="ModelPackage", SearchExpression={"Filters": filters})
    return sorted(one["ModelPackage"]["ModelPackageArn"] for one in answer["Results"])


def test_a_contract_is_kept_until_it_is_deleted(registry: Governed) -> None:
    """The schema comes back as the text it was put as; without one there is nothing to get or delete."""
    named = {"ModelPackageGroupName": registry.group}
    with refused(MISSING, "no metadata contract"):
        registry.call("modelyard", "GetMetadataContract", **named)
    registry.call("modelyard", "PutMetadataContract", **named, Schema='{ "required": ["metadata"] }')
    assert registry.call("modelyard", "GetMetadataContract", **named)["Schema"] == '{ "required": ["metadata"] }'
    with refused(INVALID, "metadata is missing"):
        registry.register()
    registry.call("modelyard", "DeleteMetadataContract", **named)
    with refused(MISSING, "no metadata contract"):
        registry.call("modelyard", "DeleteMetadataContract", **named)
    assert registry.register().endswith("/1"), "a refused registration takes no number"


def test_what_cannot_be_a_contract_is_refused(registry: Governed) -> None:
    """A schema that leads elsewhere is refused with the reason."""
    with refused(INVALID, "cannot be a metadata contract: A reference leads into the schema itself"):
        registry.contract(**{"$ref": "https://example.com"})


def test_a_registration_is_told_everything_it_lacks(registry: Governed) -> None:
    """What is missing is listed, and a registration that brings it all is kept, with its document as the first revision."""
    registry.contract(**MINIMUM)
    with refused(INVALID, "is not met: MetadataProperties is missing; metadata is missing; metrics.accuracy is missing"):
        registry.register()
    partial = complete(registry)
    partial["CustomerMetadataProperties"]["modelyard:metadata"] = registry.put("partial.json", b'{"training_data": {}}')
    with refused(
        INVALID, "metadata.hyperparameters is missing; metadata.training_data.location is missing; .*version is missing"
    ):
        registry.register(**partial)
    arn = registry.register(**complete(registry))
    assert get(registry, arn) == DOCUMENT


def test_what_the_registry_finds_counts(registry: Governed) -> None:
    """A contract may ask for what the registry fills in: the ETag of an artifact that was found."""
    container = {"properties": {"Containers": {"items": {"required": ["ModelDataETag"]}}}}
    registry.contract(required=["InferenceSpecification"], properties={"InferenceSpecification": container})
    with refused(INVALID, "InferenceSpecification.Containers.0.ModelDataETag is missing"):
        registry.register_model(f"s3://{registry.bucket}/missing.tar.gz")
    assert registry.register_model(registry.put("model.tar.gz", b"weights"))


def test_a_metadata_document_that_cannot_be_read_is_told(registry: Governed) -> None:
    """A registration that names a document brings it, or is refused: missing, no JSON, too large, no address."""
    uris = {
        f"s3://{registry.bucket}/none.json": "cannot be read",
        registry.put("text.json", b"hello"): "must be a JSON document",
        registry.put("large.json", b'{"a": "' + b"x" * 2**20 + b'"}'): "1048576 bytes",
        "elsewhere": "s3:// address",
    }
    for uri, match in uris.items():
        with refused(INVALID, match):
            registry.register(CustomerMetadataProperties={"modelyard:metadata": uri})


def test_an_update_does_not_take_away_what_is_asked_for(registry: Governed) -> None:
    """Neither removing a property nor new metadata may leave a version short; what it lacked before is not held against it."""
    older = registry.register()
    registry.contract(**MINIMUM)
    arn = registry.register(**complete(registry))
    with refused(INVALID, "CustomerMetadataProperties.owner is missing"):
        registry.update(arn, CustomerMetadataPropertiesToRemove=["owner"])
    with refused(INVALID, "metadata.hyperparameters is missing"):
        put(registry, arn, {"training_data": DOCUMENT["training_data"]})
    assert put(registry, arn, {**DOCUMENT, "note": "ok"}) == 2
    registry.update(older, CustomerMetadataProperties={"owner": "weather"})
    assert registry.approve(older, ALICE) == "Approved"
    assert put(registry, older, {**DOCUMENT}) == 1


def test_an_update_brings_a_new_document_too(registry: Governed) -> None:
    """Naming another document in an update makes a new revision of it."""
    arn = registry.register(**complete(registry))
    uri = registry.put("second.json", b'{"stage": 2}')
    registry.update(arn, CustomerMetadataProperties={"modelyard:metadata": uri})
    assert get(registry, arn) == {"stage": 2} and get(registry, arn, Revision=1) == DOCUMENT
    assert found(registry, "Metadata.stage", value="2") == [arn]


def test_a_contract_that_takes_too_long_is_an_error_of_the_request(registry: Governed) -> None:
    """A large document under a costly contract is refused, not waited for."""
    registry.contract(properties={"metadata": {"properties": {"rows": {"items": {"type": "integer", "minimum": 0}}}}})
    arn = registry.register()
    with refused(INVALID, "more than .* steps"):
        put(registry, arn, {"rows": list(range(100_000))})


def test_metadata_has_revisions(registry: Governed) -> None:
    """Each put makes a revision that stays; one that expects another state of things is refused."""
    arn = registry.register()
    with refused(MISSING, "has no metadata"):
        get(registry, arn)
    numbers = [put(registry, arn, {"n": n}) for n in (1, 2, 3)]
    assert numbers == [1, 2, 3]
    assert get(registry, arn) == {"n": 3} and get(registry, arn, Revision=1) == {"n": 1}
    with refused(MISSING, "revision 4"):
        get(registry, arn, Revision=4)
    with refused(INVALID, "is at revision 3, and not at 2"):
        put(registry, arn, {}, ExpectedRevision=2)
    assert put(registry, arn, {}, ExpectedRevision=3) == 4
    first = registry.call("modelyard", "ListVersionMetadata", ModelPackageArn=arn, MaxResults=3)
    assert [one["Revision"] for one in first["Revisions"]] == [4, 3, 2]
    rest = registry.call("modelyard", "ListVersionMetadata", ModelPackageArn=arn, MaxResults=3, NextToken=first["NextToken"])
    assert [one["Revision"] for one in rest["Revisions"]] == [1] and "NextToken" not in rest


def test_metadata_of_an_unversioned_package(registry: Governed) -> None:
    """An unversioned package carries a document as well."""
    name = f"solo-{registry.bucket}"
    arn = registry.call("sagemaker", "CreateModelPackage", ModelPackageName=name, InferenceSpecification=specification({}))[
        "ModelPackageArn"
    ]
    assert put(registry, arn, {"a": 1}) == 1 and get(registry, arn) == {"a": 1}


def test_a_large_document_is_kept_whole(registry: Governed) -> None:
    """A document of nearly 1 MB, with thousands of values, comes back as it was; only the first values are searched."""
    arn = registry.register()
    document = {f"key{number:05}": "x" * 100 for number in range(9000)}
    assert put(registry, arn, document) == 1
    assert get(registry, arn) == document
    assert found(registry, "Metadata.key00001", "Exists") == [arn]
    assert found(registry, "Metadata.key08999", "Exists") == []


def test_search_by_path(registry: Governed) -> None:
    """Texts, numbers, booleans, elements of lists and long texts are found by their path, whatever their type."""
    note = "a long note on how the data was cleaned, longer than what the index keeps of a text by itself"
    first, second = registry.register(), registry.register()
    put(registry, first, {"data": {"version": 7, "files": ["a.csv", "b.csv"], "clean": True}, "note": note})
    put(registry, second, {"data": {"version": "7", "files": ["c.csv"], "clean": False}, "score": 0.5, "none": None})
    assert found(registry, "Metadata.data.version", value="7") == [first, second]
    assert found(registry, "Metadata.data.version", "NotEquals", "7") == []
    assert found(registry, "Metadata.data.version", "GreaterThan", "6.5") == [first]
    assert found(registry, "Metadata.data.files", value="b.csv") == [first]
    assert found(registry, "Metadata.data.clean", value="false") == [second]
    assert found(registry, "Metadata.note", value=note) == [first]
    assert found(registry, "Metadata.note", "Contains", "cleaned") == [first]
    assert found(registry, "Metadata.score", "LessThan", "1") == [second]
    assert found(registry, "Metadata.none", "NotExists") == [first, second]
    put(registry, first, {"other": 1})
    assert found(registry, "Metadata.data.version", value="7") == [second]
    registry.update(second, CustomerMetadataProperties={"a": "b"})
    assert found(registry, "Metadata.data.version", value="7") == [second], "an update leaves the metadata in the index"
    registry.call("sagemaker", "DeleteModelPackage", ModelPackageName=second)
    assert found(registry, "Metadata.score", "Exists") == []


def test_results_are_not_sorted_by_metadata(registry: Governed) -> None:
    """A property whose values may be texts and numbers has no order."""
    with refused(INVALID, "cannot be sorted by Metadata.a"):
        registry.call("sagemaker", "Search", Resource="ModelPackage", SortBy="Metadata.a")
