"""Version 4 in the Authorization header and in presigned URLs, signed by botocore, checked here."""

import base64
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.credentials import Credentials
from tests.unit.access.signing import NOW, RUNTIME, S3, SAGEMAKER, STS, Guard, signed

from modelyard.access.signatures_v4 import _parse_head
from modelyard.aws.errors import AwsError
from modelyard.aws.http import HttpRequest

JSON = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "SageMaker.ListModelPackages", "User-Agent": "test"}
BODY = b'{"ModelPackageGroupName": "g"}'
ENDPOINT = "http://127.0.0.1:9100"


def describe(guard: Guard, service: str = "sagemaker", at: float = NOW, credentials: Credentials | None = None) -> HttpRequest:
    """A signed SageMaker request."""
    return signed(SigV4Auth(credentials or guard.credentials, service, "eu-west-1"), "POST", f"{ENDPOINT}/", dict(JSON), BODY, at)


def put_object(guard: Guard, path: str = "/bucket/a%20key", query: str = "") -> HttpRequest:
    """A signed PutObject with metadata."""
    headers = {"x-amz-meta-team": "  two   words ", "Content-Type": "text/plain", "x-amz-tagging": "a=b"}
    url = f"{ENDPOINT}{path}" + (f"?{query}" if query else "")
    return signed(S3SigV4Auth(guard.credentials, "s3", "us-east-1"), "PUT", url, headers, b"content")


def link(guard: Guard, expires: int = 600, method: str = "GET", query: str = "?versionId=3%2F4", **headers: str) -> HttpRequest:
    """A presigned S3 request."""
    signer = S3SigV4QueryAuth(guard.credentials, "s3", "us-east-1", expires=expires)
    return signed(signer, method, f"{ENDPOINT}/bucket/a%20key{query}", headers)


def refused(guard: Guard, http: HttpRequest, operation: Any, now: float = NOW) -> AwsError:
    with pytest.raises(AwsError) as caught:
        guard.admit(http, operation, now)
    return caught.value


@pytest.mark.documented
def test_header_of_a_json_service(guard: Guard) -> None:
    """A request that botocore signs is its user's, in the region it was signed for."""
    caller = guard.admit(describe(guard), SAGEMAKER)
    assert caller.principal.arn == "arn:aws:iam::111122223333:user/administrator"
    assert (caller.region, caller.signature_version) == ("eu-west-1", "AWS4-HMAC-SHA256")


@pytest.mark.documented
@pytest.mark.parametrize(
    "path", ["/endpoints/My%20Endpoint/invocations", "/a/./b//c/../d/", "/a%2Fb/~x", "/", "/%E2%82%AC", "/a/.."]
)
def test_paths_outside_s3_are_normalised_and_encoded_twice(guard: Guard, path: str) -> None:
    """Every path that botocore signs for a REST service other than S3 is accepted."""
    signer = SigV4Auth(guard.credentials, "sagemaker", "us-east-1")
    assert guard.admit(signed(signer, "POST", ENDPOINT + path, {}, b"1,2"), RUNTIME)


@pytest.mark.documented
@pytest.mark.parametrize("path", ["/bucket/a%20key", "/bucket/a/../b//c", "/bucket/%E2%82%AC~%2B%3D%2A", "/bucket/!'()*"])
@pytest.mark.parametrize("query", ["", "uploads", "partNumber=1&uploadId=a%2Fb", "b=2&a=1&a=0", "list-type=2&prefix=x%20y"])
def test_header_of_s3(guard: Guard, path: str, query: str) -> None:
    """S3 paths are signed as they are sent, and query parameters in the order of their names."""
    assert guard.admit(put_object(guard, path, query), S3).http.body == b"content"


@pytest.mark.ours
def test_other_encodings_of_the_same_request(guard: Guard) -> None:
    """A client that signs AWS's encoding of a path but sends another one of the same path is understood."""
    http = put_object(guard, "/bucket/a%2Bb%21", "prefix=a%20b")
    assert guard.admit(replace(http, raw_path="/bucket/a+b!", query="prefix=a+b"), S3)


