"""One regimen in one virtual population: simulate in batches, measure, and let the profiles go."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np

from pkpd.engine.batches import bucket
from pkpd.engine.simulate import Simulation, simulate
from pkpd.engine.tolerances import Tolerances
from pkpd.events.doses import Doses
from pkpd.models.model import Model
from pkpd.population.virtual import Patients
from pkpd.regimens.aside import Aside
from pkpd.regimens.metrics import Course, Metric, metrics
from pkpd.regimens.regimen import Regimen

BATCH = 512
"""Patients simulated together; the hourly profiles of two such batches are in memory at once."""

_AT_ONCE = 1e-6
"""How long after a dose given at once its top is looked for [h]: nothing has left by then, to a few millionths."""

KEPT = ("il2", "treg", "nk")
"""Outputs whose profiles are held, if any are."""


@dataclass(frozen=True)
class Measured:
    """Metrics of every patient, the profiles that were to be held, `[time, patient]`, and how they were made."""

    metrics: list[Metric]
    profiles: dict[str, np.ndarray]
    solver: str
    tolerances: Tolerances
    steps: int


def measure(
    body: Model,
    regimen: Regimen,
    people: Patients,
    parameters: dict[str, np.ndarray],
    times: np.ndarray,
    count: Callable[[int], None],
    aside: Aside,
    keep: bool = True,
) -> Callable[[], Measured]:
    """All patients are simulated under `regimen` at hourly `times` [h]; calling what is returned waits for the metrics.

    Those of a batch are taken `aside`, while the next one is simulated. keep: whether to hold the profiles too (single
    precision is enough for quantiles); without them memory does not grow with the number of patients but for the
    metrics. `count` is called with the number of patients done. Raises `ArithmeticError` naming the first patient that
    could not be simulated.
    """
    found: list[Future[Measured]] = []
    corners = _corners(regimen, float(times[-1]))
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
        tops = _tops(body, own, doses, corners)
        found.append(aside.begin(partial(_measured, run, doses, regimen, times, keep, corners, tops)))
    return lambda: _joined([one.result() for one in found])


def _corners(regimen: Regimen, end: float) -> np.ndarray:
    """When IL-2 given into a vein is highest [h]: right after a dose at once, at the end of an infusion."""
    into_a_vein = [dose for dose in regimen.doses() if dose.route == "iv" and dose.time < end]
    tops = {dose.time + (dose.duration or _AT_ONCE) for dose in into_a_vein}
    return np.array(sorted(top for top in tops if top <= end))


def _tops(body: Model, parameters: dict[str, np.ndarray], doses: Doses, corners: np.ndarray) -> np.ndarray:
    """IL-2 at the corners, `[corner, patient]`: exact, and at times of its own, for the hours would miss it."""
    patients = len(next(iter(parameters.values())))
    if not len(corners):
        return np.zeros((0, patients))
    # Few lengths, so that regimens share what is compiled; what comes after the corners is not looked at.
    more = bucket(len(corners) + 1, smallest=16) - len(corners) - 1
    times = np.concatenate([[0.0], corners, corners[-1] + 1.0 + np.arange(more)])
    return simulate(body, parameters, doses, times, outputs=("il2",)).values["il2"][1 : len(corners) + 1]


def _measured(
    run: Simulation,
    doses: Doses,
    regimen: Regimen,
    times: np.ndarray,
    keep: bool,
    corners: np.ndarray,
    tops: np.ndarray,
) -> Measured:
    blocks = tuple(regimen.on_blocks())
    course = Course(doses.time[:, 0], doses.amount, blocks, regimen.treatment_end, corners, tops)
    v = run.values
    held = {output: v[output].astype(np.float32) for output in KEPT} if keep else {}
    taken = metrics(times, course, v["il2"], v["il2_auc"], v["treg"], v["nk"])
    return Measured(taken, held, run.solver, run.tolerances, run.steps)


def _joined(parts: list[Measured]) -> Measured:
    """Batches, of which there is one at least, as one."""
    taken = [
        replace(same[0], values=np.concatenate([one.values for one in same]))
        for same in zip(*(part.metrics for part in parts), strict=True)
    ]
    held = {name: np.concatenate([part.profiles[name] for part in parts], axis=1) for name in parts[0].profiles}
    return replace(parts[0], metrics=taken, profiles=held, steps=sum(part.steps for part in parts))


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
