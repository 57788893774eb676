"""All the SQL of metrics and their values; that of alarms is in store_alarms.py."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from modelyard.metrics.aggregate import Aggregate
from modelyard.metrics.incoming import Slot
from modelyard.metrics.metric import Dimensions, Metric
from modelyard.metrics.retention import resolutions
from modelyard.metrics.sketch import decoded
from modelyard.storage.interface import Row, Transaction

SEEN_SECONDS = 300
"""How exact it is kept when a metric last got a datapoint: to write it each time would cost more than the datapoint."""
_VALUE = "samples, total, minimum, maximum, sketch"
_SAME = "account = :account AND region = :region AND namespace = :namespace AND name = :name AND dimensions = :dimensions"


def _named(metric: Metric) -> dict[str, Any]:
    return {
        "account": metric.account,
        "region": metric.region,
        "namespace": metric.namespace,
        "name": metric.name,
        "dimensions": dimensions_text(metric.dimensions),
    }


def dimensions_text(dimensions: Dimensions) -> str:
    """Dimensions as they are kept."""
    return orjson.dumps(dimensions).decode()


def metric_id(tx: Transaction, metric: Metric) -> int | None:
    """The number of a metric; None for one that never got a datapoint."""
    row = tx.one(f"SELECT id FROM metric WHERE {_SAME}", _named(metric))
    return None if row is None else int(row[0])


def seen(tx: Transaction, metric: Metric, now: float) -> int:
    """Note that a metric gets a datapoint; its number."""
    named, moment = _named(metric), int(now // SEEN_SECONDS) * SEEN_SECONDS
    row = tx.one(f"SELECT id, seen FROM metric WHERE {_SAME}", named)
    if row is not None and row[1] >= moment:
        return int(row[0])
    tx.execute(
        "INSERT INTO metric (account, region, namespace, name, dimensions, seen)"
        " VALUES (:account, :region, :namespace, :name, :dimensions, :seen)"
        " ON CONFLICT (account, region, namespace, name, dimensions) DO UPDATE SET seen = excluded.seen",
        {**named, "seen": moment},
    )
    if row is not None:
        return int(row[0])
    made = tx.one(f"SELECT id FROM metric WHERE {_SAME}", named)
    assert made is not None
    return int(made[0])


def add(tx: Transaction, number: int, values: Mapping[Slot, Aggregate]) -> None:
    """Add values to a metric, to what it has in the same slots."""
    rows = []
    for slot, aggregate in values.items():
        key = {"metric_id": number, "resolution": slot.resolution, "start": slot.start, "unit": slot.unit}
        row = tx.one(
            f"SELECT {_VALUE} FROM metric_value WHERE metric_id = :metric_id AND resolution = :resolution"
            " AND start = :start AND unit = :unit",
            key,
        )
        kept = aggregate
        if row is not None:
            kept = _aggregate(row)
            kept.merge(aggregate)
        rows.append(
            {
                **key,
                "samples": kept.samples,
                "total": kept.total,
                "minimum": kept.minimum,
                "maximum": kept.maximum,
                "sketch": None if kept.sketch is None else kept.sketch.encoded(),
            }
        )
    tx.execute_many(
        "INSERT INTO metric_value (metric_id, resolution, start, unit, samples, total, minimum, maximum, sketch)"
        " VALUES (:metric_id, :resolution, :start, :unit, :samples, :total, :minimum, :maximum, :sketch)"
        " ON CONFLICT (metric_id, resolution, start, unit) DO UPDATE SET samples = excluded.samples, total = excluded.total,"
        " minimum = excluded.minimum, maximum = excluded.maximum, sketch = excluded.sketch",
        rows,
    )


def _aggregate(row: Row) -> Aggregate:
    samples, total, minimum, maximum, sketch = row
    return Aggregate(samples, total, minimum, maximum, None if sketch is None else decoded(bytes(sketch)))


Point = tuple[int, str]
"""When a datapoint begins, and its unit."""


def datapoints(
    tx: Transaction, number: int, start: int, end: float, period: int, unit: str | None, *, sketches: bool
) -> dict[Point, Aggregate]:
    """The datapoints of a metric from `start` on and before `end`, by their beginnings and units; oldest first.

    Periods are counted from `start` on. Without sketches the database does the sums.
    """
    levels = ", ".join(str(level) for level in resolutions(period))
    where = (
        f"FROM metric_value WHERE metric_id = :metric_id AND resolution IN ({levels}) AND start >= :start AND start < :end"
        " AND (CAST(:unit AS TEXT) IS NULL OR unit = :unit)"
    )
    parameters = {"metric_id": number, "start": start, "end": end, "unit": unit, "period": period}
    place = "(start - :start) / :period"
    if not sketches:
        rows = tx.all(
            f"SELECT {place} AS place, unit, sum(samples), sum(total), min(minimum), max(maximum), NULL {where}"
            " GROUP BY place, unit ORDER BY place, unit",
            parameters,
        )
    else:
        rows = tx.all(f"SELECT {place}, unit, {_VALUE} {where} ORDER BY start, unit", parameters)
    found: dict[Point, Aggregate] = {}
    for row in rows:
        point = (start + row[0] * period, row[1])
        if point in found:
            found[point].merge(_aggregate(row[2:]))
        else:
            found[point] = _aggregate(row[2:])
    return found


def listed(
    tx: Transaction,
    account: str,
    region: str,
    *,
    namespace: str | None,
    name: str | None,
    since: float,
    after: tuple[str, str, str],
    most: int,
) -> list[tuple[str, str, Dimensions]]:
    """Metrics with a datapoint since then, as namespace, name and dimensions in their order, behind those of `after`."""
    narrowed = "".join(
        f" AND {column} = :{column}_is" for column, value in (("namespace", namespace), ("name", name)) if value is not None
    )
    rows = tx.all(
        "SELECT namespace, name, dimensions FROM metric WHERE account = :account AND region = :region AND seen >= :since"
        f" AND (namespace, name, dimensions) > (:namespace, :name, :dimensions){narrowed}"
        " ORDER BY namespace, name, dimensions LIMIT :most",
        {
            "account": account,
            "region": region,
            "since": since - SEEN_SECONDS,
            "namespace": after[0],
            "name": after[1],
            "dimensions": after[2],
            "most": most,
            **({} if namespace is None else {"namespace_is": namespace}),
            **({} if name is None else {"name_is": name}),
        },
    )
    return [(row[0], row[1], tuple((pair[0], pair[1]) for pair in orjson.loads(row[2]))) for row in rows]


Aged = tuple[int, Slot, Aggregate]


def aged(tx: Transaction, resolution: int, before: int, most: int) -> list[Aged]:
    """The oldest rows of a resolution that begin before a time: their metrics, slots and values."""
    rows = tx.all(
        f"SELECT metric_id, start, unit, {_VALUE} FROM metric_value WHERE resolution = :resolution AND start < :before"
        " ORDER BY start LIMIT :most",
        {"resolution": resolution, "before": before, "most": most},
    )
    return [(row[0], Slot(resolution, row[1], row[2]), _aggregate(row[3:])) for row in rows]


def remove(tx: Transaction, rows: Sequence[Aged]) -> None:
    """Remove rows."""
    tx.execute_many(
        "DELETE FROM metric_value WHERE metric_id = :metric_id AND resolution = :resolution AND start = :start AND unit = :unit",
        [
            {"metric_id": number, "resolution": slot.resolution, "start": slot.start, "unit": slot.unit}
            for number, slot, _ in rows
        ],
    )


def has_unseen(tx: Transaction, before: float) -> bool:
    """Whether a metric got nothing since then."""
    return tx.one("SELECT 1 FROM metric WHERE seen < :before LIMIT 1", {"before": before}) is not None


def remove_unseen(tx: Transaction, before: float, most: int) -> int:
    """Forget metrics that got nothing since then; how many that were."""
    return tx.execute(
        "DELETE FROM metric WHERE id IN (SELECT id FROM metric WHERE seen < :before ORDER BY seen LIMIT :most)",
        {"before": before, "most": most},
    )


def coarser(rows: Iterable[Aged], resolution: int) -> dict[int, dict[Slot, Aggregate]]:
    """Rows joined to those of a coarser resolution, by their metrics."""
    joined: dict[int, dict[Slot, Aggregate]] = {}
    for number, slot, values in rows:
        slots = joined.setdefault(number, {})
        place = Slot(resolution, slot.start // resolution * resolution, slot.unit)
        if place in slots:
            slots[place].merge(values)
        else:
            slots[place] = values
    return joined
