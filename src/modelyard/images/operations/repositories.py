"""Repositories: created, described, set, deleted."""

from collections.abc import Iterable, Sequence
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Request, operations_of
from modelyard.dispatch.tags import forget_tags
from modelyard.images import pages, store, store_layers
from modelyard.images.failures import failure, invalid
from modelyard.images.operations.tags import keep_tags
from modelyard.images.permissions import existing, named, on_repository, repository_at, repository_resource, tag_conditions
from modelyard.images.repository import EXCLUDING, Mutability, Repository, exclusion_members

operation = operations_of("ecr")


def _creating(context: Context, request: Request) -> Iterable[Permission]:
    at = repository_at(context, request)
    conditions = tag_conditions(request.get("tags", ()))
    yield Permission("ecr:CreateRepository", Resource(at.arn, at.account), conditions)
    if request.get("tags"):
        yield Permission("ecr:TagResource", Resource(at.arn, at.account), conditions)


@operation("CreateRepository", mode=Mode.WRITE, permissions=_creating)
def create_repository(context: Context, request: Request) -> Request:
    """Make a repository."""
    at = repository_at(context, request)
    if request.get("encryptionConfiguration", {}).get("encryptionType", "AES256") != "AES256":
        raise failure(
            "InvalidParameterException", "Repositories encrypted with a KMS key of their own are not available in Modelyard."
        )
    if store.repository(context.tx, at) is not None:
        raise failure(
            "RepositoryAlreadyExistsException",
            f"The repository with name '{at.name}' already exists in the registry with id '{at.account}'",
        )
    mutability, exclusions = _mutability(request)
    scan = request.get("imageScanningConfiguration", {}).get("scanOnPush", False)
    new = Repository(at, context.now, mutability, exclusions, scan)
    store.add_repository(context.tx, new)
    keep_tags(context.tx, at.arn, request.get("tags", ()))
    return {"repository": new.shape()}


def _mutability(request: Request) -> tuple[Mutability, Sequence[str]]:
    mutability = Mutability(request.get("imageTagMutability", Mutability.MUTABLE))
    exclusions = [each["filter"] for each in request.get("imageTagMutabilityExclusionFilters", ())]
    if bool(exclusions) is not (mutability in EXCLUDING):
        raise invalid(
            "imageTagMutabilityExclusionFilters", f"filters are given with {' or '.join(EXCLUDING)}, and only with these"
        )
    return mutability, exclusions


def _describing(context: Context, request: Request) -> Iterable[Permission]:
    names = request.get("repositoryNames", ())
    for name in names:
        yield Permission("ecr:DescribeRepositories", repository_resource(context, repository_at(context, request, name)))
    if not names:
        at = repository_at(context, request, "*")
        yield Permission("ecr:DescribeRepositories", Resource(at.arn, at.account))


@operation("DescribeRepositories", mode=Mode.SLOW_READ, permissions=_describing)
def describe_repositories(context: Context, request: Request) -> Request:
    """Repositories by their names, or all of a registry."""
    if "repositoryNames" in request:
        if "maxResults" in request or "nextToken" in request:
            raise invalid("maxResults", "pages are of all repositories, not of those that are named")
        found = [existing(context, repository_at(context, request, name)) for name in request["repositoryNames"]]
        return {"repositories": [each.shape() for each in found]}

    def load(after: list[Any] | None, most: int) -> list[Repository]:
        account = request.get("registryId", context.account)
        return store.repositories(context.tx, account, context.region, after[0] if after else "", most)

    return pages.page(
        context,
        "DescribeRepositories",
        request,
        "repositories",
        load,
        lambda each: [each.at.name],
        lambda each: each.shape(),
    )


@operation("PutImageTagMutability", mode=Mode.WRITE, permissions=on_repository("PutImageTagMutability"))
def put_image_tag_mutability(context: Context, request: Request) -> Request:
    """Let tags be moved to other images, or not, from now on."""
    found = named(context, request)
    mutability, exclusions = _mutability(request)
    store.set_mutability(context.tx, found, mutability, exclusions)
    answer = {"registryId": found.at.account, "repositoryName": found.at.name, "imageTagMutability": mutability.value}
    return answer | exclusion_members(exclusions)


@operation("DeleteRepository", mode=Mode.WRITE, permissions=on_repository("DeleteRepository"))
def delete_repository(context: Context, request: Request) -> Request:
    """Remove a repository; with `force` also one that has images."""
    found = named(context, request)
    if store.has_images(context.tx, found):
        if not request.get("force"):
            raise failure(
                "RepositoryNotEmptyException",
                f"The repository with name '{found.at.name}' in registry with id '{found.at.account}' cannot be deleted "
                "because it still contains images",
            )
        while images := store.images(context.tx, found, 0, 100, None):
            for image in images:
                store.remove_image(context.tx, image)
    store_layers.remove_all(context.tx, found, context.now)
    store.remove_repository(context.tx, found)
    forget_tags(context.tx, found.at.arn)
    return {"repository": found.shape()}
