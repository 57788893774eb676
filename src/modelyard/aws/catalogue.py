"""Every service this server can be addressed as: finds the operation of a request and knows how to read and answer it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import RLock

from modelyard.aws.errors import AwsError, UnknownOperationException
from modelyard.aws.http import HttpRequest, HttpResponse
from modelyard.aws.models import extra_services, installed_models, read_model
from modelyard.aws.operation_model import OperationModel, Route, serialize_error
from modelyard.aws.protocols.rest import query_fields
from modelyard.aws.rest_routes import RestRoutes
from modelyard.aws.routing import Meant, Recogniser, routes_by_body
from modelyard.aws.services import KNOWN, Service
from modelyard.aws.validation import Validators

__all__ = ["Catalogue", "OperationModel", "Route", "routes_by_body"]


class _LoadedService:
    """A service whose model has been read, and what has been compiled of it."""

    def __init__(self, directory: Path, service: Service) -> None:
        self.service = service
        self.model = read_model(directory, service)
        self.rest = RestRoutes(self.model)
        self._validators = Validators(self.model)
        self._operations: dict[tuple[str, str], OperationModel] = {}

    def operation(self, name: str, protocol: str) -> OperationModel | None:
        """An operation in one of the service's protocols."""
        found = self._operations.get((name, protocol))
        if found is None and name in self.model.operations:
            found = self._operations[name, protocol] = OperationModel(self.model, name, protocol, self._validators)
        return found


class Catalogue:
    """The services. Models are read when a service is first used.

    `extra_models` is a directory of further models, laid out as botocore's (`<service>/<version>/service-2.json`).
    """

    def __init__(self, extra_models: Path | None = None) -> None:
        self._directories: dict[str, Path] = {}
        services: list[Service] = list(KNOWN)
        if extra_models is not None:
            for service in extra_services(extra_models):
                services.append(service)
                self._directories[service.name] = extra_models
        self._services: Mapping[str, Service] = {service.name: service for service in services}
        self._recogniser = Recogniser(services)
        self._loaded: dict[str, _LoadedService] = {}
        self._targets: dict[str, Route] = {}
        self._lock = RLock()

    @property
    def services(self) -> Iterable[str]:
        """The names of the services."""
        return self._services.keys()

    def operation(self, service: str, name: str) -> OperationModel:
        """An operation by name. Raises UnknownOperationException for what the models do not have."""
        known = self._services.get(service)
        operation = self._load(known).operation(name, known.protocols[0]) if known else None
        if operation is None:
            raise UnknownOperationException(f"The operation {service}:{name} does not exist.")
        return operation

    def route(self, http: HttpRequest) -> Route:
        """The operation that a request asks for. Raises AwsError, and nothing else, for what none answers to.

        The head of the request is enough, with one exception: a form (`routes_by_body`) names its operation in its body,
        which must be in `http.body` already. The bodies of REST operations may still be on their way.
        """
        target = http.headers.get("x-amz-target")
        if target is not None:
            known = self._targets.get(target)
            if known is not None:
                return known
        meant = self._recogniser.recognise(http)
        if target is not None:
            return self._targets.setdefault(target, self._route_target(meant))
        if meant.target:
            return self._route_target(meant)
        if meant.action and any("query" in service.protocols for service in meant.services):
            return self._route_action(meant)
        for service in meant.services:
            route = self._route_rest(service, http, meant)
            if route is not None:
                return route
        raise self._unknown(http, meant)

    def failure(self, http: HttpRequest, error: AwsError, request_id: str) -> HttpResponse:
        """The answer to a request that has no route, in the protocol it most likely speaks."""
        meant = self._recogniser.recognise(http)
        protocol, service = self._likely(http, meant)
        model = self._load(service).model if service is not None else None
        return serialize_error(protocol, model, error, request_id, method=http.method)

    def _likely(self, http: HttpRequest, meant: Meant) -> tuple[str, Service | None]:
        """The protocol and the service that a request without a route was probably meant for."""
        if "smithy-protocol" in http.headers:
            return "smithy-rpc-v2-cbor", next((each for each in meant.services if "smithy-rpc-v2-cbor" in each.protocols), None)
        json_body = http.headers.get("content-type", "").startswith("application/x-amz-json")
        if "x-amz-target" in http.headers or json_body:
            return "json", next((service for service in meant.services if "json" in service.protocols), None)
        if meant.action and not any(service.name == "s3" for service in meant.services):
            return "query", next((service for service in meant.services if "query" in service.protocols), None)
        for service in meant.services:
            if service.protocols[0] != "json":
                return service.protocols[0], service
        return (meant.services[0].protocols[0], meant.services[0]) if meant.services else ("rest-json", None)

    def _route_target(self, meant: Meant) -> Route:
        for service in meant.services:
            spoken = meant.protocol in service.protocols
            operation = self._load(service).operation(meant.target, meant.protocol) if spoken else None
            if operation is not None:
                return Route(operation)
        raise UnknownOperationException(f"The operation {meant.target[:128]} is not available in Modelyard.")

    def _route_action(self, meant: Meant) -> Route:
        for service in meant.services:
            operation = self._load(service).operation(meant.action, "query")
            if operation is not None:
                return Route(operation)
        raise UnknownOperationException(f"Could not find operation {meant.action}.")

    def _route_rest(self, service: Service, http: HttpRequest, meant: Meant) -> Route | None:
        protocol = service.protocols[0]
        if not protocol.startswith("rest-"):
            return None
        path = f"/{meant.bucket}{http.raw_path}" if meant.bucket else http.raw_path
        loaded = self._load(service)
        found = loaded.rest.match(http.method, path, query_fields(http.query), http.headers)
        operation = loaded.operation(found[0], protocol) if found else None
        return Route(operation, found[1]) if operation is not None and found is not None else None

    def _unknown(self, http: HttpRequest, meant: Meant) -> AwsError:
        """What is said of a request that no operation answers to."""
        protocol, _ = self._likely(http, meant)
        if protocol == "rest-xml":
            message = "The specified method is not allowed against this resource."
            return UnknownOperationException(message, members={"Method": http.method, "ResourceType": "SERVICE"})
        if meant.action:
            return UnknownOperationException(f"Could not find operation {meant.action}.")
        if protocol == "query":
            return AwsError("The request must contain the parameter Action.", code="MissingAction")
        if "smithy-protocol" in http.headers:
            return UnknownOperationException("The operation of an RPC v2 CBOR request stands in its path.")
        return UnknownOperationException("This server does not have the operation that was asked for.")

    def _load(self, service: Service) -> _LoadedService:
        loaded = self._loaded.get(service.name)
        if loaded is None:
            with self._lock:
                loaded = self._loaded.get(service.name)
                if loaded is None:
                    loaded = _LoadedService(self._directories.get(service.name) or installed_models(), service)
                    self._loaded[service.name] = loaded
        return loaded
