"""How a request finds its operation, and what is said when there is none."""

import json
from pathlib import Path

import orjson
import pytest
from tests.unit.aws.wire import signed

from modelyard.aws.catalogue import Catalogue, routes_by_body
from modelyard.aws.errors import AwsError, UnknownOperationException
from modelyard.aws.http import HttpRequest
from modelyard.aws.protocols.cbor import decode
from modelyard.aws.routing import signed_service

CATALOGUE = Catalogue()
RUNTIME = "/endpoints/e/invocations"
JSON = {"content-type": "application/x-amz-json-1.1"}
FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}


def http(method: str = "GET", address: str = "/", headers: dict[str, str] | None = None, body: bytes = b"") -> HttpRequest:
    path, _, query = address.partition("?")
    return HttpRequest(method, path, query, {"host": "127.0.0.1:9100", **(headers or {})}, body)


def found(request: HttpRequest) -> tuple[str, str, dict[str, str]]:
    route = CATALOGUE.route(request)
    return route.operation.service, route.operation.name, dict(route.path)


@pytest.mark.documented
@pytest.mark.parametrize(
    ("method", "address", "headers", "operation"),
    [
        ("GET", "/", {}, "ListBuckets"),
        ("PUT", "/b", {}, "CreateBucket"),
        ("PUT", "/b/", {}, "CreateBucket"),
        ("HEAD", "/b", {}, "HeadBucket"),
        ("GET", "/b", {}, "ListObjects"),
        ("GET", "/b?prefix=a", {}, "ListObjects"),
        ("GET", "/b?list-type=2&prefix=a", {}, "ListObjectsV2"),
        ("GET", "/b?versions", {}, "ListObjectVersions"),
        ("GET", "/b?versioning", {}, "GetBucketVersioning"),
        ("GET", "/b?versioning=", {}, "GetBucketVersioning"),
        ("PUT", "/b?versioning", {}, "PutBucketVersioning"),
        ("GET", "/b?location", {}, "GetBucketLocation"),
        ("GET", "/b?policy", {}, "GetBucketPolicy"),
        ("GET", "/b?tagging", {}, "GetBucketTagging"),
        ("GET", "/b?uploads", {}, "ListMultipartUploads"),
        ("GET", "/b?notification", {}, "GetBucketNotificationConfiguration"),
        ("GET", "/b?lifecycle", {}, "GetBucketLifecycleConfiguration"),
        ("POST", "/b?delete", {}, "DeleteObjects"),
        ("DELETE", "/b", {}, "DeleteBucket"),
        ("DELETE", "/b?policy", {}, "DeleteBucketPolicy"),
        ("GET", "/b/k", {}, "GetObject"),
        ("GET", "/b/k?x-id=GetObject", {}, "GetObject"),
        ("GET", "/b/k?versionId=v", {}, "GetObject"),
        ("GET", "/b/k?tagging", {}, "GetObjectTagging"),
        ("GET", "/b/k?acl", {}, "GetObjectAcl"),
        ("GET", "/b/k?attributes", {"x-amz-object-attributes": "ETag"}, "GetObjectAttributes"),
        ("GET", "/b/k?uploadId=u", {}, "ListParts"),
        ("HEAD", "/b/k", {}, "HeadObject"),
        ("PUT", "/b/k", {}, "PutObject"),
        ("PUT", "/b/k?x-id=PutObject", {}, "PutObject"),
        ("PUT", "/b/k", {"x-amz-copy-source": "/b/j"}, "CopyObject"),
        ("PUT", "/b/k?partNumber=1&uploadId=u", {}, "UploadPart"),
        ("PUT", "/b/k?partNumber=1&uploadId=u", {"x-amz-copy-source": "/b/j"}, "UploadPartCopy"),
        ("PUT", "/b/k?tagging", {}, "PutObjectTagging"),
        ("POST", "/b/k?uploads", {}, "CreateMultipartUpload"),
        ("POST", "/b/k?uploads=", {}, "CreateMultipartUpload"),
        ("POST", "/b/k?uploadId=u", {}, "CompleteMultipartUpload"),
        ("DELETE", "/b/k?uploadId=u", {}, "AbortMultipartUpload"),
        ("DELETE", "/b/k", {}, "DeleteObject"),
        ("DELETE", "/b/k?versionId=v", {}, "DeleteObject"),
    ],
)
def test_s3_operations_are_told_apart(method, address, headers, operation):
    """S3's operations share addresses: query fields and headers tell which one is meant."""
    service, name, path = found(http(method, address, {**signed("s3"), **headers}))
    assert (service, name) == ("s3", operation)
    if "/k" in address:
        assert path == {"Bucket": "b", "Key": "k"}


