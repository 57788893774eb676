"""Runs a server until it is told to stop."""

import asyncio
import errno
import gc
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import cast

import uvicorn
from uvicorn._types import ASGIApplication
from uvicorn.server import ServerState

from modelyard.server import logs
from modelyard.server.app import Application
from modelyard.server.certificates import Certificates
from modelyard.server.composition import House, build
from modelyard.server.connection import Connection
from modelyard.server.front_door import BACKLOG, FrontDoor
from modelyard.settings import Settings, SettingsError

try:
    from uvloop import new_event_loop
except ImportError:  # where uvloop does not run, asyncio's own loop does, slower
    from asyncio import new_event_loop  # type: ignore[assignment]

SWITCH_SECONDS = 0.0005
"""How long a thread may keep the interpreter from the others: neither the event loop nor the writer should wait for a search."""

log = logging.getLogger("modelyard.server")


def serve(settings: Settings, ready: Callable[[int], None]) -> None:
    """Serve until SIGTERM or SIGINT. `ready` is called with the port once requests are answered.

    Told to stop, the server accepts nothing more, lets requests that are under way finish for `stop_seconds`, commits
    every write that is queued, and returns. A second signal cuts the wait short, not the commits.

    Several servers may run on one data directory, on SQLite too: the database keeps their writes apart. Raises SettingsError
    with one sentence when the server cannot start.
    """
    check_data_directory(settings)
    sockets = listen(settings.host, settings.port)
    writer = logs.LogWriter(settings.log_format)
    try:
        logs.set_up(writer, settings.log_level)
        house = build(settings)
        try:
            house.start_workers()
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                runner.run(_run(house, sockets, writer, ready))
        finally:
            house.close()
    finally:
        for listener in sockets:
            listener.close()
        writer.close()


def check_data_directory(settings: Settings) -> None:
    """Raise SettingsError when the data directory is not there or may not be written."""
    data = settings.data
    if not data.is_dir():
        raise SettingsError(f"There is no data directory {data}: make it with `modelyard init --data {data}`.")
    if not os.access(data, os.W_OK | os.X_OK):
        raise SettingsError(f"The data directory {data} may not be written by this user.")


def listen(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen on every address of `host`, on one port. Raises SettingsError with one sentence."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise SettingsError(f"The host {host} has no address to listen on: {error.strerror}.") from error
    listening: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((family, address[0]) for family, _, _, _, address in found):
            taken = listening[0].getsockname()[1] if listening else port
            listening.append(_listener(family, str(address), taken))
    except OSError as error:
        for listener in listening:
            listener.close()
        raise SettingsError(_why_not(error, host, port)) from error
    return listening


def _listener(family: int, address: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} of {host} is taken by another program: stop it, or give another port (0 takes a free one)."
    if error.errno == errno.EACCES:
        return f"This user may not listen on port {port}: give a port above 1023."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine."
    return f"Cannot listen on port {port} of {host}: {error.strerror}."


async def _run(house: House, sockets: list[socket.socket], writer: logs.LogWriter, ready: Callable[[int], None]) -> None:
    settings = house.settings
    stopping, hurrying = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        if threading.current_thread() is threading.main_thread():
            asyncio.get_running_loop().add_signal_handler(number, _told_to_stop, stopping, hurrying)
    application = Application(house, writer)
    state = ServerState()
    config = uvicorn.Config(
        cast(ASGIApplication, application), interface="asgi3", ws="none", log_config=None, access_log=False, proxy_headers=False
    )
    config.load()
    certificates = Certificates(settings.data / "tls", settings.host)
    door = FrontDoor(settings, lambda: Connection(settings, config, state, {}), state, certificates)
    door.open(sockets)
    _spare_the_collector()
    sys.setswitchinterval(SWITCH_SECONDS)
    house.dispatcher.reception = door
    port = sockets[0].getsockname()[1]
    log.info("serving on %s port %d, data in %s", settings.host, port, settings.data)
    try:
        ready(port)
        await stopping.wait()
        log.info("stopping")
    finally:
        house.dispatcher.engines.warn()
        application.waiting.close()
        await _stop(door, state, settings.stop_seconds, hurrying)
        application.close()


def _spare_the_collector() -> None:
    """What start-up made stays for good, and requests leave no cycles behind: look seldom, and not at the former."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _told_to_stop(stopping: asyncio.Event, hurrying: asyncio.Event) -> None:
    if stopping.is_set():
        hurrying.set()
    stopping.set()


async def _stop(door: FrontDoor, state: ServerState, seconds: float, hurrying: asyncio.Event) -> None:
    """Close the door, and wait for the requests that are inside."""
    door.close()
    hurry = asyncio.ensure_future(hurrying.wait())
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while state.tasks and loop.time() < deadline and not hurry.done():
        await asyncio.wait({*state.tasks, hurry}, timeout=deadline - loop.time(), return_when=asyncio.FIRST_COMPLETED)
    hurry.cancel()
    if state.tasks:
        log.warning("%d requests were not finished in time", len(state.tasks))
    door.abort()
    for task in list(state.tasks):
        task.cancel()
    await asyncio.gather(*state.tasks, return_exceptions=True)
