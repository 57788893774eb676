"""Bodies and heads that no client library would send, rightly signed where that can be."""

import base64
import itertools
import json
import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.answers import checked
from tests.fuzz.conftest import FuzzedYard
from tests.fuzz.malformed import FORM, FORM_BODIES, JSON, JSON_BODIES, TARGETS, XML_BODIES, XML_TARGETS
from tests.fuzz.wire import Answer, Message, Wire, sign

pytestmark = [pytest.mark.ours, pytest.mark.slow]
PROFILE = settings.get_profile("fuzz")


def bodies() -> Iterator[tuple[str, Message, str]]:
    """Every malformed body, at every address where it may matter."""
    for (name, body), target in itertools.product(JSON_BODIES.items(), TARGETS):
        headers = {"x-amz-target": f"SageMaker.{target}".encode(), "content-type": JSON}
        yield f"JSON, {name}, {target}", Message("POST", "/", "", headers, body), "sagemaker"
    for (name, body), (method, path, query) in itertools.product(XML_BODIES.items(), XML_TARGETS):
        yield f"XML, {name}, {method} {path}?{query}", Message(method, path, query, {}, body), "s3"
    for (name, body), service in itertools.product(FORM_BODIES.items(), ("iam", "sts")):
        yield f"form, {name}, {service}", Message("POST", "/", "", {"content-type": FORM}, body), service


def test_malformed_bodies(fuzzed: FuzzedYard):
    """A body that cannot be read is refused soundly and in time, and changes nothing."""
    for service in ("sagemaker", "s3", "iam"):
        fuzzed.seeds.sow(service)
    for name, message, service in bodies():
        before = fuzzed.changes()
        answer = fuzzed.wire.send(message, service)
        try:
            refusal = checked(answer, service)
            assert refusal is None or fuzzed.changes() == before
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error


@pytest.mark.parametrize(
    "kind",
    [
        b"",
        b"text/plain",
        b"application/json",
        b"application/x-amz-json-1.0",
        b"application/cbor",
        b"x",
        b"multipart/form-data",
        FORM,
    ],
)
def test_wrong_content_types(fuzzed: FuzzedYard, kind: bytes):
    """Whatever the Content-Type says, a request is answered as its target or refused."""
    for body in (b"{}", b"Action=GetCallerIdentity&Version=2011-06-15", b"<a/>", b"\xa1\x61\x61\x01"):
        message = Message("POST", "/", "", {"x-amz-target": b"SageMaker.ListModelPackageGroups", "content-type": kind}, body)
        answer = fuzzed.wire.send(message, "sagemaker")
        assert answer.status < 500, answer


def damaged(body: bytes, randomness: random.Random) -> bytes:
    """The body with some bytes changed, taken out, doubled or cut off."""
    changed = bytearray(body)
    for _ in range(randomness.randint(1, 4)):
        place = randomness.randrange(len(changed) + 1)
        match randomness.randrange(5):
            case 0:
                changed[place : place + 1] = bytes([randomness.randrange(256)])
            case 1:
                del changed[place : place + randomness.randint(1, 9)]
            case 2:
                changed[place:place] = changed[place : place + randomness.randint(1, 30)]
            case 3:
                changed[place:place] = randomness.choice([b"{", b"[", b'"', b"<", b"&", b"%", b"\\", b"\x00", b"\xff", b"null"])
            case _:
                del changed[place:]
    return bytes(changed)


