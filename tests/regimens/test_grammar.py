"""The regimen language: what is understood means what it says, what is not is answered at the right place."""

import re
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pkpd.regimens.dose import Administration, Dose
from pkpd.regimens.grammar import parse
from pkpd.regimens.phase import Phase
from pkpd.regimens.regimen import Regimen
from pkpd.regimens.schedule import (
    BEGINNING,
    At,
    Cycled,
    Lasting,
    Number,
    Once,
    Repeated,
    Rhythm,
    Until,
)
from pkpd.regimens.sentence import sentence
from pkpd.regimens.tokens import RegimenTextError
from pkpd.regimens.vocabulary import INTERVALS, TIMES_A_WEEK

TRIAL = [28 * cycle + 2 * dose for cycle in range(3) for dose in range(7)]
FIVES = [21 * course + dose for course in range(4) for dose in range(5)]

# text, canonical sentence, days of the doses, their amounts (one for all, or one each) in 1e6 IU, basis
GOOD = [
    ("placebo", "placebo", [], 1, "flat"),
    ("1 MIU sc qod x 14 d", "1 MIU sc qod x 14 d", [0, 2, 4, 6, 8, 10, 12], 1, "flat"),
    ("1 MIU sc q3d x 8 wk", "1 MIU sc q3d x 8 wk", [*range(0, 56, 3)], 1, "flat"),
    ("1 MIU sc qod 14d on / 14d off x 3", "1 MIU sc qod 14 d on / 14 d off x 3", TRIAL, 1, "flat"),
    (
        "0.5 MIU sc qd, 14 d on/14 d off x3 cycles",
        "0.5 MIU sc qd 14 d on / 14 d off x 3",
        [28 * cycle + day for cycle in range(3) for day in range(14)],
        0.5,
        "flat",
    ),
    ("0.25 MIU sc qd x 84 d", "0.25 MIU sc qd x 12 wk", [*range(84)], 0.25, "flat"),
    (
        "1.5 MIU sc qd x 5 d, then qw to 12 wk",
        "1.5 MIU sc qd x 5 d, then qw to 12 wk",
        [0, 1, 2, 3, 4, *range(7, 84, 7)],
        1.5,
        "flat",
    ),
    (
        "1 MIU sc qd x 5 d then qw x 3 doses",
        "1 MIU sc qd x 5 d, then qw x 3 doses",
        [0, 1, 2, 3, 4, 7, 14, 21],
        1,
        "flat",
    ),
    (
        "1 MIU sc qod x 12 wk, then qw x 12 wk",
        "1 MIU sc qod x 12 wk, then qw x 12 wk",
        [*range(0, 84, 2), *range(84, 168, 7)],
        1,
        "flat",
    ),
    (
        "1 MIU sc q3d x 8 d, then 2 MIU x 9 d",
        "1 MIU sc q3d x 8 d, then 2 MIU q3d x 9 d",
        [0, 3, 6, 9, 12, 15],
        [1, 1, 1, 2, 2, 2],
        "flat",
    ),
    (
        "1.5 MIU sc qd 5d on / 16d off x 1, then 3 MIU qd 5d on / 16d off x 3",
        "1.5 MIU sc qd 5 d on / 16 d off x 1, then 3 MIU qd 5 d on / 16 d off x 3",
        FIVES,
        [1.5] * 5 + [3] * 15,
        "flat",
    ),
    (
        "1 MIU sc qd 5d on / 16d off x 1, then qod x 6 d",
        "1 MIU sc qd 5 d on / 16 d off x 1, then qod x 6 d",
        [0, 1, 2, 3, 4, 21, 23, 25],
        1,
        "flat",
    ),
    (
        "1 MIU sc qod 5d on / 4d off x 2",
        "1 MIU sc qod 5 d on / 4 d off x 2",
        [0, 2, 4, 9, 11, 13],
        1,
        "flat",
    ),
    ("1e6 IU s.c. q.o.d. for 4 days", "1 MIU sc qod x 4 d", [0, 2], 1, "flat"),
    ("1MIU SC QD x3 doses", "1 MIU sc qd x 3 doses", [0, 1, 2], 1, "flat"),
    ("  250 kiu sc daily × 2 d ", "0.25 MIU sc qd x 2 d", [0, 1], 0.25, "flat"),
    ("5000 IU sc qd x 1 dose", "5000 IU sc qd x 1 dose", [0], 0.005, "flat"),
    ("0.26 MIU/m2 sc q3d x 6 d", "0.26 MIU/m2 sc q3d x 6 d", [0, 3], 0.26, "m2"),
    ("0.26 MIU / m² sc every 3 days x 6 d", "0.26 MIU/m2 sc q3d x 6 d", [0, 3], 0.26, "m2"),
    ("10000 IU per kg sc bid x 1 d", "0.01 MIU/kg sc bid x 1 d", [0, 0.5], 0.01, "kg"),
    ("11 ug sc once", "11 ug sc once", [0], 0.18, "flat"),
    ("5.5 µg/kg sc q12h x 1 d", "5.5 ug/kg sc bid x 1 d", [0, 0.5], 0.09, "kg"),
    (
        "600000 IU/kg iv over 15 min q8h 14 doses on / 9 d off x 2",
        "0.6 MIU/kg iv over 15 min q8h 14 doses on / 9 d off x 2",
        [(8 * dose + 328 * cycle) / 24 for cycle in range(2) for dose in range(14)],
        0.6,
        "kg",
    ),
    ("1 MIU iv qd x 2 d", "1 MIU iv qd x 2 d", [0, 1], 1, "flat"),
    ("18 MIU iv over 24 h qd x 2 d", "18 MIU iv over 1 d qd x 2 d", [0, 1], 18, "flat"),
    (
        "2 MIU sc qd x 1 d, then iv over 60 min qd to 3 d",
        "2 MIU sc qd x 1 d, then iv over 1 h qd to 3 d",
        [0, 1, 2],
        2,
        "flat",
    ),
    ("1 MIU sc q2w x 12 wk", "1 MIU sc q2w x 12 wk", [*range(0, 84, 14)], 1, "flat"),
    ("1 MIU sc q36h x 3 d", "1 MIU sc q36h x 3 d", [0, 1.5], 1, "flat"),
    ("1 MIU sc weekly for 3 weeks", "1 MIU sc qw x 21 d", [0, 7, 14], 1, "flat"),
    ("1 MIU sc twice weekly x 2 wk", "1 MIU sc twice weekly x 14 d", [0, 3, 7, 10], 1, "flat"),
    ("1 MIU sc thrice weekly x 4 doses", "1 MIU sc thrice weekly x 4 doses", [0, 2, 4, 7], 1, "flat"),
    ("1 MIU sc mon,wed,fri x 2 wk", "1 MIU sc mon,wed,fri x 14 d", [0, 2, 4, 7, 9, 11], 1, "flat"),
    ("1 MIU sc Fri , Tue x 1 wk", "1 MIU sc tue,fri x 7 d", [1, 4], 1, "flat"),
    (
        "1 MIU sc qd x 3 d, then tue,sat to 14 d",
        "1 MIU sc qd x 3 d, then tue,sat to 14 d",
        [0, 1, 2, 5, 8, 12],
        1,
        "flat",
    ),
    (
        "1 MIU sc at 0, 3, 10.5 d, then 2 MIU once",
        "1 MIU sc at 0, 72, 252 h, then 2 MIU once",
        [0, 3, 10.5, 11.5],
        [1, 1, 1, 2],
        "flat",
    ),
    (
        "1 MIU sc once, then 2 MIU at 8 h, then iv qd x 2 d",
        "1 MIU sc once, then 2 MIU at 8 h, then iv qd x 2 d",
        [0, 1 / 3, 2, 3],
        [1, 2, 2, 2],
        "flat",
    ),
]

