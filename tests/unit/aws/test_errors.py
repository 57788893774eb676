"""Errors as each protocol writes them, and answers' common headers."""

import json
from xml.etree import ElementTree

import pytest

from modelyard.aws.catalogue import Catalogue, OperationModel
from modelyard.aws.errors import (
    AccessDeniedException,
    AwsError,
    ConflictException,
    ResourceNotFound,
    ThrottlingException,
    UnknownOperationException,
    ValidationException,
)
from modelyard.aws.http import Document, HttpRequest, HttpResponse
from modelyard.aws.protocols.xml_reader import MalformedXML

CATALOGUE = Catalogue()
DENIED = AccessDeniedException("User: x is not authorized")


def written(service: str, operation: str, error: AwsError) -> HttpResponse:
    return CATALOGUE.operation(service, operation).serialize_error(error, "request-id")


def code_of(response: HttpResponse) -> tuple[int, str]:
    """Status and code, wherever the protocol puts it."""
    headers = dict(response.headers)
    if "x-amzn-errortype" in headers:
        return response.status, headers["x-amzn-errortype"]
    root = ElementTree.fromstring(response.body)
    (code,) = [element.text for element in root.iter() if element.tag.rpartition("}")[2] == "Code"]
    return response.status, code or ""


@pytest.mark.documented
@pytest.mark.parametrize(
    ("service", "operation", "error", "status", "code"),
    [
        ("sagemaker", "CreateModelPackage", ValidationException("x"), 400, "ValidationException"),
        ("sagemaker", "CreateModelPackage", DENIED, 400, "AccessDeniedException"),
        ("sagemaker", "CreatePipeline", ResourceNotFound("x"), 400, "ResourceNotFound"),
        ("sagemaker", "CreatePipeline", ConflictException("x"), 400, "ConflictException"),
        ("sagemaker", "CreatePipeline", ThrottlingException("x"), 400, "ThrottlingException"),
        ("sagemaker", "CreatePipeline", UnknownOperationException("x"), 400, "UnknownOperationException"),
        ("sagemaker-runtime", "InvokeEndpoint", ValidationException("x"), 400, "ValidationError"),
        ("sagemaker-runtime", "InvokeEndpoint", DENIED, 403, "AccessDeniedException"),
        ("sagemaker-runtime", "InvokeEndpoint", AwsError("x", code="ModelError"), 424, "ModelError"),
        ("lambda", "GetFunction", ValidationException("x"), 400, "ValidationException"),
        ("lambda", "GetFunction", AwsError("x", code="ResourceNotFoundException"), 404, "ResourceNotFoundException"),
        ("lambda", "GetFunction", DENIED, 403, "AccessDeniedException"),
        ("iam", "GetRole", AwsError("x", code="NoSuchEntity"), 404, "NoSuchEntity"),
        ("iam", "GetRole", AwsError("x", code="NoSuchEntityException"), 404, "NoSuchEntity"),
        ("iam", "CreateRole", AwsError("x", code="EntityAlreadyExists", status=409), 409, "EntityAlreadyExists"),
        ("iam", "GetRole", ValidationException("x"), 400, "ValidationError"),
        ("sts", "AssumeRole", DENIED, 403, "AccessDenied"),
        ("sts", "AssumeRole", UnknownOperationException("x"), 400, "InvalidAction"),
        ("sts", "AssumeRole", ThrottlingException("x"), 400, "Throttling"),
        ("s3", "GetObject", DENIED, 403, "AccessDenied"),
        ("s3", "GetObject", AwsError("x", code="NoSuchKey", status=404), 404, "NoSuchKey"),
        ("s3", "GetObject", ValidationException("x"), 400, "InvalidArgument"),
        ("s3", "GetObject", UnknownOperationException("x"), 405, "MethodNotAllowed"),
        ("s3", "GetObject", ThrottlingException("x"), 503, "SlowDown"),
        ("s3", "PutBucketVersioning", MalformedXML(), 400, "MalformedXML"),
    ],
)
def test_code_and_status(service, operation, error, status, code):
    """The same fault has the code and the status that the service gives it."""
    assert code_of(written(service, operation, error)) == (status, code)


