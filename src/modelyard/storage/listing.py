"""The rows of one page of a list, in SQL: the filters that AWS's lists share, in an order that a page can go on in."""

from collections.abc import Mapping
from typing import Any, Protocol

from modelyard.storage.interface import Row, Transaction

CONTAINS = "contains"
"""A comparison besides those of SQL: for a column that is in lower case, and texts without wildcards, as names are."""
Comparison = tuple[str, str]
"""A column, and how it is compared."""


class Page(Protocol):
    """What is to be read."""

    @property
    def after(self) -> list[Any] | None:
        """The key and the number of the last row of the page before."""
        ...

    @property
    def descending(self) -> bool:
        """Whether the last come first."""
        ...

    @property
    def size(self) -> int:
        """How many rows a page has."""
        ...


def created_and_named(table: str = "") -> dict[str, Comparison]:
    """The filters that every list has; `table` is what the columns' names begin with."""
    return {
        "CreationTimeAfter": (f"{table}created", ">"),
        "CreationTimeBefore": (f"{table}created", "<"),
        "NameContains": (f"{table}folded", CONTAINS),
    }


def modified_and_status(table: str = "") -> dict[str, Comparison]:
    """Those of things that change, besides."""
    return {
        "LastModifiedTimeAfter": (f"{table}modified", ">"),
        "LastModifiedTimeBefore": (f"{table}modified", "<"),
        "StatusEquals": (f"{table}status", "="),
    }


def rows_of_page(
    tx: Transaction,
    select: str,
    parameters: Mapping[str, Any],
    filters: Mapping[str, Any],
    comparisons: Mapping[str, Comparison],
    order: tuple[str, str],
    page: Page,
) -> list[Row]:
    """At most `page.size` + 1 rows of `select`, which ends in a condition, that pass those of the filters that have a comparison.

    `order` is the column of the key and that of the number, which tells rows of the same key apart.
    """
    conditions, given = [select], dict(parameters)
    for member, (column, comparison) in comparisons.items():
        if member not in filters:
            continue
        parameter = member.lower()
        if comparison == CONTAINS:
            conditions.append(f"{column} LIKE :{parameter}")
            given[parameter] = f"%{filters[member].lower()}%"
        else:
            conditions.append(f"{column} {comparison} :{parameter}")
            given[parameter] = filters[member]
    key, number = order
    if page.after is not None:
        conditions.append(f"({key}, {number}) {'<' if page.descending else '>'} (:key, :number)")
        given |= {"key": page.after[0], "number": page.after[1]}
    direction = " DESC" if page.descending else ""
    ordered = f" ORDER BY {key}{direction}, {number}{direction} LIMIT {page.size + 1}"
    return tx.all(" AND ".join(conditions) + ordered, given)
