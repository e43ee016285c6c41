"""Outputs derived from others: the same numbers in every way of solving, and derivatives through them."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from components import compartments, doses, turnover
from oracles.expm_events import DOSE, Record
from recorded import records_of

from pkpd.engine.gradient import value_and_gradient
from pkpd.engine.predict import find_steps, predict
from pkpd.engine.prepare import prepare
from pkpd.engine.simulate import simulate
from pkpd.engine.tolerances import Tolerances
from pkpd.errors import InputError
from pkpd.models.direct_effect import effect_emax, effect_linear
from pkpd.models.indirect_response import indirect_response
from pkpd.models.model import Derived, Model, Parameter

TIGHT = Tolerances(rtol=1e-10, atol=1e-12)
PK = compartments(0, 1)
KINETIC = {"ka": 0.7, "cl": 4.0, "v1": 30.0}
EMAX = {"e0": 3.0, "emax": 5.0, "ec50": 2.0}
TIMES = np.linspace(0.0, 48.0, 13)


def subjects(values: dict[str, float]) -> dict[str, np.ndarray]:
    """Two, the second 1.3 times the first."""
    return {name: value * np.array([1.0, 1.3]) for name, value in values.items()}


def ratio() -> Model:
    """share = 100 response / (response + whole), of a state and a derived output."""
    return Model(
        name="ratio",
        title="",
        parameters=(Parameter("whole", "", ""),),
        derived=(Derived("share", "%", "", ("response", "effect"), lambda u, p: u.response / u.effect / p.whole, ""),),
    )


@pytest.mark.parametrize("method", ["auto", "tsit5", "rodas5p"])
@pytest.mark.parametrize("times", [TIMES, np.array([0.0, 0.3, 7.0, 40.0])], ids=["even", "uneven"])
def test_exact_and_driven_and_whole(method: str, times: np.ndarray) -> None:
    model = PK >> effect_emax() >> turnover() >> ratio()
    values, given = subjects(KINETIC | EMAX | {"k": 0.1, "whole": 7.0}), doses([0.0, 24.0], 100.0, subjects=2)

    def run(*outputs: str) -> dict[str, np.ndarray]:
        return simulate(model, values, given, times, outputs=outputs, method=method, tolerances=TIGHT).values

    conc = simulate(PK, {name: values[name] for name in PK.symbols}, given, times, outputs=("conc",)).values["conc"]
    expected = values["e0"] + values["emax"] * conc / (values["ec50"] + conc)
    alone, found = run("effect"), run("share", "response", "effect", "conc")
    assert list(alone) == ["effect"]
    np.testing.assert_allclose(alone["effect"], expected, rtol=1e-13)
    np.testing.assert_allclose(found["effect"], expected, rtol=1e-7 if method == "rodas5p" else 1e-13)
    np.testing.assert_allclose(found["share"], found["response"] / found["effect"] / values["whole"], rtol=1e-13)


def test_a_derived_output_may_drive_a_response() -> None:
    """Twice the concentration and twice the EC50: nothing has changed."""
    doubled = Model(
        name="doubled",
        title="",
        parameters=(Parameter("two", "", "1"),),
        derived=(Derived("twice", "mg/L", "", ("conc",), lambda u, p: p.two * u.conc, ""),),
    )
    kinetic, pd = KINETIC, {"kin": 1.5, "kout": 0.05, "emax": 4.0, "ec50": 2.0}
    given = doses([0.0, 24.0], 100.0, subjects=2)
    plain = simulate(PK >> indirect_response(3), subjects(kinetic | pd), given, TIMES, tolerances=TIGHT)
    values = subjects(kinetic | pd) | {"two": np.full(2, 2.0)}
    values["ec50"] = 2.0 * values["ec50"]
    for method, solver in (("tsit5", "exact + tsit5"), ("rodas5p", "rodas5p")):
        through = simulate(
            PK >> doubled >> indirect_response(3, "twice"), values, given, TIMES, method=method, tolerances=TIGHT
        )
        assert through.solver == solver
        np.testing.assert_allclose(through.values["response"], plain.values["response"], rtol=1e-7)


def _sum(values, data):
    return jnp.sum(values["effect"] * data, axis=0)


def test_the_gradient_by_what_it_is_derived_with() -> None:
    """d effect/d slope = conc and d/d e0 = 1; and by clearance, what it is for the concentration times the slope."""
    values, given = subjects(KINETIC | {"e0": 3.0, "slope": 0.7}), doses([0.0, 24.0], 100.0, subjects=2)
    data = np.ones((len(TIMES), 2))
    total, slopes = value_and_gradient(_sum, PK >> effect_linear(), values, given, TIMES, data, outputs=("effect",))
    run = simulate(PK >> effect_linear(), values, given, TIMES, outputs=("conc", "effect")).values
    assert total == pytest.approx(run["effect"].sum(), rel=1e-13)
    np.testing.assert_allclose(slopes["slope"], run["conc"].sum(axis=0), rtol=1e-13)
    np.testing.assert_allclose(slopes["e0"], len(TIMES), rtol=1e-13)
    h = 1e-4
    near = [
        simulate(PK, {n: values[n] * (1 + step * (n == "cl")) for n in PK.symbols}, given, TIMES, outputs=("conc",))
        .values["conc"]
        .sum(axis=0)
        for step in (h, -h)
    ]
    # Central differences: h^2 of the value, and its rounding over h.
    np.testing.assert_allclose(slopes["cl"], values["slope"] * (near[0] - near[1]) / (2 * h * values["cl"]), rtol=1e-6)


def test_predict_forward_and_reverse() -> None:
    """Through a driven integration: both directions agree, and agree with the derivative of the parts."""
    model = PK >> turnover() >> effect_linear("response")
    values = {n: np.full(1, v) for n, v in (KINETIC | {"k": 0.1, "e0": 3.0, "slope": 0.7}).items()}
    records = records_of([[Record(0.0, DOSE, 100.0, 1), Record(1.0), Record(5.0), Record(24.0)]])
    ready = prepare(model, records, values, outputs=["effect", "response"], method="tsit5", tolerances=TIGHT)
    steps = find_steps(ready, values)

    def effect(k):
        return predict(ready, values | {"k": k})["effect"][3, 0]

    def held(k):
        return predict(ready, values | {"k": k}, steps=steps)["effect"][3, 0]

    def response(k):
        return predict(ready, values | {"k": k})["response"][3, 0]

    k, one = jnp.full(1, 0.1), jnp.ones(1)
    value, forward = jax.jvp(effect, (k,), (one,))
    part, inner = jax.jvp(response, (k,), (one,))
    assert float(value) == pytest.approx(3.0 + 0.7 * float(part), rel=1e-13)
    assert float(forward) == pytest.approx(0.7 * float(inner), rel=1e-13)
    assert float(jax.grad(held)(k)[0]) == pytest.approx(float(forward), rel=1e-7)


def test_a_derived_output_needs_inputs_and_a_name_of_its_own() -> None:
    with pytest.raises(InputError, match="'constant' is derived from nothing; name its inputs"):
        Model("m", "", (), derived=(Derived("constant", "1", "", (), lambda u, p: 1.0, ""),))
    with pytest.raises(InputError, match="effect named twice"):
        PK >> effect_emax() >> replace(effect_emax(), parameters=())
    with pytest.raises(InputError, match="'effect_emax' needs the input ce; .* gives conc"):
        PK >> effect_emax("ce")
    with pytest.raises(InputError, match="no integral of 'effect'"):
        simulate(PK >> effect_emax(), subjects(KINETIC | EMAX), doses([0.0], subjects=2), TIMES, integrals=("effect",))
