"""A linear block as a matrix, and the tables of its drive."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from components import amount, compartments, draws
from numpy.typing import NDArray
from oracles.linear_models import absorbed, disposition
from oracles.matrix_exponential import matrix_exponential

from pkpd.engine.dyadic import LEVELS, advance, at_level, drives, dyadic_drive, over_fractions
from pkpd.engine.exact import propagators
from pkpd.engine.explicit import explicit_method
from pkpd.engine.system import LinearSystem, linear_system
from pkpd.engine.tolerances import Tolerances

MODEL = compartments(1, 1)
PARAMETERS = draws({"ka": 0.5, "cl": 4.0, "v1": 10.0, "q2": 3.0, "v2": 25.0}, 5, seed=41)
METHOD = explicit_method("tsit5")


def system(infused: tuple[str, ...] = (), integrals: tuple[str, ...] = ()) -> LinearSystem:
    assert MODEL.linear is not None
    columns = {name: jnp.asarray(value) for name, value in PARAMETERS.items()}
    return linear_system(MODEL.linear, columns, infused, integrals)


def dense(found: LinearSystem, subject: int) -> NDArray:
    matrix = np.zeros((found.size, found.size))
    for (i, j), entry in found.matrix.items():
        matrix[i, j] = entry[subject]
    return matrix


def expected(subject: int) -> NDArray:
    p = {name: value[subject] for name, value in PARAMETERS.items()}
    return absorbed(disposition(p["cl"], p["v1"], (p["q2"], p["v2"])), p["ka"])


def test_the_matrix_of_a_block() -> None:
    found = system()
    assert found.names == ("depot1", "central", "peripheral2")
    for subject in range(5):
        np.testing.assert_allclose(dense(found, subject), expected(subject), rtol=1e-15)


def test_infusions_and_integrals_are_states_that_hold_their_value() -> None:
    found = system(infused=("central",), integrals=("conc",))
    assert found.names == ("depot1", "central", "peripheral2", "rate into central", "conc_auc")
    for subject in range(5):
        matrix = np.zeros((5, 5))
        matrix[:3, :3] = expected(subject)
        matrix[1, 3] = 1.0
        matrix[4, 1] = 1.0 / PARAMETERS["v1"][subject]
        np.testing.assert_allclose(dense(found, subject), matrix, rtol=1e-15)
    assert set(found.readouts) >= {"conc", "conc_auc", amount("depot1")}
    assert list(found.readouts["conc_auc"]) == [4]


@jax.jit
def read_ahead(duration: jax.Array, level: jax.Array, x: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
    """Concentration at each abscissa [fraction, subject] and all states one step later [state, subject]."""
    fed = system(infused=("central",))
    span = over_fractions(jnp.broadcast_to(duration, (1, 5)), METHOD.fractions)
    drive = dyadic_drive(fed, ("conc",), METHOD.fractions, propagators(fed, {"fractions": span})["fractions"])
    entries = at_level(drive, level, jnp.asarray(0))
    return jnp.stack([values["conc"] for values in drives(drive, entries, x)]), jnp.stack(advance(drive, entries, x))


@pytest.mark.parametrize("duration", [1e-3, 24.0, 4000.0])
def test_the_drive_at_every_step_a_segment_may_be_walked_in(duration: float) -> None:
    """Read ahead by c D/2^m from random amounts, for each m and each abscissa of the method, and one step on."""
    joined = [dense(system(infused=("central",)), subject) for subject in range(5)]
    state = np.random.default_rng(1).uniform(0, 100, (4, 5))
    worst = 0.0
    for level in range(LEVELS + 1):
        ahead, after = read_ahead(jnp.asarray(duration), jnp.asarray(level), tuple(map(jnp.asarray, state)))
        h = duration * 2.0 ** (level - LEVELS)
        for subject, matrix in enumerate(joined):
            for c, found in zip(METHOD.fractions, ahead[:, subject], strict=True):
                truth = (matrix_exponential(matrix * c * h) @ state[:, subject])[1] / PARAMETERS["v1"][subject]
                worst = max(worst, abs(float(found) / truth - 1))
            truth = matrix_exponential(matrix * h) @ state[:, subject]
            worst = max(worst, np.abs(after[:, subject] - truth).max() / truth.max())
    # 18 squarings of a matrix near 1 cost up to 2^18 x 1e-16 = 3e-11: nothing beside a tolerance of 1e-7
    assert worst <= 1e-10
    assert worst <= 1e-3 * Tolerances().rtol
