"""Records through the engine: every kind of them, against the exact reference and against NONMEM's own print."""

from collections.abc import Sequence

import numpy as np
import pytest
from components import draws, scaled_error
from numpy.typing import NDArray
from oracles import nonmem_scenarios as nonmem
from oracles.expm_events import DOSE, OTHER, RESET, RESET_AND_DOSE, Record, amounts_at_records, by_time
from oracles.linear_models import absorbed, disposition
from oracles.random_schedules import random_schedule, short_infusion
from recorded import dosed, dosing_parameters, records_of

from pkpd.engine.compiler import quickly
from pkpd.engine.predict import predict
from pkpd.engine.prepare import Carry, prepare
from pkpd.models.model import Model

TYPICAL = {"ka": 0.6, "cl": 4.0, "v1": 10.0, "q2": 3.0, "v2": 25.0, "q3": 0.8, "v3": 60.0}

compiled = quickly(predict)


def amounts(
    model: Model, schedules: Sequence[Sequence[Record]], parameters: dict[str, NDArray], carry: Carry | None = None
) -> NDArray:
    """Amounts [record, compartment, subject] by the engine."""
    prepared = prepare(model, records_of(schedules), parameters, carry=carry)
    found = compiled(prepared, parameters)
    return np.stack([np.asarray(found[name]) for name in model.outputs], axis=1)


def rates(model: Model, parameters: dict[str, NDArray], at: tuple[int, ...]) -> NDArray:
    """The reference's matrix from the parameters at one subject, or one record and subject."""
    p = {name: float(value[at[-value.ndim :]]) for name, value in parameters.items()}
    outer = [(p[f"q{i}"], p[f"v{i}"]) for i in (2, 3) if f"q{i}" in p]
    stages = sum(state.name.startswith("depot") for state in model.states)
    return absorbed(disposition(p["cl"], p["v1"], *outer), *[p["ka"]] * stages if stages else [])


def kinetic(model: Model, subjects: int, seed: int) -> dict[str, NDArray]:
    return draws({s: TYPICAL[s] for s in model.symbols if s in TYPICAL}, subjects, seed)


@pytest.mark.A2
def test_every_printed_digit_of_nonmem() -> None:
    """Scenarios 1 to 29; the half unit of the fifth digit is what NONMEM's rounding allows."""
    model, schedules = dosed(0, 1), [nonmem.records(number) for number in nonmem.NUMBERS]
    constants = {"ka": nonmem.KA, "cl": nonmem.CL, "v1": nonmem.V}
    parameters = {name: np.full(len(schedules), value) for name, value in constants.items()}
    parameters |= dosing_parameters(model, schedules, constant=False)
    inside = amounts(model, schedules, parameters, carry="nocb")
    compared = 0
    for b, (number, schedule) in enumerate(zip(nonmem.NUMBERS, schedules, strict=True)):
        reference = amounts_at_records(nonmem.RATES, schedule)
        assert scaled_error(inside[: len(schedule), :, b], reference) <= 1e-8, f"scenario {number}"
        samples = [k for k, record in enumerate(schedule) if record.evid == 0]
        found = nonmem.concentration(inside[samples, nonmem.CENTRAL - 1, b])
        for value, shown in zip(found, nonmem.printed(number), strict=True):
            off = nonmem.halves_of_the_last_digit(float(value), shown)
            assert off <= 1.01, f"scenario {number}: {value} is printed as {shown}"
            compared += 1
    assert compared == 29 * 131


