"""Compile the requirement files anew, to the newest versions that fit together: `make requirements`.

What is written names no package index and no path, so that the files install from anywhere.
"""

import subprocess
import sys
from pathlib import Path

from make_environment import PROJECT, Environment

FOLDER = Path("requirements")
COMPILATIONS = (
    ("development.txt", ["pyproject.toml", "--extra", "development", "--extra", "demo", "--extra", "signing"]),
    ("demo.txt", ["pyproject.toml", "--extra", "demo", "-c", "requirements/development.txt"]),
    ("tools.txt", ["requirements/tools.in", "-c", "requirements/development.txt"]),
    ("runtime.txt", ["pyproject.toml", "-c", "requirements/development.txt"]),
    ("ray.txt", ["pyproject.toml", "--extra", "ray", "-c", "requirements/development.txt"]),
    ("sdk2.txt", ["requirements/sdk2.in"]),
    ("sdk3.txt", ["requirements/sdk3.in"]),
    ("s3fs.txt", ["requirements/s3fs.in"]),
    ("bench-mlflow.txt", ["requirements/bench-mlflow.in"]),
    ("bench-moto.txt", ["requirements/bench-moto.in"]),
    ("bench-ray.txt", ["requirements/bench-ray.in"]),
)
"""The order matters: what runs is what was developed with."""


def main(names: list[str]) -> int:
    """Compile the named files, or all of them."""
    uv, variables = Environment(PROJECT / ".venv").uv()
    for output, sources in COMPILATIONS:
        if names and output not in names:
            continue
        command = [
            *uv, "pip", "compile", "--quiet", "--upgrade", "--universal", "--python-version", "3.11", "--no-header",
            "--no-emit-index-url", "--no-emit-find-links", "--no-annotate", "-o", str(FOLDER / output), *sources,
        ]  # fmt: skip
        print(f"compiling {output}", file=sys.stderr)
        if code := subprocess.run(command, env=variables, cwd=PROJECT, check=False).returncode:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
