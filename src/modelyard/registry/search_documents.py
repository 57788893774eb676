"""What Describe answers for many groups or packages at once, by the keys they are indexed under."""

from collections.abc import Iterator, Sequence

from modelyard.registry.metadata import MEMBER
from modelyard.registry.names import package_name
from modelyard.storage.interface import Transaction

CHUNK = 250
"""Documents read by one statement."""


def group_documents(tx: Transaction, account: str, region: str, keys: Sequence[str]) -> dict[str, str]:
    """Documents of groups by their folded names."""
    found: dict[str, str] = {}
    for chunk in _chunks(keys):
        names = {f"n{position}": key for position, key in enumerate(chunk)}
        listed = ", ".join(f":{name}" for name in names)
        found.update(
            tx.all(
                "SELECT folded, document FROM model_package_group"  # noqa: S608  names of parameters
                f" WHERE account = :account AND region = :region AND folded IN ({listed})",
                {"account": account, "region": region, **names},
            )
        )
    return found


def package_documents(tx: Transaction, account: str, region: str, keys: Sequence[str]) -> dict[str, str]:
    """Documents of packages by their ARNs."""
    found: dict[str, str] = {}
    for chunk in _chunks(keys):
        parameters: dict[str, object] = {"account": account, "region": region}
        wanted, arns = [], {}
        for position, key in enumerate(chunk):
            at = package_name(key, account, region)
            arns[at.folded, at.version] = key
            parameters[f"f{position}"], parameters[f"v{position}"] = at.folded, at.version
            wanted.append(f"(:f{position}, :v{position})")
        rows = tx.all(
            f"WITH wanted (folded, version) AS (VALUES {', '.join(wanted)})"  # noqa: S608  names of parameters
            " SELECT p.folded, p.version, p.document, m.searchable FROM wanted AS w CROSS JOIN model_package AS p"
            " LEFT JOIN version_metadata AS m ON m.package_id = p.id AND m.revision = p.metadata_revision"
            " WHERE p.account = :account AND p.region = :region AND p.folded = w.folded AND p.version = w.version",
            parameters,
        )
        found.update({arns[folded, version]: _with_metadata(document, seen) for folded, version, document, seen in rows})
    return found


def _with_metadata(document: str, searchable: str | None) -> str:
    """The document with the version's metadata as one more member, as it was indexed."""
    return document if searchable is None else f'{{"{MEMBER}":{searchable},{document[1:]}'


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), CHUNK):
        yield keys[start : start + CHUNK]
