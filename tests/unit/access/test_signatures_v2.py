"""Version 2 of S3, as boto3 presigns by default."""

from dataclasses import replace

import pytest
from botocore.auth import HmacV1Auth, HmacV1QueryAuth
from botocore.credentials import Credentials
from tests.unit.access.signing import NOW, S3, SAGEMAKER, Guard, signed

from modelyard.aws.errors import AwsError
from modelyard.aws.http import HttpRequest

ENDPOINT = "http://127.0.0.1:9100"


def link(
    guard: Guard, method: str = "GET", query: str = "", headers: dict[str, str] | None = None, seconds: int = 600
) -> HttpRequest:
    """A URL presigned by botocore."""
    url = f"{ENDPOINT}/bucket/a%20key" + (f"?{query}" if query else "")
    return signed(HmacV1QueryAuth(guard.credentials, expires=seconds), method, url, headers or {})


def refused(guard: Guard, http: HttpRequest, now: float = NOW) -> AwsError:
    with pytest.raises(AwsError) as caught:
        guard.admit(http, S3, now)
    return caught.value


@pytest.mark.documented
@pytest.mark.parametrize(
    "query",
    [
        "",
        "versionId=3%2F4",
        "response-content-type=text%2Fplain&response-content-disposition=attachment%3B%20filename%3D%22a%20b%22",
        "uploadId=x&partNumber=2",
        "tagging",
        "prefix=x%20y&list-type=2",
    ],
)
def test_presigned(guard: Guard, query: str) -> None:
    """Sub-resources and response overrides are signed; the URL works until the second it expires in."""
    http = link(guard, query=query)
    caller = guard.admit(http, S3, NOW + 600)
    assert (caller.region, caller.signature_version) == ("us-east-1", "AWS")
    error = refused(guard, http, NOW + 601)
    assert (error.code, error.message) == ("AccessDenied", "Request has expired")


@pytest.mark.documented
def test_presigned_put_with_headers(guard: Guard) -> None:
    """Headers that a URL was presigned with have to be sent as they were signed."""
    http = link(guard, "PUT", headers={"Content-Type": "text/plain", "x-amz-meta-a": "1"})
    guard.admit(http, S3)
    guard.admit(replace(http, headers={**http.headers, "content-length": "7"}), S3)
    for name, value in (("content-type", "text/html"), ("x-amz-meta-a", "2"), ("x-amz-acl", "public-read"), ("content-md5", "x")):
        assert refused(guard, replace(http, headers={**http.headers, name: value})).code == "SignatureDoesNotMatch"


@pytest.mark.documented
def test_presigned_mutations(guard: Guard) -> None:
    """Any change of a presigned URL is refused."""
    http = link(guard, query="versionId=1")
    pairs = http.query.split("&")
    mutants = [replace(http, query="&".join(pairs[:index] + pairs[index + 1 :])) for index in range(len(pairs))]
    mutants += [
        replace(http, query="&".join([*pairs[:index], pairs[index] + "1", *pairs[index + 1 :]])) for index in range(len(pairs))
    ]
    mutants += [replace(http, query="&".join([*pairs, pair])) for pair in pairs]
    mutants += [
        replace(http, query=http.query + extra) for extra in ("&tagging", "&legal-hold", "&retention", "&response-expires=1")
    ]
    mutants += [replace(http, method="PUT"), replace(http, raw_path="/bucket/other"), replace(http, raw_path="/other/a%20key")]
    for mutant in mutants:
        assert refused(guard, mutant).status in {400, 403}


@pytest.mark.ours
@pytest.mark.parametrize("extra", ["version%49d=2", "%74agging", "%75ploads", "upload%49d=x&part%4eumber=1", "legal%2Dhold"])
def test_presigned_names_in_another_encoding(guard: Guard, extra: str) -> None:
    """A parameter that counts is part of what is signed however its name is percent-encoded."""
    http = link(guard)
    assert refused(guard, replace(http, query=f"{http.query}&{extra}")).code == "SignatureDoesNotMatch"


@pytest.mark.ours
@pytest.mark.parametrize(
    "host", ["other.localhost:9100", "other.s3.amazonaws.com", "OTHER.S3.eu-west-1.AmazonAWS.com", "u@other.localhost"]
)
def test_presigned_sent_to_another_host(guard: Guard, host: str) -> None:
    """The host is not signed, but the bucket in it is: the URL of one bucket opens no other."""
    http = link(guard)
    assert refused(guard, replace(http, headers={**http.headers, "host": host})).code == "SignatureDoesNotMatch"
    guard.admit(replace(http, raw_path="/a%20key", headers={**http.headers, "host": host.lower().replace("other", "bucket")}), S3)


@pytest.mark.documented
@pytest.mark.parametrize("expires", ["x", "", "-1", "²", "9" * 30, "1.5"])
def test_presigned_with_a_time_that_is_none(guard: Guard, expires: str) -> None:
    """Expires is a number of seconds."""
    http = link(guard)
    changed = "&".join(f"Expires={expires}" if pair.startswith("Expires=") else pair for pair in http.query.split("&"))
    assert refused(guard, replace(http, query=changed)).code == "AccessDenied"


@pytest.mark.documented
def test_header(guard: Guard) -> None:
    """The header form works within the clock skew, and any change is refused."""
    http = signed(
        HmacV1Auth(guard.credentials), "PUT", f"{ENDPOINT}/bucket/key?acl", {"x-amz-date": "Tue, 14 Nov 2023 22:13:20 GMT"}, b"x"
    )
    # The signer adds a Date of its own clock and signs it; S3 signs an empty one when there is x-amz-date.
    assert refused(guard, http).code == "SignatureDoesNotMatch"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.auth.formatdate", lambda usegmt: "Tue, 14 Nov 2023 22:13:20 GMT")
        http = signed(HmacV1Auth(guard.credentials), "PUT", f"{ENDPOINT}/bucket/key?acl", {"x-amz-acl": "private"}, b"x")
    guard.admit(http, S3)
    assert refused(guard, http, NOW + 901).code == "RequestTimeTooSkewed"
    for name in ("date", "x-amz-acl", "authorization"):
        assert refused(guard, replace(http, headers={**http.headers, name: http.headers[name] + "1"})).status in {400, 403}
    assert refused(guard, replace(http, query="policy")).code == "SignatureDoesNotMatch"
    assert refused(guard, replace(http, headers={**http.headers, "authorization": "AWS nonsense"})).code == "InvalidArgument"


@pytest.mark.documented
def test_version_2_is_for_s3_alone(guard: Guard) -> None:
    """No other service takes Version 2."""
    http = signed(HmacV1Auth(guard.credentials), "POST", f"{ENDPOINT}/", {})
    with pytest.raises(AwsError, match="Unsupported AWS 'algorithm'"):
        guard.admit(http, SAGEMAKER)
    with pytest.raises(AwsError, match="Missing Authentication Token"):
        guard.admit(link(guard), SAGEMAKER)


@pytest.mark.documented
def test_unknown_key(guard: Guard) -> None:
    """A key that is not there is refused."""
    http = signed(HmacV1QueryAuth(Credentials("AKIAUNKNOWN", "x"), expires=5), "GET", f"{ENDPOINT}/b/k", {})
    assert refused(guard, http).code == "InvalidAccessKeyId"
