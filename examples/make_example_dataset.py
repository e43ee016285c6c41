"""Make the shipped example: a SIMULATED trial with NCT02464319's schedule, 30 patients on IL-2 and 30 on placebo.

    python examples/make_example_dataset.py [FOLDER]

writes pss_simulated.csv and its description pss_simulated.toml into FOLDER (a temporary one by default). Every value
comes from the library model and its literature priors, seed 20; no patient of any trial is in it.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from pkpd.engine.simulate import simulate
from pkpd.events.doses import Doses
from pkpd.literature import covariates, priors
from pkpd.models.library import model
from pkpd.population.randomness import standard_normal
from pkpd.population.virtual import draw_parameters, draw_patients, literature_of, typical_values
from pkpd.regimens.library import library

SEED, PATIENTS = 20, 60
IL2_TIMES = np.array([0.0, 2.0, 4.0, 8.0, 24.0, 288.0, 292.0, 312.0, 672.0, 676.0])
CELL_TIMES = 24.0 * np.array([0, 7, 14, 28, 42, 56, 70, 84, 168])

HEADER = """\
# SIMULATED DATA: made by examples/make_example_dataset.py from the library model il2_treg_nk; no real patients.
# Schedule of NCT02464319: 1 MIU s.c. on days 0, 2 .. 12 of three 28-day cycles, or placebo. TIME in h, AMT in IU.
# DVID: il2 [IU/mL, LLOQ 0.05, CENS 1 below it], treg [% of CD4], nk [CD56bright, % of lymphocytes].
"""

DESCRIPTION = """\
# Description of pss_simulated.csv, a SIMULATED trial.
outputs = ["il2", "treg", "nk"]
strata = ["ARM"]

[units]
TIME = "h"
AMT = "IU"
il2 = "IU/mL"
treg = "%"
nk = "%"
AGE = "y"
WT = "kg"
BSA = "m^2"

[covariates.AGE]
constant = true

[covariates.WT]
constant = true

[covariates.BSA]
constant = true
"""


def table() -> pd.DataFrame:
    """The trial as NONMEM-style records."""
    body, observed = model("il2_treg_nk"), priors("example_trial")
    known = literature_of(body)
    people = draw_patients(covariates("population_pss"), PATIENTS, SEED)
    p = draw_parameters(body, known, typical_values(known), people, SEED)
    active = np.arange(PATIENTS) % 2 == 0

    planned = library()["pss_nct02464319"].doses()
    shape = (len(planned), PATIENTS)
    doses = Doses(
        time=np.broadcast_to(np.array([dose.time for dose in planned])[:, None], shape),
        amount=np.array([dose.amount for dose in planned])[:, None] * active[None, :],
        duration=np.zeros(shape),
        lag=np.broadcast_to(p["tlag"], shape),
        bioavailability=np.broadcast_to(p["f"], shape),
        into=np.zeros(len(planned), dtype=int),
    )
    times = np.unique(np.concatenate([IL2_TIMES, CELL_TIMES]))
    values = simulate(body, p, doses, times).values

    def noise(name: str) -> np.ndarray:
        drawn = standard_normal(SEED, "example trial", name, len(times) * PATIENTS)
        return np.asarray(drawn).reshape(len(times), PATIENTS)

    def baseline(name: str) -> np.ndarray:
        prior = observed[name]
        z = np.asarray(standard_normal(SEED, "example trial", name, PATIENTS))
        return prior.typical * np.exp(np.sqrt(np.log1p((prior.bsv_cv or 0.0) ** 2)) * z)

    lloq = observed["il2_lloq"].typical
    il2 = values["il2"] * (1 + observed["il2_proportional"].typical * noise("il2"))
    treg = values["treg"] * baseline("treg_baseline")
    spread = np.hypot(observed["treg_proportional"].typical * treg, observed["treg_additive"].typical)
    treg = np.maximum(treg + spread * noise("treg"), 0.1)
    nk = values["nk"] * baseline("nk_baseline")
    nk = np.maximum(nk * (1 + observed["nk_proportional"].typical * noise("nk")), 0.01)

    rows = []
    for j in range(PATIENTS):
        who = {
            "ID": j + 1,
            "ARM": "IL-2" if active[j] else "placebo",
            "AGE": round(float(people.age[j])),
            "WT": round(float(people.weight[j]), 1),
            "BSA": round(float(people.bsa[j]), 2),
        }
        records = [
            {"TIME": 672.0 * cycle, "EVID": 1, "AMT": 1e6, "CMT": 1, "ADDL": 6, "II": 48.0, "MDV": 1}
            for cycle in range(3)
            if active[j]
        ]
        for dvid, sampled, found in (("il2", IL2_TIMES, il2), ("treg", CELL_TIMES, treg), ("nk", CELL_TIMES, nk)):
            for time in sampled:
                value = float(found[np.searchsorted(times, time), j])
                below = dvid == "il2" and value < lloq
                record = {"TIME": float(time), "EVID": 0, "DVID": dvid, "MDV": 0, "CENS": int(below)}
                records.append(record | {"DV": lloq if below else float(f"{value:.4g}")})
        # A sample at the time of a dose is taken before it.
        rows += [who | record for record in sorted(records, key=lambda record: (record["TIME"], record["EVID"]))]
    columns = ["ID", "TIME", "EVID", "AMT", "CMT", "ADDL", "II", "DVID", "DV", "MDV", "CENS", "ARM", "AGE", "WT", "BSA"]
    return pd.DataFrame(rows, columns=columns).astype(
        {"AMT": "Int64", "CMT": "Int64", "ADDL": "Int64", "CENS": "Int64"}
    )


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    frame = table()
    path = folder / "pss_simulated.csv"
    path.write_text(HEADER + frame.to_csv(index=False, na_rep=".", lineterminator="\n"), encoding="utf-8")
    path.with_suffix(".toml").write_text(DESCRIPTION, encoding="utf-8")
    censored = (frame["CENS"] == 1).sum()
    print(f"{path}: SIMULATED, {frame['ID'].nunique()} patients, {len(frame)} records, {censored} below the limit")


if __name__ == "__main__":
    main()
