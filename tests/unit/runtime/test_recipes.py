"""Recipes: which one answers for an image, what a team may write, and how one is kept."""

from pathlib import Path

import pytest

from modelyard.runtime.environments.interpreter import allows
from modelyard.runtime.environments.recipe import ImageName, RecipeError, read_recipes
from modelyard.runtime.environments.recipes import Recipes

HOSTS = (
    "683313688378.dkr.ecr.us-east-1.amazonaws.com",
    "492215442770.dkr.ecr.eu-central-1.amazonaws.com",
    "450853457545.dkr.ecr.cn-north-1.amazonaws.com.cn",
    "833128469047.dkr.ecr.us-iso-east-1.c2s.ic.gov",
)
IMAGES = {
    "sagemaker-scikit-learn:0.20.0-cpu-py3": "scikit-learn-0.20.0",
    "sagemaker-scikit-learn:0.23-1-cpu-py3": "scikit-learn-0.23-1",
    "sagemaker-scikit-learn:1.0-1-arm64-cpu-py3": "scikit-learn-1.0-1",
    "sagemaker-scikit-learn:1.2-1-cpu-py3": "scikit-learn-1.2-1",
    "sagemaker-scikit-learn:1.4-2-cpu-py3": "scikit-learn-1.4-2",
    "sagemaker-xgboost:0.90-1-cpu-py3": "xgboost-0.90-2",
    "sagemaker-xgboost:1.2-2": "xgboost-0.90-2",
    "sagemaker-xgboost:1.5-1-arm64": "xgboost-1.5-1",
    "sagemaker-xgboost:1.7-1": "xgboost-1.7-1",
    "sagemaker-xgboost:3.0-5": "xgboost-3.0-5",
    "xgboost:1": "xgboost-0.90-2",
    "autogluon-training:0.3.1-gpu-py37": "autogluon-1.1.1",
    "autogluon-inference:1.1.0-cpu-py310": "autogluon-1.1.1",
    "autogluon-inference:1.3.0-cpu-py311": "autogluon-1.3.0",
}
OWN = """
name = "fraud"
title = "The fraud team's server"
answers = ["fraud-server:*"]
python = ">=3.11"
requirements = ["numpy"]
serve = ["python", "/opt/program/server.py"]
files = ["server.py"]

[environment]
"GREETING" = 'a "word" and a \\ backslash'
"""


@pytest.fixture
def recipes(tmp_path: Path) -> Recipes:
    return Recipes(tmp_path / "data")


def written(folder: Path, text: str = OWN) -> Path:
    (folder / "server.py").write_text("print('here')")
    path = folder / "fraud.toml"
    path.write_text(text)
    return path


@pytest.mark.seen
@pytest.mark.parametrize(("image", "recipe"), IMAGES.items())
def test_images_of_aws_have_a_recipe_in_every_region(recipes: Recipes, image: str, recipe: str) -> None:
    """The SDK's image addresses are answered for, whatever the account, region and partition."""
    for host in HOSTS:
        found = recipes.find(f"{host}/{image}")
        assert found is not None and found.name == recipe


@pytest.mark.ours
@pytest.mark.parametrize(
    "image",
    [
        "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:9.9-1-cpu-py3",
        "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-tensorflow:2.1",
        "registry.example.com/sagemaker-scikit-learn:1.2-1-cpu-py3",
        "683313688378.dkr.ecr.us-east-1.amazonaws.com/other/sagemaker-xgboost:1.7-1",
        "",
    ],
)
def test_other_images_have_none(recipes: Recipes, image: str) -> None:
    """A version that nobody knows, another repository and another registry are not answered for."""
    assert recipes.find(image) is None


@pytest.mark.ours
def test_names_of_images() -> None:
    """An address is taken apart as Docker does it: a host has a dot or a port, no tag is `latest`."""
    assert ImageName.of("a.b/c/d:e@sha256:f") == ImageName("a.b", "c/d", "e", "sha256:f")
    assert ImageName.of("localhost:5000/x") == ImageName("localhost:5000", "x", "latest", None)
    assert ImageName.of("team/x:1") == ImageName("", "team/x", "1", None)


