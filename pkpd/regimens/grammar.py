"""The regimen language: a text such as "1 MIU sc qod 14 d on / 14 d off x 3" becomes phases of a regimen.

    regimen  = "placebo" | "unknown" | phase { [","] "then" phase }
    phase     = [dose] [route] ( "once" | "at" times | [interval] [","] extent )
    dose     = number unit [ ( "/" | "per" ) ( "m2" | "kg" ) ] | "unknown" "dose"      unit: MIU kIU IU ug
    route    = "sc" | "iv" [ "over" duration ]
    interval = "qd" | "qod" | "bid" | "qw" | ( "q" | "every" ) whole ( "h" | "d" | "w" )
             | ( "twice" | "thrice" ) "weekly" | weekday { "," weekday }
    extent   = ( "x" | "for" ) ( duration | whole "doses" ) | "to" duration
             | ( duration | whole "doses" ) "on" "/" duration "off" "x" whole ["cycles"]
    times    = number { "," number } ( "min" | "h" | "d" | "wk" )
    duration = number ( "min" | "h" | "d" | "wk" )

The first phase needs dose, route and interval; what a later one does not say stays as it was. "to 12 wk"
counts from the start of the regimen. Case and spaces do not matter; numbers have a decimal point, never a
comma. `pkpd.regimens.schedule` says when doses fall.
"""

from fractions import Fraction

from pkpd.regimens import vocabulary as words
from pkpd.regimens.cursor import Cursor
from pkpd.regimens.dose import Administration, Basis, Dose, Route
from pkpd.regimens.phase import Phase
from pkpd.regimens.schedule import (
    BEGINNING,
    DAY,
    MOST_DOSES,
    WEEK,
    At,
    Cycled,
    Lasting,
    Number,
    Once,
    Placement,
    Repeated,
    Rhythm,
    Schedule,
    TooManyDosesError,
    Until,
)
from pkpd.regimens.tokens import Token


def parse(text: str) -> tuple[Phase, ...] | None:
    """The phases of the regimen in `text`: none for placebo, None for a schedule that is not known.

    Raises `RegimenTextError`, an `InputError`, with the position of the trouble and what was expected there.
    """
    read = Cursor(text)
    alone = read.next.kind == "end"
    if alone and read.taken("placebo"):
        return ()
    if alone and read.taken("unknown"):
        return None
    phases: list[Phase] = []
    placed = BEGINNING
    doses = 0
    while True:
        phase, extent = _phase(read, phases[-1] if phases else None, placed)
        try:
            placed = phase.schedule.place(placed)
        except TooManyDosesError:
            raise read.expected(f"at most {MOST_DOSES} doses", extent) from None
        doses += len(placed.times)
        if doses > MOST_DOSES:
            raise read.expected(f"at most {MOST_DOSES} doses", extent)
        if placed.end > words.MOST_HOURS:
            raise read.expected(f"an end within {words.MOST_HOURS // WEEK} wk", extent)
        phases.append(phase)
        if read.here.kind == "end":
            return tuple(phases)
        comma = read.taken(",")
        read.take("then", "'then'" if comma else words.AN_END)


def _phase(read: Cursor, before: Phase | None, placed: Placement) -> tuple[Phase, Token]:
    """A phase, and where its extent begins."""
    first = read.here
    given = _administration(read, before.administration if before else None)
    extent = read.here
    if read.taken("once"):
        return Phase(given, Once()), extent
    if read.taken("at"):
        return Phase(given, _times(read, before, placed)), extent
    rhythm = _interval(read)
    if rhythm is None and before and isinstance(before.schedule, Repeated | Cycled):
        if read.here == first:
            raise read.expected("a dose, a route or an interval: what changes")
        rhythm = before.schedule.rhythm
    if rhythm is None:
        raise read.expected(words.AN_INTERVAL)
    if given.duration > rhythm.gap:
        raise read.expected("an interval not shorter than the infusion", extent)
    read.taken(",")
    extent = read.here
    return Phase(given, _extent(read, rhythm, placed)), extent


def _administration(read: Cursor, before: Administration | None) -> Administration:
    if read.here.kind == "number":
        dose = _dose(read)
    elif read.taken("unknown"):
        read.take("dose", "'dose', or nothing else than 'unknown'")
        dose = None
    elif before:
        dose = before.dose
    else:
        raise read.expected(f"{words.A_DOSE}, 'unknown dose', or 'placebo' alone")
    route: Route
    if read.taken("sc"):
        route, duration = "sc", Fraction(0)
    elif read.taken("iv"):
        route, duration = "iv", read.duration() if read.taken("over") else Fraction(0)
    elif before:
        route, duration = before.route, before.duration
    else:
        raise read.expected(words.A_ROUTE)
    return Administration(dose, route, duration)


