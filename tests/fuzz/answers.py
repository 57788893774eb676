"""What every answer has to be, whatever was asked."""

import json
from dataclasses import dataclass

from botocore.parsers import create_parser
from defusedxml import ElementTree
from tests.fuzz.requests import operation_model, protocol_of
from tests.fuzz.wire import Answer

CONTENT_TYPES = {
    "json": ("application/x-amz-json-1.0", "application/x-amz-json-1.1"),
    "rest-json": ("application/json",),
    "query": ("text/xml",),
    "rest-xml": ("application/xml",),
}
"""What a refusal is written as, by the protocol of its service."""


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
    """The error of a refused request, well formed in the protocol of the service; `any` where the request does not tell."""
    if answer.headers.get("content-type") == "text/plain; charset=utf-8":
        # Of the front door: what is no HTTP that an operation could see, such as a head that is too large.
        assert answer.status in (400, 414, 431) and answer.headers["connection"] == "close", answer
        assert answer.body or answer.method == "HEAD"
        return Refusal(answer.status, "", answer.body.decode())
    if answer.method == "HEAD":
        assert answer.body == b""
        return Refusal(answer.status, "", "")
    kind = answer.headers["content-type"]
    if service != "any":
        assert kind in CONTENT_TYPES[protocol_of(service)], answer
    if "json" in kind:
        code, message = answer.headers["x-amzn-errortype"], json.loads(answer.body)["message"]
        assert json.loads(answer.body).get("__type", code) == code
    else:
        code, message = _xml_error(answer, service)
    assert isinstance(code, str) and code and code.isalnum(), answer
    assert isinstance(message, str) and message, answer
    assert "Traceback" not in message
    return Refusal(answer.status, code, message)


def _xml_error(answer: Answer, service: str) -> tuple[str, str]:
    """Code and message of an error of S3 or of the query protocol."""
    root = ElementTree.fromstring(answer.body)
    tag = root.tag.rpartition("}")[2]
    assert service == "any" or tag == ("Error" if service == "s3" else "ErrorResponse")
    error = root if tag == "Error" else next(child for child in root if child.tag.endswith("Error"))
    fields = {child.tag.rpartition("}")[2]: child.text or "" for child in error}
    return fields["Code"], fields["Message"]


def _check_result(answer: Answer, service: str, operation: str) -> None:
    """The answer can be read by botocore's parser, whose XML reader is strict."""
    model = operation_model(service, operation)
    if model.has_streaming_output:
        return
    if service == "s3" and b"&#x" in answer.body:
        return  # keys with characters that XML does not have are shown as S3 shows them, unless encoding-type=url is asked for
    parser = create_parser(model.service_model.resolved_protocol)
    read = parser.parse({"status_code": answer.status, "headers": answer.headers, "body": answer.body}, model.output_shape)
    assert "Error" not in read, answer
