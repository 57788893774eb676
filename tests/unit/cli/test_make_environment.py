"""How the set-up finds out where packages come from."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "make_environment.py"
specification = importlib.util.spec_from_file_location("make_environment", SCRIPT)
assert specification is not None and specification.loader is not None
make_environment = importlib.util.module_from_spec(specification)
specification.loader.exec_module(make_environment)


@pytest.mark.ours
def test_the_more_specific_setting_of_pip_wins() -> None:
    """The environment wins over a section for installing, that over the global one, whatever their order."""
    listing = ":env:.index-url='https://c.example/simple'\nglobal.index-url='https://a.example/simple'\ninstall.cert='/b.pem'\nglobal.cert='/a.pem'\n"
    assert make_environment.pip_settings(listing) == {"index-url": "https://c.example/simple", "cert": "/b.pem"}


@pytest.mark.ours
def test_settings_of_several_lines_are_read_whole() -> None:
    """Several extra indexes, which pip lists with line breaks in them, come out side by side."""
    listing = "global.extra-index-url='\\nhttps://a.example/simple\\nhttps://b.example/simple'\n"
    assert make_environment.pip_settings(listing) == {"extra-index-url": "https://a.example/simple https://b.example/simple"}


@pytest.mark.ours
def test_uv_is_told_what_pip_knows() -> None:
    """Each setting becomes the variable that uv reads; what is said to uv already stays."""
    settings = {"index-url": "https://a.example/simple", "find-links": "/one /two", "cert": "/ca.pem", "no-color": "1"}
    variables = make_environment.uv_settings(settings, {"SSL_CERT_FILE": "/own.pem"})
    assert variables["UV_DEFAULT_INDEX"] == "https://a.example/simple"
    assert variables["UV_FIND_LINKS"] == "/one,/two"
    assert "SSL_CERT_FILE" not in variables


@pytest.mark.ours
def test_pinned_requirements_name_no_index_and_no_path() -> None:
    """The compiled files install from anywhere: they hold versions and nothing of where those were found."""
    for path in (SCRIPT.parent.parent / "requirements").glob("*.txt"):
        for line in path.read_text().splitlines():
            assert "==" in line and "://" not in line and "/" not in line and not line.startswith("-"), f"{path.name}: {line}"


@pytest.mark.ours
def test_what_runs_is_what_was_developed_with() -> None:
    """Every pin of the server and of the demo is the pin of the development environment too."""
    development = _pins("development.txt")
    for name in ("runtime.txt", "demo.txt", "tools.txt"):
        assert _pins(name) <= development


def _pins(name: str) -> set[str]:
    """`name==version` of each line, without the platforms it is for."""
    lines = (SCRIPT.parent.parent / "requirements" / name).read_text().splitlines()
    return {line.partition(" ;")[0] for line in lines}
