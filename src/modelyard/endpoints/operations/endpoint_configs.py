"""Endpoint configurations: create, describe, list, delete."""

from collections.abc import Iterable
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.access.roles import pass_role, service_could_assume
from modelyard.aws.arns import Arn
from modelyard.aws.errors import ValidationException
from modelyard.aws.http import Document
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.dispatch.resources import finds
from modelyard.dispatch.tags import forget_tags, from_list, put_tags
from modelyard.endpoints import endpoint_config, pages, store
from modelyard.endpoints.model import Name, RuleBroken
from modelyard.endpoints.operations.models import check_runnable
from modelyard.endpoints.operations.models import missing as missing_model
from modelyard.endpoints.operations.sourcing import not_assumed
from modelyard.endpoints.permissions import SERVICE, Values, creation, named, on_all, on_one, resource_of

operation = operations_of("sagemaker")
Request = dict[str, Any]

KIND = "endpoint-config"


def missing(at: Name) -> ValidationException:
    """AWS's error that there is no such endpoint configuration."""
    return ValidationException(f'Could not find endpoint configuration "{at.arn}".')


def _creation(context: Context, request: Request) -> Iterable[Permission]:
    at = named(context, KIND, request["EndpointConfigName"])
    yield from creation("CreateEndpointConfig", at, request, _conditions(context, request))
    if "ExecutionRoleArn" in request:
        yield pass_role(context.tx, request["ExecutionRoleArn"], SERVICE)


def _conditions(context: Context, request: Request) -> Values:
    """SageMaker's condition keys of endpoint configurations."""
    values: Values = {}
    variants = list(endpoint_config.variants(request))
    for key, member in (("InstanceTypes", "InstanceType"), ("AcceleratorTypes", "AcceleratorType")):
        given = tuple(variant[member] for variant in variants if member in variant)
        if given:
            values[f"sagemaker:{key}"] = given
    models = tuple(named(context, "model", name).arn for name in endpoint_config.model_names(request))
    if models:
        values["sagemaker:ModelArn"] = models
    if "KmsKeyId" in request:
        values["sagemaker:VolumeKmsKey"] = request["KmsKeyId"]
    for variant in variants:
        for key, member in (("ServerlessMemorySize", "MemorySizeInMB"), ("ServerlessMaxConcurrency", "MaxConcurrency")):
            if "ServerlessConfig" in variant:
                values[f"sagemaker:{key}"] = str(variant["ServerlessConfig"][member])
    return values


@operation("CreateEndpointConfig", mode=Mode.WRITE, permissions=_creation)
def create_endpoint_config(context: Context, request: Request) -> Request:
    """Keep what an endpoint is to run, of models that are there."""
    at = named(context, KIND, request["EndpointConfigName"])
    try:
        endpoint_config.check(request)
    except RuleBroken as error:
        raise ValidationException(str(error)) from None
    if store.document(context.tx, at) is not None:
        raise ValidationException(f'Cannot create already existing endpoint configuration "{at.arn}".')
    for name in endpoint_config.model_names(request):
        model = named(context, "model", name)
        if store.document(context.tx, model) is None:
            raise missing_model(model)
        check_runnable(context, model)
    role = request.get("ExecutionRoleArn")
    if role is not None and not service_could_assume(context.tx, role, SERVICE, context.facts, at.arn):
        raise not_assumed(role)
    store.add_config(context.tx, at, endpoint_config.new_document(at, request, context.now))
    put_tags(context.tx, at.arn, from_list(request.get("Tags", [])))
    return {"EndpointConfigArn": at.arn}


@operation("DescribeEndpointConfig", mode=Mode.READ, permissions=on_one("DescribeEndpointConfig", KIND, "EndpointConfigName"))
def describe_endpoint_config(context: Context, request: Request) -> Document:
    """One endpoint configuration."""
    at = named(context, KIND, request["EndpointConfigName"])
    document = store.document(context.tx, at)
    if document is None:
        raise missing(at)
    return Document(document.encode())


@operation("ListEndpointConfigs", mode=Mode.SLOW_READ, permissions=on_all("ListEndpointConfigs", KIND))
def list_endpoint_configs(context: Context, request: Request) -> Request:
    """Endpoint configurations of the caller's account, newest first."""
    rows = pages.rows_of(context, KIND, request)
    return pages.listed(context, "ListEndpointConfigs", KIND, request, "EndpointConfigs", rows, pages.by_name_or_time)


@operation("DeleteEndpointConfig", mode=Mode.WRITE, permissions=on_one("DeleteEndpointConfig", KIND, "EndpointConfigName"))
def delete_endpoint_config(context: Context, request: Request) -> Request:
    """Remove an endpoint configuration."""
    at = named(context, KIND, request["EndpointConfigName"])
    if not store.delete(context.tx, at):
        raise missing(at)
    forget_tags(context.tx, at.arn)
    return {}


@finds("sagemaker", KIND)
def find_endpoint_config(context: Context, arn: Arn) -> Resource | None:
    """An endpoint configuration by its ARN, for the operations that take any ARN."""
    at = Name(arn.account, arn.region, KIND, arn.resource.partition("/")[2])
    return resource_of(context, at) if store.document(context.tx, at) is not None else None
