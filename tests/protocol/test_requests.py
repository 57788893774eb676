"""botocore's request cases in reverse: what its clients put on the wire is read back as what was asked for."""

import base64
import json
import math

import pytest
from tests.protocol.botocore_cases import SPOKEN, Case, cases, protocols

from modelyard.aws.catalogue import Route
from modelyard.aws.http import HttpRequest
from modelyard.aws.protocols.rest import query_fields
from modelyard.aws.rest_routes import RestRoutes

pytestmark = pytest.mark.documented

NOT_ON_THE_WIRE = "nothing of it is on the wire: a null or an empty value that the client leaves out"
NO_BODY_IN_THE_CASE = "the case does not show the compressed body (see test_compression for those)"
HEADER_OF_THE_CLIENT = "the client adds the header or the empty body by itself, so it is read back though nobody asked for it"

DIFFERENT = {
    "input/json:AwsJson11StructuresDontSerializeNullValues": NOT_ON_THE_WIRE,
    "input/query:QueryEmptyQueryMaps": NOT_ON_THE_WIRE,
    "input/smithy-rpc-v2-cbor:RpcV2CborClientDoesntSerializeNullStructureValues": NOT_ON_THE_WIRE,
    "input/rest-json:RestJsonHttpPrefixHeadersAreNotPresent": NOT_ON_THE_WIRE,
    "input/rest-json:RestJsonNullAndEmptyHeaders": NOT_ON_THE_WIRE,
    "input/rest-json:RestJsonOmitsNullQuery": NOT_ON_THE_WIRE,
    "input/rest-json:RestJsonOmitsEmptyListQueryValues": NOT_ON_THE_WIRE,
    "input/rest-json:RestJsonDoesntSerializeNullStructureValues": NOT_ON_THE_WIRE,
    "input/rest-xml:HttpPrefixHeadersAreNotPresent": NOT_ON_THE_WIRE,
    "input/rest-xml:NullAndEmptyHeaders": NOT_ON_THE_WIRE,
    "input/rest-xml:RestXmlOmitsNullQuery": NOT_ON_THE_WIRE,
    "legacy/input/rest-json:OperationName-14-0": NOT_ON_THE_WIRE,
    "legacy/input/rest-json:OperationName-26-1": NOT_ON_THE_WIRE,
    "legacy/input/rest-xml:OperationName-2-1": NOT_ON_THE_WIRE,
    "legacy/input/rest-xml:OperationName-18-3": NOT_ON_THE_WIRE,
    "legacy/input/rest-xml:OperationName-21-0": NOT_ON_THE_WIRE,
    "legacy/input/rest-xml:OperationName-26-1": NOT_ON_THE_WIRE,
    "input/json:SDKAppliedContentEncoding_awsJson1_1": NO_BODY_IN_THE_CASE,
    "input/json:SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsJson1_1": NO_BODY_IN_THE_CASE,
    "input/json_1_0:SDKAppliedContentEncoding_awsJson1_0": NO_BODY_IN_THE_CASE,
    "input/json_1_0:SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsJson1_0": NO_BODY_IN_THE_CASE,
    "input/query:SDKAppliedContentEncoding_awsQuery": NO_BODY_IN_THE_CASE,
    "input/query:SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsQuery": NO_BODY_IN_THE_CASE,
    "input/rest-json:SDKAppliedContentEncoding_restJson1": NO_BODY_IN_THE_CASE,
    "input/rest-json:SDKAppendedGzipAfterProvidedEncoding_restJson1": NO_BODY_IN_THE_CASE,
    "input/rest-xml:SDKAppliedContentEncoding_restXml": NO_BODY_IN_THE_CASE,
    "input/rest-xml:SDKAppendedGzipAfterProvidedEncoding_restXml": NO_BODY_IN_THE_CASE,
    "input/rest-json:RestJsonHttpWithEmptyStructurePayload": HEADER_OF_THE_CLIENT,
    "input/rest-json:RestJsonHttpWithHeadersButNoPayload": HEADER_OF_THE_CLIENT,
    "legacy/input/rest-json:OperationName-13-1": HEADER_OF_THE_CLIENT,
    "legacy/input/rest-json:TestPayloadNoParams-25-2": HEADER_OF_THE_CLIENT,
    "legacy/input/rest-json:TestPayloadNoBody-25-4": HEADER_OF_THE_CLIENT,
    "legacy/input/rest-json:TestBlobPayloadNoParams-25-7": HEADER_OF_THE_CLIENT,
    "input/rest-json:MediaTypeHeaderInputBase64": "the case gives JSON text where botocore takes the value",
    "input/rest-json:RestJsonHostWithPath": "the path before the service's own is of the client's endpoint",
    "input/rest-json:RestJsonQueryPrecedence": "the client drops an entry of the map that another member overrides",
    "input/rest-xml:RestXmlQueryPrecedence": "the client drops an entry of the map that another member overrides",
    **{
        f"input/rest-json:RestJson{name}": "the map repeats what other members are bound to; no service has such a map"
        for name in (
            "AllQueryStringTypes",
            "QueryStringEscaping",
            "SupportsNaNFloatQueryValues",
            "SupportsInfinityFloatQueryValues",
            "SupportsNegativeInfinityFloatQueryValues",
            "ZeroAndFalseQueryValues",
        )
    },
}
"""Cases that cannot be read back as they were asked for, each with its reason; a test below holds that each still differs."""

