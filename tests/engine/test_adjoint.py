"""The way back of an integration: the derivative of the steps taken, by every number; none of what has failed."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from components import compartments, doses, draws, response, turnover
from oracles.expm_events import DOSE, RESET_AND_DOSE, Record, by_time
from recorded import dosed, dosing_parameters, records_of
from test_record_responses import MODEL

from pkpd.engine import gradient, rosenbrock
from pkpd.engine.batches import batch_of
from pkpd.engine.compiler import quickly
from pkpd.engine.gradient import value_and_gradient
from pkpd.engine.predict import find_steps, predict, with_room
from pkpd.engine.prepare import prepare
from pkpd.engine.simulate import simulate
from pkpd.engine.tolerances import Tolerances
from pkpd.errors import InputError

HOURS = [Record(hour) for hour in (0.4, 2.0, 7.0, 13.3, 25.0, 30.0, 40.0, 55.0)]
SCHEDULES = [
    by_time([Record(0.0, DOSE, 100.0, 1, addl=1, ii=12.0), Record(6.0, DOSE, 80.0, 2, dur=9.0), *HOURS]),
    by_time([Record(1.0, DOSE, 50.0, 1), Record(30.0, RESET_AND_DOSE, 60.0, 2, rate=20.0), *HOURS]),
]
VALUES = {"ka": [0.8, 0.6], "cl": [3.0, 4.0], "v1": [12.0, 9.0], "lag1": [1.25, 0.5], "f1": [0.7, 0.9]}
TIMES = np.linspace(0.0, 72.0, 37)


@pytest.mark.B1
@pytest.mark.parametrize(("method", "many"), [("tsit5", 8), ("rodas5p", 8), ("rodas5p", 1)])
def test_it_is_the_derivative_of_the_same_steps_repeated(
    method: str, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By parameters, one of which changes, and by times, amounts, lengths, rates and intervals of the records; with
    stages one by one, and with their code shared."""
    monkeypatch.setattr(rosenbrock, "MANY", many)
    records = records_of(SCHEDULES)
    parameters = dosing_parameters(dosed(0, 1), SCHEDULES, constant=True) | {n: np.array(v) for n, v in VALUES.items()}
    parameters["k"] = np.where(records.time < 20.0, 0.1, 0.06)
    ready = prepare(MODEL, records, parameters, outputs=["effect"], carry="nocb", method=method)
    changes = {name: jnp.asarray(getattr(records, name)) for name in ("time", "amt", "dur", "rate", "ii")}
    weights = np.cos(1.0 + np.arange(records.time.size)).reshape(records.time.shape)

    def loss(numbers, ready, steps=None):
        return (weights * predict(ready, numbers[0], numbers[1], steps)["effect"]).sum()

    differentiated = quickly(jax.value_and_grad(loss))
    numbers = (parameters, changes)
    value, found = differentiated(numbers, with_room(ready, 512))
    again, repeated = differentiated(numbers, ready, find_steps(ready, parameters))
    np.testing.assert_allclose(value, again, rtol=1e-13)
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(repeated), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-11 * max(1.0, float(jnp.abs(theirs).max())))
    assert all(np.abs(found[0][name]).min() > 0 for name in ("ka", "cl", "v1"))


def squares(values, data):
    return ((values["response"] - data) ** 2).sum(axis=0)


def cubes(values, data):
    return (values["y"] ** 3).sum(axis=0) + data


@pytest.mark.B1
def test_a_sum_over_subjects_against_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    """More subjects than the devices take at once, each with own doses; and with room for too few steps at first."""
    subjects = gradient.CHUNK * jax.device_count() + 3
    model, tight = compartments() >> turnover(), Tolerances(1e-10, 1e-12)
    values = draws({"cl": 4.0, "v1": 10.0, "k": 0.05}, subjects, seed=3)
    given = doses(np.stack([np.linspace(0.0, 5.0, subjects), np.full(subjects, 24.0)]), subjects=subjects)
    data = np.full((len(TIMES), subjects), 0.5)

    def solved(tolerances: Tolerances) -> tuple[float, dict[str, np.ndarray]]:
        return value_and_gradient(
            squares, model, values, given, TIMES, data, outputs=("response",), tolerances=tolerances
        )

    total, slopes = solved(tight)
    # In the same chunks the same steps are taken.
    monkeypatch.setattr("pkpd.engine.simulate.batch_of", partial(batch_of, most=gradient.CHUNK))

    def losses(name: str, factor: float) -> np.ndarray:
        moved = values | {name: values[name] * factor}
        run = simulate(model, moved, given, TIMES, outputs=("response",), tolerances=tight)
        return squares(run.values, data)

    assert total == pytest.approx(losses("k", 1.0).sum(), rel=1e-12)
    h = 1e-4
    for name in values:
        expected = (losses(name, 1 + h) - losses(name, 1 - h)) / (2 * h * values[name])
        # Differences are good to h^2; the steps of the two sides differ by what the tolerance allows.
        np.testing.assert_allclose(slopes[name], expected, atol=1e-6 * np.abs(expected).max(), err_msg=name)
    monkeypatch.setattr(gradient, "ROOM", 128)
    again, few = solved(tight)
    assert again == total
    for name in values:
        np.testing.assert_array_equal(few[name], slopes[name])


@pytest.mark.F7
def test_a_failed_subject_has_no_gradient() -> None:
    growth = compartments() >> response(lambda y, u, p: {"y": p.a * y.y**2 + 0.0 * u.conc})
    values = {"cl": np.full(3, 4.0), "v1": np.full(3, 10.0), "a": np.array([-0.01, 0.02, -0.01])}
    with pytest.raises(InputError, match=r"subject 1: integration gave up at (49\.9|50)"):
        value_and_gradient(cubes, growth, values, doses([0.0], subjects=3), TIMES, np.zeros(3), outputs=("y",))
