"""The operations of this part; importing it fills the table."""

from modelyard.lineage.operations import actions, artifacts, associations, contexts, groups, queries, versions

__all__ = ["actions", "artifacts", "associations", "contexts", "groups", "queries", "versions"]
