"""When doses fall: rhythms, how long they last, pauses, and how one phase of a regimen follows another.

All times are exact fractions of hours since the regimen's start, so that "up to, but not including, day 14"
means just that. The rules:

- A length is half-open: every other day for 14 days is days 0, 2 .. 12.
- N doses last until the next one would be due: 14 doses every 8 hours last 112 hours.
- A single dose counts as one day of treatment.
- Phases follow each other without a gap, and a phase without pauses keeps the count of the phases before it,
  back to the last pause: daily for 5 days, then weekly is days 0 .. 4, then 7, 14, 21 .., not 5, 12, 19 ..
- The blocks of a phase with pauses count from their own start.
- Weekdays are those of a calendar that begins on a Monday, day 0.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import count, islice, takewhile

DAY = Fraction(24)
WEEK = 7 * DAY
MOST_DOSES = 100_000


class TooManyDosesError(ValueError):
    """A schedule holds more than `MOST_DOSES` doses."""


@dataclass(frozen=True)
class Rhythm:
    """Doses at `offsets` [h] of every `period` [h], counted from an anchor, or from a Monday (`calendar`)."""

    period: Fraction
    offsets: tuple[Fraction, ...] = (Fraction(0),)
    calendar: bool = False

    def times(self, anchor: Fraction, start: Fraction) -> Iterator[Fraction]:
        """The endless row of dose times [h] from `start` on."""
        origin = Fraction(0) if self.calendar else anchor
        for turn in count((start - origin) // self.period):
            yield from (time for offset in self.offsets if (time := origin + turn * self.period + offset) >= start)

    @property
    def gap(self) -> Fraction:
        """The shortest time [h] between two doses."""
        following = (*self.offsets[1:], self.offsets[0] + self.period)
        return min(later - earlier for earlier, later in zip(self.offsets, following, strict=True))


@dataclass(frozen=True)
class Lasting:
    """For so many hours."""

    hours: Fraction


@dataclass(frozen=True)
class Until:
    """Up to a time [h] since the regimen's start."""

    time: Fraction


@dataclass(frozen=True)
class Number:
    """For so many doses."""

    doses: int


@dataclass(frozen=True)
class Placement:
    """A phase of a regimen in time [h]: its doses, their on-blocks, and its end, the last pause included.

    `anchor` is where a rhythm of the next phase is counted from.
    """

    times: tuple[Fraction, ...]
    blocks: tuple[tuple[Fraction, Fraction], ...]
    end: Fraction
    anchor: Fraction

    @property
    def paused(self) -> bool:
        """Whether the next phase begins afresh."""
        return self.anchor == self.end


BEGINNING = Placement((), (), Fraction(0), Fraction(0))


@dataclass(frozen=True)
class Once:
    """One dose at the start."""

    def place(self, before: Placement) -> Placement:
        end = before.end + DAY
        return Placement((before.end,), ((before.end, end),), end, before.anchor)


@dataclass(frozen=True)
class At:
    """Single doses at given times [h] since the regimen's start."""

    times: tuple[Fraction, ...]

    def place(self, before: Placement) -> Placement:
        # Single doses may follow each other faster than the day for which each counts.
        end = max(before.end, self.times[-1] + DAY)
        return Placement(self.times, ((self.times[0], end),), end, before.anchor)


@dataclass(frozen=True)
class Repeated:
    """Doses in a rhythm for some length."""

    rhythm: Rhythm
    length: Lasting | Until | Number

    def place(self, before: Placement) -> Placement:
        times, end = _run(self.rhythm, self.length, before.end, before.anchor)
        return Placement(times, ((times[0], end),), end, before.anchor)


@dataclass(frozen=True)
class Cycled:
    """Cycles of doses in a rhythm (`on`), each followed by a pause of `off` hours."""

    rhythm: Rhythm
    on: Lasting | Number
    off: Fraction
    cycles: int

    def place(self, before: Placement) -> Placement:
        start, times, blocks = before.end, [], []
        for _ in range(self.cycles):
            given, end = _run(self.rhythm, self.on, start, start)
            times += given
            if len(times) > MOST_DOSES:
                raise TooManyDosesError
            blocks.append((given[0], end))
            start = end + self.off
        return Placement(tuple(times), tuple(blocks), start, start)


Schedule = Once | At | Repeated | Cycled
"""When the doses of one phase fall; `place(before)` is the phase in time if `before` comes before it."""


def placements(schedules: Iterable[Schedule]) -> tuple[Placement, ...]:
    """The phases of a regimen in time, one after another."""
    placed = [BEGINNING]
    for schedule in schedules:
        placed.append(schedule.place(placed[-1]))
    return tuple(placed[1:])


def on_blocks(placed: Iterable[Placement]) -> tuple[tuple[Fraction, Fraction], ...]:
    """The stretches of dosing (start, end) [h] of a whole regimen: only pauses part them."""
    blocks: list[tuple[Fraction, Fraction]] = []
    before = BEGINNING
    for phase in placed:
        first, *others = phase.blocks
        blocks.append(first if before.paused else (blocks.pop()[0], first[1]))
        blocks += others
        before = phase
    return tuple(blocks)


def _run(
    rhythm: Rhythm, length: Lasting | Until | Number, start: Fraction, anchor: Fraction
) -> tuple[tuple[Fraction, ...], Fraction]:
    """The dose times [h] of an uninterrupted run from `start`, and its end."""
    row = rhythm.times(anchor, start)
    if isinstance(length, Number):
        if length.doses > MOST_DOSES:
            raise TooManyDosesError
        *times, end = islice(row, length.doses + 1)
        return tuple(times), end
    end = start + length.hours if isinstance(length, Lasting) else length.time
    times = tuple(islice(takewhile(lambda time: time < end, row), MOST_DOSES + 1))
    if len(times) > MOST_DOSES:
        raise TooManyDosesError
    return times, end
