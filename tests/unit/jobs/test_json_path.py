"""The JSON paths of batch transform."""

from typing import Any

import pytest

from modelyard.jobs.json_path import NothingThere, PathError, find, steps

RECORD = {"id": 7, "features": [1, 2, 3], "deep": {"a": {"b": "c"}}, "it's": True, "rows": [{"x": 1}, {"x": 2}]}
ROW = ["a", "b", "c", "d"]


@pytest.mark.documented
@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", RECORD),
        ("$.id", 7),
        ("$['id']", 7),
        ('$["id"]', 7),
        ("$.['id']", 7),
        ("$.deep.a.b", "c"),
        ("$['deep']['a'].b", "c"),
        ("$['id','features']", {"id": 7, "features": [1, 2, 3]}),
        ("$['id', 'missing']", {"id": 7}),
        ("$.deep.['a']", {"b": "c"}),
        ("$.features[0]", 1),
        ("$.features[-1]", 3),
        ("$.features[0,2]", [1, 3]),
        ("$.features[1:]", [2, 3]),
        ("$.features[:-1]", [1, 2]),
        ("$.features[*]", [1, 2, 3]),
        ("$.rows[*].x", [1, 2]),
        ("$.rows[0:1].x", [1]),
        ("$.deep.*", [{"b": "c"}]),
        ('$["it\'s"]', True),
    ],
)
def test_paths_into_objects(path: str, found: Any) -> None:
    """A path leads to a value; several names to an object of those, several elements and slices to a list."""
    assert find(RECORD, path) == found


@pytest.mark.documented
@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$[0]", "a"),
        ("$[1:]", ["b", "c", "d"]),
        ("$[0:3]", ["a", "b", "c"]),
        ("$[0,3]", ["a", "d"]),
        ("$[-1]", "d"),
        ("$[9:]", []),
    ],
)
def test_paths_into_rows(path: str, found: Any) -> None:
    """Of a row of CSV, a path picks columns."""
    assert find(ROW, path) == found


@pytest.mark.documented
@pytest.mark.parametrize(
    "path", ["$.missing", "$['missing']", "$.features[3]", "$.features.x", "$.id[0]", "$.id[0:1]", "$.deep[0]"]
)
def test_paths_that_lead_nowhere(path: str) -> None:
    """What is not there is not found, and no record goes on without it."""
    with pytest.raises(NothingThere):
        find(RECORD, path)


@pytest.mark.documented
@pytest.mark.parametrize(
    "path", ["", "id", "$..id", "$[?(@.x)]", "$.a b", "$[", "$[1:2:3]", "$['a','b'].c", "$['a'", "$x", "$.", "$$"]
)
def test_what_is_no_path(path: str) -> None:
    """Filters, recursive descent, steps in slices and whatever else AWS does not document are refused."""
    with pytest.raises(PathError):
        steps(path)
