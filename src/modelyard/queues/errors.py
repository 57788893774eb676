"""SQS's errors. Its JSON protocol names an error twice: by its shape, and in a header by the code of the older query protocol."""

from modelyard.aws.errors import AwsError

_PREFIX = "AWS.SimpleQueueService."
_QUERY_CODES = {
    "BatchEntryIdsNotDistinct": f"{_PREFIX}BatchEntryIdsNotDistinct",
    "BatchRequestTooLong": f"{_PREFIX}BatchRequestTooLong",
    "EmptyBatchRequest": f"{_PREFIX}EmptyBatchRequest",
    "InvalidBatchEntryId": f"{_PREFIX}InvalidBatchEntryId",
    "MessageNotInflight": f"{_PREFIX}MessageNotInflight",
    "PurgeQueueInProgress": f"{_PREFIX}PurgeQueueInProgress",
    "QueueDoesNotExist": f"{_PREFIX}NonExistentQueue",
    "QueueNameExists": "QueueAlreadyExists",
    "TooManyEntriesInBatchRequest": f"{_PREFIX}TooManyEntriesInBatchRequest",
    "UnsupportedOperation": f"{_PREFIX}UnsupportedOperation",
}
"""Where the two differ; this is the code that boto3 shows."""


def sqs_error(code: str, message: str) -> AwsError:
    """An error by the name of its shape."""
    return AwsError(message, code=code, headers={"x-amzn-query-error": f"{_QUERY_CODES.get(code, code)};Sender"})


def query_code(error: AwsError) -> str:
    """The code that results of batches carry."""
    return _QUERY_CODES.get(error.code, error.code)


def no_such_queue() -> AwsError:
    """There is no queue of that name."""
    return sqs_error("QueueDoesNotExist", "The specified queue does not exist.")


def invalid_value(value: object, parameter: str, reason: str) -> AwsError:
    """A parameter has a value that it may not have."""
    return sqs_error("InvalidParameterValue", f"Value {value} for parameter {parameter} is invalid. Reason: {reason}")


def missing(parameter: str) -> AwsError:
    """A parameter is not there, or empty."""
    return sqs_error("MissingParameter", f"The request must contain the parameter {parameter}.")


def unknown_attribute(name: str) -> AwsError:
    """There is no attribute of that name, or it may not be set."""
    return sqs_error("InvalidAttributeName", f"Unknown Attribute {name}.")
