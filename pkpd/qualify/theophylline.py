"""Theophylline, twelve subjects, one oral dose each (Boeckmann, Sheiner and Beal 1994): known to the third decimal.

Published objectives: NONMEM (FOCEI), and independent computations in closed form with a converged inner loop.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from pkpd.dataset.read import read_dataset
from pkpd.fit.connection import connected
from pkpd.fit.fit import Fit, fit
from pkpd.models.library import model
from pkpd.models.model import Model, Parameter, Response, Route, State
from pkpd.population.individual import LogNormal
from pkpd.population.population import Population
from pkpd.population.residual import Additive, Combined, Proportional, Scale
from pkpd.qualify.expected import Expected

SE_LOG = {"ka": 0.1918, "cl": 0.0835, "v": 0.0466}
"""NONMEM's standard errors from R, of the logarithms; confirmed by an exact computation."""


def population(error: Scale) -> Population:
    """One compartment, first-order absorption, log-normal ka, cl and v."""
    return Population(
        parameters={"ka": LogNormal(1.5, cv=0.7), "cl": LogNormal(2.8, cv=0.3), "v": LogNormal(32.0, cv=0.2)},
        residual={"conc": error},
    )


def integrated() -> Model:
    """`pk_1cmt_oral` as differential equations, to be integrated."""
    return Model(
        name="pk_1cmt_oral, integrated",
        title="one compartment, first-order absorption, integrated",
        parameters=(
            Parameter("ka", "absorption rate", "1/h"),
            Parameter("cl", "clearance", "L/h"),
            Parameter("v", "volume", "L"),
        ),
        responses=(
            Response(
                states=(State("depot", "mg", "amount to absorb"), State("conc", "mg/L", "concentration")),
                inputs=(),
                initial=lambda p: {"depot": 0.0 * p.ka, "conc": 0.0 * p.ka},
                derivative=lambda y, u, p: {
                    "depot": -p.ka * y.depot,
                    "conc": (p.ka * y.depot - p.cl * y.conc) / p.v,
                },
                equations=("depot' = -ka depot", "conc' = (ka depot - cl conc)/v"),
            ),
        ),
        routes=(Route("oral", into="depot"),),
    )


def fitted(
    folder: Path,
    error: Scale,
    ofv: float,
    bound: float = 0.005,
    method: str = "focei",
    nodes: int = 1,
    ignore: tuple[str, ...] = (),
    build: Callable[[], Model] | None = None,
    errors: bool = False,
) -> tuple[Fit, Expected]:
    """The fit, and the objective it should have; with `errors` the standard errors too."""
    units = {"AMT": "mg", "conc": "mg/L"}
    data = read_dataset(folder / "theo_sd.csv", outputs={"conc": 2}, units=units, ignore=list(ignore))
    people = population(error)
    ours = connected(people, build() if build else model("pk_1cmt_oral"), data)
    found = fit(people, ours.problem, ours.table, method=method, nodes=nodes, covariance="r" if errors else None)
    se = {name: value * found.estimates[name] for name, value in SE_LOG.items()} if errors else {}
    return found, Expected(ofv, bound, se=se, se_bound=0.005)


NOT_TIME_0 = ("EVID == 0 and TIME == 0",)
ADDITIVE = Additive(0.7)

FITS = (
    ("theophylline, additive", "focei", "theophylline", partial(fitted, error=ADDITIVE, ofv=116.803, errors=True)),
    ("theophylline, additive", "foce", "theophylline", partial(fitted, error=ADDITIVE, ofv=116.803, method="foce")),
    (
        "theophylline, additive, integrated",
        "focei",
        "theophylline",
        partial(fitted, error=ADDITIVE, ofv=116.803, build=integrated, errors=True),
    ),
    (
        "theophylline, additive",
        "laplace",
        "theophylline",
        partial(fitted, error=ADDITIVE, ofv=118.504, bound=0.01, method="laplace"),
    ),
    (
        "theophylline, additive",
        "agq",
        "theophylline",
        partial(fitted, error=ADDITIVE, ofv=118.10, bound=0.02, method="agq", nodes=11),
    ),
    (
        "theophylline, combined, variances add",
        "focei",
        "theophylline",
        partial(fitted, error=Combined(0.3, 0.1), ofv=104.322, bound=0.01),
    ),
    (
        "theophylline, combined, SDs add",
        "focei",
        "theophylline",
        partial(fitted, error=Combined(0.3, 0.1, adding="sds"), ofv=99.056, bound=0.01),
    ),
    (
        "theophylline, additive, without time 0",
        "focei",
        "theophylline",
        partial(fitted, error=ADDITIVE, ofv=123.643, bound=0.01, ignore=NOT_TIME_0),
    ),
    (
        "theophylline, proportional, without time 0",
        "focei",
        "theophylline",
        partial(fitted, error=Proportional(0.15), ofv=133.203, bound=0.01, ignore=NOT_TIME_0),
    ),
)
"""(case, method, folder of the data, what fits it)."""
