"""The stores that the contract is asked of."""

from pathlib import Path

import pytest

from modelyard.blobs.directory import DirectoryBlobs
from modelyard.blobs.interface import BlobStore


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    """An empty store."""
    return DirectoryBlobs(tmp_path / "blobs")
