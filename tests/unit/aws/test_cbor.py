"""CBOR as RPC v2 CBOR uses it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.aws.wire import signed

from modelyard.aws.catalogue import Catalogue
from modelyard.aws.errors import AwsError
from modelyard.aws.http import HttpRequest
from modelyard.aws.protocols.cbor import Moment, decode, encode
from modelyard.aws.protocols.scalars import SerializationException

CATALOGUE = Catalogue()
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)))
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="ascii", exclude_characters="\0")), inner),
    max_leaves=20,
)


@pytest.mark.documented
@given(VALUES)
def test_what_is_written_is_read_back(value):
    """Every value comes back as it was."""
    assert decode(encode(value)) == value


@pytest.mark.documented
def test_examples_of_the_standard():
    """Values of RFC 8949's appendix A are read as it says."""
    examples = {
        "1bffffffffffffffff": 2**64 - 1,
        "3903e7": -1000,
        "f93c00": 1.0,
        "fa47c35000": 100000.0,
        "fb3ff199999999999a": 1.1,
        "f97c00": math.inf,
        "5f42010243030405ff": b"\x01\x02\x03\x04\x05",
        "7f657374726561646d696e67ff": "streaming",
        "9f018202039f0405ffff": [1, [2, 3], [4, 5]],
        "bf61610161629f0203ffff": {"a": 1, "b": [2, 3]},
        "c11a514b67b0": 1363896240,
        "c1fb41d452d9ec200000": 1363896240.5,
        "f7": None,
    }
    assert {text: decode(bytes.fromhex(text)) for text in examples} == examples
    assert isinstance(decode(bytes.fromhex("c11a514b67b0")), Moment)


@pytest.mark.ours
@pytest.mark.parametrize(
    "text",
    [
        "",  # nothing
        "18",  # a number that ends early
        "0000",  # two values
        "9b7fffffffffffffff",  # an array that says it is endless
        "bb7fffffffffffffff00",  # such a map
        "5b7fffffffffffffff",  # such bytes
        "9f00",  # an array without its end
        "a10000",  # a key that is a number
        "61ff",  # no UTF-8
        "6100",  # a NUL character
        "5f6161ff",  # a text among bytes
        "5f5fffff",  # pieces of pieces
        "c2410f",  # a tag that is not read here
        "c16161",  # a timestamp that is a text
        "1c",  # reserved
        "fc",  # reserved
        "ff",  # an end of nothing
        "81" * 80 + "00",  # too deep
        "c1" * 200 + "00",  # so with tags
    ],
)
def test_what_is_no_value_is_refused(text):
    """What is malformed, too deep or not for us is refused as such, and takes no memory for what it claims to have."""
    with pytest.raises(SerializationException):
        decode(bytes.fromhex(text))


@pytest.mark.documented
def test_types_are_checked():
    """A value of another type than the service model's is refused; null is as if it were not there."""

    def read(members):
        headers = {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor", **signed("cloudwatch")}
        path = "/service/GraniteServiceVersion20100801/operation/PutMetricAlarm"
        http = HttpRequest("POST", path, "", headers, encode(members))
        route = CATALOGUE.route(http)
        return route.operation.parse(http, route)

    assert read({"AlarmName": "a", "Threshold": 5, "Period": 60, "Unit": None}) == {
        "AlarmName": "a",
        "Threshold": 5,
        "Period": 60,
    }
    for broken in ({"AlarmName": 1}, {"Period": "60"}, {"OKActions": {}}, {"Threshold": True}, {"ActionsEnabled": 1}):
        with pytest.raises(SerializationException):
            read(broken)


@pytest.mark.documented
def test_errors_name_the_shape_and_the_query_code():
    """An error has the name of its shape in the body, its status, and the code of the query protocol in a header."""
    operation = CATALOGUE._load(CATALOGUE._services["cloudwatch"]).operation("DescribeAlarms", "smithy-rpc-v2-cbor")
    assert operation is not None
    answer = operation.serialize_error(AwsError("gone", code="ResourceNotFound"), "id")
    headers = dict(answer.headers)
    assert (answer.status, headers["smithy-protocol"], headers["content-type"]) == (404, "rpc-v2-cbor", "application/cbor")
    assert headers["x-amzn-query-error"] == "ResourceNotFound;Sender"
    assert decode(answer.body) == {"__type": "ResourceNotFound", "message": "gone"}
