"""The backend that a server runs models and jobs on, by its settings; functions always run in sandboxes of this machine."""

from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.runtime.backend import Backend
from modelyard.runtime.image_programs import ImageProgram, ImageTask, program_of
from modelyard.runtime.oci.containers import Containers
from modelyard.runtime.oci.engine import Engine
from modelyard.runtime.process import Runtime


def backend_of(dispatcher: Dispatcher) -> Backend:
    """That of the setting `runtime`."""
    process = dispatcher.engines.get(Runtime, Runtime)
    if dispatcher.settings.runtime == "oci":
        return dispatcher.engines.get(Containers, lambda: Containers(process, Engine(dispatcher.settings.container_engine)))
    return process


def program_for(dispatcher: Dispatcher, task: ImageTask) -> ImageProgram:
    """The program of an image: the container engine's where there is one that has it, else a recipe's. Raises NoProgram."""
    backend = backend_of(dispatcher)
    found = backend.program(task) if isinstance(backend, Containers) else None
    return found or program_of(task)
