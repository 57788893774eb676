"""Walks along associations, on graphs of numbers."""

import random
from collections.abc import Sequence

import pytest

from modelyard.lineage import walk
from modelyard.lineage.store_graph import Edge
from modelyard.lineage.walk import Steps, Walk

pytestmark = pytest.mark.ours
Pairs = Sequence[tuple[int, int]]


def along(pairs: Pairs) -> Steps:
    """Steps along these associations."""

    def steps(numbers: Sequence[int], up: bool, most: int) -> list[Edge]:
        here = set(numbers)
        return [Edge(one, other, "") for one, other in pairs if (other if up else one) in here][:most]

    return steps


def walked(pairs: Pairs, start: int, **more: int) -> Walk:
    return Walk(along(pairs), [start], up=False, down=True, depth=more.pop("depth", 10), **more).whole()


def test_each_entity_is_met_once() -> None:
    """Diamonds and cycles end the walk; depth is that of the shortest way."""
    found = walked([(1, 2), (1, 3), (2, 4), (3, 4), (4, 1), (4, 5)], 1)
    assert found.depths == {1: 0, 2: 1, 3: 1, 4: 2, 5: 3}
    assert len(found.edges) == 6
    assert not found.cut


def test_a_walk_goes_as_far_as_it_is_asked() -> None:
    """No level beyond what the caller takes is looked at."""
    asked = []

    def steps(numbers: Sequence[int], up: bool, most: int) -> list[Edge]:
        asked.append(tuple(numbers))
        return [Edge(numbers[0], numbers[0] + 1, "")]

    levels = Walk(steps, [1], up=False, down=True, depth=10).levels()
    assert [next(levels), next(levels)] == [[2], [3]]
    assert asked == [(1,), (2,)]


def test_depth_limits_the_walk() -> None:
    """At depth 2 the third is not met, and nothing is said to be cut off."""
    found = walked([(1, 2), (2, 3), (3, 4)], 1, depth=2)
    assert list(found.depths) == [1, 2, 3]
    assert not found.cut


def test_the_limit_cuts_the_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many entities or associations nothing is looked at, and the walk says so."""
    star = [(1, number) for number in range(2, 12)]
    found = walked(star, 1, most=4)
    assert (list(found.depths), found.cut) == ([1, 2, 3, 4], True)
    assert not walked(star, 1, most=11).cut
    monkeypatch.setattr(walk, "MOST_EDGES", 5)
    found = walked(star, 1)
    assert (len(found.edges), len(found.depths), found.cut) == (5, 6, True)


def test_the_way_to_something() -> None:
    """Only shortest ways count, both ends included; what leads elsewhere is left out."""
    found = walked([(1, 2), (2, 3), (1, 4), (4, 3), (3, 5), (2, 6), (1, 3)], 1)
    assert found.on_the_way_to([5]) == {1, 3, 5}
    assert found.on_the_way_to([6]) == {1, 2, 6}
    assert found.on_the_way_to([]) == set()


def test_random_graphs_are_walked_as_by_hand() -> None:
    """Against a plain search: the same entities at the same depths, in both directions."""
    chance = random.Random(7)
    for _ in range(50):
        pairs = [(chance.randrange(12), chance.randrange(12)) for _ in range(chance.randrange(30))]
        found = Walk(along(pairs), [0], up=True, down=True, depth=12).whole()
        depths, ahead = {0: 0}, [0]
        while ahead:
            here = ahead.pop(0)
            for one, other in pairs:
                for near, far in ((one, other), (other, one)):
                    if near == here and far not in depths:
                        depths[far] = depths[here] + 1
                        ahead.append(far)
        assert found.depths == depths
        assert list(found.depths) == sorted(depths, key=lambda number: (depths[number], number))
