"""Real IL-2 and Treg data: forty monkeys given an mRNA that has an IL-2 mutein made.

The authors fitted the drug, then Tregs with the drug's parameters fixed (their data and script:
PumasAI-Labs/Manuscript-TranslationalKPD-mRNA6231-CPTPSP). Both steps are repeated, and both endpoints fitted together.
No objective was published: ours must not be higher than at the published values.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pkpd.dataset.dataset import Dataset
from pkpd.dataset.read import read_dataset
from pkpd.fit.connection import connected
from pkpd.fit.fit import Fit, fit
from pkpd.fit.objective import Approximation
from pkpd.fit.scalar import Scalar
from pkpd.models.library import model
from pkpd.models.model import Model
from pkpd.population.expression import Covariate, Theta, fixed
from pkpd.population.individual import LogNormal
from pkpd.population.omega import Block
from pkpd.population.population import Population
from pkpd.population.residual import Proportional
from pkpd.qualify.expected import Expected

UNITS = {"TIME": "h", "AMT": "ug", "cil2": "ng/mL", "treg": "%"}
EXCLUDED = "ID == 2002"
"""Left out by the authors."""

DRUG = {"ka": 0.0749644, "cl": 12.865, "v": 171.558, "slope": 4570.29, "c50": 0.131229, "clc": 1.54847, "ecl": 0.307510}
DRUG_OMEGA = {"slope": 0.264051, "clc": 0.0524946}
DRUG_COVARIANCE = 0.0249910
TREG = {
    "ke0": 0.0122890,
    "kin": 0.0587412,
    "kout": 0.0150925,
    "emax": float(np.exp(2.86423)),
    "gamma": 2.36034,
    "ec50": float(np.exp(5.10031)),
}
TREG_OMEGA = {"kin": 0.131597, "emax": 0.0900041}
TREG_COVARIANCE = -0.108829
"""Published values; clc, both residual errors and the Treg step are those the authors' script starts from."""


def drug_data(folder: Path) -> Dataset:
    """Mutein concentrations; the rows before the first dose, all 0, are left out as their authors did."""
    ignore = ["EVID == 0 and TIME == 0", EXCLUDED]
    units = {name: UNITS[name] for name in ("TIME", "AMT", "cil2")}
    path = folder / "il2finaldataset.csv"
    return read_dataset(path, outputs={"cil2": 2}, covariates=["dosegroup"], ignore=ignore, units=units)


def treg_data(folder: Path) -> Dataset:
    """Treg as % of CD4. Four animals (their IDs begin with 2021) have their one dose twice in this table."""
    units = {name: UNITS[name] for name in ("TIME", "AMT", "treg")}
    path = folder / "tregfinaldataset.csv"
    return read_dataset(path, outputs={"treg": 3}, covariates=["dosegroup"], ignore=[EXCLUDED], units=units)


def joint_data(folder: Path) -> Dataset:
    """Both endpoints. Doses and dose groups are those of the drug table, and the later doses, on day 28, that only the
    Treg table has."""
    drug: Any = pd.read_csv(folder / "il2finaldataset.csv")
    treg: Any = pd.read_csv(folder / "tregfinaldataset.csv", na_values=["NA", "."])
    late = treg[(treg["evid"] == 1) & (treg["time"] > 1) & ~_in(treg, drug[drug["evid"] == 1])]
    seen = treg[(treg["evid"] == 0) & treg["dv"].notna()]
    drug = drug[(drug["evid"] == 1) | (drug["time"] > 0)]
    of_drug = drug["evid"].map({1: None, 0: "cil2"})
    parts = [drug.assign(dvid=of_drug), late.assign(dvid=None), seen.assign(dvid="treg")]
    columns = ["id", "time", "dv", "amt", "evid", "dvid"]
    table: Any = pd.concat([part[columns] for part in parts])
    table["dosegroup"] = table["id"].map(drug.groupby("id")["dosegroup"].first())
    table.loc[table["evid"] == 1, "dv"] = np.nan
    table.loc[table["evid"] == 0, "amt"] = np.nan
    # An observation at the time of a dose was taken before it.
    table = table.sort_values(["id", "time", "evid"], kind="stable")
    return read_dataset(table, outputs=["cil2", "treg"], covariates=["dosegroup"], ignore=[EXCLUDED], units=UNITS)