@pytest.mark.ours
def test_shipped_recipes_say_in_what_they_differ(recipes: Recipes) -> None:
    """Each recipe that stands for an image of AWS says what is different about it, and no two have a name."""
    shipped = recipes.all()
    assert len({recipe.name for recipe in shipped}) == len(shipped) == 13
    assert all(recipe.differs for recipe in shipped if recipe.framework != "python")
    assert all(recipe.shipped for recipe in shipped)


@pytest.mark.ours
def test_a_teams_recipe_is_kept_with_its_files(recipes: Recipes, tmp_path: Path) -> None:
    """What stood beside the recipe is kept with it, and it says the same when it is read again."""
    path = written(tmp_path)
    added = recipes.add(path)
    (original,) = read_recipes(path)
    path.unlink()
    (tmp_path / "server.py").unlink()
    found = recipes.find("123456789012.dkr.ecr.eu-west-1.amazonaws.com/fraud-server:7")
    assert found is not None and not found.shipped
    assert found.describe() == original.describe() == added.describe()
    assert found.environment == {"GREETING": 'a "word" and a \\ backslash'}
    assert [(name, source.read_text()) for name, source in found.files] == [("server.py", "print('here')")]
    recipes.remove("fraud")
    assert recipes.find("fraud-server:7") is None


@pytest.mark.ours
def test_a_teams_recipe_goes_before_a_shipped_one(recipes: Recipes, tmp_path: Path) -> None:
    """A team may answer for AWS's names itself."""
    text = OWN.replace('"fraud-server:*"', '"sagemaker-xgboost:*"')
    recipes.add(written(tmp_path, text))
    found = recipes.find(f"{HOSTS[0]}/sagemaker-xgboost:1.7-1")
    assert found is not None and found.name == "fraud"


@pytest.mark.ours
def test_requirements_may_stand_in_a_file(recipes: Recipes, tmp_path: Path) -> None:
    """They become part of the recipe, without comments."""
    (tmp_path / "needs.txt").write_text("# what we need\nnumpy>=1  # always\n\npandas\n")
    text = OWN.replace('requirements = ["numpy"]', 'requirements_file = "needs.txt"')
    assert recipes.add(written(tmp_path, text)).requirements == ("numpy>=1", "pandas")


@pytest.mark.ours
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ('name = "Fraud Team"', "`name` in fraud.toml must be of small letters"),
        ('name = "../x"', "`name` in fraud.toml must be of small letters"),
        ("answers = []", "`answers` in fraud.toml must name at least one image"),
        ('answers = "x"', "`answers` in fraud.toml must be a list of texts"),
        ('framework = "spark"', "`framework` in fraud.toml must be one of"),
        ('colour = "red"', "There is no `colour` in a recipe"),
        ('files = ["/etc/passwd"]', "files of a recipe stand beside it"),
        ('files = ["../x"]', "files of a recipe stand beside it"),
        ('files = ["none.py"]', "names none.py, which is not there"),
        ('requirements_file = "none.txt"', "names none.txt, which is not there"),
        ("name = ", "is not valid TOML"),
    ],
)
def test_mistakes_in_a_recipe_are_told_in_a_sentence(recipes: Recipes, tmp_path: Path, change: str, sentence: str) -> None:
    """The recipe is refused with what is wrong with it, and nothing is kept."""
    key = change.split(" ")[0]
    lines = [line for line in OWN.partition("[environment]")[0].splitlines() if not line.startswith(f"{key} ")]
    with pytest.raises(RecipeError, match=sentence.replace("[", r"\[")):
        recipes.add(written(tmp_path, "\n".join([*lines, change])))
    assert recipes.find("fraud-server:1") is None


@pytest.mark.ours
def test_shipped_recipes_stay(recipes: Recipes) -> None:
    """Only what was added can be removed."""
    with pytest.raises(RecipeError, match="comes with Modelyard"):
        recipes.remove("python")
    with pytest.raises(RecipeError, match="is not there"):
        recipes.remove("../../keys")


@pytest.mark.ours
@pytest.mark.parametrize(
    ("specifier", "fits"),
    [
        (">=3.11", True),
        (">=3.11,<3.12", True),
        ("<3.11", False),
        ("==3.11.*", True),
        ("!=3.11", False),
        (">3.11", False),
        ("", True),
    ],
)
def test_pythons_that_will_do(specifier: str, fits: bool) -> None:
    """The form that packages use for it."""
    assert allows(specifier, (3, 11, 7)) is fits
    with pytest.raises(RecipeError):
        allows("3.11", (3, 11, 7))