@pytest.mark.A1
@pytest.mark.parametrize(
    ("peripherals", "stages", "constant"),
    [(0, 1, True), (1, 2, False), (2, 0, True), pytest.param(2, 1, False, marks=pytest.mark.slow)],
)
def test_random_records_in_random_patients(peripherals: int, stages: int, constant: bool) -> None:
    """60 patients: boluses, infusions, lag, F, ADDL, SS 1 and 2, EVID 3 and 4, samples just on arrivals."""
    model, rng = dosed(peripherals, stages), np.random.default_rng(11)
    schedules = [random_schedule(rng, range(1, len(model.states) + 1)) for _ in range(60)]
    own = dosing_parameters(model, schedules, constant)
    parameters = kinetic(model, 60, seed=12) | own
    inside = amounts(model, schedules, parameters, carry=None if constant else "nocb")
    for b, schedule in enumerate(schedules):
        if constant:
            schedule = [with_own_dosing(record, own, b) for record in schedule]
        expected = amounts_at_records(rates(model, parameters, (0, b)), schedule)
        # The reference rounds at 1e-16 of the largest amount and cannot judge less than 1e-3 of it.
        assert scaled_error(inside[: len(schedule), :, b], expected, axis=(0, 1), floor=1e-3) <= 1e-11


def with_own_dosing(record: Record, own: dict[str, NDArray], subject: int) -> Record:
    """The record with the lag and F its compartment has for this subject."""
    lag, f = (float(own[f"{kind}{record.cmt}"][subject]) for kind in ("lag", "f"))
    return Record(**{**vars(record), "lag": lag, "bioavailability": f}) if record.evid in (1, 4) else record


@pytest.mark.A3
@pytest.mark.parametrize("carry", ["nocb", "locf"])
def test_parameters_that_change_from_record_to_record(carry: Carry) -> None:
    model, rng, subjects = dosed(1, 1), np.random.default_rng(21), 20
    schedules = [random_schedule(rng, (1, 2)) for _ in range(subjects)]
    longest = max(map(len, schedules))
    parameters = kinetic(model, subjects, seed=22)
    for name in ("cl", "ka"):
        parameters[name] = parameters[name] * np.exp(0.4 * rng.normal(size=(longest, subjects)))
    parameters |= dosing_parameters(model, schedules, constant=False)
    inside = amounts(model, schedules, parameters, carry)
    for b, schedule in enumerate(schedules):
        matrices = np.stack([rates(model, parameters, (k, b)) for k in range(len(schedule))])
        expected = amounts_at_records(matrices, schedule, carry=carry)
        assert scaled_error(inside[: len(schedule), :, b], expected, axis=(0, 1), floor=1e-3) <= 1e-11


@pytest.mark.A4
@pytest.mark.parametrize("half_life_in_intervals", [0.1, 1.0, 100.0])
@pytest.mark.parametrize("form", [{}, {"dur": 5.0}, {"dur": 24.0}, {"dur": 60.0}], ids=str)
def test_steady_state_against_the_solved_reference(half_life_in_intervals: float, form: dict[str, float]) -> None:
    model, ii = dosed(1, 1), 24.0
    lags = [0.0, 3.5, 23.75]
    hours = np.arange(0.0, 49.0)
    schedules = [
        by_time([Record(0.0, DOSE, 100.0, 1, addl=1, ii=ii, ss=1, lag=lag, **form), *map(Record, hours)])
        for lag in lags
    ]
    parameters = {name: np.full(3, TYPICAL[name]) for name in ("ka", "v1", "q2", "v2")}
    parameters["cl"] = np.full(3, np.log(2) / (half_life_in_intervals * ii) * (10.0 + 25.0))
    parameters |= dosing_parameters(model, schedules, constant=True)
    inside = amounts(model, schedules, parameters)
    for b, schedule in enumerate(schedules):
        expected = amounts_at_records(rates(model, parameters, (b,)), schedule)
        assert scaled_error(inside[:, :, b], expected) <= 1e-10
        # One interval later everything is as it was: the row's own doses go on.
        np.testing.assert_allclose(inside[1:25, :, b], inside[25:49, :, b], rtol=1e-9)