A_DOSE, AN_INTERVAL, HOW_LONG = "a dose such as", "an interval: qd, qod", "how long: x 8 wk"

# text, index of the character at which the trouble is pointed, what is expected there
BAD = [
    ("", 0, A_DOSE),
    ("   ", 0, A_DOSE),
    ("MIU sc qd x 5 d", 0, A_DOSE),
    ("nan MIU sc qd x 5 d", 0, A_DOSE),
    ("inf MIU sc qd x 5 d", 0, A_DOSE),
    ("-1 MIU sc qd x 5 d", 0, A_DOSE),
    (".5 MIU sc qd x 5 d", 0, A_DOSE),
    ("0 MIU sc qd x 5 d", 0, "a dose greater than 0"),
    ("0.0 MIU sc qd x 5 d", 0, "a dose greater than 0"),
    ("1001 MIU sc qd x 5 d", 0, "a dose of at most 1000000000 IU"),
    ("1e99 IU sc qd x 5 d", 0, "a number of at most 15 digits"),
    ("1234567890123456 IU sc qd x 5 d", 0, "a number of at most 15 digits"),
    ("1,5 MIU sc qd x 5 d", 1, "a decimal point ('1.5', not '1,5')"),
    ("1. MIU sc qd x 5 d", 1, "a unit of dose"),
    ("1 sc qd x 5 d", 2, "a unit of dose"),
    ("1 mIU sc qd x 5 d", 2, "mIU is a thousandth of an IU"),
    ("1 mg sc qd x 5 d", 2, "a unit of dose"),
    ("1 MIU/l sc qd x 5 d", 6, "m2 or kg"),
    ("1 MIU/m3 sc qd x 5 d", 7, "m2"),
    ("1 MIU qd x 5 d", 6, "a route: sc, iv"),
    ("1 MIU po qd x 5 d", 6, "a route: sc, iv"),
    ("1 MIU sc over 1 h qd x 5 d", 9, AN_INTERVAL),
    ("1 MIU iv over 15 qd x 5 d", 17, "a unit of time"),
    ("1 MIU iv over 0 min qd x 5 d", 14, "a length of time greater than 0"),
    ("1 MIU iv over 9 h q8h x 5 d", 18, "an interval not shorter than the infusion"),
    ("1 MIU iv over 4 d twice weekly x 5 wk", 18, "an interval not shorter than the infusion"),
    ("1 MIU sc x 5 d", 9, AN_INTERVAL),
    ("1 MIU sc qxd x 5 d", 9, AN_INTERVAL),
    ("1 MIU sc q0d x 5 d", 10, "a whole number, as in q3d greater than 0"),
    ("1 MIU sc q1.5d x 5 d", 10, "a whole number, as in q3d"),
    ("1 MIU sc q3 x 5 d", 12, "h, d or w"),
    ("1 MIU sc q30min x 5 d", 12, "h, d or w"),
    ("1 MIU sc biw x 5 wk", 9, "'twice weekly' or 'q2w' (biw can mean either)"),
    ("1 MIU sc twice a day x 5 d", 15, "'weekly'"),
    ("1 MIU sc mon,wen x 5 wk", 13, HOW_LONG),
    ("1 MIU sc mon,tue,mon x 5 wk", 17, "each weekday once"),
    ("1 MIU sc qd", 11, HOW_LONG),
    ("1 MIU sc qd  ", 11, HOW_LONG),
    ("1 MIU sc qd x", 13, "a length of time"),
    ("1 MIU sc qd x 5", 15, "a unit: min, h, d, wk or doses"),
    ("1 MIU sc qd x 6 months", 16, "a unit: min, h, d, wk or doses"),
    ("1 MIU sc qd x -5 d", 14, "a length of time"),
    ("1 MIU sc qd x 0 d", 14, "a length of time greater than 0"),
    ("1 MIU sc qd x 2.5 doses", 14, "a whole number of doses"),
    ("1 MIU sc q2w x 1 wk", 15, "a length of at least one interval"),
    ("1 MIU sc q3d 2d on / 5d off x 3", 13, "a length of at least one interval"),
    ("1 MIU sc qd 5 d", 15, "'on'"),
    ("1 MIU sc qd 14d on 14d off x 3", 19, "'/ 14 d off'"),
    ("1 MIU sc qd 14d on / 14d x 3", 25, "'off'"),
    ("1 MIU sc qd 14d on / 0d off x 3", 21, "a length of time greater than 0"),
    ("1 MIU sc qd 14d on / 14d off", 28, "'x' and the number of cycles"),
    ("1 MIU sc qd 14d on / 14d off x 2.5", 31, "a whole number of cycles"),
    ("1 MIU sc qd x 5 d forever", 18, "', then ...' or the end"),
    ("1 MIU sc qd x 5 d, qw to 12 wk", 19, "'then'"),
    ("1 MIU sc qd x 5 d then", 22, "what changes"),
    ("1 MIU sc qd x 5 d, then x 5 d", 24, "what changes"),
    ("1 MIU sc once, then 2 MIU x 5 d", 26, AN_INTERVAL),
    ("1 MIU sc qd x 5 d, then qw to 3 d", 30, "a time after the end of what comes before"),
    ("1 MIU sc qd x 5 d, then qw to 9 d", 30, "a length of at least one interval"),
    ("1 MIU sc qd x 5 d, then at 4 d", 27, "times that rise"),
    ("1 MIU sc at 3, 1 d", 15, "times that rise"),
    ("1 MIU sc at 1,5 d", 13, "a space after the comma of a list"),
    ("1 MIU sc at 3", 13, "a unit of time"),
    ("1 MIU sc q1h x 5000 d", 13, "at most 100000 doses"),
    ("1 MIU sc qd x 999999999 doses", 12, "at most 100000 doses"),
    ("1 MIU sc qd 9d on / 9d off x 99999999999", 12, "at most 100000 doses"),
    ("1 MIU sc q1h x 4000 d, then q1h x 4000 d", 32, "at most 100000 doses"),
    ("1 MIU sc q52w x 5201 wk", 14, "an end within 5200 wk"),
    ("placebo qd", 0, A_DOSE),
    ("unknown sc qd x 5 d", 8, "'dose'"),
    ("1 MIU sc qd x 5 d; rm", 17, "', then ...' or the end"),
]


