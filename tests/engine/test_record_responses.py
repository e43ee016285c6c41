"""Records where something is integrated: the same meaning as where everything is linear, and nonlinear steady state."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from components import scaled_error
from numpy.typing import NDArray
from oracles.expm_events import DOSE, RESET, Record, amounts_at_records, by_time
from oracles.linear_models import absorbed, disposition
from oracles.random_schedules import random_schedule
from recorded import dosed, dosing_parameters, records_of

from pkpd.engine.compiler import quickly
from pkpd.engine.periodic import DERIVATIVES, fixed_point
from pkpd.engine.predict import find_steps, predict
from pkpd.engine.prepare import prepare
from pkpd.engine.tolerances import Tolerances
from pkpd.errors import InputError
from pkpd.models.model import Model, Parameter, Response, Route, State
from pkpd.models.tmdd_full import tmdd_full

compiled = quickly(predict)
TIGHT = Tolerances(rtol=1e-10, atol=1e-12)
KINETIC = {"ka": 0.6, "cl": 4.0, "v1": 10.0, "k": 0.05}


@cache
def effect() -> Model:
    """effect' = k (central amount - effect): linear to the reference, integrated here."""
    return Model(
        name="effect",
        title="",
        parameters=(Parameter("k", "", "1/h"),),
        responses=(
            Response(
                states=(State("effect", "mg", ""),),
                inputs=("a2",),
                initial=lambda p: {"effect": 0.0 * p.k},
                derivative=lambda y, u, p: {"effect": p.k * (u.a2 - y.effect)},
                equations=(),
            ),
        ),
    )


MODEL = dosed(0, 1) >> effect()


@cache
def falling(order: int) -> Model:
    """y' = -k y^order, dosed itself."""
    return Model(
        name=f"falling by order {order}",
        title="",
        parameters=(Parameter("k", "", "1/h"),),
        responses=(
            Response(
                states=(State("y", "mg", ""),),
                inputs=(),
                initial=lambda p: {"y": 0.0 * p.k},
                derivative=lambda y, u, p: {"y": -p.k * y.y**order},
                equations=(),
            ),
        ),
        routes=(Route("into y", "y"),),
    )


def matrix() -> NDArray:
    full = np.zeros((3, 3))
    full[:2, :2] = absorbed(disposition(KINETIC["cl"], KINETIC["v1"]), KINETIC["ka"])
    full[2, 1], full[2, 2] = KINETIC["k"], -KINETIC["k"]
    return full


def states(schedules: list[list[Record]], method: str, constant: bool = True) -> NDArray:
    parameters = {name: np.full(len(schedules), value) for name, value in KINETIC.items()}
    parameters |= dosing_parameters(dosed(0, 1), schedules, constant)
    carry = None if constant else "nocb"
    ready = prepare(MODEL, records_of(schedules), parameters, method=method, tolerances=TIGHT, carry=carry)
    found = compiled(ready, parameters)
    return np.stack([np.asarray(found[name]) for name in ("a1", "a2", "effect")], axis=1)


@pytest.mark.A1
@pytest.mark.parametrize("method", ["tsit5", "rodas5p"])
def test_random_records_driven_and_whole(method: str) -> None:
    """Resets, order, lags, overlapping infusions; every record a boundary as its own lag and F change."""
    rng = np.random.default_rng(51)
    schedules = [random_schedule(rng, (1, 2), steady_states=False) for _ in range(8)]
    inside = states(schedules, method, constant=False)
    for b, schedule in enumerate(schedules):
        expected = amounts_at_records(matrix(), schedule)
        assert scaled_error(inside[: len(schedule), :, b], expected, axis=(0, 1), floor=1e-3) <= 1e-8


@pytest.mark.A4
@pytest.mark.A5
@pytest.mark.parametrize("method", ["tsit5", "rodas5p"])
def test_a_steady_state_found_as_a_fixed_point_is_the_solved_one(method: str) -> None:
    hours = [Record(hour) for hour in (0.0, 1.0, 5.0, 11.0, 13.0, 30.0)]
    schedules = [
        by_time([dose, *hours])
        for dose in (
            Record(0.0, DOSE, 100.0, 1, ii=12.0, ss=1, addl=1),
            Record(0.0, DOSE, 100.0, 2, dur=5.0, ii=12.0, ss=1, lag=9.0),
            Record(0.0, DOSE, 100.0, 2, rate=4.0, ii=12.0, ss=1),
            Record(0.0, DOSE, 0.0, 2, rate=4.0, ss=1),
        )
    ]
    inside = states(schedules, method)
    for b, schedule in enumerate(schedules):
        expected = amounts_at_records(matrix(), schedule)
        assert scaled_error(inside[:, :, b], expected, axis=(0, 1), floor=1e-3) <= 1e-7, b


