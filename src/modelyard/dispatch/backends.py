"""The backend that a server runs models and jobs on, by its settings; functions always run in sandboxes of this machine."""

import threading

from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.runtime.backend import Backend
from modelyard.runtime.cluster.backend import ClusterBackend
from modelyard.runtime.cluster.placing import RayPlacing, why_not
from modelyard.runtime.image_programs import ImageProgram, ImageTask, program_of
from modelyard.runtime.oci.containers import Containers
from modelyard.runtime.oci.engine import Engine
from modelyard.runtime.process import Runtime
from modelyard.settings import Settings, SettingsError


def check_backend(settings: Settings) -> None:
    """Raise SettingsError when nothing could ever be run as the settings say."""
    if settings.runtime == "ray" and (why := why_not()):
        raise SettingsError(why)


def backend_of(dispatcher: Dispatcher) -> Backend:
    """That of the setting `runtime`."""
    process = dispatcher.engines.get(Runtime, Runtime)
    if dispatcher.settings.runtime == "oci":
        return dispatcher.engines.get(Containers, lambda: Containers(process, Engine(dispatcher.settings.container_engine)))
    if dispatcher.settings.runtime == "ray":
        return dispatcher.engines.get(ClusterBackend, lambda: _on_ray(dispatcher))
    return process


def _on_ray(dispatcher: Dispatcher) -> ClusterBackend:
    settings = dispatcher.settings
    placing = RayPlacing(settings.ray_address, settings.ray_namespace, settings.ray_cpus, settings.ray_wait_seconds)
    # Whoever starts the server should read at once that there is no cluster; the server does not wait for one.
    threading.Thread(target=placing.look, name="ray-look", daemon=True).start()
    return ClusterBackend(placing, lambda: dispatcher.engines.closing)


def program_for(dispatcher: Dispatcher, task: ImageTask) -> ImageProgram:
    """The program of an image: the container engine's where there is one that has it, else a recipe's. Raises NoProgram."""
    backend = backend_of(dispatcher)
    found = backend.program(task) if isinstance(backend, Containers) else None
    return found or program_of(task)
