"""Run the workloads beside their peers, print the table, write `results.json`.

    python benchmarks/run.py [--repeats 9] [--only W1 W3 cold_start]

Each workload runs in a process of its own, the peer's right before it. Speed is read as a ratio measured here and now:
absolute seconds belong to the machine.
"""

import argparse
import ctypes
import json
import os
import platform
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import cold_start
import devices
import fits
import workload
import workloads
from rich.console import Console
from rich.table import Table

PEER_TOLERANCE = 1e-8
RESULTS = Path(__file__).parent / "results.json"
COLD_START, DEVICES, FITS = "cold_start", "devices", "fits"
PACKAGES = ("pkpd-treg", "jax", "diffrax", "numpy", "libroadrunner", "pynlme", "scikit-sundae")


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


def peer(name: str) -> dict[str, object]:
    """W1 or W2 by libroadrunner, run once after its compiler: it takes seconds, not milliseconds; and by CVODE."""
    import peer_cvode
    import peer_roadrunner

    runner, patients = peer_roadrunner.prepare(PEER_TOLERANCE), getattr(workload, name.lower())()[1]
    with silent():
        start = time.perf_counter()
        treg = peer_roadrunner.solve(runner, patients)
        taken = time.perf_counter() - start
        scaled, _ = peer_cvode.solve(patients, PEER_TOLERANCE)
    return {
        "peer": peer_roadrunner.version(),
        "peer_tol": PEER_TOLERANCE,
        "peer_seconds": taken,
        "peer_max_rel_error": workload.largest_relative_error(treg, name),
        "cvode_in_python": peer_cvode.version(),
        "cvode_in_python_seconds_scaled": scaled,
    }


def one(name: str, repeats: int) -> dict[str, object]:
    """One workload, in this process."""
    row: dict[str, object] = {"workload": name}
    if name in ("W1", "W2"):
        row |= peer(name)
    row |= workloads.WORKLOADS[name](repeats)
    if "peer_seconds" in row:
        row["ratio"] = float(row["peer_seconds"]) / float(row["seconds"])  # type: ignore[arg-type]
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description="the workloads beside their peers")
    parser.add_argument("--repeats", type=int, default=9, help="timed runs of pkpd; the median counts")
    every = [*workloads.WORKLOADS, DEVICES, FITS, COLD_START]
    parser.add_argument("--only", nargs="+", choices=every, default=every)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        print(json.dumps(one(options.only[0], options.repeats)))
        return 0

    rows = []
    for name in (name for name in options.only if name in workloads.WORKLOADS):
        again = [sys.executable, __file__, "--here", "--only", name, "--repeats", str(options.repeats)]
        done = subprocess.run(again, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stderr, file=sys.stderr)
            return 1
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(f"{name} done", file=sys.stderr)
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    named = {row["workload"]: row for row in [*kept.get("workloads", []), *rows]}
    spread = (devices.measured() if DEVICES in options.only else {}) or kept.get(DEVICES)
    fitted = fits.measured() if FITS in options.only else []
    known = {row["fit"]: row for row in [*kept.get(FITS, []), *fitted]}
    first_calls = cold_start.measured() if COLD_START in options.only else kept.get(COLD_START)
    results: dict[str, object] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.platform()}",
        "versions": {name: version(name) for name in PACKAGES},
        "workloads": [named[name] for name in sorted(named)],
    }
    if spread:
        results[DEVICES] = spread
    if known:
        results[FITS] = list(known.values())
    if first_calls:
        results[COLD_START] = first_calls
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")

    table = Table("workload", "seconds", "max rel. error", "against", title="pkpd, default tolerances")
    for row in rows:
        error = f"{row['max_rel_error']:.1e}" if "max_rel_error" in row else ""
        table.add_row(row["workload"], f"{row['seconds']:.3f}", error, _against(row))
    Console().print(table)
    if spread and DEVICES in options.only:
        Console().print(
            f"W1 by two host devices: {spread['two_devices_speedup']:.2f} x one; two processes that share nothing do "
            f"{spread['two_processes_speedup']:.2f} x the work of one"
        )
    if fitted:
        Console().print(fits.table(fitted))
    if first_calls is not None and COLD_START in options.only:
        Console().print(
            f"cold start: first profile {first_calls['first_simulate_seconds']:.1f} s, quick start "
            f"{first_calls['quick_start_seconds']:.1f} s, with a full cache "
            f"{first_calls['quick_start_again_seconds']:.1f} s; compiled by the second call: "
            f"{first_calls['second_simulate_compilations']:.0f}"
        )
    return 0


def _against(row: dict) -> str:
    if "ratio" in row:
        return (
            f"{row['ratio']:.0f} x {row['peer']} ({row['peer_seconds']:.2f} s, error {row['peer_max_rel_error']:.1e})"
        )
    if "times_w1" in row:
        return f"{row['times_w1']:.2f} x the time of W1"
    if "peak_gib" in row:
        return f"{row['per_patient_growth']:.2f} x per patient from 1e3 to 1e5; {row['peak_gib']:.2f} GiB"
    return f"{row['times_forward']:.1f} x forward; W2 {row['times_forward_w2']:.1f} x"


if __name__ == "__main__":
    sys.exit(main())
