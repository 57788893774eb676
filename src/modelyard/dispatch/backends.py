"""The backend that a server runs models and jobs on, by its settings; functions always run on this machine."""

from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.runtime.backend import Backend
from modelyard.runtime.process import Runtime


def backend_of(dispatcher: Dispatcher) -> Backend:
    """That of the setting `runtime`."""
    return dispatcher.engines.get(Runtime, Runtime)
