"""Names of functions in every form that Lambda takes."""

import pytest

from modelyard.functions.function_name import FunctionName, named

HERE = ("111122223333", "us-east-1")


@pytest.mark.documented
@pytest.mark.parametrize(
    ("text", "qualifier", "expected"),
    [
        ("f", None, FunctionName(*HERE, "f")),
        ("f:7", None, FunctionName(*HERE, "f", "7")),
        ("f", "$LATEST", FunctionName(*HERE, "f", "$LATEST")),
        ("f:7", "7", FunctionName(*HERE, "f", "7")),
        ("f:7", "8", None),
        ("function:f", None, FunctionName(*HERE, "f")),
        ("444455556666:function:f", None, FunctionName("444455556666", "us-east-1", "f")),
        ("444455556666:f", None, FunctionName("444455556666", "us-east-1", "f")),
        ("arn:aws:lambda:us-east-1:444455556666:function:f", None, FunctionName("444455556666", "us-east-1", "f")),
        ("arn:aws:lambda:us-east-1:444455556666:function:f:3", None, FunctionName("444455556666", "us-east-1", "f", "3")),
        ("arn:aws:lambda:eu-west-1:444455556666:function:f", None, None),
        ("f f", None, None),
        ("", None, None),
        ("x" * 65, None, None),
        ("a/b", None, None),
    ],
)
def test_forms_of_a_name(text: str, qualifier: str | None, expected: FunctionName | None):
    """A name, a partial ARN and an ARN mean the same function; what contradicts itself or is elsewhere means none."""
    assert named(text, qualifier, *HERE) == expected
