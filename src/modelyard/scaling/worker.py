"""What scaling does by itself, every second."""

from collections.abc import Callable

from modelyard.scaling.engine import Engine, House

SECONDS = 1.0


def turn(house: House) -> None:
    """Do once what there is to do. For tests and tools."""
    Engine(house).turn()


def periodic(house: House) -> tuple[float, Callable[[], None]]:
    """What the server calls from time to time, and after how many seconds each time."""
    return SECONDS, Engine(house).turn
