"""The operations of ECR; importing this fills the table."""

from modelyard.images import programs
from modelyard.images.operations import catalogue, finding, images, layers, policies, repositories, tags, tokens

__all__ = ["catalogue", "finding", "images", "layers", "policies", "programs", "repositories", "tags", "tokens"]