def _regimen(text: str) -> Regimen:
    return Regimen("a text", parse(text))


@pytest.mark.parametrize(("text", "canonical", "days", "amounts", "basis"), GOOD)
def test_good_text(text: str, canonical: str, days: list, amounts: float | list, basis: str) -> None:
    regimen = _regimen(text)
    doses = regimen.doses()
    assert regimen.sentence() == canonical
    assert parse(canonical) == regimen.phases
    # Times and amounts are exact fractions until they are rounded once.
    assert [dose.time for dose in doses] == pytest.approx([24 * day for day in days], rel=1e-15)
    expected = amounts if isinstance(amounts, list) else [amounts] * len(days)
    assert [dose.amount for dose in doses] == pytest.approx([1e6 * amount for amount in expected], rel=1e-15)
    assert {dose.basis for dose in doses} == ({basis} if days else set())
    table = regimen.dose_table()
    assert list(table["time_h"]) == [dose.time for dose in doses]
    assert regimen.injections == len(days)


@pytest.mark.parametrize(("text", "position", "expected"), BAD)
def test_bad_text(text: str, position: int, expected: str) -> None:
    with pytest.raises(RegimenTextError) as caught:
        parse(text)
    error = caught.value
    assert (error.position, expected in error.expected) == (position, True), str(error)
    assert f"position {position + 1}, at " in str(error)
    assert str(error).endswith(f"expected {error.expected}")
    line, caret = error.caret.split("\n")
    assert line == text
    assert caret == " " * position + "^"


