"""The server's side of a door, with a doorman that is the test."""

import json
import socket
from concurrent.futures import Future

import pytest

from modelyard.runtime.oci.door import NAME, Door
from modelyard.runtime.process import Runtime

pytestmark = pytest.mark.ours


def test_whoever_gave_up_a_connection_is_in_nobodys_way() -> None:
    """What the doorman answers to one who waits no longer goes nowhere, others hear theirs, and at the end all do."""
    runtime = Runtime()
    door = Door(runtime.loop, (80,))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as doorman:
        doorman.settimeout(30)
        doorman.connect(str(door.folder / NAME))
        asked = [json.loads(doorman.recv(4096))]
        waiting: list[Future[socket.socket]] = []
        for _ in range(5):
            waiting.append(door.connect(8080))
            asked.append(json.loads(doorman.recv(4096)))
        assert asked == [{"listeners": [80]}, *({"connect": 8080, "number": number} for number in range(1, 6))]
        for one in (0, 1, 3):
            assert waiting[one].cancel()
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                socket.send_fds(doorman, [b'{"connected": 1}'], [theirs.fileno()])
            doorman.send(b'{"refused": 2}')
            doorman.send(b'{"refused": 3}')
            with pytest.raises(ConnectionRefusedError, match="nobody listens"):
                waiting[2].result(30)
            ours.settimeout(30)
            assert ours.recv(1) == b""
    with pytest.raises(ConnectionRefusedError, match="the workload has ended"):
        waiting[4].result(30)
    with pytest.raises(ConnectionRefusedError, match="the doorman ended"):
        door.opened.result(30)
    runtime.close()
