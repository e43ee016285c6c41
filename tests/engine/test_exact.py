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


def parameters_of(model: Model) -> dict[str, NDArray]:
    return draws({name: TYPICAL[name] for name in model.symbols}, SUBJECTS, seed=1)


def rate_matrix(model: Model, parameters: dict[str, NDArray], subject: int) -> NDArray:
    """The oracle's matrix, from the parameters alone."""
    p = {name: float(value[subject]) for name, value in parameters.items()}
    outer = [(p[f"q{i}"], p[f"v{i}"]) for i in (2, 3) if f"q{i}" in p]
    stages = sum(state.name.startswith("depot") for state in model.states)
    return absorbed(disposition(p["cl"], p["v1"], *outer), *[p["ka"]] * stages if stages else [])


def schedules(into: tuple[int, ...]) -> list[list[Record]]:
    """Boluses and infusions, with lag, F and repeats; times are multiples of 1/64 h."""
    rng = np.random.default_rng(2)
    return [
        random_schedule(rng, into, hours=HOURS, samples=0, steady_states=False, resets=False) for _ in range(SUBJECTS)
    ]


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


@pytest.mark.A1
@pytest.mark.parametrize(
    ("peripherals", "stages", "into", "times"),
    [
        (0, 1, (1, 2), UNEVEN),
        (1, 2, (1,), EVEN),  # depot and transit empty at one rate, as in s.c. IL-2
        (2, 1, (2,), UNEVEN),
        pytest.param(0, 0, (1,), EVEN, marks=pytest.mark.slow),
        pytest.param(1, 1, (1, 2), EVEN, marks=pytest.mark.slow),
        pytest.param(2, 1, (1, 2), EVEN, marks=pytest.mark.slow),
    ],
)
def test_random_doses_in_random_patients(peripherals: int, stages: int, into: tuple[int, ...], times: NDArray) -> None:
    """Boluses and infusions into depot and central. Some absorb (nearly) as fast as they eliminate."""
    model = compartments(peripherals, stages)
    parameters, dosing = parameters_of(model), schedules(into)
    if (peripherals, stages) == (0, 1):
        distances = [0.0, 1e-16, 1e-14, -1e-14, 1e-12, 1e-9, 1e-6, -1e-3, 1e-2, -1e-2]
        parameters["ka"][:10] = (parameters["cl"] / parameters["v1"])[:10] * (1.0 + np.array(distances))
    found = simulate(model, parameters, doses_of(dosing), times)
    assert found.failures == {}
    inside, expected = amounts(found.values, model), truth(model, parameters, dosing, times)
    np.testing.assert_allclose(found.values["conc"], found.values[amount("central")] / parameters["v1"], rtol=1e-15)
    # The oracle's Padé approximant rounds at 1e-16 of the largest amount, so it can judge no less than 1e-3 of that.
    assert scaled_error(inside, expected, axis=(0, 1), floor=1e-3) <= 1e-12
    for subject in range(3):
        matrix, arrivals = rate_matrix(model, parameters, subject), at_arrival(dosing[subject])
        assert scaled_error(inside[:, :, subject], fifty_digits(matrix, arrivals, times)) <= 1e-12


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


@pytest.mark.parametrize("begin", [-30.0, 0.0])
def test_a_grid_on_which_most_segments_have_no_row(begin: float) -> None:
    """A dose every 12 h, some on a row, a row every 48 h: the sum of what is left of each dose given before."""
    times, given = begin + 48.0 * np.arange(9), 12.0 * np.arange(25) + np.array([[0.0], [0.5], [6.0]])
    parameters = {"cl": np.array([1.0, 2.0, 4.0]), "v1": np.full(3, 10.0)}
    found = simulate(compartments(), parameters, doses(given.T), times).values["conc"]
    since = times[:, None, None] - given[None]
    rate = (parameters["cl"] / parameters["v1"])[None, :, None]
    left = np.where(since > 0, np.exp(-rate * np.maximum(since, 0.0)), 0.0)
    np.testing.assert_allclose(found, 10.0 * left.sum(axis=2), rtol=1e-13)


@pytest.mark.parametrize(
    ("dose", "times", "hours_since"),
    [
        # the binary numbers decide what is at the dose and what is after it
        (0.3, [0.0, 0.3, 0.30000000000000004, 1.7], [0.0, 1.4]),
        # a sample 1 us after the dose, on what is nearly a grid, is not moved onto the grid
        (48.0, [0.0, 24.0, 48.0 + 2e-10, 72.0], [2e-10, 24.0]),
    ],
)
def test_uneven_times_are_taken_as_they_are(dose: float, times: list[float], hours_since: list[float]) -> None:
    one = {"cl": np.ones(1), "v1": np.ones(1)}
    found = simulate(compartments(), one, doses([dose]), np.array(times)).values["conc"][:, 0]
    np.testing.assert_allclose(found, [0.0, 0.0, *100.0 * np.exp(-np.array(hours_since))], rtol=1e-13)


def entered(record: Record, times: NDArray) -> NDArray:
    """How much of a dose has entered before each of `times`."""
    if record.dur:
        return record.amt * np.clip((times - record.time) / record.dur, 0.0, 1.0)
    return record.amt * (times > record.time)


@pytest.mark.A9
def test_what_is_given_is_in_the_body_or_has_left_it() -> None:
    model = compartments(1)
    parameters, dosing = parameters_of(model), schedules((1,))
    times = np.append(UNEVEN, 2e4)
    found = simulate(model, parameters, doses_of(dosing), times, outputs=INSIDE, integrals=(LEAVING, "conc")).values
    assert sorted(found) == sorted((*INSIDE, f"{LEAVING}_auc", "conc_auc"))
    inside = np.stack([found[name] for name in INSIDE])
    assert (inside >= 0.0).all()
    balance = inside.sum(axis=0) + found[f"{LEAVING}_auc"]
    for subject, records in enumerate(dosing):
        given = sum(entered(record, times) for record in at_arrival(records))
        assert np.abs(balance[:-1, subject] - given[:-1]).max() <= 1e-12 * given.max()
        # after 2e4 h all is gone: the area is F dose / CL, to 1e-15 t |A| with t |A| up to 1e5
        assert found["conc_auc"][-1, subject] * parameters["cl"][subject] == pytest.approx(given[-1], rel=1e-10)
    # what has left is clearance times area, at every time
    np.testing.assert_allclose(found["conc_auc"] * parameters["cl"], found[f"{LEAVING}_auc"], rtol=1e-12)


INSIDE = tuple(amount(state.name) for state in compartments(1).states)
