"""The environments of this server: kept warm, one for each invocation that runs at the same time, no more than may be.

Nobody waits for an environment: an invocation gets one at once, or is told that too many run. So functions that invoke functions
cannot wait for each other for ever.
"""

import logging
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from modelyard.aws.errors import AwsError
from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.functions.acting import credentials_of
from modelyard.functions.code_cache import CodeCache
from modelyard.functions.environment import Environment
from modelyard.functions.failures import invalid, stopping, too_many
from modelyard.functions.function import Version
from modelyard.functions.interpreters import Interpreter, Interpreters, NoInterpreter
from modelyard.functions.invocation import Invocation
from modelyard.functions.log_book import LogBook, Stream
from modelyard.runtime.process import Heard, Runtime, Sandbox
from modelyard.runtime.workload import MEBIBYTE, CannotRun, Ended, Limits, Mount, Workload

API_PORT = 9001
ENDPOINT_PORT = 9100
TASK = "/var/task"
LONGEST_LIFE = 3600.0
"""After so many seconds an environment takes no more invocations: its credentials would get old."""
LOOK_SECONDS = 5.0
STARTS = 4
"""Environments that are started at a time."""

log = logging.getLogger("modelyard.functions")
Kind = tuple[int, str, str]


def _kind(version: Version) -> Kind:
    """What environments have in common that can take each other's invocations."""
    return (version.function_id, version.at.qualifier, version.document["RevisionId"])


