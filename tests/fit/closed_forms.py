"""Models whose solution is a formula, as prediction functions, and the data sets they are fitted to."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pkpd.dataset import Dataset, read_dataset
from pkpd.fit.problem import Problem, Table, problem
from pkpd.fit.table import table
from pkpd.population.expression import Covariate, Theta
from pkpd.population.individual import LogNormal
from pkpd.population.population import Population
from pkpd.population.residual import Proportional, Residual, Scale
from pkpd.qualify.wang import ERRORS as WANG
from pkpd.qualify.wang import wang

__all__ = ["WANG", "one_compartment_oral", "phenobarbital", "plain_table", "reference", "theophylline", "wang"]

Predict = Callable[[dict[str, jax.Array]], dict[str, jax.Array]]


def reference(name: str) -> Path:
    """A folder of the reference data; the test is skipped where it is absent."""
    root = os.environ.get("PKPD_REFERENCE")
    if not root or not (Path(root) / name).is_dir():
        pytest.skip(f"PKPD_REFERENCE names no folder with {name}")
    return Path(root) / name


def plain_table(value: np.ndarray, endpoint: str = "conc", **changed: Any) -> Table:
    """Values `[observation, subject]` of one endpoint, NaN where there is none."""
    fields: dict[str, Any] = {
        "subjects": list(range(1, value.shape[1] + 1)),
        "endpoint": np.where(np.isnan(value), "", endpoint).astype(str),
        "value": value,
        "cens": np.zeros(value.shape, int),
        "limit": np.full(value.shape, np.nan),
        "row": np.arange(2, 2 + value.size).reshape(value.shape[::-1]).T,
    }
    return Table(**(fields | changed))


def one_compartment_oral(time: jax.Array, dose: jax.Array) -> Predict:
    """Bateman's function of a single dose, finite and smooth where ka = ke.

    C = dose ka t / v exp(-ke t) (1 - exp(-d))/d, d = (ka - ke) t; time `[observation, subject]`, dose `[subject]`.
    """

    def predict(p: dict[str, jax.Array]) -> dict[str, jax.Array]:
        ka, v = p["ka"][None], p["v"][None]
        ke = p["cl"][None] / v
        d = (ka - ke) * time
        near = jnp.abs(d) < 1e-2
        apart = jnp.where(near, 1.0, d)
        series = 1 - d / 2 * (1 - d / 3 * (1 - d / 4 * (1 - d / 5 * (1 - d / 6 * (1 - d / 7)))))
        return {
            "conc": dose[None]
            / v
            * ka
            * time
            * jnp.exp(-ke * time)
            * jnp.where(near, series, -jnp.expm1(-apart) / apart)
        }

    return predict


def _times(dataset: Dataset) -> np.ndarray:
    """Times of the scored observations, `[observation, subject]`, padded by the last one."""
    scored = dataset.observations
    times = [scored.loc[scored["id"] == subject, "time"].to_numpy() for subject in dataset.subjects]
    longest = max(map(len, times))
    return np.stack([np.pad(one, (0, longest - len(one)), mode="edge") for one in times], axis=1)


def theophylline(error: Scale | Residual, *, ignore: list[str] | None = None) -> tuple[Population, Problem, Table]:
    """Twelve subjects, one oral dose each (Boeckmann, Sheiner and Beal 1994)."""
    path = reference("theophylline") / "theo_sd.csv"
    dataset = read_dataset(path, outputs={"conc": 2}, ignore=ignore or [])
    dose = jnp.asarray(dataset.doses["amt"].to_numpy())
    population = Population(
        parameters={"ka": LogNormal(1.5, cv=0.7), "cl": LogNormal(2.8, cv=0.3), "v": LogNormal(32.0, cv=0.2)},
        residual={"conc": error},
    )
    rows = table(dataset)
    return population, problem(population, rows, one_compartment_oral(jnp.asarray(_times(dataset)), dose)), rows


def phenobarbital() -> tuple[Population, Problem, Table]:
    """59 neonates: cl = th1 weight exp(eta), v = th2 weight (1 + th3 [APGR < 5]) exp(eta); boluses superposed."""
    path = reference("phenobarbital") / "pheno.dta"
    dataset = read_dataset(path, outputs=["conc"], covariates=["WGT", "APGR"])
    doses = [dataset.doses.loc[dataset.doses["id"] == subject] for subject in dataset.subjects]
    longest = max(map(len, doses))
    amount = jnp.asarray(np.stack([np.pad(one["amt"], (0, longest - len(one))) for one in doses], axis=1))
    given = jnp.asarray(np.stack([np.pad(one["time"], (0, longest - len(one))) for one in doses], axis=1))
    since = jnp.asarray(_times(dataset))[:, None] - given[None]
    after = jnp.where(since >= 0, 1.0, 0.0)
    since = jnp.maximum(since, 0.0)

    def predict(p: dict[str, jax.Array]) -> dict[str, jax.Array]:
        k, v = p["cl"] / p["v"], p["v"]
        return {"conc": (amount[None] * after * jnp.exp(-k[None, None] * since)).sum(axis=1) / v[None]}

    weight, low = Covariate("WGT"), Covariate("APGR") < 5
    population = Population(
        parameters={
            "cl": LogNormal(0.005, sd=0.2) * weight,
            "v": LogNormal(1.0, sd=0.2) * weight * (1 + Theta(0.1, name="low_apgar") * low),
        },
        residual={"conc": Proportional(0.12)},
    )
    rows = table(dataset)
    return population, problem(population, rows, predict), rows
