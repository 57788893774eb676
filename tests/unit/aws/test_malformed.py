"""Requests that cannot be read: always AWS's 4xx, never an exception of ours, never a wait."""

import gzip
import io
import time

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.aws.wire import SERVICES, request, signed

from modelyard.aws.catalogue import Catalogue, Route
from modelyard.aws.errors import AwsError
from modelyard.aws.http import HttpRequest

CATALOGUE = Catalogue()
FORM = {"content-type": "application/x-www-form-urlencoded"}


def json_request(operation: str, body: bytes) -> tuple[HttpRequest, Route]:
    http = HttpRequest("POST", "/", "", {"x-amz-target": f"SageMaker.{operation}"}, body)
    return http, CATALOGUE.route(http)


def refusal(http: HttpRequest, route: Route) -> AwsError:
    with pytest.raises(AwsError) as raised:
        route.operation.parse(http, route)
    return raised.value


@pytest.mark.documented
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b"{'a': 1}",
        b'{"a": 1,}',
        b"\xff\xfe",
        b'{"ModelPackageGroupName": "\xff"}',
        b'{"ModelPackageGroupName": "\\ud800"}',
        b'{"ModelPackageGroupName": NaN}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"null",
        b'"text"',
        b"1",
        b"[]",
    ],
)
def test_malformed_json(body):
    """What is no JSON object is a SerializationException."""
    error = refusal(*json_request("CreateModelPackageGroup", body))
    assert (error.code, error.status) == ("SerializationException", 400)


@pytest.mark.documented
@pytest.mark.parametrize("body", [b"", b"{}"])
def test_empty_json(body):
    """No body is an empty request."""
    http, route = json_request("ListModelPackageGroups", body)
    assert route.operation.parse(http, route) == {}


@pytest.mark.seen
@pytest.mark.parametrize(
    ("operation", "member", "value", "message"),
    [
        ("CreateModelPackageGroup", "ModelPackageGroupName", 23, "NUMBER_VALUE cannot be converted to String"),
        ("CreateModelPackageGroup", "ModelPackageGroupName", 34.56, "DECIMAL_VALUE cannot be converted to String"),
        ("CreateModelPackageGroup", "ModelPackageGroupName", True, "TRUE_VALUE cannot be converted to String"),
        ("CreateModelPackageGroup", "ModelPackageGroupName", [], "Unrecognized collection type class java.lang.String"),
        ("CreateModelPackageGroup", "ModelPackageGroupName", {}, "Start of structure or map found where not expected"),
        ("ListModelPackageGroups", "MaxResults", "23", "STRING_VALUE cannot be converted to Integer"),
        ("ListModelPackageGroups", "MaxResults", False, "FALSE_VALUE cannot be converted to Integer"),
        ("ListModelPackageGroups", "MaxResults", [], "Unrecognized collection type class java.lang.Integer"),
        ("CreateModelPackage", "CertifyForMarketplace", 1, "NUMBER_VALUE cannot be converted to Boolean"),
        ("CreateModelPackageGroup", "Tags", "x", "Unexpected field type"),
        ("CreateModelPackageGroup", "Tags", {}, "Start of structure or map found where not expected"),
        ("CreateModelPackage", "CustomerMetadataProperties", "x", "Unexpected field type"),
        ("CreateModelPackage", "InferenceSpecification", 1, "Unexpected field type"),
    ],
)
def test_wrong_types(operation, member, value, message):
    """A JSON value of the wrong type is refused in AWS's words."""
    error = refusal(*json_request(operation, orjson.dumps({member: value})))
    assert (error.code, error.message) == ("SerializationException", message)


@pytest.mark.ours
@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("ListModelPackageGroups", {"MaxResults": 2**31}),
        ("ListModelPackageGroups", {"MaxResults": 1e300}),
        ("ListModelPackageGroups", {"CreationTimeAfter": 1e15}),
        ("ListModelPackageGroups", {"CreationTimeAfter": "yesterday"}),
        ("ListModelPackageGroups", {"CreationTimeAfter": True}),
        ("CreateModelPackageGroup", {"Tags": [None]}),
        ("CreateModelPackageGroup", {"ModelPackageGroupDescription": "a\0b"}),
    ],
)
def test_values_that_nothing_could_keep(operation, body):
    """Numbers and times out of range, nulls in lists, and NUL characters are refused where they come in."""
    assert refusal(*json_request(operation, orjson.dumps(body))).code == "SerializationException"


@pytest.mark.documented
@pytest.mark.parametrize("sent", [1_700_000_000, 1.7e9, "2023-11-14T22:13:20Z", "2023-11-14T23:13:20+01:00", "1700000000"])
def test_times_in_json(sent):
    """A time may be a number or ISO 8601; operations see epoch seconds."""
    http, route = json_request("ListModelPackageGroups", orjson.dumps({"CreationTimeAfter": sent}))
    assert route.operation.parse(http, route) == {"CreationTimeAfter": 1_700_000_000.0}


