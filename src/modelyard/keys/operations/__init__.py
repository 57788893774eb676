"""The operations of KMS; importing this fills the table."""

from modelyard.keys.operations import aliases, cryptography, grants, keys, policies, tags

__all__ = ["aliases", "cryptography", "grants", "keys", "policies", "tags"]
