"""What goes wrong, in AWS's words.

AwsError                        everything a caller may be told
 +- ValidationException         the request breaks the model or a rule            400
 +- AccessDeniedException       the decision was no                               400 (403 in REST and query services)
 +- ResourceNotFound            pipelines, lineage: the thing is not there        400
 +- ConflictException           the thing is in a state that forbids it           400
 +- UnknownOperationException   no such service or operation here                 400
 +- ThrottlingException         more work is queued than this server takes        400
"""

from collections.abc import Mapping


class AwsError(Exception):
    """An error that the client is meant to see: a code, a sentence, an HTTP status."""

    code = "ValidationException"
    status = 400

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        members: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        if status is not None:
            self.status = status
        self.members = dict(members or {})
        """Further members of the modelled error shape (S3's `BucketName`, say)."""
        self.headers = dict(headers or {})
        """Headers that go with the error (S3's `x-amz-delete-marker`, `ETag` of a 304)."""


class ValidationException(AwsError):
    """The request breaks the service model or a rule of the operation."""


class AccessDeniedException(AwsError):
    """The caller may not do this; protocols of REST and query services answer 403."""

    code = "AccessDeniedException"


class ResourceNotFound(AwsError):
    """A resource is missing, for the operations that declare this error."""

    code = "ResourceNotFound"


class ConflictException(AwsError):
    """The state of a resource forbids the operation."""

    code = "ConflictException"


class UnknownOperationException(AwsError):
    """This server has no such service or operation: never retried by clients, since it is a 4xx."""

    code = "UnknownOperationException"


class ThrottlingException(AwsError):
    """The server has as much queued as it takes."""

    code = "ThrottlingException"
