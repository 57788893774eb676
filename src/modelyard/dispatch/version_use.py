"""Who serves a model package: asked before it is deleted.

The part that deploys says once how it is found, and the part that registers asks; neither imports the other.
"""

from collections.abc import Callable, Sequence

from modelyard.storage.interface import Transaction

Find = Callable[[Transaction, str], Sequence[str]]
"""The ARNs of what serves a package, by the package's own."""
_finders: list[Find] = []


def serves_versions(find: Find) -> Find:
    """Declare how it is found what serves a package."""
    _finders.append(find)
    return find


def serving(tx: Transaction, package_arn: str) -> list[str]:
    """The ARNs of everything that serves a package."""
    return [arn for find in _finders for arn in find(tx, package_arn)]