class Environments:
    """The engine that runs functions (`dispatch.engines`)."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._runtime = dispatcher.engines.get(Runtime, Runtime)
        self.loop = self._runtime.loop
        self._log_book = LogBook(dispatcher)
        self._codes = CodeCache(dispatcher.settings.data / "functions")
        self._interpreters = Interpreters()
        self._starts = ThreadPoolExecutor(STARTS, thread_name_prefix="function-start")
        self._idle: dict[Kind, list[Environment]] = {}
        self._all: set[Environment] = set()
        self._most = dispatcher.settings.function_environments
        self._closed = False
        self._runtime.call(self._look)

    @classmethod
    def of(cls, dispatcher: Dispatcher) -> "Environments":
        """Those of a server."""
        return dispatcher.engines.get(cls, lambda: cls(dispatcher))

    def invoke(self, invocation: Invocation) -> None:
        """Run an invocation, which is told what came of it. On any thread."""
        self._runtime.call(self._assign, invocation)

    def expect(self, runtime: str) -> None:
        """A function with this runtime was made: find its interpreter before it is invoked. On any thread, and quick."""
        self._starts.submit(self._find, runtime)

    def _find(self, runtime: str) -> None:
        # Whoever invokes the function is told.
        with suppress(NoInterpreter):
            self._interpreters.of(runtime)

    @property
    def room(self) -> int:
        """How many more invocations could run now, about."""
        idle = sum(len(waiting) for waiting in list(self._idle.values()))
        return max(0, self._most - len(self._all) + idle)

    def flush_logs(self) -> None:
        """Keep what functions have printed so far, for tests and tools."""
        self._log_book.flush()

    def close(self) -> None:
        """End all of them."""
        self._closed = True
        for environment in list(self._all):
            self._runtime.call(environment.stop)
        self._starts.shutdown(wait=True, cancel_futures=True)
        deadline = time.monotonic() + 5
        while self._all and time.monotonic() < deadline:
            time.sleep(0.01)
        self._log_book.close()
        self._codes.close()

    # --- on the runtime's thread ----------------------------------------------------------------

    def _assign(self, invocation: Invocation) -> None:
        if self._closed:
            invocation.refuse(stopping())
            return
        waiting = self._idle.get(_kind(invocation.version), [])
        while waiting:
            environment = waiting.pop()
            if not environment.ending:
                environment.take(invocation)
                return
        if len(self._all) >= self._most and not self._make_room():
            invocation.refuse(too_many())
            return
        stream = self._new_stream(invocation.version)
        environment = Environment(self, self._log_book, stream, invocation)
        self._all.add(environment)
        self._starts.submit(self._start, environment, invocation)

    def _make_room(self) -> bool:
        """End the environment that has idled longest; whether there was one."""
        idle = [environment for waiting in self._idle.values() for environment in waiting if not environment.ending]
        if not idle:
            return False
        longest = min(idle, key=lambda one: one.idle_since)
        self._retire(longest)
        return True

    def _retire(self, environment: Environment) -> None:
        waiting = self._idle.get(_kind(environment.version), [])
        if environment in waiting:
            waiting.remove(environment)
        # It counts no more, though it takes a moment to end.
        self._all.discard(environment)
        environment.stop()

    def freed(self, environment: Environment) -> None:
        """An environment can take another invocation."""
        if self._closed or environment.ending or time.monotonic() - environment.born > LONGEST_LIFE:
            environment.stop()
            return
        environment.idle_since = time.monotonic()
        self._idle.setdefault(_kind(environment.version), []).append(environment)

    def again(self, invocation: Invocation) -> None:
        """An environment ended before it began an invocation."""
        self._assign(invocation)

    def gone(self, environment: Environment) -> None:
        """An environment has ended."""
        self._all.discard(environment)
        waiting = self._idle.get(_kind(environment.version), [])
        if environment in waiting:
            waiting.remove(environment)

    def _look(self) -> None:
        """Every few seconds: end environments that have had nothing to do for long."""
        if self._closed:
            return
        before = time.monotonic() - self._dispatcher.settings.function_idle_seconds
        for waiting in list(self._idle.values()):
            for environment in [one for one in waiting if one.idle_since < before]:
                self._retire(environment)
        self._idle = {kind: waiting for kind, waiting in self._idle.items() if waiting}
        self.loop.call_later(LOOK_SECONDS, self._look)

    def _new_stream(self, version: Version) -> Stream:
        day = time.strftime("%Y/%m/%d", time.gmtime())
        name = f"{day}/[{version.at.qualifier}]{secrets.token_hex(16)}"
        return Stream(version, version.document["LoggingConfig"]["LogGroup"], name)

    # --- on a thread for starts -----------------------------------------------------------------

    def _start(self, environment: Environment, invocation: Invocation) -> None:
        try:
            sandbox = self._started(environment)
        except Exception as error:  # whatever it is, somebody waits for the invocation, and the environment counts
            self._runtime.call(self._not_started, environment, invocation, error)
        else:
            self._runtime.call(self._begin, environment, sandbox)

    def _started(self, environment: Environment) -> Sandbox:
        """A sandbox with the code of a function. Raises what prevents it."""
        version = environment.version
        interpreter = self._interpreters.of(version.document["Runtime"])
        code = self._codes.take(version.digest, self._dispatcher.blobs.read)
        runtime = f"{version.document['Runtime']} on Python {interpreter.version}"
        self._log_book.write(environment.stream, f"INIT_START Runtime Version: {runtime}")
        try:
            workload = self._workload(environment, code, interpreter)
            return self._runtime.start(workload, Heard(environment.hear, environment.ended))
        except BaseException:
            self._codes.give_back(version.digest)
            raise

    def _begin(self, environment: Environment, sandbox: Sandbox) -> None:
        closers = [lambda: self._codes.give_back(environment.version.digest)]
        endpoint, api = sandbox.listeners.pop(ENDPOINT_PORT, None), sandbox.listeners.pop(API_PORT, None)
        if endpoint is None or api is None:  # it has ended already
            closers.pop()()
            return
        if self._dispatcher.reception is None:
            endpoint.close()
        else:
            closers.append(self._dispatcher.reception.admit(endpoint))
        environment.begin(sandbox, api, closers)
        if environment.ending:
            environment.stop()

    def _not_started(self, environment: Environment, invocation: Invocation, error: Exception) -> None:
        known = isinstance(error, AwsError | NoInterpreter | CannotRun | OSError | RuntimeError)
        log.warning("%s cannot be started: %s", environment.version.at.arn, error, exc_info=None if known else error)
        environment.invocation = None
        environment.ended(Ended(None, None, "", 0))
        told = str(error) if known else f"The function cannot be started ({type(error).__name__})."
        invocation.refuse(error if isinstance(error, AwsError) else invalid(told))

    def _workload(self, environment: Environment, code: Path, interpreter: Interpreter) -> Workload:
        version, document = environment.version, environment.version.document
        return Workload(
            command=interpreter.program,
            arguments=("-m", "awslambdaric", document["Handler"]),
            environment=self._variables(version, environment.stream),
            mounts=(*interpreter.mounts, Mount(code, TASK)),
            directory=TASK,
            limits=Limits(
                memory=document["MemorySize"] * MEBIBYTE,
                scratch=document["EphemeralStorage"]["Size"] * MEBIBYTE,
            ),
            listeners=(API_PORT, ENDPOINT_PORT),
            hidden=(self._dispatcher.settings.data,),
        )

    def _variables(self, version: Version, stream: Stream) -> dict[str, str]:
        document = version.document
        credentials = credentials_of(self._dispatcher, version)
        return {
            **document.get("Environment", {}).get("Variables", {}),
            "AWS_ACCESS_KEY_ID": credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
            "AWS_SESSION_TOKEN": credentials.session_token,
            "AWS_REGION": version.at.region,
            "AWS_DEFAULT_REGION": version.at.region,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{ENDPOINT_PORT}",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{document['Runtime']}",
            "AWS_LAMBDA_FUNCTION_NAME": version.at.name,
            "AWS_LAMBDA_FUNCTION_VERSION": version.at.qualifier,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(document["MemorySize"]),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": stream.group,
            "AWS_LAMBDA_LOG_STREAM_NAME": stream.name,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{API_PORT}",
            "LAMBDA_TASK_ROOT": TASK,
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "_HANDLER": document["Handler"],
            "HOME": "/tmp",  # noqa: S108 - the sandbox's own
            "LANG": "C.UTF-8",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHONDONTWRITEBYTECODE": "1",
            "TZ": ":UTC",
        }
