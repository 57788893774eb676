"""What can be a metadata contract, and what it says of a registration."""

import time
from typing import Any

import orjson
import pytest

from modelyard.registry import metadata
from modelyard.registry.metadata_contract import MOST_BYTES, MalformedContract, TooMuchWork, check, view, violations

pytestmark = pytest.mark.ours


def text(schema: Any) -> str:
    return orjson.dumps(schema).decode()


def broken(schema: Any, document: Any) -> list[str]:
    check(text(schema))
    return violations(text(schema), document)


def test_what_is_missing_is_listed_by_its_path() -> None:
    """Each missing member is told by itself, deep ones with the way to them."""
    schema = {
        "required": ["MetadataProperties", "metadata"],
        "properties": {
            "MetadataProperties": {"required": ["CommitId", "Repository"]},
            "metadata": {"properties": {"training_data": {"required": ["location", "version"]}}},
        },
    }
    assert broken(schema, {}) == ["MetadataProperties is missing", "metadata is missing"]
    assert broken(schema, {"MetadataProperties": {"CommitId": "a"}, "metadata": {"training_data": {}}}) == [
        "MetadataProperties.Repository is missing",
        "metadata.training_data.location is missing",
        "metadata.training_data.version is missing",
    ]
    assert broken(schema, {"MetadataProperties": {"CommitId": "a", "Repository": "r"}, "metadata": {}}) == []


def test_wrong_values_are_told_with_their_place() -> None:
    """Patterns, bounds, types and elements that are there twice are told with their place."""
    schema = {
        "properties": {
            "metrics": {"properties": {"accuracy": {"minimum": 0.9}}},
            "metadata": {
                "properties": {"commit": {"pattern": "^[0-9a-f]{7}$"}, "tags": {"uniqueItems": True}, "n": {"type": "integer"}}
            },
        }
    }
    found = broken(schema, {"metrics": {"accuracy": 0.5}, "metadata": {"commit": "zz", "tags": ["a", "a"], "n": "1"}})
    assert len(found) == 4
    assert [phrase.split(":")[0].split(" ")[0] for phrase in found] == [
        "metadata.commit",
        "metadata.n",
        "metadata.tags",
        "metrics.accuracy",
    ]


def test_the_list_of_violations_is_short() -> None:
    """Of very many violations the first are told, and how many more there are."""
    found = broken({"required": [f"m{number:03}" for number in range(100)]}, {})
    assert len(found) == 21 and found[-1] == "and 80 more"


def test_the_view_has_members_metadata_and_metrics() -> None:
    """A registration is one document: its members, its metadata if there is any, its figures."""
    members = {"ModelPackageDescription": "d", "ClientToken": "t"}
    assert view(members, None, {"auc": 1.0}) == {"ModelPackageDescription": "d", "metrics": {"auc": 1.0}}
    assert view(members, {"a": 1}, {})["metadata"] == {"a": 1}


@pytest.mark.parametrize(
    ("schema", "match"),
    [
        ([], "must be a JSON object"),
        ({"type": "nope"}, "/type"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "2020-12"),
        ({"$ref": "https://example.com/schema"}, "leads into the schema"),
        ({"$ref": "#/$defs/none"}, "has no"),
        ({"properties": {"a": {"$ref": "#/properties/a"}}}, "refers back"),
        ({"$defs": {"a": {"not": {"$ref": "#/$defs/b"}}, "b": {"not": {"$ref": "#/$defs/a"}}}}, "refers back"),
        ({"properties": {"a": {"$id": "https://example.com/x"}}}, r"\$id"),
        ({"$dynamicRef": "#x"}, "cannot be used"),
        ({"patternProperties": {"a": {}}}, "cannot be used"),
        ({"pattern": "(a+)+$"}, "very long"),
        ({"pattern": "(a{9999}){9999}"}, "very long"),
        ({"pattern": "["}, "not a regular expression"),
        ({"pattern": "a" * 600}, "512"),
        ({"description": "x" * MOST_BYTES}, "bytes"),
    ],
)
def test_what_cannot_be_a_contract(schema: Any, match: str) -> None:
    """A schema that is none, leads elsewhere or round in circles, or could take very long, is refused with the reason."""
    with pytest.raises(MalformedContract, match=match):
        check(text(schema))


def test_text_that_is_no_json_is_refused() -> None:
    """A contract is JSON."""
    with pytest.raises(MalformedContract, match="not JSON"):
        check("{")


def test_a_schema_that_blows_up_is_refused() -> None:
    """References that double the schema at every step are counted as what they stand for."""
    definitions: dict[str, Any] = {
        f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]} for n in range(30)
    }
    with pytest.raises(MalformedContract, match="parts once"):
        check(text({"$defs": {**definitions, "d30": {}}, "$ref": "#/$defs/d0"}))


def test_deep_schemas_are_refused() -> None:
    """The depth of a schema is bounded."""
    schema: dict[str, Any] = {}
    for _ in range(40):
        schema = {"not": schema}
    with pytest.raises(MalformedContract, match="levels deep"):
        check(text(schema))


@pytest.mark.parametrize(
    ("schema", "document"),
    [
        ({"items": {"type": "integer", "minimum": 0}}, list(range(200_000))),
        ({"items": {"anyOf": [{"properties": {"a": {"type": "string"}}}] * 50}}, [{"a": 1}] * 5000),
        ({"items": {"uniqueItems": True}}, [[{"a": n} for n in range(300)] for _ in range(1000)]),
    ],
)
def test_a_check_ends_soon(schema: Any, document: Any) -> None:
    """A large document under a costly contract is given up before it keeps the writer busy."""
    began = time.perf_counter()
    with pytest.raises(TooMuchWork):
        broken(schema, document)
    assert time.perf_counter() - began < 2


def test_metadata_is_a_json_object_of_some_size() -> None:
    """What is no object, too large, too deep, or has a null character is no metadata."""
    assert metadata.parse('{"a": [1, null]}') == {"a": [1, None]}
    for wrong in ("[]", "{", '{"a": NaN}', '{"a": "\\u0000"}', '{"\\u0000": 1}', '{"a": "' + "x" * metadata.MOST_BYTES + '"}'):
        with pytest.raises(metadata.NotMetadata):
            metadata.parse(wrong)
    with pytest.raises(metadata.NotMetadata, match="levels"):
        metadata.parse('{"a":' * 70 + "1" + "}" * 70)


def test_search_sees_short_values_and_not_all_of_them() -> None:
    """Nulls, long texts, lists of lists and what is beyond the limit stay out of the index."""
    seen = metadata.searchable({"a": None, "b": "x" * 2000, "c": [[1], 2, {"d": True}], "": 1, "e": {"f": {}}, "g": 1.5})
    assert seen == {"c": [2, {"d": True}], "g": 1.5}
    many = metadata.searchable({f"k{number}": number for number in range(1000)})
    assert len(many) == metadata.MOST_SEARCHABLE
