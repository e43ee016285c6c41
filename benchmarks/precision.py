"""Time against error over a range of tolerances, pkpd beside libroadrunner, for W1 and W2: `work_precision.png`.

python benchmarks/precision.py
"""

import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import peer_roadrunner
import workload
import workloads
from run import silent

from pkpd.engine.simulate import simulate
from pkpd.engine.tolerances import Tolerances

OURS = (1e-5, 1e-6, 1e-7, 1e-8, 1e-9)
PEER = (1e-6, 1e-8, 1e-10)
PICTURE = Path(__file__).parent / "work_precision.png"


def ours(name: str) -> list[tuple[float, float]]:
    """(error, seconds) at each tolerance."""
    body, parameters = getattr(workload, name.lower())()
    doses, found = workload.doses(), []
    for rtol in OURS:
        last = {}

        def solve(rtol: float = rtol, last: dict = last) -> None:
            tolerances = Tolerances(rtol, 1e-2 * rtol)
            last["run"] = simulate(
                body, parameters, doses, workload.TIMES, outputs=("treg", "nk"), tolerances=tolerances
            )

        _, seconds = workloads.timed(solve, 5)
        found.append((workload.largest_relative_error(last["run"].values["treg"], name), seconds))
    return found


def peers(name: str) -> list[tuple[float, float]]:
    patients, found = getattr(workload, name.lower())()[1], []
    for tolerance in PEER:
        runner = peer_roadrunner.prepare(tolerance)
        with silent():
            start = time.perf_counter()
            treg = peer_roadrunner.solve(runner, patients)
            seconds = time.perf_counter() - start
        found.append((workload.largest_relative_error(treg, name), seconds))
    return found


def main() -> None:
    figure, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True, constrained_layout=True)
    for axis, name in zip(axes, ("W1", "W2"), strict=True):
        for label, points in ((f"pkpd, {len(OURS)} tolerances", ours(name)), ("libroadrunner", peers(name))):
            error, seconds = np.array(points).T
            axis.loglog(error, seconds, "o-", label=label)
        axis.set(title=name, xlabel="largest relative error of Treg")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("seconds for 1000 patients")
    axes[0].legend()
    figure.savefig(PICTURE, dpi=120)


if __name__ == "__main__":
    main()
