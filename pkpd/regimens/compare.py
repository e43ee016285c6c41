"""Regimens compared in one virtual population: simulate, measure, and say how sure the answer is."""

import datetime
import platform
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from pkpd.errors import InputError
from pkpd.literature import Prior, covariates
from pkpd.models.library import model as library_model
from pkpd.models.model import Model
from pkpd.population.virtual import (
    Patients,
    draw_parameters,
    draw_patients,
    draw_typical_values,
    literature_of,
    typical_values,
)
from pkpd.regimens.aside import Aside
from pkpd.regimens.assumptions import assumptions
from pkpd.regimens.library import REFERENCE
from pkpd.regimens.measure import Measured, measure, take
from pkpd.regimens.metrics import HOURS_PER_WEEK, Metric
from pkpd.regimens.regimen import Regimen
from pkpd.regimens.resolve import resolve
from pkpd.regimens.results import Comparison, RegimenSummary

MODEL = "il2_treg_nk"
POPULATION = "population_pss"
QUANTILES = (0.05, 0.5, 0.95)
DOUBT_PATIENTS = 50
"""Patients simulated again for every draw of the typical values; the same ones each time, so that what moves
their median is the typical values alone."""

_MOST_VALUES = 4e8
"""Hourly values kept at once, patients times hours: 4e8 are about 5 GB."""

_PACKAGES = ("pkpd-treg", "jax", "jaxlib", "diffrax", "numpy", "scipy", "pandas", "xarray")

Progress = Callable[[int, int], object]


