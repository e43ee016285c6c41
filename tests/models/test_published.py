"""Models with published numbers: what their sources say of them, and SciPy's solution."""

import numpy as np
import pytest
from components import doses, scaled_error
from scipy.integrate import solve_ivp

from pkpd.engine.simulate import simulate
from pkpd.engine.tolerances import Tolerances
from pkpd.models.il2_sc_minimal import il2_sc_minimal
from pkpd.models.mrna6231_kpd import mrna6231_kpd
from pkpd.models.mrna6231_treg import mrna6231_treg
from pkpd.population.virtual import literature_of, typical_values


def test_minimal_il2_peaks_when_and_where_it_should() -> None:
    """Observed: peak at 4.4 +- 1.8 h, half-life 3.3 +- 0.9 h; 1 MIU peaks at 3.6 to 5 IU/mL. AUC = dose/(CL/F)."""
    model = il2_sc_minimal()
    values = {name: np.full(1, value) for name, value in typical_values(literature_of(model)).items()}
    times = np.linspace(0.0, 96.0, 9601)
    found = simulate(model, values, doses([0.0], 1e6, lag=0.45), times, integrals=("il2",)).values
    il2 = found["il2"][:, 0]
    assert times[il2.argmax()] == pytest.approx(4.4, abs=0.05)
    assert il2.max() == pytest.approx(3.67, abs=0.05)
    # The two rates are so near that the slope is that of absorption only long after there is anything to measure:
    # at 16 h it is still a half-life of 3.8 h, which the observed 3.3 +- 0.9 h covers.
    assert np.log(2.0) / np.log(il2[1600] / il2[1700]) == pytest.approx(3.8, abs=0.05)
    assert np.log(2.0) / np.log(il2[8000] / il2[8100]) == pytest.approx(3.3, abs=0.01)
    assert found["il2_auc"][-1, 0] == pytest.approx(1e6 / 25e3, rel=1e-6)


def test_mrna6231_by_another_solver() -> None:
    """Its published equations, amounts as the authors write them; 1e-7 for LSODA at 1e-11."""
    model = mrna6231_kpd() >> mrna6231_treg()
    p = typical_values(literature_of(model))
    times = np.linspace(0.0, 672.0, 29)

    def slope(t: float, x: np.ndarray) -> list[float]:
        depot, central, il2, ce, treg = x
        cp, cil2 = central / p["v"], il2 / p["v"]
        power, half = max(ce, 0.0) ** p["gamma"], p["ec50"] ** p["gamma"]
        return [
            -p["ka"] * depot,
            p["ka"] * depot - p["cl"] * cp,
            p["slope"] * cp / (cp + p["c50"]) - p["clc"] * cil2,
            p["ke0"] * (cil2 - ce),
            p["kin"] * (1.0 + p["emax"] * power / (half + power)) - p["kout"] * treg,
        ]

    start = [30.0, 0.0, 0.0, 0.0, p["kin"] / p["kout"]]
    solved = solve_ivp(slope, (0.0, 672.0), start, "LSODA", times, rtol=1e-11, atol=1e-13).y
    values = {name: np.full(1, value) for name, value in p.items()}
    found = simulate(model, values, doses([0.0], 30.0), times, tolerances=Tolerances(rtol=1e-9, atol=1e-12)).values
    for name, expected in {"cil2": solved[2] / p["v"], "ce": solved[3], "treg": solved[4]}.items():
        assert scaled_error(found[name][:, 0], expected, floor=1e-3) <= 1e-7, name
    assert solved[4].max() > 1.5 * start[4]
