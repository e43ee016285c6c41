"""Derivatives of predictions at records: in parameters, amounts, times, lag, F, rate, length and II.

The exact reference carries a derivative in the imaginary part of a complex number (step 1e-20): no difference is
formed, so it is right to rounding.
"""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray
from oracles.expm_events import DOSE, RESET_AND_DOSE, Record, amounts_at_records, by_time
from oracles.linear_models import one_compartment_oral
from recorded import dosed, dosing_parameters, records_of

from pkpd.engine.compiler import quickly
from pkpd.engine.predict import predict
from pkpd.engine.prepare import Prepared, prepare

STEP = 1e-20
MODEL = dosed(0, 1)
VALUES = {"ka": 0.8, "cl": 3.0, "v1": 12.0, "lag1": 1.25, "f1": 0.7, "lag2": 0.5, "f2": 0.9}
SAMPLES = [Record(hour) for hour in (0.4, 2.0, 7.0, 13.3, 25.0, 40.0, 55.0)]
SCHEDULES = {
    "bolus and additional doses": [Record(0.0, DOSE, 100.0, 1, addl=2, ii=12.0)],
    "infusion at a rate": [Record(0.0, DOSE, 100.0, 2, rate=30.0, addl=1, ii=20.0)],
    "infusion of a length": [Record(0.0, DOSE, 100.0, 2, dur=3.0), Record(6.0, DOSE, 50.0, 1, dur=9.0)],
    "steady state of a bolus": [Record(0.0, DOSE, 100.0, 1, ii=12.0, ss=1, addl=1)],
    "steady state of long infusions": [Record(0.0, DOSE, 100.0, 2, dur=30.0, ii=12.0, ss=1)],
    "steady state at a rate, added": [Record(0.0, DOSE, 100.0, 1), Record(3.0, DOSE, 80.0, 2, rate=20.0, ii=8.0, ss=2)],
    "endless infusion": [Record(1.0, DOSE, 0.0, 2, rate=20.0, ss=1)],
    "reset and dose": [Record(0.0, DOSE, 100.0, 1), Record(5.0, RESET_AND_DOSE, 60.0, 2, dur=2.0)],
}
NUMBERS = ("time", "amt", "rate", "dur", "ii")


def weights(count: int) -> NDArray:
    return np.cos(1.0 + np.arange(2 * count)).reshape(count, 2)


def reference(records: list[Record], values: dict[str, complex]) -> complex:
    """sum of weights x amounts, from values and records that may be complex."""
    matrix = one_compartment_oral(values["ka"], values["cl"], values["v1"])
    dosing = [
        replace(r, lag=values[f"lag{r.cmt}"], bioavailability=values[f"f{r.cmt}"])
        if r.evid in (DOSE, RESET_AND_DOSE) and r.amt != 0
        else r
        for r in records
    ]
    return complex((weights(len(records)) * amounts_at_records(matrix, dosing)).sum())


def prepared(records: list[Record]) -> tuple[Prepared, dict[str, NDArray]]:
    parameters = {name: np.full(1, value) for name, value in VALUES.items()}
    if records[0].amt == 0:
        parameters |= {"lag2": np.zeros(1)}  # an endless infusion has no lag
    parameters = dosing_parameters(MODEL, [records], constant=True) | parameters
    return prepare(MODEL, records_of([records]), parameters), parameters


def loss(ready: Prepared, parameters: dict[str, jax.Array], changes: dict[str, jax.Array]) -> jax.Array:
    found = predict(ready, parameters, changes)
    weight = weights(ready.records.time.shape[0])
    return (found["a1"][:, 0] * weight[:, 0]).sum() + (found["a2"][:, 0] * weight[:, 1]).sum()


compiled = quickly(loss)
reverse_mode = quickly(jax.grad(loss, argnums=(1, 2)))
forward_mode = quickly(lambda ready, p, c, dp, dc: jax.jvp(partial(loss, ready), (p, c), (dp, dc))[1])