@pytest.mark.A4
@pytest.mark.parametrize("beside", [True, False], ids=["beside compartments", "without any"])
def test_a_response_that_is_dosed_reaches_its_steady_state(beside: bool) -> None:
    """y' = -k y, dosed itself: after an endless past of boluses it is at D / (1 - exp(-k II)) and falls from there."""
    decay = falling(1)
    model = dosed(0, 1) >> decay if beside else decay
    schedule = [Record(0.0, DOSE, 100.0, 1 + 2 * beside, ii=12.0, ss=1), Record(0.0), Record(7.0)]
    parameters = {"k": np.full(1, 0.05)}
    if beside:
        parameters |= {name: np.full(1, KINETIC[name]) for name in ("ka", "cl", "v1")}
        parameters |= dosing_parameters(dosed(0, 1), [schedule[1:]], constant=True)
    ready = prepare(model, records_of([schedule]), parameters, outputs=["y"], method="tsit5", tolerances=TIGHT)
    found = np.asarray(compiled(ready, parameters)["y"])[1:, 0]
    expected = 100.0 / -np.expm1(-0.05 * 12.0) * np.exp(-0.05 * np.array([0.0, 7.0]))
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def tmdd_at_steady_state(doses: Record, extra: dict[str, float] | None = None) -> tuple[NDArray, NDArray]:
    p = {"ka": 0.3, "f": 0.7, "v": 3.0, "kel": 0.1, "kon": 2.0, "koff": 0.2, "ksyn": 0.3, "kdeg": 0.1, "kint": 0.05}
    schedule = by_time([doses, *(Record(doses.time + hour) for hour in (0.0, 2.0, 10.0, 24.0))])
    values = {name: np.full(1, value) for name, value in (p | (extra or {})).items()}
    ready = prepare(tmdd_full(), records_of([schedule]), values, tolerances=TIGHT)
    found = compiled(ready, values)
    at = np.array([k for k, record in enumerate(schedule) if record.evid == 0])
    return np.stack([np.asarray(found[name])[at, 0] for name in tmdd_full().outputs], axis=1), values["kel"]


@pytest.mark.A5
def test_nonlinear_steady_state_is_what_a_long_run_comes_to() -> None:
    """TMDD, 24-hourly: 150 intervals against the fixed point; one interval later everything is as it was."""
    steady, _ = tmdd_at_steady_state(Record(0.0, DOSE, 40.0, 1, ii=24.0, ss=1, addl=1))
    long, _ = tmdd_at_steady_state(Record(0.0, DOSE, 40.0, 1, ii=24.0, addl=1))
    assert scaled_error(steady[3], steady[0], axis=0) <= 1e-7
    assert scaled_error(long[3], steady[3], axis=0) > 0.05  # one dose is far from it
    p = {"ka": 0.3, "f": 0.7, "v": 3.0, "kel": 0.1, "kon": 2.0, "koff": 0.2, "ksyn": 0.3, "kdeg": 0.1, "kint": 0.05}
    values = {name: np.full(1, value) for name, value in p.items()}
    run = [Record(0.0, DOSE, 40.0, 1, ii=24.0, addl=150), *(Record(3600.0 + hour) for hour in (2.0, 10.0))]
    found = compiled(prepare(tmdd_full(), records_of([run]), values, tolerances=TIGHT), values)
    after = np.stack([np.asarray(found[name])[1:, 0] for name in tmdd_full().outputs], axis=1)
    assert scaled_error(steady[1:3], after) <= 1e-6


@pytest.mark.B5
def test_the_derivative_of_a_nonlinear_steady_state_is_implicit() -> None:
    """Forward mode through the fixed point against central differences of the fixed point itself."""
    p = {"ka": 0.3, "f": 0.7, "v": 3.0, "kel": 0.1, "kon": 2.0, "koff": 0.2, "ksyn": 0.3, "kdeg": 0.1, "kint": 0.05}
    values = {name: np.full(1, value) for name, value in p.items()}
    schedule = [Record(0.0, DOSE, 40.0, 1, ii=24.0, ss=1), Record(0.0), Record(10.0)]
    ready = prepare(tmdd_full(), records_of([schedule]), values, tolerances=TIGHT)

    def drug(kel):
        return predict(ready, values | {"kel": kel})["drug"][1:, 0]

    value, slope = quickly(lambda kel: jax.jvp(drug, (kel,), (np.ones(1),)))(values["kel"])
    h = 1e-4 * values["kel"]
    step = quickly(drug)
    difference = (step(values["kel"] + h) - step(values["kel"] - h)) / (2 * h)
    assert (np.asarray(value) > 0).all() and (np.asarray(slope) < 0).all()
    np.testing.assert_allclose(slope, difference, rtol=1e-5)


