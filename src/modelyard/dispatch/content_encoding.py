"""Compressed request bodies: botocore gzips those of some operations."""

import zlib
from dataclasses import replace

from modelyard.aws.errors import AwsError, ValidationException
from modelyard.aws.http import HttpRequest


def unpacked(http: HttpRequest, limit: int) -> HttpRequest:
    """The request with its body unpacked when it is gzipped; the signature is that of the body as it was sent.

    Raises ValidationException when the body is broken, RequestEntityTooLarge (413) when it unpacks to more than `limit` bytes.
    """
    if not http.body or http.headers.get("content-encoding", "").lower() != "gzip":
        return http
    unpacker = zlib.decompressobj(wbits=31)
    try:
        body = unpacker.decompress(http.body, limit + 1)
    except zlib.error:
        raise ValidationException("The body is not the gzip that its Content-Encoding says.") from None
    if len(body) > limit:
        raise AwsError(f"The body unpacks to more than {limit} bytes.", code="RequestEntityTooLarge", status=413)
    if not unpacker.eof or unpacker.unused_data:
        raise ValidationException("The body is not the gzip that its Content-Encoding says.")
    headers = {name: value for name, value in http.headers.items() if name != "content-encoding"}
    return replace(http, body=body, headers=headers)
