"""Requests as botocore's own serialisers put them on the wire."""

from functools import cache
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import create_request_object, prepare_request_dict
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.serialize import create_serializer

from modelyard.aws.http import HttpRequest
from modelyard.aws.services import KNOWN

SERVICES = {service.name: service for service in KNOWN}


@cache
def botocore_model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def signed(service: str) -> dict[str, str]:
    """An Authorization header as far as routing looks at it."""
    scope = f"AKIDEXAMPLE/20260101/us-east-1/{SERVICES[service].signing_name}/aws4_request"
    return {"authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature=0"}


def request(service: str, operation: str, params: dict[str, Any], protocol: str | None = None) -> HttpRequest:
    """`operation` as a client sends it to this server's address, signed."""
    protocol = protocol or SERVICES[service].protocols[0]
    serializer = create_serializer(protocol, include_validation=False)
    sent = serializer.serialize_to_request(params, botocore_model(service).operation_model(operation))
    prepare_request_dict(sent, "http://127.0.0.1:9100")
    prepared = create_request_object(sent).prepare()
    address = urlsplit(prepared.url)
    body = prepared.body or b""
    headers = {name.lower(): value if isinstance(value, str) else value.decode() for name, value in prepared.headers.items()}
    return HttpRequest(
        method=prepared.method,
        raw_path=address.path,
        query=address.query,
        headers={"host": "127.0.0.1:9100", **headers, **signed(service)},
        body=body if isinstance(body, bytes) else body.encode(),
    )
