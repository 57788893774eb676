"""Why a delivery failed, and whether it is worth trying again."""

from dataclasses import dataclass

from modelyard.aws.errors import AwsError

LONGEST_MESSAGE = 1000

_TRANSIENT = frozenset(
    {
        "ConflictException",
        "EC2ThrottledException",
        "KmsThrottled",
        "RequestThrottled",
        "ResourceConflictException",
        "ResourceLimitExceeded",
        "ResourceNotReadyException",
        "SlowDown",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_WORDS = (
    ("AccessDenied", "NO_PERMISSIONS"),
    ("Throttl", "THROTTLING"),
    ("TooManyRequests", "THROTTLING"),
    ("NotFound", "NO_RESOURCE"),
    ("DoesNotExist", "NO_RESOURCE"),
    ("UnknownOperation", "NO_RESOURCE"),
    ("TIMEOUT", "TIMEOUT"),
    ("CONNECTION_FAILURE", "CONNECTION_FAILURE"),
)


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that failed."""

    code: str
    message: str
    permanent: bool
    """Whether the next attempt would fail for the same reason, unless somebody does something about it."""
    retry_after: float = 0.0
    """How many seconds the target wants to be left alone."""

    @property
    def word(self) -> str:
        """The code as EventBridge writes it into the attributes of dead-lettered events."""
        return next((word for part, word in _WORDS if part in self.code), "SDK_CLIENT_ERROR")

    @property
    def text(self) -> str:
        """Code and message."""
        return f"{self.code}: {self.message}"[:LONGEST_MESSAGE]


def of_error(error: AwsError) -> Failure:
    """The failure that a refused call is."""
    permanent = error.status < 500 and error.status != 429 and error.code not in _TRANSIENT
    return Failure(error.code, error.message, permanent)


def of_status(status: int, retry_after: float | None) -> Failure:
    """The failure that an HTTP answer is: EventBridge tries 409, 429 and 5xx again, and nothing else."""
    permanent = status not in (409, 429) and status < 500
    return Failure(
        "HTTP_ERROR" if status != 429 else "THROTTLING", f"The endpoint answered {status}.", permanent, retry_after or 0.0
    )