WHOLE = [
    (
        Message("POST", "/", "", {"x-amz-target": b"SageMaker.Search", "content-type": JSON}),
        json.dumps(
            {
                "Resource": "ModelPackage",
                "SearchExpression": {
                    "Filters": [{"Name": "ModelPackageVersion", "Operator": "GreaterThan", "Value": "0"}],
                    "NestedFilters": [
                        {
                            "NestedPropertyName": "InferenceSpecification.Containers",
                            "Filters": [
                                {"Name": "InferenceSpecification.Containers.Image", "Operator": "Contains", "Value": "i"}
                            ],
                        }
                    ],
                    "Operator": "Or",
                },
                "SortBy": "CreationTime",
                "MaxResults": 5,
            }
        ).encode(),
        "sagemaker",
    ),
    (
        Message("POST", "/", "", {"x-amz-target": b"SageMaker.CreateModelPackage", "content-type": JSON}),
        b'{"ModelPackageGroupName":"fuzz-group","InferenceSpecification":{"Containers":[{"Image":"i","Environment":{"a":"b"}}],'
        b'"SupportedContentTypes":["a/b"],"SupportedResponseMIMETypes":["a/b"]},"ModelApprovalStatus":"Approved","ClientToken":"t"}',
        "sagemaker",
    ),
    (
        Message("POST", "/", "", {"content-type": FORM}),
        b"Action=TagUser&Version=2010-05-08&UserName=fuzz-user&Tags.member.1.Key=a&Tags.member.1.Value=b",
        "iam",
    ),
    (
        Message("POST", "/fuzz-bucket", "delete="),
        b'<?xml version="1.0"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>x</Key></Object>'
        b"<Quiet>true</Quiet></Delete>",
        "s3",
    ),
    (
        Message("PUT", "/fuzz-bucket/object", "tagging="),
        b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>",
        "s3",
    ),
]


@settings(PROFILE, max_examples=PROFILE.max_examples * 20)
@given(st.sampled_from(WHOLE), st.randoms(use_true_random=False))
def test_damaged_bodies(fuzzed: FuzzedYard, whole: tuple[Message, bytes, str], randomness: random.Random):
    """A body with a few bytes changed is answered or refused, soundly."""
    template, body, service = whole
    message = Message(template.method, template.path, template.query, dict(template.headers), damaged(body, randomness))
    before = fuzzed.changes()
    if checked(fuzzed.wire.send(message, service), service):
        assert fuzzed.changes() == before


KEYS = [
    "/fuzz-bucket/../fuzz-versions/object",
    "/fuzz-bucket/%2e%2e/fuzz-versions/object",
    "/fuzz-bucket/..%2f..%2f..%2fetc%2fpasswd",
    "/fuzz-bucket/%2fetc%2fpasswd",
    "/fuzz-bucket//etc/passwd",
    "/fuzz-bucket/.",
    "/fuzz-bucket/./..",
    "/fuzz-bucket/a%00b",
    "/fuzz-bucket/%",
    "/fuzz-bucket/%zz",
    "/fuzz-bucket/%ff%fe",
    "/fuzz-bucket/%c0%ae%c0%ae/",
    "/fuzz-bucket/%ed%a0%80",
    "/fuzz-bucket/%u0041",
    "/fuzz-bucket/+%20%2B",
    "/fuzz-bucket/\\..\\..\\x",
    "/fuzz-bucket/%0d%0aX-Injected:%20yes",
    "/fuzz-bucket/%F0%9F%98%80",
    "/fuzz-bucket/" + "a" * 1024,
    "/fuzz-bucket/" + "a" * 1025,
    "/fuzz-bucket/" + "%C3%A9" * 600,
    "/fuzz-bucket/" + "/" * 500,
    "/%2e%2e/%2e%2e/etc/passwd",
    "/..",
    "//fuzz-bucket//object",
    "/%66uzz-bucket/%6Fbject",
    "/fuzz-bucket%2fobject",
    "/fuzz-bucket;a=b/object",
    "*",
]


