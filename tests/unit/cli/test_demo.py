"""The pieces of the demo that need no server."""

import io
import json
import tarfile
from pathlib import Path

import pytest
from rich.console import Console

from modelyard.cli import running
from modelyard.cli.demo import people, training, yard
from modelyard.cli.demo.narration import Mismatch, Narrator
from modelyard.cli.failure import CommandFailure


@pytest.fixture
def printed() -> Console:
    """A console whose text can be read back."""
    return Console(file=io.StringIO(), width=60)


def text_of(console: Console) -> str:
    """What was printed."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.ours
def test_a_claim_that_does_not_hold_ends_the_story(printed: Console) -> None:
    """A true claim is ticked off; a false one is raised and not printed."""
    tell = Narrator(printed)
    tell.holds("water is wet", True)
    with pytest.raises(Mismatch, match="the moon is cheese"):
        tell.holds("the moon is cheese", False)
    assert text_of(printed) == "   ✓ water is wet\n"


@pytest.mark.ours
def test_what_is_shown_can_be_copied(printed: Console) -> None:
    """Lines longer than the console are not broken, and each stands on a line of its own."""
    arn = "arn:aws:sagemaker:us-east-1:123456789012:model-package/a-group-with-a-long-name/1"
    tell = Narrator(printed)
    tell.answer({"ModelPackageArn": arn})
    tell.call("one()\ntwo()")
    assert text_of(printed) == f'   {{"ModelPackageArn": "{arn}"}}\n   one()\n   two()\n'


@pytest.mark.ours
def test_the_two_models_are_real_and_unequal() -> None:
    """Both are better than chance on patients they have not seen, and one clearly finds more."""
    forest, regression = training.candidates(training.load())
    assert 0.6 < forest.recall < regression.recall - 0.05
    assert forest.sha256 != regression.sha256


@pytest.mark.ours
def test_the_packed_model_predicts_like_the_trained_one() -> None:
    """`model.tar.gz` holds the model and its code, and its accuracy is the one that is registered."""
    data = training.load()
    candidate = training.candidates(data)[1]
    with tarfile.open(fileobj=io.BytesIO(candidate.archive)) as packed:
        assert packed.getnames() == ["model.joblib", "serve.py"]
    labels = training.predict(candidate.archive, data.test)
    right = sum(a == b for a, b in zip(labels, data.test_labels, strict=True)) / len(labels)
    metrics = json.loads(candidate.metrics_file)["binary_classification_metrics"]
    assert metrics["accuracy"]["value"] == round(right, 4)


@pytest.mark.ours
def test_only_the_reviewer_may_ask_for_an_approval() -> None:
    """Of the three policies one alone allows UpdateModelPackage with an approval status."""
    found = people.policies("us-east-1", "123456789012", "group", "bucket")
    deciding = {
        name
        for name, statements in found.items()
        for statement in statements
        if statement["Action"] == "sagemaker:UpdateModelPackage" and "StringEquals" in statement["Condition"]
    }
    assert deciding == {"reviewer"}


@pytest.mark.ours
def test_a_folder_that_is_not_the_demos_is_left_alone(tmp_path: Path) -> None:
    """It empties what an earlier demo made, and nothing else."""
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(CommandFailure, match="no demo made it"):
        yard.fresh_directory(tmp_path)
    assert (tmp_path / "mine").read_text() == "mine"
    folder = tmp_path / "demo"
    yard.fresh_directory(folder).mkdir()
    (folder / "data" / "old").touch()
    assert not yard.fresh_directory(folder).exists() and folder.is_dir()


@pytest.mark.ours
def test_the_data_of_a_running_server_is_not_emptied(tmp_path: Path) -> None:
    """As long as a server runs there the demo refuses."""
    data = yard.fresh_directory(tmp_path / "demo")
    data.mkdir()
    with running.announced(data, "http://127.0.0.1:1"), pytest.raises(CommandFailure, match="still runs"):
        yard.fresh_directory(tmp_path / "demo")