CASES = {case.id: case for case in cases("input")}
CBOR = "smithy-rpc-v2-cbor"
TOKEN = "00000000-0000-4000-8000-000000000000"
"""What the cases fill in for an idempotency token that nobody gave."""


def read(case: Case) -> dict:
    """The request of a case, read by us."""
    model = case.model()
    operation = case.operation(model)
    sent = case.case["serialized"]
    body = sent.get("body", "")
    path, _, query = sent["uri"].partition("?")
    http = HttpRequest(
        method=sent.get("method", case.case["given"]["http"]["method"]),
        raw_path=path,
        query=query,
        headers={name.lower(): str(value) for name, value in sent.get("headers", {}).items()},
        body=base64.b64decode(body) if case.protocol == CBOR else (body if isinstance(body, str) else json.dumps(body)).encode(),
    )
    labels = {}
    if case.protocol.startswith("rest-"):
        found = RestRoutes(model).match(http.method, path, query_fields(query), http.headers)
        assert found is not None and found[0] == operation.name
        labels = found[1]
    return plain(operation.parse(http, Route(operation, labels)))


def plain(value):
    """A request as the cases write it: blobs as text, special numbers by name."""
    match value:
        case dict():
            return {name: plain(item) for name, item in value.items()}
        case list():
            return [plain(item) for item in value]
        case bytes():
            return value.decode()
        case float() if not math.isfinite(value):
            return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
        case _:
            return value.read().decode() if hasattr(value, "read") else value


def expected(case: Case) -> dict:
    """What was asked for, with the idempotency token that the client fills in."""
    params = dict(case.case.get("params", {}))
    token = case.operation(case.model()).idempotency_token
    return params if token is None else {token: TOKEN, **params}


def readable(case: Case) -> dict | None:
    """What is read of a case; None where it has no operation here."""
    try:
        return read(case)
    except AssertionError:
        return None


@pytest.mark.parametrize("name", sorted(CASES.keys() - DIFFERENT.keys()))
def test_request_is_read_as_it_was_asked_for(name):
    """A request as botocore serialises it is parsed back to the parameters that the caller gave."""
    assert read(CASES[name]) == expected(CASES[name])


@pytest.mark.parametrize("name", sorted(DIFFERENT))
def test_exception_is_still_needed(name):
    """A case that is listed as different does differ, so that the list cannot outlive its reasons."""
    assert readable(CASES[name]) != expected(CASES[name])


def test_no_protocol_is_left_out_unknowingly():
    """Of the protocols that botocore has cases for, only EC2's is not spoken, which no client here needs."""
    assert protocols() - set(SPOKEN) == {"ec2"}