@pytest.mark.B5
def test_a_nonlinear_steady_state_has_second_derivatives_and_reverse_ones() -> None:
    """y' = -k y^2, dosed itself: from the larger root of k II z^2 - D k II z - D = 0 it falls as z/(1 + k z t)."""
    dose, interval, hours = 100.0, 12.0, np.array([0.0, 7.0])
    schedule = [Record(0.0, DOSE, dose, 1, ii=interval, ss=1), *(Record(hour) for hour in hours)]
    values = {"k": np.full(1, 0.002)}
    ready = prepare(
        falling(2), records_of([schedule]), values, outputs=["y"], method="tsit5", tolerances=Tolerances(1e-12, 1e-14)
    )
    steps = find_steps(ready, values)

    def forward(log_k):
        return predict(ready, {"k": jnp.exp(log_k)[None]})["y"][1:, 0]

    def reverse(log_k):
        return predict(ready, {"k": jnp.exp(log_k)[None]}, steps=steps)["y"][1:, 0]

    def exact(log_k):
        a = jnp.exp(log_k) * interval
        z = (dose * a + jnp.sqrt((dose * a) ** 2 + 4 * dose * a)) / (2 * a)
        return z / (1 + jnp.exp(log_k) * z * hours)

    at, slope = np.log(0.002), jax.jacfwd(exact)
    np.testing.assert_allclose(quickly(jax.jacrev(reverse))(at), slope(at), rtol=1e-8)
    np.testing.assert_allclose(quickly(jax.jacfwd(jax.jacfwd(forward)))(at), jax.jacfwd(slope)(at), rtol=1e-8)


@pytest.mark.B5
def test_a_fixed_point_has_every_derivative_a_fit_asks_for() -> None:
    """z = (z + D)/(1 + a (z + D)), what is left an interval after D is added and falls by the square: two subjects."""

    def found(log_a):
        a = jnp.exp(log_a)[None]
        return fixed_point(lambda z: (z + 100.0) / (1 + a * (z + 100.0)), jnp.zeros((1, 2)), jnp.full((1, 2), 100.0))[0]

    def exact(log_a):
        a = jnp.exp(log_a)
        return (jnp.sqrt((100.0 * a) ** 2 + 400.0 * a) - 100.0 * a) / (2 * a)

    at, ones = np.log([0.02, 0.3]), np.ones(2)

    def along(function):
        return lambda log_a: jax.jvp(function, (log_a,), (ones,))[1]

    for order in range(DERIVATIVES + 1):
        np.testing.assert_allclose(found(at), exact(at), rtol=1e-9, err_msg=f"order {order}")
        found, exact = along(found), along(exact)


@pytest.mark.A5
def test_where_newton_s_method_leads_away_the_map_is_followed() -> None:
    """z - arctan(z - 3)/2: far from 3 Newton's steps grow without end. One that falls by 5 down to 10, where Newton has
    no step to say and the residual does not go down. Beside them one that begins where it ends, one without a fixed
    point, and one whose map has no value."""
    guess = jnp.asarray([[20.0, 20.0, 3.0, 20.0, 20.0]])

    def period(z):
        bent, falling, there, growing, none = z[0]
        found = bent - 0.5 * jnp.arctan(bent - 3.0), jnp.where(falling > 10.0, falling - 5.0, 3.6 - 0.2 * falling)
        return jnp.stack([*found, 2.0 * there - 3.0, growing + 1.0, none * jnp.nan])[None]

    found = np.asarray(quickly(lambda guess: fixed_point(period, guess, jnp.ones_like(guess)))(guess))[0]
    np.testing.assert_allclose(found[:3], 3.0, rtol=1e-12)
    assert np.isnan(found[3:]).all()


def test_without_elimination_there_is_no_number() -> None:
    steady, _ = tmdd_at_steady_state(Record(0.0, DOSE, 40.0, 1, ii=24.0, ss=1), {"kel": 0.0, "kint": 0.0})
    assert np.isnan(steady).all()


def test_a_reset_returns_responses_to_rest() -> None:
    schedule = [Record(0.0, DOSE, 100.0, 2), Record(5.0), Record(5.0, RESET), Record(5.0), Record(9.0)]
    inside = states([schedule], "tsit5")
    assert inside[1, 2, 0] > 1.0
    np.testing.assert_array_equal(inside[3:, :, 0], 0.0)


@pytest.mark.parametrize("method", ["tsit5", "rodas5p"])
def test_an_area_goes_on_through_a_reset(method: str) -> None:
    """It is the integral since the start: of 5 h after the first dose, and of what follows the second."""
    schedule = [Record(0.0, DOSE, 100.0, 2), Record(5.0, RESET), Record(6.0, DOSE, 50.0, 2), Record(6.0), Record(20.0)]
    parameters = {name: np.full(1, value) for name, value in KINETIC.items()}
    parameters |= dosing_parameters(dosed(0, 1), [schedule], constant=True)
    ready = prepare(MODEL, records_of([schedule]), parameters, method=method, tolerances=TIGHT)
    ready = replace(ready, plan=replace(ready.plan, integrals=("a2",)), outputs=("a2_auc",))
    found = np.asarray(compiled(ready, parameters)["a2_auc"])[3:, 0]
    k = KINETIC["cl"] / KINETIC["v1"]
    first, second = -100.0 * np.expm1(-5.0 * k) / k, -50.0 * np.expm1(-14.0 * k) / k
    np.testing.assert_allclose(found, [first, first + second], rtol=1e-8)


def test_a_steady_state_cannot_be_added_to_what_is_integrated() -> None:
    with pytest.raises(InputError, match="SS 2 adds a steady state"):
        states([[Record(0.0, DOSE, 100.0, 1, ii=12.0, ss=2), Record(5.0)]], "tsit5")
