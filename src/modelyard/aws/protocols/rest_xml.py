"""REST with XML bodies: S3."""

from collections.abc import Mapping
from typing import Any

from modelyard.aws.errors import AwsError
from modelyard.aws.http import HttpResponse
from modelyard.aws.models import ServiceModel, Shape
from modelyard.aws.protocols.faults import Fault, fault_of
from modelyard.aws.protocols.protocol import OperationShapes
from modelyard.aws.protocols.rest import Payload, ReadBody, RestProtocol, error_headers
from modelyard.aws.protocols.xml_reader import XmlReaders, parse_xml
from modelyard.aws.protocols.xml_writer import XmlWriters, escape, readable

_CONTENT_TYPE = "application/xml"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_S3_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_S3_ROOTS = {
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "DeleteObjects": "DeleteResult",
    "GetBucketAcl": "AccessControlPolicy",
    "GetBucketCors": "CORSConfiguration",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketLogging": "BucketLoggingStatus",
    "GetBucketTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketWebsite": "WebsiteConfiguration",
    "GetObjectAcl": "AccessControlPolicy",
    "GetObjectTagging": "Tagging",
    "ListBuckets": "ListAllMyBucketsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListParts": "ListPartsResult",
}
"""S3's names for the root elements of its answers, where the model has none."""
_NOT_MODIFIED = 304


class RestXmlProtocol(RestProtocol):
    """The protocol of resources in XML."""

    name = "rest-xml"
    timestamp_format = "iso8601"

    def body_reader(self, model: ServiceModel, members: Mapping[str, Shape]) -> ReadBody:
        """Reads a body that holds these members."""
        read = XmlReaders(model).structure_reader(dict(members))
        return lambda body: read(parse_xml(body))

    def payload_reader(self, model: ServiceModel, shape: Shape) -> ReadBody:
        """Reads a body that is one structure, in the element of its name."""
        read = XmlReaders(model).reader(shape)
        return lambda body: read(parse_xml(body))

    def body_writer(self, operation: OperationShapes, members: Mapping[str, Shape]) -> Payload:
        """Writes a body that holds these members."""
        root = self._root(operation)
        namespace = _namespace(operation.model)
        if not members:
            return Payload(None, lambda _result: b"")
        if operation.name == "GetBucketLocation" and operation.model.service.name == "s3":
            return Payload(_CONTENT_TYPE, _write_location)
        write = _writers(operation.model).members(members)

        def write_body(result: Mapping[str, Any]) -> bytes:
            pieces = [f"{_DECLARATION}<{root}{namespace}>"]
            write(result, pieces)
            pieces.append(f"</{root}>")
            return "".join(pieces).encode()

        return Payload(_CONTENT_TYPE, write_body)

    @staticmethod
    def _root(operation: OperationShapes) -> str:
        output = operation.output
        named = _S3_ROOTS.get(operation.name) if operation.model.service.name == "s3" else None
        return named or (output and output.root_name) or f"{operation.name}Result"

    def payload_writer(self, model: ServiceModel, name: str, shape: Shape) -> Payload:
        """Writes a body that is the one member `name`, in the element of its name."""
        write = _writers(model).element(shape.root_name, shape, _namespace(model))

        def write_body(result: Mapping[str, Any]) -> bytes:
            if result.get(name) is None:
                return b""
            pieces = [_DECLARATION]
            write(result[name], pieces)
            return "".join(pieces).encode()

        return Payload(_CONTENT_TYPE, write_body)

    def request_id_headers(self, request_id: str) -> list[tuple[str, str]]:
        """The headers that tell the request id, as S3 names them."""
        return [("x-amz-request-id", request_id), ("x-amz-id-2", request_id)]

    def status_of(self, operation: OperationShapes, result: Mapping[str, Any]) -> int:
        """S3 answers a part of an object with 206, which the model does not say."""
        return 206 if result.get("ContentRange") and operation.name in ("GetObject", "HeadObject") else operation.status

    def serialize_error(self, model: ServiceModel | None, error: AwsError, request_id: str, *, method: str) -> HttpResponse:
        """`<Error>` with code, message, further members, request id and host id."""
        fault = fault_of(model, self.name, error)
        headers = self.request_id_headers(request_id) + error_headers(model, fault)
        if method == "HEAD" or fault.status == _NOT_MODIFIED:
            return HttpResponse(fault.status, headers)
        members = "".join(_error_members(model, fault))
        body = (
            f"{_DECLARATION}<Error><Code>{readable(fault.code)}</Code><Message>{readable(fault.message)}</Message>{members}"
            f"<RequestId>{request_id}</RequestId><HostId>{request_id}</HostId></Error>"
        )
        return HttpResponse(fault.status, [*headers, ("content-type", _CONTENT_TYPE)], body.encode())


def _writers(model: ServiceModel) -> XmlWriters:
    return XmlWriters(model, "preciseIso8601" if model.service.name == "s3" else "iso8601")


def _namespace(model: ServiceModel) -> str:
    uri = _S3_NAMESPACE if model.service.name == "s3" else model.metadata.get("xmlNamespace")
    return f' xmlns="{escape(uri)}"' if uri else ""


def _error_members(model: ServiceModel | None, fault: Fault) -> list[str]:
    """The elements of an error besides its code and message: those its shape has, and whatever else S3 tells."""
    shapes = dict(model.members(fault.modelled.shape)) if model is not None and fault.modelled is not None else {}
    pieces: list[str] = []
    for name, value in fault.members.items():
        if value is None or name in ("Code", "Message", "message"):
            continue
        if name not in shapes:
            pieces.append(f"<{name}>{readable(str(value))}</{name}>")
        elif model is not None and "location" not in shapes[name].traits:
            _writers(model).element(shapes[name].location_name or name, shapes[name])(value, pieces)
    return pieces


def _write_location(result: Mapping[str, Any]) -> bytes:
    """The one answer of S3 whose root element is the value itself."""
    root = f'LocationConstraint xmlns="{_S3_NAMESPACE}"'
    value = result.get("LocationConstraint")
    element = f"<{root}>{escape(value)}</LocationConstraint>" if value else f"<{root}/>"
    return f"{_DECLARATION}{element}".encode()
