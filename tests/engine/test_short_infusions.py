"""No dose is stepped over: a thousand infusions of a second to an hour, each somewhere in a year.

An adaptive solver that looks only at its own steps computes 0 for such a patient and reports no error.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from components import amount, compartments, doses_of, draws, scaled_error, turnover
from numpy.typing import NDArray
from oracles.expm_events import OBSERVATION, Record, amounts_at_records, observed
from oracles.linear_models import absorbed, disposition
from oracles.random_schedules import short_infusion

from pkpd.engine.exact import exact_outputs, over_lengths, over_rows, propagators, segment_states
from pkpd.engine.rows import Rows
from pkpd.engine.simulate import simulate
from pkpd.engine.system import linear_system
from pkpd.engine.tolerances import Tolerances
from pkpd.events.doses import course_of, infused_by

pytestmark = pytest.mark.A11

CASES = 1000
YEAR = 8760.0
MODEL = compartments(1, 1)
PARAMETERS = draws({"ka": 0.4, "cl": 0.4, "v1": 10.0, "q2": 0.3, "v2": 25.0}, CASES, seed=5, spread=0.4)
SCHEDULES = [short_infusion(np.random.default_rng(case), 1 + case % 2) for case in range(CASES)]


def rates(case: int) -> NDArray:
    p = {name: float(value[case]) for name, value in PARAMETERS.items()}
    return absorbed(disposition(p["cl"], p["v1"], (p["q2"], p["v2"])), p["ka"])


NAMES = tuple(amount(name) for name in MODEL.compartments.names)


@partial(jax.jit, static_argnums=0)
def amounts_at(
    infused: tuple[str, ...], parameters: dict[str, jax.Array], line: dict[str, jax.Array], times: jax.Array
) -> jax.Array:
    """[time, state, subject] at each subject's own times."""
    system = linear_system(MODEL.compartments, parameters, infused)
    kind = jnp.arange(len(line["start"]))
    segment = jnp.maximum(jnp.sum(line["start"][None] < times[:, None], axis=1) - 1, 0)
    rows = Rows(segment, times - jnp.take_along_axis(line["start"], segment, axis=0))
    made = propagators(system, {"segments": over_lengths(line["duration"]), "rows": over_rows(rows)})
    states = segment_states(system, made["segments"], kind, line["jump"], line["rate"])
    return exact_outputs(system, NAMES, states, rows, made["rows"])


def test_before_during_and_after_in_the_exact_path() -> None:
    """Each subject at moments of its own: at a third of its infusion, at its end, and up to 12 h later."""
    times = np.array([[record.time for record in s if record.evid == OBSERVATION] for s in SCHEDULES]).T
    line = course_of(doses_of(SCHEDULES), len(NAMES), 0.0, YEAR + 24.0)
    fields = {name: jnp.asarray(getattr(line, name)) for name in ("start", "duration", "jump", "rate")}
    infused = tuple(MODEL.compartments.names[i] for i in infused_by(doses_of(SCHEDULES)))
    found = np.asarray(amounts_at(infused, PARAMETERS, fields, jnp.asarray(times)))

    expected = np.stack([observed(s, amounts_at_records(rates(c), s)) for c, s in enumerate(SCHEDULES)], axis=2)
    assert expected[2].max(axis=0).min() > 1.0  # of the 10 to 200 mg given
    # after months the clock's last digit is 6e-9 of a second
    assert scaled_error(found, expected, axis=(0, 1)) <= 1e-8


@pytest.mark.parametrize(
    ("tolerances", "limit"),
    [
        # measured 3.0e-7: ten times the tolerance is what a user may count on
        pytest.param(Tolerances(), 1e-6, id="default"),
        # measured 6.8e-10
        pytest.param(Tolerances(rtol=1e-10, atol=1e-12), 1e-8, id="tight", marks=pytest.mark.slow),
    ],
)
def test_days_after_in_the_exact_path_and_in_a_response(tolerances: Tolerances, limit: float) -> None:
    """On a grid of days, where nobody looks at the infusion itself; y' = k (conc - y) joins the oracle's matrix."""
    parameters = PARAMETERS | draws({"k": 0.02}, CASES, seed=6, spread=0.4)
    days = np.arange(0.0, YEAR + 24 * 30, 24.0)
    found = simulate(MODEL >> turnover(), parameters, doses_of(SCHEDULES), days, tolerances=tolerances)
    assert found.failures == {}

    linear, responses = 0.0, 0.0
    for case, schedule in enumerate(SCHEDULES):
        dose = schedule[1]
        joint = np.zeros((4, 4))
        joint[:3, :3] = rates(case)
        k = parameters["k"][case]
        joint[3, 1], joint[3, 3] = k / PARAMETERS["v1"][case], -k
        rows = np.flatnonzero(days > dose.time)[[0, 1, 2, 4, 8]]
        samples = [Record(float(days[row])) for row in rows]
        records = [Record(0.0), dose, *samples]
        expected = amounts_at_records(joint, records)[2:]
        central = found.values[amount("central")][rows, case]
        response = found.values["response"][rows, case]
        assert (found.values["response"][: rows[0], case] == 0.0).all()
        linear = max(linear, scaled_error(central, expected[:, 1], floor=1e-3))
        responses = max(responses, scaled_error(response, expected[:, 3]))
    assert linear <= 1e-8
    assert responses <= limit
