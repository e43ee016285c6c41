"""Workload W1: 1000 patients, 21 s.c. doses of 1 MIU in three cycles, daily output over 24 weeks.

`data/patients.csv` holds typical values times exp(normal(0, 0.3)); `data/w1_reference.npz` the solution by LSODA at
tolerance 1e-12. These are benchmark values, not the literature prior.
"""

import csv
from pathlib import Path

import numpy as np

from pkpd.events.doses import Doses

DATA = Path(__file__).parent / "data"
PATIENTS = 1000
DOSE = 1e6
LAG = 0.45
BIOAVAILABILITY = 0.4
CAPACITY = 12.0
NK_EMAX = 6.0
DOSE_TIMES = np.array([28 * 24 * cycle + 48 * dose for cycle in range(3) for dose in range(7)], dtype=float)
TIMES = 24.0 * np.arange(169)

_SYMBOLS = {
    "CL": "cl",
    "VC": "vc",
    "Q": "q",
    "VP": "vp",
    "KA": "ka",
    "KOUT": "kout",
    "KP": "kp",
    "EC50": "ec50",
    "KNK": "knk",
    "EC50N": "ec50_nk",
}


def patients() -> dict[str, np.ndarray]:
    """Each parameter of the workload, one value per patient, under the names of the library models."""
    with (DATA / "patients.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    values = {symbol: np.array([float(row[column]) for row in rows]) for column, symbol in _SYMBOLS.items()}
    same = {"tlag": LAG, "f": BIOAVAILABILITY, "tmax": CAPACITY, "emax_nk": NK_EMAX}
    return values | {symbol: np.full(PATIENTS, value) for symbol, value in same.items()}


def doses() -> Doses:
    """The 21 doses into the depot, the same for every patient."""
    shape = (len(DOSE_TIMES), PATIENTS)
    return Doses(
        time=np.broadcast_to(DOSE_TIMES[:, None], shape),
        amount=np.full(shape, DOSE),
        duration=np.zeros(shape),
        lag=np.full(shape, LAG),
        bioavailability=np.full(shape, BIOAVAILABILITY),
        into=np.zeros(len(DOSE_TIMES), dtype=int),
    )


def reference() -> np.ndarray:
    """Treg `[patient, time]`, the solution to compare with."""
    with np.load(DATA / "w1_reference.npz") as stored:
        return stored["treg"]


def largest_relative_error(treg: np.ndarray) -> float:
    """Maximum over patients and times of |treg - reference| / reference; `treg` is `[time, patient]`."""
    truth = reference().T
    return float(np.abs(treg / truth - 1.0).max())
