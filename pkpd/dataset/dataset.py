"""A table that has been read and checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd

from pkpd.dataset.declaration import Covariate
from pkpd.dataset.findings import NONE, Findings
from pkpd.dataset.measure import Measure
from pkpd.errors import InputError
from pkpd.units import SpecificActivity

AMOUNTS = ("amt", "rate")
VALUES = ("dv", "limit", "lloq")


@dataclass(frozen=True)
class Endpoint:
    """What was observed: its name, its number in DVID, and the unit of its DV, LIMIT and LLOQ (None:
    not given)."""

    name: str
    number: int
    unit: str | None
    scale: Literal["linear", "log"] = "linear"


@dataclass(frozen=True)
class Dataset:
    """Records of all subjects in the order of the file, every column present, units converted.

    `records` has one row a record:

    | column | holds |
    |---|---|
    | row | line of the source file |
    | id | subject (a number where all IDs are whole numbers, else text) |
    | time | [h] |
    | evid | 0 observation, 1 dose, 2 other, 3 reset, 4 reset and dose |
    | amt, cmt | amount [units["AMT"]]; compartment from 1, 0 for the model's default |
    | rate, dur | [amount/h], -1 and -2 as in NONMEM; [h] |
    | addl, ii, ss | additional doses; interval [h]; steady state 0, 1, 2 |
    | endpoint | name of the endpoint of an observation |
    | dv, mdv | value [unit of the endpoint], NaN if none; 0 where it is scored |
    | cens, limit, lloq | 1 below dv, -1 above dv; the other end of the interval; limit of quantification |
    | occ | occasion, 0 where the table has none |

    and then one column a covariate. `units`: TIME, AMT, endpoints and covariates that have one.
    `compartments`: their names from 1, where the table names them. `unused`: columns of the file nobody
    declared. `missing`: how many cells of a covariate were empty in the file, before they were
    carried. `findings`: what was told; a dataset has no errors. `sha256`: of the source file.
    `specific_activity`: of the IL-2 product, None where none was declared.
    """

    table: pd.DataFrame = field(repr=False)
    endpoints: tuple[Endpoint, ...]
    covariates: tuple[Covariate, ...]
    units: Mapping[str, str]
    compartments: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    missing: Mapping[str, int] = field(default_factory=dict)
    findings: Findings = NONE
    source: str = ""
    sha256: str | None = None
    specific_activity: SpecificActivity | None = None

    @property
    def records(self) -> pd.DataFrame:
        """The records; a copy that costs nothing, so that changing it leaves the dataset alone."""
        return self.table.copy(deep=False)

    @property
    def subjects(self) -> np.ndarray:
        """IDs in order of appearance."""
        return np.asarray(self.table["id"].unique())

    @property
    def doses(self) -> pd.DataFrame:
        """The records with EVID 1 or 4."""
        return self.table.loc[self.table["evid"].isin((1, 4))]

    @property
    def observations(self) -> pd.DataFrame:
        """The records that are scored: EVID 0 and MDV 0, censored ones included."""
        return self.table.loc[(self.table["evid"] == 0) & (self.table["mdv"] == 0)]

    def endpoint(self, name: str) -> Endpoint:
        """The endpoint called `name`; `InputError` if there is none."""
        for endpoint in self.endpoints:
            if endpoint.name == name:
                return endpoint
        known = ", ".join(endpoint.name for endpoint in self.endpoints)
        raise InputError(f"{self.source}: no endpoint is called '{name}'; there are {known}")

    def in_units(self, into: Mapping[str, str], specific_activity: SpecificActivity | None = None) -> "Dataset":
        """The same records with AMT, endpoints or covariates in other units; by the specific activity of the declared
        product, unless another is given.

        Raises `InputError` where a unit is not known, cannot be converted, or was never given.
        """
        table, units, covariates = self.records, dict(self.units), self.covariates
        for name, wanted in into.items():
            if name not in units:
                raise InputError(
                    f'{self.source}: {name} has no unit, and {wanted} is wanted; state it: units = {{ {name} = ".." }}'
                )
            measure = Measure(units[name], wanted, specific_activity or self.specific_activity)
            if measure.breach is not None:
                raise InputError(f"{self.source}: unit of {name}: {measure.breach}")
            table = measured(table, name, measure)
            units[name] = wanted
            covariates = tuple(ranged(one, measure) if one.name == name else one for one in covariates)
        endpoints = tuple(replace(one, unit=units.get(one.name)) for one in self.endpoints)
        return replace(self, table=table, endpoints=endpoints, covariates=covariates, units=units)


def ranged(covariate: Covariate, measure: Measure) -> Covariate:
    """A covariate whose stated range follows its values into another unit."""
    low, high = (None if end is None else float(measure(np.array([end]))[0]) for end in (covariate.low, covariate.high))
    return replace(covariate, low=low, high=high)


def measured(table: pd.DataFrame, name: str, measure: Measure) -> pd.DataFrame:
    """`table` with the columns that hold the quantity `name` converted by `measure`."""
    if name == "TIME":
        changed = {column: measure(table[column].to_numpy()) for column in ("time", "ii", "dur")}
        # An amount per time becomes smaller by as much as the time becomes longer.
        hours = float(measure(np.ones(1))[0])
        changed["rate"] = _where_positive(table["rate"].to_numpy(), table["rate"].to_numpy() / hours)
    elif name == "AMT":
        changed = {"amt": measure(table["amt"].to_numpy())}
        changed["rate"] = _where_positive(table["rate"].to_numpy(), measure(table["rate"].to_numpy()))
    elif name in table["endpoint"].cat.categories:
        rows = (table["endpoint"] == name).to_numpy()
        changed = {
            column: np.where(rows, measure(table[column].to_numpy()), table[column].to_numpy()) for column in VALUES
        }
    else:
        changed = {name: measure(table[name].to_numpy())}
    return table.assign(**changed)


def _where_positive(rate: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """RATE -1 and -2 are no rates."""
    return np.where(rate > 0, changed, rate)