def _dose(read: Cursor) -> Dose:
    begin = read.here
    value = read.positive("a dose")
    if read.here.raw == "mIU":
        raise read.expected("MIU for a million IU, or IU (mIU is a thousandth of an IU)")
    if read.here.text not in words.AMOUNTS:
        raise read.expected(words.A_UNIT)
    scale, unit = words.AMOUNTS[read.advance().text]
    dose = Dose(value * scale, unit, _basis(read))
    if dose.amount > words.MOST[unit]:
        raise read.expected(f"a dose of at most {words.MOST[unit]} {unit}", begin)
    return dose


def _basis(read: Cursor) -> Basis:
    if not read.taken("/", "per"):
        return "flat"
    if read.taken("kg"):
        return "kg"
    if read.taken("m"):
        read.take("2", "m2")
    elif not read.taken("m²"):
        raise read.expected("m2 or kg")
    return "m2"


def _interval(read: Cursor) -> Rhythm | None:
    """A rhythm, or None if the token that is due does not begin one."""
    word = read.here.text
    if word in words.INTERVALS:
        return words.INTERVALS[read.advance().text]
    if word in words.TIMES_A_WEEK:
        read.advance()
        read.take("weekly", "'weekly'")
        return words.TIMES_A_WEEK[word]
    if read.taken("q", "every"):
        number = read.whole("a whole number, as in q3d")
        unit = read.here
        hours = read.unit_of_time("h, d or w, as in q3d")
        if hours < words.HOUR:
            raise read.expected("h, d or w, as in q3d", unit)
        return Rhythm(number * hours)
    if word in words.WEEKDAYS:
        return _weekdays(read)
    if word in words.AMBIGUOUS:
        raise read.expected(f"'twice weekly' or 'q2w' ({word} can mean either)")
    return None


def _weekdays(read: Cursor) -> Rhythm:
    days = [words.WEEKDAYS.index(read.advance().text)]
    while read.here.text == "," and read.next.text in words.WEEKDAYS:
        read.advance()
        if words.WEEKDAYS.index(read.here.text) in days:
            raise read.expected("each weekday once")
        days.append(words.WEEKDAYS.index(read.advance().text))
    return Rhythm(WEEK, tuple(day * DAY for day in sorted(days)), calendar=True)


def _extent(read: Cursor, rhythm: Rhythm, placed: Placement) -> Schedule:
    begin = read.here
    if read.taken("to"):
        begin = read.here
        until = read.duration()
        if until <= placed.end:
            raise read.expected("a time after the end of what comes before", begin)
        _holds(read, rhythm, until - placed.end, begin)
        return Repeated(rhythm, Until(until))
    if read.taken("x", "for"):
        return Repeated(rhythm, _length(read, rhythm))
    if begin.kind != "number":
        raise read.expected(words.AN_EXTENT)
    on = _length(read, rhythm)
    read.take("on", "'on', as in 14 d on / 14 d off x 3")
    read.take("/", "'/ 14 d off', as in 14 d on / 14 d off x 3")
    off = read.duration()
    read.take("off", "'off', as in 14 d on / 14 d off x 3")
    read.take("x", "'x' and the number of cycles")
    cycles = read.whole("a whole number of cycles")
    read.taken("cycles", "cycle")
    return Cycled(rhythm, on, off, cycles)


def _length(read: Cursor, rhythm: Rhythm) -> Lasting | Number:
    begin = read.here
    if read.next.text in ("doses", "dose"):
        number = Number(read.whole("a whole number of doses"))
        read.advance()
        return number
    hours = read.duration("a unit: min, h, d, wk or doses")
    _holds(read, rhythm, hours, begin)
    return Lasting(hours)


def _holds(read: Cursor, rhythm: Rhythm, hours: Fraction, begin: Token) -> None:
    """Without a full interval there might be no dose at all."""
    if hours < rhythm.period:
        raise read.expected("a length of at least one interval", begin)


def _times(read: Cursor, before: Phase | None, placed: Placement) -> At:
    numbers = [(read.here, read.number("a time"))]
    while read.taken(","):
        numbers.append((read.here, read.number("a time")))
    unit = read.unit_of_time()
    # Single doses may follow each other faster than the day for which each counts.
    single = before is not None and isinstance(before.schedule, Once | At)
    earliest, previous = (Fraction(0), placed.times[-1]) if single else (placed.end, Fraction(-1))
    for token, number in numbers:
        if number * unit < earliest or number * unit <= previous:
            raise read.expected("times that rise, none before the end of what comes before", token)
        previous = number * unit
    return At(tuple(number * unit for _, number in numbers))