def test_there_are_enough_texts() -> None:
    assert len(GOOD) >= 30
    assert len({text for text, *_ in BAD}) == len(BAD) >= 30


def test_a_complaint_is_one_harmless_line_whatever_the_text() -> None:
    with pytest.raises(RegimenTextError) as caught:
        parse("1 MIU\tsc\n\x1b[31m qd x 5 d")
    assert str(caught.value).isprintable()
    with pytest.raises(RegimenTextError, match="a text of at most 2000 characters"):
        parse("1 MIU sc qd x 5 d" + " " * 2000)


def test_the_trial_has_21_doses_and_two_others_the_same_total() -> None:
    trial, daily, steady = (
        _regimen(text)
        for text in (
            "1 MIU sc qod 14d on / 14d off x 3",
            "0.5 MIU sc qd 14d on / 14d off x 3",
            "0.25 MIU sc qd x 84 d",
        )
    )
    assert [regimen.injections for regimen in (trial, daily, steady)] == [21, 42, 84]
    assert trial.total_dose == "21 MIU in 21 injections"
    assert daily.total_dose == "21 MIU in 42 injections"
    assert steady.total_dose == "21 MIU in 84 injections"
    assert {regimen.treatment_end for regimen in (trial, daily, steady)} == {2016.0}


@pytest.mark.parametrize(
    ("text", "blocks", "end"),
    [
        ("placebo", (), 0),
        ("1 MIU sc qod 14d on / 14d off x 3", ((0, 336), (672, 1008), (1344, 1680)), 2016),
        ("1 MIU sc qd x 12 wk", ((0, 2016),), 2016),
        ("1 MIU sc once", ((0, 24),), 24),
        ("1 MIU sc qd x 5 d, then qw to 12 wk", ((0, 2016),), 2016),
        ("1 MIU sc at 1, 2, 9 d", ((24, 240),), 240),
        ("1 MIU sc once, then 2 MIU at 8 h", ((0, 32),), 32),
        ("1 MIU sc tue x 2 wk", ((24, 336),), 336),
        ("1 MIU sc qd 5d on / 16d off x 2", ((0, 120), (504, 624)), 1008),
        ("1 MIU sc qd x 2 d, then qd 5d on / 2d off x 2", ((0, 168), (216, 336)), 384),
        ("1 MIU sc qd 5d on / 2d off x 1, then qw x 2 wk", ((0, 120), (168, 504)), 504),
        ("1 MIU sc q8h 14 doses on / 9 d off x 2", ((0, 112), (328, 440)), 656),
    ],
)
def test_blocks_are_parted_by_pauses_only(text: str, blocks: tuple, end: float) -> None:
    regimen = _regimen(text)
    assert regimen.on_blocks() == blocks
    assert regimen.treatment_end == end


