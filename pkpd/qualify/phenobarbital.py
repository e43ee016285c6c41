"""Phenobarbital in 59 neonates (Grasela and Donn 1985): NONMEM 7's objective, estimates and standard errors."""

from pathlib import Path

from pkpd.dataset.read import read_dataset
from pkpd.fit.connection import connected
from pkpd.fit.fit import Fit, fit
from pkpd.models.library import model
from pkpd.population.expression import Covariate, Theta
from pkpd.population.individual import LogNormal
from pkpd.population.population import Population
from pkpd.population.residual import Proportional
from pkpd.qualify.expected import Expected

OFV = 586.2760562818805
THETA = {"cl": (0.00469555, 0.000210036), "v": (0.984258, 0.0268952), "low_apgar": (0.15892, 0.0837623)}
VARIANCE = {
    "conc.sd": (0.013241, 0.0022794),
    "omega.cl": (0.0293508, 0.0134153),
    "omega.v": (0.027906, 0.00747651),
}
"""Estimates and standard errors (sandwich); NONMEM gives variances where we give SDs: d(s^2) = 2 s ds."""


def population() -> Population:
    """cl = th1 weight exp(eta1), v = th2 weight (1 + th3 [APGR < 5]) exp(eta2), proportional error."""
    weight, low = Covariate("WGT"), Covariate("APGR") < 5
    return Population(
        parameters={
            "cl": LogNormal(0.005, sd=0.2) * weight,
            "v": LogNormal(1.0, sd=0.2) * weight * (1 + Theta(0.1, name="low_apgar") * low),
        },
        residual={"conc": Proportional(0.12)},
    )


def fitted(folder: Path) -> tuple[Fit, Expected]:
    """The fit and NONMEM's results."""
    units = {"AMT": "mg", "conc": "mg/L"}
    data = read_dataset(folder / "pheno.dta", outputs=["conc"], covariates=["WGT", "APGR"], units=units)
    people = population()
    ours = connected(people, model("pk_1cmt_iv"), data)
    found = fit(people, ours.problem, ours.table)
    estimates = {name: value for name, (value, _) in THETA.items()}
    estimates |= {name: value**0.5 for name, (value, _) in VARIANCE.items()}
    se = {name: error for name, (_, error) in THETA.items()}
    se |= {name: error / (2 * value**0.5) for name, (value, error) in VARIANCE.items()}
    return found, Expected(OFV, 0.005, estimates=estimates, se=se)


FITS = (("phenobarbital", "focei", "phenobarbital", fitted),)
"""(case, method, folder of the data, what fits it)."""
