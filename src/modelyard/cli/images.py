"""`modelyard images`: the recipes that answer for images, and the environments that are built from them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from modelyard.cli.failure import CommandFailure
from modelyard.cli.options import DEFAULT_DATA, Data, Output, settings_of
from modelyard.cli.output import Format, lines, print_facts, print_rows, progress_bar, say
from modelyard.cli.registered_versions import recorded_images
from modelyard.runtime.environments.build import CannotBuild, is_outdated
from modelyard.runtime.environments.built import built_environment, current_digest
from modelyard.runtime.environments.pruning import prune as prune_environments
from modelyard.runtime.environments.recipe import Recipe, RecipeError
from modelyard.runtime.environments.recipes import Recipes
from modelyard.runtime.environments.status import Watched, building_of, log_of
from modelyard.server.composition import open_database

app = typer.Typer(name="images", help="What stands for images here: recipes, and what is built from them.", no_args_is_help=True)

MEGABYTE = 1_000_000
DIGEST = len("sha256:") + 12
"""Of a digest, in a table."""
Name = Annotated[str, typer.Argument(metavar="RECIPE", help="The name of a recipe, or the address of an image.")]


@app.command("list")
def list_recipes(data: Data = DEFAULT_DATA, output: Output = Format.TABLE) -> None:
    """List the recipes, the images that they answer for, and which are built."""
    folder = settings_of(data).data
    rows = [{**_facts(recipe, folder), "images": list(recipe.answers)} for recipe in _all(folder)]
    if output is Format.TABLE:
        rows = [{**row, "digest": row["digest"][:DIGEST], "images": "\n".join(row["images"])} for row in rows]
    print_rows(rows, {"recipe": "Recipe", "status": "Status", "digest": "Digest", "images": "Images"}, output)


@app.command("show")
def show(recipe: Name, data: Data = DEFAULT_DATA, output: Output = Format.TABLE) -> None:
    """Show a recipe: its packages, in what it is not like the image of AWS, and how its last building went."""
    folder = settings_of(data).data
    found = _named(recipe, folder)
    digest = current_digest(found.name, folder)
    built = None if digest is None else built_environment(digest, folder)
    facts = _facts(found, folder) | {
        "images": list(found.answers),
        "requirements": list(found.requirements),
        "differs": list(found.differs),
        "packages": [] if built is None else built.manifest["packages"],
        "log": log_of(found.name, folder).splitlines(),
    }
    if output is Format.JSON:
        print_facts(facts, output)
        return
    print_facts({name: value for name, value in facts.items() if not isinstance(value, list) and value}, output)
    for name in ("images", "requirements", "packages", "differs"):
        if facts[name]:
            lines(["", f"{name}:", *(f"  {one}" for one in facts[name])])
    if facts["status"] == "failed":
        lines(["", "log:", *(f"  {one}" for one in facts["log"][-20:])])


@app.command("build")
def build(
    recipes: Annotated[list[str], typer.Argument(metavar="RECIPE…", help="Names of recipes, or addresses of images.")],
    renew: Annotated[bool, typer.Option("--renew", help="Resolve the packages anew, so that newer ones come in.")] = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Build what stands for images. What is built already is left as it is."""
    folder = settings_of(data).data
    for recipe in [_named(name, folder) for name in recipes]:
        for difference in recipe.differs:
            say(f"{recipe.name}: {difference}")
        with progress_bar() as bar:
            try:
                built = Watched(recipe, folder, bar).run(renew=renew)
            except CannotBuild as error:
                raise CommandFailure(str(error)) from error
        say(f"{recipe.name} is built, {built.manifest['bytes'] // MEGABYTE} MB, on Python {built.manifest['python']['version']}.")
        lines([built.digest])


@app.command("add")
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recipe in TOML; its files stand beside it.")],
    data: Data = DEFAULT_DATA,
) -> None:
    """Add a recipe of your own, or put another in its place. Its packages and programs run as everything does: in a sandbox."""
    try:
        recipe = Recipes(settings_of(data).data).add(file.absolute())
    except RecipeError as error:
        raise CommandFailure(str(error)) from error
    say(f"{recipe.name} answers for {', '.join(recipe.answers)}. Build it: modelyard images build {recipe.name}")


@app.command("remove")
def remove(recipe: Name, data: Data = DEFAULT_DATA) -> None:
    """Remove a recipe that was added. What was built from it stays until `modelyard images prune`."""
    try:
        Recipes(settings_of(data).data).remove(recipe)
    except RecipeError as error:
        raise CommandFailure(str(error)) from error
    say(f"{recipe} is removed.")


@app.command("prune")
def prune(
    dry: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False, data: Data = DEFAULT_DATA
) -> None:
    """Remove what was built and is neither current, nor recorded by a registered version, nor in use."""
    settings = settings_of(data)
    storage = open_database(settings)
    try:
        pruned = prune_environments(settings.data, recorded_images(storage), dry=dry)
    except RecipeError as error:
        raise CommandFailure(str(error)) from error
    finally:
        storage.close()
    freed = sum(built.manifest["bytes"] for built in pruned.environments)
    lines(f"{built.digest}  {built.recipe}" for built in pruned.environments)
    say(f"{len(pruned.environments)} {'would go' if dry else 'removed'}, {freed // MEGABYTE} MB.")


def _facts(recipe: Recipe, data: Path) -> dict[str, Any]:
    digest, last = current_digest(recipe.name, data), building_of(recipe.name, data)
    status = "not built" if digest is None else "built"
    if _outdated(recipe, data):
        status = "outdated: build it again"
    if last is not None and last.status != "Built":
        status = last.status.lower()
    facts = {"recipe": recipe.name, "title": recipe.title, "status": status, "digest": digest or "", "python": recipe.python}
    return facts if last is None or not last.reason else {**facts, "reason": last.reason}


def _outdated(recipe: Recipe, data: Path) -> bool:
    digest = current_digest(recipe.name, data)
    built = None if digest is None else built_environment(digest, data)
    try:
        return built is not None and is_outdated(built, recipe)
    except RecipeError:
        return False


def _all(data: Path) -> list[Recipe]:
    try:
        return Recipes(data).all()
    except RecipeError as error:
        raise CommandFailure(str(error)) from error


def _named(name: str, data: Path) -> Recipe:
    try:
        return Recipes(data).named(name)
    except RecipeError as error:
        raise CommandFailure(str(error)) from error
