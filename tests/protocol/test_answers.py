"""botocore's answer cases in reverse: what an operation returns is put on the wire so that botocore reads the same."""

from typing import Any
from xml.etree import ElementTree

import pytest
from botocore import model as botocore_model
from botocore import parsers
from botocore.awsrequest import HeadersDict
from botocore.utils import parse_timestamp
from tests.protocol.botocore_cases import Case, cases
from tests.protocol.test_requests import plain

from modelyard.aws.catalogue import OperationModel
from modelyard.aws.errors import AwsError, UnknownOperationException
from modelyard.aws.http import HttpResponse
from modelyard.aws.models import ServiceModel, Shape

pytestmark = pytest.mark.documented

PARSERS = {
    "json": parsers.JSONParser,
    "query": parsers.QueryParser,
    "rest-json": parsers.RestJSONParser,
    "rest-xml": parsers.RestXMLParser,
    "smithy-rpc-v2-cbor": parsers.RpcV2CBORParser,
}

EVENT_STREAM = "a stream of events, which no operation here answers with"
UNREADABLE = "botocore's own parser cannot read it, which botocore lists too; held against the case's bytes below"
NO_UNION = "a union without a member, which botocore's parser refuses"
OTHER_HEADERS = "the map takes all headers of the answer, among them the request id, in lower case"
EMPTY_BLOB = "an absent payload reads as an empty one"
TWO_NAMES = "two members on one name, as botocore reads flattened lists; no service here has such a shape"

DIFFERENT = {
    "legacy/output/json:OperationName-6-0": EVENT_STREAM,
    "legacy/output/rest-xml:OperationName-14-0": EVENT_STREAM,
    "legacy/output/rest-xml:OperationName-14-1": EVENT_STREAM,
    "legacy/output/rest-xml:OperationName-14-2": EVENT_STREAM,
    "legacy/output/rest-json:OperationName-9-0": OTHER_HEADERS,
    "output/rest-json:HttpPrefixHeadersResponse": OTHER_HEADERS,
    "legacy/output/rest-json:OperationName-17-2": NO_UNION,
    "legacy/output/rest-xml:OperationName-16-2": NO_UNION,
    "output/rest-json:RestJsonHttpPayloadWithUnsetUnion": NO_UNION,
    "output/rest-xml:RestXmlHttpPayloadWithUnsetUnion": NO_UNION,
    "output/rest-json:RestJsonHttpPayloadTraitsWithNoBlobBody": EMPTY_BLOB,
    "output/rest-xml:HttpPayloadTraitsWithNoBlobBody": EMPTY_BLOB,
    "output/query:QueryXmlLists": TWO_NAMES,
    "output/rest-xml:XmlLists": TWO_NAMES,
    "output/rest-json:RestJsonInputAndOutputWithQuotedStringHeaders": UNREADABLE,
    "output/rest-json:RestJsonInputAndOutputWithTimestampHeaders": UNREADABLE,
    "output/rest-xml:InputAndOutputWithTimestampHeaders": UNREADABLE,
    "output/rest-xml:BodyWithXmlName": UNREADABLE,
}
"""Cases that botocore does not read back as they were given, each with its reason."""

CASES = {case.id: case for case in cases("output")}


def answer(case: Case) -> HttpResponse:
    """What we answer for the result or the error of a case."""
    model = case.model()
    operation = case.operation(model)
    if "error" in case.case:
        error = AwsError(
            case.case.get("errorMessage", ""),
            code=case.case.get("errorCode", ""),
            status=case.case["response"]["status_code"],
            members=case.case["error"],
        )
        return operation.serialize_error(error, "request-id")
    return operation.serialize(result_of(case, model, operation), "request-id")


def result_of(case: Case, model: ServiceModel, operation: OperationModel) -> Any:
    """The result as an operation returns it: blobs as bytes, special numbers as numbers."""
    output = case.case["given"].get("output")
    return given(model, model.shape(output), case.case["result"]) if output else {}


