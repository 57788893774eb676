"""What a container is told by its environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ML = Path("/opt/ml")


@dataclass(frozen=True)
class Settings:
    """The settings of the serving program."""

    model: Path
    program: str
    """The script that was asked for; empty for `inference.py`, where that is there."""
    submit_directory: str
    framework: str
    port: int
    workers: int
    threads: int
    """Requests that are in the model at the same time, in each worker."""
    default_accept: str
    multi_model: bool
    memory: int
    """Bytes that the container may use; 0 where nobody said."""
    batch: bool
    """Whether a batch transform asks, one answer to a line."""

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """The settings that an environment gives."""
        return cls(
            model=Path(environment.get("SAGEMAKER_MODEL_DIR") or ML / "model"),
            program=environment.get("SAGEMAKER_PROGRAM", ""),
            submit_directory=environment.get("SAGEMAKER_SUBMIT_DIRECTORY", ""),
            framework=environment.get("SAGEMAKER_FRAMEWORK", "python"),
            port=_number(environment, "SAGEMAKER_BIND_TO_PORT", 8080),
            workers=max(1, _number(environment, "SAGEMAKER_MODEL_SERVER_WORKERS", 1)),
            threads=max(1, _number(environment, "MODELYARD_MODEL_THREADS", 1)),
            default_accept=environment.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", ""),
            multi_model=environment.get("SAGEMAKER_MULTI_MODEL", "").lower() in ("true", "1"),
            memory=_number(environment, "MODELYARD_MEMORY_BYTES", 0),
            batch=environment.get("SAGEMAKER_BATCH", "").lower() in ("true", "1"),
        )


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, "").strip()
    return int(text) if text.isdecimal() else default
