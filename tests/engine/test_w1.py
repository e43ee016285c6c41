"""The benchmark patients: s.c. IL-2 driving Treg and NK over 24 weeks, against SciPy at tolerance 1e-12."""

import csv
from pathlib import Path

import jax
import numpy as np
import pytest
from components import doses
from numpy.typing import NDArray
from oracles.treg_scipy import (
    BIOAVAILABILITY,
    DOSE_DAYS,
    DOSE_IU,
    LAG_H,
    NK_GAIN,
    TREG_CAPACITY,
    Patient,
    states_at,
)

from pkpd.engine.simulate import Simulation, simulate
from pkpd.events.doses import Doses
from pkpd.models.library import il2_treg_nk

FOLDER = Path(__file__).parents[1] / "reference" / "w1"
LIMIT = 1e-6
"""Ten times the default relative tolerance; measured 4.2e-7 over a thousand patients, 7.5e-8 over these."""


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(newline="") as file:
        return list(csv.DictReader(file))


PATIENTS = [Patient(**{name: float(row[name]) for name in row if name != "patient"}) for row in rows("patients.csv")]
NUMBERS = [row["patient"] for row in rows("patients.csv")]


def parameters() -> dict[str, NDArray]:
    """The oracle's patients under the names of the library's models."""
    names = ("cl", "vc", "q", "vp", "ka", "kout", "kp", "ec50", "knk")
    found = {name: np.array([getattr(patient, name) for patient in PATIENTS]) for name in names}
    found["ec50_nk"] = np.array([patient.ec50n for patient in PATIENTS])
    same = {"tlag": LAG_H, "f": BIOAVAILABILITY, "tmax": TREG_CAPACITY, "emax_nk": NK_GAIN}
    return found | {name: np.full(len(PATIENTS), value) for name, value in same.items()}


def dosing() -> Doses:
    return doses(
        24.0 * np.array(DOSE_DAYS),
        DOSE_IU,
        subjects=len(PATIENTS),
        lag=LAG_H,
        bioavailability=BIOAVAILABILITY,
    )


HOURS = np.unique(np.concatenate([24.0 * np.arange(169), np.random.default_rng(8).uniform(0, 672, 120)]))


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    """IL-2, Treg and NK at the end of each day, and at random hours of the first cycle."""
    return simulate(il2_treg_nk(), parameters(), dosing(), HOURS)


@pytest.fixture
def found(simulation: Simulation) -> dict[str, NDArray]:
    return simulation.values


def test_it_takes_few_steps_and_hardly_any_in_vain(simulation: Simulation) -> None:
    """Measured on each device: 658 steps, and 2 or 3 rejected."""
    assert simulation.failures == {}
    assert simulation.steps <= 700 * jax.device_count()
    assert simulation.rejected <= 5 * jax.device_count()


def test_treg_and_nk_of_the_frozen_days(found: dict[str, NDArray]) -> None:
    frozen = [row for row in rows("responses.csv") if row["workload"] == "W1"]
    assert len(frozen) == 7 * len(PATIENTS)
    for row in frozen:
        time, subject = np.flatnonzero(24.0 * int(row["day"]) == HOURS)[0], NUMBERS.index(row["patient"])
        assert abs(found["treg"][time, subject] / float(row["treg"]) - 1) <= LIMIT
        assert abs(found["nk"][time, subject] / float(row["nk"]) - 1) <= LIMIT


def test_every_few_hours_of_the_first_cycle(found: dict[str, NDArray]) -> None:
    """Between doses and days, where the interpolant is at work; and IL-2 itself."""
    first = HOURS <= 672.0
    for subject, patient in enumerate(PATIENTS[:2]):
        exact = states_at(patient, HOURS[first])
        np.testing.assert_allclose(found["treg"][first, subject], exact[:, 4], rtol=LIMIT)
        np.testing.assert_allclose(found["nk"][first, subject], exact[:, 5], rtol=LIMIT)
        # SciPy holds amounts up to 4e5 IU to 1e-12 of themselves a step; below a thousandth of the peak that shows
        il2 = exact[:, 2] / (1000 * patient.vc)
        np.testing.assert_allclose(found["il2"][first, subject], il2, rtol=1e-8, atol=1e-9 * il2.max())
