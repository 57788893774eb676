"""Events as targets and patterns see them: the JSON of an event."""

from collections.abc import Sequence
from datetime import UTC, datetime

import orjson

SCHEDULED = "Scheduled Event"


def text(
    *, id: str, detail_type: str, source: str, account: str, time: float, region: str, resources: Sequence[str], detail: str
) -> str:
    """The JSON of an event; `detail` is JSON already."""
    head = {
        "version": "0",
        "id": id,
        "detail-type": detail_type,
        "source": source,
        "account": account,
        "time": moment(time),
        "region": region,
        "resources": list(resources),
    }
    return f'{orjson.dumps(head).decode()[:-1]},"detail":{detail}}}'


def moment(time: float) -> str:
    """A time as EventBridge writes it."""
    return datetime.fromtimestamp(int(time), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