def _in(rows: Any, others: Any) -> Any:
    known = set(zip(others["id"], others["time"], strict=True))
    return pd.Series([pair in known for pair in zip(rows["id"], rows["time"], strict=True)], index=rows.index)


def population(endpoints: tuple[str, ...], drug_is_fixed: bool = False) -> Population:
    """The published model, its values as initial estimates. clc = tv exp(eta) (dose group/0.0045)^ecl.

    v stays where the authors left it: only ratios to it can be told from the concentrations of the mutein.
    """

    def drug(name: str) -> Theta:
        held = drug_is_fixed or name == "v"
        return fixed(DRUG[name], name=name) if held else Theta(DRUG[name], name=name, transform="log")

    spread = {name: fixed(omega**0.5) if drug_is_fixed else omega**0.5 for name, omega in DRUG_OMEGA.items()}
    positive = {name: drug(name) for name in ("ka", "cl", "v", "c50")}
    parameters = {
        **positive,
        "slope": LogNormal(drug("slope"), sd=spread["slope"]),
        "clc": LogNormal(drug("clc"), sd=spread["clc"]) * (Covariate("dosegroup") / 0.0045) ** drug("ecl"),
    }
    blocks = [_block(DRUG_OMEGA, DRUG_COVARIANCE, drug_is_fixed)]
    residual = {"cil2": Proportional(0.437385), "treg": Proportional(0.275389)}
    if "treg" in endpoints:
        parameters |= {name: Theta(TREG[name], name=name, transform="log") for name in ("ke0", "kout", "gamma", "ec50")}
        parameters |= {name: LogNormal(TREG[name], sd=omega**0.5) for name, omega in TREG_OMEGA.items()}
        blocks.append(_block(TREG_OMEGA, TREG_COVARIANCE, False))
    return Population(parameters, {name: residual[name] for name in endpoints}, omega=tuple(blocks))


def _block(omega: dict[str, float], covariance: float, held: bool) -> Block:
    one, other = omega.values()
    # The published covariance of kin and emax gives a correlation of -1.0000: a start just inside.
    correlation = float(np.clip(covariance / (one * other) ** 0.5, -0.99, 0.99))
    return Block(tuple(omega), correlation=correlation, fixed=held)


def body(endpoints: tuple[str, ...]) -> Model:
    """The drug alone, or driving Tregs."""
    drug = model("mrna6231_kpd")
    return drug >> model("mrna6231_treg") if "treg" in endpoints else drug


READ = {("cil2",): drug_data, ("treg",): treg_data, ("cil2", "treg"): joint_data}


def fitted(
    folder: Path,
    endpoints: tuple[str, ...],
    drug_is_fixed: bool = False,
    covariance: str | None = None,
    starts: int = 1,
) -> tuple[Fit, Expected]:
    """The fit, and the objective at the published values."""
    people = population(endpoints, drug_is_fixed)
    ours = connected(people, body(endpoints), READ[endpoints](folder))
    published = Scalar(people, Approximation("focei"), ours.problem).value(people.packing.start())[0]
    found = fit(people, ours.problem, ours.table, covariance=covariance, starts=starts)
    return found, Expected(published, 1e-3, below=True)


FITS = (
    ("mrna6231, drug", "focei", "mrna6231_nhp", partial(fitted, endpoints=("cil2",))),
    ("mrna6231, treg, drug fixed", "focei", "mrna6231_nhp", partial(fitted, endpoints=("treg",), drug_is_fixed=True)),
    ("mrna6231, both", "focei", "mrna6231_nhp", partial(fitted, endpoints=("cil2", "treg"))),
)
"""(case, method, folder of the data, what fits it)."""