@pytest.mark.documented
@pytest.mark.parametrize("operation", [SAGEMAKER, S3], ids=["json", "s3"])
def test_header_mutations(guard: Guard, operation: Any) -> None:
    """Any change of method, path, query, body, or of any signed header's value or presence is refused."""
    http = describe(guard) if operation is SAGEMAKER else put_object(guard, query="partNumber=1")
    guard.admit(http, operation)
    mutants = [
        replace(http, method="DELETE"),
        replace(http, raw_path=http.raw_path + "x"),
        replace(http, query="partNumber=2"),
        replace(http, query=http.query + "&versionId=1"),
        replace(http, body=http.body + b" "),
        replace(http, body=b""),
    ]
    names = http.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert {"host", "x-amz-date", "content-type"} <= set(names)
    for name in [*names, "authorization"]:
        mutants.append(replace(http, headers={**http.headers, name: http.headers[name] + "1"}))
        mutants.append(replace(http, headers={key: value for key, value in http.headers.items() if key != name}))
    mutants.append(replace(http, headers={**http.headers, "x-amz-added": "1"}))
    assert len(mutants) > 15
    for mutant in mutants:
        assert refused(guard, mutant, operation).status in {400, 403}


@pytest.mark.documented
@pytest.mark.parametrize(
    ("part", "replacement"),
    [
        ("/20231114/", "/20231115/"),
        ("/eu-west-1/", "/eu-west-2/"),
        ("/eu-west-1/", "//"),
        ("/sagemaker/", "/iam/"),
        ("/aws4_request", "/aws4"),
        ("/aws4_request", ""),
        ("Credential=", "Credential=/"),
        ("Credential=AKIA", "Credential=AKIB"),
        ("SignedHeaders=content-type;", "SignedHeaders="),
        ("SignedHeaders=", "Signedheaders="),
        ("host;", ""),
        (";x-amz-target", ""),
        ("Signature=", "signature="),
        ("Signature=", "Signature=0"),
        ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"),
        ("AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256"),
        ("AWS4-HMAC-SHA256 ", "Bearer "),
        ("Credential=", "Credential=x, Credential="),
        ("Signature=", "Signature=é"),
    ],
)
def test_authorization_mutations(guard: Guard, part: str, replacement: str) -> None:
    """Any change in the Authorization header is refused with a 4xx, whichever part it hits."""
    http = describe(guard)
    assert part in http.headers["authorization"]
    changed = http.headers["authorization"].replace(part, replacement)
    assert refused(guard, replace(http, headers={**http.headers, "authorization": changed}), SAGEMAKER).status == 400


@pytest.mark.documented
def test_every_digit_of_the_signature_counts(guard: Guard) -> None:
    """A signature that differs in one digit is refused."""
    http = describe(guard)
    head, _, signature = http.headers["authorization"].rpartition("=")
    for index in range(64):
        digit = "0" if signature[index] != "0" else "1"
        changed = f"{head}={signature[:index]}{digit}{signature[index + 1 :]}"
        error = refused(guard, replace(http, headers={**http.headers, "authorization": changed}), SAGEMAKER)
        assert (error.code, error.status) == ("InvalidSignatureException", 400)


@pytest.mark.seen
def test_a_signature_for_another_service_is_refused(guard: Guard) -> None:
    """Replayed to another service, a request answers as SageMaker does in public reports."""
    error = refused(guard, describe(guard, service="logs"), SAGEMAKER)
    assert error.code == "InvalidSignatureException"
    assert error.message == "Credential should be scoped to correct service: 'sagemaker'. "
    assert refused(guard, describe(guard), STS).code == "SignatureDoesNotMatch"
    assert refused(guard, describe(guard), S3).code == "AuthorizationHeaderMalformed"


@pytest.mark.documented
def test_clock_skew(guard: Guard) -> None:
    """Fifteen minutes to either side are allowed, and not a second more."""
    http = describe(guard)
    guard.admit(http, SAGEMAKER, NOW + 900)
    guard.admit(http, SAGEMAKER, NOW - 900)
    late = refused(guard, http, SAGEMAKER, NOW + 901)
    assert late.message == (
        "Signature expired: 20231114T221320Z is now earlier than 20231114T221321Z (20231114T222821Z - 15 min.)"
    )
    early = refused(guard, http, SAGEMAKER, NOW - 901)
    assert early.message.startswith("Signature not yet current: 20231114T221320Z is still later than 20231114T221319Z")
    skewed = refused(guard, put_object(guard), S3, NOW + 901)
    assert (skewed.code, skewed.status) == ("RequestTimeTooSkewed", 403)
    assert skewed.members["ServerTime"] == "2023-11-14T22:28:21Z"


