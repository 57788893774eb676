"""What every answer has to be, whatever was asked."""

import json
from dataclasses import dataclass

from botocore.parsers import create_parser
from defusedxml import ElementTree
from tests.fuzz.requests import operation_model
from tests.fuzz.wire import Answer

XML = ("s3", "iam", "sts")
"""Services that answer XML; the others answer JSON."""
REST_JSON = ("modelyard-runtime",)
"""Services whose errors have their code in a header alone."""


@dataclass(frozen=True)
class Refusal:
    """An error as a client reads it."""

    status: int
    code: str
    message: str


def checked(answer: Answer, service: str, operation: str | None = None) -> Refusal | None:
    """Assert that an answer is sound; the error in it, if it is one."""
    assert answer.status < 500, f"the server failed: {answer}"
    assert answer.headers.get("x-amzn-requestid") or answer.headers.get("x-amz-request-id"), answer.headers
    assert "x-injected" not in answer.headers and "set-cookie" not in answer.headers, answer.headers
    if answer.status >= 400:
        return refusal_in(answer, service)
    if operation is not None and answer.status < 300:
        _check_result(answer, service, operation)
    return None


def refusal_in(answer: Answer, service: str) -> Refusal:
    """The error of a refused request, which must be well formed in the service's protocol."""
    if answer.method == "HEAD":
        assert answer.body == b""
        return Refusal(answer.status, "", "")
    if service in REST_JSON:
        assert answer.headers["content-type"] == "application/json", answer
        code, message = answer.headers["x-amzn-errortype"], json.loads(answer.body)["message"]
    elif service not in XML:
        assert answer.headers["content-type"].startswith("application/x-amz-json-1."), answer
        document = json.loads(answer.body)
        code, message = document["__type"], document["message"]
        assert answer.headers["x-amzn-errortype"] == code
    else:
        assert answer.headers["content-type"] in ("application/xml", "text/xml"), answer.headers
        root = ElementTree.fromstring(answer.body)
        error = root if service == "s3" else next(child for child in root if child.tag.endswith("Error"))
        fields = {child.tag.rpartition("}")[2]: child.text or "" for child in error}
        code, message = fields["Code"], fields["Message"]
        assert root.tag.rpartition("}")[2] == ("Error" if service == "s3" else "ErrorResponse")
    assert isinstance(code, str) and code and code.isalnum(), answer
    assert isinstance(message, str) and message, answer
    assert "Traceback" not in message
    return Refusal(answer.status, code, message)


def _check_result(answer: Answer, service: str, operation: str) -> None:
    """The answer can be read by botocore's parser, whose XML reader is strict."""
    model = operation_model(service, operation)
    if model.has_streaming_output:
        return
    parser = create_parser(model.service_model.resolved_protocol)
    read = parser.parse({"status_code": answer.status, "headers": answer.headers, "body": answer.body}, model.output_shape)
    assert "Error" not in read, answer
