"""What SS says: as if the record's doses had been given every II for ever. Against series and long runs."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import ArrayLike
from oracles.expm_events import (
    DOSE,
    OBSERVATION,
    RESET,
    RESET_AND_DOSE,
    Record,
    amounts_at_records,
    by_time,
    observed,
)
from oracles.linear_models import one_compartment, one_compartment_oral, two_compartment_oral

CL, V, KA = 1.1, 20.0, 1.5
KE = CL / V
RATES = one_compartment_oral(KA, CL, V)
DEPOT, CENTRAL = 1, 2
HOURS = [0.0, 1.0, 2.5, 5.0, 11.0, 12.0, 20.0, 40.0]
FORMS = {
    "bolus": {},
    "rate, shorter than II": {"rate": 25.0},
    "rate, as long as II": {"rate": 100 / 12},
    "rate, longer than II": {"rate": 6.0},
    "duration, two intervals": {"dur": 24.0},
    "duration, two and a half intervals": {"dur": 30.0},
}


def run(events: list[Record], hours: list[float] = HOURS, rates: np.ndarray = RATES) -> np.ndarray:
    """Amounts [hour, compartment] at samples that follow the other records of their time."""
    records = by_time([*events, *(Record(hour) for hour in hours)])
    return observed(records, amounts_at_records(rates, records))


def close(actual: ArrayLike, expected: ArrayLike, rtol: float = 1e-12) -> None:
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=1e-12)


def long_run(dose: Record, hours: list[float], intervals: int, rates: np.ndarray = RATES) -> np.ndarray:
    """The same without SS: the dose and its additional ones, and `intervals` more before them."""
    past = replace(dose, time=dose.time - intervals * dose.ii, ss=0, addl=intervals + dose.addl)
    return run([past], hours, rates)


@pytest.mark.parametrize("ii", [1.0, 12.0, 100.0])
def test_a_bolus_at_steady_state_is_a_geometric_series(ii: float) -> None:
    amounts = run([Record(0, DOSE, 100, 1, ii=ii, ss=1)], [0.0, 0.5, ii], one_compartment(CL, V))
    peak = 100 / -np.expm1(-KE * ii)
    close(amounts[:, 0], peak * np.exp(-KE * np.array([0.0, 0.5, ii])))


@pytest.mark.parametrize("lag", [0.0, 3.25, 11.5])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_steady_state_is_what_a_long_run_comes_to(form: dict[str, float], lag: float) -> None:
    dose = Record(0, DOSE, 100, DEPOT, addl=2, ii=12, ss=1, lag=lag, bioavailability=0.8, **form)
    # exp(-ke II) ** 60 is 6e-18: the run has arrived
    close(run([dose]), long_run(dose, HOURS, 60), rtol=1e-11)


def test_steady_state_of_a_slow_drug_where_long_runs_fail() -> None:
    ii, half_life = 24.0, 2400.0
    rates = one_compartment(np.log(2) / half_life, 1.0)
    dose = Record(0, DOSE, 100, 1, ii=ii, ss=1)
    exact = 100 / -np.expm1(-np.log(2) * ii / half_life)
    close(run([dose], [0.0], rates), [[exact]])
    assert long_run(dose, [0.0], 50, rates)[0, 0] < 0.31 * exact  # fifty intervals reach not a third of it


def test_steady_state_repeats_itself_while_additional_doses_last() -> None:
    dose = Record(0, DOSE, 100, DEPOT, rate=6, addl=3, ii=12, ss=1, lag=2)
    rates = two_compartment_oral(1.5, 1.0, 10.0, 2.0, 30.0)
    hours = [0.0, 1.0, 2.0, 7.0]
    amounts = run([dose], [hour + 12 * k for k in range(4) for hour in hours], rates).reshape(4, 4, 3)
    for later in amounts[1:]:
        close(later, amounts[0])


def test_an_endless_infusion_holds_rate_over_clearance_and_ends_at_its_record() -> None:
    dose = Record(0, DOSE, 0, CENTRAL, rate=30, ss=1)
    close(run([dose])[:, 1], 30 / KE * np.exp(-KE * np.array(HOURS)))


def test_an_infusion_just_as_long_as_the_interval_is_constant() -> None:
    amounts = run([Record(0, DOSE, 100, CENTRAL, dur=12, addl=4, ii=12, ss=1)], [0.0, 5.0, 12.0, 30.0, 59.0])
    close(amounts[:, 1], np.full(5, 100 / 12 / KE))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_before_the_lag_is_over_the_record_sees_the_interval_before(form: dict[str, float]) -> None:
    lag, ii = 5.0, 12.0
    dose = Record(0, DOSE, 100, CENTRAL, addl=3, ii=ii, ss=1, lag=lag, **form)
    hours = [0.0, 1.0, 4.5]
    without_lag = run([replace(dose, lag=0.0)], [hour - lag + ii for hour in hours])
    close(run([dose], hours), without_lag)  # C(t - lag + II)


@pytest.mark.parametrize("lag", [12.0, 12.5, 36.0])
def test_a_lag_of_an_interval_or_more_is_refused_at_steady_state(lag: float) -> None:
    with pytest.raises(ValueError, match="the lag must be shorter than II"):
        run([Record(0, DOSE, 100, DEPOT, ii=12, ss=1, lag=lag)])
    run([Record(0, DOSE, 100, DEPOT, addl=3, ii=12, lag=lag)])  # without SS it is an ordinary delay


def test_ss_1_forgets_amounts_infusions_and_doses_under_way() -> None:
    past = [
        Record(0, DOSE, 500, DEPOT, addl=9, ii=3),
        Record(0, DOSE, 500, CENTRAL, dur=100),
        Record(1, DOSE, 500, CENTRAL, lag=20),
    ]
    steady = Record(6, DOSE, 100, DEPOT, ii=12, ss=1)
    hours = [6.0, 7.0, 21.0, 30.0]
    close(run([*past, steady], hours), run([steady], hours))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_ss_2_adds_its_steady_state_to_what_is_there(form: dict[str, float]) -> None:
    past = [Record(0, DOSE, 500, DEPOT, addl=9, ii=3), Record(1, DOSE, 500, CENTRAL, dur=30, lag=4)]
    second = Record(6, DOSE, 100, CENTRAL, addl=1, ii=12, ss=2, lag=2, **form)
    hours = [6.0, 7.0, 8.0, 21.0, 30.0]
    close(run([*past, second], hours), run(past, hours) + run([replace(second, ss=1)], hours))


def test_a_morning_and_an_evening_dose_repeat_every_day() -> None:
    morning = Record(0, DOSE, 100, DEPOT, addl=5, ii=24, ss=1)
    evening = Record(14, DOSE, 40, DEPOT, addl=5, ii=24, ss=2)
    hours = [14.0, 15.0, 24.0, 30.0]
    first = run([morning, evening], hours)
    close(run([morning, evening], [hour + 48 for hour in hours]), first)


def test_evid_4_resets_then_reaches_steady_state_then_doses() -> None:
    past = [Record(0, DOSE, 500, DEPOT, addl=9, ii=3), Record(0, DOSE, 500, CENTRAL, dur=100)]
    again = Record(6, RESET_AND_DOSE, 100, DEPOT, addl=1, ii=12, ss=1, lag=3)
    hours = [6.0, 8.0, 9.0, 25.0]
    close(run([*past, again], hours), run([replace(again, evid=DOSE)], hours))
    close(run([*past, replace(again, ss=2)], hours), run([replace(again, evid=DOSE)], hours))


def test_a_reset_ends_the_infusions_of_a_steady_state() -> None:
    events = [Record(0, DOSE, 100, CENTRAL, dur=30, addl=3, ii=12, ss=1), Record(4, RESET)]
    amounts = run(events, [3.0, 4.0, 13.0])
    assert amounts[0, 1] > 0
    assert not amounts[1:].any()


def test_the_steady_state_is_that_of_the_record_s_own_parameters() -> None:
    slow, quick = one_compartment(1.0, 10.0), one_compartment(3.0, 10.0)
    records = [Record(0), Record(5, DOSE, 100, 1, ii=12, ss=1), Record(6)]
    for carry in ("nocb", "locf"):
        amounts = amounts_at_records([slow, quick, slow], records, carry=carry)
        close(amounts[1], [100 / -np.expm1(-0.3 * 12)])


def test_no_steady_state_without_elimination_is_said() -> None:
    with pytest.raises(ValueError, match="never eliminated"):
        run([Record(0, DOSE, 100, DEPOT, ii=12, ss=1)], rates=one_compartment_oral(KA, 0.0, V))


@pytest.mark.parametrize("wrong", [{"ii": 12.0}, {"lag": 1.0}, {"addl": 1, "ii": 12.0}])
def test_an_endless_infusion_with_interval_or_lag_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="endless infusion"):
        run([Record(0, DOSE, 0, CENTRAL, rate=30, ss=1, **wrong)])


@pytest.mark.parametrize("name", ["lag", "ii", "bioavailability", "dur"])
def test_a_complex_step_through_steady_state(name: str) -> None:
    values = {"amt": 100.0, "dur": 30.0, "lag": 2.5, "ii": 12.0, "bioavailability": 0.6}

    def amount(change: complex) -> complex:
        dose = Record(0, DOSE, cmt=1, ss=1, **{**values, name: values[name] + change})
        return amounts_at_records(RATES, [dose, Record(9.0, OBSERVATION)])[1, 1]

    h = 1e-4
    central_difference = (amount(h) - amount(-h)) / (2 * h)
    # the third derivative is of the order of the first, so h**2 = 1e-8 and rounding 1e-12 remain
    assert amount(1e-20j).imag / 1e-20 == pytest.approx(central_difference.real, rel=1e-7)
