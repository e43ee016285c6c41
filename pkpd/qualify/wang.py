"""Wang's example: ten subjects, two samples each, four error models, and NONMEM's objective at fixed parameters.

    f(t) = 10 exp(-0.5 exp(eta) t), eta ~ N(0, 0.04)

Wang 2007, doi:10.1007/s10928-007-9060-6. Small enough for a closed form, so only the approximations are judged.
"""

import csv
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pkpd.fit.objective import Approximation, evaluate
from pkpd.fit.problem import Problem, Table, problem
from pkpd.population.individual import LogNormal
from pkpd.population.population import Population
from pkpd.population.residual import Additive, Proportional, Scale
from pkpd.storage import shipped

OMEGA2 = 0.04
SIGMA2 = 0.1


@dataclass(frozen=True)
class Saturating(Scale):
    """SD = f/(f + 5); nothing of it is estimated."""

    def log_scale(self, m: jax.Array, p: Any) -> jax.Array:
        return jnp.log(m / (m + 5.0))


@dataclass(frozen=True)
class SaturatingProportional(Scale):
    """SD = f f/(f + 5)."""

    def log_scale(self, m: jax.Array, p: Any) -> jax.Array:
        return jnp.log(m) + jnp.log(m / (m + 5.0))


ERRORS: dict[str, Scale] = {
    "proportional": Proportional(SIGMA2**0.5),
    "proportional, saturating": SaturatingProportional(),
    "additive": Additive(SIGMA2**0.5),
    "additive, saturating": Saturating(),
}


def wang(error_model: str) -> tuple[Population, Problem]:
    """The example with one of `ERRORS`, at the parameters of its publication as initial estimates."""
    text = shipped("qualification/wang2007/observations.csv").read_text(encoding="utf-8")
    observed = np.loadtxt(text.splitlines(), delimiter=",", skiprows=1)
    value, time = (observed[:, i].reshape(10, 2).T for i in (2, 1))
    rows = Table(
        subjects=list(range(1, 11)),
        endpoint=np.full(value.shape, "conc"),
        value=value,
        cens=np.zeros(value.shape, int),
        limit=np.full(value.shape, np.nan),
        row=np.arange(2, 2 + value.size).reshape(value.shape[::-1]).T,
    )
    population = Population(parameters={"k": LogNormal(0.5, sd=OMEGA2**0.5)}, residual={"conc": ERRORS[error_model]})
    return population, problem(population, rows, jax.tree_util.Partial(_predicted, jnp.asarray(time)))


def published() -> dict[tuple[str, str], float]:
    """NONMEM's objectives by error model and method."""
    text = shipped("qualification/wang2007/objectives.csv").read_text(encoding="utf-8")
    return {(row["error_model"], row["method"]): float(row["objective"]) for row in csv.DictReader(text.splitlines())}


def objective(error_model: str, approximation: Approximation) -> float:
    """Our objective at the published parameters; NaN if a subject fails."""
    population, data = wang(error_model)
    found = evaluate(jnp.asarray(population.packing.start()), population, approximation, data)
    return float("nan") if np.asarray(found.failed).any() else float(found.value.sum())


def _predicted(time: jax.Array, p: dict[str, jax.Array]) -> dict[str, jax.Array]:
    return {"conc": 10.0 * jnp.exp(-p["k"][None] * time)}
