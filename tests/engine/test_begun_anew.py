"""States that are integrated begin anew, at a reset or SS 1, by the parameters of the record that says so."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray
from oracles.expm_events import DOSE, RESET, RESET_AND_DOSE, Record
from recorded import records_of

from pkpd.engine.compiler import quickly
from pkpd.engine.predict import find_steps, predict
from pkpd.engine.prepare import Carry, prepare
from pkpd.engine.tolerances import Tolerances
from pkpd.models import library
from pkpd.models.indirect_response import indirect_response
from pkpd.models.model import Model
from pkpd.models.pk import pk

compiled = quickly(predict)
TIGHT = Tolerances(rtol=1e-10, atol=1e-12)
CONSTANT = {"cl": 2.0, "v": 20.0, "kout": 0.1, "imax": 0.5, "ic50": 1.0}
RESETS = {
    "reset": Record(24.0, RESET),
    "reset and dose": Record(24.0, RESET_AND_DOSE, 100.0),
    "steady state": Record(24.0, DOSE, 100.0, ii=24.0, ss=1),
    "reset and steady state": Record(24.0, RESET_AND_DOSE, 100.0, dur=2.0, ii=24.0, ss=1),
}


@cache
def model() -> Model:
    return pk() >> indirect_response(1)


def parameters(kin: list[float]) -> dict[str, NDArray]:
    """Production by the record; it decides what the response begins with, kin / kout."""
    constant = {name: np.full((len(kin), 1), value) for name, value in CONSTANT.items()}
    return constant | {"kin": np.array(kin)[:, None]}


@pytest.mark.A5
@pytest.mark.parametrize(("method", "carry"), [("tsit5", "nocb"), ("rodas5p", "locf")])
@pytest.mark.parametrize("last", RESETS)
def test_what_was_there_before_is_forgotten(last: str, method: str, carry: Carry) -> None:
    """Also by which parameters the first record began: from the reset on all is as if these had always held."""
    schedule = [Record(0.0), RESETS[last], Record(24.0), Record(25.0), Record(48.0)]
    changing, always = parameters([10.0, 1.0, 1.0, 1.0, 1.0]), parameters([1.0] * 5)
    ready = prepare(model(), records_of([schedule]), changing, carry=carry, method=method, tolerances=TIGHT)
    found, expected = (compiled(ready, some) for some in (changing, always))
    assert float(found["response"][0, 0]) == pytest.approx(100.0, rel=1e-12)
    for name in ("conc", "response"):
        np.testing.assert_allclose(found[name][2:], expected[name][2:], rtol=1e-8)


def test_after_a_reset_a_response_is_at_rest_by_the_parameters_of_the_reset() -> None:
    """Without a drug y' = kin - kout y; kin is that of the record at whose end it is carried to."""
    kin = [10.0, 4.0, 1.0, 6.0, 2.0]
    schedule = [Record(0.0), Record(3.0), Record(5.0, RESET), Record(5.0), Record(9.0)]
    ready = prepare(model(), records_of([schedule]), parameters(kin), carry="nocb", tolerances=TIGHT)
    found = np.asarray(compiled(ready, parameters(kin))["response"])[:, 0]
    rest = np.array(kin) / CONSTANT["kout"]
    fall = np.exp(-CONSTANT["kout"] * 4.0)
    expected = [
        rest[0],
        rest[1] + (rest[0] - rest[1]) * np.exp(-CONSTANT["kout"] * 3.0),
        rest[2],
        rest[2],
        rest[4] + (rest[2] - rest[4]) * fall,
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.B1
@pytest.mark.parametrize("last", ["reset", "steady state"])
def test_derivatives_by_the_parameters_of_the_reset(last: str) -> None:
    """Forwards, in reverse, and by differences."""
    schedule = [Record(0.0), RESETS[last], Record(24.0), Record(25.0), Record(48.0)]
    at = parameters([10.0, 1.0, 1.5, 2.0, 1.0])
    ready = prepare(model(), records_of([schedule]), at, carry="nocb", method="rodas5p", tolerances=TIGHT)
    steps = find_steps(ready, at)
    weights = jnp.arange(1.0, 6.0)[:, None]

    def total(kin: jax.Array, reverse: bool) -> jax.Array:
        found = compiled(ready, at | {"kin": kin}, None, steps if reverse else None)
        return (weights * found["response"]).sum()

    kin, forwards = jnp.asarray(at["kin"]), []
    by_reverse = np.asarray(jax.grad(lambda kin: total(kin, True))(kin))[:, 0]
    by_difference = []
    for k in range(5):
        unit = jnp.zeros_like(kin).at[k].set(1.0)
        forwards.append(float(jax.jvp(lambda kin: total(kin, False), (kin,), (unit,))[1]))
        h = 1e-4
        by_difference.append(float(total(kin + h * unit, False) - total(kin - h * unit, False)) / (2 * h))
    np.testing.assert_allclose(forwards, by_difference, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(by_reverse, forwards, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("last", ["reset and dose", "steady state"])
def test_without_states_of_its_own_there_is_nothing_to_begin_anew(last: str) -> None:
    """Michaelis and Menten's elimination is a flow: after a reset all is as in a patient of the later parameters."""
    saturable = library.model("pk_1cmt_iv_mm")
    constant = {"v": 20.0, "vmax": 8.0, "km": 1.0}
    begun = 8.0 if last == "steady state" else 4.0  # a reset goes by the parameters up to it, SS 1 by its own
    changing = {name: np.full((4, 1), value) for name, value in constant.items()}
    changing["vmax"] = np.array([4.0, 4.0, begun, 8.0])[:, None]
    schedule = [Record(0.0, DOSE, 50.0), Record(12.0), RESETS[last], Record(30.0)]
    ready = prepare(saturable, records_of([schedule]), changing, carry="nocb", tolerances=TIGHT)
    found = compiled(ready, {name: jnp.asarray(value) for name, value in changing.items()})["conc"][3, 0]
    alone = {name: np.full(1, value) for name, value in constant.items()}
    fresh = prepare(saturable, records_of([schedule[2:]]), alone, tolerances=TIGHT)
    expected = compiled(fresh, {name: jnp.asarray(value) for name, value in alone.items()})["conc"][1, 0]
    assert float(found) == pytest.approx(float(expected), rel=1e-7)
