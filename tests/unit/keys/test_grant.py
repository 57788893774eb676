"""What a grant is for."""

import pytest

from modelyard.keys.grant import Constraints, KeyGrant

TEAM = {"team": "weather"}
BOTH = {"team": "weather", "stage": "test"}


def grant(*operations: str, subset: dict[str, str] | None = None, equals: dict[str, str] | None = None) -> KeyGrant:
    return KeyGrant("g", "k", ("AWS", "111122223333"), operations, "111122223333", 0.0, constraints=Constraints(subset, equals))


@pytest.mark.documented
def test_constraints_hold_for_operations_with_a_context() -> None:
    """EncryptionContextSubset wants at least its pairs, EncryptionContextEquals exactly them, with regard to case."""
    assert grant("Decrypt").covers("Decrypt", BOTH)
    assert not grant("Decrypt").covers("Encrypt", BOTH)
    assert grant("Decrypt", subset=TEAM).covers("Decrypt", BOTH)
    assert not grant("Decrypt", subset=TEAM).covers("Decrypt", {"Team": "weather"})
    assert not grant("Decrypt", subset=TEAM).covers("Decrypt", {})
    assert grant("Decrypt", equals=TEAM).covers("Decrypt", TEAM)
    assert not grant("Decrypt", equals=TEAM).covers("Decrypt", BOTH)
    assert grant("DescribeKey", equals=TEAM).covers("DescribeKey", {})


@pytest.mark.documented
@pytest.mark.parametrize(
    ("parent", "child", "may"),
    [
        (Constraints(), Constraints(), True),
        (Constraints(), Constraints(subset=TEAM), True),
        (Constraints(subset=TEAM), Constraints(), False),
        (Constraints(subset=TEAM), Constraints(subset=BOTH), True),
        (Constraints(subset=BOTH), Constraints(subset=TEAM), False),
        (Constraints(subset=TEAM), Constraints(equals=BOTH), True),
        (Constraints(equals=TEAM), Constraints(subset=TEAM), False),
        (Constraints(equals=TEAM), Constraints(equals=TEAM), True),
        (Constraints(equals=TEAM), Constraints(equals=BOTH), False),
    ],
)
def test_a_grant_hands_on_no_more_than_itself(parent: Constraints, child: Constraints, may: bool) -> None:
    """A grantee that may create grants makes ones that are as strict or stricter."""
    assert parent.include(child) is may


@pytest.mark.documented
def test_a_grant_hands_on_only_its_own_operations() -> None:
    """And only if CreateGrant is among them."""
    assert grant("CreateGrant", "Decrypt").covers_creation(["Decrypt"], Constraints())
    assert not grant("CreateGrant", "Decrypt").covers_creation(["Decrypt", "Encrypt"], Constraints())
    assert not grant("Decrypt").covers_creation(["Decrypt"], Constraints())
