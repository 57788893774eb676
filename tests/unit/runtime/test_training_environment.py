"""What a training script is told, beside what sagemaker-training 5.1.4 told the same script in the same job."""

import json
from pathlib import Path

import pytest

from modelyard.runtime.programs.training_environment import Training

pytestmark = pytest.mark.seen

HYPERPARAMETERS = {
    "sagemaker_program": '"probe.py"',
    "sagemaker_submit_directory": '"s3://bucket/sourcedir.tar.gz"',
    "sagemaker_container_log_level": "20",
    "sagemaker_job_name": '"j-1"',
    "sagemaker_region": '"us-east-1"',
    "epochs": "1",
    "learning-rate": "0.5",
    "flag": "true",
    "l": "[1,2]",
    "d": '{"a": 1}',
    "name": '"x y"',
    "bare": "text",
    "none": "null",
}


@pytest.fixture
def training(tmp_path: Path) -> Training:
    config = tmp_path / "input" / "config"
    config.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(json.dumps(HYPERPARAMETERS))
    (config / "inputdataconfig.json").write_text(json.dumps({"train": {"TrainingInputMode": "File"}, "test-set": {}}))
    resources = {"current_host": "algo-1", "hosts": ["algo-1"], "current_instance_type": "ml.m5.xlarge"}
    (config / "resourceconfig.json").write_text(json.dumps(resources))
    return Training.read(tmp_path)


def test_arguments(training: Training) -> None:
    """Sorted by name, one letter with one dash, values as Python writes them."""
    assert training.arguments() == [
        "--bare", "text", "-d", "a=1", "--epochs", "1", "--flag", "True", "-l", "[1, 2]", "--learning-rate", "0.5",
        "--name", "x y", "--none", "",
    ]  # fmt: skip


def test_variables(training: Training, tmp_path: Path) -> None:
    """Lists and tables as JSON without spaces, words as they are."""
    told = training.variables(tmp_path / "code")
    assert (
        told["SM_HPS"]
        == '{"bare":"text","d":{"a":1},"epochs":1,"flag":true,"l":[1,2],"learning-rate":0.5,"name":"x y","none":null}'
    )
    assert (told["SM_HP_LEARNING-RATE"], told["SM_HP_FLAG"], told["SM_HP_D"], told["SM_HP_NONE"]) == (
        "0.5",
        "true",
        '{"a":1}',
        "",
    )
    assert (told["SM_CHANNELS"], told["SM_CHANNEL_TRAIN"]) == ('["test-set","train"]', f"{tmp_path}/input/data/train")
    assert told["SM_CHANNEL_TEST-SET"] == f"{tmp_path}/input/data/test-set"
    assert (told["SM_CURRENT_HOST"], told["SM_HOSTS"], told["SM_IS_HETERO"]) == ("algo-1", '["algo-1"]', "false")
    assert (told["SM_MODEL_DIR"], told["SM_OUTPUT_DATA_DIR"]) == (f"{tmp_path}/model", f"{tmp_path}/output/data")
    assert (told["SM_USER_ENTRY_POINT"], told["SM_MODULE_NAME"]) == ("probe.py", "probe")
    assert (told["SM_FRAMEWORK_PARAMS"], told["SM_FRAMEWORK_MODULE"], told["SM_LOG_LEVEL"]) == ("{}", "", "20")
    assert json.loads(told["SM_TRAINING_ENV"])["hyperparameters"]["learning-rate"] == 0.5
    assert json.loads(told["SM_TRAINING_ENV"])["is_master"] is True
