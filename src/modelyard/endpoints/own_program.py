"""The image `modelyard/program`: the model's own program, `serve.py` in its model data, on the Python that runs the server.

It needs nothing built. The program has the whole contract of a container to itself: it listens on SAGEMAKER_BIND_TO_PORT and
answers GET /ping and POST /invocations. Where it has no model data, because it is to serve many models, it is the program of the
shipped images: each model brings `code/inference.py`.
"""

import re
import sys
from pathlib import Path

from modelyard.runtime import programs
from modelyard.runtime.base import python_mounts
from modelyard.runtime.image_programs import ImageProgram, ImageTask, knows_images
from modelyard.runtime.workload import Mount

IMAGE = re.compile(r"(?:[^/]+/)?modelyard/program(?::[A-Za-z0-9._-]+)?")

UNBUFFERED = {"PYTHONUNBUFFERED": "1"}
PLACE = "/opt/modelyard"
PROGRAMS = Mount(Path(programs.__file__).parent, f"{PLACE}/modelyard_programs")
SERVE = ("-m", "modelyard_programs.serve")


@knows_images
def own_program(task: ImageTask) -> ImageProgram | None:
    """The program that a model brings along."""
    if task.word != "serve" or not IMAGE.fullmatch(task.uri):
        return None
    if task.model is None:
        return ImageProgram(sys.executable, SERVE, {**UNBUFFERED, "PYTHONPATH": PLACE}, (*python_mounts(), PROGRAMS))
    return ImageProgram(sys.executable, ("serve.py",), UNBUFFERED, python_mounts(), "/opt/ml/model")
