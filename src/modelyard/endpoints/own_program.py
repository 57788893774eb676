"""The image `modelyard/program`: the model's own program, `serve.py` in its model data, on the Python that runs the server.

It needs nothing built. The program has the whole contract of a container to itself: it listens on SAGEMAKER_BIND_TO_PORT and
answers GET /ping and POST /invocations.
"""

import re
import sys

from modelyard.runtime.base import python_mounts
from modelyard.runtime.image_programs import ImageProgram, ImageTask, knows_images

IMAGE = re.compile(r"(?:[^/]+/)?modelyard/program(?::[A-Za-z0-9._-]+)?")


@knows_images
def own_program(task: ImageTask) -> ImageProgram | None:
    """The program that a model brings along."""
    if task.word != "serve" or not IMAGE.fullmatch(task.uri):
        return None
    return ImageProgram(sys.executable, ("serve.py",), {"PYTHONUNBUFFERED": "1"}, python_mounts(), "/opt/ml/model")
