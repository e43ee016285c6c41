"""One regimen in one virtual population: simulate in batches, measure, and let the profiles go."""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np

from pkpd.engine.simulate import Simulation, simulate
from pkpd.events.doses import Doses
from pkpd.models.model import Model
from pkpd.population.virtual import Patients
from pkpd.regimens.metrics import Course, Metric, metrics
from pkpd.regimens.regimen import Regimen

BATCH = 512
"""Patients whose hourly profiles are in memory at once."""


def measure(
    body: Model,
    regimen: Regimen,
    people: Patients,
    parameters: dict[str, np.ndarray],
    times: np.ndarray,
    count: Callable[[int], None],
    keep: bool = True,
) -> tuple[list[Metric], dict]:
    """Metrics of every patient under `regimen`, hourly `times` [h], and the last run's record as "run".

    keep: whether to hold the profiles too, as "il2", "treg" and "nk" (single precision is enough for quantiles);
    without them memory does not grow with the number of patients but for the metrics. `count` is called with the
    number of patients done. Raises `ArithmeticError` naming the first patient that could not be simulated.
    """
    found: list[list[Metric]] = []
    kept: dict[str, list[np.ndarray]] = {"il2": [], "treg": [], "nk": []}
    run: Simulation | None = None
    for first in range(0, people.count, BATCH):
        part = slice(first, first + BATCH)
        some = take(people, part)
        own = {symbol: value[part] for symbol, value in parameters.items()}
        doses = doses_for(body, regimen, some, own, float(times[-1]))
        run = simulate(body, own, doses, times, integrals=("il2",), progress=count)
        if run.failures:
            who, why = next(iter(run.failures.items()))
            raise ArithmeticError(
                f"{len(run.failures)} of {some.count} patients could not be simulated under '{regimen.name}'; "
                f"patient {first + who}: {why}"
            )
        course = Course(doses.time[:, 0], doses.amount, tuple(regimen.on_blocks()), regimen.treatment_end)
        v = run.values
        found.append(metrics(times, course, v["il2"], v["il2_auc"], v["treg"], v["nk"]))
        if keep:
            for output, parts in kept.items():
                parts.append(v[output].astype(np.float32))
    merged = [
        replace(parts[0], values=np.concatenate([part.values for part in parts])) for parts in zip(*found, strict=True)
    ]
    joined = {output: np.concatenate(parts, axis=1) for output, parts in kept.items()} if keep else {}
    return merged, joined | {"run": run}


def doses_for(body: Model, regimen: Regimen, people: Patients, parameters: dict[str, np.ndarray], end: float) -> Doses:
    """The regimen's doses before `end` for these patients, at each one's own size, lag and bioavailability."""
    planned = [dose for dose in regimen.doses() if dose.time < end]
    size = {"flat": np.ones(people.count), "m2": people.bsa, "kg": people.weight}
    nothing, everything = np.zeros(people.count), np.ones(people.count)
    routes = [body.route(dose.route) for dose in planned]

    def rows(columns: list[np.ndarray]) -> np.ndarray:
        return np.array(columns).reshape(len(planned), people.count)

    return Doses(
        time=rows([np.full(people.count, dose.time) for dose in planned]),
        amount=rows([dose.amount * size[dose.basis] for dose in planned]),
        duration=rows([np.full(people.count, dose.duration) for dose in planned]),
        lag=rows([parameters[route.lag] if route.lag else nothing for route in routes]),
        bioavailability=rows(
            [parameters[route.bioavailability] if route.bioavailability else everything for route in routes]
        ),
        into=np.array([body.compartments.names.index(route.into) for route in routes], dtype=int),
    )


def take(people: Patients, part: slice) -> Patients:
    """The patients of a slice."""
    return Patients(**{f.name: getattr(people, f.name)[part] for f in fields(Patients)})
