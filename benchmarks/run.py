"""Run the workloads beside a peer in one process, print the table, write `results.json`.

    python benchmarks/run.py [--repeats 9]

Speed is read as a ratio measured here and now: absolute seconds belong to the machine.
"""

import argparse
import ctypes
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import workload
from rich.console import Console
from rich.table import Table

PEER_TOLERANCE = 1e-8
RESULTS = Path(__file__).parent / "results.json"


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Median wall time of `work` after one call that is not counted."""
    work()
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


@contextmanager
def silent():
    """CVODE warns at each restart after a dose, thousands of times; printing that would only cost the peer time."""
    flush = ctypes.CDLL(None).fflush
    sys.stdout.flush()
    saved = [os.dup(stream) for stream in (1, 2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    try:
        yield
    finally:
        flush(None)
        for stream, copy in zip((1, 2), saved, strict=True):
            os.dup2(copy, stream)
            os.close(copy)
        os.close(nowhere)


def ours(repeats: int) -> dict[str, object]:
    """W1 by pkpd at its default tolerances."""
    from pkpd.engine.simulate import simulate
    from pkpd.models.library import model

    body, parameters, doses = model("il2_treg_nk"), workload.patients(), workload.doses()

    def solve():
        return simulate(body, parameters, doses, workload.TIMES, outputs=("treg", "nk"))

    start = time.perf_counter()
    found = solve()
    cold = time.perf_counter() - start
    import jax

    return {
        "seconds": seconds(solve, repeats),
        "first_call_seconds": cold,
        "max_rel_error": workload.largest_relative_error(found.values["treg"]),
        "solver": f"exact IL-2, {found.solver} rtol {found.tolerances.rtol:g}",
        "devices": jax.device_count(),
        "steps": found.steps,
    }


def peer() -> dict[str, object]:
    """W1 by libroadrunner, run once after a warm-up of its compiler: it takes seconds, not milliseconds."""
    import peer_roadrunner

    runner, patients = peer_roadrunner.prepare(PEER_TOLERANCE), workload.patients()
    with silent():
        start = time.perf_counter()
        treg = peer_roadrunner.solve(runner, patients)
        taken = time.perf_counter() - start
    return {
        "peer": peer_roadrunner.version(),
        "peer_tol": PEER_TOLERANCE,
        "peer_seconds": taken,
        "peer_max_rel_error": workload.largest_relative_error(treg),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="W1 beside a peer")
    parser.add_argument("--repeats", type=int, default=9, help="timed runs of pkpd; the median counts")
    arguments = parser.parse_args()
    row: dict[str, object] = {"workload": "W1"} | peer() | ours(arguments.repeats)
    row["ratio"] = float(row["peer_seconds"]) / float(row["seconds"])  # type: ignore[arg-type]
    packages = ("pkpd-treg", "jax", "diffrax", "numpy", "libroadrunner")
    results = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.platform()}",
        "versions": {name: version(name) for name in packages},
        "workloads": [row],
    }
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")

    table = Table("", "seconds", "max rel. error", title="W1: 1000 patients, 24 weeks, daily Treg")
    table.add_row(
        f"pkpd ({row['solver']}, {row['devices']} devices)",
        f"{row['seconds']:.4f}",
        f"{row['max_rel_error']:.1e}",
    )
    table.add_row(f"{row['peer']}, tolerance 1e-8", f"{row['peer_seconds']:.2f}", f"{row['peer_max_rel_error']:.1e}")
    table.add_row("ratio", f"{row['ratio']:.0f}", "")
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
