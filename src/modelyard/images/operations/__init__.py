"""The operations of ECR; importing this fills the table."""

from modelyard.images.operations import finding, images, layers, policies, repositories, tags, tokens

__all__ = ["finding", "images", "layers", "policies", "repositories", "tags", "tokens"]
