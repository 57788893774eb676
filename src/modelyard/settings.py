"""The settings of a server. Each can be given in `modelyard.toml` in the data directory, or as `MODELYARD_<NAME>`."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything an operator may choose; the defaults make a server that runs by itself on one machine."""

    data: Path
    """The data directory: database, objects, keys, certificates."""
    host: str = "127.0.0.1"
    port: int = 9100
    region: str = "us-east-1"
    """The region `modelyard env` tells clients to use; requests may be signed for any."""
    database: str = ""
    """Empty for SQLite in the data directory, or a `postgresql://` address."""
    blobs: str = ""
    """Empty for a directory in the data directory, or `s3://bucket/prefix`."""
    blobs_endpoint: str = ""
    """The endpoint of the S3 that holds the bytes, when it is not AWS."""
    threads: int = 8
    """Threads for operations that move bytes or look at many rows."""
    max_request_bytes: int = 4 * 1024 * 1024
    """The largest body of a request that is not a stream."""
    header_seconds: float = 20.0
    """How long a client may take to send the head of a request."""
    body_seconds: float = 60.0
    """How long a client may pause while it sends a body."""
    clock_skew_seconds: float = 900.0
    """How far the date of a signature may be from the server's clock."""
    log_format: str = "json"
    """`json` or `text`."""
    log_level: str = "info"
