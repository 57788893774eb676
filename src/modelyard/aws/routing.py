"""Tells from the head of a request which service it is meant for, by what AWS's clients send.

In this order: `X-Amz-Target`; the path of RPC v2 CBOR; the service in the credential scope of a signature; `Action` with the
version of a query API; the host name (requests that come through the CONNECT proxy keep AWS's names). What tells nothing is taken
for S3, whose objects may be asked for without a signature.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from modelyard.aws.http import HttpRequest
from modelyard.aws.services import Service

_SCOPE = re.compile(r"Credential=[^,/\s]+/[0-9]{8}/[^/,\s]*/([A-Za-z0-9-]+)/aws4_request")
_SLASH = "(?:/|%2F)"
_SCOPE_QUERY = re.compile(
    f"(?:^|&)X-Amz-Credential=[^&/%]+{_SLASH}[0-9]{{8}}{_SLASH}[^&/%]*{_SLASH}([A-Za-z0-9-]+){_SLASH}", re.IGNORECASE
)
_ACTION = re.compile(r"(?:^|&)Action=([A-Za-z0-9]{1,128})(?=&|$)")
_VERSION = re.compile(r"(?:^|&)Version=([0-9]{4}-[0-9]{2}-[0-9]{2})(?=&|$)")
_RPC_PATH = re.compile(r"/service/([A-Za-z0-9_.]{1,128})/operation/([A-Za-z0-9_]{1,128})")
RPC_CBOR = "rpc-v2-cbor"
"""The protocol that `smithy-protocol` names."""
_PORT = re.compile(r":[0-9]+$")
_AWS_HOST = re.compile(r"(.+)\.amazonaws\.com(?:\.cn)?")
_S3_HOST = re.compile(r"(?:(?P<bucket>.+)\.)?s3(?:[.-](?:dualstack\.)?[a-z]{2}(?:-[a-z]+)+-[0-9])?")


@dataclass(frozen=True, slots=True)
class Meant:
    """What the head of a request says."""

    services: tuple[Service, ...] = ()
    """The services it can be for: those of one signing name, or one."""
    target: str = ""
    """The operation in `X-Amz-Target`, or in the path of RPC v2 CBOR."""
    action: str = ""
    """The operation in `Action`."""
    bucket: str = ""
    """The bucket in the host name (virtual-hosted addressing)."""
    named: bool = False
    """Whether the request named a service at all."""
    protocol: str = "json"
    """The protocol of `target`."""


class Recogniser:
    """Knows the services by everything that names them."""

    def __init__(self, services: Iterable[Service]) -> None:
        services = tuple(services)
        self.by_target = {service.target_prefix: service for service in services if service.target_prefix}
        self._by_signing_name: dict[str, tuple[Service, ...]] = {}
        self._by_version: dict[str, tuple[Service, ...]] = {}
        self._by_host = {service.host: service for service in services}
        self._s3 = tuple(service for service in services if service.name == "s3")
        for service in services:
            together = self._by_signing_name.get(service.signing_name, ())
            self._by_signing_name[service.signing_name] = (*together, service)
            if "query" in service.protocols:
                self._by_version[service.api_version] = (service,)

    def recognise(self, http: HttpRequest) -> Meant:
        """What `http` is meant for, from its head and, for forms, its body."""
        target = http.headers.get("x-amz-target")
        if target is not None:
            prefix, _, operation = target.rpartition(".")
            service = self.by_target.get(prefix)
            return Meant((service,) if service else (), target=operation or target, named=True)
        called = _RPC_PATH.fullmatch(http.raw_path) if http.headers.get("smithy-protocol") == RPC_CBOR else None
        if called is not None:
            service = self.by_target.get(called[1])
            return Meant((service,) if service else (), target=called[2], named=True, protocol="smithy-rpc-v2-cbor")
        action, version = _action(http)
        signing_name = signed_service(http)
        if signing_name is not None:
            services = self._by_signing_name.get(signing_name, ())
            bucket = self._host(http)[1] if services == self._s3 else ""
            return Meant(services, action=action, bucket=bucket, named=True)
        if action and version in self._by_version:
            return Meant(self._by_version[version], action=action, named=True)
        found, bucket = self._host(http)
        if found is None and action and (version or http.method == "POST"):
            return Meant(action=action, named=True)
        return Meant((found,) if found else self._s3, action=action, bucket=bucket, named=found is not None)

    def _host(self, http: HttpRequest) -> tuple[Service | None, str]:
        """The service and the bucket that the host name tells."""
        bucket = bucket_of_host(http.headers)
        if bucket is not None and self._s3:
            return self._s3[0], bucket
        aws = _AWS_HOST.fullmatch(_host_name(http.headers))
        prefix = aws[1] if aws else ""
        while prefix:
            if prefix in self._by_host:
                return self._by_host[prefix], ""
            prefix = prefix.rpartition(".")[0]
        return None, ""


def bucket_of_host(headers: Mapping[str, str]) -> str | None:
    """The bucket in a host name of S3 (virtual-hosted addressing), empty when it names none; None for every other host.

    Signatures that are made of the bucket have to be checked with the one that the request is routed to, so both ask here.
    """
    host = _host_name(headers)
    if host.endswith(".localhost"):
        return host.removesuffix("s3.localhost").removesuffix(".localhost").removesuffix(".")
    aws = _AWS_HOST.fullmatch(host)
    s3 = _S3_HOST.fullmatch(aws[1]) if aws else None
    return None if s3 is None else s3["bucket"] or ""


def _host_name(headers: Mapping[str, str]) -> str:
    """The host without user and port, in lower case."""
    return _PORT.sub("", headers.get("host", "").rpartition("@")[2].lower())


def signed_service(http: HttpRequest) -> str | None:
    """The service that a signature is for; None for unsigned requests. Only S3 takes signatures of version 2."""
    authorization = http.headers.get("authorization")
    if authorization is not None:
        if authorization.startswith("AWS "):
            return "s3"
        scope = _SCOPE.search(authorization)
        return scope[1] if scope else None
    if http.query:
        scope = _SCOPE_QUERY.search(http.query)
        if scope:
            return scope[1]
        if "AWSAccessKeyId=" in http.query and "Signature=" in http.query:
            return "s3"
    return None


def routes_by_body(http_method: str, headers: Mapping[str, str]) -> bool:
    """Whether the operation stands in the body: the server has to read a form before it can route it."""
    return http_method == "POST" and headers.get("content-type", "").startswith("application/x-www-form-urlencoded")


def _action(http: HttpRequest) -> tuple[str, str]:
    """`Action` and `Version` of a query request, from the query string or the body of a form."""
    texts = [http.query] if http.query else []
    if http.body and routes_by_body(http.method, http.headers):
        texts.append(http.body.decode("latin-1"))
    for text in texts:
        action = _ACTION.search(text)
        if action:
            version = _VERSION.search(text)
            return action[1], version[1] if version else ""
    return "", ""
