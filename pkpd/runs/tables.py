"""The tables of a run: estimates, covariances, random effects, and every observation beside its prediction."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd

from pkpd.dataset.drawable import observed
from pkpd.fit.connection import Connection
from pkpd.fit.fit import Fit
from pkpd.fit.residuals import residuals
from pkpd.runs.folder import Folder


def write_estimates(folder: Folder, fit: Fit, joined: Connection, result: dict[str, Any]) -> None:
    """What is known once the fit has converged: parameters.csv, omega.csv, etas.csv and sdtab.csv."""
    _write(folder, "parameters.csv", pd.DataFrame(result["parameters"]))
    _write(folder, "omega.csv", _omega(fit), index=True)
    _write(folder, "etas.csv", etas(fit, joined))
    _write(folder, "sdtab.csv", sdtab(fit, joined))


def write_uncertainty(folder: Folder, fit: Fit, result: dict[str, Any]) -> None:
    """What the covariance step adds: parameters.csv with its standard errors, cov.csv and cor.csv."""
    _write(folder, "parameters.csv", pd.DataFrame(result["parameters"]))
    step = fit.uncertainty
    if step is None:
        return
    names = list(fit.population.summary_names)
    with np.errstate(divide="ignore", invalid="ignore"):
        deviations = np.sqrt(np.diag(step.natural))
        correlation = step.natural / np.outer(deviations, deviations)
    _write(folder, "cov.csv", pd.DataFrame(step.natural, names, names), index=True)
    _write(folder, "cor.csv", pd.DataFrame(correlation, names, names), index=True)


def etas(fit: Fit, joined: Connection) -> pd.DataFrame:
    """One row a subject: its random effects, those of its occasions and of its site, and its part of the objective.

    Of the objective only the sum over a site has a meaning where anything varies between sites.
    """
    population, values = fit.population, _values(fit)
    blocks = [population.between]
    if population.within is not None:
        blocks += [population.within] * joined.problem.occasion_count
    if population.shared is not None:
        blocks.append(population.shared)
    names = iter(population.effects(joined.problem.occasion_count))
    columns, start = {}, 0
    for level in blocks:
        part = jnp.asarray(fit.z[start : start + len(level.effects)])
        columns |= {next(names): np.asarray(eta) for eta in level.etas(values, part).values()}
        start += len(level.effects)
    return pd.DataFrame({"ID": list(joined.table.subjects), **columns, "iOFV": fit.subject_ofv})


def sdtab(fit: Fit, joined: Connection) -> pd.DataFrame:
    """One row a scored observation, in the order of the data: what was seen, predicted, and left over.

    TIME and TAD [h]; DV, PRED and IPRED in the model's units.
    """
    found = residuals(fit.population, fit.x, fit.z, joined.problem, fit.method.interaction(fit.population))
    table = joined.table
    scored = table.endpoint != ""
    rows = joined.dataset.observations
    seen = observed(joined.dataset, None).assign(row=rows["row"].to_numpy(), occ=rows["occ"].to_numpy())
    left = pd.DataFrame(
        {
            "row": table.row[scored],
            "DV": table.value[scored],
            "PRED": found.pred[scored],
            "IPRED": found.ipred[scored],
            "CWRES": found.cwres[scored],
            "IWRES": found.iwres[scored],
        }
    )
    both = seen.merge(left, on="row", validate="one_to_one")
    named = {"id": "ID", "time_h": "TIME", "after_dose_h": "TAD", "endpoint": "DVID", "occ": "OCC", "cens": "CENS"}
    return both.rename(columns=named).loc[:, [*named.values(), "DV", "PRED", "IPRED", "CWRES", "IWRES"]]


def _omega(fit: Fit) -> pd.DataFrame:
    """Variances and covariances of the random effects, level after level."""
    values, effects, blocks = _values(fit), [], []
    for level in (one for one in fit.population.levels if one.effects):
        units = jnp.eye(len(level.effects))
        factor = np.stack([np.asarray(one) for one in level.etas(values, units).values()])
        effects += [f"{level.label}.{name}" for name in level.effects]
        blocks.append(factor @ factor.T)
    size = sum(len(one) for one in blocks)
    whole, start = np.zeros((size, size)), 0
    for one in blocks:
        whole[start : start + len(one), start : start + len(one)] = one
        start += len(one)
    return pd.DataFrame(whole, effects, effects)


def _values(fit: Fit) -> dict[str, Any]:
    return fit.population.packing.values(jnp.asarray(fit.x))


def _write(folder: Folder, name: str, frame: pd.DataFrame, index: bool = False) -> None:
    folder.text(name, frame.to_csv(index=index))
