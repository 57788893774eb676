"""Which program an image stands for: what a workload runs, and sees, when it is to be one of that image.

Whoever knows images says so once (`knows_programs`), and whoever runs workloads asks `program_of`; neither imports the other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from modelyard.runtime.workload import Mount


@dataclass(frozen=True, slots=True)
class Program:
    """What is started for an image."""

    command: str
    """The path of the program, inside."""
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    """What the image itself sets; whoever starts it sets more over it."""
    mounts: tuple[Mount, ...] = ()
    directory: str = "/"


class NoProgram(Exception):
    """An image cannot be run here; the text says why, and what would help."""


Find = Callable[[str, str | None, str], Program | None]
"""The program of an image, by its URI, its digest if that is known, and what it is asked to do (`serve`, `train`); None for an
image that one does not know. May take long, since it may have to be built. Raises NoProgram when that fails."""
_known: list[Find] = []


def knows_programs(find: Find) -> Find:
    """Declare how the programs of some images are found; what is declared later is asked first."""
    _known.insert(0, find)
    return find


def program_of(uri: str, digest: str | None, task: str) -> Program:
    """The program of an image. Raises NoProgram."""
    for find in _known:
        found = find(uri, digest, task)
        if found is not None:
            return found
    raise NoProgram(f"There is no recipe for the image {uri} on this server.")
