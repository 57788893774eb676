"""Walks along associations: level by level, each entity once, so that cycles end them, and never further than a limit."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from modelyard.lineage.store_graph import Edge

MOST_ENTITIES = 10_000
"""That one walk meets, unless it is given less. What lies beyond is not looked at, which `cut` says."""
MOST_EDGES = 50_000
"""The same, of associations."""

Steps = Callable[[Sequence[int], bool, int], list[Edge]]
"""The associations of some entities: those that lead to them (True) or from them, at most so many."""


@dataclass(slots=True)
class Walk:
    """From some entities up to what they came from, down to what came of them, or both from every entity that is met."""

    steps: Steps
    starts: Sequence[int]
    up: bool
    down: bool
    depth: int
    most: int = MOST_ENTITIES
    depths: dict[int, int] = field(default_factory=dict)
    """What was met, and how many associations away; in the order of depth, then of number."""
    edges: dict[tuple[int, int], Edge] = field(default_factory=dict)
    cut: bool = False
    """Whether there is more than the limit."""

    def levels(self) -> Iterator[list[int]]:
        """What is met at each depth, from 1 on; the walk goes no further than it is asked."""
        level = sorted(set(self.starts))
        self.depths = dict.fromkeys(level, 0)
        for depth in range(1, self.depth + 1):
            met = sorted(self._met(level) - self.depths.keys())
            room = self.most - len(self.depths)
            if len(met) > room:
                self.cut, met = True, met[:room]
            self.depths.update(dict.fromkeys(met, depth))
            if met:
                yield met
            if self.cut or not met:
                return
            level = met

    def whole(self) -> "Walk":
        """The walk, walked to its end."""
        for _ in self.levels():
            pass
        return self

    def _met(self, level: Sequence[int]) -> set[int]:
        met = set()
        for up in (direction for direction, wanted in ((True, self.up), (False, self.down)) if wanted):
            room = MOST_EDGES - len(self.edges)
            found = self.steps(level, up, room + 1)
            self.cut = self.cut or len(found) > room
            for edge in found[:room]:
                self.edges[edge.source, edge.destination] = edge
                met.add(edge.source if up else edge.destination)
        return met

    def on_the_way_to(self, wanted: Iterable[int]) -> set[int]:
        """What lies on shortest ways from the starts to these, ends included."""
        before: dict[int, list[int]] = {}
        for edge in self.edges.values():
            for near, far in ((edge.source, edge.destination), (edge.destination, edge.source)):
                if near in self.depths and far in self.depths and self.depths[near] + 1 == self.depths[far]:
                    before.setdefault(far, []).append(near)
        found = set(wanted)
        ahead = list(found)
        while ahead:
            for near in before.get(ahead.pop(), ()):
                if near not in found:
                    found.add(near)
                    ahead.append(near)
        return found
