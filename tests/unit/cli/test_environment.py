"""The lines of `modelyard env`."""

import subprocess
from pathlib import Path

import pytest

from modelyard.aws.models import own_models
from modelyard.cli import environment, running
from modelyard.cli.credentials import Credentials
from modelyard.settings import Settings

KEY = Credentials("AKIAEXAMPLE", "it's a secret; $(false) `false`")


@pytest.mark.ours
def test_a_shell_reads_back_exactly_the_values(tmp_path: Path) -> None:
    """Quotes, dollars and backticks in a value reach the client as they are."""
    lines = environment.export_lines({"SECRET": KEY.secret_access_key, "EMPTY": ""})
    script = "\n".join(lines) + '\nprintf "%s|%s" "$SECRET" "$EMPTY"'
    seen = subprocess.run(["sh", "-eu", "-c", script], capture_output=True, text=True, check=True).stdout
    assert seen == KEY.secret_access_key + "|"


@pytest.mark.ours
def test_the_clients_are_pointed_at_the_port_of_the_running_server(tmp_path: Path) -> None:
    """While a server runs its port wins over the one in the settings."""
    settings = Settings(data=tmp_path, port=9100)
    assert environment.variables(settings, KEY, {})["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9100"
    with running.announced(tmp_path, "http://127.0.0.1:4711"):
        values = environment.variables(settings, KEY, {})
    assert values["AWS_ENDPOINT_URL"] == values["HTTPS_PROXY"] == values["https_proxy"] == "http://127.0.0.1:4711"


@pytest.mark.ours
def test_a_session_token_of_the_shell_is_pushed_out(tmp_path: Path) -> None:
    """A user's key comes with an empty session token, so that no older token signs along."""
    assert environment.variables(Settings(data=tmp_path), KEY, {"AWS_SESSION_TOKEN": "old"})["AWS_SESSION_TOKEN"] == ""


@pytest.mark.ours
def test_what_the_shell_already_excludes_from_the_proxy_stays_excluded(tmp_path: Path) -> None:
    """NO_PROXY and AWS_DATA_PATH are added to, once."""
    inherited = {"NO_PROXY": "intranet,127.0.0.1", "AWS_DATA_PATH": "/models"}
    values = environment.variables(Settings(data=tmp_path), KEY, inherited)
    assert values["NO_PROXY"] == values["no_proxy"] == "127.0.0.1,localhost,intranet"
    assert values["AWS_DATA_PATH"] == f"{tmp_path}/clients/models:/models"
    assert environment.variables(Settings(data=tmp_path), KEY, values)["AWS_DATA_PATH"] == values["AWS_DATA_PATH"]


@pytest.mark.ours
def test_every_file_that_is_named_is_there(tmp_path: Path) -> None:
    """The CA bundle, the SDK's configuration and the folder of models exist once the lines are printed."""
    values = environment.variables(Settings(data=tmp_path), KEY, {})
    assert "BEGIN CERTIFICATE" in Path(values["AWS_CA_BUNDLE"]).read_text()
    assert values["AWS_CA_BUNDLE"] == values["REQUESTS_CA_BUNDLE"] == values["NODE_EXTRA_CA_CERTS"]
    assert "TelemetryOptOut: true" in Path(values["SAGEMAKER_USER_CONFIG_OVERRIDE"]).read_text()
    assert Path(values["AWS_DATA_PATH"]).is_dir()


@pytest.mark.ours
def test_the_model_of_our_own_service_is_where_botocore_looks(tmp_path: Path) -> None:
    """The folder of models has this version's model, in place of what an older version left there."""
    place = tmp_path / "clients" / "models" / "modelyard" / "2026-01-01" / "service-2.json"
    place.parent.mkdir(parents=True)
    place.write_text("{}")
    for _ in range(2):
        environment.variables(Settings(data=tmp_path), KEY, {})
        assert place.read_bytes() == (own_models() / "modelyard" / "2026-01-01" / "service-2.json").read_bytes()
    assert sorted(path.name for path in place.parent.iterdir()) == ["paginators-1.json", "service-2.json"]
