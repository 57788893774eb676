"""The programs of the images that the catalogue answers for: the environments that were built from its recipes."""

from contextlib import ExitStack
from pathlib import Path

from modelyard.runtime.environments.built import BuiltEnvironment, NotBuilt, environment_of
from modelyard.runtime.environments.overlay import CannotComplete, overlay_of
from modelyard.runtime.image_programs import ImageProgram, ImageTask, NoProgram, knows_images
from modelyard.runtime.workload import Mount

REQUIREMENTS = Path("code", "requirements.txt")
"""Where the code of a model says which packages it needs beside those of its image."""


@knows_images
def catalogue_program(task: ImageTask) -> ImageProgram | None:
    """The program of a recipe's environment: of the one that was recorded, else of the one that was built last."""
    built = environment_of(task.uri if task.digest is None else f"{task.uri.partition('@')[0]}@{task.digest}", task.data)
    if isinstance(built, NotBuilt):
        if built.recipe is None:
            return None
        raise NoProgram(built.reason)
    with ExitStack() as stack:
        stack.enter_context(built.in_use())
        command, *arguments = built.command([task.word])
        return ImageProgram(
            command=command,
            arguments=tuple(arguments),
            environment=built.environment(),
            mounts=(*built.mounts(), *_overlay(built, task)),
            tells_failure=True,
            close=stack.pop_all().close,
        )


def _overlay(built: BuiltEnvironment, task: ImageTask) -> tuple[Mount, ...]:
    """The packages that the model's code asks for. Raises NoProgram."""
    wanted = None if task.model is None else task.model / REQUIREMENTS
    if wanted is None or not wanted.is_file():
        return ()
    try:
        return overlay_of(built, wanted.read_text(encoding="utf-8", errors="replace"), task.data)
    except CannotComplete as error:
        raise NoProgram(str(error)) from error
