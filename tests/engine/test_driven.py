"""Responses driven by compartments: against the matrix exponential of both together, where the response is linear."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from components import (
    amount,
    at_arrival,
    compartments,
    doses,
    doses_of,
    draws,
    joined,
    scaled_error,
    turnover,
)
from numpy.typing import NDArray
from oracles.expm_events import Record, amounts_at_records, observed
from oracles.linear_models import absorbed, disposition
from oracles.random_schedules import random_schedule

from pkpd.engine.simulate import Simulation, simulate
from pkpd.engine.tolerances import Tolerances
from pkpd.events.doses import Doses
from pkpd.models.model import OUT, LinearBlock, Model, Parameter, Readout, State

SUBJECTS = 50
TYPICAL = {"ka": 0.6, "cl": 4.0, "v1": 10.0, "q2": 3.0, "v2": 25.0, "k": 0.05, "slow": 0.01}
PARAMETERS = draws(TYPICAL, SUBJECTS, seed=11)
RESPONSE = compartments(1, 1) >> turnover()
TIMES = np.unique(np.concatenate([[0.0, 150.0], np.random.default_rng(4).uniform(0, 150, 60)]))
FOLLOWING = replace(
    turnover("second", "slow").responses[0],
    inputs=("response",),
    derivative=lambda y, u, p: {"second": p.slow * (u.response - y.second)},
)


def schedules() -> list[list[Record]]:
    """Boluses and infusions into depot and central, of another kind for each subject."""
    rng = np.random.default_rng(12)
    return [
        random_schedule(rng, (1, 2), hours=100.0, samples=0, steady_states=False, resets=False) for _ in range(SUBJECTS)
    ]


def joint(subject: int) -> NDArray:
    """[depot, central, peripheral, response, response to the response]."""
    p = {name: float(value[subject]) for name, value in PARAMETERS.items()}
    matrix = np.zeros((5, 5))
    matrix[:3, :3] = absorbed(disposition(p["cl"], p["v1"], (p["q2"], p["v2"])), p["ka"])
    matrix[3, 1], matrix[3, 3] = p["k"] / p["v1"], -p["k"]
    matrix[4, 3], matrix[4, 4] = p["slow"], -p["slow"]
    return matrix


def truth(times: NDArray) -> NDArray:
    """[time, state, subject]."""
    found = []
    for subject, records in enumerate(schedules()):
        samples = [Record(float(time)) for time in times]
        ordered = sorted([*samples, *at_arrival(records)], key=lambda record: record.time)
        found.append(observed(ordered, amounts_at_records(joint(subject), ordered)))
    return np.stack(found, axis=2)


@pytest.mark.A1
@pytest.mark.parametrize(
    ("method", "tolerances", "limit"),
    [
        pytest.param("tsit5", Tolerances(), 1e-6, id="default", marks=pytest.mark.slow),  # measured 3e-7
        pytest.param("tsit5", Tolerances(rtol=1e-10, atol=1e-12), 1e-8, id="tight"),  # measured 5e-10
        pytest.param("dopri5", Tolerances(), 1e-5, id="dopri5", marks=pytest.mark.slow),  # measured 3e-6
    ],
)
def test_random_doses_in_random_patients(method: str, tolerances: Tolerances, limit: float) -> None:
    model = RESPONSE >> replace(turnover("second", "slow"), responses=(FOLLOWING,))
    given = doses_of(schedules())
    found = simulate(model, PARAMETERS, given, TIMES, method=method, tolerances=tolerances)
    assert found.failures == {}
    expected = truth(TIMES)
    assert scaled_error(found.values["response"], expected[:, 3]) <= limit
    assert scaled_error(found.values["second"], expected[:, 4]) <= limit
    assert scaled_error(found.values[amount("central")], expected[:, 1], floor=1e-3) <= 1e-12


def one_subject(given: Doses, times: list[float]) -> Simulation:
    """Nine times and an infusion of nothing make this the compiled solve of test_metamorphic.py."""
    assert len(times) == 9
    one = {name: np.array([TYPICAL[name]]) for name in RESPONSE.symbols}
    nothing = doses([0.0], 0.0, into=1, duration=1.0)
    return simulate(RESPONSE, one, joined(nothing, given), np.array(times), outputs=("conc", "response"))


def treated(times: list[float]) -> NDArray:
    """The response of one subject to three doses."""
    return one_subject(doses([0.0, 48.0, 100.0], lag=0.5), times).values["response"][:, 0]


DAYS = [0.0, 24.0, 47.0, 96.0, 120.0, 144.0, 168.0, 216.0, 240.0]


def test_the_times_asked_for_do_not_change_the_values() -> None:
    others = [0.0, 24.0, 31.0, 47.0, 55.5, 120.0, 133.3, 216.0, 240.0]
    shared = np.isin(DAYS, others)
    assert shared.sum() == 6
    np.testing.assert_array_equal(treated(DAYS)[shared], treated(others)[np.isin(others, DAYS)])


@pytest.mark.parametrize("after", [0.0, 1e-15, 1e-12, 2e-9, 1e-8, 1e-6])
def test_no_time_falls_between_two_segments(after: float) -> None:
    """A time just after the end of a short segment and before the first step of a long one is in one of them."""
    around = [0.0, 24.0, 47.0, 96.0, 100.5, 144.0, 4000.0, 4100.0, 4200.0]
    on_the_boundary = treated(around)
    around[4] += after
    np.testing.assert_allclose(treated(around), on_the_boundary, rtol=1e-6)


def test_a_time_on_a_boundary_has_its_value() -> None:
    on = [0.0, 0.5, 48.0, 48.5, 60.0, 100.0, 100.5, 130.0, 240.0]
    beside = [0.0, *(time + 1e-7 for time in on[1:-1]), 240.0]
    np.testing.assert_allclose(treated(on), treated(beside), rtol=1e-6, atol=1e-9)


def test_a_bolus_starts_with_the_slope_after_it() -> None:
    """The concentration jumps twenty times; a step that began with the slope before would be rejected each time."""
    found = one_subject(doses(np.arange(0.0, 240.0, 12.0), into=1), DAYS)
    assert found.rejected <= 3 * jax.device_count()  # measured 1, and 7 with the old slope


def test_a_pulse_that_arrives_long_after_its_dose_is_not_stepped_over() -> None:
    """Ten compartments of transit: the dose is at 0, its effect hours, days or months later, in one long segment."""
    names = [f"transit{i}" for i in range(10)]
    block = LinearBlock(
        states=tuple(State(name, "mg", "") for name in names),
        rates=lambda p: dict.fromkeys(zip(names, [*names[1:], OUT], strict=True), p.ktr),
        readouts=(Readout("conc", "mg", "", lambda p: {names[-1]: 1.0}, ""),),
        equations=(),
    )
    model = Model("transits", "", (Parameter("ktr", "", "1/h"),), linear=block) >> turnover()
    mean, k = np.array([20.0, 200.0, 2000.0]), 0.1
    times = np.unique(np.concatenate([m * np.array([0.0, 0.5, 0.9, 1.0, 1.2, 1.7]) for m in mean]))
    given = {"ktr": 10.0 / mean, "k": np.full(3, k)}
    for only in range(3):  # alone, so that no neighbour's steps help
        alone = {name: value[only : only + 1] for name, value in given.items()}
        found = simulate(model, alone, doses([0.0]), times, outputs=("response",)).values["response"][:, 0]
        matrix = np.diag(np.full(11, -10.0 / mean[only])) + np.diag(np.full(10, 10.0 / mean[only]), -1)
        matrix[10, 9], matrix[10, 10] = k, -k
        records = [Record(0.0, 1, 100.0, 1), *(Record(time) for time in times)]
        expected = amounts_at_records(matrix, records)[1:, 10]
        assert expected.max() > 4.0
        # where little is left of the pulse the absolute tolerance of 1e-9 shows
        assert scaled_error(found, expected, floor=1e-3) <= 1e-6