def test_infusions_last_and_injections_do_not() -> None:
    assert {dose.duration for dose in _regimen("1 MIU iv over 15 min qd x 3 d").doses()} == {0.25}
    assert {dose.duration for dose in _regimen("1 MIU sc qd x 3 d").doses()} == {0.0}
    both = _regimen("1 MIU iv over 15 min once, then sc qd x 2 d")
    assert [(dose.route, dose.duration) for dose in both.doses()] == [("iv", 0.25), ("sc", 0), ("sc", 0)]


def test_the_dose_table_keeps_the_amount_as_prescribed() -> None:
    table = _regimen("5 ug/kg sc qd 2d on / 1d off x 2, then 0.2 MIU iv over 30 min once").dose_table()
    assert list(table["number"]) == [1, 2, 3, 4, 5]
    assert list(table["block"]) == [1, 1, 2, 2, 3]
    assert list(table["day"]) == [0, 1, 3, 4, 6]
    assert list(table["amount"]) == [5, 5, 5, 5, 0.2]
    assert list(table["unit"]) == ["ug/kg"] * 4 + ["MIU"]
    assert list(table["route"]) == ["sc"] * 4 + ["iv"]
    assert list(table["infusion_min"]) == [0, 0, 0, 0, 30]


def test_an_unknown_dose_is_a_schedule_without_amounts() -> None:
    regimen = _regimen("unknown dose sc q2w x 3 doses, then 1 MIU qw x 2 doses")
    assert regimen.sentence() == "unknown dose sc q2w x 3 doses, then 1 MIU qw x 2 doses"
    assert regimen.total_dose == "unknown dose in 5 injections"
    assert list(regimen.dose_table()["amount"].isna()) == [True] * 3 + [False] * 2
    assert parse("unknown") is None
    assert Regimen("nothing known", None).sentence() == "unknown"


# --- properties -------------------------------------------------------------------------------------------------

# Strategies draw plain numbers only; regimens are built from them inside the tests, where the type checker may
# use the `random` module.

_WEEK = Fraction(168)
_RHYTHMS = st.one_of(
    st.sampled_from(["qd", "qod", "bid", "qw", "twice", "thrice"]),
    st.integers(1, 500),
    st.lists(st.integers(0, 6), min_size=1, max_size=7, unique=True),
)
_PHASES = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["once", "at", "lasting", "until", "number", "cycled", "cycled number"]),
            "rhythm": _RHYTHMS,
            "periods": st.decimals(1, 3, places=3),
            "count": st.integers(1, 6),
            "off": st.decimals("0.01", 500, places=2),
            "cycles": st.integers(1, 4),
            "amount": st.decimals("0.001", 9999, places=3),
            "unit": st.sampled_from(["IU", "ug"]),
            "basis": st.sampled_from(["flat", "m2", "kg"]),
            "route": st.sampled_from(["sc", "iv", "iv over", "iv unknown"]),
        }
    ),
    min_size=1,
    max_size=4,
)