@pytest.mark.parametrize("path", KEYS)
def test_keys_stay_in_their_bucket(fuzzed: FuzzedYard, path: str):
    """A key, however it is written, is a key: what is put under it comes back under it, and no other object changes."""
    fuzzed.seeds.sow("s3")
    content = f"content of {path}".encode()
    put = fuzzed.wire.send(Message("PUT", path, "", {}, content), "s3")
    checked(put, "s3")
    got = fuzzed.wire.send(Message("GET", path), "s3")
    refusal = checked(got, "s3")
    assert b"root:" not in got.body
    if put.status == 200 and path.count("/") > 1:
        assert refusal is None and got.body == content
        listed = fuzzed.wire.send(Message("GET", "/fuzz-bucket", "encoding-type=url&list-type=2"), "s3")
        assert listed.status == 200
        if "%6F" not in path:
            untouched = fuzzed.wire.send(Message("GET", "/fuzz-bucket/object"), "s3")
            assert untouched.body == b"bytes"
    deleted = fuzzed.wire.send(Message("DELETE", path), "s3")
    checked(deleted, "s3")


HEADER_VALUES = [
    b"a\xc3\xa0",
    b"\xa0",
    b"\x85x\x85",
    b"a  b",
    b"\ta",
    b"\xff\xfe",
    b"=?UTF-8?B?w6k=?=",
    b'"',
    b"a,b",
    b"a" * 2000,
]


@pytest.mark.parametrize("value", HEADER_VALUES)
def test_metadata_of_odd_bytes(fuzzed: FuzzedYard, value: bytes):
    """Metadata whose bytes are not ASCII comes back as it went in; only the white space around it may go."""
    fuzzed.seeds.sow("s3")
    message = Message("PUT", "/fuzz-bucket/odd", "", {"x-amz-meta-odd": value}, b"")
    assert checked(fuzzed.wire.send(message, "s3"), "s3") is None
    got = fuzzed.wire.send(Message("HEAD", "/fuzz-bucket/odd"), "s3")
    assert got.headers["x-amz-meta-odd"].encode("latin-1") == value.strip()


HEADS = {
    "no request": b"\r\n\r\n",
    "nonsense": b"hello\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "another version": b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an unknown method": b"BAKE / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
    "a header with a NUL": b"GET / HTTP/1.1\r\nHost: x\r\nA: a\x00b\r\n\r\n",
    "a folded header": b"GET / HTTP/1.1\r\nHost: x\r\nA: a\r\n b\r\n\r\n",
    "space before the colon": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "two lengths": b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and chunks": b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a negative length": b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "a length that is none": b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 0x10\r\n\r\n",
    "a huge length": b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    "broken chunks": b"PUT /b/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n",
    "an unknown transfer encoding": b"PUT /b/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: cake\r\n\r\n",
    "a bare line feed": b"GET / HTTP/1.1\nHost: x\n\n",
    "an absolute address": b"GET http://169.254.169.254/latest/meta-data HTTP/1.1\r\nHost: x\r\n\r\n",
    "an address that is none": b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a port that is none": b"GET http://x:99999999/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "no slash": b"GET x HTTP/1.1\r\nHost: x\r\n\r\n",
    "not ASCII": "GET /é HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    "a host of bytes": b"GET / HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\n" + b"".join(b"A%d: 1\r\n" % n for n in range(5000)) + b"\r\n",
    "a long header": b"GET / HTTP/1.1\r\nA: " + b"a" * 500_000 + b"\r\n\r\n",
    "a long address": b"GET /" + b"a" * 500_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT to elsewhere": b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n",
    "CONNECT to nowhere": b"CONNECT / HTTP/1.1\r\n\r\n",
    "authorisation of bytes": b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: AWS4-HMAC-SHA256 \xff=\xfe, Signature=\xe9\r\n\r\n",
    "an expectation": b"GET / HTTP/1.1\r\nHost: x\r\nExpect: cake\r\n\r\n",
}


@pytest.mark.parametrize("name", HEADS)
def test_malformed_heads(fuzzed: FuzzedYard, name: str):
    """What is hardly HTTP is refused in time or hung up on, and the server goes on."""
    fresh = Wire(fuzzed.port, fuzzed.wire.credentials)
    try:
        answer: Answer | None = fresh.exchange(HEADS[name], "GET", whole=False)
    except (ConnectionError, OSError) as error:
        assert not isinstance(error, TimeoutError), "the server did not answer in time"
        answer = None
    finally:
        fresh.close()
    if answer is not None:
        assert 400 <= answer.status < 500, answer
    assert fuzzed.wire.call("sagemaker", "ListModelPackageGroups", {}).status == 200


