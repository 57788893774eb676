"""What tests of programs inside may ask for: a runtime, and each environment."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.workloads.inside import Inside, environment

from modelyard.runtime.process import Runtime


@pytest.fixture(scope="session")
def runtime() -> Iterator[Runtime]:
    """A runtime, which ends what a test left."""
    started = Runtime()
    try:
        yield started
    finally:
        started.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the sandbox's user can enter."""
    made = tmp_path_factory.mktemp("inside")
    made.chmod(0o755)
    return made


@pytest.fixture(scope="module")
def sklearn(runtime: Runtime, folder: Path) -> Inside:
    """scikit-learn, as `sagemaker-scikit-learn:1.2-1`."""
    return Inside(runtime, environment("scikit-learn-1.2-1"), folder)


@pytest.fixture(scope="module")
def xgboost(runtime: Runtime, folder: Path) -> Inside:
    """XGBoost, as `sagemaker-xgboost:1.7-1`."""
    return Inside(runtime, environment("xgboost-1.7-1"), folder)


@pytest.fixture(scope="module")
def python(runtime: Runtime, folder: Path) -> Inside:
    """A Python server for anything."""
    return Inside(runtime, environment("python"), folder)
