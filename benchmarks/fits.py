"""Population fits: how long the first of a process takes, and the next, beside a peer on the same data.

    python benchmarks/fits.py

Each fit is FOCE with a covariance step (R) and the audit, from a file of data to standard errors. The first is that of
a process just begun, with nothing compiled, its imports included; the second is the same said again in that process.
Seconds of CPU count all threads; those of the first fit, from the file on, are told apart from those of the imports.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from cold_start import nothing_compiled
from rich.console import Console
from rich.table import Table

Row = dict[str, object]

HOURS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 12.0, 24.0, 36.0, 48.0, 72.0)


@dataclass(frozen=True)
class Case:
    """A set of data and a model of it: initial estimates of what varies, and of the error's SD."""

    name: str
    model: str
    start: dict[str, float]
    error: str
    sd: float

    def table(self) -> pd.DataFrame | None:
        """The data; None where they are published ones and not at hand."""
        if self.name == "bolus":
            return simulated_bolus()
        folder = os.environ.get("PKPD_REFERENCE")
        return None if folder is None else pd.read_csv(Path(folder) / "theophylline" / "theo_sd.csv")


CASES = {
    case.name: case
    for case in (
        Case("theophylline", "pk_1cmt_oral", {"ka": 1.5, "cl": 2.8, "v": 32.0}, "additive", 0.7),
        Case("bolus", "pk_2cmt_iv", {"cl": 5.0, "vc": 60.0, "q": 5.0, "vp": 60.0}, "lognormal", 0.2),
    )
}


def simulated_bolus(subjects: int = 120) -> pd.DataFrame:
    """Two compartments, one bolus of 10, 30 or 60 g, parameters with a CV of 30 %, errors log-normal with SD 0.2."""
    import peer_pynlme

    rng, rows = np.random.default_rng(1), []
    for subject in range(subjects):
        phi = np.log([4.0, 70.0, 4.0, 50.0]) + 0.3 * rng.standard_normal(4)
        dose = (1e4, 3e4, 6e4)[subject % 3]
        mean = peer_pynlme.bolus(phi, np.column_stack([np.full(len(HOURS), dose), HOURS]))
        seen = mean * np.exp(0.2 * rng.standard_normal(len(HOURS)))
        rows.append({"ID": subject, "TIME": 0.0, "AMT": dose, "DV": np.nan, "EVID": 1})
        rows += [{"ID": subject, "TIME": t, "AMT": 0.0, "DV": y, "EVID": 0} for t, y in zip(HOURS, seen, strict=True)]
    return pd.DataFrame(rows)


def once(case: Case, path: Path) -> Row:
    """One fit, from the file on."""
    from pkpd.dataset.read import read_dataset
    from pkpd.fit.connection import connected
    from pkpd.fit.fit import fit
    from pkpd.models.library import model
    from pkpd.population.individual import LogNormal
    from pkpd.population.population import Population
    from pkpd.population.residual import Additive, TransformBothSides

    data = read_dataset(path, outputs=["conc"], units={"AMT": "mg", "conc": "mg/L"})
    error = Additive(case.sd)
    population = Population(
        parameters={name: LogNormal(value, cv=0.3) for name, value in case.start.items()},
        residual={"conc": error if case.error == "additive" else error & TransformBothSides("log")},
    )
    ours = connected(population, model(case.model), data)
    found = fit(population, ours.problem, ours.table, method="foce", covariance="r")
    return {
        "objective": found.ofv,
        "evaluations": found.evaluations,
        "compiling": found.compiling,
        "reasons": list(found.reasons),
    }


def in_this_process(name: str, path: Path, begun: float) -> Row:
    """The first fit of this process, which began at the time `begun`, and the same said again."""
    import pkpd.fit.connection
    import pkpd.fit.fit
    import pkpd.models.library  # noqa: F401

    case, imported = CASES[name], time.process_time()
    first = once(case, path)
    row: Row = {"cold_seconds": time.time() - begun, "import_cpu_seconds": imported}
    row["cold_cpu_seconds"] = time.process_time() - imported
    wall, cpu = time.perf_counter(), time.process_time()
    again = once(case, path)
    row |= {"warm_seconds": time.perf_counter() - wall, "warm_cpu_seconds": time.process_time() - cpu}
    row |= {"cold_compiling_seconds": first.pop("compiling"), "warm_compiling_seconds": again["compiling"]}
    return row | first


def measured() -> list[Row]:
    """Every case whose data are at hand, the peer right before it."""
    import peer_pynlme

    rows: list[Row] = []
    for case in CASES.values():
        table = case.table()
        if table is None:
            print(f"{case.name}: skipped, PKPD_REFERENCE is not set", file=sys.stderr)
            continue
        model = {"pk_1cmt_oral": "oral", "pk_2cmt_iv": "bolus"}[case.model]
        row = {"fit": case.name, "subjects": table.ID.nunique()}
        row |= peer_pynlme.solve(table, model, tuple(case.start.values()), case.error)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "data.csv"
            table.to_csv(path, index=False, na_rep=".")
            begun = time.time()
            done = subprocess.run(
                [sys.executable, __file__, "--here", case.name, str(path), str(begun)],
                env=nothing_compiled(Path(folder)),
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode:
            raise RuntimeError(done.stderr)
        row |= json.loads(done.stdout.splitlines()[-1])
        for kind in ("cold", "warm"):
            row[f"ratio_{kind}"] = float(row["peer_seconds"]) / float(row[f"{kind}_seconds"])
        rows.append(row)
        print(f"{case.name} done", file=sys.stderr)
    return rows


def table(rows: list[Row]) -> Table:
    """What was measured, for a person."""
    columns = ("fit", "objective", "peer's", "first (CPU)", "again", "peer (CPU)", "evaluated")
    shown = Table(*columns, title=f"FOCE, R, audit; peer {rows[0]['peer']}" if rows else "no fits")
    for row in rows:
        shown.add_row(
            f"{row['fit']} ({row['subjects']})",
            f"{row['objective']:.3f}",
            f"{row['peer_objective']:.3f}",
            f"{row['cold_seconds']:.1f} ({row['cold_cpu_seconds']:.1f}) s",
            f"{row['warm_seconds']:.2f} s",
            f"{row['peer_seconds']:.1f} ({row['peer_cpu_seconds']:.1f}) s",
            f"{row['evaluations']}",
        )
    return shown


if __name__ == "__main__":
    if "--here" in sys.argv:
        name, path, begun = sys.argv[2:]
        print(json.dumps(in_this_process(name, Path(path), float(begun))))
    else:
        Console().print(table(measured()))
