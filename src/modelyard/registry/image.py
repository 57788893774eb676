"""Container images: their addresses, and the digests that the image repositories here know them by."""

import re
from typing import Any

from modelyard.aws.errors import AwsError
from modelyard.dispatch.context import Context

_ADDRESS = re.compile(
    r"(?P<account>[0-9]{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<repository>[^:@]+)"
    r"(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


def look_up(context: Context, uri: str) -> str | None:
    """The digest of an image, looked up as the caller; None for one that is not here or that the caller may not see."""
    found = _ADDRESS.fullmatch(uri)
    if found is None or found["region"] != context.region:
        return None
    wanted: dict[str, Any] = {"imageDigest": found["digest"]} if found["digest"] else {"imageTag": found["tag"] or "latest"}
    request = {"registryId": found["account"], "repositoryName": found["repository"], "imageIds": [wanted]}
    try:
        answer = context.call("ecr", "DescribeImages", request)
    except AwsError:
        return None
    digest: str | None = answer["imageDetails"][0].get("imageDigest") if answer.get("imageDetails") else None
    return digest