@pytest.mark.documented
def test_date_header_instead_of_x_amz_date(guard: Guard) -> None:
    """A request dated by the Date header alone is accepted, and held to that date."""
    http = signed(SigV4Auth(guard.credentials, "sagemaker", "us-east-1"), "POST", f"{ENDPOINT}/", {**JSON, "Date": "x"}, BODY)
    assert "x-amz-date" not in http.headers
    guard.admit(http, SAGEMAKER)
    assert refused(guard, http, SAGEMAKER, NOW + 901).code == "InvalidSignatureException"
    broken = {**http.headers, "date": "yesterday"}
    assert refused(guard, replace(http, headers=broken), SAGEMAKER).code == "IncompleteSignatureException"


@pytest.mark.documented
@pytest.mark.parametrize(
    ("operation", "code", "status"),
    [
        (SAGEMAKER, "MissingAuthenticationTokenException", 400),
        (RUNTIME, "MissingAuthenticationTokenException", 403),
        (STS, "MissingAuthenticationToken", 403),
        (S3, "AccessDenied", 403),
    ],
    ids=["json", "rest-json", "query", "s3"],
)
def test_unsigned(guard: Guard, operation: Any, code: str, status: int) -> None:
    """No signature is no access, in the words of each kind of service."""
    error = refused(guard, HttpRequest("GET", "/", "", {"host": "localhost"}), operation)
    assert (error.code, error.status) == (code, status)


@pytest.mark.documented
@pytest.mark.parametrize(
    ("operation", "code", "status"),
    [
        (SAGEMAKER, "UnrecognizedClientException", 400),
        (RUNTIME, "UnrecognizedClientException", 403),
        (STS, "InvalidClientTokenId", 403),
        (S3, "InvalidAccessKeyId", 403),
    ],
    ids=["json", "rest-json", "query", "s3"],
)
def test_unknown_key(guard: Guard, operation: Any, code: str, status: int) -> None:
    """A key that is not there is refused in the words of each kind of service."""
    signer = S3SigV4Auth(Credentials("AKIAUNKNOWN", "secret"), operation.signing_name, "us-east-1")
    error = refused(guard, signed(signer, "GET", f"{ENDPOINT}/", {}), operation)
    assert (error.code, error.status) == (code, status)


@pytest.mark.documented
@pytest.mark.parametrize(
    ("operation", "code", "status"),
    [
        (SAGEMAKER, "InvalidSignatureException", 400),
        (RUNTIME, "InvalidSignatureException", 403),
        (STS, "SignatureDoesNotMatch", 403),
        (S3, "SignatureDoesNotMatch", 403),
    ],
    ids=["json", "rest-json", "query", "s3"],
)
def test_wrong_secret(guard: Guard, operation: Any, code: str, status: int) -> None:
    """A known key with the wrong secret is refused in the words of each kind of service."""
    signer = S3SigV4Auth(Credentials(guard.administrator.access_key_id, "secret"), operation.signing_name, "us-east-1")
    error = refused(guard, signed(signer, "GET", f"{ENDPOINT}/", {}), operation)
    assert (error.code, error.status) == (code, status)
    assert error.message.startswith("The request signature we calculated does not match the signature you provided.")
    assert guard.administrator.secret_access_key not in f"{error.message}{error.members}"


@pytest.mark.documented
def test_s3_demands_the_hash_of_the_body(guard: Guard) -> None:
    """S3 wants x-amz-content-sha256, a real hash or one of its words, and the body has to fit it."""
    plain = signed(SigV4Auth(guard.credentials, "s3", "us-east-1"), "GET", f"{ENDPOINT}/bucket", {})
    assert refused(guard, plain, S3).code == "InvalidRequest"
    strange = signed(SigV4Auth(guard.credentials, "s3", "us-east-1"), "GET", f"{ENDPOINT}/b", {"X-Amz-Content-SHA256": "none"})
    assert refused(guard, strange, S3).code == "InvalidArgument"
    error = refused(guard, replace(put_object(guard), body=b"other"), S3)
    assert (error.code, error.status) == ("XAmzContentSHA256Mismatch", 400)


@pytest.mark.documented
def test_unsigned_payload_is_for_s3_alone(guard: Guard) -> None:
    """UNSIGNED-PAYLOAD is accepted by S3 and by no other service."""
    unsigned = {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}
    s3 = signed(SigV4Auth(guard.credentials, "s3", "us-east-1"), "PUT", f"{ENDPOINT}/b/k", dict(unsigned), b"data")
    assert guard.admit(s3, S3).http.body == b"data"
    json = signed(SigV4Auth(guard.credentials, "sagemaker", "us-east-1"), "POST", f"{ENDPOINT}/", {**JSON, **unsigned}, BODY)
    assert refused(guard, json, SAGEMAKER).code == "InvalidSignatureException"


