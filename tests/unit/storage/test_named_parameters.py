"""Parameters in the words of psycopg."""

import pytest

from modelyard.storage.named_parameters import to_pyformat

pytestmark = pytest.mark.ours


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT :a, :b_2", "SELECT %(a)s, %(b_2)s"),
        ("SELECT :a::text", "SELECT %(a)s::text"),
        ("SELECT '::a :a 100%', :a", "SELECT '::a :a 100%%', %(a)s"),
        ("SELECT 'it''s :a', :b", "SELECT 'it''s :a', %(b)s"),
        ('SELECT ":a%" FROM t', 'SELECT ":a%%" FROM t'),
        ("SELECT 1 -- :a's\n, :b", "SELECT 1 -- :a's\n, %(b)s"),
        ("SELECT /* :a ' */ :b % 2", "SELECT /* :a ' */ %(b)s %% 2"),
        ("SELECT a[1:2]", "SELECT a[1:2]"),
        ("INSERT INTO t VALUES(:a,:b)", "INSERT INTO t VALUES(%(a)s,%(b)s)"),
    ],
)
def test_only_parameters_are_translated(sql: str, expected: str) -> None:
    """`:name` becomes `%(name)s` outside text, quoted names, comments and casts; percent signs are doubled everywhere."""
    assert to_pyformat(sql) == expected
