"""Parts of a regimen as the one canonical sentence from which `pkpd.regimens.grammar` reads them back."""

from decimal import Context, Decimal
from fractions import Fraction

from pkpd.regimens.dose import Administration, Dose
from pkpd.regimens.phase import Phase
from pkpd.regimens.schedule import (
    DAY,
    WEEK,
    At,
    Cycled,
    Lasting,
    Number,
    Once,
    Repeated,
    Rhythm,
    Schedule,
    Until,
)
from pkpd.regimens.vocabulary import HOUR, INTERVALS, TIMES, TIMES_A_WEEK, WEEKDAYS

_EXACT = Context(prec=60)
# The first word of the vocabulary for a rhythm, so that "qd" is written and not "daily".
_WORDS = {rhythm: word for word, rhythm in reversed(INTERVALS.items())} | {
    rhythm: f"{word} weekly" for word, rhythm in TIMES_A_WEEK.items()
}
_WEEKS_FROM = 4 * WEEK
_MIU_FROM = 10_000


def sentence(phases: tuple[Phase, ...] | None) -> str:
    """The canonical sentence; "placebo" for no phases, "unknown" for None."""
    if phases is None:
        return "unknown"
    if not phases:
        return "placebo"
    phrases = []
    before = None
    for phase in phases:
        words = [*_changes(phase.administration, before), schedule_words(phase.schedule)]
        phrases.append(" ".join(words))
        before = phase.administration
    return ", then ".join(phrases)


def amount_and_unit(dose: Dose) -> tuple[Fraction, str]:
    """The amount in the unit in which it is written, and that unit: 0.26 and "MIU/m2"."""
    million = dose.unit == "IU" and dose.amount >= _MIU_FROM
    unit = "MIU" if million else dose.unit
    return dose.amount / (10**6 if million else 1), unit if dose.basis == "flat" else f"{unit}/{dose.basis}"


def dose_words(dose: Dose | None) -> str:
    """A dose as it is written: "0.26 MIU/m2"."""
    if dose is None:
        return "unknown dose"
    amount, unit = amount_and_unit(dose)
    return f"{_decimal(amount)} {unit}"


def schedule_words(schedule: Schedule) -> str:
    """A schedule as it is written: "qod 14 d on / 14 d off x 3"."""
    match schedule:
        case Once():
            return "once"
        case At(times):
            unit = _unit(times)
            return f"at {', '.join(_decimal(time / TIMES[unit]) for time in times)} {unit}"
        case Repeated(rhythm, length):
            until = isinstance(length, Until)
            words = f"to {_time_words(length.time)}" if until else f"x {_length_words(length)}"
            return f"{_rhythm_words(rhythm)} {words}"
        case Cycled(rhythm, on, off, cycles):
            return f"{_rhythm_words(rhythm)} {_length_words(on)} on / {_time_words(off)} off x {cycles}"


def _changes(now: Administration, before: Administration | None) -> list[str]:
    """The words for what is not as it was before."""
    words = []
    if before is None or now.dose != before.dose:
        words.append(dose_words(now.dose))
    if before is None or (now.route, now.duration) != (before.route, before.duration):
        words.append(now.route + (f" over {_time_words(now.duration)}" if now.duration else ""))
    return words


def _rhythm_words(rhythm: Rhythm) -> str:
    if rhythm in _WORDS:
        return _WORDS[rhythm]
    if rhythm.calendar:
        return ",".join(WEEKDAYS[int(offset / DAY)] for offset in rhythm.offsets)
    for unit, hours in (("w", WEEK), ("d", DAY), ("h", HOUR)):
        if rhythm.period % hours == 0:
            return f"q{rhythm.period / hours}{unit}"
    raise ValueError(f"a rhythm of {rhythm.period} h is no whole number of hours")


def _length_words(length: Lasting | Number) -> str:
    if isinstance(length, Number):
        return f"{length.doses} dose{'' if length.doses == 1 else 's'}"
    return _time_words(length.hours)


def _time_words(hours: Fraction) -> str:
    unit = _unit((hours,))
    return f"{_decimal(hours / TIMES[unit])} {unit}"


def _unit(times: tuple[Fraction, ...]) -> str:
    """The largest unit in which all times are whole numbers; weeks only from four on."""
    units = ("wk", "d", "h") if max(times) >= _WEEKS_FROM else ("d", "h")
    return next((unit for unit in units if all(time % TIMES[unit] == 0 for time in times)), "min")


def _decimal(number: Fraction) -> str:
    """All digits of a fraction that has a finite number of them, as every number of a regimen text does."""
    return f"{_EXACT.divide(Decimal(number.numerator), Decimal(number.denominator)).normalize(_EXACT):f}"
