"""ARNs, and the tokens of paged answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.aws.arns import Arn
from modelyard.aws.errors import ValidationException
from modelyard.aws.pagination import Tokens

TOKENS = Tokens(b"secret")
QUERY = {"operation": "ListModelPackages", "account": "111122223333", "group": "g", "order": None}


@pytest.mark.documented
@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:sagemaker:us-east-1:111122223333:model-package/fraud/1",
        "arn:aws:s3:::bucket/key:with:colons",
        "arn:aws:iam::111122223333:role/path/name",
        "arn:aws-cn:lambda:cn-north-1:111122223333:function:name:1",
    ],
)
def test_arn_comes_back(text):
    """An ARN is taken apart and put together unchanged."""
    assert str(Arn.parse(text)) == text


@pytest.mark.documented
def test_parts_of_an_arn():
    """The resource is all that follows the account."""
    assert Arn.parse("arn:aws:sagemaker:us-east-1:111122223333:model-package/fraud/1") == Arn(
        "aws", "sagemaker", "us-east-1", "111122223333", "model-package/fraud/1"
    )


@pytest.mark.ours
@pytest.mark.parametrize("text", ["", "arn", "arn:aws:s3::", "arn:aws:s3:::", "urn:aws:s3:::b", " arn:aws:s3:::b"])
def test_what_is_no_arn(text):
    """What is no ARN is a ValidationException."""
    with pytest.raises(ValidationException, match="Invalid ARN"):
        Arn.parse(text)


json_values = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
)


@pytest.mark.ours
@given(st.lists(json_values, max_size=5))
def test_cursor_comes_back(cursor):
    """A token opens to the cursor it was sealed with."""
    assert TOKENS.open(TOKENS.seal(QUERY, cursor), QUERY) == cursor


@pytest.mark.ours
def test_token_suits_the_model():
    """A token matches the pattern and length of SageMaker's NextToken, and the order of the fingerprint does not matter."""
    token = TOKENS.seal(QUERY, [1_700_000_000.5, "x" * 200])
    assert len(token) < 8192 and token.isascii() and " " not in token
    assert TOKENS.open(token, dict(reversed(QUERY.items()))) == [1_700_000_000.5, "x" * 200]


@pytest.mark.ours
@pytest.mark.parametrize(
    ("token", "query"),
    [
        (TOKENS.seal(QUERY, [1]), {**QUERY, "group": "h"}),
        (TOKENS.seal(QUERY, [1]), {**QUERY, "account": "444455556666"}),
        (Tokens(b"other").seal(QUERY, [1]), QUERY),
        (TOKENS.seal(QUERY, [1])[:-1], QUERY),
        (TOKENS.seal(QUERY, [1]) + "AA", QUERY),
        ("", QUERY),
        ("x", QUERY),
        ("not a token", QUERY),
        ("é" * 40, QUERY),
        ("A" * 10_000, QUERY),
    ],
)
def test_foreign_token(token, query):
    """A token for another query, from another server, changed, cut, or made up is a ValidationException."""
    with pytest.raises(ValidationException, match="invalid"):
        TOKENS.open(token, query)


@pytest.mark.ours
@given(st.text(max_size=60))
def test_any_text_is_no_token(text):
    """Whatever a client sends as a token is answered, never a defect."""
    with pytest.raises(ValidationException):
        TOKENS.open(text, QUERY)