@pytest.mark.documented
def test_unknown_members_and_nulls_are_dropped():
    """A member the model does not have, and a null, are as if they were absent."""
    body = {
        "ModelPackageGroupName": "g",
        "Colour": {"any": [1]},
        "ModelPackageGroupDescription": None,
        "Tags": [{"Key": "k", "X": 1}],
    }
    http, route = json_request("CreateModelPackageGroup", orjson.dumps(body))
    assert route.operation.parse(http, route) == {"ModelPackageGroupName": "g", "Tags": [{"Key": "k"}]}


@pytest.mark.ours
@pytest.mark.parametrize(("depth", "accepted"), [(20, True), (63, True), (64, False), (500, False)])
def test_depth_of_json(depth, accepted):
    """Nesting is capped, also in members that would be dropped."""
    body = b'{"ModelPackageGroupName": "g", "Any": ' + b"[" * depth + b"]" * depth + b"}"
    http, route = json_request("CreateModelPackageGroup", body)
    if accepted:
        assert route.operation.parse(http, route) == {"ModelPackageGroupName": "g"}
    else:
        assert "nests deeper" in refusal(http, route).message


@pytest.mark.documented
@pytest.mark.parametrize(
    "body",
    [
        b"<Tagging>",
        b"not xml",
        b"",
        b"<Tagging><TagSet><Tag><Key>a</Key></TagSet></Tagging>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><Tagging>&a;</Tagging>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><Tagging/>',
        b"<Tagging>&undefined;</Tagging>",
        b"<Tagging>\x00</Tagging>",
        b"<?xml version='1.0' encoding='nonsense'?><Tagging/>",
        b"<a>" * 65 + b"</a>" * 65,
        b"<a>" * 100_000,
    ],
)
def test_malformed_xml(body):
    """What is no XML, nests too deep, or brings entities or a document type is MalformedXML; no body is an absent member."""
    http = HttpRequest("PUT", "/b/k", "tagging", signed("s3"), body)
    route = CATALOGUE.route(http)
    if not body:
        assert "Tagging" not in route.operation.parse(http, route)
    else:
        error = refusal(http, route)
        assert (error.code, error.status) == ("MalformedXML", 400)


@pytest.mark.documented
def test_namespaces_do_not_matter():
    """S3 takes its XML with its namespace, with a prefix, or with none."""
    for xml in (
        b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>",
        b'<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>',
        b'<s:Tagging xmlns:s="urn:x"><s:TagSet><s:Tag><s:Key>a</s:Key><s:Value>b</s:Value></s:Tag></s:TagSet></s:Tagging>',
    ):
        http = HttpRequest("PUT", "/b/k", "tagging", signed("s3"), xml)
        route = CATALOGUE.route(http)
        assert route.operation.parse(http, route)["Tagging"] == {"TagSet": [{"Key": "a", "Value": "b"}]}


@pytest.mark.ours
@pytest.mark.parametrize(
    "fields",
    [
        "RoleArn.x=1&RoleArn=2",
        "RoleArn=2&RoleArn.x=1",
        "Tags.member.x.Key=1",
        "Tags.member.99999999999.Key=1",
        "Tags=1",
        "Tags.member=1",
        "Tags.member.1=1",
        "DurationSeconds=ten",
        "DurationSeconds=99999999999",
        "DurationSeconds.a=1",
        "RoleArn=%ff",
        "RoleArn=%00",
        "RoleArn" + ".a" * 200 + "=1",
        "&".join(f"a{number}=1" for number in range(20_001)),
    ],
)
def test_malformed_forms(fields):
    """Fields that contradict each other, are numbered with words, or are not what the model says are MalformedInput."""
    http = HttpRequest("POST", "/", "", {**FORM, **signed("sts")}, f"Action=AssumeRole&Version=2011-06-15&{fields}".encode())
    route = CATALOGUE.route(http)
    error = refusal(http, route)
    assert b"<Code>MalformedInput</Code>" in route.operation.serialize_error(error, "id").body


@pytest.mark.documented
def test_lists_in_forms():
    """Elements come in the order of their numbers, gaps and all; an empty list is an empty field."""
    for fields, tags in (
        ("Tags.member.10.Key=c&Tags.member.2.Key=b&Tags.member.1.Key=a", [{"Key": "a"}, {"Key": "b"}, {"Key": "c"}]),
        ("Tags=", []),
    ):
        http = HttpRequest("POST", "/", "", {**FORM, **signed("sts")}, f"Action=AssumeRole&Version=2011-06-15&{fields}".encode())
        route = CATALOGUE.route(http)
        assert route.operation.parse(http, route) == {"Tags": tags}


@pytest.mark.documented
def test_streaming_payload_is_the_stream():
    """The body of an upload is handed on unread; without a stream, the bytes are one."""
    stream = io.BytesIO(b"streamed")
    http = HttpRequest("PUT", "/b/k", "", {**signed("s3"), "x-amz-meta-Colour": "red", "content-length": "8"}, stream=stream)
    route = CATALOGUE.route(http)
    assert route.operation.parse(http, route)["Body"] is stream
    plain = HttpRequest("PUT", "/b/k", "", {**signed("s3"), "x-amz-meta-colour": "red"}, b"bytes")
    parsed = route.operation.parse(plain, route)
    assert parsed["Body"].read() == b"bytes"
    assert parsed["Metadata"] == {"colour": "red"}


