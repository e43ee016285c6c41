"""The shipped SIMULATED trial: IL-2, half of it below the limit of quantification, and Tregs, fitted together.

Nine samples of Treg and ten of IL-2 a patient do not tell seven pharmacokinetic parameters; literature priors tell the
rest, as they would with a real trial of this size. What is true is known, because the data are simulated.
"""

from pathlib import Path

from pkpd.dataset.dataset import Dataset
from pkpd.dataset.read import read_dataset
from pkpd.fit.connection import connected
from pkpd.fit.fit import Fit, fit
from pkpd.literature import Prior, priors
from pkpd.models.il2_sc import il2_sc
from pkpd.models.model import Derived, Model, Parameter
from pkpd.models.treg_proliferation import treg_proliferation
from pkpd.population.expression import Covariate, Theta, fixed
from pkpd.population.individual import LogNormal
from pkpd.population.population import Population
from pkpd.population.priors import prior_of
from pkpd.population.residual import BelowLimit, Combined
from pkpd.qualify.expected import Expected
from pkpd.storage import shipped

VARYING = ("cl", "ka", "kp", "treg0")
ESTIMATED = (*VARYING, "ec50", "kout")
"""The others stay at their literature values: nothing in the data could move them."""

LLOQ = 0.05
"""Half of it, as additive error [IU/mL], says that near 0 nothing is measured; fixed."""


def known() -> dict[str, Prior]:
    """The literature's value of each parameter, which are the true ones here."""
    observed = priors("example_trial")
    return priors("il2_sc") | priors("treg_proliferation") | {"treg0": observed["treg_baseline"]}


def body() -> Model:
    """S.c. IL-2 and Treg proliferation, observed as % of CD4: treg_percent = treg0 treg."""
    share = Model(
        name="treg_percent",
        title="Treg as share of CD4",
        parameters=(Parameter("treg0", "share of CD4 before treatment", "%"),),
        derived=(
            Derived(
                "treg_percent",
                "%",
                "regulatory T cells, share of CD4",
                inputs=("treg",),
                value=lambda u, p: p.treg0 * u.treg,
                equation="treg_percent = treg0 treg",
            ),
        ),
    )
    return il2_sc() >> treg_proliferation() >> share


def data() -> Dataset:
    """IL-2 and Treg of the shipped trial; CD56bright NK are left out."""
    path = Path(str(shipped("examples/pss_simulated.csv")))
    return read_dataset(
        path,
        outputs={"il2": "il2", "treg_percent": "treg"},
        covariates=["WT"],
        ignore=["DVID == nk"],
        units={"TIME": "h", "AMT": "IU", "il2": "IU/mL", "treg_percent": "%"},
    )


def population() -> Population:
    """Log-normal clearance (by weight), absorption, proliferation and baseline; priors from the literature."""
    found = known()
    parameters: dict[str, object] = {}
    for name, prior in found.items():
        theta = Theta(prior.typical, name=name, transform="log") if name in ESTIMATED else fixed(prior.typical, name)
        parameters[name] = LogNormal(theta, cv=prior.bsv_cv) if name in VARYING else theta
        if prior.allometry is not None:
            size = Covariate("WT") / prior.allometry.reference_weight
            parameters[name] = parameters[name] * size**prior.allometry.exponent  # type: ignore[operator]
    return Population(
        parameters,
        residual={"il2": Combined(fixed(LLOQ / 2), 0.3) & BelowLimit("M3"), "treg_percent": Combined(0.4, 0.15)},
        priors={name: prior_of(found[name]) for name in ESTIMATED},
    )


def fitted(folder: Path) -> tuple[Fit, Expected]:
    """The fit; true values should lie inside the 95 % intervals."""
    people = population()
    ours = connected(people, body(), data())
    # The scores know nothing of priors: the curvature does.
    found = fit(people, ours.problem, ours.table, covariance="r")
    return found, Expected(None, true={name: known()[name].typical for name in ESTIMATED})


FITS = (("pss_simulated, IL-2 and Treg, literature priors", "focei", None, fitted),)
"""(case, method, None for shipped data, what fits it)."""