@pytest.mark.documented
@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ("/b/a%20b/c", "a b/c"),
        ("/b//k", "/k"),
        ("/b/k/", "k/"),
        ("/b/a+b", "a+b"),
        ("/b/%E2%82%AC", "€"),
        ("/b/..%2F..%2Fetc", "../../etc"),
        ("/b/../x", "../x"),
        ("/b/a%0Ab", "a\nb"),
        ("/b/a%3Fb%26c", "a?b&c"),
    ],
)
def test_keys_are_decoded_and_nothing_else(raw, key):
    """A key is the rest of the path, decoded once; slashes and dots are left as they are."""
    assert found(http("GET", raw, signed("s3")))[2] == {"Bucket": "b", "Key": key}


@pytest.mark.documented
@pytest.mark.parametrize(
    ("host", "address", "expected"),
    [
        ("bucket.s3.us-east-1.amazonaws.com", "/k", ("GetObject", "bucket")),
        ("my.bucket.s3.eu-central-1.amazonaws.com", "/k", ("GetObject", "my.bucket")),
        ("bucket.s3.amazonaws.com", "/", ("ListObjects", "bucket")),
        ("bucket.s3-us-west-2.amazonaws.com:443", "/k", ("GetObject", "bucket")),
        ("bucket.s3.dualstack.us-west-2.amazonaws.com", "/k", ("GetObject", "bucket")),
        ("s3.us-east-1.amazonaws.com", "/bucket/k", ("GetObject", "bucket")),
        ("s3.amazonaws.com", "/bucket/k", ("GetObject", "bucket")),
        ("bucket.localhost:9100", "/k", ("GetObject", "bucket")),
        ("bucket.s3.localhost", "/k", ("GetObject", "bucket")),
        ("s3.localhost", "/bucket/k", ("GetObject", "bucket")),
        ("localhost:9100", "/bucket/k", ("GetObject", "bucket")),
        ("[::1]:9100", "/bucket/k", ("GetObject", "bucket")),
    ],
)
@pytest.mark.parametrize("headers", [{}, signed("s3"), {"authorization": "AWS AKID:signature"}])
def test_bucket_in_the_host_name(host, address, expected, headers):
    """A bucket may stand in the host name or in the path, signed (with version 4 or 2) or not."""
    service, name, path = found(http("GET", address, {**headers, "host": host}))
    assert (service, name, path["Bucket"]) == ("s3", *expected)


@pytest.mark.documented
@pytest.mark.parametrize(
    ("host", "method", "address", "headers", "body", "expected"),
    [
        (
            "sts.us-east-1.amazonaws.com",
            "POST",
            "/",
            FORM,
            b"Action=GetCallerIdentity&Version=2011-06-15",
            "sts:GetCallerIdentity",
        ),
        ("sts.amazonaws.com", "GET", "/?Action=GetCallerIdentity&Version=2011-06-15", {}, b"", "sts:GetCallerIdentity"),
        ("iam.amazonaws.com", "POST", "/", FORM, b"Action=GetRole&RoleName=r", "iam:GetRole"),
        ("127.0.0.1", "POST", "/", FORM, b"Version=2010-05-08&Action=GetRole", "iam:GetRole"),
        (
            "runtime.sagemaker.us-east-1.amazonaws.com",
            "POST",
            "/endpoints/e/invocations",
            {},
            b"",
            "sagemaker-runtime:InvokeEndpoint",
        ),
        ("metrics.sagemaker.us-east-1.amazonaws.com", "PUT", "/BatchPutMetrics", {}, b"{}", "sagemaker-metrics:BatchPutMetrics"),
        ("lambda.us-east-1.amazonaws.com", "GET", "/2015-03-31/functions", {}, b"", "lambda:ListFunctions"),
        ("lambda.us-east-1.amazonaws.com", "GET", "/2015-03-31/functions/", {}, b"", "lambda:ListFunctions"),
        (
            "monitoring.eu-west-1.amazonaws.com",
            "POST",
            "/",
            FORM,
            b"Action=ListMetrics&Version=2010-08-01",
            "cloudwatch:ListMetrics",
        ),
    ],
)
def test_unsigned_requests_are_recognised_by_their_host_or_version(host, method, address, headers, body, expected):
    """What comes through the proxy keeps AWS's host names; a form tells the version of its API."""
    service, name, _ = found(http(method, address, {**headers, "host": host}, body))
    assert f"{service}:{name}" == expected


