"""Derivatives of what is integrated: reverse through repeated steps, forward as it is, against exact ones."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray
from oracles.expm_events import DOSE, RESET_AND_DOSE, Record, amounts_at_records, by_time
from oracles.linear_models import absorbed, disposition
from recorded import dosed, dosing_parameters, records_of
from test_record_responses import MODEL, TIGHT

from pkpd.engine.compiler import quickly
from pkpd.engine.predict import find_steps, predict
from pkpd.engine.prepare import Prepared, prepare
from pkpd.errors import InputError

STEP = 1e-20
VALUES = {"ka": 0.8, "cl": 3.0, "v1": 12.0, "lag1": 1.25, "f1": 0.7, "lag2": 0.5, "f2": 0.9, "k": 0.1}
DOSES = [
    Record(0.0, DOSE, 100.0, 1, addl=1, ii=12.0),
    Record(6.0, DOSE, 80.0, 2, dur=9.0),
    Record(6.0, DOSE, 20.0, 2),
    Record(30.0, RESET_AND_DOSE, 60.0, 2, rate=20.0),
]
RECORDS = by_time([*DOSES, *(Record(hour) for hour in (0.4, 2.0, 7.0, 9.875, 13.3, 25.0, 30.0, 40.0, 55.0))])
"""At 9.875 h half of a segment is over, which both lags move: a step ends there, and so does the row."""
REPEATED = by_time(
    [
        Record(0.0, DOSE, 100.0, 1, addl=1, ii=12.0, ss=1),
        Record(30.0, DOSE, 80.0, 2, dur=9.0, ii=8.0, ss=1),
        *(Record(hour) for hour in (0.4, 7.0, 13.3, 28.0, 31.0, 50.0)),
    ]
)
"""Steady states, which where something is integrated are found as fixed points."""


def matrix(values: dict[str, complex]) -> NDArray:
    full = np.zeros((3, 3), dtype=complex)
    full[:2, :2] = absorbed(disposition(values["cl"], values["v1"]), values["ka"])
    full[2, 1], full[2, 2] = values["k"], -values["k"]
    return full


def reference(records: list[Record], values: dict[str, complex]) -> complex:
    """Sum over records of cos(1 + record) x effect."""
    dosing = [
        replace(r, lag=values[f"lag{r.cmt}"], bioavailability=values[f"f{r.cmt}"]) if r.evid in (1, 4) else r
        for r in records
    ]
    effect = amounts_at_records(matrix(values), dosing)[:, 2]
    return complex((np.cos(1.0 + np.arange(len(records))) * effect).sum())


def loss(ready: Prepared, parameters, changes, steps=None) -> jax.Array:
    effect = predict(ready, parameters, changes, steps)["effect"][:, 0]
    return (np.cos(1.0 + np.arange(effect.shape[0])) * effect).sum()


@pytest.mark.B1
@pytest.mark.B4
@pytest.mark.B5
@pytest.mark.parametrize(
    ("records", "method"),
    [(RECORDS, "tsit5"), (RECORDS, "rodas5p"), pytest.param(REPEATED, "tsit5", marks=pytest.mark.slow)],
    ids=["driven", "whole", "driven, from steady states"],
)
def test_reverse_and_forward_through_driven_and_whole(records: list[Record], method: str) -> None:
    own = dosing_parameters(dosed(0, 1), [records], constant=True)
    parameters = own | {name: np.full(1, value) for name, value in VALUES.items()}
    ready = prepare(MODEL, records_of([records]), parameters, outputs=["effect"], method=method, tolerances=TIGHT)
    changes = {name: jnp.asarray(getattr(ready.records, name)) for name in ("time", "amt", "dur", "rate", "ii")}
    steps = find_steps(ready, parameters)
    values = {name: complex(value) for name, value in VALUES.items()}
    value, (by_parameter, by_number) = quickly(jax.value_and_grad(loss, argnums=(1, 2)))(
        ready, parameters, changes, steps
    )
    np.testing.assert_allclose(value, reference(records, values).real, rtol=1e-8)
    # The steps are those of the adaptive loop, so the value is too.
    np.testing.assert_allclose(value, loss(ready, parameters, changes), rtol=1e-12)

    exact = [reference(records, values | {name: values[name] + STEP * 1j}).imag / STEP for name in values]
    found = [float(by_parameter[name][0]) for name in values]
    for k, record in enumerate(records):
        for name in changes:
            if name == "time" or getattr(record, name):
                moved = [*records]
                moved[k] = replace(record, **{name: getattr(record, name) + STEP * 1j})
                exact.append(reference(moved, values).imag / STEP)
                found.append(float(by_number[name][k, 0]))
    np.testing.assert_allclose(found, exact, atol=1e-7 * np.abs(exact).max())
    direction = {name: np.ones_like(value) for name, value in parameters.items()}
    still = {name: jnp.zeros_like(value) for name, value in changes.items()}
    forward = quickly(lambda p, c: jax.jvp(lambda p, c: loss(ready, p, c), (p, c), (direction, still))[1])(
        parameters, changes
    )
    total = sum(float(value.sum()) for value in by_parameter.values())
    np.testing.assert_allclose(forward, total, rtol=0.0, atol=1e-9 * np.abs(exact).max())


@pytest.mark.B2
def test_a_nonlinear_model_against_differences() -> None:
    """TMDD by repeated steps; differences of the same solve, log-parameters, h = 1e-4."""
    from pkpd.models.tmdd_full import tmdd_full

    p = {"ka": 0.3, "f": 0.7, "v": 3.0, "kel": 0.1, "kon": 2.0, "koff": 0.2, "ksyn": 0.3, "kdeg": 0.1, "kint": 0.05}
    values = {name: np.full(1, value) for name, value in p.items()}
    schedule = [Record(0.0, DOSE, 40.0, 1, addl=2, ii=24.0), *(Record(hour) for hour in (1.0, 10.0, 30.0, 70.0))]
    ready = prepare(tmdd_full(), records_of([schedule]), values, tolerances=TIGHT)
    steps = find_steps(ready, values)

    def total(logs):
        found = predict(ready, {name: jnp.exp(value) for name, value in logs.items()}, None, steps)
        return sum((i + 1.0) * found[name].sum() for i, name in enumerate(("drug", "receptor", "complex")))

    logs = {name: np.log(value) for name, value in values.items()}
    value, gradient = quickly(jax.value_and_grad(total))(logs)
    step = quickly(total)
    scale = max(abs(float(g[0])) for g in gradient.values())
    for name in logs:
        up, down = (step(logs | {name: logs[name] + sign * 1e-4}) for sign in (1, -1))
        assert abs(float(gradient[name][0]) - float(up - down) / 2e-4) <= 1e-6 * scale, name
    assert float(value) > 0


def test_steps_are_refused_where_there_are_none() -> None:
    own = dosing_parameters(dosed(0, 1), [RECORDS], constant=True)
    parameters = {
        name: value for name, value in (own | {n: np.full(1, v) for n, v in VALUES.items()}).items() if name != "k"
    }
    with pytest.raises(InputError, match="there are no steps"):
        find_steps(prepare(dosed(0, 1), records_of([RECORDS]), parameters), parameters)