@pytest.mark.B1
@pytest.mark.B3
@pytest.mark.B4
@pytest.mark.parametrize("doses", SCHEDULES.values(), ids=SCHEDULES.keys())
@pytest.mark.parametrize("ka", [0.8, 0.25, 0.25 * (1 + 1e-13)], ids=["ka", "ka = ke", "ka near ke"])
def test_every_derivative_of_a_schedule(doses: list[Record], ka: float) -> None:
    records = by_time([*doses, *SAMPLES])
    ready, parameters = prepared(records)
    parameters["ka"] = np.full(1, ka)
    changes = {name: jnp.asarray(getattr(ready.records, name)) for name in NUMBERS}
    reverse = reverse_mode(ready, parameters, changes)
    values = {name: complex(parameters[name][0]) for name in VALUES}
    np.testing.assert_allclose(compiled(ready, parameters, changes), reference(records, values).real, rtol=1e-12)

    exact, found = [], []
    for name in values:
        exact.append(reference(records, values | {name: values[name] + STEP * 1j}).imag / STEP)
        found.append(float(reverse[0][name][0]))
    for k, record in enumerate(records):
        for name in NUMBERS:
            if name != "time" and getattr(record, name) == 0:
                continue
            moved = [*records]
            moved[k] = replace(record, **{name: getattr(record, name) + STEP * 1j})
            exact.append(reference(moved, values).imag / STEP)
            found.append(float(reverse[1][name][k, 0]))
    assert np.count_nonzero(exact) >= 10
    # Of the largest derivative of the same kind of thing: a parameter's, or a record's number.
    np.testing.assert_allclose(found, exact, atol=1e-12 * np.abs(exact).max(), rtol=1e-11)

    direction = {name: np.ones_like(value) for name, value in parameters.items()}
    still = {name: jnp.zeros_like(value) for name, value in changes.items()}
    forward = forward_mode(ready, parameters, changes, direction, still)
    total = sum(float(value.sum()) for value in reverse[0].values())
    np.testing.assert_allclose(forward, total, atol=1e-10 * np.abs(exact).max())


@pytest.mark.B4
def test_a_sample_just_on_an_arrival_takes_the_later_side() -> None:
    """The value has seen the dose; and the derivative in the lag is that of a dose seen."""
    records = [Record(0.0, DOSE, 100.0, 2), Record(0.5), Record(0.75)]
    ready, parameters = prepared(records)
    lag = {"lag2": jnp.asarray(parameters["lag2"])}
    seen = jax.jacfwd(lambda p: predict(ready, parameters | p)["a2"][:, 0])(lag)["lag2"][:, 0]
    amount, k = 0.9 * 100.0, 3.0 / 12.0
    np.testing.assert_allclose(seen, [0.0, amount * k, amount * k * np.exp(-k * 0.25)], rtol=1e-12)


@pytest.mark.B7
def test_a_derivative_is_finite_wherever_the_value_is() -> None:
    """Zero doses, padding, F 0 and 1, lag 0, rates of 0, equal rates, amounts from 1e-150 to 1e12: 10 000 cases."""
    rng, subjects = np.random.default_rng(5), 2800
    records = [
        Record(0.0, DOSE, 1.0, 1, addl=1, ii=12.0),
        Record(1.0, DOSE, 1.0, 2, dur=2.0),
        Record(2.0, DOSE, 1.0, 2, dur=30.0, ii=12.0, ss=2),
        *(Record(hour) for hour in (0.0, 2.0, 2.0, 14.5, 40.0)),
    ]
    plain = records_of([by_time(records)] * subjects)
    amt = plain.amt * rng.choice([0.0, 1e-150, 1.0, 1e12], plain.amt.shape)
    amt = np.where((plain.dur > 0) & (amt == 0), 1e-150, amt)
    values = {
        "ka": rng.choice([0.0, 1e-9, 0.25, 30.0], subjects),
        "cl": rng.choice([1e-4, 3.0, 500.0], subjects),
        "v1": rng.choice([1e-2, 12.0, 1e4], subjects),
        "lag1": rng.choice([0.0, 1.0], subjects),
        "f1": rng.choice([0.0, 0.5, 1.0], subjects),
        "lag2": rng.choice([0.0, 0.5], subjects),
        "f2": rng.choice([0.0, 1.0], subjects),
    } | {name: np.ones(subjects) for name in ("rate1", "dur1", "rate2", "dur2")}
    ready = prepare(MODEL, plain._replace(amt=amt), values)

    def total(moved: dict[str, jax.Array], ready: Prepared) -> tuple[jax.Array, jax.Array]:
        found = predict(ready, values | moved)
        each = (found["a1"] + found["a2"]).sum(axis=0)
        return jnp.where(jnp.isfinite(each), each, 0.0).sum(), each

    moved = {name: jnp.asarray(values[name]) for name in ("ka", "cl", "v1", "lag1", "f1")}
    slopes, each = quickly(jax.grad(total, has_aux=True))(moved, ready)
    finite = np.isfinite(each)
    assert finite.mean() > 0.6
    for name, slope in slopes.items():
        assert np.isfinite(np.asarray(slope)[finite]).all(), name
    assert len(slopes) * int(finite.sum()) > 10_000
