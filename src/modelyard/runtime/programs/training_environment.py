"""What a training script is told: hyperparameters as arguments, everything else as SM_* variables."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .settings import ML

OWN_HYPERPARAMETERS = "sagemaker_"
"""What the SDK puts among the hyperparameters for the launcher itself begins so."""
KNOWN_PARAMETERS = (
    "sagemaker_program",
    "sagemaker_submit_directory",
    "sagemaker_container_log_level",
    "sagemaker_job_name",
    "sagemaker_region",
    "sagemaker_enable_cloudwatch_metrics",
)


@dataclass(frozen=True)
class Training:
    """A training job, as its files describe it."""

    hyperparameters: Mapping[str, Any]
    """Those of the script."""
    launcher: Mapping[str, Any]
    """Those of the launcher: `sagemaker_program` and so on."""
    channels: Mapping[str, Mapping[str, Any]]
    resources: Mapping[str, Any]
    root: Path = ML

    @classmethod
    def read(cls, root: Path = ML) -> "Training":
        """Read /opt/ml/input/config."""
        config = root / "input" / "config"
        every = {name: _decoded(value) for name, value in _json(config / "hyperparameters.json").items()}
        launcher = {name: value for name, value in every.items() if name.startswith(OWN_HYPERPARAMETERS)}
        resources = _json(config / "resourceconfig.json") or {"current_host": "algo-1", "hosts": ["algo-1"]}
        return cls(
            {name: value for name, value in every.items() if name not in launcher},
            launcher,
            _json(config / "inputdataconfig.json"),
            resources,
            root,
        )

    @property
    def framework_parameters(self) -> dict[str, Any]:
        """Those of the launcher that only a framework knows what to do with."""
        return {name: value for name, value in self.launcher.items() if name not in KNOWN_PARAMETERS}

    @property
    def program(self) -> str:
        """The script; empty where there is none."""
        return str(self.launcher.get("sagemaker_program") or os.environ.get("SAGEMAKER_PROGRAM", ""))

    @property
    def submit_directory(self) -> str:
        """Where the script comes from."""
        return str(self.launcher.get("sagemaker_submit_directory") or os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY", ""))

    def arguments(self) -> "list[str]":
        """The hyperparameters as a command line has them."""
        words: list[str] = []
        for name, value in sorted(self.hyperparameters.items()):
            words += [f"-{name}" if len(name) == 1 else f"--{name}", _argument(value)]
        return words

    def folders(self) -> "dict[str, Path]":
        """What a script reads and writes, by the name of the variable that says where."""
        return {
            "SM_INPUT_DIR": self.root / "input",
            "SM_INPUT_CONFIG_DIR": self.root / "input" / "config",
            "SM_OUTPUT_DIR": self.root / "output",
            "SM_OUTPUT_DATA_DIR": self.root / "output" / "data",
            "SM_OUTPUT_INTERMEDIATE_DIR": self.root / "output" / "intermediate",
            "SM_MODEL_DIR": self.root / "model",
        }

    def variables(self, code: Path) -> "dict[str, str]":
        """The SM_* variables."""
        return _variables(self, code)


def _variables(training: Training, code: Path) -> "dict[str, str]":
    program, resources, channels = training.program, training.resources, training.channels
    folders = {name: str(path) for name, path in training.folders().items()}
    data = training.root / "input" / "data"
    host, hosts = resources.get("current_host", "algo-1"), resources.get("hosts", ["algo-1"])
    groups = resources.get("instance_groups", [])
    group = resources.get("current_group_name", "homogeneousCluster")
    values: dict[str, Any] = {
        "SM_HOSTS": hosts,
        "SM_CURRENT_HOST": host,
        "SM_CURRENT_INSTANCE_TYPE": resources.get("current_instance_type", "local"),
        "SM_CURRENT_INSTANCE_GROUP": group,
        "SM_CURRENT_INSTANCE_GROUP_HOSTS": next((one["hosts"] for one in groups if one["instance_group_name"] == group), hosts),
        "SM_INSTANCE_GROUPS": [one["instance_group_name"] for one in groups] or [group],
        "SM_INSTANCE_GROUPS_DICT": {one["instance_group_name"]: one for one in groups},
        "SM_DISTRIBUTION_INSTANCE_GROUPS": [],
        "SM_IS_HETERO": len(groups) > 1,
        "SM_NETWORK_INTERFACE_NAME": resources.get("network_interface_name", "eth0"),
        "SM_RESOURCE_CONFIG": resources,
        "SM_INPUT_DATA_CONFIG": channels,
        "SM_CHANNELS": sorted(channels),
        "SM_HPS": training.hyperparameters,
        "SM_USER_ARGS": training.arguments(),
        "SM_USER_ENTRY_POINT": program,
        "SM_MODULE_NAME": Path(program).stem,
        "SM_MODULE_DIR": training.submit_directory or str(code),
        "SM_LOG_LEVEL": training.launcher.get("sagemaker_container_log_level", 20),
        "SM_FRAMEWORK_MODULE": None,
        "SM_FRAMEWORK_PARAMS": training.framework_parameters,
        "SM_NUM_CPUS": len(os.sched_getaffinity(0)),
        "SM_NUM_GPUS": 0,
        "SM_NUM_NEURONS": 0,
    }
    values.update(folders)
    values.update({f"SM_CHANNEL_{name.upper()}": str(data / name) for name in channels})
    values.update({f"SM_HP_{name.upper()}": value for name, value in training.hyperparameters.items()})
    values["SM_TRAINING_ENV"] = _training_env(training, code, values)
    return {name: _text(value) for name, value in values.items()}


def _training_env(training: Training, code: Path, values: Mapping[str, Any]) -> "dict[str, Any]":
    """The same in one JSON document."""
    named = {
        name[3:].lower(): value
        for name, value in values.items()
        if not name.startswith(("SM_CHANNEL_", "SM_HP_", "SM_HPS", "SM_USER_ARGS", "SM_FRAMEWORK_PARAMS", "SM_CHANNELS"))
    }
    data, master = training.root / "input" / "data", min(values["SM_HOSTS"])
    return {
        **named,
        "additional_framework_parameters": training.framework_parameters,
        "channel_input_dirs": {name: str(data / name) for name in training.channels},
        "hyperparameters": dict(training.hyperparameters),
        "is_master": values["SM_CURRENT_HOST"] == master,
        "master_hostname": master,
        "job_name": os.environ.get("TRAINING_JOB_NAME", ""),
        "module_dir": str(values["SM_MODULE_DIR"]),
    }


def _json(path: Path) -> "dict[str, Any]":
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found if isinstance(found, dict) else {}


def _decoded(value: Any) -> Any:
    """A hyperparameter: the SDK writes them as JSON, others as they are."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _argument(value: Any) -> str:
    """A value on a command line, as sagemaker-training writes it."""
    if isinstance(value, dict):
        return ",".join(f"{name}={one}" for name, one in sorted(value.items()))
    return "" if value is None else str(value)


def _text(value: Any) -> str:
    if isinstance(value, (dict, list, tuple, bool)):
        return json.dumps(value, separators=(",", ":"), sort_keys=True, default=str)
    return "" if value is None else str(value)
