"""A population x regimen grid on whatever device there is: every core of a laptop, or a GPU, by the same code.

    python examples/batch.py --patients 100000 --weeks 24 --out grid.csv

Virtual patients from literature priors; only metrics are kept, so memory hardly grows with their number.
"""

import argparse
import time
from pathlib import Path

import jax
import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from pkpd.errors import InputError
from pkpd.literature import covariates
from pkpd.models.library import model
from pkpd.population.virtual import draw_parameters, draw_patients, literature_of, typical_values
from pkpd.regimens.aside import Aside
from pkpd.regimens.measure import measure
from pkpd.regimens.resolve import resolve

GRID = [
    f"{dose} MIU sc {often} 14d on / 14d off x 3" for dose in ("0.25", "0.5", "1", "1.5") for often in ("qd", "q2d")
]

SHOWN = ("treg_mean_treatment", "treg_peak", "nk_peak", "selectivity", "total_iu")


def main() -> None:
    parser = argparse.ArgumentParser(description="A population x regimen grid on whatever device there is.")
    parser.add_argument("regimens", nargs="*", default=GRID, help="names or texts, as for `pkpd compare`")
    parser.add_argument("--patients", type=int, default=1000)
    parser.add_argument("--weeks", type=float, default=12.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write the table of medians and 90 % intervals here (CSV)")
    options = parser.parse_args()
    if options.patients < 1:
        parser.error("--patients: give at least 1")
    try:
        chosen = [resolve(text) for text in options.regimens]
        for regimen in chosen:
            regimen.comparable()
    except InputError as error:
        parser.error(str(error))
    console = Console()
    devices = jax.devices()
    console.print(f"{len(devices)} x {devices[0].device_kind} ({devices[0].platform})")

    body = model("il2_treg_nk")
    known = literature_of(body)
    people = draw_patients(covariates("population_pss"), options.patients, options.seed)
    parameters = draw_parameters(body, known, typical_values(known), people, options.seed)
    hours = np.arange(0.0, options.weeks * 168.0 + 0.5)
    begun = time.perf_counter()
    with Progress(console=console, disable=not console.is_terminal) as bar, Aside() as aside:
        task = bar.add_task("patients", total=len(options.regimens) * options.patients)

        def count(done: int) -> None:
            bar.advance(task, done)

        waits = [measure(body, regimen, people, parameters, hours, count, aside, keep=False) for regimen in chosen]
        found = [wait().metrics for wait in waits]
    spent = time.perf_counter() - begun
    rows = []
    for regimen, metrics in zip(chosen, found, strict=True):
        for metric in metrics:
            low, median, high = np.quantile(metric.values, (0.05, 0.5, 0.95))
            rows.append((regimen.name, metric.name, metric.unit, median, low, high))

    table = pd.DataFrame(rows, columns=["regimen", "metric", "unit", "median", "low", "high"])
    shown = Table("regimen", *SHOWN, title="medians (fold of baseline; IU)")
    medians = table.pivot(index="regimen", columns="metric", values="median")
    for name in table["regimen"].unique():
        shown.add_row(name, *(f"{medians.loc[name, metric]:.3g}" for metric in SHOWN))
    console.print(shown)
    courses = len(options.regimens) * options.patients
    console.print(f"{courses} courses of {options.weeks:g} weeks in {spent:.1f} s, compilation included")
    if options.out:
        table.to_csv(options.out, index=False)


if __name__ == "__main__":
    main()