def _rhythm(drawn: str | int | list[int]) -> Rhythm:
    if isinstance(drawn, int):
        return Rhythm(Fraction(drawn))
    if isinstance(drawn, list):
        return Rhythm(_WEEK, tuple(Fraction(24 * day) for day in sorted(drawn)), calendar=True)
    return INTERVALS[drawn] if drawn in INTERVALS else TIMES_A_WEEK[drawn]


def _built(drawn: list[dict]) -> tuple[Phase, ...]:
    phases, placed = [], BEGINNING
    for one in drawn:
        rhythm, number = _rhythm(one["rhythm"]), Number(one["count"])
        # A length in whole minutes, so that it has a finite number of digits.
        hours = Fraction(round(rhythm.period * Fraction(one["periods"]) * 60)) / 60
        off = Fraction(one["off"])
        schedule = {
            "once": Once(),
            "at": At(tuple(placed.end + hours * step for step in range(one["count"]))),
            "lasting": Repeated(rhythm, Lasting(hours)),
            "until": Repeated(rhythm, Until(placed.end + hours)),
            "number": Repeated(rhythm, number),
            "cycled": Cycled(rhythm, Lasting(hours), off, one["cycles"]),
            "cycled number": Cycled(rhythm, number, off, one["cycles"]),
        }[one["kind"]]
        dose = None if one["route"] == "iv unknown" else Dose(Fraction(one["amount"]), one["unit"], one["basis"])
        infusion = min(rhythm.gap, Fraction(1, 3)) if one["route"] == "iv over" else Fraction(0)
        phases.append(Phase(Administration(dose, one["route"][:2], infusion), schedule))
        placed = schedule.place(placed)
    return tuple(phases)


@settings(max_examples=300, deadline=None)
@given(_PHASES)
def test_the_sentence_reads_back_as_the_same_regimen(drawn: list[dict]) -> None:
    phases = _built(drawn)
    assert parse(sentence(phases)) == phases


@settings(max_examples=200, deadline=None)
@given(_PHASES, st.integers(1, 3))
def test_case_and_spaces_do_not_matter(drawn: list[dict], spaces: int) -> None:
    phases = _built(drawn)
    text = sentence(phases)
    # Between a comma and a number the space tells a list from a decimal comma.
    spaced = re.sub(r"(?<!,) (?=[^\d])", " " * spaces, text)
    assert parse(spaced.upper()) == phases
    assert parse(re.sub(r"(?<=\d) (?=[a-z])", "", text)) == phases


@settings(max_examples=200, deadline=None)
@given(_PHASES)
def test_doses_rise_in_time_within_the_treatment(drawn: list[dict]) -> None:
    regimen = Regimen("any", _built(drawn))
    times = list(regimen.dose_table()["time_h"])
    blocks = regimen.on_blocks()
    assert all(earlier < later for earlier, later in pairwise(times))
    assert all(any(start <= time < end for start, end in blocks) for time in times)
    assert all(earlier[1] < later[0] for earlier, later in pairwise(blocks))
    assert blocks[-1][1] <= regimen.treatment_end


_SOUP = (
    *("1", "0.5", "14", "3", "MIU", "ug", "/m2", "/", "kg", ",", "sc", "iv", "over", "qd", "q", "d", "wk", "min"),
    *("x", "to", "at", "once", "on", "off", "then", "mon,wed", "doses", "unknown", "dose", "placebo"),
)


@settings(max_examples=500, deadline=None)
@given(
    st.one_of(
        st.text(max_size=40),
        st.lists(st.sampled_from(_SOUP), max_size=14).map(" ".join),
    )
)
def test_any_text_is_understood_or_refused_in_words(text: str) -> None:
    try:
        phases = parse(text)
    except RegimenTextError as error:
        assert 0 <= error.position <= len(text)
        assert error.expected
    else:
        assert parse(sentence(phases)) == phases
