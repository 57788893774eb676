"""The image catalogue: which recipes there are, which one answers for an image, and the building of their environments."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.aws.errors import ResourceNotFound, ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Permissions, operations_of
from modelyard.images.builds import Builds
from modelyard.runtime.environments.build import is_outdated
from modelyard.runtime.environments.built import NotBuilt, built_environment, current_digest, environment_of
from modelyard.runtime.environments.interpreter import find_interpreter
from modelyard.runtime.environments.recipe import Recipe, RecipeError
from modelyard.runtime.environments.recipes import Recipes
from modelyard.runtime.environments.status import building_of, log_of

operation = operations_of("modelyard")
Request = dict[str, Any]


def _on_recipe(action: str) -> Permissions:
    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        yield Permission(f"modelyard:{action}", Resource(_arn(context, request.get("RecipeName", "*")), context.account))

    return permissions


def _arn(context: Context, name: str) -> str:
    return f"arn:aws:modelyard:{context.region}:{context.account}:image-recipe/{name}"


@operation("ListImageRecipes", mode=Mode.SLOW_READ, permissions=_on_recipe("ListImageRecipes"))
def list_image_recipes(context: Context, _request: Request) -> Request:
    """Every recipe, and whether it is built."""
    try:
        return {"Recipes": [_summary(context, recipe) for recipe in Recipes(context.settings.data).all()]}
    except RecipeError as error:
        raise ValidationException(str(error)) from None


@operation("DescribeImageRecipe", mode=Mode.SLOW_READ, permissions=_on_recipe("DescribeImageRecipe"))
def describe_image_recipe(context: Context, request: Request) -> Request:
    """A recipe with all that it asks for, what was built from it, and how the last building went."""
    recipe = _named(context, request["RecipeName"])
    answer = _summary(context, recipe) | {
        "Framework": recipe.framework,
        "Python": recipe.python,
        "Requirements": list(recipe.requirements),
        "Differences": list(recipe.differs),
        "Log": log_of(recipe.name, context.settings.data),
    }
    digest = answer.get("ImageDigest")
    built = None if digest is None else built_environment(digest, context.settings.data)
    if built is not None:
        answer |= {
            "Packages": built.manifest["packages"],
            "PythonVersion": built.manifest["python"]["version"],
            "SizeInBytes": built.manifest["bytes"],
            "BuiltTime": built.manifest["built"],
        }
    return answer


@operation("ResolveImage", mode=Mode.SLOW_READ, permissions=_on_recipe("ResolveImage"))
def resolve_image(context: Context, request: Request) -> Request:
    """Which recipe answers for an image, and the digest of what was built; or why there is none."""
    uri = request["ImageUri"]
    found = environment_of(uri, context.settings.data)
    if isinstance(found, NotBuilt):
        answer = {"ImageUri": uri, "Built": False, "Reason": found.reason}
        return answer if found.recipe is None else {**answer, "RecipeName": found.recipe}
    return {"ImageUri": uri, "Built": True, "RecipeName": found.recipe, "ImageDigest": found.digest}


@operation("BuildImage", mode=Mode.WRITE, permissions=_on_recipe("BuildImage"))
def build_image(context: Context, request: Request) -> Request:
    """Begin to build a recipe; DescribeImageRecipe tells how it goes."""
    recipe = _named(context, request["RecipeName"])
    try:
        find_interpreter(recipe)
    except RecipeError as error:
        raise ValidationException(str(error)) from None
    dispatcher, renew = context.dispatcher, bool(request.get("Renew"))
    context.tx.after_commit(lambda: Builds.of(dispatcher).begin(recipe, renew=renew))
    return {"RecipeArn": _arn(context, recipe.name), "Status": "Building"}


def _named(context: Context, name: str) -> Recipe:
    try:
        return Recipes(context.settings.data).named(name)
    except RecipeError as error:
        raise ResourceNotFound(str(error)) from None


def _summary(context: Context, recipe: Recipe) -> Request:
    data = context.settings.data
    answer: Request = {
        "RecipeArn": _arn(context, recipe.name),
        "RecipeName": recipe.name,
        "Title": recipe.title,
        "Images": list(recipe.answers),
        "Shipped": recipe.shipped,
        "Status": "NotBuilt",
    }
    builds = Builds.of(context.dispatcher).has(recipe.name)
    digest, last = current_digest(recipe.name, data), building_of(recipe.name, data)
    if digest is not None:
        answer |= {"Status": "Built", "ImageDigest": digest, "Outdated": _outdated(recipe, digest, data)}
    if builds:
        answer["Status"] = "Building"
    elif last is not None and last.status != "Built":
        answer |= {"Status": last.status, "Reason": last.reason} if last.reason else {"Status": last.status}
    return answer


def _outdated(recipe: Recipe, digest: str, data: Path) -> bool:
    built = built_environment(digest, data)
    try:
        return built is not None and is_outdated(built, recipe)
    except RecipeError:
        return False