@pytest.mark.A4
def test_a_long_run_comes_to_the_steady_state() -> None:
    """Half-life 6 h, 60 intervals of 12 h: 2 ** -120 of the start is left."""
    model = dosed(0, 1)
    base = Record(720.0, DOSE, 100.0, 1, rate=6.0, ii=12.0, lag=2.0)
    samples = [Record(720.0 + hour) for hour in np.arange(0.0, 12.0)]
    long = [Record(0.0, DOSE, 100.0, 1, rate=6.0, ii=12.0, lag=2.0, addl=61), *samples]
    steady = [Record(720.0, DOSE, 100.0, 1, rate=6.0, ii=12.0, lag=2.0, addl=1, ss=1), *samples]
    assert base.ii == 12.0
    parameters = {"ka": np.full(2, 1.0), "cl": np.full(2, np.log(2) / 6 * 10), "v1": np.full(2, 10.0)}
    parameters |= dosing_parameters(model, [long, steady], constant=True)
    inside = amounts(model, [long, steady], parameters)
    np.testing.assert_allclose(inside[1:, :, 1], inside[1:, :, 0], rtol=1e-9)


def test_without_elimination_there_is_no_steady_state_and_no_number() -> None:
    model = dosed(1, 1)
    schedule = [Record(0.0, DOSE, 100.0, 1, ii=12.0, ss=1), Record(5.0)]
    parameters = {name: np.full(2, TYPICAL[name]) for name in ("ka", "v1", "q2", "v2")} | {"cl": np.array([0.0, 4.0])}
    parameters |= dosing_parameters(model, [schedule, schedule], constant=True)
    inside = amounts(model, [schedule, schedule], parameters)
    assert np.isnan(inside[1, 1:, 0]).all()
    assert np.isfinite(inside[:, :, 1]).all()


@pytest.mark.A11
def test_no_short_infusion_is_stepped_over() -> None:
    """1000 infusions of a second to an hour, somewhere in a year."""
    model, rng, subjects = dosed(1, 1), np.random.default_rng(31), 1000
    schedules = [short_infusion(rng, int(rng.integers(1, 3))) for _ in range(subjects)]
    parameters = kinetic(model, subjects, seed=32) | dosing_parameters(model, schedules, constant=True)
    inside = amounts(model, schedules, parameters)
    assert (np.abs(inside[-1]).max(axis=0) > 0).all()
    worst = 0.0
    for b, schedule in enumerate(schedules):
        expected = amounts_at_records(rates(model, parameters, (b,)), schedule)
        # A second is known to 7e-9 of itself by a clock that has run a year: the sample at its end shows that.
        worst = max(worst, scaled_error(inside[:, :, b], expected, axis=(0, 1), floor=1e-3))
    assert worst <= 1e-8


@pytest.mark.A10
def test_additional_doses_are_rows_of_their_own_to_the_bit() -> None:
    model = dosed(0, 1)
    samples = [Record(hour + 0.125) for hour in range(0, 40, 3)]
    short = by_time([Record(1.0, DOSE, 50.0, 1, dur=3.0, addl=3, ii=8.0), *samples])
    rows = by_time([*(Record(1.0 + 8.0 * k, DOSE, 50.0, 1, dur=3.0) for k in range(4)), *samples])
    found = []
    for schedule in (short, rows):
        parameters = {"ka": np.ones(1), "cl": np.ones(1), "v1": np.full(1, 10.0)}
        parameters |= dosing_parameters(model, [schedule], constant=True)
        inside = amounts(model, [schedule], parameters)
        found.append(inside[[k for k, record in enumerate(schedule) if record.evid == 0]])
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.A10
def test_records_nobody_looks_at_and_the_order_of_subjects_change_nothing() -> None:
    model, rng = dosed(0, 1), np.random.default_rng(41)
    schedules = [random_schedule(rng, (1, 2), resets=False) for _ in range(4)]
    parameters = kinetic(model, 4, seed=42) | dosing_parameters(model, schedules, constant=True)
    inside = amounts(model, schedules, parameters)
    turned = {name: value[::-1] for name, value in parameters.items()}
    np.testing.assert_array_equal(amounts(model, schedules[::-1], turned)[..., ::-1], inside)
    more = [by_time([*schedule, Record(7.0, OTHER), Record(55.5)]) for schedule in schedules]
    looked_at = amounts(model, more, parameters)
    for b, (schedule, longer) in enumerate(zip(schedules, more, strict=True)):
        kept = [longer.index(record) for record in schedule]
        # Equal records stand for each other, and so do their values, except doses that were found twice.
        same = [i for i, k in enumerate(kept) if kept.count(k) == 1]
        np.testing.assert_allclose(looked_at[[kept[i] for i in same], :, b], inside[same, :, b], rtol=1e-9, atol=1e-12)


