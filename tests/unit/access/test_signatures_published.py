"""The examples with signatures that AWS's documentation publishes."""

from io import BytesIO

import pytest
from tests.unit.access.signing import S3, Guard, Operation

from modelyard.aws.errors import AwsError
from modelyard.aws.http import HttpRequest

IAM = Operation("iam", "iam")
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
S3_KEY = "AKIAIOSFODNN7EXAMPLE"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
MAY_2013 = 1369353600.0
"""20130524T000000Z."""


@pytest.fixture
def published(guard: Guard) -> Guard:
    """A server that knows the keys of the documentation."""
    guard.add_key(S3_KEY, SECRET)
    guard.add_key("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    return guard


def s3_request(method: str, path: str, signed: str, signature: str, query: str = "", **headers: str) -> HttpRequest:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    fields["host"] = "examplebucket.s3.amazonaws.com"
    fields["x-amz-date"] = "20130524T000000Z"
    fields["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={S3_KEY}/20130524/us-east-1/s3/aws4_request,SignedHeaders={signed},Signature={signature}"
    )
    return HttpRequest(method, path, query, fields)


@pytest.mark.documented
def test_list_users(published: Guard) -> None:
    """The ListUsers request of the general reference has the signature printed there."""
    http = HttpRequest(
        "GET",
        "/",
        "Action=ListUsers&Version=2010-05-08",
        {
            "host": "iam.amazonaws.com",
            "content-type": "application/x-www-form-urlencoded; charset=utf-8",
            "x-amz-date": "20150830T123600Z",
            "authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date, "
            "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        },
    )
    assert published.admit(http, IAM, 1440938160.0).region == "us-east-1"


@pytest.mark.documented
@pytest.mark.parametrize(
    "http",
    [
        s3_request(
            "GET",
            "/test.txt",
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            range="bytes=0-9",
            x_amz_content_sha256=EMPTY,
        ),
        s3_request(
            "GET",
            "/",
            "host;x-amz-content-sha256;x-amz-date",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            query="lifecycle",
            x_amz_content_sha256=EMPTY,
        ),
        s3_request(
            "GET",
            "/",
            "host;x-amz-content-sha256;x-amz-date",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            query="max-keys=2&prefix=J",
            x_amz_content_sha256=EMPTY,
        ),
    ],
    ids=["get with range", "get lifecycle", "list objects"],
)
def test_s3_header(published: Guard, http: HttpRequest) -> None:
    """The requests of S3's page on the Authorization header have the signatures printed there."""
    assert published.admit(http, S3, MAY_2013).principal.account == "111122223333"


@pytest.mark.documented
def test_s3_put(published: Guard) -> None:
    """The PUT of S3's page, whose key holds a dollar sign, has the signature printed there."""
    http = s3_request(
        "PUT",
        "/test%24file.text",
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        date="Fri, 24 May 2013 00:00:00 GMT",
        x_amz_storage_class="REDUCED_REDUNDANCY",
        x_amz_content_sha256="44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
    )
    http.body = b"Welcome to Amazon S3."
    assert published.admit(http, S3, MAY_2013).http.body == b"Welcome to Amazon S3."


@pytest.mark.documented
def test_s3_presigned(published: Guard) -> None:
    """The presigned URL of S3's page on query authentication works for its 24 hours."""
    query = (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
    http = HttpRequest("GET", "/test.txt", query, {"host": "examplebucket.s3.amazonaws.com"})
    assert published.admit(http, S3, MAY_2013 + 86400)
    with pytest.raises(AwsError, match="Request has expired"):
        published.admit(http, S3, MAY_2013 + 86401)


@pytest.mark.documented
def test_s3_signed_chunks(published: Guard) -> None:
    """The chunks of S3's page on streaming have the signatures printed there."""
    chunks = (
        (65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
        (1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
        (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
    )
    body = b"".join(f"{size:x};chunk-signature={signature}\r\n".encode() + b"a" * size + b"\r\n" for size, signature in chunks)
    http = s3_request(
        "PUT",
        "/examplebucket/chunkObject.txt",
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
        content_encoding="aws-chunked",
        content_length="66824",
        x_amz_storage_class="REDUCED_REDUNDANCY",
        x_amz_content_sha256="STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        x_amz_decoded_content_length="66560",
    )
    http.headers = {**http.headers, "host": "s3.amazonaws.com"}
    http.stream = BytesIO(body)
    admitted = published.admit(http, S3, MAY_2013).http
    assert admitted.stream is not None and admitted.stream.read() == b"a" * 66560
    assert admitted.headers["content-length"] == "66560" and "content-encoding" not in admitted.headers


@pytest.mark.documented
@pytest.mark.parametrize(
    ("host", "signature"),
    [
        ("johnsmith.s3.amazonaws.com", "bWq2s1WEIj+Ydj0vQ697zp+IXMU="),
        ("awsexamplebucket1.us-west-1.s3.amazonaws.com", None),
    ],
)
def test_s3_version_2(published: Guard, host: str, signature: str | None) -> None:
    """The GET of S3's page on Version 2 has the signature printed there; another bucket's host name makes it another one."""
    fields = {"host": host, "date": "Tue, 27 Mar 2007 19:36:42 +0000"}
    fields["authorization"] = f"AWS {S3_KEY}:{signature or 'bWq2s1WEIj+Ydj0vQ697zp+IXMU='}"
    http = HttpRequest("GET", "/photos/puppy.jpg", "", fields)
    if signature is None:
        with pytest.raises(AwsError, match="does not match"):
            published.admit(http, S3, 1175024202.0)
    else:
        assert published.admit(http, S3, 1175024202.0).signature_version == "AWS"


@pytest.mark.documented
def test_s3_version_2_query(published: Guard) -> None:
    """The query-string example of S3's page on Version 2 has the signature printed there."""
    query = f"AWSAccessKeyId={S3_KEY}&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620"
    http = HttpRequest("GET", "/photos/puppy.jpg", query, {"host": "johnsmith.s3.amazonaws.com"})
    assert published.admit(http, S3, 1175139620.0)
