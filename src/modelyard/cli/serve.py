"""`modelyard serve`: the server, in the foreground."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Annotated

import typer

from modelyard.cli import running
from modelyard.cli.options import DEFAULT_DATA, Data, settings_of
from modelyard.server.serve import serve as serve_until_told
from modelyard.settings import Settings


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("serve")(serve)


def serve(
    data: Data = DEFAULT_DATA,
    host: Annotated[str | None, typer.Option("--host", help="The address to listen on.  [default: 127.0.0.1]")] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="The port for everything; 0 takes a free one.  [default: 9100]")
    ] = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C, in the foreground.

    Prints one line, `ready http://HOST:PORT`, on standard output once it answers; logs go to standard error.
    """
    settings = settings_of(data, host=host, port=port)
    with ExitStack() as stack:
        serve_until_told(settings, _announce(settings, stack))


def _announce(settings: Settings, stack: ExitStack) -> Callable[[int], None]:
    def ready(port: int) -> None:
        address = running.address(settings.host, port)
        stack.enter_context(running.announced(settings.data, address))
        print(f"ready {address}", flush=True)

    return ready