@pytest.mark.documented
def test_json_error():
    """A JSON error carries its code in the body and in a header, beside the request id."""
    response = written("sagemaker", "CreateModelPackage", ValidationException('say "no"'))
    assert json.loads(response.body) == {"__type": "ValidationException", "message": 'say "no"'}
    assert response.headers == [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amzn-requestid", "request-id"),
        ("x-amzn-errortype", "ValidationException"),
    ]


@pytest.mark.documented
def test_modelled_members_of_an_error():
    """Members of a modelled error go where its shape says: into the body, or into headers."""
    model = written("sagemaker-runtime", "InvokeEndpoint", AwsError("x", code="ModelError", members={"OriginalStatusCode": 500}))
    assert json.loads(model.body) == {"message": "x", "OriginalStatusCode": 500}
    throttled = AwsError("x", code="TooManyRequestsException", members={"retryAfterSeconds": "3", "Reason": "r"})
    response = written("lambda", "Invoke", throttled)
    assert response.status == 429
    assert dict(response.headers)["retry-after"] == "3"
    assert json.loads(response.body) == {"message": "x", "Reason": "r"}


@pytest.mark.documented
def test_query_error():
    """A query error is an ErrorResponse in the service's namespace; its text is escaped."""
    body = written("iam", "GetRole", AwsError("no <role> & no", code="NoSuchEntity")).body
    assert body == (
        b'<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>NoSuchEntity</Code>'
        b"<Message>no &lt;role&gt; &amp; no</Message></Error><RequestId>request-id</RequestId></ErrorResponse>"
    )


@pytest.mark.documented
def test_s3_error():
    """An S3 error names what it is about, and carries both ids; headers of the error come along."""
    error = AwsError(
        "gone", code="NoSuchKey", status=404, members={"Key": "a<b", "None": None}, headers={"x-amz-delete-marker": "true"}
    )
    response = written("s3", "GetObject", error)
    assert response.body == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code><Message>gone</Message><Key>a&lt;b</Key>'
        b"<RequestId>request-id</RequestId><HostId>request-id</HostId></Error>"
    )
    headers = dict(response.headers)
    assert headers["x-amz-request-id"] == "request-id" and headers["x-amz-delete-marker"] == "true"


@pytest.mark.documented
def test_answers_without_a_body():
    """HEAD and 304 have no body, whatever went wrong."""
    for response in (
        written("s3", "HeadObject", AwsError("x", code="NoSuchKey", status=404)),
        written("s3", "GetObject", AwsError("x", code="NotModified", status=304)),
        CATALOGUE.failure(HttpRequest("HEAD", "/b", "", {}), DENIED, "request-id"),
    ):
        assert response.body == b""
        assert "content-type" not in dict(response.headers)


@pytest.mark.documented
def test_query_compatible_error():
    """Services that once spoke query alone tell their old code in a header."""
    response = written("cloudwatch", "ListMetrics", AwsError("x", code="DashboardNotFoundError"))
    headers = dict(response.headers)
    assert headers["x-amzn-query-error"] == "ResourceNotFound;Sender"
    assert json.loads(response.body)["__type"] == "DashboardNotFoundError"
    assert headers["content-type"] == "application/x-amz-json-1.0"


def operation(service: str, name: str) -> OperationModel:
    return CATALOGUE.operation(service, name)


@pytest.mark.ours
def test_document_goes_out_unchanged():
    """A stored document is the body of a JSON answer, byte for byte."""
    document = Document(b'{"ModelPackageArn":  "a"}')
    assert operation("sagemaker", "DescribeModelPackage").serialize(document, "id").body is document


@pytest.mark.documented
def test_absent_members_are_left_out():
    """None is not written, at any depth; blobs are base64, and special numbers have names."""
    listed = {"ModelPackageSummaryList": [{"ModelPackageArn": "a", "ModelPackageDescription": None}], "NextToken": None}
    assert operation("sagemaker", "ListModelPackages").serialize(listed, "id").body == (
        b'{"ModelPackageSummaryList":[{"ModelPackageArn":"a"}]}'
    )
    assert (
        operation("kms", "Encrypt").serialize({"CiphertextBlob": b"\x00\xff", "KeyId": None}, "id").body
        == b'{"CiphertextBlob":"AP8="}'
    )
    datapoints = {"Datapoints": [{"Average": float("nan"), "Maximum": float("inf")}]}
    assert operation("cloudwatch", "GetMetricStatistics").serialize(datapoints, "id").body == (
        b'{"Datapoints":[{"Average":"NaN","Maximum":"Infinity"}]}'
    )