@pytest.mark.seen
def test_headers_that_must_be_signed(guard: Guard) -> None:
    """An x-amz- header that nobody signed is refused: anyone on the way could have added it."""
    http = put_object(guard)
    error = refused(guard, replace(http, headers={**http.headers, "x-amz-acl": "public-read"}), S3)
    assert (error.code, error.status) == ("AccessDenied", 403)
    assert error.message == "There were headers present in the request which were not signed"
    assert error.members["HeadersNotSigned"] == "x-amz-acl"
    guard.admit(replace(http, headers={**http.headers, "x-amzn-trace-id": "Root=1"}), S3)


@pytest.mark.ours
@pytest.mark.parametrize("wire", ["é", "Ã©"])
def test_header_values_outside_ascii(guard: Guard, wire: str) -> None:
    """Metadata outside ASCII is accepted whether it was signed as it is sent or as its text."""
    text = "é" if wire == "é" else "é".encode().decode("latin-1")
    http = signed(S3SigV4Auth(guard.credentials, "s3", "us-east-1"), "PUT", f"{ENDPOINT}/b/k", {"x-amz-meta-name": text}, b"")
    assert guard.admit(replace(http, headers={**http.headers, "x-amz-meta-name": wire}), S3)


@pytest.mark.documented
def test_presigned(guard: Guard) -> None:
    """A presigned URL works until the second it expires in, for the method it was made for."""
    http = link(guard, 600)
    assert guard.admit(http, S3, NOW + 600).signature_version == "AWS4-HMAC-SHA256"
    error = refused(guard, http, S3, NOW + 600.001)
    assert (error.code, error.status, error.message) == ("AccessDenied", 403, "Request has expired")
    assert error.members == {"X-Amz-Expires": "600", "Expires": "2023-11-14T22:23:20Z", "ServerTime": "2023-11-14T22:23:20Z"}
    assert refused(guard, link(guard, 600), S3, NOW - 901).message == "Request is not yet valid"


@pytest.mark.seen
def test_headers_in_the_query(guard: Guard) -> None:
    """What AWS's SDK for JavaScript moves from headers into a presigned URL reaches the operation as a header."""
    http = link(guard, method="PUT", query="?x-amz-meta-team=a%20b&x-amz-acl=private&tagging=")
    headers = guard.admit(http, S3).http.headers
    assert (headers["x-amz-meta-team"], headers["x-amz-acl"]) == ("a b", "private")
    assert not {"x-amz-signature", "x-amz-date", "x-amz-credential", "tagging"} & headers.keys()


@pytest.mark.ours
def test_presigned_hash_of_the_body(guard: Guard) -> None:
    """A URL that was presigned for one body takes no other, whatever a header that is not signed says."""

    class OfOneBody(S3SigV4QueryAuth):
        def payload(self, request: Any) -> str:
            return sha256(b"good").hexdigest()

    url = f"{ENDPOINT}/bucket/key?X-Amz-Content-Sha256={sha256(b'good').hexdigest()}"
    http = signed(OfOneBody(guard.credentials, "s3", "us-east-1", expires=600), "PUT", url, {})
    http = replace(http, body=b"good")
    assert guard.admit(http, S3).http.body == b"good"
    for declared in ("UNSIGNED-PAYLOAD", sha256(b"evil").hexdigest()):
        evil = replace(http, body=b"evil", headers={**http.headers, "x-amz-content-sha256": declared})
        assert refused(guard, evil, S3).code == "XAmzContentSHA256Mismatch"


@pytest.mark.ours
def test_long_heads_are_not_remembered(guard: Guard) -> None:
    """Nobody fills the server's memory with headers: what is remembered of them is short."""
    before = _parse_head.cache_info().currsize
    for number in range(3):
        http = describe(guard)
        long = http.headers["authorization"].replace("SignedHeaders=", f"SignedHeaders=x{number}{'x' * 5000};")
        assert refused(guard, replace(http, headers={**http.headers, "authorization": long}), SAGEMAKER).status == 400
    assert _parse_head.cache_info().currsize <= before + 1


