"""Every operation of every service: what botocore serialises is routed, parsed and accepted here."""

import pytest
from tests.unit.aws.samples import Samples
from tests.unit.aws.wire import request

from modelyard.aws.catalogue import Catalogue
from modelyard.aws.errors import UnknownOperationException
from modelyard.aws.models import ServiceModel, Shape, installed_models, read_model
from modelyard.aws.services import KNOWN

pytestmark = pytest.mark.documented

CATALOGUE = Catalogue()
MODELS = {service.name: read_model(installed_models(), service) for service in KNOWN}
SAME_ADDRESS = {"ListDirectoryBuckets"}
"""Told from ListBuckets by the host name alone, of S3 Express, which this server is not."""
OPERATIONS = [
    pytest.param(service.name, operation, protocol, id=f"{service.name}-{operation}-{protocol}")
    for service in KNOWN
    for protocol in service.protocols
    for operation, definition in MODELS[service.name].operations.items()
    if not (service.name == "s3" and (definition.get("deprecated") or operation in SAME_ADDRESS))
]


def input_of(service: str, operation: str) -> Shape | None:
    model = MODELS[service]
    definition = model.operations[operation]
    return model.shape(definition["input"]) if "input" in definition else None


def parsed(service: str, operation: str, protocol: str, params: dict) -> dict:
    http = request(service, operation, params, protocol)
    route = CATALOGUE.route(http)
    assert (route.operation.service, route.operation.name, route.operation.protocol) == (service, operation, protocol)
    received = route.operation.parse(http, route)
    route.operation.validate(received)
    received = {name: value.read() if hasattr(value, "read") else value for name, value in received.items()}
    return {name: value for name, value in received.items() if name in params or name not in added_by_clients(received)}


def added_by_clients(received: dict) -> set[str]:
    """What a client puts on the wire for members that nobody gave: the length of a body, and an empty body itself."""
    return {name for name, value in received.items() if (name, value) == ("ContentLength", 0) or value in (b"", {})}


@pytest.mark.parametrize(("service", "operation", "protocol"), OPERATIONS)
def test_smallest_request_comes_back(service, operation, protocol):
    """The smallest valid request reaches its operation with the parameters that were sent, and is valid."""
    params = Samples(MODELS[service]).smallest(input_of(service, operation))
    assert parsed(service, operation, protocol, params) == params


@pytest.mark.parametrize(("service", "operation", "protocol"), OPERATIONS)
def test_largest_request_comes_back(service, operation, protocol):
    """A request with every member reaches its operation with the parameters that were sent, and is valid."""
    params = Samples(MODELS[service]).largest(input_of(service, operation))
    assert parsed(service, operation, protocol, params) == params


def test_services_are_as_botocore_has_them():
    """The table of services says what botocore's models say."""
    for service in KNOWN:
        model: ServiceModel = MODELS[service.name]
        metadata = model.metadata
        spoken = set(metadata.get("protocols", [metadata["protocol"]]))
        assert set(service.protocols) == spoken
        assert service.signing_name == metadata.get("signingName", metadata["endpointPrefix"])
        assert service.host == metadata["endpointPrefix"]
        assert service.api_version == metadata["apiVersion"]
        assert service.target_prefix == metadata.get("targetPrefix", "")


@pytest.mark.ours
def test_operation_that_no_model_has():
    """Asking the catalogue for what the models do not have is an unknown operation."""
    for service, name in (("sagemaker", "CreateCake"), ("dynamodb", "PutItem")):
        with pytest.raises(UnknownOperationException):
            CATALOGUE.operation(service, name)
