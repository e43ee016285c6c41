"""Linear models through the exact path: against matrix exponentials, closed forms and balances."""

from collections.abc import Sequence

import numpy as np
import pytest
from components import LEAVING, amount, at_arrival, compartments, doses, doses_of, draws, scaled_error
from numpy.typing import NDArray
from oracles.expm_events import Record, amounts_at_records, observed
from oracles.high_precision import as_floats, infusion_action
from oracles.linear_models import absorbed, disposition
from oracles.random_schedules import random_schedule

from pkpd.engine.simulate import simulate
from pkpd.models.model import Model

TYPICAL = {"ka": 0.6, "cl": 4.0, "v1": 10.0, "q2": 3.0, "v2": 25.0, "q3": 0.8, "v3": 60.0}
SUBJECTS = 60
HOURS = 120.0
EVEN = np.linspace(0.0, HOURS, 97)
UNEVEN = np.unique(np.concatenate([[0.0, HOURS], np.random.default_rng(3).uniform(0, HOURS, 40), EVEN[::8]]))


def parameters_of(model: Model, seed: int = 1, count: int = SUBJECTS) -> dict[str, NDArray]:
    return draws({name: TYPICAL[name] for name in model.symbols}, count, seed)


def rate_matrix(model: Model, parameters: dict[str, NDArray], subject: int) -> NDArray:
    """The oracle's matrix, from the parameters alone."""
    p = {name: float(value[subject]) for name, value in parameters.items()}
    outer = [(p[f"q{i}"], p[f"v{i}"]) for i in (2, 3) if f"q{i}" in p]
    stages = sum(state.name.startswith("depot") for state in model.states)
    return absorbed(disposition(p["cl"], p["v1"], *outer), *[p["ka"]] * stages if stages else [])


def schedules(model: Model, seed: int = 2, count: int = SUBJECTS) -> list[list[Record]]:
    """Boluses and infusions into depot and central, with lag, F and repeats; times are multiples of 1/64 h."""
    rng = np.random.default_rng(seed)
    into = (1, 2) if len(model.states) > 1 else (1,)
    return [random_schedule(rng, into, hours=HOURS, samples=0, steady_states=False, resets=False) for _ in range(count)]


def truth(model: Model, parameters: dict[str, NDArray], dosing: Sequence[Sequence[Record]], times: NDArray) -> NDArray:
    """Amounts [time, state, subject]; a sample at the moment of an arrival does not see it."""
    found = []
    for subject, records in enumerate(dosing):
        samples = [Record(float(time)) for time in times]
        ordered = sorted([*samples, *at_arrival(records)], key=lambda record: record.time)
        found.append(observed(ordered, amounts_at_records(rate_matrix(model, parameters, subject), ordered)))
    return np.stack(found, axis=2)


def fifty_digits(rates: NDArray, arrivals: Sequence[Record], times: NDArray) -> NDArray:
    """The same for one subject [time, state], each flow between two happenings in fifty digits, rounded once."""
    found, state, now = [], np.zeros(len(rates)), 0.0
    stops = {record.time + record.dur for record in arrivals if record.dur}
    for moment in sorted({*times, *stops, *(record.time for record in arrivals)}):
        if moment > times[-1]:
            break
        running = np.zeros(len(rates))
        for record in arrivals:
            if record.dur and record.time <= now < record.time + record.dur:
                running[record.cmt - 1] += record.amt / record.dur
        state = as_floats(infusion_action(rates, state, running, moment - now))
        if moment in times:
            found.append(state.copy())
        for record in arrivals:
            if record.time == moment and not record.dur:
                state[record.cmt - 1] += record.amt
        now = moment
    return np.array(found)


def amounts(values: dict[str, NDArray], model: Model) -> NDArray:
    """[time, state, subject]."""
    return np.stack([values[amount(state.name)] for state in model.states], axis=1)


@pytest.mark.parametrize(
    ("peripherals", "stages", "times"),
    [
        (0, 0, EVEN),
        (1, 0, UNEVEN),
        (2, 0, EVEN),
        (0, 1, UNEVEN),
        (1, 1, EVEN),
        (2, 1, UNEVEN),
        (2, 1, EVEN),
        (1, 2, EVEN),  # depot and transit empty at one rate, as in s.c. IL-2
    ],
)
def test_random_doses_in_random_patients(peripherals: int, stages: int, times: NDArray) -> None:
    model = compartments(peripherals, stages)
    parameters, dosing = parameters_of(model), schedules(model)
    found = simulate(model, parameters, doses_of(dosing), times)
    assert found.failures == {}
    # The oracle's Padé approximant rounds at 1e-16 of the largest amount, so it can judge no less than 1e-3 of that.
    inside, expected = amounts(found.values, model), truth(model, parameters, dosing, times)
    assert scaled_error(inside, expected, axis=(0, 1), floor=1e-3) <= 1e-12
    for subject in range(3):
        matrix, arrivals = rate_matrix(model, parameters, subject), at_arrival(dosing[subject])
        assert scaled_error(inside[:, :, subject], fifty_digits(matrix, arrivals, times)) <= 1e-12


@pytest.mark.parametrize("distance", [0.0, 1e-14, -1e-14, 1e-10, 1e-6, 1e-2, -1e-2])
def test_absorption_as_fast_as_elimination(distance: float) -> None:
    model = compartments(0, 1)
    parameters = {"ka": np.array([0.4 * (1 + distance)]), "cl": np.array([4.0]), "v1": np.array([10.0])}
    dosing = [[Record(0.0, 1, 100.0, 1)]]
    found = simulate(model, parameters, doses_of(dosing), EVEN)
    assert scaled_error(amounts(found.values, model), truth(model, parameters, dosing, EVEN)) <= 1e-13