def compare(
    regimens: Sequence[str | Path | Regimen],
    *,
    patients: int = 1000,
    weeks: float = 24.0,
    seed: int = 1,
    draws: int = 100,
    reference: str | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Simulate `patients` virtual patients under each regimen for `weeks` and compare what happens.

    Arguments: regimens as library names, texts ("1 MIU sc q3d x 8 wk"), TOML files or objects; `draws`, how often
    the typical values are drawn anew within their uncertainty (0: not at all); `reference`, the name of the
    regimen the others are held against (NCT02464319 if it is among them, else the first); `progress`, called with
    (patients done, patients in all). The same seed gives the same patients under every regimen.

    Raises `InputError` for what cannot be understood or simulated.
    """
    _check(patients, weeks, draws)
    chosen = [resolve(regimen) for regimen in regimens]
    for regimen in chosen:
        regimen.comparable()
    names = [regimen.name for regimen in chosen]
    if not names:
        raise InputError("give at least one regimen")
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"two regimens are called '{twice[0]}'; give each only once, and own files names of their own")
    if reference is None:
        reference = REFERENCE if REFERENCE in names else names[0]
    if reference not in names:
        with suppress(InputError):
            reference = resolve(reference).name  # however it was written
    if reference not in names:
        raise InputError(f"reference '{reference}' is not among the regimens: {', '.join(names)}")

    body = library_model(MODEL)
    known = literature_of(body)
    people = draw_patients(covariates(POPULATION), patients, seed)
    parameters = draw_parameters(body, known, typical_values(known), people, seed)
    doubted_people, doubted_parameters = _doubted(body, known, people, draws, seed)

    times = np.arange(0.0, weeks * HOURS_PER_WEEK + 0.5)
    total = len(chosen) * (patients + doubted_people.count)
    done = 0

    def count(number: int) -> None:
        nonlocal done
        done += number
        if progress is not None:
            progress(done, total)

    begun = []
    with Aside() as aside:
        for regimen in chosen:
            found = measure(body, regimen, people, parameters, times, count, aside)
            doubted = None
            if draws:
                doubted = measure(body, regimen, doubted_people, doubted_parameters, times, count, aside, keep=False)
            begun.append(aside.begin(partial(_summed_up, regimen.name, found, doubted, draws)))
    summed = [one.result() for one in begun]
    provenance = _provenance(seed, patients, weeks, draws, [one.measured for one in summed])
    return Comparison(
        profiles=_dataset(names, times, summed, people, provenance),
        table=pd.DataFrame([row for one in summed for row in one.rows]),
        assumptions=assumptions(MODEL, body, known, POPULATION, chosen),
        regimens=tuple(_summary(regimen, float(times[-1])) for regimen in chosen),
        reference=reference,
        provenance=provenance,
    )


@dataclass(frozen=True)
class _Summed:
    """One regimen: quantiles of its profiles, `[time, quantile]`, what was measured but for the profiles, and its rows
    of the table."""

    profiles: dict[str, np.ndarray]
    measured: Measured
    rows: list[dict]


def _summed_up(name: str, found: Callable[[], Measured], doubted: Callable[[], Measured] | None, draws: int) -> _Summed:
    every, again = found(), doubted() if doubted else None
    profiles = {output: _quantiles(profile) for output, profile in every.profiles.items()}
    rows = _rows(name, every.metrics, again.metrics if again else [], draws)
    steps = every.steps + (again.steps if again else 0)
    return _Summed(profiles, replace(every, profiles={}, steps=steps), rows)


def _check(patients: int, weeks: float, draws: int) -> None:
    if patients < 2:
        raise InputError(f"{patients} patients: at least 2 are needed to speak of a median and an interval")
    if not 1.0 <= weeks <= 520.0:
        raise InputError(f"{weeks:g} weeks: give between 1 and 520")
    if draws < 0 or draws == 1:
        raise InputError(f"{draws} draws: give 0 (no uncertainty of the median) or at least 2")
    if patients * weeks * HOURS_PER_WEEK > _MOST_VALUES:
        most = int(_MOST_VALUES / (weeks * HOURS_PER_WEEK))
        raise InputError(f"{patients} patients for {weeks:g} weeks do not fit into memory: give at most {most}")


def _doubted(
    body: Model, known: dict[str, Prior], people: Patients, draws: int, seed: int
) -> tuple[Patients, dict[str, np.ndarray]]:
    """The first patients once for each draw of the typical values: draw by draw, one after another."""
    some = take(people, slice(0, min(DOUBT_PATIENTS, people.count) if draws else 0))
    guesses = draw_typical_values(body, known, draws, seed)
    parts = [
        draw_parameters(body, known, {symbol: float(guess[d]) for symbol, guess in guesses.items()}, some, seed)
        for d in range(draws)
    ]
    repeated = Patients(**{f.name: np.tile(getattr(some, f.name), draws) for f in fields(Patients)})
    return repeated, {
        symbol: np.concatenate([part[symbol] for part in parts]) if parts else np.zeros(0) for symbol in body.symbols
    }


def _quantiles(profile: np.ndarray) -> np.ndarray:
    return np.quantile(profile, QUANTILES, axis=1).T.astype(float)


def _rows(regimen: str, found: list[Metric], doubted: list[Metric], draws: int) -> list[dict]:
    rows = []
    for number, metric in enumerate(found):
        low, median, high = np.quantile(metric.values, QUANTILES)
        median_low = median_high = np.nan
        if metric.group == "Cost":
            median_low = median_high = median  # what is given does not depend on how the body works
        elif draws:
            medians = np.median(doubted[number].values.reshape(draws, -1), axis=1)
            median_low, median_high = np.quantile(medians, (QUANTILES[0], QUANTILES[-1]))
        rows.append(
            {
                "regimen": regimen,
                "metric": metric.name,
                "label": metric.label,
                "unit": metric.unit,
                "group": metric.group,
                "median": median,
                "low": low,
                "high": high,
                "median_low": median_low,
                "median_high": median_high,
            }
        )
    return rows


def _dataset(
    names: list[str],
    times: np.ndarray,
    summed: list[_Summed],
    people: Patients,
    provenance: dict,
) -> xr.Dataset:
    values = [one.measured.metrics for one in summed]
    metric_names = list(dict.fromkeys(metric.name for found in values for metric in found))
    table = np.full((len(names), people.count, len(metric_names)), np.nan)
    for i, found in enumerate(values):
        for metric in found:
            table[i, :, metric_names.index(metric.name)] = metric.values
    units = {"il2": "IU/mL", "treg": "fold of baseline", "nk": "fold of baseline"}
    drawn = {
        output: (("regimen", "time", "quantile"), np.stack([one.profiles[output] for one in summed]), {"units": unit})
        for output, unit in units.items()
    }
    body = {"age": "y", "weight": "kg", "height": "cm", "bsa": "m2"}
    demographics = {name: ("patient", getattr(people, name), {"units": unit}) for name, unit in body.items()}
    sex = ("patient", np.where(people.female > 0.5, "female", "male"))
    return xr.Dataset(
        drawn | demographics | {"sex": sex, "metric_values": (("regimen", "patient", "metric"), table)},
        coords={
            "regimen": names,
            "time": ("time", times, {"units": "h"}),
            "quantile": list(QUANTILES),
            "patient": np.arange(people.count),
            "metric": metric_names,
        },
        attrs={name: str(value) for name, value in provenance.items()},
    )


def _summary(regimen: Regimen, end: float) -> RegimenSummary:
    return RegimenSummary(
        name=regimen.name,
        sentence=regimen.sentence(),
        title=regimen.title,
        population=regimen.population,
        source=regimen.source,
        status=regimen.status,
        dose_times_h=np.array([dose.time for dose in regimen.doses() if dose.time < end]),
        on_blocks=tuple(regimen.on_blocks()),
        treatment_end_h=regimen.treatment_end,
        total_dose=regimen.dose_before(end),
    )


def _provenance(seed: int, patients: int, weeks: float, draws: int, runs: list[Measured]) -> dict:
    tolerances = runs[0].tolerances
    return {
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "patients": patients,
        "weeks": weeks,
        "draws": draws,
        "model": MODEL,
        "population": POPULATION,
        "solver": f"IL-2 exact; cells by {runs[0].solver}",
        "tolerances": f"rtol {tolerances.rtol:g}, atol {tolerances.atol:g}",
        "steps": sum(run.steps for run in runs),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: version(name) for name in _PACKAGES},
    }
