"""W1 and W2 in libroadrunner: CVODE on a compiled model, one patient after another, stopped at each arrival."""

from collections.abc import Mapping
from itertools import pairwise

import antimony  # pyright: ignore[reportMissingImports]  (extra: bench)
import numpy as np
import roadrunner  # pyright: ignore[reportMissingImports]  (extra: bench)
import workload

_MODEL = """
model peer
  cl = 10; vc = 2.8; q = 1.4; vp = 2.3; ka = 0.28
  clt = 0; kt = 2.8
  kout = 0.0075; kp = 0.010; ec50 = 0.3; knk = 0.004; ec50_nk = 6; tmax = 12; emax_nk = 6
  depot = 0; transit = 0; central = 0; peripheral = 0; treg = 1; nk = 1
  c := central / (1000 * vc)
  depot' = -ka * depot
  transit' = ka * depot - ka * transit
  central' = ka * transit - ((cl + clt * treg / (1 + c / kt)) / vc + q / vc) * central + q / vp * peripheral
  peripheral' = q / vc * central - q / vp * peripheral
  treg' = kout * (1 - treg) + kp * c / (ec50 + c) * treg * (1 - treg / tmax)
  nk' = knk * (1 + emax_nk * c / (ec50_nk + c) - nk)
end
"""


def version() -> str:
    return f"libroadrunner {roadrunner.getVersionStr(roadrunner.VERSIONSTR_BASIC)}"


def prepare(tolerance: float) -> roadrunner.RoadRunner:
    """Compile the model; not part of the timed work."""
    antimony.clearPreviousLoads()
    if antimony.loadAntimonyString(_MODEL) < 0:
        raise RuntimeError(antimony.getLastError())
    runner = roadrunner.RoadRunner(antimony.getSBMLString("peer"))
    runner.integrator.relative_tolerance = tolerance
    runner.integrator.absolute_tolerance = tolerance
    runner.timeCourseSelections = ["time", "treg"]
    return runner


def solve(runner: roadrunner.RoadRunner, patients: Mapping[str, np.ndarray]) -> np.ndarray:
    """Treg `[time, patient]`: for each patient, one run between every two arrivals, output where it is due."""
    arrivals = workload.DOSE_TIMES + workload.LAG
    edges = np.concatenate([[0.0], arrivals, [workload.TIMES[-1]]])
    wanted = [workload.TIMES[(a < workload.TIMES) & (b > workload.TIMES)] for a, b in pairwise(edges)]
    points = [[a, *inside, b] for (a, b), inside in zip(pairwise(edges), wanted, strict=True)]
    symbols = [name for name in patients if name not in ("tlag", "f")]
    given = workload.DOSE * workload.BIOAVAILABILITY
    treg = np.empty((len(workload.TIMES), workload.PATIENTS))
    treg[0] = 1.0
    for j in range(workload.PATIENTS):
        runner.resetAll()
        for name in symbols:
            runner[name] = patients[name][j]
        row = 1
        for number, times in enumerate(points):
            if number > 0:
                runner["depot"] = runner["depot"] + given
            found = runner.simulate(times=times)
            count = len(times) - 2
            treg[row : row + count, j] = found[1:-1, 1]
            row += count
        treg[row, j] = runner["treg"]
    return treg
