"""Records that mean nothing are refused before anything is solved, all of them at once and by name."""

import time

import numpy as np
import pytest
from oracles.expm_events import DOSE, RESET, Record
from recorded import dosed, records_of

from pkpd.engine.prepare import prepare
from pkpd.errors import InputError
from pkpd.events.records import MOST_DOSES, OTHER, Records

STATES = ("depot", "central")
GOOD = records_of([[Record(0.0, DOSE, 100.0, 1, addl=2, ii=12.0), Record(5.0), Record(30.0)]] * 2)


def altered(name: str, value: float, record: int = 0, subject: int = 1) -> Records:
    field = getattr(GOOD, name).copy()
    field[record, subject] = value
    return GOOD._replace(**{name: field})


def test_good_records_pass() -> None:
    GOOD.check(STATES)


@pytest.mark.parametrize(
    ("name", "value", "record", "rule"),
    [
        ("amt", -1.0, 0, "must not be negative"),
        ("amt", np.nan, 0, "finite"),
        ("amt", 1e-300, 0, "positive amounts below"),
        ("amt", 5.0, 1, "only EVID 1 and 4"),
        ("time", 6.0, 1, "must not go back"),
        ("time", np.inf, 2, "finite"),
        ("rate", np.inf, 0, "finite"),
        ("rate", -3.0, 0, "0 or more, or -1 or -2"),
        ("dur", -1.0, 0, "must not be negative"),
        ("ii", 0.0, 0, "ADDL needs an II"),
        ("ii", -12.0, 0, "must not be negative"),
        ("addl", -1, 0, "must not be negative"),
        ("addl", 10**9, 0, f"{MOST_DOSES} doses"),
        ("ss", 3, 0, "0, 1 or 2"),
        ("ss", 1, 1, "only EVID 1 and 4"),
        ("evid", 5, 1, "0, 1, 2, 3 or 4"),
        ("cmt", 2, 0, "0 to 1"),
        ("cmt", -1, 0, "0 to 1"),
    ],
)
def test_what_has_no_meaning_is_named(name: str, value: float, record: int, rule: str) -> None:
    bad = altered(name, value, record) if name != "time" or value != 6.0 else altered("time", 31.0, 1)
    begun = time.perf_counter()
    with pytest.raises(InputError, match=rule) as error:
        bad.check(STATES)
    assert f"subject 1, record {record if not (name == 'time' and value == 6.0) else 2}: {name}" in str(error.value)
    assert time.perf_counter() - begun < 1.0


def test_everything_wrong_is_told_at_once() -> None:
    bad = altered("amt", -1.0)._replace(ss=altered("ss", 7).ss, ii=altered("ii", np.inf).ii)
    with pytest.raises(InputError) as error:
        bad.check(STATES)
    assert [name for name in ("amt is -1", "ss is 7", "ii is inf") if name in str(error.value)] == [
        "amt is -1",
        "ss is 7",
        "ii is inf",
    ]


@pytest.mark.parametrize(
    ("record", "rule"),
    [
        (Record(0.0, DOSE, 100.0, 1, rate=5.0, dur=2.0), "cannot both be given"),
        (Record(0.0, DOSE, 0.0, 1, rate=5.0), "an infusion needs an AMT"),
        (Record(0.0, DOSE, 100.0, 1, ss=1), "SS needs an II"),
        (Record(0.0, DOSE, 0.0, 1, rate=5.0, ss=1, ii=12.0), "endless infusion has no II"),
        (Record(0.0, RESET, 100.0, 1), "only EVID 1 and 4"),
    ],
)
def test_doses_that_contradict_themselves(record: Record, rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        records_of([[record, Record(5.0)]]).check(STATES)


@pytest.mark.parametrize(("lag", "refused"), [(11.9, False), (12.0, True), (30.0, True)])
def test_a_lag_of_an_interval_or_more_is_refused_at_steady_state(lag: float, refused: bool) -> None:
    model = dosed(0, 1)
    records = records_of([[Record(0.0, DOSE, 100.0, 1, ii=12.0, ss=1), Record(5.0)]])
    parameters = {symbol: np.ones(1) for symbol in model.symbols} | {"lag1": np.array([lag])}
    if not refused:
        prepare(model, records, parameters)
        return
    with pytest.raises(InputError, match="the lag must be shorter than II") as error:
        prepare(model, records, parameters)
    assert "E-SS-LAG: subject 0, record 0" in str(error.value)


def test_a_change_needs_a_rule_and_names_need_meaning() -> None:
    model = dosed(0, 1)
    parameters = {symbol: np.ones(2) for symbol in model.symbols}
    with pytest.raises(InputError, match="carry='nocb' or carry='locf'"):
        prepare(model, GOOD, parameters | {"cl": np.ones((3, 2))})
    with pytest.raises(InputError, match="'cl' has shape"):
        prepare(model, GOOD, parameters | {"cl": np.ones(3)})
    with pytest.raises(InputError, match="unknown vmax"):
        prepare(model, GOOD, parameters | {"vmax": np.ones(2)})
    with pytest.raises(InputError, match="no output 'conc'"):
        prepare(model, GOOD, parameters, outputs=["conc"])


def test_a_modelled_rate_needs_a_route_that_has_one() -> None:
    model = dosed(0, 1)
    records = GOOD._replace(rate=np.where(GOOD.evid == DOSE, -2.0, 0.0))
    prepare(model, records, {symbol: np.ones(2) for symbol in model.symbols})
    from pkpd.qualify.dosing import MODEL

    with pytest.raises(InputError, match="RATE -2 asks for a modelled duration"):
        prepare(MODEL, records, {symbol: np.ones(2) for symbol in MODEL.symbols})


def test_padding_is_a_record_that_does_nothing() -> None:
    padded = Records(*(np.concatenate([field, field[-1:]]) for field in GOOD))._replace(
        evid=np.concatenate([GOOD.evid, np.full((1, 2), OTHER)])
    )
    padded.check(STATES)