@pytest.mark.documented
def test_empty_results():
    """No result is an empty answer of the protocol."""
    assert operation("sagemaker", "DeleteModelPackage").serialize(None, "id").body == b""
    assert operation("sagemaker", "ListModels").serialize({}, "id").body == b"{}"
    assert operation("s3", "DeleteObject").serialize({}, "id").status == 204
    assert operation("lambda", "DeleteFunction").serialize({"StatusCode": 204}, "id").status == 204


@pytest.mark.documented
def test_s3_answers():
    """Headers, metadata, parts of objects, and the one answer whose root is its value."""
    pieces = iter([b"ab", b"c"])
    result = {
        "Body": pieces,
        "ContentLength": 3,
        "ContentType": "text/plain",
        "ETag": '"e"',
        "LastModified": 1_700_000_000.5,
        "Metadata": {"Colour": "rot €"},
        "ContentRange": "bytes 0-2/9",
    }
    response = operation("s3", "GetObject").serialize(result, "id")
    headers = dict(response.headers)
    assert response.status == 206 and response.body is pieces
    assert headers["last-modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert headers["content-length"] == "3" and headers["content-type"] == "text/plain" and headers["etag"] == '"e"'
    assert headers["x-amz-meta-colour"] == "=?UTF-8?B?cm90IOKCrA==?="
    located = operation("s3", "GetBucketLocation")
    root = '<?xml version="1.0" encoding="UTF-8"?>\n<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
    assert located.serialize({"LocationConstraint": "eu-west-1"}, "id").body.decode() == f"{root}>eu-west-1</LocationConstraint>"
    assert located.serialize({}, "id").body.decode() == f"{root}/>"
    head = operation("s3", "HeadObject").serialize({"ContentLength": 3}, "id")
    assert head.body == b"" and dict(head.headers)["content-length"] == "3"


@pytest.mark.documented
@pytest.mark.parametrize(
    ("name", "result", "root"),
    [
        ("ListBuckets", {"Buckets": [{"Name": "b"}]}, "ListAllMyBucketsResult"),
        ("ListObjectsV2", {"KeyCount": 0}, "ListBucketResult"),
        ("CreateMultipartUpload", {"UploadId": "u"}, "InitiateMultipartUploadResult"),
        ("CompleteMultipartUpload", {"ETag": "e"}, "CompleteMultipartUploadResult"),
        ("CopyObject", {"CopyObjectResult": {"ETag": "e"}}, "CopyObjectResult"),
        ("DeleteObjects", {"Deleted": []}, "DeleteResult"),
        ("GetBucketVersioning", {"Status": "Enabled"}, "VersioningConfiguration"),
        ("GetObjectTagging", {"TagSet": []}, "Tagging"),
    ],
)
def test_names_of_s3_documents(name, result, root):
    """The root elements of S3's answers have S3's names, which some clients look at."""
    assert f"<{root} xmlns=".encode() in operation("s3", name).serialize(result, "id").body


@pytest.mark.ours
def test_no_header_can_be_smuggled():
    """A value with a line break is refused, not sent as a header."""
    with pytest.raises(AwsError) as raised:
        operation("s3", "GetObject").serialize({"ContentDisposition": "x\r\nSet-Cookie: y", "Body": b""}, "id")
    assert raised.value.code == "InvalidArgument"


@pytest.mark.ours
def test_control_characters_in_xml():
    """A key with control characters is written as references, as S3 does, and never breaks the document's structure."""
    body = operation("s3", "ListObjectsV2").serialize({"Contents": [{"Key": "a\x01\r]]><&\"'"}]}, "id").body
    assert b"<Key>a&#x1;&#xD;]]&gt;&lt;&amp;&quot;'</Key>" in body
