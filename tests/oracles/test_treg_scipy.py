"""The SciPy oracle of the benchmark workloads against frozen numbers, another integrator, and exact PK."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from oracles.expm_events import DOSE, Record, amounts_at_records
from oracles.linear_models import il2_subcutaneous
from oracles.treg_scipy import ARRIVALS, BIOAVAILABILITY, DOSE_DAYS, LAG_H, OUTPUT_HOURS, Patient, states_at

FOLDER = Path(__file__).parents[1] / "reference" / "w1"
CLT0 = {"W1": 0.0, "W2": 1.0}


def patients() -> dict[int, Patient]:
    with (FOLDER / "patients.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        int(row["patient"]): Patient(**{name: float(row[name]) for name in row if name != "patient"}) for row in rows
    }


def responses(workload: str, patient: int) -> np.ndarray:
    """[day; Treg, NK] as frozen."""
    with (FOLDER / "responses.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if (row["workload"], row["patient"]) == (workload, str(patient))]
    return np.array([[float(row[name]) for name in ("day", "treg", "nk")] for row in rows])


@pytest.mark.parametrize("workload", CLT0)
@pytest.mark.parametrize("number", patients())
def test_the_frozen_responses(workload: str, number: int) -> None:
    frozen = responses(workload, number)
    assert len(frozen) == 7
    patient = replace(patients()[number], clt0=CLT0[workload])
    states = states_at(patient, 24 * frozen[:, 0])
    # both sides are LSODA at 1e-12 a step; over 4032 h that becomes some 3e-11
    np.testing.assert_allclose(states[:, 4:], frozen[:, 1:], rtol=1e-10)


def test_an_explicit_integrator_agrees() -> None:
    patient = replace(Patient(), clt0=1.0)
    hours = OUTPUT_HOURS[:31]
    stiff, explicit = (states_at(patient, hours, method=method) for method in ("LSODA", "DOP853"))
    np.testing.assert_allclose(explicit[:, 4:], stiff[:, 4:], rtol=1e-10)


def test_the_pharmacokinetics_are_the_exact_engine_s() -> None:
    patient = Patient()
    hours = [1.0, 4.0, 24.0, 50.0, 100.0]
    rates = il2_subcutaneous(patient.ka, patient.cl, patient.vc, patient.q, patient.vp)
    records = [Record(0, DOSE, 1e6, 1, lag=LAG_H, bioavailability=BIOAVAILABILITY, addl=6, ii=48)]
    records += [Record(hour) for hour in hours]
    exact = amounts_at_records(rates, records)[1:]
    # the integrator promises 1e-12 a step of amounts up to 4e5
    np.testing.assert_allclose(states_at(patient, hours)[:, :4], exact, rtol=1e-9, atol=1e-6)


def test_the_regimen_is_seven_doses_in_each_of_three_cycles() -> None:
    assert len(ARRIVALS) == len(DOSE_DAYS) == 21
    assert DOSE_DAYS[:8] == [0, 2, 4, 6, 8, 10, 12, 28]
    assert ARRIVALS[-1] == (24 * 68 + 0.45, 4e5)
    assert (OUTPUT_HOURS[0], OUTPUT_HOURS[-1], len(OUTPUT_HOURS)) == (0.0, 168 * 24.0, 169)


def test_without_doses_nothing_happens() -> None:
    states = states_at(Patient(), [0.0, 24.0, 240.0], arrivals=[])
    np.testing.assert_array_equal(states, np.tile([0, 0, 0, 0, 1, 1], (3, 1)))


def test_a_dose_that_arrives_at_an_output_time_is_in_it() -> None:
    states = states_at(Patient(), [0.0, 2.0], arrivals=[(2.0, 100.0)])
    assert states[:, 0].tolist() == [0.0, 100.0]
