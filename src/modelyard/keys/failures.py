"""What goes wrong in KMS, with its codes. All are answered with status 400 but a dry run, which has 412."""

from modelyard.aws.errors import AwsError
from modelyard.keys.key import Key, KeyName, KeyState


def failure(code: str, text: str) -> AwsError:
    """An error by its code: `NotFoundException`, `InvalidGrantTokenException` …"""
    return AwsError(text, code=code, status=412 if code == "DryRunOperationException" else 400)


def not_found(name: KeyName) -> AwsError:
    """No such key, or no such alias."""
    if name.alias:
        return failure("NotFoundException", f"Alias {name.arn} is not found.")
    return failure("NotFoundException", f"Key '{name.arn}' does not exist")


def check_not_pending(key: Key) -> None:
    """Raise KMSInvalidStateException for a key that is about to be deleted."""
    if key.state is KeyState.PENDING_DELETION:
        raise failure("KMSInvalidStateException", f"{key.arn} is pending deletion.")


def check_enabled(key: Key) -> None:
    """Raise the error for a key that cannot be used now."""
    check_not_pending(key)
    if key.state is KeyState.DISABLED:
        raise failure("DisabledException", f"{key.arn} is disabled.")


def unsupported(text: str) -> AwsError:
    """AWS has it, Modelyard has not."""
    return failure("UnsupportedOperationException", text)