def test_a_concentration_is_amount_over_volume() -> None:
    model = compartments(0, 1)
    parameters = parameters_of(model)
    values = simulate(model, parameters, doses_of(schedules(model)), EVEN).values
    np.testing.assert_allclose(values["conc"], values[amount("central")] / parameters["v1"], rtol=1e-15)


@pytest.mark.parametrize("origin", [0.0, 0.45, 1000.1, 8000.3])
@pytest.mark.parametrize("step", [0.1, 0.05, 1 / 3, 24.0])
def test_at_the_moment_of_a_dose_a_value_is_the_one_before(origin: float, step: float) -> None:
    """Also where (t - origin)/step rounds to less than a whole number: a grid is compared by its times."""
    model = compartments()
    times = origin + step * np.arange(80)
    at = np.arange(1, 79)
    parameters = {"cl": np.full(78, 4.0), "v1": np.full(78, 10.0)}
    values = simulate(model, parameters, doses(times[at][None, :], subjects=78), times).values["conc"]
    assert (values[at, at - 1] == 0.0).all()
    assert (values[at + 1, at - 1] > 0.0).all()


def test_an_uneven_time_at_a_dose_is_before_it_too() -> None:
    model = compartments()
    times = np.array([0.0, 0.3, 0.30000000000000004, 1.7, 5.0])
    found = simulate(model, {"cl": np.ones(1), "v1": np.ones(1)}, doses([0.3]), times).values["conc"][:, 0]
    np.testing.assert_allclose(found, [0, 0, 100, 100 * np.exp(-1.4), 100 * np.exp(-4.7)], rtol=1e-13)


def test_a_time_close_to_the_grid_but_not_on_it_is_taken_as_it_is() -> None:
    """A sample 1 ms after a bolus, on what is nearly a grid, shows the bolus."""
    model = compartments()
    times = np.array([0.0, 24.0, 48.0 + 2e-10, 72.0])
    found = simulate(model, {"cl": np.ones(1), "v1": np.ones(1)}, doses([48.0]), times).values["conc"][:, 0]
    np.testing.assert_allclose(found, [0.0, 0.0, 100.0, 100 * np.exp(-24.0)], rtol=1e-9)


def test_the_area_under_the_curve_is_dose_over_clearance() -> None:
    """After all is gone, F dose / CL; before, what closed form says of one compartment."""
    model = compartments(0, 1)
    parameters = parameters_of(model)
    given = doses([0.0, 7.0], [100.0, 30.0], subjects=SUBJECTS, lag=0.25, bioavailability=0.4)
    times = np.array([0.0, 1.25, 5000.0])
    values = simulate(model, parameters, given, times, outputs=("conc",), integrals=("conc",)).values
    assert sorted(values) == ["conc", "conc_auc"]
    # 2e-16 t |A| with t |A| up to 1e4
    np.testing.assert_allclose(values["conc_auc"][2], 0.4 * 130.0 / parameters["cl"], rtol=1e-11)
    ka, ke = parameters["ka"], parameters["cl"] / parameters["v1"]
    partial = 40.0 / parameters["v1"] * ka / (ka - ke) * (-np.expm1(-ke) / ke + np.expm1(-ka) / ka)
    np.testing.assert_allclose(values["conc_auc"][1], partial, rtol=1e-12)


def entered(record: Record, times: NDArray) -> NDArray:
    """How much of a dose has entered before each of `times`."""
    if record.dur:
        return record.amt * np.clip((times - record.time) / record.dur, 0.0, 1.0)
    return record.amt * (times > record.time)


def test_what_is_given_is_in_the_body_or_has_left_it() -> None:
    model = compartments(2, 1)
    parameters, dosing = parameters_of(model), schedules(model)
    found = simulate(model, parameters, doses_of(dosing), UNEVEN, integrals=(LEAVING,)).values
    inside = amounts(found, model)
    assert (inside >= 0.0).all()
    balance = inside.sum(axis=1) + found[f"{LEAVING}_auc"]
    for subject, records in enumerate(dosing):
        given = sum(entered(record, UNEVEN) for record in at_arrival(records))
        assert np.abs(balance[:, subject] - given).max() <= 1e-12 * given.max()


def test_several_infusions_run_at_once() -> None:
    model = compartments()
    found = simulate(
        model,
        {"cl": np.array([4.0]), "v1": np.array([10.0])},
        doses([0.0, 1.0, 2.0], [400.0, 50.0, 30.0], duration=[100.0, 2.0, 1.0]),
        np.array([0.0, 2.5, 3.0, 99.0]),
    ).values["conc"][:, 0]

    def infused(rate: float, start: float, length: float, time: NDArray) -> NDArray:
        running = np.clip(time - start, 0, length)
        return rate / 4.0 * -np.expm1(-0.4 * running) * np.exp(-0.4 * np.maximum(time - start - length, 0))

    time = np.array([0.0, 2.5, 3.0, 99.0])
    expected = infused(4.0, 0, 100, time) + infused(25.0, 1, 2, time) + infused(30.0, 2, 1, time)
    np.testing.assert_allclose(found, expected, rtol=1e-13)
