"""The workloads: 1000 patients, 21 s.c. doses of 1 MIU in three cycles, daily output over 24 weeks.

`data/patients.csv` holds typical values times exp(normal(0, 0.3)); `data/w1_reference.npz` and `w2_reference.npz` the
solutions by LSODA at tolerance 1e-12. These are benchmark values, not the literature prior. In W2 Tregs clear IL-2.
"""

import csv
from pathlib import Path

import numpy as np

from pkpd.events.doses import Doses
from pkpd.models.library import model
from pkpd.models.model import Model
from pkpd.models.treg_clearance import treg_clearance

DATA = Path(__file__).parent / "data"
PATIENTS = 1000
DOSE = 1e6
LAG = 0.45
BIOAVAILABILITY = 0.4
CAPACITY = 12.0
NK_EMAX = 6.0
DOSE_TIMES = np.array([28 * 24 * cycle + 48 * dose for cycle in range(3) for dose in range(7)], dtype=float)
TIMES = 24.0 * np.arange(169)
HOURS = np.arange(4033.0)
CLT, KT = 1.0, 2.8

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


def w1() -> tuple[Model, dict[str, np.ndarray]]:
    """The model whose IL-2 is linear, and its parameters."""
    return model("il2_treg_nk"), patients()


def w2() -> tuple[Model, dict[str, np.ndarray]]:
    """The same with clearance by Tregs: nonlinear and stiff."""
    added = {"clt": np.full(PATIENTS, CLT), "kt": np.full(PATIENTS, KT)}
    return model("il2_treg_nk") >> treg_clearance(), patients() | added


def doses(count: int = PATIENTS) -> Doses:
    """The 21 doses into the depot, the same for every patient."""
    return _doses(
        np.broadcast_to(DOSE_TIMES[:, None], (len(DOSE_TIMES), count)), np.full((len(DOSE_TIMES), count), DOSE)
    )


def own_doses() -> Doses:
    """The same doses from a start of the patient's own in the first fortnight, one in ten of them missed."""
    rng = np.random.default_rng(4)
    start = rng.uniform(0.0, 14 * 24.0, PATIENTS)
    taken = rng.random((len(DOSE_TIMES), PATIENTS)) >= 0.1
    return _doses(DOSE_TIMES[:, None] + start[None, :], np.where(taken, DOSE, 0.0))


def _doses(time: np.ndarray, amount: np.ndarray) -> Doses:
    return Doses(
        time=time,
        amount=amount,
        duration=np.zeros(time.shape),
        lag=np.full(time.shape, LAG),
        bioavailability=np.full(time.shape, BIOAVAILABILITY),
        into=np.zeros(len(DOSE_TIMES), dtype=int),
    )


def reference(workload: str = "W1") -> np.ndarray:
    """Treg `[time, patient]`, the solution to compare with."""
    with np.load(DATA / f"{workload.lower()}_reference.npz") as stored:
        return stored["treg"].T


def largest_relative_error(treg: np.ndarray, workload: str = "W1") -> float:
    """Maximum over patients and times of |treg - reference| / reference; `treg` is `[time, patient]`."""
    return float(np.abs(treg / reference(workload) - 1.0).max())