@pytest.mark.documented
@pytest.mark.parametrize(
    ("method", "address", "expected"),
    [
        ("POST", "/endpoints/my-endpoint/invocations", ("sagemaker-runtime", "InvokeEndpoint", {"EndpointName": "my-endpoint"})),
        ("POST", "/endpoints/e/async-invocations", ("sagemaker-runtime", "InvokeEndpointAsync", {"EndpointName": "e"})),
        ("PUT", "/BatchPutMetrics", ("sagemaker-metrics", "BatchPutMetrics", {})),
    ],
)
def test_services_that_share_a_signing_name(method, address, expected):
    """SageMaker's runtime and metrics are signed as `sagemaker`, and told apart by their paths."""
    assert found(http(method, address, signed("sagemaker-runtime"))) == expected


@pytest.mark.documented
def test_target_header_wins():
    """`X-Amz-Target` names the service and the operation, whatever the signature says."""
    headers = {"x-amz-target": "SageMaker.ListModels", **signed("s3")}
    assert found(http("POST", "/", headers, b"{}"))[:2] == ("sagemaker", "ListModels")
    dotted = {"x-amz-target": "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"}
    assert found(http("POST", "/", dotted, b"{}"))[:2] == ("cloudtrail", "LookupEvents")


@pytest.mark.documented
def test_both_protocols_of_cloudwatch():
    """CloudWatch speaks JSON and query: the request decides."""
    form = http("POST", "/", {**FORM, **signed("cloudwatch")}, b"Action=ListMetrics&Version=2010-08-01")
    assert CATALOGUE.route(form).operation.protocol == "query"
    target = http("POST", "/", {"x-amz-target": "GraniteServiceVersion20100801.ListMetrics"}, b"{}")
    assert CATALOGUE.route(target).operation.protocol == "json"


@pytest.mark.documented
@pytest.mark.parametrize(
    ("address", "service"),
    [
        ("/?X-Amz-Credential=AK%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=0", "s3"),
        ("/?X-Amz-Credential=AK/20260101/us-east-1/sts/aws4_request", "sts"),
        ("/b/k?AWSAccessKeyId=AK&Signature=s&Expires=1", "s3"),
        ("/b/k", None),
        ("/?X-Amz-Credential=nonsense", None),
    ],
)
def test_presigned_requests_tell_their_service(address, service):
    """A presigned address carries its credential scope, or is of S3's older kind."""
    assert signed_service(http("GET", address)) == service


@pytest.mark.ours
@pytest.mark.parametrize(
    ("request_", "code", "status", "content_type"),
    [
        (http("POST", "/", {"x-amz-target": "SageMaker.Nope"}), "UnknownOperationException", 400, "application/x-amz-json-1.1"),
        (http("POST", "/", {"x-amz-target": "DynamoDB.PutItem"}), "UnknownOperationException", 400, "application/x-amz-json-1.1"),
        (http("POST", "/", {"x-amz-target": ""}), "UnknownOperationException", 400, "application/x-amz-json-1.1"),
        (
            http("POST", "/", {"content-type": "application/x-amz-json-1.1"}),
            "UnknownOperationException",
            400,
            "application/x-amz-json-1.1",
        ),
        (http("POST", "/", {**FORM, **signed("sts")}, b"Action=Nope&Version=2011-06-15"), "InvalidAction", 400, "text/xml"),
        (http("POST", "/", {**FORM, **signed("sts")}, b"Version=2011-06-15"), "MissingAction", 400, "text/xml"),
        (http("POST", "/", FORM, b"Action=DescribeInstances&Version=2016-11-15"), "InvalidAction", 400, "text/xml"),
        (http("POST", "/"), "MethodNotAllowed", 405, "application/xml"),
        (http("PATCH", "/b/k", signed("s3")), "MethodNotAllowed", 405, "application/xml"),
        (http("OPTIONS", "*"), "MethodNotAllowed", 405, "application/xml"),
        (http("GET", "/b/%ff", signed("s3")), "InvalidArgument", 400, "application/xml"),
        (http("GET", "/b/a%00b", signed("s3")), "InvalidArgument", 400, "application/xml"),
        (http("GET", "/b?prefix=%ff", signed("s3")), "InvalidArgument", 400, "application/xml"),
        (http("GET", "/nothing", signed("lambda")), "UnknownOperationException", 400, "application/json"),
        (http("GET", "/nothing", signed("sagemaker-runtime")), "UnknownOperationException", 400, "application/json"),
    ],
)
def test_what_has_no_operation_is_refused_in_its_protocol(request_, code, status, content_type):
    """A request that nothing answers to gets a 4xx, written as the service it was most likely meant for would write it."""
    with pytest.raises(AwsError) as raised:
        CATALOGUE.route(request_)
    response = CATALOGUE.failure(request_, raised.value, "request-id")
    assert (response.status, dict(response.headers)["content-type"]) == (status, content_type)
    assert code.encode() in response.body or dict(response.headers).get("x-amzn-errortype") == code


