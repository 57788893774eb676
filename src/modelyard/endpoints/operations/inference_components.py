"""Inference components: create, describe, list, delete."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.aws.arns import Arn
from modelyard.aws.errors import ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.dispatch.resources import finds
from modelyard.dispatch.tags import from_list, put_tags
from modelyard.endpoints import component as domain
from modelyard.endpoints import endpoint, pages, scaled_variants, wakening
from modelyard.endpoints import store_components as store
from modelyard.endpoints import store_endpoints as endpoints
from modelyard.endpoints.component import KIND, Component, check_specification
from modelyard.endpoints.deployment import Deployment, Kind, Stored
from modelyard.endpoints.endpoint import IN_PROGRESS, Status
from modelyard.endpoints.model import Name, RuleBroken
from modelyard.endpoints.operations.component_planning import hosts_of, place
from modelyard.endpoints.operations.endpoints import existing as existing_endpoint
from modelyard.endpoints.permissions import creation, named, on_all, on_one, resource_of

operation = operations_of("sagemaker")
Request = dict[str, Any]

NAME = "InferenceComponentName"
PAGE_SIZE = 10


def existing(context: Context, name: str) -> Component:
    """The component. Raises ValidationException."""
    at = named(context, KIND, name)
    found = store.live(context.tx, at)
    if found is None:
        raise ValidationException(f'Could not find inference component "{at.arn}".')
    return found


def deployments_of(context: Context, component: Component) -> tuple[Deployment | None, Deployment | None]:
    """What a component runs, and what is on its way."""
    serving, pending = (
        None if number is None else endpoints.deployment(context.tx, number)
        for number in (component.stored.serving, component.stored.pending)
    )
    return serving, pending


def checked(specification: Request) -> Request:
    """A Specification that can be run. Raises ValidationException."""
    try:
        check_specification(specification)
    except RuleBroken as error:
        raise ValidationException(str(error)) from None
    return specification


def _creation(context: Context, request: Request) -> Iterable[Permission]:
    yield from creation("CreateInferenceComponent", named(context, KIND, request[NAME]), request, {})
    at = named(context, "endpoint", request["EndpointName"])
    yield Permission("sagemaker:CreateInferenceComponent", resource_of(context, at))


@operation("CreateInferenceComponent", mode=Mode.WRITE, permissions=_creation)
def create_inference_component(context: Context, request: Request) -> Request:
    """Begin to place copies of a model on a variant of an endpoint."""
    at = named(context, KIND, request[NAME])
    if store.is_there(context.tx, at):
        raise ValidationException(f'Cannot create already existing inference component "{at.arn}".')
    for member in ("Specification", "RuntimeConfig", "VariantName"):
        if member not in request:
            raise ValidationException(f"{member} must be specified.")
    specification = checked(request["Specification"])
    copies = request["RuntimeConfig"]["CopyCount"]
    if copies < 1:
        raise ValidationException(
            "Inference components copy count an integer larger than 0: UpdateInferenceComponentRuntimeConfig scales to zero."
        )
    host = _host(context, request["EndpointName"], request["VariantName"])
    number = store.add(context.tx, at, host.id, request["VariantName"], context.now)
    put_tags(context.tx, at.arn, from_list(request.get("Tags", [])))
    made = store.by_id(context.tx, number)
    assert made is not None, "it was just added"
    deployment = place(context, made, Kind.CREATE, {"Specification": specification}, copies, {})
    store.put(context.tx, made.stored, made.stored.endpoint, context.now, pending=deployment)
    context.tx.after_commit(wakening.tell)
    return {"InferenceComponentArn": at.arn}


def _host(context: Context, name: str, variant: str) -> Stored:
    """The endpoint for a component on a variant. Raises ValidationException."""
    stored = existing_endpoint(context, named(context, "endpoint", name))
    if not stored.endpoint.is_serving or stored.serving is None:
        raise ValidationException(
            f'The endpoint "{stored.endpoint.at.arn}" has the status {stored.endpoint.status}: inference components are created'
            " on one that is InService."
        )
    # What is on its way to an endpoint has to have the variant too.
    for number in (stored.serving, stored.pending):
        if number is None:
            continue
        deployment = endpoints.deployment(context.tx, number)
        if variant not in {one.name for one in deployment.variants}:
            raise ValidationException(
                f'The variant name(s) "{variant}" is/are not present within endpoint configuration "{deployment.config_name}".'
            )
        if variant not in hosts_of(deployment):
            raise ValidationException(
                f'The variant {variant} of the endpoint "{stored.endpoint.at.arn}" runs a model of its own: inference components'
                " are for variants without a ModelName."
            )
    return stored


@operation("DescribeInferenceComponent", mode=Mode.READ, permissions=on_one("DescribeInferenceComponent", KIND, NAME))
def describe_inference_component(context: Context, request: Request) -> Request:
    """One inference component."""
    found = existing(context, request[NAME])
    return domain.described(found, *deployments_of(context, found))


@operation("ListInferenceComponents", mode=Mode.SLOW_READ, permissions=on_all("ListInferenceComponents", KIND))
def list_inference_components(context: Context, request: Request) -> Request:
    """Inference components of the caller's account, newest first."""
    by = request.get("SortBy", "CreationTime")
    account, region = context.account, context.region
    return pages.listed(
        context,
        "ListInferenceComponents",
        KIND,
        request,
        "InferenceComponents",
        lambda page: store.page_of(context.tx, account, region, request, page, by),
        lambda _, one: one.folded,
        PAGE_SIZE,
    )


@operation("DeleteInferenceComponent", mode=Mode.WRITE, permissions=on_one("DeleteInferenceComponent", KIND, NAME))
def delete_inference_component(context: Context, request: Request) -> Request:
    """Begin to take a component from its endpoint: what is under way is answered, then its copies end."""
    found = existing(context, request[NAME])
    if found.status in IN_PROGRESS:
        raise ValidationException(f'Cannot update in-progress inference component "{found.at.arn}".')
    scaled_variants.deregister_component(context, found.at)
    core = endpoint.moved(replace(found.stored.endpoint, failure_reason=None), Status.DELETING)
    store.put(context.tx, found.stored, core, context.now)
    context.tx.after_commit(wakening.tell)
    return {}


@finds("sagemaker", KIND)
def find_inference_component(context: Context, arn: Arn) -> Resource | None:
    """An inference component by its ARN, for the operations that take any ARN."""
    at = Name(arn.account, arn.region, KIND, arn.resource.partition("/")[2])
    return resource_of(context, at) if store.is_there(context.tx, at) else None
