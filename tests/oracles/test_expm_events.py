"""What one dose record does: bolus, infusion, bioavailability, lag, repeats; against closed forms.

The matrix exponential is good to a few units in the last place, so closed forms are met to 1e-12 relative
unless a line says otherwise.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import ArrayLike
from oracles.expm_events import DOSE, OTHER, Record, amounts_at_records, by_time, observed
from oracles.high_precision import as_floats, infusion_action, oral_amount
from oracles.linear_models import il2_subcutaneous, one_compartment, one_compartment_oral, two_compartment

CL, V, KA = 1.1, 20.0, 1.5
KE = CL / V
RATES = one_compartment_oral(KA, CL, V)
DEPOT, CENTRAL = 1, 2
HOURS = [0.0, 0.5, 1.0, 3.0, 8.0, 24.0, 60.0]


def run(doses: list[Record], hours: Sequence[float], rates: np.ndarray = RATES) -> np.ndarray:
    """Amounts [hour, compartment] at samples that follow the doses of their time."""
    records = by_time([*doses, *(Record(hour) for hour in hours)])
    return observed(records, amounts_at_records(rates, records))


def infused(rate: float, duration: float, hours: np.ndarray | list[float]) -> np.ndarray:
    """Amount of one compartment during and after an infusion that starts at 0."""
    t = np.asarray(hours)
    running = np.clip(t, 0, duration)
    return rate / KE * -np.expm1(-KE * running) * np.exp(-KE * np.maximum(t - duration, 0))


def close(actual: ArrayLike, expected: ArrayLike) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cmt", [1, 2])
def test_a_bolus_enters_the_compartment_of_its_record(cmt: int) -> None:
    rates = two_compartment(1.0, 10.0, 2.0, 30.0)
    amounts = run([Record(0, DOSE, 100, cmt)], [0.0], rates)
    close(amounts[0], 100 * np.eye(2)[cmt - 1])


@pytest.mark.parametrize("distance", [0.0, 1e-14, 1e-12, 1e-9, 1e-6, 1e-3, 0.1, 5.0])
def test_an_oral_dose_follows_bateman_also_at_equal_rates(distance: float) -> None:
    ke, ka = 0.25, 0.25 * (1 + distance)
    amounts = run([Record(0, DOSE, 100, DEPOT)], HOURS, one_compartment_oral(ka, ke, 1.0))
    exact = [float(oral_amount(100, ka, ke, hour)) for hour in HOURS]
    close(amounts[:, 1], exact)


def test_an_infusion_at_a_rate_runs_amount_over_rate() -> None:
    amounts = run([Record(0, DOSE, 100, CENTRAL, rate=25)], HOURS)
    close(amounts[:, 1], infused(25, 4, HOURS))


def test_an_infusion_of_a_length_runs_at_amount_over_length() -> None:
    amounts = run([Record(0, DOSE, 100, CENTRAL, dur=8)], HOURS)
    close(amounts[:, 1], infused(12.5, 8, HOURS))


def test_bioavailability_scales_a_bolus() -> None:
    half = run([Record(0, DOSE, 100, DEPOT, bioavailability=0.5)], HOURS)
    close(half, run([Record(0, DOSE, 50, DEPOT)], HOURS))


def test_bioavailability_changes_the_length_of_an_infusion_at_a_rate() -> None:
    amounts = run([Record(0, DOSE, 100, CENTRAL, rate=25, bioavailability=0.25)], HOURS)
    close(amounts[:, 1], infused(25, 1, HOURS))


def test_bioavailability_changes_the_rate_of_an_infusion_of_a_length() -> None:
    amounts = run([Record(0, DOSE, 100, CENTRAL, dur=8, bioavailability=0.25)], HOURS)
    close(amounts[:, 1], infused(3.125, 8, HOURS))


@pytest.mark.parametrize("form", [{}, {"rate": 25.0}, {"dur": 8.0}])
def test_nothing_is_given_when_bioavailability_is_zero(form: dict[str, float]) -> None:
    assert not run([Record(0, DOSE, 100, CENTRAL, bioavailability=0, **form)], HOURS).any()


def test_a_lag_delays_start_and_end_of_an_infusion() -> None:
    amounts = run([Record(0, DOSE, 100, CENTRAL, rate=25, lag=2.5)], HOURS)
    close(amounts[:, 1], infused(25, 4, np.array(HOURS) - 2.5))


def test_lag_and_bioavailability_are_those_of_the_dose_record() -> None:
    first = Record(0, DOSE, 100, CENTRAL, lag=5, bioavailability=0.5)
    second = Record(2, DOSE, 100, CENTRAL, lag=1, bioavailability=0.8)
    t = np.array([2.5, 4.0, 6.0, 9.0])
    expected = 80 * np.exp(-KE * (t - 3)) * (t >= 3) + 50 * np.exp(-KE * (t - 5)) * (t >= 5)
    close(run([first, second], [2.5, 4.0, 6.0, 9.0])[:, 1], expected)


@pytest.mark.parametrize("form", [{}, {"rate": 10.0}, {"dur": 3.0}, {"dur": 30.0}])
def test_additional_doses_are_rows_of_their_own(form: dict[str, float]) -> None:
    common = {"amt": 100, "cmt": DEPOT, "lag": 1.5, "bioavailability": 0.7, **form}
    hours = list(np.arange(0, 100, 2.5))
    one_row = run([Record(0, DOSE, addl=4, ii=12, **common)], hours)
    close(one_row, run([Record(12.0 * k, DOSE, **common) for k in range(5)], hours))


def test_additional_doses_overlapping_infusions_add_up() -> None:
    amounts = run([Record(0, DOSE, 100, CENTRAL, dur=10, addl=3, ii=4)], HOURS)
    close(amounts[:, 1], sum(infused(10, 10, np.array(HOURS) - 4 * k) for k in range(4)))


def test_responses_add() -> None:
    bolus = Record(0, DOSE, 100, DEPOT, lag=0.75)
    infusion = Record(0.5, DOSE, 60, CENTRAL, rate=7, addl=2, ii=6)
    close(run([bolus, infusion], HOURS), run([bolus], HOURS) + run([infusion], HOURS))


def test_two_half_infusions_are_one() -> None:
    whole = run([Record(0, DOSE, 100, CENTRAL, dur=8)], HOURS)
    halves = run([Record(0, DOSE, 50, CENTRAL, dur=4), Record(4, DOSE, 50, CENTRAL, dur=4)], HOURS)
    close(halves, whole)


def test_only_time_differences_matter() -> None:
    doses = [Record(0, DOSE, 100, DEPOT, lag=0.5, addl=2, ii=8), Record(4, DOSE, 50, CENTRAL, rate=10)]
    later = [replace(dose, time=dose.time + 512) for dose in doses]
    close(run(later, [hour + 512 for hour in HOURS]), run(doses, HOURS))


def test_looking_more_often_changes_nothing() -> None:
    doses = [Record(0, DOSE, 100, DEPOT, lag=0.5, addl=2, ii=8), Record(4, DOSE, 50, CENTRAL, rate=10)]
    often = list(np.arange(0, 60.5, 0.5))
    close(run(doses, often)[[often.index(hour) for hour in HOURS]], run(doses, HOURS))


def test_evid_2_and_an_observation_leave_the_body_alone() -> None:
    doses = [Record(0, DOSE, 100, DEPOT)]
    close(run([*doses, Record(2.0, OTHER), Record(3.0, OTHER)], HOURS), run(doses, HOURS))


def test_a_short_infusion_after_months_is_not_stepped_over() -> None:
    start, duration = 4321.0, 0.01
    after = run([Record(0), Record(start, DOSE, 100, CENTRAL, dur=duration)], [start + 1.0])
    close(after[-1, 1], infused(100 / duration, duration, [1.0])[0])


def test_a_quick_system_with_equal_rates_to_fifty_digits() -> None:
    rates = il2_subcutaneous(0.28, 10.0, 2.8, 1.4, 2.3)
    dose = Record(0, DOSE, 1e6, 1, dur=0.5)
    exact = infusion_action(rates, np.zeros(4), [2e6, 0, 0, 0], 0.5)
    close(run([dose], [0.5], rates)[0], as_floats(exact))
    later = as_floats(infusion_action(rates, as_floats(exact), np.zeros(4), 47.5))
    close(run([dose], [48.0], rates)[0], later)


@pytest.mark.parametrize("name", ["lag", "bioavailability", "dur", "amt", "time"])
def test_a_complex_step_carries_the_derivative(name: str) -> None:
    values = {"time": 1.0, "amt": 100.0, "dur": 3.0, "lag": 0.5, "bioavailability": 0.6}
    lag_and_time, duration, given, t, h = 1.5, 3.0, 60.0, 9.0, 1e-20
    records = [Record(0), Record(evid=DOSE, cmt=1, **{**values, name: values[name] + 1j * h}), Record(t)]
    derivative = amounts_at_records(one_compartment(CL, V), records)[-1, 0].imag / h

    start, end = np.exp(-KE * (t - lag_and_time)), np.exp(-KE * (t - lag_and_time - duration))
    amount = given / duration / KE * (end - start)
    expected = {
        "lag": KE * amount,
        "time": KE * amount,
        "amt": amount / 100.0,
        "bioavailability": amount / 0.6,
        "dur": -amount / duration + given / duration * end,
    }
    assert derivative == pytest.approx(expected[name], rel=1e-12)


@pytest.mark.parametrize(("form", "slope"), [({}, KE * 60), ({"dur": 3.0}, -20.0)], ids=["bolus", "infusion"])
def test_a_sample_on_an_arrival_has_the_derivative_of_the_later_side(form: dict, slope: float) -> None:
    dose = Record(0, DOSE, 60, lag=2.0 + 1e-20j, **form)
    derivative = amounts_at_records(one_compartment(CL, V), [dose, Record(2.0)])[-1, 0].imag / 1e-20
    # from the earlier side it would be 0: the dose is not there yet
    assert derivative == pytest.approx(slope, rel=1e-12)


def test_a_complex_step_in_ka_where_rates_are_equal() -> None:
    h, k, t = 1e-20, 0.25, 5.0
    records = [Record(0, DOSE, 100, DEPOT), Record(t)]
    derivative = amounts_at_records(one_compartment_oral(k + 1j * h, k, 1.0), records)[-1, 1].imag / h
    # d/d ka of D ka/(ka - ke) (exp(-ke t) - exp(-ka t)), its limit at ka = ke = k
    assert derivative == pytest.approx(100 * np.exp(-k * t) * (t - k * t**2 / 2), rel=1e-12)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (Record(0, 5), "EVID"),
        (Record(0, DOSE, 100, 3), "CMT"),
        (Record(0, DOSE, 100, 0), "CMT"),
        (Record(0, DOSE, -1), "negative"),
        (Record(0, DOSE, 100, lag=-1), "negative"),
        (Record(0, DOSE, 100, rate=-2), "negative"),
        (Record(0, DOSE, 100, bioavailability=-0.1), "bioavailability"),
        (Record(0, DOSE, 100, rate=10, dur=10), "RATE and DUR"),
        (Record(0, DOSE, 0, rate=10), "AMT"),
        (Record(0, DOSE, 100, addl=2), "ADDL needs an II"),
        (Record(0, DOSE, 100, addl=-1, ii=1), "ADDL"),
        (Record(0, DOSE, 100, ss=1), "SS needs an II"),
        (Record(0, DOSE, 100, ss=3, ii=12), "SS"),
        (Record(0, 0, 100), "EVID 1 and 4"),
        (Record(0, 3, 0, ss=1, ii=12), "EVID 1 and 4"),
    ],
)
def test_a_record_without_meaning_is_refused(record: Record, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        amounts_at_records(RATES, [record])


def test_times_that_go_back_are_refused() -> None:
    with pytest.raises(ValueError, match="times must not decrease"):
        amounts_at_records(RATES, [Record(1.0), Record(0.5)])
