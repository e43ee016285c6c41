"""Target-mediated disposition: each approximation is what the fuller model becomes in its limit."""

import numpy as np
import pytest
from components import doses, scaled_error
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from pkpd.engine.simulate import simulate
from pkpd.engine.tolerances import Tolerances
from pkpd.models.model import Model
from pkpd.models.tmdd_full import tmdd_full
from pkpd.models.tmdd_mm import tmdd_mm
from pkpd.models.tmdd_qss import tmdd_qss

COMMON = {"ka": 0.3, "f": 0.7, "v": 3.0, "kel": 0.1, "ksyn": 0.3, "kdeg": 0.1, "kint": 0.05}
TIMES = np.linspace(0.0, 72.0, 25)
TIGHT = Tolerances(rtol=1e-10, atol=1e-13)


def conc(model: Model, values: dict[str, float], given: float = 40.0) -> NDArray:
    """Free drug [nmol/L] after a dose under the skin and one into blood a day later."""
    into = [0, [state.name for state in model.states].index(model.route("iv").into)]
    parameters = {name: np.full(1, values[name]) for name in model.symbols}
    dosing = doses([0.0, 24.0], given, into=into, bioavailability=[0.7, 1.0])
    found = simulate(model, parameters, dosing, TIMES, outputs=("conc",), tolerances=TIGHT)
    assert found.failures == {}
    return found.values["conc"][:, 0]


def by_lsoda(values: dict[str, float], given: float = 40.0) -> NDArray:
    """QSS with free drug found by its definition, bound = target conc/(kss + conc), rather than by the root."""
    p = values

    def free(total: float, target: float) -> float:
        low, high = 0.0, total
        for _ in range(200):  # bisection: no formula shared with the model
            middle = 0.5 * (low + high)
            low, high = (middle, high) if middle + target * middle / (p["kss"] + middle) < total else (low, middle)
        return 0.5 * (low + high)

    def slope(t: float, y: NDArray) -> list[float]:
        c = free(y[1] / p["v"], y[2])
        bound = y[2] * c / (p["kss"] + c)
        return [
            -p["ka"] * y[0],
            p["ka"] * y[0] - p["v"] * (p["kel"] * c + p["kint"] * bound),
            p["ksyn"] - p["kdeg"] * (y[2] - bound) - p["kint"] * bound,
        ]

    found, state = [], np.array([0.7 * given, 0.0, p["ksyn"] / p["kdeg"]])
    for part in (TIMES[TIMES <= 24.0], TIMES[TIMES >= 24.0]):
        solved = solve_ivp(slope, part[[0, -1]], state, "LSODA", part, rtol=1e-11, atol=1e-13).y
        found.append(solved if part[0] == 0.0 else solved[:, 1:])
        state = solved[:, -1] + [0.0, given, 0.0]
    states = np.concatenate(found, axis=1)
    return np.array([free(total / p["v"], target) for total, target in states[1:].T])


@pytest.mark.parametrize("kss", [0.125, 5.0])
def test_quasi_steady_state_by_another_solver(kss: float) -> None:
    """1e-7: LSODA at 1e-11 over two doses."""
    values = COMMON | {"kss": kss}
    assert scaled_error(conc(tmdd_qss(), values), by_lsoda(values), floor=1e-3) <= 1e-7


def test_quasi_steady_state_is_where_fast_binding_leads() -> None:
    """kss held, kon ten times and a hundred times as large: the difference falls in proportion to 1/kon."""
    kss = 0.5
    limit = conc(tmdd_qss(), COMMON | {"kss": kss})
    apart = []
    for kon in (20.0, 200.0, 2000.0):
        full = conc(tmdd_full(), COMMON | {"kon": kon, "koff": kss * kon - COMMON["kint"]})
        apart.append(scaled_error(full, limit, floor=1e-2))
    assert apart[0] < 0.05
    assert apart[2] < 1e-3
    assert apart[1] / apart[0] == pytest.approx(0.1, rel=0.3)
    assert apart[2] / apart[1] == pytest.approx(0.1, rel=0.3)


def test_michaelis_menten_is_where_a_fast_and_scarce_receptor_leads() -> None:
    """ksyn held, kdeg and kint ever larger: the receptor follows at once, and holds ever less of the drug."""
    apart = []
    for speed in (100.0, 1000.0, 10000.0):
        values = COMMON | {"kss": 0.5, "kdeg": 0.1 * speed, "kint": 0.05 * speed}
        limit = {"ke": values["kel"], "vmax": values["v"] * values["ksyn"], "km": 0.5 * values["kdeg"] / values["kint"]}
        apart.append(scaled_error(conc(tmdd_qss(), values), conc(tmdd_mm(), values | limit), floor=1e-2))
    assert apart[0] < 0.2
    assert apart[2] < 2e-3
    assert apart[1] / apart[0] == pytest.approx(0.1, rel=0.3)
    assert apart[2] / apart[1] == pytest.approx(0.1, rel=0.3)
