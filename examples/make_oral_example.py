"""Make the example of a fit: SIMULATED concentrations of 40 subjects after one oral dose, and a run file for them.

    python examples/make_oral_example.py [FOLDER]

writes oral.csv and oral_fit.toml into FOLDER (a temporary one by default). The concentrations come from the closed
form of one compartment with first-order absorption, seed 7:

    c(t) = dose ka / (v (ka - k)) (exp(-k t) - exp(-ka t)),  k = cl/v

with ka 1.1 1/h, cl 4 L/h (weight/70)^0.75 and v 35 L, SDs of the logarithms 0.4, 0.25 and 0.2, proportional error 0.12.
Values below 0.05 mg/L are reported as below the limit.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

SEED, SUBJECTS, DOSE, LIMIT = 7, 40, 100.0, 0.05
TIMES = np.array([0.5, 1.0, 2.0, 4.0, 8.0, 12.0, 24.0, 36.0])

HEADER = """\
# SIMULATED DATA: made by examples/make_oral_example.py, one compartment with oral absorption; no real subjects.
# TIME in h, AMT in mg, DV in mg/L (CENS 1 below the limit 0.05 mg/L), WT in kg.
"""

RUN_FILE = """\
# A fit of oral.csv (SIMULATED): pkpd fit oral_fit.toml oral.csv --out runs/oral
model = "pk_1cmt_oral"
description = "one compartment, weight on clearance"

[data]
outputs = ["conc"]
units = { AMT = "mg", conc = "mg/L", WT = "kg" }
covariates = ["WT"]

[parameters]
ka = { initial = 1.0, variability = "lognormal", cv = 0.3 }
v = { initial = 30.0, variability = "lognormal", cv = 0.3 }

[parameters.cl]
initial = 3.0
variability = "lognormal"
cv = 0.3
covariates = [{ covariate = "WT", effect = "allometric", exponent = 0.75 }]

[residual.conc]
error = "proportional"
sd = 0.2
below = "M3"
"""


def table() -> pd.DataFrame:
    """The table, a dose and eight samples for each subject."""
    rng = np.random.default_rng(SEED)
    rows: list[dict[str, object]] = []
    for subject in range(1, SUBJECTS + 1):
        weight = round(float(np.clip(rng.normal(75.0, 14.0), 45.0, 120.0)), 1)
        ka, cl, v = np.array([1.1, 4.0, 35.0]) * np.exp(np.array([0.4, 0.25, 0.2]) * rng.standard_normal(3))
        k = cl * (weight / 70.0) ** 0.75 / v
        mean = DOSE * ka / (v * (ka - k)) * (np.exp(-k * TIMES) - np.exp(-ka * TIMES))
        seen = mean * (1.0 + 0.12 * rng.standard_normal(TIMES.size))
        rows.append({"ID": subject, "TIME": 0.0, "AMT": DOSE, "DV": ".", "CENS": 0, "EVID": 1, "WT": weight})
        for time, value in zip(TIMES.tolist(), seen.tolist(), strict=True):
            below = value < LIMIT
            shown = f"{LIMIT if below else value:.4g}"
            rows.append({"ID": subject, "TIME": time, "AMT": ".", "DV": shown, "CENS": int(below), "EVID": 0})
            rows[-1]["WT"] = weight
    return pd.DataFrame(rows)


def main() -> None:
    """Write the two files."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    made = table()
    (folder / "oral.csv").write_text(HEADER + made.to_csv(index=False), encoding="utf-8")
    (folder / "oral_fit.toml").write_text(RUN_FILE, encoding="utf-8")
    print(f"SIMULATED: {folder / 'oral.csv'}, {made['CENS'].tolist().count(1)} values below the limit")


if __name__ == "__main__":
    main()
