"""Which program an image stands for: what a workload runs, and sees, when it is to be one of that image.

Whoever knows images says so once (`knows_images`), and whoever runs workloads asks `program_of`; neither imports the other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from modelyard.runtime.workload import Mount


@dataclass(frozen=True, slots=True)
class ImageTask:
    """What an image is to do."""

    uri: str
    digest: str | None
    """The digest that was recorded for it, where one was."""
    word: str
    """`serve` or `train`."""
    data: Path
    """The data directory of the server."""
    model: Path | None = None
    """The folder of the model data, which may ask for more packages."""


@dataclass(frozen=True, slots=True)
class ImageProgram:
    """What is started for an image."""

    command: str
    """The path of the program, inside; empty for that of an image."""
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    """What the image itself sets; whoever starts it sets more over it."""
    mounts: tuple[Mount, ...] = ()
    directory: str = "/"
    tells_failure: bool = False
    """Whether it answers /ping with 500 only when it will never serve, and says why."""
    image: str | None = None
    """An image of the container engine that it is in."""
    close: Callable[[], None] = lambda: None
    """Called once nothing of it runs any more."""


class NoProgram(Exception):
    """An image cannot be run here; the text says why, and what would help."""


Find = Callable[[ImageTask], ImageProgram | None]
"""The program of an image; None for an image that one does not know. May take long. Raises NoProgram."""
_known: list[Find] = []


def knows_images(find: Find) -> Find:
    """Declare how the programs of some images are found; what is declared later is asked first."""
    _known.insert(0, find)
    return find


def program_of(task: ImageTask) -> ImageProgram:
    """The program of an image. Raises NoProgram."""
    for find in _known:
        found = find(task)
        if found is not None:
            return found
    raise NoProgram(f"There is no recipe for the image {task.uri} on this server.")