def given(model: ServiceModel, shape: Shape, value: Any) -> Any:
    match shape.type:
        case "structure" if not shape.is_document:
            members = dict(model.members(shape))
            value = {name: item for name, item in value.items() if item is not None}
            return {name: given(model, members[name], item) for name, item in value.items() if name in members}
        case "list":
            return [None if item is None else given(model, model.element(shape), item) for item in value]
        case "map":
            element = model.key_and_value(shape)[1]
            return {name: None if item is None else given(model, element, item) for name, item in value.items()}
        case "blob":
            return value.encode()
        case "float" | "double":
            return float(value)
        case _:
            return value


def read_by_botocore(case: Case) -> dict:
    """Our answer as botocore parses it."""
    response = answer(case)
    model = botocore_model.ServiceModel(case.definition())
    operation = model.operation_model(case.case["given"]["name"])
    parser = PARSERS[case.protocol](timestamp_parser=lambda value: parse_timestamp(value).timestamp())
    raw = {
        "body": response.body,
        "headers": HeadersDict(response.headers),
        "status_code": response.status,
        "context": {"operation_name": operation.name},
    }
    parsed = parser.parse(raw, operation.output_shape)
    if "error" in case.case:
        modelled = model.shape_for_error_code(parsed["Error"]["Code"])
        error = {"Code": parsed["Error"]["Code"], "Message": parsed["Error"]["Message"] or ""}
        parsed = {**parsed, **(parser.parse(raw, modelled) if modelled else {}), "Error": error}
    del parsed["ResponseMetadata"]
    return plain(parsed)


def expected(case: Case) -> dict:
    if "error" not in case.case:
        return case.case["result"]
    return {"Error": {"Code": case.case.get("errorCode", ""), "Message": case.case.get("errorMessage", "")}, **case.case["error"]}


@pytest.mark.parametrize("name", sorted(CASES.keys() - DIFFERENT.keys()))
def test_answer_is_read_by_botocore_as_it_was_given(name):
    """botocore's parser reads our answer back to the result, or the error, that the operation gave."""
    assert read_by_botocore(CASES[name]) == expected(CASES[name])


@pytest.mark.parametrize("name", sorted(name for name, reason in DIFFERENT.items() if reason not in (EVENT_STREAM, NO_UNION)))
def test_exception_is_still_needed(name):
    """A case that is listed as different does differ, so that the list cannot outlive its reasons."""
    assert read_by_botocore(CASES[name]) != expected(CASES[name])


@pytest.mark.parametrize("name", sorted(name for name, reason in DIFFERENT.items() if reason is NO_UNION))
def test_unset_union_is_refused_by_botocore(name):
    """A union without a member is sent as the case has it, and it is botocore that refuses it."""
    with pytest.raises(parsers.ResponseParserError):
        read_by_botocore(CASES[name])


@pytest.mark.parametrize("name", sorted(name for name, reason in DIFFERENT.items() if reason is EVENT_STREAM))
@pytest.mark.ours
def test_event_streams_are_refused_with_a_clear_error(name):
    """An operation that streams events says that it is not available, instead of failing."""
    case = CASES[name]
    with pytest.raises(UnknownOperationException, match="streams events"):
        case.operation(case.model()).serialize(case.case["result"], "request-id")


@pytest.mark.parametrize("name", sorted(name for name, reason in DIFFERENT.items() if reason is UNREADABLE))
def test_what_botocore_cannot_read_is_written_as_the_case_has_it(name):
    """The header or body that botocore's parser does not understand is what AWS's own case shows."""
    case = CASES[name]
    response = answer(case)
    ours = dict(response.headers)
    for header, value in case.case["response"].get("headers", {}).items():
        if header.lower() not in ("content-type", "content-length"):
            assert ours[header.lower()] == value
    body = case.case["response"].get("body")
    if body and case.protocol == "rest-xml":
        assert canonical(response.body) == canonical(body)


def canonical(document: str | bytes) -> str:
    return ElementTree.canonicalize(ElementTree.tostring(ElementTree.fromstring(document)), strip_text=True)
