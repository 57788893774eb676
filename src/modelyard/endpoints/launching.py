"""Starting instances: model data, programs, environments and sandboxes of their containers."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from modelyard.aws.errors import AwsError
from modelyard.blobs.interface import BlobsUnavailable
from modelyard.dispatch.artifacts import NotLookedUp, keeper
from modelyard.dispatch.backends import program_for
from modelyard.dispatch.context import Context
from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.dispatch.log_lines import LogLines, LogStream
from modelyard.endpoints import model_shelf
from modelyard.endpoints.acting import RoleUnusable, context_of, credentials_of
from modelyard.endpoints.credentials_desk import PATH, Desk
from modelyard.endpoints.deployment import Hosted
from modelyard.endpoints.instance import PORT, Failure, Instance
from modelyard.endpoints.many_models import ManyModels
from modelyard.endpoints.model import MULTI, Document, Name, Runnable
from modelyard.endpoints.model_files import MODEL, ModelFiles, NoModelData, Unpacked
from modelyard.endpoints.model_shelf import INSIDE, Below, Shelf
from modelyard.runtime.backend import Backend, Running
from modelyard.runtime.image_programs import ImageProgram, ImageTask, NoProgram
from modelyard.runtime.process import Heard, Runtime
from modelyard.runtime.workload import MEBIBYTE, CannotRun, Ended, Limits, Mount, Workload
from modelyard.storage.errors import StorageUnavailable

API_PORT = 9100
"""Where Modelyard is reached from inside."""
CREDENTIALS_PORT = 9101
STARTS = 4
"""Instances that are started at a time."""
FETCHES = 4
"""Models of multi-model containers that are fetched at a time."""
LOG_GROUPS = {"transform-job": "/aws/sagemaker/TransformJobs"}
"""Where SageMaker writes what containers of jobs print; each endpoint has a group of its own."""
PROCESSES = 4096
OPEN_FILES = 65_536

_OF_THE_MACHINE = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/tmp",  # noqa: S108 - the sandbox's own
    "LANG": "C.UTF-8",
    "TZ": "UTC",
}
"""What a program of this machine has in its environment; images of a container engine say it themselves."""

log = logging.getLogger("modelyard.endpoints")


@dataclass(frozen=True, slots=True)
class Part:
    """A container that is to be started."""

    name: str
    container: Runnable
    hosted: Hosted
    at: Name
    """The endpoint, the inference component or the job."""


class Launching:
    """Starts instances, a few at a time."""

    def __init__(self, dispatcher: Dispatcher, runtime: Runtime, backend: Backend) -> None:
        self._dispatcher = dispatcher
        self._runtime = runtime
        self._backend = backend
        self._files = ModelFiles(dispatcher.settings.data / "endpoints" / "models")
        self.lines = LogLines("endpoint-logs")
        self._threads = ThreadPoolExecutor(STARTS, thread_name_prefix="endpoint-start")
        self._desks = ThreadPoolExecutor(2, thread_name_prefix="endpoint-credentials")
        self._shelves = dispatcher.settings.data / "endpoints" / "many-models"
        self._fetches = ThreadPoolExecutor(FETCHES, thread_name_prefix="endpoint-models")

    def start(self, at: Name, instance: Instance) -> None:
        """Begin to start an instance of an endpoint. On any thread."""
        try:
            self._threads.submit(self._start, at, instance)
        except RuntimeError:  # the server is stopping
            instance.end(Failure("The server is stopping."))

    def flush_logs(self) -> None:
        """Keep what containers have printed so far."""
        self.lines.flush()

    def clear_away(self) -> None:
        """Remove model data that nobody has run for long, and models of containers that ended with their server."""
        self._threads.submit(self._files.clear_away)
        self._threads.submit(model_shelf.clear_away, self._shelves)

    def close(self) -> None:
        """Start nothing more, and keep what was printed."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._desks.shutdown(wait=True, cancel_futures=True)
        self._fetches.shutdown(wait=True)
        self.lines.close()

    # --- on a thread for starts -----------------------------------------------------------------

    def _start(self, at: Name, instance: Instance) -> None:
        hosted = instance.hosted
        started: list[tuple[str, Running]] = []
        try:
            for index, container in enumerate(hosted.containers):
                part = Part(hosted.name_of(index), container, hosted, at)
                started.append((part.name, self._start_one(instance, part)))
        except (NoModelData, NoProgram) as error:
            self._not_started(instance, started, Failure(str(error), final=True, pings=False))
        except RoleUnusable as error:
            self._not_started(instance, started, Failure(str(error), pings=False))
        except (AwsError, CannotRun, OSError, RuntimeError, StorageUnavailable, BlobsUnavailable) as error:
            self._not_started(instance, started, Failure(f"Request to service failed. {error}", pings=False))
        except Exception:
            log.exception("an instance of %s could not be started", at.arn)
            text = "Request to service failed. The server's log has more."
            self._not_started(instance, started, Failure(text, pings=False))
        else:
            instance.started(started)

    def _not_started(self, instance: Instance, started: list[tuple[str, Running]], failure: Failure) -> None:
        log.warning("instance %s of variant %s could not be started: %s", instance.id, instance.variant, failure.text)
        for _, sandbox in started:
            sandbox.stop(0)
        instance.end(failure)

    def _start_one(self, instance: Instance, part: Part) -> Running:
        acting = context_of(self._dispatcher, part.at, part.hosted.role)
        image = next((one for one in part.container.artifacts if one.kind == "Image"), None)
        unpacked = self._files.take(part.name, part.container, lambda one: self._read(acting, one))
        shelved = self._many_models(instance, part)
        instance.closers += [one.give_back for one in unpacked]
        model = next((one.folder for one in unpacked if one.target == MODEL), None)
        uri, digest = part.container.definition["Image"], None if image is None else image.digest
        program = program_for(self._dispatcher, ImageTask(uri, digest, "serve", self._dispatcher.settings.data, model))
        instance.closers.append(program.close)
        instance.tells_failure = program.tells_failure
        stream = self._stream(instance, part)

        def hear(line: bytes) -> None:
            text = line.decode("utf-8", "replace")
            self.lines.write(stream, text)
            instance.printed(text)

        def ended(how: Ended) -> None:
            instance.container_ended(part.name, how)

        sandbox = self._backend.start(self._workload(part, program, unpacked, shelved), Heard(hear, ended))
        instance.closers += self._served(part, sandbox)
        return sandbox

    def _read(self, acting: Context, one: Document) -> Iterator[bytes]:
        """The bytes of a registered object."""
        keeps = keeper()
        assert keeps is not None, "what is held, a keeper holds"
        try:
            with self._dispatcher.storage.read() as tx:
                yield from keeps.read_pinned(self._dispatcher.blobs, tx, one["Pin"], replace(acting, transaction=tx))
        except (FileNotFoundError, NotLookedUp) as error:
            raise OSError(f"The bytes of s3://{one['Bucket']}/{one['Key']} cannot be had: {error}") from error

    def _stream(self, instance: Instance, part: Part) -> LogStream:
        several = len(part.hosted.containers) > 1
        name = f"{instance.variant}/{instance.id}{f'/{part.name}' if several else ''}"

        def context() -> Context:
            try:
                return context_of(self._dispatcher, part.at, part.hosted.role)
            except RoleUnusable as error:
                raise AwsError(str(error)) from error

        return LogStream(context, LOG_GROUPS.get(part.at.kind, part.at.log_group), name)

    def _served(self, part: Part, sandbox: Running) -> list[Callable[[], None]]:
        """Answer on the ports through which a container reaches Modelyard; what ends that."""
        if part.hosted.isolated:
            return []
        closers: list[Callable[[], None]] = []
        # There are none any more where it has ended at once.
        api, desk = sandbox.listeners.pop(API_PORT, None), sandbox.listeners.pop(CREDENTIALS_PORT, None)
        reception = self._dispatcher.reception
        if api is not None and reception is None:
            api.close()
        elif api is not None and reception is not None:
            closers.append(reception.admit(api))
        if desk is not None:
            role = part.hosted.role
            assert role is not None, "a desk is for a role"
            loop = self._runtime.loop
            desk.setblocking(False)

            async def serve() -> asyncio.Server:
                return await loop.create_server(
                    lambda: Desk(role, lambda: credentials_of(self._dispatcher, part.at, role), self._desks), sock=desk
                )

            server = asyncio.run_coroutine_threadsafe(serve(), loop).result()
            closers.append(lambda: self._runtime.call(server.close))
        return closers

    def _many_models(self, instance: Instance, part: Part) -> list[Mount]:
        """What a multi-model container sees of its models, which are put there while it runs."""
        definition, settings = part.container.definition, self._dispatcher.settings
        if definition.get("Mode") != MULTI:
            return []
        source = Below(self._dispatcher, part.at, part.hosted.role, definition["ModelDataUrl"])
        shelf = Shelf(self._shelves / f"{instance.id}-{part.name}", source, settings.multi_model_disk_mib * MEBIBYTE)
        instance.closers.append(lambda: self._later(shelf.close))
        kept = definition.get("MultiModelConfig", {}).get("ModelCacheSetting") != "Disabled"
        instance.models[part.name] = ManyModels(shelf, self._fetches, kept=kept)
        return [Mount(shelf.models, INSIDE, grows=True)]

    def _later(self, work: Callable[[], None]) -> None:
        """Do what takes long on another thread, as long as there are any."""
        try:
            self._fetches.submit(work)
        except RuntimeError:
            work()

    def _workload(self, part: Part, program: ImageProgram, unpacked: list[Unpacked], shelved: list[Mount]) -> Workload:
        ports: tuple[int, ...] = () if part.hosted.isolated else (API_PORT,)
        if part.hosted.role is not None and ports:
            ports += (CREDENTIALS_PORT,)
        memory = (part.hosted.memory_mib or self._dispatcher.settings.instance_memory_mib) * MEBIBYTE
        return Workload(
            command=program.command,
            arguments=program.arguments,
            environment={"MODELYARD_MEMORY_BYTES": str(memory), **_variables(part, program)},
            mounts=(*program.mounts, *(Mount(one.folder, one.target) for one in unpacked), *shelved),
            directory=program.directory,
            limits=limits_of(memory, program.image),
            listeners=ports,
            hidden=(self._dispatcher.settings.data,),
            image=program.image,
        )


def limits_of(memory: int, image: str | None) -> Limits:
    """What a container may use up. One of an image writes to the engine's disk too."""
    file_bytes = None if image is None else memory
    return Limits(memory=memory, scratch=memory // 2, file_bytes=file_bytes, processes=PROCESSES, open_files=OPEN_FILES)


def _variables(part: Part, program: ImageProgram) -> Mapping[str, str]:
    """The environment of a container, as SageMaker sets it; what its model sets goes over what its image does."""
    region = part.at.region
    given: dict[str, str] = {
        **(_OF_THE_MACHINE if program.image is None else {}),
        **program.environment,
        **part.container.definition.get("Environment", {}),
        "SAGEMAKER_BIND_TO_PORT": str(PORT),
        "SAGEMAKER_SAFE_PORT_RANGE": "8081-8999",
        **({"SAGEMAKER_MULTI_MODEL": "true"} if part.container.definition.get("Mode") == MULTI else {}),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }
    if not part.hosted.isolated:
        given["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{API_PORT}"
        if part.hosted.role is not None:
            given["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"http://127.0.0.1:{CREDENTIALS_PORT}{PATH}"
    return given