@pytest.mark.documented
def test_compressed_metrics():
    """botocore compresses a large PutMetricData."""
    params = {"Namespace": "n", "MetricData": [{"MetricName": f"m{number}"} for number in range(3)]}
    http = request("cloudwatch", "PutMetricData", params)
    http.headers = {**http.headers, "content-encoding": "gzip"}
    http.body = gzip.compress(http.body)
    route = CATALOGUE.route(http)
    assert route.operation.parse(http, route) == params


@pytest.mark.ours
@pytest.mark.parametrize(
    "body",
    [b"not gzip", gzip.compress(b"{}")[:-4], gzip.compress(b" " * 17 * 1024 * 1024)],
    ids=["not gzip", "broken off", "too large"],
)
def test_bad_compression(body):
    """A body that is not gzip, breaks off, or grows beyond all bounds is refused."""
    http = request("cloudwatch", "PutMetricData", {"Namespace": "n"})
    http.headers = {**http.headers, "content-encoding": "gzip"}
    http.body = body
    assert refusal(http, CATALOGUE.route(http)).code == "SerializationException"


@pytest.mark.ours
def test_large_bodies_are_read_in_time():
    """Four megabytes of the worst JSON, XML and forms take well under a second or two."""
    size = 4 * 1024 * 1024
    tag = b'{"Key":"k","Value":"v"},'
    bodies = [
        json_request("CreateModelPackageGroup", b'{"Tags":[' + tag * (size // len(tag)) + b"{}]}"),
        json_request("CreateModelPackageGroup", b'{"A":' + b"[" * (size // 2) + b"]" * (size // 2) + b"}"),
    ]
    xml = HttpRequest(
        "POST", "/b", "delete", signed("s3"), b"<Delete>" + b"<Object><Key>k</Key></Object>" * (size // 30) + b"</Delete>"
    )
    form = HttpRequest("POST", "/", "", {**FORM, **signed("sts")}, b"Action=AssumeRole&" + b"a=" + b"x" * size)
    for http, route in [*bodies, (xml, CATALOGUE.route(xml)), (form, CATALOGUE.route(form))]:
        start = time.process_time()
        try:
            route.operation.parse(http, route)
        except AwsError as error:
            assert error.status == 400
        assert time.process_time() - start < 3


names = st.sampled_from(sorted(SERVICES))
headers = st.dictionaries(
    st.sampled_from(
        ["host", "content-type", "x-amz-target", "authorization", "x-amz-copy-source", "content-encoding", "expires"]
    ),
    st.one_of(
        st.text(max_size=30),
        st.sampled_from(["sts.amazonaws.com", "b.s3.amazonaws.com", "SageMaker.Search", "application/x-amz-json-1.1", "gzip"]),
        st.just("application/x-www-form-urlencoded"),
        names.map(lambda name: signed(name)["authorization"]),
    ),
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
bodies = st.one_of(
    st.binary(max_size=60),
    values.map(lambda value: orjson.dumps(value) if not isinstance(value, int) or abs(value) < 2**63 else b"1"),
    st.sampled_from([b"Action=AssumeRole&Version=2011-06-15&Tags.member.1.Key=a", b"<Delete><Object><Key>a</Key></Object>"]),
)


@pytest.mark.ours
@settings(max_examples=400, deadline=None)
@given(
    method=st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "x"]),
    path=st.text(alphabet="/ab%2F0ü.{}+~", max_size=20).map(lambda text: f"/{text}"),
    query=st.text(alphabet="ab&=%2f+;uploads-list-type", max_size=30),
    headers=headers,
    body=bodies,
)
def test_any_request_is_answered(method, path, query, headers, body):
    """Whatever comes in, routing, reading and validating raise AwsError or nothing, and a failure can be written."""
    http = HttpRequest(method, path, query, headers, body)
    try:
        route = CATALOGUE.route(http)
        route.operation.validate(route.operation.parse(http, route))
    except AwsError as error:
        response = CATALOGUE.failure(http, error, "id")
        assert 400 <= response.status < 500


@pytest.mark.ours
@settings(max_examples=300, deadline=None)
@given(
    operation=st.sampled_from(["CreateModelPackage", "Search", "CreatePipeline", "UpdateModelPackage", "AddTags"]),
    data=st.data(),
)
def test_any_json_for_known_members_is_answered(operation, data):
    """Any JSON values under an operation's own members are read and validated, or refused."""
    model = CATALOGUE.operation("sagemaker", operation)
    members = [name for name, _ in model.shapes.model.members(model.shapes.input)]
    body = data.draw(st.dictionaries(st.sampled_from(members), values, max_size=5))
    try:
        http, route = json_request(operation, orjson.dumps(body))
        model.validate(model.parse(http, route))
    except orjson.JSONEncodeError:
        return  # an integer of more than 64 bits, which orjson writes none of
    except AwsError as error:
        assert error.status == 400