@pytest.mark.documented
def test_presigned_mutations(guard: Guard) -> None:
    """Any change of a presigned URL is refused, and so are headers that it does not name."""
    http = link(guard, 600, "PUT", **{"x-amz-meta-a": "1"})
    guard.admit(http, S3)
    pairs = http.query.split("&")
    mutants = [replace(http, query="&".join(pairs[:index] + pairs[index + 1 :])) for index in range(len(pairs))]
    mutants += [
        replace(http, query="&".join([*pairs[:index], pairs[index] + "1", *pairs[index + 1 :]])) for index in range(len(pairs))
    ]
    mutants += [replace(http, query="&".join([*pairs, pair])) for pair in pairs]
    mutants += [
        replace(http, method="GET"),
        replace(http, raw_path="/bucket/other"),
        replace(http, query=http.query + "&tagging"),
        replace(http, headers={**http.headers, "host": "other"}),
        replace(http, headers={**http.headers, "x-amz-meta-a": "2"}),
        replace(http, headers={**http.headers, "x-amz-copy-source": "/b/k"}),
    ]
    for mutant in mutants:
        assert refused(guard, mutant, S3).status in {400, 403}


@pytest.mark.documented
@pytest.mark.parametrize("expires", [-1, 604801, "x", "--5", "²", "9" * 20, ""])
def test_presigned_lifetimes(guard: Guard, expires: Any) -> None:
    """A presigned URL lasts a week at most, and a number of seconds."""
    error = refused(guard, link(guard, expires), S3)
    assert (error.code, error.status) == ("AuthorizationQueryParametersError", 400)
    guard.admit(link(guard, 604800), S3, NOW + 604800)


@pytest.mark.documented
def test_presigned_sts(guard: Guard) -> None:
    """GetCallerIdentity can be presigned, as EKS does it."""
    signer = SigV4QueryAuth(guard.credentials, "sts", "us-east-1", expires=60)
    http = signed(signer, "GET", f"{ENDPOINT}/?Action=GetCallerIdentity&Version=2011-06-15", {"x-k8s-aws-id": "cluster"})
    assert guard.admit(http, STS, NOW + 60).principal.account == "111122223333"
    assert refused(guard, http, STS, NOW + 61).code == "SignatureDoesNotMatch"
    assert refused(guard, replace(http, body=b"Action=AssumeRole"), STS).code == "SignatureDoesNotMatch"


@pytest.mark.documented
def test_one_mechanism_at_a_time(guard: Guard) -> None:
    """A request with both an Authorization header and a presigned query is refused."""
    both = replace(put_object(guard), query=link(guard).query)
    assert refused(guard, both, S3).code == "InvalidArgument"


@pytest.mark.ours
def test_anonymous(guard: Guard) -> None:
    """Where an operation may be public an unsigned request comes from nobody; a wrongly signed one is still refused."""
    caller = guard.admit(HttpRequest("GET", "/b/k", "", {"host": "localhost"}), S3, anonymous=True)
    assert caller.principal.kind == "anonymous" and caller.principal.policies == ()
    with pytest.raises(AwsError, match="mechanism"):
        guard.admit(HttpRequest("GET", "/b/k", "", {"host": "h", "authorization": "Basic eDp5"}), S3, anonymous=True)
    with pytest.raises(AwsError, match="requires the X-Amz-Algorithm"):
        guard.admit(HttpRequest("GET", "/b/k", "X-Amz-Signature=1", {"host": "h"}), S3, anonymous=True)


@pytest.mark.ours
@pytest.mark.parametrize(
    "mangle",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace(",", ""),
        lambda text: text * 50,
        lambda text: "AWS4-HMAC-SHA256",
        lambda text: "AWS4-HMAC-SHA256 Signature=",
        lambda text: "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=",
        lambda text: "AWS4-HMAC-SHA256 " + base64.b64encode(bytes(range(256))).decode(),
        lambda text: "",
    ],
)
def test_garbage(guard: Guard, mangle: Callable[[str], str]) -> None:
    """Whatever stands in the Authorization header, the answer is a refusal and not a defect."""
    http = describe(guard)
    garbled = replace(http, headers={**http.headers, "authorization": mangle(http.headers["authorization"])})
    assert refused(guard, garbled, SAGEMAKER).status == 400
    s3 = put_object(guard)
    garbled = replace(s3, headers={**s3.headers, "authorization": mangle(s3.headers["authorization"])})
    assert refused(guard, garbled, S3).status in {400, 403}
