"""All the SQL of transform jobs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from modelyard.jobs.transform_job import Document, JobName, Status, TransformJob
from modelyard.storage.interface import Row, Transaction
from modelyard.storage.listing import created_and_named, modified_and_status, rows_of_page

_COLUMNS = "id, account, region, name, created, modified, started, ended, status, failure, document, plan, owner, attempts"
_LISTED = _COLUMNS.replace("plan", "'{}'")
"""Lists show nothing of what there is to run."""
_NAMED = "account = :account AND region = :region AND folded = :folded"
SORTED_BY = {"Name": "folded", "CreationTime": "created", "Status": "status"}
FILTERS = {**created_and_named(), **modified_and_status()}
_FREE = "ended IS NULL AND (owner IS NULL OR leased_until < :now)"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: after which key, sorted by what, how many rows."""

    after: list[Any] | None
    by: str
    descending: bool
    size: int


def _at(at: JobName) -> dict[str, Any]:
    return {"account": at.account, "region": at.region, "folded": at.folded}


def _job(row: Row) -> TransformJob:
    number, account, region, name, created, modified, started, ended, status, failure, document, plan, owner, attempts = row
    return TransformJob(
        id=number,
        at=JobName(account, region, name),
        created=created,
        modified=modified,
        started=started,
        ended=ended,
        status=Status(status),
        failure=failure,
        document=orjson.loads(document),
        plan=orjson.loads(plan),
        owner=owner,
        attempts=attempts,
    )


def job(tx: Transaction, at: JobName) -> TransformJob | None:
    """The job of a name."""
    row = tx.one(f"SELECT {_COLUMNS} FROM transform_job WHERE {_NAMED}", _at(at))
    return None if row is None else _job(row)


def is_there(tx: Transaction, at: JobName) -> bool:
    """Whether there is a job of a name."""
    return tx.one(f"SELECT 1 FROM transform_job WHERE {_NAMED}", _at(at)) is not None


def by_id(tx: Transaction, number: int) -> TransformJob | None:
    """A job by its number."""
    row = tx.one(f"SELECT {_COLUMNS} FROM transform_job WHERE id = :id", {"id": number})
    return None if row is None else _job(row)


def add(tx: Transaction, at: JobName, document: Document, plan: Document, now: float) -> None:
    """Keep a new job."""
    tx.execute(
        "INSERT INTO transform_job (account, region, folded, name, created, modified, status, document, plan, attempts)"
        " VALUES (:account, :region, :folded, :name, :now, :now, :status, :document, :plan, 0)",
        {
            **_at(at),
            "name": at.name,
            "now": now,
            "status": Status.IN_PROGRESS,
            "document": orjson.dumps(document).decode(),
            "plan": orjson.dumps(plan).decode(),
        },
    )


def stop(tx: Transaction, number: int, now: float) -> None:
    """Let a job be stopped by whoever runs it."""
    tx.execute(
        "UPDATE transform_job SET status = :status, modified = :now WHERE id = :id",
        {"status": Status.STOPPING, "now": now, "id": number},
    )


def started(tx: Transaction, number: int, owner: str, now: float) -> None:
    """The instances of a job run. It keeps the time when that was so first."""
    tx.execute(
        "UPDATE transform_job SET started = coalesce(started, :now), modified = :now WHERE id = :id AND owner = :owner",
        {"now": now, "id": number, "owner": owner},
    )


def end(tx: Transaction, number: int, owner: str, status: Status, reason: str | None, now: float) -> bool:
    """A job has ended; False when it is not this server's any more."""
    done = tx.execute(
        "UPDATE transform_job SET status = :status, failure = :reason, ended = :now, modified = :now, owner = NULL,"
        " leased_until = NULL WHERE id = :id AND owner = :owner AND ended IS NULL",
        {"status": status, "reason": reason, "now": now, "id": number, "owner": owner},
    )
    if done:
        tx.execute("DELETE FROM transform_output WHERE job = :id", {"id": number})
    return bool(done)


# --- who runs a job -----------------------------------------------------------------------------


def any_under_way(tx: Transaction) -> bool:
    """Whether there are jobs that have not ended."""
    return tx.one("SELECT 1 FROM transform_job WHERE ended IS NULL LIMIT 1") is not None


