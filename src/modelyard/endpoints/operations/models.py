"""Models: create, also from model packages, describe, list, delete."""

from collections.abc import Iterable
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.access.roles import pass_role
from modelyard.aws.arns import Arn
from modelyard.aws.errors import ValidationException
from modelyard.aws.http import Document
from modelyard.dispatch import registered
from modelyard.dispatch.artifacts import keeper
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.dispatch.resources import finds
from modelyard.dispatch.tags import forget_tags, from_list, put_tags
from modelyard.endpoints import events, model, pages, store
from modelyard.endpoints.model import Model, Name, RuleBroken
from modelyard.endpoints.operations.sourcing import APPROVED, COMPLETED, Sourcing
from modelyard.endpoints.permissions import SERVICE, creation, named, on_all, on_one, package_resource, resource_of

operation = operations_of("sagemaker")
Request = dict[str, Any]

KIND = "model"


def missing(at: Name) -> ValidationException:
    """AWS's error that there is no such model."""
    return ValidationException(f'Could not find model "{at.arn}".')


def existing(context: Context, at: Name) -> Model:
    """The model. Raises ValidationException."""
    found = store.model_at(context.tx, at)
    if found is None:
        raise missing(at)
    return found


def check_runnable(context: Context, at: Name) -> None:
    """Whether a model is there for whoever asks: that of a validation is made before its package is found good, and for the
    transform job of that validation alone. Raises ValidationException."""
    if registered.is_of_others_validation(at.name, context.within_operation):
        raise ValidationException(
            f'The model "{at.arn}" is there for the validation of its model package, which need be neither {COMPLETED} nor '
            f"{APPROVED} yet: nothing but the transform job of that validation can run it."
        )


def _check_name(context: Context, at: Name) -> None:
    if registered.is_of_others_validation(at.name, context.within_operation):
        raise ValidationException(
            f'A model cannot be called "{at.name}": names that begin with {registered.VALIDATIONS} are those of the models that '
            "validations of model packages make."
        )


def _creation(context: Context, request: Request) -> Iterable[Permission]:
    yield from creation("CreateModel", named(context, KIND, request["ModelName"]), request, {})
    if "ExecutionRoleArn" in request:
        yield pass_role(context.tx, request["ExecutionRoleArn"], SERVICE)
    for _, container in model.containers(request):
        if "ModelPackageName" in container:
            yield Permission("sagemaker:CreateModel", package_resource(context, container["ModelPackageName"]))


@operation("CreateModel", mode=Mode.WRITE, permissions=_creation)
def create_model(context: Context, request: Request) -> Request:
    """Make a model, of images and files or of model packages, that whoever runs it may have."""
    at = named(context, KIND, request["ModelName"])
    try:
        model.check(request)
    except RuleBroken as error:
        raise ValidationException(str(error)) from None
    _check_name(context, at)
    if store.document(context.tx, at) is not None:
        raise ValidationException(f'Cannot create already existing model "{at.arn}".')
    containers = Sourcing(context, at, request).runnables()
    document = model.new_document(at, request, context.now)
    store.add_model(context.tx, at, document, containers)
    put_tags(context.tx, at.arn, from_list(request.get("Tags", [])))
    events.model_changed(context.tx, at, document, containers, events.CREATED, context.principal.arn, context.now)
    return {"ModelArn": at.arn}


@operation("DescribeModel", mode=Mode.READ, permissions=on_one("DescribeModel", KIND, "ModelName"))
def describe_model(context: Context, request: Request) -> Document:
    """One model; containers that are model packages stay so."""
    at = named(context, KIND, request["ModelName"])
    document = store.document(context.tx, at)
    if document is None:
        raise missing(at)
    return Document(document.encode())


@operation("ListModels", mode=Mode.SLOW_READ, permissions=on_all("ListModels", KIND))
def list_models(context: Context, request: Request) -> Request:
    """Models of the caller's account, newest first."""
    rows = pages.rows_of(context, KIND, request)
    return pages.listed(context, "ListModels", KIND, request, "Models", rows, pages.by_name_or_time)


@operation("DeleteModel", mode=Mode.WRITE, permissions=on_one("DeleteModel", KIND, "ModelName"))
def delete_model(context: Context, request: Request) -> Request:
    """Remove a model; what runs it goes on, and the bytes that it held are let go of."""
    found = existing(context, named(context, KIND, request["ModelName"]))
    keeps = keeper()
    if keeps is not None:
        keeps.unpin(context.tx, found.at.arn, context.now)
    store.delete(context.tx, found.at)
    forget_tags(context.tx, found.at.arn)
    events.model_changed(
        context.tx, found.at, found.document, found.containers, events.DELETED, context.principal.arn, context.now
    )
    return {}


@finds("sagemaker", KIND)
def find_model(context: Context, arn: Arn) -> Resource | None:
    """A model by its ARN, for the operations that take any ARN."""
    at = Name(arn.account, arn.region, KIND, arn.resource.partition("/")[2])
    return resource_of(context, at) if store.document(context.tx, at) is not None else None
