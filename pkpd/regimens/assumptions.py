"""Everything a comparison rests on that is not an established fact, as one table."""

import tomllib
from collections.abc import Mapping, Sequence

import pandas as pd

from pkpd.literature import Prior, covariates, is_assumption
from pkpd.models.model import Model
from pkpd.regimens.regimen import Regimen
from pkpd.storage import shipped


def assumptions(
    name: str, body: Model, known: Mapping[str, Prior], population: str, regimens: Sequence[Regimen]
) -> pd.DataFrame:
    """What comparing `regimens` with the model called `name` takes for granted.

    Inputs with status memory or unknown, or graded C or D: parameters, covariates, regimens, model structure.
    Columns: used_for, symbol, meaning, value, unit, status, grade, source.
    """
    rows = []
    for parameter in body.parameters:
        prior = known[parameter.symbol]
        if is_assumption(prior.status, prior.grade):
            rows.append(
                _row(
                    name,
                    prior.symbol,
                    parameter.meaning,
                    prior.typical,
                    prior.unit,
                    prior.status,
                    prior.grade,
                    prior.source,
                )
            )
        if prior.allometry is not None and is_assumption(prior.allometry.status, prior.allometry.grade):
            a = prior.allometry
            meaning = f"exponent of (weight / {a.reference_weight:g} kg) on {parameter.meaning}"
            rows.append(_row(name, prior.symbol, meaning, a.exponent, "1", a.status, a.grade, a.source))
    for covariate in covariates(population).values():
        if is_assumption(covariate.status):
            spread = "" if covariate.sd is None else f" ± {covariate.sd:g}"
            value = f"{covariate.mean:g}{spread}"
            rows.append(
                _row(
                    "virtual patients",
                    covariate.name,
                    covariate.meaning,
                    value,
                    covariate.unit,
                    covariate.status,
                    "",
                    covariate.source,
                )
            )
    for regimen in regimens:
        if is_assumption(regimen.status):
            rows.append(
                _row(
                    f"regimen {regimen.name}",
                    "",
                    regimen.sentence(),
                    "",
                    "",
                    regimen.status,
                    "",
                    regimen.source,
                )
            )
    structural = tomllib.loads(shipped("literature/assumptions.toml").read_text(encoding="utf-8"))["assumption"]
    rows += [_row(a["used_for"], "", a["meaning"], "", "", a["status"], a["grade"], a["source"]) for a in structural]
    return pd.DataFrame(rows)


def _row(
    used_for: str,
    symbol: str,
    meaning: str,
    value: float | str,
    unit: str,
    status: str,
    grade: str,
    source: str,
) -> dict[str, str]:
    return {
        "used_for": used_for,
        "symbol": symbol,
        "meaning": meaning,
        "value": value if isinstance(value, str) else f"{value:g}",
        "unit": unit,
        "status": status,
        "grade": grade,
        "source": source,
    }