@pytest.mark.parametrize("sent", [0, 1, 3, 8])
def test_truncated_bodies(fuzzed: FuzzedYard, sent: int):
    """A body that breaks off leaves no object and no half of one."""
    fuzzed.seeds.sow("s3")
    message = Message("PUT", "/fuzz-bucket/truncated", "", {"host": f"127.0.0.1:{fuzzed.port}".encode()}, b"0123456789")
    sign(message, fuzzed.wire.credentials, "s3")
    lines = b"".join(b"%s: %s\r\n" % (name.encode(), value) for name, value in message.headers.items())
    before = fuzzed.changes()
    broken = Wire(fuzzed.port, fuzzed.wire.credentials)
    try:
        answer = broken.exchange(
            b"PUT /fuzz-bucket/truncated HTTP/1.1\r\ncontent-length: 10\r\n" + lines + b"\r\n" + message.body[:sent],
            "PUT",
            whole=False,
        )
        assert 400 <= answer.status < 500, answer
    except ConnectionError:
        pass
    finally:
        broken.close()
    assert fuzzed.wire.call("s3", "GetObject", {"Bucket": "fuzz-bucket", "Key": "truncated"}).status == 404
    assert fuzzed.changes() == before


def test_bodies_that_are_too_large(fuzzed: FuzzedYard):
    """A body beyond the limit is refused with 413, before it is read."""
    message = Message(
        "POST",
        "/",
        "",
        {"x-amz-target": b"SageMaker.CreateModelPackage", "content-type": JSON},
        b'{"a": "' + b"x" * 5_000_000 + b'"}',
    )
    answer = fuzzed.wire.send(message, "sagemaker")
    assert answer.status == 413, answer
    assert json.loads(answer.body)["__type"] == "RequestEntityTooLarge"


CHUNKED = [
    b"5;chunk-signature=0\r\nhello\r\n0;chunk-signature=0\r\n\r\n",
    b"zz\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\r\n",
    b"FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
    b"-5\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello0\r\n\r\n",
    b"0\r\nx-amz-checksum-crc32: AAAA\r\n\r\n",
    b"5\r\nhello\r\n0\r\n" + b"a: b\r\n" * 10_000 + b"\r\n",
    b"\r\n" * 100,
    b"",
]


@pytest.mark.parametrize("body", CHUNKED, ids=range(len(CHUNKED)))
def test_broken_aws_chunks(fuzzed: FuzzedYard, body: bytes):
    """Chunks of AWS's own framing that are broken or not signed are refused, and leave no object."""
    fuzzed.seeds.sow("s3")
    for words in (b"STREAMING-UNSIGNED-PAYLOAD-TRAILER", b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", b"STREAMING-CAKE"):
        headers = {
            "content-encoding": b"aws-chunked",
            "x-amz-decoded-content-length": b"5",
            "x-amz-trailer": b"x-amz-checksum-crc32",
        }
        message = Message("PUT", "/fuzz-bucket/chunked", "", headers, body)
        before = fuzzed.changes()
        answer = fuzzed.wire.send(message, "s3", payload=words)
        assert checked(answer, "s3") is not None, answer
        assert fuzzed.changes() == before


def test_content_md5_of_another_body(fuzzed: FuzzedYard):
    """An object whose Content-MD5 does not fit is refused, and leaves no object."""
    fuzzed.seeds.sow("s3")
    for value in (base64.b64encode(b"0" * 16), b"x", b"", b"====", base64.b64encode(b"0" * 15)):
        before = fuzzed.changes()
        answer = fuzzed.wire.send(Message("PUT", "/fuzz-bucket/md5", "", {"content-md5": value}, b"hello"), "s3")
        refusal = checked(answer, "s3")
        assert refusal is not None and refusal.code in ("BadDigest", "InvalidDigest"), answer
        assert fuzzed.changes() == before
