"""The operations that the registry answers; importing this package declares them all."""

from modelyard.registry.operations import groups, model_card_exports, model_cards, package_lists, packages, policies, search, tags

__all__ = ["groups", "model_card_exports", "model_cards", "package_lists", "packages", "policies", "search", "tags"]