def test_a_reset_cancels_what_is_under_way() -> None:
    model = dosed(0, 1)
    schedule = [
        Record(0.0, DOSE, 100.0, 2, dur=10.0),
        Record(1.0, DOSE, 100.0, 1, addl=5, ii=4.0),
        Record(5.0, RESET),
        Record(5.0),
        Record(30.0),
    ]
    parameters = {"ka": np.ones(1), "cl": np.ones(1), "v1": np.full(1, 10.0)}
    parameters |= dosing_parameters(model, [schedule], constant=True)
    assert amounts(model, [schedule], parameters)[3:].max() == 0.0


@pytest.mark.A1
@pytest.mark.parametrize(
    "last",
    [
        Record(5.0, RESET),
        Record(5.0, RESET_AND_DOSE, 50.0, 2),
        Record(5.0, DOSE, 50.0, 2, ii=12.0, ss=1),
        Record(5.0, DOSE, 50.0, 2, dur=2.0, ii=12.0, ss=1),
    ],
)
def test_what_arrives_at_a_reset_is_seen_until_then(last: Record) -> None:
    """By a sample between the two: of a dose of that time, of an additional and of a delayed one."""
    model = dosed(0, 1)
    before = (
        [Record(0.0), Record(5.0, DOSE, 100.0, 2), Record(5.0)],
        [Record(0.0, DOSE, 100.0, 2, addl=1, ii=5.0), Record(5.0), Record(5.0)],
        [Record(0.0, DOSE, 100.0, 2, lag=5.0), Record(5.0), Record(5.0)],
        [Record(0.0), Record(5.0, DOSE, 100.0, 2, dur=3.0), Record(5.0)],
    )
    schedules = [[*some, last, Record(5.0), Record(8.0)] for some in before]
    parameters = {name: np.full(4, value) for name, value in (("ka", 1.0), ("cl", 1.0), ("v1", 10.0))}
    parameters |= dosing_parameters(model, schedules, constant=False)
    inside = amounts(model, schedules, parameters, carry="nocb")
    assert (inside[2, 1, :3] >= 100.0).all()
    for b, schedule in enumerate(schedules):
        reference = amounts_at_records(rates(model, parameters, (0, b)), schedule)
        np.testing.assert_allclose(inside[:, :, b], reference, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("wrong", ["lag2", "dur2", "f2"])
def test_a_dose_that_is_no_number_is_none(wrong: str) -> None:
    """At a time that is NaN it would come after the last record; the subject beside has its numbers."""
    model = dosed(0, 1)
    schedules = [[Record(0.0), Record(1.0, DOSE, 100.0, 2, rate=-2.0), Record(2.0), Record(30.0)]] * 2
    parameters = {name: np.full(2, value) for name, value in (("ka", 1.0), ("cl", 1.0), ("v1", 10.0), ("dur2", 3.0))}
    parameters |= {f"{kind}{place}": np.ones(2) for kind in ("lag", "f") for place in (1, 2)}
    parameters |= {"rate1": np.ones(2), "rate2": np.ones(2), "dur1": np.ones(2)}
    prepared = prepare(model, records_of(schedules), parameters)
    parameters[wrong][1] = np.nan
    found = np.asarray(compiled(prepared, parameters)["a2"])
    assert np.isfinite(found[:, 0]).all()
    assert np.isnan(found[2:, 1]).all()