@pytest.mark.documented
def test_rpc_cbor_is_told_by_its_path():
    """Smithy's RPC v2 CBOR names service and operation in the path, in the services that speak it."""
    headers = {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor", **signed("cloudwatch")}
    request = http("POST", "/service/GraniteServiceVersion20100801/operation/PutMetricData", headers)
    operation = CATALOGUE.route(request).operation
    assert (operation.service, operation.name, operation.protocol) == ("cloudwatch", "PutMetricData", "smithy-rpc-v2-cbor")


@pytest.mark.ours
@pytest.mark.parametrize(
    "path", ["/service/SageMaker/operation/ListModels", "/service/GraniteServiceVersion20100801/operation/BakeCake", "/"]
)
def test_rpc_cbor_of_others_is_refused(path):
    """A service that does not speak RPC v2 CBOR, an operation that is none, and a path that names none are refused, in CBOR."""
    request = http("POST", path, {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor", **signed("cloudwatch")})
    with pytest.raises(UnknownOperationException) as caught:
        CATALOGUE.route(request)
    answer = CATALOGUE.failure(request, caught.value, "id")
    assert answer.status == 400
    assert decode(answer.body)["__type"] == "UnknownOperationException"


@pytest.mark.ours
def test_forms_are_routed_by_their_body():
    """The server has to read the body of a form before it can route it, and of nothing else."""
    assert routes_by_body("POST", FORM)
    assert not routes_by_body("POST", {"content-type": "application/x-amz-json-1.1"})
    assert not routes_by_body("PUT", FORM)
    assert not routes_by_body("POST", {})


@pytest.mark.ours
def test_models_of_our_own(tmp_path: Path):
    """A directory laid out as botocore's data adds a service, known by its target and its signing name."""
    definition = {
        "metadata": {
            "apiVersion": "2026-01-01",
            "endpointPrefix": "modelyard",
            "protocol": "json",
            "jsonVersion": "1.1",
            "targetPrefix": "Modelyard",
        },
        "operations": {"Restore": {"name": "Restore", "http": {"method": "POST", "requestUri": "/"}, "input": {"shape": "In"}}},
        "shapes": {
            "In": {"type": "structure", "required": ["Name"], "members": {"Name": {"shape": "Name"}}},
            "Name": {"type": "string"},
        },
    }
    folder = tmp_path / "modelyard" / "2026-01-01"
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text(json.dumps(definition))
    catalogue = Catalogue(tmp_path)
    request = http("POST", "/", {"x-amz-target": "Modelyard.Restore"}, orjson.dumps({"Name": "n", "Other": 1}))
    route = catalogue.route(request)
    assert (route.operation.service, route.operation.signing_name) == ("modelyard", "modelyard")
    assert route.operation.parse(request, route) == {"Name": "n"}
    assert "modelyard" in set(catalogue.services) and "sagemaker" in set(catalogue.services)


@pytest.mark.documented
def test_what_an_operation_tells_about_itself():
    """The members that stream and the idempotency token come from the model."""
    put, get = CATALOGUE.operation("s3", "PutObject"), CATALOGUE.operation("s3", "GetObject")
    assert (put.streaming_input, put.streaming_output) == ("Body", None)
    assert (get.streaming_input, get.streaming_output) == (None, "Body")
    assert CATALOGUE.operation("sagemaker", "CreateModelPackage").idempotency_token == "ClientToken"
    assert CATALOGUE.operation("sagemaker", "DescribeModelPackage").idempotency_token is None
    assert CATALOGUE.operation("sagemaker-runtime", "InvokeEndpoint").streaming_input is None
