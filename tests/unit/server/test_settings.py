"""Settings: where they come from, which wins, and what is said about a mistake."""

from pathlib import Path
from typing import Any

import pytest

from modelyard.settings import Settings, SettingsError, load_settings

pytestmark = pytest.mark.ours


def test_the_nearer_one_wins(tmp_path: Path) -> None:
    """An argument wins over the environment, that over the file, that over the default."""
    (tmp_path / "modelyard.toml").write_text('port = 1\nregion = "eu-west-1"\nthreads = 3\n')
    settings = load_settings(tmp_path, {"MODELYARD_PORT": "2", "MODELYARD_REGION": "eu-west-2"}, port=3, host=None)
    assert settings == Settings(data=tmp_path, port=3, region="eu-west-2", threads=3)


def test_numbers_may_be_whole(tmp_path: Path) -> None:
    """A number of seconds may be written without a fraction, in the file and in the environment."""
    (tmp_path / "modelyard.toml").write_text("body_seconds = 30\n")
    settings = load_settings(tmp_path, {"MODELYARD_HEADER_SECONDS": "7"})
    assert (settings.body_seconds, settings.header_seconds) == (30.0, 7.0)


def test_variables_of_others_are_left_alone(tmp_path: Path) -> None:
    """What Kubernetes and the tests put beside the settings, and the data directory's own variable, are no mistakes."""
    others = {"MODELYARD_SERVICE_HOST": "10.0.0.1", "MODELYARD_PORT_9100_TCP": "tcp://x", "MODELYARD_DATA": "/d", "PATH": "x"}
    assert load_settings(tmp_path, others) == Settings(data=tmp_path)


@pytest.mark.parametrize(
    ("environment", "given", "sentence"),
    [
        ({"MODELYARD_PROT": "1"}, {}, "There is no setting `MODELYARD_PROT`, which the environment has; did you mean `port`?"),
        ({"MODELYARD_PORT": "many"}, {}, "MODELYARD_PORT must be a whole number, not 'many'."),
        ({"MODELYARD_PORT": "65536"}, {}, "MODELYARD_PORT must be a port between 0 and 65535, not 65536."),
        ({"MODELYARD_BODY_SECONDS": "nan"}, {}, "MODELYARD_BODY_SECONDS must be between 0.05 and 86400 seconds, not nan."),
        ({"MODELYARD_METRICS": "all"}, {}, "MODELYARD_METRICS must be one of loopback, everyone, nobody, not 'all'."),
        (
            {"MODELYARD_BLOBS": "gs://x"},
            {},
            "MODELYARD_BLOBS must be empty for the data directory, the path of a directory, or s3://",
        ),
        ({}, {"log_level": "loud"}, "`log_level` must be one of debug, info, warning, error, not 'loud'."),
        ({}, {"region": "us east"}, "`region` must be the name of a region, such as us-east-1, not 'us east'."),
    ],
)
def test_a_mistake_is_one_clear_sentence(
    tmp_path: Path, environment: dict[str, str], given: dict[str, Any], sentence: str
) -> None:
    """Each mistake names the setting, where it stands, and what is allowed."""
    with pytest.raises(SettingsError) as raised:
        load_settings(tmp_path, environment, **given)
    assert str(raised.value).startswith(sentence)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("port = ", "is not valid TOML"),
        ('port = "9100"', "must be a whole number, not '9100'"),
        ("port = true", "must be a whole number, not True"),
        ("prot = 1", "did you mean `port`?"),
        ('data = "/x"', "There is no setting `data`"),
    ],
)
def test_a_mistake_in_the_file(tmp_path: Path, text: str, words: str) -> None:
    """A mistake in the file is told with the path of the file."""
    (tmp_path / "modelyard.toml").write_text(text)
    with pytest.raises(SettingsError) as raised:
        load_settings(tmp_path, {})
    assert words in str(raised.value)
    assert str(tmp_path / "modelyard.toml") in str(raised.value)


def test_a_password_is_not_repeated(tmp_path: Path) -> None:
    """The address of a database may hold a password, so a mistake in it is told without it."""
    with pytest.raises(SettingsError) as raised:
        load_settings(tmp_path, {"MODELYARD_DATABASE": "mysql://user:hunter2@host/db"})
    assert "hunter2" not in str(raised.value)
