"""Feature memory that a segment needs at its peak, the tensors that live through it included."""

from __future__ import annotations

from hao.compiler.layout import Plane
from hao.compiler.ops import Rows, Value
from hao.compiler.plan import Plan, Segment
from hao.compiler.rolling import lags, stripes_of


class Room:
    """What a segment needs of the feature memory, the tensors that live through it included."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._life: dict[Plane, tuple[int, int]] = {}
        self._always = [0] * len(plan.steps)
        self._near: list[set[Plane]] = [set() for _ in plan.steps]
        for plane, use in plan.use.items():
            touching = (*use.writers, *use.readers)
            if plane.displacement or not touching:
                continue
            self._life[plane] = (min(touching), max(touching))
            for number in touching:
                self._near[number].add(plane)
            if plane not in plan.spilled:
                for number in range(min(touching), max(touching) + 1):
                    self._always[number] += _whole(plane)

    def words(self, segment: Segment, plan: Plan | None = None) -> int:
        """Words of feature memory at the peak of the segment.

        Args:
            segment: of the plan.
            plan: in which it rolls, where it does (:func:`hao.compiler.rolling.rolled`).
        """
        plan = plan or self._plan
        near = set().union(*self._near[segment.start : segment.stop])
        held = [(plane, plan.resident(plane, segment)) for plane in near]
        sizes: dict[Plane, int] = {}
        if segment.rolling:
            for stripe in stripes_of(plan, segment, {}):
                for plane, size in self._sizes(segment, stripe.rows, stripe.wanted).items():
                    sizes[plane] = max(sizes.get(plane, 0), size)
            living = _living(plan, segment, [plane for plane, resident in held if not resident])
            steps = range(segment.start, segment.stop)
            return max(self._at(segment, number, held, sizes, {p: counts[number] for p, counts in living.items()}) for number in steps)
        done: dict[Value, int] = {}
        peak = 0
        for number in range(segment.stripes):
            rows, wanted = plan.stripe_rows(segment, number, done)
            sizes = self._sizes(segment, rows, wanted)
            for step in range(segment.start, segment.stop):
                peak = max(peak, self._at(segment, step, held, sizes))
                value = plan.steps[step].op.output
                done[value] = max(done.get(value, 0), rows[step][1])
        return peak

    def _at(
        self, segment: Segment, number: int, held: list[tuple[Plane, bool]], sizes: dict[Plane, int], copies: dict[Plane, int] | None = None
    ) -> int:  # fmt: skip
        """Words in use while a step of the segment runs."""
        return self._always[number] + sum(
            self._change(segment, number, plane, resident, sizes, None if copies is None else copies.get(plane, 0))
            for plane, resident in held
        )

    def _sizes(self, segment: Segment, rows: dict[int, Rows], wanted: dict[Plane, Rows]) -> dict[Plane, int]:
        """Words of the planes that are not held whole."""
        sizes: dict[Plane, int] = {}
        for number in range(segment.start, segment.stop):
            for plane in self._plan.layout.planes_of_value(self._plan.steps[number].op.output):
                sizes[plane] = max(sizes.get(plane, 0), (rows[number][1] - rows[number][0]) * plane.width + 1)
        for plane, need in wanted.items():
            sizes.setdefault(plane, (need[1] - need[0]) * plane.width + 1)
        return sizes

    def _change(self, segment: Segment, number: int, plane: Plane, resident: bool, sizes: dict[Plane, int], copies: int | None) -> int:
        """What a plane near the segment takes at a step beyond its whole life, which is counted already."""
        first, last = self._life[plane]
        counted = _whole(plane) if plane not in self._plan.spilled and first <= number <= last else 0
        if resident:
            if segment.stripes > 1:  # stripes come back to what the segment reads and writes
                first = segment.start if segment.start <= first < segment.stop else first
                last = segment.stop - 1 if segment.start <= last < segment.stop else last
            return (_whole(plane) if first <= number <= last else 0) - counted
        if copies is not None:
            return copies * sizes.get(plane, 0) - counted
        inside = max(first, segment.start) <= number <= min(last, segment.stop - 1)
        return (sizes.get(plane, 0) if inside else 0) - counted


def _living(plan: Plan, segment: Segment, planes: list[Plane]) -> dict[Plane, dict[int, int]]:
    """How many stripes of a plane are held while each step of a rolling segment runs, once all steps are under way.

    Step ``n`` works on stripe ``tick - lag(n)``: a stripe lives from its writer's turn to that of its last reader.
    """
    behind = lags(plan, segment)
    found: dict[Plane, dict[int, int]] = {}
    for plane in planes:
        use = plan.use[plane]
        touching = [n for n in (*use.writers, *use.readers) if n in behind]
        writer, reader = (pick(touching, key=lambda n: (behind[n], n)) for pick in (min, max))
        span = behind[reader] - behind[writer]
        found[plane] = {n: span + 1 - int(n < writer) - int(n > reader) for n in behind}
    return found


def _whole(plane: Plane) -> int:
    return plane.height * plane.width + 1
