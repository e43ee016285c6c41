"""A subject that cannot be solved is named with the time, its values are NaN, and the others go on (promise F7)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from components import compartments, doses, response
from numpy.typing import NDArray
from oracles.expm_events import DOSE, Record
from recorded import records_of

from pkpd.engine.batches import CHUNK
from pkpd.engine.compiler import quickly
from pkpd.engine.predict import predict
from pkpd.engine.prepare import prepare
from pkpd.engine.simulate import Simulation, simulate
from pkpd.engine.tolerances import Tolerances

pytestmark = pytest.mark.F7

TIMES = np.linspace(0.0, 120.0, 25)
GROWTH = compartments() >> response(lambda y, u, p: {"y": p.a * y.y**2 + 0.0 * u.conc})
"""y = 1/(1 - a t): without end at t = 1/a."""


def run(a: list[float] | NDArray, model=GROWTH, cl: float = 4.0, **options: Tolerances) -> Simulation:
    count = len(a)
    parameters = {"cl": np.full(count, cl), "v1": np.full(count, 10.0), "a": np.asarray(a, dtype=float)}
    return simulate(model, parameters, doses([0.0, 48.0], subjects=count), TIMES, outputs=("conc", "y"), **options)


def time_of(failure: str) -> float:
    """The hour in a message like "integration gave up at 49.9 h: ..."."""
    return float(failure.split(" at ")[1].split(" h")[0])


@pytest.mark.parametrize("before", [1, 2])
def test_responses_that_grow_without_end(before: int) -> None:
    """Among many: one in the first chunk; one in the second, where that is a device's second turn; one in the last, of
    another device or of the third round."""
    turn, later = CHUNK + 20, before * CHUNK * jax.device_count() + 30
    a = np.full(later + 10, -0.01)
    a[5], a[turn], a[later] = 0.02, 0.0125, 0.01
    lost = [5, turn, later]
    found = run(a)
    assert sorted(found.failures) == lost
    for subject in lost:
        assert time_of(found.failures[subject]) == pytest.approx(1.0 / a[subject], abs=0.1)
    assert all("no step was small enough" in failure for failure in found.failures.values())
    for values in found.values.values():
        assert np.flatnonzero(np.isnan(values).any(axis=0)).tolist() == lost
        assert np.isnan(values[:, lost]).all()
    # the others take the same small steps and are right to the usual figure
    others = np.delete(found.values["y"], lost, axis=1)
    expected = 1.0 / (1.0 + 0.01 * TIMES)
    np.testing.assert_allclose(others, np.repeat(expected[:, None], later + 7, axis=1), rtol=1e-6)


def test_the_others_have_the_bits_they_have_without_it() -> None:
    """Subjects of a chunk share their steps; those on the way to a failure are not the others'."""
    a = np.linspace(-0.02, -0.01, 12)
    sound = run(a).values
    for place in (0, 6, 12):
        found = run(np.insert(a, place, 0.02))
        assert list(found.failures) == [place]
        assert time_of(found.failures[place]) == pytest.approx(50.0, abs=0.1)
        for name, values in found.values.items():
            np.testing.assert_array_equal(np.delete(values, place, axis=1), sound[name])


def test_a_division_by_zero_and_a_root_of_less_than_nothing() -> None:
    """With hardly any clearance the concentration is about 10 after the first dose and 14 after the second."""
    model = compartments() >> response(
        lambda y, u, p: {"y": 0.01 / (p.a - u.conc) ** 2 + 0.01 * jnp.sqrt(p.b - u.conc) - 0.01 * y.y}, "a b"
    )
    parameters = {
        "cl": np.full(7, 0.2),
        "v1": np.array([10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 0.0]),
        "a": np.array([30.0, 12.0, 30.0, 30.0, 30.0, 9.0, 30.0]),
        "b": np.array([40.0, 40.0, 5.0, -1.0, 12.0, 40.0, 40.0]),
    }
    found = simulate(model, parameters, doses([0.0, 48.0], subjects=7), TIMES, outputs=("y",))
    assert sorted(found.failures) == [1, 2, 3, 4, 5, 6]
    when = {subject: time_of(failure) for subject, failure in found.failures.items()}
    decay = 0.2 / 10.0
    second = 10.0 * (1.0 + np.exp(-48.0 * decay))
    assert when[1] == pytest.approx(48.0 + np.log(second / 12.0) / decay, abs=0.1)  # the pole on the way down
    assert (when[2], when[3]) == (0.0, 0.0)  # not a number from the first moment
    assert when[4] == 48.0  # nor right after the second dose
    assert when[5] == pytest.approx(np.log(10.0 / 9.0) / decay, abs=0.1)
    assert when[6] == 0.0  # a volume of 0 is noticed also when only the response is asked for
    assert np.isfinite(found.values["y"][:, 0]).all()
    assert np.isnan(found.values["y"][:, 1:]).all()


def test_the_limit_of_steps_is_said() -> None:
    found = run([-0.01, -0.02], tolerances=Tolerances(max_steps=6))
    assert sorted(found.failures) == [0, 1]
    for failure in found.failures.values():
        assert "6 steps" in failure
        assert 0.0 < time_of(failure) < 120.0
    assert np.isnan(found.values["y"]).all()
    assert found.steps + found.rejected >= 6


def test_rates_without_end_are_said() -> None:
    """A volume of 0 makes the linear block infinite; the message says where to look."""
    model = compartments()
    parameters = {"cl": np.full(3, 4.0), "v1": np.array([10.0, 0.0, 20.0])}
    found = simulate(model, parameters, doses([0.0], subjects=3), TIMES)
    assert list(found.failures) == [1]
    assert "rates" in found.failures[1]
    assert np.isnan(found.values["conc"][:, 1]).all()
    assert np.isfinite(found.values["conc"][:, [0, 2]]).all()


def test_at_records_nothing_is_left_of_who_failed() -> None:
    """Compartments that are solved exactly go on, but a model of which half is known is not known."""
    schedule = [Record(0.0, DOSE, 100.0, 1), Record(20.0), Record(90.0)]
    parameters = {"cl": np.full(2, 4.0), "v1": np.full(2, 10.0), "a": np.array([0.02, -0.01])}
    ready = prepare(GROWTH, records_of([schedule, schedule]), parameters, outputs=["conc", "y"], carry="nocb")
    found = quickly(predict)(ready, parameters)
    for name in ("conc", "y"):
        assert np.isnan(found[name][:, 0]).all()
        assert np.isfinite(found[name][:, 1]).all()
    np.testing.assert_allclose(found["y"][1:, 1], [1 / 1.2, 1 / 1.9], rtol=1e-6)


def test_a_steady_state_whose_interval_cannot_be_solved_is_none() -> None:
    """y' = sqrt(conc - a) (1 - y): no number once conc falls below a, long after the last record."""
    schedule = [Record(0.0, DOSE, 100.0, 1, ss=1, ii=60.0), Record(1.0)]
    parameters = {"cl": np.full(2, 4.0), "v1": np.full(2, 10.0), "a": np.array([1.0, -1.0])}
    model = compartments() >> response(lambda y, u, p: {"y": jnp.sqrt(u.conc - p.a) * (1.0 - y.y)})
    ready = prepare(model, records_of([schedule, schedule]), parameters, outputs=["y"], carry="nocb")
    found = quickly(predict)(ready, parameters)["y"][1]
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(1.0, rel=1e-6)
