"""W1 and W2 by CVODE from Python (scikit-sundae): the right-hand side is a Python function, as a user would write it.

Some patients only, and the time scaled to all of them: it takes minutes otherwise.
"""

import time
from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np
import sksundae  # pyright: ignore[reportMissingImports]  (extra: bench)
import workload

PATIENTS = 10


def version() -> str:
    return f"scikit-sundae {sksundae.__version__}"


def right_hand_side(p: Mapping[str, float]) -> Callable[[float, np.ndarray, np.ndarray], None]:
    """The equations of W2, or of W1 where there is no clearance by Tregs."""
    clt, kt = p.get("clt", 0.0), p.get("kt", 1.0)

    def slopes(t: float, y: np.ndarray, found: np.ndarray) -> None:
        depot, transit, central, peripheral, treg, nk = y
        c = central / (1000.0 * p["vc"])
        cl = p["cl"] + clt * treg / (1.0 + c / kt)
        found[0] = -p["ka"] * depot
        found[1] = p["ka"] * (depot - transit)
        found[2] = p["ka"] * transit - (cl + p["q"]) / p["vc"] * central + p["q"] / p["vp"] * peripheral
        found[3] = p["q"] / p["vc"] * central - p["q"] / p["vp"] * peripheral
        growth = p["kp"] * c / (p["ec50"] + c) * treg * (1.0 - treg / p["tmax"])
        found[4] = p["kout"] * (1.0 - treg) + growth
        found[5] = p["knk"] * (1.0 + p["emax_nk"] * c / (p["ec50_nk"] + c) - nk)

    return slopes


def solve(patients: Mapping[str, np.ndarray], tolerance: float) -> tuple[float, np.ndarray]:
    """(seconds for all patients, scaled up; Treg `[time, patient]` of the first ones)."""
    arrivals = workload.DOSE_TIMES + workload.LAG
    edges = np.concatenate([[0.0], arrivals, [workload.TIMES[-1]]])
    treg = np.ones((len(workload.TIMES), PATIENTS))
    begun = time.perf_counter()
    for j in range(PATIENTS):
        slopes = right_hand_side({name: float(value[j]) for name, value in patients.items()})
        solver = sksundae.cvode.CVODE(slopes, rtol=tolerance, atol=tolerance, max_num_steps=100_000)
        y = np.array([0.0, 0.0, 0.0, 0.0, 1.0, 1.0])
        for number, (a, b) in enumerate(pairwise(edges)):
            if number > 0:
                y[0] += workload.DOSE * workload.BIOAVAILABILITY
            inside = np.flatnonzero((a < workload.TIMES) & (b > workload.TIMES))
            times = [a, *(workload.TIMES[inside] if len(inside) else [0.5 * (a + b)]), b]  # two would mean every step
            found = solver.solve(np.array(times), y)
            treg[inside, j] = found.y[1:-1, 4][: len(inside)]
            y = found.y[-1].copy()
        treg[-1, j] = y[4]
    return (time.perf_counter() - begun) * workload.PATIENTS / PATIENTS, treg
