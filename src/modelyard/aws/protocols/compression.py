"""Compressed bodies, for the operations whose clients send them (CloudWatch's PutMetricData)."""

import zlib
from dataclasses import replace

from modelyard.aws.http import HttpRequest
from modelyard.aws.protocols.scalars import SerializationException

LARGEST_BYTES = 16 * 1024 * 1024
"""What a body may grow to."""
_GZIP = 16 + zlib.MAX_WBITS


def decompressed(http: HttpRequest) -> HttpRequest:
    """The request with its body as it was before gzip, if that was the last encoding applied. Raises SerializationException."""
    encodings = [encoding.strip() for encoding in http.headers.get("content-encoding", "").split(",")]
    if encodings[-1] != "gzip" or not http.body:
        return http
    decompressor = zlib.decompressobj(_GZIP)
    try:
        body = decompressor.decompress(http.body, LARGEST_BYTES)
    except zlib.error:
        raise SerializationException("The request body is not gzip data") from None
    if not decompressor.eof:
        raise SerializationException("The request body is too large or incomplete")
    return replace(http, body=body)
