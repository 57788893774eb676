"""The operations of ECR; importing this fills the table."""

from modelyard.images.operations import images, layers, policies, repositories, tags, tokens

__all__ = ["images", "layers", "policies", "repositories", "tags", "tokens"]