def free(tx: Transaction, owner: str, now: float, most_of_an_account: int, most: int) -> list[int]:
    """Jobs that nobody runs, in the order in which an owner should run them: accounts take turns, first those of which it runs
    fewest; of one account the oldest first. No account gets more than so many, with those that the owner runs."""
    rows = tx.all(
        "WITH running AS (SELECT account, count(*) AS jobs FROM transform_job WHERE owner = :owner AND ended IS NULL"
        " GROUP BY account), waiting AS (SELECT id, account, row_number() OVER (PARTITION BY account ORDER BY id) AS place"
        f" FROM transform_job WHERE {_FREE} AND (owner IS NULL OR owner <> :owner))"
        " SELECT waiting.id FROM waiting LEFT JOIN running ON running.account = waiting.account"
        " WHERE place + coalesce(jobs, 0) <= :most_of_an_account"
        f" ORDER BY place + coalesce(jobs, 0), waiting.id LIMIT {int(most)}",
        {"owner": owner, "now": now, "most_of_an_account": most_of_an_account},
    )
    return [row[0] for row in rows]


def take(tx: Transaction, number: int, owner: str, now: float, until: float) -> TransformJob | None:
    """Make a job one's own; None when somebody was quicker."""
    taken = tx.execute(
        f"UPDATE transform_job SET owner = :owner, leased_until = :until, attempts = attempts + 1 WHERE id = :id AND {_FREE}",
        {"owner": owner, "until": until, "id": number, "now": now},
    )
    return by_id(tx, number) if taken else None


def renew(tx: Transaction, owner: str, until: float) -> None:
    """The owner lives."""
    tx.execute(
        "UPDATE transform_job SET leased_until = :until WHERE owner = :owner AND ended IS NULL", {"until": until, "owner": owner}
    )


def owners(tx: Transaction) -> set[str]:
    """Who runs jobs, or did until its end."""
    return {row[0] for row in tx.all("SELECT DISTINCT owner FROM transform_job WHERE ended IS NULL AND owner IS NOT NULL")}


def forget(tx: Transaction, owner: str) -> None:
    """An owner has ended: its jobs are anybody's."""
    tx.execute("UPDATE transform_job SET owner = NULL WHERE owner = :owner AND ended IS NULL", {"owner": owner})


def give_back(tx: Transaction, number: int, owner: str) -> None:
    """Leave a job to others as it is; that was no attempt."""
    tx.execute(
        "UPDATE transform_job SET owner = NULL, leased_until = NULL, attempts = attempts - 1 WHERE id = :id AND owner = :owner",
        {"id": number, "owner": owner},
    )


def owned(tx: Transaction, owner: str) -> dict[int, Status]:
    """The jobs of an owner that have not ended."""
    rows = tx.all("SELECT id, status FROM transform_job WHERE owner = :owner AND ended IS NULL", {"owner": owner})
    return {number: Status(status) for number, status in rows}


# --- outputs ------------------------------------------------------------------------------------


def done(tx: Transaction, number: int) -> set[str]:
    """The inputs of a job that have their outputs."""
    return {row[0] for row in tx.all("SELECT input FROM transform_output WHERE job = :job", {"job": number})}


def add_done(tx: Transaction, number: int, uri: str) -> None:
    """The output of an input is written."""
    tx.execute(
        "INSERT INTO transform_output (job, input) VALUES (:job, :input) ON CONFLICT (job, input) DO NOTHING",
        {"job": number, "input": uri},
    )


# --- lists --------------------------------------------------------------------------------------


def page_of(tx: Transaction, account: str, region: str, filters: Mapping[str, Any], page: Page) -> list[TransformJob]:
    """Jobs of an account, at most `page.size` + 1."""
    rows = rows_of_page(
        tx,
        f"SELECT {_LISTED} FROM transform_job WHERE account = :account AND region = :region",
        {"account": account, "region": region},
        filters,
        FILTERS,
        (SORTED_BY[page.by], "id"),
        page,
    )
    return [_job(row) for row in rows]


def key_of(page: Page, one: TransformJob) -> list[Any]:
    """The place of a job in the order of a list."""
    return [{"Name": one.at.folded, "CreationTime": one.created, "Status": str(one.status)}[page.by], one.id]
