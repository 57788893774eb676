"""What may be given to a statement: the values both databases keep alike, and nothing else."""

from collections.abc import Mapping

from modelyard.aws.errors import ValidationException

SMALLEST = -(2**63)
LARGEST = 2**63 - 1


def refuse_unstorable(parameters: Mapping[str, object]) -> None:
    """Raise ValidationException for a value that one of the databases cannot keep.

    PostgreSQL has no text with a null character and SQLite turns a number that is none into NULL; neither has
    whole numbers of more than 64 bits.
    """
    for value in parameters.values():
        if isinstance(value, str):
            if "\x00" in value:
                raise ValidationException("A value contains a null character (U+0000), which cannot be stored.")
        elif isinstance(value, int):
            if not SMALLEST <= value <= LARGEST:
                raise ValidationException("A number is outside the range of 64-bit integers.")
        elif isinstance(value, float) and value != value:  # noqa: PLR0124  only NaN differs from itself
            raise ValidationException("A value is not a number.")


def not_text(error: UnicodeEncodeError) -> ValidationException:
    """The answer to text that has no UTF-8 form (half of a surrogate pair)."""
    return ValidationException(f"A value contains a character that is not valid Unicode text: {error.reason}.")
