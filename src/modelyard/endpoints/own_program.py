"""The image `modelyard/program`: the model's own program, `serve.py` in its model data, on the Python that runs the server.

It needs nothing built. The program has the whole contract of a container to itself: it listens on SAGEMAKER_BIND_TO_PORT and
answers GET /ping and POST /invocations.
"""

import re
import sys

from modelyard.runtime.base import python_mounts
from modelyard.runtime.programs import Program, knows_programs

IMAGE = re.compile(r"(?:[^/]+/)?modelyard/program(?::[A-Za-z0-9._-]+)?")


@knows_programs
def own_program(uri: str, _digest: str | None, task: str) -> Program | None:
    """The program that a model brings along."""
    if task != "serve" or not IMAGE.fullmatch(uri):
        return None
    return Program(sys.executable, ("serve.py",), {"PYTHONUNBUFFERED": "1"}, python_mounts(), "/opt/ml/model")
